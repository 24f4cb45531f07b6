"""What a user's code does to the process is put back, when its file is run and when it is called."""
# ruff: noqa: NPY002 - it is about the global random state

import ctypes
import decimal
import gc
import locale
import logging
import multiprocessing
import os
import platform
import random
import signal
import socket
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg  # noqa: F401 - brings a BLAS of its own

from winit.network import guests
from winit.network.activations import activation
from winit.network.cells import Cell, Probe
from winit.network.guests import KEPT, as_guest, kept_out
from winit.network.initializers import initializer
from winit.network.kernel import measure
from winit.network.labels import LabelError
from winit.network.sources import Source
from winit.network.theory import predict

UPWARD = {"x86_64": 0x800, "aarch64": 0x400000, "arm64": 0x400000}[platform.machine()]

# What a guest may do to each thing that is kept, by its place in the list.
DEEDS = """
import ctypes, decimal, gc, io, locale, logging, os, random, signal, socket, sys, threading, time, warnings
import numpy as np
from threadpoolctl import threadpool_limits

def ignored(*_): pass

def misbehave():
    np.seterr(all="raise")
    np.seterrcall(ignored)
    np.setbufsize(16 * 1024)
    np.set_printoptions(precision=2, threshold=5)
    np.random.seed(1)
    np.random.standard_normal(3)
    random.seed(1)
    random.gauss(0, 1)
    os.environ["WINIT_GUEST"] = "was here"
    os.environ["TZ"] = "Pacific/Auckland"
    os.environ.pop("HOME", None)
    time.tzset()
    warnings.simplefilter("error")
    warnings.showwarning = ignored
    locale.setlocale(locale.LC_ALL, "C.UTF-8" if locale.setlocale(locale.LC_ALL) == "C" else "C")
    decimal.getcontext().prec = 3
    decimal.getcontext().traps[decimal.Inexact] = True
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, ignored)
    signal.setitimer(signal.ITIMER_REAL, 1000)
    sys.path = [*sys.path, "/nowhere"]
    sys.excepthook = threading.excepthook = sys.unraisablehook = ignored
    sys.stdout = sys.stderr = io.StringIO()
    logging.disable(logging.CRITICAL)
    logging.getLogger().setLevel(logging.DEBUG)
    logging.getLogger().addHandler(logging.NullHandler())
    os.umask(0o777)
    sys.setrecursionlimit(sys.getrecursionlimit() + 100)
    gc.disable()
    socket.setdefaulttimeout(0.001)
    threadpool_limits(2)
    ctypes.CDLL(None).fesetround(UPWARD)
    os.chdir("/")

def disturbing(function):
    def called(subject):
        try:
            return function(subject)
        finally:
            misbehave()
    return called
""".replace("UPWARD", str(UPWARD))
HONEST = """
def law(layer): return winit.Law("normal", std=layer.fan_in**-0.5)
def array(layer): return layer.standard("normal") / layer.fan_in**0.5
def phi(z): return np.tanh(z), 1 - np.tanh(z) ** 2
"""
IMPORTS = "import numpy as np\nimport winit\n"
TWIN = (Source("twin.py", IMPORTS + HONEST),)
AT_ITS_TOP = (Source("top.py", DEEDS + IMPORTS + "misbehave()\n" + HONEST),)
AT_EACH_CALL = (Source("call.py", DEEDS + IMPORTS + HONEST.replace("\ndef", "\n@disturbing\ndef")),)


