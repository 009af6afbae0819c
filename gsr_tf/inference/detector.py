"""The Python interface: load a detector once, ask it about pictures."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from gsr_tf.data.aspect import refuse_sliver
from gsr_tf.data.pictures import PictureError, decode_picture, read_bytes
from gsr_tf.errors import UserError
from gsr_tf.inference import device, saved_model, shipped
from gsr_tf.inference.looking import check_sees, maps_at
from gsr_tf.inference.metadata import DetectorError, of_another_way, read_metadata
from gsr_tf.inference.named import ships
from gsr_tf.inference.resolution import ONE_SIZE
from gsr_tf.inference.score_maps import check_probabilities
from gsr_tf.inference.segmentation import Segmentation, segmentation
from gsr_tf.inference.together import Maps


class Detector:
    """Finds manipulated regions in pictures.

        detector = gsr_tf.Detector.load("models/gsr_net")
        found = detector.segment("photo.jpg")       # or a [h, w, 3] uint8 RGB array
        found.map        # [h, w] float32 in [0, 1]: probability that a pixel was manipulated
        found.mask       # [h, w] bool: above the threshold, small particles removed
        found.score      # one number for the picture
        found.boxes      # bounding boxes of the flagged regions

    Marks say where to look closer and prove nothing, and the score is no verdict: see the model card for both. One
    detector may be used by several threads at once; an answer never depends on what else was asked. On a GPU pictures
    that wait at the same time go through the network together, which moves a probability by 1e-4 at most.

    Attributes:
        module: `DetectorModule`, or what was saved of it.
        name: of the model.
        metadata: what the export wrote down: configuration, data, scores.
        fingerprint: of graph and weights, hexadecimal digits; another one: other answers.
        threshold: the default of `segment`.
        scales: at which `segment` looks at a whole picture by default.
        precision: in which it computes, one of `device.PRECISIONS`: that of the process (`device.choose`).
        minimum_side: smallest height and width, in pixels, that it can say something of.
    """

    def __init__(
        self, module: Callable[[tf.Tensor], dict[str, tf.Tensor]], *, name: str, metadata: dict, fingerprint: str = ""
    ):
        self.module, self.name, self.metadata, self.fingerprint = module, name, metadata, fingerprint
        self.threshold = float(metadata.get("threshold", 0.5))
        self.scales = tuple(metadata.get("scales", ONE_SIZE))
        self.precision = device.chosen_precision()
        self.minimum_side = int(metadata.get("minimum_side", 1))

    @classmethod
    def load(cls, path: str | os.PathLike | None = None) -> Detector:
        """A detector, ready to be asked.

        Args:
            path: the folder that `python -m gsr_tf.export` wrote, or the name of weights that come with the package;
                None: the default ones.

        Raises:
            DetectorError: no such folder or name, or none is shipped.
            WeightsError: what is shipped is damaged.
        """
        path = shipped.default_name() if path is None else path
        if path is None:
            raise DetectorError(
                "no model given and none is shipped: give --saved_model=FOLDER, made by python -m gsr_tf.export from a "
                "training run (python -m gsr_tf.train), or make demo for a small one in demo/model"
            )
        if ships(path):
            module, metadata = shipped.load(str(path))
            return cls(module, name=str(path), metadata=metadata, fingerprint=shipped.fingerprint(metadata))
        module, metadata = saved_model.load(path), read_metadata(path)
        if said := of_another_way(metadata):
            print(f"--saved_model={path}: {said}; export it again", file=sys.stderr)
        fingerprint = saved_model.fingerprint(path)
        return cls(module, name=Path(path).resolve().name, metadata=metadata, fingerprint=fingerprint)

    def scales_at(self, resolution: str, asked: Sequence[float] | None = None) -> Sequence[float]:
        """The scales whose maps are averaged: those asked for, else the model's own for whole pictures, else 1.

        Raises:
            ResolutionError: no such resolution, scales that cannot be, or that this model cannot see at.
        """
        own = self.scales if resolution == "whole" else ONE_SIZE
        scales = own if asked is None else tuple(asked)
        check_sees(self.module, resolution, scales)
        return scales

    def maps(self, picture: np.ndarray, *, resolution: str = "whole", scales: Sequence[float] | None = None) -> Maps:
        """The maps of [h, w, 3] uint8 RGB; the other arguments as those of `segment`.

        Returns:
            {"probability": [h, w] float32 in [0, 1], and with a boundary branch "boundary", which pictures that
            resolution "tile" sees at more than 64 megapixels have not}.

        Raises:
            PictureError: the picture is smaller than `minimum_side`, too long for a network that keeps its aspect, or
                (PictureTooLarge) of too many pixels at one of the scales.
            DetectorError: the model's maps are not [h, w, 1] of a float type.
            ScoreError: they are not finite, or no probabilities.
        """
        height, width = picture.shape[:2]
        if min(height, width) < self.minimum_side:
            raise PictureError(f"{width}x{height} pixels; {self.name} needs at least {self.minimum_side} on each side")
        if resolution == "whole" and self._keeps_aspect:
            refuse_sliver(height, width)
        maps = maps_at(self.module, picture, resolution, self.scales_at(resolution, scales))
        for values in maps.values():
            check_probabilities(values)
        return maps

    @functools.cached_property
    def _keeps_aspect(self) -> bool:
        """Whether whole pictures are seen in proportion; an export of an earlier version does not say, and may."""
        size = getattr(self.module, "network_size", None)
        return size is None or len(set(size(tf.constant([64, 128])).numpy().tolist())) > 1

    def segment(
        self,
        image: np.ndarray | str | os.PathLike,
        *,
        threshold: float | None = None,
        resolution: str = "whole",
        scales: Sequence[float] | None = None,
    ) -> Segmentation:
        """Where was this picture manipulated?

        Args:
            image: [h, w, 3] uint8 RGB, or the path of a picture file (EXIF orientation is applied).
            threshold: in [0, 1], above it a pixel is flagged; None: the detector's own.
            resolution: "whole", the picture resized to the size trained on, as the paper does; "tile", its own
                resolution, in windows (see `tiling`).
            scales: factors of that size at each of which the picture is looked at; the maps are averaged. None: those
                of `scales_at`.

        Returns:
            The Segmentation, at the picture's size.

        Raises:
            UserError: a threshold out of its range.
            PictureError: neither a path nor an array, the file is no picture, the array has another shape or type, or
                as `maps`.
            ResolutionError: no such resolution, or scales that cannot be.
            DetectorError, ScoreError: as `maps`.
        """
        threshold = self.threshold if threshold is None else threshold
        if not 0 <= threshold <= 1:
            raise UserError(f"threshold={threshold}: expected a number from 0 to 1")
        if isinstance(image, np.ndarray):
            picture, notes = _checked(image), ()
        elif isinstance(image, (str, os.PathLike)):
            picture, *_, notes = decode_picture(read_bytes(image), str(image))
        else:
            raise PictureError(f"expected a path or a [h, w, 3] uint8 array, got {type(image).__name__}")
        maps = self.maps(picture, resolution=resolution, scales=scales)
        return segmentation(maps["probability"], maps.get("boundary"), threshold=threshold, warnings=notes)


def _checked(image: np.ndarray) -> np.ndarray:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3 or not image.size:
        raise PictureError(
            f"array of {image.dtype}, shape {list(image.shape)}: expected uint8 RGB, [h, w, 3], not empty"
        )
    return image
