"""Where a model comes from, in the words of a table's cell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gsr_tf.training.checkpoint_folder import step_of

TRAINING_RECORDS = ("--source_records", "--target_records")
# What a run begins from without --initial_weights, by the setting that says which.
PRETRAINED = {"vgg16_weights": "VGG-16", "resnet_weights": "ResNet", "resnet50_weights": "ResNet-50 v2"}


def trained_how(metadata: Mapping[str, Any]) -> str:
    """Data, steps and initialisation of an export that was made here, and how edges were chosen where it has any."""
    config, records = metadata["config"], metadata.get("records", {})
    learnt_from = metadata.get("learnt_from", TRAINING_RECORDS)
    data = ", ".join(map(_named, (records[flag] for flag in learnt_from if flag in records))) or "unknown records"
    pretrained = ", ".join(f"{network} {config[name]}" for name, network in PRETRAINED.items() if name in config)
    released = config.get("release_checkpoint")
    start = "the authors' checkpoint" if released else config["initial_weights"] or pretrained or "random weights"
    if not _done(metadata):
        return f"{start}, not trained here"
    edge = metadata.get("edge_threshold")
    edges = "" if edge is None else f", edge threshold {edge:g} chosen by {metadata['edge_threshold_chosen_by']}"
    return f"{_learnt(metadata)}trained on {data} for {_steps(metadata)} from {start}{edges}"


def _done(metadata: Mapping[str, Any]) -> int:
    return metadata.get("steps", metadata["config"]["steps"])  # an earlier version's says the plan alone


def _steps(metadata: Mapping[str, Any]) -> str:
    """The steps behind the weights that were exported, of those planned, and whether validation chose them."""
    planned, checkpoint = metadata["config"]["steps"], Path(metadata.get("checkpoint", ""))
    best = checkpoint.parent.name == "best"
    taken = int(step_of(checkpoint)) if best else _done(metadata)
    steps = f"{taken} steps" if taken >= planned else f"{taken} of {planned} steps"
    return f"{steps}, the best by validation," if best else steps


def _named(records: Mapping[str, Any]) -> str:
    return f"{records['path']} ({records.get('pictures', 'unknown')} pictures)"


def _learnt(metadata: Mapping[str, Any]) -> str:
    """Of EXIF-consistency, which is a method of its training data, how many photographs and which attributes."""
    if "attributes" not in metadata:
        return ""
    photos = metadata.get("records", {}).get("--target_records", {}).get("pictures", "unknown")
    return f"EXIF-SC (our training, {photos} photos, attributes {', '.join(metadata['attributes']) or 'none'}), "


def fingerprints(metadata: Mapping[str, Any]) -> dict[str, str]:
    """What an export says of the records it was trained on: {flag: fingerprint}."""
    records = metadata.get("records", {})
    return {flag: records.get(flag, {}).get("fingerprint", "not said") for flag in TRAINING_RECORDS}


def data_notes(data: Mapping[str, Mapping[str, str]]) -> list[str]:
    """What to say of rows that were trained on different records; nothing where all were on the same.

    Args:
        data: by the rows' names, their `fingerprints`.
    """
    notes = []
    for flag in TRAINING_RECORDS:
        rows: dict[str, list[str]] = {}
        for name, found in data.items():
            rows.setdefault(found[flag], []).append(name)
        if len(rows) > 1:
            said = "; ".join(f"{', '.join(names)}: {fingerprint}" for fingerprint, names in rows.items())
            notes.append(f"Rows differ in their training data, too. Fingerprints of {flag}: {said}.")
    return notes
