"""Which initializer keeps signals alive: of every network, and of every activation over its networks.

The score is the *drift* of a cell: by how many powers of ten a signal changes on its way through, forward
or backward, whichever is worse. Initializers share their random numbers, so they are compared seed by
seed: two of them are told apart only where the confidence interval of their mean difference leaves out 0.
"""

import pyarrow as pa

from winit.findings import intervals
from winit.findings.database import Database
from winit.sweep.schema import ANSWERS, NETWORK_KEYS, NETWORK_ORDER, RANKING

_NETWORK = [key for key in NETWORK_KEYS if key != "initializer"]
_ORDER = ", ".join(key for key in NETWORK_ORDER if key != "initializer")
_ALIVE = ("vanishing", "exploding", "saturated", "healthy")
"""Verdicts that are a matter of degree; behind the others is a network that learns nothing at all."""

_RATIOS = ("h_std_ratio", "g_std_ratio")
_CHANGES = ", ".join(f"abs(log10({ratio}))" for ratio in _RATIOS)
_DRIFT = f"""
    -- null where a signal vanishes altogether or is not finite
    CASE WHEN {" AND ".join(f"{ratio} > 0 AND isfinite({ratio})" for ratio in _RATIOS)}
         THEN greatest({_CHANGES}) END
"""


def answers_of(database: Database) -> pa.Table:
    """A row for each network with its best initializer, with the schema ``ANSWERS``."""
    keys = ", ".join(_NETWORK)
    source = f"FROM cells JOIN subjects USING ({keys})"
    found = database.sql(f"""
        WITH subjects AS (
            SELECT row_number() OVER (ORDER BY {_ORDER}) AS subject, {keys}
            FROM (SELECT DISTINCT {keys} FROM cells)),
        {_compared(database, f"SELECT *, 0 AS network {source}", best_only=True)},
        bests AS (
            SELECT subject, {_best("initializer")} AS best, {_best("verdict")} AS verdict,
                {_best("agreeing")} AS agreeing, {_best("finished")} AS seeds, {_best("drift")} AS drift,
                {_best("low")} AS drift_low, {_best("high")} AS drift_high,
                coalesce(list(initializer ORDER BY place) FILTER (rank = 1 AND place > 1), []) AS tied,
                sum(healthy) AS healthy, count(*) AS initializers
            FROM ranked GROUP BY subject)
        FROM subjects JOIN bests USING (subject) ORDER BY subject
    """).to_arrow_table()
    return found.select(ANSWERS.names).cast(ANSWERS)


def ranking_of(database: Database) -> pa.Table:
    """A row for each initializer of each activation, with the schema ``RANKING``."""
    keys = ", ".join(_NETWORK)
    found = database.sql(f"""
        WITH networks AS (
            SELECT row_number() OVER (ORDER BY {_ORDER}) AS network, activation AS subject, *
            FROM (SELECT {keys}, list(DISTINCT initializer ORDER BY initializer) AS initializers
                  FROM cells GROUP BY {keys})),
        -- Where most initializers meet; of equals, where they do so in most networks, then the first by name.
        meetings AS (
            SELECT subject, list(network) AS networks FROM networks GROUP BY subject, initializers
            QUALIFY row_number() OVER (PARTITION BY subject
                ORDER BY len(initializers) DESC, count(*) DESC, initializers) = 1),
        shared AS (
            SELECT networks.* FROM networks
            SEMI JOIN (SELECT unnest(networks) AS network FROM meetings) USING (network)),
        {_compared(database, f"FROM cells JOIN shared USING ({keys})")},
        present AS (
            SELECT subject, initializer, count(*) AS present
            FROM (SELECT subject, unnest(initializers) AS initializer FROM networks)
            GROUP BY subject, initializer)
        SELECT subject AS activation, rank,
            CASE WHEN rank > 1 THEN false
                 WHEN rank = 1 THEN count(*) FILTER (rank = 1) OVER (PARTITION BY subject) > 1 END AS tied,
            initializer, coalesce(networks, 0) AS networks, healthy, alive,
            drift, low AS drift_low, high AS drift_high, coalesce(counted, 0) AS seeds,
            present - coalesce(networks, 0) AS left_out
        FROM present LEFT JOIN ranked USING (subject, initializer)
        ORDER BY subject, rank NULLS LAST, place, initializer
    """).to_arrow_table()
    return found.select(RANKING.names).cast(RANKING)


def _best(column: str) -> str:
    return f"any_value({column}) FILTER (place = 1)"


