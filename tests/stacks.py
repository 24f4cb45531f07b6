"""Matrices of all kinds, alone and in stacks of shape (networks, batch, units)."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

FLOATS = [np.float32, np.float64]


def matrices(dtype, **kwargs):
    """Small ones, whose entries may be any float that ``kwargs`` allow."""
    width = 32 if dtype == np.float32 else 64
    return arrays.arrays(
        dtype,
        st.tuples(st.integers(1, 9), st.integers(1, 9)),
        elements=st.floats(width=width, **kwargs),
    )


@st.composite
def stacks(draw, dtype):
    """Three different matrices of one shape, of sizes that may be far apart, with odd entries among them."""
    shape = (3, draw(st.integers(1, 70)), draw(st.integers(1, 70)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    stack = rng.normal(size=shape).astype(dtype)
    info = np.finfo(dtype)
    sizes = st.sampled_from([1.0, 1.0, 0.0, 1e-3, 1e3, 1e10, info.tiny * 3, info.max / 10])
    odd = st.sampled_from([0.0, -0.0, 1.0, np.nan, np.inf, -np.inf, info.smallest_subnormal, info.max])
    for k, size in enumerate(draw(st.lists(sizes, min_size=3, max_size=3))):
        matrix = stack[k]
        np.multiply(matrix, dtype(size), out=matrix)
        if draw(st.booleans()):
            matrix[:] = matrix[:, : draw(st.integers(1, 3))].repeat(70, axis=1)[:, : shape[2]]
        if draw(st.booleans()):
            matrix[rng.random(shape[1:]) < 0.05] = dtype(draw(odd))
    return stack


def assert_each_as_alone(function, stack):
    """The results' rows of a stack are to the bit those of each network alone."""
    together = function(stack)
    for k in range(len(stack)):
        for found, alone in zip(together, function(stack[k : k + 1].copy()), strict=True):
            assert len(found) == len(stack)
            assert found[k].tobytes() == alone[0].tobytes()
