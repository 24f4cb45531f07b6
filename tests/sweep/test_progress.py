"""Progress where there is no terminal: a line now and then."""

import io

from winit.sweep import progress


def lines(monkeypatch, seconds):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", seconds)
    stream = io.StringIO()
    with progress.Progress(4, stream, work="theory", unit="networks") as shown:
        shown.advance(2)
        shown.advance(1, failed=1)
    return stream.getvalue().splitlines()


def test_a_line_says_what_is_done_how_fast_and_what_is_left(monkeypatch):
    first, second = lines(monkeypatch, 0.0)
    assert first.startswith("theory: 2 of 4 networks, ")
    assert first.endswith(" s left")
    assert second.endswith(" s left, 1 failed")


def test_short_work_is_silent(monkeypatch):
    assert lines(monkeypatch, 30.0) == []
