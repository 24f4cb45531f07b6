"""The ranking against the same thing in plain loops, and what it says where little can be said."""

import itertools
import math
import random
import statistics
import tempfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from winit.findings.database import Database
from winit.findings.ranking import answers_of, ranking_of
from winit.sweep.schema import ANSWERS, CELLS, NETWORK_ORDER, RANKING

PROBE = {
    "batch": 100,
    "input": "normal",
    "dtype": "float32",
    "outputs": 10,
    "bias_std": 0.0,
    "input_width": 0,
}
NETWORK = [key for key in NETWORK_ORDER if key != "initializer"]
ALIVE = {"vanishing", "exploding", "saturated", "healthy"}


def cell(initializer, h=1.0, g=1.0, **settings):
    """A cell of the table, finished and healthy if nothing else is said."""
    usual = {
        "activation": "tanh",
        "depth": 10,
        "width": "500",
        "seed": 0,
        "status": "ok",
        "verdict": "healthy",
    }
    measured = {"initializer": initializer, "h_std_ratio": h, "g_std_ratio": g}
    made = PROBE | usual | measured | settings
    first, *_, last = (int(units) for units in [*made["width"].split("-")] * 2)
    made |= {"width_first": first, "width_last": last}
    if made["status"] == "failed":
        made |= {"verdict": None, "h_std_ratio": None, "g_std_ratio": None}
    return made


def seeds(initializer, ratios, **settings):
    """A cell for each ratio, of seeds 0, 1, …"""
    return [cell(initializer, h=ratio, seed=seed, **settings) for seed, ratio in enumerate(ratios)]


def asked(cells, question):
    """The answers or the ranking of a results folder with these cells, as rows."""
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(pa.Table.from_pylist(cells, schema=CELLS), Path(folder) / "cells.parquet")
        return question(Database(folder))


def answers(*groups):
    return asked([*itertools.chain(*groups)], answers_of).to_pylist()


def ranking(*groups):
    return asked([*itertools.chain(*groups)], ranking_of).to_pylist()


# The reference: the same, one cell after the other.


def drift(found):
    changes = [found["h_std_ratio"], found["g_std_ratio"]]
    if any(change is None or not 0 < change < math.inf for change in changes):
        return None
    return max(abs(math.log10(change)) for change in changes)


def interval(values):
    """Mean, and the ends of Student's interval: null where a value is, and where there is but one."""
    if not values or None in values:
        return None, None, None
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, None, None
    error = stats.sem(values)
    return (mean, mean, mean) if error == 0 else (mean, *stats.t.interval(0.95, len(values) - 1, mean, error))


def shown_better(ours, theirs):
    """Whether our drift, by seed, is shown to be less than theirs."""
    shared = sorted(ours.keys() & theirs.keys())
    pairs = [(ours[seed], theirs[seed]) for seed in shared]
    if len(pairs) < 2 or any(our is None for our, _ in pairs):
        return False
    if all(their is None for _, their in pairs):
        return True
    if any(their is None for _, their in pairs):
        return False
    _, low, _ = interval([their - our for our, their in pairs])
    return low > 0


class Standing:
    """One initializer over some networks."""

    def __init__(self, initializer, cells, networks):
        self.initializer = initializer
        of_network = [[c for c in cells if network_of(c) == network] for network in networks]
        self.verdicts = [most_frequent(found) for found in of_network]
        finished = [{c["seed"]: drift(c) for c in found if c["status"] == "ok"} for found in of_network]
        whole = set.intersection(*(set(found) for found in finished))
        self.finished = len(finished[0])
        self.of_seed = {seed: interval([found[seed] for found in finished])[0] for seed in sorted(whole)}
        self.drift, self.low, self.high = interval([*self.of_seed.values()])
        names = [verdict for verdict, _ in self.verdicts]
        self.health = (names.count("healthy"), sum(name in ALIVE for name in names))

    @property
    def place(self):
        missing = self.drift is None
        return (-self.health[0], -self.health[1], missing, 0 if missing else self.drift, self.initializer)


def network_of(found):
    return tuple(found[key] for key in NETWORK)


def most_frequent(cells):
    """The verdict, first by name among equals, and how many have it."""
    counted = Counter(c["verdict"] for c in cells if c["verdict"] is not None)
    return min(counted.items(), key=lambda item: (-item[1], item[0]), default=(None, 0))


def ranked(standings):
    """(standing, rank) in order."""
    standings = sorted(standings, key=lambda standing: standing.place)
    for index, standing in enumerate(standings):
        healthier = [other for other in standings[:index] if other.health > standing.health]
        alike = [other for other in standings[:index] if other.health == standing.health]
        better = [other for other in alike if shown_better(other.of_seed, standing.of_seed)]
        yield standing, 1 + len(healthier) + (len(better) if alike[:1] == better[:1] else 0)


def by(cells, key):
    found = {}
    for c in cells:
        found.setdefault(key(c), []).append(c)
    return found


