"""Pictures of a set, for people to look at: a contact sheet with outlined masks, a histogram of the masks' sizes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from matplotlib import font_manager, rc_context
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from data_prep.inspecting.samples import Sample
from data_prep.reading.entries import Refused
from gsr_tf.data.masks import at_size
from gsr_tf.data.outlining import draw_outline
from gsr_tf.errors import one_line

TILE = (160, 240)  # height, width of a picture on the sheet
CAPTION = 18  # height of the line under it
COLUMNS, SHOWN = 6, 36
REFUSED, NAMED, BACKGROUND = (255, 0, 64), (230, 230, 230), 40


def _outlined(pixels: np.ndarray, masks: Sequence[np.ndarray]) -> np.ndarray:
    """The picture, as large as a tile takes it, its masks outlined."""
    scale = min(TILE[0] / pixels.shape[0], TILE[1] / pixels.shape[1])
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    for mask in masks:
        draw_outline(small, at_size(mask, size), line=2, shadow=5)
    return small


def _tile(sample: Sample) -> np.ndarray:
    """The sample's picture, or why it cannot be used, above its name."""
    tile = np.full((TILE[0] + CAPTION, TILE[1], 3), BACKGROUND, np.uint8)
    written = [(sample.name, TILE[0] + 2, NAMED)]
    try:
        picture = _outlined(*sample.load())
        height, width = picture.shape[:2]
        top, left = (TILE[0] - height) // 2, (TILE[1] - width) // 2
        tile[top : top + height, left : left + width] = picture
    except Refused as refusal:
        written.append((refusal.reason, TILE[0] // 2 - 8, REFUSED))
    return _with_lines(tile, written)


def _with_lines(tile: np.ndarray, written: Sequence[tuple[str, int, tuple[int, int, int]]]) -> np.ndarray:
    """The tile with lines, (text, top, colour), in it; of one that is too long the end is seen."""
    # Matplotlib brings it along; OpenCV's own letters are ASCII.
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 12)
    drawn = Image.fromarray(tile)
    for text, top, colour in written:
        line = shown = one_line(text)
        while font.getlength(shown) > TILE[1] - 8:
            line = line[1:]
            shown = f"…{line}"
        ImageDraw.Draw(drawn).text((4, top), shown, colour, font)
    return np.asarray(drawn)


def contact_sheet(samples: Sequence[Sample]) -> np.ndarray:
    """[h, w, 3] uint8: up to `SHOWN` of the samples, evenly chosen, with their masks outlined and their names.

    Samples that cannot be read are marked as such.
    """
    chosen = [samples[number * len(samples) // SHOWN] for number in range(SHOWN)] if len(samples) > SHOWN else samples
    tiles = [_tile(sample) for sample in chosen]
    tiles += [np.full_like(tiles[0], BACKGROUND)] * (-len(tiles) % COLUMNS)
    return np.concatenate([np.concatenate(tiles[row : row + COLUMNS], 1) for row in range(0, len(tiles), COLUMNS)])


@rc_context({"text.parse_math": False})  # names of folders may have dollars in them
def draw_histogram(shares: dict[str, Sequence[float]], path: str) -> None:
    """Writes a PNG: how large a share of their pictures the masks of each set cover."""
    shares = {name: values for name, values in shares.items() if len(values)}
    rows = max(1, len(shares))
    figure = Figure(figsize=(7, 2.2 * rows + 0.6))
    axes = figure.subplots(rows, 1, squeeze=False, sharex=True)
    for axis, (name, values) in zip(axes[:, 0], shares.items()):
        name = name.encode(errors="backslashreplace").decode()  # a folder's, which need not be UTF-8
        axis.hist(np.asarray(values) * 100, bins=np.arange(0, 102, 2), color="tab:blue")
        axis.set_title(f"{name}: {len(values):,} masks, median {np.median(values):.1%} of the picture", fontsize=10)
        axis.set_ylabel("masks")
    axes[-1, 0].set_xlabel("manipulated pixels, % of the picture")
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
