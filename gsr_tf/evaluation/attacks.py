"""What happens to pictures on their way (section 4.5, and the field's grid): done at native size, before any method.

An attack is written `kind-strength`: `jpeg-70`, `scale-0.5`. Scores are measured against the original mask: the map
of a scaled picture is resized back, bilinearly.
"""

from __future__ import annotations

import dataclasses
import io
import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from gsr_tf.data.masks import at_size
from gsr_tf.data.pictures import decode_picture
from gsr_tf.errors import UserError
from gsr_tf.inference.score_maps import ScoreError

FIGURE_5 = ("jpeg-70", "jpeg-50", "scale-0.7", "scale-0.5")
# A long side of 1,200 and JPEG of about 75 are what large networks were found to do to uploads (Sun et al., "Robust
# image forgery detection over online social network shared images", 2022, measure such chains).
SOCIAL_SIDE, SOCIAL_QUALITY = 1200, 75


class AttackError(UserError):
    """An attack that does not exist, or of a strength that makes no sense."""


@dataclasses.dataclass(frozen=True)
class Attack:
    """A named change of pictures.

    Attributes:
        name: `kind-strength`, or `none`.
        apply: [h, w, 3] uint8 RGB -> [h', w', 3] uint8. What is seen keeps its place relative to the sides: the truth
            is scaled with the picture, but never cut, turned or moved.
    """

    name: str
    apply: Callable[[np.ndarray], np.ndarray]

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """The attacked picture; raises ScoreError where it is larger than a format can hold."""
        return self.apply(picture)


def _recompressed(picture: np.ndarray, quality: float, *, format: str) -> np.ndarray:
    buffer = io.BytesIO()
    try:  # Pillow's encoders; JPEG with chroma at half size (4:2:0), its default.
        Image.fromarray(picture).save(buffer, format=format, quality=int(quality))
    except (OSError, ValueError) as error:
        height, width = picture.shape[:2]
        raise ScoreError(f"{width}x{height} pixels; {format} cannot hold them ({error})") from error
    return decode_picture(buffer.getvalue()).pixels


def jpeg(picture: np.ndarray, quality: float) -> np.ndarray:
    """JPEG of this quality, libjpeg's 1 to 100."""
    return _recompressed(picture, quality, format="JPEG")


def webp(picture: np.ndarray, quality: float) -> np.ndarray:
    """Lossy WebP of this quality, 1 to 100."""
    return _recompressed(picture, quality, format="WEBP")


def scale(picture: np.ndarray, factor: float) -> np.ndarray:
    """Both sides times `factor`, rounded, at least one pixel; averaging areas when shrinking, so without aliases."""
    height, width = (max(1, round(side * factor)) for side in picture.shape[:2])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)


def blur(picture: np.ndarray, kernel: float) -> np.ndarray:
    """Gaussian blur of an odd kernel size, OpenCV's sigma for it."""
    return cv2.GaussianBlur(picture, (int(kernel), int(kernel)), 0)


def noise(picture: np.ndarray, variance: float) -> np.ndarray:
    """Gaussian noise of this variance (levels squared), seeded by the picture: the same in every run."""
    rng = np.random.default_rng(zlib.crc32(picture.tobytes()))
    return np.clip(np.rint(picture + rng.normal(0, np.sqrt(variance), picture.shape)), 0, 255).astype(np.uint8)


def median(picture: np.ndarray, kernel: float) -> np.ndarray:
    """Median filter of an odd kernel size, each channel."""
    return cv2.medianBlur(picture, int(kernel))


def gamma(picture: np.ndarray, exponent: float) -> np.ndarray:
    """255 (x / 255) ^ exponent."""
    return np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)[picture]


def social(picture: np.ndarray, times: float) -> np.ndarray:
    """Like an upload to a social network, `times` over: long side to at most 1,200, light sharpening, JPEG 75."""
    for _ in range(int(times)):
        picture = scale(picture, min(1.0, SOCIAL_SIDE / max(picture.shape[:2])))
        sharpened = cv2.addWeighted(picture, 1.2, cv2.GaussianBlur(picture, (3, 3), 0), -0.2, 0)
        picture = jpeg(sharpened, SOCIAL_QUALITY)
    return picture


