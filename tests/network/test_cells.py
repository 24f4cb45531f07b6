"""Identity and shape of a cell."""

import dataclasses

import pytest

from winit.network.cells import Cell, Probe, hidden_widths, input_width

CELL = Cell("he_normal", "relu", 3, "50", 0, Probe())


def test_everything_that_decides_the_numbers_is_in_the_identity():
    others = [
        dataclasses.replace(CELL, initializer="he_uniform"),
        dataclasses.replace(CELL, activation="tanh"),
        dataclasses.replace(CELL, depth=4),
        dataclasses.replace(CELL, width="51"),
        dataclasses.replace(CELL, seed=1),
        *(
            dataclasses.replace(CELL, probe=dataclasses.replace(Probe(), **{name: value}))
            for name, value in {
                "batch": 7,
                "input": "uint8",
                "dtype": "float64",
                "outputs": 3,
                "bias_std": 0.5,
                "histograms": False,
            }.items()
        ),
    ]
    assert len({CELL.id, *(other.id for other in others)}) == 1 + len(others)
    assert len(others) == 5 + len(dataclasses.fields(Probe))


def test_the_identity_is_the_same_in_every_process():
    assert CELL.id == "27c75c5a431094be4d00"


@pytest.mark.parametrize(
    ("width", "depth", "widths"),
    [
        ("500", 3, (500, 500, 500)),
        ("1024-64", 5, (1024, 512, 256, 128, 64)),
        ("64-1024", 2, (64, 1024)),
        ("500-50", 1, (500,)),
        ("3-1", 4, (3, 2, 1, 1)),
    ],
)
def test_widths(width, depth, widths):
    assert hidden_widths(width, depth) == widths


def test_the_input_is_as_wide_as_the_first_layer_unless_it_is_an_image():
    assert input_width(500, Probe()) == 500
    assert input_width(500, Probe(input="uint8")) == 500
    assert input_width(500, Probe(input="digits")) == 64
