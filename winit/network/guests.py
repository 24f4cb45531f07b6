"""A user's code is a guest of the process: what it changes there is put back when it leaves.

Its module may be run by any command, and its functions are called in the middle of others' work; what they
do to the whole process, such as ``np.seterr(all="raise")`` or ``os.chdir``, must reach neither other networks
nor the steps that come after.
"""

import ctypes
import decimal
import functools
import gc
import locale
import logging
import multiprocessing
import os
import random
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController


@dataclass(frozen=True)
class Kept:
    """Something of the process that a guest leaves as it was."""

    name: str
    read: Callable[[], Any]
    put_back: Callable[[Any], None]


class _Random:
    """Global random numbers. Guests have theirs, which go on from call to call: a function that draws from
    them does not draw the same again and again.
    """

    def __init__(self, mark: Callable[[], Any], read: Callable[[], Any], put: Callable[[Any], None]) -> None:
        """``mark`` tells states apart, and is cheaper to have than the state that ``read`` gives."""
        self._mark, self._read, self._put = mark, read, put
        self._known: tuple[Any, Any] = (None, None)
        self._of_guests: Any = None

    def enter(self) -> None:
        mark = self._mark()
        if mark != self._known[0]:
            self._known = (mark, self._read())
        if self._of_guests is not None:
            self._put(self._of_guests)

    def leave(self) -> None:
        mark, state = self._known
        if self._mark() != mark:
            self._of_guests = self._read()
            self._put(state)


_MERSENNE_BYTES = 4 * 625


_HEAD_BYTES = object.__basicsize__
_NUMPYS: Any = np.random.mtrand._rand  # noqa: SLF001 - whose methods np.random's functions are
_NUMPYS_BYTES = type(_NUMPYS).__basicsize__ - _HEAD_BYTES


def _numpy_mark() -> Any:
    # Its state is a long list to NumPy, which takes longer than many a function. What lies behind the head
    # that every object has says which generator it is, and has the second of two normal numbers, kept.
    generator = np.random.get_bit_generator()  # type: ignore[attr-defined] # its stub lacks it
    kept = ctypes.string_at(id(_NUMPYS) + _HEAD_BYTES, _NUMPYS_BYTES)
    if isinstance(generator, np.random.MT19937):
        return kept, ctypes.string_at(generator.ctypes.state_address, _MERSENNE_BYTES)
    return kept, repr(generator.state)


_PYTHONS: Any = random._inst  # noqa: SLF001 - whose methods random's functions are
_PYTHONS_BYTES = random.Random.__base__.__basicsize__ - _HEAD_BYTES  # type: ignore[union-attr]


def _python_mark() -> Any:
    # Likewise.
    return ctypes.string_at(id(_PYTHONS) + _HEAD_BYTES, _PYTHONS_BYTES), _PYTHONS.gauss_next


_RANDOM = (
    _Random(_numpy_mark, lambda: np.random.get_state(legacy=False), np.random.set_state),  # noqa: NPY002
    _Random(_python_mark, random.getstate, random.setstate),
)


def _numpy_errors() -> Any:
    return np.geterr(), np.geterrcall(), np.getbufsize()


def _put_numpy_errors(before: Any) -> None:
    errors, call, size = before
    np.seterr(**errors)
    np.seterrcall(call)
    np.setbufsize(size)


def _put_environment(before: dict[bytes, bytes]) -> None:
    for key in set(_environment()) - set(before):
        del os.environ[os.fsdecode(key)]
    for key, value in before.items():
        os.environ[os.fsdecode(key)] = os.fsdecode(value)
    if hasattr(time, "tzset"):
        time.tzset()


def _environment() -> dict[bytes, bytes]:
    # As it is kept; a mapping of decoded names takes a hundred times longer.
    found: dict[bytes, bytes] = os.environ._data.copy()  # type: ignore[attr-defined] # noqa: SLF001
    return found


def _put_warnings(before: Any) -> None:
    filters, warnings.showwarning = before
    warnings.filters[:] = filters  # type: ignore[index] # typeshed calls it a sequence
    with warnings.catch_warnings():  # tells the warnings module that they have changed
        pass


