"""What is pushed through the networks: the examples x, and the cotangent at the output."""

from functools import cache

import numpy as np

from winit.network.cells import Probe
from winit.network.draws import Array, Draws


def examples(probe: Probe, width: int, draws: Draws) -> Array:
    """x, shape (batch, width), in the probe's dtype.

    ``normal``: N(0, 1). ``uint8``: integers 0 … 255, as raw pixels are. ``digits``: images of
    scikit-learn's digits, without repetition, standardized by the mean and standard deviation of the
    whole data set.
    """
    shape = (probe.batch, width)
    generator = draws.generator("input", 0)
    if probe.input == "normal":
        x = draws.standard("normal", "input", 0, shape)
    elif probe.input == "uint8":
        x = generator.integers(0, 256, shape, dtype=np.uint8).astype(np.float32)
    else:
        images = digits()
        x = images[generator.permutation(len(images))[: probe.batch]]
    return x.astype(probe.dtype, copy=False)


@cache
def digits() -> Array:
    """The 1797 images of 8 × 8 pixels, shape (1797, 64), standardized as a whole."""
    from sklearn.datasets import load_digits

    pixels = load_digits().data
    return (pixels - pixels.mean()) / pixels.std()


def cotangent(probe: Probe, draws: Draws) -> Array:
    """∂L/∂y = v ~ N(0, 1), shape (batch, outputs), in the probe's dtype."""
    shape = (probe.batch, probe.outputs)
    return draws.standard("normal", "cotangent", 0, shape).astype(probe.dtype, copy=False)
