"""The shipped model says today what it said when it was measured: sampled pixels of a photograph, to a thousandth.

After a change of the shipped weights: python -m tests.inference.test_shipped_probabilities
"""

import json
from pathlib import Path

import numpy as np
import skimage.data

from gsr_tf.inference import shipped
from gsr_tf.inference.detector import Detector

GOLDEN = Path(__file__).resolve().parents[1] / "goldens" / "shipped_probabilities.json"
SAMPLED = np.s_[20::29, 20::41]  # 14 x 15 pixels of 400 x 600


def sampled(name):
    """{map: its values at 210 pixels} of scikit-image's photograph of a cup of coffee, seen at one size."""
    maps = Detector.load(name).maps(skimage.data.coffee(), scales=[1.0])
    return {key: values[SAMPLED].ravel() for key, values in maps.items()}


def write_golden():
    """Stores what the default model says now, and which one that was."""
    name = shipped.default_name()
    golden = {"model": name, "sha256": shipped.read_index()[name]["sha256"]}
    golden |= {key: [round(float(value), 5) for value in values] for key, values in sampled(name).items()}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in golden.items()]
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def test_probabilities_are_those_that_were_measured():
    golden = json.loads(GOLDEN.read_text())
    assert golden["sha256"] == shipped.read_index()[golden["model"]]["sha256"]
    found = sampled(golden["model"])
    assert set(found) == {"probability", "boundary"}
    for name, values in found.items():
        assert values.size == 210 and np.ptp(golden[name]) > 0.3
        np.testing.assert_allclose(values, golden[name], rtol=0, atol=1e-3, err_msg=name)


if __name__ == "__main__":
    write_golden()
