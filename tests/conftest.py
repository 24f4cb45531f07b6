"""Threads are fixed before NumPy is loaded, as on a worker; Dask's settings are nobody's own; no example of
Hypothesis has a deadline.
"""

import os
import sys
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings

from winit.sweep.machine import one_thread_each

one_thread_each()
_DASK = tempfile.TemporaryDirectory(prefix="winit-dask-")  # dask_jobqueue writes a file there
os.environ["DASK_CONFIG"] = _DASK.name
# Tests keep the functions of their users in folders that pytest makes.
os.environ["WINIT_ALLOW"] = tempfile.gettempdir()

# No fact depends on how fast this machine is, or on whether it slept between two examples.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_collection_modifyitems(items):
    """The long files first, so that no worker is left alone with one at the end."""
    long = ("test_workflow.py", "test_engine.py", "test_theory.py")
    items.sort(key=lambda item: long.index(item.path.name) if item.path.name in long else len(long))


sys.path.insert(0, str(Path(__file__).parent))
