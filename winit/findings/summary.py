"""The summary: what the seeds of a network agree on, with the uncertainty that they leave."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from winit.errors import WinitError
from winit.findings import intervals, tables
from winit.findings.database import Database
from winit.findings.notes import notes_table
from winit.findings.predictions import COMPARISON
from winit.sweep.files import replacing
from winit.sweep.layout import Results
from winit.sweep.schema import COMPARED, NETWORK_KEYS, PROBE_KEYS, RATIOS, SUMMARY

_GROUP = ", ".join(NETWORK_KEYS)
_SHOWN = (
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
    """Write summary.parquet, and the tables: summary, theory and notes.

    Raises WinitError where theory.parquet is not there yet.
    """
    if not results.theory.exists():
        raise WinitError(f"there is no {results.theory}; run `winit theory` first")
    database = Database(results.folder)
    summary = summary_of(database)
    with replacing(results.summary) as file:
        pq.write_table(summary, file, compression="zstd")
    results.tables.mkdir(exist_ok=True)
    rows = [tuple(row.values()) for row in summary.to_pylist()]
    tables.write_csv(results.tables / "summary.csv", summary.column_names, rows)
    # Of the probe, what tells networks of these results apart.
    same = {key for key in PROBE_KEYS if len(summary[key].unique()) == 1}
    keys = [key for key in NETWORK_KEYS if key not in same]
    columns = [*keys, *_SHOWN]
    shown = [tuple(row.values()) for row in summary.select(columns).to_pylist()]
    (results.tables / "summary.md").write_text(tables.markdown(columns, shown), encoding="utf-8")
    compared = database.sql(f"{COMPARISON} ORDER BY ALL").to_arrow_table()
    rows = [tuple(row.values()) for row in compared.to_pylist()]
    tables.write_csv(results.tables / "theory.csv", compared.column_names, rows)
    (results.tables / "theory.md").write_text(_theory_table(database, keys), encoding="utf-8")
    (results.tables / "notes.md").write_text(notes_table(database), encoding="utf-8")


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
        ORDER BY {_GROUP}
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

_THEORY_SHOWN = {
    "h_std": "std of h at the last layer",
    "g_std_ratio": "std of g, first layer ÷ last",
}


def _theory_table(database: Database, keys: list[str]) -> str:
    """How far the far end of every network is from theory, forward and backward, as Markdown."""
    header = [*keys]
    parts = []
    for name, title in _THEORY_SHOWN.items():
        header += [title, "predicted", "ratio", "z"]
        end = "depth" if name == "h_std" else "1"
        parts += [
            f"max({column}) FILTER (layer = {end})"
            for column in (name, f"{name}_predicted", f"{name}_to_theory", f"{name}_z")
        ]
    rows = database.sql(
        f"SELECT {', '.join(keys)}, {', '.join(parts)} FROM ({COMPARISON}) GROUP BY {_GROUP} ORDER BY ALL"
    ).fetchall()
    return tables.markdown(header, rows)


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
    half = intervals.quantile(count) * error
    return {
        f"{ratio}_se": pa.array(error, from_pandas=True),
        f"{ratio}_low": pa.array(mean - half, from_pandas=True),
        f"{ratio}_high": pa.array(mean + half, from_pandas=True),
    }
