"""What the layers of each network did, over its seeds, and what theory predicts: what layer charts show.

A profile is a dictionary of lists, one entry for each layer. ``datasets`` turns profiles into the rows of the
charts; the report's page does the same in ``web/data.js``, from the text that ``as_text`` writes.
"""

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from winit.findings.database import Database
from winit.network.activations import histogram_range
from winit.network.summaries import HISTOGRAM_BINS, MAGNITUDE_DECADES, histogram_edges
from winit.sweep.schema import NETWORK_KEYS

Profile = dict[str, Any]
Rows = list[dict[str, Any]]

MEASURED = {
    "h_mean": "h_mean",
    "h_std": "h_std",
    "g_std": "g_std",
    "weight_grad_norm": "weight_grad_norm",
    "saturated": "saturated_fraction",
    "dead": "dead_units / fan_out",
    "distinct": "distinct_units::DOUBLE",
    "cosine": "cosine_mean",
}
"""What is drawn by layer, over the columns of ``layers``: means over seeds, and their ends."""
PREDICTED = {"h_mean": "h_mean", "h_std": "h_std", "g_std": "g_std_ratio", "cosine": "cosine_mean"}
"""Theory's columns for them. That of gradients is a ratio to the last layer, which is as measured."""

MOST_LAYERS, MOST_HISTOGRAMS = 64, 16
"""Of a deeper network so many are shown, evenly spaced, the first and the last among them."""

LEVELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
"""A bar, as a share of the highest beside it, is one of these letters: finer than it is drawn."""
_LETTERS = np.frombuffer(LEVELS.encode(), np.uint8)
_DIGITS = 5  # of the page's numbers
REACH = 1.6
"""Layers that the highest bar of a ridge reaches over."""

_KEYS = ", ".join(NETWORK_KEYS)


def profiles(database: Database, networks: str) -> Iterator[tuple[int, Profile]]:
    """The profiles of networks, by number; those without a finished cell have none.

    ``networks`` is SQL with the columns ``number`` and ``NETWORK_KEYS``.
    """
    measured = ", ".join(_over_seeds(name, sql) for name, sql in MEASURED.items())
    predicted, join = "", ""
    if "theory" in database.views:
        predicted = "".join(
            f", CASE WHEN isfinite(theory.{sql}) THEN theory.{sql} END AS theory_{name}"
            for name, sql in PREDICTED.items()
        )
        join = f"LEFT JOIN theory USING ({_KEYS}, layer)"
    table = database.sql(f"""
        SELECT measured.*{predicted}
        FROM (SELECT number, {_KEYS}, layer, count(*) AS seeds, {measured},
                  {_of_the_first_seed("h_histogram", "h_magnitude", "g_magnitude")}
              FROM layers JOIN ({networks}) AS networks USING ({_KEYS})
              WHERE layer > 0 AND {_among(MOST_LAYERS)} GROUP BY number, {_KEYS}, layer) AS measured
        {join} ORDER BY number, layer""").to_arrow_table()
    numbers = table["number"].to_numpy()
    bounds = [*np.flatnonzero(np.diff(numbers, prepend=-1)), len(numbers)]
    for start, end in itertools.pairwise(bounds):
        yield int(numbers[start]), _profile(table.slice(start, end - start))


def _among(most: int) -> str:
    """Whether a layer is among so many of its network."""
    return f"(layer = 1 OR layer * {most} // depth > (layer - 1) * {most} // depth)"


def _over_seeds(name: str, sql: str) -> str:
    aggregates = {name: "avg", f"{name}_low": "min", f"{name}_high": "max"}
    return ", ".join(f"{each}({sql}) FILTER (isfinite({sql})) AS {of}" for of, each in aggregates.items())


def _of_the_first_seed(*columns: str) -> str:
    shown = _among(MOST_HISTOGRAMS)
    return ", ".join(f"arg_min({name}, seed) FILTER ({shown}) AS {name}" for name in columns)


def _profile(rows: pa.Table) -> Profile:
    """One network's."""
    found: Profile = {"layer": rows["layer"].to_pylist()}
    ends = ("_low", "_high") if max(rows["seeds"].to_pylist()) > 1 else ()
    for name in MEASURED:
        for column in (name, *(name + end for end in ends)):
            found[column] = rows[column].to_pylist()
    last = found["g_std"][-1]
    for name in PREDICTED if "theory_h_std" in rows.column_names else ():
        factor = 1.0 if name != "g_std" else last or 0.0
        # Where nothing is drawn as measured, a prediction would only stretch the axis.
        values = [
            None if predicted is None or not _drawn(name, measured) else _finite(predicted * factor)
            for predicted, measured in zip(rows[f"theory_{name}"].to_pylist(), found[name], strict=True)
        ]
        if any(value is not None for value in values):
            found[f"theory_{name}"] = values
    counts = rows.filter(rows["h_histogram"].is_valid())
    if counts.num_rows:
        low, high = histogram_range(counts["activation"][0].as_py())
        magnitudes = {of: _counts(counts[f"{of}_magnitude"]) for of in ("h", "g")}
        found |= {
            "range": [low, high],
            "binned": counts["layer"].to_pylist(),
            "bars": _bars_of(_counts(counts["h_histogram"]), magnitudes["h"][:, 0], low, high),
            # Without what is exactly zero, and what is not finite.
            "h": [_trimmed(row) for row in _levels(magnitudes["h"][:, 1:-1])],
            "g": [_trimmed(row) for row in _levels(magnitudes["g"][:, 1:-1])],
        }
    return found


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _drawn(name: str, measured: float | None) -> bool:
    return measured is not None and (measured > 0 or name not in {"h_std", "g_std"})


