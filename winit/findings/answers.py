"""The answer to a query, for programs (csv, json, parquet) and for people (table, md).

Programs get every digit, and rows as they come, so that an answer may be larger than the memory.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any, BinaryIO

import pyarrow as pa

from winit.findings.database import Answer
from winit.findings.literal import as_markdown_cell, as_text, column_as_text
from winit.sweep.files import parquet_options
from winit.visible import visible, visible_in_json

_FLAT = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_string,
    pa.types.is_decimal,
    pa.types.is_date,
    pa.types.is_timestamp,
)
_ITEMS_SHOWN = 3


def write_csv(answer: Answer, sink: BinaryIO) -> None:
    """Null is an empty field, an empty text is ``""``; lists are JSON; not finite are nan, inf and -inf.

    A text that a spreadsheet would take for a formula has an apostrophe before it (``literal``).
    """
    from pyarrow.csv import CSVWriter

    flat = [any(is_kind(field.type) for is_kind in _FLAT) for field in answer.schema]
    schema = pa.schema(
        [
            pa.field(as_text(field.name), field.type if plain else pa.string())
            for field, plain in zip(answer.schema, flat, strict=True)
        ]
    )
    with CSVWriter(sink, schema) as writer:
        for batch in answer.batches:
            columns = [
                _in_csv(column) if plain else _as_json(column)
                for column, plain in zip(batch.columns, flat, strict=True)
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema))


def _in_csv(column: pa.Array) -> pa.Array:
    return column_as_text(column) if pa.types.is_string(column.type) else column


def _as_json(column: pa.Array) -> pa.Array:
    return pa.array([None if value is None else to_json(value) for value in column.to_pylist()], pa.string())


def write_json(answer: Answer, sink: BinaryIO) -> None:
    """A list of objects, a line each. What JSON has no number for is "NaN", "Infinity" or "-Infinity"."""
    before = b"[\n"
    for row in _rows(answer):
        sink.write(before + to_json(dict(zip(answer.schema.names, row, strict=True))).encode())
        before = b",\n"
    sink.write(b"[]\n" if before == b"[\n" else b"\n]\n")


def write_parquet(answer: Answer, sink: BinaryIO) -> None:
    """As the results themselves are written."""
    import pyarrow.parquet as pq

    with pq.ParquetWriter(sink, answer.schema, **parquet_options(answer.schema)) as writer:
        for batch in answer.batches:
            writer.write_batch(batch)


def write_markdown(answer: Answer, sink: BinaryIO) -> None:
    """Every row with four digits, for people; null is a dash."""
    right = [_is_number(field.type) for field in answer.schema]
    _write_line(sink, answer.schema.names)
    _write_line(sink, ["---:" if number else "---" for number in right])
    for row in _rows(answer):
        _write_line(sink, map(shown, row))


def _write_line(sink: BinaryIO, cells: Iterable[str]) -> None:
    sink.write(f"| {' | '.join(visible(as_markdown_cell(cell)) for cell in cells)} |\n".encode())


WRITERS: dict[str, Callable[[Answer, BinaryIO], None]] = {
    "csv": write_csv,
    "json": write_json,
    "parquet": write_parquet,
    "md": write_markdown,
}


def _rows(answer: Answer) -> Iterator[tuple[Any, ...]]:
    # By columns: two columns of one name would be one in a row's dict.
    for batch in answer.batches:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def to_json(value: Any) -> str:
    """One line of JSON with every digit, as the standard has it: NaN and the infinities are words."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError:
        text = json.dumps(_in_words(value), ensure_ascii=False, allow_nan=False, default=_plain)
    return visible_in_json(text)


def _plain(value: Any) -> Any:
    """What JSON has no type for: numbers where they lose nothing, else text."""
    if isinstance(value, Decimal):
        if value == value.to_integral_value():
            return int(value)
        return float(value) if Decimal(repr(float(value))) == value else str(value)
    return str(value)


def _in_words(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _in_words(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_in_words(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _is_number(type_: pa.DataType) -> bool:
    return pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_)


def shown(value: Any) -> str:
    """Four digits, for people; null is a dash, of a long list the beginning and its length."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        more = f", … {len(value)}" if len(value) > _ITEMS_SHOWN else ""
        return f"[{', '.join(map(shown, value[:_ITEMS_SHOWN]))}{more}]"
    return str(value)


def shown_rows(answer: Answer) -> list[list[str]]:
    """All rows as people read them."""
    return [[shown(value) for value in row] for row in _rows(answer)]


def numbers(answer: Answer) -> list[bool]:
    """Which columns stand on the right."""
    return [_is_number(field.type) for field in answer.schema]
