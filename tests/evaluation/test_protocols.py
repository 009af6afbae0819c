import cv2
import numpy as np
import pytest
from scipy import ndimage

from gsr_tf.evaluation import metrics, views
from gsr_tf.evaluation.errors import ProtocolError
from gsr_tf.evaluation.evaluator import Evaluator
from gsr_tf.evaluation.metrics import PROBABILITY_GRID
from gsr_tf.evaluation.protocols import PROTOCOLS, choose
from tests.evaluation.test_metrics import random_map


def evaluated(names, pictures):
    evaluator = Evaluator(choose(names))
    for index, (scores, mask, manipulated) in enumerate(pictures):
        evaluator.add(f"picture {index}", scores, mask, manipulated)
    return {
        protocol: {name: score.rows[0] for name, score in scores.items()}
        for protocol, scores in evaluator.finish().scores.items()
    }


def square(side=64, start=16, stop=40):
    mask = np.zeros((side, side), bool)
    mask[start:stop, start:stop] = True
    return mask


EMPTY, SQUARE = np.zeros((64, 64), bool), square()
NOTHING, EVERYTHING = np.zeros((64, 64), np.float32), np.ones((64, 64), np.float32)
MAPS = [(*random_map(seed, shape=(40, 50)), True) for seed in range(6)]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_says_what_it_is_and_where_from(name):
    protocol = PROTOCOLS[name]
    assert protocol.name == name
    assert len(protocol.definition) > 40 and len(protocol.source) > 20
    assert protocol.resolution in ("native", "300x300", "512x512")


def test_a_perfect_map_scores_one_everywhere():
    found = evaluated(list(PROTOCOLS), [(SQUARE.astype(np.float32), SQUARE, True), (NOTHING, EMPTY, False)])
    for protocol, metric in [("paper", "f1"), ("paper", "mcc"), ("image-optimum", "f1"), ("fixed-0.5", "mcc")]:
        assert found[protocol][metric] == 1
    for protocol in ("pooled", "trufor", "mvss", "image-level"):
        assert found[protocol]["f1"] == 1
    assert found["imdlbenco"]["f1"] == pytest.approx(0.5, abs=1e-3)  # the authentic picture scores 0
    assert found["image-level"]["balanced accuracy"] == found["image-level"]["auc"] == 1
    assert found["authentic"] == {"false positive rate": 0, "pictures with any": 0}


def test_paper_image_optimum_fixed_and_pooled_differ_as_defined():
    curves = np.stack([metrics.f1(metrics.count(scores, mask)) for scores, mask, _ in MAPS])
    found = evaluated(["paper", "image-optimum", "fixed-0.5", "pooled"], MAPS)
    assert found["paper"]["f1"] == pytest.approx(curves.mean(axis=0).max(), abs=1e-12)
    assert found["image-optimum"]["f1"] == pytest.approx(curves.max(axis=1).mean(), abs=1e-12)
    assert found["fixed-0.5"]["f1"] == pytest.approx(curves[:, 128].mean(), abs=1e-12)
    every = [np.concatenate([picture[i].ravel() for picture in MAPS]) for i in (0, 1)]
    counts = metrics.count(*every)
    assert found["pooled"]["f1"] == pytest.approx(metrics.f1(counts).max(), abs=1e-12)
    assert found["pooled"]["f1 at 0.5"] == pytest.approx(metrics.f1(counts)[128], abs=1e-12)
    assert found["pooled"]["auc"] == pytest.approx(metrics.roc_auc(counts), abs=1e-12)


def test_f1_and_mcc_have_their_own_thresholds():
    evaluator = Evaluator(choose(["paper"]))
    # Few, faint false alarms over a large region: F1 wants everything, MCC only what is sure.
    mask = np.arange(100).reshape(10, 10) < 60
    scores = np.where(np.arange(100) < 30, 0.9, np.where(np.arange(100) < 85, 0.4, 0.1)).reshape(10, 10)
    evaluator.add("one", scores, mask)
    found = evaluator.finish().scores["paper"]
    assert found["f1"].threshold < 0.4 <= found["mcc"].threshold
    assert found["f1"].rows[0] == pytest.approx(2 * 60 / (60 + 85))
    assert found["precision"].rows[0] == pytest.approx(60 / 85)
    assert found["recall"].rows[0] == 1


