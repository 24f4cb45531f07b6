"""The kernel against the explicit reference, and its bits under every way of cutting the work."""

import itertools
import math
import random

import numpy as np
import pytest
import reference

from winit.network import kernel
from winit.network.cells import Cell, Probe
from winit.network.diagnostics import COLUMNS
from winit.network.kernel import measure
from winit.network.sources import Source

REFERENCE_INITIALIZERS = (
    "zeros",
    "ones",
    "constant(value=0.1)",
    "normal(std=0.01)",
    "normal(std=1.0)",
    "lecun_normal",
    "glorot_normal",
    "he_normal",
    "he_uniform",
    "orthogonal",
)
# Relative to the size of the quantity; rounding adds up differently in another order of summation.
TOLERANCE = {"float32": 2e-4, "float64": 1e-9}


def measured(*cells):
    return {result.cell: result.table for result in measure(cells)}


def assert_agrees(table, expected, dtype):
    """Every column of every row; what is undefined there is undefined here."""
    for row, values in enumerate(expected):
        for column in COLUMNS:
            found, wanted = table[column.name][row], values.get(column.name)
            where = f"{column.name}, layer {row}"
            if column.kind == "counts":
                assert sum(found) == (sum(wanted) if wanted else 0), where
                moved = np.abs(found.astype(int) - (wanted or 0)).sum()
                # A value that rounding moved across an edge may be counted beside it.
                assert moved <= 2 + 1e-3 * sum(found), where
            elif column.kind == "count":
                assert found == (-1 if wanted is None else wanted), where
            elif wanted is None:
                assert np.isnan(found), where
            else:
                assert abs(found - wanted) <= TOLERANCE[dtype] * scale(column.name, values), where


def scale(name, values):
    """What an error of ``name`` is to be compared with."""
    if name.startswith(("h_", "z_", "g_", "y_", "weight_grad")):
        if name in {"h_second_moment", "weight_grad_norm"}:
            return abs(values[name])
        prefix = "weight_grad" if name.startswith("weight") else name[0]
        return abs(values[f"{prefix}_mean"]) + values[f"{prefix}_std"] + abs(values[name])
    return 1.0


@pytest.mark.parametrize("initializer", REFERENCE_INITIALIZERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "gelu"])
def test_every_column_agrees_with_the_explicit_reference(initializer, activation, dtype):
    # Batches below and above the width take the two ways to the weight gradient's moments.
    for batch, width in ((24, "40"), (70, "24-6")):
        cell = Cell(initializer, activation, 5, width, 3, Probe(batch=batch, dtype=dtype, outputs=7))
        assert_agrees(measured(cell)[cell], reference.rows(cell), dtype)


@pytest.mark.parametrize(
    ("width", "depth", "input_width"),
    [("30-12-7", 3, 0), ("24-6-24", 5, 0), ("20", 3, 50), ("20", 3, 1), ("40-9-21-3", 4, 61)],
)
@pytest.mark.parametrize("initializer", ["he_normal", "orthogonal", "glorot_normal"])
def test_networks_of_every_shape_agree_with_the_explicit_reference(initializer, width, depth, input_width):
    probe = Probe(batch=35, dtype="float64", outputs=4, input_width=input_width)
    cell = Cell(initializer, "tanh", depth, width, 5, probe)
    assert_agrees(measured(cell)[cell], reference.rows(cell), "float64")


def test_biases_agree_with_the_explicit_reference():
    cell = Cell("lecun_normal", "tanh", 4, "30", 1, Probe(batch=50, bias_std=0.3, dtype="float64"))
    assert_agrees(measured(cell)[cell], reference.rows(cell), "float64")


def test_pairs_agree_with_the_explicit_reference():
    for dtype in ("float32", "float64"):
        probe = Probe(batch=30, input="pairs(correlation=-0.7)", dtype=dtype, bias_std=0.2)
        cell = Cell("lecun_normal", "gelu", 4, "36-20", 2, probe)
        table = measured(cell)[cell]
        assert_agrees(table, reference.rows(cell), dtype)
        assert table["pair_correlation"][0] == pytest.approx(-0.7, abs=1e-6)


def test_an_initializers_own_biases_take_the_place_of_the_probes():
    own, same = (
        measured(
            Cell("mean_field(sigma_w=1.5, sigma_b=0.3)", "tanh", 3, "16", 0, Probe(batch=8, bias_std=std))
        )
        for std in (0.0, 5.0)
    )
    (own,), (same,) = own.values(), same.values()
    assert (own["z_std"][1:] == same["z_std"][1:]).all()


BY_DEPTH = Source(
    "own.py",
    "import winit\ndef slow(layer): return winit.Law('normal', (layer.depth * layer.fan_in) ** -0.5)\n",
)


def test_an_initializer_that_looks_at_the_depth_shares_no_forward_pass():
    cells = [Cell("own.py:slow", "relu", depth, "24", 0, Probe(batch=16), (BY_DEPTH,)) for depth in (2, 4)]
    tables = measured(*cells)
    assert tables[cells[0]]["z_std"][1] == pytest.approx(math.sqrt(2) * tables[cells[1]]["z_std"][1])
    for cell in cells:
        assert (tables[cell]["h_std"] == measured(cell)[cell]["h_std"]).all()


