"""At which sizes a picture may be looked at: as in training or at its own resolution, at one scale or several."""

from __future__ import annotations

from collections.abc import Sequence

from gsr_tf.errors import UserError

# "whole": resized to the size trained on (the paper's way). "tile": its own resolution, in windows.
RESOLUTIONS = ("whole", "tile")
SMALLEST_SCALE, LARGEST_SCALE = 0.1, 4.0
ONE_SIZE = (1.0,)
RESOLUTION_HELP = (
    "How a model sees pictures: resized to the size trained on, as the paper does, or at their own resolution, in "
    "windows."
)
SCALES_HELP = (
    "Factors of the size at which pictures are seen, as in 0.75,1,1.35: maps are averaged over them. Without it the "
    "model's own for whole pictures, 1 at their own resolution."
)


class ResolutionError(UserError):
    """A resolution or scales that cannot be, or that a model was exported without."""


def check(resolution: str, scales: Sequence[float]) -> None:
    """Raises ResolutionError unless there is such a resolution and there are one or more scales within bounds."""
    if resolution not in RESOLUTIONS:
        raise ResolutionError(f"--resolution={resolution}: expected one of {', '.join(RESOLUTIONS)}")
    bad = [scale for scale in scales if not SMALLEST_SCALE <= scale <= LARGEST_SCALE]
    if bad or not scales or len(set(scales)) < len(scales):
        raise ResolutionError(
            f"--scales={','.join(f'{scale:g}' for scale in scales)}: expected one or more different factors from "
            f"{SMALLEST_SCALE:g} to {LARGEST_SCALE:g}"
        )


def parse_scales(words: Sequence[str] | None) -> tuple[float, ...] | None:
    """The scales that words name, ascending; None for None; ResolutionError when they are no numbers or cannot be."""
    if words is None:
        return None
    try:
        scales = tuple(sorted(map(float, words)))
    except ValueError as error:
        raise ResolutionError(f"--scales={','.join(words)}: expected numbers, as --scales=0.5,1,2") from error
    check("whole", scales)
    return scales


def describe(resolution: str, scales: Sequence[float], precision: str = "float32") -> str:
    """What tables add to a method's name: "" for the paper's way, else e.g. " tile 0.5,1 bfloat16"."""
    words = [] if resolution == "whole" else [resolution]
    words += [] if tuple(scales) == ONE_SIZE else [",".join(f"{scale:g}" for scale in scales)]
    words += [] if precision == "float32" else [precision]
    return "".join(f" {word}" for word in words)
