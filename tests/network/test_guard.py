"""Whatever somebody's code does, short of ending the process, is one error of ours, on one line."""

import asyncio
import os
import signal
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winit.errors import RaisedError
from winit.network.activations import activation
from winit.network.guard import TooLongError, guarded, guarding
from winit.network.initializers import initializer
from winit.network.labels import LONGEST_MESSAGE, LabelError, described, printable
from winit.network.sources import Source


class Panic(BaseException):
    """As libraries written in Rust raise it."""


class MuteError(Exception):
    def __str__(self):
        raise Panic


class OddError(Exception):
    def __str__(self):
        return 3  # noqa: PLE0307 - as careless code does


class Boasting(type):
    @property
    def __name__(cls):
        raise Panic


class BoastError(Exception, metaclass=Boasting):
    pass


def cyclic():
    error = ValueError("again")
    error.__cause__ = KeyError("and")
    error.__cause__.__cause__ = error
    return error


ANYTHING = {
    "Panic: help": Panic("help"),
    "CancelledError": asyncio.CancelledError(),
    "KeyboardInterrupt": KeyboardInterrupt(),
    "SystemExit: 0": SystemExit(0),
    "GeneratorExit": GeneratorExit(),
    "StopIteration: 3": StopIteration(3),
    "StopAsyncIteration": StopAsyncIteration(),
    "MemoryError": MemoryError(),
    "RecursionError: deep": RecursionError("deep"),
    "RuntimeWarning: nan": RuntimeWarning("nan"),
    "MuteError: (its message cannot be read: Panic)": MuteError(),
    "OddError: (its message cannot be read: TypeError)": OddError(),
    "BoastError: I": BoastError("I"),
    "ValueError: again": cyclic(),
    "BaseExceptionGroup: many (2 sub-exceptions), first Panic: a": BaseExceptionGroup(
        "many", [BaseExceptionGroup("more", [Panic("a")]), ValueError()]
    ),
    "OSError: caf\\udce9": OSError("caf\udce9"),
    "ValueError: \\x1b[31m\\u202e\\x00": ValueError("\n\x1b[31m\u202e\0\nmore"),
}


@pytest.mark.parametrize("where", ["main thread", "another thread"])
@pytest.mark.parametrize("words", ANYTHING)
def test_whatever_is_raised_is_one_error_of_ours(words, where):
    def function():
        raise ANYTHING[words]

    caught = []

    def call():
        try:
            guarding("own.py:f", function)()
        except RaisedError as error:
            caught.append(error)

    if where == "main thread":
        call()
    else:
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
    (error,) = caught
    assert described(error) == words
    assert str(error) == f"own.py:f raised {words}"


def test_errors_of_ours_pass():
    for ours in (LabelError("no such label"), RaisedError("a", "b")):
        with pytest.raises(type(ours)) as caught, guarded("own.py:f"):
            raise ours
        assert caught.value is ours


@given(st.text(st.characters(exclude_categories=()), max_size=2 * LONGEST_MESSAGE))
def test_what_is_printable_is_one_line_that_can_be_written_anywhere(text):
    shown = printable(text)
    assert shown.isprintable()
    assert shown.encode().decode() == shown
    assert len(shown) <= LONGEST_MESSAGE
    assert printable(shown) == shown


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=LONGEST_MESSAGE))
def test_what_can_be_printed_stands_as_it_is(text):
    assert printable(text) == text


def test_a_long_message_is_kept_to_its_beginning():
    said = described(ValueError("x" * 20_000_000))
    assert len(said) <= LONGEST_MESSAGE
    assert said.startswith("ValueError: xxx")


class Told(BaseException):
    pass


def tell(*_):
    raise Told


def told(number, *, held_back):
    try:
        os.kill(os.getpid(), number)
        time.sleep(20)
    except Told:
        if not held_back:
            raise


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("held_back", [False, True])
def test_a_signal_ends_what_runs_and_is_no_fault_of_the_code(number, held_back):
    before = signal.signal(number, tell)
    try:
        with pytest.raises(Told), guarded("own.py:f"):
            told(number, held_back=held_back)
        assert signal.getsignal(number) is tell
    finally:
        signal.signal(number, before)


def test_code_that_does_not_return_is_interrupted_though_it_catches_everything():
    def endless():
        for _ in range(2):
            try:
                while True:
                    time.sleep(0.01)
            except BaseException:  # noqa: BLE001, S110 - as careless code does
                pass
        while True:
            pass

    for _ in range(2):  # the second time it is not begun
        too_long = pytest.raises(TooLongError, match=r"own\.py:f did not return within 0\.1 s")
        with too_long, guarded("own.py:f", 0.1, "test"):
            endless()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_code_that_returns_in_time_is_let_alone():
    with pytest.raises(TooLongError), guarded("own.py:f", 0.05, "endless"), guarded("what it calls"):
        time.sleep(60)
    before = signal.getsignal(signal.SIGALRM)
    with guarded("own.py:f", 1000.0):
        assert signal.getsignal(signal.SIGALRM) is not before
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


TEXT = """
import asyncio
import winit
class Panic(BaseException): pass
def panic(layer): raise Panic("here")
def cancelled(layer): raise asyncio.CancelledError
def endless(layer):
    while True: pass
def phi(z): raise KeyboardInterrupt
def still(z):
    while True: pass
class Default:
    def __eq__(self, other): raise Panic("no")
    __hash__ = None
def default(layer, of=Default()): return winit.Law("constant")
"""
OWN = (Source("panicking.py", TEXT),)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("panic", r"panicking\.py:panic raised Panic: here"),
        ("cancelled", "panicking.py:cancelled raised CancelledError"),
        ("endless", r"panicking\.py:endless did not return within 0\.2 s"),
    ],
)
def test_the_trial_of_an_initializer_says_what_it_did(name, words, monkeypatch):
    if name == "endless":
        monkeypatch.setattr("winit.network.initializers.TRIAL_SECONDS", 0.2)
    found = initializer(f"panicking.py:{name}", OWN)
    with pytest.raises(LabelError, match=words):
        found.try_with(activation("relu"))
    assert not found.is_iid


@pytest.mark.parametrize(
    ("name", "words"),
    [("phi", "panicking.py:phi raised KeyboardInterrupt"), ("still", "panicking.py:still did not return")],
)
def test_the_trial_of_an_activation_says_what_it_did(name, words, monkeypatch):
    if name == "still":
        monkeypatch.setattr("winit.network.activations.TRIAL_SECONDS", 0.2)
    with pytest.raises(LabelError, match=words):
        activation(f"panicking.py:{name}", OWN)


def test_odd_default_arguments_are_said_too():
    with pytest.raises(LabelError, match=r"panicking\.py:default raised Panic: no"):
        initializer("panicking.py:default", OWN)


@pytest.mark.parametrize("text", ["raise BaseException('top')", "raise GeneratorExit('top')"])
def test_a_file_that_raises_anything_cannot_be_run(text):
    with pytest.raises(LabelError, match=r"raising\.py cannot be run: (BaseException|GeneratorExit): top"):
        initializer("raising.py:f", (Source("raising.py", text),))


def test_a_file_that_does_not_return_says_so(monkeypatch):
    monkeypatch.setattr("winit.network.sources.IMPORT_SECONDS", 0.2)
    with pytest.raises(LabelError, match=r"still\.py cannot be run: did not return within 0\.2 s"):
        initializer("still.py:f", (Source("still.py", "while True: pass"),))
