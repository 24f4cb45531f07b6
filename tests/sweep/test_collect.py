"""The dataset: every planned cell exactly once, sorted, with the schema it promises."""

import dataclasses

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import GRID_SIZE, RUNS, make_results, tiny

from winit.network.training import TRAINING_VERSION, recorded_steps, train
from winit.sweep import collect as module
from winit.sweep import sorting
from winit.sweep.collect import IncompleteError, collect, collect_training
from winit.sweep.engine import blocks
from winit.sweep.kinds import cells_of
from winit.sweep.layout import Results
from winit.sweep.plan import make_plan, make_training_plan, write_plan
from winit.sweep.schema import CELLS, LAYERS, SORT_KEYS, TRAINING, TRAINING_RUNS
from winit.sweep.store import Store
from winit.sweep.tasks import compute
from winit.sweep.verdicts import Thresholds


@pytest.fixture
def results(tmp_path):
    return make_results(tmp_path, tiny())


def replan(results, config):
    write_plan(make_plan(config), results.plan)


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
        assert pq.read_schema(file).with_metadata(None).equals(schema, check_metadata=True)
        assert all(field.metadata[b"description"] for field in schema)


def test_rows_are_sorted(results):
    rows = pq.read_table(results.layers).select([*SORT_KEYS, "layer"]).to_pylist()
    keys = [tuple(row.values()) for row in rows]
    assert keys == sorted(keys)


@pytest.fixture
def short_groups(results, monkeypatch):
    """The results in row groups of some forty rows."""
    monkeypatch.setattr(module, "_LEAST_ROWS", 30)
    monkeypatch.setattr(module, "_MOST_ROWS", 40)
    collect(results, tiny().thresholds)
    return results


def test_a_query_on_one_network_reads_its_row_groups_alone(short_groups):
    (path,) = short_groups.layers.glob("*.parquet")
    metadata = pq.read_metadata(path)
    names = ("activation", "initializer")
    columns = {name: LAYERS.get_field_index(name) for name in names}
    ends = []
    for group in range(metadata.num_row_groups):
        assert metadata.row_group(group).num_rows <= 40
        statistics = {name: metadata.row_group(group).column(i).statistics for name, i in columns.items()}
        ends.append([(statistics[name].min, statistics[name].max) for name in names])
    # 42 rows of each pair: 40, and then the rest, which is too few to stand alone, with the next one's.
    assert metadata.num_row_groups > 8
    for activation in ("relu", "tanh"):
        for initializer in ("he_normal", "zeros"):
            held = [a[0] <= activation <= a[1] and i[0] <= initializer <= i[1] for a, i in ends]
            assert 1 <= sum(held) <= 4


@pytest.mark.parametrize(
    ("wanted", "rows"),
    [({"activation": "tanh", "initializer": "he_normal"}, 42), ({"initializer": "he_normal"}, 84)],
)
def test_pyarrow_and_polars_read_no_row_group_without_what_is_asked_for(short_groups, tmp_path, wanted, rows):
    (path,) = short_groups.layers.glob("*.parquet")
    metadata, content = pq.read_metadata(path), bytearray(path.read_bytes())
    expected = pq.read_table(path)
    for name, value in wanted.items():
        expected = expected.filter(pc.equal(expected[name], value))
    assert expected.num_rows == rows
    spoiled = 0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        columns = [group.column(i) for i in range(metadata.num_columns)]
        ranges = {column.path_in_schema: column.statistics for column in columns}
        if all(ranges[name].min <= value <= ranges[name].max for name, value in wanted.items()):
            continue
        # Whoever reads it fails.
        spoiled += 1
        for column in columns:
            start = column.dictionary_page_offset or column.data_page_offset
            content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    assert spoiled >= metadata.num_row_groups / 3
    copy = tmp_path / "spoiled.parquet"
    copy.write_bytes(content)
    with pytest.raises(OSError, match="deserialize"):
        pq.read_table(copy)
    filters = [(name, "=", value) for name, value in wanted.items()]
    assert pq.read_table(copy, filters=filters)["z_std"].equals(expected["z_std"])
    conditions = [pl.col(name) == value for name, value in wanted.items()]
    read = pl.scan_parquet(copy).filter(*conditions).select("z_std").collect()
    assert read["z_std"].to_list() == expected["z_std"].to_pylist()


def test_row_groups_without_a_cell_are_known_without_reading_them(short_groups):
    file = str(min(short_groups.layers.glob("*.parquet")))
    for cell in pq.read_table(short_groups.cells)["cell_id"].to_pylist()[::20]:
        ((*excluded,),) = duckdb.sql(f"""
            SELECT count(*) FILTER (bloom_filter_excludes), count(*)
            FROM parquet_bloom_probe('{file}', 'cell_id', '{cell}')
        """).fetchall()
        holds = pq.ParquetFile(file)
        groups = [
            cell in holds.read_row_group(group, ["cell_id"])["cell_id"].to_pylist()
            for group in range(holds.num_row_groups)
        ]
        assert excluded == [len(groups) - sum(groups), len(groups)]


