"""Profiles: what charts of layers are drawn from, against plain queries."""

import json
import math

import numpy as np
import pytest
from samples import make_findings, make_results, tiny

from winit.findings.database import Database
from winit.findings.networks import MOST_NETWORKS, MOST_ROWS, NUMBERED, networks
from winit.findings.profiles import (
    LEVELS,
    MEASURED,
    MOST_HISTOGRAMS,
    MOST_LAYERS,
    PREDICTED,
    as_text,
    datasets,
    profiles,
)
from winit.sweep.schema import NETWORK_KEYS


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return Database(make_findings(tmp_path_factory.mktemp("results"), tiny()).folder)


@pytest.fixture(scope="module")
def found(database):
    return dict(profiles(database, NUMBERED))


def network(database, **wanted):
    (number,) = [
        row["number"] for row in networks(database) if all(row[key] == wanted[key] for key in wanted)
    ]
    return number


HE = {"initializer": "he_normal", "activation": "relu", "depth": 4, "width": "16"}
WHERE = " AND ".join(f"{name} = '{value}'" for name, value in HE.items())


def test_every_network_has_a_number_and_a_profile(database, found):
    rows = networks(database)
    assert [row["number"] for row in rows] == list(range(4 * 2 * 2 * 2)) == sorted(found)
    assert len({tuple(row[key] for key in NETWORK_KEYS) for row in rows}) == len(rows)
    for row in rows:
        assert found[row["number"]]["layer"] == list(range(1, row["depth"] + 1))


def test_a_profile_is_the_mean_over_seeds_between_the_smallest_and_the_largest(database, found):
    profile = found[network(database, **HE)]
    for name, sql in MEASURED.items():
        expected = database.sql(f"""SELECT avg({sql}), min({sql}), max({sql}) FROM layers
            WHERE {WHERE} AND layer > 0 GROUP BY layer ORDER BY layer""").fetchall()
        drawn = zip(profile[name], profile[f"{name}_low"], profile[f"{name}_high"], strict=True)
        assert list(drawn) == [pytest.approx(row) for row in expected]


def test_theory_of_gradients_goes_out_from_the_last_layer_as_measured(database, found):
    profile = found[network(database, **HE)]
    ratios = database.sql(
        f"SELECT g_std_ratio FROM theory WHERE {WHERE} AND layer > 0 ORDER BY layer"
    ).fetchall()
    assert profile["theory_g_std"] == pytest.approx([ratio * profile["g_std"][-1] for (ratio,) in ratios])
    assert profile["theory_g_std"][-1] == profile["g_std"][-1]


def test_where_nothing_is_measured_theory_has_no_place_either(database, found):
    profile = found[network(database, initializer="zeros", activation="tanh", depth=4, width="16")]
    assert profile["h_std"] == [0.0] * 4
    assert not {"theory_h_std", "theory_g_std"} & profile.keys()


def test_bars_are_the_counts_of_the_first_seed(database, found):
    profile = found[network(database, **HE | {"activation": "tanh"})]
    counts = database.sql(f"""SELECT h_histogram, h_magnitude, g_magnitude FROM layers
        WHERE {WHERE.replace("relu", "tanh")} AND layer = 2 AND seed = 0""").fetchall()[0]
    slots = np.array(counts[0])
    shares = np.array([LEVELS.index(letter) for letter in profile["bars"][1]]) / (len(LEVELS) - 1)
    assert shares == pytest.approx(slots / slots.max(), abs=1 / (len(LEVELS) - 1))
    assert ((shares > 0) == (slots > 0)).all()
    for of, all_slots in (("h", counts[1]), ("g", counts[2])):
        start, letters = profile[of][1]
        slots = all_slots[1:-1]
        there = [k for k, count in enumerate(slots) if count]
        assert (start, start + len(letters) - 1) == (there[0], there[-1])


