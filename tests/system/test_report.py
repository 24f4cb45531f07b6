"""The report in a real browser: what a person sees and does, at a desk and on a phone, by day and night."""

import json
import math

import pytest
from browser import DEVICES, SCHEMES, chromium, opened
from pages import CASES, CELLS, HOSTILE, large, ordinary, small, written
from samples import TINY

from winit.findings.claims import CLAIMS
from winit.findings.database import Database
from winit.findings.layer_charts import LAYER_CHARTS
from winit.findings.networks import NUMBERED
from winit.findings.profiles import datasets, profiles

# Whether a chart is drawn, or says why not.
DONE = "element => element.querySelector('svg, canvas, .nothing') !== null"


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Of a tiny grid in which nothing is missing."""
    return ordinary(tmp_path_factory.mktemp("ordinary"))


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Of ten thousand networks."""
    return large(tmp_path_factory.mktemp("many"))


@pytest.fixture
def desk(browser, report):
    with opened(browser, report) as opening:
        yield opening


def walk(opening):
    """See the whole page: charts are drawn when they come near the window."""
    for chart in opening.page.locator(".chart").all():
        chart.scroll_into_view_if_needed()
        opening.page.wait_for_function(DONE, arg=chart.element_handle())
    opening.page.evaluate("winit.settled()")


def assert_sound(opening):
    """Nothing went wrong, nothing was asked for, and nobody has to scroll sideways."""
    assert opening.errors == []
    assert opening.asked == []
    assert opening.overflow == 0


def settled(opening, name):
    """The rows that a chart shows, once what is due is drawn."""
    opening.page.locator(f"#{name}").scroll_into_view_if_needed()
    opening.page.evaluate("winit.settled()")
    (chart,) = [chart for chart in LAYER_CHARTS if chart.name == name]
    return opening.rows(name, chart.data)


def compared(opening):
    return opening.page.locator("#chosen tbody tr").count()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("device", DEVICES)
def test_the_report_opens_without_an_error_a_request_or_a_sideways_scroll(browser, report, device, scheme):
    with opened(browser, report, device, scheme) as opening:
        walk(opening)
        opening.screenshot()
        assert_sound(opening)
        figures = opening.page.locator("figure").count()
        assert opening.page.locator(".chart").count() == figures > len(LAYER_CHARTS) + 5
        assert opening.page.locator(".chart svg").count() == figures
        assert set(opening.views()) >= {chart.name for chart in LAYER_CHARTS} | {"verdicts", "training"}
        assert all(sum(opening.marks(name).values()) for name in opening.views())


def test_the_report_is_dark_where_its_reader_likes_it_dark(browser, report):
    brightness = {}
    for scheme in SCHEMES:
        with opened(browser, report, scheme=scheme) as opening:
            colour = opening.page.evaluate("getComputedStyle(document.body).backgroundColor")
            brightness[scheme] = sum(int(part) for part in colour.strip("rgb()").split(","))
            settled(opening, "std")
            theory = opening.page.locator("#std path[stroke-dasharray]").first
            ink = opening.page.evaluate("getComputedStyle(document.body).color")
            stroke = theory.evaluate("line => getComputedStyle(line).stroke")
            assert stroke == ink
    assert brightness["dark"] < 3 * 64 < 3 * 192 < brightness["light"]


def test_what_is_drawn_changes_with_the_light(desk):
    walk(desk)
    desk.page.emulate_media(color_scheme="dark")
    settled(desk, "std")
    ink = desk.page.evaluate("getComputedStyle(document.body).color")
    label = desk.page.locator("#std .role-axis-label text").first
    assert label.evaluate("text => getComputedStyle(text).fill") == ink


def test_nothing_in_the_report_keeps_people_out(browser, report):
    with opened(browser, report, "phone", "dark") as opening:
        walk(opening)
        assert opening.barriers() == set()


def test_the_page_reads_profiles_as_the_files_do(desk, report):
    named = [(f"n{number}", profile) for number, profile in profiles(Database(report.parent), NUMBERED)]
    expected = datasets(named)
    found = desk.page.evaluate(
        "names => winit.datasets(names.map(name => [name, winit.profile(Number(name.slice(1)))]))",
        [name for name, _ in named],
    )
    assert found.keys() == expected.keys()
    for name, rows in expected.items():
        assert len(found[name]) == len(rows) > 0
        for left, right in zip(found[name], rows, strict=True):
            assert left.keys() == right.keys()
            for key, value in right.items():
                if isinstance(value, float):
                    assert math.isclose(left[key], value, rel_tol=1e-4, abs_tol=1e-12), (name, key)
                else:
                    assert left[key] == value


