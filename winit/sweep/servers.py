"""Dask's scheduler, worker and nanny without their HTTP servers.

By themselves a scheduler and each worker serve pages to whoever asks, with no certificate on either side,
even where the dashboard is off. Here nothing listens but what speaks TLS both ways.
"""

from typing import Any

import distributed


class _Silent:
    """Comes before a class with an HTTP server."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options | {"dashboard": False})

    def start_http_server(self, *args: Any, **kwargs: Any) -> None:
        """None is started."""


class Scheduler(_Silent, distributed.Scheduler):
    """A scheduler that is no web server."""


class Worker(_Silent, distributed.Worker):
    """A worker that is no web server; for ``dask worker --worker-class`` too."""


def dask_setup(server: Any) -> None:
    """For ``dask scheduler --preload winit.sweep.servers``: its HTTP server ends before it takes work."""
    server.http_server.stop()