def test_many_boxes_and_small_pieces_give_the_same_bits(results, monkeypatch):
    before = [path.read_bytes() for path in (*results.layers.glob("*"), results.cells)]
    monkeypatch.setattr(sorting, "_HELD_BYTES", 4096)
    monkeypatch.setattr(sorting, "_READ_ROWS", 7)
    collect(results, tiny().thresholds)
    assert [path.read_bytes() for path in (*results.layers.glob("*"), results.cells)] == before


@given(
    pieces=st.lists(st.lists(st.integers(0, 2), max_size=9), min_size=1),
    least=st.integers(1, 4),
    more=st.integers(0, 4),
)
def test_row_groups_depend_on_the_rows_alone(pieces, least, more):
    together = np.cumsum([step == 2 for piece in pieces for step in piece] or [0])
    places = np.arange(sum(map(len, pieces)))
    ends = np.cumsum([len(piece) for piece in pieces])[:-1]
    tables = [pa.table({sorting.PLACE: some}) for some in np.split(places, ends)]
    groups, whole = (
        [table[sorting.PLACE].to_pylist() for table in sorting.regrouped(some, together, least, least + more)]
        for some in (tables, [pa.table({sorting.PLACE: places})])
    )
    assert groups == whole
    assert [place for group in groups for place in group] == places.tolist()
    assert all(least <= len(group) <= least + more for group in groups[:-1])


def test_the_input_has_no_weights_and_no_gradients(results):
    first = duckdb.sql(f"SELECT * FROM '{results.layers}/*.parquet' WHERE layer = 0").to_arrow_table()
    missing = {name for name in LAYERS.names if first[name].null_count == first.num_rows}
    assert missing == {
        "fan_in",
        *("z_mean", "z_std", "derivative_mean", "derivative_second_moment", "derivative_max"),
        *("saturated_fraction", "dead_units", "w_mean", "w_std", "distinct_errors"),
        *("g_mean", "g_std", "weight_grad_mean", "weight_grad_std", "weight_grad_norm"),
        "g_magnitude",
        "y_std",
        "pair_correlation",  # the input is no pairs
    }


def test_a_cell_in_two_parts_is_taken_once(results):
    config = tiny()
    store = Store(results.parts)
    extra = compute(next(blocks(make_plan(config)))[:3])
    store.write(dataclasses.replace(extra, packages="again"))
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


def test_every_run_is_there_once_with_a_row_for_each_recorded_step_and_layer(results):
    training, runs = (pq.read_table(path) for path in (results.training, results.training_runs))
    assert training.schema.equals(TRAINING)
    assert runs.schema.equals(TRAINING_RUNS)
    assert runs.num_rows == len(set(runs["cell_id"].to_pylist())) == RUNS
    assert set(runs["cell_id"].to_pylist()) == set(training["cell_id"].to_pylist())
    assert set(runs["kernel_version"].to_pylist()) == {TRAINING_VERSION}
    rows = duckdb.sql(f"""
        SELECT any_value(depth) AS depth, list(DISTINCT step ORDER BY step) AS steps, count(*) AS rows,
            list_sort(list(DISTINCT (layer, fan_in, fan_out))) AS layers,
            any_value(diverged_at) AS diverged_at
        FROM '{results.training}' JOIN '{results.training_runs}' USING (cell_id, depth) GROUP BY cell_id
    """).fetchall()
    for depth, steps, count, layers, diverged_at in rows:
        assert count == len(steps) * (depth + 1)
        assert layers == ([(1, 64, 10)] if depth == 0 else [(1, 64, 8), (2, 8, 8), (3, 8, 10)])
        expected = [step for step in recorded_steps(12) if diverged_at is None or step < diverged_at]
        assert steps == expected + ([] if diverged_at is None else [diverged_at])


def test_runs_with_a_mad_learning_rate_diverge(results):
    verdicts = dict(
        duckdb.sql(f"""SELECT (learning_rate > 1, initializer = 'zeros' AND depth > 0),
            list(DISTINCT verdict ORDER BY verdict) FROM '{results.training_runs}' GROUP BY ALL""").fetchall()
    )
    # The biases of the readout overshoot, whatever the weights.
    assert verdicts[True, True] == ["diverges"]
    assert verdicts[False, True] == ["stays symmetric"]
    assert "diverges" in verdicts[True, False]
    assert "diverges" not in verdicts[False, False]


def test_training_rows_are_the_training_probes_own(results):
    run = next(run for run in cells_of(results.training_sweep.read_plan()) if run.depth == 2)
    (alone,) = train([run])
    table = pq.read_table(results.training)
    rows = table.filter(pc.equal(table["cell_id"], run.id))
    for name, values in alone.table.items():
        stored = rows[name].to_numpy(zero_copy_only=False)
        undefined = np.isnan(values) if values.dtype.kind == "f" else values < 0
        assert (np.isnan(stored.astype(float)) == undefined).all()
        assert (stored[~undefined] == values[~undefined]).all(), name


def test_training_is_not_collected_before_it_is_done(tmp_path):
    results = Results(tmp_path)
    results.training_sweep.folder.mkdir()
    write_plan(make_training_plan(tiny()), results.training_sweep.plan)
    with pytest.raises(IncompleteError, match="32 of 32 planned runs"):
        collect_training(results, tiny().thresholds)
    assert not results.training.exists()
