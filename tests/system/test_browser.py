"""What the other tests see a page by: nothing that a page does escapes them."""

import json

import pytest
import vl_convert
from browser import chromium, opened

from winit.findings.html import chart_page

CHART = {
    "data": {"name": "cells", "values": [{"kind": "a", "n": n} for n in range(4)] + [{"kind": "b", "n": 9}]},
    "params": [{"name": "kind", "value": "a"}],
    "transform": [{"filter": "datum.kind == kind"}],
    "mark": "point",
    "encoding": {"x": {"field": "n", "type": "quantitative"}},
}
PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>A page</title>
<meta name="viewport" content="width=device-width"></head><body><main><h1>A page</h1>
<label>Kind <select><option>a</option><option>b</option></select></label><div id="chart"></div></main>
<script>{library}</script><script>
window.winit = {{ views: {{}} }};
vegaEmbed("#chart", {chart}, {{ renderer: "svg" }}).then(({{ view }}) => {{
  winit.views.kinds = view;
  document.querySelector("select").onchange = event => view.signal("kind", event.target.value).run();
  document.documentElement.dataset.ready = "true";
}});
</script></body></html>"""
READY = """<script>document.documentElement.dataset.ready = "true"</script>"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(tmp_path):
    """Makes a page of some HTML, which is ready at once."""

    def written(html):
        path = tmp_path / "page.html"
        path.write_text(html + READY)
        return path

    return written


@pytest.mark.parametrize(
    "html",
    [
        "<script>console.error('no')</script>",
        "<script>throw new Error('no')</script>",
        "<script>Promise.reject(new Error('no'))</script>",
    ],
)
def test_an_error_is_seen(browser, page, html):
    with opened(browser, page(html)) as opening:
        opening.page.wait_for_timeout(100)
        assert [error for error in opening.errors if "no" in error]


@pytest.mark.parametrize(
    "html",
    [
        "<img src='http://127.0.0.1:9/a.png'>",
        "<script src='https://example.org/a.js'></script>",
        "<link rel='stylesheet' href='other.css'>",
        "<script>fetch('http://127.0.0.1:9/').catch(() => 0)</script>",
        "<script>navigator.sendBeacon('http://127.0.0.1:9/', 'a')</script>",
        "<script>new WebSocket('ws://127.0.0.1:9/')</script>",
    ],
)
def test_what_a_page_asks_for_is_seen(browser, page, html):
    with opened(browser, page(html)) as opening:
        opening.page.wait_for_timeout(100)
        assert len(opening.asked) == 1


@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_a_page_that_is_too_wide_is_seen(browser, page, device):
    meta = "<meta name='viewport' content='width=device-width'>"
    with opened(browser, page(f"{meta}<div style='width: 2000px'>wide</div>"), device) as opening:
        assert opening.overflow > 500


def test_what_keeps_people_out_is_seen(browser, page):
    with opened(browser, page("<img src='data:,'><p style='color: #ddd'>pale</p>")) as opening:
        assert {"image-alt", "color-contrast"} <= opening.barriers()


def test_what_a_view_drew_follows_what_is_chosen(browser, tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text(PAGE.format(library=vl_convert.javascript_bundle(), chart=json.dumps(CHART)))
    monkeypatch.setenv("WINIT_SCREENSHOTS", str(tmp_path))
    with opened(browser, path, "phone", "dark") as opening:
        assert (opening.errors, opening.asked, opening.overflow) == ([], [], 0)
        assert opening.views() == ["kinds"]
        assert opening.marks("kinds") == {"symbol": 4}
        assert len(opening.rows("kinds", "cells")) == 5
        opening.page.get_by_label("Kind").select_option("b")
        assert opening.marks("kinds") == {"symbol": 1}
        assert 0 < opening.seconds < 600
        opening.screenshot("chosen")
    assert (tmp_path / "page-phone-dark-chosen.png").read_bytes().startswith(b"\x89PNG")


def test_a_page_of_one_chart_draws_it_and_runs_nothing_else(browser, tmp_path):
    """Its label would end a script, and set the title if it ran; the page's policy would not let it."""
    label = "</script><script>document.title = 'ran'</script><b id=x>"
    chart = CHART | {"title": label, "description": label}
    path = tmp_path / "page.html"
    for smuggled in ("", "<script>document.title = 'ran'</script>"):
        path.write_text(chart_page(label, chart).replace("<main>", f"<main>{smuggled}"), encoding="utf-8")
        with opened(browser, path) as opening:
            assert opening.marks("chart") == {"symbol": 4}
            assert opening.page.title() == label
            assert opening.page.locator("#x").count() == 0
            assert opening.page.get_by_text(label).count() > 0
            assert opening.asked == []
            assert bool(opening.errors) is bool(smuggled)
