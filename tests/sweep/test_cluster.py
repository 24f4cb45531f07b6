"""Clusters on this machine: what listens, who is fit to compute, and what is said when nobody comes."""

import dataclasses
import os
import socket
import threading
from contextlib import contextmanager

import distributed
import psutil
import pytest
from click.testing import CliRunner
from distributed.comm.core import CommClosedError
from samples import tiny

from winit.cli import main
from winit.errors import WinitError
from winit.sweep import batch, cluster, dispatch, engine, fetch
from winit.sweep.certificates import certificate_files
from winit.sweep.cluster import LostClusterError, open_cluster
from winit.sweep.engine import Outcome, sweep
from winit.sweep.machine import USABLE
from winit.sweep.patience import Patience
from winit.sweep.plan import make_plan
from winit.sweep.progress import Progress
from winit.sweep.settings import BatchSettings, ClusterSettings
from winit.sweep.store import Store
from winit.sweep.tasks import fitness


@pytest.fixture(scope="module")
def client():
    with open_cluster(ClusterSettings(), 1) as client:
        yield client


def test_nothing_listens_but_the_ports_that_speak_tls_on_loopback(client):
    info = client.scheduler_info()
    (worker,) = info["workers"].values()
    addresses = {info["address"], *info["workers"], worker["nanny"]}
    here = psutil.Process()
    listening = {
        f"tls://{connection.laddr.ip}:{connection.laddr.port}"
        for process in (here, *here.children(recursive=True))
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == addresses
    assert all(address.startswith("tls://127.0.0.1:") for address in addresses)


def test_a_worker_is_like_the_process_that_asks(client):
    assert list(client.run(fitness).values()) == [fitness()]


def thresholds(dask_worker):
    manager = dask_worker.memory_manager
    return manager.memory_target_fraction, manager.memory_spill_fraction, manager.memory_pause_fraction


def test_dask_ends_a_worker_where_the_plan_ends_and_does_nothing_before(client):
    assert list(client.run(thresholds).values()) == [(False, False, False)]
    assert list(client.run(cluster._ends_at, nanny=True).values()) == [USABLE]
    (worker,) = client.scheduler_info()["workers"].values()
    assert cluster.least_memory(client) == worker["memory_limit"]


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ({"versions": "sweep 4"}, "has sweep 4, here is sweep"),
        ({"threads": 3}, "runs 3 tasks at a time; start it with --nthreads 1"),
        ({"blas_threads": 8}, "runs BLAS with 8 threads; set OMP_NUM_THREADS=1"),
    ],
)
def test_workers_that_are_not_fit_are_refused(client, monkeypatch, there, said):
    found = dataclasses.replace(fitness(), **there)
    monkeypatch.setattr(client, "run", lambda *_, **__: {"tls://a:1": found})
    with pytest.raises(WinitError, match=f"the worker tls://a:1 {said}"):
        cluster._check(client)


def test_a_part_of_another_version_is_not_stored(client, tmp_path, monkeypatch):
    monkeypatch.setattr(dispatch, "packages", lambda: "numpy 9")
    plan, store = make_plan(tiny(seed=[0])), Store(tmp_path / "parts")
    with (
        Progress(1) as progress,
        pytest.raises(WinitError, match=r"a worker has version .* here is .* numpy 9"),
    ):
        sweep(plan, client, store, Patience(), Outcome(1, 0), progress)
    assert store.index().num_rows == 0


def test_a_lost_connection_is_no_failure_of_a_cell(client, tmp_path, monkeypatch):
    async def lost(_):
        return [CommClosedError("gone")]

    monkeypatch.setattr(fetch, "_outcomes", lost)
    plan, store = make_plan(tiny(seed=[0])).slice(0, 1), Store(tmp_path / "parts")
    with Progress(1) as progress, pytest.raises(CommClosedError):
        sweep(plan, client, store, Patience(), Outcome(1, 0), progress)
    assert store.index().num_rows == 0


# Longer than any test may take, so that what waits for it does not end.
FOR_EVER = {"distributed.comm.timeouts.connect": "1h"}
TOO_FEW = r"too few workers came within 0\.01 s \(cluster\.start_seconds\)"


def test_nobody_comes_in_time():
    with pytest.raises(WinitError, match=TOO_FEW), open_cluster(ClusterSettings(start_seconds=0.01), 1):
        pass


