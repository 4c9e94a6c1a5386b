.DEFAULT_GOAL := help
.PHONY: help setup demo demo-stop test soak lint types format proto proto-check schemas lock bench interop clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROTOS := $(wildcard proto/comity/v1/*.proto)
KEEP ?=
INTEROP := .interop
COSIGN := v3.1.3

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## Create the virtual environment with locked, hashed dependencies

$(VENV)/.installed: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Comity needs Python 3.11 or newer: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "Installing dependencies into $(VENV) (once)…"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## Run eleven institutes on this machine and show what each person sees (KEEP=1 leaves them up)
	@$(BIN)/python -m demo run $(if $(KEEP),--keep)

demo-stop: setup ## Stop a network that make demo KEEP=1 left up
	@$(BIN)/python -m demo stop

test: setup ## Run the whole test suite on every core
	@$(BIN)/python -m pytest -n auto --dist worksteal

lint: setup ## Check style, types, import direction and generated code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory proto-check

format: setup ## Format the code
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format .

proto: setup ## Regenerate the code for the wire from proto/comity/v1
	$(BIN)/python -m grpc_tools.protoc -Iproto --plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy \
	  --plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc \
	  --python_out=proto --grpc_python_out=proto --mypy_out=proto --mypy_grpc_out=proto $(PROTOS)

proto-check: proto ## Fail if the committed generated code is not what the protos give
	@git diff --exit-code --stat -- proto/comity/v1 || \
	  { echo "generated code differs: run make proto and commit" >&2; exit 1; }
	@test -z "$$(git ls-files --others --exclude-standard proto/comity/v1)" || \
	  { echo "generated code is not committed: git add proto/comity/v1" >&2; exit 1; }

schemas: setup ## Export the JSON Schemas of drafts and sections
	$(BIN)/python -m comity.client.drafts.schemas schemas

lock: setup ## Resolve the dependencies anew into requirements/
	$(BIN)/pip-compile --quiet --upgrade --strip-extras --allow-unsafe --generate-hashes --no-header \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
	  --output-file requirements/runtime.txt pyproject.toml
	$(BIN)/pip-compile --quiet --upgrade --strip-extras --allow-unsafe --generate-hashes --no-header \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
	  --extra dev --constraint requirements/runtime.txt --output-file requirements/dev.txt pyproject.toml
	$(BIN)/pip-compile --quiet --upgrade --strip-extras --allow-unsafe --generate-hashes --no-header \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
	  --extra soak --constraint requirements/dev.txt --output-file requirements/soak.txt pyproject.toml

SOAK_SECONDS ?= 450
PARSERS := envelope ijson note tlog_proof tile add_checkpoint bundle root

soak: setup ## Run what takes too long for the suite: each parser is fuzzed for SOAK_SECONDS
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/soak.txt
	@for parser in $(PARSERS); do \
	  echo "fuzzing $$parser for $(SOAK_SECONDS) s" && \
	  $(BIN)/python -m tests.soak.fuzz $$parser $(SOAK_SECONDS) || exit 1; \
	done
	@echo "losing and recovering databases for $(SOAK_SECONDS) s"
	@$(BIN)/python -m tests.soak.lost_entries $(SOAK_SECONDS)

bench: setup ## Measure intake and replication as ratios to the signature floor
	@$(BIN)/python -m tests.bench

interop: setup $(INTEROP)/.installed ## Show our evidence to cosign, sigstore, sumdb, torchwood, litewitness
	@$(BIN)/python -m interop

$(INTEROP)/.installed: interop/go.mod interop/go.sum interop/main.go interop/package-lock.json Makefile
	@for tool in go npm node openssl ssh-agent; do command -v $$tool >/dev/null || \
	  { echo "make interop needs $$tool" >&2; exit 1; }; done
	@echo "Building the tools into $(INTEROP) (once; cosign takes minutes)…"
	@GOBIN=$(CURDIR)/$(INTEROP)/bin go install github.com/sigstore/cosign/v3/cmd/cosign@$(COSIGN)
	@cd interop && go build -o $(CURDIR)/$(INTEROP)/bin/check .
	@cd interop && go build -o $(CURDIR)/$(INTEROP)/bin/ filippo.io/torchwood/cmd/litewitness
	@npm ci --prefix interop --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@

clean: ## Remove everything that was built, installed or left by a demo
	rm -rf $(VENV) $(INTEROP) interop/node_modules .demo dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
