"""The Python interface. Imports wait for the call, so that the commands start at once."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from winit.errors import WinitError

if TYPE_CHECKING:
    import distributed
    import pyarrow as pa

    from winit.findings.database import Database
    from winit.network.activations import Activation
    from winit.network.arrays import Array
    from winit.network.initializers import WithBias
    from winit.sweep.asked import Asked

    Label = str | Callable[..., Any]

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def _in_one_thread(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """``function``, with the bits that the commands give: more threads would add up in another order."""

    @wraps(function)
    def computing(*arguments: _Parameters.args, **settings: _Parameters.kwargs) -> _Result:
        from winit.sweep.machine import one_thread

        with one_thread():
            return function(*arguments, **settings)

    return computing


@_in_one_thread
def simulate(
    initializer: "Label | Sequence[Array | WithBias]",
    activation: "Label",
    depth: int | None = None,
    width: int | str | Sequence[int] | None = None,
    seed: int = 0,
    **probe: Any,
) -> "pa.Table":
    """One cell, now: its layer rows, in the columns of ``results/layers``.

    ``depth`` is 10, or as many hidden layers as ``width`` names, where these are more than two; ``width`` is
    500. ``probe`` takes batch, input, input_width, dtype, outputs, bias_std and histograms, as in the config.
    Raises ``winit.WinitError`` with everything that is wrong. The same numbers as in a sweep.

    Initializer, activation and input may be functions, as in docs/your-own.md, in the place of labels. The
    input may be an array, its first axis the examples, which are all taken where no batch is said. The
    initializer may be the weights themselves, (fan_in, fan_out) for each hidden layer and the readout; then
    they say what depth, width, input_width and outputs are.

    >>> import winit
    >>> rows = winit.simulate("he_normal", "relu", depth=50, width=512, seed=0)
    >>> round(rows["h_std"][50].as_py(), 2)
    0.52
    """
    from winit.network.labels import described
    from winit.sweep.asked import asked
    from winit.sweep.kinds import cells_of, kind_of
    from winit.sweep.machine import memory_limit
    from winit.sweep.plan import check_memory
    from winit.sweep.settings import Room

    with asked(initializer, activation, depth, width, probe) as network:
        plan = plan_of("simulate", network, seed)
        check_memory(plan, Room(memory_limit(), 1, "the machine's"))
        (cell,) = cells_of(plan)
        kind = kind_of(plan)
        try:
            return kind.rows(list(kind.compute([cell])))
        except Exception as error:
            if not cell.sources:
                raise
            raise WinitError(
                f"{network.initializer} with {network.activation}: {described(error)}"
            ) from error


@_in_one_thread
def theory(
    initializer: "Label",
    activation: "Label",
    depth: int | None = None,
    width: int | str | Sequence[int] | None = None,
    **probe: Any,
) -> "pa.Table":
    """What mean-field theory predicts for a network: its rows, in the columns of ``results/theory.parquet``.

    All is as in ``simulate``. Raises ``winit.WinitError`` with everything that is wrong, and where
    the weights are not independent and identically distributed.

    >>> import winit
    >>> rows = winit.theory("mean_field(sigma_w=1.5, sigma_b=0.3)", "tanh", depth=50)
    >>> round(rows["q_star"][0].as_py(), 4), round(rows["xi_c"][0].as_py(), 2)
    (0.9608, 19.92)
    """
    from winit.findings.predictions import theory_of
    from winit.sweep.asked import asked

    with asked(initializer, activation, depth, width, probe) as network:
        rows, problems = theory_of(plan_of("theory", network, 0))
    if problems:
        raise WinitError(f"no theory for {'; '.join(problems)}")
    if not rows.num_rows:
        raise WinitError(f"there is no theory for {network.initializer}: its weights are not i.i.d.")
    return rows


@_in_one_thread
def critical_sigma_w(activation: str, sigma_b: float = 0.0) -> float:
    """The σ_w at which χ₁ = 1 with biases of standard deviation ``sigma_b``: neither vanishing nor exploding.

    Raises ``winit.WinitError`` where the activation has none, or there is no such activation.

    >>> import winit
    >>> round(winit.critical_sigma_w("relu"), 6)
    1.414214
    """
    from winit.findings.predictions import NoTheoryError, theory_for
    from winit.network.meanfield import CriticalityError
    from winit.network.meanfield import critical_sigma_w as critical

    if not sigma_b >= 0:
        raise WinitError(f"sigma_b is {sigma_b}; it must be at least 0")
    found = _find(activation)
    try:
        with theory_for(activation):
            return critical(found, sigma_b)
    except NoTheoryError as error:
        if isinstance(error.__cause__, CriticalityError):
            raise WinitError(str(error.__cause__)) from None
        raise


@_in_one_thread
def phase_diagram(activation: str) -> Any:
    """An Altair chart of the phases of an activation over (σ_w², σ_b²); ``.save("phase.svg")`` keeps it.

    As a page, ``winit phase`` keeps it: Altair's own pages take markup in a label for markup.
    Raises ``winit.WinitError`` where there is no such activation, or theory cannot do it.
    """
    from winit.findings.drawing import drawn
    from winit.findings.phase import phase_diagram as draw
    from winit.findings.predictions import theory_for

    found = _find(activation)
    with theory_for(activation):
        chart: Any = drawn(draw, found)
    return chart.properties(title=f"Phases of {activation}", width=420)


def _find(label: str) -> "Activation":
    from winit.network.activations import activation
    from winit.network.labels import LabelError
    from winit.sweep.sources import with_source

    try:
        found = activation(*with_source(label))
        found.try_out()
    except LabelError as error:
        raise WinitError(str(error)) from None
    return found


def plan_of(source: str, network: "Asked", seed: int) -> "pa.Table":
    """The plan of one cell. Raises WinitError with everything that is wrong."""
    from winit.sweep.config import Config
    from winit.sweep.plan import make_plan

    plan = make_plan(Config.checked({"grids": [network._asdict() | {"seed": seed}]}, source))
    if plan.num_rows > 1:
        raise WinitError(f"{source} takes one network, not {plan.num_rows}; a config takes many")
    return plan


def open_cluster(
    settings: Mapping[str, Any] | None = None, workers: int | None = None, folder: Path | str = "results"
) -> "AbstractContextManager[distributed.Client]":
    """A Dask client of a cluster as sweeps use it; a context manager.

    ``settings`` are what the config has as ``cluster``, by default this machine, and ``workers`` how many are
    of use. In ``folder``/cluster are the logs of batch jobs. Raises ``winit.WinitError`` where no worker
    comes or where they cannot do the work.

    >>> import winit
    >>> with winit.open_cluster({"kind": "local"}, workers=2) as client:
    ...     client.submit(sum, [1, 2]).result()
    3
    """
    from winit.sweep.cluster import open_cluster as open_with
    from winit.sweep.config import Where, valid

    where = valid(Where, {"cluster": dict(settings or {})}, "open_cluster")
    return open_with(where.cluster, workers, Path(folder))


def open_results(folder: str | Path = "results") -> "Database":
    """The results as DuckDB views, read-only.

    They are layers, cells, theory, summary, answers, ranking, training, training_runs and claims.
    ``open_results().sql("SELECT …")`` gives a relation: ``.pl()``, ``.df()``, ``.to_arrow_table()``.
    Raises ``winit.WinitError`` where there are none, and warns where tables are not of one plan, and where a
    query writes a label otherwise than they do.
    """
    from winit.findings.database import Database
    from winit.findings.together import mixtures
    from winit.sweep.layout import Results

    def warn(line: str) -> None:
        warnings.warn(line, stacklevel=4)  # where the query is

    database = Database(folder, warn)
    if problems := mixtures(Results(Path(folder))):
        warnings.warn("\n".join(problems), stacklevel=2)
    return database
