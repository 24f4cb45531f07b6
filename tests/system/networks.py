"""Two machines, as far as the network goes: namespaces with addresses of their own, and a cable between."""

import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass

from packages import installed, program


@dataclass(frozen=True)
class Network:
    """Where a scheduler and its sweep are, and where the workers are."""

    scheduler: str = "127.0.0.1"
    """its address"""
    worker: str = "127.0.0.1"
    here: tuple[str, ...] = ()
    """what stands before a command that runs beside the scheduler"""
    there: tuple[str, ...] = ()
    """and before one that runs where the workers are"""
    cable: str | None = None
    """its end at the scheduler"""
    lacking: str = ""
    """why it is loopback alone, if it is"""

    def cut(self):
        """No packet passes from now on."""
        _ip("link", "set", self.cable, "down", within=self.here)

    def restore(self):
        """Packets pass again."""
        _ip("link", "set", self.cable, "up", within=self.here)


@contextmanager
def network():
    """Two namespaces where this machine allows them, and loopback where it does not."""
    if lacking := installed("iproute2", programs=["ip"]):
        yield Network(lacking=lacking)
        return
    # Of this process: other tests may run beside these.
    here, there = f"winit-{os.getpid()}-a", f"winit-{os.getpid()}-b"
    cable, end = f"w{os.getpid()}a", f"w{os.getpid()}b"
    block = f"10.99.{os.getpid() % 250}"
    made = []
    try:
        try:
            for name in (here, there):
                _ip("netns", "add", name)
                made.append(name)
            _ip("link", "add", cable, "netns", here, "type", "veth", "peer", "name", end, "netns", there)
            for name, device, address in ((here, cable, f"{block}.1"), (there, end, f"{block}.2")):
                within = (program("ip"), "netns", "exec", name)
                _ip("address", "add", f"{address}/24", "dev", device, within=within)
                _ip("link", "set", device, "up", within=within)
                _ip("link", "set", "lo", "up", within=within)
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", None) or error
            yield Network(lacking=f"this machine gives no network namespaces: {said}")
            return
        yield Network(
            f"{block}.1",
            f"{block}.2",
            (program("ip"), "netns", "exec", here),
            (program("ip"), "netns", "exec", there),
            cable,
        )
    finally:
        for name in made:  # the cable goes with its ends
            _ip("netns", "delete", name)


def _ip(*command, within=()):
    command = [program("ip"), *command]
    subprocess.run([*within, *command], check=True, capture_output=True, text=True, timeout=20)
