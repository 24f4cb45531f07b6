"""Tests that need more than a process: kills, namespaces, batch systems, browsers (``make test-system``)."""

import json
import os
import signal
import tempfile
from pathlib import Path

import pytest
from slurm import running
from support import Project

os.environ.setdefault(
    "WINIT_RELIABILITY", str(Path(tempfile.gettempdir()) / f"winit-reliability-{os.getpid()}")
)


# Started in the background, as by a script, this process would ignore Ctrl-C, and all that it starts too.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The dataset of a sweep to which nothing happened."""
    project = Project(tmp_path_factory.mktemp("undisturbed"))
    project.plan()
    code, said = project.run("winit", "sweep")
    assert code == 0, said
    assert project.computed_twice() == 0
    return project.layers()


@pytest.fixture
def project(tmp_path):
    """A project, planned."""
    project = Project(tmp_path)
    project.plan()
    return project


@pytest.fixture(scope="session")
def slurm():
    """A SLURM of our own."""
    with running() as started:
        yield started


def pytest_terminal_summary(terminalreporter):
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")
    path = Path(os.environ["WINIT_RELIABILITY"])
    if not path.exists():
        return
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    path.unlink()
    terminalreporter.write_line("")
    terminalreporter.write_line("| fault | times | cells lost | cells computed twice | seconds to recover |")
    terminalreporter.write_line("| --- | ---: | ---: | ---: | ---: |")
    for row in rows:
        terminalreporter.write_line("| " + " | ".join(map(str, row)) + " |")