def test_lsuv_sees_what_each_layer_is_fed():
    cell = Cell("lsuv(tolerance=0.0)", "relu", 6, "48", 0, Probe(batch=200, input="uint8"))
    assert measured(cell)[cell]["z_std"][1:] == pytest.approx([1] * 6, rel=1e-5)


def grid(batch=40):
    probes = (Probe(batch=batch), Probe(batch=batch, dtype="float64", bias_std=0.1))
    return [
        Cell(initializer, activation, depth, width, seed, probe)
        for initializer, activation, depth, width, seed, probe in itertools.product(
            ("he_normal", "orthogonal", "zeros", "lsuv", "torch.linear", "sparse(sparsity=0.5)"),
            ("relu", "sigmoid"),
            (1, 3, 6),
            ("24", "32-8"),
            (0, 7),
            probes,
        )
    ]


def test_a_cell_alone_in_a_block_and_in_another_order_gives_the_same_bits():
    cells = grid()
    together = measured(*cells)
    shuffled = list(cells)
    random.Random(1).shuffle(shuffled)
    halves = measured(*shuffled[::2]) | measured(*shuffled[1::2])
    assert together.keys() == halves.keys() == set(cells)
    for cell in cells:
        alone = measured(cell)[cell]
        for name, column in together[cell].items():
            assert column.tobytes() == alone[name].tobytes() == halves[cell][name].tobytes(), name


def test_a_shallow_network_is_the_beginning_of_a_deep_one():
    shallow, deep = (Cell("he_normal", "relu", d, "24", 0, Probe(batch=16)) for d in (3, 6))
    tables = measured(shallow, deep)
    for name in ("z_std", "h_mean", "h_histogram", "w_std", "cosine_mean"):
        assert np.array_equal(tables[shallow][name], tables[deep][name][:4], equal_nan=True)
    assert not np.array_equal(tables[shallow]["g_std"][1:], tables[deep]["g_std"][1:4])


def test_initializers_of_one_law_share_their_random_numbers():
    small, large = (
        Cell(f"normal(std={std})", "identity", 3, "16", 0, Probe(batch=8, dtype="float64"))
        for std in (0.25, 0.5)
    )
    tables = measured(small, large)
    ratio = tables[large]["h_std"] / tables[small]["h_std"]
    assert ratio == pytest.approx([1, 2, 4, 8])


def test_values_that_overflow_are_counted_and_raise_nothing():
    cell = Cell("normal(std=1.0)", "relu", 60, "64", 0, Probe(batch=32))
    table = measured(cell)[cell]
    assert table["nonfinite_fraction"][-1] > 0
    assert np.isnan(table["h_mean"][-1])
    assert table["distinct_units"][-1] == -1
    # The gradient meets NaN on its way, and is not taken for one that is equal everywhere.
    for name in ("g_std", "derivative_mean", "saturated_fraction", "weight_grad_mean", "weight_grad_norm"):
        assert np.isnan(table[name][-2]), name
    assert (table["distinct_errors"] == -1).all()
    assert table["dead_units"][-1] == -1
    assert table["h_magnitude"][-1][-1] > 0


def test_the_size_of_the_output_stands_in_the_row_of_the_last_layer_alone():
    cells = [Cell("he_normal", "relu", depth, "24", 0, Probe(batch=16)) for depth in (1, 3, 6)]
    for cell, table in measured(*cells).items():
        assert np.isnan(table["y_std"][:-1]).all()
        assert table["y_std"][-1] == pytest.approx(math.sqrt(2 * table["h_second_moment"][-1]), rel=0.6), cell


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("outputs", [3000, 200_000])
def test_outputs_that_go_through_the_readout_by_and_by_agree_with_the_reference(outputs, dtype):
    for label in ("he_normal", "constant(value=0.1)", "zeros"):
        cell = Cell(label, "relu", 2, "12-6", 0, Probe(batch=70, dtype=dtype, outputs=outputs))
        expected = reference.rows(cell)[-1]
        found = measured(cell)[cell]["y_std"][-1]
        assert found == pytest.approx(expected["y_std"], rel=TOLERANCE[dtype])


def test_an_output_that_overflows_has_no_size_and_one_that_is_tiny_has():
    tables = measured(
        *(
            Cell(f"normal(std={std})", "identity", 1, "64", 0, Probe(batch=32))
            for std in ("1e+20", "1e-15", "1e-19")
        )
    )
    large, small, tiny = (tables[cell] for cell in sorted(tables, key=lambda c: c.initializer))
    # In order of their names: 1e+20, 1e-15, 1e-19.
    assert np.isfinite(large["h_std"][1])
    assert np.isnan(large["y_std"][1])
    assert small["y_std"][1] == pytest.approx(64 * 1e-30, rel=0.2)
    assert tiny["y_std"][1] == pytest.approx(64 * 1e-38, rel=0.2)


