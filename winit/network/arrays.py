"""What the arrays of a network are, to the type checker."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

PLAIN_ARRAYS = (np.ndarray, np.memmap)
"""What a user's function may give; other subclasses, such as np.matrix, calculate in ways of their own, and
masked arrays hide some of their numbers."""
