# A bare `make` explains itself. Nothing here needs root or a virtual environment of yours.
PYTHON ?= python3
BIN    := .venv/bin
READY  := .venv/.ready
KAFKA  := tests/broker

.DEFAULT_GOAL := help
.PHONY: help demo test lint check evaluate chaos sabotage fuzz bench test-chart test-cluster test-monitoring test-image kafka lock clean

help: ## say what there is to make
	@echo "Liquidation streams. The first target sets up .venv by itself."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## play the sell-off of 2026-01-31 through the worker on an embedded broker, about a minute
	@$(BIN)/streams demo

test: $(READY) lint check ## everything: lint, types, imports, tests (against a real Kafka where java and mvn are)

lint: $(READY) ## style, types and the import rule
	@$(BIN)/ruff check streams tests
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check: $(READY) ## the tests alone, with 100 % branch coverage of core and codec
	@$(BIN)/pytest --cov --cov-report=
	@$(BIN)/coverage report --fail-under=100

evaluate: $(READY) ## how often our cascades are right, and the public rules; FILES="a.jsonl.gz" for your own history
	@$(BIN)/python -m tests.evaluation $(FILES)

chaos: $(READY) ## 200 faults of all kinds against real workers, compared with the oracle (CHAOS="--seed 7 --faults 50")
	@$(BIN)/python -m tests.broker.chaos $(CHAOS)

sabotage: $(READY) ## take away each protection in turn and see the torturer notice
	@$(BIN)/python -m tests.broker.sabotage $(SABOTAGE)

test-monitoring: $(READY) ## the reconstruction under a real Prometheus and Alertmanager: panels, alerts, web-hook; a quarter of an hour
	@$(BIN)/pytest -s tests/monitoring/check_monitoring.py

test-image: $(READY) ## build the image and run the worker from it, unprivileged, read-only (needs root, buildah, debootstrap)
	@$(BIN)/pytest -s tests/image/check_image.py

bench: $(READY) ## measure the job beside Kafka Streams, Flink and others (ONLY=ours,kafka-streams ROUNDS=1 RECORDS=400000)
	@$(BIN)/python -m tests.bench

fuzz: $(READY) ## break inputs, guided by coverage, until nothing new is reached: 5,000,000 and more, some hours
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r tests/fuzz/requirements.lock
	@$(BIN)/python -m tests.fuzz

kafka: $(READY) ## fetch the broker of the tests from Maven Central (needs java and mvn)
	@$(BIN)/python -m tests.broker.kafka

test-chart: $(READY) ## the Helm chart: schema, render, lint, validation (needs helm, or go to build it)
	@$(BIN)/pytest tests/chart

test-cluster: $(READY) ## install, upgrade, roll back and uninstall the chart on a real API server (needs go, etcd, java)
	@$(BIN)/pytest -m cluster -s tests/chart/test_cluster.py

lock: $(READY) ## resolve the dependencies anew into requirements.lock, with hashes (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv on the PATH: pip install uv"; exit 1; }
	@uv pip compile pyproject.toml --group dev --generate-hashes --universal --python-version 3.11 \
		--no-emit-index-url --no-emit-find-links --quiet -o requirements.lock
	@uv pip compile pyproject.toml -c requirements.lock --generate-hashes --universal --python-version 3.11 \
		--no-emit-index-url --no-emit-find-links --quiet -o deploy/docker/requirements.lock
	@uv pip compile tests/bench/peers/requirements.in --generate-hashes --universal --python-version 3.11 \
		--no-emit-index-url --no-emit-find-links --quiet -o tests/bench/peers/requirements.lock
	@uv pip compile --group pyproject.toml:fuzz --generate-hashes --universal --python-version 3.11 \
		--no-emit-index-url --no-emit-find-links --quiet -o tests/fuzz/requirements.lock

clean: ## remove what make made
	@rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage

# Bytecode is made at the first import: compiling all of it here would be half of the set-up. A lock names all there
# is to install: were pip to resolve it again, an extra (coverage[toml]) would let a newer release in, without a hash.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "make needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3"; exit 1; }
	@test -x $(BIN)/python || { echo "setting up .venv"; $(PYTHON) -m venv .venv; }
	@echo "installing the locked dependencies"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --no-build-isolation -e .
	@touch $@