def test_it_begins_with_the_initializers_of_one_network_and_theory_beside_them(desk):
    measured = settled(desk, "std")
    assert compared(desk) == len({row["network"] for row in measured}) == 4
    theory = desk.rows("std", "theory")
    assert {row["network"] for row in theory if "h_std" in row} < {row["network"] for row in measured}
    # zeros has no place on a logarithmic axis: three lines with theory on each, and a point a layer.
    assert desk.marks("std")["symbol"] == 3 * 4
    assert desk.page.locator("#std").get_attribute("aria-label").startswith("std of h by layer: ")


def test_filters_hold_for_answers_map_and_list(desk):
    page = desk.page
    page.locator("#choose summary").click()
    assert page.locator("#list tbody tr").count() == 32
    page.locator("#filters [name=activation]").select_option(label="tanh")
    page.locator("#filters [name=depth]").select_option(label="4")
    page.get_by_text("8 of 32 networks").wait_for()
    assert page.locator("#answers tbody tr:visible").count() == 2
    assert page.locator("#list tbody tr").count() == 8
    page.locator("#verdicts").scroll_into_view_if_needed()
    page.evaluate("winit.settled()")
    rows = desk.rows("verdicts", "networks")
    assert {(row["activation"], row["place"]) for row in rows} == {("tanh", "4 × 16"), ("tanh", "4 × 12-4")}
    page.get_by_label("initializer contains").fill("HE_")
    page.get_by_text("2 of 32 networks").wait_for()
    page.get_by_label("initializer contains").fill("no such")
    page.get_by_text("0 of 32 networks").wait_for()
    assert page.locator("#verdicts .nothing").is_visible()
    page.get_by_role("button", name="Show all").click()
    page.get_by_text("32 of 32 networks").wait_for()
    assert_sound(desk)


def test_verdicts_are_filtered_too(desk):
    desk.page.locator("#choose summary").click()
    desk.page.locator("#filters [name=verdict]").select_option(label="symmetric")
    desk.page.get_by_text("8 of 32 networks").wait_for()
    labels = desk.page.locator("#list tbody tr td:nth-child(2)").all_inner_texts()
    assert set(labels) == {"zeros"}


def test_networks_are_chosen_from_the_list_with_the_keyboard_alone(desk):
    page = desk.page
    page.get_by_role("button", name="Remove all").press("Enter")
    assert compared(desk) == 0
    assert page.locator("#std .nothing").inner_text() == "Choose a network above."
    page.locator("#choose summary").press("Enter")
    for label in ("he_normal, relu, 4 × 16", "zeros, tanh, 1 × 16"):
        page.get_by_label(f"Show {label}").press("Space")
    assert compared(desk) == 2
    measured = settled(desk, "distinct")
    assert {row["network"] for row in measured} == {"he_normal, relu, 4 × 16", "zeros, tanh, 1 × 16"}
    page.get_by_label("Remove zeros").press("Enter")
    assert compared(desk) == 1
    assert {row["network"] for row in settled(desk, "distinct")} == {"he_normal"}
    assert not page.get_by_label("Show zeros, tanh, 1 × 16").is_checked()
    assert_sound(desk)


def test_a_click_on_the_map_adds_a_network_and_another_takes_it_away(desk):
    page = desk.page
    page.get_by_role("button", name="Remove all").click()
    page.locator("#verdicts").scroll_into_view_if_needed()
    page.evaluate("winit.settled()")
    fields = page.locator("#verdicts .mark-rect path")  # a click goes through their signs
    assert fields.count() == 32
    fields.nth(3).click(force=True)
    assert compared(desk) == 1
    fields.nth(9).click(force=True)
    assert compared(desk) == 2
    assert page.evaluate("winit.views.verdicts.signal('chosen').length") == 2
    fields.nth(3).click(force=True)
    assert compared(desk) == 1


