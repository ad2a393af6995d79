# The book and its tests. Everything is made below build/ and .venv/; `make help` lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
SPHINX := $(BIN)/sphinx-build -c . -d build/doctrees -W --keep-going -n
LATEX_PACKAGES := latexmk texlive-luatex texlive-latex-extra fonts-texgyre fonts-texgyre-math fonts-dejavu-core fonts-dejavu-extra

.PHONY: help html pdf test serve clean print-latex-packages

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## /make \1\t/'

html: $(VENV)/made  ## execute every page and write the site to build/html
	$(SPHINX) -b html book build/html

pdf: $(VENV)/made  ## typeset build/pdf/rnnbook.pdf (needs LaTeX)
	@command -v latexmk >/dev/null && command -v lualatex >/dev/null || \
		{ echo "make pdf needs LaTeX: apt-get install $(LATEX_PACKAGES)" >&2; exit 1; }
	rm -rf build/latex
	$(SPHINX) -b latex book build/latex
	$(MAKE) -C build/latex all-pdf >build/latex/make.log 2>&1 || { tail -40 build/latex/make.log >&2; exit 1; }
	@! grep -nE '^(Overfull \\hbox|LaTeX Warning: (Reference|Citation|There were undefined)|Missing character)' build/latex/rnnbook.log
	mkdir -p build/pdf && cp build/latex/rnnbook.pdf build/pdf/rnnbook.pdf

print-latex-packages:
	@echo $(LATEX_PACKAGES)

test: $(VENV)/made  ## run every test: the package's, its examples, and the book's
	$(BIN)/pytest
	@echo "How sharp is the checker: every true equation of the book, changed in every way that people get wrong"
	@$(BIN)/rnnbook check --mutate book | tail -n 1

serve: $(VENV)/made  ## rebuild and reload while one writes
	$(BIN)/sphinx-autobuild -c . -d build/doctrees --watch rnnbook --open-browser book build/html

clean:  ## remove everything that was made, but the environment
	rm -rf build

# uv where it is there, for its speed; pip otherwise. constraints.txt has the versions that are known to work together.
$(VENV)/made: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	if command -v uv >/dev/null; then uv pip install -q --python $(BIN)/python -c constraints.txt -e '.[book,test]'; \
	else $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[book,test]'; fi
	touch $@
