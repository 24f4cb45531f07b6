"""A Dask cluster as somebody starts it by hand: a scheduler and workers, each a command of its own."""

import os
import shlex
import signal
import socket
import subprocess
from contextlib import closing, suppress

from networks import Network
from support import wait_until

WORKER = ("--nthreads", "1", "--worker-class", "winit.sweep.servers.Worker", "--no-dashboard")


def free_port():
    """A port on which nobody listens."""
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


class DaskCluster:
    """Processes that are killed at the end. ``scheduler`` and ``worker`` are their certificates' files."""

    def __init__(self, project, scheduler=None, worker=None, *, network=None, host=None, **environment):
        self.project = project
        self.network = network or Network()
        self.protocol = "tls" if scheduler else "tcp"
        self._host = host or self.network.scheduler
        self._port = free_port()
        self._options = {"scheduler": scheduler.options if scheduler else []}
        self._options["worker"] = worker.options if worker else []
        self._environment = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"} | environment
        self._processes = []

    def __enter__(self):
        self.start_scheduler()
        return self

    def __exit__(self, *_):
        for process in self._processes:
            self.kill(process)

    @property
    def address(self):
        return f"{self.protocol}://{self.network.scheduler}:{self._port}"

    def start_scheduler(self):
        self.scheduler = self._start(
            "scheduler",
            [
                *self.network.here,
                *("dask", "scheduler", "--host", self._host, "--port", str(self._port)),
                *("--protocol", self.protocol, *self._options["scheduler"]),
                *("--no-dashboard", "--dashboard-address", "127.0.0.1:0"),
                *("--preload", "winit.sweep.servers"),
            ],
        )
        wait_until(lambda: "Scheduler at:" in self.said("scheduler"))

    def start_worker(self, *options, memory="2GB", forever=False, **environment):
        """``forever``: started again whenever it ends, as a service is."""
        command = [
            *("dask", "worker", self.address, "--host", self.network.worker),
            *("--protocol", self.protocol, *self._options["worker"]),
            *(*WORKER, "--memory-limit", memory, *options),
        ]
        if forever:
            command = ["bash", "-c", f"while true; do {shlex.join(command)}; sleep 1; done"]
        return self._start("worker", [*self.network.there, *command], **environment)

    def start_sweep(self, project):
        """A sweep beside the scheduler."""
        process = project.start(*self.network.here, "winit", "sweep", "--cluster", self.address)
        self._processes.append(process)
        return process

    def said(self, role):
        """What a scheduler, or all workers, said."""
        with suppress(FileNotFoundError):
            return (self.project.folder / f"{role}.log").read_text(errors="replace")
        return ""

    def kill(self, process):
        """``process`` and all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout:
            process.stdout.close()

    def _start(self, role, command, **environment):
        with (self.project.folder / f"{role}.log").open("a") as log:
            process = subprocess.Popen(
                command,
                cwd=self.project.folder,
                env=self.project.environment | self._environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes.append(process)
        return process


def went_on(project, since):
    """Seconds from ``since`` (of ``time.time``) until a cell was begun, waiting for it."""
    wait_until(lambda: any(when > since for _, _, when in project.lines()))
    return min(when for _, _, when in project.lines() if when > since) - since
