"""A run of MFCN: its settings, its validation, its panels."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from gsr_tf import config
from gsr_tf.config import ConfigError
from gsr_tf.inference.module import DetectorModule
from gsr_tf.training.mfcn import MFCNRun, edge_threshold_chooser
from tests import tiny
from tests.networks import make_batch

TINY = {"width": 0.03, "fc_channels": 4, "vgg16_weights": "random", "input_size": 32}


def logits(probability):
    """[1, h, w, 2] whose softmax gives the probability, [h, w], to channel 1."""
    x = np.log(probability / (1 - probability))[np.newaxis, ..., np.newaxis].astype(np.float32)
    return tf.concat([0 * x, x], -1)


def ring(value, margin):
    edge = np.full([24, 24], 1e-3)
    edge[margin:-margin, margin:-margin] = value
    edge[margin + 1 : -margin - 1, margin + 1 : -margin - 1] = 1e-3
    return edge


def test_the_edge_threshold_is_chosen_by_f1():
    """A weak edge goes around everything, a stronger one around what is manipulated."""
    maps = {"segmentation": logits(np.full([24, 24], 0.9)), "boundary": logits(ring(0.25, 1) + ring(0.55, 8))}
    mask = np.zeros([24, 24], bool)
    mask[8:-8, 8:-8] = True
    pictures = SimpleNamespace(pairs=lambda title: [(tf.zeros([1, 24, 24, 3]), mask)] * 2)
    assert edge_threshold_chooser(lambda image, training: maps, pictures)() == 0.3
    mask[1:-1, 1:-1] = True
    assert edge_threshold_chooser(lambda image, training: maps, pictures)() == 0.1


def scored(sources, **changes):
    run = MFCNRun().changed(**TINY, validation_pictures=2, **changes)
    net = run.build()
    net.segmenter.edge_threshold.assign(0.77)
    return run.scores(net, {"--validation_records": sources})(), net.segmenter.edge_threshold


def test_a_validation_chooses_and_keeps_the_edge_threshold(sources):
    scores, threshold = scored(sources)
    assert scores["edge_threshold"] == pytest.approx(float(threshold.numpy()))
    assert 0.1 <= threshold.numpy() <= 0.9 and threshold.numpy() != np.float32(0.77)
    assert 0 <= scores["f1"] <= 1 and scores["pictures"] == 2


def test_sfcn_has_no_edge_threshold(sources):
    scores, threshold = scored(sources, edge_weight=0.0)
    assert "edge_threshold" not in scores and threshold.numpy() == np.float32(0.77)


def test_without_held_out_pictures_nothing_is_scored():
    run = MFCNRun().changed(**TINY)
    assert run.scores(run.build(), {}) is None


@pytest.mark.parametrize(
    ("changes", "titles"),
    [
        ({}, ["picture", "K", "surface", "edge", "edge-enhanced"]),
        ({"edge_weight": 0.0}, ["picture", "K", "surface"]),
    ],
)
def test_a_panel_shows_what_is_learnt_from_and_what_comes_of_it(changes, titles):
    run = MFCNRun().changed(**TINY, train_on=("source", "pasted"), **changes)
    pictures = run.panel(run.build(), make_batch())
    assert list(pictures) == titles
    assert all(x.shape == (4, 32, 32, 3) and x.dtype == np.uint8 for x in pictures.values())


def test_of_sfcn_a_plain_detector_is_exported():
    run = MFCNRun().changed(**TINY, edge_weight=0.0)
    segmenter = run.build_segmenter()
    assert type(run.detector(segmenter, 32, 0.5)) is DetectorModule
    assert run.facts(segmenter) == {"method": "sfcn", "minimum_side": 32}


@pytest.mark.parametrize(
    ("records", "chooser"), [("somewhere", "validation"), ("", "nothing: the default, for want of a validation")]
)
def test_an_export_says_what_chose_the_edge_threshold(records, chooser):
    run = MFCNRun().changed(**TINY, validation_records=records)
    assert run.facts(run.build_segmenter()) == {
        **{"method": "mfcn", "minimum_side": 32, "edge_threshold": 0.5, "edge_threshold_chosen_by": chooser}
    }


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"vgg16_weights": "imagenet", "width": 0.5}, "--vgg16_weights=imagenet fits --width=1 alone"),
        ({"edge_weight": -1.0}, "--edge_weight=-1.0: expected at least 0"),
        ({"train_on": ("generated",)}, "--train_on=generated: expected one of source, pasted"),
        ({"method": "dih"}, "settings of --method=dih, expected those of mfcn"),
        ({"lambda_adv": 1.0}, "unknown settings: lambda_adv"),
    ],
)
def test_what_makes_no_sense_names_its_flag(wrong, message):
    with pytest.raises(ConfigError, match=message):
        MFCNRun.from_dict({"vgg16_weights": "random", **wrong})


def test_a_folder_is_of_one_method(tmp_path):
    MFCNRun().changed(**TINY).write(tmp_path)
    assert config.load_any(tmp_path) == MFCNRun().changed(**TINY)
    with pytest.raises(ConfigError, match="settings of --method=mfcn, expected those of GSR-Net"):
        config.load(tmp_path)
    with pytest.raises(ConfigError, match="--method=sift: expected one of mfcn, rgbn, exif-sc, dih"):
        config.any_from_dict({"method": "sift"})


def test_the_flagfiles_are_the_papers(monkeypatch):
    mfcn, sfcn = (config.from_flagfile(f"comparators/{name}") for name in ("mfcn", "sfcn"))
    values = mfcn.flat()
    expected = {"learning_rate": 1e-4, "momentum": 0.9, "batch_size": 1, "weight_decay": 5e-4, "fc_channels": 4096}
    assert {name: values[name] for name in expected} == expected
    assert sfcn == mfcn.changed(edge_weight=0.0)


def test_what_chose_the_edge_threshold_is_said():
    run = MFCNRun().changed(**TINY)
    network = run.build_segmenter()
    assert run.facts(network)["edge_threshold_chosen_by"].startswith("nothing")
    network.edge_threshold.assign(0.3)  # earlier in the run, which has gone on without validations
    assert run.facts(network)["edge_threshold_chosen_by"] == "validation"


def test_one_picture_is_enough_to_be_validated_on(tmp_path):
    scores, _ = scored(tiny.write_records(tmp_path / "one", tiny.manipulated()[:1]))
    assert scores["pictures"] == 1
