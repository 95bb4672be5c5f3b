# Every target works from a fresh clone: it sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
STORE ?= stores/embedded

.PHONY: demo reproduce test test-ray quick check fix mutate audit sbom serve bench clean lock install

install: $(READY)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; point PYTHON at one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $(READY)

# Trains into stores/embedded and runs/, and leaves pictures to ask about; what is there is kept.
demo: $(READY)
	$(BIN)/python -m demo

# A demonstration with what is embedded; docs/reproduction.md has the commands for the paper's data.
reproduce: $(READY)
	$(BIN)/dvpt-reproduce table1 --tasks dsprites_loc --methods linear,vpt,dvpt \
	  --backbone vit_dvpt_patch8_64.formula --epochs 6 --seeds 1 \
	  --grid-lr 0.01,0.03 --grid-weight-decay 0.0001 --runs runs/reproduce-demo --out reproduction/demo

# Unit tests side by side with their coverage, then real servers and processes one after the other.
test: $(READY)
	$(BIN)/python -m pytest tests/unit tests/golden -n 2 --cov
	$(BIN)/python -m pytest tests/integration

# What needs Ray, in an environment that has it: a deployment of replicas. The single process's integration tests run
# against a deployment with RAY_TESTS='--ray tests/integration -rs', for an hour or less.
RAY_VENV := .venv-ray
RAY_TESTS ?= tests/integration/test_ray.py tests/unit/service/ray tests/unit/service/test_ray_app.py

test-ray: $(RAY_VENV)/.installed
	$(RAY_VENV)/bin/python -m pytest $(RAY_TESTS)

$(RAY_VENV)/.installed: requirements.lock docker/ray.lock pyproject.toml
	test -x $(RAY_VENV)/bin/python || $(PYTHON) -m venv $(RAY_VENV)
	$(RAY_VENV)/bin/python -m pip install --quiet --require-hashes -r requirements.lock
	$(RAY_VENV)/bin/python -m pip install --quiet --require-hashes -r docker/ray.lock
	$(RAY_VENV)/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $(RAY_VENV)/.installed

# While writing: the unit tests that take less than about a second each.
quick: $(READY)
	$(BIN)/python -m pytest tests/unit -n 2 -m "not slow"

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/unit/test_packaging.py

fix: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Takes an hour or more, and goes on where it stopped; rm -r mutants begins anew. What lives is listed at the end.
mutate: $(READY)
	$(BIN)/mutmut run
	$(BIN)/mutmut results

# Known faults of what is locked; asks a database over the network.
audit: $(READY)
	$(BIN)/uv tool run --from pip-audit pip-audit --requirement requirements.lock --require-hashes --disable-pip

# What is in an installation, as CycloneDX.
sbom: $(READY)
	$(BIN)/uv tool run --from cyclonedx-bom cyclonedx-py requirements requirements.lock --output-file sbom.cdx.json

# Serves what `make demo` or `dvpt-train` published there; where there is no store yet, an empty one is made.
serve: $(READY)
	$(BIN)/dvpt-serve --store $(STORE) --backbone vit_dvpt_patch8_64.formula

bench: $(READY)
	$(BIN)/python -m benchmarks.short

# With extras, or pip would look at newer versions for them.
# The locks name no index: pip takes the one that its user has set up. The images' locks are parts of the whole one.
COMPILE := $(BIN)/uv pip compile --quiet --universal --no-strip-extras --generate-hashes --python-version 3.11 \
  --no-emit-index-url --no-annotate --custom-compile-command "make lock"

lock: $(READY)
	$(COMPILE) pyproject.toml --extra service --extra training --extra parquet --extra datasets --extra client --extra onnx \
	  --extra dev -o requirements.lock
	printf 'torch\ntorchvision\n' | $(COMPILE) - --constraint requirements.lock -o docker/torch.lock
	$(COMPILE) pyproject.toml --constraint requirements.lock --extra service -o docker/service.lock
	$(COMPILE) pyproject.toml --constraint requirements.lock --extra training -o docker/training.lock
	$(COMPILE) pyproject.toml --constraint requirements.lock --extra service --extra ray -o docker/ray.lock
	$(COMPILE) pyproject.toml --constraint requirements.lock --extra service --extra peers -o benchmarks/peers.lock

clean:
	rm -rf $(VENV) $(RAY_VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache \
	  .coverage mutants
