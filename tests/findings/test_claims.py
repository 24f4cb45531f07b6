"""The claims: each can come out in every way, by its own query over made-up results."""

import functools
import math
import re
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from samples import make_results, tiny
from scipy import stats

from winit.findings.claims import CLAIMS, TOPICS, VERDICTS, Band, dead, judge, symmetry
from winit.findings.claims import claim as claim_module
from winit.findings.claims.evidence import figures
from winit.findings.claims.notes import LU_2018, NOTE_000, NOTE_001, NOTE_002, NOTE_003
from winit.findings.claims.tested import claims_of, put, write_claims
from winit.findings.database import Database
from winit.findings.drawing import save
from winit.findings.intervals import of_share as of_exact_share
from winit.findings.notes import NOTE_TABLES
from winit.sweep.config import Config
from winit.sweep.plan import make_plan, make_training_plan
from winit.sweep.schema import CLAIMS as SCHEMA

LAYERS = range(11)
UNITS = 100
FAN_IN = [None, *(500 - 40 * layer for layer in range(1, 11))]


def everywhere(*columns):
    """The target itself, in these columns of every row."""
    return lambda v: {column: [v] * 11 for column in columns}


def _histogram(excess):
    """Counts of an excess kurtosis of −3 + 1 / share, with that share of the entries at ±7.5 / 15."""
    share = 1 / (excess + 3)
    counts = [0] * 32
    counts[1 + 15 - 8] = counts[1 + 15 + 7] = round(1e6 * share / 2)
    # Bins have their middles off 0: the rest goes to both that are next to it.
    counts[15] = counts[16] = round(1e6 * (1 - share) / 2)
    return counts


