"""Networks small enough for tests, and a batch of noise for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from gsr_tf.data.batch import Batch
from gsr_tf.data.composition import copy_paste
from gsr_tf.inference.module import DetectorModule
from gsr_tf.models.gsr_net import GSRNet
from gsr_tf.models.keras import keras
from gsr_tf.models.losses import Losses
from gsr_tf.models.networks import Networks
from gsr_tf.models.optimizers import Optimization
from gsr_tf.models.step import Step
from gsr_tf.settings import from_flat

TINY = {"width": 0.03, "dropout": 0.0}


def settings(**changes: Any) -> tuple[Networks, Losses, Optimization, Step]:
    """The arguments of GSRNet, tiny, with changes to any setting by name."""
    changes = {**TINY, **changes}
    return tuple(from_flat(kind, changes) for kind in (Networks, Losses, Optimization, Step))


def tiny_net(
    kind: type[GSRNet] = GSRNet,
    harmonizer: keras.Model | None = None,
    teachers: Sequence[keras.Model] = (),
    **changes: Any,
) -> GSRNet:
    """GSR-Net, tiny, with changes to any setting by name."""
    return kind(*settings(**changes), harmonizer, teachers)


def one_convolution(**settings: Any) -> DetectorModule:
    """A detector whose network is one convolution, without a boundary branch: quick to trace, to save and to load."""
    image = keras.Input([None, None, 3])
    return DetectorModule(keras.Model(image, {"segmentation": keras.layers.Conv2D(2, 1)(image)}), **settings)


def make_batch(pictures: int = 2, size: int = 32) -> Batch:
    """Noise with a square K."""
    random = np.random.default_rng(0)
    s, t, a = random.uniform(-120, 150, [3, pictures, size, size, 3]).astype(np.float32)
    k = np.zeros([pictures, size, size, 1], np.float32)
    k[:, 8:20, 6:18] = 1
    return Batch(*(tf.constant(x) for x in (s, k, t, copy_paste(s, k, t), a)))