def _locale() -> str:
    return locale.setlocale(locale.LC_ALL)


def _put_locale(before: str) -> None:
    locale.setlocale(locale.LC_ALL, before)


_DECIMAL = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")


def _decimal() -> Any:
    context = decimal.getcontext()
    return [getattr(context, name) for name in _DECIMAL], dict(context.traps)


def _put_decimal(before: Any) -> None:
    context = decimal.getcontext()
    for name, value in zip(_DECIMAL, before[0], strict=True):
        setattr(context, name, value)
    context.traps.update(before[1])


_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGPIPE", "SIGCHLD", "SIGUSR1", "SIGUSR2")
_SIGNALS = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]


def _handlers() -> Any:
    # In another thread nobody can set one.
    if threading.current_thread() is not threading.main_thread():
        return []
    return [signal.getsignal(each) for each in _SIGNALS]


def _put_handlers(before: Any) -> None:
    for each, handler in zip(_SIGNALS, before, strict=True):
        if handler is not None and signal.getsignal(each) is not handler:  # None: set by a library in C
            signal.signal(each, handler)


def _alarm() -> bool:
    return bool(signal.getitimer(signal.ITIMER_REAL)[0])


def _put_alarm(before: bool) -> None:
    if not before:  # one that was set goes on
        signal.setitimer(signal.ITIMER_REAL, 0)


def _put_path(before: Any) -> None:
    sys.path, content = before
    sys.path[:] = content


def _hooks() -> Any:
    return sys.excepthook, sys.unraisablehook, threading.excepthook, sys.displayhook, sys.breakpointhook


def _put_hooks(before: Any) -> None:
    sys.excepthook, sys.unraisablehook, threading.excepthook, sys.displayhook, sys.breakpointhook = before


def _streams() -> Any:
    return sys.stdin, sys.stdout, sys.stderr


def _put_streams(before: Any) -> None:
    sys.stdin, sys.stdout, sys.stderr = before


def _logging() -> Any:
    root = logging.getLogger()
    return root.level, root.handlers[:], root.filters[:], root.manager.disable


def _put_logging(before: Any) -> None:
    root = logging.getLogger()
    level, root.handlers[:], root.filters[:], disabled = before
    root.setLevel(level)
    logging.disable(disabled)


def _umask() -> int:
    # It can only be read by setting it: for a moment, to one that lets nobody else in.
    before = os.umask(0o077)
    os.umask(before)
    return before


def _put_umask(before: int) -> None:
    os.umask(before)


def _limits() -> Any:
    return sys.getrecursionlimit(), sys.getswitchinterval(), sys.get_int_max_str_digits()


def _put_limits(before: Any) -> None:
    sys.setrecursionlimit(before[0])
    sys.setswitchinterval(before[1])
    sys.set_int_max_str_digits(before[2])


def _collector() -> Any:
    return gc.isenabled(), gc.get_threshold()


def _put_collector(before: Any) -> None:
    (gc.enable if before[0] else gc.disable)()
    gc.set_threshold(*before[1])


_AFFINITY = hasattr(os, "sched_getaffinity")


@functools.lru_cache(maxsize=1)
def _libraries(modules: int) -> Sequence[Any]:
    # To look for them takes milliseconds; who loads another has loaded a module too.
    del modules
    controllers: Sequence[Any] = ThreadpoolController().lib_controllers
    return controllers


def _threads() -> Any:
    counts = {library.filepath: library.get_num_threads() for library in _libraries(len(sys.modules))}
    return counts, os.sched_getaffinity(0) if _AFFINITY else None


def _put_threads(before: Any) -> None:
    counts, affinity = before
    for library in _libraries(len(sys.modules)):
        library.set_num_threads(counts.get(library.filepath, library.get_num_threads()))
    if affinity is not None:
        os.sched_setaffinity(0, affinity)


def _fenv() -> Any:
    """The C library's functions that read and set how floats are rounded; None where it has none."""
    library = ctypes.CDLL(None)
    return library if hasattr(library, "fegetenv") and hasattr(library, "fesetenv") else None


