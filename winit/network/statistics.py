"""Compiled reductions over the arrays of a layer, accumulated in float64.

Arrays have the shape (networks, batch, units) and are contiguous; results have a row for each network.
Each is a single pass over an array that lies in the cache, where NumPy would need several with
temporaries. Sums may be reordered by the compiler (it vectorises them), always in the same way on
one kind of processor, and for each network alone.
"""

import math

import numpy as np
from numpy.typing import NDArray

from winit.network.arrays import Array
from winit.network.compiled import STRETCH, VECTORIZE, compiled

Floats = NDArray[np.float64]


def words_of(values: Array) -> NDArray[np.signedinteger]:
    """``values`` as integers of their width, of the same shape; they share memory."""
    return values.view(f"i{values.itemsize}")


def moments(values: Array) -> Floats:
    """Mean, standard deviation and mean square of all entries of each network; shape (networks, 3).

    All three are NaN where an entry is not finite. The first axis is that of the networks; the others may be
    any.
    """
    flat = values.reshape(len(values), -1)
    found = _moments(flat)
    mend_moments(flat, found)
    return found


LEAST_SECOND = 1e-250  # below it, squares of float64 begin to lose digits to underflow


def mend_moments(flat: Array, found: Floats) -> None:
    """Squares of float64 over- or underflow where the values do not: take those in the middle range.

    ``flat`` has shape (networks, entries), ``found`` their moments, which are mended in place.
    """
    if flat.dtype == np.float32:
        return
    for k in np.flatnonzero(~(np.isfinite(found[:, 1]) & (found[:, 2] > LEAST_SECOND))):
        largest = float(max(flat[k].max(), -flat[k].min()))
        if np.isfinite(largest):
            exponent = int(np.frexp(largest)[1])
            mean, std, second = _moments(np.ldexp(flat[k : k + 1], -exponent))[0]
            with np.errstate(over="ignore", under="ignore"):
                found[k, :2] = np.ldexp([mean, std], exponent)
                found[k, 2] = np.ldexp(second, 2 * exponent)


@compiled(fastmath=VECTORIZE)
def _moments(flat):
    found = np.empty((flat.shape[0], 3))
    for k in range(flat.shape[0]):
        row = flat[k]
        # Sums of (x - first) keep all digits where the entries are nearly equal, and give a std of
        # exactly 0 where they are equal.
        shift = np.float64(row[0])
        sums = np.zeros(2)
        add_moments(row, shift, sums)
        finish_moments(shift, sums[0] / row.size, sums[1] / row.size, found[k])
    return found


@compiled()
def finish_moments(shift, mean, square, found):
    """From the means of (x − shift) and its square to mean, standard deviation and mean square of x."""
    if not np.isfinite(mean):
        found[:] = np.nan
        return
    variance = square - mean * mean if square < np.inf else np.inf
    variance = variance if variance > 0.0 else 0.0
    found[0] = shift + mean
    found[1] = np.sqrt(variance)
    found[2] = variance + (shift + mean) * (shift + mean)


def pooled_std(found: Floats, counts: NDArray[np.integer]) -> float:
    """Standard deviation of all entries of several arrays, of their ``moments``, shape (arrays, 3).

    ``counts`` are proportional to their numbers of entries.
    """
    shares = counts / counts.sum()
    parts = np.hypot(found[:, 1], found[:, 0] - shares @ found[:, 0])
    largest = parts.max()
    # Squares of what is within the range of numbers may be beyond it.
    return float(largest * np.sqrt(shares @ (parts / largest) ** 2)) if largest > 0 else float(largest)


def scale(values: Array, scales: Array) -> Floats:
    """Multiply each network by its one of ``scales``, in place; the ``moments`` of what it becomes."""
    flat = values.reshape(len(values), -1)
    found = np.empty((len(flat), 3))
    _scale(flat, scales, found)
    mend_moments(flat, found)
    return found


@compiled(fastmath=VECTORIZE)
def _scale(flat, scales, found):
    one = flat.dtype.type(1)
    for k in range(flat.shape[0]):
        row, factor = flat[k], scales[k]
        shift = np.float64(flat.dtype.type(row[0] * factor))
        sums = np.zeros(2)
        for start in range(0, row.size, STRETCH):
            stretch = row[start : start + STRETCH]
            if factor != one:
                for i in range(stretch.size):
                    stretch[i] *= factor
            add_moments(stretch, shift, sums)
        finish_moments(shift, sums[0] / row.size, sums[1] / row.size, found[k])


