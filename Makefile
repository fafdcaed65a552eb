# Everything a person or CI does here. `make help` lists it.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# a file's tests in one process: they share what takes long to set up; in the order of tests/conftest.py
PARALLEL := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup sweep test test-fast test-kill test-more test-families test-commands faults soak lint type backbones reference ui dashboard stores audit bench bench-quick bench-engine clean ci

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[dev]'
	$(BIN)/python -m compileall -q -j 0 .venv/lib || true  # on all cores; some packages ship what does not compile
	@touch $@

setup: $(READY)  ## Create .venv with the exact versions of constraints.txt

sweep: $(READY)  ## Sweep the embedded recipe digits_lite0 (minutes, no download beyond packages)
	$(BIN)/python -m sweeper +experiment=digits_lite0 -m

test: $(READY)  ## Run all tests
	$(BIN)/python -m pytest $(PARALLEL) -m "not families and not kill and not more and not faults"

test-fast: $(READY)  ## Run the tests that take seconds
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow and not families and not kill and not more and not faults"

test-more: $(READY)  ## Run further members of what `make test` tries (an hour)
	$(BIN)/python -m pytest $(PARALLEL) -m more

test-families: $(READY)  ## Build, cut and train every network of keras.applications (5 minutes, 3 GB)
	$(BIN)/python -m pytest -m families

test-kill: $(READY)  ## Kill real sweeps and a refit at ten random moments, and see that all ends well (14 minutes)
	SWEEPER_KILLS=10 $(BIN)/python -m pytest -o timeout=7200 tests/test_resume_runs.py tests/search/test_resume.py tests/search/test_controllers.py tests/test_winner_used.py::test_while_refits_are_killed_the_champion_answers

test-commands: $(READY)  ## Try 10,000 generated command lines, recipes and settings (an hour)
	SWEEPER_COMMANDS=5000 $(BIN)/python -m pytest -n 2 -o timeout=14400 tests/test_generated_commands.py

faults: $(READY)  ## Cause every fault of docs/reliability.md and write its tables (half an hour)
	SWEEPER_WRITE_RELIABILITY=1 $(BIN)/python -m pytest -n 4 --dist loadfile -m faults tests/faults

soak: $(READY)  ## Kill 1,000 times at random, at most for SWEEPER_SOAK_SECONDS (2 hours), and check the studies
	PYTHONPATH=tests $(BIN)/python tests/faults/soak.py

lint: $(READY)  ## Check style, formatting and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

type: $(READY)  ## Check types
	$(BIN)/mypy

backbones: $(READY)  ## Print the table of docs/backbones.md from the networks themselves
	$(BIN)/sweeper backbones --parameters

reference: $(READY)  ## Write docs/reference.md from the schema of the recipe and of hydra.sweeper
	$(BIN)/python docs/make_reference.py

ui: $(READY)  ## Open the MLflow UI on http://127.0.0.1:5000
	$(BIN)/mlflow ui --host 127.0.0.1 --port 5000 --backend-store-uri sqlite:///mlruns/mlflow.db

dashboard: $(READY)  ## Open optuna-dashboard on the studies, at http://127.0.0.1:8080
	$(BIN)/python -m sweeper dashboard

bench: $(READY)  ## Measure sweeps beside a tutorial script, KerasTuner and plain fit (39 minutes)
	$(BIN)/python experiments/peers/measure.py

bench-quick: $(READY)  ## Three rows of it, once each (7 minutes)
	$(BIN)/python experiments/peers/measure.py --quick

bench-engine: $(READY)  ## Measure the search engine beside Optuna and hydra-optuna-sweeper (20 minutes)
	$(BIN)/python experiments/engine/slots.py
	$(BIN)/python experiments/engine/overhead.py

stores: $(READY)  ## Start PostgreSQL, MLflow on it and a store like S3 here, until Ctrl-C; for trying
	@$(BIN)/python tests/stores.py

audit: $(READY)  ## Look up known faults of the pinned packages (needs the internet)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check pip-audit
	$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip

clean:  ## Remove caches and builds; runs and studies stay
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find sweeper hydra_plugins tests -name __pycache__ -type d -exec rm -rf {} +

ci: $(READY)  ## What CI runs: lint, type and test; the tests leave half a core to the others
	$(MAKE) --jobs=2 checks test

.PHONY: checks
checks: lint type
