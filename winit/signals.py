"""How a command ends when it is told to: by the way that keeps what is finished."""

import os
import signal
import threading
import time
from contextlib import suppress

PARENT = "WINIT_PARENT"
"""The environment variable with the id of the process to end with; the workflow sets it."""
_SECONDS_BETWEEN_LOOKS = 0.5

_SAID = {signal.SIGTERM: "terminated"}
"""What is said of each signal that tells a command to end; Ctrl-C is Python's own."""
if hasattr(signal, "SIGHUP"):  # not on Windows
    _SAID[signal.SIGHUP] = "the terminal was closed"


class Terminated(BaseException):
    """SIGTERM came, as from a batch system, or SIGHUP, as from a terminal that is closed.

    No Exception, as KeyboardInterrupt is none: what a user's own function raises is caught in places.
    """

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(f"{_SAID[number]}; what is finished is kept, the same command goes on")
        self.exit_code = 128 + number
        """As shells have it."""


def leave_when_told() -> None:
    """Raise Terminated in the main thread on SIGTERM or SIGHUP, and when the process named by PARENT is gone.

    Under ``nohup``, which ignores SIGHUP, it stays ignored. Where Snakemake is killed it cannot tell its
    steps; nobody waits for them, and a new run may begin.
    """
    terminals = [stream for stream in (0, 1, 2) if os.isatty(stream)]

    def leave(number: int, _: object) -> None:
        for each in _SAID:  # a second one would disturb the leaving
            signal.signal(each, signal.SIG_IGN)
        _mute([stream for stream in terminals if not os.isatty(stream)])
        raise Terminated(signal.Signals(number))

    for number in _SAID:
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, leave)
    if parent := os.environ.get(PARENT):
        threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()


def _mute(streams: list[int]) -> None:
    """Of a terminal that is gone: whoever wrote to it, the bar of progress say, would fail on the way out."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in streams:
        os.dup2(nowhere, stream)
    os.close(nowhere)


def _end_with(parent: int) -> None:
    import psutil

    with suppress(psutil.NoSuchProcess):
        while psutil.Process(parent).status() != psutil.STATUS_ZOMBIE:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    os.kill(os.getpid(), signal.SIGTERM)
