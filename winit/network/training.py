"""The training probe: the same networks, with biases and a softmax readout, under plain SGD.

    y = h_depth W_out + b_out,   L = mean over examples of −log softmax(y)[class]
    ∂L/∂y = softmax(y) − (1 at the class),  per example
    W ← W − η ∂L/∂W,   b ← b − η ∂L/∂b,   from mini-batches drawn without repetition until all had their turn

Forward and backward are those of ``propagation``; the readout is a layer like the others, with φ the identity
and the index depth + 1. At logarithmically spaced steps everything is measured, with the diagnostics of
``diagnostics``, under their names. A run that diverges is recorded, not raised.
"""

import hashlib
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from winit.network.activations import Activation, activation
from winit.network.arrays import Array
from winit.network.cells import Cell, Probe
from winit.network.datasets import Labels, Split, dataset
from winit.network.diagnostics import DIAGNOSTICS, Activity, Column, Inputs, Sensitivity
from winit.network.draws import Draws
from winit.network.initializers import Matrix, Weights
from winit.network.kernel import Network, Table, empty_table, record
from winit.network.propagation import (
    Forward,
    Parameters,
    backward,
    forward,
    weight_gradient,
)
from winit.network.sources import Sources, identity
from winit.network.summaries import Errors, errors

TRAINING_VERSION = "3"
"""Part of every run's identity: raise it when a change of the code changes a number."""

RECORDS_A_DECADE = 5

_TRACKED = ("saturated_fraction", "distinct_units", "distinct_errors", "w_std", "weight_grad_norm")
_DIAGNOSTICS = tuple(d for d in DIAGNOSTICS if any(column.name in _TRACKED for column in d.columns))
COLUMNS: tuple[Column, ...] = (
    Column("loss", "mean cross-entropy over all training examples; the same on every layer's row"),
    Column("accuracy", "share of held-out examples classified as they are; the same on every layer's row"),
    Column(
        "update_to_weight",
        "learning rate × norm of ∂L/∂W ÷ norm of W, of the update that follows; null where W is zero",
    ),
    *(column for diagnostic in _DIAGNOSTICS for column in diagnostic.columns),
)
"""What is measured of a layer at a recorded step: on all training examples, but for what has to do with the
gradient, which is that of the mini-batch whose update follows."""


@dataclass(frozen=True)
class Task:
    """What every run of a grid does, whichever network it trains."""

    data: str = "digits"
    """canonical label of a data set"""
    steps: int = 1000
    batch: int = 64
    dtype: Literal["float32", "float64"] = "float32"
    bias_std: float = 0.0

    @property
    def outputs(self) -> int:
        """Width of the readout: the classes of the data."""
        return dataset(self.data).entry.classes


@dataclass(frozen=True)
class Run:
    """A cell of the training sweep: a network, a learning rate, a seed, a task. Labels are canonical."""

    initializer: str
    activation: str
    depth: int
    """Hidden layers; 0 is the linear model."""
    width: str
    learning_rate: float
    seed: int
    task: Task
    sources: Sources = ()
    """Of the user's own functions among the labels, so that a run can be computed anywhere."""

    @property
    def id(self) -> str:
        """Twenty hex digits that stand for all that decides the numbers, and nothing else."""
        initializer, function = (
            identity(label, self.sources) for label in (self.initializer, self.activation)
        )
        return run_id(initializer, function, self.depth, self.width, self.learning_rate, self.seed, self.task)


def run_id(
    initializer: str, activation: str, depth: int, width: str, learning_rate: float, seed: int, task: Task
) -> str:
    """See ``Run.id``. Labels are those of ``sources.identity``."""
    text = (
        f"training {TRAINING_VERSION}|{initializer}|{activation}|{depth}|{width}|{learning_rate!r}"
        f"|{seed}|{task}"
    )
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


@dataclass(frozen=True)
class Trained:
    """A finished run, what it cost, and a row for each recorded step and layer 1 … depth + 1, in order."""

    cell: Run
    table: Table
    """Columns by name, of shape (rows,): ``step``, ``layer``, and those of ``COLUMNS``.

    A run that diverged ends at the step where an output was seen not to be finite, with a loss of NaN.
    """
    seconds: float


