"""The commands. Each step of the workflow is one of them; modules are imported when a step needs them."""

import errno
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from winit.errors import WinitError
from winit.signals import Terminated, leave_when_told

if TYPE_CHECKING:
    from winit.sweep.config import Config
    from winit.sweep.engine import Outcome
    from winit.sweep.layout import Results


class _Group(click.Group):
    """Turns the errors that a user can mend into one line and an exit code."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except KeyboardInterrupt:
            click.echo("winit: stopped; what is finished is kept, the same command goes on", err=True)
            context.exit(130)
        except Terminated as error:
            click.echo(f"winit: {error}", err=True)
            context.exit(error.exit_code)
        except (WinitError, OSError) as error:
            if context.params["debug"]:
                raise
            full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
            mend = "; make room; what is finished is kept, the same command goes on" if full else ""
            click.echo(f"winit: {error}{mend}", err=True)
            context.exit(error.exit_code if isinstance(error, WinitError) else 1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="winit")
def main(debug: bool) -> None:  # noqa: ARG001 - the group looks at it
    """Measure what weight initializers do, layer by layer.

    The whole job is `snakemake --cores all`; the commands are its steps, and ways to look at results.
    """
    leave_when_told()


_SHOWN = (
    "layer",
    "z_std",
    "h_mean",
    "h_std",
    "saturated_fraction",
    "distinct_units",
    "cosine_mean",
    "g_std",
)


def _config_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path, dir_okay=False),
        default=Path("config/default.yaml"),
        show_default=True,
        help="The YAML file that holds the grid.",
    )(command)


def _results_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--results",
        "folder",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("results"),
        show_default=True,
        help="The results folder.",
    )(command)


def _threads_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--threads",
        type=click.IntRange(0),
        default=0,
        help="Workers on this machine.  [default: one for each core]",
    )(command)


def _cluster_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--cluster",
        metavar="KIND",
        help="local, slurm, pbs, sge, lsf, htcondor, address, or an address.  [default: as in the config]",
    )(command)


def _open(config_file: Path, cluster: str | None = None) -> "tuple[Config, Results]":
    from winit.sweep.config import Config
    from winit.sweep.layout import Results

    # That it may be large is asked where it is planned; the other steps do what the plan says.
    config = Config.read(config_file, any_size=True)
    if cluster is not None:
        config = config.on(cluster)
    return config, Results(Path(config.results))


def _available_cores() -> int:
    from winit.sweep.machine import available_cores

    return available_cores()


@main.command(epilog="Example: winit config --json '{\"grids\": […]}' --output results/config.yaml")
@click.option("--json", "text", required=True, help="The config as JSON, as Snakemake merged it.")
@click.option("--output", type=click.Path(path_type=Path), required=True)
def config(text: str, output: Path) -> None:
    """Check a config and write it in its canonical form."""
    from winit.sweep.config import Config
    from winit.sweep.files import replacing
    from winit.sweep.problems import ConfigError, Problem

    try:
        data = json.loads(text)
    except ValueError as error:
        raise ConfigError("--json", [Problem("", f"is not JSON: {error}")]) from None
    checked = Config.checked(data, "config")
    with replacing(output) as file:
        file.write_text(checked.to_yaml(), encoding="utf-8")


@main.command(epilog="Example: winit plan --config config/default.yaml --threads 32")
@_config_option
@_threads_option
@click.option("--shards", type=click.IntRange(1), default=1, show_default=True, help="Sweeps to cut it into.")
@click.option("--write", is_flag=True, help="Write it to plan.parquet, which the sweep reads.")
@click.option("--yes", is_flag=True, help="Plan even more cells than sweep.max_cells.")
def plan(config_file: Path, threads: int, shards: int, write: bool, yes: bool) -> None:
    """Say what the grids will take: cells, blocks, FLOPs, memory, disk, and time on this machine.

    The time is estimated by computing some of the networks for a second. With --write the grids become the
    plans that `winit sweep` and `winit train` compute.
    """
    import pyarrow.parquet as pq

    from winit.sweep.calibration import calibrated
    from winit.sweep.estimates import estimate, show
    from winit.sweep.files import replacing
    from winit.sweep.machine import memory_limit
    from winit.sweep.plan import check_memory, check_size, make_plan, make_training_plan

    config, results = _open(config_file)
    if config.too_large and not yes:
        if not (sys.stdin and sys.stdin.isatty()):
            raise config.refusal(str(config_file))
        click.confirm(f"{config.too_large}.\nPlan it now?", abort=True)
    check_size(config, memory_limit())
    plans = {"cells": make_plan(config, shards), "training runs": make_training_plan(config)}
    cores = threads or _available_cores()
    room = config.cluster.room(cores)
    for made in plans.values():
        if room is not None:
            check_memory(made, room)
    if write:
        for path, made in zip((results.plan, results.training_sweep.plan), plans.values(), strict=True):
            with replacing(path) as file:
                pq.write_table(made, file, compression="zstd")
    estimates = [(name, estimate(made, calibrated(made))) for name, made in plans.items() if made.num_rows]
    show(estimates, config.cluster.workers(cores) or cores)


@main.command(epilog="Example: winit sweep --config config/default.yaml --threads 8")
@_config_option
@click.option("--shard", default="1-of-1", show_default=True, help="Which one, as 3-of-64.")
@_threads_option
@_cluster_option
def sweep(config_file: Path, shard: str, threads: int, cluster: str | None) -> None:
    """Compute the cells of a shard that are not in the store yet.

    Kill it at any time and start it again: it goes on where it was.
    """
    from winit.sweep.machine import available_cores, one_thread_each

    one_thread_each()
    from winit.sweep.run import sweep_shard

    config, results = _open(config_file, cluster)
    number, _, count = shard.partition("-of-")
    if not (number.isdigit() and count.isdigit() and 1 <= int(number) <= int(count)):
        raise click.BadParameter(f"{shard!r} is not of the form 3-of-64", param_hint="--shard")
    _tell(sweep_shard(config, results, int(number), int(count), threads or available_cores()), "cells")


def _tell(outcome: "Outcome", unit: str) -> None:
    click.echo(
        f"{outcome.cells} {unit}: {outcome.present} were in the store, {outcome.computed} computed"
        f" in {outcome.seconds:.1f} s, {len(outcome.failed)} failed"
    )
    for record in outcome.failed[:10]:
        click.echo(f"  failed: {record.cell_id}: {record.error}", err=True)


@main.command(epilog="Example: winit train --config config/default.yaml --threads 8")
@_config_option
@_threads_option
@_cluster_option
def train(config_file: Path, threads: int, cluster: str | None) -> None:
    """Train the planned networks that are not in the store yet: training.parquet, training_runs.parquet.

    Kill it at any time and start it again: it goes on where it was.
    """
    from winit.sweep.machine import available_cores, one_thread_each

    one_thread_each()
    from winit.sweep.collect import collect_training
    from winit.sweep.run import sweep_shard

    config, results = _open(config_file, cluster)
    _tell(sweep_shard(config, results.training_sweep, 1, 1, threads or available_cores()), "training runs")
    collect_training(results, config.thresholds)


@main.command(epilog="Example: winit cluster --cluster slurm --show")
@_config_option
@_cluster_option
@click.option("--show", is_flag=True, help="Print the job script that would be submitted, and start nothing.")
def cluster(config_file: Path, cluster: str | None, show: bool) -> None:
    """Try the cluster of the config: start it (of jobs one), list its workers, end it.

    Where a worker could not do the work, says why.
    """
    from winit.sweep.machine import one_thread_each

    one_thread_each()
    from rich.console import Console

    from winit.sweep.cluster import job_script_of, open_cluster, table_of_workers
    from winit.sweep.config import Where

    where = Where.of(config_file)
    if cluster is not None:
        where = where.on(cluster)
    if show:
        click.echo(job_script_of(where.cluster, Path(where.results)))
        return
    # Of jobs one will do to see whether they work.
    workers = None if where.cluster.kind == "local" else 1
    click.echo("waiting for a worker; Ctrl-C ends it", err=True)
    with open_cluster(where.cluster, workers, Path(where.results)) as client:
        Console(highlight=False).print(table_of_workers(client))


@main.command(epilog="Example: winit collect --config config/default.yaml")
@_config_option
def collect(config_file: Path) -> None:
    """Merge the store's parts into the dataset: layers/*.parquet and cells.parquet."""
    from winit.sweep.collect import collect as collect_cells

    config, results = _open(config_file)
    collect_cells(results, config.thresholds)


