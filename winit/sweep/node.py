"""``python -m winit.sweep.node``: Dask's worker, as a job on a node, in a private folder.

It takes the arguments of ``dask worker``; ``--local-directory`` is where the folder is made, and
``--memory-limit share`` gives each worker its share of what the job has on this node.
"""

import sys
from pathlib import Path

import dask
from distributed.cli import dask_worker

from winit.sweep.machine import share_of_job
from winit.sweep.scratch import private_folder

SHARE = "share"
"""The limit of a worker's memory where only the node knows it."""
_OPTION = "--local-directory"


def main(arguments: list[str]) -> None:
    """Work until the scheduler, a signal or the end of the lifetime ends it."""
    parent = ""
    if _OPTION in arguments:
        place = arguments.index(_OPTION)
        parent = arguments[place + 1]  # nothing, where it was a variable that this node does not have
        arguments = arguments[:place] + arguments[place + 2 :]
    if SHARE in arguments:
        workers = int(arguments[arguments.index("--nworkers") + 1])
        arguments = [f"{int(share_of_job(workers))}B" if word == SHARE else word for word in arguments]
    with (
        private_folder(Path(parent) if parent else None) as folder,
        dask.config.set({"temporary-directory": str(folder)}),
    ):
        dask_worker.main(arguments, standalone_mode=False)


if __name__ == "__main__":
    main(sys.argv[1:])
