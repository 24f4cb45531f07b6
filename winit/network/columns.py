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
    """How many of the columns differ from every earlier one that was counted."""
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
    order = np.argsort(keys)
    allowed = bound * tolerance * (1.0 + 1e-3) * largest
    count = 0
    start = 0
    for end in range(1, columns.size + 1):
        if end == columns.size or keys[order[end]] - keys[order[end - 1]] > allowed:
            count += _compared(values, columns[order[start:end]], tolerance, largest)
            start = end
    return count


@compiled()
def _compared(values, columns, tolerance, largest):
    """The same, by comparing columns with each other."""
    if columns.size == 1:
        return 1
    left = columns.copy()
    count = 0
    while left.size > 0:
        count += 1
        first, others = left[0], left[1:]
        # By the largest magnitude of all columns most are told apart in a few rows; by their own the rest is.
        same = _alike(values, first, others, tolerance * largest)
        if same.size > 0:
            same = same[_equal(values, first, same, tolerance)]
        if same.size == 0:
            left = others
            continue
        known = np.zeros(values.shape[1], np.bool_)
        known[same] = True
        left = others[~known[others]]
    return count


@compiled()
def _alike(values, first, others, allowed):
    """Those of the columns that differ from ``first`` nowhere by more than ``allowed``."""
    same = others.copy()
    alike = same.size
    # Row by row, as they lie in memory.
    for b in range(values.shape[0]):
        row = values[b]
        value = np.float64(row[first])
        kept = 0
        for i in range(alike):
            if abs(np.float64(row[same[i]]) - value) <= allowed:
                same[kept] = same[i]
                kept += 1
        alike = kept
        if alike == 0:
            break
    return same[:alike]


@compiled()
def _equal(values, first, others, tolerance):
    """Which columns differ from ``first`` nowhere by more than the tolerance times the larger magnitude."""
    differences, scales = np.zeros(others.size), np.zeros(others.size)
    scale = 0.0
    for b in range(values.shape[0]):
        row = values[b]
        value = np.float64(row[first])
        scale = max(scale, abs(value))
        for i in range(others.size):
            other = np.float64(row[others[i]])
            differences[i] = max(differences[i], abs(other - value))
            scales[i] = max(scales[i], abs(other))
    return differences <= tolerance * np.maximum(scales, scale)
