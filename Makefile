# Each target sets up .venv from requirements.lock by itself, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PEERS := .venv-peers
PEERS_STAMP := $(PEERS)/.installed
FRAMEWORKS := .venv-frameworks
FRAMEWORKS_STAMP := $(FRAMEWORKS)/.installed
UV := .cache/uv/bin/uv
# uv installs in a sixth of the time that pip takes. It reads no configuration of pip, so it is told
# of the index that pip is told of. The locks name every dependency.
UV_INSTALL = index="$${PIP_INDEX_URL:-$$($(PYTHON) -m pip config get global.index-url 2>/dev/null)}"; \
    $${index:+env UV_DEFAULT_INDEX="$$index"} $(UV) pip install --quiet --no-deps
# Python must keep what it has compiled, or each of hundreds of processes compiles everything again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := check
.DELETE_ON_ERROR:
.PHONY: demo up test check types unit-tests policy-tests coverage exhaustive docs schemas kafka-test browser-test screenshots chaos chaos-scenes chaos-run bench million simulate differential peers peers-test frameworks frameworks-types lock setup

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml clients/python/pyproject.toml | $(UV)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON")'
	@echo "Setting up $(VENV)"
	@$(PYTHON) -m venv --clear --without-pip $(VENV)
	@$(UV_INSTALL) --python $(BIN)/python --require-hashes -r requirements.lock
	@$(UV_INSTALL) --python $(BIN)/python --no-build-isolation -e . -e clients/python
	@touch $@

# Broker, Postgres, workers, a real engine: a bad version is put back while you watch.
demo: $(STAMP)
	$(BIN)/rollguard demo

# The same stack, left running until Ctrl-C.
up: $(STAMP)
	$(BIN)/rollguard up

# Some of these use one core, and some wait: beside each other they use both cores. Each shows
# what it says when it has ended.
check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory -j 3 --output-sync unit-tests types policy-tests coverage

types: $(STAMP)
	$(BIN)/mypy
	cd clients/python && ../../$(BIN)/mypy

OF_POLICY := tests/unit/policy tests/unit/breaking

unit-tests: $(STAMP)
	$(BIN)/pytest tests/unit clients/python/tests $(OF_POLICY:%=--ignore %) -n 2

policy-tests: $(STAMP)
	$(BIN)/pytest $(OF_POLICY) -n 2 -m exhaustive

# The branches of policy/ that these tests take; less than 95 % fails. Counting them while the oracles
# compare thousands of cases would take three times as long.
coverage: $(STAMP)
	$(BIN)/pytest $(OF_POLICY) -n 2 -m "not exhaustive" --cov --cov-report=term:skip-covered

# All cases that the oracles generate; `make check` and `make test` look at a sixth of them.
exhaustive: $(STAMP)
	ROLLGUARD_TEST_THOROUGH=1 $(BIN)/pytest tests/unit tests/integration/db -n 2 -m exhaustive

# The documentation as a site, in site/.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The messages for other languages: docs/asyncapi.json, and a JSON Schema of each in docs/schemas/.
schemas: $(STAMP)
	$(BIN)/python -m documentation.asyncapi

test: $(STAMP)
	$(BIN)/pytest -m "not kafka and not chaos and not peers and not frameworks and not browser" -n 4 --dist loadscope --no-loadscope-reorder $(TESTS)

# On the Apache Kafka at ROLLGUARD_KAFKA_BROKERS, else on one from Maven (needs Java 17 and mvn).
kafka-test: $(STAMP)
	@test -n "$$ROLLGUARD_KAFKA_BROKERS" || compose/kafka/broker --fetch
	$(BIN)/python -m tests.support.servers.with_kafka $(BIN)/pytest -m kafka -n 3 --dist loadscope --no-loadscope-reorder tests/integration tests/acceptance

# Every fault at real workers, a real Apache Kafka and a real Postgres; then an audit checks what came of it.
# First each named step by itself and the planted faults. CHAOS="--seed 7 --seconds 1800" for more.
chaos: chaos-scenes chaos-run

chaos-scenes: $(STAMP)
	compose/kafka/broker --fetch
	$(BIN)/pytest -m chaos -n 3

chaos-run: $(STAMP)
	compose/kafka/broker --fetch
	$(BIN)/python -m tests.chaos $(CHAOS)

