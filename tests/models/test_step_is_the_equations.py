"""What `train_step` returns and gives each optimizer is what the paper's equations say, written out in `equations`."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from gsr_tf.config import from_flagfile
from gsr_tf.data.batch import Batch
from gsr_tf.models.dropout import Dropout
from gsr_tf.models.keras import keras
from gsr_tf.models.segmenter import predicted_boundary
from tests.models.drawn_weights import give_weights
from tests.models.equations import Conventions, Expected, adam, expected_step
from tests.networks import make_batch

FLAGS = Path(__file__).resolve().parents[2] / "flags"
NETWORKS = ("generator", "discriminator", "segmenter")
TINY = {"width": 0.03, "vgg16_weights": "random", "passes": "apart"}  # together they drop out otherwise
FAST = 0.01  # a rate by which one step of the generator is seen in its pictures


class Case(NamedTuple):
    """A preset with a few changes, and what the equations are then; dropout is on."""

    flagfile: str
    changes: dict
    equations: Conventions
    rate: float = 1e-4  # Adam's, of generator and segmenter
    of_discriminator: tuple = (1e-4, 0.9)  # rate and first decay


CASES = {
    "paper": Case("gsr_net.cfg", {"learning_rate": FAST}, Conventions(), FAST),
    "release": Case(
        "release.cfg",
        {},
        Conventions(
            by_region=False,
            laplacian_scale=0.25,
            half_pixel=False,
            class_weights=(0.3, 0.7),
            rounds={"source": 1},
            generator_moves_first=False,
            joint=True,
        ),
        of_discriminator=(5e-5, 0.5),
    ),
    "unusual": Case(
        "gsr_net.cfg",
        {
            **{"lambda_grad": 0.7, "lambda_edge": 3.0, "lambda_adv": 110.0, "laplacian_scale": 0.5},
            **{"boundary_size": 3, "boundary_class_weights": (0.9, 0.2), "weight_decay": 0.05, "refine_steps": 2},
            **{"refine_on": ("generated",), "alternation": "simultaneous"},
        },
        Conventions(
            lambdas=(0.7, 3.0, 110.0),
            laplacian_scale=0.5,
            square=3,
            class_weights=(0.9, 0.2),
            weight_decay=0.05,
            rounds={"generated": 2},
            generator_moves_first=False,
        ),
    ),
}


class Recorder:
    """Stands before an optimizer: keeps each update's gradients by variable, and passes them on."""

    def __init__(self, optimizer):
        self.optimizer, self.updates = optimizer, []

    def apply_gradients(self, pairs):
        pairs = list(pairs)
        self.updates.append({variable.name: gradient.numpy() for gradient, variable in pairs})
        self.optimizer.apply_gradients(pairs)


class Ran(NamedTuple):
    """What a step found, what it had to find, and the weights before and after it and a second update."""

    case: Case
    losses: dict
    updates: dict  # {network: [{variable: gradient} of the step, of the second update]}
    expected: Expected
    before: dict  # {network: {variable: value}}
    after: dict


def own_batch() -> Batch:
    """Wide pictures, another K on each, and an M that is not Eq. 1 to the bit, as it is after retouching."""
    batch = make_batch(size=64)
    s, _, t, _, a = (x[:, :32] for x in batch)
    k = np.zeros([2, 32, 64, 1], np.float32)
    k[0, 8:20, 6:18] = 1
    k[1, 11:32, 9:55] = 1  # at the border there is no edge
    return Batch(s, tf.constant(k), t, 0.9 * (k * s + (1 - k) * t), a)


def values(net):
    return {name: {v.name: v.numpy() for v in getattr(net, name).trainable_variables} for name in NETWORKS}


def give_all_weights(net):
    for name in NETWORKS:
        give_weights(getattr(net, name))


def eager_step(net, batch):
    tf.config.run_functions_eagerly(True)  # tracing would take longer than the step
    try:
        return {name: float(value) for name, value in net.train_step(batch).items()}
    finally:
        tf.config.run_functions_eagerly(False)


