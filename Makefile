# Tasks for a checkout. Each target creates the virtual environment that it needs; stamps in it make a second call fast.

# The Pythons to try, in this order. To choose another: make clean && make test PYTHON=python3.13
PYTHON ?= python3.11 python3.12 python3.13 python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := build/demo.db
BENCH := build/bench
# The core of the test suite. The rest adds crashes, full disks, many processes, and random schemas.
FAST := tests/test_cases.py tests/test_structure.py tests/test_english.py tests/test_errors.py tests/commands/test_check.py \
	tests/commands/test_inspect.py tests/files tests/cli/test_database_commands.py tests/cli/test_project_commands.py \
	tests/cli/test_terminal.py tests/authoring/test_generate.py tests/authoring/test_hazards.py \
	tests/runner/test_apply.py tests/runner/test_open.py tests/runner/test_open_at_head.py \
	tests/runner/test_transactions.py tests/runner/test_fleet.py tests/sqlite/test_introspect.py

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast check pages bench clean
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## build a database from the shipped schema and check it for drift
	@mkdir -p $(dir $(DEMO))
	@rm -f $(DEMO) $(DEMO)-journal $(DEMO)-shm $(DEMO)-wal
	$(BIN)/waiaas-migrate generate
	$(BIN)/waiaas-migrate apply $(DEMO)
	$(BIN)/waiaas-migrate status $(DEMO)
	$(BIN)/waiaas-migrate drift $(DEMO)

test: $(VENV)/.installed-test ## run all tests; pass options to pytest with ARGS="-k ids -n 0"
	$(BIN)/python -m pytest $(ARGS)

test-fast: $(VENV)/.installed-test ## run the core of the tests in one to two minutes
	$(BIN)/python -m pytest $(ARGS) $(FAST)

check: $(VENV)/.installed-dev ## run the linters, and check formatting, types, imports and the shipped schema
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/waiaas-migrate lint

pages: $(VENV)/.installed-test ## write the reference pages and the recorded terminal output again
	$(BIN)/python -m tests.support.reference_pages
	$(BIN)/python -m tests.cli.test_terminal
	$(BIN)/python -m tests.support.recording

bench: $(VENV)/.installed-bench ## run the benchmarks; pass options to each with ARGS="--rounds 1"
	@mkdir -p $(BENCH)
	@for benchmark in $(basename $(notdir $(wildcard benchmarks/[a-z]*.py))); do \
		$(BIN)/python -m "benchmarks.$$benchmark" --json "$(BENCH)/$$benchmark.json" $(ARGS) || exit 1; \
	done

clean: ## delete the virtual environment and everything built
	rm -rf $(VENV) build dist htmlcov .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache \
		.pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.created:
	@for python in $(PYTHON); do \
		if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "Making $(VENV) with $$("$$python" --version)."; \
			"$$python" -m venv --clear $(VENV) && touch $@; \
			exit; \
		fi; \
	done; \
	echo "No Python 3.11 or newer with the venv module found. Tried: $(PYTHON)." >&2; \
	echo "Install it (on Debian and Ubuntu: apt install python3 python3-venv), or choose one: make PYTHON=/path/to/python3" >&2; \
	exit 1

$(VENV)/.installed: EXTRA :=
$(VENV)/.installed-test: EXTRA := [test]
$(VENV)/.installed-test: INCLUDED := $(VENV)/.installed
$(VENV)/.installed-dev: EXTRA := [dev]
$(VENV)/.installed-dev: INCLUDED := $(VENV)/.installed $(VENV)/.installed-test
$(VENV)/.installed-bench: EXTRA := [bench]
$(VENV)/.installed $(VENV)/.installed-test $(VENV)/.installed-dev $(VENV)/.installed-bench: pyproject.toml $(VENV)/.created
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.$(EXTRA)'
	@touch $(INCLUDED) $@
