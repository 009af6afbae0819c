"""A detector as ONNX, for runtimes other than TensorFlow: the extra `onnx`."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np

from gsr_tf.formats.agreement import ExportError, Maps
from gsr_tf.formats.signatures import portable
from gsr_tf.inference.module import PICTURE, DetectorModule

SMALLEST_SHORT_SIDE = 97  # pixels: 13 features, one more than fc6's dilation
OPSET = 17  # ONNX Runtime 1.12 and later
# Other kernels sum in another order; a map seen as 256 levels hides forty times as much.
TOLERANCE = 1e-4


def convert(detector: DetectorModule) -> bytes:
    """The ONNX model: "image" [h, w, 3] uint8, any size -> "probability" and "boundary", [h, w, 1] float32.

    Raises:
        ExportError: the extra `onnx` is not installed; pictures seen in proportion and so small that fc6's outer taps
            see nothing, of which ONNX has no products.
    """
    if detector.resize_mode == "crop" and detector.size < SMALLEST_SHORT_SIDE:
        raise ExportError(
            f"--format=onnx: a short side of {detector.size} pixels is too small; expected at least "
            f"{SMALLEST_SHORT_SIDE}: --size={SMALLEST_SHORT_SIDE}"
        )
    try:
        import tf2onnx
    except ImportError as error:
        raise ExportError(f"--format=onnx needs more packages ({error.name}): pip install 'gsr_tf[onnx]'") from error
    with mock.patch.object(np, "product", np.prod, create=True):  # tf2onnx 1.17 asks for what NumPy 2 has no more
        model, weights = tf2onnx.convert.from_function(
            portable(detector),
            input_signature=[PICTURE],
            opset=OPSET,
            custom_op_handlers={"ResizeBilinear": (_resize_to_size, [])},
            large_model=True,  # else each of its dozens of passes copies the weights: 6 GiB at full width
        )
    for tensor in model.graph.initializer:
        if tensor.data_location == tensor.EXTERNAL:
            tensor.raw_data = weights.name_to_tensor_data[tensor.external_data[0].value]
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
    return model.SerializeToString()


def _resize_to_size(context: Any, node: Any, _name: str, _arguments: list) -> None:
    """tf2onnx's own conversion of a resize, by its target size.

    Where it knows the sizes of both it writes their quotient instead, which rounding makes 299 of 300 pixels.
    """
    from tf2onnx.onnx_opset.nn import Resize

    context.set_shape(node.input[0], [-1, -1, -1, -1])
    Resize.version_11(context, node)


def runner(model: bytes) -> Maps:
    """The maps of an ONNX model, by ONNX Runtime on the CPU; ExportError where it cannot run the model."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ExportError(f"--format=onnx needs more packages ({error.name}): pip install 'gsr_tf[onnx]'") from error
    try:
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common type
        raise ExportError(f"ONNX Runtime cannot load the model: {error}") from error
    names = [output.name for output in session.get_outputs()]

    def maps(picture: np.ndarray) -> dict[str, np.ndarray]:
        try:
            return dict(zip(names, session.run(names, {PICTURE.name: picture})))
        except Exception as error:
            raise ExportError(f"ONNX Runtime cannot run the model on {picture.shape}: {error}") from error

    return maps
