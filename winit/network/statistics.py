"""Compiled reductions over a layer's arrays, accumulated in float64.

Each is a single pass over an array that lies in the cache, where NumPy would need several with
temporaries. Sums may be reordered by the compiler (it vectorises them), always in the same way on
one kind of processor.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from winit.network.draws import Array

# Sums may be regrouped and multiplications fused; NaN and infinity keep their meaning.
_VECTORIZE = {"reassoc", "contract", "nsz"}

HISTOGRAM_BINS = 30
"""Bins of ``histogram``, as in the notes; slots 0 and 31 are under- and overflow."""
MAGNITUDE_DECADES = (-30, 30)
"""``magnitude_histogram`` has a bin for each decade from 1e-30 to 1e30."""
MAGNITUDE_SLOTS = 4 + MAGNITUDE_DECADES[1] - MAGNITUDE_DECADES[0]
"""zero, below 1e-30, the decades [10^k, 10^(k+1)), 1e30 and above, not finite"""


def _compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``numba.njit``, kept on the disk for the next process where there is a place to keep it."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:  # neither this folder nor the user's cache can be written
            return numba.njit(**options)(function)

    return decorate


class Moments(NamedTuple):
    """Mean, standard deviation and mean square, all NaN where an entry is not finite."""

    mean: float
    std: float
    second: float


def moments(values: Array) -> Moments:
    """The moments of all entries of a contiguous array."""
    flat = values.reshape(-1)
    found = _ordinary_moments(flat)
    if flat.dtype == np.float32 or (np.isfinite(found.std) and found.second > _LEAST_SECOND):
        return found
    # Squares of float64 over- or underflow where the values do not: take them in the middle range.
    largest = max(flat.max(), -flat.min())
    if not np.isfinite(largest):
        return Moments(np.nan, np.nan, np.nan)
    exponent = int(np.frexp(largest)[1])
    mean, std, second = _ordinary_moments(np.ldexp(flat, -exponent))
    with np.errstate(over="ignore", under="ignore"):
        return Moments(
            float(np.ldexp(mean, exponent)),
            float(np.ldexp(std, exponent)),
            float(np.ldexp(second, 2 * exponent)),
        )


_LEAST_SECOND = 1e-250  # below it, squares of float64 begin to lose digits to underflow


def _ordinary_moments(flat: Array) -> Moments:
    # Sums of (x - first) keep all digits where the entries are nearly equal, and give a std of
    # exactly 0 where they are equal.
    shift = float(flat[0])
    total, square = _shifted_sums(flat, shift)
    mean = total / flat.size
    variance = max(square / flat.size - mean * mean, 0.0)
    if not np.isfinite(mean):
        return Moments(np.nan, np.nan, np.nan)
    return Moments(shift + mean, float(np.sqrt(variance)), variance + (shift + mean) * (shift + mean))


@_compiled(fastmath=_VECTORIZE)
def _shifted_sums(flat, shift):
    total = 0.0
    square = 0.0
    for i in range(flat.size):
        value = np.float64(flat[i]) - shift
        total += value
        square += value * value
    return total, square


class DerivativeStatistics(NamedTuple):
    """Of φ'(z), shape (batch, units)."""

    mean: float
    second: float
    largest: float
    """of |φ'|"""
    below: float
    """share of entries with |φ'| below the threshold"""
    dead: int
    """units with φ' = 0 over the whole batch"""


def derivative_statistics(derivative: Array, threshold: float) -> DerivativeStatistics:
    """Statistics of a contiguous φ'(z), shape (batch, units); NaN and −1 where it is not finite."""
    batch, units = derivative.shape
    alive = np.zeros(units, np.bool_)
    total, square, below = _derivative_sums(derivative, derivative.dtype.type(threshold), alive)
    size = batch * units
    if not np.isfinite(total):
        return DerivativeStatistics(np.nan, np.nan, np.nan, np.nan, -1)
    largest = float(max(derivative.max(), -derivative.min()))
    return DerivativeStatistics(total / size, square / size, largest, below / size, units - int(alive.sum()))


@_compiled(fastmath=_VECTORIZE)
def _derivative_sums(derivative, threshold, alive):
    total = 0.0
    square = 0.0
    below = 0
    batch, units = derivative.shape
    for b in range(batch):
        for j in range(units):
            value = np.float64(derivative[b, j])
            total += value
            square += value * value
            below += abs(derivative[b, j]) < threshold
        for j in range(units):
            alive[j] |= derivative[b, j] != 0
    return total, square, below


