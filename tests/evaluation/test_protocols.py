import dataclasses

import cv2
import numpy as np
import pytest
import sklearn.metrics as reference
from scipy import ndimage

from gsr_tf import evaluate
from gsr_tf.evaluation import metrics
from gsr_tf.evaluation.accumulator import resample
from gsr_tf.evaluation.evaluator import Evaluator
from gsr_tf.evaluation.metrics import PROBABILITY_GRID
from gsr_tf.evaluation.protocols import (
    DEFAULT,
    PROTOCOLS,
    choose,
    image_level,
    imdlbenco,
    paper_cleaned,
    release,
    trufor,
)
from gsr_tf.evaluation.protocols.protocol import ProtocolError
from gsr_tf.inference import postprocessing
from tests.evaluation.test_metrics import random_map


def evaluation_of(pictures, names, **thresholds):
    """Of pictures, (scores, mask) or (scores, mask, manipulated) each, that are called "picture 0", "picture 1", ..."""
    evaluator = Evaluator(choose(names), **thresholds)
    for index, one in enumerate(pictures):
        evaluator.add(f"picture {index}", *one)
    return evaluator.finish()


def evaluated(names, pictures):
    return {
        protocol: {name: score.rows[0] for name, score in scores.items()}
        for protocol, scores in evaluation_of(pictures, names).scores.items()
    }


def square(side=64, start=16, stop=40):
    mask = np.zeros((side, side), bool)
    mask[start:stop, start:stop] = True
    return mask


EMPTY, SQUARE = np.zeros((64, 64), bool), square()
NOTHING, EVERYTHING = np.zeros((64, 64), np.float32), np.ones((64, 64), np.float32)
MAPS = [(*random_map(seed, shape=(40, 50)), True) for seed in range(6)]


def picture(*pixels):
    """(scores, mask) of one row of pixels, from (how many, score, manipulated)."""
    scores = np.concatenate([np.full(number, score, np.float32) for number, score, _ in pixels])
    return scores[None], np.concatenate([np.full(number, truth) for number, _, truth in pixels])[None]


# Below .25 TP 20, FP 5 of 20 and 80 pixels; from .25 on TP 15, FP 5.
ONE = picture((15, 0.75, True), (5, 0.25, True), (5, 0.75, False), (75, 0, False))
# Below .25 TP 30, FP 10 of 50 and 50 pixels; from .25 on TP 30, FP 0.
OTHER = picture((30, 0.75, True), (20, 0, True), (10, 0.25, False), (40, 0, False))
BY_HAND = {
    "paper": {
        "f1": (40 / 45 + 60 / 90) / 2,
        "mcc": (1100 / 1600 + 1500 / np.sqrt(30 * 50 * 50 * 70)) / 2,
        "iou": (20 / 25 + 30 / 60) / 2,
        "precision": (20 / 25 + 30 / 40) / 2,  # where F1 is best
        "recall": (1 + 30 / 50) / 2,
        # Squares and triangles under the two curves, steps at .75, .25 and 0.
        "auc": ((5 * 7.5 + 75 * 20) / 1600 + (10 * 30 + 40 * 40) / 2500) / 2,
        "ap": ((15 / 20 * 15 / 20 + 5 / 20 * 20 / 25) + (30 / 50 + 20 / 50 * 50 / 100)) / 2,
    },
    "image-optimum": {
        "f1": (40 / 45 + 60 / 80) / 2,
        "mcc": (1500 / np.sqrt(25 * 20 * 75 * 80) + 1500 / np.sqrt(30 * 50 * 50 * 70)) / 2,
        "iou": (20 / 25 + 30 / 50) / 2,
    },
    "fixed-0.5": {
        "f1": (30 / 40 + 60 / 80) / 2,
        "mcc": (1100 / 1600 + 1500 / np.sqrt(30 * 50 * 50 * 70)) / 2,
        "iou": (15 / 25 + 30 / 50) / 2,
        "precision": (15 / 20 + 1) / 2,
        "recall": (15 / 20 + 30 / 50) / 2,
    },
    "pooled": {  # TP 50, FP 15 below .25; TP 45, FP 5 from there on; of 70 and 130
        "f1": 90 / 120,
        "mcc": (45 * 125 - 5 * 25) / np.sqrt(50 * 70 * 130 * 150),
        "iou": 45 / 75,
        "f1 at 0.5": 90 / 120,
        "mcc at 0.5": (45 * 125 - 5 * 25) / np.sqrt(50 * 70 * 130 * 150),
        "iou at 0.5": 45 / 75,
        "auc": (5 * 22.5 + 10 * 47.5 + 115 * 60) / (70 * 130),
        "ap": 45 / 70 * 45 / 50 + 5 / 70 * 50 / 65 + 20 / 70 * 70 / 200,
    },
    "mvss": {"f1": (30 / 40 + 60 / 80) / 2},
}


