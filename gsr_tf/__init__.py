"""GSR-Net (Zhou et al., AAAI 2020) in TensorFlow: generate, segment and refine manipulated pictures."""

import os
import tempfile
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gsr_tf.inference.detector import Detector as Detector

__version__ = "0.1.0"

# TensorFlow's start-up notes and TensorFlow Addons' farewell are not for the users of these commands. Errors that
# matter are raised as exceptions. Set TF_CPP_MIN_LOG_LEVEL=0 to see everything. TensorFlow 2.21 prints two of them
# whatever it is told.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# oneDNN's kernels double a CPU's speed here; TensorFlow 2.15 turns them on by itself only where there is AVX-512.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# TensorFlow imports absl's tests, which end that where they find no folder for temporary files. They only name it.
try:
    tempfile.gettempdir()
except FileNotFoundError:
    os.environ.setdefault("TEST_TMPDIR", os.path.join(os.curdir, "absl_testing"))
warnings.filterwarnings("ignore", category=UserWarning, module="tensorflow_addons")
# It names LiteRT, a package of its own from TensorFlow 2.20 on; the interpreter within TensorFlow is still there.
warnings.filterwarnings("ignore", message=r"\s*Warning: tf.lite.Interpreter is deprecated", category=UserWarning)


def __getattr__(name: str):
    """`gsr_tf.Detector`, imported when first asked for: what needs no TensorFlow starts without it."""
    if name != "Detector":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gsr_tf.inference.detector import Detector

    return Detector
