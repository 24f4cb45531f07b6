"""The tables of a run, and labels that no one should choose, set by pdflatex."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from packages import need
from samples import TINY, make_findings

from winit.findings import latex
from winit.findings.claims.tested import write_claims
from winit.findings.page import Page, Section
from winit.findings.summary import TABLES
from winit.sweep.config import Config

HOSTILE = (
    "mine.py:a_b%&#",
    "back\\slash",
    "{braces}}",
    "$dollar",
    "~^<>|\"'`",
    "σ²×√n − ∂φ/∂z₁ … χ₁ ≤ ½ 中 é",
    "-",
)


@pytest.fixture(scope="module")
def pdflatex():
    need("texlive-latex-base", "texlive-latex-recommended", programs=["pdflatex"])


def typeset(folder, files):
    """Set the files in a minimal document, as often as longtable asks for; give the log."""
    packages = ",".join(latex.PACKAGES)
    inputs = "\n".join(f"\\input{{{file}}}" for file in files)
    (folder / "document.tex").write_text(
        "\\documentclass[a4paper]{article}\n\\usepackage[margin=2cm]{geometry}\n"
        f"\\usepackage{{{packages}}}\n\\begin{{document}}\n{inputs}\n\\end{{document}}\n"
    )
    for _ in range(4):
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "document.tex"],
            cwd=folder,
            capture_output=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    assert (folder / "document.pdf").read_bytes().startswith(b"%PDF")
    return (folder / "document.log").read_text(errors="replace")


def test_all_tables_of_a_run_are_set_and_fit_the_page(pdflatex, tmp_path):
    own = tmp_path / "a_b%&#.py"
    own.write_text("def ring(layer):\n    return layer.standard('normal')\n")
    grid = TINY["grids"][0]
    names = [*grid["initializer"], f"{own}:ring", "variance_scaling(scale=4.0)"]
    config = TINY | {"grids": [grid | {"initializer": names}]}
    results = make_findings(tmp_path / "results", Config.checked(config, "test"))
    write_claims(results)
    log = typeset(tmp_path, [results.tables / f"{name}.tex" for name in (*TABLES, "claims")])
    assert "Overfull \\hbox" not in "".join(re.findall(r".*in alignment.*", log))


def test_hostile_labels_are_set(pdflatex, tmp_path):
    rows = [(label, label * 20, 1e-30) for label in HOSTILE]
    header = ("a_b", "c & d", "%")
    page = Page(" ".join(HOSTILE), " ".join(HOSTILE), [Section(HOSTILE[0], header, rows, HOSTILE)])
    page = Page(page.title, page.text, [*page.sections, Section("empty", header, [], ("nothing",))])
    (tmp_path / "hostile.tex").write_text(latex.page(page, "hostile"), encoding="utf-8")
    typeset(tmp_path, ["hostile.tex"])
