"""Identity and shape of a cell."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winit.network.cells import Cell, Probe, hidden_widths, input_width, least_depth
from winit.network.training import Run, Task

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
                "input_width": 49,
            }.items()
        ),
    ]
    assert len({CELL.id, *(other.id for other in others)}) == 1 + len(others)
    assert len(others) == 5 + len(dataclasses.fields(Probe))


@pytest.mark.parametrize(
    ("cell", "id_"),
    [
        (CELL, "27c75c5a431094be4d00"),
        (
            Cell(
                "orthogonal(gain=1.5)",
                "tanh",
                30,
                "1024-64",
                7,
                Probe(64, "digits", "float64", outputs=3, bias_std=0.5, histograms=False),
            ),
            "9143dae70b567d895524",
        ),
        (
            Cell(
                "mean_field(sigma_w=1.5, sigma_b=0.05)",
                "leaky_relu(negative_slope=0.2)",
                1,
                "7",
                2**62,
                Probe(input="pairs(correlation=0.5)"),
            ),
            "91efe9a85b0382bae173",
        ),
        (Run("he_normal", "relu", 10, "64", 0.1, 3, Task()), "c1efe99b8bae348c6edf"),
    ],
)
def test_identities_written_down_long_ago_are_those_of_today(cell, id_):
    assert cell.id == id_


@pytest.mark.parametrize(
    ("width", "depth", "widths"),
    [
        ("500", 3, (500, 500, 500)),
        ("1024-64", 5, (1024, 512, 256, 128, 64)),
        ("64-1024", 2, (64, 1024)),
        ("500-50", 1, (500,)),
        ("3-1", 4, (3, 2, 1, 1)),
        ("784-256-128-10", 4, (784, 256, 128, 10)),
        ("784-256-128-10", 7, (784, 448, 256, 181, 128, 36, 10)),
        ("1024-64-1024", 9, (1024, 512, 256, 128, 64, 128, 256, 512, 1024)),
        ("500", 0, ()),
        ("3-2-1", 0, ()),
    ],
)
def test_widths(width, depth, widths):
    assert hidden_widths(width, depth) == widths


@settings(max_examples=200)
@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=30), st.integers(1, 60))
def test_a_width_goes_through_all_its_numbers_and_never_beyond_them(given_, depth):
    width = "-".join(map(str, given_))
    if depth < least_depth(width):
        with pytest.raises(ValueError, match="not the widths"):
            hidden_widths(width, depth)
        return
    widths = hidden_widths(width, depth)
    assert len(widths) == depth
    assert widths[0] == given_[0]
    assert depth == 1 or widths[-1] == given_[-1]
    assert min(given_) <= min(widths)
    assert max(widths) <= max(given_)
    if depth == len(given_):
        assert widths == tuple(given_)


def test_an_input_may_have_a_size_of_its_own():
    assert input_width(500, Probe(input_width=784)) == 784


def test_the_input_is_as_wide_as_the_first_layer_unless_it_is_an_image():
    assert input_width(500, Probe()) == 500
    assert input_width(500, Probe(input="uint8")) == 500
    assert input_width(500, Probe(input="digits")) == 64
