# Each target creates .venv when it is missing; nothing else needs to be installed by hand.
PYTHON ?= python3
VENV   := .venv
RUN    := $(VENV)/bin/python -m
PATH   := $(CURDIR)/$(VENV)/bin:$(PATH)
LIVE   := _build/live
export PATH

.PHONY: help book pdf live bench counts test quick axe lint format hooks clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 10

$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(VENV)/bin/pip || $(PYTHON) -m venv $(VENV)
	$(RUN) pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

book: $(VENV)/installed ## the site: _build/html/index.html
	jupyter-book build .

pdf: $(VENV)/installed ## the same as a PDF: _build/latex/convbook.pdf (needs TeX Live)
	$(RUN) book.builder.tex
	jupyter-book build . --builder pdflatex

live: $(VENV)/installed ## train every chapter from nothing, small and now: _build/live/_build/html/index.html
	rm -rf $(LIVE)
	CONVBOOK_PROFILE=live CONVBOOK_RUNS="$(CURDIR)/$(LIVE)/published" CONVBOOK_CACHE="$(CURDIR)/$(LIVE)/cache" \
		jupyter-book build . --path-output $(LIVE)

bench: $(VENV)/installed ## our speed against Keras' and a tutorial's, of our builds and counts: over an hour
	$(RUN) pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,bench]'
	$(RUN) book.benchmark
	$(RUN) book.benchmark.builds --cache
	$(RUN) book.benchmark.counting

counts: $(VENV)/installed ## what other tools count of networks: book/architectures/tool_counts.json
	$(RUN) pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,bench]'
	$(RUN) book.architectures.tool_counts

test: $(VENV)/installed lint ## everything that must hold
	$(RUN) pytest -n 2 --dist loadfile

quick: $(VENV)/installed ## the tests that take seconds
	$(RUN) pytest -m 'not slow' -n 2 --dist loadfile

axe: ## what judges the pages' accessibility in make test (needs npm)
	npm install --no-save --no-package-lock axe-core@4

lint: $(VENV)/installed ## style and types
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy

format: $(VENV)/installed ## put the code in order
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

hooks: $(VENV)/installed ## check each commit before it is made
	pre-commit install

clean: ## everything that was built; not .venv, not the user's own records
	rm -rf _build
