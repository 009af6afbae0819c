"""The alternating step: who moves, what is learnt from, how often it is traced."""

import dataclasses
import re
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from gsr_tf.data.batch import Batch
from gsr_tf.models.gsr_net import GSRNet
from gsr_tf.models.keras import keras
from gsr_tf.models.optimizers import Adam
from gsr_tf.models.step import Step
from gsr_tf.models.streams import Pass, Stream
from tests.networks import make_batch, tiny_net

NETWORKS = ("generator", "discriminator", "segmenter")


@pytest.fixture(scope="module")
def batch():
    return make_batch()


def weights(net):
    return {name: [v.numpy() for v in getattr(net, name).trainable_variables] for name in NETWORKS}


def moved(before, after):
    return {name for name in NETWORKS if any(np.any(a != b) for a, b in zip(before[name], after[name]))}


def generator_update(net, batch, gradient=None):
    with tf.GradientTape() as tape:
        generation = net.generate(batch)
    net.update_generator(tape, generation, gradient)


@pytest.fixture(scope="module")
def net():
    """One whose weights no test relies upon."""
    return tiny_net()


@pytest.mark.parametrize(
    "update, moves",
    [
        (generator_update, "generator"),
        (lambda net, batch: net.update_discriminator(batch, batch.m), "discriminator"),
        (lambda net, batch: net.update_segmenter(batch, batch.m), "segmenter"),
    ],
)
def test_an_update_moves_its_own_network_and_no_other(batch, net, update, moves):
    before = weights(net)
    update(net, batch)
    assert moved(before, weights(net)) == {moves}


class Trained(NamedTuple):
    """A net after three of its training steps, the weights that it had before, and the losses of the first step."""

    net: GSRNet
    before: dict
    losses: dict


@pytest.fixture(scope="module")
def trained(batch):
    keras.utils.set_random_seed(0)
    net = tiny_net()
    before = weights(net)
    losses = [{name: float(value) for name, value in net.train_step(batch).items()} for _ in range(3)]
    return Trained(net, before, losses[0])


def test_the_step_is_traced_once_and_moves_all_networks(trained):
    assert trained.net.train_step.experimental_get_tracing_count() == 1
    assert int(trained.net.step) == 3
    assert moved(trained.before, weights(trained.net)) == set(NETWORKS)


def test_every_variable_has_a_gradient(batch):
    net = tiny_net(weight_decay=0.0)
    before = weights(net)
    net._step(batch)
    after = weights(net)
    for name in NETWORKS:
        still = [
            v.name
            for v, a, b in zip(getattr(net, name).trainable_variables, before[name], after[name])
            if np.all(a == b)
        ]
        # What is added before a normalisation, the moments take away again.
        normalized = [v.name for v in net.segmenter.trainable_variables if re.fullmatch(r"conv\d_\d/bias:0", v.name)]
        assert still == (normalized if name == "segmenter" else [])
        assert len(normalized) == 13


def test_the_steps_losses_are_named_and_add_up(trained):
    values = trained.losses
    pictures = ["source", "pasted", "generated", "pasted_refined_1", "generated_refined_1"]
    segmenter = [f"loss/{kind}/{picture}" for kind in ("segmentation", "boundary") for picture in pictures]
    parts = {name: values[name] for name in [*segmenter, "loss/weight_decay"]}
    assert values["loss/segmenter"] == pytest.approx(sum(parts.values()), rel=1e-5)
    eq_7 = (
        values["loss/background"]
        + 1 * values["loss/gradient"]
        + 2 * values["loss/edge"]
        + 5 * values["loss/adversarial"]
    )
    assert values["loss/generator"] == pytest.approx(eq_7, rel=1e-5)
    assert len(values) == 18


def test_rounds_of_refinement_are_passes_of_their_own(batch):
    net = tiny_net(segment_on=["source"], refine_on=["source"], refine_steps=2)
    names = {name for name in net._step(batch) if name.startswith("loss/segmentation/")}
    assert names == {f"loss/segmentation/source{end}" for end in ("", "_refined_1", "_refined_2")}


@pytest.mark.parametrize("passes", ["apart", "merged"])
def test_each_kind_is_refined_with_its_own_authentic_pixels_one_pass_after_the_other(batch, passes):
    kinds, random = ("source", "pasted", "generated", "harmonized"), np.random.default_rng(0)
    net = tiny_net(segment_on=kinds, refine_on=kinds, refine_steps=2, passes=passes)
    h, g_m = random.uniform(-120, 150, [2, *batch.m.shape]).astype(np.float32)
    p = random.integers(0, 2, [3, *batch.k.shape]).astype(np.float32)
    pictures = {"source": batch.s, "pasted": batch.m, "generated": g_m, "harmonized": h}
    made, seen = [Pass({"loss/weight_decay": tf.zeros([])}, [None])], []

    def segment(streams, last):
        assert last is made[-1]
        for stream in streams:
            authentic = batch.a if stream.kind == "source" else batch.t
            put_back = sum(p[: stream.round]) > 0
            np.testing.assert_array_equal(stream.image, np.where(put_back, authentic, pictures[stream.kind]))
            np.testing.assert_array_equal(stream.k, np.where(put_back, 0, batch.k))
            seen.append(stream.name)
        losses = {f"loss/{stream.name}": tf.ones([]) for stream in streams}
        made.append(Pass(losses, [None], [p[streams[0].round]] * len(streams)))
        return made[-1]

    net.harmonize, net.segmenter_optimizer = lambda _: h, Recorder()
    net._decay, net._segment = lambda: made[0], segment
    losses, _ = net.update_segmenter(batch, g_m)
    assert set(seen) == {f"{kind}{end}" for kind in kinds for end in ("", "_refined_1", "_refined_2")}
    assert len(seen) == 12 == float(losses["loss/segmenter"])