@pytest.mark.parametrize("name", BY_HAND)
def test_scores_of_two_pictures_are_those_by_hand(name):
    found = evaluated([name], [(*ONE, True), (*OTHER, True)])[name]
    assert found == pytest.approx(BY_HAND[name], abs=1e-12)


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


def replicated(pictures):
    """[rows, t] of the estimate and of every replicate: the mean F1, the pooled F1, and the mean share of marked."""
    weights = np.stack([resample(f"picture {index}") for index in range(len(pictures))], axis=1)
    counts = [metrics.count(scores, mask) for scores, mask, _ in pictures]
    parts = [weights @ np.stack([one[part] for one in counts]) for part in range(3)]
    pooled = 2 * parts[0] / np.maximum(parts[0] + parts[1] + parts[2][:, None], 1)
    with np.errstate(invalid="ignore"):
        f1, marked = (
            weights @ np.stack([*map(metric, counts)]) / weights.sum(axis=1, keepdims=True)
            for metric in (metrics.f1, metrics.false_positive_rate)
        )
    return f1, pooled, marked


def test_every_replicate_takes_its_own_best_threshold():
    maps = [(*random_map(seed, shape=(40, 50)), True) for seed in range(20, 26)]
    found = evaluation_of(maps, ["paper", "pooled"]).scores
    for name, curves in zip(("paper", "pooled"), replicated(maps)):
        assert len(np.unique(curves.argmax(axis=1))) > 5 and curves[0].argmax() != curves[-1].argmax()
        np.testing.assert_allclose(found[name]["f1"].rows, curves.max(axis=1), atol=1e-12)
        assert found[name]["f1"].threshold == PROBABILITY_GRID[curves[0].argmax()] and found[name]["f1"].pictures == 6


def test_every_replicate_takes_its_own_threshold_of_false_alarms():
    rng = np.random.default_rng(0)
    authentic = [(np.float32(rng.random((40, 50)) ** power), np.zeros((40, 50), bool), False) for power in (1, 4, 9)]
    found = evaluation_of([*authentic, *MAPS], ["false-alarms"]).scores["false-alarms"]
    score = found["f1 at 10% false alarms"]
    marked = replicated(authentic)[2]
    lowest = (marked.round(12) <= 0.1).argmax(axis=1)  # in some it is .1 exactly
    weights = np.stack([resample(f"picture {index}") for index in range(3, 9)], axis=1)
    curves = weights @ np.stack([metrics.f1(metrics.count(scores, mask)) for scores, mask, _ in MAPS])
    expected = curves[np.arange(len(curves)), lowest] / np.maximum(weights.sum(axis=1), 1)
    defined = np.isfinite(marked[:, 0]) & (weights.sum(axis=1) > 0)  # a replicate may have drawn none of a kind
    assert len(np.unique(lowest)) > 3 and 0.9 < defined.mean() < 1
    np.testing.assert_allclose(score.rows[defined], expected[defined], atol=1e-12)
    assert np.isnan(score.rows[~defined]).all()
    assert score.threshold == PROBABILITY_GRID[lowest[0]]


