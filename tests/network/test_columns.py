"""The number of different columns, against the comparison of every column with every other."""

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from stacks import FLOATS, assert_each_as_alone, stacks

from winit.network import statistics
from winit.network.columns import distinct_columns


def distinct(values):
    stack = values[np.newaxis]
    return int(distinct_columns(stack, statistics.largest(stack))[0])


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 40), st.integers(1, 12)),
        elements=st.sampled_from([0.0, 1.0, -1.0, 3e-20]),
    ),
    st.integers(1, 5),
)
def test_repeated_columns_are_counted_once(columns, times):
    found = distinct(np.ascontiguousarray(np.tile(columns, times)))
    assert found == reference.distinct(columns.astype(np.float64))


@pytest.mark.parametrize("dtype", FLOATS)
def test_columns_within_the_tolerance_are_one_and_beyond_it_two(dtype):
    rng = np.random.default_rng(0)
    column = rng.normal(size=(100, 1))
    largest = np.abs(column).max()
    for share, count in ((0.2e-6, 1), (4e-6, 2)):
        pair = np.hstack([column, column]).astype(dtype)
        pair[77, 1] += dtype(share * largest)
        assert distinct(pair) == count


def test_columns_that_differ_in_their_last_example_alone_are_different():
    columns = np.zeros((1000, 300), np.float32)
    columns[-1] = np.arange(300)
    assert distinct(columns) == 300


@pytest.mark.parametrize("shape", [(1000, 500), (30, 2000), (2, 3)])
def test_random_columns_are_all_different(shape):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    assert distinct(values) == shape[1]


def test_sparse_columns_that_are_equal_in_their_first_examples_are_told_apart():
    columns = np.zeros((400, 600), np.float32)
    columns[np.random.default_rng(0).integers(50, 400, 600), np.arange(600)] = 1
    assert distinct(columns) == reference.distinct(columns.astype(np.float64))


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e200, 1.7e308])
def test_columns_near_the_ends_of_float64_are_compared(size):
    columns = np.random.default_rng(0).uniform(-1, 1, size=(50, 20)) * size
    assert distinct(np.hstack([columns, columns])) == 20


@pytest.mark.parametrize("dtype", FLOATS)
def test_subnormal_columns_are_compared(dtype):
    columns = np.random.default_rng(0).integers(-1000, 1000, size=(50, 20)).astype(dtype)
    columns *= np.finfo(dtype).smallest_subnormal
    assert distinct(np.hstack([columns, columns])) == 20


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_columns_are_not_counted_where_an_entry_is_not_finite(value):
    columns = np.ones((4, 5), np.float32)
    columns[2, 3] = value
    assert distinct(columns) == -1


@pytest.mark.parametrize("dtype", FLOATS)
@given(data=st.data())
def test_a_network_in_a_stack_has_as_many_columns_as_alone(dtype, data):
    stack = data.draw(stacks(dtype))
    assert_each_as_alone(lambda values: (distinct_columns(values, statistics.largest(values)),), stack)


def test_columns_of_large_and_small_networks_are_counted_together():
    columns = np.random.default_rng(0).uniform(-1, 1, size=(50, 20))
    stack = np.array([columns * 1.7e308, columns, columns * 1e-300, np.zeros_like(columns)])
    stack[1, :, 7] = stack[1, :, 3]
    assert distinct_columns(stack, statistics.largest(stack)).tolist() == [20, 19, 20, 1]
