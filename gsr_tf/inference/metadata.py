"""What an exported detector says of itself, read without loading it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from gsr_tf.errors import UserError

METADATA = "assets/gsr_tf.json"
WAY = 2  # in which pictures are seen, numbered: raised where sizes or windows become others, and with them the maps


class DetectorError(UserError):
    """No detector where one was expected; the message names the flag that gave it."""


def read_metadata(path: str | Path) -> dict:
    """What the export wrote down; empty for a SavedModel without it. DetectorError when it is damaged."""
    file = Path(path) / METADATA
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise DetectorError(f"{file}: damaged ({error}); export the model again") from error


def of_another_way(metadata: Mapping) -> str:
    """What is wrong with a model whose graph sees pictures at other sizes than this version's; "" where nothing is."""
    # What is squashed was always seen at one size, and RGB-N has sizes of its own.
    config = metadata.get("config", {})
    of_its_shape = config.get("resize_mode") == "crop" and config.get("method") != "rgbn"
    if not of_its_shape or metadata.get("way") == WAY:
        return ""
    return "exported by another version, which sees pictures at other sizes: its marks may be displaced"
