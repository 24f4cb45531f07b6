"""What a run takes, how far it has come, and whether its cluster works."""

import sys
from pathlib import Path

import click

from winit.cli.group import Command
from winit.cli.options import (
    PathType,
    WholeRange,
    cluster_option,
    config_option,
    opened,
    results_in,
    threads_option,
)
from winit.errors import WinitError
from winit.visible import visible

_FAILED_SHOWN = 20


@click.command(cls=Command, example="winit plan --config config/default.yaml --threads 32")
@config_option
@threads_option
@click.option(
    "--shards", type=WholeRange(1, 1_000_000), default=1, show_default=True, help="Sweeps to cut it into."
)
@click.option("--write", is_flag=True, help="Write it, and the checked config, into the results folder.")
@click.option("--yes", is_flag=True, help="Plan even more cells than sweep.max_cells.")
def plan(config_file: Path, threads: int, shards: int, write: bool, yes: bool) -> None:
    """Say what the grids will take.

    Cells, blocks, FLOPs, memory, disk, and time on this machine, which is estimated by computing some of the
    networks for a second. With --write the grids become the plans that `winit sweep` and `winit train`
    compute, plan.parquet and training/plan.parquet, with config.yaml beside them.
    """
    from winit.sweep.belonging import write_plans
    from winit.sweep.calibration import calibrated
    from winit.sweep.estimates import estimate, show
    from winit.sweep.machine import available_cores, memory_limit
    from winit.sweep.patience import check_time
    from winit.sweep.plan import check_memory, check_size, make_plan, make_training_plan, seconds_of

    config, results = opened(config_file)
    if config.too_large and not yes:
        if not (sys.stdin and sys.stdin.isatty()):
            raise config.refusal(str(config_file))
        click.confirm(f"{config.too_large}.\nPlan it now?", abort=True)
    check_size(config, memory_limit())
    plans = {"cells": make_plan(config, shards), "training runs": make_training_plan(config)}
    cores = threads or available_cores()
    room = config.cluster.room(cores)
    for made in plans.values():
        if room is not None:
            check_memory(made, room)
    seconds = {name: calibrated(made) for name, made in plans.items() if made.num_rows}
    for name, of_plan in seconds.items():
        check_time(plans[name], of_plan.sum() / seconds_of(plans[name]).sum(), config.cluster)
    if write and write_plans(config, results, *plans.values()):
        click.echo(
            f"{results.folder} had the plans of another config; what was made of them is to be made anew"
            " (sweep, train, collect, theory, …), but for what is in the store",
            err=True,
        )
    estimates = [(name, estimate(plans[name], of_plan)) for name, of_plan in seconds.items()]
    show(estimates, config.cluster.workers(cores) or cores)


@click.command(cls=Command, example="winit status --config config/default.yaml")
@config_option
@threads_option
@click.option(
    "--output",
    type=PathType(dir_okay=False),
    help="Write it to a file too, if none failed.",
)
def status(config_file: Path, threads: int, output: Path | None) -> None:
    """Count what is done, missing and failed.

    Of the planned cells and of the training runs. Exits with 1 where any failed, and names them; the next run
    tries those again.
    """
    from winit.cli.screen import Screen, reader_may_leave, table_of
    from winit.sweep.belonging import looked_at
    from winit.sweep.calibration import calibrated
    from winit.sweep.estimates import duration, estimate
    from winit.sweep.files import replacing
    from winit.sweep.machine import available_cores
    from winit.sweep.status import status_of

    looked = looked_at(config_file)
    cores = threads or available_cores()
    header = ["", "planned", "done", "missing", "failed", f"time left on {cores} core{'s' * (cores != 1)}"]
    table = table_of(header, [False, *[True] * 5])
    problems = []
    for of_sweep in (looked.results, looked.results.training_sweep):
        state = status_of(of_sweep, looked.plan_of(of_sweep))
        missing, failed = state.missing.num_rows, len(state.failed)
        left = estimate(state.missing, calibrated(state.missing)).time(cores) if missing else None
        counts = (state.done + missing + failed, state.done, missing, failed)
        table.add_row(
            state.unit,
            *(f"{count:,}" for count in counts),
            "–" if left is None else duration(left),
            style="red" if failed else None,
        )
        if failed:
            of_sweep.forget_shards()
            shown = "".join(f"\n  {name}: {visible(error)}" for name, error in state.failed[:_FAILED_SHOWN])
            more = f"\n  … and {failed - _FAILED_SHOWN} more" if failed > _FAILED_SHOWN else ""
            problems.append(f"{failed} {state.unit} failed; a new run tries them again:{shown}{more}")
    with reader_may_leave():
        Screen().print(table)
    if output is not None and not problems:
        with replacing(output) as path, path.open("w", encoding="utf-8") as file:
            Screen(file).print(table)
    if problems:
        raise WinitError("\n".join(problems))


@click.command(cls=Command, example="winit cluster --cluster slurm --show")
@config_option
@cluster_option
@click.option("--show", is_flag=True, help="Print the job script that would be submitted, and start nothing.")
def cluster(config_file: Path, cluster: str | None, show: bool) -> None:
    """Try the cluster of the config.

    Starts it (of jobs one), lists its workers, ends it. Where a worker could not do the work, says why.
    """
    from winit.cli.screen import Screen, say
    from winit.sweep.cluster import job_script_of, open_cluster, table_of_workers
    from winit.sweep.config import Where

    where = Where.of(config_file)
    if cluster is not None:
        where = where.on(cluster)
    if show:
        say(job_script_of(where.cluster, Path(where.results)))
        return
    folder = results_in(Path(where.results)).folder
    # Of jobs one will do to see whether they work.
    workers = None if where.cluster.kind == "local" else 1
    click.echo("waiting for a worker; Ctrl-C ends it", err=True)
    with open_cluster(where.cluster, workers, folder) as client:
        Screen().print(table_of_workers(client))


COMMANDS = (plan, status, cluster)
