"""The figures of the machine at hand, from a few steps, pictures and answers; see `figures`."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

from benchmarks.data_prep import LIMITS, repeat
from benchmarks.figures import Answering, Figures, Preparing, Step
from benchmarks.machine import device_name, on_gpu
from benchmarks.pictures import photograph, write_photographs
from benchmarks.processes import peak_memory
from benchmarks.report import last
from data_prep.coco import list_coco
from data_prep.writing.records import run_locally, write_records
from gsr_tf.answers.files import MAP

ANSWERED, ANSWERED_SIZE = 6, (800, 1200)
# Like COCO's in what they cost: 160 kB a record, 7 objects a picture.
PHOTOGRAPHS, PREPARED, COCO_SIZE, COCO_QUALITY, OBJECTS = 32, 1500, (480, 640), 97, 7
CORNERS = np.linspace(0, 2 * np.pi, 24, endpoint=False)


def figures(run: str) -> Figures:
    """Measures this machine: a minute or two on two cores.

    Args:
        run: flagfile of the training step; of GSR-Net.
    """
    return Figures(
        machine=f"{device_name()}, {os.cpu_count()} cores",
        note=f"TensorFlow {tf.__version__}, load average {os.getloadavg()[0]:.1f} before",
        training=training(run),
        preparing=preparing(),
        answering=answering(),
    )


def training(run: str) -> tuple[Step, ...]:
    """Steps of one picture on a CPU, of two numbers of pictures on a GPU; see `cost_model.step_seconds`."""
    precision, counts = ("mixed_bfloat16", (4, 16)) if on_gpu() else ("float32", (1,))
    steps = []
    for pictures in counts:
        # A process of its own: what is at its peak is then the step's.
        command = [sys.executable, "-m", "benchmarks.train_step", f"--flagfile={run}", "--rounds=1"]
        command += [f"--batch_size={pictures}", f"--precision={precision}"]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        found = last(printed)
        memory = found.get("peak_device_memory_bytes", found["peak_memory_bytes"])
        steps.append(Step(run, precision, pictures, found["seconds_per_step"], memory))
    return tuple(steps)


def preparing(count: int = PREPARED) -> Preparing:
    """Pictures and outlines like COCO's to records, by one process a core."""
    run = functools.partial(run_locally, processes=os.cpu_count())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        listing = repeat(list_coco(_coco(folder), folder, LIMITS, keep_without_objects=True), count)
        start, output = time.perf_counter(), folder / "records"
        peak = peak_memory(functools.partial(write_records, listing, output, run=run, progress=False))
        seconds = time.perf_counter() - start
        shards = sum(shard.stat().st_size for shard in output.glob("*.tfrecord"))
        index = (output / "index.json").stat().st_size
    return Preparing(seconds / count, peak, shards / count, index / count)


def _coco(folder: Path) -> Path:
    """Pictures in a folder, and the annotation file of their objects, some of them too small to be used."""
    random, images, annotations = np.random.default_rng(0), [], []
    height, width = COCO_SIZE
    for number in range(PHOTOGRAPHS):
        name = f"{number:012d}.jpg"
        cv2.imwrite(str(folder / name), photograph(random, height, width), [cv2.IMWRITE_JPEG_QUALITY, COCO_QUALITY])
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        for radius in np.geomspace(10, 120, OBJECTS):
            centre = random.uniform((0, 0), (width, height))
            around = radius * random.uniform(0.7, 1.3, [24, 1])
            corners = np.clip(centre + around * np.stack([np.cos(CORNERS), np.sin(CORNERS)], 1), 0, (width, height))
            outline = [np.round(corners.ravel(), 2).tolist()]
            annotations.append({"id": len(annotations), "image_id": number, "iscrowd": 0, "segmentation": outline})
    path = folder / "instances.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": []}))
    return path


def answering(count: int = ANSWERED) -> Answering:
    """`predict` with the included model on pictures of one size, as a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        pictures, answers = Path(name, "pictures"), Path(name, "answers")
        write_photographs(pictures, [ANSWERED_SIZE] * count, quality=95)
        command = [sys.executable, "-m", "gsr_tf.predict", f"--input={pictures}", f"--output={answers}"]
        started = time.time()
        peak = _run(command)
        answered = sorted(path.stat().st_mtime for path in answers.glob(f"*{MAP}"))
        written = [path.stat().st_size for path in answers.rglob("*") if path.is_file()]
    seconds = (answered[-1] - answered[0]) / (count - 1)  # the first one's has the first trace in it
    start = answered[0] - started - seconds
    megapixels = ANSWERED_SIZE[0] * ANSWERED_SIZE[1] / 1e6
    return Answering(megapixels, seconds, start, peak, sum(written) / count, len(written) // count)


def _run(command: list[str]) -> float:
    """Runs a command to its end; its memory at peak, in bytes."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_maxrss * 1024.0
