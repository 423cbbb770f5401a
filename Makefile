# SPDX-License-Identifier: Apache-2.0
# ARGS goes to the command: make demo ARGS="--episodes 10 --headless", make test ARGS="src/hiors_core -k limiter"
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test bench lint format reference docs lock clean
ENV := . tools/env.sh &&

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make this clone ready to run (does only what is missing; EXTRAS="export panel gym")
	@HIORS_EXTRAS="$(EXTRAS)" tools/setup.sh

demo: setup ## run the simulated robot that learns to insert while it works (ARGS="--episodes 10")
	@bin/hiors demo $(ARGS)

test: setup ## run the tests (SLOW=1 adds those that take minutes; ARGS="src/hiors_core -k limiter")
	@$(ENV) python -m pytest $(if $(SLOW),,-m "not slow") $(ARGS)

bench: setup ## list the benchmarks, or run some (ARGS="learning")
	@bin/hiors bench $(ARGS)

lint: setup ## check format, lint rules and types
	@$(ENV) ruff format --check && ruff check && mypy

format: setup ## put the sources in the common format and fix what can be fixed
	@$(ENV) ruff format && ruff check --fix

reference: setup ## write docs/reference anew from the code
	@$(ENV) python tools/reference

docs: build/docs/venv/.ready ## build the documentation as a site in build/docs/site
	@NO_MKDOCS_2_WARNING=1 build/docs/venv/bin/mkdocs build --quiet && echo "build/docs/site/index.html"

build/docs/venv/.ready: requirements/docs.lock
	@python3 -m venv --clear build/docs/venv
	@build/docs/venv/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

lock: setup ## write the lock files anew from requirements/*.in (needs a package index)
	@tools/lock.sh

clean: ## remove what was built; keeps runs/ and the downloaded packages' cache
	rm -rf .venv build install log .pytest_cache .mypy_cache .ruff_cache
