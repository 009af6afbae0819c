# make demo | test | install | lint | format | docs | bench | lock.  Packages live in $(VENV).  demo writes demo/, docs site/, lock requirements/*.lock.
# VENV=.venv-3.13 PYTHON_FOR_VENV=python3.13 makes another environment; requirements/python.sh says which is found first.
VENV := .venv
PYTHON := $(VENV)/bin/python
RUN := $(PYTHON) -m
# What the commands need, and what the tests need beside it (Beam, ONNX, a browser's driver, ...).
TO_RUN := $(VENV)/.installed-to-run
TO_TEST := $(VENV)/.installed-to-test

# Python keeps what it compiles, whatever the environment says: nothing is compiled at installation.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: install demo test lint format docs bench lock

install: $(TO_TEST)

$(PYTHON):
	sh requirements/python.sh $(VENV)

$(TO_RUN): requirements/run.txt setup.py requirements/install.sh | $(PYTHON)
	requirements/install.sh $(VENV) requirements/run.txt
	touch $@

$(TO_TEST): requirements/test.txt setup.py requirements/install.sh | $(PYTHON)
	requirements/install.sh $(VENV) requirements/test.txt
	touch $@

# The whole road in a few minutes: data, training, export, prediction, evaluation on held-out composites.
D := demo

demo: $(TO_RUN)
	$(RUN) data_prep.demo --output=$(D)/data
	$(RUN) data_prep.folder --images=$(D)/data/train/images --masks=$(D)/data/train/masks --output=$(D)/records/train
	$(RUN) data_prep.folder --images=$(D)/data/held_out/images --masks=$(D)/data/held_out/masks --output=$(D)/records/held_out
	$(RUN) data_prep.compose --sources=$(D)/records/held_out --count=60 --output=$(D)/composites
	$(RUN) gsr_tf.train --flagfile=flags/demo.cfg --run_dir=$(D)/run
	rm -rf $(D)/model
	$(RUN) gsr_tf.export --run_dir=$(D)/run --output=$(D)/model
	$(RUN) gsr_tf.predict --saved_model=$(D)/model --input=$(D)/composites/Tp --output=$(D)/answers
	$(RUN) gsr_tf.evaluate --saved_model=$(D)/model --records=$(D)/composites/records --output=$(D)/evaluation --protocols=paper > $(D)/network.txt
	$(RUN) gsr_tf.evaluate --method=all-positive --records=$(D)/composites/records --output=$(D)/floor --protocols=paper > $(D)/floor.txt
	@echo
	@echo "Done. On 60 held-out composites, at the best threshold for all of them (the paper's protocol):"
	@echo "  this network          $$(head -1 $(D)/network.txt | tr -s ' ')"
	@echo "  all pixels marked     $$(head -1 $(D)/floor.txt | tr -s ' ')"
	@echo "Open these:"
	@echo "  $(D)/answers/index.html       heat map, mask and overlay of each held-out composite"
	@echo "  $(D)/evaluation/report.html   scores, curves, the best and the worst pictures"
	@echo "  $(D)/run/panels/              what the networks saw: S K T M G(M) P M' K' prediction boundary"
	@echo "Curves of the training: $(VENV)/bin/tensorboard --logdir=$(D)/run"

# TESTS=tests/models runs a part. Files go to the processes in the order of tests/conftest.py; a third process for two cores
# gains nothing. One that dies ends the run, with the test that it died of; its other tests would be waited for for ever.
TESTS := tests

test: $(TO_TEST)
	$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart=0 $(TESTS)

lint: $(TO_TEST)
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .

format: $(TO_TEST)
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

# The documents as a site, in site/; dead links end it.
docs: $(TO_TEST)
	$(PYTHON) -m mkdocs build --strict

# Speed and parity, as ratios within one run. DATA: records to feed the pipeline from (make demo makes some).
DATA := demo/records/train

bench: $(TO_TEST)
	$(RUN) benchmarks.train_step --flagfile=flags/release.cfg --batch_size=1
	$(RUN) benchmarks.input_pipeline --source_records=$(DATA) --target_records=$(DATA) --wait_steps=0
	$(RUN) benchmarks.evaluation
	$(RUN) benchmarks.inference
	$(RUN) benchmarks.folder
	$(RUN) benchmarks.fuzz --count=2000

# Exact versions with hashes, for every Python and platform that setup.py allows; the container's are for Python 3.11.
COMPILE := uv pip compile setup.py --python-version 3.11 --generate-hashes --no-header --no-annotate
AS_TESTED := --constraint requirements/test.txt

lock:
	$(COMPILE) --universal --extra coco --extra beam --extra onnx --extra web --extra dev --extra docs \
	    --output-file requirements/test.txt
	$(COMPILE) --universal $(AS_TESTED) --output-file requirements/run.txt
	$(COMPILE) --universal --extra web $(AS_TESTED) --output-file deploy/requirements.txt
	$(COMPILE) --python-platform x86_64-manylinux_2_28 --extra web --extra gpu $(AS_TESTED) \
	    --output-file deploy/requirements-gpu.txt
