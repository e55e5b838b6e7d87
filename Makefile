# Five words: demo, test, check, fix, serve; and bench for numbers.
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

.PHONY: demo test test-long check audit fix serve bench install clean

# The type checker knows no mapped packages: it gets links.
$(INSTALLED): pyproject.toml setup.py constraints.txt
	python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	mkdir -p $(VENV)/typed/espalier
	for folder in models search storage app; do ln -sfn $(CURDIR)/$$folder $(VENV)/typed/espalier/$$folder; done
	touch $@

install: $(INSTALLED)

demo: $(INSTALLED)
	$(BIN)/espalier demo

test: $(INSTALLED)
	$(BIN)/pytest -m "not long and not alone" --numprocesses auto --maxprocesses 4 --dist worksteal
	$(BIN)/pytest -m "alone and not long"

test-long: $(INSTALLED)
	$(BIN)/pytest -m long --timeout 1200

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Not a part of `check`, which needs no internet: known vulnerabilities are looked up there.
audit: $(INSTALLED)
	mkdir -p build
	$(BIN)/cyclonedx-py environment $(VENV) --of JSON -o build/sbom.json
	$(BIN)/pip-audit --path $$($(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")

fix: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

serve: $(INSTALLED)
	$(BIN)/espalier serve

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) build *.egg-info
