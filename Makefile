# Two commands do all: `make demo` and `make test`. Both set up their own environment in .venv first.

PYTHON ?= python3
BIN := .venv/bin
RAY ?= $(BIN)/ray
RESULTS ?= results/demo
CLUSTER ?= ray_cluster.yaml
ARGS ?= --catalog demo --results results/demo

.DEFAULT_GOAL := help
.PHONY: help env demo sync submit test lint types check reference estimators laboratory lock clean

help:  ## Show this help
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 20

env: .venv/.ready  ## Set up the environment in .venv

.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.version_info >= (3, 11) or sys.exit(f"need Python 3.11 or newer, got {v}: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "setting up .venv: about 80 packages, a minute or more without a word"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: env  ## Ten real models: spectra, metrics, correlations, a report
	$(BIN)/setol run --catalog demo --results $(RESULTS)
	$(BIN)/setol report --results $(RESULTS)

# Of `provider: local`, Ray knows the workers on the head alone, so the head passes its copy on.
sync: env  ## Bring this checkout to all machines of CLUSTER=ray_cluster.yaml
	$(RAY) rsync-up -A $(CLUSTER)
	if grep -qE '^ *type: *local' $(CLUSTER); then $(RAY) exec $(CLUSTER) 'ray rsync-up -A ~/ray_bootstrap_config.yaml'; fi

submit: sync  ## Sync, then run ARGS="--catalog demo --results ..." on CLUSTER=ray_cluster.yaml
	$(RAY) submit $(CLUSTER) pipeline/run.py -- $(ARGS)

test: env  ## All tests
	$(BIN)/python -m pytest -n 3 --dist loadfile

lint: env  ## Style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: env  ## Type checks
	$(BIN)/mypy

check: lint types test  ## Lint, types and tests

reference: env  ## Make the WeightWatcher reference values anew, in an environment of their own
	test -x .venv-reference/bin/python || $(PYTHON) -m venv .venv-reference
	.venv-reference/bin/python -m pip install --quiet --disable-pip-version-check -r tests/reference/requirements.txt
	$(BIN)/python tests/reference/fetch_files.py | xargs .venv-reference/bin/python tests/reference/make.py --out tests/reference

estimators: env  ## Measure the estimators of alpha anew: docs/estimators.md, some 5 minutes of one core
	$(BIN)/python docs/make_estimators.py

laboratory: env  ## Make docs/laboratory.md and its figures anew from the stored tables
	$(BIN)/python docs/make_laboratory.py

lock: env  ## Pin what is installed now, as plain names and versions
	$(BIN)/python -m pip list --format freeze --exclude-editable | grep -viE '^(pip|setuptools|setol-zoo|triton|nvidia-|cuda-)' | sed -E 's/\+[A-Za-z0-9.]+$$//' > requirements.lock

clean:  ## Remove the environment and the demo's results
	rm -rf .venv .venv-reference results/demo
