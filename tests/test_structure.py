"""Imports go one way, the lists of dependencies say the same, and findings have their form."""

import ast
import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
ROOMS = ("network", "sweep", "findings")
CONDA_NAMES = {
    "dask": "dask-core",
    "duckdb": "python-duckdb",
    "playwright": "playwright-python",
    "snakemake": "snakemake-minimal",
}


def imported(path):
    """The winit modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("room", ROOMS)
def test_imports_go_from_findings_to_sweep_to_network(room):
    below = ROOMS[: ROOMS.index(room) + 1]
    files = list((ROOT / "winit" / room).rglob("*.py"))
    assert len(files) > 3
    for path in files:
        for name in imported(path):
            if name.startswith("winit."):
                assert name.split(".")[1] in (*below, "errors", "visible"), f"{path}: {name}"


def test_the_numerics_know_no_file_and_no_cluster():
    for path in (ROOT / "winit/network").rglob("*.py"):
        heads = {name.split(".")[0] for name in imported(path)}
        if path.name == "kept.py":  # compiled code is kept in files
            heads.discard("pathlib")
        assert not heads & {"pyarrow", "dask", "distributed", "pathlib", "duckdb"}, path


def split(requirement):
    """Name and bounds."""
    name, bounds = re.fullmatch(r"([A-Za-z0-9_-]+)\s*(.*)", requirement).groups()
    return CONDA_NAMES.get(name, name), bounds


def test_conda_and_pip_install_the_same():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    from_pip = conda.pop()["pip"]
    assert conda.pop() == "pip"
    listed = dict(split(requirement) for requirement in [*conda, *from_pip])
    assert listed.pop("python").startswith(project["requires-python"])
    assert listed == dict(split(requirement) for wanted in lists for requirement in wanted)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_lock_files_pin_every_direct_dependency_with_hashes_and_name_no_host(name):
    text = (ROOT / name).read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["build"]
    if "dev" in name:
        wanted += project["optional-dependencies"]["dev"]
    pinned = set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))
    assert {re.match(r"[A-Za-z0-9_-]+", requirement)[0] for requirement in wanted} <= pinned
    assert "://" not in text
    assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=\S)", text.strip()))


def test_both_lock_files_pin_the_same_versions():
    run, dev = (
        dict(re.findall(r"^([a-z0-9-]+==\S+)( ;[^\\]*)?", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("requirements.txt", "requirements-dev.txt")
    )
    assert set(run) <= set(dev)
    # What runs need on some machines, tests may need on all.
    assert all(dev[pin] in {"", where} for pin, where in run.items())


@pytest.mark.parametrize("path", sorted((ROOT / "findings").glob("*")), ids=lambda path: path.name)
def test_a_finding_runs_pinned_packages_alone_in_a_folder_that_it_removes(path):
    text = path.read_text()
    assert path.suffix == ".sh"
    assert os.access(path, os.X_OK)
    assert "winit" not in text
    assert 'work=$(mktemp -d)\ntrap \'rm -rf "$work"\' EXIT\ncd "$work"\n' in text
    installed = re.findall(r"pip install (.*)", text.partition("set -euo pipefail")[2])
    packages = [word for line in installed for word in line.split() if not word.startswith("-")]
    assert packages
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", package) for package in packages)
    assert text.endswith("\ncat seen\ndiff expected seen\n")
