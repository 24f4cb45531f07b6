"""Theory beside measurement: theory.parquet, and in SQL how far the layers of the results are from it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa

from winit.errors import WinitError
from winit.findings.own import write_functions
from winit.network.activations import activation
from winit.network.cells import Probe
from winit.network.guard import guarded
from winit.network.initializers import initializer
from winit.network.labels import described
from winit.network.sources import Sources, source_name
from winit.network.theory import Prediction, predict
from winit.sweep.belonging import planned
from winit.sweep.config import Config
from winit.sweep.files import replacing
from winit.sweep.layout import Results
from winit.sweep.origins import carried
from winit.sweep.plan import sources_in
from winit.sweep.progress import Progress
from winit.sweep.schema import COMPARED, NETWORK_KEYS, NETWORK_ORDER, PROBE_KEYS, THEORY
from winit.sweep.seals import write_sealed

ROUNDING = 1e-6
"""What float32 does to a logarithm: no spread is taken to be smaller."""
_SECONDS = 600.0
"""How long a user's own function may take for the theory of one network, unless the config has a limit."""
Network = dict[str, Any]
Networks = list[Network]

# Of each seed: the layer's own h_std, and its g_std beside that of the last layer.
_MEASURED = {
    "h_std": "h_std",
    "g_std_ratio": "g_std / nullif(max(g_std) FILTER (layer = depth) OVER (PARTITION BY cell_id), 0)",
}


class NoTheoryError(WinitError):
    """Theory cannot do a network, or an activation: no reason to end anything else."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"no theory for {problem}")
        self.problem = problem
        """What of, and what was raised."""


@contextmanager
def theory_for(what: str) -> Iterator[None]:
    """Whatever is raised within, other than to end the process, becomes a NoTheoryError that says it."""
    try:
        yield
    except (Exception, SystemExit) as error:
        raise NoTheoryError(f"{what}: {described(error)}") from error


def write_theory(results: Results, config: Config) -> list[str]:
    """Write theory.parquet for the networks of the plan, and functions.json.

    Gives what went wrong, as ``theory_of`` does. Raises WinitError where the plan is not that of ``config``.
    """
    plan, runs = planned(config, results), planned(config, results.training_sweep)
    table, problems = theory_of(plan, _shown, config.sweep.cell_seconds or _SECONDS)
    with replacing(results.theory) as file:
        write_sealed(table.replace_schema_metadata(carried(plan.schema.metadata)), file)
    return list(dict.fromkeys(problems + write_functions(results, table, plan, runs)))


def _shown(networks: Networks) -> Iterable[Network]:
    """The networks one by one, with progress."""
    with Progress(len(networks), work="theory", unit="networks") as progress:
        for network in networks:
            yield network
            progress.advance(1)


def theory_of(
    plan: pa.Table,
    watched: Callable[[Networks], Iterable[Network]] = iter,
    seconds: float | None = None,
) -> tuple[pa.Table, list[str]]:
    """The rows of theory.parquet for each network of ``plan`` with i.i.d. weights, in ``NETWORK_ORDER``.

    Networks of which the computation fails have none; what was raised comes second, each once: mostly by a
    user's own function, else it is an error of winit's. ``watched`` hands the networks on, and may show how
    far it has come. A user's own function that does not return within ``seconds`` has no theory, here or of
    the networks that follow.
    """
    problems: dict[str, None] = {}
    networks = plan.select(NETWORK_KEYS).group_by(list(NETWORK_KEYS)).aggregate([]).to_pylist()
    networks.sort(key=lambda network: tuple(network[key] for key in NETWORK_ORDER))
    sources = sources_in(plan)
    tables = [THEORY.empty_table()]
    for network in watched(networks):
        try:
            labels = network["initializer"], network["activation"], network["input"]
            own = next(filter(source_name, labels), None)
            whose = own or " with ".join(labels[:2])
            with theory_for(whose), guarded(whose, seconds if own else None, own):
                predicted = _predicted(network, sources)
        except NoTheoryError as error:
            problems[error.problem] = None
        else:
            tables += [] if predicted is None else [_rows(network, predicted)]
    return pa.concat_tables(tables).combine_chunks(), list(problems)


def _predicted(network: Network, sources: Sources) -> Prediction | None:
    return predict(
        initializer(network["initializer"], sources),
        activation(network["activation"], sources),
        network["depth"],
        network["width"],
        Probe(**{key: network[key] for key in PROBE_KEYS}),
        sources,
    )


def _rows(network: Network, predicted: Prediction) -> pa.Table:
    """The layers of one network. What is not defined is null."""
    rows = network["depth"] + 1
    values: dict[str, Any] = {name: [value] * rows for name, value in network.items()}
    values["layer"] = range(rows)
    spread, limits = predicted.spread, predicted.limits
    values |= {
        "h_std_spread": spread.h_std,
        "h_std_shift": spread.h_std_shift,
        "g_std_ratio_spread": spread.g_std_ratio,
        "g_std_ratio_shift": spread.g_std_ratio_shift,
    }
    for name in THEORY.names:
        if name not in values:
            limit = getattr(limits, name, None)
            values[name] = getattr(predicted, name) if hasattr(predicted, name) else [limit] * rows
    return pa.table([_column(field, values[field.name]) for field in THEORY], schema=THEORY)


def _column(field: pa.Field, values: Any) -> pa.Array:
    if isinstance(values, np.ndarray):
        return pa.array(values, field.type, from_pandas=True)
    return pa.array(values, field.type)


def _compared(name: str) -> str:
    # Of what is 0 or infinite there is no logarithm; a quotient may be beyond the range of numbers.
    predicted = f"CASE WHEN isfinite(theory.{name}) THEN nullif(theory.{name}, 0) END"
    ratio = f"(ln(nullif(measured.{name}, 0)) - ln({predicted}))"
    return f"""
        exp(avg(ln(nullif(measured.{name}, 0)))) AS {name},
        any_value(theory.{name}) AS {name}_predicted,
        exp(avg({ratio})) AS {name}_to_theory,
        CASE WHEN any_value({name}_spread) IS NOT NULL
             THEN (avg({ratio}) - any_value({name}_shift)) * sqrt(count({ratio}))
                  / any_value(greatest({name}_spread, {ROUNDING})) END AS {name}_z"""


_KEYS = ", ".join(NETWORK_KEYS)

COMPARISON = f"""
    SELECT {_KEYS}, layer, {", ".join(map(_compared, COMPARED))}
    FROM (SELECT {_KEYS}, layer, {", ".join(f"{sql} AS {name}" for name, sql in _MEASURED.items())}
          FROM layers) AS measured
    JOIN theory USING ({_KEYS}, layer)
    WHERE layer > 0 GROUP BY {_KEYS}, layer
"""
"""SQL: how far each hidden layer of each network is from theory, a row for each, over its seeds.

Of every name in ``COMPARED``: the measured value (geometric mean over seeds), the predicted one, their ratio,
and z, the logarithm of the ratio, less the shift that the width lets expect, over its standard error.
Networks of which theory says nothing have no rows.
"""