@main.command(epilog="Example: winit theory --config config/default.yaml")
@_config_option
def theory(config_file: Path) -> None:
    """Write what theory predicts for the planned networks: theory.parquet."""
    from winit.findings.predictions import write_theory

    _, results = _open(config_file)
    for problem in write_theory(results):
        click.echo(f"no theory for {problem}", err=True)


@main.command(epilog="Example: winit summarize --results results")
@_results_option
def summarize(folder: Path) -> None:
    """Write the summary over seeds, and the tables: summary.parquet, tables/."""
    from winit.findings.summary import summarize as write_summary
    from winit.sweep.layout import Results

    write_summary(Results(folder))


@main.command(epilog="Example: winit claims --results results")
@_results_option
def claims(folder: Path) -> None:
    """Put the claims of the notes to the results: claims.parquet, tables/claims.md."""
    from winit.findings.claims.tested import in_numbers, write_claims
    from winit.sweep.layout import Results

    tested = write_claims(Results(folder))
    click.echo(f"{tested.num_rows} claims: {in_numbers(tested)}")


@main.command(epilog="Example: winit plot --results results")
@_results_option
def plot(folder: Path) -> None:
    """Draw the figures as SVG and PNG: figures/."""
    from winit.findings.figures import save_figures
    from winit.sweep.layout import Results

    save_figures(Results(folder))


