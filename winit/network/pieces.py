"""A population of examples that differ in one number, as pieces cut where what happens to them turns.

The examples of a batch differ in Σx, and the mean M and standard deviation S over units that a layer's
pre-activations have are functions of it, which a saturating φ makes steeper in every layer: after ten layers
all that a gradient comes from may be one example in 10¹⁵, so that no nodes chosen beforehand will do. A
*piece* is an interval of examples on which M and S are polynomials, through the nodes of a Gauss–Legendre
rule. It is cut where a layer does to it what no polynomial of this degree does; the parts have M and S from
the polynomials of the whole. How many examples a part holds is kept apart from their place, as a logarithm,
so that it does not matter how narrow parts become. What M is wrong by is as if its examples were others.

Pieces on which M and S are constant, and the same, become one.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from winit.network.arrays import Array
from winit.network.panels import ABSCISSAE, NODES, TO_LEGENDRE, WEIGHTS

Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]

ROUNDING = 2.0**-50
"""What of a number is rounding."""
# M and S are constant, and the same, to so many bits.
_BITS = 43
# Steps of the search for a crossing, which end at the last bit.
_HALVINGS, _NEWTONS = 10, 6
# Of a piece cut in two.
_LOWER_PART = 0.45
# As near its end, relative to the largest M in it, M is where rounding has taken it from.
_SNAP = 1e-12
# A polynomial is off by more at its ends than at the nodes.
_NOISES_AT_END = 4.0


@dataclass(frozen=True)
class Pieces:
    """Arrays of shape (pieces, nodes); one node where examples are given one by one."""

    mean: Array
    """M, over the units of a layer, of the examples at the nodes."""
    std: Array
    """S."""
    log_density: Array
    """Of the examples, in the piece's own coordinate, from −1 to 1; of a single one, its share."""
    fixed: Flags
    """Of shape (pieces,): those whose nodes are only a sample, and that are not cut any more."""
    noise: Array
    """Of shape (pieces,): what of M and S at the nodes is rounding, which no polynomial resolves."""

    def __len__(self) -> int:
        return len(self.mean)

    def at(self, index: Flags | Indices) -> "Pieces":
        """Some of them."""
        return Pieces(*(getattr(self, name)[index] for name in _FIELDS))

    @property
    def log_weights(self) -> Array:
        """Of the nodes; their exponentials add up to 1."""
        return self.log_density + (np.log(WEIGHTS) if self.mean.shape[1] == NODES else 0.0)

    @property
    def shares(self) -> Array:
        """The weights themselves; 0 where they are below all numbers."""
        with np.errstate(under="ignore"):
            return np.exp(self.log_weights)


_FIELDS = tuple(field.name for field in fields(Pieces))


def joined(first: Pieces, second: Pieces) -> Pieces:
    """Both."""
    return Pieces(*(np.concatenate([getattr(first, name), getattr(second, name)]) for name in _FIELDS))


@dataclass(frozen=True)
class Cut:
    """Which part of which piece each of the new pieces is."""

    parent: Indices
    low: Array
    high: Array
    nodes: Array
    """Of each new piece, shape (parts, nodes), in its own coordinate from −1 to 1."""

    @classmethod
    def of_parts(cls, parent: Indices, low: Array, high: Array) -> "Cut":
        """With the nodes of the rule."""
        return cls(parent, low, high, np.broadcast_to(ABSCISSAE, (len(parent), NODES)).copy())

    @classmethod
    def none(cls, count: int) -> "Cut":
        """Every piece is all of itself."""
        return cls.of_parts(np.arange(count), np.full(count, -1.0), np.ones(count))

    @property
    def whole(self) -> Flags:
        """Which of the new pieces are all of an old one, at the same nodes."""
        return (self.low == -1) & (self.high == 1) & (self.nodes == ABSCISSAE).all(axis=1)

    def at(self, index: Indices | Flags) -> "Cut":
        """Of some of the new pieces."""
        return Cut(self.parent[index], self.low[index], self.high[index], self.nodes[index])

    def in_two(self) -> "Cut":
        """Two parts of each: first the lower ones. Not at the middle, where symmetry has what counts most."""
        middle = self.low + _LOWER_PART * (self.high - self.low)
        low, high = np.append(self.low, middle), np.append(middle, self.high)
        return Cut.of_parts(np.tile(self.parent, 2), low, high)

    def sampled(self) -> "Cut":
        """The same parts, each with a place by chance in every sixteenth of it for a node.

        The nodes of the rule would be at the same phases of a wave in one part as in the next.
        """
        chance = np.random.default_rng(0).random(self.nodes.shape)
        return Cut(self.parent, self.low, self.high, 2 * (np.arange(NODES) + chance) / NODES - 1)

    def __add__(self, other: "Cut") -> "Cut":
        return Cut(
            np.append(self.parent, other.parent),
            np.append(self.low, other.low),
            np.append(self.high, other.high),
            np.concatenate([self.nodes, other.nodes]),
        )

    def interpolation(self) -> Array:
        """From values at the nodes of the parents to those of the parts, shape (parts, nodes, nodes)."""
        middle, half = (self.low + self.high)[:, None] / 2, (self.high - self.low)[:, None] / 2
        matrix: Array = legendre.legvander(middle + half * self.nodes, NODES - 1) @ TO_LEGENDRE.T
        return matrix

    def of(self, pieces: Pieces, *, fixed: bool = False) -> Pieces:
        """The new pieces; with ``fixed``, they count as samples."""
        kept = pieces.at(self.parent)
        kept.fixed[:] |= fixed
        parts = np.flatnonzero(~self.whole)
        if not len(parts):
            return kept
        matrix = self.at(parts).interpolation()
        for values in (kept.mean, kept.std, kept.log_density):
            values[parts] = _interpolated(matrix, values[parts])
        kept.std[parts] = np.maximum(kept.std[parts], 0.0)
        share = (self.high - self.low)[parts] / 2
        kept.log_density[parts] += np.log(share)[:, None]
        # A part has the noise of the whole smoothed, and that of its own interpolation.
        size = (np.abs(pieces.mean) + pieces.std).max(axis=1)[self.parent[parts]]
        kept.noise[parts] = share * kept.noise[parts] + ROUNDING * size
        if fixed:  # samples count alike
            kept.log_density[parts] += np.log(2 / NODES / WEIGHTS)
        return kept


