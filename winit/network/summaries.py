"""One look at all entries of a layer: their moments, zeros, and histograms, compiled.

Values have the shape (networks, batch, units), results a row for each network. Every entry is loaded once,
and all is done with it while it lies in the first cache.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from winit.network import statistics
from winit.network.arrays import Array
from winit.network.compiled import STRETCH, VECTORIZE, compiled

Counts = NDArray[np.uint32]

HISTOGRAM_BINS = 30
"""Bins of a histogram, as in the notes; slots 0 and 31 are under- and overflow."""
MAGNITUDE_DECADES = (-30, 30)
"""Magnitudes have a bin for each decade from 1e-30 to 1e30."""
MAGNITUDE_SLOTS = 4 + MAGNITUDE_DECADES[1] - MAGNITUDE_DECADES[0]
"""zero, below 1e-30, the decades [10^k, 10^(k+1)), 1e30 and above, not finite"""


class Summary(NamedTuple):
    """Of all entries of each network; the first axis is that of the networks."""

    moments: NDArray[np.float64]
    """Mean, standard deviation and mean square, shape (networks, 3); NaN where an entry is not finite."""
    ends: Array
    """The smallest and the largest entry, shape (networks, 2); NaN where one is NaN."""
    zeros: NDArray[np.int64]
    """How many entries are exactly zero."""
    histogram: Counts
    """Shape (networks, 32): 30 equal bins over a range, with underflow before and overflow behind.

    A bin holds its lower edge, the last one both, as in ``numpy.histogram``; NaN is in no bin.
    """
    magnitudes: Counts
    """Counts of |x| by decade, shape (networks, 64), slots as in ``MAGNITUDE_SLOTS``."""


class Errors(NamedTuple):
    """What comes back to a layer's units and to their pre-activations, of each network of a stack."""

    g: Array
    delta: Array
    """δ = g ⊙ φ'(z)"""
    largest: Array
    """max |δ|, shape (networks,); NaN where an entry is NaN."""
    moments: NDArray[np.float64]
    """Of g, as in ``Summary``."""
    magnitudes: Counts
    """Of g, as in ``Summary``."""


def summary(values: Array, bins: tuple[float, float] | None, *, magnitudes: bool) -> Summary:
    """The moments, ends and zeros of ``values``, and the histograms that are asked for; others stay zero.

    ``bins`` are the ends of the histogram's range.
    """
    flat = values.reshape(len(values), -1)
    words = statistics.words_of(flat)
    found = Summary(
        np.empty((len(flat), 3)),
        np.empty((len(flat), 2), values.dtype),
        np.empty(len(flat), np.int64),
        np.zeros((len(flat), HISTOGRAM_BINS + 2), np.uint32),
        np.zeros((len(flat), MAGNITUDE_SLOTS), np.uint32),
    )
    low, high = bins or (0.0, 1.0)
    binned, powers = bins is not None, _powers(values.dtype)
    moments, ends, *counts = found
    among = statistics.words_of(ends)
    _summarize(flat, words, low, high, _begin(low, high), binned, powers, magnitudes, moments, among, *counts)
    ends += 0.0  # zeros of both signs become positive
    ends[np.isnan(ends).any(axis=1)] = np.nan
    statistics.mend_moments(flat, moments)
    return found


def errors(g: Array, scales: Array, derivative: Array, *, magnitudes: bool) -> Errors:
    """δ of g · ``scales`` and φ'(z), and the moments and magnitudes of g.

    All have the shape (networks, batch, units) but for the scales, (networks,). g is multiplied in place.
    """
    flat, slopes = g.reshape(len(g), -1), derivative.reshape(len(g), -1)
    delta = np.empty_like(flat)
    words = statistics.words_of(delta)
    largest = np.empty(len(g), words.dtype)
    found = np.empty((len(g), 3))
    counts = np.zeros((len(g), MAGNITUDE_SLOTS), np.uint32)
    _multiply(flat, scales, slopes, delta, words, _powers(g.dtype), magnitudes, largest, found, counts)
    statistics.mend_moments(flat, found)
    return Errors(g, delta.reshape(g.shape), largest.view(g.dtype), found, counts)


def histogram_edges(low: float, high: float) -> NDArray[np.float64]:
    """The 31 edges of a histogram's bins."""
    return np.linspace(low, high, HISTOGRAM_BINS + 1)


@cache
def _begin(low: float, high: float) -> NDArray[np.float64]:
    """Slot s holds begin[s] <= x < begin[s + 1]; the last one infinity too."""
    edges = histogram_edges(low, high)
    return np.concatenate(([-np.inf], edges[:-1], [np.nextafter(high, np.inf), np.inf]))


