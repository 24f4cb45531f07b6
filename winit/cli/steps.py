"""The workflow's steps, as its rules call them."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from winit.cli.group import Command
from winit.cli.options import (
    PathType,
    Whole,
    activation_names,
    cluster_option,
    completing,
    config_option,
    initializer_names,
    opened,
    results_in,
    results_option,
    threads_option,
)
from winit.errors import quoted
from winit.visible import visible

if TYPE_CHECKING:
    from winit.sweep.engine import Outcome


@click.command(cls=Command, example="winit config --input config/default.yaml --output canonical.yaml")
@click.option(
    "--input",
    "source",
    type=PathType(allow_dash=True, dir_okay=False),
    required=True,
    help="A YAML or JSON file; - reads standard input.",
)
@click.option("--output", type=PathType(dir_okay=False), required=True)
def config(source: Path, output: Path) -> None:
    """Check a config and write it in its canonical form."""
    from winit.sweep.belonging import write_config
    from winit.sweep.config import Config

    write_config(Config.read(None if source == Path("-") else source), output)


@click.command(cls=Command, example="winit sweep --config config/default.yaml --threads 8")
@config_option
@click.option("--shard", default="1-of-1", show_default=True, help="Which one, as 3-of-64.")
@threads_option
@cluster_option
def sweep(config_file: Path, shard: str, threads: int, cluster: str | None) -> None:
    """Compute the cells of a shard that are not stored yet.

    Kill it at any time and start it again: it goes on where it was.
    """
    from winit.sweep.machine import available_cores
    from winit.sweep.run import sweep_shard

    config, results = opened(config_file, cluster)
    found = re.fullmatch("([1-9][0-9]{0,8})-of-([1-9][0-9]{0,8})", shard)
    number, count = map(int, found.groups()) if found else (1, 0)
    if number > count:
        raise click.BadParameter(f"{quoted(shard)} is not of the form 3-of-64", param_hint="--shard")
    _tell(sweep_shard(config, results, number, count, threads or available_cores()), "cells")


def _tell(outcome: "Outcome", unit: str) -> None:
    from winit.cli.screen import say

    say(
        f"{outcome.cells} {unit}: {outcome.present} were in the store, {outcome.computed} computed"
        f" in {outcome.seconds:.1f} s, {len(outcome.failed)} failed"
    )
    for record in outcome.failed[:10]:
        say(f"  failed: {record.cell_id}: {visible(str(record.error))}", error=True)


@click.command(cls=Command, example="winit train --config config/default.yaml --threads 8")
@config_option
@threads_option
@cluster_option
def train(config_file: Path, threads: int, cluster: str | None) -> None:
    """Train the planned networks that are not stored yet.

    Writes training.parquet and training_runs.parquet too. Kill it at any time and start it again: it goes on
    where it was.
    """
    from winit.sweep.collect import collect_training
    from winit.sweep.machine import available_cores
    from winit.sweep.run import sweep_shard

    config, results = opened(config_file, cluster)
    _tell(sweep_shard(config, results.training_sweep, 1, 1, threads or available_cores()), "training runs")
    collect_training(results, config.thresholds)


@click.command(cls=Command, example="winit collect --config config/default.yaml")
@config_option
def collect(config_file: Path) -> None:
    """Make the dataset of what is in the store.

    layers/*.parquet, and cells.parquet with a row for each planned cell.
    """
    from winit.sweep.belonging import looked_at
    from winit.sweep.collect import collect as collect_cells

    looked = looked_at(config_file)
    looked.plan_of(looked.results)
    collect_cells(looked.results, looked.thresholds)


@click.command(cls=Command, example="winit theory --config config/default.yaml")
@config_option
def theory(config_file: Path) -> None:
    """Write what theory predicts: theory.parquet.

    For each planned network with i.i.d. weights. Of functions of your own it writes what the figures show of
    them, functions.json, too.
    """
    from winit.cli.screen import say
    from winit.findings.predictions import write_theory

    config, results = opened(config_file)
    for problem in write_theory(results, config):
        say(f"no theory for {visible(problem)}", error=True)


@click.command(cls=Command, example="winit summarize --results results")
@results_option
def summarize(folder: Path) -> None:
    """Write the summary over seeds, and the tables.

    summary.parquet, and what is in tables/.
    """
    from winit.findings.summary import summarize as write_summary

    write_summary(results_in(folder))


@click.command(cls=Command, example="winit claims --results results")
@results_option
def claims(folder: Path) -> None:
    """Put the claims of the notes to the results.

    Writes claims.parquet and tables/claims.md.
    """
    from winit.cli.screen import say
    from winit.findings.claims.tested import in_numbers, write_claims

    tested = write_claims(results_in(folder))
    say(f"{tested.num_rows} claims: {in_numbers(tested)}")


@click.command(
    cls=Command,
    example="winit plot --results results\nwinit plot --depth 2 --width 500 --activation tanh",
)
@results_option
@click.option("--depth", type=Whole(), multiple=True, help="Draw networks of this depth; may be repeated.")
@click.option("--width", multiple=True, help="Of this width, or taper as 500-50; may be repeated.")
@click.option(
    "--activation",
    multiple=True,
    shell_complete=completing(activation_names),
    help="With this activation; may be repeated.",
)
@click.option(
    "--initializer",
    multiple=True,
    shell_complete=completing(initializer_names),
    help="With this initializer alone; may be repeated, and all of them are in one figure.",
)
def plot(folder: Path, **asked: tuple[Any, ...]) -> None:
    """Draw the figures as SVG and PNG: figures/.

    Of layers: those of the deepest network of each activation, of several widths the widest; figures of
    others that are there are removed. With --depth, --width, --activation or --initializer instead the layers
    of all networks that have these, beside what is there.
    """
    from winit.cli.screen import reader_may_leave, say
    from winit.findings.choice import Choice
    from winit.findings.figures import save_chosen, save_figures

    results, choice = results_in(folder), Choice(**asked)
    if not choice:
        save_figures(results)
        return
    names = save_chosen(results, choice)
    with reader_may_leave():
        for name in names:
            say(f"{results.figures / name}.svg")


@click.command(cls=Command, example="winit report --results results")
@results_option
def report(folder: Path) -> None:
    """Write the report: report.html, one file."""
    from winit.findings.report import write_report

    write_report(results_in(folder))


COMMANDS = (config, sweep, train, collect, theory, summarize, claims, plot, report)
