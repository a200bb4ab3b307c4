# Everything runs from the project's own .venv, through `python -m`: scripts in .venv/bin name
# their interpreter by its full path, which breaks in folders with spaces and after a move.
PYTHON := .venv/bin/python
SOURCES := manage.py config leads amocrm locks_admin tests $(wildcard benchmarks/*.py)
PIP_COMPILE := -m piptools compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	--no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

.DEFAULT_GOAL := help
.PHONY: help run install test lint bench chaos browser requirements messages venv venv-test

help:
	@echo "make run           start everything, from nothing if need be; Ctrl-C ends it"
	@echo "make install       only prepare it: .venv, env.env, tables, the admin user"
	@echo "make test          all tests; ARGS=\"-k name\" goes to pytest"
	@echo "make lint          ruff and mypy"
	@echo "make bench         the benchmark table"
	@echo "make chaos         the long fault-injection run"
	@echo "make browser       only the tests that need Chromium"
	@echo "make messages      compile the translations"
	@echo "make requirements  pin the dependencies anew (UPGRADE=1: to the newest)"

run: venv
	@exec $(PYTHON) -m config.launcher run

install: venv
	@exec $(PYTHON) -m config.launcher install

# On SQLite all of them; then those that depend on the database again on PostgreSQL, and once more
# without Redis, by the claim alone. All tests in several processes: first each test in one of
# them, then every test in both. Those that ARGS choose in one process, begun sooner and open to
# --pdb (status 5: the ARGS selected none of them).
test: venv-test
ifdef ARGS
	$(PYTHON) -m pytest $(ARGS)
	TEST_DATABASE=postgres $(PYTHON) -m pytest -m both_databases $(ARGS) || test $$? -eq 5
	TEST_REDIS=false $(PYTHON) -m pytest -m both_databases $(ARGS) || test $$? -eq 5
else
	$(PYTHON) -m pytest -n auto --dist loadscope --no-loadscope-reorder
	$(PYTHON) -m pytest -m both_databases --dist each \
		--tx popen//env:TEST_DATABASE=postgres --tx popen//env:TEST_REDIS=false
endif

lint: venv-test
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy $(SOURCES)

bench: venv-test
	$(PYTHON) -m benchmarks $(ARGS)

chaos: venv-test
	$(PYTHON) -m tests.chaos $(ARGS)

browser: venv-test
	$(PYTHON) -m pytest -m browser $(ARGS)

requirements: venv-test
	$(PYTHON) $(PIP_COMPILE) $(if $(UPGRADE),--upgrade) --output-file requirements.txt pyproject.toml
	$(PYTHON) $(PIP_COMPILE) $(if $(UPGRADE),--upgrade) --extra test --constraint requirements.txt --output-file requirements-test.txt pyproject.toml

messages: venv-test
	@for folder in */locale; do \
		$(PYTHON) -m babel.messages.frontend compile --domain django --directory "$$folder" || exit 1; \
	done

venv:
	@sh config/launcher/venv.sh requirements.txt

venv-test:
	@sh config/launcher/venv.sh requirements-test.txt