_FENV = _fenv()
_FENV_BYTES = 64  # the largest of the systems that we know has 32


def _floats() -> Any:
    if _FENV is None:
        return None
    state = ctypes.create_string_buffer(_FENV_BYTES)
    _FENV.fegetenv(state)
    return state.raw


def _put_floats(before: Any) -> None:
    if before is not None:
        _FENV.fesetenv(ctypes.create_string_buffer(before, _FENV_BYTES))


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - a path object takes ten times as long
    except FileNotFoundError:
        return None


def _put_folder(before: str | None) -> None:
    if before is not None:
        os.chdir(before)


def _daemonic() -> bool:
    return multiprocessing.current_process().daemon


def _set_daemonic(daemonic: bool) -> None:
    multiprocessing.current_process().daemon = daemonic


def is_of_processes(error: BaseException) -> bool:
    """Whether an error says that a guest started a process by multiprocessing, which guests may not.

    It would outlive a worker that is ended. Dask's workers are daemonic, as Python calls it: they may have no
    children. So that a function does the same everywhere, whatever process has a guest is daemonic meanwhile;
    libraries that know of that, such as joblib, compute in the process itself.
    """
    return isinstance(error, AssertionError) and str(error).startswith("daemonic processes are not allowed")


_HANDLERS = Kept("signal handlers", _handlers, _put_handlers)
KEPT = (
    _HANDLERS,
    Kept("NumPy's error state and buffer size", _numpy_errors, _put_numpy_errors),
    Kept("NumPy's print options", np.get_printoptions, lambda before: np.set_printoptions(**before)),
    Kept("environment variables and the time zone", _environment, _put_environment),
    Kept("warnings filters", lambda: (warnings.filters[:], warnings.showwarning), _put_warnings),
    Kept("the locale", _locale, _put_locale),
    Kept("decimal's context", _decimal, _put_decimal),
    Kept("the alarm", _alarm, _put_alarm),
    Kept("sys.path", lambda: (sys.path, sys.path[:]), _put_path),
    Kept("hooks of sys and threading for errors", _hooks, _put_hooks),
    Kept("standard input, output and errors", _streams, _put_streams),
    Kept("level, handlers and filters of the root logger", _logging, _put_logging),
    Kept("the umask", _umask, _put_umask),
    Kept("limits of the interpreter (recursion, digits, switching)", _limits, _put_limits),
    Kept("the garbage collector's settings", _collector, _put_collector),
    Kept("the timeout of new sockets", socket.getdefaulttimeout, socket.setdefaulttimeout),
    Kept("threads of BLAS and OpenMP, and the cores that may be used", _threads, _put_threads),
    Kept("rounding and underflow of floats", _floats, _put_floats),
    Kept("whether processes may be started by multiprocessing", _daemonic, _set_daemonic),
    # Last: what was the folder may be gone.
    Kept("the current folder", _folder, _put_folder),
)
"""What is put back, beside the global random states of NumPy and Python."""


class _Inside(threading.local):
    calls = 0


_INSIDE = _Inside()


class kept_out:  # noqa: N801 - a context manager, used as a function
    """A context in which a user's code runs, and after which the process is as it was before.

    Of contexts within each other the outermost counts. What it keeps is in ``KEPT``, and the global random
    states: of these the code has its own.
    """

    def __enter__(self) -> None:
        if not _INSIDE.calls:
            self._before = [kept.read() for kept in KEPT]
            for state in _RANDOM:
                state.enter()
            _set_daemonic(True)
        _INSIDE.calls += 1

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        _INSIDE.calls -= 1
        if _INSIDE.calls:
            return
        for state in _RANDOM:
            state.leave()
        # Whoever handled a signal that ends the process may have said how the next one is to be taken.
        told = error is not None and not isinstance(error, (Exception, SystemExit))
        for kept, before in zip(KEPT, self._before, strict=True):
            if kept.read() != before and not (told and kept is _HANDLERS):
                kept.put_back(before)


def as_guest(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function``, called in a context of ``kept_out``."""

    @functools.wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        with kept_out():
            return function(*arguments, **named)

    return called