def _compared(database: Database, source: str, *, best_only: bool = False) -> str:
    """Common table expressions that rank the initializers of each ``subject`` over its networks.

    ``source`` gives cells with a ``subject`` and a ``network``; all initializers of a subject have the same
    networks. The last expression, ``ranked``, has a row for each (subject, initializer); ``best_only``
    compares the others with the best and with nobody else, and tells only who has rank 1.
    """
    counts = f"SELECT count(*) AS seeds FROM cells GROUP BY {', '.join(NETWORK_KEYS)}"
    ((most,),) = database.sql(f"SELECT coalesce(max(seeds), 0) FROM ({counts})").fetchall()
    # Of a mean over 1, 2, 3, … seeds; over one it has no interval.
    quantiles = ["NULL", *map(repr, intervals.quantile(range(2, most + 1)).tolist())]
    return f"""
        student AS (SELECT [{", ".join(quantiles)}]::DOUBLE[] AS quantile),
        cells_of_subjects AS (
            SELECT subject, network, initializer, seed, verdict, status = 'ok' AS finished, {_DRIFT} AS drift
            FROM ({source})),
        frequencies AS (
            SELECT subject, network, initializer, verdict, count(verdict) AS seeds,
                count(*) FILTER (finished) AS finished,
                max(seeds) OVER (PARTITION BY subject, network, initializer) AS most
            FROM cells_of_subjects GROUP BY subject, network, initializer, verdict),
        -- The most frequent verdict; among equals the first by name, as in the summary.
        verdicts AS (
            SELECT subject, network, initializer, sum(finished) AS finished,
                min(verdict) FILTER (seeds = most) AS verdict, max(seeds) AS agreeing
            FROM frequencies GROUP BY subject, network, initializer),
        health AS (
            SELECT subject, initializer, count(*) AS networks, any_value(verdict) AS verdict,
                any_value(agreeing) AS agreeing, any_value(finished) AS finished,
                count(*) FILTER (verdict = 'healthy') AS healthy,
                count(*) FILTER (verdict IN {_ALIVE}) AS alive
            FROM verdicts GROUP BY subject, initializer),
        -- Of a seed that finished all networks. Null where one of them has none: null is worse than any
        -- number. Values are sorted before they are added, so that a sum never depends on the order of rows.
        by_seed AS (
            SELECT subject, initializer, seed,
                CASE WHEN count(drift) = count(*) THEN list_avg(list_sort(list(drift))) END AS drift
            FROM cells_of_subjects JOIN health USING (subject, initializer)
            WHERE cells_of_subjects.finished
            GROUP BY subject, initializer, seed HAVING count(*) = any_value(networks)),
        scores AS (
            SELECT subject, initializer, counted, list_avg(drifts) AS drift,
                list_stddev_samp(drifts) AS spread
            FROM (
                SELECT subject, initializer, count(*) AS counted,
                    CASE WHEN count(drift) = count(*) THEN list_sort(list(drift)) END AS drifts
                FROM by_seed GROUP BY subject, initializer)),
        placed AS (
            SELECT *, row_number() OVER (PARTITION BY subject
                    ORDER BY healthy DESC, alive DESC, drift NULLS LAST, initializer) AS place,
                rank() OVER (PARTITION BY subject ORDER BY healthy DESC, alive DESC) AS leader
            FROM health LEFT JOIN scores USING (subject, initializer)),
        entries AS (
            SELECT subject, leader, place, seed, by_seed.drift
            FROM by_seed JOIN placed USING (subject, initializer)),
        -- Seed by seed, since initializers share their random numbers.
        differences AS (
            SELECT subject, leader, a.place AS better, b.place AS worse, count(*) AS shared,
                count(a.drift) AS of_better, count(b.drift) AS of_worse,
                list_sort(list(b.drift - a.drift)) AS differences
            FROM entries a JOIN entries b USING (subject, leader, seed)
            WHERE a.place < b.place {"AND a.place = 1" if best_only else ""}
            GROUP BY subject, leader, better, worse),
        told AS (
            SELECT subject, worse AS place, count(*) AS behind
            FROM differences, student
            WHERE shared > 1 AND of_better = shared AND (of_worse = 0
                OR (of_worse = shared AND list_avg(differences)
                    > quantile[shared] * list_stddev_samp(differences) / sqrt(shared)))
            GROUP BY subject, worse HAVING bool_or(better = leader)),
        -- Before an initializer are all that are healthier; and those of the same health that are shown to
        -- be better, unless it cannot be told from the first of these.
        ranked AS (
            SELECT *, drift - half AS low, drift + half AS high, leader + coalesce(behind, 0) AS rank
            FROM (SELECT *, quantile[counted] * spread / sqrt(counted) AS half FROM placed, student)
            LEFT JOIN told USING (subject, place))
    """
