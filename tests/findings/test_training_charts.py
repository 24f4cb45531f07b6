"""Figures of training: what they draw is what was recorded, and depth scales are those of theory."""

import copy
import itertools

import pytest
from samples import TINY, make_results

from winit.findings import palette, training_charts
from winit.findings.database import Database
from winit.findings.trainability import MULTIPLES
from winit.network.activations import activation
from winit.network.meanfield import fixed_point
from winit.sweep.config import Config
from winit.sweep.verdicts import TRAINING_VERDICTS

GRID = {
    "initializer": [f"mean_field(sigma_w={s}, sigma_b=0.05)" for s in (0.5, 1.0, 1.5, 2.0)],
    "activation": "tanh",
    "depth": [1, 2, 4],
    "width": 8,
    "learning_rate": 0.1,
    "seed": [0, 1],
}


def trained(folder, *grids):
    data = copy.deepcopy(TINY)
    data["grids"][0] |= {"initializer": "zeros", "seed": 0, "depth": 1, "width": 4}
    data["training"]["grids"] = list(grids)
    return Database(make_results(folder, Config.checked(data, "test")).folder)


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    more = GRID | {"initializer": ["zeros", "he_normal"], "activation": "relu", "learning_rate": [0.1, 1e3]}
    alone = GRID | {"initializer": "lecun_normal", "width": 3}
    return trained(tmp_path_factory.mktemp("training"), GRID, more, alone)


@pytest.fixture(scope="module")
def figures(database):
    return {figure.name: figure for figure in training_charts.figures(database)}


def test_there_are_figures_for_each_kind_of_runs_of_several_initializers(figures):
    assert set(figures) == {
        "training",
        "curves-digits-tanh-width=8-learning_rate=0.1",
        "curves-digits-relu-width=8-learning_rate=0.1",
        "curves-digits-relu-width=8-learning_rate=1000.0",
        "trainability-digits-tanh-width=8-learning_rate=0.1",
    }


def values(chart):
    return chart["data"]["values"]


def test_the_overview_has_every_network_once_with_the_verdict_of_its_seeds(figures, database):
    specification = figures["training"].definition
    rows = values(specification["spec"]) if "data" in specification["spec"] else values(specification)
    places = [(row["initializer"], row["problem"], row["network"]) for row in rows]
    assert len(places) == len(set(places)) == 4 * 3 + 2 * 2 * 3 + 3
    assert {row["verdict"] for row in rows} >= {"stays symmetric", "diverges", "stalls"}
    assert set(palette.TRAINING_VERDICTS) == set(TRAINING_VERDICTS)


def test_curves_are_the_means_over_seeds(figures, database):
    panels = figures["curves-digits-tanh-width=8-learning_rate=0.1"].definition["concat"]
    assert [panel["vconcat"][0]["title"] for panel in panels] == [
        "1 hidden layer",
        "2 hidden layers",
        "4 hidden layers",
    ]
    drawn = {(row["initializer"], row["step"]): row["loss"] for row in values(panels[1]["vconcat"][0])}
    expected = database.sql("""SELECT initializer, step, avg(loss) FROM training
        WHERE depth = 2 AND layer = 3 AND width = '8' AND activation = 'tanh' GROUP BY ALL""").fetchall()
    assert drawn == {(label, step): pytest.approx(loss) for label, step, loss in expected}


def test_a_run_that_diverged_ends_where_it_did(figures):
    panels = figures["curves-digits-relu-width=8-learning_rate=1000.0"].definition["concat"]
    rows = values(panels[0]["vconcat"][0])
    last = {name: max(r["step"] for r in rows if r["initializer"] == name) for name in ("zeros", "he_normal")}
    assert last["he_normal"] <= last["zeros"] == 12


def test_fields_of_the_map_are_the_accuracies_and_cover_the_plane(figures, database):
    plane, _ = figures["trainability-digits-tanh-width=8-learning_rate=0.1"].definition["layer"]
    fields = values(plane)
    assert len(fields) == 4 * 3
    for row in fields:
        ((accuracy,),) = database.sql(f"""SELECT avg(final_accuracy) FROM training_runs
            WHERE initializer = '{row["initializers"]}' AND depth = {row["depth"]}""").fetchall()
        assert row["accuracy"] == pytest.approx(accuracy)
        assert row["left"] < row["sigma_w"] < row["right"]
        assert row["bottom"] < row["depth"] < row["top"]
    across = sorted({(row["left"], row["right"]) for row in fields})
    assert all(here[1] == pytest.approx(there[0]) for here, there in itertools.pairwise(across))


