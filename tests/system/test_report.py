"""The report in a real browser: what a person sees, at a desk and on a phone, by day and by night."""

import pytest
from browser import DEVICES, SCHEMES, chromium, opened
from pages import CASES, CELLS, HOSTILE, large, ordinary, small

from winit.findings.claims import CLAIMS

# The charts of the report.
CHARTS = ".chart svg"


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
    return large(tmp_path_factory.mktemp("many"), "networks")


def assert_sound(opening):
    """Nothing went wrong, nothing was asked for, and nobody has to scroll sideways."""
    assert opening.errors == []
    assert opening.asked == []
    assert opening.overflow == 0


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("device", DEVICES)
def test_the_report_opens_without_an_error_a_request_or_a_sideways_scroll(browser, report, device, scheme):
    with opened(browser, report, device, scheme) as opening:
        opening.screenshot()
        assert_sound(opening)
        assert opening.page.locator(CHARTS).count() == opening.page.locator("figure").count() > 10


def test_the_report_is_dark_where_its_reader_likes_it_dark(browser, report):
    brightness = {}
    for scheme in SCHEMES:
        with opened(browser, report, scheme=scheme) as opening:
            colour = opening.page.evaluate("getComputedStyle(document.body).backgroundColor")
            brightness[scheme] = sum(int(part) for part in colour.strip("rgb()").split(","))
    assert brightness["dark"] < 3 * 64 < 3 * 192 < brightness["light"]


@pytest.mark.xfail(reason="regions that scroll sideways cannot be reached with the keyboard yet")
def test_nothing_in_the_report_keeps_people_out(browser, report):
    with opened(browser, report, "phone", "dark") as opening:
        assert opening.barriers() == set()


# Theory squares weights of 1e30, says so, and predicts infinity.
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.parametrize("case", CASES)
def test_a_report_with_little_to_show_opens_as_any_other(browser, tmp_path, case):
    path = small(tmp_path / case, case)
    for device in DEVICES:
        with opened(browser, path, device, name=case) as opening:
            opening.screenshot()
            assert_sound(opening)
            assert opening.page.locator(CHARTS).count() == opening.page.locator("figure").count() >= 1
            assert opening.page.get_by_text("not tested", exact=True).count() == len(CLAIMS)
            assert ("Failed cells" in opening.page.inner_text("body")) == (case == "all-failed")


def test_labels_and_errors_are_text_and_never_markup(browser, tmp_path):
    with opened(browser, small(tmp_path / "labels", "hostile")) as opening:
        assert opening.page.evaluate("window.broken") is None
        assert HOSTILE in opening.page.evaluate("JSON.stringify(specifications.answer)")
    with opened(browser, small(tmp_path / "errors", "all-failed")) as opening:
        assert opening.page.locator("li b").count() == 0
        assert "there are <b>no</b> weights & no bias" in opening.page.inner_text("body")


@pytest.mark.parametrize("device", DEVICES)
def test_a_report_of_ten_thousand_networks_opens(browser, many, device, record_property):
    with opened(browser, many, device, name="many") as opening:
        opening.screenshot()
        assert_sound(opening)
        assert f"{CELLS}, of which 0 failed" in opening.page.inner_text("body")
        size = f"{CELLS} cells, {many.stat().st_size / 1e6:.1f} MB"
        record_property(f"seconds until the report is ready ({size}, {device})", f"{opening.seconds:.2f}")
