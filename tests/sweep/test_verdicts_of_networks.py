"""The verdicts on networks as they are: which are symmetric, which are dead, and which have only vanished."""

import itertools

import duckdb
import pytest

from winit.network.activations import ACTIVATIONS, can_die
from winit.network.cells import Cell, Probe
from winit.network.initializers import INITIALIZERS, initializer
from winit.network.sources import Source
from winit.network.training import Run, Task
from winit.sweep.kinds import KINDS
from winit.sweep.verdicts import (
    EVIDENCE,
    TRAINING_EVIDENCE,
    Thresholds,
    training_verdict_columns,
    verdict_columns,
)

COLUMN = """
import numpy as np

import winit


def repeated(layer):
    column = layer.generator.normal(size=(layer.fan_in, 1)) / layer.fan_in**0.5
    return np.repeat(column, layer.fan_out, axis=1)

def no_readout(layer):
    return np.zeros(layer.shape) if layer.is_readout else layer.standard("normal") / layer.fan_in**0.5
"""
OWN = (Source("own.py", COLUMN),)


def judged(cells):
    """For each cell the verdicts on its activations, on its gradients and on it; and how dead."""
    kind = KINDS[type(cells[0])]
    rows = kind.rows(list(kind.compute(cells)))
    labels = rows["activation"].unique().to_pylist()
    with duckdb.connect() as database:
        database.register("layers", rows)
        found = database.sql(f"""
            WITH e AS (SELECT cell_id, {EVIDENCE} FROM layers GROUP BY cell_id)
            SELECT cell_id, activation_verdict, gradient_verdict, verdict, dead_fraction
            FROM (SELECT *, {verdict_columns(Thresholds(), labels)} FROM e)""").fetchall()
    by_id = {id_: verdicts for id_, *verdicts in found}
    return [tuple(by_id[cell.id]) for cell in cells]


def cell(initializer, activation, depth, width, seed=0, batch=100, bias_std=0.0, dtype="float32", **probe):
    probe = Probe(batch=batch, dtype=dtype, bias_std=bias_std, histograms=False, **probe)
    return Cell(initializer, activation, depth, f"{width}", seed, probe, OWN)


@pytest.mark.parametrize(
    ("network", "verdicts"),
    [
        (("he_normal", "relu", 10, 2), ("dead", "dead")),
        # So small that in float32 nothing is left of them; slopes of relu are 0 there.
        (("normal(std=0.01)", "relu", 50, 256), ("vanishing", "vanishing")),
        (("normal(std=1e-12)", "relu", 6, 20), ("vanishing", "vanishing")),
        (("normal(std=1e-12)", "gelu", 6, 20), ("vanishing", "vanishing")),
        (("normal(std=1e-12)", "tanh_shrink", 4, 20), ("vanishing", "vanishing")),
        (("normal(std=1e-20)", "tanh", 30, 20), ("vanishing", "vanishing")),
        # So large that a slope is rounded to 0, or that it is 0.
        (("normal(std=1000.0)", "tanh", 5, 50), ("saturated", "vanishing")),
        (("normal(std=1000.0)", "sigmoid", 5, 50), ("saturated", "vanishing")),
        (("normal(std=1000.0)", "hard_tanh", 5, 50), ("dead", "dead")),
        (("he_normal", "sign", 3, 20), ("dead", "dead")),
        # Equal weights.
        *((("zeros", entry.label, 3, 20), ("symmetric", "symmetric")) for entry in ACTIVATIONS.values()),
        (("constant(value=0.1)", "tanh", 10, 100), ("symmetric", "symmetric")),
        (("constant(value=0.1)", "sigmoid", 10, 100), ("symmetric", "symmetric")),
        (("constant(value=0.1)", "relu", 10, 100), ("symmetric", "symmetric")),
        (("constant(value=1.0)", "sin", 8, 250), ("symmetric", "symmetric")),
        (("constant(value=1e-05)", "tanh", 30, 20), ("symmetric", "symmetric")),
        (("constant(value=1e-05)", "relu", 30, 20), ("symmetric", "symmetric")),
        # Equal weights, and biases that are not.
        (("constant(value=0.1)", "tanh", 3, 20, 0, 100, 1.0), ("healthy", "healthy")),
        # Equal and dead.
        (("constant(value=-0.1)", "relu", 3, 20), ("dead", "dead")),
        (("constant(value=1.0)", "hard_sigmoid", 5, 100), ("dead", "dead")),
        (("constant(value=1.0)", "relu6", 5, 100), ("dead", "dead")),
        # Equal units whose errors are not.
        (("own.py:repeated", "tanh", 3, 20), ("symmetric", "healthy")),
        # A readout of zeros hands nothing back.
        (("own.py:no_readout", "tanh", 3, 20), ("healthy", "dead")),
        # Of one unit there is no other.
        (("constant(value=1.5)", "tanh", 10, 1), ("healthy", "healthy")),
        (("constant(value=0.5)", "identity", 10, 1), ("vanishing", "vanishing")),
        (("lecun_normal", "tanh", 3, "20-1"), ("healthy", "healthy")),
        (("constant(value=0.1)", "tanh", 3, "20-1"), ("symmetric", "symmetric")),
    ],
)
def test_a_verdict_is_the_same_in_both_dtypes(network, verdicts):
    single, double = judged([cell(*network, dtype=dtype) for dtype in ("float32", "float64")])
    assert single[:2] == double[:2] == verdicts


