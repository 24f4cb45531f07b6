"""The kernel: from cells to the statistics of every layer of every cell.

Cells that share a seed, a probe and a width share their draws. Among them, networks of constant width
that differ only in depth are beginnings of the deepest one: one forward pass serves them all, and
each depth has a backward pass of its own. Small networks of one shape go through together. None of it changes
a bit of any cell's result.
"""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from winit.network.activations import Activation, activation, histogram_range
from winit.network.arrays import Array
from winit.network.cells import Cell, Probe, hidden_widths, input_width, is_constant
from winit.network.diagnostics import (
    COLUMNS,
    DIAGNOSTICS,
    Activity,
    Column,
    Diagnostic,
    Inputs,
    Output,
    Sensitivity,
)
from winit.network.draws import Draws
from winit.network.initializers import Initializer, Law, Layer, Weights, initializer
from winit.network.inputs import Input, cotangent, input_of, is_paired
from winit.network.propagation import Trace, backward, forward, output_std
from winit.network.sources import Sources

Table = dict[str, NDArray[np.generic]]
"""The columns of layer rows, by name.

Of a cell the shape is (depth + 1,), or (depth + 1, slots); of several networks there is a first axis more.
"""

# An array of a layer, of all networks of a stack. At width 64 half of it takes 6 % more time, twice of it
# 4 % less, and memory grows with it.
_STACK_BYTES = 2**19
# Their weights of a layer, which each may have of its own. Larger ones are no longer in the cache anyway.
_STACK_WEIGHTS_BYTES = 2**24
_LARGEST_STACK = 64  # what there is to spare is spared by then


@dataclass(frozen=True)
class Measured:
    """A finished cell: its layer rows 0 (the input) … depth, and what it cost."""

    cell: Cell
    table: Table
    seconds: float


def measure(cells: Iterable[Cell], room: float = math.inf) -> Iterator[Measured]:
    """Compute ``cells``, in an order of the kernel's choice.

    Standard draws are kept for the next network up to ``room`` bytes, else drawn again when they are needed.
    Raises whatever an initializer or activation raises. Values that overflow are counted in
    the results; they raise nothing.
    """
    ordered = sorted(cells, key=lambda cell: (repr(cell.probe), cell.seed, cell.width))
    for (_, seed, _), sharing in groupby(ordered, lambda c: (c.probe, c.seed, c.width)):
        draws = Draws(seed, room)
        networks: dict[tuple[Sources, str, str, int], list[Cell]] = {}
        for cell in sharing:
            network = (cell.sources, cell.activation, cell.initializer, prefix_of(cell))
            networks.setdefault(network, []).append(cell)
        for stack in _stacks(networks.values()):
            # Within a generator, errstate would leak to the caller between two results.
            with np.errstate(all="ignore"):
                finished = _measure_stack(stack, draws)
            yield from finished


def prefix_of(cell: Cell) -> int:
    """Cells that differ in depth alone are beginnings of one network where this is equal."""
    by_depth = initializer(cell.initializer, cell.sources).entry.by_depth
    return 0 if is_constant(cell.width) and not by_depth else cell.depth


def _stacks(networks: Iterable[list[Cell]]) -> Iterator[list[list[Cell]]]:
    """Networks with one activation and the same depths, as many together as fit into the cache."""
    alike: dict[tuple[Sources, str, tuple[int, ...]], list[list[Cell]]] = {}
    for cells in networks:
        cells.sort(key=lambda cell: cell.depth)
        depths = tuple(cell.depth for cell in cells)
        alike.setdefault((cells[0].sources, cells[0].activation, depths), []).append(cells)
    for same in alike.values():
        deepest = same[0][-1]
        size = networks_in_a_stack(hidden_widths(deepest.width, deepest.depth), deepest.probe)
        for start in range(0, len(same), size):
            yield same[start : start + size]


def fans_of(widths: tuple[int, ...], probe: Probe) -> list[tuple[int, int]]:
    """(fan_in, fan_out) of the layers 1 … depth + 1, the readout's last, of hidden layers of these widths."""
    return list(pairwise((input_width(widths[0], probe), *widths, probe.outputs)))


