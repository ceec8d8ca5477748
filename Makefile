# Two commands on a fresh machine with Python 3.11 or later and make: `make experiments`, `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.PHONY: experiments test check constraints clean

experiments: $(VENV)/core  ## Run every experiment; the report is results/index.html.
	$(BIN)/python -m experiments

test: $(VENV)/full  ## Run the tests, but for those of `check`.
	$(BIN)/python -m pytest -m "not thorough"

check: $(VENV)/full  ## Style, types and the thorough tests: what else must hold before a change lands.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -m thorough

$(VENV)/core: pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (once; a minute or two) ..." >&2
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) .
	@touch $@

$(VENV)/full: $(VENV)/core
	$(INSTALL) ".[data,test,dev]"
	@touch $@

constraints:  ## Pin again; needs uv.
	uv pip compile --universal --python-version 3.11 --extra data --extra parquet --extra test --extra dev \
		--no-annotate --no-header --upgrade --quiet pyproject.toml --output-file constraints.txt

clean:
	rm -rf $(VENV) results build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
