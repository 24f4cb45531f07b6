"""Compilation: that it works where nothing can be kept, and gives the same whatever was kept before."""

import ast
from pathlib import Path

import numba
import pytest

from winit.network import compiled as module
from winit.network.compiled import VECTORIZE, compiled

NETWORK = Path(module.__file__).parent


@pytest.fixture
def no_place(monkeypatch):
    """Nothing can be cached."""
    compiler = numba.njit

    def without_a_place(*arguments, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available for file")
        return compiler(*arguments, **options)

    monkeypatch.setattr(numba, "njit", without_a_place)


@pytest.mark.usefixtures("no_place")
def test_the_statistics_run_where_nothing_can_be_cached():
    assert compiled()(lambda x: x + 1)(2) == 3


def test_what_was_compiled_from_other_sources_is_forgotten(tmp_path):
    forget = module._forget_older.__wrapped__  # which looks once a process
    index, code = tmp_path / "f.nbi", tmp_path / "f.1.nbc"
    kept = tmp_path / "kept"
    for folder in (tmp_path, kept):
        forget(folder)  # a new one
    index.touch()
    code.touch()
    forget(tmp_path)
    assert index.exists()
    (tmp_path / "compiled_from.txt").write_text("other sources")
    forget(tmp_path)
    assert not index.exists()
    assert (tmp_path / "compiled_from.txt").read_text() == (kept / "compiled_from.txt").read_text()


@pytest.mark.usefixtures("no_place")
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
