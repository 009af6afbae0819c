import pytest

from gsr_tf.inference.module import DetectorModule
from gsr_tf.models.keras import keras
from gsr_tf.models.networks import Networks
from gsr_tf.models.segmenter import build_segmenter


@pytest.fixture(scope="module")
def segmenter():
    """A small network."""
    keras.utils.set_random_seed(0)
    return build_segmenter(Networks(width=0.04))


@pytest.fixture(scope="module")
def module(segmenter):
    return DetectorModule(segmenter, size=48)
