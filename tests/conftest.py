"""Threads are fixed before NumPy is loaded, as on a worker."""

import sys
from pathlib import Path

from winit.sweep.cluster import one_thread_each

one_thread_each()
sys.path.insert(0, str(Path(__file__).parent))
