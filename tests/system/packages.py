"""Programs that a test needs and a machine may lack."""

import os
import shutil
import subprocess

import pytest

# Where Debian keeps daemons, which is not on everybody's path.
PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"


def program(name):
    """The path of a program, or None."""
    return shutil.which(name, path=PATH)


def need(*packages, programs):
    """Have ``programs``, by installing Debian's ``packages`` where one is missing, or skip with what is."""
    if lacking := installed(*packages, programs=programs):
        pytest.skip(lacking)


def installed(*packages, programs):
    """The same; what is missing in spite of it is said in the return value, else empty."""
    if not missing(programs):
        return ""
    wanted = f"{', '.join(missing(programs))} (Debian: apt-get install {' '.join(packages)})"
    if os.geteuid() != 0 or program("apt-get") is None:
        return f"needs {wanted}; without root and apt-get it cannot be installed here"
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        done = _apt_get(*command)
    if missing(programs):
        last = ["", *done.stdout.strip().splitlines()][-1]
        return f"needs {wanted}, which apt-get did not install: {last}"
    return ""


def missing(programs):
    return [name for name in programs if program(name) is None]


def _apt_get(*arguments):
    return subprocess.run(
        ["apt-get", "--quiet", "--option", "DPkg::Lock::Timeout=60", *arguments],
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
