"""Confidence intervals of means and shares over seeds: how sure they are, in one place."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, stdtrit

CONFIDENCE = 0.95


def quantile(count: ArrayLike) -> NDArray[np.float64]:
    """Student's: half the width of the interval of a mean over ``count`` ≥ 2 values, in standard errors."""
    return np.asarray(stdtrit(np.asarray(count) - 1.0, (1 + CONFIDENCE) / 2))


def of_share(found: int, count: int) -> tuple[float, float]:
    """The ends of the interval of a share, of which ``found`` of ``count`` were seen.

    The exact one of Clopper and Pearson 1934.
    """
    tail = (1 - CONFIDENCE) / 2
    low = betaincinv(found, count - found + 1, tail) if found > 0 else 0.0
    high = betaincinv(found + 1, count - found, 1 - tail) if found < count else 1.0
    return float(low), float(high)
