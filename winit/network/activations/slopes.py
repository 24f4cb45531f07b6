"""Whether φ' is the derivative of φ, as differences of φ show it."""

from collections.abc import Callable

import numpy as np

from winit.network.activations.entry import Pair
from winit.network.arrays import Array
from winit.network.labels import LabelError

# Round places first, since they are the ones to name; then others, dense near 0.
_ROUND = (0.0, 0.7, -0.3, 1.0, -1.5, 2.5, 0.01, -10.0, 10.0)
_PLACES = np.array([*_ROUND, *(9.5 * np.sinh(np.linspace(-3.0, 3.0, 64) + 0.0137) / np.sinh(3.1))])
# Of no common measure, so that what repeats itself is not met at equal places again and again.
_STEPS = 0.1 * 0.6180339887 ** np.arange(17)
# What φ' is at a single point, where a kink would be, is a convention.
_BESIDE = np.array([0.0, -1e-5, 1e-5])
_WINDOW = 3  # neighbouring steps that are asked whether they agree
_OFFSETS = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
# Of each step: the central difference, and one from each side; all three of second order.
_DIFFERENCES = np.array([[0.0, -0.5, 0.0, 0.5, 0.0], [0.0, 0.0, -1.5, 2.0, -0.5], [0.5, -2.0, 1.5, 0.0, 0.0]])
_AGREED = 0.005
"""Differences say something where they lie no further apart, as a share of what they say."""
_WRONG = 0.002
_ROUNDING = 5e-7  # of φ, where it is computed in float32
_UNDERFLOW = 1e-12  # of the largest slope: beside it this is none
_SMALLEST = 1e-18


def check_slopes(label: str, call: Callable[[Array], Pair]) -> None:
    """Raise LabelError where φ' is clearly another than differences of φ say.

    At each place differences are taken with many steps, from both sides. Where no neighbouring steps agree
    (at a kink, or where φ is rough or rounded) they say nothing.
    """
    z = _PLACES[:, np.newaxis, np.newaxis] + _STEPS[:, np.newaxis] * _OFFSETS
    values = call(z.reshape(len(z), -1))[0].reshape(z.shape)
    beside = call(_PLACES + _BESIDE[:, np.newaxis])[1]
    given = beside[0]
    said, apart = _said(values)
    size = np.maximum(np.abs(said), np.abs(given)[:, np.newaxis])
    seen = size > _UNDERFLOW * np.nanmax(np.abs(given), initial=_SMALLEST)
    # The finest steps say 0 where a slope is lost in the rounding of φ: they may confirm, but not refute.
    rounding = _ROUNDING * np.abs(values).max(axis=(1, 2))[:, np.newaxis] / _STEPS[_WINDOW - 1 :]
    agreed = apart <= _AGREED * np.abs(said)
    right = (np.abs(beside[..., np.newaxis] - said) <= 2 * apart + _WRONG * size).any(axis=0)
    firm = agreed & seen & (rounding <= _AGREED * size)
    wrong = firm.any(axis=1) & ~(agreed & right).any(axis=1) & np.isfinite(given)
    if wrong.any():
        k = int(np.argmax(wrong))
        best = said[k, np.argmin(np.where(firm[k], apart[k], np.inf))]
        raise LabelError(
            f"{label}: φ'({_PLACES[k]:.4g}) is given as {given[k]:.4g}, but differences of φ say {best:.4g};"
            " mend it, or, where it is meant to be another (a straight-through estimator, say), write"
            f" `{label.rpartition(':')[2].partition('(')[0]}.surrogate = True` below the function"
        )


def _said(values: Array) -> tuple[Array, Array]:
    """From φ at place, step and offset: what each window of steps says at each place, and how far apart."""
    with np.errstate(invalid="ignore", over="ignore"):
        slopes = values @ _DIFFERENCES.T / _STEPS[:, np.newaxis]
        windows = np.lib.stride_tricks.sliding_window_view(slopes, _WINDOW, axis=1)
        together = windows.transpose(0, 1, 3, 2).reshape(*windows.shape[:2], -1)
        return np.median(together, axis=2), np.ptp(together, axis=2)
