"""Files are replaced whole, links are never followed, and a path is no pattern."""

import errno
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winit.errors import WinitError
from winit.sweep.collect import collect
from winit.sweep.files import pattern, replacing, replacing_all
from winit.sweep.layout import Results
from winit.sweep.locks import exclusive
from winit.sweep.store import Part, Record, Store

ODD_FOLDERS = ["res[1]", "res1", "res*", "res?", "resx", "res[!1]", "[[]", "res]", "a,b", "{a,b}", "s p", "~"]
ODD_FOLDERS += ["seed=3", "x'y", "a\\b", "a%20b", "a#b", "é["]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path):
    (tmp_path / "elsewhere").write_text("theirs")
    (tmp_path / "table.csv").symlink_to(tmp_path / "elsewhere")
    with replacing(tmp_path / "table.csv") as file:
        file.write_text("ours")
    assert (tmp_path / "elsewhere").read_text() == "theirs"
    assert not (tmp_path / "table.csv").is_symlink()
    assert (tmp_path / "table.csv").read_text() == "ours"


def test_files_that_belong_together_are_all_new_or_all_as_they_were(tmp_path):
    paths = [tmp_path / name for name in "abc"]
    for path in paths[:2]:
        path.write_text("before")
    with pytest.raises(OSError, match="No space") as error, replacing_all() as new:  # noqa: PT012
        for path in paths[:2]:
            new(path).write_text("after")
        new(paths[2]).touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert error.value.errno == errno.ENOSPC
    assert error.value.filename == str(paths[2])
    assert names(tmp_path) == ["a", "b"]
    assert [path.read_text() for path in paths[:2]] == ["before", "before"]
    with replacing_all() as new:
        for path in paths:
            new(path).write_text("after")
    assert names(tmp_path) == ["a", "b", "c"]
    assert {path.read_text() for path in paths} == {"after"}


def test_a_name_of_any_length_that_the_disk_takes_can_be_written(tmp_path):
    path = tmp_path / ("n" * 255)
    with replacing(path) as file:
        file.write_text("whole")
    assert path.read_text() == "whole"


def test_an_error_names_the_file_that_people_know(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder") as error, replacing(tmp_path / "folder") as file:
        file.write_text("a file cannot replace a folder")
    assert error.value.filename == str(tmp_path / "folder")
    assert names(tmp_path) == ["folder"]


def test_a_lock_is_not_taken_through_a_link(tmp_path):
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "lock").symlink_to(tmp_path / "theirs")
    with (
        pytest.raises(WinitError, match=r"lock is a symbolic link to .*theirs"),
        exclusive(tmp_path / "lock", ""),
    ):
        pass
    assert (tmp_path / "theirs").read_text() == "theirs"


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """Folders whose names are patterns of each other, a table in each."""
    folder = tmp_path_factory.mktemp("odd")
    for name in ODD_FOLDERS:
        (folder / name).mkdir()
        pq.write_table(pa.table({"name": [name]}), folder / name / "table.parquet")
    return folder


@pytest.mark.parametrize("name", ODD_FOLDERS)
@pytest.mark.parametrize("whole", [True, False])
def test_duckdb_reads_from_a_folder_what_lies_in_that_folder(name, whole, odd, monkeypatch):
    import duckdb

    monkeypatch.chdir(odd)
    path = (odd if whole else Path()) / name / "table.parquet"
    with duckdb.connect() as database:
        rows = database.read_parquet([pattern(path)], hive_partitioning=False)
        assert rows.columns == ["name"]
        assert rows.fetchall() == [(name,)]


def test_what_duckdb_cannot_be_told_is_refused(tmp_path):
    with pytest.raises(WinitError, match="take another results folder"):
        pattern(tmp_path / "a\\b[1]" / "c.parquet")


def part(cell):
    return Part(pa.table({"cell_id": [cell]}), [Record(cell, 1.0)], "1", "packages")


@pytest.mark.parametrize("name", ODD_FOLDERS)
def test_a_store_knows_its_own_parts_and_touches_no_others(name, tmp_path):
    for other in ODD_FOLDERS:
        Store(tmp_path / other).write(part(other))
        (tmp_path / other / "torn.parquet").write_bytes(b"no part")
    assert Store(tmp_path / name).index()["cell_id"].to_pylist() == [name]
    for other in ODD_FOLDERS:
        assert ("torn.parquet" in names(tmp_path / other)) is (other != name)


def test_collect_in_a_folder_whose_name_is_a_pattern(tmp_path):
    from samples import make_results, tiny

    config = tiny(initializer="he_normal", activation="relu", depth=1, width=8, seed=0)
    for name in ("res[1]", "res1"):
        (tmp_path / name).mkdir()
        make_results(tmp_path / name, config)
    results = Results(tmp_path / "res[1]")
    collect(results, config.thresholds)
    assert pq.read_table(results.cells).num_rows == 1
