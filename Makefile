# The commands of the house; `make help` lists them.
PYTHON ?= python3
PORT ?= 8000
SANDBOX_PORT ?= 4566
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
INSTALLED := .venv/.installed
TESTS := -n 4 --ignore=tests/prove --ignore=tests/bench

.PHONY: help demo demo-reset test test-postgres check prove prove-tenth bench shots lock migrate install
.DEFAULT_GOAL := help

help: ## list the commands
	@awk -F ' ## ' '/^[a-z-]+:.* ## / { split($$1, name, ":"); printf "  make %-14s %s\n", name[1], $$2 }' $(MAKEFILE_LIST)

# One stamp for everything: a lock that changed is installed again, an unchanged one costs nothing.
$(INSTALLED): requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; '$(PYTHON)' is older. Try: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { echo "Creating .venv"; $(PYTHON) -m venv .venv; }
	@echo "Installing the locked requirements (once, about a minute)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile --require-hashes -r requirements.txt -r requirements-dev.txt
	@touch $@

install: $(INSTALLED) ## create .venv and install the locked requirements

demo: $(INSTALLED) ## a whole company to try the portal on, at http://localhost:8000 (PORT, SANDBOX_PORT move it)
	@PORT=$(PORT) SANDBOX_PORT=$(SANDBOX_PORT) $(BIN)/python -m portal.demo

demo-reset: $(INSTALLED) ## throw the demo's data away; the next `make demo` begins anew
	@$(BIN)/python -m portal.demo --reset

test: $(INSTALLED) ## the whole suite once, on SQLite
	$(PYTEST) $(TESTS) $(ARGS)

test-postgres: $(INSTALLED) ## the suite on TEST_POSTGRES_URL, or on a throw-away cluster
	$(BIN)/python -m tests.postgres_cluster $(PYTEST) $(TESTS) $(ARGS)

check: $(INSTALLED) ## everything that can be seen without running a test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m tests.check_deploy mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/djlint --lint --quiet templates
	$(BIN)/python -m tests.check_deploy makemigrations
	$(BIN)/python -m tests.check_deploy deploy

prove: $(INSTALLED) ## faults, seeds and scale, on SQLite and on PostgreSQL
	$(PYTEST) -n 2 tests/prove $(ARGS)
	$(BIN)/python -m tests.postgres_cluster $(PYTEST) -n 2 tests/prove $(ARGS)

prove-tenth: export PROVE_SHARE = 10
prove-tenth: export PROVE_COMMIT = $(shell git rev-parse HEAD 2>/dev/null || echo 0)
prove-tenth: $(INSTALLED) ## a tenth of `prove`, chosen by the commit
	$(PYTEST) -n 2 tests/prove $(ARGS)
	$(BIN)/python -m tests.postgres_cluster $(PYTEST) -n 2 tests/prove $(ARGS)

bench: $(INSTALLED) ## ratios against a naive way of doing the same; pages on PostgreSQL too
	@rc=0; $(BIN)/python -m tests.bench $(ARGS) || rc=$$?; \
	$(BIN)/python -m tests.postgres_cluster $(BIN)/python -m tests.bench tenants_page clients_page || rc=$$?; exit $$rc

shots: $(INSTALLED) ## every page at three widths in both themes as PNGs under var/shots, checked while they are made
	$(BIN)/python -m tests.shots $(ARGS)

migrate: $(INSTALLED) ## bring the database of .env up to date
	$(BIN)/python manage.py migrate

lock: ## write requirements*.txt anew from requirements/*.in (needs uv)
	cd requirements && uv pip compile -q --generate-hashes --python-version 3.11 --no-emit-index-url --no-header runtime.in -o ../requirements.txt
	cd requirements && uv pip compile -q --generate-hashes --python-version 3.11 --no-emit-index-url --no-header dev.in -o ../requirements-dev.txt