@cache
def _powers(dtype: np.dtype[np.floating]) -> Array:
    """1e-30, 1e-29, …, 1e30, and infinity."""
    low, high = MAGNITUDE_DECADES
    return np.array([*(f"1e{k}" for k in range(low, high + 1)), "inf"], dtype)


_GROUP = 8  # powers that are compared with at once


@compiled()
def _summarize(
    flat, words, low, high, begin, binned, powers, by_magnitude, moments, ends, zeros, bins, magnitudes
):
    slots = np.empty(STRETCH, np.uint8)
    at_least = np.empty(powers.size, words.dtype)
    for k in range(flat.shape[0]):
        row = flat[k]
        # Sums of (x - first) keep all digits where the entries are nearly equal, and give a std of
        # exactly 0 where they are equal.
        shift = np.float64(row[0])
        sums = np.zeros(2)
        null = 0
        ends[k] = words[k, 0]
        statistics.put_in_order(ends[k])
        counted = np.zeros((8, 256), np.uint32)
        at_least[:] = 0
        group = _likely_group(row[:1024], powers) if by_magnitude else 0
        for start in range(0, row.size, STRETCH):
            stretch = row[start : start + STRETCH]
            statistics.add_moments(stretch, shift, sums)
            statistics.add_ends(words[k, start : start + STRETCH], ends[k])
            null += _zeros(stretch)
            if binned:
                _slots(stretch, low, high, begin, slots[: stretch.size])
                _count(slots[: stretch.size], counted)
            if by_magnitude:
                _compare(stretch, powers, group, at_least)
        statistics.finish_moments(shift, sums[0] / row.size, sums[1] / row.size, moments[k])
        statistics.put_in_order(ends[k])
        zeros[k] = null
        if binned:
            for turn in range(counted.shape[0]):
                for slot in range(bins.shape[1]):
                    bins[k, slot] += counted[turn, slot]
        if by_magnitude:
            _finish_magnitudes(row, powers, group, null, np.isfinite(moments[k, 0]), at_least, magnitudes[k])


@compiled(fastmath=VECTORIZE)
def _multiply(flat, scales, slopes, delta, words, powers, by_magnitude, largest, moments, magnitudes):
    at_least = np.empty(powers.size, words.dtype)
    one = flat.dtype.type(1)
    for k in range(flat.shape[0]):
        row, factor = flat[k], scales[k]
        shift = np.float64(flat.dtype.type(row[0] * factor))
        sums = np.zeros(2)
        null = 0
        group = 0
        at_least[:] = 0
        largest[k] = 0
        for start in range(0, row.size, STRETCH):
            stretch = row[start : start + STRETCH]
            if factor != one:
                for i in range(stretch.size):
                    stretch[i] *= factor
            slope = slopes[k, start : start + STRETCH]
            product = delta[k, start : start + STRETCH]
            for i in range(product.size):
                product[i] = stretch[i] * slope[i]
            most = statistics.largest_word(words[k, start : start + STRETCH])
            largest[k] = max(largest[k], most)
            statistics.add_moments(stretch, shift, sums)
            if by_magnitude:
                null += _zeros(stretch)
                if start == 0:
                    group = _likely_group(stretch[:1024], powers)
                _compare(stretch, powers, group, at_least)
        statistics.finish_moments(shift, sums[0] / row.size, sums[1] / row.size, moments[k])
        if by_magnitude:
            _finish_magnitudes(row, powers, group, null, np.isfinite(moments[k, 0]), at_least, magnitudes[k])


@compiled(fastmath=VECTORIZE)
def _zeros(stretch):
    one, none = stretch.dtype.type(1), stretch.dtype.type(0)
    count = none
    for i in range(stretch.size):
        count += one if stretch[i] == none else none
    return np.int64(count)


@compiled()
def _finish_magnitudes(row, powers, group, zeros, finite, at_least, magnitudes):
    """From how many entries are at least each power, to how many there are in each decade."""
    numbers = row.size if finite else row.size - _nans(row)
    _compare_further(row, powers, group, numbers - zeros, at_least)
    magnitudes[0] = zeros
    magnitudes[1] = numbers - zeros - at_least[0]
    for i in range(powers.size - 1):
        magnitudes[2 + i] = at_least[i] - at_least[i + 1]
    magnitudes[magnitudes.size - 1] = row.size - numbers + at_least[powers.size - 1]


