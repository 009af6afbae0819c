"""The benchmark that sends any folder through decoding and preparation finds what is there to find."""

import numpy as np
from PIL import Image

from benchmarks import corpus


def test_a_folder_is_looked_through(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    for name in ("a.png", "b.tif", "c.jpg"):
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("words")
    Image.fromarray(np.linspace(0, 1, 600, dtype=np.float32).reshape(20, 30)).save(tmp_path / "float.tif")
    found = corpus.look_through(tmp_path)
    assert (found["files"], found["decoded"], found["refused"]) == (5, 4, 1)
    assert (found["pillow_reads"], found["opencv_reads"]) == (4, 3)
    assert not found["unexpected"] and not found["prepared_differently"] and not found["probed_otherwise"]
    ((name, *_),) = found["other_than_pillow"]  # which takes a float of 1 for a level of 1
    assert name.endswith("float.tif")
