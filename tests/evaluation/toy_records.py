"""Small records on disk: pictures whose manipulated square is brighter, so that brightness is a fair detector."""

from __future__ import annotations

import numpy as np

from gsr_tf.data.pictures import encode_png
from gsr_tf.data.records import encode_example, write_index

SHAPE = (48, 64)


def sample(seed):
    """(picture, mask) of a seed."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(SHAPE, bool)
    top, left = rng.integers(4, 20, 2)
    mask[top : top + 20, left : left + 24] = True
    picture = rng.integers(0, 140, (*SHAPE, 3)) + 60 * mask[..., None]
    return picture.astype(np.uint8), mask


def write(folder, masks_of_each=(1, 2, 0)):
    """Writes one record a number of masks; the second mask of a picture is the first one turned round."""
    columns = {name: [] for name in ("shard", "offset", "length", "name", "height", "width", "masks", "original")}
    payload = b""
    for seed, masks in enumerate(masks_of_each):
        picture, mask = sample(seed)
        pngs = [encode_png(np.uint8(mask) * 255), encode_png(np.uint8(mask[::-1, ::-1]) * 255)][:masks]
        data = encode_example(encode_png(picture), f"picture {seed}", pngs)
        row = (0, len(payload), len(data), f"picture {seed}", *SHAPE, masks, 0)
        for name, value in zip(columns, row):
            columns[name].append(value)
        payload += data
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shard").write_bytes(payload)
    write_index(folder, shards=[{"file": "shard", "bytes": len(payload)}], columns=columns)
    return folder
