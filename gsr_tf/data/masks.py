"""Mask files as people have them -> K, True where the picture was manipulated. One rule for every reader.

    greys               brighter than the threshold, of 0..255; deep greys and floats as `decoding.tones` says
    colours             by the brightest channel; where all of the mask is bright in exactly two colours, yellow on
                        red say, the one of higher luminance
    two levels, 0 and another, however dark: 0 and 1, 0 and 1,000 of 65,535      whatever is not 0, with a note
    a palette of colours that begins with black, as VOC's: a label map           whatever is not number 0, with a note
    transparency        that says what the colours say: nothing. Where the colours are one, the opaque part is
                        manipulated, with a note. That contradicts the colours: refused

A black mask is one of nothing. Levels of lossy files are never counted: compression makes more of them, and leaves
some in a black mask too, but no high ones.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
from PIL import Image

from gsr_tf.data.decoding.loading import Opened, open_picture, to_8_bit
from gsr_tf.data.decoding.opening import PictureError
from gsr_tf.data.decoding.tones import UnknownRange
from gsr_tf.data.pictures import read_bytes

LOSSY = ("JPEG", "MPO", "WEBP", "HEIF")
COMPRESSION_NOISE = 16  # the highest level that compression may leave in a black mask
WHITES = {"I": (255, 65535), "F": (1, 255)}  # of deep integers and floats, levels that nobody wonders about
AGREEMENT = 0.02  # of the smaller region: where soft edges may differ
LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601


class MaskRule(NamedTuple):
    """How a publisher's mask files are to be read.

    Attributes:
        threshold: manipulated is what is brighter than this, 0..254.
        inverted: manipulated is what is not brighter.
        channel: 0, 1 or 2 for red, green or blue; None: the brightest of the three.
    """

    threshold: int = 127
    inverted: bool = False
    channel: int | None = None


PLAIN = MaskRule()


class Mask(NamedTuple):
    """A mask that was read.

    Attributes:
        pixels: [h, w] bool, True = manipulated.
        levels: the darkest and the brightest, of 0..255.
        dim: nothing is bright, and yet it is not black, and compression does not explain it.
        notes: what was not plain to see in how it was read, in words.
    """

    pixels: np.ndarray
    levels: tuple[int, int]
    dim: bool
    notes: tuple[str, ...]


def read_mask(path: str | os.PathLike, rule: MaskRule = PLAIN) -> Mask:
    """The mask file at `path`, as viewers show it; raises PictureError."""
    return decode_mask(read_bytes(path), str(path), rule)


def decode_mask(data: bytes, name: str = "mask", rule: MaskRule = PLAIN) -> Mask:
    """Decodes the bytes of a mask file; EXIF's orientation is applied.

    Args:
        data: the file's bytes.
        name: what error messages call it.
        rule: how it is to be read.

    Raises:
        PictureError: not a picture, or one of which nobody can say what it marks.
    """
    opened = open_picture(data, name)
    try:
        levels, notes = _levels(opened, rule)
    except UnknownRange as error:
        raise PictureError(f"{name}: {error}") from error
    bright = levels > rule.threshold
    if rule.channel is None and (opaque := _opaque(opened)) is not None:
        if bright.all() or not bright.any():
            bright = opaque
            notes.append(f"its transparency is the mask: the {_of_two(rule, 'opaque', 'transparent')} part counts")
        elif (bright != opaque).sum() > AGREEMENT * min(bright.sum(), opaque.sum()):
            raise PictureError(f"{name}: its transparency contradicts its colours; save the mask without transparency")
    least, most = int(levels.min()), int(levels.max())
    dim = not bright.any() and most > (COMPRESSION_NOISE if opened.format in LOSSY else 0)
    return Mask(bright != rule.inverted, (least, most), dim, tuple(notes))


def at_size(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask, [h, w] bool or uint8, at another (width, height); each pixel takes the one that lies under its centre.

    By Pillow: OpenCV's INTER_NEAREST takes the one under its corner, which moves the mask, and INTER_NEAREST_EXACT
    overflows above 32,767 pixels a side.
    """
    image = Image.fromarray(mask.view(np.uint8))
    return np.asarray(image.resize(size, Image.Resampling.NEAREST)).view(mask.dtype)