def expected_answers(cells):
    for network, found in sorted(by(cells, network_of).items()):
        of = by(found, lambda c: c["initializer"])
        order = [*ranked(Standing(name, own, [network]) for name, own in of.items())]
        best, _ = order[0]
        verdict, agreeing = best.verdicts[0]
        yield dict(zip(NETWORK, network, strict=True)) | {
            "best": best.initializer,
            "verdict": verdict,
            "agreeing": agreeing,
            "seeds": best.finished,
            "drift": best.drift,
            "drift_low": best.low,
            "drift_high": best.high,
            "tied": [standing.initializer for standing, rank in order[1:] if rank == 1],
            "healthy": sum(standing.health[0] for standing, _ in order),
            "initializers": len(order),
        }


def expected_ranking(cells):
    for activation, found in sorted(by(cells, lambda c: c["activation"]).items()):
        have = {
            network: tuple(sorted({c["initializer"] for c in own}))
            for network, own in by(found, network_of).items()
        }
        meetings = Counter(have.values())
        meeting = min(meetings, key=lambda names: (-len(names), -meetings[names], names))
        networks = [network for network, names in have.items() if names == meeting]
        standings = [
            Standing(name, [c for c in found if c["initializer"] == name], networks) for name in meeting
        ]
        order = sorted(ranked(standings), key=lambda item: item[1])
        first = sum(rank == 1 for _, rank in order)
        for standing, rank in order:
            yield {
                "activation": activation,
                "rank": rank,
                "tied": rank == 1 and first > 1,
                "initializer": standing.initializer,
                "networks": len(networks),
                "healthy": standing.health[0],
                "alive": standing.health[1],
                "drift": standing.drift,
                "drift_low": standing.low,
                "drift_high": standing.high,
                "seeds": len(standing.of_seed),
                "left_out": sum(standing.initializer in names for names in have.values()) - len(networks),
            }
        for name in sorted({c["initializer"] for c in found} - set(meeting)):
            left_out = sum(name in names for names in have.values())
            nothing = dict.fromkeys(RANKING.names)
            numbers = {"networks": 0, "seeds": 0, "left_out": left_out}
            yield nothing | {"activation": activation, "initializer": name} | numbers


def check(cells):
    """Both tables have their schema and say what the loops say."""
    for question, schema, expected in (
        (answers_of, ANSWERS, expected_answers),
        (ranking_of, RANKING, expected_ranking),
    ):
        table = asked(cells, question)
        assert table.schema.equals(schema, check_metadata=True)
        wanted = [*expected(cells)]
        assert len(table) == len(wanted)
        for row, other in zip(table.to_pylist(), wanted, strict=True):
            lists = row.keys() - {"drift", "drift_low", "drift_high"}
            assert {key: row[key] for key in lists} == {key: other[key] for key in lists}
            for key in row.keys() - lists:
                assert row[key] == (None if other[key] is None else pytest.approx(other[key], abs=1e-12)), key


# Whole powers of ten, so that equal means are equal to the last bit in any order of adding.
RATIOS = st.one_of(
    st.integers(-3, 3).map(lambda power: 10.0**power), st.sampled_from([None, 0.0, math.inf, math.nan])
)


@st.composite
def tables_of_cells(draw):
    names, verdicts = st.sampled_from("abc"), [*sorted(ALIVE), "dead", "symmetric", "broken"]
    places = st.tuples(
        names, st.sampled_from(["relu", "tanh"]), st.sampled_from([1, 2]), st.sampled_from(["8", "16-8"]),
        st.sampled_from([0.0, 1.0]), st.integers(0, 3),
    )  # fmt: skip
    usual = draw(st.sampled_from(verdicts))
    return [
        cell(
            name,
            activation=activation,
            depth=depth,
            width=width,
            bias_std=bias_std,
            seed=seed,
            h=draw(RATIOS),
            g=draw(st.one_of(st.just(1.0), RATIOS)),
            verdict=draw(st.sampled_from([usual, usual, *verdicts])),
            status=draw(st.sampled_from(["ok", "ok", "ok", "failed"])),
        )
        for name, activation, depth, width, bias_std, seed in draw(
            st.lists(places, min_size=1, max_size=24, unique=True)
        )
    ]


@given(tables_of_cells())
@settings(max_examples=20)
def test_any_table_of_cells_is_ranked_as_by_plain_loops(cells):
    check(cells)


