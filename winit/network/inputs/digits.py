"""scikit-learn's digits: 1797 images of 8 × 8 pixels."""

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from winit.network.arrays import Array
from winit.network.inputs.entry import Entry, Wanted
from winit.network.inputs.moments import Floats, Moments, moments_of

DIGITS_PIXELS = 64
DIGITS_IMAGES = 1797


def digits(wanted: Wanted) -> Array:
    images = standardized_digits()
    return images[wanted.generator.permutation(len(images))[: wanted.batch]]


@cache
def _load_digits() -> tuple[Floats, NDArray[np.int64]]:
    from sklearn.datasets import load_digits  # slow to import, and seldom needed

    pixels, targets = load_digits(return_X_y=True)
    return pixels, targets


def digits_pixels() -> Floats:
    """The 1797 images of 8 × 8 pixels, whole numbers 0 … 16, shape (1797, 64)."""
    return _load_digits()[0]


def digits_targets() -> NDArray[np.int64]:
    """The digit that each image shows, shape (1797,)."""
    return _load_digits()[1]


@cache
def standardized_digits() -> Floats:
    """The images, standardized by the mean and standard deviation of them all, shape (1797, 64)."""
    pixels = digits_pixels()
    return (pixels - pixels.mean()) / pixels.std()


@cache
def _moments(_: int) -> Moments:
    return replace(moments_of(standardized_digits()), mean=0.0)  # but for rounding


ENTRIES = (
    Entry(
        "digits",
        digits,
        "images of scikit-learn's digits, without repetition, standardized by the mean and standard"
        " deviation of the whole data set",
        _moments,
        width=DIGITS_PIXELS,
        largest_batch=DIGITS_IMAGES,
    ),
)
