"""Widths in queries."""

import duckdb
import pytest

from winit.findings.widths import as_numbers

CONSTANT, OTHERS = ("64", "500", "1024"), ("128-16", "784-256-128-10")


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as made:
        made.execute("CREATE TABLE cells (width VARCHAR, width_first INTEGER)")
        rows = [[width, width.partition("-")[0]] for width in (*CONSTANT, *OTHERS)]
        made.executemany("INSERT INTO cells VALUES (?, ?)", rows)
        yield made


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("width = 500", {"500"}),
        ("500 = width", {"500"}),
        ("width = 500.0", {"500"}),
        ("width <> 500", {"64", "1024", *OTHERS}),
        ("NOT width = 500", {"64", "1024", *OTHERS}),
        ("width IS DISTINCT FROM 500", {"64", "1024", *OTHERS}),
        ("width = 1.5", set()),
        ("width = 1e3 + 24", {"1024"}),
        ("width = 5e2", {"500"}),
        ("width = 1e99999999999", set()),
        ("width NOT IN (1e9999999999999999999999, 64.0)", {"500", "1024", *OTHERS}),
        ("width = width_first", set(CONSTANT)),
        ("c.width <> c.width_first", set(OTHERS)),
        ("width < width_first + 1", set(CONSTANT)),
        ("width IN ('128-16', 64)", {"128-16", "64"}),
        ("width IS NOT DISTINCT FROM 64", {"64"}),
        ("width < 600", {"64", "500"}),
        ("width >= 500 AND width <= 1024", {"500", "1024"}),
        ("width BETWEEN 60 AND 600", {"64", "500"}),
        ("width IN (64, 128, 1024)", {"64", "1024"}),
        ("width IN (64, '500')", {"64", "500"}),
        ("width NOT IN (64)", {"500", "1024", *OTHERS}),
        ("width NOT IN (64, '128-16')", {"500", "1024", "784-256-128-10"}),
        ("width * 2 + 1 > 1001", {"1024"}),
        ("-width = -64", {"64"}),
        ("CASE width WHEN 64 THEN true END", {"64"}),
        ('c.width = 64 OR "width" = 500 OR WIDTH = 1024', set(CONSTANT)),
        ("'Größe, ∂' <> 'x' AND width = 64", {"64"}),
        ("width IN (SELECT width FROM cells WHERE width = 64)", {"64"}),
        ("EXISTS (WITH x AS (SELECT 1.5 AS width) FROM x WHERE width = 1.5) AND width = 64", {"64"}),
        # Texts are texts.
        ("width = '500'", {"500"}),
        ("width = '128-16'", {"128-16"}),
        ("width IN ('64', '128-16')", {"64", "128-16"}),
        ("width LIKE '%-%'", set(OTHERS)),
        ("'width = 500' <> '' AND width = 64 -- width = 500", {"64"}),
    ],
)
def test_a_width_can_be_compared_with_a_number(connection, where, found):
    query = as_numbers(connection, f"SELECT width FROM cells AS c WHERE {where}")
    assert {width for (width,) in connection.sql(query).fetchall()} == found


@pytest.mark.parametrize(
    "query",
    [
        "SELECT width, depth FROM cells WHERE depth = 500",
        "SELECT * FROM cells WHERE width = '500' AND 1 < 2",
        "SELECT count(*) FROM cells GROUP BY width ORDER BY width LIMIT 3",
        "no query of width = 500 at all",
        "SELECT width_first = 500 FROM cells",
        "EXPLAIN SELECT * FROM cells WHERE width = 500",
    ],
)
def test_a_query_in_which_no_width_meets_a_number_stays_as_it_is(connection, query):
    assert as_numbers(connection, query) == query
