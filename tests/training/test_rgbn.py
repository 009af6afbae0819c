"""A run of RGB-N: its settings, its validation, its panels."""

from types import SimpleNamespace

import numpy as np
import pytest

from gsr_tf import config
from gsr_tf.config import ConfigError
from gsr_tf.inference.module import DetectorModule
from gsr_tf.models.weights import WeightsError
from gsr_tf.training.rgbn import RGBNRun
from tests.networks import make_batch

TINY = {
    **{"backbone": "tiny", "resnet_weights": "random", "pooling_channels": 16, "input_size": 64},
    "anchor_scales": (1.0, 2.0),
}


def test_a_validation_scores_the_map_of_boxes(sources):
    run = RGBNRun().changed(**TINY, validation_pictures=2)
    scores = run.scores(run.build(), {"--validation_records": sources})()
    assert scores["pictures"] == 2 and 0 < scores["f1"] <= 1


def test_without_held_out_pictures_nothing_is_scored():
    run = RGBNRun().changed(**TINY)
    assert run.scores(run.build(), {}) is None


def test_a_panel_shows_what_is_learnt_from_and_what_comes_of_it():
    run = RGBNRun().changed(**TINY, train_on=("source", "pasted"))
    pictures = run.panel(run.build(), make_batch(2, 64))
    assert list(pictures) == ["picture", "K", "boxes"]
    assert all(x.shape == (4, 64, 64, 3) and x.dtype == np.uint8 for x in pictures.values())
    assert 100 < pictures["boxes"].max() < 160  # an untrained network's odds are about even


def test_what_is_exported_says_its_method_and_smallest_picture():
    run = RGBNRun().changed(**TINY)
    segmenter = run.build_segmenter()
    assert isinstance(run.detector(segmenter, 64, 0.5), DetectorModule)
    assert run.facts(segmenter) == {"method": "rgbn", "minimum_side": 16}


@pytest.mark.parametrize(
    ("flag", "path", "problem"),
    [("resnet_weights", "nowhere.h5", "no such file"), ("initial_weights", "nowhere.npz", "could not be read")],
)
def test_a_fresh_run_begins_from_the_weights_that_are_named(flag, path, problem):
    run = RGBNRun().changed(backbone="resnet50", **{flag: path})
    with pytest.raises(WeightsError, match=f"--{flag}={path}: {problem}"):
        run.initialize(SimpleNamespace(segmenter=SimpleNamespace(name="rgbn", variables=[])))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"backbone": "tiny"}, "--resnet_weights=imagenet does not go with --backbone=tiny"),
        ({"resnet_weights": "random"}, "--resnet_weights=random does not go with --backbone=resnet101"),
        ({"input_size": 64}, "--anchor_scales=8,16,32,64: the smallest anchor, 128 pixels, would hardly .*=64"),
        ({"streams": "colour"}, "--streams=colour: expected one of both, rgb, noise"),
        ({"backbone": "vgg16"}, "--backbone=vgg16: expected one of resnet101, resnet50, tiny"),
        ({"train_on": ("generated",)}, "--train_on=generated: expected one of source, pasted"),
        ({"method": "mfcn"}, "settings of --method=mfcn, expected those of rgbn"),
        ({"edge_weight": 1.0}, "unknown settings: edge_weight"),
    ],
)
def test_what_makes_no_sense_names_its_flag(wrong, message):
    with pytest.raises(ConfigError, match=message):
        RGBNRun.from_dict(wrong)


def test_a_folder_is_of_one_method(tmp_path):
    run = RGBNRun().changed(**TINY)
    run.write(tmp_path)
    assert config.load_any(tmp_path) == run
    with pytest.raises(ConfigError, match="settings of --method=rgbn, expected those of GSR-Net"):
        config.load(tmp_path)


def test_the_flagfile_is_the_papers():
    run = config.from_flagfile("comparators/rgbn")
    values, expected = run.flat(), {
        **{"backbone": "resnet101", "streams": "both", "anchor_scales": (8.0, 16.0, 32.0, 64.0)},
        **{"pooling_channels": 16384, "learning_rate": 1e-3, "drop_after": 40_000, "steps": 110_000, "momentum": 0.9},
        **{"weight_decay": 1e-4, "batch_size": 1, "input_size": 600, "resize_mode": "crop", "proposals": 100},
    }  # fmt: skip
    assert isinstance(run, RGBNRun) and {name: values[name] for name in expected} == expected
