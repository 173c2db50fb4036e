# Everything from set-up to the report; `make` alone lists the targets.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# What `run` searches, and what `tensorboard`, `dashboard` and `report` look at.
EXPERIMENT ?= cnn_dropout
BUDGET ?= quick
STUDIES ?= studies
STUDY ?= $(STUDIES)/cnn_dropout_quick
# For the shell, whatever characters the name has.
export STUDY
REGRESSION := mlp_two_layers mlp_two_layers_no_stopping mlp_one_layer mlp_one_layer_no_stopping \
	mlp_depth mlp_xavier
CLASSIFICATION := fc_baseline fc_best cnn_baseline cnn_dropout cnn_l2 cnn_augmented \
	cnn_augmented_all cnn_best
BENCHMARKS := allocator denormals folds stacks small_cnns study optima sweeper fleet input image_folders cnn callbacks quick_study report wrapper honesty winners pruners replayed confirmed race_honesty nested
# Networks that each classification study trains and tests at its end, each with a seed of its own.
REFITS ?= 3
# Processes that share the test files; 0: all in this one, for a debugger.
TEST_WORKERS ?= 2
# Studies come before units by their folders' names, so that no long file is the last one.
IN_PARALLEL = -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder
LOWEST ?= .venv-lowest
# What is run under both flavours of Lightning.
OF_LOWEST := $(addprefix tests/unit/,callbacks composition data explain fitting jobs models \
	protocol results report stack storage strategies sweep) tests/study/test_own_module.py
OF_BOTH := tests/unit/models tests/unit/callbacks tests/unit/fitting tests/unit/jobs
# More overrides for `run` and `reference`, for example ARGS="trainer.accelerator=cpu".
ARGS ?=

# Touched when done: an installation is skipped until pyproject.toml changes, and the data are
# fetched once (every study checks them again, and says how to get them should they be gone).
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
FETCHED := $(VENV)/.data

# Where PYTHONDONTWRITEBYTECODE is set, as in many images, each process of a study would compile the
# package again, three seconds each.
COMPILE = $(BIN)/python -m compileall -q lightning_hpo hydra_plugins

# Debian's package of the data is a second way to get them, for root on Debian or Ubuntu.
MAY_INSTALL_DEBIANS := { command -v apt-get && test "$$(id -u)" = 0; } >/dev/null

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Two installations into one environment must not run at a time.
.NOTPARALLEL:
.PHONY: help install install-dev data run test test-lowest test-all tensorboard dashboard report \
	regression classification reference bench race gallery docs notebooks clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  Another Python: make PYTHON=python3.12 ...   Another study: make report STUDY=studies/NAME"
	@echo "  Another run: make run EXPERIMENT=fc_best BUDGET=standard ARGS=study.n_trials=20"

install: $(INSTALLED) ## Create the environment in .venv and install the package (editable)

install-dev: $(INSTALLED_DEV) ## The same with linters, tests and the dashboard

data: $(INSTALLED) ## Get Fashion-MNIST and check it: cache, Debian's package or download
	@if $(MAY_INSTALL_DEBIANS); then $(BIN)/python -m lightning_hpo.data.fashion_mnist --quiet \
		|| $(MAKE) --no-print-directory debian-data; \
		else $(BIN)/python -m lightning_hpo.data.fashion_mnist; fi
	@touch $(FETCHED)

run: $(INSTALLED) $(FETCHED) ## Set up, then the quick main study: search, cross-validation, test, report
	$(BIN)/python -m lightning_hpo +experiment=$(EXPERIMENT) +budget=$(BUDGET) $(ARGS)

test: $(INSTALLED_DEV) ## Set up, then lint, types and tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -m "not slow" $(IN_PARALLEL)
	LIGHTNING_HPO_FLAVOUR=lightning.pytorch \
		$(BIN)/python -m pytest -m "not slow" $(IN_PARALLEL) $(OF_BOTH)