def recorded_steps(steps: int) -> tuple[int, ...]:
    """0, 1, 2, 3, 4, 6, 10, 16, 25, 40, 63, 100, …: five a decade, and the last one."""
    decades = np.arange(0, np.log10(steps) * RECORDS_A_DECADE + 1e-9)
    logarithmic = np.rint(10 ** (decades / RECORDS_A_DECADE)).astype(int).tolist()
    return tuple(sorted({0, *logarithmic, steps}))


# The loss


def cross_entropy(y: Array, labels: Labels) -> float:
    """The mean over examples of −log softmax(y)[class]; y of shape (batch, classes), labels (batch,).

    NaN where an output is not finite. In float64 whatever the dtype.
    """
    if not np.isfinite(y).all():
        return np.nan
    shifted = y - y.max(axis=1, keepdims=True).astype(np.float64)
    chosen = shifted[np.arange(len(y)), labels]
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - chosen))


def softmax_error(y: Array, labels: Labels) -> Array:
    """∂L/∂y per example, of y's shape and dtype: softmax(y), less 1 at the class."""
    error = np.exp(y - y.max(axis=1, keepdims=True))
    error /= error.sum(axis=1, keepdims=True)
    error[np.arange(len(y)), labels] -= 1
    return error


def accuracy(y: Array, labels: Labels) -> float:
    """The share of examples whose largest output is their class, and whose outputs are all finite."""
    return float(np.mean((y.argmax(axis=1) == labels) & np.isfinite(y).all(axis=1)))


# The network


@dataclass(frozen=True)
class Gradient:
    """A layer after the backward pass, as a stack of one network: arrays have shape (1, batch, units)."""

    index: int
    """1 … depth + 1"""
    inputs: Array
    """h_{l-1}"""
    errors: Errors


class Model:
    """A network that is trained: W and b of the layers 1 … depth + 1, the last one the readout."""

    def __init__(self, run: Run, draws: Draws, x: Array) -> None:
        """As the run's initializer makes it; one that looks at data is shown the examples ``x``."""
        probe = Probe(dtype=run.task.dtype, outputs=run.task.outputs, bias_std=run.task.bias_std)
        cell = Cell(run.initializer, run.activation, run.depth, run.width, run.seed, probe, run.sources)
        network = Network(cell, draws)
        self.depth = run.depth
        self.activation: Activation = network.activation
        self.weights: list[Array] = []
        self.biases: list[Array] = []

        def start(index: int, inputs: Array) -> tuple[list[Weights], Array]:
            made, bias = network.parameters(index, inputs[0])
            self.weights.append(np.array(made.array))
            self.biases.append(np.zeros_like(self.weights[-1][0]) if bias is None else np.array(bias))
            return self._parameters(index, inputs)

        for _ in self._layers(x, start):
            pass

    def forward(self, x: Array) -> Iterator[Forward]:
        """The layers 1 … depth + 1, in this order, as a stack of one network; ``h`` of the last one is y."""
        return self._layers(x, self._parameters)

    def gradients(self, x: Array, labels: Labels) -> tuple[Array, list[Gradient]]:
        """y, shape (batch, classes), and the layers depth + 1 … 1 after the backward pass."""
        layers = list(self.forward(x))
        readout = layers.pop()
        error = softmax_error(readout.h[0], labels)[np.newaxis]
        # The readout's φ is the identity, and what comes back to it is not a product.
        last = errors(error, np.ones_like(error[:, 0, 0]), readout.derivative, magnitudes=False)
        passed = [Gradient(self.depth + 1, readout.inputs, last)]
        for index, found in backward(layers, readout.weights, error):
            passed.append(Gradient(index, layers[index - 1].inputs, found))
        return readout.h[0], passed

    def update(self, passed: Iterable[Gradient], rate: float) -> None:
        """A step of gradient descent."""
        for layer in passed:
            (delta,) = layer.errors.delta
            self.weights[layer.index - 1] -= rate * weight_gradient(layer.inputs, layer.errors.delta)[0]
            self.biases[layer.index - 1] -= rate / len(delta) * delta.sum(axis=0)

    def _layers(self, x: Array, parameters: Parameters) -> Iterator[Forward]:
        h = x[np.newaxis]
        for layer in forward(h, parameters, self.activation, self.depth):
            h = layer.h
            yield layer
        yield from forward(h, lambda _, inputs: parameters(self.depth + 1, inputs), activation("identity"), 1)

    def _parameters(self, index: int, _: Array) -> tuple[list[Weights], Array]:
        return [Matrix(self.weights[index - 1])], self.biases[index - 1]


