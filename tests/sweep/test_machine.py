"""The memory of a machine, or what a container or a batch system leaves of it."""

import numpy as np
import psutil
import pytest
import scipy.linalg
from threadpoolctl import threadpool_info, threadpool_limits

from winit.sweep.machine import _cgroup_limits, memory_limit, one_thread
from winit.sweep.tasks import blas_threads


def limits(tmp_path, own, files):
    (tmp_path / "cgroup").write_text(own)
    for name, text in files.items():
        path = tmp_path / "mounted" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return sorted(_cgroup_limits(tmp_path / "cgroup", tmp_path / "mounted"))


@pytest.mark.parametrize(
    ("own", "files", "found"),
    [
        ("0::/\n", {"memory.max": "4096\n"}, [4096]),
        ("0::/\n", {"memory.max": "max\n"}, []),
        (
            "0::/job/step\n",
            {"memory.max": "max\n", "job/memory.max": "99\n", "job/step/memory.max": "77\n"},
            [77, 99],
        ),
        ("0::/elsewhere\n", {"memory.max": "4096\n"}, [4096]),
        (
            "4:memory:/box\n3:cpu:/box\n0::/\n",
            {"memory/box/memory.limit_in_bytes": "500\n", "memory/memory.limit_in_bytes": "900\n"},
            [500, 900],
        ),
        ("5:cpu,cpuacct:/box\n", {"memory.max": "1\n"}, []),
    ],
)
def test_control_groups_and_those_around_them_set_limits(own, files, found, tmp_path):
    assert limits(tmp_path, own, files) == found


def test_a_system_without_control_groups_sets_none(tmp_path):
    assert _cgroup_limits(tmp_path / "none", tmp_path) == []


def test_there_is_never_more_memory_than_the_machine_has():
    assert 0 < memory_limit() <= psutil.virtual_memory().total


def test_every_library_is_found():
    with threadpool_limits(2):
        assert blas_threads() == 2
        np.ones((2, 2)) @ np.ones((2, 2))
        scipy.linalg.inv(np.eye(2))
        with one_thread():
            assert {library["num_threads"] for library in threadpool_info()} == {1}
        assert blas_threads() == 2
