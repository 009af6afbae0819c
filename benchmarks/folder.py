"""How busy a folder keeps the machine; prints one JSON object.

    python -m benchmarks.folder --pictures=30

A network of full width with random weights answers pictures of 12 megapixels, JPEG, in its own process, as a user's
command would. `busy_share` is its processor time over the wall-clock time of all cores, from the first picture begun
to the last one written: 1 is all cores busy all the time. `seconds_to_first_answer` counts from the start of the
process; `overhead` is what a folder costs beside the network alone.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import flags

from benchmarks.clock import best_seconds
from benchmarks.pictures import write_photographs
from benchmarks.random_model import save_random_model
from gsr_tf import command
from gsr_tf.inference.saved_model import load

# Runs in the child: the command itself, with the clocks read when the first answer and the last one are there.
CHILD = """
import json, os, sys, time
from gsr_tf import predict
from gsr_tf.answers.answering import Answering
clocks = []
def timed(self, sources, answer_all=Answering.answer_all):
    clocks.append((time.time(), time.process_time()))
    for record in answer_all(self, sources):
        clocks.append((time.time(), time.process_time()))
        yield record
Answering.answer_all = timed
code = predict.main(sys.argv[1:])
with open(os.path.join("{folder}", "clocks.json"), "w") as file:
    json.dump(clocks, file)
sys.exit(code)
"""


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_integer("pictures", 30, "How many pictures.", 3, flag_values=values)
    flags.DEFINE_integer("height", 3000, "Of the pictures; they are a third wider.", 3, flag_values=values)
    flags.DEFINE_float("width", 1.0, "Of the network, as in gsr_tf.train.", flag_values=values)


def _action(args: flags.FlagValues) -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), args.pictures, args.height, args.width), indent=1))


def network_alone(model: Path, height: int) -> float:
    """Seconds a picture of the SavedModel itself: the best of three."""
    module = load(model)
    picture = np.zeros((height, height * 4 // 3, 3), np.uint8)
    module(picture)
    return best_seconds(lambda: module(picture)["probability"].numpy())


def measure(folder: Path, count: int, height: int, width: float) -> dict:
    """Everything, in one temporary folder."""
    model, pictures = folder / "model", folder / "pictures"
    save_random_model(model, width)
    write_photographs(pictures, [(height, height * 4 // 3)] * count)
    child = [sys.executable, "-c", CHILD.format(folder=folder), "predict"]
    started = time.time()
    subprocess.run(
        [*child, f"--saved_model={model}", f"--input={pictures}", f"--output={folder / 'answers'}"], check=True
    )
    (begin, begin_cpu), (first, _), *_, (end, end_cpu) = json.loads((folder / "clocks.json").read_text())
    each = (end - begin) / count
    alone = network_alone(model, height)
    return {
        "pictures": count,
        "megapixels": round(height**2 * 4 / 3 / 1e6, 1),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "busy_share": round((end_cpu - begin_cpu) / (end - begin) / os.cpu_count(), 3),
        "seconds_to_first_answer": round(first - started, 2),
        "seconds_a_picture": round(each, 3),
        "network_alone_seconds_a_picture": round(alone, 3),
        "overhead": round(each / alone - 1, 3),
    }


main = functools.partial(command.main, _action, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