def test_f1_and_mcc_have_their_own_thresholds():
    # Few, faint false alarms over a large region: F1 wants everything, MCC only what is sure.
    mask = np.arange(100).reshape(10, 10) < 60
    scores = np.where(np.arange(100) < 30, 0.9, np.where(np.arange(100) < 85, 0.4, 0.1)).reshape(10, 10)
    found = evaluation_of([(scores, mask)], ["paper"]).scores["paper"]
    assert found["f1"].threshold < 0.4 <= found["mcc"].threshold
    assert found["f1"].rows[0] == pytest.approx(2 * 60 / (60 + 85))
    assert found["precision"].rows[0] == pytest.approx(60 / 85)
    assert found["recall"].rows[0] == 1
    assert found["auc"].threshold is None and found["ap"].threshold is None


def test_recall_is_taken_at_f1s_threshold():
    """Not at its own best one, the lowest, where everything is marked."""
    one = picture((8, 0.9, True), (2, 0.1, True), (2, 0.9, False), (88, 0.1, False))
    found = evaluation_of([one], ["paper"]).scores["paper"]
    assert (found["precision"].rows[0], found["recall"].rows[0]) == (0.8, 0.8)
    assert found["recall"].threshold == found["precision"].threshold == found["f1"].threshold > 0.09


def test_replicates_of_a_fixed_threshold_are_means_over_their_pictures():
    rows = evaluation_of(MAPS, ["fixed-0.5"]).scores["fixed-0.5"]["f1"].rows
    weights = np.stack([resample(f"picture {index}") for index in range(len(MAPS))], axis=1)
    each = np.array([metrics.f1(metrics.count(scores, mask))[128] for scores, mask, _ in MAPS])
    drawn = weights.sum(axis=1) > 0  # a replicate may have drawn none
    np.testing.assert_allclose(rows[drawn], (weights @ each)[drawn] / weights.sum(axis=1)[drawn], atol=1e-12)
    assert np.isnan(rows[~drawn]).all() and rows[drawn].std() > 0.001


def test_each_protocol_is_counted_on_its_own_grid():
    coarse = dataclasses.replace(PROTOCOLS["paper"], name="coarse", thresholds=np.array([0.25, 0.8]))
    evaluator = Evaluator([PROTOCOLS["paper"], coarse])
    evaluator.add("one", *ONE)
    scores = evaluator.finish().scores
    assert (scores["paper"]["f1"].rows[0], scores["paper"]["f1"].threshold) == (40 / 45, 0)
    assert (scores["coarse"]["f1"].rows[0], scores["coarse"]["f1"].threshold) == (30 / 40, 0.25)


def test_authentic_pictures_reach_only_the_protocols_that_cover_them():
    manipulated = [(EVERYTHING, SQUARE, True)]
    alone = evaluated(list(PROTOCOLS), manipulated)
    both = evaluated(list(PROTOCOLS), [*manipulated, (EVERYTHING, EMPTY, False)])
    for name in ("paper", "paper-cleaned", "release", "image-optimum", "fixed-0.5", "pooled", "trufor", "mvss"):
        assert alone[name] == both[name]
    assert both["imdlbenco"]["f1"] == alone["imdlbenco"]["f1"] / 2
    assert both["authentic"] == {"false positive rate": 1, "pictures with any": 1}
    assert "authentic" not in alone
    assert both["image-level"]["balanced accuracy"] == 0.5
    assert both["image-level"]["mvss f1"] == 0


def test_authentic_pictures_are_scored_by_what_is_marked_in_them():
    quarter, nothing = (picture((25, score, False), (75, 0.4, False)) for score in (0.6, 0.4))
    found = evaluated(["authentic"], [(*quarter, False), (*nothing, False)])["authentic"]
    assert found == {"false positive rate": 0.125, "pictures with any": 0.5}


