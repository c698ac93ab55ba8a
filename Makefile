# Synapse Stream. `make` alone lists the targets; each installs what it needs into .venv first.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
POOLS := .pools
SDK := .sdk
BRIDGES := .bridges
STREAMS := .streams
UV_PIP = UV_HTTP_TIMEOUT=20 $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode

# Looked up only when the environment is made. Name another one by `make PYTHON=/path/to/python3.12 …`.
SUPPORTED := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 15))
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c '$(SUPPORTED)' 2>/dev/null && { echo $$python; break; }; done)

.DEFAULT_GOAL := help
.PHONY: help demo test check lint types imports unit browser coverage bench faults sabotage interpreters endings pools sdk integrations docs streams soak lock format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(READY) ## everything on this machine, and three runs that report to it live; ends with Ctrl-C
	@$(BIN)/python examples/demo.py $(ARGS)

test: check unit ## everything that must hold without a browser: lint, types, import contract, the suite

check: lint types imports

lint: $(READY) ## ruff and codespell
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { $(BIN)/ruff format --check .; false; }
	@$(BIN)/codespell

types: $(READY) ## mypy, strict
	@$(BIN)/mypy

imports: $(READY) ## the import contract
	@$(BIN)/lint-imports --no-cache > $(VENV)/imports.txt || { cat $(VENV)/imports.txt; false; }

unit: $(READY)
	@$(BIN)/python -m pytest -n logical --maxprocesses 8 --dist worksteal --ignore tests/page $(ARGS)

browser: $(READY) ## the page, in a real Chromium
	@$(BIN)/python -m pytest -n logical --maxprocesses 8 --dist worksteal tests/page $(ARGS)

coverage: $(READY) ## the suite with branch coverage
	@$(BIN)/python -m pytest -n logical --maxprocesses 8 --dist worksteal --cov --cov-report=term $(ARGS)

bench: $(READY) ## measure, and compare with what must be reached
	@$(BIN)/python -m bench $(ARGS)

faults: $(READY) $(POOLS)/.ready interpreters ## every planned fault against real processes and a real server; prints a report
	@$(BIN)/python -m tests.resilience $(ARGS)

sabotage: $(READY) ## deliberate breaks, each of which the tests must notice; ARGS='--some 3', or words of their titles
	@$(BIN)/python -m tests.sabotage $(ARGS)

pools: $(POOLS)/.ready ## of these faults those of gunicorn, of celery's pool and of Ray
	@$(BIN)/python -m tests.resilience billiard gunicorn ray $(ARGS)

sdk: $(SDK)/.ready $(READY) ## the contract with the Synapse SDK: its members, drivers, executors on Ray, and its own tests with the tee
	@$(SDK)/bin/python -m pytest -n 2 -p no:asyncio -o addopts=--import-mode=importlib -o filterwarnings=default tests/sdk $(ARGS)
	@$(SDK)/bin/python -m tests.sdk.own_tests $(SDK)/sources/*.tar.gz

integrations: $(BRIDGES)/.ready ## the bridges with the real PyTorch, Transformers, Lightning, Keras, wandb, TensorBoard and MLflow
	@$(BRIDGES)/bin/python -m pytest -n 2 -o addopts=--import-mode=importlib -o filterwarnings=default --timeout 300 tests/bridges $(ARGS)

streams: $(STREAMS)/.ready $(READY) ## the public conformance suite of the Durable Streams protocol, and our example; needs Node
	@$(BIN)/python -m tests.streams $(STREAMS)

interpreters: $(READY) ## ready the other interpreters of this machine for the faults
	@$(BIN)/python -m tests.resilience.places.interpreters

endings: interpreters ## how processes end, by every interpreter that `make interpreters` found; ARGS for pytest
	@for python in $(BIN)/python .interpreters/*/bin/python; do [ ! -x $$python ] || { $$python --version && \
		ENDINGS_PYTHON=$$PWD/$$python $(BIN)/python -m pytest -n logical --maxprocesses 8 tests/process $(ARGS); } || exit 1; done

docs: $(READY) ## all pages and the Python reference as a site, in build/site; fails for a broken link
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict && echo build/site/index.html

