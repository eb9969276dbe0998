# Two commands do everything on a fresh machine with Python 3.11 or later and a C++ compiler:
#
#     make demo    a short study on the built-in corpus: samples, example edits, and what they were worth
#     make test    lint, types and all tests
#
# Both make .venv first. Where no sandbox holds (macOS; a Linux before 6.2 without bubblewrap) the first one says so; the example
# edits are ours and can run without one:
#
#     make demo UNSAFE=1

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 3
BIN = $(VENV)/bin
READY = $(VENV)/.ready

.PHONY: demo test install clean
.DELETE_ON_ERROR:

demo: install
	$(BIN)/autoresearch study optimize --study-name demo --trials 12 --budget 10 --editor replay:examples/edits.jsonl $(if $(UNSAFE),--unsafe)

test: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy benchmarks
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

install: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "autoresearch needs Python 3.11 or later, this is " + sys.version.split()[0] + "; try make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	sh install_torch.sh $(BIN)/python
	$(BIN)/python -m pip install -c constraints.txt -e '.[dev]'
	touch $(READY)

clean:
	rm -rf $(VENV)