# From the query's value to made-up columns, by layer, that give it.
RECIPES = {
    dead.BORN_DEAD: lambda v: {"h_max": [1.0 - v] * 11},
    "max(distinct_units)": everywhere("distinct_units"),
    "max(distinct_errors)": everywhere("distinct_errors"),
    symmetry.UNITS: everywhere("distinct_units"),
    symmetry.ERRORS: everywhere("distinct_errors"),
    symmetry.THROUGH_TRAINING: everywhere("distinct_units", "distinct_errors"),
    symmetry.ALIVE_THROUGH_TRAINING: everywhere("distinct_units", "distinct_errors"),
    symmetry.UNEQUAL: lambda v: {
        "weight_grad_std": [v] * 11,
        "weight_grad_norm": [n and math.sqrt(n * UNITS) for n in FAN_IN],
    },
    "abs(max(w_mean) FILTER (step = steps) / max(w_mean) FILTER (step = 0) - 1)": lambda v: {
        "w_mean": [1 + v] * 11,
        "at the start": {"w_mean": 1.0},
    },
    "max(weight_grad_norm) FILTER (step = steps) / max(weight_grad_norm) FILTER (step = 0)": lambda v: {
        "weight_grad_norm": [v] * 11,
        "at the start": {"weight_grad_norm": 1.0},
    },
    "max(weight_grad_norm) FILTER (layer = 1) / max(weight_grad_norm) FILTER (layer = depth)": lambda v: {
        "weight_grad_norm": [v] * 10 + [1.0]
    },
    "min(distinct_units / fan_out)": lambda v: {"distinct_units": [v * UNITS] * 11},
    "max(weight_grad_norm)": everywhere("weight_grad_norm"),
    "max(w_std / abs(w_mean))": everywhere("w_std"),
    "max(w_std)": everywhere("w_std"),
    "max(final_accuracy)": everywhere("final_accuracy"),
    "min(final_accuracy)": everywhere("final_accuracy"),
    "max(h_std)": everywhere("h_std"),
    "max(abs(h_mean) / h_std)": everywhere("h_mean"),
    "max(h_std) FILTER (layer = 10) / max(h_std) FILTER (layer = 1)": lambda v: {
        "h_std": [v ** ((layer - 1) / 9) for layer in LAYERS]
    },
    "pow(max(h_std) FILTER (layer = 10) / max(h_std) FILTER (layer = 1), 2.0 / 9)": lambda v: {
        "h_std": [v ** (layer / 2) for layer in LAYERS]
    },
    "max(g_std) FILTER (layer = 1) / max(g_std) FILTER (layer = 10)": lambda v: {
        "g_std": [v ** ((10 - layer) / 9) for layer in LAYERS]
    },
    "max(g_std) FILTER (layer < 10) / max(g_std) FILTER (layer = 10)": lambda v: {"g_std": [v] * 10 + [1.0]},
    "min(saturated_fraction)": everywhere("saturated_fraction"),
    "max(saturated_fraction)": everywhere("saturated_fraction"),
    "max(derivative_mean)": everywhere("derivative_mean"),
    "max(derivative_max)": everywhere("derivative_max"),
    "exp(sum(ln(derivative_mean)))": lambda v: {"derivative_mean": [v**0.1] * 11},
    "exp(avg(ln(1.5 * derivative_mean)))": lambda v: {"derivative_mean": [v / 1.5] * 11},
    "max(z_std * z_std)": lambda v: {"z_std": [math.sqrt(v)] * 11},
    "min(z_std * z_std)": lambda v: {"z_std": [math.sqrt(v)] * 11},
    "avg(h_zero_fraction)": everywhere("h_zero_fraction"),
    "avg(h_second_moment / (z_std * z_std + z_mean * z_mean))": everywhere("h_second_moment"),
    "avg(h_std * h_std / (z_std * z_std))": lambda v: {"h_std": [math.sqrt(v)] * 11},
    "regr_slope(ln(z_std * z_std / (w_std * w_std * fed)), ln(fan_in))": lambda v: {
        "z_std": [n and math.sqrt(n**v) for n in FAN_IN]
    },
    "avg(w_std * w_std * fan_in)": lambda v: {"w_std": [n and math.sqrt(v / n) for n in FAN_IN]},
    "avg(w_std * w_std * (fan_in + fan_out))": lambda v: {
        "w_std": [n and math.sqrt(v / (n + UNITS)) for n in FAN_IN]
    },
    "avg(w_std * w_std * (fan_in + fan_out) / 2)": lambda v: {
        "w_std": [n and math.sqrt(2 * v / (n + UNITS)) for n in FAN_IN]
    },
    "avg(w_std)": everywhere("w_std"),
    "avg(w_std * w_std)": lambda v: {"w_std": [math.sqrt(v)] * 11},
    "max(abs(derivative_mean - (h_mean - h_second_moment)))": lambda v: {
        "derivative_mean": [0.4 - 1.0 + v] * 11
    },
    "max(abs(derivative_mean - (1 - h_second_moment)))": everywhere("derivative_mean"),
}
NEUTRAL = {
    "distinct_units": UNITS,
    "distinct_errors": UNITS,
    "fan_out": UNITS,
    "weight_grad_mean": -1.0,
    "weight_grad_norm": 1.0,
    "w_mean": -1.0,
    "w_std": 1.0,
    "h_mean": 0.4,
    "h_second_moment": 1.0,
    "h_std": 1.0,
    "g_std": 1.0,
    "z_std": 1.0,
    "z_mean": 0.0,
}


def columns_of(claim, target):
    """The made-up columns with which the claim's query gives ``target``."""
    if claim.source.startswith("layers JOIN"):
        (note,) = [table for table in NOTE_TABLES if table.initializer in str(claim.of)]
        return {"h_std": [1.0, *(std * (1 + target) for std in note.std)]}
    if "h_histogram" in claim.value:
        return {"h_histogram": [_histogram(target)] * 11}
    return RECIPES[claim.value](target)


CONNECTION = duckdb.connect(config={"threads": 1})  # one for all: to connect takes longer than to ask


