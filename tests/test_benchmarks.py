"""What winit is timed against takes the same statistics, of the same laws."""

import numpy as np
import pytest
import reference

from benchmarks import frameworks, kernel, plain_numpy
from winit.network.activations import activation
from winit.network.cells import Cell, Probe, hidden_widths
from winit.network.diagnostics import COLUMNS
from winit.network.kernel import measure

BATCH = 100
NETWORKS = [
    ("zeros", "tanh", "40"),
    ("normal(std=0.01)", "relu", "40"),
    ("normal(std=1.0)", "tanh", "40"),
    ("lecun_normal", "tanh", "40-20"),
    ("he_normal", "relu", "40-20"),
]
TORCH_ONLY = [
    ("constant(value=0.1)", "tanh", "40"),
    ("he_uniform", "sigmoid", "40-20"),
    ("variance_scaling(scale=4.0)", "sigmoid", "40"),
]


def by_torch(cell):
    """Rows, x, cotangent, and the weights with the readout as the last."""
    torch = pytest.importorskip("torch")
    from benchmarks import plain_torch

    torch.manual_seed(0)
    widths = hidden_widths(cell.width, cell.depth)
    x, cotangent = torch.randn(cell.probe.batch, widths[0]), torch.randn(cell.probe.batch, cell.probe.outputs)
    model = plain_torch.network(cell, widths)
    rows = plain_torch.measure(model, cell.activation, x, cotangent)
    return rows, x.numpy(), cotangent.numpy(), [layer.weight.detach().numpy().T for layer in model[::2]]


def by_numpy(cell):
    """The same."""
    np.random.seed(0)  # noqa: NPY002 - as there
    widths = hidden_widths(cell.width, cell.depth)
    x, cotangent = (np.random.randn(cell.probe.batch, n) for n in (widths[0], cell.probe.outputs))  # noqa: NPY002
    weights = []

    def recorded(fan_in, fan_out):
        weights.append(plain_numpy.INITIALIZERS[cell.initializer](fan_in, fan_out))
        return weights[-1]

    return plain_numpy.measure(widths, recorded, cell.activation, x, cotangent), x, cotangent, weights


CASES = [(by_numpy, *n) for n in NETWORKS] + [(by_torch, *n) for n in NETWORKS + TORCH_ONLY]


def judged(label, x, cotangent, weights):
    """The rows as the reference has them."""
    phi = activation(label)
    *matrices, readout = weights
    outputs, pre, slopes = [x], [None], [None]
    for w in matrices:
        pre.append(outputs[-1] @ w)
        h, slope = phi(pre[-1])
        outputs.append(h)
        slopes.append(slope)
    rows = [
        reference._activity(phi, *layer)
        for layer in zip(outputs, pre, slopes, [None, *matrices], strict=True)
    ]
    g = cotangent @ readout.T
    for index in range(len(matrices), 0, -1):
        rows[index] |= reference._sensitivity(outputs[index - 1], g, slopes[index])
        g = (g * slopes[index]) @ matrices[index - 1].T
    rows[-1]["y_std"] = reference.output(outputs[-1], readout)["y_std"]
    return rows


@pytest.mark.parametrize(("compute", "initializer", "phi", "width"), CASES)
def test_of_equal_weights_the_statistics_are_equal(compute, initializer, phi, width):
    cell = Cell(initializer, phi, 3, width, 0, Probe(batch=BATCH))
    rows, x, cotangent, weights = compute(cell)
    there = judged(phi, x, cotangent, weights)
    assert len(rows) == len(there) == 4
    # The tanh of one library is 1 where that of another is a bit less: another decade.
    saturated = initializer == "normal(std=1.0)"
    for row, other in zip(rows, there, strict=True):
        assert set(row) == set(other)
        for name, value in row.items():
            if name.endswith(("histogram", "magnitude")):
                assert len(value) == len(other[name])
                assert sum(value) == sum(other[name])
                moved = np.abs(np.array(value.tolist()) - other[name]).sum() / 2
                assert moved <= sum(value) * (0.1 if saturated else 0.001), name
            elif name.startswith("distinct"):  # of columns that are far smaller than others, one may be lost
                assert value == pytest.approx(other[name], abs=1), name
            elif other[name] is None:
                assert np.isnan(value), name
            else:
                assert value == pytest.approx(other[name], rel=1e-4, abs=1e-7), name
    assert {c.name for c in COLUMNS} == set(rows[-1]) | {"pair_correlation"}


@pytest.mark.parametrize(("compute", "initializer", "phi", "width"), CASES)
def test_the_networks_have_the_law_of_winits(compute, initializer, phi, width):
    wide = "-".join(str(10 * int(end)) for end in width.split("-"))
    cell = Cell(initializer, phi, 3, wide, 0, Probe(batch=BATCH))
    (here,) = measure([cell])
    rows, *_ = compute(cell)
    for index, row in enumerate(rows[1:], 1):
        for name in ("w_std", "z_std", "h_std", "g_std"):
            assert row[name] == pytest.approx(here.table[name][index], rel=0.15, abs=1e-7), name


def test_pytorch_has_every_network_that_it_is_timed_with():
    pytest.importorskip("torch")
    from benchmarks import plain_torch

    for cell in [*kernel.cells(8, 4, (2,)), *frameworks.default_cells()]:
        narrow = Cell(cell.initializer, cell.activation, 2, "8", 0, Probe(batch=4))
        plain_torch.compute([narrow])


def test_numbers_that_vanish_are_flushed_only_while_pytorch_computes():
    pytest.importorskip("torch")
    from benchmarks import plain_torch

    plain_torch.compute([Cell("he_normal", "relu", 2, "8", 0, Probe(batch=4))], flush_subnormals=True)
    assert np.float32(1e-30) * np.float32(1e-10) > 0
