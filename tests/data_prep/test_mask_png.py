import io

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_prep.writing.mask_png import encode_mask


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (5, 8), (24, 33), (200, 301)])
def test_every_reader_sees_the_mask(shape):
    mask = np.random.default_rng(0).integers(0, 2, shape, dtype=np.uint8)
    png = encode_mask(mask)
    expected = mask * 255
    np.testing.assert_array_equal(tf.io.decode_png(png)[..., 0], expected)
    np.testing.assert_array_equal(tf.io.decode_image(png, channels=1)[..., 0], expected)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png)).convert("L")), expected)
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE), expected)
