"""What cells and runs cost, estimated: by FLOPs and time work is cut, by memory it is refused."""

import math
import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np

from winit.network.activations import Activation, activation
from winit.network.cells import Probe, input_width
from winit.network.datasets import dataset
from winit.network.diagnostics import COLUMNS, gram_is_cheaper
from winit.network.draws import Distribution
from winit.network.initializers import Law, Layer, Matrix, Weights, initializer, trial_layer
from winit.network.inputs import input_of, is_paired
from winit.network.kernel import fans_of, networks_in_a_stack
from winit.network.labels import LabelError
from winit.network.sources import Sources, is_users, source_name
from winit.network.training import Task, recorded_steps
from winit.sweep.machine import KEPT_BYTES

# What one core of a current machine does, roughly; only the length of a block depends on these.
_FLOPS_PER_SECOND = 1.0e11
_SECONDS_PER_ENTRY = 6.0e-9  # activation and statistics, per entry of a layer and pass
_SECONDS_PER_LAYER = 7.0e-5  # calls, per layer and pass
# Bytes an entry of W while a QR decomposition makes it, measured: the matrix in float64, copies, Q and R.
_DECOMPOSED = 42.0
_UNEVEN = 1.1  # memory has gaps
_MOST_ARRAYS = 8.0  # of the catalogue's activations
_PAIRS_ARRAYS = 10  # of float32 and the input's size, while the input is pairs
_CHOSEN_ARRAYS = 3  # of float64 and the input's size, while examples of one's own are read and standardized
# Of a layer's row as the kernel holds it, histograms or not.
_ROW_BYTES = sum(4 * column.slots if column.kind == "counts" else 8 for column in COLUMNS)
# Of a result's rows: those of the kernel, as Arrow's, and on the way to the sweep.
_COPIES_OF_ROWS = 3.5
# A step of training is a pass forward, two backward and the update, in many short calls.
_TRAINING_PASSES = 3
_RECORDED_ARRAYS = 8  # as those that pass through a layer, of all examples, while everything is measured
_KEPT_ARRAYS = 6  # of a layer and the mini-batch, for the backward pass and the update


@dataclass(frozen=True)
class Cost:
    """What a pass over a network takes."""

    flops: float = 0.0
    entries: float = 0.0
    layers: int = 0

    @property
    def seconds(self) -> float:
        """On one core, estimated."""
        return (
            self.flops / _FLOPS_PER_SECOND
            + self.entries * _SECONDS_PER_ENTRY
            + self.layers * _SECONDS_PER_LAYER
        )


def forward_cost(widths: tuple[int, ...], probe: Probe) -> Cost:
    """Of the forward pass through hidden layers of these widths."""
    fans = fans_of(widths, probe)[:-1]
    flops = sum(2.0 * probe.batch * fan_in * fan_out for fan_in, fan_out in fans)
    return Cost(flops, float(probe.batch * sum(widths)), len(widths))


def backward_cost(widths: tuple[int, ...], probe: Probe) -> Cost:
    """Of the backward pass, the weight gradients' statistics with it."""
    batch = probe.batch
    fans = fans_of(widths, probe)[:-1]
    flops = 2 * 2.0 * batch * widths[-1] * probe.outputs  # y and g of the last layer
    flops += sum(2.0 * batch * fan_in * fan_out for fan_in, fan_out in fans[1:])
    for fan_in, fan_out in fans:
        grams = gram_is_cheaper(batch, fan_in, fan_out)
        flops += float(batch) ** 2 * (fan_in + fan_out) if grams else 2.0 * batch * fan_in * fan_out
    return Cost(flops, float(batch * sum(widths)), len(widths))


class Making(NamedTuple):
    """How the weights of a layer come into being, as far as memory goes."""

    entry: float
    """Bytes an entry of W, at most, while they are made."""
    kept: bool
    """Whether each network keeps a matrix of its own. Standard draws are shared, and drawn again at need."""


