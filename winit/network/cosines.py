"""Cosines between the examples of a layer, compiled."""

import numpy as np

from winit.network.compiled import VECTORIZE, compiled
from winit.network.statistics import LEAST_SECOND


@compiled(fastmath=VECTORIZE)
def cosines(examples):
    """Mean and standard deviation of the cosines between the examples of each network; shape (networks, 2).

    ``examples`` has shape (networks, examples, units). One that is zero everywhere, or not finite, has no
    direction and is left out; of fewer than two directions both results are NaN.
    """
    networks, batch, units = examples.shape
    found = np.full((networks, 2), np.nan)
    tile = 4
    rows = -(-batch // tile) * tile
    unit = np.empty((rows, units))
    gram = np.empty((rows, rows))
    for k in range(networks):
        directed = 0
        for b in range(batch):
            directed += _direction(examples[k, b], unit[directed])
        if directed < 2:
            continue
        unit[directed : -(-directed // tile) * tile] = 0.0
        for i in range(0, directed, tile):
            for j in range(0, i + tile, tile):
                _tile(unit[i : i + tile], unit[j : j + tile], gram[i : i + tile, j : j + tile])
        pairs = directed * (directed - 1) // 2
        total = 0.0
        for i in range(directed):
            for j in range(i):
                total += gram[i, j]
        mean = total / pairs
        square = 0.0
        for i in range(directed):
            for j in range(i):
                apart = gram[i, j] - mean
                square += apart * apart
        found[k, 0] = mean
        found[k, 1] = np.sqrt(square / pairs)
    return found


@compiled(fastmath=VECTORIZE)
def _direction(example, unit):
    """Write ``example`` at length 1, and say whether it has a direction at all."""
    square = 0.0
    for j in range(example.size):
        value = np.float64(example[j])
        square += value * value
    if LEAST_SECOND < square < 1.0 / LEAST_SECOND:
        scale = 1.0 / np.sqrt(square)
        for j in range(example.size):
            unit[j] = np.float64(example[j]) * scale
        return True
    # Squares of float64 over- or underflow where the values do not; of float32 they never do.
    largest = 0.0
    for j in range(example.size):
        magnitude = abs(np.float64(example[j]))
        largest = magnitude if magnitude > largest else largest
    if not 0.0 < largest < np.inf:
        return False
    square = 0.0
    for j in range(example.size):
        value = np.float64(example[j]) / largest
        square += value * value
    if not square < np.inf:  # there is a NaN
        return False
    length = np.sqrt(square)
    for j in range(example.size):
        unit[j] = np.float64(example[j]) / largest / length
    return True


@compiled(fastmath=VECTORIZE)
def _tile(left, right, products):
    """The products of 4 rows with 4 rows: sixteen sums at once leave the processor no time to wait."""
    a, b, c, d = left[0], left[1], left[2], left[3]
    e, f, g, h = right[0], right[1], right[2], right[3]
    ae = af = ag = ah = be = bf = bg = bh = 0.0
    ce = cf = cg = ch = de = df = dg = dh = 0.0
    for j in range(a.size):
        ae += a[j] * e[j]
        af += a[j] * f[j]
        ag += a[j] * g[j]
        ah += a[j] * h[j]
        be += b[j] * e[j]
        bf += b[j] * f[j]
        bg += b[j] * g[j]
        bh += b[j] * h[j]
        ce += c[j] * e[j]
        cf += c[j] * f[j]
        cg += c[j] * g[j]
        ch += c[j] * h[j]
        de += d[j] * e[j]
        df += d[j] * f[j]
        dg += d[j] * g[j]
        dh += d[j] * h[j]
    products[0, 0], products[0, 1], products[0, 2], products[0, 3] = ae, af, ag, ah
    products[1, 0], products[1, 1], products[1, 2], products[1, 3] = be, bf, bg, bh
    products[2, 0], products[2, 1], products[2, 2], products[2, 3] = ce, cf, cg, ch
    products[3, 0], products[3, 1], products[3, 2], products[3, 3] = de, df, dg, dh
