"""What the arrays of a network are, to the type checker."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
