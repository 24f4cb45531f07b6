"""All layer charts of one network as one picture."""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import altair as alt
import pyarrow as pa
import pyarrow.parquet as pq

from winit.findings.database import Database
from winit.findings.drawing import COLUMNS, STYLE, WIDTH, Rows, filled
from winit.findings.layer_charts import LAYER_CHARTS
from winit.findings.palette import PRINTED
from winit.findings.pictures import save_picture
from winit.findings.predictions import theory_of
from winit.findings.profiles import datasets, profiles
from winit.sweep.layout import Results
from winit.sweep.schema import NETWORK_KEYS

# The charts that stand side by side, and how wide each of them is.
_ROWS = (
    (("std", "gradients", "mean"), 170),
    (("histograms",), 640),
    (("magnitudes", "gradient_magnitudes", "distinct"), 170),
    (("saturated", "dead", "cosine"), 170),
)


def save_portrait(path: Path, layers: pa.Table, plan: pa.Table) -> None:
    """Draw the layer rows of the one cell of a plan, beside theory, as an .svg, .png, .pdf or .html file."""
    definition = _definition(*_named(layers, plan))
    save_picture(path, str(definition["title"]["text"]), definition, STYLE)


def _named(layers: pa.Table, plan: pa.Table) -> tuple[str, str, dict[str, Rows]]:
    """What the network is called, shortly and whole, and the data sets of its charts."""
    (network,) = plan.to_pylist()
    keys = ", ".join(NETWORK_KEYS)
    with TemporaryDirectory() as folder:
        results = Results(Path(folder))
        results.layers.mkdir()
        pq.write_table(layers, results.layers / "layers.parquet")
        pq.write_table(theory_of(plan)[0], results.theory)
        ((_, profile),) = profiles(
            Database(results.folder), f"SELECT DISTINCT {keys}, 0 AS number FROM layers"
        )
    name = network["initializer"]
    whole = (
        f"{name}, {network['activation']}, {network['depth']} × {network['width']}, seed {network['seed']}"
    )
    return name, whole, datasets([(name, profile)])


def _definition(name: str, title: str, data: Mapping[str, Rows]) -> dict[str, Any]:
    charts = {chart.name: chart for chart in LAYER_CHARTS if chart.has(data[chart.data])}
    rows = []
    for names, width in _ROWS:
        panels = []
        for chart in (charts[each] for each in names if each in charts):
            figure = chart.figure(chart.name, name, [name], data)
            holes = PRINTED | dict(figure.holes) | {WIDTH: width, COLUMNS: 1, "@legend": None}
            panel = {key: part for key, part in figure.definition.items() if key not in {"$schema", "config"}}
            panels.append(filled(panel, holes) | {"title": chart.title})
        if panels:
            rows.append({"hconcat": panels})
    return {
        "$schema": alt.SCHEMA_URL,
        "title": {"text": title, "fontSize": 14},
        "description": f"What each layer of a network did: {title}",
        "vconcat": rows,
        "datasets": json.loads(json.dumps(data)),
        "resolve": {"scale": {"color": "independent", "shape": "independent"}},
    }
