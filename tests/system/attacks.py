"""What strangers may try on a listening socket, and which sockets listen."""

import json
import os
import random
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from typing import NamedTuple

import psutil
from authority import Authority, Files
from distributed.security import Security

HTTP = b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n"
GARBAGE = b"winit" * 20
# A server that takes a connection speaks first; one that does not closes it.
SECONDS_TO_ANSWER = 20

# Prints which of the addresses let Dask's own client in, without TLS and with a certificate of its own.
STRANGERS = """
import asyncio, json, sys
from distributed import Client, Security

async def enters(address, protocol, security):
    try:
        async with Client(f"{protocol}://{address}", security=security, asynchronous=True, timeout="4s"):
            return f"{address} ({protocol})"
    except (OSError, ValueError):  # the latter where TLS meets a server that has none
        return None
    except TypeError:  # what a worker says that is asked what only a scheduler knows
        return f"{address} ({protocol})"

async def main():
    plain = [enters(address, "tcp", None) for address in sys.argv[1:]]
    secure = [enters(address, "tls", Security.temporary()) for address in sys.argv[1:]]
    print(json.dumps([address for address in await asyncio.gather(*plain, *secure) if address]))

asyncio.run(main())
"""


class Address(NamedTuple):
    host: str
    port: int


def listening(*processes):
    """Every TCP address on which the processes, or what they started, listen."""
    found = set()
    for process in processes:
        root = psutil.Process(process.pid)
        for one in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                connections = one.net_connections("tcp")
                found |= {Address(*each.laddr) for each in connections if each.status == psutil.CONN_LISTEN}
    return found


def answer(address, sent=b"", context=None):
    """What a server says to whoever sends ``sent``; nothing where it ends the connection."""
    with socket.create_connection(address, timeout=SECONDS_TO_ANSWER) as plain:
        try:
            with context.wrap_socket(plain) if context else plain as connection:
                connection.sendall(sent)
                return connection.recv(4096)
        except (ssl.SSLError, ConnectionError):
            return b""


def context(files=None):
    """TLS of a client that trusts anybody, and shows a certificate or none."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if files:
        made.load_cert_chain(files.certificate, files.key)
    return made


def self_signed(folder):
    """What Dask makes for itself, as every local sweep does."""
    made = Security.temporary()
    files = Files(*(folder / f"self.{name}" for name in ("ca", "pem", "key")))
    for path, text in zip(files, (made.tls_ca_file, made.tls_client_cert, made.tls_client_key), strict=True):
        path.write_text(text)
    return files


def assert_refused(addresses, folder, *others):
    """No address says anything to strangers, and ``others`` (certificates' files) are strangers too."""
    other = Authority(folder / "other")
    strangers = [
        self_signed(folder),
        other.signed("client"),
        other.signed("late", expired=True),
        *others,
    ]
    for address in addresses:
        for sent in (GARBAGE, HTTP):
            said = answer(address, sent)
            assert said == b"" or is_alert(said), (address, sent, said)
        assert answer(address, HTTP, context()) == b"", address
        for files in strangers:
            assert answer(address, HTTP, context(files)) == b"", (address, files)
    assert entered(addresses) == []


def is_alert(said):
    """A record of TLS that says that the connection is over."""
    return said[:2] == b"\x15\x03" and len(said) == 7


def entered(addresses):
    """The addresses that let a client of Dask in that has no certificate, or one of its own."""
    command = [sys.executable, "-c", STRANGERS, *(f"{host}:{port}" for host, port in addresses)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Siege:
    """Connections with random bytes, and ones that say nothing and are held, until it is over."""

    HELD = 100

    def __init__(self, find):
        """``find`` gives the addresses that listen now."""
        self.connections = 0
        self._find = find
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _run(self):
        choose = random.Random(0)
        with ExitStack() as held:
            kept = 0
            while not self._over.is_set():
                for address in self._find():
                    with suppress(OSError):  # it may be gone meanwhile
                        connection = socket.create_connection(address, timeout=1)
                        keep = kept < self.HELD
                        (held if keep else ExitStack()).enter_context(connection)
                        kept += keep
                        if not keep:
                            connection.sendall(os.urandom(choose.randrange(1, 5000)))
                            connection.close()
                        self.connections += 1
                self._over.wait(0.05)
