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


def judge(*layers, activation="relu", thresholds=Thresholds()):  # noqa: B008 - frozen
    """The verdicts on a made-up cell, from what differs from healthy layers."""
    healthy = {
        "cell_id": "x",
        "activation": activation,
        "dtype": "float32",
        "depth": len(layers),
        "fan_out": 10,
        "nonfinite_fraction": 0.0,
        "distinct_units": 10,
        "distinct_errors": 10,
        "dead_units": 0,
        "saturated_fraction": 0.1,
        "h_std": 1.0,
        "h_min": -3.0,
        "h_max": 3.0,
        "derivative_max": 1.0,
        "z_mean": 0.0,
        "z_std": 1.0,
        "w_mean": 0.0,
        "w_std": 0.1,
        "g_mean": 0.0,
        "g_std": 1.0,
        "weight_grad_norm": 1.0,
        "y_std": 1.0,
    }
    of_hidden = ("dead_units", "saturated_fraction", "derivative_max", "distinct_errors", "weight_grad_norm")
    undefined = dict.fromkeys((*of_hidden, *(f"{of}_{part}" for of in "zwg" for part in ("mean", "std"))))
    rows = [healthy | undefined | {"layer": 0}]
    rows += [healthy | {"layer": index} | layer for index, layer in enumerate(layers, 1)]
    table = pa.Table.from_pylist(rows)
    with duckdb.connect() as database:
        database.register("layers", table)
        row = database.sql(
            f"WITH e AS (SELECT cell_id, {EVIDENCE} FROM layers GROUP BY cell_id)"
            f" SELECT *, {verdict_columns(thresholds, [activation, 'softplus'])} FROM e"
        ).to_arrow_table()
    found = row.to_pylist()[0]
    return found["activation_verdict"], found["gradient_verdict"], found["verdict"]


def both(**values):
    """The same change in each of two layers."""
    return values, values


# Layers of which nothing is left, in different ways.
SILENT = {"h_std": 0.0, "h_min": 0.0, "h_max": 0.0, "derivative_max": 0.0}
SILENT |= {"distinct_units": 1, "dead_units": 10, "saturated_fraction": 1.0}
NOTHING = SILENT | {"z_std": 0.0, "weight_grad_norm": 0.0, "distinct_errors": 1}
NO_GRADIENT = {"g_std": 0.0, "distinct_errors": 1, "weight_grad_norm": 0.0}
EQUAL = {"w_std": 0.0, "w_mean": 0.1}
ZERO = {"w_std": 0.0}


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
        # Born dead: z is of ordinary size and below 0 for all examples.
        ((NO_GRADIENT, SILENT, NOTHING), "dead", "dead"),
        ((NO_GRADIENT | SILENT, NO_GRADIENT | SILENT), "dead", "dead"),
        # So small that products are 0: the slopes of relu are 0 there too.
        ((NO_GRADIENT, NO_GRADIENT | {"z_std": 1e-30, "h_std": 1e-30}, NOTHING), "vanishing", "vanishing"),
        ((NO_GRADIENT, {"g_std": 1e-25}), "healthy", "vanishing"),
        # Equal by their weights, with or without anything in them, but for the dead.
        (both(**EQUAL | {"distinct_units": 1, "distinct_errors": 1}), "symmetric", "symmetric"),
        (both(**EQUAL | NOTHING | NO_GRADIENT), "symmetric", "symmetric"),
        (both(**ZERO | NOTHING | NO_GRADIENT), "symmetric", "symmetric"),
        (both(**EQUAL | SILENT | NO_GRADIENT), "dead", "dead"),
        # Weights of zero before the output, or between, and none else.
        (both(**NO_GRADIENT), "healthy", "dead"),
        ((NO_GRADIENT, {**ZERO, "z_std": 1e-39, "g_std": 0.5}), "healthy", "dead"),
        # Columns of h that are equal to six digits, as of sigmoid at z = 1e-7, would not show a difference.
        (both(distinct_units=1, z_std=1e-7), "healthy", "healthy"),
        # One layer with something to tell apart is enough; one unit has no other.
        ((SILENT | {"distinct_units": 2}, NOTHING), "dead", "dead"),
        (both(**SILENT | NO_GRADIENT | {"fan_out": 1, "dead_units": 1}), "dead", "dead"),
    ],
)
def test_verdicts(layers, activations, gradients):
    found = judge(*layers)
    assert found[:2] == (activations, gradients)
    assert found[2] == min(activations, gradients, key=VERDICTS.index)


@pytest.mark.parametrize(
    ("layers", "activations", "gradients"),
    [
        # A slope of tanh that is 0 was rounded: the units are saturated, and none is dead.
        (both(dead_units=10, saturated_fraction=1.0), "saturated", "healthy"),
        ((NO_GRADIENT, {"dead_units": 10}), "healthy", "vanishing"),
        # Units of random weights that are all 1 are not one unit.
        (both(dead_units=10, saturated_fraction=1.0, distinct_units=1), "saturated", "healthy"),
        (both(dead_units=10, saturated_fraction=1.0, distinct_units=1, **EQUAL), "symmetric", "healthy"),
    ],
)
def test_what_has_a_slope_everywhere_never_dies(layers, activations, gradients):
    assert judge(*layers, activation="tanh")[:2] == (activations, gradients)


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


def judge_run(losses, *, units=(5, 5), width=5, start=None, activation="relu", thresholds=Thresholds()):  # noqa: B008
    """The verdict on a made-up run of two hidden layers and the steps 0, 1, …, of which it was to make 3.

    ``start`` is what is different at step 0.
    """
    rows = [
        {
            "cell_id": "x",
            "activation": activation,
            "w_mean": 0.1,
            "w_std": 0.0 if step == 0 else 0.1,
            "dead_units": 0,
            "distinct_errors": distinct,
            "weight_grad_norm": 0.1,
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
        | ((step == 0 and start) or {})
        for step, loss in enumerate(losses)
        for layer, fan_out, distinct in ((1, width, units[0]), (2, width, units[1]), (3, 10, 10))
    ]
    table = pa.Table.from_pylist(rows)
    with duckdb.connect() as database:
        database.register("training", table)
        (row,) = (
            database.sql(
                f"WITH e AS (SELECT cell_id, {TRAINING_EVIDENCE} FROM training GROUP BY cell_id)"
                f" SELECT *, {training_verdict_columns(thresholds, [activation])} FROM e"
            )
            .to_arrow_table()
            .to_pylist()
        )
    return row


DEAD = {"dead_units": 5, "weight_grad_norm": 0.0}


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
        # Dead at the start, by random weights or by equal ones, and weights of zero, whose slopes are 0 too.
        ("stalls", (2.3, 2.3, 2.3, 2.3), {"units": (1, 1), "start": DEAD | {"w_std": 0.1}}),
        ("stalls", (2.3, 2.3, 2.3, 2.3), {"units": (1, 1), "start": DEAD}),
        ("stays symmetric", (2.3, 2.3, 2.3, 2.3), {"units": (1, 1), "start": DEAD | {"w_mean": 0.0}}),
        ("stays symmetric", (2.3, 2.3, 2.3, 2.3), {"units": (1, 1), "start": DEAD, "activation": "tanh"}),
        # Weights that differ, but not from unit to unit, nor do their gradients; and gradients that do.
        ("stays symmetric", (2.3, 2.3, 2.3, 2.3), {"units": (1, 1), "start": {"w_std": 0.1}}),
        ("stalls", (2.3, 2.3, 2.3, 2.3), {"units": (1, 1), "start": {"w_std": 0.1, "distinct_errors": 5}}),
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
