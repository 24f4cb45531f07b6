"""What the findings show of the user's own functions: computed by ``winit theory``, and read as data.

The findings run nobody's code, so that they can be made of results of whatever origin. Of a function in the
catalogue they compute what they show themselves.
"""

import hashlib
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from winit.errors import WinitError
from winit.findings.database import maker
from winit.findings.plane import Plane, plane_of
from winit.network.activations import Activation, activation
from winit.network.draws import Draws
from winit.network.initializers import Initializer, Layer, initializer
from winit.network.labels import described
from winit.network.meanfield import fixed_point
from winit.network.sources import Sources, source_name
from winit.sweep.files import replacing
from winit.sweep.layout import Results
from winit.sweep.plan import sources_in
from winit.visible import visible

_CURVE_POINTS = 40
_BEYOND = 1.5  # times the largest σ_w, and the smallest one divided by it: so far a stored curve goes
_LONGEST = 1e300  # JSON knows no infinity
Rows = list[dict[str, Any]]
Curve = list[tuple[float, float]]


class Scale(NamedTuple):
    """σ_w and σ_b of the inner layers of a network that is trained; no σ_w where weights have no such law."""

    initializer: str
    activation: str
    width: str
    bias_std: float
    sigma_w: float | None
    sigma_b: float | None


class DepthScales(NamedTuple):
    """ξ_c over σ_w, at one σ_b."""

    activation: str
    sigma_b: float
    curve: Curve


class Functions(BaseModel):
    """All that is shown of functions that are not in the catalogue."""

    model_config = ConfigDict(extra="forbid")

    phases: dict[str, Plane] = {}
    """by activation"""
    scales: list[Scale] = []
    depth_scales: list[DepthScales] = []

    def scale(
        self, initializer: str, activation: str, width: str, bias_std: float
    ) -> tuple[float, float] | None:
        """σ_w and σ_b; None where there are none, or nothing is known."""
        for scale in self.scales:
            if scale[:4] == (initializer, activation, width, bias_std) and scale.sigma_w is not None:
                return scale.sigma_w, scale.sigma_b or 0.0
        return None

    def curve(self, activation: str, sigma_b: float) -> Curve:
        """ξ_c over σ_w; empty where nothing is known."""
        return next((each.curve for each in self.depth_scales if each[:2] == (activation, sigma_b)), [])


def is_own(label: str) -> bool:
    """Whether a label is that of a user's own function."""
    return source_name(label) is not None


def scale_of(found: Initializer, phi: Activation, width: str, bias_std: float) -> tuple[float, float] | None:
    """σ_w and σ_b of an inner layer; None where weights are not i.i.d. with mean 0, or the width tapers."""
    if "-" in width or not found.is_iid_with(phi):
        return None
    n = int(width)
    laws = found.laws(Layer(n, n, 2, 3, phi, Draws(0), np.dtype(np.float64)))
    if laws is None or laws[0].mean or not laws[0].std:
        return None
    # Rounded, so that one σ_w by two ways is one.
    return float(f"{math.sqrt(n) * laws[0].std:.6g}"), laws[1].std if laws[1] else bias_std


def curve_of(phi: Activation, sigma_b: float, low: float, high: float) -> Curve:
    """ξ_c over σ_w by theory, where there is one."""
    across = np.linspace(low, high, _CURVE_POINTS).tolist()
    found = [(sigma_w, fixed_point(phi, sigma_w, sigma_b).xi_c) for sigma_w in across if sigma_w > 0]
    return [(sigma_w, min(xi, _LONGEST)) for sigma_w, xi in found if xi]


def write_functions(results: Results, theory: pa.Table, cells: pa.Table, runs: pa.Table) -> list[str]:
    """Write functions.json for the activations in ``theory``, which is that of the plan of cells, and for the
    training plan.

    Runs the user's code that the plans have. Gives what it raised, each once.
    """
    problems: dict[str, None] = {}
    found = Functions(
        phases=dict(_each(_phases(theory, sources_in(cells)), problems)),
        scales=list(_each(_scales(runs), problems)),
    )
    found.depth_scales = list(_each(_curves(found.scales, sources_in(runs)), problems))
    text = found.model_dump_json()
    with replacing(results.functions) as file:
        file.write_text(f'{{"digest":"{_digest(text)}","functions":{text}}}\n', encoding="utf-8")
    return list(problems)


def _each(work: Iterable[tuple[str, Callable[[], Any]]], problems: dict[str, None]) -> Iterator[Any]:
    """What comes of each piece of work with the function of a label; what it raises is noted."""
    for label, piece in work:
        try:
            yield piece()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - anybody's code
            problems[f"{label}: {described(error)}"] = None


def _phases(theory: pa.Table, sources: Sources) -> Iterator[tuple[str, Callable[[], Any]]]:
    last = theory.filter(pc.equal(theory["layer"], theory["depth"]))
    for label in filter(is_own, last["activation"].unique().to_pylist()):
        rows = last.filter(pc.and_(pc.equal(last["activation"], label), pc.is_valid(last["chi_1"])))
        points: Rows = rows.select(["sigma_w", "sigma_b"]).to_pylist()

        def phase(label: str = label, points: Rows = points) -> tuple[str, Plane]:
            return label, plane_of(activation(label, sources), points)

        yield label, phase


def _scales(runs: pa.Table) -> Iterator[tuple[str, Callable[[], Any]]]:
    keys = ["initializer", "activation", "width", "bias_std"]
    sources = sources_in(runs)
    networks = runs.select(keys).group_by(keys).aggregate([]).to_pylist()
    for network in sorted(tuple(row[key] for key in keys) for row in networks):
        own = next(filter(is_own, network[:2]), None)
        if own is None:
            continue

        def scale(network: tuple[str, str, str, float] = network) -> Scale:
            label, of, width, bias_std = network
            found = scale_of(initializer(label, sources), activation(of, sources), width, bias_std)
            return Scale(*network, *(found or (None, None)))

        yield own, scale


def _curves(scales: Iterable[Scale], sources: Sources) -> Iterator[tuple[str, Callable[[], Any]]]:
    ends: dict[tuple[str, float], list[float]] = {}
    for scale in scales:
        if is_own(scale.activation) and scale.sigma_w is not None and scale.sigma_b is not None:
            ends.setdefault((scale.activation, scale.sigma_b), []).append(scale.sigma_w)
    for (label, sigma_b), found in ends.items():

        def curve(label: str = label, sigma_b: float = sigma_b, found: list[float] = found) -> DepthScales:
            phi = activation(label, sources)
            return DepthScales(
                label, sigma_b, curve_of(phi, sigma_b, min(found) / _BEYOND, max(found) * _BEYOND)
            )

        yield label, curve


def functions_in(folder: Path) -> Functions:
    """What functions.json says; nothing, which it says, where it is not there.

    Raises WinitError where it is not as it was written.
    """
    results = Results(folder)
    if not results.functions.exists():
        said = (
            f"winit: there is no {results.functions}, which has what is drawn of your own functions;"
            f" {maker('theory', results)} makes it"
        )
        print(visible(said), file=sys.stderr)  # noqa: T201
        return Functions()
    try:
        read = json.loads(results.functions.read_text(encoding="utf-8"))
        found = Functions.model_validate(read["functions"])
        sound = _digest(found.model_dump_json()) == read["digest"]
    except (ValueError, TypeError, KeyError):
        sound = False
    if not sound:
        raise WinitError(f"{results.functions} is damaged; {maker('theory', results)} makes it anew")
    return found


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
