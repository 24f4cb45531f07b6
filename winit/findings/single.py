"""One network alone: the verdict on it, as a sweep would give it."""

from typing import NamedTuple

import duckdb
import pyarrow as pa

from winit.sweep.verdicts import EVIDENCE, Thresholds, verdict_columns


class Verdict(NamedTuple):
    """As in the table of cells."""

    verdict: str
    activation_verdict: str
    gradient_verdict: str
    h_std_ratio: float | None
    g_std_ratio: float | None


def verdict_of(layers: pa.Table) -> Verdict:
    """The verdict on the cell with these layer rows, with the thresholds of the default config."""
    with duckdb.connect() as database:
        database.from_arrow(layers).create_view("layers")
        (row,) = database.sql(f"""
            SELECT {", ".join(Verdict._fields)}
            FROM (SELECT *, {verdict_columns(Thresholds())} FROM (SELECT {EVIDENCE} FROM layers))
            """).fetchall()
    return Verdict(*row)
