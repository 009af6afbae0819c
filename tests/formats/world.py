"""A detector written as a SavedModel with its maps, and one read: `python -m tests.formats.world write FOLDER`."""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from gsr_tf.formats import saved_model
from tests.formats.test_formats import PICTURES, detector


def write(folder):
    written = detector(75)
    saved_model.save(written, folder / "model", {})
    np.savez(folder / "maps.npz", *(written(picture)["probability"] for picture in PICTURES))


def read(folder):
    """Raises AssertionError where the model answers otherwise than where it was written."""
    loaded = tf.saved_model.load(str(folder / "model"))
    for picture, expected in zip(PICTURES, np.load(folder / "maps.npz").values(), strict=True):
        np.testing.assert_allclose(loaded(picture)["probability"], expected, rtol=0, atol=saved_model.TOLERANCE)
        assert np.ptp(expected) > 0.05


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]](Path(sys.argv[2]))
