"""What a user's function gives is owned, what it is given it cannot spoil: each against an honest twin."""

import numpy as np
import pytest

from winit.errors import RaisedError
from winit.network.cells import Cell, Probe
from winit.network.kernel import measure
from winit.network.labels import LabelError
from winit.network.sources import Source
from winit.network.training import Run, Task, train

TEXT = """
import ctypes
import tempfile

import numpy as np

import winit

BUFFERS = {}


def buffer(shape, dtype, name=""):
    return BUFFERS.setdefault((shape, str(dtype), name), np.empty(shape, dtype))


def honest(layer, gain: float = 1.0):
    return np.array(gain * layer.standard("normal") / layer.fan_in**0.5)

def one_buffer(layer, gain: float = 1.0):
    made = buffer(layer.shape, layer.dtype)
    made[:] = honest(layer, gain)
    return made

def a_view_of_it(layer, gain: float = 1.0):
    made = buffer((2 * layer.fan_out, layer.fan_in), layer.dtype)
    made[::2] = honest(layer, gain).T
    return made[::2].T

def by_columns(layer, gain: float = 1.0):
    return np.asfortranarray(honest(layer, gain))

def backwards(layer, gain: float = 1.0):
    return np.ascontiguousarray(honest(layer, gain)[::-1, ::-1])[::-1, ::-1]

def big_endian(layer, gain: float = 1.0):
    made = honest(layer, gain)
    return made.astype(made.dtype.newbyteorder(">"))

def mapped(values):
    with tempfile.TemporaryFile() as file:
        made = np.memmap(file, values.dtype, "w+", shape=values.shape)
    made[:] = values
    return made

def in_a_file(layer, gain: float = 1.0):
    return mapped(honest(layer, gain))

def drawn(layer): return np.array(layer.standard("normal"))
def the_draw_itself(layer): return layer.standard("normal")

def fed(layer): return np.array(layer.inputs[: layer.fan_in, : layer.fan_out])
def what_it_is_fed(layer): return layer.inputs[: layer.fan_in, : layer.fan_out]

def honest_bias(layer):
    return winit.WithBias(honest(layer), layer.generator.normal(size=layer.fan_out))

def a_bias_in_one_buffer(layer):
    made = buffer(layer.shape[1:], layer.dtype, "bias")
    made[:] = honest_bias(layer).bias
    return winit.WithBias(one_buffer(layer), made)


def tanh(z):
    h = np.tanh(z)
    return h, 1 - h * h

def tanh_in_buffers(z):
    h, slope = buffer(z.shape, z.dtype, "h"), buffer(z.shape, z.dtype, "slope")
    h[:], slope[:] = tanh(z)
    return h, slope

def tanh_in_one_array(z):
    both = buffer((2, *z.shape), z.dtype, "both")
    both[:] = tanh(z)
    return both[0], both[1]

def tanh_in_place(z):
    np.tanh(z, out=z)
    return z, 1 - z * z

def tanh_by_columns(z):
    return tuple(map(np.asfortranarray, tanh(z)))

def tanh_in_a_file(z):
    return tuple(map(mapped, tanh(z)))

def linear(z): return np.array(z), np.ones_like(z)
def z_itself(z): return z, np.ones_like(z)
def a_view_of_z(z): return z[:], np.broadcast_to(np.ones((), z.dtype), z.shape)

def growing(z): return np.exp(z), np.exp(z)
def one_array_for_both(z):
    h = np.exp(z)
    return h, h
def no_sooner_than_it_matters(z):
    h = np.exp(z)
    if z.size > 10_000:
        z[:] = 0
    return h, h.copy()


def write_to_inputs(layer):
    layer.inputs[:] = 0
    return honest(layer)

def write_to_the_draw(layer):
    made = layer.standard("normal")
    made *= 2
    return made

def write_to_the_draw_all_the_same(layer):
    made = layer.standard("normal")
    made.flags.writeable = True
    made *= 2
    return made

def write_by_address(layer):
    for given in (layer.standard("normal"), layer.standard("orthogonal"), layer.inputs):
        ctypes.memset(given.ctypes.data, 0, given.nbytes)
    return honest(layer)

def write_to_the_base(layer):
    for given in (layer.standard("normal"), layer.standard("orthogonal"), layer.inputs):
        base = given if given.base is None else given.base
        base.flags.writeable = True
        base[:] = 0
    return honest(layer)

def masked(z):
    h, slope = tanh(z)
    return np.ma.masked_less(h, 0), slope

class Mine(np.ndarray):
    pass

def of_a_class(z):
    h, slope = tanh(z)
    return h.view(Mine), slope
"""
OWN = (Source("own.py", TEXT),)
INITIALIZERS = {
    "honest": ["one_buffer", "a_view_of_it", "by_columns", "backwards", "big_endian", "in_a_file"],
    "drawn": ["the_draw_itself"],
    "fed": ["what_it_is_fed"],
    "honest_bias": ["a_bias_in_one_buffer"],
}
ACTIVATIONS = {
    "tanh": ["tanh_in_buffers", "tanh_in_one_array", "tanh_in_place", "tanh_by_columns", "tanh_in_a_file"],
    "linear": ["z_itself", "a_view_of_z"],
    "growing": ["one_array_for_both", "no_sooner_than_it_matters"],
}


