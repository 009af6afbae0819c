r"""Where were these pictures manipulated?

    python -m gsr_tf.predict --saved_model=models/gsr_net --input=photo.jpg --output=answers
    python -m gsr_tf.predict --saved_model=models/gsr_net --input=folder --output=answers
    python -m gsr_tf.predict --method=noi --input=photo.jpg --output=answers

Writes for each picture, under its own name: *_heatmap.png (probability of manipulation, 0-255), *_mask.png (above
--threshold), *_overlay.png (the picture with the heat map and the mask's outline). A file that is not a picture is
named, counted and skipped; the exit code is then 3. Of a method whose map is no probability, the map is stretched to
0..1 in each picture first.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import numpy as np
from absl import flags
from tqdm import tqdm

from gsr_tf import command
from gsr_tf.comparators import methods
from gsr_tf.comparators.method import Method
from gsr_tf.config import ConfigError
from gsr_tf.data.pictures import PICTURE_SUFFIXES, PictureError, encode_png, read_picture, write_atomically
from gsr_tf.evaluation.errors import ScoreError
from gsr_tf.inference.overlay import draw_overlay

SOME_SKIPPED = 3


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("saved_model", None, "Folder that gsr_tf.export made.", flag_values=values)
    flags.DEFINE_enum("method", None, methods.DETECTORS, "Instead of --saved_model.", flag_values=values)
    flags.DEFINE_string("input", None, "A picture, or a folder of them.", required=True, flag_values=values)
    flags.DEFINE_string("output", None, "Folder for the answers; made if missing.", required=True, flag_values=values)
    flags.DEFINE_float("threshold", 0.5, "Of the mask.", 0.0, 1.0, flag_values=values)


def _action(args: flags.FlagValues) -> int:
    pictures = find_pictures(Path(args.input), Path(args.output))
    method = methods.from_flags(args.saved_model, args.method)
    skipped = 0
    for path, name in tqdm(pictures, unit="picture"):
        try:
            picture = read_picture(path)
            probability = _answer(method, picture, path)
        except PictureError as error:
            skipped += 1
            tqdm.write(f"skipped {error}", file=sys.stderr)
            continue
        for suffix, pixels in answers(picture, probability, args.threshold).items():
            write_atomically(Path(args.output) / f"{name}_{suffix}.png", encode_png(pixels))
    print(f"{args.output}: {len(pictures) - skipped} of {len(pictures)} pictures answered, {skipped} skipped")
    return SOME_SKIPPED if skipped else 0


def _answer(method: Method, picture: np.ndarray, path: Path) -> np.ndarray:
    try:
        return method.stretched(picture)
    except ScoreError as error:
        raise PictureError(f"{path}: {error}") from error


def find_pictures(source: Path, output: Path) -> list[tuple[Path, str]]:
    """(file, name of its answers) of one picture, or of all below a folder; ConfigError when there are none.

    Names keep the folder tree, and the file's suffix where two pictures would share a name. What lies in `output`,
    earlier answers, is left out.
    """
    if source.is_file():
        return [(source, source.stem)]
    if not source.is_dir():
        raise ConfigError(f"--input={source}: no such file or folder")
    files = sorted(
        path
        for path in source.rglob("*")
        if path.suffix.lower() in PICTURE_SUFFIXES and output.resolve() not in path.resolve().parents
    )
    if not files:
        raise ConfigError(f"--input={source}: no pictures there ({', '.join(PICTURE_SUFFIXES)})")
    names = [str(path.relative_to(source).with_suffix("")) for path in files]
    count = Counter(names)
    return [(path, name if count[name] == 1 else str(path.relative_to(source))) for path, name in zip(files, names)]


def answers(picture: np.ndarray, probability: np.ndarray, threshold: float) -> dict[str, np.ndarray]:
    """What is written for a picture: uint8 images by suffix.

    Args:
        picture: [h, w, 3] uint8.
        probability: [h, w] float32.
        threshold: above it the mask is 255.
    """
    mask = probability > threshold
    return {
        "heatmap": np.rint(255 * probability).astype(np.uint8),
        "mask": np.where(mask, 255, 0).astype(np.uint8),
        "overlay": draw_overlay(picture, probability, mask),
    }


def main(argv: Optional[Sequence[str]] = None) -> int:
    """The command line."""
    return command.main(_action, __doc__, _define, argv)


if __name__ == "__main__":
    sys.exit(main())