class MadeUp:
    """Results in which each network of a claim has one cell for each seed, with made-up values."""

    def __init__(self, claim, targets, *, without=None, and_also=({}, []), spoilt=None):
        tables = {"layers": [], "cells": [], "training": [], "training_runs": []}
        ours = [network for network in claim.of.each() if network != without]
        theirs = [network for network in (claim.beside.each() if claim.beside else []) if network != without]
        for number, network in enumerate([*ours, *theirs]):
            other_settings, other_targets = and_also
            wanted_of_all = [({}, target) for target in targets]
            wanted_of_all += [(other_settings, target) for target in other_targets]
            for seed, (settings, target) in enumerate(wanted_of_all):
                wanted = target
                if claim.beside:
                    other = 0.5 if "-" in claim.compare else 1.0
                    wanted = other if network in theirs else target + (other if "-" in claim.compare else 0.0)
                cell = dict(network.settings) | {"cell_id": f"{number}-{seed}", "seed": seed, "status": "ok"}
                cell = {"batch": 1000, "outputs": 10, "dtype": "float32", "steps": 7} | cell
                cell |= settings
                made = NEUTRAL | cell
                of_layers = columns_of(claim, wanted)
                start = of_layers.pop("at the start", None)
                whole = {name: values[0] for name, values in of_layers.items()}
                rows = [
                    made
                    | {"layer": layer, "fan_in": FAN_IN[layer], "step": cell["steps"], "depth": cell["depth"]}
                    | ({"layer": cell["depth"]} if layer == LAYERS[-1] < cell["depth"] else {})
                    | {name: values[layer] for name, values in of_layers.items()}
                    for layer in LAYERS
                ]
                if spoilt:  # one layer of each
                    rows[1] |= spoilt
                pushed = network.table == "cells"
                tables["layers" if pushed else "training"] += rows
                if start:
                    tables["training"] += [row | {"step": 0} | start for row in rows]
                tables[network.table].append(made | whole)
        self.views = {name for name, rows in tables.items() if rows}
        for name in self.views:
            CONNECTION.register(name, pa.Table.from_pylist(tables[name]))

    def sql(self, query):
        return CONNECTION.sql(query)


def inside_and_outside(band: Band):
    """A value with which a claim holds, and one with which it does not."""
    if band.low == band.high:
        return band.low, 2 * band.low
    if math.isfinite(band.low) and math.isfinite(band.high):
        return (band.low + band.high) / 2, 1.5 * band.high
    end, up = (band.low, True) if math.isfinite(band.low) else (band.high, False)
    high, low = (3 * end, end / 3) if end > 0 else (end + 1, end - 1)
    return (high, low) if up else (low, high)


def of_share(share, count=300):
    """Values of which this is the share of ones."""
    return [float(seed < round(share * count)) for seed in range(count)]


def targets_of(claim):
    """Values with which the claim holds, with which it does not, and with which it is not decided."""
    inside, outside = inside_and_outside(claim.holds)
    if claim.share:
        return of_share(inside), of_share((inside + 0.5) % 1), [1.0, 0.0, 1.0]
    if "h_histogram" in claim.value:
        inside, outside = 0.0, 1.5
    return [inside] * 3, [outside] * 3, [inside, outside] * 2


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_every_claim_comes_out_in_every_way(claim):
    inside, outside, both = targets_of(claim)
    for targets, verdict in (
        (inside, "holds"),
        (outside, "does not hold"),
        (both, "does not hold" if claim.universal else "undecided"),
        (inside[:1], "undecided"),
    ):
        judged, missing = put(claim, MadeUp(claim, targets))
        assert (judged.verdict, missing) == (verdict, []), targets
        assert len(judged.values) == len(targets)
        assert claim.share <= {type(value) for value in judged.values}.issubset({float})
        if "h_histogram" not in claim.value:
            assert sorted(judged.values) == pytest.approx(sorted(targets))
        assert (judged.low is None) == (len(targets) == 1)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_values_of_other_settings_are_not_taken_for_seeds(claim):
    inside, outside, _ = targets_of(claim)
    fewer = {"batch": 2000, "steps": 9, "cell_id": "other"}
    if ("batch", 1000) in claim.of.settings:
        fewer = {"dtype": "float64", "cell_id": "other"}
    judged, _ = put(claim, MadeUp(claim, inside, and_also=(fewer, outside[:2])))
    assert (judged.verdict, len(judged.values)) == ("holds", len(inside))


@pytest.mark.parametrize(
    "value", [symmetry.UNITS, symmetry.ERRORS, symmetry.THROUGH_TRAINING, symmetry.ALIVE_THROUGH_TRAINING]
)
def test_layers_that_are_not_finite_or_have_no_gradient_are_not_taken_for_equal_ones(value):
    claim = next(claim for claim in CLAIMS if claim.value == value)
    assert put(claim, MadeUp(claim, [1, 1]))[0].verdict == "holds"
    for name in {"distinct_units", "distinct_errors"} & set(re.findall(r"\w+", value)):
        assert put(claim, MadeUp(claim, [1, 1], spoilt={name: None}))[0].verdict == "undecided"
    for name in {"g_std", "weight_grad_norm"} & set(re.findall(r"\w+", value)):
        assert put(claim, MadeUp(claim, [1, 1], spoilt={name: 0.0}))[0].verdict == "undecided"


