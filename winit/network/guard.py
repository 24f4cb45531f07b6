"""Anybody's code, called: whatever it does, short of ending the process, comes back as one kind of error.

A user's function may raise what is no ``Exception``, such as SystemExit, KeyboardInterrupt, asyncio's
CancelledError or a class of a library's own, and none of these may end, or hold up, anything but what it was
asked for. A real Ctrl-C or SIGTERM still ends the process.
"""

import functools
import signal
import threading
from collections.abc import Callable, Hashable
from types import FrameType, TracebackType
from typing import Any

from winit.errors import RaisedError
from winit.network.guests import is_of_processes
from winit.network.labels import LabelError, described

TRIAL_SECONDS = 20.0
"""How long a function may take for a layer of a few units, before anything runs."""
IMPORT_SECONDS = 60.0
"""How long the top of a user's file may take, which may import whatever there is."""
# Code that catches everything and goes on is told again.
_SECONDS_UNTIL_TOLD_AGAIN = 1.0
_ENDINGS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class _DidError(RaisedError):
    """Somebody's code did what it may not, and raised nothing."""

    def __init__(self, whose: str, did: str) -> None:
        super().__init__(whose, did)
        self.deed = did
        self.args = (f"{whose} {did}",)


class TooLongError(_DidError):
    """Somebody's code was still running when its time was over."""

    def __init__(self, whose: str, seconds: float) -> None:
        super().__init__(whose, f"did not return within {seconds:g} s")


class ProcessesError(_DidError):
    """Somebody's code would start processes."""

    def __init__(self, whose: str) -> None:
        super().__init__(
            whose,
            "uses multiprocessing, which workers may not, since its processes would outlive them;"
            " compute it in one process",
        )


_OURS = (LabelError, RaisedError, TooLongError, ProcessesError)
_ENDLESS: set[Hashable] = set()


class guarded:  # noqa: N801 - a context manager, used as a function
    """A context in which anybody's code runs. Raises RaisedError with what was raised, and no other error.

    LabelErrors, which are ours, pass, and so does what a signal raises that tells this process to end. After
    ``seconds``, where there is such a bound, TooLongError is raised within; that can be done in the main
    thread alone, and not while compiled code runs that hears no signals. Of ``code`` that did not return once
    it is not waited for again.
    """

    def __init__(self, whose: str, seconds: float | None = None, code: Hashable = None) -> None:
        self._whose = whose
        self._seconds = seconds
        self._code = code
        self._ending: BaseException | None = None
        self._running = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> None:
        if self._seconds is not None and self._code in _ENDLESS:
            raise TooLongError(self._whose, self._seconds)
        # Signals are heard in the main thread alone: what another one raises is the code's own.
        if threading.current_thread() is threading.main_thread():
            for ending in _ENDINGS:
                if callable(handler := signal.getsignal(ending)):
                    self._before[ending] = handler
                    signal.signal(ending, self._tell)
            # Whoever has set the alarm already is left alone.
            if self._seconds is not None and not signal.getitimer(signal.ITIMER_REAL)[0]:
                self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._alarm)
                signal.setitimer(signal.ITIMER_REAL, self._seconds, _SECONDS_UNTIL_TOLD_AGAIN)
        self._running = True

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        try:
            self._running = False
        finally:
            self._restore()
        if self._ending is not None and self._ending is not error:
            raise self._ending  # the code held it back
        if isinstance(error, TooLongError) and self._code is not None:
            _ENDLESS.add(self._code)
        if error is None or error is self._ending or type(error) in _OURS:
            return
        if is_of_processes(error):
            raise ProcessesError(self._whose) from error
        raise RaisedError(self._whose, described(error)) from error

    def _restore(self) -> None:
        if signal.SIGALRM in self._before:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            # Whoever was told to end may have set another, so as not to be told twice.
            if number == signal.SIGALRM or self._ending is None:
                signal.signal(number, handler)

    def _tell(self, number: int, frame: FrameType | None) -> None:
        for ending in _ENDINGS:
            if ending in self._before:
                signal.signal(ending, self._before[ending])
        try:
            self._before[signal.Signals(number)](number, frame)
        except BaseException as error:
            self._ending = error
            raise

    def _alarm(self, *_: object) -> None:
        if self._running and self._seconds is not None:
            raise TooLongError(self._whose, self._seconds)


def guarding(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """``function``, ``guarded``: of whatever it raises it makes a RaisedError."""

    @functools.wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        with guarded(name):
            return function(*arguments, **named)

    return called
