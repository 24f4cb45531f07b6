"""What cells and runs cost, estimated: by FLOPs and time work is cut, by memory it is refused."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from winit.network.cells import Probe, input_width
from winit.network.datasets import dataset
from winit.network.diagnostics import gram_is_cheaper
from winit.network.kernel import networks_in_a_stack
from winit.network.training import Task, recorded_steps

# What one core of a current machine does, roughly; only the length of a block hangs on these.
_FLOPS_PER_SECOND = 1.0e11
_SECONDS_PER_ENTRY = 6.0e-9  # activation and statistics, per entry of a layer and pass
_SECONDS_PER_LAYER = 7.0e-5  # calls, per layer and pass
_PASSING_ARRAYS = 7  # at most so many arrays of a layer's size live at once besides what is kept
_ROW_BYTES = 2000  # of a layer row with its histograms, and of its copies for shallower networks
_QR_ARRAYS = 4  # the matrix in float64, Q, R, and what LAPACK works in
# A step of training is a pass forward, two backward and the update, in many short calls.
_TRAINING_PASSES = 3
_RECORDED_ARRAYS = 8  # as _PASSING_ARRAYS, of all examples, while everything is measured
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
    fans = _fans(widths, probe)
    flops = sum(2.0 * probe.batch * fan_in * fan_out for fan_in, fan_out in fans)
    return Cost(flops, float(probe.batch * sum(widths)), len(widths))


def backward_cost(widths: tuple[int, ...], probe: Probe) -> Cost:
    """Of the backward pass, the weight gradients' statistics with it."""
    batch = probe.batch
    fans = _fans(widths, probe)
    flops = 2.0 * batch * widths[-1] * probe.outputs
    flops += sum(2.0 * batch * fan_in * fan_out for fan_in, fan_out in fans[1:])
    for fan_in, fan_out in fans:
        grams = gram_is_cheaper(batch, fan_in, fan_out)
        flops += float(batch) ** 2 * (fan_in + fan_out) if grams else 2.0 * batch * fan_in * fan_out
    return Cost(flops, float(batch * sum(widths)), len(widths))


def memory(widths: tuple[int, ...], probe: Probe, *, iid: bool = True) -> float:
    """Bytes that a cell takes with the networks that are computed together with it, at the least.

    Standard draws are not counted: those that find no room are drawn again in the backward pass. Weights
    that are not i.i.d. (``iid`` false) are decompositions, made in float64, and kept.
    """
    fans = _fans(widths, probe)
    batch, item = probe.batch, np.dtype(probe.dtype).itemsize
    networks = networks_in_a_stack(max(widths), probe)
    entries = 0
    for fan_in, fan_out in fans:
        # φ'(z), and of the inputs what ∂L/∂W needs.
        grams = gram_is_cheaper(batch, fan_in, fan_out)
        entries += batch * (fan_out + (batch if grams else fan_in))
    entries += _PASSING_ARRAYS * max(batch * n for fan in fans for n in fan)
    rows = networks * len(widths) * _ROW_BYTES
    # The draw in hand, as it is made and in the dtype; one of ∂L/∂W for each network.
    passing = max(fan_in * fan_out for fan_in, fan_out in fans) * ((2 + networks) * item + 4)
    kept = 0
    if not iid:
        kept = networks * sum(fan_in * fan_out for fan_in, fan_out in fans) * item
        passing += _QR_ARRAYS * max(fan_in * fan_out for fan_in, fan_out in fans) * 8
    return float(networks * entries * item + rows + passing + kept)


def draws_memory(widths: tuple[int, ...], probe: Probe) -> float:
    """Bytes of the standard draws of a network, which are kept where there is room."""
    return float(sum(a * b for a, b in _fans(widths, probe)) * np.dtype(probe.dtype).itemsize)


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


def _fans(widths: tuple[int, ...], probe: Probe) -> list[tuple[int, int]]:
    return list(zip((input_width(widths[0], probe), *widths[:-1]), widths, strict=True))
