"""EXIF-consistency's network: two patches become numbers, these say which attributes of two files are the same."""

from __future__ import annotations

import tensorflow as tf

from gsr_tf.comparators.exif.attributes import ATTRIBUTES
from gsr_tf.comparators.exif.settings import RELEASED_TRUNK, Network
from gsr_tf.models.keras import keras

TRUNK, PAIR, HEAD = "trunk", "fc_1", "head"  # the layers of the network that are used alone, too


# No layer branches on a tensor, and AutoGraph would leave bytecode of their sources in $TMPDIR.
@tf.autograph.experimental.do_not_convert
def build_network(settings: Network, side: int) -> keras.Model:
    """The network, at random weights.

    Args:
        settings: how large it is.
        side: of a patch, pixels.

    Returns:
        Model: [one, other], [n, side, side, 3] float32 RGB in [-1, 1] each -> {"attributes": logits [n, 83] that the
        two have the attribute in common, "same": logits [n, 1] that they are of one photograph, processed alike},
        float32. Its `known`, [83], are no weights: 1 for each attribute that was known of any pair of training.
    """
    patches = [keras.Input([side, side, 3], name=name) for name in ("one", "other")]
    trunk = _trunk(settings, side)
    pair = PairDense(settings.fc_channels[0], name=PAIR)
    answers = _head(settings)(pair(*map(trunk, patches)))
    network = keras.Model(patches, answers, name="exif")
    network.known = tf.Variable(tf.zeros([len(ATTRIBUTES)]), trainable=False, name="known")
    return network


def _trunk(settings: Network, side: int) -> keras.Model:
    """[n, side, side, 3] -> [n, feature_channels]: no activation at the end."""
    image = keras.Input([side, side, 3])
    build = {"resnet50": _resnet50, RELEASED_TRUNK: _slim_resnet50, "tiny": _tiny}[settings.trunk]
    x = keras.layers.GlobalAveragePooling2D(dtype="float32")(build(image))
    x = keras.layers.Dense(settings.feature_channels, name="features", dtype="float32")(x)
    return keras.Model(image, x, name=TRUNK)


def _resnet50(image: tf.Tensor) -> tf.Tensor:
    return keras.applications.ResNet50V2(include_top=False, weights=None, input_tensor=image).output


def _slim_resnet50(image: tf.Tensor) -> tf.Tensor:
    """As TF-Slim has it: its first pooling is padded less, which shifts all that the later layers see."""
    network = keras.applications.ResNet50V2(include_top=False, weights=None, input_tensor=image)
    return keras.models.clone_model(network, input_tensors=image, clone_function=_padded_as_in_slim).output


def _padded_as_in_slim(layer: keras.layers.Layer) -> keras.layers.Layer:
    if layer.name == "pool1_pad":
        return keras.layers.ZeroPadding2D(0, name=layer.name)
    if layer.name == "pool1_pool":
        return keras.layers.MaxPooling2D(3, 2, "same", name=layer.name)
    return type(layer).from_config(layer.get_config())


def _tiny(image: tf.Tensor) -> tf.Tensor:
    """What a 3x3 mean leaves of the picture, then convolutions: of few photographs it learns no content."""
    x = image - keras.layers.AveragePooling2D(3, 1, "same", dtype="float32")(image)  # 8 bits would lose what is left
    for number, (channels, stride) in enumerate(((12, 1), (16, 2), (24, 2)), start=1):
        x = keras.layers.Conv2D(channels, 3, stride, use_bias=False, name=f"conv_{number}")(x)
        x = keras.layers.BatchNormalization(momentum=0.9, name=f"conv_{number}_norm")(x)
        x = keras.layers.ReLU()(x)
    return x


def _head(settings: Network) -> keras.Model:
    """[n, c] of the pair's first layer -> the two answers.

    What says "same" learns from the attributes, and they do not from it: the paper trains it after them, and here both
    learn in one step.
    """
    first = x = keras.Input([settings.fc_channels[0]])
    x = keras.layers.ReLU()(x)
    for number, channels in enumerate(settings.fc_channels[1:], start=2):
        x = keras.layers.Dense(channels, activation="relu", name=f"fc_{number}", dtype="float32")(x)
    attributes = keras.layers.Dense(len(ATTRIBUTES), name="attributes", dtype="float32")(x)
    x = keras.layers.Lambda(tf.stop_gradient)(attributes)
    x = keras.layers.Dense(settings.same_channels, activation="relu", name="same_1", dtype="float32")(x)
    same = keras.layers.Dense(1, name="same", dtype="float32")(x)
    return keras.Model(first, {"attributes": attributes, "same": same}, name=HEAD)


class PairDense(keras.layers.Layer):
    """A dense layer on two vectors, one after the other, no activation.

    It is the sum of what each half makes of its vector. Of n patches there are n halves to compute, and n x n sums: of
    the pairs of a picture this layer, by far the largest, is all but free.
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.units = units

    def build(self, input_shape) -> None:
        """kernel [2c, units], bias [units], of vectors with c channels."""
        self.channels = input_shape[-1]
        self.kernel = self.add_weight(name="kernel", shape=[2 * self.channels, self.units])
        self.bias = self.add_weight(name="bias", shape=[self.units], initializer="zeros")
        super().build(input_shape)

    def call(self, one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        """[n, c] and [n, c] -> [n, units]."""
        return self.first(one) + self.second(other)

    def first(self, one: tf.Tensor) -> tf.Tensor:
        """What the first vectors, [n, c], bring, with the bias: [n, units]."""
        return tf.matmul(one, self.kernel[: self.channels]) + self.bias

    def second(self, other: tf.Tensor) -> tf.Tensor:
        """What the second vectors, [n, c], bring: [n, units]."""
        return tf.matmul(other, self.kernel[self.channels :])