@_compiled(fastmath=_VECTORIZE)
def row_sums(values):
    """The sum over each row, float64, shape (rows,)."""
    rows, columns = values.shape
    sums = np.zeros(rows)
    for i in range(rows):
        total = 0.0
        for j in range(columns):
            total += np.float64(values[i, j])
        sums[i] = total
    return sums


@_compiled()
def has_row_below(values, least):
    """Whether a row is not all zeros but has no entry of the magnitude ``least`` (or NaN)."""
    for i in range(values.shape[0]):
        vanishing = False
        for j in range(values.shape[1]):
            magnitude = abs(values[i, j])
            if not magnitude < least:
                vanishing = False
                break
            vanishing |= magnitude > 0
        if vanishing:
            return True
    return False


@_compiled(fastmath=_VECTORIZE)
def inner_product(left, right):
    """Σ left · right over all entries of two contiguous arrays of one shape."""
    total = 0.0
    flat_left = left.reshape(-1)
    flat_right = right.reshape(-1)
    for i in range(flat_left.size):
        total += np.float64(flat_left[i]) * np.float64(flat_right[i])
    return total


def histogram(values: Array, low: float, high: float) -> NDArray[np.uint32]:
    """Counts of 30 equal bins over [low, high], with underflow before and overflow behind.

    Shape (32,). A bin holds its lower edge, the last one both, as in ``numpy.histogram``; NaN is
    in no bin.
    """
    flat = values.reshape(-1)
    if np.isnan(flat.min()):
        flat = flat[~np.isnan(flat)]
    counts = np.zeros((2, HISTOGRAM_BINS + 2), np.uint32)
    scale = HISTOGRAM_BINS / (high - low)
    fraction, whole = np.modf(-low * scale)
    # Slot s holds begin[s] <= x < begin[s + 1]; the last one infinity too.
    begin = np.concatenate(([-np.inf], histogram_edges(low, high)[:-1], [np.nextafter(high, np.inf), np.inf]))
    _histogram(flat, high, scale, fraction, whole + 1.0, begin, flat.dtype == np.float64, counts)
    return counts.sum(axis=0, dtype=np.uint32)


def histogram_edges(low: float, high: float) -> NDArray[np.float64]:
    """The 31 edges of ``histogram``."""
    return np.linspace(low, high, HISTOGRAM_BINS + 1)


@_compiled(fastmath={"nnan"})
def _histogram(flat, high, scale, fraction, first, begin, beside_edges, counts):
    # In float64 the place of a float32 is exact to far less than its distance from an edge that it is
    # not on, so it needs no comparison with the edges (a float64 does: ``beside_edges``); zero, to which
    # values come as near as they like, is added to last. Slots are found first, a stretch at a time,
    # since the compiler can vectorise that, and counted then, in two rows of counters by turns, so
    # that a run of equal values does not wait for itself.
    stretch = 1024
    slots = np.empty(stretch, np.int32)
    last = np.float64(counts.shape[1] - 1)
    for start in range(0, flat.size, stretch):
        length = min(stretch, flat.size - start)
        for i in range(length):
            value = np.float64(flat[start + i])
            place = np.floor(value * scale + fraction) + first
            place = place if place > 0.0 else 0.0
            place = place if place < last else last
            slots[i] = np.int32(place) - np.int32(value == high)
        if beside_edges:
            for i in range(length):
                slot = slots[i] - (flat[start + i] < begin[slots[i]])
                slots[i] = min(slot + (flat[start + i] >= begin[slot + 1]), counts.shape[1] - 1)
        for i in range(length):
            counts[i & 1, slots[i]] += 1


def magnitude_histogram(values: Array) -> NDArray[np.uint32]:
    """Counts of |x| by decade, shape (64,), slots as in ``MAGNITUDE_SLOTS``."""
    bits = np.uint32 if values.dtype == np.float32 else np.uint64
    base, edge = _decades(values.dtype)
    counts = np.zeros((2, MAGNITUDE_SLOTS), np.uint32)
    sign = bits(1) << bits(8 * values.dtype.itemsize - 1)
    shift = bits(np.finfo(values.dtype).nmant)
    _magnitudes(values.reshape(-1).view(bits), bits(sign - bits(1)), shift, base, edge, counts)
    return counts.sum(axis=0, dtype=np.uint32)


