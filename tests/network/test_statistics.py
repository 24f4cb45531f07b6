"""Each compiled reduction against plain NumPy, at ordinary and at odd values."""

import numba
import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from winit.network import statistics

FLOATS = [np.float32, np.float64]


def matrices(dtype, **kwargs):
    width = 32 if dtype == np.float32 else 64
    return arrays.arrays(
        dtype,
        st.tuples(st.integers(1, 9), st.integers(1, 9)),
        elements=st.floats(width=width, **kwargs),
    )


@pytest.mark.parametrize("dtype", FLOATS)
@given(data=st.data())
@settings(deadline=None)
def test_moments_are_those_of_numpy(dtype, data):
    values = data.draw(matrices(dtype, min_value=-(2.0**60), max_value=2.0**60))
    found = statistics.moments(values)
    exact = values.astype(np.longdouble)  # whose squares neither over- nor underflow
    size = float(np.abs(exact).max())
    assert found.mean == pytest.approx(float(exact.mean()), abs=1e-12 * size)
    assert found.std == pytest.approx(float(exact.std()), abs=1e-7 * size)
    assert found.second == pytest.approx(float((exact**2).mean()), rel=1e-9)


@pytest.mark.parametrize("value", [0.1, 1e-20, -3e10])
@pytest.mark.parametrize("dtype", FLOATS)
def test_equal_entries_have_a_standard_deviation_of_exactly_zero(value, dtype):
    found = statistics.moments(np.full((50, 70), value, dtype))
    assert found.std == 0
    assert found.mean == dtype(value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_moments_are_undefined_where_an_entry_is_not_finite(value):
    for place in ((0, 0), (2, 3)):
        values = np.ones((4, 5), np.float32)
        values[place] = value
        with np.errstate(invalid="ignore"):
            assert np.isnan(statistics.moments(values)).all()


@pytest.mark.parametrize("dtype", FLOATS)
@given(data=st.data())
@settings(deadline=None)
def test_a_histogram_counts_as_numpy_does(dtype, data):
    low, high = data.draw(st.sampled_from([(-1.0, 1.0), (0.0, 1.0), (-4.0, 4.0)]))
    values = data.draw(matrices(dtype, allow_nan=True))
    finite = values[~np.isnan(values)].astype(np.float64)
    expected, _ = np.histogram(finite[(finite >= low) & (finite <= high)], 30, (low, high))
    found = statistics.histogram(values, low, high)
    assert found[1:-1].tolist() == expected.tolist()
    assert found[0] == (finite < low).sum()
    assert found[-1] == (finite > high).sum()


@pytest.mark.parametrize("ends", [(-1.0, 1.0), (0.0, 1.0), (-4.0, 4.0)])
def test_a_histogram_counts_as_numpy_does_on_and_beside_every_edge(ends):
    edges = np.linspace(*ends, 31)
    on = np.concatenate([edges, np.round(edges, 3)])
    values = np.concatenate([on, np.nextafter(on, -9), np.nextafter(on, 9)])
    values = values[(values >= ends[0]) & (values <= ends[1])]
    expected, _ = np.histogram(values, 30, ends)
    assert statistics.histogram(values, *ends)[1:-1].tolist() == expected.tolist()
    single = values.astype(np.float32)
    single = single[(single >= ends[0]) & (single <= ends[1])]
    expected, _ = np.histogram(single.astype(np.float64), 30, ends)
    assert statistics.histogram(single, *ends)[1:-1].tolist() == expected.tolist()


def test_every_edge_of_a_histogram_is_in_the_bin_above_it_and_the_last_in_the_last():
    found = statistics.histogram(np.array([-1.0, 0.0, 1.0, -1e-300, np.nextafter(1, 2)]), -1, 1)
    assert found.nonzero()[0].tolist() == [1, 15, 16, 30, 31]


@pytest.mark.parametrize("dtype", FLOATS)
@given(data=st.data())
@settings(deadline=None)
def test_magnitudes_are_counted_by_decade(dtype, data):
    values = data.draw(matrices(dtype))
    assert statistics.magnitude_histogram(values).tolist() == reference.magnitudes(values)


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_power_of_ten_begins_its_decade(dtype):
    for k in (-30, -7, 0, 1, 29, 30):
        power = dtype(f"1e{k}")
        slots = [
            int(statistics.magnitude_histogram(np.array([value])).nonzero()[0][0])
            for value in (power, np.nextafter(power, dtype(0)))
        ]
        assert slots == [k + 32, k + 31]


@pytest.mark.parametrize("size", [1e-320, 1e-200, 1e-150, 1e150, 1e160, 1e300])
def test_moments_of_float64_hold_over_its_whole_range(size):
    values = np.random.default_rng(0).normal(size=(40, 50)) * 0.5
    found = statistics.moments(values * size)
    digits = 1e-9 if size > 1e-300 else 1e-2  # subnormals have few
    assert found.mean == pytest.approx(values.mean() * size, rel=digits, abs=0)
    assert found.std == pytest.approx(values.std() * size, rel=digits, abs=0)
    if 1e-160 < size < 1e160:
        assert found.second == pytest.approx((values**2).mean() * size * size, rel=1e-9, abs=0)
    assert (found.second == np.inf) == (size >= 1e160)


def test_derivatives_are_counted():
    derivative = np.array([[0, 1, 0.01], [0, 0.5, 0]], np.float32)
    found = statistics.derivative_statistics(derivative, 0.05)
    assert found.mean == pytest.approx(1.51 / 6)
    assert found.second == pytest.approx((1 + 0.25 + 1e-4) / 6)
    assert found.largest == 1
    assert found.below == pytest.approx(4 / 6)
    assert found.dead == 1


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 40), st.integers(1, 12)),
        elements=st.sampled_from([0.0, 1.0, -1.0, 3e-20]),
    ),
    st.integers(1, 5),
)
@settings(deadline=None)
def test_repeated_columns_are_counted_once(columns, times):
    found = statistics.distinct_columns(np.ascontiguousarray(np.tile(columns, times)))
    assert found == reference.distinct(columns.astype(np.float64))


