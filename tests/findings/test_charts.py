"""Figures: one definition of each chart, files that fit a paper, and what they are drawn from."""

import copy
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from samples import TINY, make_findings, make_results, tiny

from winit.errors import WinitError
from winit.findings import charts, palette
from winit.findings.choice import Choice, chosen, deepest
from winit.findings.claims.tested import write_claims
from winit.findings.database import Database
from winit.findings.drawing import COLUMN, ENDINGS, PAGE, Figure, drawn, filled
from winit.findings.figures import CAPTIONS, save_chosen, save_figures
from winit.findings.figures import page as figures_page
from winit.findings.layer_charts import LAYER_CHARTS, OUTLINES
from winit.findings.networks import networks
from winit.findings.report import write_report
from winit.findings.verdict_map import SIGNS, rows_of_map
from winit.sweep.config import Config
from winit.sweep.verdicts import TRAINING_VERDICTS, VERDICTS

MILLIMETRES = 25.4 / 96
DEEPEST = "depth=4-width=16"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return make_findings(tmp_path_factory.mktemp("results"), tiny())


@pytest.fixture(scope="module")
def saved(results):
    save_figures(results)
    return results.figures


def test_every_chart_is_drawn_for_every_activation(saved):
    assert {path.stem for path in saved.iterdir()} == {
        *(f"{c.name}-{a}-{DEEPEST}" for c in LAYER_CHARTS for a in ("tanh", "relu")),
        *(f"phase-{a}-{DEEPEST}" for a in ("tanh", "relu")),
        *(f"curves-digits-{a}-width=8-learning_rate={r}" for a in ("tanh", "relu") for r in (0.1, 1000.0)),
        "verdicts",
        "training",
    }


def test_files_fit_one_column_or_both_and_say_what_they_show(saved):
    for path in saved.glob("*.svg"):
        root = ET.parse(path).getroot()  # noqa: S314 - our own file
        width = float(root.get("width"))
        assert min(abs(width - COLUMN), abs(width - PAGE)) <= 4, path
        assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 5
        assert "@" not in re.sub(r"<style>.*?</style>", "", path.read_text()), path
        assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert pytest.approx(85, abs=0.1) == COLUMN * MILLIMETRES
    assert pytest.approx(174, abs=0.2) == PAGE * MILLIMETRES


def words_in(path):
    """All that can be read in a picture."""
    texts = ET.parse(path).getroot().iter("{http://www.w3.org/2000/svg}text")  # noqa: S314 - our own file
    return " ".join("".join(text.itertext()) for text in texts)


def test_every_picture_says_which_networks_it_shows(saved):
    for path in saved.glob("*.svg"):
        words = words_in(path)
        chart, _, of = path.stem.partition("-")
        if chart in {*(c.name for c in LAYER_CHARTS), "phase"}:
            activation = of.partition("-")[0]
            assert f"4 {activation} layers of width 16" in words, path
        elif chart in {"curves", "trainability"}:
            settings = of.removeprefix("digits-").split("-")
            assert f"digits, {', '.join(settings)}" in words, path
        else:
            assert not of
            assert re.search(r"[24] × (16|8)", words), path


def test_titles_of_any_length_stay_within_the_picture():
    (std,) = [chart for chart in LAYER_CHARTS if chart.name == "std"]
    rows = [{"network": "a", "layer": layer, "h_std": 1.0 / layer} for layer in (1, 2)]
    for of in ("10 layers", "word " * 60, "W" * 400, "i" * 400, ""):
        svg = std.figure("std", of, ["a"], {"measured": rows, "theory": []}).svg()
        assert float(ET.fromstring(svg).get("width")) == pytest.approx(COLUMN, abs=1)  # noqa: S314
        if of:
            assert of.split()[0][:40] in svg


