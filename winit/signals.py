"""How a command ends when it is told to: by the way that keeps what is finished."""

import os
import signal
import threading
import time
from contextlib import suppress

PARENT = "WINIT_PARENT"
"""The environment variable with the id of the process to end with; the workflow sets it."""
_SECONDS_BETWEEN_LOOKS = 0.5


class Terminated(BaseException):
    """SIGTERM came, as from a batch system.

    No Exception, as KeyboardInterrupt is none: what a user's own function raises is caught in places.
    """

    exit_code = 128 + signal.SIGTERM


def leave_when_told() -> None:
    """Raise Terminated in the main thread on SIGTERM, and when the process named by PARENT is gone.

    Where Snakemake is killed it cannot tell its steps; nobody waits for them, and a new run may begin.
    """
    signal.signal(signal.SIGTERM, _terminated)
    if parent := os.environ.get(PARENT):
        threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()


def _terminated(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would disturb the leaving
    raise Terminated("terminated; what is finished is kept, the same command goes on")


def _end_with(parent: int) -> None:
    import psutil

    with suppress(psutil.NoSuchProcess):
        while psutil.Process(parent).status() != psutil.STATUS_ZOMBIE:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    os.kill(os.getpid(), signal.SIGTERM)