def _interpolated(matrix: Array, values: Array) -> Array:
    # Of values near the largest number the sum may overflow on the way; what is constant stays so to the bit,
    # since it may be just where φ has a kink.
    scale = np.maximum(np.abs(values).max(axis=1, keepdims=True), np.finfo(float).tiny)
    found = (matrix @ (values / scale)[..., None])[..., 0] * scale
    constant = (values == values[:, :1]).all(axis=1)
    found[constant] = values[constant]
    return found


def normal_pieces(mean: float, slope: float, std: float, low: float, high: float) -> Pieces:
    """Examples whose M is mean + slope · t with t ~ N(0, 1) from ``low`` to ``high``, all of the same S."""
    # An odd number: 0 is in none's end, but in the middle of one.
    edges = np.linspace(low, high, 2 * round((high - low) / 2) + 2)
    half = np.diff(edges)[:, None] / 2
    t = edges[:-1, None] + half * (1 + ABSCISSAE)
    log_density = np.log(half) - t * t / 2
    m = mean + slope * t
    noise = ROUNDING * np.abs(m).max(axis=1)
    pieces = Pieces(m, np.full(t.shape, std), log_density, np.zeros(len(t), np.bool_), noise)
    total = float(np.log(pieces.shares.sum()))
    return replace(pieces, log_density=log_density - total)


def given_pieces(mean: Array, std: Array) -> Pieces:
    """Examples one by one, all of the same share."""
    count = len(mean)
    log_density = np.full((count, 1), -np.log(count))
    return Pieces(mean[:, None], std[:, None], log_density, np.ones(count, np.bool_), np.zeros(count))


def snapped(pieces: Pieces, edges: Array) -> Pieces:
    """M moved by rounding, so that where it ends at one of ``edges`` but for rounding it does to the bit.

    What is off by rounding is off by fifty times as much a layer later: between
    two pieces that should meet at an edge examples would be missing, perhaps those that gradients come from.
    """
    own = _smooth_in_mean(pieces)
    if not (len(own) and len(edges)):
        return pieces
    mean = pieces.mean[own]
    ends = _ends(mean)
    nearest = edges[np.abs(ends[:, :, None] - edges).argmin(axis=2)]
    away = nearest - ends
    rounding = np.maximum(_SNAP * np.abs(mean).max(axis=1), _NOISES_AT_END * pieces.noise[own])
    away[np.abs(away) > rounding[:, None]] = 0.0
    found = pieces.mean.copy()
    found[own] = mean + away[:, :1] * (1 - ABSCISSAE) / 2 + away[:, 1:] * (1 + ABSCISSAE) / 2
    return replace(pieces, mean=found)


def _smooth_in_mean(pieces: Pieces) -> Indices:
    """Those that are cut where M crosses an edge: of S = 0, and on which M varies."""
    varies = (pieces.mean != pieces.mean[:, :1]).any(axis=1)
    return np.flatnonzero(
        ~pieces.fixed & varies & ~pieces.std.any(axis=1) & np.isfinite(pieces.mean).all(axis=1)
    )


def _ends(values: Array) -> Array:
    """Of the polynomials, at −1 and 1: shape (pieces, 2)."""
    ends: Array = values @ TO_LEGENDRE @ legendre.legvander(np.array([-1.0, 1.0]), NODES - 1).T
    return ends