# The run


def train(runs: Iterable[Run]) -> Iterator[Trained]:
    """Compute ``runs``, in an order of its own choice.

    Raises whatever an initializer or activation raises; a run that diverges is recorded as such.
    """
    by_seed = sorted(runs, key=lambda run: run.seed)
    for seed, sharing in groupby(by_seed, lambda run: run.seed):
        draws = Draws(seed)
        for run in sharing:
            # Within a generator, errstate would leak to the caller between two results.
            with np.errstate(all="ignore"):
                finished = _train(run, draws)
            yield finished


def _train(run: Run, draws: Draws) -> Trained:
    started = time.perf_counter()
    task = run.task
    data = _in_dtype(dataset(task.data).split(draws), np.dtype(task.dtype))
    batches = _batches(len(data.x), task.batch, draws)
    batch = next(batches)
    model = Model(run, draws, data.x[batch])
    records = recorded_steps(task.steps)
    tables: list[Table] = []
    passed: list[Gradient] = []
    for step in range(task.steps + 1):
        if step > 0:
            model.update(passed, run.learning_rate)
            batch = next(batches)
        y, passed = model.gradients(data.x[batch], data.labels[batch])
        diverged = not np.isfinite(y).all()
        if step in records or diverged:
            tables.append(_recorded(model, data, passed, step, run.learning_rate))
            diverged |= np.isnan(tables[-1]["loss"][0])
        if diverged:
            tables[-1]["loss"][:] = np.nan
            break
    table = {name: np.concatenate([part[name] for part in tables]) for name in tables[0]}
    return Trained(run, table, time.perf_counter() - started)


def _in_dtype(data: Split, dtype: np.dtype[np.floating]) -> Split:
    return Split(data.x.astype(dtype), data.labels, data.held_out_x.astype(dtype), data.held_out_labels)


def _batches(examples: int, size: int, draws: Draws) -> Iterator[NDArray[np.int64]]:
    """The examples of one mini-batch after the other; what is left over of an epoch is left out."""
    size = min(size, examples)
    epoch = 0
    while True:
        order = draws.generator("batches", epoch).permutation(examples)
        for start in range(0, examples - size + 1, size):
            yield order[start : start + size]
        epoch += 1


def _recorded(model: Model, data: Split, passed: Iterable[Gradient], step: int, rate: float) -> Table:
    """The rows of the layers 1 … depth + 1 as they are now."""
    layers = model.depth + 1
    stack = empty_table(COLUMNS, 1, layers)
    for row, layer in enumerate(model.forward(data.x)):
        activity = Activity(
            model.activation if row < model.depth else activation("identity"),
            Inputs(layer.h),
            layer,
        )
        record(stack, row, activity, _DIAGNOSTICS)
    for back in passed:
        record(stack, back.index - 1, Sensitivity(Inputs(back.inputs), back.errors), _DIAGNOSTICS)
    table: dict[str, Any] = {name: column[0] for name, column in stack.items()}
    table["loss"][:] = cross_entropy(layer.h[0], data.labels)
    (held_out,) = deque(model.forward(data.held_out_x), maxlen=1)
    table["accuracy"][:] = accuracy(held_out.h[0], data.held_out_labels)
    sizes = np.array([weights.size for weights in model.weights])
    norms = np.sqrt(sizes * (table["w_std"] ** 2 + table["w_mean"] ** 2))
    table["update_to_weight"] = np.where(norms > 0, rate * table["weight_grad_norm"] / norms, np.nan)
    return table | {"step": np.full(layers, step), "layer": np.arange(1, layers + 1)}
