"""Compilation: that it works where nothing can be kept, and gives the same whatever was kept before."""

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from winit.network import kept
from winit.network.compiled import VECTORIZE, compiled

NETWORK = Path(kept.__file__).parent


SOURCE = """
from winit.network.compiled import compiled

@compiled()
def twice(x):
    return x + x
"""


@pytest.fixture
def process(tmp_path, monkeypatch):
    """``twice`` as a new process has it: of a module that is loaded anew, kept in ``tmp_path / "kept"``."""
    path = tmp_path / "own.py"
    path.write_text(SOURCE)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "kept"))

    def twice():
        kept.say.cache_clear()
        spec = importlib.util.spec_from_file_location("own", path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "own", module)
        spec.loader.exec_module(module)
        return module.twice

    return twice


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def hits(function):
    return sum(function.stats.cache_hits.values())


def test_code_is_kept_for_the_next_process_types_apart(process, tmp_path, capfd):
    for expected in (0, 2):
        twice = process()
        assert (twice(3), twice(1.5)) == (6, 3.0)
        assert hits(twice) == expected
    assert len(files(tmp_path / "kept")) == 2
    assert capfd.readouterr().err == ""


def flipped(place):
    def damage(content):
        content = bytearray(content)
        content[int(place * (len(content) - 1))] ^= 4
        return bytes(content)

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda content: content[:40],
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: bytes(len(content)),
        lambda content: content + b"more",
        *(flipped(place) for place in (0, 0.001, 0.01, 0.3, 0.7, 0.99, 1)),
    ],
)
def test_damaged_code_is_compiled_anew_and_said_to_be(process, tmp_path, capfd, damage):
    process()(3)
    (path,) = files(tmp_path / "kept")
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    twice = process()
    assert twice(3) == 6
    assert hits(twice) == 0
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"winit: compiled code in {path.parent} is damaged")
    mended = process()
    assert mended(3) == 6
    assert hits(mended) == 1
    assert capfd.readouterr().err == ""


def test_code_under_the_name_of_other_code_is_not_run(process, tmp_path, capfd):
    twice = process()
    assert (twice(3), twice(1.5)) == (6, 3.0)
    left, right = files(tmp_path / "kept")
    left.write_bytes(right.read_bytes())
    twice = process()
    assert (twice(3), twice(1.5)) == (6, 3.0)
    assert hits(twice) == 1
    assert "is damaged" in capfd.readouterr().err


def test_code_of_other_sources_is_compiled_anew_without_a_word(process, capfd, monkeypatch):
    process()(3)
    monkeypatch.setattr(kept, "compiled_from", lambda: bytes(32))
    for expected in (0, 1):
        twice = process()
        assert twice(3) == 6
        assert hits(twice) == expected
    assert capfd.readouterr().err == ""


def test_an_edited_function_is_compiled_anew(process, tmp_path):
    process()(3)
    (tmp_path / "own.py").write_text(SOURCE.replace("x + x", "2 * x + 1"))
    assert process()(3) == 7


def test_a_place_that_is_lost_is_named_and_the_run_goes_on(process, tmp_path, capfd):
    twice = process()
    (folder,) = (tmp_path / "kept").iterdir()
    folder.rmdir()
    folder.touch()
    assert (twice(3), twice(1.5)) == (6, 3.0)
    lines = capfd.readouterr().err.splitlines()
    assert any(f"cannot be kept in {folder} (" in line for line in lines)
    assert all(str(folder) in line for line in lines)
    assert len(lines) == len(set(lines))


def test_a_place_that_is_no_place_is_named_and_another_one_taken(process, tmp_path, capfd):
    (tmp_path / "kept").touch()
    for expected in (0, 1):
        twice = process()
        assert twice(3) == 6
        assert hits(twice) == expected
        (line,) = capfd.readouterr().err.splitlines()
        assert f"NUMBA_CACHE_DIR, {tmp_path / 'kept'}, cannot be written" in line
        assert str(tmp_path / "__pycache__") in line


def test_functions_run_where_nothing_can_be_kept(process, tmp_path, capfd, monkeypatch):
    (tmp_path / "__pycache__").touch()
    (tmp_path / "home").touch()
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    assert process()(3) == 6
    (line,) = capfd.readouterr().err.splitlines()
    assert "no folder where compiled code can be kept" in line


PROCESS = """
import resource, sys
folder, *limit = sys.argv[1:]
if limit:  # bytes that a file may have
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit[0]), int(limit[0])))
sys.path.insert(0, folder)
from own import twice
assert [twice(x) for x in (3, 1.5, True, 2j)] == [6, 3.0, 2, 4j]
print(sum(twice.stats.cache_hits.values()))
"""


def start(tmp_path, *limit):
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(tmp_path), *limit],
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "kept")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_processes_that_fill_the_place_at_the_same_time_leave_it_whole(tmp_path):
    (tmp_path / "own.py").write_text(SOURCE)
    processes = [start(tmp_path) for _ in range(3)]
    said = [process.communicate()[1] for process in processes]
    assert said == ["", "", ""]
    assert len(files(tmp_path / "kept")) == 4
    assert start(tmp_path).communicate() == ("4\n", "")


def test_a_file_that_cannot_be_written_whole_is_not_left_behind(tmp_path):
    (tmp_path / "own.py").write_text(SOURCE)
    process = start(tmp_path, "1000")
    counted, said = process.communicate()
    assert (process.returncode, counted) == (0, "0\n")
    (line,) = said.splitlines()
    assert f"cannot be kept in {tmp_path / 'kept'}" in line
    assert "File too large" in line
    assert files(tmp_path / "kept") == []


def test_a_function_is_compiled_by_its_own_rules_whoever_calls_it_first():
    @compiled()
    def cancelled(x, y):
        return (x + y) - x

    @compiled(fastmath=VECTORIZE)
    def first(x, y):
        return cancelled(x, y)

    assert first(1.0, 1e-20) == 0
    assert cancelled(1.0, 1e-20) == 0


@pytest.mark.parametrize("path", sorted(NETWORK.rglob("*.py")), ids=lambda path: path.stem)
def test_no_compiled_function_takes_a_power(path):
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.FunctionDef) and any(
            "compiled" in ast.unparse(decorator) for decorator in function.decorator_list
        ):
            for node in ast.walk(function):
                if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
                    assert isinstance(node.left, ast.Constant), f"{path}:{node.lineno}"