def _counts(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.array(column.to_pylist(), np.int64)


def _bars_of(counts: NDArray[np.int64], zeros: NDArray[np.int64], low: float, high: float) -> list[str]:
    """Histograms as letters. The half of all that ReLU makes 0 would leave nothing of the rest to see."""
    rest = counts.copy()
    edges = histogram_edges(low, high)
    if low <= 0 <= high:
        # Slot 0 is what lies below the range.
        rest[:, np.clip(np.searchsorted(edges, 0.0, "right"), 1, HISTOGRAM_BINS)] -= zeros
    return _levels(counts, np.where(rest.any(axis=1), rest.max(axis=1), counts.max(axis=1)))


def _levels(counts: NDArray[np.int64], highest: NDArray[np.int64] | None = None) -> list[str]:
    """Each row of counts as letters, beside its own highest or the one that is given."""
    highest = np.maximum(counts.max(axis=1) if highest is None else highest, 1)[:, None]
    # What is there at all can be seen.
    levels = np.ceil(np.minimum(counts, highest) * (len(LEVELS) - 1) / highest).astype(np.int64)
    return [row.tobytes().decode() for row in _LETTERS[levels]]


def _trimmed(row: str) -> list[Any]:
    """Where the first letter that is not the lowest stands, and from there to the last."""
    inner = row.strip(LEVELS[0])
    return [row.index(inner) if inner else 0, inner]


def as_text(profile: Profile) -> str:
    """The same as a line of JSON, five digits a number."""
    return "{" + ",".join(f'"{name}":{_text(values)}' for name, values in profile.items()) + "}"


def _number(value: float | None) -> str:
    """JSON knows no infinity, which rounding may give too."""
    text = "null" if value is None else f"{value:.{_DIGITS}g}"
    return text if value is None or math.isfinite(float(text)) else "null"


def _text(values: list[Any]) -> str:
    if any(isinstance(value, float) for value in values):
        return f"[{','.join(map(_number, values))}]"
    return json.dumps(values, separators=(",", ":"))


def datasets(named: Sequence[tuple[str, Profile]]) -> dict[str, Rows]:
    """The rows that layer charts are drawn from, of profiles with the names that they are to have."""
    found: dict[str, Rows] = {"measured": [], "theory": [], "bars": [], "magnitudes": []}
    for network, profile in named:
        found["measured"] += _by_layer(network, profile, _MEASURED_COLUMNS, "")
        found["theory"] += _by_layer(network, profile, PREDICTED, "theory_")
        if "bars" in profile:
            found["bars"] += _bars(network, profile)
            found["magnitudes"] += _magnitudes(network, profile)
    return found


_MEASURED_COLUMNS = [name + end for name in MEASURED for end in ("", "_low", "_high")]


def _by_layer(network: str, profile: Profile, columns: Iterable[str], prefix: str) -> Rows:
    there = [name for name in columns if prefix + name in profile]
    return [
        {"network": network, "layer": layer} | {name: profile[prefix + name][k] for name in there}
        for k, layer in enumerate(profile["layer"])
        if there
    ]


def _bars(network: str, profile: Profile) -> Rows:
    low, high = profile["range"]
    step = (high - low) / HISTOGRAM_BINS
    return [
        {
            "network": network,
            "layer": layer,
            "bin": bin_,
            "from": low + step * bin_ if bin_ >= 0 else None,
            "to": low + step * (bin_ + 1) if bin_ < HISTOGRAM_BINS else None,
            "beyond": not 0 <= bin_ < HISTOGRAM_BINS,
            "share": LEVELS.index(letter) / (len(LEVELS) - 1),
        }
        for layer, letters in zip(profile["binned"], profile["bars"], strict=True)
        for bin_, letter in enumerate(letters, -1)
        if letter != LEVELS[0]
    ]


def _magnitudes(network: str, profile: Profile) -> Rows:
    """The outline of each layer's ridge: the middles of its decades, and a zero on either side."""
    reach = REACH * profile["layer"][-1] / len(profile["binned"])
    rows = []
    for of in ("h", "g"):
        for layer, (start, letters) in zip(profile["binned"], profile[of], strict=True):
            outline = LEVELS[0] + letters + LEVELS[0]
            first = MAGNITUDE_DECADES[0] - 1.5 + start  # slot 0 is below the first decade
            rows += [
                {
                    "network": network,
                    "of": of,
                    "layer": layer,
                    "exponent": first + k,
                    "top": layer - reach * LEVELS.index(letter) / (len(LEVELS) - 1),
                }
                for k, letter in enumerate(outline)
                if letters
            ]
    return rows
