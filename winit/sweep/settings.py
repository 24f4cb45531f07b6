"""Where the sweep computes: the config's section ``cluster``."""

import ipaddress
import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ByteSize,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from winit.errors import quoted
from winit.sweep.fields import Count, Model, Patience, Positive, counted_in
from winit.sweep.folders import expanded
from winit.sweep.machine import NANNIES_BYTES, USABLE, WORKER_BYTES, memory_limit

BATCH_SYSTEMS = ("slurm", "pbs", "sge", "lsf", "htcondor")


# What job scripts hold as it stands: batch systems have names of no other signs, and these mean nothing to a
# shell.
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.,:@/+-]*"
_INTERFACE = r"[A-Za-z0-9_][A-Za-z0-9_.:@-]*"
# A path, or a variable of the node and a path behind it.
_FOLDER = r"(/|\$[A-Za-z_][A-Za-z0-9_]*(?![^/]))[\w@+=,./-]*"
_LONGEST = 255


def _plain(pattern: str, what: str) -> AfterValidator:
    def checked(value: str) -> str:
        if len(value) > _LONGEST or not re.fullmatch(pattern, value):
            raise ValueError(f"{quoted(value)} cannot stand in a job script; write {what}")
        return value

    return AfterValidator(checked)


def _line(value: str) -> str:
    if not value.isprintable():
        raise ValueError(
            f"{quoted(value)} is more than a line; give each line an entry of its own in the list"
        )
    return value


_Name = Annotated[
    str,
    _plain(_NAME, "letters, digits and _ . , : @ / + -, the first of them a letter, digit or _"),
]
_Interface = Annotated[str, _plain(_INTERFACE, "a name such as ib0: letters, digits and _ . : @ -")]
_Folder = Annotated[
    str,
    _plain(
        _FOLDER,
        "an absolute path of letters, digits and _ @ + = , . / -, or one that begins with a variable of the"
        " node, such as $TMPDIR",
    ),
]
_File = Annotated[str, AfterValidator(expanded)]
_Line = Annotated[str, AfterValidator(_line)]


def _base_60(value: Any) -> Any:
    """Without quotation marks 12:00:00 is a number to YAML, in base 60."""
    if type(value) is int and 60 <= value < 3600 * 10**6:
        meant = f"walltime: '{value // 3600:02d}:{value // 60 % 60:02d}:{value % 60:02d}'"
        raise ValueError(
            f"{value} is a number, as YAML reads hours:minutes:seconds; write it in quotation marks, {meant}"
        )
    return value


def _walltime(value: str) -> str:
    # At most so many digits: Python itself does not read thousands of them.
    if not re.fullmatch("[0-9]{1,6}:[0-5]?[0-9]:[0-5]?[0-9]", value) or seconds_of(value) < 60:
        said = f"{quoted(value)} is not a walltime; write hours:minutes:seconds, such as '12:00:00'"
        raise ValueError(said)
    return value


def seconds_of(walltime: str) -> int:
    """The seconds in hours:minutes:seconds."""
    hours, minutes, seconds = map(int, walltime.split(":"))
    return 3600 * hours + 60 * minutes + seconds


def _memory_to_write(given: int, least: float) -> str:
    """What to write instead of ``given`` bytes, where ``least`` will do.

    A small number was meant as gigabytes, as people say them, or as megabytes, as SLURM takes them.
    """
    unit, factor = ("GB", 10**9) if given < 1000 else ("MB", 10**6)
    if given < 10**6 and given * factor >= least:
        return f"{given} {unit}"
    return f"{math.ceil(least / 1e8) / 10:.1f} GB"


@dataclass(frozen=True)
class Room:
    """Memory, and the workers that share it."""

    memory: float
    """bytes"""
    workers: int
    whose: str
    mend: str = ""
    """What to do so that at most ``{0}`` workers share it."""


