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
    Column,
    Diagnostic,
    Inputs,
    Sensitivity,
)
from winit.network.draws import Array, Draws
from winit.network.initializers import Initializer, Law, Layer, initializer
from winit.network.inputs import cotangent, input_of
from winit.network.propagation import Trace, backward, forward
from winit.network.sources import Sources

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
        networks: dict[tuple[Sources, str, str, int], list[Cell]] = {}
        for cell in sharing:
            network = (cell.sources, cell.activation, cell.initializer, prefix_of(cell))
            networks.setdefault(network, []).append(cell)
        for members in networks.values():
            # Within a generator, errstate would leak to the caller between two results.
            with np.errstate(all="ignore"):
                finished = _measure_network(members, probe, draws)
            yield from finished


def prefix_of(cell: Cell) -> int:
    """Cells that differ in depth alone are beginnings of one network where this is equal."""
    by_depth = initializer(cell.initializer, cell.sources).entry.by_depth
    return 0 if is_constant(cell.width) and not by_depth else cell.depth


def _measure_network(cells: Sequence[Cell], probe: Probe, draws: Draws) -> list[Measured]:
    """Cells of one network that differ only in depth: one forward pass, a backward pass each."""
    started = time.perf_counter()
    deepest = max(cells, key=lambda cell: cell.depth)
    network = Network(deepest, draws)
    x = network.examples
    outputs = [Inputs(x)]
    layers: list[Trace] = []
    table = empty_table(COLUMNS, deepest.depth + 1)
    diagnostics = [d for d in DIAGNOSTICS if probe.histograms or not d.counts]
    paired = input_of(probe.input).entry.paired
    record(table, 0, Activity(network.activation, outputs[0], paired=paired), diagnostics)
    for index, layer in enumerate(forward(x, network.parameters, network.activation, deepest.depth), 1):
        outputs.append(Inputs(layer.h))
        activity = Activity(
            network.activation, outputs[-1], layer.z, layer.derivative, layer.weights, paired=paired
        )
        record(table, index, activity, diagnostics)
        layers.append(Trace(layer.inputs, layer.weights, layer.derivative))
    shared = (time.perf_counter() - started) / len(cells)

    finished = []
    for cell in cells:
        started = time.perf_counter()
        rows = {name: column[: cell.depth + 1].copy() for name, column in table.items()}
        readout = network.readout(cell.depth, outputs[cell.depth].h)
        for step in backward(layers[: cell.depth], readout, network.cotangent):
            sensitivity = Sensitivity(outputs[step.index - 1], step.g, step.delta)
            record(rows, step.index, sensitivity, diagnostics)
        finished.append(Measured(cell, rows, shared + time.perf_counter() - started))
    return finished


class Network:
    """The weights, inputs and cotangent of a cell, made when they are asked for."""

    def __init__(self, cell: Cell, draws: Draws) -> None:
        self.probe = cell.probe
        self.depth = cell.depth
        self.widths = (*hidden_widths(cell.width, cell.depth), cell.probe.outputs)
        self.initializer: Initializer = initializer(cell.initializer, cell.sources)
        self.activation: Activation = activation(cell.activation, cell.sources)
        self.draws = draws
        self.dtype: np.dtype[np.floating] = np.dtype(cell.probe.dtype)

    @property
    def examples(self) -> Array:
        """x, shape (batch, width_0)."""
        width = input_width(self.widths[0], self.probe)
        drawn = input_of(self.probe.input).examples(self.probe.batch, width, self.draws)
        return drawn.astype(self.dtype, copy=False)

    @property
    def cotangent(self) -> Array:
        """The cotangent v = ∂L/∂y, shape (batch, outputs)."""
        drawn = cotangent(self.probe.batch, self.probe.outputs, self.draws)
        return drawn.astype(self.dtype, copy=False)

    def parameters(self, index: int, inputs: Array) -> tuple[Array, Array | None]:
        """W_l, shape (fan_in, fan_out), and b_l, shape (fan_out,), of layer l = ``index``.

        The readout is layer depth + 1; here it may have biases too.
        """
        fan_out = self.widths[index - 1]
        layer = self._layer(inputs, fan_out, index, self.depth)
        weights, bias = self.initializer.parameters(layer)
        if bias is None and self.probe.bias_std:
            bias = layer.draw(Law("normal", self.probe.bias_std), "bias")
        return weights, bias

    def readout(self, depth: int, inputs: Array) -> Array:
        """W_out behind layer ``depth``, shape (width of that layer, outputs)."""
        return self.initializer.parameters(self._layer(inputs, self.probe.outputs, depth + 1, depth))[0]

    def _layer(self, inputs: Array, fan_out: int, index: int, depth: int) -> Layer:
        fan_in = inputs.shape[1]
        return Layer(fan_in, fan_out, index, depth, self.activation, self.draws, self.dtype, inputs)


def empty_table(columns: Iterable[Column], rows: int) -> Table:
    """So many rows in which nothing is defined yet."""
    table: Table = {}
    for column in columns:
        if column.kind == "counts":
            table[column.name] = np.zeros((rows, column.slots), np.uint32)
        elif column.kind == "count":
            table[column.name] = np.full(rows, -1, np.int32)
        else:
            table[column.name] = np.full(rows, np.nan)
    return table


def record(table: Table, row: int, layer: Activity | Sensitivity, diagnostics: Iterable[Diagnostic]) -> None:
    """Take those of the measurements that ``layer`` allows, into ``row``."""
    for diagnostic in diagnostics:
        if diagnostic.of not in layer.parts:
            continue
        for column, value in zip(diagnostic.columns, diagnostic.measure(layer), strict=True):
            table[column.name][row] = value
