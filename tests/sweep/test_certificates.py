"""Certificates on the disk: for the user alone, and gone with the sweep, however it ends."""

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading

import pytest
from distributed.security import Security

from winit.sweep.certificates import certificate_files

SWEEP = """
import sys, time
from pathlib import Path
from winit.signals import leave_when_told
from winit.sweep.certificates import certificate_files

leave_when_told()
with certificate_files(Path(sys.argv[1])):
    print("made", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def sweep(tmp_path):
    """Another process, whose certificates are in ``tmp_path``."""
    with subprocess.Popen(
        [sys.executable, "-c", SWEEP, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout.readline() == "made\n"
        yield process
        process.kill()


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def folders(folder):
    return sorted(folder.glob("tls-*"))


def test_only_the_user_may_read_them_and_only_while_they_are_needed(tmp_path):
    before = os.umask(0)  # whatever others may read by themselves
    try:
        with certificate_files(tmp_path) as security:
            (own,) = folders(tmp_path)
            assert mode(own) == 0o700
            used = {security.tls_ca_file, security.tls_worker_cert, security.tls_worker_key}
            assert used == {str(own / "cert"), str(own / "key")}
            assert {mode(own / name) for name in ("cert", "key")} == {0o600}
            for role in ("client", "scheduler", "worker"):
                assert security.get_connection_args(role)["ssl_context"] is not None
            assert security.require_encryption
    finally:
        os.umask(before)
    assert folders(tmp_path) == []


def test_they_are_gone_after_an_error(tmp_path):
    with pytest.raises(ValueError, match="oh"), certificate_files(tmp_path):
        raise ValueError("oh")
    assert folders(tmp_path) == []


def test_they_are_gone_when_the_sweep_is_told_to_end(sweep, tmp_path):
    assert len(folders(tmp_path)) == 1
    sweep.send_signal(signal.SIGTERM)
    sweep.wait()
    assert folders(tmp_path) == []


def test_those_of_a_killed_sweep_are_removed_by_the_next(sweep, tmp_path):
    sweep.kill()
    sweep.wait()
    (forgotten,) = folders(tmp_path)
    with certificate_files(tmp_path):
        assert forgotten not in folders(tmp_path)
    assert folders(tmp_path) == []


def test_those_of_a_sweep_that_goes_on_stay(sweep, tmp_path):
    (theirs,) = folders(tmp_path)
    with certificate_files(tmp_path):
        assert len(folders(tmp_path)) == 2
    assert folders(tmp_path) == [theirs]


def test_where_there_are_no_locks_those_of_others_stay(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSYS, "no locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with certificate_files(tmp_path):
        (theirs,) = folders(tmp_path)
        with certificate_files(tmp_path):
            assert len(folders(tmp_path)) == 2
        assert folders(tmp_path) == [theirs]
        assert (theirs / "key").exists()
    assert folders(tmp_path) == []


def test_sweeps_that_start_at_once_leave_each_other_alone(tmp_path, monkeypatch):
    made = Security.temporary()
    monkeypatch.setattr(Security, "temporary", lambda: made)  # it is what takes long
    modes, errors = set(), []

    def sweeps():
        try:
            for _ in range(60):
                with certificate_files(tmp_path) as security:
                    own = tmp_path / security.tls_ca_file.split("/")[-2]
                    modes.add((mode(own), mode(own / "cert"), mode(own / "key")))
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=sweeps) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert modes == {(0o700, 0o600, 0o600)}
    assert folders(tmp_path) == []