def test_what_relu_makes_zero_does_not_hide_the_rest(database, found):
    profile = found[network(database, **HE)]
    for letters in profile["bars"]:
        # The bin that begins at 0 is cut off at the highest of the others.
        assert letters[16] == LEVELS[-1]
        assert max(LEVELS.index(letter) for letter in letters[17:]) > len(LEVELS) // 3


def test_what_explodes_does_not_look_like_what_is_dead(tmp_path):
    grid = {
        "initializer": ["normal(std=3.0)", "zeros"],
        "activation": "relu",
        "depth": 4,
        "width": 16,
        "seed": 0,
    }
    database = Database(make_findings(tmp_path, tiny(**grid)).folder)
    found = dict(profiles(database, NUMBERED))
    bars = {row["initializer"]: found[row["number"]]["bars"][-1] for row in networks(database)}
    # Above the range, in the last slot, is more than anywhere but in the bar of zeros.
    assert bars["normal(std=3.0)"][-1] == LEVELS[-1]
    assert bars["zeros"].strip(LEVELS[0]) == LEVELS[-1]
    assert bars["zeros"][-1] == LEVELS[0]


def test_what_is_beyond_a_number_is_null_in_the_text():
    profile = {"layer": [1, 2], "h_std": [1.797693e308, 1.0], "theory_h_std": [None, math.inf]}
    assert json.loads(as_text(profile)) == {
        "layer": [1, 2],
        "h_std": [None, 1.0],
        "theory_h_std": [None, None],
    }


def test_one_seed_has_no_spread_and_no_theory_where_there_is_none(tmp_path):
    results = make_results(tmp_path, tiny(initializer="orthogonal", activation="tanh", seed=7))
    keys = ", ".join(NETWORK_KEYS)
    query = f"SELECT DISTINCT {keys}, depth - 1 AS number FROM cells WHERE width = '16'"
    for _, profile in profiles(Database(results.folder), query):
        assert not {name for name in profile if name.endswith(("_low", "_high"))}
        assert not {name for name in profile if name.startswith("theory_")}


def test_of_a_deep_network_layers_are_shown_from_the_first_to_the_last(tmp_path):
    results = make_findings(tmp_path, tiny(initializer="he_normal", activation="tanh", depth=150, seed=0))
    for _, profile in profiles(Database(results.folder), NUMBERED):
        for name, most in (("layer", MOST_LAYERS), ("binned", MOST_HISTOGRAMS)):
            assert profile[name][0] == 1
            assert profile[name][-1] == 150
            assert len(profile[name]) in {most, most + 1}
            steps = np.diff(profile[name])
            assert steps.max() <= 150 / most + 1
        assert len(profile["bars"]) == len(profile["binned"])


def test_the_text_of_a_profile_is_the_profile_to_five_digits(found):
    for profile in found.values():
        read = json.loads(as_text(profile))
        assert read.keys() == profile.keys()
        for name, values in profile.items():
            if name in MEASURED or name.removeprefix("theory_") in PREDICTED:
                assert read[name] == [
                    value if value is None else pytest.approx(value, rel=1e-4) for value in values
                ]
            elif not name.endswith(("_low", "_high")):
                assert read[name] == values


def test_data_sets_have_a_row_for_every_place(found):
    rows = datasets([("a", found[0]), ("b", found[1])])
    assert len(rows["measured"]) == len(found[0]["layer"]) + len(found[1]["layer"])
    assert {row["network"] for row in rows["magnitudes"]} <= {"a", "b"}
    for row in rows["bars"]:
        assert 0 < row["share"] <= 1
        if row["beyond"]:
            assert None in {row["from"], row["to"]}
            continue
        assert row["to"] - row["from"] == pytest.approx(2 / 30) or row["to"] - row["from"] == pytest.approx(
            8 / 30
        )


def test_a_page_has_room_for_a_large_sweep():
    # At ten layers and one seed: what opens within seconds.
    assert MOST_NETWORKS >= 10_000
    assert MOST_ROWS >= 10_000 * 10
