"""Results folders that the report must take: a very large one, and those where something is missing."""

import copy

from click.testing import CliRunner
from projects import snakemake, workflow_in
from samples import TINY, make_results

from winit.cli import main
from winit.sweep.config import Config

# Theory takes longest of all steps: most of these it has nothing to say of, or says quickly.
INITIALIZERS = [
    "zeros",
    "constant(0.1)",
    "lecun_normal",
    "glorot_normal",
    "he_normal",
    *(f"orthogonal(gain={gain})" for gain in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 2.0)),
    "scaled_uniform_orthogonal",
    *(f"identity(gain={gain})" for gain in (0.5, 0.7, 1.0, 1.4)),
    "sparse(sparsity=0.5)",
    "martens_sparse",
    "zero_init",
    *(f"lsuv(gain={gain})" for gain in (0.7, 1.0, 1.4)),
]
ACTIVATIONS = [
    "tanh",
    "relu",
    "sigmoid",
    "identity",
    "gelu",
    "silu",
    "elu",
    "selu",
    "softplus",
    "leaky_relu",
]
DEPTHS = [4, 8, 12, 16]
WIDTHS = [12, 13, 14, 15, 16, 18, 20, 22, 24, 28]

CELLS = len(INITIALIZERS) * len(ACTIVATIONS) * len(DEPTHS) * len(WIDTHS)

OWN = """
def failing(layer):
    if layer.depth > 2:
        raise ValueError("there are <b>no</b> weights & no bias")
    return layer.standard("normal")


def named(layer, name: str = "plain"):
    return layer.standard("normal") / layer.fan_in**0.5
"""
HOSTILE = """</script><script>window.broken = true</script>"""


def large(folder):
    """The report of ten thousand cells, each a network of its own, by the whole job."""
    grid = {"initializer": INITIALIZERS, "activation": ACTIVATIONS, "depth": DEPTHS, "width": WIDTHS}
    config = {
        "grids": [grid | {"seed": 0}],
        "probe": {"batch": 16},
        "training": {"grids": []},
    }
    workflow_in(folder, config)
    # Theory has nothing to do with the sweep: one core for each.
    run = snakemake(folder, "results/report.html", "--set-threads", "sweep=1")
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / "results/report.html"


def small(folder, case):
    """The report of one of ``CASES``, by the commands."""
    folder.mkdir()
    own = folder / """it's "mine" <i>&amp;.py"""
    own.write_text(OWN)
    grid, probe = CASES[case]
    data = copy.deepcopy(TINY) | {"probe": {"batch": 20} | probe}
    data["grids"] = [{"activation": ["tanh", "relu"], "width": 8, "seed": {"count": 2}} | grid]
    initializers = grid["initializer"]
    data["grids"][0]["initializer"] = [label.replace("own:", f"{own}:") for label in initializers]
    data["training"] = {"grids": []}
    return written(folder / "results", data)


def ordinary(folder):
    """The report of a tiny grid in which nothing is missing, training included."""
    return written(folder / "results", TINY)


def written(folder, data):
    folder.mkdir(parents=True)
    results = make_results(folder, Config.checked(data | {"results": str(folder)}, "test"))
    command("theory", "--config", str(folder / "config.yaml"))
    for name in ("summarize", "claims", "report"):
        command(name, "--results", str(folder))
    return results.report


def command(*arguments):
    run = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert run.exit_code == 0, run.output


CASES = {
    "one-cell": ({"initializer": ["he_normal"], "activation": "tanh", "depth": 3, "seed": 7}, {}),
    "one-seed": ({"initializer": ["zeros", "he_normal", "orthogonal"], "depth": [1, 4], "seed": 0}, {}),
    # Weights that are not finite are refused; these are, and a sum of a few of them is not.
    "nothing-finite": (
        {
            "initializer": ["constant(3e38)", "normal(std=5e37)"],
            "activation": ["identity", "relu"],
            "depth": [2, 4],
            "width": 100,
        },
        {},
    ),
    "all-failed": ({"initializer": ["own:failing"], "depth": [3, 4]}, {}),
    "huge": (
        {"initializer": ["normal(std=1e5)", "normal(std=1e30)", "he_normal"], "depth": 12},
        {"dtype": "float64"},
    ),
    "deep": ({"initializer": ["he_normal", "orthogonal", "lecun_normal"], "depth": 110}, {}),
    "hostile": (
        {"initializer": [f"own:named(name={HOSTILE!r})", "own:named(name='\"&quot;')"], "depth": 3},
        {},
    ),
}
"""Of each a grid, with ``own:`` for the file of a user's own functions, and its probe."""