@compiled(fastmath=VECTORIZE)
def add_moments(stretch, shift, sums):
    """Add to ``sums`` those of x − shift and of its square."""
    total = 0.0
    square = 0.0
    for i in range(stretch.size):
        value = np.float64(stretch[i]) - shift
        total += value
        square += value * value
    sums[0] += total
    sums[1] += square


def largest(values: Array) -> Array:
    """The largest magnitude in each network, NaN where an entry is NaN; shape (networks,)."""
    words = words_of(values.reshape(len(values), -1))
    found = np.empty(len(words), words.dtype)
    _largest(words, found)
    return found.view(values.dtype)


@compiled()
def unsigned_bits(words):
    """A word of all bits but that of the sign."""
    word = words.dtype.type
    return word(~(word(1) << word(8 * words.itemsize - 1)))


@compiled()
def _largest(words, found):
    for k in range(words.shape[0]):
        found[k] = largest_word(words[k])


@compiled()
def largest_word(words):
    """The largest of the magnitudes that are ``words``; NaN is larger than all others.

    Magnitudes are in the order of their bits, and of integers the compiler vectorises a maximum.
    """
    most = words.dtype.type(0)
    unsigned = unsigned_bits(words)
    for i in range(words.size):
        most = words.dtype.type(max(most, words.dtype.type(words[i] & unsigned)))
    return most


@compiled()
def put_in_order(words):
    """Change floats' ``words`` so that they are in the order of the floats, or back."""
    word = words.dtype.type
    sign, unsigned = word(8 * words.itemsize - 1), unsigned_bits(words)
    for i in range(words.size):
        words[i] ^= word(word(words[i] >> sign) & unsigned)


@compiled()
def add_ends(words, ends):
    """Widen ``ends``, the smallest and the largest word in order, to those of all ``words``."""
    word = words.dtype.type
    sign, unsigned = word(8 * words.itemsize - 1), unsigned_bits(words)
    least, most = ends[0], ends[1]
    for i in range(words.size):
        placed = word(words[i] ^ word(word(words[i] >> sign) & unsigned))
        least, most = word(min(least, placed)), word(max(most, placed))
    ends[0], ends[1] = least, most


def derivative_statistics(derivative: Array, threshold: float) -> Floats:
    """Of each network's φ'(z), shape (networks, 5).

    Mean, mean square, the largest |φ'|, the share of entries with |φ'| below the threshold, and the number
    of units with φ' = 0 over the whole batch; NaN, and −1 for the number, where φ' is not finite.
    """
    found = _derivative_statistics(derivative, derivative.dtype.type(threshold))
    found[:, 2] = largest(derivative)
    found[~np.isfinite(found[:, 0])] = (np.nan, np.nan, np.nan, np.nan, -1)
    return found


@compiled(fastmath=VECTORIZE)
def _derivative_statistics(derivative, threshold):
    networks, _, units = derivative.shape
    found = np.empty((networks, 5))
    one, none = derivative.dtype.type(1), derivative.dtype.type(0)
    for k in range(networks):
        flat = derivative[k].reshape(-1)
        total = 0.0
        square = 0.0
        below = 0
        for start in range(0, flat.size, STRETCH):
            stretch = flat[start : start + STRETCH]
            for i in range(stretch.size):
                value = np.float64(stretch[i])
                total += value
                square += value * value
            here = none
            for i in range(stretch.size):
                here += one if abs(stretch[i]) < threshold else none
            below += np.int64(here)
        found[k, 0] = total / flat.size
        found[k, 1] = square / flat.size
        found[k, 3] = below / flat.size
        found[k, 4] = units - np.count_nonzero(alive_columns(derivative[k]))
    return found


