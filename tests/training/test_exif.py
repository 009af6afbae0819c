"""A run of EXIF-consistency: its settings, its validation, its panels, what its export says."""

import numpy as np
import pytest
import tensorflow as tf

from gsr_tf import config
from gsr_tf.comparators.exif.attributes import TAGS
from gsr_tf.config import ConfigError
from gsr_tf.data.records import RecordsError
from gsr_tf.training.exif import EXIFRun, held_out_items
from gsr_tf.training.validation import Validation

TINY = {
    **{"trunk": "tiny", "resnet50_weights": "random", "input_size": 16, "feature_channels": 8, "same_channels": 4},
    **{"fc_channels": (8, 8), "patches_across": 4, "batch_size": 3},
}


def test_it_learns_from_pairs_of_the_targets(sources, targets):
    run = EXIFRun().changed(**TINY)
    (batch,) = run.stream({"--source_records": sources, "--target_records": targets}, start=0).take(1)
    assert batch.one.shape == (3, 16, 16, 3) and batch.common.shape == (3, 83)
    (later,) = run.stream({"--target_records": targets}, start=1).take(1)
    assert not np.array_equal(batch.one, later.one)


@pytest.mark.parametrize("comparison", ["dense", "sparse"])
def test_a_validation_scores_pictures_of_their_own_size(sources, comparison):
    run = EXIFRun().changed(**TINY, validation_pictures=2, comparison=comparison)
    net = run.build()
    score = run.scores(net, {"--validation_records": sources})
    for variable in net.segmenter.get_layer("head").variables:
        variable.assign(tf.zeros_like(variable))
    found = score()
    assert found["pictures"] == 2
    # All pairs at .5: an even map, which marks all pixels or none.
    assert found["f1"] == pytest.approx(found["all_positive_f1"])


def test_small_validation_pictures_are_left_out_by_name(sources, capsys):
    """Of the six one in three is 56x56, the others 48x64 or 64x48."""
    found = held_out_items(sources, Validation(), 50)
    assert [item.name for item in found] == ["tile 2", "tile 5#0", "tile 5#1"]
    assert "4 of 6 pictures left out, the first tile 0: 64x48 pixels" in capsys.readouterr().out
    assert len(held_out_items(sources, Validation(validation_pictures=1), 16)) == 1
    with pytest.raises(RecordsError, match="no picture with a mask has 129 pixels on each side"):
        held_out_items(sources, Validation(), 129)


def test_without_held_out_pictures_nothing_is_scored():
    run = EXIFRun().changed(**TINY)
    assert run.scores(run.build(), {}) is None


def test_a_panel_shows_pairs_and_what_is_thought_of_them(targets):
    run = EXIFRun().changed(**TINY)
    net = run.build()
    (batch,) = run.stream({"--target_records": targets}, start=0).take(1)
    pictures = run.panel(net, batch._replace(same=tf.constant([[1.0], [0], [1]])))
    assert list(pictures) == ["patch", "other", "same", "predicted"]
    assert all(x.shape == (3, 16, 16, 3) and x.dtype == np.uint8 for x in pictures.values())
    assert pictures["same"][:, 0, 0, 0].tolist() == [255, 0, 255]
    np.testing.assert_array_equal(pictures["patch"], batch.one)


def test_an_export_says_what_it_learnt_from():
    run = EXIFRun().changed(**TINY)
    network = run.build_segmenter()
    assert run.facts(network) == {
        **{"method": "exif-sc", "minimum_side": 17, "attributes": ["re-JPEG", "blur", "resize"]},
        "learnt_from": ["--target_records"],
    }
    network.known.assign(tf.cast(tf.range(83) == TAGS.index("Model"), tf.float32))
    assert run.changed(processing_share=0.0).facts(network)["attributes"] == ["Model"]
    assert EXIFRun().preparation.minimum_side == 129


@pytest.mark.parametrize(
    ("size", "centre", "message"),
    [(20, 0.5, "--size=20: .*in patches of 16 pixels"), (16, 0.4, "--centre=0.4: .*expected no --centre")],
)
def test_an_export_at_another_size_or_centre_is_refused(size, centre, message):
    run = EXIFRun().changed(**TINY)
    with pytest.raises(ConfigError, match=message):
        run.detector(run.build_segmenter(), size, centre)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"trunk": "tiny"}, "--resnet50_weights=imagenet fits --trunk=resnet50 alone"),
        ({"comparison": "some"}, "--comparison=some: expected one of dense, sparse"),
        (
            {"validation_records": "a", "validation_targets": "b"},
            "--validation_targets=b: EXIF-consistency is validated",
        ),
        ({"method": "mfcn"}, "settings of --method=mfcn, expected those of exif"),
        ({"resize_mode": "crop"}, "unknown settings: resize_mode"),
    ],
)
def test_what_makes_no_sense_names_its_flag(wrong, message):
    with pytest.raises(ConfigError, match=message):
        EXIFRun.from_dict(wrong)


def test_the_flagfile_is_the_papers():
    values = config.from_flagfile("comparators/exif-sc").flat()
    expected = {"learning_rate": 1e-4, "batch_size": 128, "steps": 1_000_000, "input_size": 128, "trunk": "resnet50"}
    assert {name: values[name] for name in expected} == expected
    assert config.from_flagfile("comparators/exif-sc") == EXIFRun()
