"""A cluster of the user's own, found by its address: it computes the same bits, or says what is wrong."""

import sys
import time

import pytest
from authority import Authority
from dask_cluster import DaskCluster, free_port, went_on
from networks import network
from support import CELLS, Project, errors_in, record, wait_until

# So long an established connection lives without an answer; Dask takes no less than 11 s, by itself 30 s.
SHORT_TCP_TIMEOUT = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s"}
TWO_BLAS_THREADS = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}


@pytest.fixture(scope="module")
def joined():
    """The network between the scheduler and the workers."""
    with network() as made:
        if made.lacking:
            print(made.lacking, file=sys.stderr)  # noqa: T201 - seen where a test fails, or with -s
        yield made


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def ours(authority):
    """The sweep's own files."""
    return authority.signed("client")


@pytest.fixture
def opened(project, joined, authority, ours):
    """A cluster whose workers are still to come, and a project that may enter it."""
    with tls_cluster(project, joined, authority, ours) as cluster:
        yield cluster


def tls_cluster(project, joined, authority, ours, **environment):
    project.configure(cluster={"tls": ours.config, "address": "tls://set-below:1"})
    return DaskCluster(
        project,
        authority.signed("scheduler"),
        authority.signed("worker"),
        network=joined,
        **environment,
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory, joined, authority, ours):
    """A cluster with two workers, for whoever may enter."""
    with tls_cluster(Project(tmp_path_factory.mktemp("running")), joined, authority, ours) as cluster:
        for _ in range(2):
            cluster.start_worker()
        yield cluster


@pytest.fixture(scope="module")
def kept_out(tmp_path_factory):
    """A project that computes nothing: its sweeps are refused."""
    project = Project(tmp_path_factory.mktemp("kept-out"))
    project.plan()
    return project


def sweep(cluster, project, address=None, timeout=120):
    """A sweep beside the scheduler: its exit code, and what it said."""
    return project.run(
        *cluster.network.here, "winit", "sweep", "--cluster", address or cluster.address, timeout=timeout
    )


def tried(cluster, project, address=None):
    """The same of ``winit cluster``, which opens it and lists its workers."""
    return project.run(*cluster.network.here, "winit", "cluster", "--cluster", address or cluster.address)


def assert_refused(said, code, *words, expected=1):
    """One clear line, with the words in it."""
    assert code == expected, said
    assert "Traceback" not in said
    assert len(errors_in(said)) == 1, said
    for word in words:
        assert word in said


def test_workers_elsewhere_compute_the_same_bits(running, project, ours, undisturbed):
    project.configure(cluster={"tls": ours.config})
    code, said = sweep(running, project)
    assert code == 0, said
    assert f"{CELLS} computed" in said
    assert project.layers() == undisturbed


def test_certificates_of_dasks_own_config_open_it_too(running, kept_out, ours, monkeypatch):
    files = zip(("CA_FILE", "CLIENT__CERT", "CLIENT__KEY"), map(str, ours), strict=True)
    kept_out.configure()
    for name, path in files:
        monkeypatch.setitem(kept_out.environment, f"DASK_DISTRIBUTED__COMM__TLS__{name}", path)
    code, said = tried(running, kept_out)
    assert code == 0, said
    assert said.count(running.network.worker) >= 2


def test_without_certificates_it_says_where_to_name_them(running, kept_out):
    kept_out.configure()
    code, said = sweep(running, kept_out)
    assert_refused(said, code, "cluster.tls")


def test_a_missing_certificate_is_named(running, kept_out, ours):
    kept_out.configure(cluster={"tls": ours.config | {"certificate": "nowhere.pem"}})
    code, said = sweep(running, kept_out)
    assert_refused(said, code, "nowhere.pem")


def test_certificates_of_another_authority_do_not_open_it(running, kept_out, tmp_path):
    kept_out.configure(cluster={"tls": Authority(tmp_path / "other").signed("client").config})
    code, said = sweep(running, kept_out)
    assert_refused(said, code, running.address, "signed by the same authority")


def test_an_expired_certificate_does_not_open_it(running, kept_out, authority):
    kept_out.configure(cluster={"tls": authority.signed("late", expired=True).config})
    code, said = sweep(running, kept_out)
    assert_refused(said, code, running.address)


def test_an_address_where_nobody_listens_is_named(running, kept_out, ours, monkeypatch):
    kept_out.configure(cluster={"tls": ours.config})
    monkeypatch.setitem(kept_out.environment, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "3s")  # not 30
    address = f"tls://{running.network.scheduler}:{free_port()}"
    code, said = sweep(running, kept_out, address)
    assert_refused(said, code, f"no scheduler answers at {address}")


def test_an_address_without_tls_of_a_cluster_with_it_is_refused(running, kept_out, monkeypatch):
    monkeypatch.setitem(kept_out.environment, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "3s")
    kept_out.configure(cluster={"insecure": True})
    code, said = sweep(running, kept_out, running.address.replace("tls://", "tcp://"))
    assert_refused(said, code, "no scheduler answers")