def cut_at(pieces: Pieces, edges: Array, most: int) -> Cut:
    """Cut where M crosses one of ``edges``, where S = 0; only the largest if that makes over ``most``."""
    own = _smooth_in_mean(pieces)
    if not len(own):
        return Cut.none(len(pieces))
    coefficients = pieces.mean[own] @ TO_LEGENDRE
    ends = _ends(pieces.mean[own])
    places = np.concatenate([[-1.0], ABSCISSAE, [1.0]])
    constant = (pieces.mean[own] == pieces.mean[own, :1]).all(axis=1)
    ends[constant] = pieces.mean[own][constant, :1]
    values = np.column_stack([ends[:, 0], pieces.mean[own], ends[:, 1]])
    # Crossings: the piece, the interval between places that it lies in, and the edge.
    above = values[:, :, None] > edges
    piece, place, edge = np.nonzero(above[:, 1:] != above[:, :-1])
    if not len(piece):
        return Cut.none(len(pieces))
    crossings = np.bincount(piece, minlength=len(own))
    largest = np.argsort(-pieces.log_weights[own].max(axis=1), kind="stable")
    room = np.zeros(len(own), np.bool_)
    room[largest[np.cumsum(crossings[largest]) <= most - len(pieces)]] = True
    chosen = room[piece]
    piece, place, edge = piece[chosen], place[chosen], edge[chosen]
    low, high = places[place], places[place + 1]
    rises = values[piece, place + 1] > values[piece, place]
    own_coefficients, level = coefficients[piece], edges[edge]
    newest, value = low, level
    derivatives = legendre.legder(own_coefficients.T).T
    for step in range(_HALVINGS + _NEWTONS):
        middle = (low + high) / 2
        if step >= _HALVINGS:
            steepness = (legendre.legvander(newest, NODES - 2) * derivatives).sum(axis=1)
            with np.errstate(divide="ignore", invalid="ignore"):
                better = newest - (value - level) / steepness
            middle = np.where(np.isfinite(better), np.clip(better, low, high), middle)
        newest = middle
        value = (legendre.legvander(newest, NODES - 1) * own_coefficients).sum(axis=1)
        below = (value <= level) == rises
        low, high = np.where(below, newest, low), np.where(below, high, newest)
    inside = np.abs(newest) < 1 - _SNAP
    piece, newest = piece[inside], newest[inside]
    every = np.arange(len(pieces))
    owner = np.concatenate([every, own[piece]])
    start = np.concatenate([np.full(len(pieces), -1.0), newest])
    order = np.lexsort((start, owner))
    owner, start = owner[order], start[order]
    last = np.append(owner[1:] != owner[:-1], True)
    end = np.where(last, 1.0, np.append(start[1:], 1.0))
    real = end > start
    return Cut.of_parts(owner[real], start[real], end[real])


@dataclass(frozen=True)
class Merger:
    """Which of the new pieces each old one has become part of."""

    group: Indices
    """Of each old piece."""
    merged: Flags
    """Of each old piece, whether it is one of several."""


def rounded(values: Array) -> Array:
    """To the bits in which two pieces are the same."""
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.round(np.ldexp(mantissa, _BITS)), exponent - _BITS)


def merged(pieces: Pieces) -> tuple[Pieces, Merger]:
    """The pieces, but those of the same constant M and S as one."""
    everything = np.arange(len(pieces))
    states = rounded(np.stack([pieces.mean, pieces.std]))
    constant = np.flatnonzero((states == states[:, :, :1]).all(axis=(0, 2)))
    if len(constant) < 2:
        return pieces, Merger(everything, np.zeros(len(pieces), np.bool_))
    _, first, own, counts = np.unique(
        states[:, constant, 0], axis=1, return_index=True, return_inverse=True, return_counts=True
    )
    own = own.ravel()
    # Each group stands where the first of its pieces stood.
    head = everything.copy()
    head[constant] = constant[first][own]
    kept, group = np.unique(head, return_inverse=True)
    several = np.zeros(len(pieces), np.bool_)
    several[constant] = counts[own] > 1
    log_weights = pieces.log_weights
    largest = np.full(len(kept), -np.inf)
    np.maximum.at(largest, group, log_weights.max(axis=1))
    total = np.zeros(len(kept))
    with np.errstate(under="ignore"):
        np.add.at(total, group, np.exp(log_weights - largest[group, None]).sum(axis=1))
    found = pieces.at(kept)
    nodes = pieces.mean.shape[1]
    whole = np.log(WEIGHTS.sum()) if nodes == NODES else 0.0
    heads = np.unique(group[several])
    found.log_density[heads] = (largest + np.log(total) - whole)[heads, None]
    found.fixed[heads] = nodes != NODES
    return found, Merger(group, several)
