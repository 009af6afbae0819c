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

# The whole road in a few minutes: data, training, evaluation on held-out composites, export, prediction.
D := demo
RUN = $(PYTHON) -m

demo: $(INSTALLED)
	$(RUN) data_prep.demo --output=$(D)/data
	$(RUN) data_prep.folder --images=$(D)/data/train/images --masks=$(D)/data/train/masks --output=$(D)/records/train
	$(RUN) data_prep.folder --images=$(D)/data/held_out/images --masks=$(D)/data/held_out/masks --output=$(D)/records/held_out
	$(RUN) data_prep.compose --sources=$(D)/records/held_out --count=60 --output=$(D)/composites
	$(RUN) gsr_tf.train --flagfile=flags/demo.cfg --run_dir=$(D)/run
	rm -rf $(D)/model
	$(RUN) gsr_tf.export --run_dir=$(D)/run --output=$(D)/model
	$(RUN) gsr_tf.evaluate --saved_model=$(D)/model --records=$(D)/composites/records --output=$(D)/evaluation --protocols=paper,fixed-0.5
	$(RUN) gsr_tf.evaluate --method=all-positive --records=$(D)/composites/records --output=$(D)/floor --protocols=paper
	$(RUN) gsr_tf.predict --saved_model=$(D)/model --input=$(D)/composites/Tp --output=$(D)/answers
	@echo
	@echo "Done. Look at $(D)/run/panels/ (what the networks see: S K T M G(M) P M' K' prediction boundary),"
	@echo "$(D)/answers/ (heat map, mask and overlay of each held-out composite), and the curves:"
	@echo "    .venv/bin/tensorboard --logdir=$(D)/run"
	@echo "The F1 above is the network's; the line after it is the floor, calling every pixel manipulated."

test: $(INSTALLED)
	$(PYTHON) -m pytest -n 2 --dist loadfile

lint: $(INSTALLED)
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .

format: $(INSTALLED)
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

# Speed and parity, as ratios within one run. DATA: records to feed the pipeline from (make demo makes some).
DATA := demo/records/train

bench: $(INSTALLED)
	$(RUN) benchmarks.train_step --flagfile=flags/release.cfg --batch_size=1
	$(RUN) benchmarks.input_pipeline --source_records=$(DATA) --target_records=$(DATA) --wait_steps=0
	$(RUN) benchmarks.evaluation
	$(RUN) benchmarks.inference
	$(RUN) benchmarks.folder
	$(RUN) benchmarks.fuzz --count=2000

lock:
	uv pip compile setup.py --extra coco --extra beam --extra heic --extra onnx --extra web --extra dev --universal --python-version 3.9 --generate-hashes \
	    --no-header --no-annotate --output-file requirements/lock.txt
