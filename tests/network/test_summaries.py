"""Histograms, zeros and moments in one look, against plain NumPy and the explicit reference."""

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from stacks import FLOATS, assert_each_as_alone, matrices, stacks

from winit.network import statistics
from winit.network.activations import ACTIVATIONS, UNBOUNDED_RANGE
from winit.network.summaries import errors, summary

RANGES = sorted({UNBOUNDED_RANGE, *(entry.bounds for entry in ACTIVATIONS.values() if entry.bounds)})
# More than are looked at together, and no multiple of 8.
MANY = 3 * 4096 + 13


def histogram(values, low, high):
    return summary(values[np.newaxis], (low, high), magnitudes=False).histogram[0]


def magnitudes(values):
    return summary(values[np.newaxis], None, magnitudes=True).magnitudes[0].tolist()


def assert_counts_as_numpy(values, low, high):
    finite = values[~np.isnan(values)].astype(np.float64)
    expected, _ = np.histogram(finite[(finite >= low) & (finite <= high)], 30, (low, high))
    found = histogram(values, low, high)
    assert found[1:-1].tolist() == expected.tolist()
    assert found[0] == (finite < low).sum()
    assert found[-1] == (finite > high).sum()


@pytest.mark.parametrize("dtype", FLOATS)
@given(data=st.data())
def test_a_histogram_counts_as_numpy_does(dtype, data):
    ends = data.draw(st.sampled_from(RANGES))
    assert_counts_as_numpy(data.draw(matrices(dtype, allow_nan=True)), *ends)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("ends", RANGES)
def test_a_histogram_of_many_entries_counts_as_numpy_does(ends, dtype):
    rng = np.random.default_rng(0)
    values = rng.uniform(1.2 * ends[0] - 0.1, 1.2 * ends[1] + 0.1, MANY).astype(dtype)
    values[rng.random(MANY) < 0.01] = np.nan
    values[rng.random(MANY) < 0.01] = np.inf
    values[rng.random(MANY) < 0.01] = -np.inf
    assert_counts_as_numpy(values, *ends)


@pytest.mark.parametrize("ends", RANGES)
def test_a_histogram_counts_as_numpy_does_on_and_beside_every_edge(ends):
    edges = np.linspace(*ends, 31)
    on = np.concatenate([edges, np.round(edges, 3)])
    values = np.concatenate([on, np.nextafter(on, -9), np.nextafter(on, 9)])
    values = values[(values >= ends[0]) & (values <= ends[1])]
    expected, _ = np.histogram(values, 30, ends)
    assert histogram(values, *ends)[1:-1].tolist() == expected.tolist()
    single = on.astype(np.float32)
    single = np.concatenate(
        [single, np.nextafter(single, np.float32(-9)), np.nextafter(single, np.float32(9))]
    )
    single = single[(single >= ends[0]) & (single <= ends[1])]
    expected, _ = np.histogram(single.astype(np.float64), 30, ends)
    assert histogram(single, *ends)[1:-1].tolist() == expected.tolist()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("ends", RANGES)
def test_values_however_near_to_zero_are_on_their_side_of_it(ends, dtype):
    small = np.geomspace(np.finfo(dtype).smallest_subnormal, 1e-3, 200).astype(dtype)
    assert_counts_as_numpy(np.concatenate([small, -small]), *ends)


def test_every_edge_of_a_histogram_is_in_the_bin_above_it_and_the_last_in_the_last():
    found = histogram(np.array([-1.0, 0.0, 1.0, -1e-300, np.nextafter(1, 2)]), -1, 1)
    assert found.nonzero()[0].tolist() == [1, 15, 16, 30, 31]


@pytest.mark.parametrize("dtype", FLOATS)
@given(data=st.data())
def test_magnitudes_are_counted_by_decade(dtype, data):
    values = data.draw(matrices(dtype))
    assert magnitudes(values) == reference.magnitudes(values)


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_power_of_ten_begins_its_decade(dtype):
    for k in (-30, -7, 0, 1, 29, 30):
        power = dtype(f"1e{k}")
        slots = [
            int(np.nonzero(magnitudes(np.array([value])))[0][0])
            for value in (power, np.nextafter(power, dtype(0)))
        ]
        assert slots == [k + 32, k + 31]


