"""The Python interface. Imports wait for the call, so that the commands start at once."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from winit.findings.database import Database


def simulate(
    initializer: str,
    activation: str,
    depth: int = 10,
    width: int | str = 500,
    seed: int = 0,
    **probe: Any,
) -> "pa.Table":
    """One cell, now: its layer rows, in the columns of ``results/layers``.

    ``probe`` takes batch, input, dtype, outputs, bias_std and histograms, as in the config. Raises
    ``winit.WinitError`` with everything that is wrong. The same numbers as in a sweep.

    >>> import winit
    >>> rows = winit.simulate("he_normal", "relu", depth=50, width=512, seed=0)
    >>> round(rows["h_std"][50].as_py(), 2)
    0.52
    """
    import psutil
    from threadpoolctl import threadpool_limits

    from winit.network.kernel import measure
    from winit.sweep.config import Config
    from winit.sweep.plan import cells_of, check_memory, make_plan
    from winit.sweep.schema import layer_rows

    grid = {
        "initializer": initializer,
        "activation": activation,
        "depth": depth,
        "width": width,
        "seed": seed,
        "probe": probe,
    }
    config = Config.checked({"grids": [grid]}, "simulate")
    plan = make_plan(config)
    check_memory(plan, psutil.virtual_memory().total)
    # As on a worker of a sweep: more threads would add up in another order.
    with threadpool_limits(1):
        return layer_rows(list(measure(cells_of(plan))))


def open_results(folder: str | Path = "results") -> "Database":
    """The results as DuckDB views layers, cells and summary, read-only.

    ``open_results().sql("SELECT …")`` gives a relation: ``.pl()``, ``.df()``, ``.to_arrow_table()``.
    Raises ``winit.WinitError`` where there are none.
    """
    from winit.findings.database import Database

    return Database(folder)
