"""Pages and pictures show what labels say, and do nothing of it. All markup here is harmless."""

import base64
import hashlib
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import altair as alt
import pytest
from click.testing import CliRunner

from winit.cli import main
from winit.findings.drawing import Figure
from winit.findings.html import as_script, chart_page
from winit.findings.pictures import save_picture

LABELS = [
    "</script><b id=x>",
    "<!--<script>",
    "]]><b id=x>",
    '"><b id="x">',
    "' onload='document.title=1",
    "{{ 7 * 7 }}",
    "</title></textarea><b id=x>",
    "&lt;b id=x&gt;",
    "\\u003cb id=x>",
]
CHART = {
    "data": {"values": [{"name": "a", "n": 1}]},
    "mark": "point",
    "encoding": {"x": {"field": "n", "type": "quantitative"}, "y": {"field": "name", "type": "nominal"}},
}


SHAPES = {"svg", "rect", "g", "path", "text", "line", "clipPath", "defs", "title"}
ELEMENTS = {"html", "head", "meta", "title", "style", "body", "main", "h1", "noscript", "p", "div", "script"}


class Page(HTMLParser):
    """The elements of a page, the text of its scripts and title."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.texts, self._open = [], {}, None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, tuple(name for name, _ in attributes)))
        self._open = (tag, len(self.elements))
        self.texts[self._open] = ""

    def handle_endtag(self, tag):
        self._open = None

    def handle_data(self, data):
        if self._open:
            self.texts[self._open] += data

    def of(self, tag):
        return [text for (name, _), text in self.texts.items() if name == tag]


def chart(label):
    values = [{"name": label, "n": 1}]
    return CHART | {"title": label, "description": label, "data": {"values": values}}


@pytest.mark.parametrize("label", LABELS)
def test_a_label_on_a_page_is_text_and_data_alone(label):
    plain, hostile = Page(chart_page("plain", chart("plain"))), Page(chart_page(label, chart(label)))
    assert hostile.elements == plain.elements
    assert hostile.of("title") == hostile.of("h1") == [label]
    (data,) = [text for text in hostile.of("script") if text.startswith("{")]
    assert json.loads(data)["definition"] == chart(label)


def test_a_page_runs_the_scripts_that_it_names_and_asks_for_nothing():
    text = chart_page("plain", CHART)
    page = Page(text)
    policy = re.search(r'Security-Policy" content="([^"]*)"', text)[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "'unsafe-inline' 'unsafe-eval'" not in policy
    scripts = [script for script in page.of("script") if not script.startswith("{")]
    for script in scripts:
        assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in policy
    assert policy.count("sha256-") == len(scripts) == 2
    assert not re.search(r"<(?:link|img|iframe)|<script[^>]* src=|@import", text.split("<script")[0])


@pytest.mark.parametrize("label", LABELS)
def test_json_in_a_script_means_what_it_meant(label):
    made = as_script({label: [label]})
    assert "<" not in made
    assert json.loads(made) == {label: [label]}


@pytest.mark.parametrize("label", LABELS)
def test_a_label_in_a_picture_is_text_alone(label, tmp_path):
    save_picture(tmp_path / "a.svg", label, chart(label))
    drawn = alt.Chart(alt.Data(values=[{"n": 1, "name": label}])).mark_point().encode(x="n:Q", y="name:N")
    figure = Figure("a", label, label, drawn.properties(title=label)).svg()
    for svg in ((tmp_path / "a.svg").read_text(), figure):
        elements = list(ET.fromstring(svg).iter())  # noqa: S314 - our own file
        assert {element.tag.rpartition("}")[2] for element in elements} <= SHAPES
        assert not [element for element in elements if element.get("id") == "x" or "onload" in element.attrib]
        assert label in [element.text for element in elements]


ACTIVATION = "def act(z):\n    return z * 1, z * 0 + 1\n"


@pytest.mark.parametrize("folder", ["'<b id=x>", "<", "<img src=x "])
def test_the_commands_write_labels_as_text(folder, tmp_path, monkeypatch):
    """The label is a path: from / to / stands what ends a script."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / folder / "script><b id=x>" / "a.py"
    path.parent.mkdir(parents=True)
    path.write_text(ACTIVATION)
    label = f"{folder}/script><b id=x>/a.py:act"
    for command in (
        ["phase", label, "--output", "a.html"],
        ["simulate", "he_normal", label, "--depth", "1", "--width", "4", "--batch", "5", "--plot", "a.html"],
    ):
        (tmp_path / "a.html").unlink(missing_ok=True)
        ran = CliRunner().invoke(main, command)
        assert ran.exit_code == 0, ran.output
        page = Page((tmp_path / "a.html").read_text())
        assert {tag for tag, _ in page.elements} == ELEMENTS
        assert label in page.of("title")[0]