def test_networks_that_are_asked_for_are_drawn_beside_what_is_there(results, saved):
    before = {path.name for path in saved.iterdir()}
    names = save_chosen(results, Choice(depth=(1,), width=("16", "12-4"), activation=("tanh",)))
    assert set(names) == {f"{c.name}-tanh-depth=1-width={w}" for c in LAYER_CHARTS for w in ("16", "12-4")}
    files = {f"{name}{ending}" for name in names for ending in ENDINGS}
    assert {path.name for path in saved.iterdir()} == before | files
    words = words_in(saved / "std-tanh-depth=1-width=12-4.svg")
    assert "1 tanh layer of width 12-4" in words
    assert "lecun_normal" in words
    # Labels as anybody writes them; the figure names the initializers that it is of.
    (std, *_) = save_chosen(
        results,
        Choice(("normal(0.01)", "he_normal", "normal(std=0.010)"), ("relu",), (1,), ("16",)),
    )
    assert std == "std-relu-depth=1-width=16-he_normal-normal_std=0.01_"
    assert "lecun_normal" not in words_in(saved / f"{std}.svg")
    # Drawn anew, the folder is as it was, and what is somebody else's stays.
    for name in ("std-tanh.svg", "histograms-relu-depth=9.png"):
        (saved / name).write_bytes(b"")
    others = {"mine.svg", "std-tanh.pdf", "std.txt"}
    for name in others:
        (saved / name).write_bytes(b"")
    save_figures(results)
    assert {path.name for path in saved.iterdir()} == before | others
    for name in others:
        (saved / name).unlink()


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (Choice(depth=(1, 3)), "depth 3; there is: 1, 4"),
        (Choice(width=("17",)), "width 17; there is: 12-4, 16"),
        (Choice(activation=("gelu",)), "activation gelu; there is: relu, tanh"),
        (
            Choice(initializer=("x.py:f",)),
            "initializer x.py:f; there is: he_normal, lecun_normal, normal(std=",
        ),
        (Choice(initializer=("normal(",)), "initializer normal(; there is: he_normal"),
    ],
)
def test_what_the_results_lack_is_a_line_with_what_they_have(results, choice, words):
    with pytest.raises(WinitError) as raised:
        chosen(Database(results.folder), choice)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_values_that_are_there_but_not_together_are_a_line_too(tmp_path):
    data = copy.deepcopy(TINY) | {"training": None}
    grid = data["grids"][0] | {"seed": 0, "initializer": "he_normal"}
    data["grids"] = [grid | {"depth": 1, "width": 8}, grid | {"depth": 2, "width": 9}]
    database = Database(make_results(tmp_path, Config.checked(data, "test")).folder)
    with pytest.raises(WinitError, match=r"no network .* depth 1, width 9; .*winit query"):
        chosen(database, Choice(depth=(1,), width=("9",)))
    assert {network.depth for network in chosen(database, Choice(depth=(1, 2), width=("9",)))} == {2}


def test_every_figure_has_a_caption_for_the_report_of_snakemake(saved):
    names = {path.stem.partition("-")[0] for path in saved.iterdir()}
    assert names <= CAPTIONS.keys() <= names | {"trainability", "claims"}
    page = (Path(__file__).parents[2] / "workflow/report/figures.rst").read_text()
    assert page == figures_page()


def test_letters_in_a_file_are_of_seven_and_eight_points(saved):
    text = (saved / f"std-tanh-{DEEPEST}.svg").read_text()
    sizes = {round(float(size) * 72 / 96, 2) for size in re.findall(r'font-size="([\d.]+)px"', text)}
    assert sizes == {7.0, 8.0}


def test_pngs_have_three_hundred_dots_an_inch(saved):
    data = (saved / f"std-tanh-{DEEPEST}.png").read_bytes()
    width = int.from_bytes(data[16:20], "big")
    assert width == pytest.approx(COLUMN / 96 * 300, abs=2)


@pytest.mark.parametrize("chart", LAYER_CHARTS, ids=lambda chart: chart.name)
def test_a_definition_holds_no_data_and_its_holes_are_all_filled(chart):
    figure = chart.figure("name", "some", ["a", "b"], {chart.data: [], "theory": []})
    text = json.dumps(figure.definition)
    assert '"values": [{' not in text
    holes = (
        dict(figure.holes)
        | palette.PRINTED
        | {f"@{name}": 1 for name in ("width", "columns", "names", "keys")}
    )
    assert re.findall(r'"@\w+"', text)
    assert not re.findall(r'"@\w+"', json.dumps(filled(figure.definition, holes)))


