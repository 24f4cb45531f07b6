"""Examples of one's own: arrays in files, and what a user's function gives."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, wraps
from typing import Any

import numpy as np

from winit.errors import RaisedError
from winit.network import sources
from winit.network.arrays import PLAIN_ARRAYS, Array
from winit.network.draws import Draws
from winit.network.guard import TRIAL_SECONDS, guarded
from winit.network.inputs.entry import Entry, Wanted
from winit.network.inputs.moments import Moments, moments_of, parts_of
from winit.network.labels import Call, LabelError, Value
from winit.network.sources import Data, Sources
from winit.network.trials import check_same

# Of a function: so many examples of one seed tell theory what they are like.
_EXAMPLES = 2048
# Widths of the trial: a function that gives as many entries as it is asked for follows from one to the other.
_TRIAL_WIDTHS = (24, 36)
_TRIAL_BATCH = 6
_RANDOM_MEND = (
    "take random numbers from wanted.generator, or from one that is made with a fixed seed in each call"
)


def entry_of(call: Call, at_hand: Sources) -> Entry:
    """The input that one's own file or function is. Raises LabelError where it cannot be one."""
    if sources.is_data(call.name):
        return _of_file(call, sources.data_of(call.name, at_hand))
    return _of_function(call.name, at_hand)


# Files


def _of_file(call: Call, data: Data) -> Entry:
    member = dict(call.keyword).get("array", call.positional[0] if call.positional else "")
    values = data.array(str(member))

    def given(wanted: Wanted, array: str | int = "", standardize: bool = False) -> Array:
        # Asked for anew, since a file that has changed meanwhile is not what it was.
        values = data.array(str(array))
        rows = np.sort(wanted.generator.permutation(len(values))[: wanted.batch])
        shift, scale = _standard(values) if standardize else (0.0, 1.0)
        return (np.asarray(values[rows], np.float64) - shift) / scale

    def moments(_: int, array: str | int, standardize: bool) -> Moments:
        values = data.array(str(array))
        return moments_of(values, *(_standard(values) if standardize else ()))

    return Entry(
        call.name,
        given,
        "",
        cache(moments),
        width=values.shape[1],
        largest_batch=len(values),
        resident=0.0 if isinstance(values, np.memmap) else float(values.nbytes),
    )


def _standard(values: Array) -> tuple[float, float]:
    """Mean and standard deviation of all entries. Raises LabelError where they are all the same."""
    parts = [part.astype(np.float64) for part in parts_of(values)]
    mean = sum(float(part.sum()) for part in parts) / values.size
    std = math.sqrt(sum(float(((part - mean) ** 2).sum()) for part in parts) / values.size)
    if not std:
        raise LabelError("all entries are the same, so that they cannot be standardized")
    return mean, std


# Functions


def _of_function(name: str, at_hand: Sources) -> Entry:
    drawn = _checking(name, sources.function_of(name, at_hand))

    def anew() -> Callable[..., Array]:
        return _checking(name, sources.function_anew(name, at_hand))

    def moments(width: int, **arguments: Any) -> Moments:
        return moments_of(drawn(Wanted(_EXAMPLES, width, Draws(0)), **arguments))

    return Entry(name, drawn, "", cache(moments), anew=anew)


def tried(
    entry: Entry, anew: Callable[[], Callable[..., Array]], label: str, arguments: Mapping[str, Value]
) -> Entry:
    """The entry of a function with the width that its examples have, if it has one of its own.

    Raises LabelError, with the mend, where it does not give examples, or other ones each time.
    """

    def drawn(function: Callable[..., Array]) -> list[Array]:
        try:
            with guarded(label, TRIAL_SECONDS, entry.function), sources.speaking_aside():
                return [
                    function(Wanted(_TRIAL_BATCH, width, Draws(0)), **arguments) for width in _TRIAL_WIDTHS
                ]
        except RaisedError as error:
            raise LabelError(f"{label} {error.deed}") from error

    assert entry.anew is not None
    made = check_same(label, _RANDOM_MEND, lambda: drawn(entry.function), lambda: drawn(anew()))
    found = [examples.shape[1] for examples in made]
    if found == list(_TRIAL_WIDTHS):
        return entry
    if len(set(found)) > 1:
        raise LabelError(
            f"{label} gave {found[0]} entries an example where wanted.width was {_TRIAL_WIDTHS[0]}, and"
            f" {found[1]} where it was {_TRIAL_WIDTHS[1]}; it must give wanted.width, or always as many"
        )
    return replace(entry, width=found[0])


def _checking(name: str, function: Callable[..., Any]) -> Callable[..., Array]:
    @wraps(function)
    def drawn(wanted: Wanted, **arguments: Any) -> Array:
        return _checked(name, function(wanted, **arguments), wanted.batch)

    return drawn


def _checked(name: str, made: Any, batch: int) -> Array:
    """Examples of one's own, shape (batch, width), apart. Raises LabelError where they are none."""
    if type(made) not in PLAIN_ARRAYS or made.dtype.kind not in "fiub":
        kind = made.dtype if type(made) in PLAIN_ARRAYS else type(made).__name__
        raise LabelError(f"{name} returned a {kind}; it must return an array of real numbers")
    if made.ndim < 2 or len(made) != batch or not made[0].size:
        raise LabelError(
            f"{name} returned an array of shape {made.shape}; it must be (batch, width), batch {batch}"
        )
    if not np.isfinite(made).all():
        raise LabelError(f"{name} returned examples that are not finite")
    return np.array(made.reshape(batch, -1), order="C")
