"""Theory beside measurement: the table, the comparison in the summary, and the pictures."""

import csv
import math
import re

import altair as alt
import numpy as np
import pyarrow.parquet as pq
import pytest
from samples import make_findings, tiny

import winit
from winit.findings import charts
from winit.findings.choice import Network
from winit.findings.database import Database
from winit.findings.phase import phase_diagram
from winit.findings.predictions import theory_of
from winit.network.activations import ACTIVATIONS, activation
from winit.network.cells import Probe
from winit.network.initializers import initializer
from winit.network.quadrature import expectation
from winit.network.theory import predict
from winit.sweep.plan import make_plan
from winit.sweep.schema import THEORY

OWN = """
import altair as alt
import numpy as np
import winit

def law(layer): return winit.Law("normal", std=(1.5 / layer.fan_in) ** 0.5)
def bump(z): return z * np.exp(-z * z), np.exp(-z * z) * (1 - 2 * z * z)
"""


def make(folder, **changes):
    return make_findings(folder, tiny(**changes))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Networks with a mean, without one, without theory, and a user's own."""
    folder = tmp_path_factory.mktemp("results")
    own = folder / "own.py"
    own.write_text(OWN)
    made = make(
        folder / "results",
        initializer=["lecun_normal", "orthogonal", "ones", "zeros", f"{own}:law"],
        activation=["tanh", f"{own}:bump"],
        depth=[2, 5],
        width=[40],
    )
    own.unlink()  # what is shown of it is at hand
    return made


def test_the_table_has_a_row_for_each_layer_of_each_iid_network(results):
    theory = pq.read_table(results.theory)
    assert theory.schema.with_metadata(None).equals(THEORY, check_metadata=True)
    assert "orthogonal" not in theory["initializer"].to_pylist()
    assert theory.num_rows == 4 * 2 * (3 + 6)


def test_the_table_says_what_theory_says(results):
    rows = Database(results.folder).sql("""
        FROM theory WHERE initializer = 'lecun_normal' AND activation = 'tanh' AND depth = 5 ORDER BY layer
    """)
    table = rows.to_arrow_table().to_pydict()
    predicted = predict(initializer("lecun_normal"), activation("tanh"), 5, "40", Probe(batch=20))
    for name in ("q", "h_std", "g_std_ratio", "cosine_mean"):
        found = np.array([np.nan if value is None else value for value in table[name]])
        assert found == pytest.approx(getattr(predicted, name), nan_ok=True)
    assert set(table["q_star"]) == {predicted.limits.q_star}
    assert table["q"][0] is None
    assert table["pair_correlation"] == [None] * 6


def test_a_join_gives_measured_over_predicted_and_so_does_the_summary(results):
    database = Database(results.folder)
    where = "initializer = 'lecun_normal' AND activation = 'tanh' AND depth = 5"
    joined = database.sql(f"""
        SELECT layer, exp(avg(ln(layers.h_std / theory.h_std))) AS ratio,
            avg(ln(layers.h_std / theory.h_std)) AS log, any_value(h_std_shift), any_value(h_std_spread)
        FROM layers JOIN theory USING (initializer, activation, depth, width, layer)
        WHERE {where} AND layer > 0 GROUP BY layer ORDER BY layer
    """).fetchall()
    (row,) = database.sql(f"FROM summary WHERE {where}").to_arrow_table().to_pylist()
    assert row["h_std_to_theory"] == pytest.approx([ratio for _, ratio, *_ in joined])
    assert row["h_std_z"] == pytest.approx(
        [(log - shift) / spread * math.sqrt(3) for *_, log, shift, spread in joined]
    )
    assert row["g_std_ratio_to_theory"][-1] == 1
    assert max(np.abs(row["h_std_z"])) < 4


