"""How many different columns a layer has: units that are one unit repeated show as equal columns."""

import numpy as np
from numpy.typing import NDArray

from winit.network.arrays import Array
from winit.network.compiled import VECTORIZE, compiled
from winit.network.statistics import alive_columns

# Rows that tell the columns of a random layer apart, also where many entries are zero; their weights.
_WEIGHTS = np.cos(1.0 + 2.0 * np.arange(16))
_BOUND = float(np.abs(_WEIGHTS).sum())
# A key is a projection in units of 2^-40 of the largest possible one, and behind it the column's number.
_COLUMN_BITS = 20
_UNITS = 2.0**40
_HUGE = 2.0**900
_FEW = 4  # columns that are compared with each other without further ado


def distinct_columns(
    values: Array, largest: NDArray[np.floating], tolerance: float = 1e-6
) -> NDArray[np.int64]:
    """How many different columns each network's (batch, units) has; −1 where an entry is not finite.

    ``values`` has shape (networks, batch, units); ``largest`` is the largest magnitude in each network,
    not finite where an entry is not. Two columns are one where they differ nowhere by more than
    ``tolerance`` times the larger of their largest magnitudes. (Of a chain whose neighbours are one and
    whose ends are two, the count depends on the order.)
    """
    scale = largest.astype(np.float64)
    if values.dtype == np.float64 and (scale > _HUGE).any():  # so that sums and differences stay finite
        exponents = np.where(scale > _HUGE, np.int32(-64), np.int32(0))
        values, scale = np.ldexp(values, exponents[:, np.newaxis, np.newaxis]), np.ldexp(scale, exponents)
    # Equal columns have nearly equal projections, so that only runs of neighbours among the sorted ones need
    # to be compared. Sorting numbers of which the column is a part is quicker than sorting by an index.
    keys = _keys(values, scale)
    keys.sort(axis=1)
    return _count(values, keys, scale, tolerance)


@compiled(fastmath=VECTORIZE)
def _keys(values, scale):
    networks, batch, units = values.shape
    keys = np.empty((networks, units), np.int64)
    projection = np.empty(units)
    for k in range(networks):
        if not 0.0 < scale[k] < np.inf:
            continue
        projection[:] = 0.0
        for b in range(min(batch, _WEIGHTS.size)):
            row, weight = values[k, b], _WEIGHTS[b]
            for j in range(projection.size):
                projection[j] += weight * np.float64(row[j])
        unit = _UNITS / (_BOUND * scale[k])
        for j in range(projection.size):
            keys[k, j] = (np.int64(projection[j] * unit) << _COLUMN_BITS) + j
    return keys


@compiled()
def _count(values, keys, scale, tolerance):
    networks, _, units = values.shape
    found = np.empty(networks, np.int64)
    allowed = np.int64(_UNITS * tolerance * (1.0 + 1e-3))
    order = np.empty(units, np.int64)
    for k in range(networks):
        if not 0.0 < scale[k] < np.inf:
            found[k] = 1 if scale[k] == 0.0 else -1
            continue
        alive = alive_columns(values[k])
        count = 0
        previous = np.int64(0)
        run = 0
        different = 0
        for j in range(units):
            column = keys[k, j] & ((1 << _COLUMN_BITS) - 1)
            if not alive[column]:
                continue
            place = keys[k, j] >> _COLUMN_BITS
            if run > 0 and place - previous > allowed:
                different += 1 if run == 1 else _different(values[k], order[:run], tolerance, scale[k])
                run = 0
            order[run] = column
            run += 1
            previous = place
            count += 1
        if run > 0:
            different += 1 if run == 1 else _different(values[k], order[:run], tolerance, scale[k])
        # Columns of zeros are one more.
        found[k] = different + (count < units)
    return found


@compiled()
def _different(values, columns, tolerance, largest):
    """How many of the columns differ from every earlier one that was counted; their order changes."""
    if columns.size <= _FEW:
        return _compared(values, columns, tolerance, largest)
    # Alike in the first rows, as units that are zero there are: all rows tell most of them apart.
    keys = np.zeros(columns.size)
    bound = 0.0
    for b in range(values.shape[0]):
        row, weight = values[b], np.cos(1.0 + 2.0 * b)
        bound += abs(weight)
        for i in range(columns.size):
            keys[i] += weight * np.float64(row[columns[i]])
    _sort(keys, columns)
    allowed = bound * tolerance * (1.0 + 1e-3) * largest
    count = 0
    start = 0
    for end in range(1, columns.size + 1):
        if end == columns.size or keys[end] - keys[end - 1] > allowed:
            count += _compared(values, columns[start:end], tolerance, largest)
            start = end
    return count


@compiled()
def _sort(keys, columns):
    """Sort both by ``keys``, by insertion: there are few, or they are equal and in order."""
    for i in range(1, keys.size):
        key, column = keys[i], columns[i]
        place = i
        while place > 0 and keys[place - 1] > key:
            keys[place], columns[place] = keys[place - 1], columns[place - 1]
            place -= 1
        keys[place], columns[place] = key, column


@compiled()
def _compared(values, columns, tolerance, largest):
    """The same, by comparing columns with each other."""
    # Of those that are left, the first one is counted and those that equal it leave.
    left = columns.size
    same = np.empty(left, np.int64)
    count = 0
    while left > 0:
        count += 1
        # By the largest magnitude of all columns most are told apart in a few rows; by their own the rest is.
        alike = _alike(values, columns[:left], same, tolerance * largest)
        kept = 0
        place = 0
        for i in range(1, left):
            if place < alike and same[place] == i:
                place += 1
                if _equal(values, columns[0], columns[i], tolerance):
                    continue
            columns[kept + 1] = columns[i]
            kept += 1
        for i in range(kept):
            columns[i] = columns[i + 1]
        left = kept
    return count


@compiled()
def _alike(values, columns, same, allowed):
    """Write which columns differ from the first one nowhere by more than ``allowed``; how many."""
    alike = columns.size - 1
    for i in range(alike):
        same[i] = i + 1
    # Row by row, as they lie in memory.
    for b in range(values.shape[0]):
        row = values[b]
        value = np.float64(row[columns[0]])
        kept = 0
        for i in range(alike):
            if abs(np.float64(row[columns[same[i]]]) - value) <= allowed:
                same[kept] = same[i]
                kept += 1
        alike = kept
        if alike == 0:
            break
    return alike


@compiled()
def _equal(values, first, other, tolerance):
    """Whether two columns differ nowhere by more than the tolerance times the larger magnitude."""
    difference = 0.0
    scale = 0.0
    for b in range(values.shape[0]):
        left, right = np.float64(values[b, first]), np.float64(values[b, other])
        difference = max(difference, abs(left - right))
        scale = max(scale, abs(left), abs(right))
    return difference <= tolerance * scale
