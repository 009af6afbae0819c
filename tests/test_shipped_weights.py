"""What is shipped: whole, small enough, described, used by default, and able to find a pasted region."""

import hashlib
import json

import numpy as np
import pytest
import skimage.data
from sklearn.metrics import roc_auc_score

import gsr_tf
from gsr_tf import export, predict
from gsr_tf.data.pictures import encode_png
from gsr_tf.formats import agreement
from gsr_tf.inference import shipped
from gsr_tf.inference.metadata import DetectorError

CARD = shipped.FOLDER / "MODEL_CARD.md"


@pytest.fixture(scope="module")
def detector():
    return gsr_tf.Detector.load()


def test_the_files_are_those_that_were_measured():
    index = shipped.read_index()
    total = 0
    for entry in index.values():
        data = (shipped.FOLDER / entry["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry["sha256"]
        total += len(data)
    assert 0 < total <= 45e6
    assert {path.name for path in shipped.FOLDER.glob("*.npz")} == {entry["file"] for entry in index.values()}


def test_the_card_speaks_of_every_name_and_its_threshold():
    card = CARD.read_text(encoding="utf-8")
    for name, entry in shipped.read_index().items():
        assert f"`{name}`" in card
        assert f"{entry['threshold']:.3f}" in card
        assert entry["licence"] and entry["config"] and entry["scores"]["evaluations"]


def test_the_default_is_loaded_by_none_and_by_its_name(detector):
    assert detector.name == shipped.default_name()
    assert detector.threshold == shipped.read_index()[detector.name]["threshold"]
    assert gsr_tf.Detector.load(detector.name).fingerprint == detector.fingerprint


def test_it_finds_what_was_pasted(detector):
    """The astronaut's head on a cup of coffee and on a cat: pictures that it never saw."""
    head = skimage.data.astronaut()[30:200, 160:290]
    rows, columns = np.mgrid[:170, :130]
    oval = ((rows - 85) / 85) ** 2 + ((columns - 65) / 65) ** 2 < 1
    areas = []
    for target, top, left in ((skimage.data.coffee(), 120, 60), (skimage.data.cat(), 100, 250)):
        picture, mask = target.copy(), np.zeros(target.shape[:2], bool)
        picture[top : top + 170, left : left + 130][oval] = head[oval]
        mask[top : top + 170, left : left + 130] = oval
        areas.append(roc_auc_score(mask.ravel(), detector.segment(picture).map.ravel()))
    assert min(areas) > 0.6 and np.mean(areas) > 0.75


@pytest.mark.parametrize(
    ("more", "scales"),
    [([], [1.0]), (["--scales=.75,1"], [0.75, 1.0]), (["--resolution=tile"], [1.0])],
)
def test_predict_needs_no_model(tmp_path, capsys, more, scales):
    picture, output = tmp_path / "photo.png", tmp_path / "answers"
    picture.write_bytes(encode_png(skimage.data.camera()[:150, :200]))
    assert predict.main(["predict", f"--input={picture}", f"--output={output}", *more]) == 0
    settings = json.loads((output / "results.jsonl").read_text())["settings"]
    assert (settings["detector"], settings["scales"]) == (shipped.default_name(), scales)


def test_without_any_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setattr(shipped, "default_name", lambda: None)
    with pytest.raises(
        DetectorError, match="none is shipped: give --saved_model=FOLDER, made by python -m gsr_tf.export"
    ):
        gsr_tf.Detector.load()


@pytest.mark.slow
def test_the_shipped_model_can_be_exported(detector, tmp_path, capsys, monkeypatch):
    picture, output = skimage.data.cat()[:120, :150], tmp_path / "model"
    monkeypatch.setattr(agreement, "trial_pictures", lambda: [picture])  # of three it takes three times as long
    assert export.main(["export", f"--weights={detector.name}", f"--output={output}"]) == 0
    exported = gsr_tf.Detector.load(output)
    for fact in ("threshold", "scales", "sha256"):
        assert exported.metadata[fact] == detector.metadata[fact]
    np.testing.assert_allclose(exported.segment(picture).map, detector.segment(picture).map, atol=1e-5)
    assert export.main(["export", f"--output={tmp_path / 'other'}"]) == 1
    assert "give one of --run_dir=FOLDER and --weights=NAME" in capsys.readouterr().err
    for of_a_run in ("--size=300", "--centre=0.4"):
        assert export.main(["export", f"--weights={detector.name}", of_a_run, f"--output={tmp_path / 'other'}"]) == 1
        assert "--size, --scores, --average_with and --centre are a run's" in capsys.readouterr().err
