"""Draws of float32, compiled: bit for bit those of ``numpy.random.Generator`` over SFC64, and quicker.

NumPy calls the bit generator through a pointer for every number and branches on the sign, which is
where most of its time goes. The tests compare millions of draws with NumPy's.

Sources: the generator SFC64 is Chris Doty-Humphrey's (PractRand); the ziggurat is Marsaglia & Tang 2000 with
256 layers and the constants of Doornik 2005, as in NumPy.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from winit.network.compiled import compiled

_LAYERS = 256
_R = 3.6541528853610088
"""Where the ziggurat's tail begins."""
_AREA = 0.00492867323399
"""Of each layer."""
_ONE = 2.0**23
"""A place within a layer has so many steps."""


def _ziggurat() -> tuple[NDArray[np.uint32], NDArray[np.float32], NDArray[np.float32]]:
    """Of each layer: up to which place a draw is surely inside, the width of a step, the density there."""
    edges = np.empty(_LAYERS + 1)
    edges[0] = 0.0
    edges[_LAYERS - 1] = _R
    edges[_LAYERS] = _AREA / np.exp(-0.5 * _R**2)
    for i in range(_LAYERS - 2, 0, -1):
        edges[i] = np.sqrt(-2 * np.log(_AREA / edges[i + 1] + np.exp(-0.5 * edges[i + 1] ** 2)))
    inside = np.zeros(_LAYERS)
    inside[0] = _R / edges[_LAYERS]
    inside[2:] = edges[1 : _LAYERS - 1] / edges[2:_LAYERS]
    widths = edges[:_LAYERS].copy()
    widths[0] = edges[_LAYERS]
    densities = np.exp(-0.5 * edges[:_LAYERS] ** 2)
    return (
        np.rint(inside * _ONE).astype(np.uint32),
        (widths / _ONE).astype(np.float32),
        densities.astype(np.float32),
    )


_INSIDE, _WIDTHS, _DENSITIES = _ziggurat()


# So few are drawn by NumPy: a config is checked without compiled code, whose loading takes half a second.
_FEW = 1024


class Stream:
    """A stream of random numbers that goes on where the last draw ended."""

    def __init__(self, sequence: np.random.SeedSequence) -> None:
        self._bits = np.random.SFC64(sequence)

    def normal(self, shape: tuple[int, ...] | int) -> NDArray[np.float32]:
        """``Generator.standard_normal(shape, dtype=float32)``."""
        if np.prod(shape) <= _FEW:
            return np.random.Generator(self._bits).standard_normal(shape, np.float32)
        drawn = np.empty(shape, np.float32)
        with self._state() as state:
            _fill_normal(state, drawn.reshape(-1), _INSIDE, _WIDTHS, _DENSITIES)
        return drawn

    def uniform(self, shape: tuple[int, ...] | int) -> NDArray[np.float32]:
        """``Generator.random(shape, dtype=float32)``, in [0, 1)."""
        if np.prod(shape) <= _FEW:
            return np.random.Generator(self._bits).random(shape, np.float32)
        drawn = np.empty(shape, np.float32)
        with self._state() as state:
            _fill_uniform(state, drawn.reshape(-1))
        return drawn

    @contextmanager
    def _state(self) -> Iterator[NDArray[np.uint64]]:
        """The generator's four words, whether half of its last number is left, and that half."""
        known: dict[str, Any] = self._bits.state
        state = np.array([*known["state"]["state"], known["has_uint32"], known["uinteger"]], np.uint64)
        yield state
        known["state"]["state"], (known["has_uint32"], known["uinteger"]) = state[:4], state[4:].tolist()
        self._bits.state = known


@compiled()
def _next(a, b, c, counter):
    """The next four words, and a number of 64 bits."""
    number = a + b + counter
    turned = (c << np.uint64(24)) | (c >> np.uint64(40))
    return b ^ (b >> np.uint64(11)), c + (c << np.uint64(3)), turned + number, counter + np.uint64(1), number


