"""The Python interface: load a detector once, ask it about pictures."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Optional, Union

import numpy as np
import tensorflow as tf

from gsr_tf.data.pictures import PictureError, read_picture
from gsr_tf.inference import saved_model
from gsr_tf.inference.segmentation import Segmentation, segmentation

Maps = dict[str, np.ndarray]


class Detector:
    """Finds manipulated regions in pictures.

        detector = gsr_tf.Detector.load("models/gsr_net")
        found = detector.segment("photo.jpg")       # or a [h, w, 3] uint8 RGB array
        found.map        # [h, w] float32 in [0, 1]: probability that a pixel was manipulated
        found.mask       # [h, w] bool: above the threshold, small particles removed
        found.score      # one number for the picture
        found.boxes      # bounding boxes of the flagged regions

    A score is evidence to look at, not proof: see the model card for what it was measured on. One detector may be
    used by several threads at once; an answer never depends on what else was asked.

    Attributes:
        name: of the model.
        metadata: what the export wrote down: configuration, data, scores.
        fingerprint: of graph and weights, hexadecimal digits; another one: other answers.
        threshold: the default of `segment`.
    """

    def __init__(
        self, module: Callable[[tf.Tensor], dict[str, tf.Tensor]], *, name: str, metadata: dict, fingerprint: str = ""
    ):
        self._module, self.name, self.metadata, self.fingerprint = module, name, metadata, fingerprint
        self.threshold = float(metadata.get("threshold", 0.5))

    @classmethod
    def load(cls, path: Union[str, os.PathLike, None] = None, *, flag: str = "--saved_model") -> Detector:
        """A detector from the folder that `python -m gsr_tf.export` wrote; ExportError when there is none.

        Args:
            path: the folder.
            flag: what gave it, for the messages.
        """
        if path is None:
            raise saved_model.ExportError(
                f"no model given and none is shipped: give {flag}=FOLDER, made by python -m gsr_tf.export from a "
                "training run (python -m gsr_tf.train), or make demo for a small one in demo/model"
            )
        module = saved_model.load(path, flag)
        return cls(
            module,
            name=Path(path).resolve().name,
            metadata=saved_model.read_metadata(path),
            fingerprint=saved_model.fingerprint(path),
        )

    def maps(self, picture: np.ndarray) -> Maps:
        """{"probability": [h, w] float32, and with a boundary branch "boundary"} of [h, w, 3] uint8 RGB."""
        return {name: found.numpy()[..., 0] for name, found in self._module(tf.constant(picture)).items()}

    def segment(self, image: Union[np.ndarray, str, os.PathLike], *, threshold: Optional[float] = None) -> Segmentation:
        """Where was this picture manipulated?

        Args:
            image: [h, w, 3] uint8 RGB, or the path of a picture file (EXIF orientation is applied).
            threshold: in [0, 1], above it a pixel is flagged; None: the detector's own.

        Returns:
            The Segmentation, at the picture's size.

        Raises:
            PictureError: the file is no picture, or the array has another shape or type.
        """
        picture = _checked(image) if isinstance(image, np.ndarray) else read_picture(image)
        maps = self.maps(picture)
        threshold = self.threshold if threshold is None else threshold
        return segmentation(maps["probability"], maps.get("boundary"), threshold=threshold)


def _checked(image: np.ndarray) -> np.ndarray:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3 or not image.size:
        raise PictureError(
            f"array of {image.dtype}, shape {list(image.shape)}: expected uint8 RGB, [h, w, 3], not empty"
        )
    return image
