import numpy as np
import pytest
import sklearn.metrics as reference

from gsr_tf.evaluation import metrics
from gsr_tf.evaluation.metrics import PROBABILITY_GRID, Counts
from gsr_tf.inference.score_maps import ScoreError

HALF = 128  # PROBABILITY_GRID[128] == 0.5


def random_map(seed, shape=(23, 31), levels=256, share=0.2):
    """Scores on a grid of probabilities (so that nothing is lost between thresholds) and a correlated mask."""
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < share
    scores = np.clip(np.round((rng.random(shape) + 0.3 * mask) * levels / 1.3), 0, levels) / levels
    return scores.astype(np.float32), mask


DEGENERATE = {
    "random": random_map(0),
    "few levels: many ties": random_map(1, levels=4),
    "empty mask": (random_map(2)[0], np.zeros((23, 31), bool)),
    "full mask": (random_map(3)[0], np.ones((23, 31), bool)),
    "nothing predicted": (np.zeros((23, 31), np.float32), random_map(4)[1]),
    "everything predicted": (np.ones((23, 31), np.float32), random_map(5)[1]),
    "perfect": (random_map(6)[1].astype(np.float32), random_map(6)[1]),
    "inverted": (1 - random_map(6)[1].astype(np.float32), random_map(6)[1]),
    "empty and nothing predicted": (np.zeros((23, 31), np.float32), np.zeros((23, 31), bool)),
    "one pixel": (np.array([[0.5]], np.float32), np.array([[True]])),
}
PAIRS = {
    "f1": lambda truth, predicted: reference.f1_score(truth, predicted, zero_division=0),
    "iou": lambda truth, predicted: reference.jaccard_score(truth, predicted, zero_division=0),
    "precision": lambda truth, predicted: reference.precision_score(truth, predicted, zero_division=0),
    "recall": lambda truth, predicted: reference.recall_score(truth, predicted, zero_division=0),
    "mcc": reference.matthews_corrcoef,
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.filterwarnings("ignore")
def test_thresholded_metrics_equal_scikit_learn(name, case):
    scores, mask = DEGENERATE[case]
    curve = getattr(metrics, name)(metrics.count(scores, mask))
    for index in (0, 1, 64, HALF, 200, 255):
        expected = PAIRS[name](mask.ravel(), (scores > PROBABILITY_GRID[index]).ravel())
        assert curve[index] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.filterwarnings("ignore")
def test_areas_equal_scikit_learn(case):
    scores, mask = DEGENERATE[case]
    counts = metrics.count(scores, mask)
    one_class = mask.all() or not mask.any()
    expected = np.nan if one_class else reference.roc_auc_score(mask.ravel(), scores.ravel())
    assert metrics.roc_auc(counts) == pytest.approx(expected, abs=1e-9, nan_ok=True)
    expected = reference.average_precision_score(mask.ravel(), scores.ravel())
    assert metrics.average_precision(counts) == pytest.approx(expected, abs=1e-9)


def test_scores_at_a_threshold_are_not_above_it():
    scores = np.array([0.5, 0.5, 0.50390625, 0.25])
    counts = metrics.count(scores, np.array([True, False, True, True]))
    assert (counts.tp[HALF], counts.fp[HALF]) == (1, 0)
    assert (counts.tp[HALF - 1], counts.fp[HALF - 1]) == (2, 1)
    assert metrics.f1(counts)[HALF] == 2 * 1 / (2 * 1 + 0 + 2)


def test_hand_computed_confusion_matrix():
    counts = Counts(np.array([6]), np.array([2]), np.int64(8), np.int64(12))
    assert metrics.f1(counts)[0] == 12 / 16
    assert metrics.iou(counts)[0] == 6 / 10
    assert metrics.false_positive_rate(counts)[0] == 2 / 12
    assert metrics.mcc(counts)[0] == pytest.approx((6 * 10 - 2 * 2) / np.sqrt(8 * 8 * 12 * 12))


def test_all_positive_prediction_has_the_floor_and_no_correlation():
    mask = np.zeros((10, 10), bool)
    mask[:2] = True
    counts = metrics.count(np.ones((10, 10)), mask)
    assert metrics.f1(counts)[HALF] == pytest.approx(2 * 0.2 / 1.2)
    assert metrics.mcc(counts)[HALF] == 0


def test_empty_mask_and_prediction_take_the_stated_value():
    counts = metrics.count(np.zeros((4, 4)), np.zeros((4, 4), bool))
    assert metrics.f1(counts)[HALF] == 0
    assert metrics.f1(counts, empty=1.0)[HALF] == 1


def test_inverted_counts_are_those_of_the_opposite_prediction():
    scores, mask = random_map(7)
    inverted = metrics.count(scores, mask).inverted()
    expected = reference.f1_score(mask.ravel(), ~(scores > 0.5).ravel())
    assert metrics.f1(inverted)[HALF] == pytest.approx(expected, abs=1e-12)


def test_counts_of_pictures_add_up_to_the_counts_of_their_pixels():
    maps = [random_map(seed, shape=(7, 5 + seed)) for seed in range(4)]
    streamed = [sum(parts) for parts in zip(*(metrics.count(*pair) for pair in maps))]
    direct = metrics.count(*(np.concatenate([pair[i].ravel() for pair in maps]) for i in (0, 1)))
    for one, other in zip(streamed, direct):
        np.testing.assert_array_equal(one, other)


def test_mcc_keeps_its_digits_for_pooled_pixels():
    counts = Counts(np.array([6]), np.array([2]), np.int64(8), np.int64(12))
    many = Counts(*(part * 10**10 for part in counts))
    assert metrics.mcc(many)[0] == pytest.approx(metrics.mcc(counts)[0], abs=1e-12)


def test_quantile_grid_resolves_scores_of_any_magnitude():
    scores = np.concatenate([np.full(50, 1e-280), np.linspace(0.9, 0.9999, 50)])
    mask = np.arange(100) >= 60
    grid = metrics.quantile_grid(scores)
    assert grid[0] == -np.inf and (np.diff(grid[1:]) > 0).all()
    counts = metrics.count(scores, mask, grid)
    assert counts.tp[0] == 40 and counts.fp[0] == 60
    assert metrics.f1(counts).max() == 1
    assert metrics.roc_auc(counts) == reference.roc_auc_score(mask, scores) == 1


def test_quantile_grid_of_a_constant_map_is_all_or_nothing():
    counts = metrics.count(np.full(10, 3.0), np.arange(10) < 2, metrics.quantile_grid(np.full(10, 3.0)))
    np.testing.assert_array_equal(counts.tp, [2, 0])


@pytest.mark.parametrize("levels", [2, 7, 10**6])
@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_the_best_of_all_thresholds_is_among_the_optima(levels, share):
    random = np.random.default_rng(levels)
    scores = (random.integers(0, levels, (9, 11)) - levels / 3).astype(np.float32)
    mask = random.random((9, 11)) < share
    optima = metrics.count_at_optima(scores, mask)
    every = metrics.count(scores, mask, np.insert(np.unique(scores), 0, -np.inf))
    for metric in (metrics.f1, metrics.mcc, metrics.iou):
        assert metric(optima).max() == metric(every).max()
        assert metric(optima.inverted()).max() == metric(every.inverted()).max()
    found = set(zip(optima.tp, optima.fp))
    assert found <= set(zip(every.tp, every.fp)) and (mask.sum(), (~mask).sum()) in found
    assert share or len(found) == 1


def test_summarise_is_the_best_mean_over_pictures_not_the_mean_of_the_best():
    maps = [random_map(seed) for seed in range(5)]
    curves = np.stack([metrics.f1(metrics.count(*pair)) for pair in maps])
    scores = metrics.summarise(iter(maps))
    assert scores["f1"] == pytest.approx(curves.mean(axis=0).max(), abs=1e-12)
    assert scores["f1"] < curves.max(axis=1).mean()
    assert scores["f1_threshold"] == PROBABILITY_GRID[curves.mean(axis=0).argmax()]
    assert scores["f1_fixed"] == pytest.approx(curves[:, HALF].mean(), abs=1e-12)
    floors = [2 * mask.sum() / (mask.sum() + mask.size) for _, mask in maps]
    assert scores["all_positive_f1"] == pytest.approx(np.mean(floors), abs=1e-12)
    assert scores["pictures"] == 5


def test_summarise_of_perfect_maps_is_one():
    scores = metrics.summarise([(mask.astype(np.float32), mask) for _, mask in map(random_map, range(3))])
    assert {scores[name] for name in ("f1", "mcc", "f1_fixed", "mcc_fixed")} == {1.0}


def test_bad_maps_are_refused_and_named():
    mask = np.zeros((4, 5), bool)
    with pytest.raises(ScoreError, match=r"\(5, 4\), its mask has \(4, 5\)"):
        metrics.summarise([(np.zeros((5, 4)), mask)])
    with pytest.raises(ScoreError, match="2 of 20 values NaN or infinite"):
        metrics.summarise([(np.where(np.arange(20) < 2, np.nan, 0).reshape(4, 5), mask)])
    for levels, reached in ((255, "255"), (-0.5, "-0.5"), (1.001, "1.001")):
        with pytest.raises(ScoreError, match=rf"map reaches {reached}; expected probabilities in 0\.\.1"):
            metrics.summarise([(np.linspace(0, levels, 20).reshape(4, 5), mask)])
    with pytest.raises(ScoreError, match="no pictures"):
        metrics.summarise([])
