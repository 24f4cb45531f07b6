"""The one way to write a page: a template that escapes what it is given, and scripts that it names by digest.

Labels, errors and file names are of others. As text they are escaped by the template; as data they stand in
scripts of JSON, which are not run, without a sign that could end them. What runs are the scripts that the
page's own policy names by digest: one that came in otherwise would not.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

import jinja2
import vl_convert
from markupsafe import Markup


def part(name: str) -> str:
    """A file of ``web/``."""
    return (resources.files("winit.findings") / "web" / name).read_text(encoding="utf-8")


def page(template: str, scripts: Sequence[str], **values: Any) -> str:
    """A page of ``web/``, with the library that draws and then ``scripts``, files of ``web/``, at its end.

    ``values`` are escaped where they stand, but for what ``as_script`` and ``raw`` gave.
    """
    library: str = vl_convert.javascript_bundle()  # type: ignore[call-arg] # its stub lacks the default
    run = [library, *map(part, scripts)]
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, loader=jinja2.FunctionLoader(part)
    )
    return environment.get_template(template).render(
        policy=raw(_policy(run)), scripts=[*map(raw, run)], **values
    )


def chart_page(title: str, definition: dict[str, Any], config: dict[str, Any] | None = None) -> str:
    """A page with one chart, a Vega-Lite definition without holes."""
    drawn = {"definition": definition, "config": config or {}}
    return page("chart.html.j2", ["chart.js"], title=title, drawn=as_script(drawn))


def as_script(value: Any) -> Markup:
    """JSON that can stand inside a script element."""
    return raw(json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"))


def raw(text: str) -> Markup:
    """Our own text, which is HTML, CSS or a script as it is."""
    return Markup(text)  # noqa: S704 - nothing of others comes here


def _policy(scripts: Sequence[str]) -> str:
    """What the page may do: draw with these scripts. It asks for nothing, wherever it lies.

    Vega makes functions out of expressions, hence the eval.
    """
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    run = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {run} 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:;"
        " base-uri 'none'; form-action 'none'"
    )
