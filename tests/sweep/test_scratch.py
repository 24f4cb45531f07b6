"""What Dask puts on the disk lies in a private folder, which goes with the sweep."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from winit.sweep import scratch
from winit.sweep.cluster import open_cluster
from winit.sweep.scratch import private_folder
from winit.sweep.settings import ClusterSettings

HOLDING = """
import sys, time
from pathlib import Path
from winit.sweep.scratch import private_folder
with private_folder(Path(sys.argv[1])) as folder:
    (folder / "inner").mkdir()
    (folder / "inner" / "file").touch()
    print(folder, flush=True)
    time.sleep(60)
"""


def holding(parent):
    """A process that has a private folder in ``parent``, and that folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLDING, parent], stdout=subprocess.PIPE, text=True)
    return process, Path(process.stdout.readline().strip())


def test_a_folder_is_private_has_a_random_name_and_is_removed(tmp_path):
    names = set()
    for _ in range(3):
        with private_folder(tmp_path) as folder:
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert folder.parent == tmp_path
            (folder / "file").touch()
            names.add(folder.name)
    assert len(names) == 3
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next_and_what_is_in_use_is_not(tmp_path):
    killed, left = holding(tmp_path)
    living, used = holding(tmp_path)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert left.exists()
    with private_folder(tmp_path):
        assert not left.exists()
        assert (used / "inner" / "file").exists()
    living.kill()
    living.communicate()


@pytest.mark.parametrize("made", ["file", "link", "locked"])
def test_what_is_not_a_folder_of_ours_stays(tmp_path, made, monkeypatch):
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "file").touch()
    found = tmp_path / "parent" / f"{scratch._PREFIX}0123456789abcdef"
    found.parent.mkdir()
    if made == "file":
        found.touch()
    elif made == "link":
        found.symlink_to(other)
    else:
        found.mkdir()
        monkeypatch.setattr(os, "getuid", lambda: -2)  # as that of another user
    with private_folder(tmp_path / "parent"):
        pass
    assert os.path.lexists(found)
    assert (other / "file").exists()


def worker_folder(dask_worker):
    return dask_worker.local_directory, list(sys.path)


def test_a_real_cluster_has_its_files_and_modules_there_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    common = "dask-scratch-space"
    before = list(sys.path)
    with open_cluster(ClusterSettings(), 1) as client:
        ((folder, path),) = client.run(worker_folder).values()
        (private,) = tmp_path.glob(f"{scratch._PREFIX}*")
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert Path(folder).is_relative_to(private)
        assert not (tmp_path / common).exists()
        for entry in {*path, *sys.path} - {*before}:
            assert common not in entry or Path(entry).is_relative_to(private)
        here = psutil.Process()
        opened = [
            file.path for process in (here, *here.children(recursive=True)) for file in process.open_files()
        ]
        assert not [path for path in opened if common in path and not Path(path).is_relative_to(private)]
    assert list(tmp_path.glob("*winit*")) == []