def test_an_answer_leads_to_its_initializers(desk):
    desk.page.get_by_label("Compare the initializers of tanh, 1 × 12-4").click()
    rows = settled(desk, "histograms")
    assert {row["network"] for row in rows} == {"zeros", "he_normal", "lecun_normal", "normal(std=0.01)"}
    assert {row["layer"] for row in rows} == {1}
    assert desk.page.locator("#chosen tbody").inner_text().count("tanh, 1 × 12-4") == 4


def test_every_answer_is_the_first_of_those_it_leads_to(desk):
    for answer in desk.page.locator("#answers tbody tr").all():
        best = answer.locator("td").nth(2).inner_text().split("; least bad: ")[-1]
        answer.locator("button").click()
        assert desk.page.locator("#chosen tbody tr").first.inner_text().lstrip().startswith(f"{best},")


def test_what_is_compared_keeps_its_colour_when_another_goes(desk):
    lines = "[...document.querySelectorAll('#chosen tbody path:first-child')]"
    colours = f"() => {lines}.map(line => line.getAttribute('stroke'))"
    before = desk.page.evaluate(colours)
    desk.page.locator("#chosen tbody button").first.press("Enter")
    assert desk.page.evaluate(colours) == before[1:]
    # The keyboard goes on where it was.
    assert desk.page.evaluate("document.activeElement.textContent") == "Remove"
    assert desk.page.locator("#said").inner_text() == "3 networks are compared."


def test_more_than_twelve_networks_take_the_first_away_and_say_so(desk):
    desk.page.get_by_role("button", name="Remove all").click()
    desk.page.locator("#choose summary").click()
    for box in desk.page.locator("#list tbody input").all()[:13]:
        box.check()
    assert compared(desk) == 12
    assert "12 at most" in desk.page.locator("#said").inner_text()


def test_widths_that_end_otherwise_say_so_each(desk):
    page = desk.page
    page.get_by_role("button", name="Remove all").click()
    page.locator("#choose summary").click()
    verdicts = []
    for width in ("16", "12-4"):
        box = page.get_by_label(f"Show normal(std=0.01), tanh, 1 × {width}")
        box.check()
        verdicts.append(page.locator("#list tr", has=box).locator(".verdict").inner_text())
    page.get_by_label("widths as spread").check()
    shown = page.locator("#chosen tbody tr td").nth(2).inner_text()
    for width, verdict in zip(("16", "12-4"), verdicts, strict=True):
        assert f"{' '.join(verdict.split())} {width}" in " ".join(shown.split())
    assert settled(desk, "std")
    assert page.locator("#histograms .nothing").count() == 1


def test_paper_is_light_and_has_all_rows(browser, report):
    with opened(browser, report, scheme="dark") as opening:
        walk(opening)
        opening.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        opening.page.evaluate("winit.settled()")
        label = opening.page.locator("#std .role-axis-label text").first
        assert label.evaluate("text => getComputedStyle(text).fill") == "rgb(26, 26, 26)"
        opening.page.emulate_media(media="print")
        assert (
            opening.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        )
        assert opening.page.evaluate("getComputedStyle(document.querySelector('.tall')).maxHeight") == "none"


def test_a_pointer_tells_numbers(desk):
    settled(desk, "std")
    desk.page.locator("#std .mark-symbol path").first.hover()
    tip = desk.page.locator("#vg-tooltip-element.visible")
    tip.wait_for()
    assert "network" in tip.inner_text()
    assert "h_std_low" in tip.inner_text()


def test_widths_are_drawn_as_spread_where_the_reader_wants_it(desk, report):
    page = desk.page
    page.get_by_role("button", name="Remove all").click()
    page.locator("#choose summary").click()
    for width in ("16", "12-4"):
        page.get_by_label(f"Show he_normal, relu, 4 × {width}").check()
    assert compared(desk) == 2
    page.get_by_label("widths as spread").check()
    assert compared(desk) == 1
    drawn = settled(desk, "std")
    expected = (
        Database(report.parent)
        .sql("""SELECT layer, (max(std) + min(std)) / 2, min(low), max(high) FROM
            (SELECT layer, width, avg(h_std) AS std, min(h_std) AS low, max(h_std) AS high FROM layers
             WHERE initializer = 'he_normal' AND activation = 'relu' AND depth = 4 AND layer > 0
             GROUP BY layer, width) GROUP BY layer ORDER BY layer""")
        .fetchall()
    )
    found = [(row["layer"], row["h_std"], row["h_std_low"], row["h_std_high"]) for row in drawn]
    assert [tuple(row) for row in found] == [pytest.approx(row, rel=1e-4) for row in expected]


