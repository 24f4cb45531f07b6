"""Whether an activation takes each entry of z by itself, whatever stands beside it, wherever it stands."""

from collections.abc import Callable, Iterator

import numpy as np

from winit.network.activations.entry import Pair
from winit.network.arrays import Array
from winit.network.labels import LabelError

PARTS = ("φ", "φ'")

_ROWS, _COLUMNS = 5, 7
_SIZE = _ROWS * _COLUMNS
# Within ±9.5, none of them round, in no order.
_Z = 9.5 * np.sin(np.arange(_SIZE) ** 2 + 0.3) * np.linspace(0.05, 1.0, _SIZE)
# What libraries compute of one entry may be rounded otherwise in a vector of another length.
_RELATIVE, _OF_THE_USUAL = 1e-4, 1e-5


def check_elementwise(label: str, call: Callable[[Array], Pair]) -> None:
    """Raise LabelError where φ or φ' of an entry depends on the others, its place, or the shape of z."""
    z = _Z.reshape(_ROWS, _COLUMNS)
    usual = [part.ravel() for part in call(z)]
    for other, places in _otherwise():
        for name, one, found in zip(PARTS, usual, call(other), strict=True):
            here, there = one[places], found.ravel()[: places.size]
            most = _RELATIVE * (np.abs(here) + np.abs(there)) + _OF_THE_USUAL * np.median(np.abs(one))
            differ = ~((np.abs(here - there) <= most) | (here == there) | (np.isnan(here) & np.isnan(there)))
            if differ.any():
                k = int(np.argmax(differ))
                raise LabelError(
                    f"{label} is not elementwise: {name}({_Z[places][k]:.4g}) is {here[k]:.4g} in one batch"
                    f" and {there[k]:.4g} in another; an activation takes each entry of z by itself (what"
                    " looks at several, such as softmax, normalization or dropout, will be a `block`; winit"
                    " has no such layers yet)"
                )


def _otherwise() -> Iterator[tuple[Array, "np.ndarray[tuple[int], np.dtype[np.intp]]"]]:
    """Arrays that begin with entries of z, and where these stand in z."""
    everywhere = np.arange(_SIZE)
    shuffled = everywhere * 11 % _SIZE
    yield _Z[shuffled].reshape(_ROWS, _COLUMNS), shuffled
    for shape in ((_COLUMNS, _ROWS), (1, _SIZE), (_SIZE, 1)):
        yield _Z.reshape(shape), everywhere
    for place in (3, 12, 30):
        company = -0.7 * np.roll(_Z, 1).reshape(_ROWS, _COLUMNS)
        company[0, 0] = _Z[place]
        yield company, np.array([place])
        yield _Z[place].reshape(1, 1), np.array([place])
