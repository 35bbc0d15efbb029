# `make demo`: train on the built-in demo shop and serve it. `make test`: every check. Both set up what they need.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DEV    := $(VENV)/.installed-dev
TRAIN  := $(VENV)/.installed-train
# What is imported is compiled when it is, and kept: to compile everything takes a third of the time that installing takes.
unexport PYTHONDONTWRITEBYTECODE
PIP    := --quiet --disable-pip-version-check --no-compile

.PHONY: demo test types tests format clean

demo: $(TRAIN)
	$(BIN)/macrid demo

test: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory --jobs=2 types tests  # types take a minute of one core

types: $(DEV)
	$(BIN)/mypy

tests: $(DEV)
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder  # tests/conftest.py says how many; a thread to each process

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) dist build test-results .*_cache

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("Macrid needs Python 3.11 or newer, not " + sys.version) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(TRAIN): $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install $(PIP) --constraint constraints.txt --editable '.[train]'
	@touch $@

$(DEV): $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install $(PIP) --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(TRAIN)
