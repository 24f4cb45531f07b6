"""The cluster section of the config: what is safe, and how much room there is."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from samples import TINY, tiny

from winit.errors import WinitError
from winit.sweep.config import Config
from winit.sweep.machine import USABLE, WORKER_BYTES
from winit.sweep.plan import check_memory, make_plan
from winit.sweep.problems import ConfigError
from winit.sweep.settings import BATCH_SYSTEMS, BatchSettings, ClusterSettings


def checked(**cluster):
    return Config.checked(TINY | {"cluster": cluster}, "test").cluster


def refused(**cluster):
    with pytest.raises(ConfigError) as error:
        checked(**cluster)
    return str(error.value)


@pytest.mark.parametrize(
    "address", ["tcp://10.0.0.1:8786", "tcp://dask.example.org:8786", "tcp://[2001:db8::1]:8786"]
)
def test_plain_tcp_beyond_this_machine_is_refused_unless_it_is_said_to_be_meant(address):
    said = refused(kind="address", address=address)
    assert f"cluster: address {address} is not encrypted" in said
    assert "insecure: true" in said
    assert checked(kind="address", address=address, insecure=True).address == address


@pytest.mark.parametrize(
    "address",
    ["tls://10.0.0.1:8786", "tcp://127.0.0.1:8786", "tcp://localhost:1", "tcp://[::1]:8786", "tls://a.b:1"],
)
def test_tls_and_this_machine_are_safe(address):
    assert checked(kind="address", address=address).address == address


@pytest.mark.parametrize(
    "address", ["10.0.0.1:8786", "http://a:1", "tls://a", "tls://:1", "tls://a:x", "ws://a:1"]
)
def test_what_is_no_address_is_refused_with_an_example(address):
    assert "write tls://host:port" in refused(kind="address", address=address)


def test_kind_address_needs_one():
    assert "kind is address, but there is none" in refused(kind="address")


def test_wrong_keys_and_kinds_name_what_is_allowed():
    assert "did you mean 'slurm'?" in refused(kind="slrum")
    assert "cluster.batch.partiton: unknown key; did you mean 'partition'?" in refused(
        batch={"partiton": "a"}
    )
    assert "cluster.tls.cert: unknown key" in refused(tls={"cert": "a"})
    assert "cluster.hang_seconds: 1 is too small; it must be at least 5" in refused(hang_seconds=1)


def test_a_choice_on_the_command_line_is_another_kind_or_address():
    config = Config.checked(TINY | {"cluster": {"kind": "slurm", "batch": {"jobs": 3}}}, "test")
    assert config.on("local").cluster.kind == "local"
    assert config.on("pbs").cluster.batch.jobs == 3
    assert config.on("tls://10.0.0.1:8786").cluster.kind == "address"
    with pytest.raises(ConfigError, match=r"--cluster tcp://10\.0\.0\.1:8786: 1 problem(?s:.*)not encrypted"):
        config.on("tcp://10.0.0.1:8786")
    with pytest.raises(ConfigError, match=r"kind: 'slrm' is not allowed; did you mean 'slurm'\?"):
        config.on("slrm")


def test_the_canonical_config_reads_as_itself():
    config = Config.checked(TINY | {"cluster": {"kind": "slurm", "batch": {"memory": "16 GB"}}}, "test")
    again = Config.checked(yaml.safe_load(config.to_yaml()), "again")
    assert again == config
    assert again.cluster.batch.memory == 16e9


@pytest.mark.parametrize("kind", BATCH_SYSTEMS)
def test_a_cell_must_fit_into_a_worker_of_a_job(kind):
    config = tiny(width=2048).model_copy(
        update={"cluster": checked(kind=kind, batch={"workers": 14, "memory": "5 GB"})}
    )
    plan = make_plan(config)
    with pytest.raises(WinitError, match=r"of a job's 4\.9 GB.* set cluster\.batch\.workers to at most \d+"):
        check_memory(plan, config.cluster.room(2))
    wide = checked(kind=kind, batch={"workers": 16, "memory": "64 GB"})
    check_memory(plan, wide.room(2))


def test_the_memory_of_a_cluster_of_somebody_else_is_known_when_it_is_asked():
    assert checked(kind="address", address="tls://a:1").room(2) is None
    assert checked(kind="address", address="tls://a:1").workers(2) is None


@pytest.mark.parametrize(
    ("memory", "line"),
    [(32, "memory: 32 GB"), ("32", "memory: 32 GB"), (32000, "memory: 32000 MB"), (0, "memory: 1.4 GB")],
)
def test_a_memory_without_its_unit_is_refused_with_the_line_to_write(memory, line):
    for kind in ("local", *BATCH_SYSTEMS):
        said = refused(kind=kind, batch={"memory": memory})
        assert "cluster.batch.memory: " in said
        assert said.endswith(f"; write {line}")
    assert "take fewer workers, or write memory: 5.2 GB" in refused(batch={"workers": 16, "memory": "5 GB"})


@given(st.integers(0, 10**12), st.integers(1, 10**7))
def test_every_memory_is_enough_for_its_workers_or_refused_with_one_that_is(memory, workers):
    try:
        room = checked(kind="slurm", batch={"workers": workers, "memory": memory}).room(1)
    except ConfigError as error:
        written = str(error).rpartition("memory: ")[2]
        room = checked(kind="slurm", batch={"workers": workers, "memory": written}).room(1)
    assert room.memory / workers * USABLE >= WORKER_BYTES * (1 - 1e-9)


@pytest.mark.parametrize("kind", BATCH_SYSTEMS)
def test_the_memory_of_jobs_that_ask_for_none_is_known_when_their_workers_are_asked(kind):
    settings = checked(kind=kind, batch={"memory": None})
    assert settings.room(2) is None
    assert settings.workers(2) == 4


def test_workers_are_counted_by_kind():
    assert ClusterSettings().workers(7) == 7
    assert ClusterSettings(kind="slurm", batch=BatchSettings(jobs=3, workers=5)).workers(7) == 15
