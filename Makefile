# make install | demo | test | lint | bench | lock.  Everything lives in .venv; nothing else is touched.
PYTHON := .venv/bin/python
INSTALLED := .venv/.installed

.PHONY: install demo test lint format bench lock

install: $(INSTALLED)

$(INSTALLED): requirements/lock.txt setup.py requirements/python.sh
	test -x $(PYTHON) || sh requirements/python.sh .venv
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/lock.txt
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

test: $(INSTALLED)
	$(PYTHON) -m pytest

lint: $(INSTALLED)
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .

format: $(INSTALLED)
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

lock:
	uv pip compile setup.py --extra coco --extra dev --universal --python-version 3.9 --generate-hashes \
	    --no-header --no-annotate --output-file requirements/lock.txt