def test_every_iid_network_is_compared_and_no_other(results):
    for row in pq.read_table(results.summary).to_pylist():
        ratios, z = row["h_std_to_theory"], row["h_std_z"]
        if row["initializer"] == "orthogonal":
            assert ratios is z is None
            continue
        assert len(ratios) == len(z) == row["depth"]
        if row["initializer"] == "zeros":  # nothing ÷ nothing
            assert set(ratios) == {None}
        elif row["initializer"] == "ones":  # theory knows no spread where weights have a mean
            assert ratios[0] == pytest.approx(1, abs=0.3)
            assert set(z) == {None}
        else:
            assert ratios == pytest.approx([1] * row["depth"], abs=0.3)
            assert None not in z


def test_the_tables_for_people_have_every_layer_and_both_far_ends(results):
    with (results.tables / "theory.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 2 * (2 + 5)
    page = (results.tables / "theory.md").read_text()
    lines = [line for line in page.splitlines() if re.match(r"\| (?!initializer)", line)]
    assert len(lines) == 4 * 2 * 2
    (line,) = [
        line for line in page.split("## tanh")[1].splitlines() if "lecun_normal" in line and "| 5 " in line
    ]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert float(cells[3]) / float(cells[4]) == pytest.approx(float(cells[5]), rel=0.01)


@pytest.mark.parametrize(
    ("label", "correlation"),
    # To c* = 1, and to a c* below it.
    [("mean_field(sigma_w=1.0, sigma_b=0.3)", 0.3), ("mean_field(sigma_w=2.5, sigma_b=0.3)", 0.3)],
)
def test_the_depth_scale_of_correlations_is_measured(label, correlation, tmp_path):
    probe = {"batch": 64, "input": f"pairs(correlation={correlation})"}
    results = make(
        tmp_path, initializer=label, activation="tanh", depth=[8], width=[700], probe=probe, seed={"count": 5}
    )
    (row,) = pq.read_table(results.summary).to_pylist()
    assert row["xi_c_measured"] == pytest.approx(row["xi_c"], rel=0.15)


def test_a_users_function_that_raises_has_no_theory_and_says_why(tmp_path):
    own = tmp_path / "own.py"
    own.write_text(
        "import winit\ndef deep(layer):\n    assert layer.depth < 3\n    return winit.Law('normal', 1.0)\n"
    )
    table, problems = theory_of(make_plan(tiny(initializer=["he_normal", f"{own}:deep"], depth=[2, 3])))
    known = set(zip(table["initializer"].to_pylist(), table["depth"].to_pylist(), strict=True))
    assert known == {("he_normal", 2), ("he_normal", 3), (f"{own}:deep", 2)}
    assert problems == [f"{own}:deep: AssertionError"]


def test_a_users_function_that_does_not_return_has_no_theory_and_holds_nothing_up(tmp_path):
    own = tmp_path / "own.py"
    own.write_text(
        "import winit\n"
        "def deep(layer):\n"
        "    while layer.depth > 2:\n"
        "        pass\n"
        "    return winit.Law('normal', 1.0)\n"
    )
    plan = make_plan(tiny(initializer=["he_normal", f"{own}:deep"], activation="tanh", depth=[2, 3, 4]))
    table, problems = theory_of(plan, seconds=2.0)
    known = set(zip(table["initializer"].to_pylist(), table["depth"].to_pylist(), strict=True))
    assert known == {*(("he_normal", depth) for depth in (2, 3, 4)), (f"{own}:deep", 2)}
    assert problems == [f"{own}:deep: did not return within 2 s"]


@pytest.mark.parametrize("error", [IndexError, MemoryError, FloatingPointError, RecursionError])
def test_a_network_that_theory_cannot_do_is_a_line_and_no_end(error, monkeypatch):
    def failing(*arguments):
        if arguments[2] == 3:
            raise error("out of bounds")
        return predict(*arguments)

    monkeypatch.setattr("winit.findings.predictions.predict", failing)
    table, problems = theory_of(make_plan(tiny(initializer="he_normal", activation="tanh", depth=[2, 3])))
    assert set(table["depth"].to_pylist()) == {2}
    assert problems == [f"he_normal with tanh: {error.__name__}: out of bounds"]
    with pytest.raises(winit.WinitError, match=f"no theory for he_normal with tanh: {error.__name__}"):
        winit.theory("he_normal", "tanh", depth=3)


@pytest.mark.parametrize(("chart", "value"), [("std", "h_std"), ("gradients", "g_std"), ("cosine", "cosine")])
def test_figures_draw_theory_dashed_beside_measurement(results, chart, value):
    network = Network("tanh", 5, "40")
    found = {figure.name: figure for figure in charts.layer_figures(Database(results.folder), network)}
    figure = found[f"{chart}-{network.name}"]
    assert figure.definition["layer"][2]["mark"]["strokeDash"]
    measured, predicted = (
        {row["layer"]: row[value] for row in figure.data[name] if row["network"] == "lecun_normal"}
        for name in ("measured", "theory")
    )
    assert measured.keys() == predicted.keys() == set(range(1, 6))
    for layer, found in measured.items():
        assert found == pytest.approx(predicted[layer], rel=0.3, abs=0.05)
    assert not [row for row in figure.data["theory"] if row["network"] == "orthogonal" and value in row]


def test_a_phase_diagram_of_a_users_own_activation_is_drawn_without_it(results):
    figures = {figure.name: figure for figure in charts.figures(Database(results.folder))}
    (name,) = [name for name, figure in figures.items() if name.startswith("phase-") and "bump" in figure.of]
    points = figures[name].definition["layer"][-1]["data"]["values"]
    assert [point["names"] for point in points if point["sigma_w2"] == 1.5] == [
        f"{results.folder.parent}/own.py:law"
    ]


def phases(label):
    """The data of the diagram's layers: plane, line, …"""
    with alt.utils.schemapi.debug_mode(arg=False):
        return [layer.data.values.to_dict() for layer in phase_diagram(activation(label)).layer]


@pytest.mark.parametrize("label", [entry.label for entry in ACTIVATIONS.values()])
def test_there_is_a_phase_diagram_for_any_activation(label):
    fields, line, *_ = phases(label)
    assert fields
    assert all(0.01 <= field["depth_scale"] <= 100 for field in fields)
    for point in line:
        assert point["sigma_w2"] * expectation(activation(label), point["q"], slope=2) == pytest.approx(1)


def test_the_line_of_the_phase_diagram_is_where_the_depth_scale_is_largest():
    plane, line, *_ = phases("tanh")
    for point in line:
        if not 0.05 < point["sigma_b2"] < 0.4:
            continue
        near = [
            field
            for field in plane
            if field["bottom"] <= point["sigma_b2"] < field["top"]
            and field["low"] <= point["sigma_w2"] < field["high"]
        ]
        assert max(field["depth_scale"] for field in near) > 10


def test_the_python_interface_has_theory_and_criticality():
    rows = winit.theory("he_normal", "relu", depth=4, width=64)
    assert rows["h_second_moment"].to_pylist() == pytest.approx([1] * 5)
    assert winit.critical_sigma_w("tanh") == pytest.approx(1)
    assert winit.critical_sigma_w("tanh", sigma_b=0.1) > 1
    for wrong, words in (
        (lambda: winit.theory("orthogonal", "tanh"), "not i.i.d."),
        (lambda: winit.critical_sigma_w("sign"), "its derivative is 0"),
        (lambda: winit.critical_sigma_w("tanh", sigma_b=-1), "sigma_b is -1"),
        (lambda: winit.theory("he_normal", "tanh", depth=[2, 3]), "one network, not 2"),
        (lambda: winit.critical_sigma_w("tnah"), "did you mean 'tanh'"),
        (lambda: winit.phase_diagram("nowhere.py:f"), "nowhere.py cannot be read"),
    ):
        with pytest.raises(winit.WinitError, match=words):
            wrong()
