"""The plane of an activation in numbers: the critical line, and how fast gradients go in each field of it.

Over (σ_w², σ_b²), after Schoenholz et al. 2017: on the left of the critical line, χ₁ = 1, is the ordered
phase, in which gradients vanish; on its right the chaotic one, in which they explode. ``phase`` draws it.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from winit.network.activations import Activation
from winit.network.meanfield import phase_plane
from winit.network.quadrature import derivative, expectation

# Fields of the map, and the octaves of σ_w² on either side of the middle that it shows at least.
_COLUMNS, _ROWS, _OCTAVES = 72, 24, 3.0
_HIGHEST = 0.5  # of σ_b², at least
_SHORTEST = 0.01
LONGEST = 100.0
"""Depth scales beyond these are taken for these."""
# The middle where an activation has no critical line.
_MIDDLE = 1.0
_LINE_Q = np.logspace(-8, 8, 600)
_ROUNDING = 1e-12  # of σ_b², relative to q
_MARGIN = 1e-4  # of V' ≤ 1, relative to q: what starts at 1 from q = 0 may go above
_OVERLAP = 1.02  # of neighbouring fields, so that no seam shows


class OnLine(NamedTuple):
    """A point of the critical line."""

    q: float
    sigma_w2: float
    sigma_b2: float
    attracts: bool
    """whether networks go there"""
    piece: int


class Field(NamedTuple):
    """A field of the map: its ends, σ_w² from left to right and σ_b² upwards, and what theory says there."""

    low: float
    high: float
    bottom: float
    top: float
    depth_scale: float
    chi_1: float
    q_star: float | None


class Plane(NamedTuple):
    """The plane of an activation: all of a phase diagram but the networks."""

    line: list[OnLine]
    fields: list[Field]
    low: float
    """log2 of the ends of σ_w²"""
    high: float
    top: float
    """the end of σ_b²"""


def plane_of(function: Activation, points: Sequence[dict[str, Any]] = ()) -> Plane:
    """The plane, as far as it is needed for networks with such sigma_w and sigma_b."""
    line = _critical_line(function)
    reached = [row for row in line if row.sigma_b2 >= -_ROUNDING * row.q]
    middle = reached[0].sigma_w2 if reached else _MIDDLE
    shown = [point for point in points if point["sigma_w"] > 0]
    places = [math.log2(point["sigma_w"] ** 2) for point in shown]
    low = min(math.log2(middle) - _OCTAVES, *places, *([math.log2(middle)] * 2)) - 0.3
    high = max(math.log2(middle) + _OCTAVES, *places, *([math.log2(middle)] * 2)) + 0.3
    top = max(_HIGHEST, *(1.1 * point["sigma_b"] ** 2 for point in shown), 0.0)
    fields = _fields(function, np.linspace(low, high, _COLUMNS + 1), np.linspace(0, top, _ROWS + 1))
    return Plane(line, fields, low, high, top)


def _critical_line(function: Activation) -> list[OnLine]:
    """Where χ₁ = 1, in the order of q, and whether networks go there.

    By q: σ_w² = 1 / E φ'², σ_b² = q − σ_w² E φ². Where that is below 0 no bias reaches it: it is cut off
    in the picture, but the line comes from there.
    """
    q = _LINE_Q
    with np.errstate(all="ignore"):
        sigma_w2 = 1 / expectation(function, q, slope=2)
        sigma_b2 = q - sigma_w2 * expectation(function, q, h=2)
        attracts = sigma_w2 * derivative(function, q, 1, h=2) <= 1 + _MARGIN * (1e-8 + np.minimum(q, 1))
    pieces = np.cumsum(np.diff(attracts, prepend=attracts[0]) != 0)
    return [
        OnLine(float(q[i]), float(sigma_w2[i]), float(sigma_b2[i]), bool(attracts[i]), int(pieces[i]))
        for i in np.flatnonzero(np.isfinite(sigma_w2) & np.isfinite(sigma_b2))
    ]


def _fields(function: Activation, across: Any, up: Any) -> list[Field]:
    """The fields of the map, between neighbours of the exponents of σ_w² and of σ_b²."""
    columns, rows = 2.0 ** ((across[1:] + across[:-1]) / 2), (up[1:] + up[:-1]) / 2
    plane = phase_plane(function, columns, rows)
    with np.errstate(divide="ignore"):
        depth_scale = np.clip(1 / np.abs(np.log(plane.chi_1)), _SHORTEST, LONGEST)
    return [
        Field(
            low=float(2.0 ** across[i]),
            high=float(2.0 ** across[i + 1] * _OVERLAP),
            bottom=float(up[j]),
            top=float(up[j] + (up[j + 1] - up[j]) * _OVERLAP),
            depth_scale=round(float(depth_scale[j, i]), 4),
            chi_1=round(float(plane.chi_1[j, i]), 5),
            q_star=float(f"{plane.q_star[j, i]:.4g}") if np.isfinite(plane.q_star[j, i]) else None,
        )
        for j in range(len(rows))
        for i in range(len(columns))
        if np.isfinite(depth_scale[j, i])
    ]
