"""EXIF-consistency: from what is said of pairs of patches to a map."""

import itertools

import numpy as np
import pytest
import scipy.spatial.distance
import tensorflow as tf
from sklearn.cluster import DBSCAN

from gsr_tf.comparators.exif import consensus, voting
from gsr_tf.comparators.exif import module as exif
from gsr_tf.comparators.exif.module import ConsistencyModule, dense, sparse
from gsr_tf.comparators.exif.settings import Answer
from gsr_tf.evaluation import metrics
from gsr_tf.models.keras import keras


@pytest.mark.parametrize(
    ("size", "stride", "grid"),
    [((800, 1200), 35, (20, 31)), ((300, 300), 5, (35, 35)), ((256, 384), 8, (17, 33)), ((129, 158), 4, (1, 8))],
)
def test_strides_and_grids_by_hand(size, stride, grid):
    """The release's, and 4 where its would be smaller: of 129x158 it would be 1, of 129x157 0."""
    size = tf.constant(size)
    found = voting.dense_stride(size, 128, across=30)
    assert (int(found), tuple(voting.grid_of(size, 128, found).numpy())) == (stride, grid)


def test_a_stride_is_a_pixel_at_least():
    found = [int(voting.dense_stride(tf.constant([side, side]), side, across=30)) for side in (16, 63, 64)]
    assert found == [1, 1, 2]


def test_corners_go_row_after_row():
    found = voting.corners(tf.constant([2, 3]), tf.constant(5))
    np.testing.assert_array_equal(found, [[0, 0], [0, 5], [0, 10], [5, 0], [5, 5], [5, 10]])


@pytest.mark.parametrize(("rows", "columns", "spread"), [(3, 4, 3), (2, 5, 1), (1, 3, 4)])
def test_voting_is_four_loops(rows, columns, spread):
    count = rows * columns
    pairs = np.random.default_rng(0).random([count, count]).astype(np.float32)
    height, width = rows + spread - 1, columns + spread - 1
    votes, counts = np.zeros([2, height, width, height, width])
    for (one, other), value in np.ndenumerate(pairs):
        (y, x), (v, u) = divmod(one, columns), divmod(other, columns)
        for a, b, c, d in itertools.product(range(spread), repeat=4):
            votes[y + a, x + b, v + c, u + d] += value
            counts[y + a, x + b, v + c, u + d] += 1
    found = voting.responses(tf.constant(pairs), tf.constant([rows, columns]), tf.constant(spread))
    assert found.shape == (height * width,) * 2
    np.testing.assert_allclose(found.numpy().reshape(votes.shape), votes / (counts + 1e-4), atol=1e-6)
    one = voting.maps(tf.constant(pairs[:2]), tf.constant([rows, columns]), tf.constant(spread)).numpy()
    alone = np.zeros([height, width])
    for other in range(count):
        y, x = divmod(other, columns)
        alone[y : y + spread, x : x + spread] += pairs[1, other]
    covered = voting.coverage(tf.constant([rows, columns]), tf.constant(spread)).numpy().sum(1).reshape(height, width)
    np.testing.assert_allclose(one[1].reshape(height, width), alone / (covered + 1e-4), atol=1e-6)


def shifted(rows):
    """Mean shift as loops."""
    distances = np.sort(scipy.spatial.distance.pdist(rows))
    radius = distances[int(0.1 * len(distances))]

    def near(point):
        return np.linalg.norm(rows - point, axis=1) <= radius * (1 + 1e-5)

    points = list(rows)
    for _ in range(5):
        points = [rows[near(point)].mean(axis=0) for point in points]
    density = np.array([near(point).sum() for point in points])
    return np.mean([point for point, many in zip(points, density) if many == density.max()], axis=0)


def test_mean_shift_is_its_loops():
    random = np.random.default_rng(1)
    rows = np.concatenate([random.normal(0.8, 0.1, [40, 7]), random.normal(0.3, 0.1, [25, 7])]).astype(np.float32)
    found = consensus.mean_shift(tf.constant(rows)).numpy()
    np.testing.assert_allclose(found, shifted(rows), atol=1e-4)
    np.testing.assert_allclose(found, 0.8, atol=0.1)  # the larger cluster's


