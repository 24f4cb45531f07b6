"""The union of products of axes, held as columns: a million points take seconds and megabytes."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from winit.network.cells import width_ends

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


class Grid:
    """The values of each axis, and for each point its place on each.

    The first axis is that of the settings, dataclasses whose fields are columns too. Points are in the order
    of the axes, the last one running fastest.
    """

    def __init__(self, levels: dict[str, list[Any]], codes: dict[str, Integers]) -> None:
        self.levels = levels
        self.codes = codes

    @classmethod
    def union(cls, products: Sequence[dict[str, list[Any]]]) -> "Grid":
        """The points of all products, each once. Every product has all axes, in their order."""
        settings, *axes = products[0]
        levels = {settings: list(dict.fromkeys(value for product in products for value in product[settings]))}
        for axis in axes:
            values = {value for product in products for value in product[axis]}
            levels[axis] = sorted(values, key=_by_size if axis == "width" else None)
        place = {axis: {value: i for i, value in enumerate(values)} for axis, values in levels.items()}
        shape = tuple(map(len, levels.values()))
        # A point is one number in mixed radix: sorting and uniting the products is one np.unique.
        numbers = []
        for product in products:
            codes = [np.array([place[axis][value] for value in values]) for axis, values in product.items()]
            numbers.append(np.ravel_multi_index(np.ix_(*codes), shape).ravel())
        every = np.sort(np.concatenate(numbers))  # several times faster than np.unique, which hashes
        once = every[np.append(True, every[1:] != every[:-1])]
        return cls(levels, dict(zip(levels, np.unravel_index(once, shape), strict=True)))

    @classmethod
    def of_rows(cls, rows: pa.Table, settings: str, kind: type[Any], axes: Sequence[str]) -> "Grid":
        """The points that stand in the rows of a table, in their order.

        The first axis, ``settings``, has instances of ``kind``, a dataclass whose fields are columns.
        """
        fields = [field.name for field in dataclasses.fields(kind)]
        encoded = {name: _encoded(rows[name]) for name in (*fields, *axes)}
        shape = tuple(len(encoded[name][0]) for name in fields)
        numbers = np.ravel_multi_index(tuple(encoded[name][1] for name in fields), shape)
        distinct, codes = np.unique(numbers, return_inverse=True)
        places = zip(*np.unravel_index(distinct, shape), strict=True)
        made = [
            kind(**{name: encoded[name][0][i] for name, i in zip(fields, place, strict=True)})
            for place in places
        ]
        grid = {settings: (made, codes)} | {axis: encoded[axis] for axis in axes}
        return cls(
            {axis: levels for axis, (levels, _) in grid.items()},
            {axis: codes for axis, (_, codes) in grid.items()},
        )

    def __len__(self) -> int:
        return len(next(iter(self.codes.values())))

    def only(self, chosen: NDArray[np.bool_]) -> "Grid":
        """Some of the points."""
        return Grid(self.levels, {axis: codes[chosen] for axis, codes in self.codes.items()})

    def with_levels(self, **levels: list[Any]) -> "Grid":
        """The same points, with other words for the values of some axes."""
        return Grid(self.levels | levels, self.codes)

    def numbers(self, axes: Sequence[str]) -> Integers:
        """One number for each point, the same where they agree on these axes."""
        shape = tuple(len(self.levels[axis]) for axis in axes)
        return np.ravel_multi_index(tuple(self.codes[axis] for axis in axes), shape)

    def values(self, axis: str) -> list[Any]:
        """The value of each point."""
        levels = self.levels[axis]
        return [levels[code] for code in self.codes[axis].tolist()]

    def column(self, field: pa.Field) -> pa.Array:
        """An Arrow column of an axis, or of one of the settings."""
        settings = next(iter(self.levels))
        axis = field.name if field.name in self.levels else settings
        levels = self.levels[axis]
        if axis == settings:
            levels = [getattr(setting, field.name) for setting in levels]
        if pa.types.is_dictionary(field.type):
            distinct = list(dict.fromkeys(levels))
            places = np.array([distinct.index(level) for level in levels], np.int32)
            return pa.DictionaryArray.from_arrays(places[self.codes[axis]], pa.array(distinct, pa.string()))
        return pa.array(np.array(levels)[self.codes[axis]], field.type)

    def ends(self, axes: Sequence[str]) -> NDArray[np.bool_]:
        """Whether the next point differs on one of these axes."""
        numbers = self.numbers(axes)
        return np.append(numbers[1:] != numbers[:-1], True)


def _by_size(width: str) -> tuple[int, int, str]:
    return *width_ends(width), width


def _encoded(column: pa.ChunkedArray) -> tuple[list[Any], Integers]:
    """The distinct values of a column, and the place of each row's value among them."""
    whole = column.unify_dictionaries().combine_chunks().dictionary_encode()
    return whole.dictionary.to_pylist(), whole.indices.to_numpy().astype(np.int64)


def cut(ends: NDArray[np.bool_], seconds: Floats, target: float, shards: int) -> tuple[Integers, Integers]:
    """The block of each point, counted from 0, and its shard, counted from 1.

    A block takes about ``target`` seconds; shards are runs of blocks of about equal cost. Points up to an
    end stay together.
    """
    places = np.flatnonzero(ends)
    starts = np.concatenate(([0], places[:-1] + 1))
    group_seconds = np.add.reduceat(seconds, starts)
    group_block = np.floor((np.cumsum(group_seconds) - group_seconds / 2) / target)
    # Number the blocks 0, 1, … without gaps: a group longer than the target leaves some.
    _, group_block = np.unique(group_block, return_inverse=True)
    block = np.repeat(group_block, places + 1 - starts)
    middle = np.cumsum(seconds) - seconds / 2
    centre = np.bincount(block, middle * seconds) / np.bincount(block, seconds)
    shard = np.minimum(np.floor(centre / seconds.sum() * shards), shards - 1) + 1
    return block, shard[block].astype(np.int64)
