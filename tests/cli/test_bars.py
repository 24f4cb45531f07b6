"""winit simulate in the terminal: bars on a logarithmic scale, theory beside them, and the verdict."""

import math
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

import winit
from winit.cli import main
from winit.cli.bars import WIDTH, bar, decades
from winit.findings.database import Database
from winit.findings.single import verdict_of

from samples import make_results, tiny  # isort: skip


def simulate(*arguments):
    return CliRunner().invoke(main, ["simulate", *arguments])


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([0.2, 0.5], (-1, 0)),
        ([1.0, 1.0], (0, 1)),
        ([3e-7, 40.0, None, math.inf, 0.0], (-7, 2)),
        ([], (0, 1)),
        ([0.0, None, math.nan], (0, 1)),
    ],
)
def test_a_scale_goes_over_whole_powers_of_ten(values, scale):
    assert decades(values) == scale


def test_a_bar_grows_with_the_logarithm():
    scale = (-3, 1)
    assert bar(10.0, scale) == "█" * WIDTH
    assert bar(0.1, scale) == "█" * (WIDTH // 2)
    assert bar(0.1, scale, ascii_only=True) == "#" * (WIDTH // 2)
    assert bar(1e-3, scale) == "▏"
    lengths = [len(bar(10.0**power, scale, ascii_only=True)) for power in (-3, -2, -1, 0, 1)]
    assert lengths == sorted(set(lengths))


@pytest.mark.parametrize("value", [0.0, None, math.inf, math.nan])
def test_what_has_no_logarithm_has_no_bar(value):
    assert bar(value, (0, 1)) == bar(value, (0, 1), ascii_only=True) == ""


def test_there_is_a_row_for_each_layer_with_theory_and_the_verdict():
    shown = simulate("he_normal", "relu", "--depth", "3", "--width", "20", "--batch", "10")
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    rows = winit.simulate("he_normal", "relu", 3, 20, batch=10)
    theory = winit.theory("he_normal", "relu", 3, 20, batch=10)
    predicted = theory["h_std"].to_pylist()
    assert lines[-2] == (
        f"std of y {rows['y_std'][-1].as_py():.3g}, theory {theory['y_std'][-1].as_py():.3g}"
    )
    for layer, line in enumerate(lines[2:-2]):
        words = [word for word in line.split() if not set(word) & set(" ▏▎▍▌▋▊▉█")]
        assert words[:3] == [f"{layer}", f"{rows['h_std'][layer].as_py():.3g}", f"{predicted[layer]:.3g}"]
    found = verdict_of(rows)
    assert lines[-1] == (
        f"{found.verdict}: activations {found.activation_verdict} (×{found.h_std_ratio:.3g}),"
        f" gradients {found.gradient_verdict} (×{found.g_std_ratio:.3g})"
    )
    assert max(map(len, lines)) <= 80


def test_the_verdict_is_that_of_the_sweep(tmp_path):
    make_results(tmp_path, tiny())
    database = Database(tmp_path)
    ratios = "verdict, activation_verdict, gradient_verdict, h_std_ratio, g_std_ratio"
    for cell, *judged in database.sql(f"SELECT cell_id, {ratios} FROM cells WHERE seed = 0").fetchall():
        layers = database.sql(f"FROM layers WHERE cell_id = '{cell}'").to_arrow_table()
        assert list(verdict_of(layers)) == judged


@pytest.mark.parametrize(("initializer", "verdict"), [("zeros", "symmetric"), ("normal(std=1000)", "broken")])
def test_networks_in_which_nothing_is_finite_or_nothing_is_left_are_shown(initializer, verdict):
    shown = simulate(initializer, "relu", "--depth", "30", "--width", "20", "--batch", "10")
    assert shown.exit_code == 0
    assert shown.output.splitlines()[-1].startswith(f"{verdict}: ")


def test_without_iid_weights_there_is_no_theory():
    lines = simulate(
        "orthogonal", "tanh", "--depth", "2", "--width", "20", "--batch", "10"
    ).output.splitlines()
    assert lines[2].split()[3] == "–"


def test_the_probe_has_options():
    arguments = ("--depth", "2", "--width", "20", "--batch", "10", "--bias-std", "0.5", "--dtype", "float64")
    lines = simulate("he_normal", "tanh", *arguments, "--input", "uint8").output.splitlines()
    rows = winit.simulate("he_normal", "tanh", 2, 20, batch=10, bias_std=0.5, dtype="float64", input="uint8")
    assert [line.split()[1] for line in lines[2:-2]] == [f"{std:.3g}" for std in rows["h_std"].to_pylist()]


def test_a_terminal_without_utf8_gets_signs_that_it_has():
    line = [sys.executable, "-m", "winit", "simulate", "orthogonal", "tanh", "--depth", "2", "--width", "20"]
    ran = subprocess.run(line, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True)
    assert ran.returncode == 0
    output = ran.stdout.decode("ascii")
    assert "##" in output
    assert "?" not in output
    catalogue = [sys.executable, "-m", "winit", "initializers"]
    ran = subprocess.run(catalogue, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True)
    assert ran.returncode == 0
    assert b"sqrt" in ran.stdout


def test_what_a_config_would_refuse_is_refused():
    refused = simulate("he_norml", "relu", "--depth", "0")
    assert refused.exit_code == 2
    assert "did you mean 'he_normal'?" in refused.output
    assert "at least 1" in refused.output
