# The newcomer's interface. `make help` lists every target.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RIVALS := .venv-rivals
STACK := $(BIN)/python -m voc_stream.devstack

# make demo: ONCE=1 ends by itself, CALLS=12 so many calls, AUDIO=dir replays a folder of recordings
ONCE ?=
CALLS ?=
AUDIO ?=
# make bench-views: so many events; make chaos: only these rows
ROWS ?=
# make bench, make bench-calls: only these parts
PARTS ?=
# make scale, make bench-sizes, make chaos-voc: so many events; make chaos-voc: so many kills, and the seed of an earlier run
EVENTS ?=
KILLS ?=
SEED ?=
# make soak: so many minutes
MINUTES ?=

# make test-kafka-versions: what depends on the broker
ON_KAFKA := tests/integration/devstack/test_kafka.py tests/integration/test_topic_admin.py tests/integration/runtime \
            tests/integration/voc/test_windows.py tests/integration/voc/test_kafka_security.py tests/integration/voc/test_kafka_oauth.py

.DEFAULT_GOAL := help
.PHONY: evaluate help setup demo stack clean-stack worker test test-unit test-growth test-compat test-kafka-versions check format bench bench-calls bench-adaptive bench-views bench-web bench-runtime bench-sizes scale chaos chaos-calls chaos-voc soak schemas texts screenshots sbom docs lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.installed ## Make .venv with everything, from the hashed lock

$(VENV)/.installed: requirements/dev.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: apt-get install python3 python3-venv (3.11 or newer)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 setup"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the packages of requirements/dev.txt (about 700 MB, a minute or two) ..."
	@$(BIN)/pip --disable-pip-version-check install --quiet --require-hashes -r requirements/bootstrap.txt
	@$(BIN)/uv pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

demo: setup ## Start everything on this machine and watch calls being scored (ONCE=1 CALLS=12 AUDIO=dir)
	@$(BIN)/python -m voc_stream.devstack.demo $(if $(ONCE),--once) $(if $(CALLS),--calls $(CALLS)) $(if $(AUDIO),--audio '$(AUDIO)')

stack: setup ## Start Kafka, PostgreSQL, S3, ClickHouse, a recorder and the scoring service, without Docker
	@$(STACK) up

clean-stack: setup ## Remove the stack's folder, data and all
	@$(STACK) clean

worker: setup ## Start a worker on the running stack
	@$(BIN)/faust -A voc_stream worker -l info

test: setup ## Run every test: in two lanes side by side, since those on the real stack mostly wait
	@$(BIN)/python -m tests.lanes

test-unit: setup ## Run the tests that need no servers
	@$(BIN)/pytest -q

test-growth: setup ## Topics grow while the command is killed at every step, ClickHouse is lost and restored, and everything is counted
	@$(BIN)/pytest -q --integration -m chaos tests/integration/partitions tests/integration/recovery

test-compat: setup ## A worker of the release before beside one of this one: out and back, and everything is counted
	@$(BIN)/pytest -q --integration -m compatibility tests/compatibility

test-kafka-versions: setup ## The runtime, exactly-once windows, transactions, TLS and tokens on Kafka 3.9 and 4.1
	@for version in 3.9 ""; do DEVSTACK_KAFKA=$$version STACK_DIR=.stack-test/none $(BIN)/pytest -q --integration $(ON_KAFKA) || exit 1; done

check: setup ## Lint, types, import direction, migrations, deploy files, documentation, licences, known weaknesses
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python deploy/lint_migrations.py
	@$(BIN)/pytest -q tests/unit/deploy
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@$(BIN)/python deploy/supply_chain.py licences
	@$(BIN)/python deploy/supply_chain.py audit

sbom: setup ## Write sbom.json (CycloneDX) of what a worker's image holds
	@$(BIN)/python deploy/supply_chain.py sbom

docs: setup ## Read the documentation in a browser, on 127.0.0.1:8100
	@$(BIN)/mkdocs serve --dev-addr 127.0.0.1:8100

format: setup ## Format the code
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

bench: setup $(RIVALS)/.installed ## Customer events against their rivals and targets (PARTS="rivals engine light backlog tracing"; the first three by default)
	@$(BIN)/python -m benchmarks.events $(PARTS)

$(RIVALS)/.installed: requirements/rivals.txt
	@test -x $(RIVALS)/bin/python || $(PYTHON) -m venv $(RIVALS)
	@echo "installing the rivals (requirements/rivals.txt, about 300 MB) ..."
	@$(BIN)/uv pip sync --quiet --python $(RIVALS)/bin/python --require-hashes requirements/rivals.txt
	@touch $@

bench-calls: setup ## Measure the calls pipeline (PARTS="runtime memory downloads scoring arrivals")
	@$(BIN)/python -m benchmarks.calls $(PARTS)

bench-adaptive: setup ## Try adaptive concurrency in every scenario, on a simulated clock, about ten seconds
	@$(BIN)/python -m benchmarks.adaptive

bench-views: setup ## Measure how soon a summary is there, over ten million events (ROWS=10000000)
	@$(BIN)/python -m benchmarks.views $(ROWS)

bench-web: setup ## Measure the people's side and the pipeline beside each other, over ten million events and a million calls
	@$(BIN)/python -m benchmarks.web

evaluate: setup ## Compare sentiment with people's ratings of texts that training never saw (needs ../shared/data)
	@$(BIN)/python -m benchmarks.sentiment

scale: setup $(RIVALS)/.installed ## One, two, three workers on one backlog, each with 0.4 of a core: rates, CPU of an event, how soon partitions are spread
	@$(BIN)/python -m benchmarks.scale $(if $(EVENTS),--events $(EVENTS))

bench-sizes: setup ## Measure what an event and a call take of the servers' disks and processors (docs/capacity.md)
	@$(BIN)/python -m benchmarks.sizes $(if $(EVENTS),--events $(EVENTS))

bench-runtime: setup ## Measure the runtime alone, on the running stack: records a second through an agent that counts
	@$(BIN)/python -m benchmarks.runtime

chaos: setup ## Cause the 25 faults of docs/chaos.md on the real stack and count, in less than 25 minutes (ROWS="1 5" for some)
	@$(BIN)/python -m tests.chaos $(ROWS)

chaos-calls: setup ## Kill the worker ten times while 200 calls pass, then count
	@$(BIN)/python -m benchmarks.kill

chaos-voc: setup ## Kill, freeze and cut off workers while 200,000 numbered events pass, then count (EVENTS=n KILLS=n SEED=n)
	@$(BIN)/python -m benchmarks.chaos_voc $(if $(EVENTS),--events $(EVENTS)) $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED))

soak: setup $(RIVALS)/.installed ## Load, trouble at random and planted personal data; memory, descriptors, threads and tables are drawn (MINUTES=30)
	@$(BIN)/python -m benchmarks.soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED))

schemas: setup ## Write the JSON Schemas of topics and events into docs/schemas
	@$(BIN)/faust -A voc_stream schemas

screenshots: setup ## Photograph each page of a demo into docs/img/pages, about eight minutes (CALLS=48)
	@$(BIN)/python -m tests.browser.screenshots $(if $(CALLS),--calls $(CALLS))

texts: setup ## Put what the pages say into the catalogues of voc_stream/web/texts, and list what wants a translation
	@$(BIN)/python -m voc_stream.web.texts.collect

lock: setup ## Write the hashed locks anew
	@PATH="$(CURDIR)/$(BIN):$$PATH" requirements/lock.sh

clean: ## Remove caches and the workers' state
	@rm -rf .state .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