def everything():
    """Of the process, in words."""
    rounding = ctypes.CDLL(None).fegetround()
    threads = {library.filepath: library.get_num_threads() for library in guests._libraries(0)}
    return {
        "numpy": (np.geterr(), np.geterrcall(), np.getbufsize(), np.get_printoptions()),
        "random": (repr(np.random.get_state(legacy=False)), random.getstate()),
        "environment": dict(os.environ),
        "warnings": (warnings.filters[:], warnings.showwarning),
        "locale": locale.setlocale(locale.LC_ALL),
        "decimal": (decimal.getcontext().prec, decimal.getcontext().traps[decimal.Inexact]),
        "signals": [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)],
        "alarm": signal.getitimer(signal.ITIMER_REAL)[0],
        "path": sys.path[:],
        "hooks": (sys.excepthook, threading.excepthook, sys.unraisablehook),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "logging": (logging.root.level, logging.root.handlers[:], logging.root.manager.disable),
        "limits": (sys.getrecursionlimit(), gc.isenabled(), socket.getdefaulttimeout()),
        "threads": (threads, rounding),
        "folder": Path.cwd(),
        "umask": guests._umask(),
    }


def test_each_thing_that_is_kept_was_disturbed_and_is_put_back():
    space = {}
    exec(DEEDS, space)  # noqa: S102
    before, mess = everything(), []
    read = [kept.read() for kept in KEPT]

    def guest():
        space["misbehave"]()
        mess.extend(kept.read() != was for kept, was in zip(KEPT, read, strict=True))

    as_guest(guest)()
    assert all(mess), [kept.name for kept, found in zip(KEPT, mess, strict=True) if not found]
    assert everything() == before


@pytest.mark.parametrize("drawn", [1, 2, 3])
@pytest.mark.parametrize(("draw", "seed"), [(np.random.normal, np.random.seed), (random.gauss, random.seed)])
def test_random_numbers_of_a_guest_are_not_taken_from_others(draw, seed, drawn):
    seed(7)
    expected = [draw(0, 1) for _ in range(6)]
    seed(7)
    found = [draw(0, 1) for _ in range(drawn)]
    as_guest(draw)(0, 1)  # of two normal numbers that are made at once, it may be the second
    assert found + [draw(0, 1) for _ in range(6 - drawn)] == expected


@pytest.mark.parametrize("own", [AT_ITS_TOP, AT_EACH_CALL], ids=["at its top", "at each call"])
def test_a_function_that_disturbs_computes_what_its_honest_twin_does(own):
    random.seed(7)
    random.gauss(0, 1)
    np.random.seed(7)
    np.random.standard_normal()  # of both, a second number is kept for the next call
    before = everything()
    cells = {}
    for sources in (TWIN, own):
        name = sources[0].name
        for label in ("law", "array"):
            cell = Cell(f"{name}:{label}", f"{name}:phi", 3, "12", 0, Probe(batch=20), sources)
            (cells[label, name],) = measure([cell])
        theory = predict(
            initializer(f"{name}:law", sources), activation(f"{name}:phi", sources), 3, "12", Probe(batch=20)
        )
        cells["theory", name] = theory
    assert everything() == before
    for label in ("law", "array"):
        left, right = (cells[label, sources[0].name].table for sources in (TWIN, own))
        for column, values in left.items():
            assert values.tobytes() == right[column].tobytes(), column
    left, right = (cells["theory", sources[0].name] for sources in (TWIN, own))
    assert left.h_std.tobytes() == right.h_std.tobytes()
    assert left.limits == right.limits


def test_what_a_file_does_before_it_fails_is_put_back_too():
    before = everything()
    with pytest.raises(LabelError, match="cannot be run: ZeroDivisionError"):
        initializer("bad.py:f", (Source("bad.py", DEEDS + "misbehave()\n1 / 0\n"),))
    assert everything() == before


def test_a_thread_that_is_not_the_main_one_is_kept_too():
    before, space = everything(), {}
    exec(DEEDS, space)  # noqa: S102
    thread = threading.Thread(target=as_guest(space["misbehave"]))
    thread.start()
    thread.join()
    assert everything() == before


