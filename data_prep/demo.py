"""Small real data without a download: photographs that scikit-image ships, with regions of them as K.

    python -m data_prep.demo --output=demo/data

Each photograph is cut into overlapping tiles, and each tile gets one K: a segment of it (Felzenszwalb's method), or a
drawn shape. Tiles of some photographs are held out. The result is two folders of pictures with their masks, which
data_prep.folder turns into records:

    demo/data/train/{images,masks}/<photograph>_<row>_<column>.png
    demo/data/held_out/{images,masks}/...
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from absl import flags
from skimage.segmentation import felzenszwalb

from data_prep import command
from gsr_tf.data.pictures import encode_png, read_picture
from gsr_tf.data.writing import write_atomically

TRAIN = (
    "astronaut",
    "motorcycle_left",
    "hubble_deep_field",
    "ihc",
    "camera",
    "grass",
    "gravel",
    "coins",
    "moon",
    "cell",
)
HELD_OUT = ("chelsea", "coffee", "brick", "clock_motion")
TILE, STRIDE = 192, 96
SMALLEST, LARGEST = 0.04, 0.35  # of a tile that K may cover


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("output", None, "Folder for pictures and masks.", required=True, flag_values=values)


def _action(args: flags.FlagValues) -> int:
    for part, names in (("train", TRAIN), ("held_out", HELD_OUT)):
        count = 0
        for name, tile, mask in tiles(names):
            write_atomically(Path(args.output) / part / "images" / f"{name}.png", encode_png(tile))
            write_atomically(Path(args.output) / part / "masks" / f"{name}.png", encode_png(255 * mask))
            count += 1
        print(f"{args.output}/{part}: {count} tiles of {len(names)} photographs")
    return 0


def tiles(photographs: Sequence[str]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """(name, tile [192, 192, 3] uint8, K [192, 192] uint8 0 or 1) of each tile; the same ones every time."""
    for photograph in photographs:
        (file,) = Path(skimage.data.__file__).parent.glob(f"{photograph}.*")
        picture = read_picture(file)
        rows, columns = (range(0, side - TILE + 1, STRIDE) for side in picture.shape[:2])
        for row in rows:
            for column in columns:
                tile = picture[row : row + TILE, column : column + TILE]
                random = np.random.default_rng([len(photograph), ord(photograph[0]), row, column])
                yield f"{photograph}_{row}_{column}", tile, draw_mask(tile, random)


def draw_mask(tile: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """K for a tile: one of its segments of a fitting size, or, as often and where there is none, a drawn blob.

    Args:
        tile: [h, w, 3] uint8.
        random: decides which.

    Returns:
        [h, w] uint8, 0 or 1.
    """
    segments = felzenszwalb(tile, scale=200, sigma=0.8, min_size=int(SMALLEST * TILE**2))
    shares = np.bincount(segments.ravel()) / segments.size
    fitting = np.flatnonzero((shares > SMALLEST) & (shares < LARGEST))
    if fitting.size and random.random() < 0.5:
        return (segments == random.choice(fitting)).astype(np.uint8)
    return _blob(random)


def _blob(random: np.random.Generator) -> np.ndarray:
    """A smooth closed shape: a circle whose radius varies with three waves."""
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    waves = sum(random.uniform(-0.2, 0.2) * np.cos(n * angle + random.uniform(0, 2 * np.pi)) for n in (1, 2, 3))
    radius = random.uniform(0.16, 0.28) * TILE * (1 + waves)
    centre = random.uniform(0.3, 0.7, 2) * TILE
    outline = np.stack([centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle)], axis=1)
    return cv2.fillPoly(np.zeros([TILE, TILE], np.uint8), [np.rint(outline).astype(np.int32)], 1)


INTERRUPTED = "interrupted; the same command makes all tiles anew, the same ones"
main = functools.partial(command.main, _action, __doc__, _define, interrupted=INTERRUPTED)

if __name__ == "__main__":
    sys.exit(main())
