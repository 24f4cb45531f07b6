"""What an initializer is given, what it gives, and a line of the catalogue of initializers."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from winit.network import statistics
from winit.network.activations import Activation
from winit.network.arrays import PLAIN_ARRAYS, Array
from winit.network.draws import Distribution, Draws, Purpose, Standard, Truncated, excess_kurtosis
from winit.network.labels import LabelError


@dataclass(frozen=True)
class Law:
    """Entries that are i.i.d.: ``mean + std * (a draw of variance 1)``, or the constant ``mean``.

    ``std`` is the true standard deviation, after any truncation. Raises LabelError where a value is
    not finite, ``std`` is negative, or there is no such distribution.
    """

    distribution: Distribution | Literal["constant"]
    std: float = 0.0
    mean: float = 0.0

    def __post_init__(self) -> None:
        known = ("normal", "uniform", "truncated_normal", "constant")
        if not isinstance(self.distribution, Truncated) and self.distribution not in known:
            raise LabelError(f"{self.distribution!r} is not a law (allowed: {', '.join(known)})")
        if self.distribution == "constant" and self.std:
            raise LabelError(f"a constant has std 0, not {self.std}")
        if not (math.isfinite(self.std) and self.std >= 0 and math.isfinite(self.mean)):
            raise LabelError(
                f"a law of mean {self.mean} and std {self.std}: both must be finite, std at least 0"
            )

    @property
    def excess_kurtosis(self) -> float:
        """E (w − mean)⁴ / std⁴ − 3."""
        if self.distribution == "constant" or not self.std:
            return 0.0
        return excess_kurtosis(self.distribution)


@dataclass(frozen=True)
class WithBias:
    """Weights and a bias of the initializer's own, in the place of the probe's."""

    weights: "Law | Array"
    bias: "Law | Array"


Made: TypeAlias = Law | Array | WithBias


@dataclass(frozen=True)
class Layer:
    """What an initializer may know of the layer whose weights it makes."""

    fan_in: int
    fan_out: int
    index: int
    """1 … depth, depth + 1 for the readout."""
    depth: int
    activation: Activation
    draws: Draws = field(repr=False)
    dtype: np.dtype[np.floating]
    inputs: Array | None = field(default=None, repr=False)
    """What the layer is fed, shape (batch, fan_in), for those that look at data; None in theory."""
    for_guests: bool = field(default=False, repr=False)
    """Whether arrays are handed to code that may write to what it is given."""

    @property
    def shape(self) -> tuple[int, int]:
        """(fan_in, fan_out), the shape of W."""
        return self.fan_in, self.fan_out

    @property
    def is_readout(self) -> bool:
        """Whether this is the linear readout behind the last hidden layer."""
        return self.index > self.depth

    def standard(self, distribution: Distribution) -> Array:
        """The layer's standard draw, shape (fan_in, fan_out), in its dtype; read-only.

        All initializers share it, so that they can be compared on equal terms.
        """
        # Readouts of every depth are one draw, so that cells that differ in depth stay paired. A view of what
        # is read-only stays so, whoever sets its flags.
        values = self._standard(distribution).values
        return _apart(values) if self.for_guests else values.view()

    def for_users(self) -> "Layer":
        """The same, to be handed to code that may write to what it is given: to read-only copies, if at all.

        Libraries that take an array by its address (``torch.from_numpy``) write to it whatever its flags say.
        """
        inputs = None if self.inputs is None else _apart(self.inputs)
        return replace(self, inputs=inputs, for_guests=True)

    def _standard(self, distribution: Distribution) -> Standard:
        return self.draws.standard(distribution, *self._stream, self.shape, self.dtype)

    @property
    def generator(self) -> np.random.Generator:
        """Random numbers of the layer's own, from their start, for what no standard draw gives."""
        return self.draws.generator(*self._stream, "own")

    @property
    def _stream(self) -> tuple[Purpose, int]:
        return ("readout", 0) if self.is_readout else ("weights", self.index)

    def weights(self, made: Law | Array) -> "Weights":
        """W, shape (fan_in, fan_out), in the layer's dtype; a standard draw is not scaled but shared."""
        if isinstance(made, Law) and made.distribution != "constant" and made.std and not made.mean:
            self._check(made, "weights")
            return Scaled(self._standard(made.distribution), float(self.dtype.type(made.std)))
        return Matrix(self.draw(made))

    def _check(self, law: Law, of: str) -> None:
        if max(abs(law.mean), law.std) > float(np.finfo(self.dtype).max):
            raise LabelError(f"gave {of} of mean {law.mean} and std {law.std}, too large for {self.dtype}")

    def draw(self, made: Law | Array, of: Literal["weights", "bias"] = "weights") -> Array:
        """W, shape (fan_in, fan_out), or b, shape (fan_out,), in the layer's dtype."""
        shape: tuple[int, ...] = self.shape if of == "weights" else (self.fan_out,)
        if not isinstance(made, Law):
            return _checked(made, of, shape, self.dtype)
        self._check(made, of)
        if made.distribution == "constant":
            return np.full(shape, made.mean, self.dtype)
        purpose, index = self._stream if of == "weights" else ("bias", self.index)
        standard = self.draws.standard(made.distribution, purpose, index, shape, self.dtype).values
        with np.errstate(over="ignore"):  # weights near the largest float may be infinite
            drawn = standard * self.dtype.type(made.std)
            if made.mean:
                drawn += self.dtype.type(made.mean)
        return drawn


