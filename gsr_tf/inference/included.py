"""What was measured of the included model, to be said beside its answers, and of no other model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gsr_tf.inference import shipped

CARD = shipped.FOLDER / "MODEL_CARD.md"


class FalseAlarms(NamedTuple):
    """What the included model marks in authentic pictures; index.json beside the model card has the numbers.

    Attributes:
        usual: a sentence on the model's own threshold.
        few: a sentence on the threshold below.
        threshold: a higher one, at which little is marked.
    """

    usual: str
    few: str
    threshold: float


def entry_of(fingerprint: str) -> dict[str, Any] | None:
    """The index's entry of the included model that has this fingerprint; None of any other model."""
    return next((entry for entry in shipped.read_index().values() if shipped.fingerprint(entry) == fingerprint), None)


def false_alarms(fingerprint: str, scales: Sequence[float], resolution: str = "whole") -> FalseAlarms | None:
    """The FalseAlarms of an included model that sees pictures as it did when it was measured, else None."""
    entry = entry_of(fingerprint)
    if entry is None or "false_alarms" not in entry or resolution != "whole" or list(scales) != entry["scales"]:
        return None
    measured = entry["false_alarms"]
    few = measured["few"]
    return FalseAlarms(
        usual=f"At its threshold of {entry['threshold']:g} the included model marks more than a hundredth of the "
        f"pixels of {100 * measured['marked_pictures']:.0f} in 100 authentic photographs ({measured['data']}).",
        few=f"At {few['threshold']:g} it marks {100 * few['marked_pixels']:.0f} % of their pixels, and finds "
        f"{100 * few['recall']:.0f} % of what is manipulated.",
        threshold=few["threshold"],
    )
