"""Completion: what the shells themselves offer when Tab is pressed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner

from winit.cli import main
from winit.cli.options import KINDS
from winit.sweep.settings import ClusterSettings

BASH = """
eval "$(winit completion bash)"
COMP_WORDS=({words})
COMP_CWORD={last}
_winit_completion winit
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
FISH = """
winit completion fish | source
complete -C "{line}" | string split --fields 1 \\t
"""
# zsh completes in an editor alone: what the script defines is called with a compadd that prints.
ZSH = """
compdef() {{ :; }}
_describe() {{ local -a all; all=("${{(@P)3}}"); for one in $all; do print -r -- "${{one%%:*}}"; done }}
compadd() {{ local -a all; all=("${{(@P)${{@[-1]}}}}"); print -rl -- $all; }}
autoload -Uz is-at-least
words=({words})
CURRENT={last}
eval "$(winit completion zsh)"
_winit_completion
"""


def in_shell(shell, script):
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"there is no {shell} here; apt-get install {shell}")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = subprocess.run(
        [program, "-c", script], env=os.environ | {"PATH": path}, capture_output=True, text=True
    )
    assert ran.stderr == ""
    return [line.strip() for line in ran.stdout.splitlines() if line.strip()]


def offered(shell, line):
    """What a shell offers for the last word of ``line``."""
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    scripts = {
        "bash": BASH.format(words=quoted, last=len(words) - 1),
        "zsh": ZSH.format(words=quoted, last=len(words)),
        "fish": FISH.format(line=line),
    }
    return in_shell(shell, scripts[shell])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("winit si", ["simulate"]),
        ("winit s", ["simulate", "status", "summarize", "sweep"]),
        ("winit simulate he_n", ["he_normal"]),
        ("winit simulate torch.kaiming_n", ["torch.kaiming_normal"]),
        ("winit simulate he_normal leaky", ["leaky_relu"]),
        ("winit simulate he_normal relu --input di", ["digits"]),
        ("winit phase gelu_", ["gelu_tanh"]),
        ("winit sweep --cluster s", ["slurm", "sge"]),
        ("winit query --format p", ["parquet"]),
        ("winit query --schema training", ["training", "training_runs"]),
        ("winit query --schema a", ["answers"]),
        ("winit completion f", ["fish"]),
        ("winit query --de", ["--debug"]),
    ],
)
def test_tab_offers(shell, line, names):
    assert sorted(offered(shell, line)) == sorted(names)


def test_the_kinds_of_clusters_that_are_offered_are_those_that_there_are():
    assert get_args(ClusterSettings.model_fields["kind"].annotation) == KINDS


def test_an_unknown_shell_is_refused():
    refused = CliRunner().invoke(main, ["completion", "tcsh"])
    assert refused.exit_code == 2
    assert "'bash', 'zsh', 'fish'" in refused.output
