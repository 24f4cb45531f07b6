"""Threads are fixed before NumPy is loaded, as on a worker; Dask's settings are nobody's own."""

import os
import sys
import tempfile
from pathlib import Path

from winit.sweep.machine import one_thread_each

one_thread_each()
_DASK = tempfile.TemporaryDirectory(prefix="winit-dask-")  # dask_jobqueue writes a file there
os.environ["DASK_CONFIG"] = _DASK.name


def pytest_collection_modifyitems(items):
    """The long files first, so that no worker is left alone with one at the end."""
    long = ("test_workflow.py", "test_engine.py", "test_theory.py")
    items.sort(key=lambda item: long.index(item.path.name) if item.path.name in long else len(long))


sys.path.insert(0, str(Path(__file__).parent))