def test_pictures_are_told_apart_by_their_highest_pixel():
    highest = ((0.9, True), (0.8, True), (0.3, True), (0.6, False), (0.1, False))
    maps = [(*picture((1, score, truth), (9, 0.05, False)), truth) for score, truth in highest]
    sensitivity, specificity = 2 / 3, 1 / 2
    assert evaluated(["image-level"], maps)["image-level"] == pytest.approx(
        {
            "auc": 5 / 6,
            "ap": 1 / 3 + 1 / 3 + 1 / 3 * 3 / 4,
            "f1": 2 * 2 / (2 * 2 + 1 + 1),
            "balanced accuracy": (sensitivity + specificity) / 2,
            "mvss f1": 2 * sensitivity * specificity / (sensitivity + specificity),
        }
    )


def test_replicates_of_image_level_are_those_of_the_pictures_drawn():
    truth, scores = np.array([True] * 4 + [False] * 4), np.array([0.9, 0.8, 0.3, 0.7, 0.6, 0.1, 0.2, 0.3])
    found = ranked(scores, truth)
    weights = np.stack([resample(f"picture {place}") for place in range(8)], axis=1)
    tp, fp = weights @ (truth & (scores > 0.5)), weights @ (~truth & (scores > 0.5))
    positives, negatives = weights @ truth, weights @ ~truth
    both = (positives > 0) & (negatives > 0)
    tp, fp, positives, negatives = tp[both], fp[both], positives[both], negatives[both]
    sensitivity, specificity = tp / positives, 1 - fp / negatives
    expected = {
        "f1": 2 * tp / (tp + fp + positives),
        "balanced accuracy": (sensitivity + specificity) / 2,
        "mvss f1": 2 * sensitivity * specificity / np.maximum(sensitivity + specificity, 1e-12),
    }
    for name, rows in expected.items():
        np.testing.assert_allclose(found[name].rows[both], rows, atol=1e-9)
        assert found[name].pictures == 8 and len(np.unique(rows.round(6))) > 5


def ranked(scores, truth):
    """The scores of image-level of pictures of one pixel, named by their place."""
    pixels = [
        (np.array([[score]]), np.array([[manipulated]]), manipulated) for score, manipulated in zip(scores, truth)
    ]
    return evaluation_of(pixels, ["image-level"]).scores["image-level"]


def test_pictures_are_ranked_by_their_own_scores_and_not_by_a_grid():
    rng = np.random.default_rng(0)
    truth = rng.random(60) < 0.4
    scores = 1 - (rng.integers(1, 30, 60) - 4 * truth) * 1e-5  # all above 255/256, with ties
    assert len(np.unique(scores)) < 40 and np.isin(scores[truth], scores[~truth]).any()
    found = ranked(scores, truth)
    for name, expected in (("auc", reference.roc_auc_score), ("ap", reference.average_precision_score)):
        assert found[name].pictures == 60 and found[name].threshold is None
        for row in (0, 1, 500, 1000):
            weights = np.array([resample(f"picture {place}")[row] for place in range(60)])
            assert found[name].rows[row] == pytest.approx(expected(truth, scores, sample_weight=weights), abs=1e-12)


def test_of_one_kind_of_picture_no_pairs_can_be_made():
    for truth, ap in (([True, True], 1), ([False, False], np.nan)):
        found = ranked([0.3, 0.7], truth)
        assert np.isnan(found["auc"].rows).all()
        np.testing.assert_array_equal(found["ap"].rows[0], ap)


def test_imdlbenco_halves_everything_with_as_many_authentic_pictures():
    share = SQUARE.mean()
    found = evaluated(["imdlbenco"], [(EVERYTHING, SQUARE, True), (EVERYTHING, EMPTY, False)])["imdlbenco"]
    assert found == pytest.approx({"f1": share / (1 + share), "iou": share / 2, "auc": 0.25})


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


@pytest.mark.parametrize(("pixels", "found"), [(100, 2), (101, 1), (40, 3), (41, 2), (20, 4), (21, 3)])
def test_exactly_the_share_is_allowed(pixels, found):
    """Of 2,000: 100 are 5 %."""
    authentic = np.where(np.arange(2000).reshape(40, 50) < pixels, np.float32(0.9), 0)
    scores = evaluated(["false-alarms"], [(SQUARE * 0.8, SQUARE, True), (authentic, authentic < 0, False)])
    recall = [scores["false-alarms"][f"recall at {share} false alarms"] for share in ("10%", "5%", "2%", "1%")]
    assert recall == [1] * found + [0] * (4 - found)


