# Everything Maskflow needs is installed into .venv, from requirements.txt (exact versions, with hashes).
VENV := .venv
PYTHON := $(VENV)/bin/python
UV := $(VENV)/bin/uv
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1
# Compiled once, read at each start of a command or worker: where this is set, each start costs seconds more.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo serve test check docs install lock

demo: install            ## Render clips, track them, score them: results in demo/; with a SAM 2: make demo ARGS=--sam2
	$(VENV)/bin/maskflow demo $(ARGS)

serve: install           ## Prefect server, deployments and a worker: UI at http://127.0.0.1:4200, Ctrl-C ends it
	exec $(VENV)/bin/maskflow serve

test: install            ## The whole test suite
	$(PYTHON) -m pytest -n 2 --dist worksteal --durations=25

check: install           ## Format, lint, types, quick tests
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(PYTHON) -m pytest -n 2 --dist worksteal -m "not slow"

docs: install            ## The documentation, into site/
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=. $(VENV)/bin/mkdocs build --strict --quiet

install: $(VENV)/.installed

# sam2 is built from source against the torch just installed: without its CUDA extension, which it can do without.
$(VENV)/.installed: requirements.txt pyproject.toml
	python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Maskflow needs Python 3.11 or newer")'
	test -x $(PYTHON) || python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check uv==0.13.8 setuptools wheel
	SAM2_BUILD_CUDA=0 $(UV) pip install --quiet --compile-bytecode --python $(PYTHON) --require-hashes \
		--no-build-isolation-package sam2 --requirement requirements.txt
	$(UV) pip install --quiet --python $(PYTHON) --no-deps --no-build-isolation --editable .
	touch $@

lock: install            ## Renew requirements.txt after a change of pyproject.toml
	$(UV) pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet --output-file requirements.txt
