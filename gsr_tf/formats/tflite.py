"""A detector as TensorFlow Lite, for telephones and small machines: built-in operations alone."""

from __future__ import annotations

import errno
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from gsr_tf.data import temporary
from gsr_tf.formats.agreement import Maps
from gsr_tf.formats.signatures import portable
from gsr_tf.inference.module import PICTURE, DetectorModule

QUANTIZATIONS = ("none", "float16", "int8")
# Other kernels sum in another order; a map seen as 256 levels hides forty times as much.
TOLERANCE = 1e-4
IN_8_BITS = ("CONV_2D", "FULLY_CONNECTED")  # all the network's weights are in these two


def convert(detector: DetectorModule, quantize: str = "none", pictures: Sequence[np.ndarray] = ()) -> bytes:
    """The TFLite model: "image" [h, w, 3] uint8, any size -> "probability" and "boundary", [h, w, 1] float32.

    Args:
        detector: what is converted.
        quantize: "none"; "float16": weights of two bytes; "int8": of one, and the products in 8 bits.
        pictures: [h, w, 3] uint8, the representative set whose activations set the ranges of int8.

    Raises:
        TemporaryError: there is no room for the SavedModel that TensorFlow makes on the way.
    """
    if quantize == "int8":
        return _convert_int8(detector, pictures)
    converter = _converter(detector)
    if quantize == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    return _converted(converter)


def _convert_int8(detector: DetectorModule, pictures: Sequence[np.ndarray]) -> bytes:
    """Convolutions in 8 bits, all else in floats.

    In 8 bits the positions of pixels would be wrong ones (of 300 in a row only 256 are told apart), and each picture's
    own moments, which no representative set knows, would be cut off.
    """
    operations = tf.lite.Interpreter(model_content=_converted(_converter(detector)))._get_ops_details()
    converter = _converter(detector)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ({PICTURE.name: picture} for picture in pictures)
    in_floats = sorted({operation["op_name"] for operation in operations} - set(IN_8_BITS))
    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=in_floats)
    return tf.lite.experimental.QuantizationDebugger(
        converter=converter, debug_options=options
    ).get_nondebug_quantized_model()


def _converter(detector: DetectorModule) -> tf.lite.TFLiteConverter:
    weights = tf.Module()  # all that the converter must find; the layers around them would take six times as long
    weights.all = detector.segmenter.variables
    return tf.lite.TFLiteConverter.from_concrete_functions([portable(detector).get_concrete_function()], weights)


def _converted(converter: tf.lite.TFLiteConverter) -> bytes:
    with temporary.explained("the model on its way to TensorFlow Lite"):
        model = converter.convert()
        # Where TensorFlow cannot write the SavedModel in between, it says nothing and leaves the signature out.
        if not tf.lite.Interpreter(model_content=model).get_signature_list():
            raise OSError(errno.EIO, "TensorFlow does not say why")
    return model


def runner(model: bytes) -> Maps:
    """The maps of a TFLite model, by its interpreter."""
    return lambda picture: tf.lite.Interpreter(model_content=model).get_signature_runner()(image=picture)
