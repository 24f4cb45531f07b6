"""All benchmarks, or those named: ``python -m benchmarks [--rounds N] [--output FILE] [NAME …]``.

Each runs in a process of its own, with the environment of a worker: one thread, memory kept.
"""

import argparse
import importlib
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

MODULES = ("kernel", "frameworks", "engine", "planning", "queries")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks whose names contain this")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    parser.add_argument("--output", type=Path, help="write the table to this file too, as Markdown")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()

    from benchmarks.measuring import NotInstalledError

    benchmarks = [b for name in MODULES for b in importlib.import_module(f"benchmarks.{name}").BENCHMARKS]
    if options.one:
        chosen = next(b for b in benchmarks if b.name == options.one)
        try:
            for value in chosen.measure(options.rounds):
                print(value, flush=True)
        except NotInstalledError as error:
            print(f"{error}", file=sys.stderr)
            sys.exit(3)
        return

    from winit.sweep.cluster import WORKER_ENVIRONMENT

    lines = [
        "| what | target | median | least – most | rounds | met |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    print("\n".join(lines))
    missed = 0
    for benchmark in benchmarks:
        if options.names and not any(part in benchmark.name for part in options.names):
            continue
        done = subprocess.run(  # noqa: S603 - this program itself
            [sys.executable, "-m", "benchmarks", "--one", benchmark.name, "--rounds", str(options.rounds)],
            env=os.environ | WORKER_ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=None if sys.stderr.isatty() else subprocess.PIPE,
            text=True,
            check=False,
        )
        target = f"{'≤' if benchmark.bound == 'at most' else '≥'} {benchmark.target:g} {benchmark.unit}"
        values = [float(value) for value in done.stdout.split()]
        if done.returncode == 3:
            figures = f"not measured: {(done.stderr or '').strip()} | | |"
        elif done.returncode or not values:
            figures = f"failed: {(done.stderr or '').strip().splitlines()[-1:]} | | |"
            missed += 1
        else:
            met = benchmark.met(median(values))
            missed += not met
            figures = (
                f"{median(values):.3g} | {min(values):.3g} – {max(values):.3g} | {len(values)}"
                f" | {'yes' if met else '**no**'}"
            )
        line = f"| {benchmark.what} | {target} | {figures} |"
        print(line, flush=True)
        lines.append(line)
    if options.output:
        options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