@lru_cache(maxsize=4096)
def making(label: str, function: str, dtype: str, sources: Sources = ()) -> Making:
    """How the initializer that ``label`` names makes the weights of a network with this activation."""
    found, phi = initializer(label, sources), activation(function, sources)
    law = found.law_with(phi)
    if law is not None:
        return _making_of(law.distribution, shared=bool(law.std and not law.mean), dtype=dtype)
    if is_users(found.entry.name):
        return Making(_DECOMPOSED, kept=True)  # whatever it does, it is not done here

    def decomposed(layer: Layer) -> Weights:
        return found.weights(layer)[0]

    return _tried(decomposed, phi, dtype)


@lru_cache(maxsize=256)
def _making_of(distribution: Distribution | Literal["constant"], *, shared: bool, dtype: str) -> Making:
    """Of entries that are i.i.d.; a draw with a mean is no longer the one that all share."""
    std = 0.0 if distribution == "constant" else 1.0
    law = Law(distribution, std, 0.0 if shared else 1.0)
    return _tried(lambda layer: layer.weights(law), activation("identity"), dtype)


def _tried(make: Callable[[Layer], Weights], phi: Activation, dtype: str) -> Making:
    """What making the weights of a layer takes, measured with a small one, wider at its end."""
    shape = (128, 160)
    layers = [trial_layer(phi, shape, dtype) for _ in range(2)]
    try:
        peak = _peak(lambda: make(layers.pop()).matrix)
    except LabelError:  # it has no weights for this activation
        return Making(_DECOMPOSED, kept=True)
    layer = trial_layer(phi, shape, dtype)
    kept = isinstance(make(layer), Matrix)
    return Making(max(math.floor(peak / math.prod(shape)), _DECOMPOSED * layer.draws.decomposes), kept)


@lru_cache(maxsize=4096)
def activation_arrays(label: str, sources: Sources = ()) -> float:
    """How many arrays of z's size an activation has at most at once, with the two that it gives.

    Measured, while it is at work.
    """
    function = activation(label, sources)
    z = np.linspace(-4.0, 4.0, 2**16, dtype=np.float32).reshape(256, 256)
    try:
        peak = _peak(lambda: function(z))
    except (Exception, SystemExit):  # noqa: BLE001 - a user's own may refuse this shape; others it did not
        return _MOST_ARRAYS
    return max(math.ceil(4 * (peak / z.nbytes - 0.02)) / 4, 2.0)


def _peak(call: Callable[[], object]) -> float:
    """Bytes that NumPy and Python take at most during ``call``, when it is called for the second time."""
    call()  # what it imports and keeps is not counted
    ours = not tracemalloc.is_tracing()
    if ours:
        tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        call()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        if ours:
            tracemalloc.stop()


def memory(
    widths: tuple[int, ...],
    probe: Probe,
    made: Making,
    arrays: float,
) -> float:
    """Bytes that a cell takes with the networks that are computed together with it, at most.

    ``arrays`` are those of its activation (``activation_arrays``). Not counted are standard draws, which are
    drawn again in the backward pass where there is no room for them, and results (``result_memory``).
    """
    fans = fans_of(widths, probe)
    batch, item = probe.batch, np.dtype(probe.dtype).itemsize
    networks = networks_in_a_stack(widths, probe)
    layer = networks * batch * max(fans[0][0], *widths) * item
    largest = max(fan_in * fan_out for fan_in, fan_out in fans)
    signals = batch * (fans[0][0] + probe.outputs) * item
    # For the backward pass, of each layer φ'(z), and of its inputs what ∂L/∂W needs; all share the input.
    kept, grams, dense = 0, 0, 0
    for index, (fan_in, fan_out) in enumerate(fans[:-1]):
        if gram_is_cheaper(batch, fan_in, fan_out):
            needed = batch * (batch * item + 8)
            grams = networks * batch**2 * item
        else:
            needed = batch * fan_in * item
            dense = max(dense, networks * fan_in * fan_out * item)
        kept += networks * batch * fan_out * item + needed * (networks if index else 1)
    if made.kept:
        kept += networks * sum(fan_in * fan_out for fan_in, fan_out in fans) * item
    drawn = 0 if made.kept else networks * largest * item
    # float64 has no wider type to square in: what over- or underflows is copied into the middle range.
    copies = item > 4
    paired = is_paired(probe.input)
    phases = (
        _Phase(layers=(1 + arrays) * layer),  # the activation
        _Phase(layers=(6 if paired else 4 + copies) * layer, grams=grams),  # measurements
        _Phase(layers=(4 + copies) * layer, weights=(1 + copies) * dense),  # ∂L/∂W
        _Phase(layers=layer, weights=made.entry * largest + drawn - largest * item),
        _Phase(layers=(6 if made.kept else 3) * layer, weights=drawn),  # products; LSUV looks at them
    )
    passing = _at_most(phases, layer, largest * item, grams)
    table = networks * len(fans) * _ROW_BYTES
    pairs = _PAIRS_ARRAYS * batch * fans[0][0] * 4 if paired else 0
    return float(_UNEVEN * (max(signals + kept + passing, pairs) + table))


