"""Inputs that are random numbers."""

import math

import numpy as np

from winit.network.arrays import Array
from winit.network.inputs.entry import Entry, Wanted
from winit.network.inputs.moments import Moments
from winit.network.labels import LabelError

_UINT8_MEAN = 255 / 2
_UINT8_SQUARE = 255 * 511 / 6


def normal(wanted: Wanted) -> Array:
    return wanted.draws.standard("normal", "input", 0, (wanted.batch, wanted.width)).values


def uint8(wanted: Wanted) -> Array:
    drawn = wanted.generator.integers(0, 256, (wanted.batch, wanted.width), dtype=np.uint8)
    return drawn.astype(np.float32)


def pairs(wanted: Wanted, correlation: float) -> Array:
    if not -1 <= correlation <= 1:
        raise LabelError(f"correlation is {correlation}; it must be from -1 to 1")
    # Exact for every pair, not on average, so that the map starts where theory does.
    drawn = normal(wanted).astype(np.float64).reshape(wanted.batch // 2, 2, wanted.width)
    first, other = drawn[:, 0], drawn[:, 1]
    first = first / np.linalg.norm(first, axis=1, keepdims=True)
    other = other - (other * first).sum(axis=1, keepdims=True) * first
    other = other / np.linalg.norm(other, axis=1, keepdims=True)
    second = correlation * first + math.sqrt(1 - correlation**2) * other
    return np.stack([first, second], axis=1).reshape(wanted.batch, wanted.width) * math.sqrt(wanted.width)


def _of_normal(_: int) -> Moments:
    return Moments(0.0, np.ones(1), 2.0, 3.0, 0.0)


def _of_uint8(_: int) -> Moments:
    squares = np.arange(256.0) ** 2
    return Moments(
        mean=_UINT8_MEAN,
        second_moments=np.array([_UINT8_SQUARE]),
        excess=float(np.var(squares)),
        fourth_moment=float(np.mean(np.arange(256.0) ** 4)),
        cosine=_UINT8_MEAN**2 / _UINT8_SQUARE,
    )


def _of_pairs(_: int, correlation: float) -> Moments:
    del correlation  # it is that within a pair, and what is said here is of others
    return Moments(0.0, np.ones(1), 0.0, 3.0, 0.0)


ENTRIES = (
    Entry("normal", normal, "N(0, 1)", _of_normal, normal=True),
    Entry("uint8", uint8, "whole numbers 0 … 255, as raw pixels are", _of_uint8),
    Entry(
        "pairs",
        pairs,
        "the examples 2k and 2k + 1 have exactly this cosine, and every example mean square 1",
        _of_pairs,
        paired=True,
        example="pairs(correlation=0.5)",
    ),
)
