"""A copy of what a user has: the workflow's files, with a config."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from samples import TINY

ROOT = Path(__file__).parents[1]


def workflow_in(folder, config):
    """Put the workflow's files there, with this config."""
    for name in ("Snakefile", "workflow", "profiles"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    (folder / "config").mkdir()
    (folder / "config/default.yaml").write_text(yaml.safe_dump(config))


def tiny_project(folder, config=TINY):
    """``folder``, with the workflow and a tiny grid."""
    # Short blocks and parts, so that there are several of each.
    workflow_in(folder, config | {"sweep": {"block_seconds": 0.01, "part_seconds": 0.05}})
    return folder


def snakemake(folder, *arguments):
    """Run the workflow in such a folder."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path}
    return subprocess.run(
        ["snakemake", "--cores", "2", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def computed(results):
    """How many cells the last sweep there computed."""
    (manifest,) = (results / "shards").glob("1-of-1.json")
    return json.loads(manifest.read_text())["computed"]
