"""Which networks a report shows, and what they are called: the rows of ``summary``, each with a number."""

from collections.abc import Callable
from typing import Any

from winit.findings.database import Database
from winit.findings.drawing import Rows, rows_of, settings_of
from winit.findings.profiles import MOST_LAYERS
from winit.sweep.schema import NETWORK_KEYS, NETWORK_ORDER, PROBE_KEYS, SIZE_ORDER

MOST_NETWORKS, MOST_ROWS = 20_000, 250_000
"""So many networks and layers of them fit on a page that opens at once. Of more the deepest come first."""

_KEYS = ", ".join(NETWORK_KEYS)
_BUT_DEPTH = ", ".join(key for key in NETWORK_KEYS if key != "depth")
_FIRST = ", ".join(["turn", *NETWORK_ORDER])
_ORDER = ", ".join(["activation", *SIZE_ORDER, *PROBE_KEYS, "initializer"])

NUMBERED = f"""
    SELECT row_number() OVER (ORDER BY {_ORDER}) - 1 AS number, *
    FROM (SELECT *, sum(least(depth, {MOST_LAYERS})) OVER (ORDER BY {_FIRST}) AS layers,
              count(*) OVER (ORDER BY {_FIRST}) AS networks
          FROM (SELECT *, row_number() OVER (PARTITION BY {_BUT_DEPTH} ORDER BY depth DESC) AS turn
                FROM summary))
    WHERE layers <= {MOST_ROWS} AND networks <= {MOST_NETWORKS}
"""
"""SQL: the networks that are shown, each with its number."""


def networks(database: Database) -> Rows:
    """The networks that are shown, in the order of their numbers, with what the summary says of them.

    ``place`` is depth × width, and the probe's settings where they are not those of most networks.
    """
    place = place_of(database)
    rows = rows_of(database, f"SELECT * EXCLUDE (turn, layers, networks) FROM ({NUMBERED}) ORDER BY number")
    return [row | place(row) for row in rows]


def place_of(database: Database) -> Callable[[dict[str, Any]], dict[str, str]]:
    """What says where a network stands: ``place``, and ``unusual``, of it what concerns the probe."""
    usual = usual_probe(database)

    def place(network: dict[str, Any]) -> dict[str, str]:
        unusual = settings_of((key, network[key]) for key in usual if network[key] != usual[key])
        size = f"{network['depth']} × {network['width']}"
        return {"unusual": ", ".join(unusual), "place": ", ".join([size, *unusual])}

    return place


def usual_probe(database: Database) -> dict[str, Any]:
    """The probe settings in which the cells of the results differ, as most networks have them."""
    counts = ", ".join(f"count(DISTINCT {key}) AS {key}" for key in PROBE_KEYS)
    (row,) = rows_of(database, f"SELECT {counts} FROM cells")
    varying = [key for key in PROBE_KEYS if row[key] > 1]
    if not varying:
        return {}
    keys = ", ".join(varying)
    (usual,) = rows_of(
        database,
        f"SELECT {keys} FROM (SELECT DISTINCT {_KEYS} FROM cells) GROUP BY ALL"
        f" ORDER BY count(*) DESC, {keys} LIMIT 1",
    )
    return usual