def test_every_recipe_is_used():
    assert set(RECIPES) <= {claim.value for claim in CLAIMS}


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_claim_whose_cells_are_missing_is_not_tested_and_names_them(claim):
    inside, _ = inside_and_outside(claim.holds)
    for network in claim.networks:
        judged, missing = put(claim, MadeUp(claim, [inside], without=network))
        assert judged.verdict == "not tested"
        assert missing == [str(network)]
        assert dict(network.settings)["initializer"] in missing[0]


@functools.cache
def default_plans():
    config = Config.read(Path(__file__).parents[2] / "config/default.yaml")
    connection = duckdb.connect()
    connection.register("cells", make_plan(config))
    connection.register("training_runs", make_training_plan(config))
    return connection


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_the_default_grid_tests_every_claim(claim):
    for network in claim.networks:
        query = f"SELECT count(DISTINCT seed) FROM {network.table} WHERE {network.condition}"
        ((seeds,),) = default_plans().sql(query).fetchall()
        assert seeds >= 3, network


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Results in which the claims about single units one after the other can be tested, and no other."""
    chain = {
        "initializer": "constant(1.5)",
        "activation": ["identity", "tanh"],
        "depth": 10,
        "width": 1,
        "seed": {"count": 3},
        "probe": {"batch": 1000, "histograms": False},
    }
    data = tiny().model_dump(mode="json")
    data["grids"].append(chain)
    return make_results(tmp_path_factory.mktemp("claims"), Config.checked(data, "test"))


def test_queries_run_over_the_real_tables(results):
    database = Database(results.folder)
    for claim in CLAIMS:
        assert database.sql(claim.query).columns == ["seed", "value"], claim.id


def test_claims_are_put_to_results_and_written(results):
    write_claims(results)
    table = pq.read_table(results.claims)
    assert table.schema.with_metadata(None).equals(SCHEMA, check_metadata=True)
    rows = {row["id"]: row for row in table.to_pylist()}
    assert list(rows) == [claim.id for claim in CLAIMS]
    tested = {name: row for name, row in rows.items() if row["verdict"] != "not tested"}
    assert {name: row["verdict"] for name, row in tested.items()} == {
        "above-one-explodes-linear": "holds",
        "above-one-explodes-tanh": "does not hold",
    }
    assert tested["above-one-explodes-linear"]["value"] == pytest.approx(1.5**9, rel=1e-5)
    for row in rows.values():
        assert (row["missing"] is None) == (row["verdict"] != "not tested")
    page = (results.tables / "claims.md").read_text()
    assert "1 hold, 1 do not hold" in page
    assert f"{len(CLAIMS) - 2} not tested" in page
    assert "Not in the results: normal(std=0.01), tanh, depth 10, width 500" in page
    assert len((results.tables / "claims.csv").read_text().splitlines()) == len(CLAIMS) + 1
    # A pipe would end a cell of the table.
    lines = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.count("|") - line.count("\\|") for line in lines} == {8}


def test_the_evidence_of_what_was_tested_is_drawn(results):
    write_claims(results)
    (figure,) = figures(Database(results.folder)).values()
    assert figure.name == "claims-exploding-gradients"
    strips = figure.definition["vconcat"]
    assert len(strips) == 2
    seeds = strips[0]["layer"][2]["data"]["values"]
    assert [point["from"] for point in seeds] == pytest.approx([1.5**9] * 3, rel=1e-5)


def test_an_interval_without_end_is_drawn_to_the_end_of_its_axis(results):
    write_claims(results)
    rows = pq.read_table(results.claims).to_pylist()
    for row in rows:
        if row["verdict"] == "holds":
            row.update(values=[1e-300, 1e300], value=1.0, value_low=0.0, value_high=math.inf)
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), results.claims)
    (figure,) = figures(Database(results.folder)).values()
    (bar,) = figure.definition["vconcat"][0]["layer"][1]["data"]["values"]
    assert all(math.isfinite(bar[end]) for end in ("from", "to"))
    save([figure], results)
    assert (results.figures / f"{figure.name}.png").stat().st_size > 0


def test_without_any_claim_tested_nothing_is_drawn(tmp_path):
    results = make_results(tmp_path, tiny(seed=[0]))
    assert figures(Database(tmp_path)) == {}
    write_claims(results)
    assert set(claims_of(Database(tmp_path))["verdict"].to_pylist()) == {"not tested"}
    assert figures(Database(tmp_path)) == {}


@pytest.mark.parametrize(("found", "count"), [(0, 5), (5, 5), (1, 3), (260, 300), (83, 300)])
def test_the_interval_of_a_share_is_the_exact_one(found, count):
    """Its ends are the shares of which so many, or so few, are seen in one of forty cases."""
    low, high = of_exact_share(found, count)
    assert 0 <= low <= found / count <= high <= 1
    if found > 0:
        assert stats.binom.sf(found - 1, count, low) == pytest.approx(0.025)
    if found < count:
        assert stats.binom.cdf(found, count, high) == pytest.approx(0.025)


def test_a_share_of_all_or_none_is_not_certain():
    claim = next(claim for claim in CLAIMS if claim.share)
    judged = judge(claim, [1.0] * 5)
    assert (judged.value, judged.high) == (1.0, 1.0)
    assert judged.low < 0.6


def test_the_entries_are_whole():
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS) == sum(map(len, TOPICS.values()))
    assert {claim.note for claim in CLAIMS} == {LU_2018, NOTE_000, NOTE_001, NOTE_002, NOTE_003}
    for claim in CLAIMS:
        assert claim.statement.endswith(".")
        assert claim.table in ("layers", "training", "training_runs")
        assert (claim.of.table == "cells") == (claim.table == "layers")


def test_the_claim_of_the_docs_can_be_decided(pytestconfig):
    page = (pytestconfig.rootpath / "docs/claims.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    claim = eval(block, vars(claim_module) | {"NOTE_000": NOTE_000})  # noqa: S307 - our own page
    for target, verdict in ((1.0, "holds"), (3.0, "does not hold")):
        assert put(claim, MadeUp(claim, [target] * 2))[0].verdict == verdict


A_CLAIM = next(claim for claim in CLAIMS if claim.id == "xavier-keeps-tanh-alive")
A_LOGARITHMIC = next(claim for claim in CLAIMS if claim.logarithmic)


def test_the_interval_is_students():
    values = [0.5, 0.7, 0.4, 0.55]
    found = judge(A_CLAIM, values)
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert (found.value, found.low, found.high) == pytest.approx((np.mean(values), low, high))
    logs = np.log(values)
    ends = np.exp(stats.t.interval(0.95, 3, logs.mean(), stats.sem(logs)))
    found = judge(A_LOGARITHMIC, values)
    assert (found.value, found.low, found.high) == pytest.approx((np.exp(logs.mean()), *ends))


def test_values_that_are_not_defined_leave_a_claim_undecided():
    found = judge(A_CLAIM, [None, math.nan, math.inf, 0.5, 0.5])
    assert (found.verdict, found.values, found.value, found.low) == ("undecided", (0.5, 0.5), 0.5, None)
    assert judge(A_CLAIM, [None, math.nan]).verdict == "undecided"
    assert judge(A_CLAIM, []).verdict == "undecided"


def test_zeros_have_a_mean_and_zeros_among_others_no_geometric_one():
    found = judge(A_LOGARITHMIC, [0.0, 0.0])
    assert (found.value, found.low, found.high) == (0, 0, 0)
    assert judge(A_LOGARITHMIC, [0.0, 1e-6]).verdict == "undecided"


def test_an_interval_may_be_wider_than_the_floats_reach():
    found = judge(A_LOGARITHMIC, [1e-300, 1e300])
    assert (found.verdict, found.low, found.high) == ("undecided", 0, math.inf)


def test_one_value_outside_refutes_what_is_said_of_every_case():
    (units,) = [claim for claim in CLAIMS if claim.id == "zero-weights-equal-units"]
    assert judge(units, [1, 1, 1, 1]).verdict == "holds"
    assert judge(units, [1, 1, 1, 500]).verdict == "does not hold"
    assert set(VERDICTS) == {"holds", "does not hold", "undecided", "not tested"}