test-lowest: ## The core of the tests with the oldest versions allowed, in .venv-lowest (6 GB)
	@test -x $(LOWEST)/bin/python || $(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --editable ".[export]" --constraint tests/lowest.txt \
		captum hypothesis lightning psutil pytest pytest-timeout pytest-xdist
	$(LOWEST)/bin/python -m pytest -W ignore::DeprecationWarning -m "not slow" $(IN_PARALLEL) $(OF_LOWEST)

test-all: $(INSTALLED_DEV) ## All tests, those that take minutes too
	$(BIN)/python -m pytest

tensorboard: $(INSTALLED) ## TensorBoard on all studies
	$(BIN)/tensorboard --logdir $(STUDIES)

dashboard: $(INSTALLED_DEV) ## optuna-dashboard on one study (STUDY=studies/NAME)
	@test -f "$$STUDY/study.db" || { echo "$$STUDY must hold study.db; choose a study with STUDY=..." >&2; exit 1; }
	$(BIN)/optuna-dashboard "$$($(BIN)/python -m lightning_hpo.storage.embedded "$$STUDY")"

report: $(INSTALLED) ## Build the report of one study again (STUDY=studies/NAME)
	$(BIN)/python -m lightning_hpo.report "$$STUDY"

regression: $(INSTALLED) ## The reference study's six regression studies, beside what it published
	for experiment in $(REGRESSION); do \
		$(BIN)/python -m lightning_hpo +experiment=$$experiment $(ARGS) || exit; \
	done
	$(BIN)/python -m benchmarks.reference regression --studies $(STUDIES)

classification: $(INSTALLED) $(FETCHED) ## Its classification studies (for a GPU; on two cores hours with ARGS="+budget=standard")
	for experiment in $(CLASSIFICATION); do \
		$(BIN)/python -m lightning_hpo +experiment=$$experiment $(ARGS) \
			study.n_refits=$(REFITS) || exit; \
	done
	$(BIN)/python -m benchmarks.reference classification --studies $(STUDIES)

reference: regression classification ## Every part of the reference study, at full budget

bench: $(INSTALLED_DEV) $(FETCHED) ## Run every benchmark, one after the other
	for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python -m benchmarks.$$name || exit; done

race: $(INSTALLED_DEV) $(FETCHED) ## Race what else one would search with for a good model; an hour or more
	$(BIN)/python -m benchmarks.race

gallery: $(INSTALLED) ## The pictures of docs/gallery.md again, from finished studies; needs Chromium
	$(BIN)/python -m docs.gallery --studies $(STUDIES)

docs: $(INSTALLED_DEV) ## Build docs/ as a site in build/site; a link that leads nowhere fails
	$(BIN)/python -m docs.configuration
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "build/site/index.html"

notebooks: $(INSTALLED_DEV) $(FETCHED) ## Run all notebooks at their small budgets (minutes); open them in any editor
	$(BIN)/jupyter-execute notebooks/*.ipynb

clean: ## Remove caches and builds; never studies or the environment
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find lightning_hpo hydra_plugins tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# ---------------------------------------------------------------- steps of the targets above

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "Python 3.11 or newer is needed, and there is no $(PYTHON); try make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, got $$($(PYTHON) --version 2>&1) from $(PYTHON); try make PYTHON=python3.12" >&2; exit 1; }
	@rm -f $(INSTALLED) $(INSTALLED_DEV) $(FETCHED)
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -f $(BIN)/python*; echo "$(PYTHON) -m venv must work; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

$(INSTALLED): pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV): minutes and some 6 GB the first time, most of it PyTorch"
	$(BIN)/python -m pip install --quiet --editable .
	$(COMPILE)
	@touch $@

$(INSTALLED_DEV): pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV): minutes and some 6 GB the first time, most of it PyTorch"
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	$(COMPILE)
	@touch $(INSTALLED) $@

$(FETCHED):
	@$(MAKE) --no-print-directory data

.PHONY: debian-data
debian-data:
	@echo "Fetching Fashion-MNIST from Debian's package dataset-fashion-mnist"
	@apt-get -qq update && apt-get -qq install --yes dataset-fashion-mnist >/dev/null || true
	@$(BIN)/python -m lightning_hpo.data.fashion_mnist