@pytest.mark.parametrize(
    ("options", "environment", "words"),
    [
        (("--nthreads", "2"), {}, ("2 tasks at a time", "--nthreads 1")),
        ((), TWO_BLAS_THREADS, ("BLAS with 2 threads", "OPENBLAS_NUM_THREADS=1")),
    ],
    ids=["tasks", "BLAS"],
)
def test_workers_with_two_threads_are_refused(opened, project, options, environment, words):
    opened.start_worker(*options, **environment)
    code, said = sweep(opened, project)
    assert_refused(said, code, *words)


def test_a_cluster_without_workers_is_waited_for(opened, project, undisturbed):
    process = opened.start_sweep(project)
    wait_until(lambda: "Receive client connection" in opened.said("scheduler"))
    time.sleep(2)
    assert process.poll() is None
    opened.start_worker()
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert project.layers() == undisturbed


def test_addresses_without_tls_are_for_this_machine_or_for_who_says_so(project, joined, ours, undisturbed):
    with DaskCluster(project, network=joined, host="0.0.0.0") as cluster:  # noqa: S104
        beyond, here = cluster.address, cluster.address.replace(joined.scheduler, "127.0.0.1")
        if joined.here:
            code, said = sweep(cluster, project, beyond)
            assert code == 2, said
            assert "not encrypted" in said
            assert "Traceback" not in said
        cluster.start_worker()
        project.configure(cluster={"tls": ours.config})
        code, said = sweep(cluster, project, beyond.replace("tcp://", "tls://"))
        assert_refused(said, code, "no scheduler answers")
        code, said = sweep(cluster, project, here)
        assert code == 0, said
        assert project.layers() == undisturbed
        project.configure(cluster={"insecure": True})
        code, said = tried(cluster, project, beyond)
        assert code == 0, said


@pytest.fixture
def cable(joined):
    """A network that can be cut."""
    if joined.lacking:
        pytest.skip(joined.lacking)
    return joined


def sweeping(cluster, project):
    """A sweep with something in the store, whose other half is held."""
    project.hold(CELLS // 2)
    process = cluster.start_sweep(project)
    project.wait_for_parts()
    return process


def test_a_short_cut_of_the_network_costs_nothing(opened, project, cable, undisturbed):
    for _ in range(2):
        opened.start_worker()
    process = sweeping(opened, project)
    cable.cut()
    time.sleep(4)
    since = time.time()
    cable.restore()
    project.go_on()
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert f"{CELLS} computed" in said
    assert project.layers() == undisturbed
    assert project.computed_twice() == 0
    record("the network cut for 4 s", 1, project.computed_twice(), went_on(project, since))


def test_a_long_cut_of_the_network_costs_what_its_workers_held(project, cable, authority, ours, undisturbed):
    with tls_cluster(project, cable, authority, ours, **SHORT_TCP_TIMEOUT) as cluster:
        for _ in range(2):
            cluster.start_worker(forever=True)
        process = sweeping(cluster, project)
        cable.cut()
        wait_until(lambda: cluster.said("scheduler").count("Remove worker") >= 2)
        since = time.time()
        cable.restore()
        project.go_on()
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        assert f"{CELLS} computed" in said
        assert project.layers() == undisturbed
        record("the network cut until workers are lost", 1, project.computed_twice(), project.recovery(since))


def test_after_its_scheduler_was_killed_the_same_command_goes_on(opened, project, undisturbed):
    for _ in range(2):
        opened.start_worker(forever=True)
    process = sweeping(opened, project)
    opened.kill(opened.scheduler)
    said, _ = process.communicate(timeout=120)
    assert_refused(said, process.returncode, "the same command goes on")
    project.go_on()
    opened.start_scheduler()
    since = time.time()
    code, said = sweep(opened, project)
    assert code == 0, said
    assert " 0 were in the store" not in said
    assert project.layers() == undisturbed
    record(
        "the scheduler of a cluster killed (SIGKILL)",
        1,
        project.computed_twice(),
        project.recovery(since),
    )


def test_a_cell_that_takes_all_the_memory_fails_alone(opened, project, undisturbed):
    code, said = project.run(
        *("winit", "simulate", "counting.py:counted", "tanh", "--depth", "3", "--width", "64"),
        *("--seed", "40", "--batch", "64"),
    )
    assert code == 0, said
    ((_, weight, _),) = project.lines()
    project.log.unlink()
    hungry = project.log.with_name(f"{project.log.name}.hungry")
    hungry.write_text(weight.removeprefix("np.float64(").removeprefix("np.float32(").rstrip(")"))
    for _ in range(2):
        opened.start_worker(memory="700MB")
    code, said = sweep(opened, project)
    assert f"{CELLS - 1} computed" in said
    assert "1 failed" in said
    assert "its worker died again and again" in said
    code, said = project.run("winit", "status")
    assert code == 1, said
    hungry.unlink()
    since = time.time()
    code, said = sweep(opened, project)
    assert code == 0, said
    assert project.layers() == undisturbed
    deaths = opened.said("worker").count("exceeded 95% memory budget")
    assert deaths
    record("a worker out of memory on one cell", deaths, project.computed_twice(), went_on(project, since))
