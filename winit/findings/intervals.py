"""Student's confidence intervals of means over seeds: how sure they are, in one place."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

CONFIDENCE = 0.95


def quantile(count: ArrayLike) -> NDArray[np.float64]:
    """Half the width of the interval of a mean over ``count`` ≥ 2 values, in standard errors."""
    return np.asarray(stdtrit(np.asarray(count) - 1.0, (1 + CONFIDENCE) / 2))