def over_decades(rng, dtype, low, high, size=MANY):
    return (rng.choice([-1, 1], size) * 10.0 ** rng.uniform(low, high, size)).astype(dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@given(data=st.data())
@settings(max_examples=50)
def test_magnitudes_that_span_many_decades_are_counted(dtype, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    low, high = sorted(data.draw(st.tuples(st.floats(-35, 35), st.floats(-35, 35))))
    values = over_decades(rng, dtype, low, high, data.draw(st.sampled_from([1, 100, 5000, MANY])))
    subnormal = np.finfo(dtype).smallest_subnormal
    for odd in data.draw(st.sets(st.sampled_from([0.0, -0.0, np.inf, -np.inf, np.nan, subnormal]))):
        values[rng.random(values.size) < data.draw(st.sampled_from([0.01, 0.5, 1.0]))] = odd
    assert magnitudes(values) == reference.magnitudes(values)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("first", [1e-35, 1e-10, 1.0, 1e10, 1e35, 0.0, np.inf, np.nan])
def test_magnitudes_are_counted_whatever_the_first_entries_are(first, dtype):
    values = over_decades(np.random.default_rng(0), dtype, -35, 35)
    values[:3000] = first
    assert magnitudes(values) == reference.magnitudes(values)


@pytest.mark.parametrize("dtype", FLOATS)
@given(data=st.data())
def test_zeros_are_counted(dtype, data):
    values = data.draw(matrices(dtype))
    for size in (1, 2000):
        many = np.tile(values, size)
        found = summary(many[np.newaxis], None, magnitudes=False)
        assert found.zeros.tolist() == [np.count_nonzero(many == 0)]


def test_histograms_that_are_not_asked_for_stay_zero():
    values = np.ones((2, 3, 4), np.float32)
    assert not summary(values, (0.0, 1.0), magnitudes=False).magnitudes.any()
    assert not summary(values, None, magnitudes=True).histogram.any()
    assert summary(values, (0.0, 1.0), magnitudes=True).histogram.sum(axis=1).tolist() == [12, 12]


@pytest.mark.parametrize("dtype", FLOATS)
@given(data=st.data())
def test_a_network_in_a_stack_has_the_summary_that_it_has_alone(dtype, data):
    stack = data.draw(stacks(dtype))
    bins = data.draw(st.sampled_from([None, *RANGES]))
    by_magnitude = data.draw(st.booleans())
    with np.errstate(invalid="ignore"):
        assert_each_as_alone(lambda values: summary(values, bins, magnitudes=by_magnitude), stack)


@pytest.mark.parametrize("dtype", FLOATS)
@given(data=st.data())
def test_errors_are_g_times_its_scale_and_the_derivative_and_are_summarized(dtype, data):
    g = data.draw(stacks(dtype))
    derivative = np.random.default_rng(0).normal(size=g.shape).astype(dtype)
    scales = np.array(data.draw(st.tuples(*3 * [st.sampled_from([1.0, 0.3, 1e-5, -7.0])])), dtype)
    by_magnitude = data.draw(st.booleans())
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        expected = g * scales[:, np.newaxis, np.newaxis]
        found = errors(g, scales, derivative, magnitudes=by_magnitude)
        assert found.g is g
        assert np.array_equal(g, expected, equal_nan=True)
        assert np.array_equal(found.delta, expected * derivative, equal_nan=True)
        assert np.array_equal(found.largest, statistics.largest(found.delta), equal_nan=True)
        alone = summary(g, None, magnitudes=by_magnitude)
        assert np.array_equal(found.moments, alone.moments, equal_nan=True)
    assert (found.magnitudes == alone.magnitudes).all()


@pytest.mark.parametrize("dtype", FLOATS)
@given(data=st.data())
def test_a_network_in_a_stack_has_the_errors_that_it_has_alone(dtype, data):
    stack = data.draw(stacks(dtype))

    def of(values):
        return errors(values.copy(), values[:, -1, -1].copy(), values * 2, magnitudes=True)

    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        assert_each_as_alone(of, stack)
