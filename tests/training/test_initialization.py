"""What a fresh run begins with."""

import numpy as np
import pytest

from gsr_tf.config import Config
from gsr_tf.inference import shipped
from gsr_tf.models.segmenter import build_segmenter
from gsr_tf.models.weights import WeightsError, named_variables
from gsr_tf.settings import ConfigError
from gsr_tf.training.initialization import Initialization, initialize, load_teachers
from tests.networks import settings, tiny_net


@pytest.fixture(scope="module")
def ours():
    """Weights of a tiny segmenter, each of them .5."""
    segmenter = build_segmenter(settings()[0])
    return {name: np.full(v.shape, 0.5, np.float16) for name, v in named_variables(segmenter).items()}


@pytest.fixture
def folder(ours, tmp_path, monkeypatch):
    """A folder of shipped weights: `ours` alone."""
    np.savez(tmp_path / "ours.npz", **ours)
    monkeypatch.setattr(shipped.weights_file, "__defaults__", (tmp_path,))
    digest = shipped.hashlib.sha256((tmp_path / "ours.npz").read_bytes()).hexdigest()
    (tmp_path / "index.json").write_text(f'{{"ours": {{"file": "ours.npz", "sha256": "{digest}"}}}}')
    return tmp_path


@pytest.mark.parametrize("given", ["ours", "{folder}/ours.npz"])
def test_initial_weights_are_a_name_or_a_file(folder, given):
    net = tiny_net()
    before = net.generator.get_weights()
    initialize(net, Initialization(initial_weights=given.format(folder=folder)))
    assert all((variable.numpy() == 0.5).all() for variable in net.segmenter.trainable_variables)
    np.testing.assert_equal(net.generator.get_weights(), before)


def test_a_name_that_is_unknown_is_answered_with_those_that_are(folder):
    with pytest.raises(WeightsError, match="--initial_weights=our: no such file, .* those are: ours"):
        initialize(tiny_net(), Initialization(initial_weights="our"))


def test_a_run_without_a_generator_is_no_start_for_one(tmp_path):
    Config().changed(segment_on=("source", "pasted"), refine_on=("pasted",)).write(tmp_path)
    with pytest.raises(
        ConfigError, match=f"--initial_generator={tmp_path}: .*--segment_on=source,pasted, which trains"
    ):
        initialize(tiny_net(), Initialization(initial_generator=str(tmp_path), vgg16_weights="random"))
    with pytest.raises(ConfigError, match="no config.json there"):
        initialize(tiny_net(), Initialization(initial_generator=str(tmp_path / "none"), vgg16_weights="random"))


def test_teachers_are_names_or_files_and_frozen(folder):
    networks = settings()[0]
    teachers = load_teachers(Initialization(teachers=("ours", f"{folder}/ours.npz")), networks)
    assert len(teachers) == 2 and load_teachers(Initialization(), networks) == []
    for teacher in teachers:
        assert teacher.trainable_variables == []
        assert all((variable.numpy() == 0.5).all() for variable in teacher.weights)


@pytest.mark.parametrize(
    ("given", "width", "message"),
    [
        ("our", 0.03, "--teachers=our: no such file"),
        (
            "ours",
            0.06,
            "--teachers=ours: segmenter/.* the network's settings, as --width, must be those of the weights",
        ),
    ],
)
def test_a_teacher_that_does_not_fit_is_named(folder, given, width, message):
    with pytest.raises(WeightsError, match=message):
        load_teachers(Initialization(teachers=(given,)), settings(width=width)[0])
