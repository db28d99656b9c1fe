# Everything starts here: each target makes the environment it needs. Needs Python 3.11 to 3.13 and make, nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

.PHONY: help demo up down test lint types format campaign benchmarks docs constraints clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python is missing: install Python 3.11, or name one: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
		|| { echo "$(PYTHON) is $$($(PYTHON) --version); this needs 3.11 to 3.13: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Making the environment in $(VENV) (about a minute) …"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(INSTALLED) ## the whole way with made-up customers, in a sandbox; Ctrl-C ends it
	@$(BIN)/billy demo

up: $(INSTALLED) ## start the product for real use
	@$(BIN)/billy up

down: $(INSTALLED) ## end a running `make up`
	@$(BIN)/billy down

test: $(INSTALLED) ## all tests; those of the UI need Chromium and say so when they skip
	$(BIN)/pytest -n auto

lint: $(INSTALLED) ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED) ## mypy, strict
	$(BIN)/mypy

format: $(INSTALLED) ## put the code in form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

campaign: $(INSTALLED) ## 500 histories of faults, kills and resumes; about an hour
	$(BIN)/python -m billy_pipelines_tests.campaign --seeds 0-499 --workers 2 --write-docs

benchmarks: $(INSTALLED) ## speed, measured as ratios in one run where possible
	$(BIN)/python -m benchmarks

docs: $(INSTALLED) ## write the pages that are made from the code
	$(BIN)/python -m billy_pipelines.files.columns_page > docs/columns.md

constraints: $(INSTALLED) ## write constraints.txt anew from what is installed
	@{ echo "# The whole set that was tested together, by name and version. Regenerate: make constraints"; \
	   $(BIN)/python -m pip freeze --exclude-editable; } > constraints.txt

clean: ## remove the environment; data/ stays
	rm -rf $(VENV)