def networks_in_a_stack(widths: tuple[int, ...], probe: Probe) -> int:
    """How many networks with hidden layers of these widths are computed together, at most."""
    item = np.dtype(probe.dtype).itemsize
    layer = probe.batch * max(widths) * item
    weights = max(fan_in * fan_out for fan_in, fan_out in fans_of(widths, probe)) * item
    return min(max(min(_STACK_BYTES // layer, _STACK_WEIGHTS_BYTES // weights), 1), _LARGEST_STACK)


def _measure_stack(stack: Sequence[Sequence[Cell]], draws: Draws) -> list[Measured]:
    """For each network the cells that differ only in depth: one forward pass, a backward pass each."""
    started = time.perf_counter()
    networks = [Network(cells[-1], draws) for cells in stack]
    first = networks[0]
    x = first.examples[np.newaxis]
    bins = histogram_range(first.activation.label) if first.probe.histograms else None
    outputs = [Inputs(x, bins)]
    layers: list[Trace] = []
    table = empty_table(COLUMNS, len(stack), first.depth + 1)
    diagnostics = [d for d in DIAGNOSTICS if first.probe.histograms or not d.counts]
    paired = is_paired(first.probe.input)
    record(table, 0, Activity(first.activation, outputs[0], paired=paired), diagnostics)

    def parameters(index: int, inputs: Array) -> tuple[list[Weights], Array | None]:
        made = [
            network.parameters(index, inputs[min(k, len(inputs) - 1)]) for k, network in enumerate(networks)
        ]
        return [weights for weights, _ in made], _stacked([bias for _, bias in made])

    readouts: dict[int, list[Weights]] = {}
    ends: dict[int, Output] = {}
    depths = [cell.depth for cell in stack[0]]
    for layer in forward(x, parameters, first.activation, first.depth):
        index = len(outputs)
        outputs[-1].keep_for(layer.h.shape[2])
        outputs.append(Inputs(layer.h, bins))
        record(table, index, Activity(first.activation, outputs[-1], layer, paired=paired), diagnostics)
        layers.append(Trace(layer.weights, layer.derivative))
        if index in depths:
            readouts[index] = [n.readout(index, h) for n, h in zip(networks, layer.h, strict=True)]
            ends[index] = Output(output_std(layer.h, readouts[index]))
        del layer  # what is not kept makes room for the next
    shared = (time.perf_counter() - started) / sum(map(len, stack))

    finished = []
    for of_depth in zip(*stack, strict=True):
        started = time.perf_counter()
        depth = of_depth[0].depth
        rows = {name: column[:, : depth + 1].copy() for name, column in table.items()}
        record(rows, depth, ends[depth], diagnostics)
        passed = backward(
            layers[:depth],
            readouts[depth],
            first.cotangent[np.newaxis],
            magnitudes=first.probe.histograms,
        )
        for index, errors in passed:
            record(rows, index, Sensitivity(outputs[index - 1], errors), diagnostics)
            del errors
        seconds = shared + (time.perf_counter() - started) / len(stack)
        for k, cell in enumerate(of_depth):
            finished.append(Measured(cell, {name: column[k] for name, column in rows.items()}, seconds))
    return finished


def _stacked(biases: Sequence[Array | None]) -> Array | None:
    """Biases of shape (networks, 1, units), None where no network has any."""
    given = next((bias for bias in biases if bias is not None), None)
    if given is None:
        return None
    return np.array([np.zeros_like(given) if bias is None else bias for bias in biases])[:, np.newaxis]


class Network:
    """The weights, inputs and cotangent of a cell, made when they are asked for."""

    def __init__(self, cell: Cell, draws: Draws) -> None:
        self.probe = cell.probe
        self.depth = cell.depth
        self.widths = (*hidden_widths(cell.width, cell.depth), cell.probe.outputs)
        self.initializer: Initializer = initializer(cell.initializer, cell.sources)
        self.activation: Activation = activation(cell.activation, cell.sources)
        self.input: Input = input_of(cell.probe.input, cell.sources)
        self.draws = draws
        self.dtype: np.dtype[np.floating] = np.dtype(cell.probe.dtype)

    @property
    def examples(self) -> Array:
        """x, shape (batch, width_0)."""
        width = input_width(self.widths[0], self.probe)
        drawn = self.input.examples(self.probe.batch, width, self.draws)
        return drawn.astype(self.dtype, copy=False)

    @property
    def cotangent(self) -> Array:
        """The cotangent v = ∂L/∂y, shape (batch, outputs)."""
        drawn = cotangent(self.probe.batch, self.probe.outputs, self.draws)
        return drawn.astype(self.dtype, copy=False)

    def parameters(self, index: int, inputs: Array) -> tuple[Weights, Array | None]:
        """W_l, of shape (fan_in, fan_out), and b_l, shape (fan_out,), of layer l = ``index``.

        The readout is layer depth + 1; here it may have biases too.
        """
        fan_out = self.widths[index - 1]
        layer = self._layer(inputs, fan_out, index, self.depth)
        weights, bias = self.initializer.weights(layer)
        if bias is None and self.probe.bias_std:
            bias = layer.draw(Law("normal", self.probe.bias_std), "bias")
        return weights, bias

    def readout(self, depth: int, inputs: Array) -> Weights:
        """W_out behind layer ``depth``, of shape (width of that layer, outputs)."""
        return self.initializer.weights(self._layer(inputs, self.probe.outputs, depth + 1, depth))[0]

    def _layer(self, inputs: Array, fan_out: int, index: int, depth: int) -> Layer:
        fan_in = inputs.shape[1]
        return Layer(fan_in, fan_out, index, depth, self.activation, self.draws, self.dtype, inputs)


def empty_table(columns: Iterable[Column], networks: int, rows: int) -> Table:
    """So many rows for each network, in which nothing is defined yet."""
    table: Table = {}
    for column in columns:
        if column.kind == "counts":
            table[column.name] = np.zeros((networks, rows, column.slots), np.uint32)
        elif column.kind == "count":
            table[column.name] = np.full((networks, rows), -1, np.int32)
        else:
            table[column.name] = np.full((networks, rows), np.nan)
    return table


def record(
    table: Table, row: int, layer: Activity | Sensitivity | Output, diagnostics: Iterable[Diagnostic]
) -> None:
    """Take those of the measurements that ``layer`` allows, into ``row`` of every network."""
    parts = layer.parts
    for diagnostic in diagnostics:
        if diagnostic.of in parts:
            for column, values in zip(diagnostic.columns, diagnostic.measure(layer), strict=True):
                table[column.name][:, row] = values
