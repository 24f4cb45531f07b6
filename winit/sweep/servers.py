"""Dask's scheduler, worker and nanny without their HTTP servers.

By themselves a scheduler and each worker serve pages to whoever asks, with no certificate on either side,
even where the dashboard is off. Here nothing listens but what speaks TLS both ways.
"""

from typing import Any

import distributed

_LOOKS = 5
"""In the time for which a worker may be silent."""


class _Silent:
    """Comes before a class with an HTTP server."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options | {"dashboard": False})

    def start_http_server(self, *args: Any, **kwargs: Any) -> None:
        """None is started."""


class Watchful(distributed.Scheduler):
    """A scheduler that sees in time which workers give no sign of life.

    By itself it looks for them as rarely as they may be silent: until it does, up to twice that goes by.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if look := self.periodic_callbacks.get("worker-ttl"):
            look.callback_time /= _LOOKS


class Scheduler(_Silent, Watchful):
    """A scheduler that is no web server."""


class Worker(_Silent, distributed.Worker):
    """A worker that is no web server; for ``dask worker --worker-class`` too."""


def dask_setup(server: Any) -> None:
    """For ``dask scheduler --preload winit.sweep.servers``: its HTTP server ends before it takes work."""
    server.http_server.stop()
