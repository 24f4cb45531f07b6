"""Every file that winit writes is written aside and renamed: nothing else opens one for writing."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1] / "winit"

ALLOWED = {
    "sweep/files.py:flush": "opens to flush",
    "sweep/locks.py:exclusive": "a lock, whose content says no more than who holds it",
    "sweep/locks.py:_opened": "the same, never through a link",
    "sweep/certificates.py:_write": "a key of one sweep, in a private folder that ends with it",
    "sweep/seals.py:write_sealed": "the path comes from replacing",
    "sweep/seals.py:seal": "a file that has not taken its place yet",
    "sweep/sorting.py:_append": "a box of collect's scratch folder",
    "sweep/collect.py:write_layers": "of collect's scratch folder, from where the whole dataset is renamed",
    "sweep/collect.py:_write_file": "likewise",
    "sweep/collect.py:_writer": "likewise",
    "sweep/store.py:__reduce__": "a buffer in memory",
    "sweep/store.py:_encoded": "likewise",
    "sweep/reading.py:_content": "opens to read",
    "signals.py:_mute": "the null device",
    "network/kept.py:save_overload": "compiled code, aside; the numerics know no files of the sweep",
    "findings/portrait.py:_named": "a temporary folder",
    "findings/figures.py:save_figures": "drawing.save replaces all figures",
    "findings/figures.py:save_chosen": "likewise",
    "findings/reading.py:__init__": "opens to read",
    "findings/tables.py:write": "each path comes from replacing_all",
    "findings/tables.py:write_csv": "the path comes from write",
    "findings/answers.py:write_csv": "the sink comes from winit query",
    "findings/answers.py:write_parquet": "likewise",
    "cli/screen.py:reader_may_leave": "the null device",
}
"""Where else something is opened for writing, and why that is right."""

WRITES = {"write_text", "write_bytes", "touch", "save", "to_csv", "to_parquet", "copyfile", "copytree"}
WRITES |= {"write_table", "ParquetWriter", "CSVWriter", "new_stream", "new_file"}
WRITES_OF = {"shutil": {"copy", "copy2", "move"}, "os": {"open", "fdopen"}}
SAFE = {"replacing", "replacing_all"}


def name_of(function):
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def opens_for_writing(call):
    """Whether it is a call that may write to a file."""
    name = name_of(call.func)
    owner = getattr(call.func.value, "id", "") if isinstance(call.func, ast.Attribute) else ""
    if name in WRITES or name in WRITES_OF.get(owner, ()):
        return True
    if name != "open":
        return False
    modes = [*call.args, *(keyword.value for keyword in call.keywords)]
    words = [mode.value for mode in modes if isinstance(mode, ast.Constant) and isinstance(mode.value, str)]
    return any(set(word) <= set("rwaxbt+") and set(word) & set("wax+") for word in words)


def writers(tree):
    """Where something is opened for writing, outside of what is replaced: functions by name."""
    found = []

    def visit(node, function, safe):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function, safe = node.name, False
        if isinstance(node, ast.With):
            calls = [call for item in node.items for call in ast.walk(item) if isinstance(call, ast.Call)]
            safe = safe or any(name_of(call.func) in SAFE for call in calls)
        if isinstance(node, ast.Call) and not safe and opens_for_writing(node):
            found.append(function)
        for child in ast.iter_child_nodes(node):
            visit(child, function, safe)

    visit(tree, "", False)
    return set(found)


def test_nothing_is_opened_for_writing_but_what_is_replaced_whole():
    found = {
        f"{path.relative_to(ROOT)}:{function}"
        for path in ROOT.rglob("*.py")
        for function in writers(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == set(ALLOWED)


def test_what_writes_is_seen():
    source = """
def a(path): path.write_text("x")
def b(path): open(path, "w")
def c(path):
    with replacing(path) as new, new.open("wb") as file: file.write(b"")
def d(path): path.open("r+b")
def e(path): path.open("rb"); open(path); path.read_text()
def f(path): os.open(path, os.O_WRONLY)
"""
    assert writers(ast.parse(source)) == {"a", "b", "d", "f"}
