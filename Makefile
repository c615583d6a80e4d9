# What a contributor runs; `make` alone lists it. Needs Python 3.11 or later with its venv module;
# everything else is installed into .venv on first use.

PYTHON ?= python3
BIN := .venv/bin
# Starts a PostgreSQL server beside what runs, and ends it afterwards.
STORE ?= sqlite
IN_STORE_sqlite :=
IN_STORE_postgresql := $(BIN)/python -m tests.support.postgres
IN_STORE = $(or $(IN_STORE_$(STORE)),$(if $(filter sqlite,$(STORE)),,$(error STORE=$(STORE): wanted sqlite or postgresql)))
.DEFAULT_GOAL := help
.PHONY: help demo run test check check-deep style types stale-stubs protos-check imports \
	protos stubs bench faults format clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.installed ## Show a release that is refused, approved, fails and is rolled back, on a temporary server
	@$(BIN)/python -m tests.support.story

run: .venv/.installed ## Keep a server with the demo's data running, and print commands to paste
	@$(BIN)/python -m tests.support.demo

test: .venv/.installed ## Run the tests, or those of TESTS; on PostgreSQL: make test STORE=postgresql
	$(IN_STORE) $(BIN)/pytest -n auto --dist loadfile $(TESTS)

check: style types stale-stubs protos-check imports ## Check style, types, generated code, protos and imports

style: .venv/.installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/.installed
	$(BIN)/mypy

stale-stubs: .venv/.installed .venv/protos/.installed
	protos/generate.sh --check

protos-check:
	protos/check.sh

imports: .venv/.installed
	$(BIN)/pytest tests/project/test_imports.py

protos: .venv/.installed .venv/protos/.installed ## Generate the Python stubs and the client's methods from protos/
	protos/generate.sh

# LANG is everybody's locale as well: the script refuses what is no language, and LC_ALL keeps it from
# becoming the locale of what the script calls.
stubs: ## Generate a package of stubs into gen/: make stubs LANG=go|java|ts|rust|...
	@LC_ALL=C.UTF-8 protos/stubs.sh '$(LANG)'

bench: .venv/.installed ## Measure promotions against an echo server (takes minutes)
	$(BIN)/python -m bench.promote

check-deep: .venv/.installed ## Try the JSON gateway with 2,000 requests of each kind, and gates that always pass (takes an hour at most)
	$(BIN)/python -m tests.support.mutate_gates
	SHIPLIFT_DEEP=1 $(BIN)/pytest tests/gateway/test_openapi.py

faults: .venv/.installed ## Kill servers, fill disks, set clocks, crowd, fuzz, and count what is lost (takes hours)
	SHIPLIFT_FAULTS=long $(BIN)/pytest tests/faults

format: .venv/.installed ## Format the code and fix what ruff can fix
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## Remove everything that make made
	rm -rf .venv gen build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

# What the targets stand on. A stamp in each directory says that it is complete.

.venv/.installed: pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || \
		{ echo "Python 3.11 or later is missing ($(PYTHON)): install it (Debian: apt install python3 python3-venv)." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11: install a newer one and name it (make PYTHON=python3.12)." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "The venv module of $(PYTHON) is missing: install it (Debian: apt install python3-venv)." >&2; exit 1; }
	@echo "Setting up .venv; this takes a minute, once."
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt setuptools
	@$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $@

.venv/protos/.installed: protos/requirements.txt | .venv/.installed
	@$(BIN)/python -m venv .venv/protos
	@.venv/protos/bin/pip install -q --disable-pip-version-check -r protos/requirements.txt
	@touch $@

.venv/node/.installed: protos/package.json protos/package-lock.json | .venv/.installed
	@mkdir -p .venv/node
	@cp protos/package.json protos/package-lock.json .venv/node
	@npm install --prefix .venv/node --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

.venv/go/grpcurl: Makefile | .venv/.installed
	@GOBIN=$(CURDIR)/.venv/go go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3
	@touch $@
