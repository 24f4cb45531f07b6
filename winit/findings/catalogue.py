"""The catalogue as a page with pictures, made from its entries.

``python -m winit.findings.catalogue docs`` writes it.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np

from winit.findings.drawing import chart_of
from winit.findings.pages import table
from winit.network.activations import ACTIVATIONS, Activation, activation
from winit.network.datasets import DATASETS
from winit.network.initializers import INITIALIZERS
from winit.network.inputs import INPUTS
from winit.network.labels import signature_of
from winit.network.meanfield import CriticalityError, critical_sigma_w
from winit.sweep.files import replacing_all

_PICTURES = "images/activations"
_REACH, _POINTS = 4.0, 161
_LOWEST, _HIGHEST = -2.0, 4.0  # a curve ends here

_HEAD = """# The catalogue

Made from the entries by `make docs`. A name with arguments is written as a call,
`leaky_relu(negative_slope=0.2)`; an argument that is left out has the value shown here, and one that is a
number may be an expression of numbers, + - * / **, brackets, sqrt and pi: `orthogonal(gain=sqrt(2))`,
`uniform(-1/sqrt(3), 1/sqrt(3))`. `winit initializers` and `winit activations` print the same. What stands
under elsewhere may be written too, as people write it: `nn.ReLU()`, `F.elu`, `nn.GELU(approximate='tanh')`,
`tf.keras.initializers.HeNormal()`. It is what it is there, and results have our name for it; one that means
several things, as `GELU` and `HeNormal` do, is refused with all of them. What stands in brackets behind a
name there is given to it, is its own default of our argument, or is its name for our argument. Your own:
[your-own.md](your-own.md). The theory behind the critical σ_w: [theory.md](theory.md).
"""

_INITIALIZERS = """## Initializers

The kernel is y = x W, W of shape (fan_in, fan_out). Names without a dot follow the papers: normal is normal
there. Names with a framework in front follow that framework to the letter: its truncation, correction, gains
and defaults. Not for dense layers, and so not here: Keras' STFT, JAX's delta_orthogonal, torch's dirac_.
"""

_ACTIVATIONS = """## Activations

φ is the blue line, φ' the dashed orange one. The critical σ_w is the one at which, without biases, gradients
neither vanish nor explode (χ₁ = 1 at an attracting fixed point); – where there is none.
"""

_INPUTS = """## Inputs

What is pushed through the networks: `probe.input` in the config.
"""


_DATASETS = """## Data sets

What networks are trained on: `task.data` in the config's training section. See [training.md](training.md).
"""


def page() -> str:
    """``docs/catalogue.md``."""
    parts = [
        _HEAD,
        _INITIALIZERS,
        table(("name", "law", "source", "elsewhere"), _initializers()),
        _ACTIVATIONS,
    ]
    parts.append(table(("name", "curve", "φ(z)", "critical σ_w", "source", "elsewhere"), _activations()))
    parts += [_INPUTS, table(("name", "examples"), ((_signature(e), e.formula) for e in INPUTS.values()))]
    rows = (
        (_signature(e), e.formula, f"{e.width} → {e.classes}", str(e.examples), e.source)
        for e in DATASETS.values()
    )
    header = ("name", "examples", "entries → classes", "to train on", "source")
    parts += [_DATASETS, table(header, rows)]
    return "\n".join(parts)


def curves() -> dict[str, str]:
    """The picture of each activation, as SVG, by file name."""
    import vl_convert

    return {
        f"{entry.name}.svg": vl_convert.vegalite_to_svg(_curve(activation(entry.label)).to_dict())
        for entry in ACTIVATIONS.values()
    }


def _signature(entry: Any) -> str:
    return f"`{signature_of(entry.name, entry.function)}`"


def _elsewhere(entry: Any) -> str:
    return ", ".join([*(f"alias `{alias}`" for alias in entry.aliases), *entry.frameworks])


def _initializers() -> Iterable[tuple[str, ...]]:
    for entry in INITIALIZERS.values():
        yield _signature(entry), entry.formula, entry.source, _elsewhere(entry)


def _activations() -> Iterable[tuple[str, ...]]:
    for entry in ACTIVATIONS.values():
        picture = f"![{entry.name}]({_PICTURES}/{entry.name}.svg)"
        critical = _critical(activation(entry.label))
        yield _signature(entry), picture, entry.formula, critical, entry.source, _elsewhere(entry)


def _critical(function: Activation) -> str:
    try:
        value = f"{critical_sigma_w(function):.6g}"
    except CriticalityError:
        return "–"
    return value if function.label == function.entry.name else f"{value} ({function.label})"


def _curve(function: Activation) -> Any:
    z = np.linspace(-_REACH, _REACH, _POINTS)
    values = [part.round(3) for part in function(z)]
    rows = [
        {"z": float(x), "y": float(y), "of": which}
        for which, part in zip(("φ", "φ'"), values, strict=True)
        for x, y in zip(z.round(3), part, strict=True)
        if _LOWEST <= y <= _HIGHEST
    ]
    heights = [row["y"] for row in rows if isinstance(row["y"], float)]
    domain = [min(*heights, -0.1), max(*heights, 1.1)]
    style = alt.Scale(domain=["φ", "φ'"], range=["#0072B2", "#D55E00"])
    dash = alt.Scale(domain=["φ", "φ'"], range=[[1, 0], [4, 3]])
    y = alt.Y("y:Q", title=None, scale=alt.Scale(domain=domain, nice=False), axis=alt.Axis(tickCount=4))
    return (
        chart_of(rows)
        .mark_line()
        .encode(
            x=alt.X("z:Q", title=None, axis=alt.Axis(values=[-4, -2, 0, 2, 4])),
            y=y,
            color=alt.Color("of:N", scale=style, legend=None),
            strokeDash=alt.StrokeDash("of:N", scale=dash, legend=None),
        )
        .properties(width=150, height=100)
    )


def write(folder: Path) -> None:
    """Write the page and its pictures under ``folder``."""
    pictures, made = folder / _PICTURES, curves()
    with replacing_all() as new:
        for name, picture in made.items():
            new(pictures / name).write_text(picture, encoding="utf-8")
        new(folder / "catalogue.md").write_text(page(), encoding="utf-8")
    for old in pictures.glob("*.svg"):
        if old.name not in made:
            old.unlink()


if __name__ == "__main__":
    write(Path(sys.argv[1]))