def test_mean_shift_does_not_depend_on_the_order_of_rows():
    rows = np.random.default_rng(2).random([50, 6]).astype(np.float32)
    one, other = (consensus.mean_shift(tf.constant(x)).numpy() for x in (rows, rows[::-1]))
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_mean_shift_stays_in_range():
    """Of 900 like rows of probabilities 1 the mean of the means is above 1, but for the last bits."""
    rng = np.random.default_rng(0)
    for count in (500, 784, 900):
        rows = np.ones((count, count), np.float32)
        rows[: count // 3] = rng.choice([0, 1], count).astype(np.float32)
        found = consensus.mean_shift(tf.constant(rows)).numpy()
        assert found.min() >= 0 and found.max() <= 1


def test_of_one_row_mean_shift_is_the_row():
    np.testing.assert_allclose(consensus.mean_shift(tf.constant([[0.25, 0.5]])), [0.25, 0.5])


@pytest.mark.parametrize("seed", range(4))
def test_the_consensus_is_scikit_learns_largest_cluster(seed):
    random = np.random.default_rng(seed)
    centre = random.random(30)
    maps = np.clip(np.stack([centre + random.normal(0, 0.04 * n, 30) for n in range(9)]), 0, 1).astype(np.float32)
    maps[::3] = 1 - maps[::3]
    both = np.concatenate([maps, 1 - maps])
    for radius in np.linspace(0.1, 0.5, 10):
        labels = DBSCAN(eps=radius * np.sqrt(30), min_samples=4).fit_predict(both)
        if labels.max() >= 0:
            break
    sizes = [(labels == label).sum() for label in range(labels.max() + 1)]
    candidates = [both[labels == label].mean(axis=0) for label, size in enumerate(sizes) if size == max(sizes)]
    found = consensus.consensus(tf.constant(maps)).numpy()
    assert min(np.abs(found - candidate).max() for candidate in candidates) < 1e-5


@pytest.mark.parametrize(("last", "mean"), [(0.985, 0.876), (0.998, 0.84875)])
def test_a_map_near_one_of_the_core_alone_belongs_to_the_cluster(last, mean):
    """Even maps, so that their levels' differences are their distances; .89 alone is within .1 of .985."""
    levels = tf.constant([0.795, 0.84, 0.87, 0.89, last])
    found = consensus.consensus(tf.repeat(levels[:, tf.newaxis], 3, axis=1))
    np.testing.assert_allclose(found, 3 * [mean], atol=1e-3)


def test_a_map_near_two_clusters_does_not_join_them():
    """.85 is near .76 and .94 alone, so it is no core; the first of two clusters of five is taken."""
    levels = tf.constant([0.7, 0.72, 0.74, 0.76, 0.85, 0.94, 0.96, 0.97, 0.98])
    found = consensus.consensus(tf.repeat(levels[:, tf.newaxis], 3, axis=1))
    np.testing.assert_allclose(found, 3 * [0.754], atol=1e-5)


def test_a_chain_of_cores_is_one_cluster_however_long():
    levels = np.linspace(0, 1, 21, dtype=np.float32)
    found = consensus.consensus(tf.constant(np.stack([levels, np.full(21, 0.95, np.float32)], axis=1)))
    np.testing.assert_allclose(found, [0.5, 0.95], atol=1e-5)


def test_maps_that_are_the_same_agree():
    """Four, as few as make a core; by rounding, squares of their distances may be a little below 0."""
    maps = np.random.default_rng(0).integers(0, 2, [9, 500]).astype(np.float32)
    for number in range(20):
        same = np.random.default_rng(number).random(500, np.float32)
        maps[:4] = same
        np.testing.assert_allclose(consensus.consensus(tf.constant(maps)), same, atol=1e-6)


def test_maps_that_agree_in_nothing_are_averaged():
    apart = np.random.default_rng(0).integers(0, 2, [9, 4000]).astype(np.float32)  # each .7 from the others
    np.testing.assert_allclose(consensus.consensus(tf.constant(apart)), apart.mean(axis=0), atol=1e-5)


def test_the_larger_part_becomes_low():
    np.testing.assert_allclose(consensus.flipped(tf.constant([0.9, 0.8, 0.7, 0.1])), [0.1, 0.2, 0.3, 0.9], atol=1e-6)
    for kept in ([0.9, 0.2, 0.1, 0.1], [0.9, 0.8, 0.1, 0.1]):
        np.testing.assert_array_equal(consensus.flipped(tf.constant(kept)), np.float32(kept))


def masks():
    """Drawn splices, [96, 128] bool."""
    down, across = np.indices([96, 128])
    return {
        "disk": (down - 50) ** 2 + (across - 80) ** 2 < 27**2,
        "rectangle": (down > 20) & (down < 80) & (across > 10) & (across < 55),
        "corner": down + across < 90,
    }


@pytest.mark.parametrize("name", masks())
@pytest.mark.parametrize("find", [dense, sparse])
@pytest.mark.parametrize("outside", [False, True])
def test_of_an_oracle_of_pairs_the_smaller_part_is_found(name, find, outside):
    """A pair scores 1 where the centres of both patches are in one part, whichever of the two is called the splice."""
    mask = masks()[name] ^ outside
    size, stride = tf.constant(mask.shape), tf.constant(4)
    side = 12
    grid = voting.grid_of(size, side, stride)
    centres = voting.corners(grid, stride).numpy() + side // 2
    inside = mask[centres[:, 0], centres[:, 1]]
    score = lambda numbers: tf.cast(inside[numbers.numpy()][:, np.newaxis] == inside, tf.float32)  # noqa: E731
    spread = tf.constant(side // 4)
    found = consensus.flipped(find(score, grid, spread))
    cells = tf.reshape(found, [1, *voting.cells_of(grid, spread).numpy(), 1])
    scores = tf.image.resize(cells, mask.shape)[0, ..., 0].numpy()
    smaller = mask if mask.mean() < 0.5 else ~mask
    assert metrics.f1(metrics.count(scores, smaller)).max() > 0.9


def test_cells_in_place_by_hand():
    cells = tf.reshape(tf.range(6), [2, 3, 1])
    found = voting.in_place(cells, tf.constant(2), tf.constant([5, 6]))[..., 0]
    np.testing.assert_array_equal(found, [[0, 0, 1, 1, 2, 2]] * 2 + [[3, 3, 4, 4, 5, 5]] * 3)


def test_the_sparse_map_lies_where_its_patches_do(monkeypatch):
    """Patches end at pixel 288, with more pixels beyond them and without."""

    def brightness(_, image, corners, side):
        levels = tf.cast(image, tf.float32)
        mean = lambda c: tf.reduce_mean(levels[c[0] : c[0] + side, c[1] : c[1] + side])  # noqa: E731
        return tf.map_fn(mean, corners, fn_output_signature=tf.float32)

    def alike(_, brightness):
        return lambda numbers: tf.exp(-tf.abs(tf.gather(brightness, numbers)[:, tf.newaxis] - brightness) / 50)

    monkeypatch.setattr(exif, "features_of", brightness)
    monkeypatch.setattr(exif, "pair_scorer", alike)
    image = keras.Input([None, None, 3])
    module = ConsistencyModule(keras.Model(image, image), size=48, answer=Answer(comparison="sparse"))
    picture = np.zeros([303, 303, 3], np.uint8)
    picture[128:224, 128:224] = 255
    found = [module(tf.constant(picture[:side, :side]))["probability"].numpy() for side in (288, 303)]
    np.testing.assert_allclose(found[1][:288, :288], found[0], atol=1e-6)
    assert found[0][176, 176] > 0.5 > found[0][100, 100]
