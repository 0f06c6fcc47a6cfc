# Two commands do everything on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# The tests start thousands of Pythons: what these import is compiled once.
unexport PYTHONDONTWRITEBYTECODE
# .venv holds what a user installs and nothing else: the tests start its commands, and run elsewhere.
TEST = .venv/test/bin
INSTALL = PYTHONPATH=builder .venv/bin/python tests/install.py
OURS = --group test --editable . --editable service
QUICK = tests/unit -m "not starts_programs"
# Four on two cores: now and then one waits for Prometheus, an image or a time limit.
WORKERS = -n 4 --dist worksteal

.PHONY: help demo test test-all test-lowest test-unit coverage mutate lint docs links bench soak fuzz bench-drift dist clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/installed ## build examples/kmeans and serve it on port 8080
	.venv/bin/nachlass serve examples/kmeans

test: .venv/test/installed ## run the tests; what cannot run here is listed at the end
	$(TEST)/python -m pytest $(WORKERS)

test-lowest: .venv/test/installed .venv/lowest/installed ## run the unit tests and a build with the oldest versions
	.venv/lowest/bin/python -m pytest -n 2 tests/unit -m "not starts_programs or private_details"
	.venv/lowest/bin/nachlass build examples/kmeans -o .venv/lowest/bundle --force

test-all: .venv/test/installed .venv/lowest/installed ## as test, with nothing skipped, then with the oldest versions
	.ci/system-packages
	NACHLASS_TEST_ALL=1 $(TEST)/python -m pytest $(WORKERS)
	$(MAKE) test-lowest

test-unit: .venv/test/installed ## run the tests that start no kernel, no service and no build
	$(TEST)/python -m pytest -n 2 $(QUICK)

coverage: .venv/test/coverage-installed ## run the unit tests, and report the lines that they do not reach
	rm -rf .coverage && mkdir .coverage
	$(TEST)/coverage run -m pytest -n 2 tests/unit
	$(TEST)/coverage combine --quiet
	$(TEST)/coverage report

mutate: .venv/mutate/installed ## change what decides, and name what no unit test notices; MODULES="slim/decide ..."
	.venv/mutate/bin/python tests/mutate.py $(MODULES)

lint: .venv/test/lint-installed ## ruff, import-linter, mypy, shellcheck, zizmor and a list of phrases
	$(TEST)/ruff check .
	$(TEST)/ruff format --check .
	$(TEST)/lint-imports --no-logo --no-cache
	$(TEST)/mypy --exclude in_kernel builder service
	$(TEST)/mypy builder/nachlass_builder/execution/in_kernel
	$(TEST)/python tests/forbidden_words.py
	$(TEST)/shellcheck .ci/run .ci/system-packages s2i/install-packages s2i/bin/*
	$(TEST)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(TEST)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[bf]*.yml
	$(TEST)/zizmor --offline --quiet --config .github/zizmor.yml .github

docs: .venv/docs/installed ## build the documentation site; warnings and dead links are errors
	command -v dot >/dev/null || { echo "dot is missing: install graphviz" >&2; exit 1; }
	.venv/docs/bin/sphinx-build --fresh-env --nitpicky --fail-on-warning --keep-going --quiet docs .venv/docs/site
	@echo ".venv/docs/site/index.html"

links: .venv/docs/installed ## check the links of the documentation to other sites
	.venv/docs/bin/sphinx-build --builder linkcheck --quiet docs .venv/docs/links

bench: .venv/test/installed ## measure builds, a service under load, alone and beside others, and drift
	$(TEST)/python tests/bench/build_steps.py
	$(TEST)/python tests/bench/load.py
	$(TEST)/python tests/bench/compare.py
	$(TEST)/python tests/bench/fixed_rates.py
	$(TEST)/python tests/bench/batches.py
	$(TEST)/python tests/bench/drift_cost.py
	$(TEST)/python tests/bench/drift_power.py

fuzz: .venv/test/installed ## fuzz a connection of the service for an hour
	FUZZ_SECONDS=3600 $(TEST)/python -m pytest -s tests/unit/service/http/test_fuzz.py

soak: .venv/test/installed ## ask a service for ten minutes while its workers are killed
	$(TEST)/python tests/bench/soak.py

bench-drift: .venv/frouros/installed ## compare our drift statistics with those of frouros, a library
	PYTHONPATH=service .venv/frouros/bin/python tests/bench/drift_library.py

dist: .venv/installed ## build the wheel and the source archive of both packages into dist/
	rm -rf dist
	.venv/bin/python -m hatchling build -d dist
	cd service && ../.venv/bin/python -m hatchling build -d ../dist

clean: ## remove the virtual environments and caches
	rm -rf .venv dist .coverage .hypothesis .mutants .mypy_cache .pytest_cache .ruff_cache

# What is made, or made again because a bound has changed, has the newest versions.
.venv/installed: pyproject.toml service/pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --upgrade uv
	$(INSTALL) .venv --upgrade --editable .
	touch $@

.venv/test/installed: .venv/installed
	$(PYTHON) -m venv --without-pip .venv/test
	$(INSTALL) .venv/test --upgrade $(OURS) --group api
	touch $@

.venv/test/lint-installed: .venv/test/installed
	$(INSTALL) .venv/test --upgrade --group lint
	touch $@

.venv/docs/installed: .venv/installed
	$(PYTHON) -m venv --without-pip .venv/docs
	$(INSTALL) .venv/docs --upgrade --group docs --editable . --editable service
	touch $@

.venv/test/coverage-installed: .venv/test/installed
	$(INSTALL) .venv/test --upgrade --group coverage
	touch $@

.venv/mutate/installed: .venv/installed
	$(PYTHON) -m venv --without-pip .venv/mutate
	$(INSTALL) .venv/mutate --upgrade --group mutate $(OURS)
	touch $@

.venv/lowest/installed: .venv/installed
	$(PYTHON) -m venv --clear --without-pip .venv/lowest
	$(INSTALL) .venv/lowest --resolution lowest-direct $(OURS)
	touch $@

.venv/frouros/installed: .venv/installed
	$(PYTHON) -m venv .venv/frouros
	.venv/frouros/bin/pip install --quiet frouros
	touch $@
