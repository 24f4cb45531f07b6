"""Files of arrays, as a config names them."""

import os
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import winit
from winit.network.cells import Probe
from winit.network.draws import Draws
from winit.network.inputs import input_of
from winit.network.kernel import measure
from winit.network.labels import LabelError
from winit.sweep import data
from winit.sweep.config import Config
from winit.sweep.data import read_data
from winit.sweep.kinds import cells_of
from winit.sweep.origins import origins_of
from winit.sweep.plan import make_plan

VALUES = np.random.default_rng(0).integers(0, 256, (50, 4, 5), dtype=np.uint8)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("images.npy", VALUES)
    np.savez("one.npz", x=VALUES)
    np.savez_compressed("two.npz", x_train=VALUES, y_train=np.arange(50))
    np.savez("numbered.npz", **{"1": VALUES, "2": VALUES})
    return tmp_path


def grid(label, **probe):
    return {
        "initializer": "he_normal",
        "activation": "relu",
        "depth": 2,
        "width": 8,
        "seed": 0,
        "probe": {"input": label, "batch": 20, **probe},
    }


@pytest.mark.parametrize("label", ["images.npy", "one.npz", "one.npz(array=x)", "two.npz(array=x_train)"])
def test_an_array_is_flattened_to_examples(label):
    name, _, rest = label.partition("(")
    values = read_data(name).array(rest[len("array=") : -1])
    assert values.shape == (50, 20)
    assert (values == VALUES.reshape(50, 20)).all()


def test_an_array_alone_in_a_file_is_not_loaded():
    assert isinstance(read_data("images.npy").array(""), np.memmap)


def test_a_file_travels_by_its_path_and_is_the_same_elsewhere(tmp_path, monkeypatch):
    sent = pickle.dumps(read_data("images.npy"))
    assert len(sent) < VALUES.nbytes
    monkeypatch.chdir(tmp_path.parent)
    assert (pickle.loads(sent).array("") == VALUES.reshape(50, 20)).all()  # noqa: S301 - it is ours


def test_a_file_that_was_written_to_since_is_not_taken_for_what_it_was():
    before = read_data("images.npy")
    assert before.array("").shape == (50, 20)
    np.save("images.npy", VALUES[::-1])
    os.utime("images.npy", ns=(1, 1))
    with pytest.raises(LabelError, match="has changed since"):
        before.array("")
    assert read_data("images.npy").digest != before.digest


@pytest.mark.parametrize(
    ("make", "label", "said"),
    [
        (lambda: None, "nowhere.npy", "No such file"),
        (lambda: np.save("a.npy", np.ones(5)), "a.npy", "has the shape"),
        (lambda: np.save("a.npy", np.ones((0, 5))), "a.npy", "has the shape"),
        (lambda: np.save("a.npy", np.ones((5, 5), complex)), "a.npy", "real numbers"),
        (lambda: np.save("a.npy", np.full((5, 5), "x")), "a.npy", "real numbers"),
        (lambda: np.save("a.npy", np.array([[1, None]]), allow_pickle=True), "a.npy", "no file of numbers"),
        (lambda: np.save("a.npy", np.array([[1.0, np.nan]])), "a.npy", "not finite"),
        (lambda: Path("a.npy").write_bytes(b"123"), "a.npy", "no file of numbers"),
        (lambda: Path("a.npz").write_bytes(b""), "a.npz", "no file of numbers"),
        (lambda: Path("a.npy").mkdir(), "a.npy", "cannot be read"),
        (lambda: None, "two.npz", r"has 2 arrays; say which, such as two.npz\(array=x\)"),
        (lambda: None, "two.npz(array=x_trian)", "did you mean 'x_train'"),
        (lambda: None, "two.npz(array=y_train)", "has the shape"),
        (lambda: None, "images.npy(array=x)", "leave out array=x"),
        (lambda: None, "images.npy(speed=3)", "has no argument 'speed'"),
    ],
)
def test_what_is_no_file_of_examples_is_refused_before_anything_starts(make, label, said):
    make()
    with pytest.raises(winit.WinitError, match=said):
        Config.checked({"grids": [grid(label)]}, "test")


@pytest.mark.parametrize(
    ("probe", "said"),
    [
        ({"batch": 51}, "there are 50 examples in images.npy"),
        ({"input_width": 21}, "an example of images.npy has 20 entries"),
    ],
)
def test_settings_that_do_not_fit_a_file_are_refused(probe, said):
    with pytest.raises(winit.WinitError, match=said):
        Config.checked({"grids": [grid("images.npy", **probe)]}, "test")


