"""One network, as ``winit.simulate`` is asked for it: by labels, or by functions and arrays themselves."""

import keyword
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from winit.errors import WinitError
from winit.network.arrays import Array
from winit.network.initializers import Layer, WithBias
from winit.sweep.data import flat
from winit.sweep.held import ARRAY, FUNCTIONS, WEIGHTS, holding

_DEPTH, _WIDTH = 10, 500


class Asked(NamedTuple):
    """By labels, within the context in which these stand for what was given."""

    initializer: str
    activation: str
    depth: int
    width: int | str
    probe: dict[str, Any]


@contextmanager
def asked(
    initializer: Any, activation: Any, depth: int | None, width: Any, probe: dict[str, Any]
) -> Iterator[Asked]:
    """What is asked for, each a label or the thing itself. Raises WinitError where it cannot be.

    ``initializer`` may be the weights: an array, or a ``WithBias`` of arrays, for each hidden layer and the
    readout. ``depth`` is 10, or as many layers as are named, and ``width`` 500, where None.
    """
    functions: dict[str, Callable[..., Any]] = {}

    def label(of: Any, role: str) -> str:
        return of if isinstance(of, str) or not callable(of) else f"{FUNCTIONS}:{_named(functions, of, role)}"

    weights: list[Array | WithBias] = []
    if _are_weights(initializer):
        weights = [_as_made(part) for part in initializer]
        shape, size = _shape(weights), {"depth": depth, "width": width}
        depth, width, probe = _fitting(shape, size, probe)
        initializer = _giving(weights)
    depth, width = _size(depth, width)
    labels = label(initializer, "initializer"), label(activation, "activation")
    examples, given = None, probe.get("input")
    if callable(given):
        probe = probe | {"input": label(given, "input")}
    elif given is not None and not isinstance(given, str):
        examples = _examples(given)
        probe = {"batch": len(examples)} | probe | {"input": ARRAY}
    with holding(functions, weights, examples):
        yield Asked(*labels, depth, width, probe)


def _size(depth: int | None, width: Any) -> tuple[int, Any]:
    """Depth and width, of which either may be left to the other."""
    if width is None:
        return _DEPTH if depth is None else depth, _WIDTH
    if isinstance(width, np.generic):
        width = width.item()
    if isinstance(width, (int, float, str)):
        named = str(width).count("-") + 1
        return (named if named > 2 else _DEPTH) if depth is None else depth, width
    widths = list(width)  # each of a layer
    named = len(widths) if len(widths) > 1 else _DEPTH
    return named if depth is None else depth, "-".join(map(str, widths))


def _examples(given: Any) -> Array:
    """An array as input, shape (examples, width). Raises WinitError where it is none."""
    if np.ma.isMaskedArray(given):
        raise WinitError("input is a masked array, and all of it would be pushed through; fill or leave out")
    try:
        return flat(np.array(given), "input")
    except (ValueError, TypeError) as error:
        raise WinitError(f"input is no array of examples: {error}") from None


def _named(functions: dict[str, Callable[..., Any]], function: Callable[..., Any], role: str) -> str:
    """A name for the function, by which it is added to the others."""
    name = getattr(function, "__name__", role)
    if not name.isidentifier() or keyword.iskeyword(name):
        name = role
    while functions.setdefault(name, function) is not function:
        name += "_"
    return name


# Weights


def _are_weights(initializer: Any) -> bool:
    return isinstance(initializer, (Sequence, np.ndarray)) and not isinstance(initializer, str)


def _as_made(part: Any) -> Array | WithBias:
    if isinstance(part, WithBias):
        return WithBias(np.asarray(part.weights), np.asarray(part.bias))
    return np.asarray(part)


def _matrix(part: Array | WithBias) -> Any:
    return part.weights if isinstance(part, WithBias) else part


def _shape(weights: Sequence[Array | WithBias]) -> tuple[int, ...]:
    """The units of the input, the hidden layers and the output."""
    shapes = [np.shape(_matrix(part)) for part in weights]
    if len(shapes) < 2 or any(len(shape) != 2 for shape in shapes):
        raise WinitError(
            "the weights of a network are a matrix (fan_in, fan_out) for each hidden layer, and one for the"
            f" readout; there are {', '.join(map(str, shapes)) or 'none'}"
        )
    for index, (one, next_) in enumerate(pairwise(shapes), 1):
        if one[1] != next_[0]:
            raise WinitError(
                f"the weights {index} and {index + 1} have the shapes {one} and {next_}, so that one does not"
                " feed the other; they are (fan_in, fan_out), which of a torch.nn.Linear is weight.T"
            )
    return (shapes[0][0], *(shape[1] for shape in shapes))


def _fitting(
    shape: tuple[int, ...], size: dict[str, Any], probe: dict[str, Any]
) -> tuple[int, str, dict[str, Any]]:
    """Depth, width and probe of weights. Raises WinitError where another depth was asked for."""
    width_0, *hidden, outputs = shape
    if size["depth"] not in {None, len(hidden)} or size["width"] is not None:
        raise WinitError(
            f"the weights are those of {len(hidden)} hidden layers of {', '.join(map(str, hidden))} units;"
            " leave out depth and width"
        )
    width = str(hidden[0]) if len(set(hidden)) == 1 else "-".join(map(str, hidden))
    said = {name: value for name, value in probe.items() if value is not None}
    return len(hidden), width, {"input_width": width_0, "outputs": outputs} | said


def _giving(weights: Sequence[Array | WithBias]) -> Callable[[Layer], Array | WithBias]:
    def weights_(layer: Layer) -> Array | WithBias:
        return weights[layer.index - 1]

    weights_.__name__ = WEIGHTS
    return weights_
