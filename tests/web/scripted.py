"""A detector that does to its process what a picture's width says."""

import os
import signal
import time

import numpy as np

from gsr_tf.inference.metadata import DetectorError
from gsr_tf.inference.segmentation import segmentation
from tests.web.pictures import blotches, encoded

CRASHES, HANGS, SLOW = 33, 34, 35
SECONDS = 2  # that a slow picture takes


class Light:
    """Answers as conftest's `red_detector`, without TensorFlow, which takes seconds to import."""

    name, fingerprint, threshold, scales, metadata = "red", "f1", 0.4, (1.0,), {"threshold": 0.4}
    precision = "float32"

    def scales_at(self, resolution):
        return self.scales

    def segment(self, image, *, threshold=None, resolution="whole"):
        behave(image)
        red, green, _ = np.moveaxis(image.astype(np.float32) / 255, -1, 0)
        return segmentation(red, green, threshold=self.threshold if threshold is None else threshold)


def load(*settings):
    return Light()


def load_nothing():
    raise DetectorError("--saved_model=/nix: not a SavedModel folder")


def load_with_tensorflow(*settings):
    from tests.web.conftest import red_detector

    return red_detector()


def behave(image):
    width = image.shape[1]
    if width == CRASHES:
        os.kill(os.getpid(), signal.SIGSEGV)
    if width in (HANGS, SLOW):
        time.sleep(60 if width == HANGS else SECONDS)


def picture(width=50):
    return encoded(blotches(40, width))
