# Two commands do everything on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# A virtual environment that is made, or made anew, has the newest versions.
NEWEST = --upgrade --upgrade-strategy eager
# What depends on other projects and is quick: of the kernel's tests two.
QUICK = tests/unit --ignore tests/unit/test_artifacts.py -k "not test_execute or in_jupyter or kept_within"

.PHONY: help demo test test-all lint bench bench-drift clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/installed ## build examples/kmeans and serve it on port 8080
	.venv/bin/nachlass serve examples/kmeans

test: .venv/test-installed ## run the tests; what cannot run here is listed at the end
	.venv/bin/python -m pytest -n 2 --dist worksteal

test-all: .venv/test-installed .venv/lowest/installed ## as test, with nothing skipped, then with the oldest versions
	.ci/system-packages
	NACHLASS_TEST_ALL=1 .venv/bin/python -m pytest -n 2 --dist worksteal
	.venv/lowest/bin/python -m pytest -n 2 --dist worksteal $(QUICK)

lint: .venv/lint-installed ## ruff, mypy and shellcheck
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy --exclude in_kernel builder service
	.venv/bin/mypy builder/nachlass_builder/in_kernel
	.venv/bin/shellcheck .ci/run .ci/system-packages s2i/install-packages s2i/bin/*

bench: .venv/test-installed ## measure builds, a service under load, alone and beside others, and drift
	.venv/bin/python tests/bench/build_steps.py
	.venv/bin/python tests/bench/load.py
	.venv/bin/python tests/bench/compare.py
	.venv/bin/python tests/bench/batches.py
	.venv/bin/python tests/bench/drift_cost.py
	.venv/bin/python tests/bench/drift_power.py

bench-drift: .venv/frouros/installed ## compare our drift statistics with those of frouros, a library
	PYTHONPATH=service .venv/frouros/bin/python tests/bench/drift_library.py

clean: ## remove the virtual environment and caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache

.venv/installed: pyproject.toml service/pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --upgrade pip
	.venv/bin/pip install --quiet $(NEWEST) --editable .
	touch $@

.venv/test-installed: .venv/installed
	.venv/bin/pip install --quiet $(NEWEST) --group test --editable service
	touch $@

.venv/lowest/installed: .venv/installed
	$(PYTHON) -m venv --clear .venv/lowest
	.venv/bin/python tests/install_lowest.py .venv/lowest/bin/python
	touch $@

.venv/frouros/installed: .venv/installed
	$(PYTHON) -m venv .venv/frouros
	.venv/frouros/bin/pip install --quiet frouros
	touch $@

.venv/lint-installed: .venv/test-installed
	.venv/bin/pip install --quiet --group lint
	touch $@
