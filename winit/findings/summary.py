"""The summary: what the seeds of a network agree on, with the uncertainty that they leave."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import stats

from winit.findings import tables
from winit.findings.database import Database
from winit.findings.notes import notes_table
from winit.sweep.files import replacing
from winit.sweep.layout import Results
from winit.sweep.schema import CELL_KEYS, PROBE_KEYS, RATIOS, SUMMARY

CONFIDENCE = 0.95

_GROUP = ", ".join((*CELL_KEYS[:-1], *PROBE_KEYS))
_SHOWN = (
    *CELL_KEYS[:-1],
    "verdict",
    "agreeing",
    "seeds",
    "activation_verdict",
    "gradient_verdict",
    "h_std_ratio_mean",
    "h_std_ratio_se",
    "g_std_ratio_mean",
    "g_std_ratio_se",
    "saturated_fraction_mean",
)


def summarize(results: Results) -> None:
    """Write summary.parquet, and tables/summary.{csv,md} and tables/notes.md."""
    database = Database(results.folder)
    summary = summary_of(database)
    with replacing(results.summary) as file:
        pq.write_table(summary, file, compression="zstd")
    results.tables.mkdir(exist_ok=True)
    rows = [tuple(row.values()) for row in summary.to_pylist()]
    tables.write_csv(results.tables / "summary.csv", summary.column_names, rows)
    shown = [tuple(row.values()) for row in summary.select(_SHOWN).to_pylist()]
    (results.tables / "summary.md").write_text(tables.markdown(_SHOWN, shown), encoding="utf-8")
    (results.tables / "notes.md").write_text(notes_table(database), encoding="utf-8")


def summary_of(database: Database) -> pa.Table:
    """A row per (initializer, activation, depth, width) and probe, with the schema ``SUMMARY``."""
    ratios = ", ".join(
        f"avg({r}) AS {r}_mean, stddev_samp({r}) AS {r}_spread, count({r}) AS {r}_n" for r in RATIOS
    )
    grouped = database.sql(f"""
        SELECT {_GROUP}, {ratios},
            count(*) FILTER (status = 'ok') AS seeds,
            count(*) FILTER (status = 'failed') AS failed,
            -- The mode; among equals the first by name, so that it never depends on the order of rows.
            {_mode("verdict")}, {_mode("activation_verdict")}, {_mode("gradient_verdict")},
            count(*) FILTER (verdict = outer_verdict) AS agreeing
        FROM (SELECT *, mode(verdict ORDER BY verdict) OVER (PARTITION BY {_GROUP}) AS outer_verdict
              FROM cells)
        GROUP BY {_GROUP} ORDER BY {_GROUP}
        """).to_arrow_table()
    columns = {name: grouped[name] for name in SUMMARY.names if name in grouped.column_names}
    for ratio in RATIOS:
        columns |= _interval(grouped, ratio)
    return pa.table([columns[name] for name in SUMMARY.names], names=SUMMARY.names).cast(SUMMARY)


def _mode(name: str) -> str:
    return f"mode({name} ORDER BY {name}) AS {name}"


def _interval(grouped: pa.Table, ratio: str) -> dict[str, pa.Array]:
    """Standard error and Student's confidence interval of a mean over seeds; null below two seeds."""
    mean, spread, count = (
        grouped[f"{ratio}_{part}"].to_numpy().astype(float) for part in ("mean", "spread", "n")
    )
    enough = count >= 2
    count = np.where(enough, count, 2)
    error = np.where(enough, spread / np.sqrt(count), np.nan)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, count - 1) * error
    return {
        f"{ratio}_se": pa.array(error, from_pandas=True),
        f"{ratio}_low": pa.array(mean - half, from_pandas=True),
        f"{ratio}_high": pa.array(mean + half, from_pandas=True),
    }