@pytest.mark.parametrize("pictures", [2, 3, 6, 1000])
def test_exactly_the_share_is_allowed_on_average_too(pictures):
    authentic = np.zeros((10, 10), np.float32)
    authentic[0] = 0.9  # 10 %; of three such shares the average in floating point is more than .1
    data = [(authentic, np.zeros((10, 10), bool), False)] * pictures
    found = evaluated(["false-alarms"], [(SQUARE * 0.8, SQUARE, True), *data])["false-alarms"]
    assert (found["recall at 10% false alarms"], found["recall at 5% false alarms"]) == (1, 0)


def test_false_alarms_that_no_threshold_avoids_leave_a_score_undefined():
    pictures = [(EVERYTHING, SQUARE), (EVERYTHING, EMPTY, False)]
    found = evaluation_of(pictures, ["false-alarms"]).scores["false-alarms"]
    assert len(found) == 12 and all(np.isnan(score.rows).all() for score in found.values())
    assert {score.threshold for score in found.values()} == {None}


def test_the_threshold_of_false_alarms_is_the_estimates():
    """Also where the first replicate has drawn no authentic picture."""
    name = next(f"authentic {number}" for number in range(100) if not resample(f"authentic {number}")[1])
    evaluator = Evaluator(choose(["false-alarms"]))
    evaluator.add("manipulated", EVERYTHING, SQUARE)
    evaluator.add(name, 0.5 * EVERYTHING, EMPTY, manipulated=False)
    score = evaluator.finish().scores["false-alarms"]["recall at 1% false alarms"]
    assert score.threshold == 0.5 and score.rows[0] == 1 and np.isnan(score.rows[1])


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


def test_trufor_takes_the_best_threshold_and_a_half():
    found = evaluated(["trufor"], [(np.where(SQUARE, 0.3, 0.1).astype(np.float32), SQUARE, True)])["trufor"]
    # At .5 nothing is marked, so its inverse is everything: 10 x 10 manipulated pixels, all but 34 x 34 authentic ones.
    assert found == pytest.approx({"f1": 1, "f1 at 0.5": 2 * 100 / (2 * 100 + 64 * 64 - 34 * 34)})


def test_trufor_leaves_out_a_picture_of_which_no_pixel_is_counted():
    spots = np.zeros((64, 64), bool)
    spots[4::8, 4::8] = True  # eroded to nothing, and all else is near one
    kept = trufor.keep(trufor.look(EVERYTHING, spots, PROBABILITY_GRID), PROBABILITY_GRID)
    assert np.isnan(kept["f1"]) and np.isnan(kept["f1 at 0.5"])


def test_trufor_band_is_that_of_its_filters():
    counts = trufor.look(EVERYTHING, SQUARE, PROBABILITY_GRID)
    truth = SQUARE.astype(np.uint8)
    assert counts.positives == ndimage.minimum_filter(truth, 15).sum() == 10 * 10
    assert counts.negatives == (ndimage.maximum_filter(truth, 11) == 0).sum()


@pytest.mark.parametrize("inverted", [False, True])
def test_trufor_tries_every_threshold_that_a_picture_has(inverted):
    levels = np.random.default_rng(0).integers(0, 40, (64, 64)) + 9 * (SQUARE ^ inverted)
    scores = np.float32(0.997 + 5e-5 * levels)  # one step of the grid
    truth = ndimage.minimum_filter(SQUARE, 15)
    counted = truth | ~ndimage.maximum_filter(SQUARE, 11)
    best = [best_of_all_thresholds(one[counted], truth[counted], reference.f1_score) for one in (scores, -scores)]
    found = evaluated(["trufor"], [(scores, SQUARE, True)])["trufor"]
    assert found["f1"] == pytest.approx(max(best), abs=1e-12) and max(best) == best[inverted] > 2 * found["f1 at 0.5"]


