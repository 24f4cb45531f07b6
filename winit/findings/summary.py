"""The summary: what the seeds of a network agree on, with the uncertainty that they leave; and all tables."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from winit.errors import WinitError
from winit.findings import intervals, tables
from winit.findings.database import Database
from winit.findings.notes import notes_of
from winit.findings.page import Page, Row, by_activation, interval, of, shown
from winit.findings.predictions import COMPARISON
from winit.findings.ranking import answers_of, ranking_of
from winit.findings.ranking_pages import answers_page, ranking_page
from winit.findings.tables import Table
from winit.findings.together import check_together
from winit.sweep.files import folder_at, remove_forgotten, replacing, replacing_all
from winit.sweep.layout import Results
from winit.sweep.schema import COMPARED, NETWORK_KEYS, NETWORK_ORDER, RATIOS, SUMMARY

_GROUP = ", ".join(NETWORK_KEYS)
_ORDER = ", ".join(NETWORK_ORDER)


def summarize(results: Results) -> None:
    """Write summary.parquet, and each of ``TABLES`` in all formats; these not where no cells were planned.

    Raises WinitError where theory.parquet is not there yet, and where it is not that of the cells.
    """
    if not results.theory.exists():
        raise WinitError(f"there is no {results.theory}; run `winit theory` first")
    belongs = check_together(results, ("cells", "layers", "theory"))
    database = Database(results.folder)
    if database.trains_alone:
        for name in TABLES:
            tables.remove(results.tables, name)
        nothing = SUMMARY.empty_table()
        with replacing(results.summary) as file:
            pq.write_table(nothing.replace_schema_metadata(belongs), file, compression="zstd")
        return
    with database.naming_damage():
        found = {name: _belonging(made(database), belongs) for name, made in TABLES.items()}
    remove_forgotten(folder_at(results.tables))
    with replacing_all() as new:
        for name, table in found.items():
            tables.write(new, results.tables, name, table)
        pq.write_table(found["summary"].rows, new(results.summary), compression="zstd")


def _belonging(table: Table, belongs: dict[bytes, bytes]) -> Table:
    """The table, which says of which plan it was made."""
    rows = table.rows
    return replace(table, rows=rows.replace_schema_metadata((rows.schema.metadata or {}) | belongs))


def summary_of(database: Database) -> pa.Table:
    """A row per (initializer, activation, depth, width) and probe, with the schema ``SUMMARY``."""
    lists = ", ".join(
        f"list({column} ORDER BY layer) AS {column}"
        for name in COMPARED
        for column in (f"{name}_to_theory", f"{name}_z")
    )
    ratios = ", ".join(
        f"avg({r}) AS {r}_mean, stddev_samp({r}) AS {r}_spread, count({r}) AS {r}_n" for r in RATIOS
    )
    grouped = database.sql(f"""
        WITH summary AS (
        SELECT {_GROUP}, {ratios},
            count(*) FILTER (status = 'ok') AS seeds,
            count(*) FILTER (status = 'failed') AS failed,
            -- The mode; among equals the first by name, so that it never depends on the order of rows.
            {_mode("verdict")}, {_mode("activation_verdict")}, {_mode("gradient_verdict")},
            count(*) FILTER (verdict = outer_verdict) AS agreeing
        FROM (SELECT *, mode(verdict ORDER BY verdict) OVER (PARTITION BY {_GROUP}) AS outer_verdict
              FROM cells)
        GROUP BY {_GROUP}),
        compared AS (SELECT {_GROUP}, {lists} FROM ({COMPARISON}) GROUP BY {_GROUP})
        SELECT * FROM summary LEFT JOIN compared USING ({_GROUP}) LEFT JOIN ({_DEPTH_SCALES}) USING ({_GROUP})
        LEFT JOIN (SELECT {_GROUP}, max(y_std) AS y_std_predicted FROM theory GROUP BY {_GROUP})
            USING ({_GROUP})
        ORDER BY {_ORDER}
        """).to_arrow_table()
    columns = {name: grouped[name] for name in SUMMARY.names if name in grouped.column_names}
    for ratio in RATIOS:
        columns |= _interval(grouped, ratio)
    return pa.table([columns[name] for name in SUMMARY.names], names=SUMMARY.names).cast(SUMMARY)


_DEPTH_SCALES = f"""
    -- ξ_c from the slope of log |c − c*| over the layers near c*, where it is not just chance
    SELECT {_GROUP}, any_value(xi_c) AS xi_c,
        CASE WHEN count(*) FILTER (away BETWEEN noise AND 0.2) >= 3
             THEN -1 / nullif(least(regr_slope(ln(away), layer) FILTER (away BETWEEN noise AND 0.2), 0), 0)
             END AS xi_c_measured
    FROM (SELECT {_GROUP}, layer, any_value(xi_c) AS xi_c,
              abs(avg(layers.pair_correlation) - any_value(c_star)) AS away,
              greatest(1e-5, 3 * coalesce(stddev_samp(layers.pair_correlation) / sqrt(count(*)),
                                          1 / sqrt(any_value(fan_out)))) AS noise
          FROM layers JOIN theory USING ({_GROUP}, layer)
          WHERE layer > 0 AND layers.pair_correlation IS NOT NULL
          GROUP BY {_GROUP}, layer)
    GROUP BY {_GROUP}
