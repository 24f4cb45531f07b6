"""Whoever listens is heard by this machine alone, or speaks TLS and knows whom it speaks to."""

import os
import signal
import socket
import stat
import subprocess
import sys
from contextlib import closing

import pytest
from attacks import HTTP, Address, Siege, answer, assert_refused, context, entered, listening
from authority import Authority, Files
from dask_cluster import DaskCluster
from support import CONFIG, Project, wait_until

# So many that it sweeps for a minute, much longer than any test here looks at it.
ENDLESS = [CONFIG["grids"][0] | {"seed": {"count": 1000}}]
DASHBOARD = Address("127.0.0.1", 8787)


def sweeping(folder, **cluster):
    """A sweep that goes on until it is killed."""
    project = Project(folder, grids=ENDLESS, cluster=cluster)
    project.plan()
    process = project.start("winit", "sweep", "--threads", "2")
    try:
        project.wait_for_parts()
    except BaseException:
        end(process)
        raise
    return process


def end(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    process = sweeping(tmp_path_factory.mktemp("local"))
    yield process
    end(process)


def test_a_sweep_here_is_heard_on_this_machine_alone_and_by_no_stranger(local, tmp_path):
    addresses = listening(local)
    assert len(addresses) >= 5  # a scheduler, and two workers with a nanny each
    assert {address.host for address in addresses} == {"127.0.0.1"}
    assert_refused(addresses, tmp_path)
    assert local.poll() is None


def test_a_sweep_here_goes_on_while_strangers_knock(project, undisturbed):
    process = project.start("winit", "sweep", "--threads", "2")
    with process, Siege(lambda: listening(process)) as siege:
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "0 failed" in said
    assert siege.connections > 200
    assert project.layers() == undisturbed


@pytest.fixture
def dashboard(tmp_path):
    with closing(socket.socket()) as probe:
        if probe.connect_ex(DASHBOARD) == 0:
            pytest.skip("another program listens on the port of Dask's dashboard")
    process = sweeping(tmp_path, dashboard=True)
    yield process
    end(process)


def test_the_dashboard_is_heard_on_this_machine_alone_and_is_all_that_speaks_http(dashboard, tmp_path):
    addresses = listening(dashboard)
    assert {address.host for address in addresses} == {"127.0.0.1"}
    assert answer(DASHBOARD, HTTP).startswith(b"HTTP/1.1 200")
    assert_refused(addresses - {DASHBOARD}, tmp_path)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def cluster(project, authority):
    """A cluster of one's own, on loopback."""
    with DaskCluster(project, authority.signed("scheduler"), authority.signed("worker")) as cluster:
        worker = cluster.start_worker()
        wait_until(lambda: "Registered to" in cluster.said("worker"))
        cluster.listening = lambda: listening(cluster.scheduler, worker)
        yield cluster


def test_a_cluster_of_ones_own_knows_its_authority_and_goes_on(
    cluster, project, authority, tmp_path, undisturbed
):
    ours, late = authority.signed("client"), authority.signed("late", expired=True)
    addresses = cluster.listening()
    assert len(addresses) == 3  # a scheduler, and a worker with a nanny
    for address in addresses:
        assert answer(address, context=context(ours)) != b""
    assert_refused(addresses, tmp_path, late)
    project.configure(cluster={"tls": ours.config})
    process = cluster.start_sweep(project)
    with Siege(cluster.listening) as siege:
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert siege.connections > 200
    assert project.layers() == undisturbed


def test_a_cluster_without_tls_is_seen_to_let_strangers_in(tmp_path):
    # Otherwise the attacks here would prove nothing.
    with DaskCluster(Project(tmp_path)) as cluster:
        (address,) = listening(cluster.scheduler)
        assert entered({address}) == [f"{address.host}:{address.port} (tcp)"]
        assert answer(address) != b""


# The scheduler of a sweep on a batch system, which submits no job before somebody asks for one.
BATCH = """
import sys
from pathlib import Path
from winit.sweep.batch import batch_cluster
from winit.sweep.cluster import WORKER_ENVIRONMENT, _scheduler
from winit.sweep.settings import ClusterSettings

settings = ClusterSettings(kind="slurm")
with batch_cluster(settings, Path(sys.argv[1]), _scheduler(settings), WORKER_ENVIRONMENT):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_the_scheduler_of_a_batch_system_lets_in_who_can_read_its_files(tmp_path):
    folder, home = tmp_path / "cluster", tmp_path / "home"
    home.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", BATCH, str(folder)],
        env=os.environ | {"HOME": str(home)},  # importing dask_jobqueue writes a file there
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout.readline() == "open\n"
            (port,) = {address.port for address in listening(process)}
            address = Address("127.0.0.1", port)  # it listens for other machines too
            (files,) = folder.glob("tls-*")
            assert stat.S_IMODE(files.stat().st_mode) == 0o700
            for name in ("cert", "key"):
                assert stat.S_IMODE((files / name).stat().st_mode) == 0o600
            ours = Files(files / "cert", files / "cert", files / "key")
            assert answer(address, context=context(ours)) != b""
            assert_refused({address}, tmp_path)
        finally:
            process.stdin.close()
    assert process.returncode == 0
    assert list(folder.glob("tls-*")) == []
