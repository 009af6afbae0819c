"""How fast is an answer, and how much memory does a large picture take?

    python -m benchmarks.inference
    python -m benchmarks.inference --saved_model=models/gsr_net --megapixels=30

Prints one JSON line. Forward passes of one 300x300 picture, answers from JPEG bytes of an 800x1200 picture to a PNG
mask, ONNX Runtime on the same network (where tf2onnx and onnxruntime are installed; always in float32) and products of
two 4096x4096 matrices, in --precision, take turns, so that a machine whose speed drifts slows all; ratios are medians
over rounds of what one round measured.

* forward_over_flops: seconds of a forward pass over its analytic FLOPs at the matrix product's rate.
* forward_over_onnxruntime: below 1 it is faster than ONNX Runtime.
* answer_seconds, and answer_seconds_at_227: the same where the product of float32 runs at 227 GFLOP/s; of no meaning in
  bfloat16.
* device: its name.
* pictures_per_second: maps of 800x1200 pictures at one size and at three, asked for one after another ("alone"), and on
  a GPU also by 16 threads, whose pictures go through the network together.
* start: a fresh process's seconds to import, to load, to its first answer.
* tile: a fresh process's seconds a megapixel and peak memory on a picture of --megapixels at its own resolution.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from absl import flags
from tqdm import tqdm

from benchmarks.machine import device_name, product, seconds
from benchmarks.step_flops import segmenter_multiply_adds
from gsr_tf import command
from gsr_tf.config import Config
from gsr_tf.data.pictures import decode_picture, encode_png
from gsr_tf.formats import saved_model
from gsr_tf.inference.detector import Detector
from gsr_tf.inference.device import DEVICE_HELP, DEVICES, PRECISION_HELP, PRECISIONS, choose, gpus
from gsr_tf.inference.module import DetectorModule
from gsr_tf.models.keras import keras
from gsr_tf.models.networks import Networks
from gsr_tf.models.normalization import recorded_moments
from gsr_tf.models.segmenter import build_segmenter

REFERENCE_RATE = 227e9
SCALES = {"one_size": (1.0,), "three_sizes": (0.75, 1.0, 1.35)}
THREADS = 16

START = """
import json, sys, time
start = time.perf_counter()
from gsr_tf.inference.detector import Detector
from gsr_tf.inference.device import choose
choose(sys.argv[2], sys.argv[3])
imported = time.perf_counter()
detector = Detector.load(sys.argv[1])
loaded = time.perf_counter()
import numpy as np
detector.segment(np.zeros([800, 1200, 3], np.uint8))
answered = time.perf_counter()
print(json.dumps({"import": imported - start, "load": loaded - imported, "answer": answered - loaded,
                  "seconds": answered - start}))
"""

TILE = """
import json, sys, time
from pathlib import Path
import numpy as np
from gsr_tf.inference.detector import Detector
from gsr_tf.inference.device import choose
choose(sys.argv[2], sys.argv[3])
megapixels, detector = float(sys.argv[4]), Detector.load(sys.argv[1])
height = int((megapixels * 5e5) ** 0.5)
picture = np.empty([height, 2 * height, 3], np.uint8)
for row in picture:
    row[:] = np.random.default_rng(len(row)).integers(0, 256, row.shape, np.uint8)
start = time.perf_counter()
found = detector.segment(picture, resolution="tile")
end = time.perf_counter()
found.score, found.boxes
# Not getrusage: what it says of a process includes what its parent held when it started it.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
print(json.dumps({"megapixels": picture.size / 3e6, "seconds_per_megapixel": (end - start) / picture.size * 3e6,
                  "peak_memory_bytes": 1024 * int(peak.split()[1])}))
