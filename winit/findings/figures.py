"""All figures, in the order in which the report shows them, and what ``snakemake --report`` says of them.

``python -m winit.findings.figures`` writes the captions as ``workflow/report/figures.rst``.
"""

import json
import re
import sys

from winit.findings import charts, training_charts, verdict_map
from winit.findings.choice import Choice, chosen
from winit.findings.claims import evidence
from winit.findings.database import Database
from winit.findings.drawing import ENDINGS, Figure, save
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
    """Write every figure as SVG and PNG. Claims are drawn as they were last put to the results.

    Figures that are there already and are none of these are removed: they are of other networks or results.
    """
    check_together(results)
    database = Database(results.folder)
    with database.naming_damage():
        made = [
            *charts.figures(database),
            *training_charts.figures(database),
            *evidence.figures(database).values(),
        ]
    save(made, results)
    _remove_others(results, made)


def save_chosen(results: Results, choice: Choice) -> list[str]:
    """Write the layer charts of the networks of a choice beside what is there, and give their names.

    Raises WinitError where the results have none.
    """
    check_together(results)
    database = Database(results.folder)
    with database.naming_damage():
        made = charts.of_layers(database, chosen(database, choice))
    save(made, results)
    return [figure.name for figure in made]


def _remove_others(results: Results, made: list[Figure]) -> None:
    """Whatever is named as a figure of ours, and nothing else."""
    names = {figure.name for figure in made}
    for path in results.figures.glob("*"):
        ours = path.suffix in ENDINGS and path.stem.partition("-")[0] in CAPTIONS
        if ours and path.stem not in names and not path.is_dir():
            path.unlink()


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
