"""ImageNet's weights of a network that Keras has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from gsr_tf.models.keras import keras
from gsr_tf.models.weights import WeightsError


def pretrained(application: Callable[..., keras.Model], source: str, flag: str, where: str) -> dict[str, np.ndarray]:
    """{Keras's name: value} of the weights of a network without top, moments of the normalisation too.

    Args:
        application: one of `keras.applications`.
        source: "imagenet", which Keras downloads, or the path of Keras's .h5.
        flag: what named it, for errors.
        where: where weights are to be had, for errors.

    Raises:
        WeightsError: no such weights, or weights that do not fit.
    """
    if source != "imagenet" and not Path(source).exists():
        raise WeightsError(f"{flag}: no such file. {where}")
    try:
        network = application(include_top=False, weights=source)
    except Exception as error:  # a URL error, an h5 error, or Keras's own
        raise WeightsError(f"{flag}: could not be loaded ({error}). {where}") from error
    return {variable.name: variable.numpy() for variable in network.variables}
