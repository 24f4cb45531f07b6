"""Figures of what was pushed through: the verdicts, and what networks did layer by layer, by activation."""

import sys
from collections.abc import Iterable
from typing import Any

from winit.findings.choice import Network, deepest
from winit.findings.database import Database
from winit.findings.drawing import Figure, drawn, rows_of
from winit.findings.layer_charts import LAYER_CHARTS
from winit.findings.networks import networks
from winit.findings.own import functions_in, is_own
from winit.findings.phase import phase_diagram, picture
from winit.findings.predictions import NoTheoryError, theory_for
from winit.findings.profiles import datasets, profiles
from winit.findings.verdict_map import figure as verdict_map
from winit.network.activations import activation
from winit.sweep.schema import NETWORK_KEYS
from winit.visible import visible

PHASE = "phase"


def figures(database: Database) -> list[Figure]:
    """The verdicts, every layer chart of the deepest network of every activation, and the phase diagrams."""
    made = [verdict_map(networks(database))] if "summary" in database.views else []
    return [
        figure for figure in [*made, *of_layers(database, deepest(database)), *phases(database)] if figure
    ]


def of_layers(database: Database, shown: Iterable[Network]) -> list[Figure]:
    """Every layer chart of each of these networks."""
    return [figure for network in shown for figure in layer_figures(database, network)]


def layer_figures(database: Database, network: Network) -> list[Figure]:
    """Every layer chart that has something to show of the initializers of this network."""
    keys = ", ".join(NETWORK_KEYS)
    numbered = f"""SELECT {keys}, row_number() OVER (ORDER BY initializer) - 1 AS number
        FROM (SELECT DISTINCT {keys} FROM cells WHERE {network.where})"""
    labels = [row["initializer"] for row in rows_of(database, f"FROM ({numbered}) ORDER BY number")]
    data = datasets([(labels[number], profile) for number, profile in profiles(database, numbered)])
    return [
        chart.figure(f"{chart.name}-{network.name}", str(network), labels, data)
        for chart in LAYER_CHARTS
        if chart.has(data[chart.data])
    ]


def phases(database: Database) -> list[Figure]:
    """The phase diagram of every activation, with the networks that were measured."""
    if "theory" not in database.views:
        return []
    # The plane is that of the activation, whatever the probe.
    networks = [network for network in deepest(database) if network.usual]
    return [figure for network in networks if (figure := _phase_figure(database, network))]


def _phase_figure(database: Database, network: Network) -> Figure | None:
    """None where nothing is known of the activation; and where theory cannot do it, which a line says."""
    try:
        chart = drawn(_phase, database, network)
    except NoTheoryError as error:
        sys.stderr.write(visible(f"{error}") + "\n")
        return None
    if chart is None:
        return None
    return Figure(f"{PHASE}-{network.name}", _PHASE_TITLE, PHASE_CAPTION, chart, of=str(network))


def _phase(database: Database, network: Network) -> Any:
    points = rows_of(
        database,
        f"""SELECT initializer, any_value(sigma_w) AS sigma_w, any_value(sigma_b) AS sigma_b,
                mode(verdict ORDER BY verdict) AS verdict
            FROM theory JOIN cells USING ({", ".join(NETWORK_KEYS)})
            WHERE {network.where} AND layer = depth AND chi_1 IS NOT NULL
            GROUP BY initializer ORDER BY initializer""",
    )
    if not is_own(network.activation):
        with theory_for(network.activation):
            return phase_diagram(activation(network.activation), points)
    plane = functions_in(database.folder).phases.get(network.activation)
    return None if plane is None else picture(plane, points)


_PHASE_TITLE = "Where the networks stand"
PHASE_CAPTION = (
    "The depth scale of gradients by theory, 1 / |ln χ₁| layers, over the variances of weights and"
    " biases. Blue: the critical line, χ₁ = 1 at a fixed point of q, where it is infinite (dotted where"
    " no network gets to, since its q moves away; for relu a single point at σ_b² = 0, with biases its q"
    " grows without end); gradients vanish on its left and explode on its right. Points: the networks"
    " measured here, by verdict."
)