@compiled()
def _draw(state):
    """The next 32 bits: the lower half of a number, then its upper half."""
    if state[4]:
        state[4] = 0
        return state[5]
    state[0], state[1], state[2], state[3], number = _next(state[0], state[1], state[2], state[3])
    state[4] = 1
    state[5] = number >> np.uint64(32)
    return number & np.uint64(0xFFFFFFFF)


@compiled()
def _unit(bits):
    """A float in [0, 1) of 24 of 32 bits."""
    return np.float32(np.float32(np.int32(bits >> np.uint64(8))) * np.float32(2.0**-24))


@compiled()
def _fill_uniform(state, drawn):
    i = 0
    if state[4] and drawn.size > 0:
        drawn[0] = _unit(_draw(state))
        i = 1
    pairs = drawn[i : i + (drawn.size - i) // 2 * 2]
    a, b, c, counter = state[0], state[1], state[2], state[3]
    for k in range(pairs.size // 2):
        a, b, c, counter, number = _next(a, b, c, counter)
        pairs[2 * k] = _unit(number & np.uint64(0xFFFFFFFF))
        pairs[2 * k + 1] = _unit(number >> np.uint64(32))
    state[0], state[1], state[2], state[3] = a, b, c, counter
    for k in range(i + pairs.size, drawn.size):
        drawn[k] = _unit(_draw(state))


@compiled()
def _fill_normal(state, drawn, inside, widths, densities):
    a, b, c, counter = state[0], state[1], state[2], state[3]
    half, other = state[4] != 0, state[5]
    for i in range(drawn.size):
        if half:
            bits = other
        else:
            a, b, c, counter, number = _next(a, b, c, counter)
            bits, other = number & np.uint64(0xFFFFFFFF), number >> np.uint64(32)
        half = not half
        value = _value(bits, widths)
        if _place(bits) >= inside[_layer(bits)]:
            # One in eighty: the registers go back to the state, and come again from there.
            state[0], state[1], state[2], state[3] = a, b, c, counter
            state[4], state[5] = np.uint64(half), other
            value = _doubtful_normal(bits, state, inside, widths, densities)
            a, b, c, counter = state[0], state[1], state[2], state[3]
            half, other = state[4] != 0, state[5]
        drawn[i] = value
    state[0], state[1], state[2], state[3] = a, b, c, counter
    state[4], state[5] = np.uint64(half), other


@compiled()
def _layer(bits):
    return np.int64(bits & np.uint64(0xFF))


@compiled()
def _place(bits):
    return bits >> np.uint64(9)


@compiled()
def _value(bits, widths):
    sign = np.float32(1) - np.float32(2) * np.float32(np.int32((bits >> np.uint64(8)) & np.uint64(1)))
    return np.float32(np.float32(np.float32(np.int32(_place(bits))) * widths[_layer(bits)]) * sign)


@compiled()
def _doubtful_normal(bits, state, inside, widths, densities):
    """A draw of which ``bits`` may be beside the density, or in the tail."""
    while True:
        layer, place = _layer(bits), _place(bits)
        value = _value(bits, widths)
        if place < inside[layer]:
            return value
        if layer == 0:
            while True:
                beyond = np.float32(np.float32(-1 / _R) * np.log1p(np.float32(-_unit(_draw(state)))))
                other = np.float32(-np.log1p(np.float32(-_unit(_draw(state)))))
                if np.float32(other + other) > np.float32(beyond * beyond):
                    tail = np.float32(np.float32(_R) + beyond)
                    return np.float32(-tail) if (place >> np.uint64(8)) & np.uint64(1) else tail
        step = np.float32(densities[layer - 1] - densities[layer])
        height = np.float32(np.float32(step * _unit(_draw(state))) + densities[layer])
        if np.float64(height) < np.exp(-0.5 * np.float64(value) * np.float64(value)):
            return value
        bits = _draw(state)