def test_data_have_no_holes():
    part = {"data": {"values": [{"a": "@width"}]}, "axis": {"values": "@ticks"}, "width": "@width"}
    assert filled(part, {"@width": 3, "@ticks": [1], "@ink": "x"}) == {
        "data": {"values": [{"a": "@width"}]},
        "axis": {"values": [1]},
        "width": 3,
    }


def test_every_verdict_has_a_colour_and_a_sign():
    assert set(palette.VERDICTS) == set(VERDICTS) == set(SIGNS)
    assert len(set(SIGNS.values())) == len(SIGNS)
    assert set(palette.TRAINING_VERDICTS) == set(TRAINING_VERDICTS)
    assert set(palette.SHAPES) == set(OUTLINES)


def _luminance(colour):
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    red, green, blue = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_no_two_lines_look_alike():
    count = len(palette.SERIES) * len(palette.SHAPES) // 2
    styles = [
        (palette.SERIES[k % len(palette.SERIES)], palette.SHAPES[k % len(palette.SHAPES)])
        for k in range(count)
    ]
    assert len(set(styles)) == count >= 24


def test_signs_can_be_read_on_their_colours():
    for verdict, colour in palette.VERDICTS.items():
        background = _luminance(palette.PRINTED.get(colour, colour))
        letters = 1.0 if verdict in {"vanishing", "broken"} else 0.0
        low, high = sorted((background, letters))
        assert (high + 0.05) / (low + 0.05) >= 4.5, verdict


def test_charts_without_a_place_for_zero_leave_it_out_and_say_when_nothing_is_left():
    (std,) = [chart for chart in LAYER_CHARTS if chart.name == "std"]
    (mean,) = [chart for chart in LAYER_CHARTS if chart.name == "mean"]
    assert not std.has([{"h_std": 0.0}, {"h_std": None}])
    assert std.has([{"h_std": 1e-300}])
    assert mean.has([{"h_mean": -1.0}])
    assert not mean.has([{"h_mean": None}])


def test_large_means_have_ticks_by_powers_of_ten_on_both_sides():
    (mean,) = [chart for chart in LAYER_CHARTS if chart.name == "mean"]
    ticks = mean.holes(["a"], [{"h_mean": 3e8}, {"h_mean": -2e3}, {"h_mean": None}])["@ticks"]
    assert ticks == sorted(ticks)
    assert 0.0 in ticks
    assert -2e3 <= ticks[0] < 0 < ticks[-1] <= 3e8
    assert mean.holes(["a"], [{"h_mean": 0.5}])["@ticks"] is None


def test_cells_of_different_probes_are_never_drawn_as_one(tmp_path):
    grid = TINY["grids"][0]
    other = grid | {"probe": {"bias_std": 0.5, "input": "uint8"}}
    make_findings(tmp_path, Config.checked(TINY | {"grids": [grid, other]}, "test"))
    database = Database(tmp_path)
    names = {figure.name for figure in charts.figures(database)}
    # Each says in what the results differ; of two equally frequent ones the first by name is usual.
    probes = ("input=normal-bias_std=0.0", "input=uint8-bias_std=0.5")
    assert {f"std-tanh-{DEEPEST}-{probe}" for probe in probes} <= names
    assert f"phase-tanh-{DEEPEST}-{probes[0]}" in names
    # The phase diagram is of the activation, whatever the probe.
    assert len(names) == 1 + (2 * len(LAYER_CHARTS) + 1) * 2
    rows = rows_of_map(networks(database))
    places = [(row["initializer"], row["activation"], row["place"]) for row in rows]
    assert len(places) == len(set(places)) == 2 * 4 * 2 * 2 * 2
    assert "1 × 12-4, input=uint8, bias_std=0.5" in {place for *_, place in places}


