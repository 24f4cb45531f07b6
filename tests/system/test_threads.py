"""Answers are the same in any number of threads, and nobody else's are taken."""

import os
import subprocess
import sys

import pytest
from samples import tiny

from winit.sweep.belonging import write_plans
from winit.sweep.layout import Results
from winit.sweep.machine import THREAD_VARIABLES
from winit.sweep.plan import make_plan, make_training_plan


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
