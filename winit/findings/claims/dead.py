"""Networks that are dead before they are trained: deep and narrow ones of relu.

Born dead means here: no unit of the last hidden layer fires for any of the examples. So the output is the
same for all of them, and no weight has a gradient.
"""

from winit.findings.claims.claim import Band, Claim, pushed
from winit.findings.claims.notes import LU_2018

# Layers, units of each, and the share that is known.
_SHARES = ((10, 2, 0.868), (20, 3, 0.895), (100, 8, 0.278))
# Ours. The interval of 300 seeds is about ±0.05, and what counts as a layer may differ by one.
_WITHIN = 0.1

BORN_DEAD = "CAST(max(h_max) = 0 AS DOUBLE)"


def _claim(depth: int, width: int, share: float) -> Claim:
    return Claim(
        f"born-dead-{depth}-of-{width}",
        f"Of ReLU networks of {depth} layers of {width} units a share of {share} is born dead.",
        LU_2018,
        pushed("he_normal", "relu", depth=depth, width=f"{width}"),
        "layers",
        BORN_DEAD,
        "share of networks whose last hidden layer is 0 for all examples",
        Band(round(share - _WITHIN, 3), round(share + _WITHIN, 3)),
        rows="layer = depth",
        share=True,
        why="A layer whose units are all below 0 for all examples is 0, and so is all behind it. Every layer"
        " risks it anew, the more the fewer units it has.",
    )


CLAIMS = tuple(_claim(*network) for network in _SHARES)