def test_constant_weights_repeat_one_unit_and_one_error():
    for label in ("zeros", "ones", "constant(value=0.1)"):
        for activation in ("tanh", "relu", "sigmoid"):
            cell = Cell(label, activation, 10, "100", 0, Probe(batch=200))
            table = measured(cell)[cell]
            assert set(table["distinct_units"][1:]) == {1}
            assert set(table["distinct_errors"][1:]) == {1}


def test_histograms_can_be_left_out():
    cell = Cell("he_normal", "relu", 2, "16", 0, Probe(batch=8, histograms=False))
    table = measured(cell)[cell]
    assert not any(table[column.name].any() for column in COLUMNS if column.kind == "counts")


@pytest.mark.parametrize("source", ["uint8", "digits"])
def test_images_have_the_range_and_width_they_should(source):
    cell = Cell("he_normal", "relu", 1, "32", 0, Probe(batch=500, input=source))
    row = {name: column[0] for name, column in measured(cell)[cell].items()}
    if source == "uint8":
        assert (row["h_min"], row["h_max"]) == (0, 255)
        assert row["h_mean"] == pytest.approx(127.5, abs=1.5)
        assert row["distinct_units"] == 32
    else:
        assert row["h_mean"] == pytest.approx(0, abs=0.02)
        assert row["h_second_moment"] == pytest.approx(1, abs=0.02)


def test_gradients_below_the_smallest_normal_float_keep_their_size():
    # δ falls below 1e-38: the product is taken in the range of ordinary numbers.
    cell = Cell("normal(std=0.01)", "sigmoid", 30, "64", 0, Probe(batch=32))
    double = Cell("normal(std=0.01)", "sigmoid", 30, "64", 0, Probe(batch=32, dtype="float64"))
    g, exact = (measured(c)[c]["g_std"] for c in (cell, double))
    ordinary = exact > 1e-36
    assert g[ordinary] == pytest.approx(exact[ordinary], rel=1e-3)
    assert (g[~ordinary][1:] < 1e-36).all()


@pytest.mark.parametrize("std", [0.01, 1.0])
def test_float64_networks_beyond_the_range_of_squares_are_measured(std):
    cell = Cell(f"normal(std={std})", "identity", 190, "64", 0, Probe(batch=8, dtype="float64"))
    table = measured(cell)[cell]
    growth = np.diff(np.log10(table["h_std"]))
    assert growth == pytest.approx(np.log10(std * 8), abs=0.15)


def assert_same_bits(left, right):
    assert left.keys() == right.keys()
    for cell, table in left.items():
        for name, column in table.items():
            assert column.tobytes() == right[cell][name].tobytes(), (cell, name)


LOOKS_AT_THE_BATCH = Source(
    "own.py", "import numpy as np\ndef phi(z): return z - z.mean(axis=0), np.full_like(z, 1 - 1 / len(z))\n"
)


def different_cells():
    """Of which some go through together: with pairs, batches above that of the cosines, and a user's own."""
    probes = (Probe(batch=100), Probe(batch=30, input="pairs(correlation=0.5)", dtype="float64"))
    for initializer, depth, width, seed, probe in itertools.product(
        (
            "he_normal",
            "normal(std=1e-15)",
            "he_uniform",
            "orthogonal",
            "mean_field(sigma_w=1.5, sigma_b=0.3)",
        ),
        (2, 5),
        ("24", "32-8"),
        (0, 7),
        probes,
    ):
        yield Cell(initializer, "tanh", depth, width, seed, probe)
        yield Cell(initializer, "own.py:phi", depth, width, seed, probe, (LOOKS_AT_THE_BATCH,))


def test_results_do_not_depend_on_the_room_for_draws():
    cells = list(different_cells())
    expected = measured(*cells)
    for room in (0, 5_000):
        assert_same_bits({result.cell: result.table for result in measure(cells, room=room)}, expected)


def test_results_do_not_depend_on_how_many_networks_go_through_together(monkeypatch):
    cells = list(different_cells())
    expected = measured(*cells)
    for size in (1, 2 * 4 * 100 * 24, 2**40):
        monkeypatch.setattr(kernel, "_STACK_BYTES", size)
        assert_same_bits(measured(*cells), expected)


def test_an_activation_that_looks_at_the_batch_sees_one_network():
    probe = Probe(batch=20, dtype="float64")
    cells = {
        std: Cell(f"normal(std={std})", "own.py:phi", 3, "16", 0, probe, (LOOKS_AT_THE_BATCH,))
        for std in (0.1, 0.2, 0.4)
    }
    together = measured(*cells.values())
    for std, cell in cells.items():
        h = reference.examples(0, probe, 16)
        expected = []
        for layer in (1, 2, 3):
            z = h @ (reference.normal(0, 1, layer, (16, 16), np.dtype(np.float64)) * std)
            h = z - z.mean(axis=0)
            expected.append(h.std())
        assert together[cell]["h_std"][1:] == pytest.approx(expected, rel=1e-12)
    assert_same_bits(together, {cell: measured(cell)[cell] for cell in cells.values()})