@dataclass(frozen=True)
class Matrix:
    """Weights W, shape (fan_in, fan_out), as they are."""

    matrix: Array
    scale: float = 1.0
    """W is this times ``matrix``."""

    @property
    def array(self) -> Array:
        """W itself."""
        return self.matrix

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation of the entries of W; NaN where one is not finite."""
        mean, std, _ = statistics.moments(self.matrix[np.newaxis])[0]
        return float(mean), float(std)


@dataclass(frozen=True)
class Scaled:
    """Weights W = ``scale`` · a standard draw, which all networks that are drawn from it share."""

    standard: Standard
    """Of shape (fan_in, fan_out)."""
    scale: float

    @property
    def matrix(self) -> Array:
        """The standard draw."""
        return self.standard.values

    @property
    def array(self) -> Array:
        """W itself."""
        matrix = self.matrix
        with np.errstate(over="ignore"):  # weights near the largest float may be infinite
            return matrix * matrix.dtype.type(self.scale)

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation of the entries of W."""
        mean, std = self.standard.moments
        return self.scale * mean, self.scale * std


Weights: TypeAlias = Matrix | Scaled


def _checked(values: Any, what: str, shape: tuple[int, ...], dtype: np.dtype[np.floating]) -> Array:
    """``values`` in ``dtype``, if they can be weights or biases of this shape. Raises LabelError if not."""
    if type(values) not in PLAIN_ARRAYS or values.dtype.kind not in "fiu":
        kind = values.dtype if type(values) in PLAIN_ARRAYS else type(values).__name__
        raise LabelError(
            f"returned a {kind} for the {what}; it must return an array of real numbers, a winit.Law,"
            " or a winit.WithBias of two of these"
        )
    if values.shape != shape:
        raise LabelError(f"returned {what} of shape {values.shape}, not {shape}")
    with np.errstate(over="ignore"):
        cast = values.astype(dtype, copy=False)
    finite = np.isfinite(cast)
    if not finite.all():
        count = np.count_nonzero(~finite)
        raise LabelError(f"returned {what} that are not finite in {dtype} ({count} of {values.size})")
    return cast


@dataclass(frozen=True)
class Entry:
    """An initializer: ``function`` takes a layer and the label's arguments and gives the weights."""

    name: str
    function: Callable[..., Made]
    formula: str
    source: str
    frameworks: tuple[str, ...] = ()
    """Where it is found, and under which name: ``torch.nn.init.xavier_normal_``, …"""
    aliases: tuple[str, ...] = ()
    """Other names for the same; the canonical label has ``name``."""
    example: str = ""
    """A label with every argument that has no default."""
    by_depth: bool = False
    """Whether a layer's weights depend on how many layers follow it."""

    of_one_network: bool = False
    """Whether it has the weights of one network, and no others."""
    anew: Callable[[], Callable[..., Made]] | None = None
    """Of a user's own: ``function``, as another process would have it."""

    @property
    def label(self) -> str:
        """A label of this entry that is complete."""
        return self.example or self.name


def at_least_zero(name: str, value: float) -> float:
    """``value``. Raises LabelError where it is negative."""
    if not value >= 0:
        raise LabelError(f"{name} is {value}; it must be at least 0")
    return value


def _apart(values: Array) -> Array:
    """A read-only copy; the view of it stays so, whoever sets its flags."""
    own = values.copy()
    own.flags.writeable = False
    return own.view()
