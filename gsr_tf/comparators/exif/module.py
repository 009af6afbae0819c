"""EXIF-consistency as a detector: a picture of its own size in, a map out of what does not fit the rest."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from gsr_tf.comparators.exif import voting
from gsr_tf.comparators.exif.consensus import consensus, flipped, mean_shift
from gsr_tf.comparators.exif.exif import to_range
from gsr_tf.comparators.exif.network import HEAD, PAIR, TRUNK
from gsr_tf.comparators.exif.settings import Answer
from gsr_tf.data.image_ops import resize
from gsr_tf.inference.module import PICTURE, DetectorModule
from gsr_tf.models.keras import keras

TOGETHER = 32  # patches that go through the trunk at once
ANCHORS = 3  # patches a side of the grid of those that are compared with all, in the sparse comparison
OVERLAP = 3  # strides a patch, there


class ConsistencyModule(DetectorModule):
    """`DetectorModule` of a network that compares patches; it sees pictures at their own size only.

    A picture that is no larger than a patch is padded with black, so that the graph has an answer; it says nothing,
    and `minimum_side` keeps detectors from being asked.
    """

    native = natives = moments = window = network_size = None
    portable = False

    def __init__(self, network: keras.Model, *, size: int, answer: Answer):
        """size: the side of a patch, pixels."""
        super().__init__(network, size=size)
        self.answer = answer

    @tf.function(autograph=False, input_signature=[PICTURE])
    def __call__(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """{"probability": [h, w, 1] float32 in [0, 1]}, high where [h, w, 3] uint8 RGB does not fit its rest."""
        size = tf.shape(image)[:2]
        missing = tf.maximum(self.size - size, 0)
        image = tf.pad(image, [[0, missing[0]], [0, missing[1]], [0, 0]])
        return {"probability": self._map(image, size)}

    def _map(self, image: tf.Tensor, shown: tf.Tensor) -> tf.Tensor:
        """[h, w, 1] of the pixels that are `shown`, [2] int32, h and w: those of the picture without its padding.

        As in the release, the cells of the dense comparison are stretched over the picture, though their patches lie
        further inwards: marks are moved towards its borders, in one of 1200x800 by up to 33 pixels. Those of the sparse
        one, where patches of the release vote for the pixels below them, keep their place.
        """
        if self.answer.comparison == "dense":
            stride = voting.dense_stride(tf.shape(image)[:2], self.size, self.answer.patches_across)
            return resize(self._cells(image, dense, stride), shown)
        stride = tf.constant(max(1, self.size // OVERLAP))
        return voting.in_place(self._cells(image, sparse, stride), stride, shown)

    def _cells(self, image: tf.Tensor, find: Callable[..., tf.Tensor], stride: tf.Tensor) -> tf.Tensor:
        """[rows, columns, 1] float32 in [0, 1], high where a cell does not fit the rest, by `dense` or `sparse`."""
        grid = voting.grid_of(tf.shape(image)[:2], self.size, stride)
        spread = tf.maximum(1, self.size // stride)
        features = features_of(self.segmenter, image, voting.corners(grid, stride), self.size)
        found = find(pair_scorer(self.segmenter, features), grid, spread)
        return tf.reshape(flipped(found), [*tf.unstack(voting.cells_of(grid, spread)), 1])


def dense(score: Callable[[tf.Tensor], tf.Tensor], grid: tf.Tensor, spread: tf.Tensor) -> tf.Tensor:
    """[cells] float32: how well each fits most of the picture, by all pairs of patches and mean shift.

    Args:
        score: numbers of patches [m] -> [m, patches], that each and each of all are of one photograph.
        grid: [2] int32, rows and columns of patches.
        spread: scalar int32, cells a side that a patch covers.
    """
    return mean_shift(voting.responses(score(tf.range(tf.reduce_prod(grid))), grid, spread))


def sparse(score: Callable[[tf.Tensor], tf.Tensor], grid: tf.Tensor, spread: tf.Tensor) -> tf.Tensor:
    """As `dense`, by nine patches and what most of their maps agree on."""
    down, across = (
        tf.cast(tf.round(tf.linspace(0.0, tf.cast(grid[axis] - 1, tf.float32), ANCHORS)), tf.int32) for axis in (0, 1)
    )
    anchors = tf.reshape(down[:, tf.newaxis] * grid[1] + across, [ANCHORS**2])
    maps = voting.maps(score(anchors), grid, spread)
    return consensus(tf.ensure_shape(maps, [ANCHORS**2, None]))


def pair_scorer(network: keras.Model, features: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
    """The `score` of patches by their features, [patches, c]; one patch and all others at a time."""
    pair, head = network.get_layer(PAIR), network.get_layer(HEAD)
    first, second = pair.first(features), pair.second(features)

    def row(number: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(head(first[number] + second, training=False)["same"][:, 0])

    return lambda numbers: tf.map_fn(row, numbers, fn_output_signature=tf.float32, parallel_iterations=1)


def features_of(network: keras.Model, image: tf.Tensor, corners: tf.Tensor, side: int) -> tf.Tensor:
    """[n, c] of the patches of a picture whose upper left pixels are `corners`, [n, 2] int32; some at a time."""
    count = tf.shape(corners)[0]
    filled = tf.pad(corners, [[0, -count % TOGETHER], [0, 0]])
    trunk = network.get_layer(TRUNK)
    offsets = tf.stack(tf.meshgrid(tf.range(side), tf.range(side), indexing="ij"), axis=-1)

    def some(corners: tf.Tensor) -> tf.Tensor:
        patches = tf.gather_nd(image, corners[:, tf.newaxis, tf.newaxis] + offsets)
        return trunk(to_range(patches), training=False)

    found = tf.map_fn(
        some, tf.reshape(filled, [-1, TOGETHER, 2]), fn_output_signature=tf.float32, parallel_iterations=1
    )
    return tf.reshape(found, [-1, found.shape[-1]])[:count]
