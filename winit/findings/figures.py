"""All figures, in the order in which the report shows them."""

from winit.findings import charts, training_charts
from winit.findings.claims import evidence
from winit.findings.database import Database
from winit.findings.drawing import save
from winit.sweep.layout import Results


def save_figures(results: Results) -> None:
    """Write every figure as SVG and PNG. Claims are drawn as they were last put to the results."""
    database = Database(results.folder)
    for made in (
        charts.figures(database),
        training_charts.figures(database),
        evidence.figures(database).values(),
    ):
        save(made, results)
