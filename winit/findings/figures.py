"""All figures, in the order in which the report shows them, and what ``snakemake --report`` says of them.

``python -m winit.findings.figures`` writes the captions as ``workflow/report/figures.rst``.
"""

import json
import re
import sys

from winit.findings import charts, training_charts, verdict_map
from winit.findings.claims import evidence
from winit.findings.database import Database
from winit.findings.drawing import save
from winit.findings.layer_charts import LAYER_CHARTS
from winit.findings.together import check_together
from winit.sweep.layout import Results

CAPTIONS = {
    verdict_map.NAME: verdict_map.CAPTION,
    **{chart.name: chart.caption for chart in LAYER_CHARTS},
    charts.PHASE: charts.PHASE_CAPTION,
    training_charts.OVERVIEW: training_charts.OVERVIEW_CAPTION,
    **{chart.name: chart.caption for chart in training_charts.CHARTS},
    evidence.NAME: evidence.CAPTION,
}
"""By the part of a figure's name before the first hyphen."""


def save_figures(results: Results) -> None:
    """Write every figure as SVG and PNG. Claims are drawn as they were last put to the results."""
    check_together(results)
    database = Database(results.folder)
    with database.naming_damage():
        made = [
            *charts.figures(database),
            *training_charts.figures(database),
            *evidence.figures(database).values(),
        ]
    save(made, results)


def page() -> str:
    """The caption of a figure as Snakemake's report has it: reStructuredText, by the figure's wildcard."""
    escaped = {name: re.sub(r"([\\*`|_])", r"\\\1", caption) for name, caption in CAPTIONS.items()}
    captions = json.dumps(escaped, ensure_ascii=False, indent=2)
    return (
        f"{{# Made by `make docs`. #}}\n{{% set captions = {captions} %}}\n"
        "{{ captions[snakemake.wildcards.chart] }}\n"
    )


if __name__ == "__main__":
    sys.stdout.write(page())
