# make           the environment, then the default sweep, then where the report is
# make test-system   tests that need more than a process: kills, namespaces, a batch system, a browser (some thirty-five minutes)
# make test      the tests; make lint: linters and types; make format: mend what can be mended
# make bench     how fast it is, as ratios measured side by side (some twenty minutes; ROUNDS=1 for a look)
# make docs      the generated pages; make lock: resolve the dependencies anew (needs uv)

PYTHON ?= python3
BIN := .venv/bin
CORES ?= all
ROUNDS ?= 3

.PHONY: run environment test test-system lint format bench docs lock
.DEFAULT_GOAL := run

run: environment
	$(BIN)/snakemake --cores $(CORES)
	@echo
	@echo "The report is results/report.html; open it in a browser."

environment: .venv/run.stamp

# The environment's own programs come first, also for the rules that Snakemake runs.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.venv/run.stamp: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "winit needs Python 3.11 or newer; name one with: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes --requirement requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@# Compiles the kernel for this machine, once, so that no run has to wait for it.
	$(BIN)/winit simulate he_normal tanh --depth 3 --width 200-20 --batch 100 > /dev/null
	@touch $@

.venv/dev.stamp: requirements-dev.txt .venv/run.stamp
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes --requirement requirements-dev.txt
	@touch $@

test: .venv/dev.stamp
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

test-system: .venv/dev.stamp
	$(BIN)/python -m pytest tests/system --verbose -rs

lint: .venv/dev.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy

format: .venv/dev.stamp
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/snakefmt Snakefile workflow

bench: .venv/run.stamp
	$(BIN)/python -m benchmarks --rounds $(ROUNDS)

docs: .venv/run.stamp
	$(BIN)/python -m winit.sweep.schema > results/README.md
	$(BIN)/python -m winit.findings.catalogue docs
	$(BIN)/python -m winit.findings.pages docs
	$(BIN)/python -m winit.findings.figures > workflow/report/figures.rst

COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header pyproject.toml

lock:
	$(COMPILE) --extra build --output-file requirements.txt
	$(COMPILE) --extra build --extra dev --constraint requirements.txt --output-file requirements-dev.txt
