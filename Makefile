# Everything a newcomer needs. `make demo` and `make test` work on a fresh machine with Python, git and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
VENDORS := .peers/vendors
CLIENTS := clients/node_modules/.package-lock.json
NODE   := PATH="$$PATH:$(abspath $(BIN))"

.PHONY: demo test check clients fix bench bench-peers test-peers wheels clean

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Antiphon needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Set PYTHON=/path/to/python3.11.") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV) || { echo "Python has no venv module here: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[all]" --group dev
	touch $@

demo: $(READY)            ## a spoken conversation with the local models, printed and written as a wav
	$(BIN)/antiphon demo

test: $(READY) $(CLIENTS) ## every test, the real models and browsers included
	tools/system-packages
	$(BIN)/python -m pytest

check: $(READY) clients   ## format, lint, types, layers, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/pyright --project tools/pyright-elsewhere.json --pythonplatform Darwin
	$(BIN)/pyright --project tools/pyright-elsewhere.json --pythonplatform Windows
	$(BIN)/python -m pytest tests/unit/test_layers.py tests/unit/test_docs.py

clients: $(CLIENTS)       ## the JavaScript clients and the page: built, typed, tested, compared with what is committed
	cd clients && $(NODE) npm test

$(CLIENTS): clients/package-lock.json | $(READY)
	cd clients && $(NODE) npm ci --ignore-scripts --no-fund --no-audit

fix: $(READY)             ## what the formatter and the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)           ## our benchmarks, each beside its target
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.voice_to_voice
	$(BIN)/python -m benchmarks.barge_in
	$(BIN)/python -m benchmarks.overlaps
	$(BIN)/python -m benchmarks.turns
	$(BIN)/python -m benchmarks.phone
	$(BIN)/python -m benchmarks.webrtc
	$(BIN)/python -m benchmarks.workers
	$(BIN)/python -m benchmarks.cleaning
	$(BIN)/python -m benchmarks.local_dialogue
	$(BIN)/python -m benchmarks.vendor_overhead
	$(BIN)/python -m benchmarks.race
	$(BIN)/python -m benchmarks.realtime

bench-peers: $(READY)     ## the same work on the peers, side by side
	$(BIN)/python -m benchmarks --peers
	$(BIN)/python -m benchmarks.voice_to_voice --peers

test-peers: $(VENDORS)/.ready  ## vendors' own clients against our servers on loopback; needs a package index
	$(VENDORS)/bin/python -m pytest -p no:cacheprovider -W ignore tests/peers

$(VENDORS)/.ready: tests/peers/requirements.txt pyproject.toml | $(READY)
	$(BIN)/python -m venv $(VENDORS)
	$(VENDORS)/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"
	$(VENDORS)/bin/uv pip install --quiet --python $(VENDORS)/bin/python \
		--editable ".[services]" --requirement tests/peers/requirements.txt
	touch $@

wheels: $(READY)         ## whether every extra installs from wheels on Linux, macOS and Windows
	$(BIN)/python -m pip install --quiet "uv>=0.9"
	$(BIN)/python tools/wheels.py

clean:
	rm -rf $(VENV) .peers build dist .pytest_cache .ruff_cache