@pytest.mark.parametrize(
    ("scores", "mask", "share"),
    [
        (0.1 * EVERYTHING, square(64, 20, 30), 1),  # 10 x 10 erode to nothing, and nothing is marked
        (0.9 * square(64, 50, 52), square(64, 20, 30), 1 / 2),
        (EVERYTHING, EVERYTHING > 0, 1),
    ],
)
def test_trufor_leaves_out_what_is_of_one_class_at_a_half(scores, mask, share):
    faint = (np.float32(0.4 * SQUARE), SQUARE, True)
    alone, both = (evaluated(["trufor"], pictures)["trufor"] for pictures in ([faint], [(scores, mask, True), faint]))
    assert 0 < alone["f1 at 0.5"] < alone["f1"] == 1
    assert both == {"f1": (1 + mask.all()) / 2, "f1 at 0.5": share * alone["f1 at 0.5"]}


SEEN = square(40, 10, 22)  # after the dilation by 5x5 it covers the region: 16 x 16


@pytest.mark.parametrize(("side", "false"), [(3, 0), (4, 8 * 8)])
def test_cleaning_up_takes_small_particles_away(side, false):
    region, particle = square(40, 8, 24), square(40, 30, 30 + side)
    pictures = [(0.8 * (SEEN | particle).astype(np.float32), region, True)]
    found = evaluated(["paper", "paper-cleaned"], pictures)
    assert found["paper"]["precision"] == pytest.approx(144 / (144 + side**2))
    assert found["paper"]["recall"] == pytest.approx(144 / 256)
    # 3x3 pixels grow to 7x7, fewer than 64; 4x4 grow to 8x8 and stay.
    assert found["paper-cleaned"]["precision"] == pytest.approx(256 / (256 + false))
    assert found["paper-cleaned"]["recall"] == 1
    assert found["paper-cleaned"]["f1"] == pytest.approx(2 * 256 / (2 * 256 + false))


@pytest.mark.parametrize("thresholds", [PROBABILITY_GRID, np.array([-np.inf, 0.2, 0.55, 0.6])])
def test_cleaning_up_is_done_at_every_threshold(thresholds):
    rng = np.random.default_rng(0)
    scores = cv2.GaussianBlur(rng.random((60, 70)), (0, 0), 2)
    scores = (scores - scores.min()) / np.ptp(scores)
    mask = rng.random((60, 70)) < 0.4
    counts = paper_cleaned.look(scores, mask, thresholds)
    for index, threshold in enumerate(thresholds):
        dilated = ndimage.binary_dilation(scores > threshold, np.ones((5, 5)))
        labels, number = ndimage.label(dilated, np.ones((3, 3)))
        large = np.bincount(labels.ravel(), minlength=number + 1) >= 64
        prediction = large[labels] & dilated
        assert (counts.tp[index], counts.fp[index]) == ((prediction & mask).sum(), (prediction & ~mask).sum())
    assert (counts.positives, counts.negatives) == (mask.sum(), (~mask).sum())


def test_cleaning_up_is_the_post_processing_of_that_name():
    scores, mask, _ = MAPS[0]
    cleaned = metrics.count(postprocessing.paper(scores), mask)
    for ours, other in zip(paper_cleaned.look(scores, mask, PROBABILITY_GRID), cleaned):
        np.testing.assert_array_equal(ours, other)


def test_only_the_slow_one_must_be_asked_for(capsys):
    assert set(PROTOCOLS) - set(DEFAULT) == {"paper-cleaned"}
    assert evaluate.main(["evaluate", "--help"]) == 0
    printed = "".join(capsys.readouterr().out.split())
    assert "onlyifnamed:paper-cleaned." in printed and f"[{','.join(DEFAULT)}]" in printed


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
    counts = release.look(scores, mask, release.THRESHOLDS)
    for index in (0, 15, 30, 40, 45, 49):
        assert (counts.tp[index], counts.fp[index]) == release_by_hand(scores, mask, index / 100)
    assert counts.positives + counts.negatives == 300 * 300
    assert 0 < counts.tp[49] < counts.tp[15]