"""


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("saved_model", None, "Detector to time; none: one of random weights.", flag_values=values)
    flags.DEFINE_float("width", 1.0, "Width of the random network.", 0.0, flag_values=values)
    flags.DEFINE_enum("device", "auto", DEVICES, DEVICE_HELP, flag_values=values)
    flags.DEFINE_enum("precision", "float32", PRECISIONS, PRECISION_HELP, flag_values=values)
    flags.DEFINE_integer("rounds", 7, "Rounds in which all that is timed takes its turn.", 1, flag_values=values)
    flags.DEFINE_float("megapixels", 4.0, "Of the picture seen in windows; 0: none.", 0.0, flag_values=values)


def _action(args: flags.FlagValues) -> None:
    choose(args.device, args.precision)
    with tempfile.TemporaryDirectory() as folder:
        segmenter = build_segmenter(Networks(width=args.width))
        path = args.saved_model or str(Path(folder) / "model")
        if not args.saved_model:
            saved_model.save(DetectorModule(segmenter), Path(path), {})
        config = Config().changed(width=args.width, vgg16_weights="random")
        detector = Detector.load(path)
        report = {
            "device": device_name(),
            "precision": args.precision,
            **measure(detector, onnx_session(segmenter, folder), config, args.rounds),
        }
        report["pictures_per_second"] = {"alone": pictures_per_second(detector, threads=1)}
        if gpus():
            report["pictures_per_second"]["together"] = pictures_per_second(detector, threads=THREADS)
        report["start"] = in_a_fresh_process(START, path, args.device, args.precision)
        if args.megapixels:
            report["tile"] = in_a_fresh_process(TILE, path, args.device, args.precision, str(args.megapixels))
    print(json.dumps(report))


def measure(detector: Detector, onnx: Callable[[], object] | None, config: Config, rounds: int) -> dict[str, float]:
    """Times all that takes turns."""
    random, (multiply, product_flops) = np.random.default_rng(0), product()
    side = config.preparation.input_size
    picture = tf.constant(random.integers(0, 256, [side, side, 3], np.uint8))
    jpeg = cv2.imencode(".jpg", cv2.resize(random.integers(0, 256, [100, 150, 3], np.uint8), (1200, 800)))[1].tobytes()

    def answer() -> np.ndarray:
        found = detector.segment(decode_picture(jpeg).pixels)
        return np.frombuffer(encode_png(np.where(found.mask, 255, 0).astype(np.uint8)), np.uint8)

    contests = {
        "matmul": multiply,
        "forward": lambda: detector.module.native(picture)["probability"],
        "answer": lambda: tf.constant(answer()[0]),
    }
    if onnx is not None:
        contests["onnxruntime"] = lambda: tf.constant(onnx()[0])
    taken = [{name: seconds(run) for name, run in contests.items()} for _ in tqdm(range(rounds + 1), unit="round")]
    times = {name: np.array([one[name] for one in taken[1:]]) for name in contests}  # the first round traces
    rate, flops = product_flops / times["matmul"], 2 * segmenter_multiply_adds(config)
    report = {
        "matmul_flops_per_second": np.median(rate),
        "flops": flops,
        "forward_seconds": np.median(times["forward"]),
        "forward_over_flops": np.median(times["forward"] * rate / flops),
        "answer_seconds": np.median(times["answer"]),
        "answer_seconds_at_227": np.median(times["answer"] * rate / REFERENCE_RATE),
        "forward_over_onnxruntime": np.median(times["forward"] / times["onnxruntime"]) if onnx else None,
    }
    return {name: value if value is None else float(value) for name, value in report.items()}


def pictures_per_second(detector: Detector, *, threads: int) -> dict[str, float]:
    """Answered when so many threads ask, by the names of `SCALES`; the better of two tries, after one that traces."""
    picture = np.random.default_rng(0).integers(0, 256, [800, 1200, 3], np.uint8)
    pictures, rates = [picture] * (8 * THREADS if gpus() else 3), {}
    for name, scales in SCALES.items():
        taken = []
        for _ in range(3):
            start = time.perf_counter()
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(functools.partial(detector.maps, scales=scales), pictures))
            taken.append(time.perf_counter() - start)
        rates[name] = len(pictures) / min(taken[1:])
    return rates


def onnx_session(segmenter: keras.Model, folder: str) -> Callable[[], np.ndarray] | None:
    """A forward pass of a 300x300 picture in ONNX Runtime, on the threads that TensorFlow has; None without it."""
    try:
        import onnxruntime
        import tf2onnx
    except ImportError:
        return None

    # Of unknown size: where tf2onnx knows the sizes of a resize it writes their quotient, rounded to 299 of 300 pixels.
    @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3])])
    def network(x: tf.Tensor) -> tf.Tensor:
        with recorded_moments():  # as plain operations: ONNX has no batch normalisation by the batch's own moments
            return segmenter(x, training=False)["segmentation"]

    path = str(Path(folder) / "network.onnx")
    tf2onnx.convert.from_function(network, network.input_signature, opset=17, output_path=path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    picture = np.random.default_rng(0).uniform(-120, 150, [1, 300, 300, 3]).astype(np.float32)
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: picture})[0]


def in_a_fresh_process(program: str, *arguments: str) -> dict[str, float]:
    """What a program prints as JSON in its last line."""
    done = subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


main = functools.partial(command.main, _action, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