def _levels(opened: Opened, rule: MaskRule) -> tuple[np.ndarray, list[str]]:
    """[h, w] uint8 brightness, and notes on it."""
    image = opened.image
    if _is_label_map(image) and rule.channel is None:
        counted = _of_two(rule, "every label but 0", "label 0")
        return _bright(np.asarray(image) > 0), [f"a label map, by its palette: {counted} counts"]
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image)
        if (level := _only_level(values, opened)) is not None and not opened.white_is_zero:
            return _bright(values > 0), [] if level in WHITES[image.mode[0]] else [_counted(level, rule)]
        reduced, notes = to_8_bit(opened)
        return np.asarray(reduced.image), notes
    if rule.channel is not None:
        return np.asarray(image.convert("RGB"))[..., rule.channel], []
    if image.mode in ("1", "L", "LA"):
        return _of_dark(np.asarray(image.convert("L")), opened, rule)
    colours = np.asarray(image.convert("RGB"))
    levels, notes = _of_dark(colours.max(axis=-1), opened, rule)
    return _lighter_of_two(colours, rule) if levels.min() > rule.threshold else (levels, notes)


def _bright(marked: np.ndarray) -> np.ndarray:
    """[h, w] uint8 levels of a mask of two."""
    return marked.view(np.uint8) * np.uint8(255)


def _of_two(rule: MaskRule, bright: str, dark: str) -> str:
    """The name of the part that is manipulated."""
    return dark if rule.inverted else bright


def _counted(level: float, rule: MaskRule) -> str:
    return f"levels of 0 and {level:g}: {_of_two(rule, 'whatever is not 0', 'whatever is 0')} counts"


def _only_level(values: np.ndarray, opened: Opened) -> float | None:
    """The level of a mask of 0 and one other, None where there are more; lossy files have none."""
    most = values.max()
    two = opened.format not in LOSSY and values.min() == 0 < most and ((values == 0) | (values == most)).all()
    return most.item() if two else None


def _of_dark(levels: np.ndarray, opened: Opened, rule: MaskRule) -> tuple[np.ndarray, list[str]]:
    """Levels as they are, or those of a mask of 0 and another level that is not above the threshold."""
    if levels.max() > rule.threshold or (level := _only_level(levels, opened)) is None:
        return levels, []
    return _bright(levels > 0), [_counted(level, rule)]


def _lighter_of_two(colours: np.ndarray, rule: MaskRule) -> tuple[np.ndarray, list[str]]:
    """Of [h, w, 3] in exactly two colours the one of higher luminance; all are bright where there are more or one."""
    first = (colours == colours[:1, :1]).all(axis=-1)
    others = colours[~first]
    if not len(others) or (others != others[0]).any():
        return colours.max(axis=-1), []
    one, other = colours[0, 0] @ np.array(LUMINANCE), others[0] @ np.array(LUMINANCE)
    names = [f"#{colour.tobytes().hex()}" for colour in (colours[0, 0], others[0])]
    lighter, darker = names if one > other else names[::-1]
    return _bright(first == (one > other)), [
        f"colours {darker} and {lighter}: the {_of_two(rule, 'lighter', 'darker')} counts"
    ]


def _is_label_map(image: Image.Image) -> bool:
    """Whether a palette begins with black and has colours where the picture uses it."""
    if image.mode != "P":
        return False
    palette = np.array(image.getpalette("RGB")).reshape(-1, 3)
    used = palette[[number for number in np.unique(np.asarray(image)) if number < len(palette)]]
    return not palette[0].any() and bool((used != used[:, :1]).any())


def _opaque(opened: Opened) -> np.ndarray | None:
    """[h, w] bool, where a file with transparency is opaque; None: everywhere."""
    image = opened.image
    if image.mode not in ("LA", "PA", "RGBA") and not (
        "transparency" in image.info and image.mode in ("L", "P", "RGB")
    ):
        return None
    opaque = np.asarray(image.convert("RGBA").getchannel("A")) > 127
    return None if opaque.all() else opaque
