"""How long a picture may be for its width, where its aspect ratio is kept."""

from __future__ import annotations

from gsr_tf.data.decoding.opening import PictureError

# A panorama has 10. Brought to 288 pixels, the short side of a strip of 20x1000 makes a long one of 14,400.
LONGEST = 20.0  # times the short side


def refuse_sliver(height: int, width: int, name: str = "") -> None:
    """Raises PictureError, which begins with the name if there is one, for a picture that is longer than that."""
    if max(height, width) > LONGEST * min(height, width):
        named = f"{name}: " if name else ""
        raise PictureError(
            f"{named}{width}x{height} pixels; expected the long side to be at most {LONGEST:g} times the short one, "
            "which is brought to the network's size; cut it into pieces"
        )
