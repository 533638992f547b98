# The entry points of the project. Each of the targets installs the tools that it needs, as far as
# they are missing (scripts/bootstrap), and builds what it needs under build/.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# make demo DIR=/some/folder
DIR ?=
# make install PREFIX=/usr DESTDIR=/tmp/package
PREFIX ?= /usr/local
DESTDIR ?=
# make install TURSO=ON
TURSO ?= OFF
ifeq ($(filter ON OFF,$(TURSO)),)
$(error TURSO is ON or OFF, not '$(TURSO)')
endif

export DIR
export DESTDIR

.PHONY: help
help:  ## Print this list
	@echo 'make TARGET, where TARGET is one of'
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1\t\2/p' Makefile | expand -t 2,24

.PHONY: demo
demo:  ## Build the file indexer and run it over DIR=<folder>
	@scripts/bootstrap build
	cmake --preset demo
	cmake --build --preset demo --target index_files
	@PGQRS_BUILD_DIR=build/demo scripts/demo

.PHONY: test
test:  ## Build and run all tests: release, with sanitizers, and the Python package
	@scripts/bootstrap test
	@scripts/test

.PHONY: test-release
test-release:  ## The tests of the library without sanitizers only
	@scripts/bootstrap test
	@scripts/test release

.PHONY: test-asan
test-asan:  ## The tests of the library under AddressSanitizer and UndefinedBehaviorSanitizer only
	@scripts/bootstrap test
	@scripts/test asan

.PHONY: test-tsan
test-tsan:  ## The tests of the library under ThreadSanitizer only
	@scripts/bootstrap test
	@scripts/test tsan

.PHONY: test-python
test-python:  ## The tests of the Python package only
	@scripts/bootstrap test
	@scripts/test-python

.PHONY: test-python-asan
test-python-asan:  ## The same under AddressSanitizer and UndefinedBehaviorSanitizer
	@scripts/bootstrap test
	@scripts/test-python --asan

.PHONY: test-wheel
test-wheel:  ## The tests of the Python package from its wheel, with each interpreter from 3.11 on
	@scripts/bootstrap test
	@scripts/test-wheel --all

.PHONY: test-postgres-matrix
test-postgres-matrix:  ## The conformance suite on each version of Postgres, and through PgBouncer
	@scripts/bootstrap versions
	cmake --preset release
	cmake --build --preset release --target conformance_tests
	@PGQRS_BUILD_DIR=build/release scripts/test-postgres-matrix

.PHONY: lint
lint:  ## Check formatting, clang-tidy, shellcheck, and the types of the Python package
	@scripts/bootstrap lint
	@scripts/lint

.PHONY: format
format:  ## Format the C++ and Python files in place
	@scripts/bootstrap lint
	@scripts/lint --fix-format

.PHONY: release
release:  ## Build everything, optimized
	@scripts/bootstrap test
	cmake --preset release
	cmake --build --preset release

.PHONY: wheel
wheel:  ## Build the wheels of the Python package into build/wheels
	@scripts/bootstrap test
	@scripts/wheel

.PHONY: bench
bench: release  ## Run the benchmarks
	@PGQRS_BUILD_DIR=build/release scripts/bench

.PHONY: bench-check
bench-check: release  ## A short run that fails where a ratio to the limit programs fell
	@scripts/bench-check

.PHONY: bench-peers
bench-peers:  ## Compare pgqrs with other queues, which are installed into the user's cache
	@scripts/bootstrap test
	@scripts/bench-peers

.PHONY: bench-python
bench-python:  ## Compare the Python package with C++ and with the existing package
	@scripts/bootstrap test
	@scripts/bench-python

.PHONY: soak
soak: release  ## Run the long stress test
	@PGQRS_BUILD_DIR=build/release scripts/soak

.PHONY: install
install:  ## Install the library under PREFIX=/usr/local
	@scripts/bootstrap $(if $(filter ON,$(TURSO)),turso,library)
	cmake --preset library -DCMAKE_INSTALL_PREFIX="$(PREFIX)" -DPGQRS_WITH_TURSO=$(TURSO)
	cmake --build --preset library
	cmake --install build/library

.PHONY: clean
clean:  ## Remove everything that was built
	rm -rf build