def test_authentic_pictures_reach_only_the_protocols_that_cover_them():
    manipulated = [(EVERYTHING, SQUARE, True)]
    alone = evaluated(list(PROTOCOLS), manipulated)
    both = evaluated(list(PROTOCOLS), [*manipulated, (EVERYTHING, EMPTY, False)])
    for name in ("paper", "release", "image-optimum", "fixed-0.5", "pooled", "trufor", "mvss"):
        assert alone[name] == both[name]
    assert both["imdlbenco"]["f1"] == alone["imdlbenco"]["f1"] / 2
    assert both["authentic"] == {"false positive rate": 1, "pictures with any": 1}
    assert "authentic" not in alone
    assert both["image-level"]["balanced accuracy"] == 0.5
    assert both["image-level"]["mvss f1"] == 0


def test_what_is_found_at_a_share_of_false_alarms():
    authentic = np.linspace(0.4, 0.9, 64 * 64, dtype=np.float32).reshape(64, 64)  # 10 % above .85, 5 % above .875
    manipulated = np.where(SQUARE, 0.87, 0.892 * square(start=0, stop=8)).astype(np.float32)
    found = evaluated(["false-alarms"], [(manipulated, SQUARE, True), (authentic, EMPTY, False)])["false-alarms"]
    for share in (0.1, 0.05, 0.02, 0.01):
        threshold = next(t for t in PROBABILITY_GRID if (authentic > t).mean() <= share)
        counts = metrics.count(manipulated, SQUARE, np.array([threshold]))
        for name in ("f1", "mcc", "recall"):
            assert found[f"{name} at {share:.0%} false alarms"] == getattr(metrics, name)(counts)[0]
    assert found["recall at 10% false alarms"] == 1 and found["recall at 5% false alarms"] == 0
    assert found["mcc at 5% false alarms"] < found["mcc at 1% false alarms"] == 0


def test_exactly_the_share_is_allowed():
    authentic = np.zeros((40, 50), np.float32)
    authentic[:2] = 0.9  # 5 %
    found = evaluated(["false-alarms"], [(SQUARE * 0.8, SQUARE, True), (authentic, np.zeros((40, 50), bool), False)])
    recall = [found["false-alarms"][f"recall at {share} false alarms"] for share in ("10%", "5%", "2%", "1%")]
    assert recall == [1, 1, 0, 0]


def test_false_alarms_that_no_threshold_avoids_leave_a_score_undefined():
    found = evaluated(["false-alarms"], [(EVERYTHING, SQUARE, True), (EVERYTHING, EMPTY, False)])["false-alarms"]
    assert len(found) == 12 and np.isnan(list(found.values())).all()


@pytest.mark.parametrize("picture", [(EVERYTHING, SQUARE, True), (EVERYTHING, EMPTY, False)])
def test_false_alarms_need_both_kinds_of_picture(picture):
    assert evaluated(["false-alarms"], [picture])["false-alarms"] == {}


def test_image_level_is_undefined_for_one_kind_of_picture():
    found = evaluated(["image-level"], [(EVERYTHING, SQUARE, True)])["image-level"]
    assert np.isnan([found["auc"], found["balanced accuracy"], found["mvss f1"]]).all()


def test_mvss_calls_empty_and_empty_one_and_rounds_down_to_eight_bits():
    assert evaluated(["mvss"], [(NOTHING, EMPTY, True)])["mvss"]["f1"] == 1
    just_above_half = np.full((64, 64), 0.501, np.float32)  # 127 / 255 once it is 8-bit
    assert evaluated(["mvss"], [(just_above_half, SQUARE, True)])["mvss"]["f1"] == 0
    assert evaluated(["mvss"], [(just_above_half + 0.002, SQUARE, True)])["mvss"]["f1"] > 0


def test_trufor_takes_the_better_polarity_and_ignores_the_border():
    inverse = 1 - SQUARE.astype(np.float32)
    assert evaluated(["trufor"], [(inverse, SQUARE, True)])["trufor"] == {"f1": 1, "f1 at 0.5": 1}
    wrong_at_the_border = square(start=12, stop=44).astype(np.float32)  # within the 11x11 band
    found = evaluated(["trufor", "fixed-0.5"], [(wrong_at_the_border, SQUARE, True)])
    assert found["trufor"]["f1"] == 1 > found["fixed-0.5"]["f1"]


def test_trufor_band_is_that_of_its_filters():
    counts = views.trufor(EVERYTHING, SQUARE, PROBABILITY_GRID)
    truth = SQUARE.astype(np.uint8)
    assert counts.positives == ndimage.minimum_filter(truth, 15).sum() == 10 * 10
    assert counts.negatives == (ndimage.maximum_filter(truth, 11) == 0).sum()