def test_release_keeps_two_objects_and_works_at_300():
    scores = np.zeros((300, 300), np.float32)
    for corner, side in (((30, 30), 60), ((200, 30), 50), ((30, 200), 40), ((200, 200), 30)):
        scores[corner[0] : corner[0] + side, corner[1] : corner[1] + side] = 0.8
    counts = release.look(scores, scores > 0, release.THRESHOLDS)
    # The erosion takes one pixel a side; the closing does not give it back to a lone square.
    assert counts.tp[20] == 58**2 + 48**2
    assert (counts.fp == 0).all()


def test_release_looks_below_a_half():
    needs_half = np.where(SQUARE, 0.6, 0.495).astype(np.float32)
    needs_less = np.where(SQUARE, 0.6, 0.485).astype(np.float32)
    low, high = (
        evaluated(["release"], [(scores, SQUARE, True)])["release"]["f1"] for scores in (needs_half, needs_less)
    )
    assert low < 0.3 and high > 0.9


def test_release_takes_each_pictures_best():
    best = {"f1": [], "mcc": []}
    for scores, mask, _ in MAPS:
        counts = release.look(scores, mask, release.THRESHOLDS)
        for name, found in best.items():
            found.append(getattr(metrics, name)(counts).max())
    assert evaluated(["release"], MAPS)["release"] == pytest.approx({name: np.mean(f) for name, f in best.items()})


def test_release_leaves_out_what_would_be_nan():
    found = evaluated(["release"], [(NOTHING, EMPTY, True), (SQUARE.astype(np.float32), SQUARE, True)])
    assert found["release"]["f1"] > 0.9


def test_imdlbenco_stretches_to_512():
    counts = imdlbenco.look(EVERYTHING[:, :32], SQUARE[:, :32], PROBABILITY_GRID)
    assert counts.positives + counts.negatives == 512 * 512
    assert counts.positives == 24 * 16 * 8 * 16


def test_imdlbenco_stretches_maps_bilinearly():
    half = np.zeros((64, 64), bool)
    half[:, 32:] = True
    # A pixel becomes eight columns; the region's first one has .8 * 9/16 = .45, the next .8 * 11/16 = .55.
    found = evaluated(["imdlbenco"], [(0.8 * half.astype(np.float32), half, True)])
    assert found["imdlbenco"]["f1"] == pytest.approx(2 * 255 / (255 + 256))


def test_the_image_score_is_the_highest_pixel():
    scores = NOTHING.copy()
    scores[3, 4] = 0.7
    counts = image_level.look(scores, EMPTY, PROBABILITY_GRID)
    assert counts.fp.sum() == (np.float32(0.7) > PROBABILITY_GRID).sum() and counts.negatives == 1


def test_what_is_fixed_beforehand_needs_probabilities():
    needing = {name for name, protocol in PROTOCOLS.items() if protocol.needs_probabilities}
    assert needing == {"release", "fixed-0.5", "imdlbenco", "mvss", "authentic"}


def best_of_all_thresholds(scores, mask, metric):
    """By brute force: at each distinct score, and below all of them."""
    thresholds = [-np.inf, *np.unique(scores)]
    return max(metric(mask.ravel(), (scores > threshold).ravel(), zero_division=0) for threshold in thresholds)


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_image_optimum_is_that_of_all_thresholds(inverted, dtype):
    rng = np.random.default_rng(0)
    mask = rng.random((9, 11)) < 0.2
    scores = (rng.random((9, 11)) + 0.3 * (mask != inverted)).astype(dtype)
    scores[:3] = np.round(scores[:3], 1)  # some ties
    found = evaluated(["image-optimum"], [(scores, mask, True)])["image-optimum"]
    assert found["f1"] == pytest.approx(best_of_all_thresholds(scores, mask, reference.f1_score), abs=1e-12)
    assert found["iou"] == pytest.approx(best_of_all_thresholds(scores, mask, reference.jaccard_score), abs=1e-12)
    every = metrics.mcc(metrics.count(scores, mask, np.append(-np.inf, np.unique(scores))))
    assert found["mcc"] == pytest.approx(every.max(), abs=1e-12)