def cell_memory(
    widths: tuple[int, ...], probe: Probe, made: Making, arrays: float, sources: Sources = ()
) -> float:
    """As ``memory``, with what examples of one's own take, while they are chosen and where all are kept."""
    need = memory(widths, probe, made, arrays)
    if source_name(probe.input) is None:
        return need
    chosen = _CHOSEN_ARRAYS * 8.0 * probe.batch * input_width(widths[0], probe)
    return max(need, chosen) + input_of(probe.input, sources).entry.resident


class _Phase(NamedTuple):
    """Bytes of what lives at once for a while, by what it is."""

    layers: float = 0.0
    weights: float = 0.0
    grams: float = 0.0


def _at_most(phases: Iterable[_Phase], *sizes: float) -> float:
    """Bytes of the phases, one after the other, where arrays of each kind have these sizes.

    The C library keeps what is small when it is freed, for arrays as small alone.
    """
    small = [size < KEPT_BYTES for size in sizes]
    most = 0.0
    for kind in (True, False):
        most += max(
            sum(size for size, is_small in zip(phase, small, strict=True) if is_small == kind)
            for phase in phases
        )
    return most


def result_memory(depth: int) -> float:
    """Bytes of a cell's result until it has reached the sweep; results of a block are together in memory."""
    return _COPIES_OF_ROWS * (depth + 1) * _ROW_BYTES


def draws_memory(widths: tuple[int, ...], probe: Probe) -> float:
    """Bytes of the standard draws of a network, which are kept where there is room."""
    return float(sum(a * b for a, b in fans_of(widths, probe)) * np.dtype(probe.dtype).itemsize)


def training_cost(widths: tuple[int, ...], task: Task) -> Cost:
    """Of a run through hidden layers of these widths, all its steps and records."""
    entry = dataset(task.data).entry
    fans = list(pairwise((entry.width, *widths, entry.classes)))
    batch = min(task.batch, entry.examples)
    weights = sum(fan_in * fan_out for fan_in, fan_out in fans)
    units = sum(fan_out for _, fan_out in fans)
    records = len(recorded_steps(task.steps))
    seen = _TRAINING_PASSES * task.steps * batch + records * entry.examples
    return Cost(2.0 * seen * weights, float(seen * units), (task.steps + records) * len(fans))


def training_memory(widths: tuple[int, ...], task: Task) -> float:
    """Bytes of a run: the data, the weights, and what a pass over all examples holds of a layer."""
    entry = dataset(task.data).entry
    fans = list(pairwise((entry.width, *widths, entry.classes)))
    item = np.dtype(task.dtype).itemsize
    weights = sum(fan_in * fan_out for fan_in, fan_out in fans)
    passing = _RECORDED_ARRAYS * max(max(entry.examples, fan_in) * fan_out for fan_in, fan_out in fans)
    kept = _KEPT_ARRAYS * min(task.batch, entry.examples) * sum(fan_out for _, fan_out in fans)
    data = 2 * entry.examples * entry.width * (8 + item)
    return float(data + (3 * weights + passing + kept) * item + 2 * weights * 4)