# Narrow, with few examples: where chance may make units equal.
SMALL = [(depth, width, batch) for depth in (1, 4) for width in (2, "3-2") for batch in (1, 5)]


@pytest.mark.parametrize("activation", [entry.label for entry in ACTIVATIONS.values()])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_network_of_random_weights_is_symmetric(activation, dtype):
    laws = [
        "he_normal",
        "jax.uniform(scale=1.0)",
        "normal(std=0.001)",
        "normal(std=1e-7)",
        "normal(std=1e-25)",
        "normal(std=100.0)",
    ]
    cells = [
        cell(law, activation, depth, width, seed, batch, dtype=dtype, input=examples)
        for (depth, width, batch), law, seed in itertools.product(SMALL, laws, range(2))
        for examples in (("normal", "uint8") if seed == 0 else ("normal",))
    ]
    for each, verdicts in zip(cells, judged(cells), strict=True):
        assert "symmetric" not in verdicts, each


def is_random(label):
    """Whether weights are drawn from a law that has more than one value."""
    found = initializer(label)
    return found.is_iid and not any(word in label for word in ("zeros", "ones", "constant"))


def test_nor_is_one_of_any_law_of_the_catalogue():
    labels = [entry.label for entry in INITIALIZERS.values() if is_random(entry.label)]
    assert len(labels) > 20
    cells = [cell(label, name, 3, 4, batch=3) for label in labels for name in ("tanh", "relu", "identity")]
    for each, verdicts in zip(cells, judged(cells), strict=True):
        assert "symmetric" not in verdicts, each


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_of_equal_weights_is_symmetric_unless_it_is_dead(dtype):
    values = ("constant(value=0.01)", "constant(value=0.5)", "constant(value=-0.3)", "zeros")
    cells = [
        cell(value, entry.label, depth, width, dtype=dtype)
        for value, entry, depth, width in itertools.product(values, ACTIVATIONS.values(), (1, 3), (5, "8-3"))
    ]
    found = {"symmetric": 0, "dead": 0}
    for each, (of_units, of_errors, verdict, dead) in zip(cells, judged(cells), strict=True):
        if "broken" in (of_units, of_errors):
            continue
        found[verdict] += 1
        if dead == 0 or not can_die(each.activation):
            assert (of_units, of_errors) == ("symmetric", "symmetric"), each
    assert found["symmetric"] > 10 * found["dead"] > 0


def test_a_network_is_dead_where_none_of_its_units_ever_fires():
    cells = [cell("he_normal", "relu", 12, 2, seed) for seed in range(60)]
    kind = KINDS[Cell]
    silent = {each.cell.id for each in kind.compute(cells) if each.table["h_max"][-1] == 0}
    assert 30 < len(silent) < 60
    for each, verdicts in zip(cells, judged(cells), strict=True):
        if each.id in silent:
            assert verdicts[:3] == ("dead", "dead", "dead")
        else:
            assert verdicts[1] != "dead"


def test_which_activations_can_die():
    never = [entry.label for entry in ACTIVATIONS.values() if not can_die(entry.label)]
    assert {"tanh", "sigmoid", "gelu", "gelu_tanh", "silu", "elu", "selu", "identity", "abs"} <= set(never)
    assert all(map(can_die, ("relu", "relu6", "hard_tanh", "hard_sigmoid", "hard_silu", "sign")))
    assert can_die("leaky_relu(negative_slope=0.0)")
    assert not can_die("leaky_relu(negative_slope=0.1)")
    assert can_die("elu(alpha=0.0)")
    assert can_die("own.py:anything")


def runs_judged(runs):
    kind = KINDS[Run]
    rows = kind.rows(list(kind.compute(runs)))
    labels = rows["activation"].unique().to_pylist()
    with duckdb.connect() as database:
        database.register("training", rows)
        found = dict(
            database.sql(f"""
            WITH e AS (SELECT cell_id, {TRAINING_EVIDENCE} FROM training GROUP BY cell_id)
            SELECT cell_id, verdict FROM (SELECT *, {training_verdict_columns(Thresholds(), labels)} FROM e)
            """).fetchall()
        )
    return [found[run.id] for run in runs]


@pytest.mark.parametrize(
    ("initializer", "activation", "verdict"),
    [
        ("zeros", "tanh", "stays symmetric"),
        ("zeros", "relu", "stays symmetric"),
        ("zeros", "sigmoid", "stays symmetric"),
        ("constant(value=0.1)", "tanh", "stays symmetric"),
        ("constant(value=0.1)", "relu", "stays symmetric"),
        # Pixels are at least 0: no unit ever fires.
        ("constant(value=-0.1)", "relu", "stalls"),
        ("own.py:never", "relu", "stalls"),
    ],
)
def test_a_run_stays_symmetric_where_its_units_are_equal_and_alive(initializer, activation, verdict):
    never = Source("own.py", "import numpy as np\ndef never(layer): return -abs(layer.standard('normal'))")
    task = Task(data="integer_digits", steps=3)
    assert runs_judged([Run(initializer, activation, 2, "8", 0.1, 0, task, (never,))]) == [verdict]
