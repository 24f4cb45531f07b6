# The config that counts is Snakemake's merged one. It is checked here, before any rule runs.
import os
import sys
from contextlib import ExitStack
from pathlib import Path

from winit.errors import WinitError
from winit.network.cells import KERNEL_VERSION
from winit.network.training import TRAINING_VERSION
from winit.sweep.belonging import (
    canonical_text,
    mark,
    out_of_place,
    write_config,
)
from winit.sweep.config import Config
from winit.sweep.folders import check_place
from winit.sweep.kinds import KINDS
from winit.sweep.layout import Results
from winit.sweep.locks import HeldError, exclusive, held
from winit.sweep.reading import check_extent, read_yaml
from winit.sweep.sources import announce
from winit.visible import visible

DEFAULT = Path("config/default.yaml")


def refused(error):
    """End as the commands do."""
    print(visible(f"winit: {error}", lines=True), file=sys.stderr)
    sys.exit(error.exit_code)


try:
    # Snakemake takes the last of a key's values, and follows every alias: the files are read as by winit first.
    for file in (DEFAULT, *workflow.overwrite_configfiles):
        if file.exists():
            read_yaml(file)
except WinitError as error:
    refused(error)


configfile: DEFAULT


try:
    check_extent(config, "config")
    announce(config)
    SETTINGS = Config.checked(config, "config")
    # Before anything runs: Snakemake, too, would follow them.
    Results(Path(SETTINGS.results)).refuse_links()
    if workflow.is_main_process:
        check_place(Path(SETTINGS.results))
except WinitError as error:
    refused(error)

RESULTS = SETTINGS.results
# Editing a function of the user's own changes the plan as the config does.
SOURCES = {source.name: source.digest for source in SETTINGS.sources}

# A step ends with the Snakemake that started it, even where that is killed and can say nothing.
os.environ["WINIT_PARENT"] = str(os.getpid())

# The default profile turns Snakemake's own lock off, since it stays behind when Snakemake is killed. This one
# ends with its process. Jobs on other machines, which are Snakemakes too, work under that of the main one.
ONE_RUN = ExitStack()


onstart:
    if workflow.is_main_process:
        try:
            lock = Results(Path(RESULTS)).lock("run")
            ONE_RUN.enter_context(exclusive(lock, f"fills {RESULTS}", wait=False))
        except HeldError as error:
            print(
                f"winit: {error}, is at work; wait for it, end it, or take another folder"
                " (--config results=…)",
                file=sys.stderr,
            )
            sys.exit(1)