class Kind(NamedTuple):
    """What strengths an attack takes.

    Attributes:
        apply: (picture, strength) -> picture.
        low: smallest strength.
        high: largest strength.
        grid: the strengths that the field reports.
        whole: only whole strengths.
        odd: only odd ones.
    """

    apply: Callable[[np.ndarray, float], np.ndarray]
    low: float
    high: float
    grid: tuple[float, ...]
    whole: bool = False
    odd: bool = False


KINDS = {
    "jpeg": Kind(jpeg, 1, 100, (100, 90, 80, 70, 60, 50), whole=True),
    "scale": Kind(scale, 0.01, 4, (0.9, 0.7, 0.5)),
    "blur": Kind(blur, 1, 255, (3, 7, 11, 15), odd=True),
    "noise": Kind(noise, 0, 65025, (3, 7, 11, 15)),
    "median": Kind(median, 1, 255, (3, 5, 7), odd=True),
    "gamma": Kind(gamma, 0.05, 20, (0.5, 0.8, 1.25, 2)),
    "webp": Kind(webp, 1, 100, (90, 70, 50), whole=True),
    "social": Kind(social, 1, 10, (1, 2), whole=True),
}
NONE = Attack("none", lambda picture: picture)
SETS = {
    "figure-5": FIGURE_5,
    "grid": tuple(f"{name}-{strength:g}" for name, kind in KINDS.items() for strength in kind.grid),
}


def split(name: str) -> tuple[str, str]:
    """The kind and the written strength of an attack's name; of "none" and of what begins with no kind, no kind."""
    kinds = [kind for kind in KINDS if f"{name}-".startswith(f"{kind}-")]  # a kind may have a hyphen, as 1e-05 has
    kind = max(kinds, key=len, default="")
    return kind, name[len(kind) :].removeprefix("-")


def parse(name: str) -> Attack:
    """The attack of this name, with its strength written plainly.

    Raises:
        AttackError: there is none, or its strength is not one that it takes.
    """
    if name == NONE.name:
        return NONE
    kind_name, written = split(name)
    if not kind_name:
        known = f"none, {', '.join(SETS)} or kind-strength with a kind of {', '.join(KINDS)}"
        raise AttackError(f"--attacks: no attack {name!r}; write {known}")
    kind = KINDS[kind_name]
    try:
        strength = float(written)
    except ValueError:
        raise AttackError(f"--attacks: {name!r} has no strength; for example {kind_name}-{kind.grid[0]:g}") from None
    between = (kind.whole and strength % 1 != 0) or (kind.odd and strength % 2 != 1)
    if between or not kind.low <= strength <= kind.high:
        numbers = "odd numbers " if kind.odd else "whole numbers " if kind.whole else ""
        allowed = f"{numbers}{kind.low:g} to {kind.high:g}"
        raise AttackError(f"--attacks: {name!r} is out of range; the strength of {kind_name} is {allowed}")
    plain = np.format_float_positional(abs(strength), trim="-")  # 70, of 70.0 and 7_0 and 7e1, too
    return Attack(f"{kind_name}-{plain}", lambda picture: kind.apply(picture, strength))


def parse_all(names: Sequence[str]) -> list[Attack]:
    """The attacks of these names; `figure-5` and `grid` stand for the paper's four and the whole field's grid."""
    expanded = [one for name in names for one in SETS.get(name, (name,))]
    return list({attack.name: attack for attack in map(parse, expanded)}.values())


def mask_for(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mask, [h, w] bool, at the size of an attacked picture, [h', w', 3], to the nearest pixel."""
    if picture.shape[:2] == mask.shape:
        return mask
    return at_size(mask, picture.shape[1::-1])


def back_to_size(scores: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The score map of a picture whose size an attack changed, [h', w'], at the size of its mask (h, w)."""
    if scores.shape == shape:
        return scores
    return cv2.resize(scores, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)


def weakest_first(names: Sequence[str]) -> list[str]:
    """Names of attacks of one kind, in the direction in which the field reports its strengths."""
    kind = KINDS[split(names[0])[0]]
    return sorted(names, key=lambda name: float(split(name)[1]), reverse=kind.grid[0] > kind.grid[-1])
