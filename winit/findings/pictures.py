"""One chart as a file of any kind."""

from pathlib import Path
from typing import Any

import vl_convert

from winit.findings.html import chart_page
from winit.sweep.files import replacing

_PPI = 200
ENDINGS = (".svg", ".png", ".pdf", ".html")


def save_picture(
    path: Path, title: str, definition: dict[str, Any], config: dict[str, Any] | None = None
) -> None:
    """Write a Vega-Lite definition as what the ending of ``path`` says, one of ``ENDINGS``."""
    match path.suffix:
        case ".svg":
            content = vl_convert.vegalite_to_svg(definition, config=config).encode()
        case ".png":
            content = vl_convert.vegalite_to_png(definition, config=config, ppi=_PPI)
        case ".pdf":
            content = vl_convert.vegalite_to_pdf(definition, config=config)
        case ".html":
            content = chart_page(title, definition, config).encode()
        case ending:
            raise ValueError(f"{path}: no picture ends in {ending!r}")
    with replacing(path) as file:
        file.write_bytes(content)
