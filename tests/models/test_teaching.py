"""Teachers: what they say together, and what a segmenter learns of it."""

import numpy as np
import pytest
import tensorflow as tf

from gsr_tf.models import losses
from gsr_tf.models.normalization import MomentNormalization
from gsr_tf.models.teaching import taught
from gsr_tf.models.weights import named_variables
from tests.networks import TINY, make_batch, settings, tiny_net

ALONE = {"segment_on": ("pasted",), "refine_steps": 0, "weight_decay": 0.0}
NAMES = ("segmentation", "boundary")


@pytest.fixture(scope="module", name="teachers")
def two():
    """Two segmenters of different random weights, and of opinions: their heads are far from 0."""
    random, found = np.random.default_rng(0), [tiny_net().segmenter for _ in range(2)]
    for name, variable in (item for teacher in found for item in named_variables(teacher).items()):
        if "_head/" in name:
            variable.assign(random.normal(size=variable.shape, scale=0.5))
    return found


def probability(logits):
    """Softmax of [..., 2], of class 1, in NumPy; in float64, since 1 - p is taken of it where p is near 1."""
    e = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return (e / e.sum(-1, keepdims=True))[..., 1:]


def test_they_say_the_mean_of_their_log_odds(teachers):
    image = make_batch(3).m
    found = taught(teachers, image)
    assert set(found) == set(NAMES)
    for name in NAMES:
        p, q = (probability(teacher(image)[name].numpy()) for teacher in teachers)
        odds = np.sqrt(p / (1 - p) * q / (1 - q))
        np.testing.assert_allclose(found[name], odds / (1 + odds), atol=1e-5)
        assert np.abs(p - q).max() > 0.1


def test_each_of_them_is_heard_and_nothing_is_learnt_of_it_by_whoever_asks(teachers):
    image = make_batch().m
    with tf.GradientTape() as tape:
        tape.watch(image)
        found = taught([*teachers, teachers[1]], image)["segmentation"]
    p, q = (probability(teacher(image)["segmentation"].numpy()) for teacher in teachers)
    odds = np.cbrt(p / (1 - p) * (q / (1 - q)) ** 2)
    np.testing.assert_allclose(found, odds / (1 + odds), atol=1e-5)
    assert tape.gradient(found, image) is None


def test_one_says_what_it_answers_each_picture_by_its_own_moments(teachers):
    image = make_batch(3).m
    together = taught(teachers[:1], image)["segmentation"]
    alone = [probability(teachers[0](image[number : number + 1])["segmentation"].numpy())[0] for number in range(3)]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_a_picture_is_normalised_as_alone_in_bfloat16_too():
    layer = MomentNormalization(dtype="mixed_bfloat16")
    x = tf.cast(10 + tf.random.stateless_normal([2, 96, 96, 4], [0, 1]), tf.bfloat16)
    together = tf.cast(layer(x), tf.float32).numpy()
    alone = [tf.cast(layer(x[number : number + 1])[0], tf.float32).numpy() for number in range(2)]
    np.testing.assert_allclose(together, alone, atol=2**-7)
    assert abs(together.mean()) < 0.01 and abs(together.std() - 1) < 0.01


def test_nobody_says_nothing():
    assert taught([], make_batch().m) == {}


def test_soft_cross_entropy_is_its_formula():
    random = np.random.default_rng(1)
    odds, p = 3 * random.normal(size=[2, 5, 4, 1]).astype(np.float32), random.uniform(size=[2, 5, 4, 1])
    says = 1 / (1 + np.exp(-odds))
    wanted = -np.mean(p * np.log(says) + (1 - p) * np.log(1 - says), axis=(1, 2, 3))
    logits = np.concatenate([np.full_like(odds, 0.7), 0.7 + odds], -1)
    assert losses.soft_cross_entropy(logits, p.astype(np.float32)).numpy() == pytest.approx(wanted, rel=1e-5)
    k = (p > 0.5).astype(np.float32)
    hard = losses.cross_entropy(logits, k).numpy()
    assert losses.soft_cross_entropy(logits, k).numpy() == pytest.approx(hard, rel=1e-5)


@pytest.mark.parametrize("passes", ["apart", "merged"])
def test_a_step_weighs_k_and_the_teachers_and_moves_the_segmenter_alone(teachers, passes):
    changes = {"segment_on": ("source", "pasted"), "refine_on": ("pasted",), "passes": passes, "weight_decay": 0.0}
    net = tiny_net(teachers=teachers, teachers_share=0.3, **changes)
    untaught = tiny_net(**changes)
    untaught.segmenter.set_weights(net.segmenter.get_weights())
    batch, before = make_batch(), [teacher.get_weights() for teacher in teachers]
    logits = {"source": net.segmenter(batch.s, training=True), "pasted": net.segmenter(batch.m, training=True)}
    found, plain = net._step(batch), untaught._step(batch)
    for kind, image in {"source": batch.s, "pasted": batch.m}.items():
        said = taught(teachers, image)
        for name in NAMES:
            entropy = losses.soft_cross_entropy(logits[kind][name], said[name]).numpy().mean()
            assert found[f"loss/taught_{name}/{kind}"].numpy() == pytest.approx(0.3 * entropy, rel=1e-4)
            on_k = plain[f"loss/{name}/{kind}"].numpy()
            assert found[f"loss/{name}/{kind}"].numpy() == pytest.approx(0.7 * on_k, rel=1e-4)
    assert "loss/taught_boundary/pasted_refined_1" in found
    np.testing.assert_equal([teacher.get_weights() for teacher in teachers], before)
    assert any(np.any(a != b) for a, b in zip(net.segmenter.get_weights(), untaught.segmenter.get_weights()))


def test_taught_alone_it_comes_to_say_what_they_say(teachers):
    """With a share of 1, K has no part in it."""
    net = tiny_net(teachers=teachers, teachers_share=1.0, learning_rate=0.01, moments="picture", **ALONE)
    batch = make_batch()
    said = taught(teachers, batch.m)["segmentation"]

    def apart():
        return float(tf.reduce_mean(tf.abs(taught([net.segmenter], batch.m)["segmentation"] - said)))

    before = apart()
    for _ in range(60):
        found = net.train_step(batch)
    assert found["loss/segmentation/pasted"].numpy() == 0
    assert before > 0.02 and apart() < 0.5 * before


def test_a_checkpoint_holds_the_teachers(teachers):
    net = tiny_net(teachers=teachers, teachers_share=0.5, **ALONE)
    assert net.frozen == ("teacher_1", "teacher_2")
    assert [net.teacher_1, net.teacher_2] == list(teachers)
    assert settings(**TINY)[3].teachers_share == 0
