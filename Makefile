# Perijove's everyday commands; `make` alone lists them.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
RUN := .venv/bin

help:  ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: .venv/platform  ## Start the whole platform here, without Docker (PORT=, PERIJOVE_HOME=); Ctrl-C ends it
	@exec $(RUN)/perijove up

check: .venv/dev  ## Lint, types and the fast tests (no network, under two minutes)
	$(RUN)/ruff check
	$(RUN)/ruff format --check
	$(RUN)/mypy
	$(RUN)/pytest -m "not slow and not e2e"

test: .venv/dev  ## Everything: `make check`, real environments, the platform driven in a browser
	scripts/test-tools
	$(RUN)/ruff check
	$(RUN)/ruff format --check
	$(RUN)/mypy
	$(RUN)/pytest

format: .venv/dev  ## Put the code into shape
	$(RUN)/ruff check --fix
	$(RUN)/ruff format

requirements: .venv/dev  ## Solve requirements/*.in anew into pinned, hashed *.txt
	scripts/lock-requirements

clean:  ## Remove the virtual environment and caches; homes and environments in .perijove stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/%: requirements/%.txt pyproject.toml scripts/setup
	@scripts/setup $*

.PHONY: help up check test format requirements clean
.PRECIOUS: .venv/%
