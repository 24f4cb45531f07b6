"""Each verdict comes out where it should, in the order in which they are tried."""

import duckdb
import pyarrow as pa
import pytest

from winit.sweep.verdicts import (
    EVIDENCE,
    TRAINING_EVIDENCE,
    TRAINING_VERDICTS,
    VERDICTS,
    Thresholds,
    training_verdict_columns,
    verdict_columns,
)


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


OF_RUNS = ("trained", "diverging")


@pytest.mark.parametrize("name", [name for name in Thresholds.model_fields if name not in OF_RUNS])
def test_every_threshold_on_a_cell_is_used(name):
    layer = {
        "vanishing": ({}, {"h_std": 0.5}),
        "exploding": ({}, {"h_std": 2.0}),
        "saturated": ({}, {"saturated_fraction": 0.4}),
        "dead": ({}, {"dead_units": 3}),
    }[name]
    strict = {"vanishing": 0.9, "exploding": 1.1, "saturated": 0.2, "dead": 0.2}[name]
    assert judge(*layer)[0] == "healthy"
    assert judge(*layer, thresholds=Thresholds(**{name: strict}))[0] == name


def judge_run(losses, *, units=(5, 5), width=5, thresholds=Thresholds()):  # noqa: B008 - frozen
    """The verdict on a made-up run of two hidden layers and the steps 0, 1, …, of which it was to make 3."""
    rows = [
        {
            "cell_id": "x",
            "depth": 2,
            "steps": 3,
            "outputs": 10,
            "step": step,
            "layer": layer,
            "fan_out": fan_out,
            "loss": loss,
            "accuracy": 0.1 * step,
            "distinct_units": distinct,
        }
        for step, loss in enumerate(losses)
        for layer, fan_out, distinct in ((1, width, units[0]), (2, width, units[1]), (3, 10, 10))
    ]
    table = pa.Table.from_pylist(rows)
    with duckdb.connect() as database:
        database.register("training", table)
        (row,) = (
            database.sql(
                f"WITH e AS (SELECT cell_id, {TRAINING_EVIDENCE} FROM training GROUP BY cell_id)"
                f" SELECT *, {training_verdict_columns(thresholds)} FROM e"
            )
            .to_arrow_table()
            .to_pylist()
        )
    return row


@pytest.mark.parametrize(
    ("verdict", "losses", "more"),
    [
        ("trains", (2.3, 2.0, 1.0, 0.1), {}),
        ("stalls", (2.3, 2.3, 2.3, 2.2), {}),
        ("stalls", (50.0, 10.0, 5.0, 3.0), {}),
        ("diverges", (2.3, 5.0, None), {}),
        ("diverges", (None,), {}),
        ("diverges", (2.3, 5.0, 500.0, 50.0), {}),
        ("stalls", (20.0, 5.0, 500.0, 50.0), {}),
        ("stays symmetric", (2.3, 2.3, 2.3, 2.2), {"units": (1, 1)}),
        ("stays symmetric", (2.3, 2.3, 2.3, 0.1), {"units": (1, 1)}),
        ("trains", (2.3, 2.3, 2.3, 0.1), {"units": (1, 2)}),
        ("trains", (2.3, 2.3, 2.3, 0.1), {"units": (1, 1), "width": 1}),
        ("diverges", (2.3, None), {"units": (1, 1)}),
    ],
)
def test_verdicts_on_runs(verdict, losses, more):
    found = judge_run(losses, **more)
    assert found["verdict"] == verdict
    assert verdict in TRAINING_VERDICTS
    assert found["initial_loss"] == losses[0]
    assert found["final_loss"] == (losses[-1] if len(losses) == 4 else None)
    assert found["diverged_at"] == (len(losses) - 1 if losses[-1] is None else None)
    assert found["final_accuracy"] == pytest.approx(0.1 * (len(losses) - 1))


def test_the_thresholds_on_runs_are_used():
    assert judge_run((2.3, 2.0, 1.0, 1.5))["verdict"] == "stalls"
    assert judge_run((2.3, 2.0, 1.0, 1.5), thresholds=Thresholds(trained=0.8))["verdict"] == "trains"
    assert judge_run((2.3, 2.0, 1.0, 5.0), thresholds=Thresholds(diverging=2))["verdict"] == "diverges"
