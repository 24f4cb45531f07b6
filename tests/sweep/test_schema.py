"""The columns that other people's scripts depend on, and the page that explains them."""

import subprocess
import sys

import pytest

from winit.network.diagnostics import COLUMNS, DIAGNOSTICS
from winit.sweep import schema

PROMISED = [
    "cell_id",
    "initializer",
    "activation",
    "depth",
    "width",
    "width_first",
    "width_last",
    "seed",
    "layer",
    "fan_in",
    "fan_out",
    "batch",
    "input",
    "dtype",
    "outputs",
    "bias_std",
    "input_width",
    "z_mean",
    "z_std",
    "h_mean",
    "h_std",
    "h_second_moment",
    "h_min",
    "h_max",
    "h_zero_fraction",
    "saturated_fraction",
    "dead_units",
    "nonfinite_fraction",
    "derivative_mean",
    "derivative_second_moment",
    "derivative_max",
    "distinct_units",
    "distinct_errors",
    "cosine_mean",
    "cosine_std",
    "pair_correlation",
    "w_mean",
    "w_std",
    "g_mean",
    "g_std",
    "weight_grad_mean",
    "weight_grad_std",
    "weight_grad_norm",
    "y_std",
    "h_histogram",
    "h_magnitude",
    "g_magnitude",
]


def test_the_layers_table_has_the_promised_columns_and_no_others():
    assert sorted(schema.LAYERS.names) == sorted(PROMISED)


@pytest.mark.parametrize("table", [schema.LAYERS, schema.CELLS, schema.SUMMARY, schema.PLAN])
def test_every_column_has_a_description_and_every_number_a_unit(table):
    assert len(set(table.names)) == len(table.names)
    for field in table:
        assert field.metadata[b"description"]
        if str(field.type) in {"double", "list<element: uint32>"}:
            assert field.metadata[b"unit"], field.name


def test_every_diagnostic_fills_columns_of_its_own():
    assert sum(len(diagnostic.columns) for diagnostic in DIAGNOSTICS) == len(COLUMNS)
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)


def test_the_page_about_the_columns_is_in_step_with_the_schema(pytestconfig):
    page = subprocess.run(
        [sys.executable, "-m", "winit.sweep.schema"], capture_output=True, text=True, check=True
    ).stdout
    assert (pytestconfig.rootpath / "results/README.md").read_text() == page, "run `make docs`"
