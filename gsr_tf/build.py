"""A Config to the objects of a run: the one place where settings become keyword arguments."""

from __future__ import annotations

import functools
from typing import Any

import tensorflow as tf
from tensorflow import keras

from gsr_tf.config import Config
from gsr_tf.data.pipeline import Preparation
from gsr_tf.data.retouching import Retouching
from gsr_tf.models.gsr_net import GSRNet
from gsr_tf.models.vgg16 import initialize_vgg16
from gsr_tf.models.weights import load_npz, load_release_checkpoint
from gsr_tf.training.checkpoints import restore_generation


@functools.cache  # two in one process number their collective operations alike, and take each other's for their own
def build_strategy() -> tf.distribute.Strategy:
    """All GPUs of the machine mirrored when there are several, else the one device there is; one for the process."""
    return (
        tf.distribute.MirroredStrategy()
        if len(tf.config.list_physical_devices("GPU")) > 1
        else tf.distribute.get_strategy()
    )


def set_up(config: Config) -> None:
    """Process-wide settings, before any network is built: seeds, precision, determinism."""
    keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_tensor_float_32_execution(config.precision != "float32")
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if config.precision == "mixed_bfloat16" else "float32")
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()


# Pictures that are shown or validated on.
UNMOVED = {"flip": False, "shape_share": 0.0, "paste_scale": (1.0, 1.0), "paste_rotation": 0.0}


def preparation(config: Config, **changes: Any) -> Preparation:
    """How the pipeline prepares pictures, with changes."""
    settings = {
        "size": config.input_size,
        "resize_mode": config.resize_mode,
        "short_side": config.short_side,
        "window_scale": config.window_scale,
        "whole_regions": config.whole_regions,
        "target_size": config.target_size,
        "mask_threshold": config.mask_threshold,
        "flip": config.flip,
        "gamma": config.gamma,
        "shape_share": config.shape_share,
        "paste_scale": config.paste_scale,
        "paste_rotation": config.paste_rotation,
        "half_pixel": config.half_pixel,
        "with_original": bool(config.refine_steps) and "source" in config.refine_on,
        "seed": config.seed,
        "cache_gib": config.cache_gib,
        "copy_move_share": config.copy_move_share,
        "retouching": Retouching(config.feather, config.jpeg_quality, config.authentic_share, config.blend),
    }
    return Preparation(**{**settings, **changes})


def segmenter_settings(config: Config) -> dict[str, Any]:
    """The keyword arguments of `build_segmenter`."""
    return {
        "width": config.width,
        "head_kernel": config.head_kernel,
        "half_pixel": config.half_pixel,
        "boundary_branch": config.boundary_branch,
        "dropout": config.dropout,
    }


def network_settings(config: Config) -> dict[str, Any]:
    """The keyword arguments of `GSRNet`."""
    return dict(
        **segmenter_settings(config),
        boundary_size=config.boundary_size,
        segment_on=config.segment_on,
        refine_on=config.refine_on,
        refine_steps=config.refine_steps,
        lambda_grad=config.lambda_grad,
        lambda_edge=config.lambda_edge,
        lambda_adv=config.lambda_adv,
        normalization=config.loss_normalization,
        laplacian_scale=config.laplacian_scale,
        boundary_class_weights=config.boundary_class_weights,
        weight_decay=config.weight_decay,
        segmentation_gradient=config.segmentation_gradient,
        learning_rate=config.learning_rate,
        decay_steps=config.steps if config.learning_rate_schedule == "cosine" else 0,
        discriminator_learning_rate=config.discriminator_learning_rate,
        discriminator_beta_1=config.discriminator_beta_1,
        jit_compile=config.jit_compile,
    )


def build_gsr_net(config: Config) -> GSRNet:
    """The networks of a run at their initial random weights; inside a strategy's scope, on its replicas."""
    return GSRNet(**network_settings(config))


def initialize(net: GSRNet, config: Config) -> None:
    """Pretrained weights into a fresh net, as the settings say; raises WeightsError, CheckpointError."""
    if config.release_checkpoint:
        load_release_checkpoint([net.generator, net.discriminator, net.segmenter], config.release_checkpoint)
    elif config.initial_weights:
        load_npz([net.segmenter], config.initial_weights, f"--initial_weights={config.initial_weights}")
    else:
        initialize_vgg16(net.segmenter, config.vgg16_weights, with_fc=config.vgg16_fc)
    if config.initial_generator:
        restore_generation(net, config.initial_generator, "--initial_generator")
