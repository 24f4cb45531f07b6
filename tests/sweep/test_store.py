"""The store: written whole or not at all, and what is not a part never counts."""

import dataclasses
import errno
import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from samples import tiny

from winit.network.diagnostics import COLUMNS
from winit.network.labels import LONGEST_MESSAGE, printable
from winit.sweep.engine import blocks
from winit.sweep.kinds import cells_of, kind_of, store_of
from winit.sweep.layout import Results
from winit.sweep.plan import make_plan, make_training_plan
from winit.sweep.schema import LAYERS
from winit.sweep.status import unfinished
from winit.sweep.store import Part, Record, Store
from winit.sweep.tasks import compute


@pytest.fixture
def block():
    return compute(next(blocks(make_plan(tiny()))))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "parts")


def write(store, block):
    return store.write(block)


def test_what_was_written_is_in_the_index(store, block):
    path = write(store, block)
    index = store.index()
    assert set(index["cell_id"].to_pylist()) == {record.cell_id for record in block.records}
    assert set(index["status"].to_pylist()) == {"ok"}
    assert set(index["part"].to_pylist()) == {path.name}
    assert pq.read_table(path).cast(LAYERS).equals(block.rows.unify_dictionaries().cast(LAYERS))


def test_an_empty_store_has_an_empty_index(store):
    assert store.index().num_rows == 0


def test_the_same_part_twice_is_one_file(store, block):
    assert write(store, block) == write(store, block)
    assert len(list(store.folder.iterdir())) == 1


def test_a_cell_that_failed_and_finished_later_is_finished(store, block):
    ids = [record.cell_id for record in block.records]
    failed = [Record(cell, 0.0, "ValueError: no") for cell in ids]
    store.write(Part(LAYERS.empty_table(), failed, block.version, block.packages))
    assert set(store.index()["status"].to_pylist()) == {"failed"}
    assert set(store.index()["error"].to_pylist()) == {"ValueError: no"}
    write(store, block)
    assert set(store.index()["status"].to_pylist()) == {"ok"}


def test_parts_without_a_column_stay_and_do_not_count(store, block):
    """As an older version wrote them: their cells are computed anew, and stand in a part beside."""
    older = replace(block, rows=block.rows.drop_columns(["y_std"]))
    path = store.write(older)
    now = Store(store.folder, [column.name for column in COLUMNS])
    assert now.index().num_rows == 0
    assert store.index().num_rows == len(block.records)
    assert path.exists()
    whole = write(store, block)
    assert set(now.index()["part"].to_pylist()) == {whole.name}
    # What is no part at all is set aside as ever.
    (store.folder / "bad.parquet").write_bytes(b"PAR1")
    assert now.index().num_rows == len(block.records)
    assert (store.folder / "set-aside/bad.parquet").exists()


@pytest.mark.parametrize("trains", [False, True])
def test_a_sweep_computes_anew_what_an_older_version_stored_with_fewer_columns(trains, tmp_path):
    plan = make_training_plan(tiny()) if trains else make_plan(tiny())
    sweep = Results(tmp_path, trains=trains)
    for column in kind_of(plan).measured:
        part = compute(next(blocks(plan)))
        Store(sweep.parts).write(replace(part, rows=part.rows.drop_columns([column])))
        assert unfinished(plan, store_of(sweep, plan).index()).num_rows == plan.num_rows, column
    # Columns that follow from the plan are not asked for.
    keys = ["initializer", "fan_in"]
    Store(sweep.parts).write(replace(part, rows=part.rows.drop_columns(keys)))
    assert unfinished(plan, store_of(sweep, plan).index()).num_rows == plan.num_rows - len(part.records)


POISON = "caf\udce9 \x1b[31m \0" + "x" * 1_000_000


def test_a_message_that_no_table_can_hold_is_stored_as_one_that_can(store, block):
    store.write(Part(LAYERS.empty_table(), [Record("a", 0.0, POISON)], block.version, block.packages))
    (error,) = store.index()["error"].to_pylist()
    assert error.startswith(r"caf\udce9 \x1b[31m \x00xxx")
    assert len(error) <= LONGEST_MESSAGE


def test_a_store_that_holds_such_a_message_can_be_read(store, block, monkeypatch):
    write(store, block)
    with monkeypatch.context() as older:
        older.setattr("winit.sweep.store.printable", lambda text: text)
        store.write(Part(LAYERS.empty_table(), [Record("a", 0.0, POISON)], block.version, block.packages))
    index = store.index()
    assert index.num_rows == len(block.records) + 1
    assert not (store.folder / "set-aside").exists()
    (error,) = filter(None, index["error"].to_pylist())
    assert error == printable(POISON)


@pytest.mark.parametrize("damage", ["torn", "empty", "foreign", "text"])
def test_a_file_that_is_no_part_is_set_aside_and_never_read(store, block, damage):
    good = write(store, block)
    bad = store.folder / "0123.parquet"
    content = good.read_bytes()
    if damage == "foreign":
        pq.write_table(pa.table({"x": [1]}), bad)
    else:
        bad.write_bytes({"torn": content[: len(content) // 2], "empty": b"", "text": b"hello"}[damage])
    assert set(store.index()["part"].to_pylist()) == {good.name}
    assert not bad.exists()
    assert (store.folder / "set-aside" / bad.name).exists()


def test_what_is_no_file_is_no_part(store, block):
    good = write(store, block)
    (store.folder / "folder.parquet").mkdir()
    (store.folder / "nowhere.parquet").symlink_to("nothing")
    assert set(store.index()["part"].to_pylist()) == {good.name}


def test_a_part_whose_content_was_changed_is_noticed(store, block):
    path = write(store, block)
    assert store.verified(path.name) == path
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    assert store.verified(path.name) is None
    assert (store.folder / "set-aside" / path.name).exists()


def test_a_write_that_fails_leaves_nothing_and_loses_nothing(store, block, monkeypatch):
    before = write(store, block)

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.write(Part(LAYERS.empty_table(), [Record("x", 0.0)], "", ""))
    assert [path.name for path in store.folder.iterdir()] == [before.name]


def test_shards_may_write_at_once(store):
    cells = cells_of(make_plan(tiny()))
    results = [compute(cells[start : start + 8]) for start in range(0, len(cells), 8)]
    # Each cell twice, by different writers: which part counts does not depend on who was first.
    shards = [results[::2], results[1::2], results[::-1]]

    def write_all(shard):
        for result in shard:
            store.write(result)

    with ThreadPoolExecutor(len(shards)) as threads:
        list(threads.map(write_all, shards))
    index = store.index()
    assert sorted(index["cell_id"].to_pylist()) == sorted(
        record.cell_id for result in results for record in result.records
    )
    assert {path.name for path in store.folder.iterdir()} == set(index["part"].to_pylist())


def test_a_part_survives_being_sent(block):
    sent = pickle.loads(pickle.dumps(block))  # noqa: S301 - our own
    assert sent.rows.equals(block.rows)
    assert dataclasses.replace(sent, rows=None) == dataclasses.replace(block, rows=None)


def test_parts_can_be_brought_together_by_copying(store, block, tmp_path):
    other = Store(tmp_path / "other")
    path = write(other, block)
    store.folder.mkdir()
    shutil.copy(path, store.folder)
    write(store, block)
    assert store.index().num_rows == len(block.records)