def test_cells_of_a_plan_have_the_file_and_its_width():
    plan = make_plan(Config.checked({"grids": [grid("./images.npy"), grid("normal")]}, "test"))
    of_file, of_normal = cells_of(plan)
    assert (of_file.probe.input, of_file.probe.input_width) == ("images.npy", 20)
    assert of_file.sources[0].digest == read_data("images.npy").digest
    assert of_normal.probe == Probe(batch=20)
    assert not of_normal.sources
    assert plan["cell_id"].to_pylist() == [of_file.id, of_normal.id]


@pytest.mark.parametrize("label", ["images.npy", "mine.py:data"])
def test_what_was_edited_has_other_cells_and_another_plan(label, folder):
    def write(factor):
        np.save("images.npy", VALUES // factor)
        text = f"def data(wanted):\n    return wanted.generator.random((wanted.batch, 7)) / {factor}\n"
        (folder / "mine.py").write_text(text, encoding="utf-8")

    def made():
        config = Config.checked({"grids": [grid(label)]}, "test")
        return make_plan(config)["cell_id"][0].as_py(), origins_of(config, config.sources).cells

    found = []
    for factor in (1, 2, 1):
        write(factor)
        found.append(made())
    assert found[0] == found[2]
    assert all(one != other for one, other in zip(*found[:2], strict=True))


@pytest.mark.parametrize("label", ["big.npy", "big.npy(standardize=True)", "big.npz", "mine.py:data"])
def test_the_memory_of_examples_of_ones_own_is_predicted(label, folder):
    values = np.random.default_rng(0).random((3000, 700), np.float32)
    np.save("big.npy", values)
    np.savez("big.npz", values)
    text = "def data(wanted):\n    return wanted.generator.random((wanted.batch, 700))\n"
    (folder / "mine.py").write_text(text, encoding="utf-8")
    alone = grid(label, batch=2000) | {"width": 300}  # no others together with it
    plan = make_plan(Config.checked({"grids": [alone]}, "test"))
    (cell,) = cells_of(plan)
    list(measure([cells_of(make_plan(Config.checked({"grids": [grid("normal")]}, "test")))[0]]))  # compiled
    input_of.cache_clear()
    data._opened.cache_clear()
    tracemalloc.start()
    list(measure([cell], room=0))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.3 * plan["memory"][0].as_py() < peak < plan["memory"][0].as_py()


def test_a_width_that_the_catalogue_knows_need_not_be_said():
    plans = [
        make_plan(Config.checked({"grids": [grid("digits", input_width=width)]}, "test"))
        for width in (None, 64)
    ]
    assert plans[0]["cell_id"] == plans[1]["cell_id"]
    with pytest.raises(winit.WinitError, match="has 64 entries"):
        Config.checked({"grids": [grid("digits", input_width=65)]}, "test")


def test_an_array_may_be_named_by_a_number():
    rows = winit.simulate("he_normal", "relu", 1, 8, batch=10, input="numbered.npz(array=1)")
    assert rows["input"][0].as_py() == "numbered.npz(array=1)"


def test_a_file_that_changes_under_a_process_is_seen():
    sources = (read_data("images.npy"),)
    found = input_of("images.npy", sources)
    for values in (VALUES // 2, VALUES[:10]):
        np.save("images.npy", values)
        with pytest.raises(LabelError, match="has changed since"):
            found.examples(20, 20, Draws(0))


def test_simulate_takes_files_functions_and_shapes(tmp_path):
    (tmp_path / "mine.py").write_text(
        "def data(wanted):\n    return wanted.generator.random((wanted.batch, 7))\n", encoding="utf-8"
    )
    for label, width in (("images.npy", 20), ("mine.py:data", 7)):
        rows = winit.simulate("he_normal", "relu", width=(16, 8, 4), batch=10, input=label)
        assert rows["fan_out"].to_pylist() == [width, 16, 8, 4]
        assert rows["input_width"][0].as_py() == width
        assert winit.theory("he_normal", "relu", width="16-8-4", input=label, batch=10).num_rows == 4
    rows = winit.simulate("he_normal", "relu", 2, 30, batch=10, input_width=5)
    assert rows["fan_in"].to_pylist() == [None, 5, 30]