@compiled()
def _slots(stretch, low, high, begin, found):
    """The slot of each entry, as a byte; 32 for NaN."""
    # In float64 the place of a float32 is exact to far less than its distance from an edge that it is
    # not on, so it needs no comparison with the edges (a float64 does); zero, to which values come as near
    # as they like, is added to last.
    scale = HISTOGRAM_BINS / (high - low)
    whole = np.trunc(-low * scale)
    fraction = -low * scale - whole
    last = np.float64(HISTOGRAM_BINS + 1)
    nowhere = np.float64(HISTOGRAM_BINS + 2)
    for i in range(stretch.size):
        value = np.float64(stretch[i])
        place = np.floor(value * scale + fraction) + (whole + 1.0)
        place = place if place > 0.0 else 0.0
        place = place if place < last else last
        place = place if value == value else nowhere  # noqa: PLR0124 - NaN is not itself
        found[i] = np.uint8(np.int32(place) - np.int32(value == high))
    if stretch.itemsize > 4:
        for i in range(stretch.size):
            slot = np.int64(found[i])
            if slot < begin.size - 1:
                slot -= np.int64(stretch[i] < begin[slot])
                slot += np.int64(stretch[i] >= begin[slot + 1])
                found[i] = np.uint8(min(slot, begin.size - 2))


@compiled()
def _count(slots, counted):
    """Add the bytes of ``slots`` to eight rows of counters by turns, so that equal ones do not wait."""
    whole = slots.size // 8 * 8
    words = slots[:whole].view(np.uint64)
    byte = np.uint64(255)
    for i in range(words.size):
        word = words[i]
        counted[0, word & byte] += np.uint32(1)
        counted[1, (word >> np.uint64(8)) & byte] += np.uint32(1)
        counted[2, (word >> np.uint64(16)) & byte] += np.uint32(1)
        counted[3, (word >> np.uint64(24)) & byte] += np.uint32(1)
        counted[4, (word >> np.uint64(32)) & byte] += np.uint32(1)
        counted[5, (word >> np.uint64(40)) & byte] += np.uint32(1)
        counted[6, (word >> np.uint64(48)) & byte] += np.uint32(1)
        counted[7, word >> np.uint64(56)] += np.uint32(1)
    for i in range(whole, slots.size):
        counted[0, slots[i]] += np.uint32(1)


@compiled()
def _likely_group(sample, powers):
    """The first of the powers between which the entries lie, judged by some of them."""
    square = 0.0
    for i in range(sample.size):
        value = np.float64(sample[i])
        square += value * value
    typical = np.sqrt(square / sample.size)
    top = 0
    if typical > 0.0 and np.isfinite(typical):
        top = np.int64(np.floor(np.log10(4.0 * typical))) - np.int64(MAGNITUDE_DECADES[0])
    return min(max(top + 2, _GROUP), powers.size) - _GROUP


@compiled()
def _compare_further(row, powers, group, nonzero, at_least):
    """Compare with further powers: down until all that are not zero are found, and up until none is left."""
    low = group
    while low > 0 and at_least[low] < nonzero:
        low = max(low - _GROUP, 0)
        at_least[low : low + _GROUP] = 0
        _compare(row, powers, low, at_least)
    at_least[:low] = at_least[low]
    high = group + _GROUP
    while high < powers.size and at_least[high - 1] > 0:
        begin = min(high, powers.size - _GROUP)
        at_least[begin : begin + _GROUP] = 0
        _compare(row, powers, begin, at_least)
        high = begin + _GROUP


@compiled(fastmath=VECTORIZE)
def _compare(entries, powers, begin, at_least):
    """Add how many entries are at least as large as each of eight powers from ``begin`` on."""
    one, none = entries.dtype.type(1), entries.dtype.type(0)
    a, b, c, d = powers[begin], powers[begin + 1], powers[begin + 2], powers[begin + 3]
    e, f, g, h = powers[begin + 4], powers[begin + 5], powers[begin + 6], powers[begin + 7]
    for start in range(0, entries.size, STRETCH):
        stretch = entries[start : start + STRETCH]
        na = nb = nc = nd = ne = nf = ng = nh = none
        for i in range(stretch.size):
            magnitude = abs(stretch[i])
            na += one if magnitude >= a else none
            nb += one if magnitude >= b else none
            nc += one if magnitude >= c else none
            nd += one if magnitude >= d else none
            ne += one if magnitude >= e else none
            nf += one if magnitude >= f else none
            ng += one if magnitude >= g else none
            nh += one if magnitude >= h else none
        at_least[begin] += np.int64(na)
        at_least[begin + 1] += np.int64(nb)
        at_least[begin + 2] += np.int64(nc)
        at_least[begin + 3] += np.int64(nd)
        at_least[begin + 4] += np.int64(ne)
        at_least[begin + 5] += np.int64(nf)
        at_least[begin + 6] += np.int64(ng)
        at_least[begin + 7] += np.int64(nh)


@compiled()
def _nans(row):
    count = 0
    for i in range(row.size):
        count += np.isnan(row[i])
    return count
