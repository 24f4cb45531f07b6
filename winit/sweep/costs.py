"""What cells and runs cost, estimated: by FLOPs and time work is cut, by memory it is refused."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from winit.network.cells import Probe, input_width
from winit.network.datasets import dataset
from winit.network.diagnostics import gram_is_cheaper
from winit.network.training import Task, recorded_steps

# What one core of a current machine does, roughly; only the length of a block hangs on these.
_FLOPS_PER_SECOND = 1.0e11
_SECONDS_PER_ENTRY = 8.0e-9  # activation and statistics, per entry of a layer and pass
_SECONDS_PER_LAYER = 1.0e-4  # calls, per layer and pass
_PASSING_ARRAYS = 6  # at most so many arrays of a layer's size live at once besides what is kept
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
    """Bytes of the largest working set: the draws, the weights, and what the backward pass needs.

    Weights that are not i.i.d. (``iid`` false) are decompositions, made and kept in float64.
    """
    fans = _fans(widths, probe)
    batch, item = probe.batch, np.dtype(probe.dtype).itemsize
    weights = sum(fan_in * fan_out for fan_in, fan_out in fans)
    entries = batch * (fans[0][0] + 2 * sum(widths))  # h and φ'(z) of every layer
    for fan_in, fan_out in fans:
        if gram_is_cheaper(batch, fan_in, fan_out):
            entries += batch * (fan_in + batch)  # the centred h, and its Gram matrix
    passing = _PASSING_ARRAYS * max(n for a, b in fans for n in (batch * a, batch * b, a * b))
    # The standard draws are float32, and a block may hold those of two distributions.
    draws = 2 * weights * 4
    if not iid:
        draws += (weights + _QR_ARRAYS * max(fan_in * fan_out for fan_in, fan_out in fans)) * 8
    return float((weights + entries + passing) * item + draws)


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