def test_the_numbers_of_the_charts_stand_in_a_table(desk):
    desk.page.locator("#numbers summary").press("Enter")  # charts that are drawn above move it
    measured = settled(desk, "std")
    rows = desk.page.locator("#numbers tbody tr")
    rows.first.wait_for()
    assert rows.count() == len(measured)
    assert measured[0]["network"] in rows.first.inner_text()


def test_a_chart_is_saved_as_a_file(desk):
    settled(desk, "std")
    for kind, start in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
        with desk.page.expect_download() as download:
            desk.page.get_by_label(f"Save std as {kind}").click()
        assert download.value.suggested_filename == f"std.{kind.lower()}"
        saved = download.value.path().read_bytes()
        assert saved.startswith(start)
        if kind == "SVG":
            # On its own it needs a title and a legend.
            assert b"role-legend" in saved
            assert b"std of h" in saved
    assert_sound(desk)


@pytest.mark.parametrize("case", CASES)
def test_a_report_with_little_to_show_opens_as_any_other(browser, tmp_path, case):
    # On a phone: there is the least room.
    with opened(browser, small(tmp_path / case, case), "phone", name=case) as opening:
        walk(opening)
        opening.screenshot()
        assert_sound(opening)
        drawn = opening.page.locator(".chart svg").count()
        figures = opening.page.locator("figure").count()
        assert drawn + opening.page.locator(".chart .nothing").count() == figures
        assert (drawn == 0) == (case == "all-failed")
        assert opening.page.get_by_text("not tested", exact=True).count() == len(CLAIMS)
        assert (opening.page.locator("#failed").count() == 1) == (case == "all-failed")


@pytest.mark.parametrize("device", DEVICES)
def test_a_report_of_training_alone_opens_as_any_other(browser, tmp_path, device):
    with opened(browser, written(tmp_path / "alone", TINY | {"grids": []}), device, name="alone") as opening:
        walk(opening)
        opening.screenshot()
        assert_sound(opening)
        figures = opening.page.locator("figure").count()
        assert opening.page.locator(".chart svg").count() == figures > 1
        assert opening.page.locator("table").count() == 0
        assert opening.page.locator("nav a").all_inner_texts() == ["Training", "How it was made"]


def test_labels_and_errors_are_text_and_never_markup(browser, tmp_path):
    with opened(browser, small(tmp_path / "labels", "hostile")) as opening:
        walk(opening)
        assert opening.page.evaluate("window.broken") is None
        assert HOSTILE in json.dumps(opening.rows("std", "measured"))
        assert (
            HOSTILE
            in opening.page.locator("#answers").inner_text() + opening.page.locator("#chosen").inner_text()
        )
        assert_sound(opening)
    with opened(browser, small(tmp_path / "errors", "all-failed")) as opening:
        assert opening.page.locator("li b").count() == 0
        assert "there are <b>no</b> weights & no bias" in opening.page.inner_text("body")


@pytest.mark.parametrize("device", DEVICES)
def test_a_report_of_ten_thousand_networks_opens_and_answers(browser, many, device, record_property):
    with opened(browser, many, device, name="many") as opening:
        page = opening.page
        assert f"{CELLS:,} cells of {CELLS:,} networks" in page.inner_text("header")
        size = f"{CELLS} cells, {many.stat().st_size / 1e6:.1f} MB"
        record_property(f"seconds until the report is ready ({size}, {device})", f"{opening.seconds:.2f}")
        page.locator("#filters [name=activation]").select_option(label="gelu")
        page.get_by_text("1000 of 10000 networks").wait_for()
        page.locator("#choose summary").click()
        assert page.locator("#list tbody tr").count() == 200
        page.get_by_label("initializer contains").fill("martens")
        page.get_by_text("40 of 10000 networks").wait_for()
        page.locator("#list tbody input").first.check()
        opening.screenshot()
        assert any(row["network"].startswith("martens_sparse, gelu") for row in settled(opening, "std"))
        assert_sound(opening)
