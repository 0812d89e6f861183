# Everything that is done to a checkout. Each target makes the virtual environment it needs from nothing;
# stamps inside it make a second call quick.

# Where to look for a Python, in this order. To choose another: make clean && make test PYTHON=python3.13
PYTHON ?= python3.11 python3.12 python3.13 python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := build/demo.db
BENCH := build/bench

.DEFAULT_GOAL := help
.PHONY: help demo test check bench clean
.DELETE_ON_ERROR:

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## make a database from the shipped schema and compare the two
	@mkdir -p $(dir $(DEMO))
	@rm -f $(DEMO) $(DEMO)-journal $(DEMO)-shm $(DEMO)-wal
	$(BIN)/waiaas-migrate generate
	$(BIN)/waiaas-migrate apply $(DEMO)
	$(BIN)/waiaas-migrate status $(DEMO)
	$(BIN)/waiaas-migrate drift $(DEMO)

test: $(VENV)/.installed-test ## run the tests; ARGS="-k ids -n 0" goes to pytest
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.installed-dev ## linters, formatting, types and import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-bench ## run the benchmarks; ARGS="--rounds 1" goes to each of them
	@mkdir -p $(BENCH)
	@for benchmark in $(basename $(notdir $(wildcard benchmarks/[a-z]*.py))); do \
		$(BIN)/python -m "benchmarks.$$benchmark" --json "$(BENCH)/$$benchmark.json" $(ARGS) || exit 1; \
	done

clean: ## remove the environment and everything built
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
	echo "Python 3.11 or newer is needed, with its venv module; looked for: $(PYTHON)." >&2; \
	echo "Install it (on Debian and Ubuntu: apt install python3 python3-venv) or name one: make PYTHON=/path/to/python3" >&2; \
	exit 1

$(VENV)/.installed: EXTRA :=
$(VENV)/.installed-test: EXTRA := [test]
$(VENV)/.installed-dev: EXTRA := [dev]
$(VENV)/.installed-bench: EXTRA := [bench]
$(VENV)/.installed $(VENV)/.installed-test $(VENV)/.installed-dev $(VENV)/.installed-bench: pyproject.toml $(VENV)/.created
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.$(EXTRA)'
	@touch $@
