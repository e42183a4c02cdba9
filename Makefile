# Everything works on a machine that has only Python >= 3.11 and make: the environment is made on first use.
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help run test check format bench fuzz proof drill picture lock clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(VENV)/.runtime: requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found on PATH."; exit 1; }
	@echo "==> Making $(VENV) with $$($(PYTHON) --version) and installing the relay (about a minute, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	@echo "==> Installing what the tests need (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

run: $(VENV)/.runtime ## install on first use, then start the relay with a simulated TikTok
	@echo "==> Starting: relay serve --sandbox (stop with Ctrl-C)"
	@exec $(BIN)/relay serve --sandbox

test: $(VENV)/.dev ## install on first use, then run every test
	@echo "==> Running every test (under 8 minutes; what needs an optional tool is skipped with its reason)"
	@$(BIN)/python -m pytest -q -n 3 --dist worksteal -m "not alone"
	@echo "==> And those that measure time, by themselves"
	@$(BIN)/python -m pytest -q -m alone

check: $(VENV)/.dev ## ruff, mypy --strict, floors and purity, known vulnerabilities
	$(BIN)/ruff check relay tests
	$(BIN)/ruff format --check relay tests
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py
	@$(BIN)/python -m tests.audit

format: $(VENV)/.dev ## let ruff format the code
	$(BIN)/ruff format relay tests
	$(BIN)/ruff check --fix relay tests

bench: $(VENV)/.dev ## ratios of the hot paths, each against a baseline of the same run
	$(BIN)/python -m tests.benchmarks

SEED := $(or $(SEED),$(shell echo $$RANDOM$$RANDOM))

fuzz: $(VENV)/.dev ## new events, mappings and triggers: of any shape, and against Segment's own code
	@echo "==> Fuzzing the mapper; to see the same again: make fuzz SEED=$(SEED)"
	@RELAY_FUZZ=$(SEED) $(BIN)/python -m pytest -m proof --hypothesis-seed=$(SEED) -p no:cacheprovider \
		tests/core/mapping/test_fuzz.py tests/core/mapping/test_against_segment.py

proof: $(VENV)/.dev ## the long proofs in full; writes proof.json
	$(BIN)/python -m tests.proof

drill: $(VENV)/.runtime ## play an outage on this machine
	$(BIN)/relay drill

picture: $(VENV)/.dev ## play an outage and photograph its report for the README (needs chromium)
	$(BIN)/python -m tests.picture

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml

lock: $(VENV)/.dev ## pin every dependency for every Python from 3.11 on, with hashes and without addresses
	$(LOCK) -o requirements.txt
	$(LOCK) --extra dev -o requirements-dev.txt

clean: ## remove the environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
