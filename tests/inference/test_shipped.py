import json
import os

import numpy as np
import pytest
import skimage.data

from gsr_tf.formats import weights
from gsr_tf.inference import shipped
from gsr_tf.inference.module import DetectorModule
from gsr_tf.models.networks import Networks
from gsr_tf.models.segmenter import build_segmenter
from gsr_tf.models.weights import WeightsError

SETTINGS = {"width": 0.05, "head_kernel": 1}
PICTURE = skimage.data.astronaut()[:60, :80]


@pytest.fixture(scope="module")
def detector():
    return DetectorModule(build_segmenter(Networks(**SETTINGS)), size=32, resize_mode="crop")


@pytest.fixture
def folder(tmp_path, detector):
    weights.add(detector, "first", {"segmenter": SETTINGS, "threshold": 0.3}, tmp_path)
    weights.add(detector, "second", {"segmenter": SETTINGS}, tmp_path)
    return tmp_path


def test_there_and_back_in_half_precision(detector, folder):
    loaded, entry = shipped.load("first", folder)
    assert (entry["threshold"], loaded.size, loaded.resize_mode) == (0.3, 32, "crop")
    for mine, theirs in zip(detector.segmenter.trainable_variables, loaded.segmenter.trainable_variables):
        np.testing.assert_array_equal(mine.numpy().astype(np.float16), theirs)
    found, expected = (x(PICTURE)["probability"].numpy() for x in (loaded, detector))
    assert found.shape == (60, 80, 1)
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_probabilities_are_centred(detector, folder):
    centred = DetectorModule(detector.segmenter, size=32, resize_mode="crop", centre=0.2)
    weights.add(centred, "centred", {"segmenter": SETTINGS}, folder)
    assert shipped.load("centred", folder)[0].centre == 0.2
    found, plain = ({name: x.numpy() for name, x in one.native(PICTURE).items()} for one in (centred, detector))
    odds, before = (p / (1 - p) for p in (found["probability"], plain["probability"]))
    np.testing.assert_allclose(odds / before, 4.0, rtol=1e-5)  # at .2, one to four, the odds are now even
    np.testing.assert_array_equal(found["boundary"], plain["boundary"])


def test_a_fingerprint_is_of_the_weights_and_their_use(detector, folder, monkeypatch):
    index = shipped.read_index(folder)
    assert shipped.fingerprint(index["first"]) == shipped.fingerprint(index["second"])
    for changed in ({"sha256": "0"}, {"centre": 0.4}, {"size": 33}, {"scales": [0.5, 1.0]}):
        assert shipped.fingerprint({**index["first"], **changed}) != shipped.fingerprint(index["first"])
    before = shipped.fingerprint(index["first"])
    monkeypatch.setattr(shipped, "WAY", shipped.WAY + 1)
    assert shipped.fingerprint(index["first"]) != before


def test_the_first_is_the_default_and_stays_it_when_replaced(detector, folder):
    assert shipped.default_name(folder) == "first"
    weights.add(detector, "first", {"segmenter": SETTINGS}, folder)
    assert list(shipped.read_index(folder)) == ["first", "second"]
    assert shipped.default_name(folder / "nowhere") is None


def test_who_reads_weights_while_they_are_replaced_reads_the_whole_ones_of_before(folder):
    names = ("first.npz", "index.json")
    before = {name: (folder / name).read_bytes() for name in names}
    for name in names:
        os.link(folder / name, folder / f"opened {name}")
    other = DetectorModule(build_segmenter(Networks(**SETTINGS)), size=33)
    weights.add(other, "first", {"segmenter": SETTINGS}, folder)
    assert {name: (folder / f"opened {name}").read_bytes() for name in names} == before
    assert all((folder / name).read_bytes() != before[name] for name in names)
    assert shipped.load("first", folder)[0].size == 33


def test_a_folder_of_weights_may_be_moved(folder):
    moved = folder.rename(folder.with_name("moved"))
    assert shipped.load("second", moved)[0].size == 32


def test_a_name_that_is_not_there(folder):
    with pytest.raises(WeightsError, match="--weights=third: no such weights in .*; there are: first, second"):
        shipped.load("third", folder)


def test_a_flag_may_give_a_file_or_a_name(folder, tmp_path):
    assert shipped.weights_file("second", "--weights", folder) == folder / "second.npz"
    other = tmp_path / "other.npz"
    other.touch()
    assert shipped.weights_file(str(other), "--weights", folder) == other
    with pytest.raises(WeightsError, match="--weights=third: no such file, .* come with gsr_tf; those are: first, sec"):
        shipped.weights_file("third", "--weights", folder)
    (folder / "second.npz").write_bytes(b"another")
    with pytest.raises(WeightsError, match="second.npz: SHA-256"):
        shipped.weights_file("second", "--weights", folder)


def test_a_damaged_file_is_not_believed(folder):
    path = folder / "first.npz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="first.npz: SHA-256 .*, expected .*: damaged or changed"):
        shipped.load("first", folder)
    path.unlink()
    with pytest.raises(WeightsError, match="first.npz: cannot be read"):
        shipped.load("first", folder)


def test_weights_of_another_width_are_refused(folder):
    index = json.loads((folder / "index.json").read_text())
    index["first"]["segmenter"]["width"] = 0.1
    (folder / "index.json").write_text(json.dumps(index))
    with pytest.raises(WeightsError, match="segmenter/conv1_1/kernel is"):
        shipped.load("first", folder)


def test_a_damaged_index_is_named(detector, folder):
    (folder / "index.json").write_text("{")
    with pytest.raises(WeightsError, match="index.json: damaged"):
        shipped.load("first", folder)
    with pytest.raises(WeightsError, match="index.json: damaged"):  # nor is it written over
        weights.add(detector, "third", {"segmenter": SETTINGS}, folder)
