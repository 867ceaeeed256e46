# abd: the targets that the README names. `make env` is run by all others.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help env demo evidence test test-slow test-cluster test-browser lint bench ui docs lock

help:
	@echo "make env        the environment in .venv, from requirements.lock"
	@echo "make demo       the whole pipeline on the embedded digits"
	@echo "make evidence   the results on real images, on a GPU, or two cores (ON=cpu); docs/evidence.md"
	@echo "make test       the tests"
	@echo "make test-slow  the tests that take minutes"
	@echo "make test-cluster  the tests on a Slurm cluster of its own (Debian; root, or sudo)"
	@echo "make test-browser  the MLflow UI in a browser (Debian; root, or sudo)"
	@echo "make lint       ruff, mypy, snakefmt, snakemake --lint"
	@echo "make bench      the benchmarks, into reports/bench.json"
	@echo "make ui         the MLflow UI on loopback"
	@echo "make docs       the documentation as a site, every link checked"
	@echo "make lock       requirements.lock anew, from requirements.in"

env: $(STAMP)

# uv installs the lock five times as fast as pip; it comes with hashes like the rest.
$(STAMP): requirements.lock requirements-uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "make env: expected Python 3.11 or newer, got %d.%d; name another with make PYTHON=..." % v[:2])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements-uv.lock
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(STAMP)

demo: env
	python tools/run_demo.py

evidence: env
	python tools/run_evidence.py $(if $(ON),--on $(ON)) $(PARTS) -- $(OPTIONS)

test: env
	pytest -n auto --maxprocesses 4 --dist worksteal

test-slow: env
	pytest -m slow

test-cluster: env
	tests/install.sh slurmctld slurmd slurmdbd sbatch munged mariadbd mariadb -- slurmctld \
		slurmd slurmdbd slurm-client munge mariadb-server-core mariadb-client-core
	pytest -m cluster -n 3 --dist worksteal

test-browser: env
	tests/install.sh chromium chromedriver -- chromium chromium-driver
	pytest -m browser

lint: env
	ruff check .
	ruff format --check .
	mypy
	snakefmt --check Snakefile rules
	python tools/lint_workflow.py

bench: env
	python -m bench $(FIGURES)

ui: env
	python tools/run_ui.py

docs: env
	python tools/build_docs.py

lock: env
	uv pip compile requirements.in --generate-hashes --no-header --universal --python-version 3.11 --quiet --output-file requirements.lock
	uv pip compile requirements-uv.in --generate-hashes --no-header --universal --python-version 3.11 --quiet --output-file requirements-uv.lock
