"""Progress: a bar on a terminal; where there is none, a line now and then."""

import io
import re
import time

import pytest

from winit.sweep import progress


class Lines(io.StringIO):
    """Keeps what is written, and lets one wait for the next line."""

    def wait_for(self, words):
        for _ in range(6000):
            if words in self.getvalue():
                return
            time.sleep(0.01)
        pytest.fail(f"no {words!r} in {self.getvalue()!r}")


def test_a_line_says_what_is_done_how_fast_and_what_is_left():
    shown = progress.Progress(4, io.StringIO(), work="theory", unit="networks")
    assert shown.line == "theory: 0 of 4 networks, 0.0 a second, time left unknown"
    shown.advance(2)
    assert shown.line.startswith("theory: 2 of 4 networks, ")
    assert shown.line.endswith(" s left")
    shown.advance(1, failed=1)
    assert shown.line.startswith("theory: 3 of 4 networks, ")
    assert shown.line.endswith(" s left, 1 failed")


def test_lines_come_while_nothing_finishes(monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.01)
    stream = Lines()
    with progress.Progress(4, stream) as shown:
        stream.wait_for("sweep: 0 of 4 cells")
        shown.advance(3, failed=1)
        stream.wait_for("sweep: 3 of 4 cells")
        stream.wait_for("1 failed")
        shown.remark("longest running: a cell, for 80 s")
        stream.wait_for("1 failed; longest running: a cell, for 80 s\n")
        shown.remark("")


def test_short_work_is_silent():
    stream = Lines()
    with progress.Progress(4, stream) as shown:
        shown.advance(4)
    assert stream.getvalue() == ""


def test_a_terminal_has_a_bar_with_cells_rate_time_left_and_failures(monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("TERM", "xterm")
    stream = Lines()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    with progress.Progress(40, stream) as shown:
        shown.advance(39, failed=2)
        shown.remark("longest running: a cell")
        stream.wait_for("longest running: a cell")
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())
    (*_, last) = (line for line in plain.splitlines() if "sweep" in line)
    for words in ("sweep", "39/40 cells", " a second", " left", "2 failed"):
        assert words in last