def release_by_hand(scores, mask, threshold):
    """The release's steps as its script takes them, one threshold at a time."""
    kernel = np.ones((15, 15), np.uint8)
    shrunk = cv2.resize(scores, (300, 300))
    truth = cv2.resize(mask.astype(np.uint8), (300, 300))
    prediction = cv2.morphologyEx((shrunk > threshold).astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    labels, number = ndimage.label(prediction, np.ones((3, 3)))
    areas = np.bincount(labels.ravel(), minlength=number + 1)
    kept = [label for label in np.argsort(areas, kind="stable")[-3:] if label]
    prediction = ndimage.binary_erosion(np.isin(labels, kept), np.ones((3, 3))).astype(np.uint8)
    prediction = cv2.morphologyEx(prediction, cv2.MORPH_CLOSE, kernel, iterations=2)
    return (prediction & truth).sum(), (prediction & (1 - truth)).sum()


def test_release_counts_are_those_of_its_steps():
    rng = np.random.default_rng(0)
    scores = cv2.GaussianBlur(rng.random((200, 260)).astype(np.float32), (0, 0), 5)
    scores = (scores - scores.min()) / np.ptp(scores)
    mask = cv2.GaussianBlur(rng.random((200, 260)), (0, 0), 12) > 0.51
    counts = views.release(scores, mask, views.RELEASE_THRESHOLDS)
    for index in (0, 15, 30, 40, 45, 49):
        assert (counts.tp[index], counts.fp[index]) == release_by_hand(scores, mask, index / 100)
    assert counts.positives + counts.negatives == 300 * 300
    assert 0 < counts.tp[49] < counts.tp[15]


def test_release_keeps_two_objects_and_works_at_300():
    scores = np.zeros((300, 300), np.float32)
    for corner, side in (((30, 30), 60), ((200, 30), 50), ((30, 200), 40), ((200, 200), 30)):
        scores[corner[0] : corner[0] + side, corner[1] : corner[1] + side] = 0.8
    counts = views.release(scores, scores > 0, views.RELEASE_THRESHOLDS)
    # The erosion takes one pixel a side; the closing does not give it back to a lone square.
    assert counts.tp[20] == 58**2 + 48**2
    assert (counts.fp == 0).all()


def test_release_leaves_out_what_would_be_nan():
    found = evaluated(["release"], [(NOTHING, EMPTY, True), (SQUARE.astype(np.float32), SQUARE, True)])
    assert found["release"]["f1"] > 0.9


def test_imdlbenco_stretches_to_512():
    counts = views.imdlbenco(EVERYTHING[:, :32], SQUARE[:, :32], PROBABILITY_GRID)
    assert counts.positives + counts.negatives == 512 * 512
    assert counts.positives == 24 * 16 * 8 * 16


def test_the_image_score_is_the_highest_pixel():
    scores = NOTHING.copy()
    scores[3, 4] = 0.7
    counts = views.whole_picture(scores, EMPTY, PROBABILITY_GRID)
    assert counts.fp.sum() == (np.float32(0.7) > PROBABILITY_GRID).sum() and counts.negatives == 1


def test_maps_without_probabilities_have_no_fixed_threshold():
    evaluator = Evaluator(
        choose(["paper", "pooled", "trufor", "image-level"]), thresholds=np.array([-np.inf, 3.0, 7.0])
    )
    evaluator.add("one", np.where(SQUARE, 5.0, 2.0), SQUARE)
    evaluator.add("two", np.full((64, 64), 2.0), EMPTY, manipulated=False)
    evaluation = evaluator.finish()
    names = {name for scores in evaluation.scores.values() for name in scores}
    assert not [name for name in names if "0.5" in name or name == "balanced accuracy"]
    assert evaluation.scores["paper"]["f1"].rows[0] == 1
    assert evaluation.scores["paper"]["f1"].threshold == 3
    assert evaluation.scores["image-level"]["auc"].rows[0] == 1
    assert np.isnan(evaluation.table["f1 at 0.5"]).all()


def test_unknown_protocol_lists_the_known_ones():
    with pytest.raises(ProtocolError, match="--protocols: no protocol nope; choose from paper, release"):
        choose(["paper", "nope"])


def test_no_pictures_give_no_scores():
    evaluation = Evaluator(choose(["paper"])).finish()
    assert evaluation.scores == {} and len(evaluation.table["name"]) == 0
