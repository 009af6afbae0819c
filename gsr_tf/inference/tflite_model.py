"""A detector as TensorFlow Lite, for telephones and small machines: built-in operations alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from gsr_tf.inference.agreement import Maps
from gsr_tf.inference.module import DetectorModule
from gsr_tf.inference.signatures import ONE_PICTURE, portable

QUANTIZATIONS = ("none", "float16", "int8")
# Other kernels sum in another order; a map seen as 256 levels hides forty times as much.
TOLERANCE = 1e-4


def convert(detector: DetectorModule, quantize: str = "none", pictures: Sequence[np.ndarray] = ()) -> bytes:
    """The TFLite model: "image" [h, w, 3] uint8, any size -> "probability" and "boundary", [h, w, 1] float32.

    Args:
        detector: what is converted.
        quantize: "none"; "float16": weights of two bytes; "int8": of one, and 8-bit arithmetic where it is defined.
        pictures: [h, w, 3] uint8, the representative set whose activations set the ranges of int8.
    """
    converter = tf.lite.TFLiteConverter.from_concrete_functions([portable(detector).get_concrete_function()], detector)
    if quantize != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantize == "int8":
        converter.representative_dataset = lambda: _inputs(pictures)
    return converter.convert()


def _inputs(pictures: Sequence[np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    return ({ONE_PICTURE.name: picture} for picture in pictures)


def runner(model: bytes) -> Maps:
    """The maps of a TFLite model, by its interpreter."""
    return lambda picture: tf.lite.Interpreter(model_content=model).get_signature_runner()(image=picture)