def _extreme(name, tmp_path):
    """Grids of which little or nothing can be drawn."""
    own = tmp_path / "own.py"
    own.write_text("def fail(layer):\n    assert layer.depth == 2\n    return 0 * layer.standard('normal')\n")
    few = {"activation": "tanh", "width": 8, "depth": 3}
    return {
        "one cell": few | {"initializer": "he_normal", "depth": 1, "seed": 3},
        "nothing positive": few | {"initializer": "zeros", "activation": "relu", "seed": [0]},
        "nothing finite": few | {"initializer": "constant(3e38)", "activation": "identity"},
        "all failed": few | {"initializer": f"{own}:fail"},
        "beyond every range": few
        | {"initializer": "normal(std=1e30)", "activation": "identity", "probe": {"dtype": "float64"}},
        # Its ratios cannot be squared.
        "beyond float64": few
        | {
            "initializer": "normal(std=1e30)",
            "activation": "identity",
            "depth": 8,
            "seed": [0, 1],
            "probe": {"dtype": "float64"},
        },
        "no histograms": few | {"initializer": "he_normal", "probe": {"histograms": False, "batch": 20}},
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        *("one cell", "nothing positive", "nothing finite", "all failed"),
        *("beyond every range", "beyond float64", "no histograms"),
    ],
)
def test_figures_and_report_survive(name, tmp_path):
    data = copy.deepcopy(TINY) | {"training": None}
    data["grids"][0] |= _extreme(name, tmp_path)
    results = make_findings(tmp_path / "results", Config.checked(data, "test"))
    write_claims(results)
    save_figures(results)
    write_report(results)
    there = {path.stem.partition("-")[0] for path in results.figures.iterdir()}
    assert ("std" in there) == (name in {"one cell", "beyond every range", "beyond float64", "no histograms"})
    assert ("verdicts" in there) == (name != "all failed")
    assert ("histograms" in there) == (name not in {"all failed", "no histograms"})


def test_networks_of_one_initializer_are_drawn_where_there_is_no_other(tmp_path):
    data = copy.deepcopy(TINY) | {"training": None}
    data["grids"][0] |= {"seed": 0, "width": 8, "activation": "tanh"}
    data["grids"].append(data["grids"][0] | {"initializer": "constant(1.5)", "activation": "identity"})
    both = make_results(tmp_path / "both", Config.checked(data, "test"))
    names = {figure.name for figure in charts.figures(Database(both.folder))}
    assert "std-tanh-depth=4-width=8" in names
    assert not any("identity" in name for name in names)
    data["grids"] = data["grids"][1:]
    alone = make_results(tmp_path / "alone", Config.checked(data, "test"))
    assert "std-identity-depth=4-width=8" in {
        figure.name for figure in charts.figures(Database(alone.folder))
    }


def test_many_seeds_of_a_deep_network_with_one_initializer_change_no_figure(tmp_path):
    """They are neither what most networks are like, nor what initializers are compared on."""
    usual = tiny(activation="relu", depth=2, width=8)
    many = {"initializer": "he_normal", "activation": "relu", "depth": 9, "width": 3, "seed": {"count": 30}}
    for number, probe in enumerate(({}, {"batch": 10})):
        data = usual.model_dump(mode="json")
        data["grids"].append(many | {"probe": probe})
        folder = tmp_path / f"{number}"
        folder.mkdir()
        make_results(folder, Config.checked(data, "test"))
        (network,) = deepest(Database(folder))
        assert (network.depth, network.width, network.usual) == (2, "8", True)


def test_a_figure_of_several_panels_is_as_wide_as_it_is_to_be():
    (ridges,) = [chart for chart in LAYER_CHARTS if chart.name == "magnitudes"]
    rows = [
        {"network": name, "of": "h", "layer": 1, "exponent": k, "top": 0.5}
        for name in "abcdef"
        for k in (0, 1)
    ]
    figure = ridges.figure("magnitudes", "some", list("abcdef"), {"magnitudes": rows, "theory": []})
    assert isinstance(figure, Figure)
    width = float(ET.fromstring(figure.svg()).get("width"))  # noqa: S314 - our own file
    assert abs(width - PAGE) <= 4
    assert drawn(ridges.define, ridges) is not None
