"""What a run is validated on."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from gsr_tf.config import Config
from gsr_tf.data.pipeline import training_stream
from gsr_tf.data.preparation import Preparation
from gsr_tf.data.records import RecordsError, open_records
from gsr_tf.evaluation import metrics
from gsr_tf.training.validation import SEED, Validation, held_out, validation
from tests.networks import TINY

PREPARED = Preparation(input_size=32, seed=7)
PAIRS = 7  # of the records of S; the last picture has two masks


def changed_since(records, numbers, copy):
    """A copy of records, some of which were changed since their preparation."""
    shutil.copytree(records.path, copy)
    (shard,) = copy.glob("*.tfrecord")
    data = bytearray(shard.read_bytes())
    for number in numbers:
        data[records.columns["offset"][number] + 200] ^= 1
    shard.write_bytes(data)
    return open_records(copy, records.flag)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory, sources):
    """The records of S, the second of which was changed since."""
    return changed_since(sources, [1], tmp_path_factory.mktemp("records") / "damaged")


def batches(sources, targets=None, pictures=200):
    records = {"--validation_records": sources, **({"--validation_targets": targets} if targets else {})}
    found = held_out(records, PREPARED, Validation(validation_pictures=pictures), half_pixel=True)
    return [[x.numpy() for x in batch[:4]] for batch in found.batches("validation")]


def shown(found):
    return [batch[0].tobytes() + batch[1].tobytes() for batch in found]


@pytest.mark.parametrize("composites", [False, True])
def test_it_is_what_a_training_stream_shows_unmoved(sources, targets, composites):
    given = targets if composites else None
    stream = training_stream(sources, given, PREPARED.unmoved(seed=SEED), batch_size=1)
    for found, expected in zip(batches(sources, given, 5), stream.take(5), strict=True):
        assert all(map(np.array_equal, found, expected[:4]))


@pytest.mark.parametrize("composites", [False, True])
def test_pictures_are_s_or_composites_where_targets_are_given_and_masks_are_k(sources, targets, composites):
    given = {"--validation_targets": targets} if composites else {}
    found = held_out({"--validation_records": sources, **given}, PREPARED, Validation(), half_pixel=True)
    expected = batches(sources, targets if composites else None)
    for (picture, mask), (s, k, _, m) in zip(found.pairs("validation"), expected, strict=True):
        np.testing.assert_array_equal(picture, m if composites else s)
        np.testing.assert_array_equal(mask, k[0, ..., 0] == 1)
        assert mask.dtype == bool and 0 < mask.sum() < mask.size and not np.array_equal(s, m)


def test_scores_are_those_of_what_is_said_of_each_picture(sources):
    found = held_out({"--validation_records": sources}, PREPARED, Validation(), half_pixel=True)
    said = lambda image: tf.sigmoid(image[..., :1] / 50.0)  # noqa: E731, of any picture's blue
    curves = [
        metrics.f1(metrics.count(said(tf.constant(picture)).numpy()[0, ..., 0], mask))
        for picture, mask in found.pairs("validation")
    ]
    scores = validation(said, found)()
    assert scores["f1"] == pytest.approx(np.mean(curves, axis=0).max(), abs=1e-6)
    assert scores["pictures"] == len(curves) == PAIRS


@pytest.mark.parametrize("composites", [False, True])
def test_what_cannot_be_decoded_is_named_and_left_out(sources, damaged, targets, composites, capsys):
    given = targets if composites else None
    whole, left = shown(batches(sources, given)), shown(batches(damaged, given))
    assert len(set(whole)) == PAIRS
    assert left == [one for one in whole if one in left] and len(left) == PAIRS - 1
    assert capsys.readouterr().out.count("skipped tile 1: damaged since its preparation") == 1


def test_a_composite_on_what_cannot_be_decoded_is_left_out(sources, targets, tmp_path):
    whole, left = (shown(batches(sources, t)) for t in (targets, changed_since(targets, [0], tmp_path / "t")))
    assert left == [one for one in whole if one in left] and 0 < len(left) < len(whole) == PAIRS


def test_nothing_that_can_be_decoded_is_an_error_that_names_the_records(sources, tmp_path):
    for chosen, gone in ((1, [number for number in range(len(sources) - 1)]), (200, range(len(sources)))):
        records = changed_since(sources, gone, tmp_path / str(chosen))
        with pytest.raises(RecordsError, match=f"^--records={tmp_path / str(chosen)}: no.* can be decoded"):
            batches(records, pictures=chosen)


def test_it_counts_for_no_score(damaged):
    run = Config().changed(**TINY, input_size=32, vgg16_weights="random")
    assert run.scores(run.build(), {"--validation_records": damaged})()["pictures"] == PAIRS - 1
