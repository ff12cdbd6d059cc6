# make demo       train a detector on drawn road scenes (installs first)
# make test       everything that must hold, fast (installs first)
# make test-slow  trainings, processes, many seeds, in shortened form
# make lint       ruff, mypy, import-linter

PYTHON ?= python3
PIP_OPTIONS ?=
BIN := .venv/bin

# A test process per core; threads that wait do not spin, since trainings share their core with workers.
test test-slow: export OMP_WAIT_POLICY = PASSIVE
test: export OMP_NUM_THREADS = 1

.PHONY: demo test test-slow lint clean

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'error: detaug needs Python 3.11 or newer, this is ' + sys.version.split()[0])"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet $(PIP_OPTIONS) --constraint constraints.txt --editable ".[dev]"
	$(BIN)/python -c "import torchvision" || (echo "error: this torchvision does not fit this torch; install the pair that constraints.txt names" >&2; exit 1)
	touch .venv/ready

demo: .venv/ready
	$(BIN)/python train.py fit --config configs/quickstart.yaml

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest -m "not slow" --numprocesses auto --dist loadscope

test-slow: .venv/ready
	$(BIN)/python -m pytest -m slow --timeout=900

clean:
	rm -rf .venv build *.egg-info
