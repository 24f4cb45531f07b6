"""Each verdict comes out where it should, in the order in which they are tried."""

import duckdb
import pyarrow as pa
import pytest

from winit.sweep.verdicts import EVIDENCE, VERDICTS, Thresholds, verdict_columns


def judge(*layers, thresholds=Thresholds()):  # noqa: B008 - frozen
    """The verdicts on a made-up cell, from what differs from healthy layers."""
    healthy = {
        "cell_id": "x",
        "depth": len(layers),
        "fan_out": 10,
        "nonfinite_fraction": 0.0,
        "distinct_units": 10,
        "distinct_errors": 10,
        "dead_units": 0,
        "saturated_fraction": 0.1,
        "h_std": 1.0,
        "g_mean": 0.0,
        "g_std": 1.0,
    }
    undefined = dict.fromkeys(("dead_units", "saturated_fraction", "distinct_errors", "g_mean", "g_std"))
    rows = [healthy | undefined | {"layer": 0}]
    rows += [healthy | {"layer": index} | layer for index, layer in enumerate(layers, 1)]
    table = pa.Table.from_pylist(rows)
    with duckdb.connect() as database:
        database.register("layers", table)
        row = database.sql(
            f"WITH e AS (SELECT cell_id, {EVIDENCE} FROM layers GROUP BY cell_id)"
            f" SELECT *, {verdict_columns(thresholds)} FROM e"
        ).to_arrow_table()
    found = row.to_pylist()[0]
    return found["activation_verdict"], found["gradient_verdict"], found["verdict"]


def both(**values):
    """The same change in each of two layers."""
    return values, values


@pytest.mark.parametrize(
    ("layers", "activations", "gradients"),
    [
        (({}, {}), "healthy", "healthy"),
        (({}, {"nonfinite_fraction": 0.01}), "broken", "healthy"),
        (({}, {"g_std": None}), "healthy", "broken"),
        (both(distinct_units=1), "symmetric", "healthy"),
        (({}, {"distinct_units": 1}), "healthy", "healthy"),
        (both(distinct_units=1, fan_out=1), "healthy", "healthy"),
        (both(distinct_errors=1), "healthy", "symmetric"),
        (({}, {"dead_units": 6}), "dead", "healthy"),
        (({"g_std": 0.0}, {}), "healthy", "dead"),
        (({}, {"h_std": 0.05}), "vanishing", "healthy"),
        (({"h_std": 0.0}, {"h_std": 0.0}), "vanishing", "healthy"),
        (({"g_std": 0.05}, {}), "healthy", "vanishing"),
        (({}, {"h_std": 20.0}), "exploding", "healthy"),
        (({"g_std": 20.0}, {}), "healthy", "exploding"),
        (({}, {"saturated_fraction": 0.9}), "saturated", "healthy"),
        # The order: what is symmetric and vanishes is symmetric.
        (({"distinct_units": 1}, {"distinct_units": 1, "h_std": 0.01}), "symmetric", "healthy"),
    ],
)
def test_verdicts(layers, activations, gradients):
    found = judge(*layers)
    assert found[:2] == (activations, gradients)
    assert found[2] == min(activations, gradients, key=VERDICTS.index)


@pytest.mark.parametrize("name", list(Thresholds.model_fields))
def test_every_threshold_is_used(name):
    layer = {
        "vanishing": ({}, {"h_std": 0.5}),
        "exploding": ({}, {"h_std": 2.0}),
        "saturated": ({}, {"saturated_fraction": 0.4}),
        "dead": ({}, {"dead_units": 3}),
    }[name]
    strict = {"vanishing": 0.9, "exploding": 1.1, "saturated": 0.2, "dead": 0.2}[name]
    assert judge(*layer)[0] == "healthy"
    assert judge(*layer, thresholds=Thresholds(**{name: strict}))[0] == name
