"""Which networks are drawn as files: the deepest of each activation, or those that somebody asks for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from winit.errors import WinitError
from winit.findings.database import Database, quoted
from winit.findings.drawing import rows_of, settings_of
from winit.findings.names import file_name
from winit.findings.networks import usual_probe
from winit.findings.own import is_own
from winit.network.activations import activation
from winit.network.initializers import initializer
from winit.network.labels import LabelError
from winit.sweep.schema import SIZE_ORDER


@dataclass(frozen=True)
class Network:
    """Which cells a figure shows: one network under one probe, with several initializers."""

    activation: str
    depth: int
    width: str
    probe: tuple[tuple[str, Any], ...] = ()
    """the probe settings in which the results differ, by name"""
    usual: bool = True
    """whether these are those of most networks"""
    initializers: tuple[str, ...] = ()
    """those that are shown; none for all that there are"""

    @property
    def where(self) -> str:
        """The same as an SQL condition."""
        parts: dict[str, Any] = {"activation": self.activation, "depth": self.depth, "width": self.width}
        conditions = [f"{name} = {quoted(value)}" for name, value in (parts | dict(self.probe)).items()]
        if self.initializers:
            conditions.append(f"initializer IN ({', '.join(map(quoted, self.initializers))})")
        return " AND ".join(conditions)

    @property
    def name(self) -> str:
        """The same as a part of a file name."""
        size = (("depth", self.depth), ("width", self.width))
        return file_name(self.activation, *settings_of((*size, *self.probe)), *self.initializers)

    def __str__(self) -> str:
        layers = f"{self.depth} {self.activation} layer{'s' * (self.depth != 1)} of width {self.width}"
        return ", ".join([layers, *settings_of(self.probe)])


def deepest(database: Database) -> list[Network]:
    """For each activation and probe its deepest network; of several widths the constant and widest one.

    Networks that have a single initializer are left out, if others have several.
    """
    if database.trains_alone:
        return []
    usual = usual_probe(database)
    kind, size = ", ".join(["activation", *usual]), ", ".join(SIZE_ORDER)
    rows = rows_of(
        database,
        f"""SELECT DISTINCT ON ({kind}) {kind}, {size},
                count(DISTINCT initializer) OVER (PARTITION BY {kind}, {size}) AS initializers
            FROM (SELECT DISTINCT {kind}, {size}, initializer FROM layers)
            ORDER BY {kind}, initializers = 1, depth DESC, contains(width, '-'),
            width_first DESC, width_last DESC, width""",
    )
    several = [row for row in rows if row["initializers"] > 1]
    return [_network(row, usual) for row in several or rows]


def _network(row: dict[str, Any], usual: dict[str, Any], initializers: tuple[str, ...] = ()) -> Network:
    return Network(
        row["activation"],
        row["depth"],
        row["width"],
        tuple((key, row[key]) for key in usual),
        all(row[key] == usual[key] for key in usual),
        initializers,
    )


@dataclass(frozen=True)
class Choice:
    """Networks that somebody asks for; of a name without values all."""

    initializer: tuple[str, ...] = ()
    activation: tuple[str, ...] = ()
    depth: tuple[int, ...] = ()
    width: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(vars(self).values())


def chosen(database: Database, choice: Choice) -> list[Network]:
    """The networks of the results that are of a choice, under each of their probes.

    Labels may be written in any way that the catalogue takes. Raises WinitError where a value is not in the
    results, and where no network has all of them.
    """
    found = {name: _in_results(database, name, values) for name, values in vars(choice).items() if values}
    where = " AND ".join(f"{name} IN ({', '.join(map(quoted, values))})" for name, values in found.items())
    usual = usual_probe(database)
    kind = ", ".join(["activation", *SIZE_ORDER, *usual])
    rows = rows_of(
        database,
        f"""SELECT {kind}, list(DISTINCT initializer ORDER BY initializer) AS initializers
            FROM cells WHERE status = 'ok' AND {where} GROUP BY {kind} ORDER BY {kind}""",
    )
    if not rows:
        asked = ", ".join(f"{name} {' or '.join(map(str, values))}" for name, values in found.items())
        query = f"SELECT DISTINCT {', '.join(found)} FROM cells"
        raise WinitError(
            f"no network of these results has {asked}; what there is says"
            f' `winit query --results {database.folder} "{query}"`'
        )
    return [_network(row, usual, tuple(row["initializers"]) if choice.initializer else ()) for row in rows]


_CANONICAL: dict[str, Callable[[str], str]] = {
    "initializer": lambda label: initializer(label).label,
    "activation": lambda label: activation(label).label,
}


def _in_results(database: Database, name: str, values: tuple[Any, ...]) -> list[Any]:
    """The values as the results have them, each once."""
    order = ", ".join(SIZE_ORDER[1:]) if name == "width" else name
    there = [
        row[name]
        for row in rows_of(
            database, f"SELECT DISTINCT {order} FROM cells WHERE status = 'ok' ORDER BY {order}"
        )
    ]
    found = []
    for value in values:
        meant = value if value in there else _canonical(name, value)
        if meant not in there:
            listed = ", ".join(map(str, there)) or "none, since no cell has finished"
            raise WinitError(f"these results have no network of {name} {value}; there is: {listed}")
        found.append(meant)
    return list(dict.fromkeys(found))


def _canonical(name: str, value: Any) -> Any:
    """As labels are written in the results; of users' functions, whose code is not read here, as it is."""
    try:
        return value if name not in _CANONICAL or is_own(value) else _CANONICAL[name](value)
    except LabelError:  # what is no label is in no results either
        return value