def update_again(net, recorder, name):
    (first,) = recorder.updates  # one a step
    variables = getattr(net, name).trainable_variables
    recorder.apply_gradients([(tf.constant(-0.5 * first[v.name]), v) for v in variables if v.name in first])


@pytest.fixture(scope="module", params=CASES)
def ran(request):
    case, batch = CASES[request.param], own_batch()
    keras.utils.set_random_seed(0)
    net = from_flagfile(FLAGS / case.flagfile, **TINY, **case.changes).build()
    give_all_weights(net)
    dropped = [layer.random for layer in net.segmenter.layers if isinstance(layer, Dropout)]
    states = [tf.identity(random.state) for random in dropped]
    recorders = {name: Recorder(getattr(net, f"{name}_optimizer")) for name in NETWORKS}
    for name, recorder in recorders.items():
        setattr(net, f"{name}_optimizer", recorder)

    before = values(net)
    losses = eager_step(net, batch)
    moved = net.generator.get_weights()
    for name, recorder in recorders.items():
        update_again(net, recorder, name)
    after = values(net)

    give_all_weights(net)
    for random, state in zip(dropped, states):
        random.state.assign(state)  # the equations drop what the step dropped
    expected = expected_step(net, batch, case.equations, moved)
    return Ran(case, losses, {name: recorder.updates for name, recorder in recorders.items()}, expected, before, after)


def test_losses_are_the_equations(ran):
    assert ran.losses == {name: pytest.approx(float(value), rel=1e-4) for name, value in ran.expected.losses.items()}


@pytest.mark.parametrize("network", NETWORKS)
def test_gradients_are_the_equations(ran, network):
    gradients = zip(ran.before[network], ran.expected.gradients[network])
    expected = {name: gradient for name, gradient in gradients if gradient is not None}  # biases to be normalised away
    found = ran.updates[network][0]
    assert set(found) == set(expected)
    largest = max(np.linalg.norm(gradient) for gradient in expected.values())
    for name, gradient in expected.items():
        distance = np.linalg.norm(found[name] - gradient)
        assert distance <= 1e-3 * np.linalg.norm(gradient) + 1e-5 * largest, name


def test_the_boundary_that_is_predicted_is_neither_nothing_nor_all(ran):
    """Or Eq. 8 and 9 would change nothing, and wrong ones be right."""
    assert all(0.2 < float(tf.reduce_mean(p)) < 0.8 for p in ran.expected.boundaries)


def test_equal_logits_predict_no_boundary():
    assert not predicted_boundary(tf.ones([1, 2, 2, 2])).numpy().any()  # as argmax, in the release


@pytest.mark.parametrize("network", NETWORKS)
def test_each_network_moves_by_its_own_adam(ran, network):
    rate, beta_1 = ran.case.of_discriminator if network == "discriminator" else (ran.case.rate, 0.9)
    after = ran.after[network]
    for name, value in ran.before[network].items():
        move = adam(value, [update[name] for update in ran.updates[network] if name in update], rate, beta_1) - value
        np.testing.assert_allclose(after[name] - value, move, atol=0.01 * rate, err_msg=name)


@pytest.mark.parametrize(
    ("flagfile", "optimizer", "rate", "beta_1"),
    [
        ("gsr_net.cfg", "adam", 1e-4, 0.9),
        ("gsr_net.cfg", "discriminator_adam", 1e-4, 0.9),
        ("release.cfg", "adam", 1e-4, 0.9),
        ("release.cfg", "discriminator_adam", 5e-5, 0.5),
    ],
)
def test_adam_has_the_presets_rate_and_decays_and_tf1s_epsilon(flagfile, optimizer, rate, beta_1):
    gradients = np.random.default_rng(0).normal(0, 1e-8, 30).astype(np.float32)  # as small as epsilon
    variable = tf.Variable(0.0)
    ours = getattr(from_flagfile(FLAGS / flagfile).optimization, optimizer)([variable])
    for gradient in gradients:
        ours.apply_gradients([(tf.constant(gradient), variable)])
    assert float(variable) == pytest.approx(float(adam(0.0, gradients, rate, beta_1)), rel=1e-4)