def test_a_pass_begins_when_the_one_before_is_over():
    with tf.Graph().as_default():
        gradient = tf.ones([3])
        image = Pass({}, [None, gradient]).after(tf.zeros([2]))
    assert image.op.control_inputs == [gradient.op]


def test_without_generated_pictures_generator_and_discriminator_rest(batch):
    net = tiny_net(segment_on=["source", "pasted"], refine_steps=0)
    before = weights(net)
    losses = net._step(batch)
    assert moved(before, weights(net)) == {"segmenter"}
    assert not any("generat" in name or "discriminator" in name for name in losses)


def test_generator_and_discriminator_learn_alone_what_they_learn_beside_the_segmenter(batch):
    found = []
    for segment_on in (["generated"], []):
        keras.utils.set_random_seed(0)
        net = tiny_net(segment_on=segment_on, refine_steps=0)
        before = weights(net)
        losses = [net._step(batch) for _ in range(2)][-1]
        found.append((moved(before, weights(net)), weights(net), losses))
    (_, beside, all_losses), (alone_moved, alone, losses) = found
    assert alone_moved == {"generator", "discriminator"}
    assert set(losses) == {name for name in all_losses if "segment" not in name and "boundary" not in name} - {
        "loss/weight_decay"
    }
    for network in ("generator", "discriminator"):
        for one, other in zip(alone[network], beside[network]):
            np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_joint_update_lets_segmentation_move_the_generator(batch):
    no_own_loss = {"lambda_grad": 0.0, "lambda_edge": 0.0, "lambda_adv": 0.0}
    empty_target = batch._replace(k=tf.ones_like(batch.k))  # no background: nothing of Eq. 7 is left
    for joint, expected in ((False, set()), (True, {"generator"})):
        net = tiny_net(**no_own_loss, segment_on=["generated"], refine_steps=0, segmentation_gradient=joint)
        before = weights(net)
        net._step(empty_target)
        assert moved(before, weights(net)) - {"discriminator", "segmenter"} == expected


def test_the_joint_gradient_is_that_of_the_sum_of_losses(batch):
    """Two tapes chained through G(M) give what one tape over both networks gives."""
    net = tiny_net(segment_on=["generated"], refine_steps=0, segmentation_gradient=True, weight_decay=0.0)
    variables = net.generator.trainable_variables
    with tf.GradientTape() as tape:
        generation = net.generate(batch)
        passed = net._segment([Stream("generated", generation.g_m, batch.k, batch.t)], net._decay())
        total = generation.total + tf.add_n(list(passed.losses.values()))
    expected = tape.gradient(total, variables)
    with tf.GradientTape() as tape:
        generation = net.generate(batch)
    chained = tape.gradient(
        [generation.total, generation.g_m], variables, output_gradients=[tf.ones([]), passed.image_gradient]
    )
    for ours, one_tape in zip(chained, expected):
        np.testing.assert_allclose(ours, one_tape, atol=1e-4 * float(tf.reduce_max(tf.abs(one_tape))))


def test_the_loss_on_one_batch_falls_by_half(batch):
    net = tiny_net(segment_on=["pasted"], refine_steps=0, learning_rate=1e-2, weight_decay=0.0)
    losses = [float(net.train_step(batch)["loss/segmenter"]) for _ in range(40)]
    assert losses[-1] < losses[0] / 2


def test_eager_equals_graph(batch, trained):
    keras.utils.set_random_seed(0)
    losses = {name: float(value) for name, value in tiny_net()._step(batch).items()}
    assert losses == pytest.approx(trained.losses, rel=1e-4)


def test_replicas_average_losses_and_gradients(batch, two_replicas):
    """Two replicas, each with the same pictures, do what one does with them."""
    settings = {"segment_on": ["pasted"], "refine_steps": 0}
    keras.utils.set_random_seed(0)
    one = tiny_net(**settings)
    with two_replicas.scope():
        keras.utils.set_random_seed(0)
        mirrored = tiny_net(**settings)
    twice = (
        tf.data.Dataset.from_tensors(tf.nest.map_structure(lambda x: tf.concat([x, x], 0), batch)).unbatch().batch(4)
    )
    (distributed,) = two_replicas.experimental_distribute_dataset(twice)
    alone, together = one._step(batch), mirrored.train_step(distributed)
    assert float(together["loss/segmenter"]) == pytest.approx(float(alone["loss/segmenter"]), rel=1e-4)
    for ours, theirs in zip(weights(mirrored)["segmenter"], weights(one)["segmenter"]):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", pytest.param("xla", marks=pytest.mark.slow)])