soak: $(READY) ## half an hour of reports and trimming; fails when memory or handles grow; ARGS='--minutes 5'
	@$(BIN)/python -m tests.soak $(ARGS)

format: $(READY) ## let ruff format and mend
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

lock: $(READY) ## pin the dependencies anew; ARGS=--upgrade takes the newest
	@$(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --all-extras --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links --output-file requirements.lock $(ARGS)
	@$(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.13 --extra api --extra postgres --extra audit --extra agent \
		--constraint requirements.lock --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		--output-file requirements.image.lock

clean: ## remove the environment, caches and the demo's data
	@rm -rf $(VENV) $(POOLS) $(SDK) $(BRIDGES) $(STREAMS) .interpreters .demo build dist htmlcov .coverage* .hypothesis .*_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip brings uv (pinned, with its hash), uv brings the rest. uv does not read pip's configuration, so where
# only pip knows the way to an index, pip does it all.
$(READY): pyproject.toml requirements.lock
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 to 3.14 with its venv module is needed; found: $$(python3 --version 2>&1)." \
		"Debian: apt-get install python3-venv. Another one: make PYTHON=/path/to/python3.12" >&2; false; }
	@echo "Installing what requirements.lock pins into $(VENV) ($$($(PYTHON) --version)), once"
	@$(PYTHON) -m venv --clear $(VENV)
	@awk '/^[^ ]/ { wanted = /^uv==/ } wanted' requirements.lock > $(VENV)/uv.lock
	@$(BIN)/python -m pip install --quiet --require-hashes -r $(VENV)/uv.lock
	@$(UV_PIP) --require-hashes -r requirements.lock || { echo "Trying again with pip" >&2; \
		$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock; }
	@$(UV_PIP) --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q synapse_stream consumers  # as pip does with what it installs
	@touch $@

# What these pools bring must not be in an environment where all that is ours is shown to run without it.
$(POOLS)/.ready: $(READY) tests/resilience/places/pools.lock
	@$(BIN)/python -m venv --clear --without-pip $(POOLS)
	@UV_HTTP_TIMEOUT=20 $(BIN)/uv pip install --quiet --python $(POOLS)/bin/python --require-hashes \
		-r tests/resilience/places/pools.lock
	@touch $@

# The SDK takes Python 3.12 and newer. Its tests are in the source distribution of an older release.
$(SDK)/.ready: tests/sdk/sdk.lock tests/sdk/own_tests.txt | interpreters
	@python=$$(ls .interpreters/3.12/bin/python .interpreters/3.13/bin/python $(BIN)/python3.1[2-9] 2>/dev/null | head -1); \
		[ -n "$$python" ] || { echo "The Synapse SDK needs Python 3.12 or newer; there is none" >&2; exit 1; }; \
		$$python -m venv --clear $(SDK)
	@UV_HTTP_TIMEOUT=20 $(BIN)/uv pip install --quiet --python $(SDK)/bin/python --require-hashes -r tests/sdk/sdk.lock
	@UV_HTTP_TIMEOUT=20 $(BIN)/uv pip install --quiet --python $(SDK)/bin/python --no-deps --no-build-isolation --editable .
	@$(SDK)/bin/python -m pip download --quiet --no-deps --no-binary :all: --require-hashes --dest $(SDK)/sources \
		-r tests/sdk/own_tests.txt
	@touch $@

# By pip: PyTorch is 2 GB, which its cache may have, or a place that only pip's configuration names.
$(BRIDGES)/.ready: tests/bridges/bridges.lock | $(READY)
	@$(BIN)/python -m venv --clear $(BRIDGES)
	@$(BRIDGES)/bin/python -m pip install --quiet --require-hashes -r tests/bridges/bridges.lock
	@$(BRIDGES)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# By `install`, which takes what the lock pins, too: `ci` refuses a lock without an optional package that no index has.
$(STREAMS)/.ready: tests/streams/package.json tests/streams/package-lock.json
	@command -v npm > /dev/null || { echo "The suite of Durable Streams needs Node with npm; there is none" >&2; exit 1; }
	@mkdir -p $(STREAMS)
	@cp tests/streams/package.json tests/streams/package-lock.json $(STREAMS)
	@npm install --prefix $(STREAMS) --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
