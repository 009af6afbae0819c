"""What a fresh run's networks begin with."""

from __future__ import annotations

import dataclasses
import functools

from gsr_tf.inference.shipped import weights_file
from gsr_tf.models.gsr_net import GSRNet
from gsr_tf.models.keras import keras
from gsr_tf.models.networks import Networks
from gsr_tf.models.release import load_release_checkpoint
from gsr_tf.models.segmenter import build_segmenter
from gsr_tf.models.step import Step
from gsr_tf.models.vgg16 import initialize_vgg16
from gsr_tf.models.weights import load_npz, named_variables
from gsr_tf.settings import Checked, ConfigError, check_one_of, from_flat, setting
from gsr_tf.training.restored import restore_generation
from gsr_tf.training.run_settings import stored


@dataclasses.dataclass(frozen=True)
class Initialization(Checked):
    """Weights from elsewhere; each field's help says which."""

    vgg16_weights: str = setting(
        "imagenet",
        "Initial VGG-16 convolutions: 'imagenet' (downloaded by Keras; paper), a Keras .h5, an .npz, the prefix of a "
        "TF1 DeepLab-LargeFOV checkpoint trained on VOC (release), or 'random'. Only at --width=1.",
        may_change=True,
    )
    initial_weights: str = setting(
        "",
        "What to start the segmenter from: an .npz of weights by canonical name (python -m gsr_tf.export "
        "--format=weights), or the name of included weights, as gsr-net-coco.",
    )
    initial_generator: str = setting(
        "", "A run's folder whose newest generator and discriminator to start from, e.g. one with --segment_on empty."
    )
    harmonizer: str = setting(
        "",
        "An .npz of weights of DIH (python -m gsr_tf.train_comparator --method=dih), which makes the harmonised "
        "pictures of --segment_on and is not trained.",
    )
    teachers: tuple[str, ...] = setting(
        (),
        "One or more .npz of weights, or names of included weights, of segmenters of the run's form, which are not "
        "trained: the segmenter also learns their averaged prediction (distillation), by --teachers_share of its loss.",
    )
    release_checkpoint: str = setting("", "Prefix of a checkpoint of the authors' code, to start all networks from.")

    def __post_init__(self):
        super().__post_init__()
        check_one_of(self, "initial_weights", "release_checkpoint")
        check_one_of(self, "initial_generator", "release_checkpoint")
        given = self.initial_weights or self.release_checkpoint
        if given and self.vgg16_weights not in ("imagenet", "random"):
            raise ConfigError(f"--vgg16_weights={self.vgg16_weights}: not used, since all weights come from {given}")


def load_teachers(settings: Initialization, networks: Networks) -> list[keras.Model]:
    """The segmenters of --teachers, frozen, all of the run's form; raises WeightsError."""
    return [_teacher(given, networks) for given in settings.teachers]


def _teacher(given: str, networks: Networks) -> keras.Model:
    segmenter = build_segmenter(networks, kernel_initializer="zeros")
    load_npz(named_variables(segmenter), str(weights_file(given, "--teachers")), f"--teachers={given}")
    segmenter.trainable = False
    return segmenter


def initialize(net: GSRNet, settings: Initialization) -> None:
    """Pretrained weights into a fresh net, as the settings say; raises WeightsError, CheckpointError."""
    if settings.release_checkpoint:
        load_release_checkpoint([net.generator, net.discriminator, net.segmenter], settings.release_checkpoint)
    elif settings.initial_weights:
        path = weights_file(settings.initial_weights, "--initial_weights")
        load_npz(named_variables(net.segmenter), str(path), f"--initial_weights={settings.initial_weights}")
    else:
        initialize_vgg16(net.segmenter, settings.vgg16_weights)
    if settings.initial_generator:
        _check_generates(settings.initial_generator)
        restore_generation(net, settings.initial_generator)


def _check_generates(run_dir: str) -> None:
    """Raises ConfigError where a run's generator is as random as it began: it has one, but never trained it."""
    step = stored(run_dir, "--initial_generator", functools.partial(from_flat, Step))
    if not step.generates:
        raise ConfigError(
            f"--initial_generator={run_dir}: a run with --segment_on={','.join(step.segment_on)}, which trains no "
            "generator; expected one with 'generated' in it, or with none"
        )