def test_precision_and_compilation_keep_the_losses(batch, policy):
    settings = {"segment_on": ["generated"], "refine_steps": 0}
    keras.utils.set_random_seed(0)
    expected = {name: float(value) for name, value in tiny_net(**settings)._step(batch).items()}
    keras.mixed_precision.set_global_policy("float32" if policy == "xla" else policy)
    try:
        keras.utils.set_random_seed(0)
        net = tiny_net(**settings, jit_compile=policy == "xla")
    finally:
        keras.mixed_precision.set_global_policy("float32")
    for name, value in net.train_step(batch).items():
        assert float(value) == pytest.approx(expected[name], rel=1e-3 if policy == "xla" else 0.05), name


def test_rates_fall_along_a_cosine_to_zero():
    variable = tf.Variable(0.0)
    adam = Adam([variable], 0.5, decay_steps=10)
    moves = []
    for _ in range(12):
        before = variable.numpy()
        adam.apply_gradients([(tf.constant(1.0), variable)])  # Adam's step for a constant gradient is its rate
        moves.append(before - variable.numpy())
    expected = [0.25 * (1 + np.cos(np.pi * min(step, 10) / 10)) for step in range(12)]
    np.testing.assert_allclose(moves, expected, atol=1e-4)


def test_rates_are_fixed_unless_asked():
    assert float(tiny_net().segmenter_optimizer.learning_rate) == pytest.approx(1e-4)


class Recorder:
    """Stands in for an optimizer: keeps the gradients and moves nothing."""

    gradients = ()

    def apply_gradients(self, pairs):
        self.gradients = [gradient.numpy() for gradient, _ in pairs]


def step_of(net, batch, **changes):
    """The losses and the segmenter's and generator's gradients of one eager step by other settings; nothing moves."""
    net.settings = dataclasses.replace(net.settings, **changes)
    recorders = {name: Recorder() for name in NETWORKS}
    for name, recorder in recorders.items():
        setattr(net, f"{name}_optimizer", recorder)
    losses = {name: float(value) for name, value in net._step(batch).items()}
    return losses, [*recorders["segmenter"].gradients, *recorders["generator"].gradients]


JOINT = {
    **{"segment_on": ["source", "generated", "pasted"], "refine_on": ["source"], "refine_steps": 2},
    **{"segmentation_gradient": True, "half_pixel": False},
}


@pytest.mark.parametrize(
    "settings",
    [{}, {"moments": "picture"}, {"boundary_branch": False, "refine_steps": 0}, JOINT],
    ids=["paper", "picture", "deeplab", "release"],
)
def test_kinds_of_pictures_that_go_through_together_are_as_apart(batch, settings):
    keras.utils.set_random_seed(0)
    net = tiny_net(**settings)
    losses, gradients = step_of(net, batch, passes="apart")
    together, theirs = step_of(net, batch, passes="merged")
    assert together == pytest.approx(losses, rel=1e-5)
    largest = max(np.abs(gradient).max() for gradient in gradients)
    for one, other in zip(theirs, gradients):
        np.testing.assert_allclose(one, other, atol=1e-5 * largest)


def test_by_the_moments_of_each_picture_its_company_does_not_matter(batch):
    """As at test: the loss of a batch is the mean of its pictures' own."""
    keras.utils.set_random_seed(0)
    net = tiny_net(segment_on=["pasted"], refine_steps=0, weight_decay=0.0)

    def loss(batch, moments):
        return step_of(net, batch, moments=moments)[0]["loss/segmentation/pasted"]

    both = loss(batch, "picture")
    alone = [loss(Batch(*(x[n : n + 1] for x in batch)), "batch") for n in range(len(batch.s))]
    assert both == pytest.approx(np.mean(alone), rel=1e-5)
    assert loss(batch, "batch") != pytest.approx(both, rel=1e-4)


def test_all_kinds_go_through_together_on_a_gpu_and_apart_on_a_cpu(monkeypatch):
    assert not Step().merged
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [f"{kind}:0"])
    assert Step().merged
    assert not Step(passes="apart").merged
    monkeypatch.undo()
    assert Step(passes="merged").merged


@pytest.mark.slow
def test_the_steps_graph_is_small_where_kinds_go_through_together(batch):
    """What a GPU is started for at each step: the paper's five passes are two."""
    counts = {}
    for passes in ("apart", "merged"):
        net = tiny_net(passes=passes, alternation="sequential")
        counts[passes] = len(net.train_step.get_concrete_function(batch).graph.get_operations())
    assert counts["merged"] < 6000 and counts["merged"] < 0.85 * counts["apart"]
