"""The tutorial, as a reader walks through it: every block that needs no batch system, in order.

A step needs those before it.
"""

import itertools
import os
import re
import subprocess

import pytest
import yaml
from markdown_it import MarkdownIt
from projects import ROOT, workflow_in
from support import BIN

TUTORIAL = ROOT / "docs/tutorial.md"


def steps():
    """The fenced blocks of each step, as (language, file name or nothing, text), by its heading."""
    found = {}
    parsed = MarkdownIt("commonmark").parse(TUTORIAL.read_text(encoding="utf-8"))
    for earlier, token in itertools.pairwise(parsed):
        if earlier.type == "heading_open":
            blocks = found.setdefault(token.content, [])
        elif token.type == "fence":
            language, _, name = token.info.partition(" ")
            blocks.append((language, name, token.content))
    return found


STEPS = steps()
WALKED = [step for step, blocks in STEPS.items() if any(language == "sh" for language, *_ in blocks)]
BLOCKS = [block for blocks in STEPS.values() for block in blocks]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a reader is, from the first step to the last."""
    place = tmp_path_factory.mktemp("tutorial")
    workflow_in(place, yaml.safe_load((ROOT / "config/default.yaml").read_text()))
    return place


def said_by(commands, folder):
    """What a block of commands prints."""
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout
    return run.stdout


def form(line):
    """A line without what differs between machines: its numbers, and the room that they take."""
    return re.sub(r"[\s─]+", " ", re.sub(r"\d[\d.,]*(e[-+]\d+)?", "#", line)).strip()


@pytest.mark.parametrize(
    "step", [step for step, blocks in STEPS.items() if "sh" in {how for how, *_ in blocks}]
)
def test_a_step_says_what_the_tutorial_shows(step, folder):
    said = ""
    for language, name, text in STEPS[step]:
        if name:
            (folder / name).write_text(text, encoding="utf-8")
        elif language == "sh":
            said = said_by(text, folder)
        elif language == "text":
            lines = iter([form(line) for line in said.splitlines()])
            for line in text.splitlines():
                # In this order, and others may stand between them.
                assert line in {"", "…"} or form(line) in lines, f"{line}\n\nis not in\n\n{said}"


def test_blocks_that_are_not_run_are_marked():
    languages = {language for language, _, _ in BLOCKS}
    assert languages == {"sh", "text", "console", "yaml", "python"}
    assert all(name for language, name, _ in BLOCKS if language in {"yaml", "python"})
    for language, _, text in BLOCKS:
        if language == "console":
            assert all(line.startswith("$ ") for line in text.splitlines())
