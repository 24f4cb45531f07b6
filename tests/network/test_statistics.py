"""Each compiled reduction against plain NumPy, at ordinary and at odd values."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stacks import FLOATS, assert_each_as_alone, matrices, stacks

from winit.network import statistics
from winit.network.cosines import cosines
from winit.network.summaries import summary


def summarized(values):
    return summary(values, None, magnitudes=False).moments


# Moments are found alone, or together with what else there is to be counted.
MOMENTS = [statistics.moments, summarized]


def moments(function, values):
    """Mean, standard deviation and mean square of a matrix."""
    return function(values[np.newaxis])[0].tolist()


@pytest.mark.parametrize("function", MOMENTS)
@pytest.mark.parametrize("dtype", FLOATS)
@given(data=st.data())
def test_moments_are_those_of_numpy(dtype, function, data):
    values = data.draw(matrices(dtype, min_value=-(2.0**60), max_value=2.0**60))
    mean, std, second = moments(function, values)
    exact = values.astype(np.longdouble)  # whose squares neither over- nor underflow
    size = float(np.abs(exact).max())
    assert mean == pytest.approx(float(exact.mean()), abs=1e-12 * size)
    assert std == pytest.approx(float(exact.std()), abs=1e-7 * size)
    assert second == pytest.approx(float((exact**2).mean()), rel=1e-9)


@pytest.mark.parametrize("function", MOMENTS)
@pytest.mark.parametrize("value", [0.1, 1e-20, -3e10])
@pytest.mark.parametrize("dtype", FLOATS)
def test_equal_entries_have_a_standard_deviation_of_exactly_zero(value, dtype, function):
    mean, std, _ = moments(function, np.full((50, 170), value, dtype))
    assert std == 0
    assert mean == dtype(value)


@pytest.mark.parametrize("function", MOMENTS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_moments_are_undefined_where_an_entry_is_not_finite(value, dtype, function):
    for place in ((0, 0), (2, 3)):
        values = np.ones((4, 5), dtype)
        values[place] = value
        with np.errstate(invalid="ignore"):
            assert np.isnan(moments(function, values)).all()


@pytest.mark.parametrize("function", MOMENTS)
@pytest.mark.parametrize("size", [1e-320, 1e-200, 1e-150, 1e150, 1e160, 1e300])
def test_moments_of_float64_hold_over_its_whole_range(size, function):
    values = np.random.default_rng(0).normal(size=(40, 50)) * 0.5
    mean, std, second = moments(function, values * size)
    digits = 1e-9 if size > 1e-300 else 1e-2  # subnormals have few
    assert mean == pytest.approx(values.mean() * size, rel=digits, abs=0)
    assert std == pytest.approx(values.std() * size, rel=digits, abs=0)
    if 1e-160 < size < 1e160:
        assert second == pytest.approx((values**2).mean() * size * size, rel=1e-9, abs=0)
    assert (second == np.inf) == (size >= 1e160)


@pytest.mark.parametrize("size", [1e-300, 1.0, 1e160, 1e300])
@pytest.mark.parametrize("stretch", [1, 7, 40, 100])
def test_the_standard_deviation_of_parts_is_that_of_the_whole(stretch, size):
    values = np.random.default_rng(0).normal(1.0, 0.5, (40, 5)) * size
    parts = [values[start : start + stretch] for start in range(0, 40, stretch)]
    found = np.array([statistics.moments(part[np.newaxis])[0] for part in parts])
    std = statistics.pooled_std(found, np.array([len(part) for part in parts]))
    assert std == pytest.approx((values / size).std() * size, rel=1e-12, abs=0)
    if len(parts) == 1:  # to the bit
        assert std == found[0, 1]


def test_equal_parts_have_no_deviation_and_what_is_not_finite_has_none_that_is_known():
    equal = np.array([[0.1, 0.0, 0.01]] * 3)
    assert statistics.pooled_std(equal, np.array([26, 26, 18])) < 1e-16
    equal[1] = np.nan
    assert np.isnan(statistics.pooled_std(equal, np.array([26, 26, 18])))


@pytest.mark.parametrize("function", MOMENTS)
def test_networks_of_sizes_far_apart_have_their_own_moments(function):
    sizes = [1.0, 1e-200, 1e300, 1e-5]
    values = np.random.default_rng(0).normal(size=(40, 50)) * 0.5
    stack = np.array([values * size for size in sizes])
    stack[3, 5, 7] = np.inf
    with np.errstate(invalid="ignore"):
        found = function(stack)
    for row, size in zip(found[:3], sizes, strict=False):
        assert row[:2] == pytest.approx([values.mean() * size, values.std() * size], rel=1e-9, abs=0)
    assert np.isnan(found[3]).all()


@pytest.mark.parametrize("dtype", FLOATS)
@given(data=st.data())
def test_ends_and_the_largest_magnitude_are_those_of_numpy(dtype, data):
    values = data.draw(matrices(dtype))
    (ends,) = summary(values[np.newaxis], None, magnitudes=False).ends
    found = [*ends, *statistics.largest(values[np.newaxis])]
    expected = [values.min(), values.max(), np.abs(values).max()]
    assert np.array_equal(found, expected, equal_nan=True)
    assert {value.dtype for value in found} == {np.dtype(dtype)}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("units", [1, 2, 3, 8, 31, 100])
def test_the_ends_of_zeros_of_both_signs_are_positive_zeros(units, dtype):
    rng = np.random.default_rng(0)
    stack = np.copysign(dtype(0), rng.normal(size=(3, 40, units)).astype(dtype))
    for values in (stack, stack[:1]):
        assert not np.signbit(summary(values, None, magnitudes=False).ends).any()
        assert not np.signbit(statistics.largest(values)).any()


@pytest.mark.parametrize("dtype", FLOATS)
def test_derivatives_are_counted(dtype):
    derivative = np.array([[0, 1, 0.01], [0, 0.5, 0]], dtype)
    mean, second, largest, below, dead = statistics.derivative_statistics(derivative[np.newaxis], 0.05)[0]
    assert mean == pytest.approx(1.51 / 6)
    assert second == pytest.approx((1 + 0.25 + 1e-4) / 6)
    assert largest == 1
    assert below == pytest.approx(4 / 6)
    assert dead == 1


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(1, 1), (9, 7), (130, 101)])
def test_derivative_statistics_are_those_of_numpy(shape, dtype):
    rng = np.random.default_rng(0)
    derivative = rng.normal(size=shape).astype(dtype)
    derivative[rng.random(shape) < 0.3] = 0
    derivative[:, rng.random(shape[1]) < 0.3] = 0
    found = statistics.derivative_statistics(derivative[np.newaxis], 0.05)[0]
    wide = derivative.astype(np.float64)
    expected = [
        wide.mean(),
        (wide**2).mean(),
        np.abs(wide).max(),
        (np.abs(derivative) < dtype(0.05)).mean(),
        (derivative == 0).all(axis=0).sum(),
    ]
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_derivatives_that_are_not_finite_have_no_statistics(value):
    derivative = np.ones((2, 4, 5), np.float32)
    derivative[1, 2, 3] = value
    found = statistics.derivative_statistics(derivative, 0.05)
    assert found[0].tolist() == [1, 1, 1, 0, 0]
    assert np.isnan(found[1, :4]).all()
    assert found[1, 4] == -1


@pytest.mark.parametrize("dtype", FLOATS)
@given(data=st.data())
def test_a_column_is_alive_where_an_entry_is_not_zero(dtype, data):
    values = data.draw(stacks(dtype))[0]
    values[values.shape[0] // 2 :, ::2] = 0
    assert statistics.alive_columns(values).tolist() == (values != 0).any(axis=0).tolist()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("row", "below"),
    [([0, 0], False), ([0, 1e-20], True), ([1e-20, 1], False), ([-1, 1e-20], False), ([np.nan, 0], False)],
)
def test_a_row_that_vanishes_but_is_not_zero_is_found(dtype, row, below):
    values = np.array([[[1.0, 2.0], row, [0.0, 0.0]], [[1.0, 2.0], [3.0, 0.0], [0.0, 0.0]]], dtype)
    assert statistics.vanishing(values, dtype(1e-10)).tolist() == [below, False]


@pytest.mark.parametrize("dtype", FLOATS)
@given(data=st.data())
def test_what_vanishes_is_what_numpy_finds(dtype, data):
    stack = data.draw(stacks(dtype))
    least = dtype(data.draw(st.sampled_from([1e-30, 1e-10, 1.0])))
    magnitudes = np.abs(stack)
    small = (magnitudes < least).all(axis=2) & (magnitudes > 0).any(axis=2)
    assert statistics.vanishing(stack, least).tolist() == small.any(axis=1).tolist()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(3, 1, 1), (2, 30, 40), (3, 7, 129)])
def test_the_means_of_examples_are_exact_in_float64_and_taken_away(shape, dtype):
    values = np.random.default_rng(0).normal(3.0, size=shape).astype(dtype)
    exponents = np.arange(len(values), dtype=np.int32) * -40
    means, rest = statistics.centred(np.ldexp(values, exponents[:, np.newaxis, np.newaxis]), exponents)
    expected = values.astype(np.longdouble).mean(axis=2)
    assert means == pytest.approx(expected.astype(np.float64), rel=1e-12)
    assert rest.dtype == dtype
    assert rest.tolist() == (values - means.astype(dtype)[:, :, np.newaxis]).tolist()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("value", [0.1, -1e-20, 3e10])
def test_nothing_but_rounding_is_left_of_equal_entries_without_their_mean(value, dtype):
    values = np.full((2, 5, 77), value, dtype)
    _, rest = statistics.centred(values, np.zeros(2, np.int32))
    assert np.abs(rest).max() <= 1e-14 * abs(value)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("value", [1.0, 0.3, -2.5, 1e20])
def test_scaling_multiplies_in_place_and_gives_the_moments(value, dtype):
    values = np.random.default_rng(0).normal(1.0, size=(3, 30, 400)).astype(dtype)
    scales = np.array([1.0, value, value / 3], dtype)
    expected = values * scales[:, np.newaxis, np.newaxis]
    found = statistics.scale(values, scales)
    assert (values == expected).all()
    assert found == pytest.approx(statistics.moments(expected), rel=1e-13)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("batch", [1, 2, 37])
def test_forms_are_exact_in_float64(batch, dtype):
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(2, batch, batch)).astype(dtype)
    left, right = left + left.T, right + right.T
    x, y = rng.normal(size=(2, batch))
    found = statistics.forms(left, right, x, y)
    wide, other = left.astype(np.longdouble), right.astype(np.longdouble)
    expected = [(wide * other).sum(), x @ wide @ x, y @ other @ y]
    sizes = [
        np.abs(wide * other).sum(),
        np.abs(x) @ np.abs(wide) @ np.abs(x),
        np.abs(y) @ np.abs(other) @ np.abs(y),
    ]
    for value, exact, size in zip(found, expected, sizes, strict=True):
        assert abs(value - exact) <= 1e-14 * size


def plain_cosines(examples):
    """Of all pairs of those that are finite and not zero, in extended precision."""
    directed = [row for row in examples.astype(np.longdouble) if row.any() and np.isfinite(row).all()]
    units = [row / np.abs(row).max() for row in directed]
    units = [row / np.sqrt((row * row).sum()) for row in units]
    found = [(a * b).sum() for a, b in itertools.combinations(units, 2)]
    return [float(np.mean(found)), float(np.std(found))] if found else [np.nan, np.nan]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("batch", [1, 2, 3, 4, 5, 7, 8, 17])
@pytest.mark.parametrize("units", [1, 2, 33])
def test_cosines_are_those_of_numpy(units, batch, dtype):
    rng = np.random.default_rng(0)
    stack = rng.normal(0.3, size=(4, batch, units)).astype(dtype)
    stack[1, rng.random(batch) < 0.5] = 0
    stack[2, batch // 2, 0] = np.nan
    stack[3, 0, units - 1] = np.inf
    expected = np.array([plain_cosines(examples) for examples in stack])
    assert cosines(stack) == pytest.approx(expected, abs=1e-14, nan_ok=True)


def test_fewer_than_two_directions_have_no_cosine():
    examples = np.zeros((3, 6, 5), np.float32)
    examples[1, 4] = 1
    examples[2, 2:4] = 1
    found = cosines(examples)
    assert np.isnan(found[:2]).all()
    assert found[2] == pytest.approx([1, 0], abs=1e-15)


@pytest.mark.parametrize("size", [1e-320, 1e-200, 1e-120, 1e120, 1e200, 1e307])
def test_cosines_of_float64_hold_over_its_whole_range(size):
    examples = np.random.default_rng(0).uniform(-1, 1, size=(1, 9, 21)) * size
    expected = plain_cosines(examples[0])
    assert cosines(examples)[0] == pytest.approx(expected, rel=0, abs=1e-14)
    examples[0, ::2] /= size  # huge and ordinary examples together
    expected = plain_cosines(examples[0])
    assert cosines(examples)[0] == pytest.approx(expected, rel=0, abs=1e-14)


@pytest.mark.parametrize("size", [1e-44, 1e-30, 1e30, 1e38])
def test_cosines_of_float32_hold_over_its_whole_range(size):
    examples = (np.random.default_rng(0).uniform(-3, 3, size=(1, 9, 21)) * size).astype(np.float32)
    assert cosines(examples)[0] == pytest.approx(plain_cosines(examples[0]), rel=0, abs=1e-14)


def test_cosines_of_nearly_equal_examples_are_told_from_one():
    rng = np.random.default_rng(0)
    first, other = rng.normal(size=(2, 200))
    other -= (other @ first) / (first @ first) * first
    other *= np.linalg.norm(first) / np.linalg.norm(other)
    examples = np.array([[first, first + np.sqrt(2e-10) * other]])
    mean, std = cosines(examples)[0]
    assert 1 - mean == pytest.approx(1e-10, rel=1e-4)
    assert std == 0


def vanishing(values):
    return (statistics.vanishing(values, values.dtype.type(1e-10)),)


def exponents_of(values):
    return statistics.unusual_exponents(statistics.largest(values))


def scaled(values):
    values = values.copy()
    return (statistics.scale(values, values[:, -1, -1].copy()), values)


FUNCTIONS = {
    "moments": lambda values: (statistics.moments(values),),
    "scale": scaled,
    "largest": lambda values: (statistics.largest(values),),
    "derivative_statistics": lambda values: (statistics.derivative_statistics(values, 0.05),),
    "vanishing": vanishing,
    "centred": lambda values: statistics.centred(values, exponents_of(values)),
    "cosines": lambda values: (cosines(values),),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", FLOATS)
@given(data=st.data())
def test_a_network_in_a_stack_has_the_statistics_that_it_has_alone(dtype, name, data):
    stack = data.draw(stacks(dtype))
    with np.errstate(invalid="ignore", over="ignore"):
        assert_each_as_alone(FUNCTIONS[name], stack)


@pytest.mark.parametrize("dtype", FLOATS)
def test_dividing_by_the_binary_exponent_of_an_unusual_size_is_exact(dtype):
    info = np.finfo(dtype)
    sizes = [1.0, 2.0**29, 0.0, 2.0**40, 1e-20, float(info.max / 8), float(info.tiny), np.inf]
    values = np.random.default_rng(0).uniform(0.5, 1, size=(len(sizes), 3, 5)).astype(dtype)
    values *= np.array(sizes, dtype)[:, np.newaxis, np.newaxis]
    exponents = exponents_of(values)
    assert (exponents == 0).tolist() == [True, True, True, False, False, False, False, True]
    found = statistics.divided(values, exponents)
    assert (np.abs(statistics.largest(found)[3:7]) <= 1).all()
    assert (np.abs(statistics.largest(found)[3:7]) >= 0.25).all()
    assert (np.ldexp(found, exponents[:, np.newaxis, np.newaxis]) == values).all()
