"""The answers and the ranking as people read them."""

from collections import Counter

import pyarrow as pa

from winit.findings.page import Page, Row, by_activation, interval, of
from winit.findings.tables import Table, telling

_DRIFT = (
    "Drift is by how many powers of ten a signal changes at worst on its way through, forward or backward:"
    " mean over seeds, with its 95 % confidence interval. Initializers share their random numbers and are"
    " compared seed by seed; those are tied whose mean difference has 0 in its 95 % interval."
)


def answers_page(answers: pa.Table) -> Table:
    """The best initializer of each network, activation by activation."""
    keys = telling(answers)

    def cells(row: Row) -> list[object]:
        found = [row["best"], row["verdict"], of(row["agreeing"], row["seeds"])]
        return [
            *(row[key] for key in keys),
            *found,
            interval(row["drift"], row["drift_low"], row["drift_high"]),
            ", ".join(row["tied"]) or None,
            of(row["healthy"], row["initializers"]),
        ]

    header = [*keys, "best", "verdict", "agree", "drift", "tied with it", "healthy"]
    text = (
        "For each network the initializer that keeps both directions healthiest: its verdict, and how many"
        f" seeds agree on it; last, how many of all initializers are healthy there. {_DRIFT}"
    )
    sections = by_activation(answers.to_pylist(), header, cells)
    return Table(answers, Page("Which initializer keeps both directions healthy", text, sections))


def ranking_page(ranking: pa.Table) -> Table:
    """The initializers of each activation in order."""
    rows = ranking.to_pylist()
    sharing = Counter((row["activation"], row["rank"]) for row in rows)

    def cells(row: Row) -> list[object]:
        if row["rank"] is None:
            return [None, row["initializer"], *([None] * 4), row["left_out"]]
        tie = " (tie)" if sharing[row["activation"], row["rank"]] > 1 else ""
        return [
            f"{row['rank']}{tie}",
            row["initializer"],
            of(row["healthy"], row["networks"]),
            of(row["alive"], row["networks"]),
            interval(row["drift"], row["drift_low"], row["drift_high"]),
            row["seeds"],
            row["left_out"],
        ]

    header = ("rank", "initializer", "healthy", "alive", "drift", "seeds", "left out")
    text = (
        "The initializers of each activation, over the networks that all ranked ones share: in how many they"
        " are healthy, then in how many neither broken, symmetric nor dead, then by drift. A rank is 1 + how"
        " many are shown to be better; what cannot be told from the first of its health shares its rank."
        f" Left out are networks that not all have. {_DRIFT}"
    )
    return Table(ranking, Page("Initializers in order", text, by_activation(rows, header, cells)))