@_compiled()
def _magnitudes(bits, magnitude, shift, base, edge, counts):
    for i in range(bits.size):
        value = bits[i] & magnitude
        exponent = value >> shift
        counts[i & 1, base[exponent] + (value >= edge[exponent])] += 1


@cache
def _decades(dtype: np.dtype[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.unsignedinteger]]:
    """For each binary exponent: the slot of its smallest magnitude, and the next slot's first bits.

    Floats of one sign are ordered as their bits are, and an interval [2^e, 2^(e+1)) holds at most
    one power of ten: so a look-up and a comparison find the decade, without a logarithm.
    """
    bits = np.uint32 if dtype == np.float32 else np.uint64
    info = np.finfo(dtype)
    low, high = MAGNITUDE_DECADES
    exponents = 2 ** int(info.nexp)
    base = np.zeros(exponents, np.int64)
    edge = np.full(exponents, np.iinfo(bits).max, bits)
    powers = [dtype.type(f"1e{k}") for k in range(low, high + 1)]
    for exponent in range(1, exponents - 1):
        smallest = np.ldexp(dtype.type(1), exponent - 2 ** (int(info.nexp) - 1) + 1)
        base[exponent] = 1 + sum(power <= smallest for power in powers)
        for power in powers:
            if smallest < power and power / 2 < smallest:
                edge[exponent] = power.view(bits)
    # Exponent 0: zero itself, and the subnormals from bits 1 on. The last one: infinity and NaN.
    edge[0] = 1
    base[-1] = MAGNITUDE_SLOTS - 1
    return base, edge


def distinct_columns(values: Array, tolerance: float = 1e-6) -> int:
    """How many different columns a finite array of shape (batch, units) has.

    Two columns are one where they differ nowhere by more than ``tolerance`` times the larger of their
    largest magnitudes. (Of a chain whose neighbours are one and whose ends are two, the count
    depends on the order.)
    """
    batch, units = values.shape
    largest = float(max(values.max(), -values.min()))
    if largest > _HUGE:  # so that sums and differences stay finite
        values = np.ldexp(values, -64)
        largest = float(np.ldexp(largest, -64))
    # Equal columns have nearly equal projections, so that only runs of neighbours among the sorted ones need
    # to be compared. A few rows tell the columns of a random layer apart.
    some = min(batch, 32)
    projection = _projection(values[:some])
    order = np.argsort(projection, kind="stable")
    near = np.diff(projection[order]) <= 2 * some * tolerance * largest
    return units - (_repetitions(values, order, near, tolerance) if near.any() else 0)


_HUGE = 2.0**900


@_compiled()
def _projection(rows):
    """A fixed combination of the rows with weights in [−1, 1]."""
    sums = np.zeros(rows.shape[1])
    for i in range(rows.shape[0]):
        weight = np.cos(1.0 + 2.0 * i)
        for j in range(rows.shape[1]):
            sums[j] += weight * rows[i, j]
    return sums


@_compiled()
def _repetitions(values, order, near, tolerance):
    """How many columns repeat one of their run; ``near`` joins neighbours in ``order`` to runs."""
    repetitions = 0
    start = 0
    for end in range(1, order.size + 1):
        if end == order.size or not near[end - 1]:
            if end - start > 1:
                repetitions += end - start - _different(values, order[start:end], tolerance)
            start = end
    return repetitions


@_compiled()
def _different(values, columns, tolerance):
    """How many of the columns differ from every earlier one that was counted."""
    scales = np.zeros(columns.size)
    for b in range(values.shape[0]):
        for i in range(columns.size):
            scales[i] = max(scales[i], abs(np.float64(values[b, columns[i]])))
    left = np.arange(columns.size)
    count = 0
    while left.size > 0:
        # Row by row, as they lie in memory, until all others are known to differ from the first that is left.
        first = left[0]
        count += 1
        same = left[1:].copy()
        alike = same.size
        for b in range(values.shape[0]):
            value = np.float64(values[b, columns[first]])
            kept = 0
            for k in range(alike):
                i = same[k]
                allowed = tolerance * max(scales[i], scales[first])
                if abs(np.float64(values[b, columns[i]]) - value) <= allowed:
                    same[kept] = i
                    kept += 1
            alike = kept
            if alike == 0:
                break
        known = np.zeros(columns.size, np.bool_)
        known[same[:alike]] = True
        known[first] = True
        left = left[~known[left]]
    return count