def pairs(families):
    return [(twin, honest) for honest, twins in families.items() for twin in twins]


def measured(initializers, activation, dtype="float32", width="24", batch=32):
    """The columns of the cells of these functions, which share what cells share."""
    probe = Probe(batch=batch, dtype=dtype, bias_std=0.1)
    cells = [
        Cell(f"own.py:{name}", f"own.py:{activation}", depth, width, 0, probe, OWN)
        for name in initializers
        for depth in (1, 4)
    ]
    found = {(each.cell.initializer, each.cell.depth): each.table for each in measure(cells)}
    return [found[cell.initializer, cell.depth] for cell in cells]


def assert_equal(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", ["24", "24-12"])
@pytest.mark.parametrize(("twin", "honest"), pairs(INITIALIZERS))
def test_an_initializer_may_give_what_it_likes(twin, honest, width, dtype):
    assert_equal(measured([twin], "tanh", dtype, width), measured([honest], "tanh", dtype, width))


def test_networks_that_are_made_together_do_not_share_a_buffer():
    gains = ("(gain=1.0)", "(gain=2.0)", "(gain=0.5)")
    assert_equal(
        measured([f"one_buffer{gain}" for gain in gains], "tanh"),
        measured([f"honest{gain}" for gain in gains], "tanh"),
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("initializers", [["honest"], ["honest(gain=2.0)", "honest(gain=0.5)"]])
@pytest.mark.parametrize(("twin", "honest"), pairs(ACTIVATIONS))
def test_an_activation_may_give_what_it_likes(twin, honest, initializers, dtype):
    assert_equal(measured(initializers, twin, dtype), measured(initializers, honest, dtype))


def test_an_activation_that_writes_to_z_now_and_then_does_no_harm():
    size = {"width": "128", "batch": 128}
    assert_equal(
        measured(["honest"], "no_sooner_than_it_matters", **size), measured(["honest"], "growing", **size)
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        *(((twin, "tanh"), (honest, "tanh")) for twin, honest in pairs(INITIALIZERS)),
        *((("honest", twin), ("honest", honest)) for twin, honest in pairs(ACTIVATIONS)),
    ],
)
def test_nor_does_it_in_training(ours, theirs):
    def trained(initializer, activation):
        labels = f"own.py:{initializer}", f"own.py:{activation}"
        # 64 inputs, 64 examples, 10 classes.
        (found,) = train([Run(*labels, 2, "16", 0.1, 0, Task(steps=4), OWN)])
        return [found.table]

    assert_equal(trained(*ours), trained(*theirs))


@pytest.mark.parametrize("name", ["write_to_inputs", "write_to_the_draw", "write_to_the_draw_all_the_same"])
def test_what_layers_share_cannot_be_written_to(name):
    with pytest.raises(RaisedError, match=r"read-only|WRITEABLE"):
        measured([name], "tanh")
    # Draws that were kept are as they were.
    assert_equal(measured(["honest"], "tanh"), measured(["honest"], "tanh"))


@pytest.mark.parametrize("name", ["write_by_address", "write_to_the_base"])
def test_who_writes_by_force_spoils_its_own_network_alone(name):
    """As libraries do that take an array by its address."""
    probe = Probe(batch=32)
    others = [Cell(label, "own.py:tanh", 3, "24", 0, probe, OWN) for label in ("he_normal", "orthogonal")]
    mine = Cell(f"own.py:{name}", "own.py:tanh", 3, "24", 0, probe, OWN)
    alone = [each.table for each in measure(others)]
    beside = {each.cell: each.table for each in measure([mine, *others])}
    assert_equal([beside[other] for other in others], alone)


@pytest.mark.parametrize(("name", "what"), [("masked", "MaskedArray"), ("of_a_class", "Mine")])
def test_arrays_that_are_more_than_numbers_are_refused(name, what):
    with pytest.raises(LabelError, match=rf"own\.py:{name}: φ\(z\) is a {what}"):
        measured(["honest"], name)