def test_no_job_comes_in_time(tmp_path, monkeypatch):
    """A batch system in which all jobs wait."""
    for name, says in (("sbatch", "Submitted batch job 7"), ("squeue", "7"), ("scancel", "")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {says}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    settings = ClusterSettings(kind="slurm", start_seconds=0.01)
    with pytest.raises(WinitError, match=TOO_FEW), open_cluster(settings, folder=tmp_path):
        pass


def test_no_worker_of_a_cluster_that_runs_comes_in_time():
    quiet = {"n_workers": 0, "processes": False, "dashboard_address": None, "protocol": "tcp://"}
    with distributed.LocalCluster(host="127.0.0.1", **quiet) as there:
        settings = ClusterSettings(kind="address", address=there.scheduler_address, start_seconds=0.5)
        with pytest.raises(WinitError, match=r"within 0\.5 s"), open_cluster(settings):
            pass


@pytest.mark.parametrize("listens", [True, False])
@pytest.mark.parametrize("protocol", ["tcp", "tls"])
def test_what_is_no_scheduler_is_not_waited_for_beyond_the_time(tmp_path, listens, protocol):
    """Neither where nobody listens, nor where somebody does and says nothing."""
    with socket.socket() as silent, certificate_files(tmp_path) as ours:
        silent.bind(("127.0.0.1", 0))
        if listens:
            silent.listen()
        settings = ClusterSettings(
            kind="address",
            address=f"{protocol}://127.0.0.1:{silent.getsockname()[1]}",
            start_seconds=0.5,
            tls={"ca": ours.tls_ca_file, "certificate": ours.tls_client_cert, "key": ours.tls_client_key},
        )
        with (
            cluster.dask.config.set(FOR_EVER),
            pytest.raises(LostClusterError, match=f"no scheduler answers at {protocol}://127"),
            open_cluster(settings),
        ):
            pass


def test_workers_that_are_silent_are_looked_for_within_their_time():
    with open_cluster(ClusterSettings(hang_seconds=40), 1) as client:
        scheduler = client.cluster.scheduler
        assert scheduler.worker_ttl == 40
        assert scheduler.periodic_callbacks["worker-ttl"].callback_time <= 10_000


def sweep_without(gone, client, folder):
    """A sweep that takes longer than the cluster lasts: its first part tells that this is over."""

    class Telling(Progress):
        def advance(self, *arguments, **options):
            super().advance(*arguments, **options)
            gone.set()

    config = tiny(seed={"count": 100})
    blocks = config.sweep.model_copy(update={"block_seconds": 1e-9})
    plan = make_plan(config.model_copy(update={"sweep": blocks}))
    with Telling(plan.num_rows) as progress, progress.counting(lambda: engine.number_of_workers(client)):
        sweep(plan, client, Store(folder / "parts"), Patience(0.1), Outcome(plan.num_rows, 0), progress)


def test_what_cannot_be_mended_ends_the_sweep(monkeypatch, tmp_path):
    gone = threading.Event()

    @contextmanager
    def without_jobs(*arguments):
        def look():
            if gone.is_set():
                raise WinitError("no more jobs")
            return min(opened.look(), 0.1)

        with cluster._local(*arguments) as opened:
            yield dataclasses.replace(opened, look=look)

    monkeypatch.setitem(cluster._KINDS, "local", without_jobs)
    with pytest.raises(WinitError, match="no more jobs"), open_cluster(ClusterSettings(), 1) as client:
        sweep_without(gone, client, tmp_path)


@pytest.mark.parametrize(
    ("kind", "interface", "said"),
    [
        ("slurm", "nope0", "the scheduler does not start: 'nope0' is not a valid network interface"),
        ("sge", "lo", "no worker came of 3 rounds of jobs: there is no command qsub on this machine"),
    ],
)
def test_a_batch_system_that_cannot_be_used_is_told_in_a_line(kind, interface, said, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(batch, "_SECONDS_BETWEEN_LOOKS", 0.05)
    settings = ClusterSettings(kind=kind, batch=BatchSettings(interface=interface))
    with pytest.raises(WinitError, match=said), open_cluster(settings, folder=tmp_path):
        pass


def test_a_scheduler_that_is_not_there_is_said_to_be_missing():
    settings = ClusterSettings(kind="address", address="tcp://127.0.0.1:9")
    with (
        cluster.dask.config.set({"distributed.comm.timeouts.connect": "200ms"}),
        pytest.raises(LostClusterError, match=r"no scheduler answers at tcp://127\.0\.0\.1:9"),
        open_cluster(settings),
    ):
        pass


def test_an_address_with_tls_needs_certificates():
    settings = ClusterSettings(kind="address", address="tls://127.0.0.1:9")
    with pytest.raises(WinitError, match="needs certificates; name the files"), open_cluster(settings):
        pass


def test_the_command_lists_the_workers_that_came(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cluster, "available_cores", lambda: 1)
    (tmp_path / "only.yaml").write_text("cluster: {kind: local}\n")
    ran = CliRunner().invoke(main, ["cluster", "--config", "only.yaml"])
    assert ran.exit_code == 0, ran.output
    assert "127.0.0.1" in ran.output
    shown = CliRunner().invoke(main, ["cluster", "--config", "only.yaml", "--show"])
    assert shown.exit_code == 1
    assert "kind local submits no jobs; take --cluster slurm" in shown.output