class BatchSettings(Model):
    """The jobs of a batch system (slurm, pbs, sge, lsf, htcondor), all alike; each has some workers."""

    jobs: Count = Field(
        1,
        description="how many; each ends when it is not needed and is replaced when it is lost",
        examples=[16],
        json_schema_extra=counted_in("jobs"),
    )
    workers: Count = Field(
        4, description="of a job, a core each", examples=[16], json_schema_extra=counted_in("workers")
    )
    memory: ByteSize | None = Field(
        ByteSize(8 * 10**9),
        description="of a job, a number of bytes or one with its unit; 8 GB is 8e9 bytes, 8 GiB 2³³; null:"
        " the job asks for none, and has what the batch system gives it",
        examples=["32 GB"],
        json_schema_extra=counted_in("bytes"),
    )
    walltime: Annotated[str, BeforeValidator(_base_60), AfterValidator(_walltime)] = Field(
        "01:00:00",
        description="of a job, at least a minute, in quotation marks; its workers leave before it ends,"
        " and another job takes over",
        examples=["12:00:00"],
        json_schema_extra=counted_in("hours:minutes:seconds"),
    )
    partition: _Name | None = Field(None, description="the queue", examples=["normal"])
    account: _Name | None = Field(None, description="who pays", examples=["project"])
    interface: _Interface | None = Field(
        None, description="the network between the sweep and its workers", examples=["ib0"]
    )
    scratch: _Folder | None = Field(
        None,
        description="a folder of the node, in which a private one is made for what Dask puts on the disk;"
        " null: the node's own for temporary files",
        examples=["$TMPDIR"],
    )
    directives: list[_Line] = Field(
        [],
        description="more options of the batch system, a line each, put into the job as they stand",
        examples=[["--constraint=avx512"]],
    )
    prologue: list[_Line] = Field(
        [],
        description="lines of the job before the worker starts, put into it as they stand and run by its"
        " shell",
        examples=[["module load python"]],
    )

    @field_validator("memory", mode="before")
    @classmethod
    def _is_a_size(cls, memory: Any) -> Any:
        if isinstance(memory, bool):  # to Python a 1
            said = f"{str(memory).lower()} is not a size; write one with its unit such as '32 GB'"
            raise ValueError(said)  # noqa: TRY004 - a ValueError is what pydantic takes
        return memory

    @field_validator("memory")
    @classmethod
    def _workers_have_room(cls, memory: ByteSize | None, given: ValidationInfo) -> ByteSize | None:
        workers = given.data.get("workers", 1)  # not there where it is wrong itself
        least = workers * WORKER_BYTES / USABLE + NANNIES_BYTES
        if memory is not None and memory < least:
            fewer = "take fewer workers, or write" if memory >= 10**6 and workers > 1 else "write"
            raise ValueError(
                f"{memory:,d} B is too little for {workers:,} worker{'s' * (workers != 1)}, which take"
                f" {least / 1e9:,.1f} GB before their first cell; {fewer} memory:"
                f" {_memory_to_write(int(memory), least)}"
            )
        return memory

    @property
    def memory_for_workers(self) -> float | None:
        """Bytes that the workers of a job share; None where the job asks for none. A worker that takes too
        much is to be ended by its nanny: the batch system would end the job, with all its workers.
        """
        return None if self.memory is None else self.memory - NANNIES_BYTES

    @property
    def lifetime(self) -> tuple[int, int]:
        """Seconds after which a worker leaves, and by how many more or fewer that differs between workers.

        Below the walltime, so that a worker hands over what it has finished; staggered, so that not all leave
        at once.
        """
        walltime = seconds_of(self.walltime)
        stagger = min(walltime // 10, 300)
        return walltime - 2 * stagger - min(walltime // 10, 60), stagger


class TlsSettings(Model):
    """Files in PEM form. What is left out is taken from Dask's own config, as all Dask programs do."""

    ca: _File | None = Field(
        None, description="who signed the certificates of the cluster", examples=["ca.pem"]
    )
    certificate: _File | None = Field(None, description="ours, signed by the same", examples=["client.pem"])
    key: _File | None = Field(
        None, description="the private key of our certificate", examples=["client-key.pem"]
    )


class ClusterSettings(Model):
    """Where the sweep computes. None of it changes a number."""

    kind: Literal["local", "slurm", "pbs", "sge", "lsf", "htcondor", "address"] = Field(
        "local", description="this machine, jobs of a batch system, or a Dask cluster that runs already"
    )
    batch: BatchSettings = Field(BatchSettings(), description="the jobs of a batch system")
    address: str | None = Field(
        None,
        description="of a scheduler that runs already; wanted where kind is address",
        examples=["tls://10.0.0.1:8786"],
    )
    tls: TlsSettings = Field(TlsSettings(), description="certificates for a cluster that runs already")
    insecure: bool = Field(False, description="true allows an address without TLS beyond this machine")
    dashboard: bool = Field(False, description="true starts Dask's dashboard, for the users of this machine")
    start_seconds: Positive | None = Field(
        None,
        description="give up when no worker came for so long, from the start of the cluster; null: wait, as"
        " queues are long (on this machine two minutes)",
        examples=[3600.0],
        json_schema_extra=counted_in("s"),
    )
    hang_seconds: Patience = Field(
        300.0,
        description="a worker that gives no sign of life for so long counts as dead",
        json_schema_extra=counted_in("s"),
    )

    @model_validator(mode="after")
    def _address_is_safe(self) -> Self:
        if self.kind != "address":
            return self
        if self.address is None:
            raise ValueError(
                "kind is address, but there is none; give one, such as address: tls://10.0.0.1:8786"
            )
        protocol, host = _parts(self.address)
        if protocol == "tcp" and not (self.insecure or _is_loopback(host)):
            raise ValueError(
                f"address {self.address} is not encrypted: whoever is on the network between could run"
                " programs on your cluster. Start it with TLS and take tls://…, or say insecure: true"
            )
        return self

    def workers(self, threads: int) -> int | None:
        """How many workers are asked for, where ``threads`` are on this machine; None where others decide."""
        if self.kind == "address":
            return None
        return threads if self.kind == "local" else self.batch.jobs * self.batch.workers

    def room(self, threads: int) -> Room | None:
        """The memory of workers on one machine; None where it is not known before they are asked."""
        if self.kind == "local":
            mend = (
                "start at most {0} (`snakemake --cores {0}`, `winit plan --threads {0}` and the same for"
                " `winit sweep`)"
            )
            return Room(memory_limit(), threads, "the machine's", mend)
        memory = None if self.kind == "address" else self.batch.memory_for_workers
        if memory is None:
            return None
        mend = "set cluster.batch.workers to at most {0}, or cluster.batch.memory to more"
        return Room(memory, self.batch.workers, "a job's", mend)


def _parts(address: str) -> tuple[str, str]:
    """Protocol and host of an address. Raises ValueError where it is none."""
    try:
        parts = urlsplit(address)
        protocol, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        protocol, host, port = "", None, None
    plain = re.fullmatch("[!-~]{1,300}", address)  # urlsplit drops what a terminal does not show
    if protocol not in {"tls", "tcp"} or not host or not port or not plain:
        raise ValueError(
            f"{quoted(address)} is not an address; write tls://host:port, such as tls://10.0.0.1:8786"
        )
    return protocol, host


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, of whatever machine
        return False


def chosen(settings: ClusterSettings, choice: str) -> dict[str, Any]:
    """``settings`` with another kind, or with another address, still to be checked."""
    changed = {"kind": "address", "address": choice} if "://" in choice else {"kind": choice}
    return settings.model_dump() | changed
