# One command per task. `make demo` and `make test` set up everything they need.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
ARGS   ?=
PULUMI_VERSION := 3.256.0

.DEFAULT_GOAL := help
.PHONY: help setup demo local serve bench test lint types check lock engine policy clean

help:
	@echo "make demo    deploy the three services locally, break them, explain the 504, mend it   (ARGS=\"--document FILE --json FILE\")"
	@echo "make local   bring the same environment up until Ctrl-C                               (ARGS=\"--port N\")"
	@echo "make serve   run the service template alone, settings by environment               (PORT=8080)"
	@echo "make bench   measure what tracing costs, against no tracing and the usual ways    (ARGS=\"--quick\")"
	@echo "make test    run all the tests                                                        (ARGS=\"-k name\")"
	@echo "make check   lint and types"
	@echo "make engine  build the Pulumi CLI from its Go module into .tools/bin (needs Go)"
	@echo "make policy  install what the policy pack (infra/policy) runs in into .tools/policy"
	@echo "make lock    resolve requirements/*.in again into the hashed lock files (needs uv)"
	@echo "make clean   remove what the above made: .venv, .localcloud, .tools"

setup: $(STAMP)

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "$(PYTHON) is Python %d.%d; 3.11 or newer is needed: make PYTHON=python3.11 ..." % v[:2])'
	@echo "Installing the pinned packages into $(VENV) (once; about half a minute) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	@$(BIN)/blueprint demo $(ARGS)

local: setup
	@$(BIN)/blueprint local $(ARGS)

serve: setup
	@$(BIN)/python -m app

bench: setup
	@$(BIN)/python -m bench $(ARGS)

test: setup
	@$(BIN)/python -m pytest $(ARGS)

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup
	@$(BIN)/mypy

check: lint types

engine: .tools/bin/pulumi

.tools/bin/pulumi: tools/pulumi/go.mod tools/pulumi/go.sum
	@command -v go >/dev/null || { echo "make engine needs Go (1.25 or newer) on PATH; without it, demo and local run with the embedded engine."; exit 1; }
	@echo "Building the Pulumi CLI $(PULUMI_VERSION) from its Go module (once; about three minutes) ..."
	@mkdir -p .tools/bin
	@cd tools/pulumi && go build -buildvcs=false -ldflags "-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=$(PULUMI_VERSION)" \
		-o ../../.tools/bin/pulumi github.com/pulumi/pulumi/pkg/v3/cmd/pulumi
	@touch $@
	@.tools/bin/pulumi version

lock:
	@cd requirements && uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o dev.txt dev.in
	@cd requirements && for f in app infra build; do \
		uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -c dev.txt -o $$f.txt $$f.in; done
	@cd infra/policy && uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements.txt requirements.in

policy: .tools/policy/.installed

# An environment of its own: pulumi-policy pins an older protobuf than the rest.
.tools/policy/.installed: infra/policy/requirements.txt
	@$(PYTHON) -m venv .tools/policy
	@.tools/policy/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r infra/policy/requirements.txt
	@touch $@

clean:
	rm -rf $(VENV) .localcloud .tools .pytest_cache .mypy_cache .ruff_cache *.egg-info