"""


def _summary(database: Database) -> Table:
    summary = summary_of(database)
    keys = tables.telling(summary)

    def cells(row: Row) -> list[object]:
        ratios = [
            interval(*(row[f"{ratio}_{part}"] for part in ("mean", "low", "high")))
            for ratio in ("h_std_ratio", "g_std_ratio")
        ]
        verdicts = [row["activation_verdict"], row["gradient_verdict"], of(row["agreeing"], row["seeds"])]
        saturated = shown(row["saturated_fraction_mean"], 3)
        return [*(row[key] for key in keys), *verdicts, *ratios, saturated]

    header = [*keys, "activations", "gradients", "agree", "std of h, last ÷ first", "std of g, first ÷ last"]
    sections = by_activation(summary.to_pylist(), [*header, "saturated"], cells)
    text = (
        "Each network over its seeds: the most frequent verdict on its activations and on its gradients, how"
        " many seeds agree on the worse of the two, how far the signal and the gradient change from one end"
        " of the network to the other (mean and 95 % confidence interval), and the largest share of"
        " saturated activations in a layer."
    )
    return Table(summary, Page("What each network does to its signals", text, sections))


def _theory(database: Database) -> Table:
    """How far every layer is from theory; for people the far end of each network, forward and backward."""
    compared = database.sql(f"{COMPARISON} ORDER BY {_ORDER}, layer").to_arrow_table()
    keys = tables.telling(compared)
    names = [f"{name}{part}" for name in COMPARED for part in ("", "_predicted", "_to_theory", "_z")]
    ends = (
        f"max({name}) FILTER (layer = {'depth' if name.startswith('h_std') else '1'}) AS {name}"
        for name in names
    )
    rows = database.sql(
        f"SELECT {_GROUP}, {', '.join(ends)} FROM ({COMPARISON}) GROUP BY {_GROUP} ORDER BY {_ORDER}"
    ).to_arrow_table()
    header = [*keys, "std of h", "predicted", "ratio", "z", "std of g", "predicted", "ratio", "z"]

    def cells(row: Row) -> list[object]:
        # Of z, what tells 1 from 2 and 3 is enough.
        digits = {name: 2 if name.endswith("_z") else 3 for name in names}
        return [*(row[key] for key in keys), *(shown(row[name], digits[name]) for name in names)]

    sections = by_activation(rows.to_pylist(), header, cells)
    text = (
        "Measured beside predicted, at the far end of each network: the std of h of the last layer, and the"
        " std of g of the first layer ÷ that of the last. z is how many standard errors the ratio is away"
        " from what a network of this width lets expect. All layers are in `theory.csv`."
    )
    return Table(compared, Page("Measured against theory", text, sections))


def _mode(name: str) -> str:
    return f"mode({name} ORDER BY {name}) AS {name}"


def _interval(grouped: pa.Table, ratio: str) -> dict[str, pa.Array]:
    """Standard error and Student's confidence interval of a mean over seeds.

    Null below two seeds, and where squares of the ratio are beyond what a number can hold.
    """
    mean, spread, count = (
        grouped[f"{ratio}_{part}"].to_numpy().astype(float) for part in ("mean", "spread", "n")
    )
    enough = count >= 2
    count = np.where(enough, count, 2)
    error = np.where(enough & np.isfinite(spread), spread / np.sqrt(count), np.nan)
    half = intervals.quantile(count) * error
    return {
        f"{ratio}_se": pa.array(error, from_pandas=True),
        f"{ratio}_low": pa.array(mean - half, from_pandas=True),
        f"{ratio}_high": pa.array(mean + half, from_pandas=True),
    }


TABLES: dict[str, Callable[[Database], Table]] = {
    "summary": _summary,
    "answers": lambda database: answers_page(answers_of(database)),
    "ranking": lambda database: ranking_page(ranking_of(database)),
    "theory": _theory,
    "notes": notes_of,
}
"""All tables but that of the claims, by the names of their files."""