def test_lines_of_the_map_are_multiples_of_the_depth_scale_by_theory(figures):
    plane, curves = figures["trainability-digits-tanh-width=8-learning_rate=0.1"].definition["layer"]
    depths = [row["bottom"] for row in values(plane)] + [row["top"] for row in values(plane)]
    low, high = min(depths) / 4, max(depths) * 4
    found = values(curves)
    assert {row["multiple"] for row in found} == {f"{k} ξ_c" for k in MULTIPLES}
    for row in found:
        xi = fixed_point(activation("tanh"), row["sigma_w"], 0.05).xi_c
        times = int(row["multiple"].split()[0])
        assert row["depth"] == pytest.approx(min(max(times * xi, low), high))


def test_runs_of_other_tasks_have_fields_of_their_own(tmp_path):
    grid = GRID | {"initializer": ["zeros", "he_normal"], "depth": 1, "seed": 0}
    database = trained(tmp_path, grid, grid | {"task": {"steps": 3, "batch": 16}})
    (figure,) = [f for f in training_charts.figures(database) if f.name == "training"]
    networks = {row["network"] for row in values(figure.definition)}
    assert networks == {"1 × 8, η 0.1", "1 × 8, η 0.1, steps=3, batch=16"}


def test_initializers_of_one_scale_share_a_field_of_the_map(tmp_path):
    grid = GRID | {"initializer": [*GRID["initializer"], "lecun_uniform"], "seed": 0}
    figures = training_charts.figures(trained(tmp_path, grid, GRID | {"seed": 0}))
    # lecun_uniform has σ_w = 1 too, but no biases: it is of another map.
    (figure,) = [f for f in figures if f.name.startswith("trainability")]
    assert len(values(figure.definition["layer"][0])) == 4 * 3
    scales = [f"mean_field(sigma_w={s}, sigma_b=0.0)" for s in (0.5, 1.5, 2.0)]
    grid |= {"initializer": ["lecun_uniform", "lecun_normal", *scales]}
    (figure,) = [
        f for f in training_charts.figures(trained(tmp_path, grid)) if f.name.startswith("trainability")
    ]
    fields = values(figure.definition["layer"][0])
    assert len(fields) == 4 * 3
    shared = {row["initializers"] for row in fields if row["sigma_w"] == 1}
    assert shared == {"lecun_normal, lecun_uniform"}


def test_curves_survive_a_loss_of_exactly_zero_and_runs_that_all_diverge_at_once(tmp_path):
    grid = GRID | {"initializer": ["zeros", "lecun_normal"], "depth": 0, "learning_rate": 1e5, "seed": 0}
    database = trained(
        tmp_path / "zero", grid | {"task": {"data": "integer_digits", "steps": 2000, "batch": 64}}
    )
    assert database.sql("SELECT min(loss) FROM training").fetchall() == [(0.0,)]
    figures = {f.name: f.definition for f in training_charts.figures(database)}
    losses, accuracies = figures["curves-integer_digits-tanh-width=8-learning_rate=100000.0"]["concat"][0][
        "vconcat"
    ]
    assert len(values(losses)) < len(values(accuracies))
    wild = {"initializer": ["normal(std=3e38)", "normal(std=2e38)"], "activation": "relu", "depth": 1}
    names = [f.name for f in training_charts.figures(trained(tmp_path / "wild", GRID | wild))]
    assert names == ["training"]


def test_a_single_initializer_is_drawn_where_there_is_no_other(tmp_path):
    names = [f.name for f in training_charts.figures(trained(tmp_path, GRID | {"initializer": "he_normal"}))]
    assert names == ["training", "curves-digits-tanh-width=8-learning_rate=0.1"]


def test_without_enough_scales_there_is_no_map(tmp_path):
    few = GRID | {"initializer": ["lecun_normal", "he_normal", "zeros", "orthogonal"]}
    names = [figure.name for figure in training_charts.figures(trained(tmp_path, few))]
    assert names == ["training", "curves-digits-tanh-width=8-learning_rate=0.1"]
