# Everything runs in .venv, which `make` fills as needed. PYTHON chooses the interpreter it is made of.
PYTHON ?= python3
BIN := .venv/bin
ASAN := $(shell gcc -print-file-name=libasan.so 2>/dev/null)

.PHONY: all build test unit e2e bench debug asan lint annotate docs clean

all: build

.venv/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[test,bench]'
	touch $@

build: .venv/installed
	$(BIN)/python setup.py -q build_ext --inplace

test: build
	$(BIN)/python -m pytest

unit: build
	$(BIN)/python -m pytest -m 'not e2e'

e2e: build
	$(BIN)/python -m pytest tests/e2e

bench: build
	$(BIN)/python -m pytest bench/micro

debug: .venv/installed
	MEDIAROUTER_DEBUG=1 $(BIN)/python setup.py -q build_ext --inplace --force

# The tests of everything that parses what strangers send, under AddressSanitizer and UndefinedBehaviorSanitizer
asan: .venv/installed
	MEDIAROUTER_SANITIZE=1 $(BIN)/python setup.py -q build_ext --inplace --force
	LD_PRELOAD=$(ASAN) PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0 \
		$(BIN)/python -m pytest -m 'not e2e' --ignore=tests/test_package.py --ignore=tests/web -p no:cacheprovider
	$(BIN)/python setup.py -q build_ext --inplace --force

lint: .venv/installed
	$(BIN)/ruff check .
	PATH=$(BIN):$$PATH $(BIN)/cython-lint src
	$(BIN)/mypy

# One HTML page beside each .pyx: white lines are C
annotate: .venv/installed
	MEDIAROUTER_ANNOTATE=1 $(BIN)/python setup.py -q build_ext --inplace --force

docs: .venv/installed
	$(BIN)/python -m pytest tests/test_docs.py

clean:
	rm -rf build dist .venv .pytest_cache .mypy_cache .ruff_cache
	find src -name '*.so' -delete -o -name '*.c' -delete -o -path '*/web/*' -prune -o -name '*.html' -delete