@compiled()
def alive_columns(values):
    """Which columns of (batch, units) have an entry that is not zero; shape (units,)."""
    batch, units = values.shape
    # Of bits the compiler vectorises a union, of comparisons it does not. A float64 is two words, of which
    # the second one has the sign.
    words = values.view(np.uint32)
    bits = np.zeros(words.shape[1], np.uint32)
    alive = np.zeros(units, np.bool_)
    each = words.shape[1] // units
    unsigned = np.uint32(0x7FFFFFFF)
    for b in range(batch):
        row = words[b]
        for j in range(bits.size):
            bits[j] |= row[j]
        # Few rows tell, where units are alive; looking whether they do costs as much as a row.
        if b % 16 == 15 or b == batch - 1:
            dead = 0
            for j in range(units):
                found = bits[j * each + each - 1] & unsigned
                if each > 1:
                    found |= bits[j * each]
                alive[j] = found != 0
                dead += found == 0
            if dead == 0:
                break
    return alive


@compiled()
def vanishing(values, least):
    """Which networks have an example that is not all zeros but has no entry of the magnitude ``least``.

    NaN counts as large. Of an ordinary example the first entry or two settle it.
    """
    found = np.zeros(values.shape[0], np.bool_)
    for k in range(values.shape[0]):
        for b in range(values.shape[1]):
            row = values[k, b]
            small = False
            for j in range(row.size):
                magnitude = abs(row[j])
                if not magnitude < least:
                    small = False
                    break
                small |= magnitude > 0
            if small:
                found[k] = True
                break
    return found


@compiled()
def unusual_exponents(largest):
    """The binary exponent of each magnitude; 0 for those within 2^±30, for zero, and where not finite."""
    exponents = np.zeros(largest.size, np.int32)
    for k in range(largest.size):
        magnitude = np.float64(largest[k])
        if (0.0 < magnitude < 2.0**-30) or (2.0**30 < magnitude < np.inf):
            exponents[k] = np.int32(np.ceil(np.log2(magnitude)))
    return exponents


@compiled()
def divided(values, exponents):
    """Each network's values · 2^-e, of the values' shape."""
    quotients = np.empty_like(values)
    for k in range(values.shape[0]):
        _divide(values[k].reshape(-1), exponents[k], quotients[k].reshape(-1))
    return quotients


@compiled()
def _divide(values, exponent, quotients):
    # In two steps, since 2^-e of the smallest values is larger than every float.
    half = exponent // 2
    first = values.dtype.type(math.ldexp(1.0, -half))
    second = values.dtype.type(math.ldexp(1.0, half - exponent))
    for i in range(values.size):
        quotients[i] = values[i] * first * second


def centred(values: Array, exponents: NDArray[np.int32]) -> tuple[Floats, Array]:
    """Of each network's values · 2^-e the mean of each example, shape (networks, batch), and the rest."""
    means = np.empty(values.shape[:2])
    rest = np.empty_like(values)
    _centre(values, exponents, means, rest)
    return means, rest


@compiled(fastmath=VECTORIZE)
def _centre(values, exponents, means, rest):
    for k in range(values.shape[0]):
        for b in range(values.shape[1]):
            row, out = values[k, b], rest[k, b]
            if exponents[k] != 0:
                _divide(row, exponents[k], out)
                row = out
            total = 0.0
            for j in range(row.size):
                total += np.float64(row[j])
            mean = total / row.size
            means[k, b] = mean
            rounded = values.dtype.type(mean)
            for j in range(row.size):
                out[j] = row[j] - rounded


@compiled(fastmath=VECTORIZE)
def forms(left, right, of_left, of_right):
    """Σ left ⊙ right, xᵀ left x for x = ``of_left``, and yᵀ right y for y = ``of_right``.

    The matrices are symmetric, of shape (batch, batch), the vectors have shape (batch,).
    """
    product = 0.0
    left_form = 0.0
    right_form = 0.0
    for i in range(left.shape[0]):
        # What lies before the diagonal counts twice, the diagonal once.
        row, other = left[i, :i], right[i, :i]
        row_sum = 0.0
        left_sum = 0.0
        right_sum = 0.0
        for j in range(row.size):
            value, its = np.float64(row[j]), np.float64(other[j])
            row_sum += value * its
            left_sum += value * of_left[j]
            right_sum += its * of_right[j]
        value, its = np.float64(left[i, i]), np.float64(right[i, i])
        product += 2.0 * row_sum + value * its
        left_form += of_left[i] * (2.0 * left_sum + value * of_left[i])
        right_form += of_right[i] * (2.0 * right_sum + its * of_right[i])
    return product, left_form, right_form
