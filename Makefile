# Few verbs; `make help` lists them. Everything bootstraps .venv from requirements.lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

unexport PYTHONDONTWRITEBYTECODE  # every verb starts many processes, and each would compile our modules anew

.DEFAULT_GOAL := help
.PHONY: help venv demo test faults faults-long soak bench scale accuracy lint docs lock controlplane compiled clean

help: ## list the verbs
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

# Of these there are no wheels for musl (Alpine), and a lock cannot ask which C library there is: what needs them says so there.
NOT_ON_MUSL := cel-expr-python|pygraphviz
SOABI := import sysconfig; print(sysconfig.get_config_var("SOABI"))

$(READY): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@awk -v soabi="$$($(BIN)/python -c '$(SOABI)')" '/^[^ #]/ {left = soabi ~ /musl/ && /^($(NOT_ON_MUSL))==/} !left' requirements.lock >$(VENV)/requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

venv: $(READY) ## make the virtual environment

demo: $(READY) ## play the main job on the embedded sandbox (under 90 s)
	@$(BIN)/python -m cheops.demo

# Four on two cores: while two wait for a process, two compute (857 s, with three 915 s).
WORKERS ?= 4
CHOSEN := -m "not soak and not faults"
test: $(READY) ## pass the tests (with real control planes where they are built: make controlplane)
	@$(BIN)/python -m pytest -n $(WORKERS) --durations=15 $(CHOSEN) tests/e2e tests/accuracy tests/contract tests/flow tests/unit

soak: $(READY) ## what takes long: runs marked so, and properties tried on new examples
	@$(BIN)/python -m pytest -m soak tests
	@$(BIN)/python -m pytest --hypothesis-profile=new tests/unit

faults: $(READY) ## three sites on real control planes under every fault of docs/faults.md, a table last
	@$(BIN)/python -m tests.e2e.faults

faults-long: $(READY) ## the same with an hour's backlog and ten minutes of flapping (over two hours)
	@$(BIN)/python -m tests.e2e.faults --long

lint: $(READY) ## ruff, mypy --strict, import contracts, generated documents are current
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python docs/generate.py --check

SIZES ?= 10k,100k,1M
HISTORY ?= .bench.jsonl
bench: $(READY) ## measure speed and memory, figures last, plots into docs/performance.md (SIZES=10k,100k,1M)
	@$(BIN)/python -m tests.bench --sizes $(SIZES) --json $(HISTORY) --out docs/performance.md

scale: $(READY) ## measure a thousand sites in one process, into docs/scale.md (ten minutes)
	@$(BIN)/python -m tests.bench.scale --sites 10,100,1000 --out docs/scale.md

accuracy: $(READY) ## measure what the catalogue of relationships sees, figure last
	@$(BIN)/python -m tests.accuracy

docs: $(READY) ## generate JSON Schemas and the AsyncAPI document into docs/
	@$(BIN)/python docs/generate.py

controlplane: $(READY) ## build the real control planes once, into .controlplane/ (needs go)
	@$(BIN)/python -m deploy.controlplane.build

lock: ## pin requirements.lock again, and what of it an image needs (needs uv)
	@uv pip compile pyproject.toml --group dev --all-extras --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-annotate --no-header -o requirements.lock
	@uv pip compile pyproject.toml --extra sandbox --extra cel --universal --python-version 3.11 -c requirements.lock \
		--generate-hashes --no-emit-index-url --no-annotate --no-header -o deploy/image/requirements.lock

compiled: $(READY) ## compile the rooms that compute most (needs a C compiler; nothing needs it)
	@$(BIN)/python -m deploy.compiled.build

clean: ## remove what make made here
	@rm -rf $(VENV) .compiled .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