@main.command(epilog="Example: winit report --results results")
@_results_option
def report(folder: Path) -> None:
    """Write the report: report.html, one file."""
    from winit.findings.report import write_report
    from winit.sweep.layout import Results

    write_report(Results(folder))


@main.command(epilog="Example: winit status --config config/default.yaml")
@_config_option
@_threads_option
def status(config_file: Path, threads: int) -> None:
    """Count the planned cells and training runs: done, missing, failed.

    Says what the missing ones will take, as `winit plan` does. Exits with 1 where any failed; the next run
    tries those again.
    """
    from winit.sweep.status import status_of

    _, results = _open(config_file)
    problems, left = [], {}
    for of_sweep in (results, results.training_sweep):
        state = status_of(of_sweep)
        missing = state.missing.num_rows
        click.echo(f"{state.done} {state.unit} done, {missing} missing, {len(state.failed)} failed")
        if missing:
            left[f"{state.unit} missing"] = state.missing
        if state.failed:
            of_sweep.forget_shards()
            shown = "".join(f"\n  {name}: {error}" for name, error in state.failed[:20])
            problems.append(f"{len(state.failed)} {state.unit} failed; a new run tries them again:{shown}")
    if left:
        from winit.sweep.calibration import calibrated
        from winit.sweep.estimates import estimate, show

        click.echo()
        taken = [(name, estimate(rows, calibrated(rows))) for name, rows in left.items()]
        show(taken, threads or _available_cores(), shards=False)
    if problems:
        raise WinitError("\n".join(problems))


@main.command(
    epilog='Example: winit query "SELECT initializer, avg(h_std) FROM layers WHERE layer = 10 GROUP BY ALL"'
)
@click.argument("sql")
@_results_option
def query(sql: str, folder: Path) -> None:
    """Ask the results in SQL (DuckDB), read-only.

    The views are layers, cells, theory, summary, training, training_runs and claims.
    """
    from winit.findings.database import Database

    click.echo(Database(folder).show(sql))


@main.command(epilog="Example: winit simulate he_normal relu --depth 50 --width 512")
@click.argument("initializer")
@click.argument("activation")
@click.option("--depth", default=10, show_default=True, help="Hidden layers.")
@click.option("--width", default="500", show_default=True, help="Units, or a taper such as 1024-64.")
@click.option("--seed", default=0, show_default=True)
@click.option("--batch", default=1000, show_default=True, help="Examples.")
def simulate(initializer: str, activation: str, depth: int, width: str, seed: int, batch: int) -> None:
    """Compute one cell, now, and show what each layer did."""
    from winit.api import simulate as simulate_cell
    from winit.findings import tables

    rows = simulate_cell(initializer, activation, depth, width, seed, batch=batch, histograms=False)
    shown = rows.select(_SHOWN)
    click.echo(tables.text(_SHOWN, [tuple(row.values()) for row in shown.to_pylist()]))


@main.command(epilog="Example: winit phase gelu --output phase-gelu.svg")
@click.argument("activation")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="An .svg, .png, .pdf or .html file.  [default: phase-ACTIVATION.svg]",
)
def phase(activation: str, output: Path | None) -> None:
    """Draw the phase diagram of an activation: its critical line and depth scales."""
    from winit.api import phase_diagram

    output = output or Path(
        f"phase-{''.join(c if c.isalnum() or c in '._=-' else '_' for c in activation)}.svg"
    )
    if output.suffix not in {".svg", ".png", ".pdf", ".html"}:
        raise click.BadParameter(
            f"{output} ends neither in .svg nor .png, .pdf or .html", param_hint="--output"
        )
    inline = {"inline": True} if output.suffix == ".html" else {}
    phase_diagram(activation).save(str(output), **inline)
    click.echo(f"{output}")


@main.command(epilog="Example: winit initializers torch")
@click.argument("part", default="")
def initializers(part: str) -> None:
    """List the initializers with PART in their names: arguments, law, source, where else to find them."""
    from winit.network.initializers import INITIALIZERS

    _catalogue(INITIALIZERS.values(), part)


@main.command(epilog="Example: winit activations elu")
@click.argument("part", default="")
def activations(part: str) -> None:
    """List the activations with PART in their names: arguments, formula, source, where else to find them."""
    from winit.network.activations import ACTIVATIONS

    _catalogue(ACTIVATIONS.values(), part)


def _catalogue(entries: Iterable[Any], part: str) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    from winit.network.labels import signature_of

    console = Console()
    for entry in entries:
        if part in " ".join([entry.name, *entry.aliases]):
            console.print(Text(signature_of(entry.name, entry.function), "bold"))
            elsewhere = [f"alias {alias}" for alias in entry.aliases] + list(entry.frameworks)
            for line in (entry.formula, entry.source, ", ".join(elsewhere)):
                if line:
                    console.print(Padding(Text(line), (0, 0, 0, 4)))
