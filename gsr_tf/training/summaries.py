"""What a person sees of a run: TensorBoard text, settings and scalars, and panels of pictures, also as PNG files."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams import api as hparams_api

from gsr_tf.data.batch import Batch
from gsr_tf.data.composition import refine
from gsr_tf.data.image_ops import from_network_range
from gsr_tf.data.pictures import encode_png
from gsr_tf.data.writing import write_atomically
from gsr_tf.errors import UserError, first_line
from gsr_tf.models.gsr_net import GSRNet
from gsr_tf.models.segmenter import predicted_boundary
from gsr_tf.training.trained import Trained

CELL, TITLE_HEIGHT, ROWS = 160, 18, 4


class SummaryError(UserError):
    """Curves or panels that could not be written."""


class Summaries:
    """Writes one run's TensorBoard events, and its panels as PNG too.

    Attributes:
        pictures: what a panel shows: (net, batch) -> {title: [b, h, w, 3] uint8}.
    """

    def __init__(self, run_dir: Path, pictures: Callable[[Trained, Batch], Mapping[str, np.ndarray]]):
        self.pictures = pictures
        self.writer = tf.summary.create_file_writer(str(run_dir))
        self.panels_dir = run_dir / "panels"

    def introduction(self, text: str, settings: Mapping[str, Any]) -> None:
        """What the run is.

        Beside the settings TensorBoard's tab HParams shows the newest values of the curves, and so the last validation.

        Args:
            text: Markdown.
            settings: by name; of several values, a tuple.
        """
        flat = {name: ",".join(map(str, v)) if isinstance(v, tuple) else v for name, v in settings.items()}
        with self._writing(step=0):
            tf.summary.text("run", text)
            hparams_api.hparams(flat)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One point of each curve."""
        with self._writing(step):
            for name, value in values.items():
                tf.summary.scalar(name, value)

    def panel(self, step: int, net: Trained, batch: Batch) -> None:
        """The batch, or the first replica's share of it, as the networks see it now."""
        share = type(batch)(*(x if x is None else net.strategy.experimental_local_results(x)[0] for x in batch))
        picture = draw_panel(self.pictures(net, share))
        with self._writing(step):
            tf.summary.image("panel", picture[np.newaxis])
        write_atomically(self.panels_dir / f"{step:07d}.png", encode_png(picture))

    @contextlib.contextmanager
    def _writing(self, step: int) -> Iterator[None]:
        """Within it summaries go to the run's events, which are on the disk at its end."""
        try:
            with self.writer.as_default(step=step):
                yield
            self.writer.flush()
        except tf.errors.OpError as error:
            raise SummaryError(
                f"step {step}: curves could not be written in {self.panels_dir.parent} ({first_line(error)}). Free "
                "space there and run the same command again: it goes on from the newest checkpoint"
            ) from error


def read_scalars(run_dir: Path) -> dict[str, dict[int, float]]:
    """{tag: {step: value}}, steps ascending, of every curve that a run's event files hold.

    Where a stopped run was continued from an earlier step, the later stretch counts.
    """
    found: dict[str, dict[int, float]] = {}
    for path in sorted(run_dir.glob("events.out.tfevents.*")):  # their names begin with when they were opened
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    found.setdefault(value.tag, {})[event.step] = float(tf.make_ndarray(value.tensor))
    return {tag: dict(sorted(points.items())) for tag, points in found.items()}


def panel_pictures(net: GSRNet, batch: Batch) -> dict[str, np.ndarray]:
    """{title: [b, h, w, 3] uint8}: every tensor of Figure 2 that the run's settings have, by name."""
    pictures = {"S": batch.s, "K": batch.k, "T": batch.t, "M": batch.m}
    shown, authentic = batch.m, batch.t
    if net.settings.generates:
        shown = pictures["G(M)"] = net.generate(batch).g_m
    elif net.settings.harmonizes:
        shown = pictures["H(M)"] = net.harmonize(batch)
    elif net.settings.segment_on == ("source",):
        shown, authentic = batch.s, batch.a
    return {title: to_rgb(x) for title, x in {**pictures, **_segmented(net, batch.k, shown, authentic)}.items()}


def _segmented(net: GSRNet, k: tf.Tensor, shown: tf.Tensor, authentic: tf.Tensor | None) -> dict[str, tf.Tensor]:
    """What the segmenter makes of a picture; nothing where it does not learn."""
    if not net.settings.segment_on:
        return {}
    pictures = {}
    logits = net.segmenter(shown, training=False)
    if "boundary" in logits:
        p = pictures["P"] = predicted_boundary(logits["boundary"])
        if net.settings.refine_steps and authentic is not None:
            pictures["M'"], pictures["K'"] = refine(shown, k, p, authentic)
    pictures["prediction"] = tf.nn.softmax(logits["segmentation"])[..., 1:]
    if "boundary" in logits:
        pictures["boundary"] = tf.nn.softmax(logits["boundary"])[..., 1:]
    return pictures


def to_rgb(x: tf.Tensor) -> np.ndarray:
    """A picture [b, h, w, 3] in network range, or a map [b, h, w, 1] in [0, 1], as [b, h, w, 3] uint8."""
    if x.shape[-1] == 3:
        return from_network_range(x).numpy()
    return np.repeat(np.rint(255 * x.numpy()).astype(np.uint8), 3, axis=-1)


def draw_panel(pictures: Mapping[str, np.ndarray]) -> np.ndarray:
    """A grid with a titled column a kind of picture and a row an example (four at most): [h, w, 3] uint8."""
    rows = min(ROWS, len(next(iter(pictures.values()))))
    grid = Image.new("RGB", (CELL * len(pictures), TITLE_HEIGHT + CELL * rows), "white")
    draw = ImageDraw.Draw(grid)
    for column, (title, images) in enumerate(pictures.items()):
        draw.text((CELL * column + 4, 3), title, fill="black")
        for row in range(rows):
            cell = Image.fromarray(images[row]).resize((CELL - 2, CELL - 2), Image.Resampling.BILINEAR)
            grid.paste(cell, (CELL * column, TITLE_HEIGHT + CELL * row))
    return np.asarray(grid)
