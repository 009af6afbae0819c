"""The layers of our own against TensorFlow's plain ones: the same function, and the same gradients."""

import numpy as np
import pytest
import tensorflow as tf

from gsr_tf.data.image_ops import resize
from gsr_tf.models import convolution, normalization
from gsr_tf.models.convolution import Convolution, ConvolutionToNormalize, DilatedConvolution
from gsr_tf.models.heads import UpsampledHead
from gsr_tf.models.keras import keras
from gsr_tf.models.normalization import MomentNormalization


def value_and_gradients(function, *inputs):
    """What a function gives, and the gradients of a fixed weighting of it."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y = function(*inputs)
        weighted = tf.reduce_sum(y * tf.cast(tf.reshape(tf.range(tf.size(y)) % 7, tf.shape(y)), y.dtype))
    return y, tape.gradient(weighted, inputs)


def assert_same(ours, theirs, tolerance=1e-4):
    for a, b in zip(tf.nest.flatten(ours), tf.nest.flatten(theirs)):
        np.testing.assert_allclose(a, b, atol=tolerance * float(tf.reduce_max(tf.abs(b))), rtol=0)


@pytest.mark.parametrize("size, dilation", [(1, 1), (3, 1), (3, 2)])
def test_convolution_has_the_values_and_gradients_of_tensorflow(monkeypatch, size, dilation):
    monkeypatch.setattr(convolution, "_native_filter_gradient", lambda: False)
    x = tf.random.stateless_normal([2, 9, 8, 16], [0, 1])
    layer = Convolution(5, size, dilation_rate=dilation, use_bias=False)
    layer.build(x.shape)
    ours = value_and_gradients(lambda x, w: layer.convolution_op(x, w), x, layer.kernel.value())
    theirs = value_and_gradients(
        lambda x, w: tf.nn.convolution(x, w, padding="SAME", dilations=dilation), x, layer.kernel.value()
    )
    assert_same(ours, theirs)


@pytest.mark.parametrize("side", [5, 12, 13, 30])  # below, at and above the dilation: taps that see nothing too
def test_dilated_convolution_is_a_padded_one(side):
    x = tf.random.stateless_normal([2, side, side + 1, 4], [0, 1])
    layer = DilatedConvolution(3, 12)
    layer.build(x.shape)
    layer.bias.assign([1.0, -2.0, 0.5])
    inputs = (x, layer.kernel, layer.bias)
    theirs = value_and_gradients(lambda x, w, b: tf.nn.convolution(x, w, padding="SAME", dilations=12) + b, *inputs)
    assert_same(value_and_gradients(lambda x, *_: layer(x), *inputs), theirs)
    with convolution.without_gradients():
        assert_same(layer(x), theirs[0])


@pytest.mark.parametrize("kernel_size", [1, 4])
@pytest.mark.parametrize("half_pixel", [True, False])
def test_a_head_equals_convolving_the_upsampled_blocks(kernel_size, half_pixel):
    blocks = [tf.random.stateless_normal(shape, [0, 1]) for shape in ([2, 13, 9, 5], [2, 7, 5, 3], [2, 4, 3, 2])]
    picture = tf.zeros([2, 25, 18, 3])
    head = UpsampledHead(2, kernel_size, half_pixel=half_pixel)
    head.build([block.shape for block in blocks])

    def plain(*blocks):
        upsampled = tf.concat([resize(block, [25, 18], half_pixel=half_pixel) for block in blocks], -1)
        return tf.nn.conv2d(upsampled, head.kernel, 1, "SAME")

    assert_same(value_and_gradients(lambda *blocks: head(list(blocks), like=picture), *blocks),
                value_and_gradients(plain, *blocks))  # fmt: skip


def test_normalization_by_the_batch_in_training_and_by_the_picture_at_test():
    x = np.random.default_rng(0).normal(3, 2, [3, 6, 5, 4]).astype(np.float32)
    layer = MomentNormalization()
    layer.build(x.shape)
    layer.gamma.assign([1, 2, 3, 4])
    layer.beta.assign([0, 1, 0, -1])
    for training, axes in ((True, (0, 1, 2)), (False, (1, 2))):
        mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
        expected = (x - mean) / np.sqrt(variance + 1e-5) * [1, 2, 3, 4] + [0, 1, 0, -1]
        np.testing.assert_allclose(layer(x, training=training), expected, atol=2e-5)


def test_a_picture_alone_is_normalized_as_in_a_batch():
    x = tf.random.stateless_normal([3, 6, 5, 4], [0, 1])
    layer = MomentNormalization()
    np.testing.assert_allclose(layer(x)[1:2], layer(x[1:2]), atol=1e-5)


def test_at_test_it_is_addons_instance_normalization():
    tfa = pytest.importorskip(
        "tensorflow_addons", reason="TensorFlow Addons is not installed: it fits TensorFlow 2.15 alone"
    )
    x = tf.random.stateless_normal([3, 6, 5, 4], [0, 1], 3.0, 2.0)
    ours, reference = MomentNormalization(), tfa.layers.InstanceNormalization(epsilon=1e-5)
    for layer in (ours, reference):
        layer.build(x.shape)
        layer.gamma.assign([1, 2, 3, 4])
        layer.beta.assign([0, 1, 0, -1])
    np.testing.assert_allclose(ours(x), reference(x), atol=1e-4)


@pytest.mark.parametrize("size, dilation", [(1, 1), (3, 1), (3, 2), (5, 2)])
def test_without_gradients_of_our_own_the_convolution_is_the_same(monkeypatch, size, dilation):
    monkeypatch.setattr(convolution, "_native_filter_gradient", lambda: False)
    x = tf.random.stateless_normal([1, 9, 8, 16], [0, 1])
    layer = Convolution(5, size, dilation_rate=dilation)
    expected = layer(x)
    with convolution.without_gradients():
        trace = tf.function(lambda: layer(x)).get_concrete_function()
    assert "IdentityN" not in {op.type for op in trace.graph.get_operations()}
    assert "IdentityN" in {
        op.type for op in tf.function(lambda: layer(x)).get_concrete_function().graph.get_operations()
    }
    np.testing.assert_allclose(trace(), expected, atol=1e-5)


@pytest.mark.parametrize(("native", "channels", "own"), [(False, 16, True), (False, 15, False), (True, 16, False)])
def test_the_gradient_is_our_own_where_tensorflows_is_slow(monkeypatch, native, channels, own):
    monkeypatch.setattr(convolution, "on_gpu", lambda: False)
    monkeypatch.setattr(convolution, "_native_filter_gradient", lambda: native)
    assert ("IdentityN" in calls(Convolution(5, 3, use_bias=False), tf.zeros([1, 9, 8, channels]))) == own


@pytest.mark.parametrize(
    ("gpu", "avx_512", "native"), [(False, False, False), (False, True, True), (True, False, True)]
)
def test_tensorflows_is_quick_on_gpus_and_where_there_is_avx_512(monkeypatch, gpu, avx_512, native):
    monkeypatch.setattr(convolution, "on_gpu", lambda: gpu)
    monkeypatch.setattr(convolution.cv2, "checkHardwareSupport", lambda _: avx_512)
    assert convolution._native_filter_gradient.__wrapped__() == native


@pytest.mark.parametrize("groups", [1, 3])
def test_a_bias_before_a_normalization_has_no_part_in_training(groups):
    x = tf.random.stateless_normal([6, 7, 5, 3], [0, 1])
    convolve, normalize = ConvolutionToNormalize(4, 3), MomentNormalization()
    normalize(convolve(x))
    convolve.bias.assign([1.0, -2.0, 3.0, 0.5])
    biased = Convolution(4, 3)
    biased(x)
    biased.set_weights(convolve.get_weights())
    np.testing.assert_array_equal(convolve(x), biased(x))  # what answers is a plain convolution

    def in_training(layer, **call):
        with normalization.separate_moments(groups):
            return value_and_gradients(lambda x, _: normalize(layer(x, **call), training=True), x, layer.kernel)

    assert_same(in_training(convolve, training=True), in_training(biased))


def test_recorded_moments_are_the_pictures_and_are_given_in_order():
    x, y = (tf.random.stateless_normal([1, 6, 5, c], [c, 1], mean=3.0) for c in (4, 2))
    first, second = MomentNormalization(), MomentNormalization()
    with normalization.recorded_moments() as moments:
        first(x), second(y)
    expected = [
        x.numpy().mean((0, 1, 2)),
        x.numpy().var((0, 1, 2)),
        y.numpy().mean((0, 1, 2)),
        y.numpy().var((0, 1, 2)),
    ]
    for found, value in zip(moments, expected):
        np.testing.assert_allclose(found, value, atol=1e-5)
    with normalization.given_moments(tf.concat(moments, 0)):
        np.testing.assert_allclose(first(2 * x), (2 * x - expected[0]) / np.sqrt(expected[1] + 1e-5), atol=1e-4)
        np.testing.assert_allclose(second(y), (y - expected[2]) / np.sqrt(expected[3] + 1e-5), atol=1e-4)
    assert abs(float(tf.reduce_mean(first(2 * x)))) < 1e-5  # outside: its own again


@pytest.mark.parametrize("groups", [1, 2, 3, 6, 12])
def test_groups_of_a_batch_have_moments_of_their_own(groups):
    layer = MomentNormalization()
    x = tf.random.stateless_normal([12, 5, 4, 3], [0, 1]) * [1.0, 2.0, 3.0]
    x += tf.reshape(tf.range(12.0), [12, 1, 1, 1])
    layer(x)
    layer.gamma.assign([1.0, 2.0, 3.0])
    layer.beta.assign([0.0, 1.0, -1.0])
    with normalization.separate_moments(groups):
        ours = value_and_gradients(lambda x: layer(x, training=True), x)
    theirs = value_and_gradients(
        lambda x: tf.concat([layer(part, training=True) for part in tf.split(x, groups)], 0), x
    )
    assert_same(ours, theirs)
    of_any_size = tf.function(lambda x: layer(x, training=True), input_signature=[tf.TensorSpec([None, None, None, 3])])
    with normalization.separate_moments(groups):
        assert_same(of_any_size(x), ours[0])


def calls(function, x):
    """Kinds of operations in its graph."""
    return {op.type for op in tf.function(function).get_concrete_function(x).graph.get_operations()}


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("rectified", [False, True])
def test_in_tensorfloat32_on_a_gpu_it_is_a_program_of_the_same_function(monkeypatch, groups, rectified):
    layer = MomentNormalization(rectified=rectified)
    x = tf.random.stateless_normal([6, 5, 4, 3], [0, 1]) * [1.0, 2.0, 3.0] + tf.reshape(tf.range(6.0), [6, 1, 1, 1])
    layer(x)
    layer.gamma.assign([1.0, -2.0, 3.0])
    layer.beta.assign([0.0, 1.0, -1.0])

    def in_training(x):
        with normalization.separate_moments(groups), tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            weighted = tf.reduce_sum(y * tf.reshape(tf.cast(tf.range(tf.size(y)) % 7, tf.float32), tf.shape(y)))
        return y, tape.gradient(weighted, [x, layer.gamma, layer.beta])

    expected = in_training(x)
    monkeypatch.setattr(normalization, "on_gpu", lambda: True)
    for ten_bits in (False, True):
        monkeypatch.setattr(tf.config.experimental, "tensor_float_32_execution_enabled", lambda yes=ten_bits: yes)
        assert ("PartitionedCall" in calls(in_training, x)) == ten_bits
    of_any_size = tf.function(in_training, input_signature=[tf.TensorSpec([None, None, None, 3])])
    assert_same(in_training(x), expected, tolerance=1e-5)
    assert_same(of_any_size(x), expected, tolerance=1e-5)


@pytest.mark.parametrize("mean", [0.0, 100.0, 1000.0])
def test_its_program_keeps_the_digits_where_the_mean_is_large(mean):
    x = tf.random.stateless_normal([2, 16, 16, 3], [0, 1], mean)
    found = normalization.normalized(x, tf.ones([3]), tf.zeros([3]), groups=1, rectified=False)
    wide = tf.cast(x, tf.float64).numpy()
    expected = (wide - wide.mean((0, 1, 2))) / np.sqrt(wide.var((0, 1, 2)) + 1e-5)
    np.testing.assert_allclose(found, expected, atol=1e-6 * max(1.0, mean))


@pytest.mark.parametrize("training", [False, True])
def test_rectified_is_followed_by_a_relu(training):
    x = tf.random.stateless_normal([3, 6, 5, 4], [0, 1], mean=3.0)
    plain, rectified = MomentNormalization(), MomentNormalization(rectified=True)
    for layer in (plain, rectified):
        layer.build(x.shape)
    np.testing.assert_array_equal(rectified(x, training=training), tf.nn.relu(plain(x, training=training)))
    given = tf.constant([1.0, 2.0, 3.0, 4.0, 1.0, 1.0, 2.0, 2.0])
    with normalization.given_moments(given):
        expected = tf.nn.relu(plain(x))
    with normalization.given_moments(given):
        np.testing.assert_array_equal(rectified(x), expected)
    assert float(tf.reduce_max(expected)) > 0 == float(tf.reduce_min(expected))


def test_a_bias_has_the_gradient_of_tensorflow():
    x, bias = tf.random.stateless_normal([2, 5, 4, 3], [0, 1]), tf.constant([1.0, -2.0, 0.5])
    assert_same(value_and_gradients(convolution.add_bias, x, bias), value_and_gradients(tf.nn.bias_add, x, bias), 1e-6)


@pytest.mark.parametrize("layer", [Convolution(5, 3, dilation_rate=2), DilatedConvolution(5, 12)])
def test_on_a_gpu_a_dilated_convolution_is_one_operation(monkeypatch, layer):
    x = tf.random.stateless_normal([2, 15, 14, 16], [0, 1])
    layer(x)
    layer.bias.assign([1.0, -2.0, 3.0, 0.5, 0.25])
    expected = layer(x)
    monkeypatch.setattr(convolution, "on_gpu", lambda: True)
    with convolution.compiled(False):
        trace = tf.function(lambda: layer(x)).get_concrete_function()
    kinds = [op.type for op in trace.graph.get_operations()]
    assert kinds.count("Conv2D") == 1 and not {"MatMul", "SpaceToBatchND"} & set(kinds)
    assert_same(trace(), expected, tolerance=1e-5)
    with convolution.compiled(True):
        kinds = [op.type for op in tf.function(lambda: layer(x)).get_concrete_function().graph.get_operations()]
    assert {"MatMul", "SpaceToBatchND"} & set(kinds)


def test_a_convolution_is_keras_own_and_keeps_what_it_gives():
    x = tf.random.stateless_normal([2, 7, 6, 3], [0, 1])
    plain, rectified = Convolution(4, 3), Convolution(4, 3, activation="relu")
    plain(x), rectified(x)
    plain.bias.assign([1.0, -2.0, 3.0, 0.5])
    rectified.set_weights(plain.get_weights())
    np.testing.assert_array_equal(rectified(x), tf.nn.relu(plain(x)))
    kerass = keras.layers.Conv2D(4, 3, padding="same")
    kerass.build(x.shape)
    kerass.set_weights(plain.get_weights())
    assert_same(plain(x), kerass(x))


def test_a_size_is_a_number_where_it_is_known():
    def size(x):
        height, width = convolution.spatial_size(x)
        kinds.append((type(height), type(width)))
        return height, width

    kinds, x = [], tf.zeros([2, 5, 4, 3])
    shapes = [[2, 5, 4, 3], [None, None, 4, 3], [None, 5, None, 3], [None, None, None, 3]]
    for shape in shapes:
        assert [int(one) for one in tf.function(size, input_signature=[tf.TensorSpec(shape)])(x)] == [5, 4]
    assert [tuple(kind is int for kind in pair) for pair in kinds] == [
        tuple(length is not None for length in shape[1:3]) for shape in shapes
    ]


@pytest.mark.parametrize("side", [5, 30])
def test_a_dilated_convolution_takes_pictures_of_any_size(side):
    x = tf.random.stateless_normal([2, side, side + 1, 4], [0, 1])
    layer = DilatedConvolution(3, 12)
    of_any_size = tf.function(layer, input_signature=[tf.TensorSpec([None, None, None, 4])])
    assert_same(of_any_size(x), layer(x))
