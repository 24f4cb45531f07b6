# The config that counts is Snakemake's merged one. It is checked here, before any rule runs.
import json
import sys

from winit.network.cells import KERNEL_VERSION
from winit.network.training import TRAINING_VERSION
from winit.sweep.config import Config
from winit.sweep.problems import ConfigError

try:
    SETTINGS = Config.checked(config, "config")
except ConfigError as error:
    print(f"winit: {error}", file=sys.stderr)
    sys.exit(error.exit_code)

RESULTS = SETTINGS.results
# Editing a function of the user's own changes the plan as the config does.
SOURCES = {source.name: source.digest for source in SETTINGS.sources}
