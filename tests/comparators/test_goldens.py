"""NOI and CFA against maps of the original MATLAB code; the files are not part of the project."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from gsr_tf.comparators import cfa, noi
from gsr_tf.data.pictures import read_picture

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "goldens" / "classical"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no reference maps at ../shared/goldens/classical")


@pytest.mark.parametrize(
    ("name", "compute", "shape"), [("NOI1", noi.noise_map, (68, 68)), ("CFA1", cfa.trace_map, (135, 135))]
)
def test_equals_the_original(name, compute, shape):
    expected = scipy.io.loadmat(FOLDER / f"168_{name}.mat")["OutputMap"]
    computed = compute(read_picture(FOLDER / "168_image.jpg"))
    assert computed.shape == expected.shape == shape
    np.testing.assert_allclose(computed, expected, rtol=0, atol=1e-6)