# What it takes, measured side by side on that Apache Kafka, into docs/bench.md; PART=latency for one
# part. All of them take hours; `python -m bench.parts.latency --help` has the sizes of a short run.
bench: $(STAMP) $(PEERS_STAMP)
	@test -n "$$ROLLGUARD_KAFKA_BROKERS" || compose/kafka/broker --fetch
	$(BIN)/python -m bench $(PART)

# A million decorated calls into that Apache Kafka, which is killed twice: none lost, none twice.
million: $(STAMP)
	compose/kafka/broker --fetch
	$(BIN)/python -m bench.parts.million

# What each policy does to versions whose truth is known, into docs/simulation.md, in an hour;
# SIMULATE=quality for one part of it, SIMULATE="--repetitions 400" for less.
simulate: $(STAMP)
	$(BIN)/python -m simulate $(SIMULATE)

# Generated pairs of functions, classes, dataclasses and enumerations, 5,000 of each: does the
# comparison say of each what the running Python does? DIFFERENTIAL="--pairs 500 classes" for less.
differential: $(STAMP)
	$(BIN)/python -m tests.differential $(DIFFERENTIAL)

# What the detector is measured beside (bench/parts/throughput.py), where it does not fit into .venv.
peers: $(PEERS_STAMP)

$(PEERS_STAMP): bench/peers/requirements.lock | $(UV)
	@echo "Setting up $(PEERS)"
	@$(PYTHON) -m venv --clear --without-pip $(PEERS)
	@$(UV_INSTALL) --python $(PEERS)/bin/python --require-hashes -r $<
	@touch $@

# It decides as the detector does, on that Apache Kafka.
peers-test: $(STAMP) $(PEERS_STAMP)
	@test -n "$$ROLLGUARD_KAFKA_BROKERS" || compose/kafka/broker --fetch
	$(BIN)/pytest -m peers

# The pages of the console in Debian's Chromium, or in that at ROLLGUARD_TEST_CHROMIUM.
browser-test: $(STAMP)
	$(BIN)/pytest -m browser tests/browser

# A picture of each page into docs/images/console/. Look at them.
screenshots: $(STAMP)
	$(BIN)/python -m tests.browser.screenshots

# The examples with agent frameworks, in an environment of their own, with a real system.
frameworks: $(STAMP) $(FRAMEWORKS_STAMP)
	$(BIN)/pytest -m frameworks tests/integration/client

frameworks-types: $(STAMP) $(FRAMEWORKS_STAMP)
	cd examples/frameworks && ../../$(BIN)/mypy --python-executable ../../$(FRAMEWORKS)/bin/python

$(FRAMEWORKS_STAMP): examples/frameworks/requirements.lock clients/python/pyproject.toml | $(UV)
	@echo "Setting up $(FRAMEWORKS)"
	@$(PYTHON) -m venv --clear --without-pip $(FRAMEWORKS)
	@$(UV_INSTALL) --python $(FRAMEWORKS)/bin/python --require-hashes -r $<
	@$(UV_INSTALL) --python $(FRAMEWORKS)/bin/python --no-build-isolation -e clients/python
	@touch $@

# The client is installed from its folder, so no lock names it.
lock: OUR_OWN := --no-emit-package rollguard-client
# The versions of everything: for development, for production (no tests, no embedded servers), for
# the programs that the benchmarks compare with, and for the examples with agent frameworks.
lock: $(UV)
	$(UV) pip compile --quiet --universal --generate-hashes --no-header --all-extras --group dev $(OUR_OWN) \
	    $(LOCK_FLAGS) pyproject.toml -o requirements.lock
	$(UV) pip compile --quiet --universal --generate-hashes --no-header --extra worker \
	    --extra postgres --extra bridge --extra console --extra traces --group build \
	    --constraint requirements.lock $(OUR_OWN) \
	    $(LOCK_FLAGS) pyproject.toml -o requirements-production.lock
	$(UV) pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 \
	    $(LOCK_FLAGS) bench/peers/requirements.in -o bench/peers/requirements.lock
	$(UV) pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 \
	    $(LOCK_FLAGS) examples/frameworks/requirements.in -o examples/frameworks/requirements.lock

$(UV):
	@$(PYTHON) -m venv .cache/uv
	@.cache/uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9