def test_guests_have_random_numbers_of_their_own_which_go_on():
    np.random.seed(0)
    random.seed(0)
    draw = as_guest(lambda: (np.random.standard_normal(), random.random()))
    seen = [draw() for _ in range(4)]
    assert len(set(seen)) == 4
    assert np.random.standard_normal() == np.random.RandomState(0).standard_normal()
    assert random.random() == random.Random(0).random()
    as_guest(lambda: (np.random.seed(5), random.seed(5)))()
    assert draw() == (np.random.RandomState(5).standard_normal(), random.Random(5).random())


def test_a_guest_within_a_guest_is_one_visit(tmp_path):
    here = Path.cwd()
    with kept_out():
        os.chdir(tmp_path)
        as_guest(lambda: os.chdir("/"))()
        assert Path.cwd() == Path("/")
    assert Path.cwd() == here


def test_what_a_signal_that_ends_the_process_says_of_the_next_one_stands():
    def told(*_):
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, told)
    try:
        with pytest.raises(KeyboardInterrupt):
            as_guest(lambda: signal.raise_signal(signal.SIGUSR1))()
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGUSR1, before)


PROCESSES = """
import concurrent.futures, multiprocessing
import winit

def one(k): return float(k)

def pool(layer, start: str = ""):
    with multiprocessing.get_context(start or None).Pool(2) as processes:
        return winit.Law("normal", sum(processes.map(one, [1, 2])))

def executor(layer, start: str = ""):
    context = multiprocessing.get_context(start or None)
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as processes:
        return winit.Law("normal", sum(processes.map(one, [1, 2])))

def process(layer, start: str = ""):
    child = multiprocessing.get_context(start or None).Process(target=one, args=(1,))
    child.start()
    child.join()
    return winit.Law("normal", 1.0)

def manager(layer, start: str = ""):
    with multiprocessing.get_context(start or None).Manager() as shared:
        return winit.Law("normal", shared.list([1.0])[0])

def phi(z):
    with multiprocessing.Pool(2) as processes:
        return z * sum(processes.map(one, [1, 2])), z * 0 + 3
"""
WORDS = r"uses multiprocessing, which workers may not, .*; compute it in one process$"


@pytest.mark.parametrize("start", ["", "fork", "spawn", "forkserver"])
@pytest.mark.parametrize("name", ["pool", "executor", "process", "manager"])
def test_a_guest_starts_no_processes_and_is_told_so(name, start):
    own = (Source("processes.py", PROCESSES),)
    with pytest.raises(LabelError, match=rf"^processes\.py:{name}.* {WORDS}"):
        initializer(f"processes.py:{name}(start={start!r})", own).try_with(activation("relu"))
    assert multiprocessing.active_children() == []
    assert not multiprocessing.current_process().daemon


def test_nor_does_an_activation_or_the_top_of_a_file():
    with pytest.raises(LabelError, match=rf"^processes\.py:phi {WORDS}"):
        activation("processes.py:phi", (Source("processes.py", PROCESSES),))
    top = f"{PROCESSES}\npool(None)\n"
    with pytest.raises(LabelError, match=rf"^top\.py cannot be run: {WORDS}"):
        initializer("top.py:pool", (Source("top.py", top),))


def test_threads_are_a_guests_own_affair():
    text = """
import multiprocessing.pool
import winit
def init(layer):
    with multiprocessing.pool.ThreadPool(2) as threads:
        return winit.Law("normal", sum(threads.map(abs, [1, 2])))
"""
    initializer("threads.py:init", (Source("threads.py", text),)).try_with(activation("relu"))


def test_a_library_that_can_do_without_processes_does():
    text = """
import warnings
import joblib
import winit
def one(k): return float(k)
def init(layer):
    with warnings.catch_warnings(action="ignore"):
        return winit.Law("normal", sum(joblib.Parallel(n_jobs=2)(joblib.delayed(one)(k) for k in (1, 2))))
"""
    pytest.importorskip("joblib")
    initializer("jobs.py:init", (Source("jobs.py", text),)).try_with(activation("relu"))