def test_image_optimum_sees_through_any_scale_of_the_scores():
    narrow = [(0.5 + scores.astype(np.float64) / 1e5, mask, True) for scores, mask, _ in MAPS]  # one step of the grid
    wide = [(1e280 * scores.astype(np.float64), mask, True) for scores, mask, _ in MAPS]
    expected = evaluated(["image-optimum"], MAPS)
    assert evaluated(["image-optimum"], narrow) == expected == evaluated(["image-optimum"], wide)


def test_image_optimum_of_a_mask_without_pixels_is_nothing():
    found = evaluated(["image-optimum"], [(MAPS[0][0], np.zeros((40, 50), bool), True)])
    assert found["image-optimum"] == {"f1": 0, "mcc": 0, "iou": 0}


def test_maps_without_probabilities_have_no_fixed_threshold():
    pictures = [(np.where(SQUARE, 5.0, 2.0), SQUARE), (np.full((64, 64), 2.0), EMPTY, False)]
    names = ["paper", "pooled", "trufor", "image-level"]
    evaluation = evaluation_of(pictures, names, thresholds=np.array([-np.inf, 3.0, 7.0]))
    names = {name for scores in evaluation.scores.values() for name in scores}
    assert not [name for name in names if "0.5" in name or name == "balanced accuracy"]
    assert evaluation.scores["paper"]["f1"].rows[0] == 1
    assert evaluation.scores["paper"]["f1"].threshold == 3
    assert evaluation.scores["image-level"]["auc"].rows[0] == 1
    assert np.isnan(evaluation.table["f1 at 0.5"]).all()


def test_a_half_among_quantiles_is_no_fixed_threshold():
    one, thresholds = (np.where(SQUARE, 5.0, 0.5), SQUARE), np.array([-np.inf, 0.5, 7.0])
    evaluation = evaluation_of([one], ["pooled", "trufor", "image-level"], thresholds=thresholds)
    names = {name for scores in evaluation.scores.values() for name in scores}
    assert "f1" in names and not [name for name in names if "0.5" in name or name == "balanced accuracy"]


def test_what_is_at_a_half_says_so():
    found = evaluation_of([ONE], ["pooled"]).scores["pooled"]
    assert {score.threshold for name, score in found.items() if name.endswith(" at 0.5")} == {0.5}
    assert found["f1"].threshold == 0


def test_the_table_has_each_pictures_best_and_its_half():
    table = evaluation_of([ONE, OTHER], ["paper"]).table
    np.testing.assert_allclose(table["f1 at best"], [40 / 45, 60 / 80])
    np.testing.assert_allclose(table["f1 at 0.5"], [30 / 40, 60 / 80])
    np.testing.assert_allclose(table["f1 at data set best"], [40 / 45, 60 / 90], rtol=1e-6)
    np.testing.assert_array_equal(table["f1 best threshold"], [0, 0.25])
    np.testing.assert_allclose(
        table["mcc at best"], [1500 / np.sqrt(25 * 20 * 75 * 80), 1500 / np.sqrt(30 * 50 * 50 * 70)]
    )
    np.testing.assert_allclose(table["share"], [0.2, 0.5])
    np.testing.assert_allclose(table["marked at 0.5"], [0.2, 0.3])
    np.testing.assert_allclose(table["auc"].mean(), BY_HAND["paper"]["auc"])
    np.testing.assert_allclose(table["ap"].mean(), BY_HAND["paper"]["ap"])


def test_unknown_protocol_lists_the_known_ones():
    with pytest.raises(ProtocolError, match="--protocols: no protocol nope; choose from paper, paper-cleaned, release"):
        choose(["paper", "nope"])


def test_no_pictures_give_no_scores():
    evaluation = evaluation_of([], ["paper"])
    assert evaluation.scores == {} and len(evaluation.table["name"]) == 0