@pytest.mark.parametrize("dtype", FLOATS)
def test_columns_within_the_tolerance_are_one_and_beyond_it_two(dtype):
    rng = np.random.default_rng(0)
    column = rng.normal(size=(100, 1))
    largest = np.abs(column).max()
    for share, count in ((0.2e-6, 1), (4e-6, 2)):
        pair = np.hstack([column, column]).astype(dtype)
        pair[77, 1] += dtype(share * largest)
        assert statistics.distinct_columns(pair) == count


def test_columns_that_differ_in_their_last_example_alone_are_different():
    columns = np.zeros((1000, 300), np.float32)
    columns[-1] = np.arange(300)
    assert statistics.distinct_columns(columns) == 300


@pytest.mark.parametrize("shape", [(1000, 500), (30, 2000), (2, 3)])
def test_random_columns_are_all_different(shape):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    assert statistics.distinct_columns(values) == shape[1]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("row", "below"),
    [([0, 0], False), ([0, 1e-20], True), ([1e-20, 1], False), ([-1, 1e-20], False), ([np.nan, 0], False)],
)
def test_a_row_that_vanishes_but_is_not_zero_is_found(dtype, row, below):
    values = np.array([[1.0, 2.0], row, [0.0, 0.0]], dtype)
    assert statistics.has_row_below(values, dtype(1e-10)) == below


def test_row_sums_and_inner_product_are_exact_in_float64():
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(2, 30, 40)).astype(np.float32)
    wide = left.astype(np.float64)
    assert statistics.row_sums(left) == pytest.approx(wide.sum(axis=1), rel=1e-12)
    assert statistics.inner_product(left, right) == pytest.approx((wide * right).sum(), rel=1e-12)


def test_sparse_columns_that_are_equal_in_their_first_examples_are_told_apart():
    columns = np.zeros((400, 600), np.float32)
    columns[np.random.default_rng(0).integers(50, 400, 600), np.arange(600)] = 1
    assert statistics.distinct_columns(columns) == reference.distinct(columns.astype(np.float64))


def test_columns_near_the_largest_float_are_compared():
    columns = np.random.default_rng(0).uniform(-1, 1, size=(50, 20)) * 1.7e308
    assert statistics.distinct_columns(np.hstack([columns, columns])) == 20


def test_the_statistics_run_where_nothing_can_be_cached(monkeypatch):
    compiler = numba.njit

    def without_a_place(*arguments, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available for file")
        return compiler(*arguments, **options)

    monkeypatch.setattr(numba, "njit", without_a_place)
    assert statistics._compiled()(lambda x: x + 1)(2) == 3
