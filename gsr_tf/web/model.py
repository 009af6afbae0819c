"""What the page and the clients of the API are told of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gsr_tf.inference import included

if TYPE_CHECKING:
    from gsr_tf.inference.detector import Detector


def describe(detector: Detector) -> dict[str, Any]:
    """What `GET /v1/model` says of a detector, ready for JSON; `false_alarms` and `card` are the included model's."""
    alarms = included.false_alarms(detector.fingerprint, detector.scales)
    return {
        "name": detector.name,
        "fingerprint": detector.fingerprint,
        "threshold": detector.threshold,
        "scales": list(detector.scales),
        "precision": detector.precision,
        "metadata": detector.metadata,
        "false_alarms": alarms and alarms._asdict(),
        "card": "model-card" if included.entry_of(detector.fingerprint) else None,
    }
