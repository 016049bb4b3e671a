UV := $(shell command -v uv || echo .tools/bin/uv)
UV_VERSION := uv>=0.13,<0.14

.PHONY: bench chaos demo docs proof screenshots test unit check sync wheels

demo: sync
	$(UV) run --frozen bskernel run examples/digits/build.toml
	@$(UV) run --frozen --no-sync bskernel report examples/digits/build/digits

bench: sync
	$(UV) sync --frozen --quiet --group bench --compile-bytecode
	$(UV) run --frozen --no-sync python benchmarks/run.py $(BENCH)

# The documentation as a site, in build/site/html. A wrong link, anchor or page is an error.
docs: sync
	$(UV) run --frozen python docs/site/build.py

# The pictures of docs/images, from real runs.
screenshots: sync
	$(UV) run --frozen python docs/site/screenshots.py

# An installation without a checkout: uv tool install --find-links dist bskernel
wheels: $(filter .tools/bin/uv,$(UV))
	for member in protocol kernel executors images; do $(UV) build --quiet --wheel --out-dir dist $$member || exit 1; done

# CHAOS are options, e.g. make chaos CHAOS="--hours 3 --seed 7 --kinds kills,power --report chaos.json"
chaos: sync
	PYTHONPATH=tests $(UV) run --frozen python -m chaos $(CHAOS)

# ARGS go to pytest, e.g. make test ARGS="-k scheduler"
test: check
	$(UV) run --frozen pytest $(PROCESSES) $(ARGS)

# Wide searches, too long for each change: every layer of the open flow over shapes, folding, data types and stalls.
proof: sync
	$(UV) run --frozen pytest -m proof $(ARGS)

# Without an engine, a browser, or an executor's environment, and with fewer examples of each property.
unit: sync
	BSKERNEL_QUICK=1 $(UV) run --frozen pytest $(PROCESSES) -m "not env and not container and not browser" $(UNIT) $(ARGS)

# A module's tests share what they built, so one process runs them all; modules start in the order of tests/conftest.py.
PROCESSES := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
UNIT := tests/project tests/protocol tests/kernel tests/executors

check: sync
	$(UV) run --frozen ruff check .
	$(UV) run --frozen ruff format --check .
	$(UV) run --frozen mypy
	$(UV) run --frozen lint-imports

sync: $(filter .tools/bin/uv,$(UV))
	$(UV) sync --frozen --quiet --compile-bytecode
	$(UV) run --frozen python -m compileall -q kernel protocol

.tools/bin/uv:
	python3 -m venv .tools
	.tools/bin/pip install --quiet '$(UV_VERSION)'
