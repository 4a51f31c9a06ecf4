# Two commands do everything: `make up` and `make test`. The rest is for work on the project itself.
PYTHON ?= python3
BIN := .venv/bin
# The stamp's name carries the lock's hash: installed once, and again only when a version changed.
STAMP := .venv/.installed-$(shell sha256sum requirements.lock | cut -c 1-16)

# Processes beside each other whose OpenMP threads spin take each other's cores.
PASSIVE := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE

.PHONY: up test check check-style check-types check-tests demo train-starters bench lock env-example compose-test

up: $(STAMP)  ## install if needed, start gateway and text service, wait until ready; Ctrl-C stops all
	@exec $(BIN)/python deploy/up.py

test: $(STAMP)  ## every test that a machine without a GPU can run
	$(PASSIVE) $(BIN)/python -m pytest -n auto --dist loadfile

check: $(STAMP)  ## what a change must pass before it is committed: three things beside each other, a few minutes
	@$(MAKE) --no-print-directory -j 3 --output-sync=target check-style check-types check-tests

check-style:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml deploy/compose.gpu.yml

check-types:
	$(BIN)/pyright

check-tests:
	$(PASSIVE) $(BIN)/python -m pytest -q -n auto --dist loadfile -m "not slow" tests/unit tests/house

demo: $(STAMP)  ## 60 briefs become designs: starter, then a LoRA on one's own records, then OpenAI's side
	$(BIN)/python -m deploy.demo

train-starters: $(STAMP)  ## make the models that ship with the project again, from nothing
	$(BIN)/python -m deploy.train_starters

bench: $(STAMP)  ## every figure that the README claims, one table each
	@set -e; for file in $(filter-out benchmarks/machine.py,$(wildcard benchmarks/*.py)); do \
		name=$$(basename $$file .py); echo "== $$name"; $(BIN)/python -m benchmarks.$$name; done
	@echo "== clients"; $(BIN)/python -m benchmarks.clients

lock: $(STAMP)  ## write requirements.lock from pyproject.toml and what .venv holds
	$(BIN)/python -m deploy.lock

env-example: $(STAMP)  ## write .env.example from the settings and the compose files
	$(BIN)/python -m deploy.env_example

compose-test: $(STAMP)  ## build and start the containers, kill them, and look for what is lost; needs a Docker engine
	COMPOSE_TEST=1 $(BIN)/python -m pytest tests/compose -x -s --timeout 3600

# torch comes first and alone: pulled in by another package's open range it would bring gigabytes of CUDA.
$(STAMP): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || { echo "1/3 creating .venv"; $(PYTHON) -m venv .venv; }
	@echo "2/3 installing torch"
	@$(BIN)/python -m pip install --disable-pip-version-check "$$(grep -m 1 '^torch==' requirements.lock)"
	@echo "3/3 installing the other $$(grep -c == requirements.lock) packages of requirements.lock"
	@$(BIN)/python -m pip install --disable-pip-version-check -r requirements.lock
	@rm -f .venv/.installed-* && touch $@
