# Everything runs in .venv, which `make` fills as needed. PYTHON chooses the interpreter it is made of.
PYTHON ?= python3
BIN := .venv/bin
ASAN := $(shell gcc -print-file-name=libasan.so 2>/dev/null)
SANITIZED := env LD_PRELOAD=$(ASAN) PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0 \
	UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 PYTHONPATH=build/asan $(BIN)/python
TSAN := $(shell gcc -print-file-name=libtsan.so 2>/dev/null)
FUZZ_SECONDS ?= 60
# How long each target runs: so many executions, however long they take, or else so many seconds
FUZZ_LIMIT = $(if $(FUZZ_EXECUTIONS),--executions $(FUZZ_EXECUTIONS),--seconds $(FUZZ_SECONDS))

.PHONY: all build test unit e2e shaped bench instructions debug asan tsan fuzz lint annotate docs docs-pictures clean

all: build

.venv/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[test,bench]'
	touch $@

build: .venv/installed
	$(BIN)/python setup.py -q build_ext --inplace
	MEDIAROUTER_FUZZ=1 $(BIN)/python setup.py -q build_ext --build-lib build/loops --build-temp build/loops-objects

test: build
	$(BIN)/python -m pytest

unit: build
	$(BIN)/python -m pytest -m 'not e2e'

e2e: build
	$(BIN)/python -m pytest tests/e2e

# Real viewers behind a link that narrows and opens, in namespaces of its own: for root, with iproute2, on a kernel with tbf
shaped: build
	$(BIN)/python -m pytest tests/shaped/test_shaped_links.py

bench: build
	$(BIN)/python -m pytest bench/micro

# Instructions a packet, against bench/instructions.json; valgrind and libIPSec_MB must be there
instructions: build
	$(BIN)/python bench/instructions.py --check

debug: .venv/installed
	MEDIAROUTER_DEBUG=1 $(BIN)/python setup.py -q build_ext --inplace --force

# AddressSanitizer and UndefinedBehaviorSanitizer, in a tree of their own
build/asan/built: $(wildcard src/mediarouter/*.p* src/mediarouter/*/*.p* fuzz/_*.p*) setup.py | .venv/installed
	MEDIAROUTER_SANITIZE=1 $(BIN)/python setup.py -q build --build-lib build/asan --build-temp build/asan-objects
	MEDIAROUTER_SANITIZE=1 MEDIAROUTER_FUZZ=1 $(BIN)/python setup.py -q build_ext --build-lib build/asan \
		--build-temp build/asan-objects
	touch $@

# The tests of everything that parses what strangers send, under the sanitizers
asan: build build/asan/built
	$(SANITIZED) -m pytest -m 'not e2e' --ignore=tests/test_package.py --ignore=tests/web --ignore=tests/test_cimport.py \
		--ignore=tests/test_house.py --ignore=tests/test_typing.py --ignore=tests/test_inspect_output.py \
		--deselect tests/test_srtp.py::test_ssrcs_come_and_go_without_a_leak -p no:cacheprovider

# ThreadSanitizer, for what two engine threads share. It wants its addresses where they always are: setarch -R
build/tsan/built: $(wildcard src/mediarouter/*.p* src/mediarouter/*/*.p*) setup.py | .venv/installed
	CFLAGS="-fsanitize=thread -g -O1" LDFLAGS=-fsanitize=thread \
		$(BIN)/python setup.py -q build --build-lib build/tsan --build-temp build/tsan-objects
	touch $@

tsan: build build/tsan/built
	env LD_PRELOAD=$(TSAN) TSAN_OPTIONS=exitcode=66:suppressions=tests/tsan.supp PYTHONPATH=build/tsan \
		setarch -R $(BIN)/python -m pytest -p no:cacheprovider -p no:faulthandler tests/test_ring.py \
		tests/test_pipe_threads.py

# Every fuzz target under the sanitizers, two at a time; FUZZ_EXECUTIONS=10000000 for a night. FUZZ_SEED=n repeats one
fuzz: build build/asan/built
	ls fuzz/*.py | xargs -n1 basename | sed 's/\.py$$//' | grep -v '^drive$$' | \
		xargs -P2 -I{} $(SANITIZED) fuzz/drive.py {} $(FUZZ_LIMIT) $(if $(FUZZ_SEED),--seed $(FUZZ_SEED))

lint: .venv/installed
	$(BIN)/ruff check .
	PATH=$(BIN):$$PATH $(BIN)/cython-lint src fuzz
	$(BIN)/mypy

# One HTML page beside each .pyx: white lines are C
annotate: .venv/installed
	MEDIAROUTER_ANNOTATE=1 $(BIN)/python setup.py -q build_ext --inplace --force

docs: .venv/installed
	$(BIN)/python -m pytest tests/test_docs.py

# Every scenario of congestion control as a picture, and the page that shows them
docs-pictures: build
	$(BIN)/python bench/scenario_pictures.py

clean:
	rm -rf build dist .venv .pytest_cache .mypy_cache .ruff_cache
	rm -f fuzz/*.c fuzz/*.html
	find src -name '*.so' -delete -o -name '*.c' -delete -o -path '*/web/*' -prune -o -name '*.html' -delete
