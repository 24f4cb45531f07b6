"""The kernel: from cells to the statistics of every layer of every cell.

Cells that share a seed, a probe and a width share their draws. Among them, networks of constant width
that differ only in depth are beginnings of the deepest one: one forward pass serves them all, and
each depth has a backward pass of its own. Neither changes a bit of any cell's result.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from winit.network.activations import Activation, activation
from winit.network.cells import Cell, Probe, hidden_widths, input_width, is_constant
from winit.network.diagnostics import (
    COLUMNS,
    DIAGNOSTICS,
    Activity,
    Inputs,
    Sensitivity,
)
from winit.network.draws import Array, Draws
from winit.network.initializers import Initializer, Layer, initializer
from winit.network.inputs import cotangent, examples
from winit.network.propagation import Forward, Trace, backward, forward

Table = dict[str, NDArray[np.generic]]
"""The columns of a cell's layer rows, by name: shape (depth + 1,), or (depth + 1, slots)."""


@dataclass(frozen=True)
class Measured:
    """A finished cell: its layer rows 0 (the input) … depth, and what it cost."""

    cell: Cell
    table: Table
    seconds: float


def measure(cells: Iterable[Cell]) -> Iterator[Measured]:
    """Compute ``cells``, in an order of the kernel's choice.

    Raises whatever an initializer or activation raises. Values that overflow are counted in
    the results; they raise nothing.
    """
    ordered = sorted(cells, key=lambda cell: (repr(cell.probe), cell.seed, cell.width))
    for (probe, seed, _), sharing in groupby(ordered, lambda c: (c.probe, c.seed, c.width)):
        draws = Draws(seed)
        networks: dict[tuple[str, str, int], list[Cell]] = {}
        for cell in sharing:
            prefix_of = 0 if is_constant(cell.width) else cell.depth
            networks.setdefault((cell.activation, cell.initializer, prefix_of), []).append(cell)
        for members in networks.values():
            # Within a generator, errstate would leak to the caller between two results.
            with np.errstate(all="ignore"):
                finished = _measure_network(members, probe, draws)
            yield from finished


def _measure_network(cells: Sequence[Cell], probe: Probe, draws: Draws) -> list[Measured]:
    """Cells of one network that differ only in depth: one forward pass, a backward pass each."""
    started = time.perf_counter()
    deepest = max(cells, key=lambda cell: cell.depth)
    network = Network(deepest, draws)
    x = network.examples
    outputs = [Inputs(x)]
    layers: list[Trace] = []
    table = _empty_table(deepest.depth)
    _record(table, 0, Activity(network.activation, outputs[0]), probe)
    for index, layer in enumerate(forward(x, network.parameters, network.activation, deepest.depth), 1):
        outputs.append(Inputs(layer.h))
        _record(table, index, _activity(layer, outputs[-1], network.activation), probe)
        layers.append(Trace(layer.inputs, layer.weights, layer.derivative))
    shared = (time.perf_counter() - started) / len(cells)

    finished = []
    for cell in cells:
        started = time.perf_counter()
        rows = {name: column[: cell.depth + 1].copy() for name, column in table.items()}
        readout = network.readout(cell.depth)
        for step in backward(layers[: cell.depth], readout, network.cotangent):
            sensitivity = Sensitivity(outputs[step.index - 1], step.g, step.delta)
            _record(rows, step.index, sensitivity, probe)
        finished.append(Measured(cell, rows, shared + time.perf_counter() - started))
    return finished


class Network:
    """The weights, inputs and cotangent of a cell, made when they are asked for."""

    def __init__(self, cell: Cell, draws: Draws) -> None:
        self.probe = cell.probe
        self.depth = cell.depth
        self.widths = hidden_widths(cell.width, cell.depth)
        self.initializer: Initializer = initializer(cell.initializer)
        self.activation: Activation = activation(cell.activation)
        self.draws = draws
        self.dtype: np.dtype[np.floating] = np.dtype(cell.probe.dtype)

    @property
    def examples(self) -> Array:
        """x, shape (batch, width_0)."""
        return examples(self.probe, input_width(self.widths[0], self.probe), self.draws)

    @property
    def cotangent(self) -> Array:
        """The cotangent v = ∂L/∂y, shape (batch, outputs)."""
        return cotangent(self.probe, self.draws)

    def parameters(self, index: int, inputs: Array) -> tuple[Array, Array | None]:
        """W_l, shape (fan_in, fan_out), and b_l, shape (fan_out,), of layer l = ``index``."""
        fan_out = self.widths[index - 1]
        weights = self.initializer.weights(self._layer(inputs.shape[1], fan_out, index, self.depth))
        if not self.probe.bias_std:
            return weights, None
        bias = self.draws.standard("normal", "bias", index, (fan_out,)).astype(self.dtype)
        return weights, bias * self.dtype.type(self.probe.bias_std)

    def readout(self, depth: int) -> Array:
        """W_out behind layer ``depth``, shape (width of that layer, outputs)."""
        layer = self._layer(self.widths[depth - 1], self.probe.outputs, depth + 1, depth)
        return self.initializer.weights(layer)

    def _layer(self, fan_in: int, fan_out: int, index: int, depth: int) -> Layer:
        return Layer(fan_in, fan_out, index, depth, self.activation, self.draws, self.dtype)


def _activity(layer: Forward, output: Inputs, function: Activation) -> Activity:
    return Activity(function, output, layer.z, layer.derivative, layer.weights)


def _empty_table(depth: int) -> Table:
    """Rows 0 … depth in which nothing is defined yet."""
    rows = depth + 1
    table: Table = {}
    for column in COLUMNS:
        if column.kind == "counts":
            table[column.name] = np.zeros((rows, column.slots), np.uint32)
        elif column.kind == "count":
            table[column.name] = np.full(rows, -1, np.int32)
        else:
            table[column.name] = np.full(rows, np.nan)
    return table


def _record(table: Table, row: int, layer: Activity | Sensitivity, probe: Probe) -> None:
    """Take every measurement that ``layer`` allows and ``probe`` asks for, into ``row``."""
    for diagnostic in DIAGNOSTICS:
        if diagnostic.of not in layer.parts or (diagnostic.counts and not probe.histograms):
            continue
        for column, value in zip(diagnostic.columns, diagnostic.measure(layer), strict=True):
            table[column.name][row] = value
