"""A SLURM of our own on this machine: nodes that are processes, on loopback, gone with the tests."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from getpass import getuser
from pathlib import Path

from packages import need, program
from support import wait_until

PACKAGES = ("munge", "slurmctld", "slurmd", "slurm-client")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo", "scontrol", "srun")
NODES, CPUS = 3, 2
PARTITION = "test"

# Memory is looked at every second, and a job with too much is ended, without the cgroups of a real node.
# A job that is over is remembered for long enough that whoever polls sees it.
CONF = """
ClusterName=winit
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory,CR_LLN
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=0
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=60
KillWait=5
MinJobAge=300
Waittime=0
DefMemPerCPU=500
{nodes}
PartitionName={partition} Nodes=n[1-{count}] Default=YES MaxTime=INFINITE State=UP
"""


class Slurm:
    """A controller and its nodes; what its commands say."""

    def __init__(self, folder):
        self.folder = folder
        self.conf = folder / "slurm.conf"
        self.controller = None

    def say(self, *command):
        """What a command of SLURM says."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{command}: {done.stderr}{self.logs()}"
        return done.stdout

    def jobs(self, *states):
        """The ids of the jobs that are not over yet; of those in ``states`` only, where some are named."""
        chosen = ["--states", ",".join(states)] if states else []
        return [int(line) for line in self.say("squeue", "--noheader", "--format", "%A", *chosen).split()]

    def nodes_of(self, *jobs):
        """The nodes where jobs run."""
        chosen = ",".join(map(str, jobs))
        return self.say("squeue", "--noheader", "--format", "%N", "--jobs", chosen).split()

    def nodes(self):
        """The state of each node."""
        lines = self.say("sinfo", "--noheader", "--Node", "--format", "%N %T").splitlines()
        return dict(line.split() for line in lines)

    def cancel_all(self):
        """No job is left."""
        if jobs := self.jobs():
            self.say("scancel", *map(str, jobs))
        wait_until(lambda: not self.jobs(), 30)

    def start_controller(self, *arguments):
        self.controller = self.daemon("slurmctld", "-D", "-f", str(self.conf), *arguments)

    def daemon(self, name, *arguments):
        """A daemon in the foreground, in a session of its own: an interrupt at the terminal is for us."""
        with (self.folder / "daemons.log").open("ab") as log:
            return subprocess.Popen(
                [program(name), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def logs(self):
        """The end of every log."""
        return "".join(
            f"\n{path.name}: {path.read_text(errors='replace')[-1500:]}"
            for path in sorted(self.folder.glob("*.log"))
        )


@contextmanager
def running():
    """A Slurm; its configuration is in the environment meanwhile, and its ``srun`` first on the path."""
    need(*PACKAGES, programs=PROGRAMS)
    folder = Path(tempfile.mkdtemp(prefix="winit-", dir="/tmp"))  # the path of a socket must be short
    slurm = Slurm(folder)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.enter_context(_environment(SLURM_CONF=str(slurm.conf)))
        for name in ("state", *(f"spool-n{i + 1}" for i in range(NODES))):
            (folder / name).mkdir(mode=0o755)
        folder.chmod(0o755)  # munged wants its socket where all may reach it
        key = folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(os.urandom(128))
        _write_conf(slurm)
        _write_srun(folder / "bin/srun", slurm.conf)
        own = {"key-file": key, "socket": folder / "munge.socket", "pid-file": folder / "munged.pid"}
        own |= {"log-file": folder / "munged.log", "seed-file": folder / "munge.seed"}
        munged = slurm.daemon("munged", "--foreground", *(f"--{name}={path}" for name, path in own.items()))
        stack.callback(_end, munged)
        wait_until((folder / "munge.socket").exists, 10)
        slurm.start_controller("-c")
        stack.callback(lambda: _end(slurm.controller))
        for i in range(NODES):
            node = slurm.daemon("slurmd", "-D", "-N", f"n{i + 1}", "-f", str(slurm.conf))
            stack.callback(_end, node)
        _wait_until_idle(slurm)
        stack.callback(slurm.cancel_all)
        yield slurm


def _write_conf(slurm):
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(NODES + 1)]
    ports = [server.getsockname()[1] for server in listening]
    for server in listening:
        server.close()
    host = socket.gethostname().split(".")[0]
    node = "NodeName=n{} NodeHostname={} NodeAddr=127.0.0.1 Port={} CPUs={} RealMemory=6000 State=UNKNOWN"
    nodes = [node.format(i + 1, host, port, CPUS) for i, port in enumerate(ports[1:])]
    slurm.conf.write_text(
        CONF.format(
            host=host,
            ports=ports,
            user=getuser(),
            folder=slurm.folder,
            nodes="\n".join(nodes),
            partition=PARTITION,
            count=NODES,
        )
    )


def _write_srun(path, conf):
    """Snakemake's plugin takes all SLURM_… out of the environment of a job, SLURM_CONF too. A machine of a
    real SLURM has the configuration in its place, and needs none of this.
    """
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nSLURM_CONF={conf} exec {program("srun")} "$@"\n')
    path.chmod(0o755)


@contextmanager
def _environment(**variables):
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _wait_until_idle(slurm):
    deadline = time.monotonic() + 60
    while True:
        done = subprocess.run(["sinfo", "-h", "-N", "-o", "%T"], capture_output=True, text=True, timeout=60)
        if done.stdout.split() == ["idle"] * NODES:
            return
        assert time.monotonic() < deadline, f"SLURM did not come up: {done.stdout}{done.stderr}{slurm.logs()}"
        time.sleep(0.1)


def _end(daemon):
    daemon.terminate()
    try:
        daemon.wait(10)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
