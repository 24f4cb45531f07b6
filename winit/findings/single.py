"""One network alone: the verdict on it, as a sweep would give it, and what theory says of it."""

import math
from typing import NamedTuple

import duckdb
import pyarrow as pa

from winit.findings.predictions import theory_for
from winit.network.activations import activation
from winit.network.cells import Probe
from winit.network.initializers import initializer
from winit.network.theory import predicted_stds
from winit.sweep.plan import sources_in
from winit.sweep.schema import PROBE_KEYS
from winit.sweep.verdicts import EVIDENCE, Thresholds, verdict_columns


class Verdict(NamedTuple):
    """As in the table of cells."""

    verdict: str
    activation_verdict: str
    gradient_verdict: str
    h_std_ratio: float | None
    g_std_ratio: float | None


def verdict_of(layers: pa.Table) -> Verdict:
    """The verdict on the cell with these layer rows, with the thresholds of the default config."""
    verdict = verdict_columns(Thresholds(), layers["activation"].unique().to_pylist())
    with duckdb.connect() as database:
        database.from_arrow(layers).create_view("layers")
        (row,) = database.sql(f"""
            SELECT {", ".join(Verdict._fields)}
            FROM (SELECT *, {verdict} FROM (SELECT {EVIDENCE} FROM layers))
            """).fetchall()
    return Verdict(*row)


class Stds(NamedTuple):
    """What theory.parquet has of a network: ``h_std`` of each layer, and ``y_std`` of the last one."""

    h: list[float | None]
    y: float | None


def theory_of_std(plan: pa.Table) -> Stds | None:
    """Of the one network of a plan; None where its weights are not i.i.d.

    Raises NoTheoryError where the computation fails.
    """
    (network,) = plan.to_pylist()
    sources = sources_in(plan)
    with theory_for(f"{network['initializer']} with {network['activation']}"):
        stds = predicted_stds(
            initializer(network["initializer"], sources),
            activation(network["activation"], sources),
            network["depth"],
            network["width"],
            Probe(**{key: network[key] for key in PROBE_KEYS}),
            sources,
        )
    if stds is None:
        return None
    h, y = ([None if math.isnan(std) else std for std in of.tolist()] for of in stds)
    return Stds(h, y[-1])
