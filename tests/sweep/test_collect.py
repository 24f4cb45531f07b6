"""The dataset: every planned cell exactly once, sorted, with the schema it promises."""

import duckdb
import pyarrow.parquet as pq
import pytest
from samples import GRID_SIZE, make_results, tiny

from winit.sweep.collect import IncompleteError, collect
from winit.sweep.engine import blocks
from winit.sweep.plan import make_plan
from winit.sweep.schema import CELLS, LAYERS, SORT_KEYS
from winit.sweep.store import Store
from winit.sweep.tasks import compute
from winit.sweep.verdicts import Thresholds


@pytest.fixture
def results(tmp_path):
    return make_results(tmp_path, tiny())


def replan(results, config):
    pq.write_table(make_plan(config), results.plan)


def test_every_planned_cell_is_there_once_with_all_its_layers(results):
    layers, cells = pq.read_table(results.layers), pq.read_table(results.cells)
    assert sorted(cells["cell_id"].to_pylist()) == sorted(results.read_plan()["cell_id"].to_pylist())
    counts = duckdb.sql("SELECT cell_id, depth, count(*), max(layer) FROM layers GROUP BY ALL").fetchall()
    assert len(counts) == GRID_SIZE
    assert all(rows == depth + 1 and last == depth for _, depth, rows, last in counts)
    assert layers.num_rows == sum(rows for _, _, rows, _ in counts)


def test_files_have_the_schema_with_a_description_for_every_column(results):
    for path, schema in ((results.layers, LAYERS), (results.cells, CELLS)):
        file = min(path.glob("*")) if path.is_dir() else path
        assert pq.read_schema(file).equals(schema, check_metadata=True)
        assert all(field.metadata[b"description"] for field in schema)


def test_rows_are_sorted(results):
    rows = pq.read_table(results.layers).select([*SORT_KEYS, "layer"]).to_pylist()
    keys = [tuple(row.values()) for row in rows]
    assert keys == sorted(keys)


def test_the_input_has_no_weights_and_no_gradients(results):
    first = duckdb.sql(f"SELECT * FROM '{results.layers}/*.parquet' WHERE layer = 0").to_arrow_table()
    missing = {name for name in LAYERS.names if first[name].null_count == first.num_rows}
    assert missing == {
        "fan_in",
        *("z_mean", "z_std", "derivative_mean", "derivative_second_moment"),
        *("saturated_fraction", "dead_units", "w_mean", "w_std", "distinct_errors"),
        *("g_mean", "g_std", "weight_grad_mean", "weight_grad_std", "weight_grad_norm"),
        "g_magnitude",
        "pair_correlation",  # the input is no pairs
    }


def test_a_cell_in_two_parts_is_taken_once(results):
    config = tiny()
    store = Store(results.parts)
    extra = compute(next(blocks(make_plan(config)))[:3])
    store.write(extra.rows, extra.records, "again")
    before = pq.read_table(results.layers)
    collect(results, config.thresholds)
    assert pq.read_table(results.layers).equals(before)


def test_cells_that_are_no_longer_planned_are_left_out(results):
    fewer = tiny(seed=[2])
    replan(results, fewer)
    collect(results, fewer.thresholds)
    assert set(pq.read_table(results.layers)["seed"].to_pylist()) == {2}
    assert pq.read_table(results.cells).num_rows == GRID_SIZE // 3


def test_missing_cells_are_an_error_and_the_old_dataset_stays(results):
    before = results.cells.read_bytes()
    more = tiny(depth=[1, 4, 5])
    replan(results, more)
    manifest = results.shard(1, 1)
    manifest.parent.mkdir()
    manifest.touch()
    with pytest.raises(IncompleteError, match=f"{GRID_SIZE // 2} of"):
        collect(results, more.thresholds)
    assert results.cells.read_bytes() == before
    assert not manifest.exists()  # so that Snakemake sweeps again
    assert not list(results.folder.glob(".collect-*"))


def test_a_damaged_part_is_missing_not_data(results):
    part = min(results.parts.glob("*.parquet"))
    content = bytearray(part.read_bytes())
    content[len(content) // 3] ^= 0xFF
    part.write_bytes(content)
    with pytest.raises(IncompleteError):
        collect(results, Thresholds())


def test_histograms_may_be_absent(tmp_path):
    results = make_results(tmp_path, tiny(probe={"histograms": False}, seed=[0]))
    layers = pq.read_table(results.layers)
    assert layers["h_histogram"].null_count == layers.num_rows
    assert layers["h_std"].null_count == 0


def test_new_thresholds_change_verdicts_and_no_measurement(results):
    layers = pq.read_table(results.layers)
    strict = Thresholds(vanishing=0.999, exploding=1.001)
    before = pq.read_table(results.cells)["verdict"].to_pylist()
    collect(results, strict)
    assert pq.read_table(results.layers).equals(layers)
    after = pq.read_table(results.cells)["verdict"].to_pylist()
    assert before.count("healthy") > after.count("healthy")
