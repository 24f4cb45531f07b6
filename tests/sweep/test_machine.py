"""The memory of a machine, or what a container or a batch system leaves of it."""

import os
import subprocess
import sys

import numpy as np
import psutil
import pytest
import scipy.linalg
from samples import tiny
from threadpoolctl import threadpool_info, threadpool_limits

from winit.sweep.belonging import write_plans
from winit.sweep.layout import Results
from winit.sweep.machine import THREAD_VARIABLES, _cgroup_limits, memory_limit, one_thread
from winit.sweep.plan import make_plan, make_training_plan
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


def in_threads(count, folder, *command):
    """What Python says, where the environment gives the numerical libraries so many threads."""
    threads = dict.fromkeys(THREAD_VARIABLES, str(count))
    ran = subprocess.run(
        [sys.executable, *command], cwd=folder, env=os.environ | threads, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture
def planned(tmp_path):
    """A folder with a config and the plan of a network whose theory more threads once changed."""
    config = tiny(
        initializer="mean_field(sigma_w=1.5, sigma_b=0.3)",
        activation="tanh",
        width=[100],
        depth=2,
        probe={"input": "digits"},
    )
    (tmp_path / "config.yaml").write_text(config.to_yaml())
    (tmp_path / "results").mkdir()
    write_plans(config, Results(tmp_path / "results"), make_plan(config), make_training_plan(config))
    return tmp_path


def test_theory_has_the_same_bits_in_any_number_of_threads(planned):
    tables = []
    for count in (1, 2):
        in_threads(count, planned, "-m", "winit", "theory", "--config", "config.yaml")
        tables.append((planned / "results/theory.parquet").read_bytes())
    assert len(set(tables)) == 1


# NumPy is there before winit is, and has its threads.
IN_PYTHON = """
import numpy, winit
from threadpoolctl import threadpool_info

before = threadpool_info()
numbers = [
    winit.theory("mean_field(sigma_w=1.5, sigma_b=0.3)", "tanh", 2, 100, input="digits").to_pylist(),
    winit.simulate("orthogonal", "tanh", depth=4, width=300, batch=301).to_pylist(),
    winit.critical_sigma_w("tanh", 0.1),
    winit.phase_diagram("tanh").to_json(),
]
assert [library for library in threadpool_info() if library in before] == before
print(numbers)
"""


def test_so_have_the_answers_in_python_and_nobody_elses_threads_are_taken(tmp_path):
    one, more = (in_threads(count, tmp_path, "-c", IN_PYTHON) for count in (1, 2))
    assert one == more


def test_every_library_is_found():
    with threadpool_limits(2):
        assert blas_threads() == 2
        np.ones((2, 2)) @ np.ones((2, 2))
        scipy.linalg.inv(np.eye(2))
        with one_thread():
            assert {library["num_threads"] for library in threadpool_info()} == {1}
        assert blas_threads() == 2
