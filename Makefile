# Needs Python 3.11+ and make. Everything is installed into .venv; nothing is installed twice.
# Another interpreter: make PYTHON=python3.12 <target>

PYTHON ?= python3
TORCH := torch==2.13.0
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

export FLWR_TELEMETRY_ENABLED := 0
export FLWR_DISABLE_UPDATE_CHECK := 1
export RAY_USAGE_STATS_ENABLED := 0

.DEFAULT_GOAL := help
.PHONY: help install demo test test-fast check format lock bench clean

help: ## show these lines
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

install: .venv/.installed ## install everything but Ray into .venv

demo: .venv/.installed ## five business units train one model together; prints where the report is
	$(BIN)/mixroom demo

test: .venv/.installed-ray ## the whole suite, fast tests first
	$(BIN)/python -m pytest

test-fast: .venv/.installed ## the suite without the tests marked slow
	$(BIN)/python -m pytest -m "not slow"

check: .venv/.installed ## formatting, lint, types, and whether the installed versions fit together
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pip --disable-pip-version-check check

format: .venv/.installed ## repair formatting and what lint can repair
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.installed-ray ## measure against the limits and against Flower's own secure aggregation
	$(BIN)/python -m benchmarks

clean: ## remove what was built here; the next target installs afresh
	rm -rf .venv .lock-venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The new virtual environment is checked before it is used: Debian splits ensurepip off.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'mixroom: error: Python 3.11 or newer is needed, "$(PYTHON)" is missing or older' >&2; \
	  echo 'mixroom: hint: install it, then run make PYTHON=python3.11 (or newer) again' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo 'mixroom: error: this Python cannot create virtual environments; nothing was changed' >&2; \
	  echo 'mixroom: hint: on Debian or Ubuntu: sudo apt-get install python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv .venv

# What isolates the clean room's worker. Without it everything else works, and the worker runs less isolated.
define ISOLATION
command -v bwrap >/dev/null 2>&1 && ldconfig -p 2>/dev/null | grep -q 'libseccomp\.so\.2' && exit 0; \
if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
  echo 'mixroom: installing bubblewrap, which isolates the clean room' >&2; \
  export DEBIAN_FRONTEND=noninteractive; \
  { apt-get install -y -qq bubblewrap libseccomp2 || \
    { apt-get update -qq && apt-get install -y -qq bubblewrap libseccomp2; }; } >/dev/null 2>&1 && exit 0; fi; \
echo 'mixroom: bubblewrap is missing: the clean room can only be served with --isolation reduced' >&2; \
echo 'mixroom: hint: on Debian or Ubuntu: sudo apt-get install bubblewrap libseccomp2' >&2
endef

# torch first and pinned: a range would let pip take a newer one with gigabytes of GPU libraries.
.venv/.installed: .venv/bin/python pyproject.toml constraints.txt Makefile
	@echo 'mixroom: installing into .venv (about two minutes the first time)' >&2
	$(PIP) --constraint constraints.txt $(TORCH)
	$(PIP) --constraint constraints.txt --editable '.[dev]'
	@$(ISOLATION)
	@touch $@

.venv/.installed-ray: .venv/.installed
	@echo "mixroom: installing Ray, for Flower's simulation engine" >&2
	$(PIP) --constraint constraints.txt --editable '.[dev,ray]'
	@touch $@

lock: ## resolve afresh within pyproject.toml and write constraints.txt
	rm -rf .lock-venv
	$(PYTHON) -m venv .lock-venv
	.lock-venv/bin/python -m pip install --quiet $(TORCH)
	.lock-venv/bin/python -m pip install --quiet --editable '.[dev,ray]'
	.lock-venv/bin/python -m pip check
	{ echo '# Exact versions of everything Mixroom needs, written by `make lock`. Do not edit by hand.'; \
	  .lock-venv/bin/python -m pip freeze --exclude-editable | sed 's/+cpu$$//'; } > constraints.new
	@if grep -nE ' @ |://|^-e' constraints.new; then \
	  echo 'mixroom: error: the lines above name a place, not a version; constraints.txt is unchanged' >&2; exit 1; fi
	mv constraints.new constraints.txt
	rm -rf .lock-venv
