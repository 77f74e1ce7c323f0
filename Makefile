# Perijove's everyday commands; `make` alone lists them.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
RUN := .venv/bin

help:  ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

secrets:  ## Write .env and a certificate for `docker compose up -d`, once (HOST=, PORT=)
	@scripts/secrets

up: .venv/platform  ## Start the whole platform here, without Docker (PORT=, PERIJOVE_HOME=); Ctrl-C ends it
	@exec $(RUN)/perijove up

check: .venv/dev  ## Lint, types and the fast tests (no network, under two minutes)
	$(RUN)/ruff check
	$(RUN)/ruff format --check
	$(RUN)/mypy
	$(RUN)/pytest -n logical -m "not slow and not e2e and not containers"

test-containers: .venv/dev  ## The production stack on a real Docker engine, driven in a browser
	scripts/test-tools
	$(RUN)/pytest -m containers

test: .venv/dev  ## Everything: `make check`, real environments, the platform in both its ways
	scripts/test-tools
	$(RUN)/ruff check
	$(RUN)/ruff format --check
	$(RUN)/mypy
	$(RUN)/pytest -n logical -m "not e2e and not containers"
	$(RUN)/pytest -m "e2e or containers"

bench: .venv/dev  ## How fast it is against others, into docs/performance.md (about ten minutes)
	$(RUN)/python -m benchmarks

doctor:  ## Look at everything the installation in containers needs: each line ok, or what to do
	@docker compose run --rm operator doctor

backup:  ## Copy its database, homes, secrets and locks into one file in backups/, while people work
	@mkdir -p -m 700 backups && docker compose run --rm operator backup

restore:  ## Bring it back on a new machine, or here (FROM=backups/<file>, REPLACE=yes)
	@scripts/restore "$(FROM)" $(if $(filter yes,$(REPLACE)),--replace)

format: .venv/dev  ## Put the code into shape
	$(RUN)/ruff check --fix
	$(RUN)/ruff format

requirements: .venv/dev  ## Solve requirements/*.in anew into pinned, hashed *.txt
	scripts/lock-requirements

clean:  ## Remove the virtual environment and caches; homes and environments in .perijove stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/%: requirements/%.txt pyproject.toml scripts/setup
	@scripts/setup $*

.PHONY: help secrets up check test test-containers bench doctor backup restore format requirements clean
.PRECIOUS: .venv/%