@pytest.mark.parametrize("noise", [0.02, 0.3])
def test_a_whole_grid_is_ranked_as_by_plain_loops(noise):
    draw = random.Random(7)
    check(
        [
            cell(
                f"initializer {i}",
                activation=activation,
                depth=depth,
                width=width,
                seed=seed,
                h=10 ** (0.05 * (i // 2) * depth + draw.gauss(0, noise)),
                g=10 ** draw.gauss(0, noise),
                verdict="healthy" if i // 2 * depth < 12 else "exploding",
            )
            for i, activation, depth, width, seed in itertools.product(
                range(6), ("relu", "tanh"), (2, 5), ("8", "16"), range(5)
            )
        ]
    )


def test_the_drift_is_that_of_the_worse_direction():
    (row,) = answers([cell("a", h=100.0, g=1e-3)])
    assert row["drift"] == pytest.approx(3)


def test_ties_are_said_to_be_ties():
    ours, theirs = seeds("a", [1.1, 1.2, 1.3]), seeds("b", [1.2, 1.1, 1.3])
    (row,) = answers(ours, theirs, seeds("c", [5.1, 5.2, 5.3]))
    assert (row["best"], row["tied"]) == ("a", ["b"])
    rows = ranking(ours, theirs, seeds("c", [5.1, 5.2, 5.3]))
    assert [(r["initializer"], r["rank"], r["tied"]) for r in rows] == [
        ("a", 1, True),
        ("b", 1, True),
        ("c", 3, False),
    ]


def test_initializers_are_compared_seed_by_seed():
    # What the seeds have in common is far larger than the difference, and does not hide it.
    common = [1.1, 2.0, 4.0, 8.0]
    (row,) = answers(seeds("a", common), seeds("b", [1.05 * ratio for ratio in common]))
    assert row["tied"] == []
    # The same values of other seeds are no pairs.
    (row,) = answers(seeds("a", common), seeds("b", [1.05 * ratio for ratio in reversed(common)]))
    assert row["tied"] == ["b"]


def test_equal_drifts_tie_and_a_constant_difference_does_not():
    (row,) = answers(seeds("a", [2.0] * 3), seeds("b", [0.5] * 3), seeds("c", [10.0] * 3))
    assert (row["best"], row["tied"]) == ("a", ["b"])


def test_one_seed_tells_nobody_apart_but_by_health():
    (row,) = answers(
        [cell("a", h=1.0)], [cell("b", h=5.0)], [cell("c", h=None)], [cell("d", verdict="saturated")]
    )
    assert (row["best"], row["tied"]) == ("a", ["b", "c"])
    assert row["drift_low"] is row["drift_high"] is None


def test_seeds_that_are_not_shared_tell_nobody_apart():
    theirs = [cell("b", h=9.0, seed=seed) for seed in (7, 8, 9)]
    (row,) = answers(seeds("a", [1.0, 1.1, 1.2]), theirs)
    assert row["tied"] == ["b"]


def test_what_has_no_drift_is_behind_what_has_one():
    for nothing in (None, 0.0, math.inf):
        (row,) = answers(seeds("a", [nothing] * 2), seeds("b", [9.0] * 2))
        assert (row["best"], row["tied"]) == ("b", [])
    # Where some seeds have one, no difference of means is defined, and none is claimed.
    (row,) = answers(seeds("a", [None, 1.0]), seeds("b", [9.0] * 2))
    assert (row["best"], row["tied"]) == ("b", ["a"])


def test_the_health_of_a_network_comes_before_its_drift():
    near, far = seeds("near", [1.0, 1.0], verdict="saturated"), seeds("far", [5.0, 5.0])
    (row,) = answers(near, far)
    assert (row["best"], row["tied"], row["healthy"], row["initializers"]) == ("far", [], 1, 2)


def test_where_none_is_healthy_the_nearest_is_best_and_its_verdict_says_what_it_is():
    (row,) = answers(
        seeds("same", [1.0, 1.0], verdict="symmetric"),
        seeds("small", [1e-2, 1e-2], verdict="vanishing"),
        seeds("large", [1e3, 1e3], verdict="exploding"),
    )
    assert (row["best"], row["verdict"], row["healthy"]) == ("small", "vanishing", 0)


@pytest.mark.parametrize("what", [{"status": "failed"}, {"verdict": "broken", "h": None, "g": None}])
def test_where_nothing_is_finite_nobody_is_better(what):
    cells = [cell(name, seed=seed, **what) for name in "ab" for seed in range(3)]
    check(cells)
    (row,) = answers(cells)
    assert (row["tied"], row["healthy"], row["drift"]) == (["b"], 0, None)
    assert [(r["rank"], r["tied"]) for r in ranking(cells)] == [(1, True), (1, True)]


def test_a_ranking_is_over_the_networks_that_all_have():
    grid = [seeds(name, [1.1, 1.2], depth=depth) for name, depth in itertools.product("ab", (2, 5))]
    rows = ranking(*grid, seeds("a", [99.0, 99.0], depth=50), seeds("c", [1.0, 1.0], depth=50))
    # Two networks are shared by a and b, one by a and c.
    assert [(r["initializer"], r["rank"], r["networks"], r["left_out"]) for r in rows] == [
        ("a", 1, 2, 1),
        ("b", 1, 2, 0),
        ("c", None, 0, 1),
    ]
    assert rows[0]["drift"] == pytest.approx(statistics.fmean(map(math.log10, (1.1, 1.2))))


def test_a_seed_counts_in_a_ranking_where_all_networks_are_finished():
    cells = [
        *seeds("a", [2.0, 2.0, 2.0], depth=2),
        *seeds("a", [4.0, 4.0], depth=5),
        cell("a", depth=5, seed=2, status="failed"),
    ]
    (row,) = ranking(cells)
    assert (row["networks"], row["seeds"]) == (2, 2)
    assert row["drift"] == pytest.approx(math.log10(8) / 2)
