"""Greys of more than eight bits, and floats, to 0..255.

A file says how many bits a grey is stored in, not which of its levels is white. The rule, by the brightest value:

    integers    up to 255: 8 bits; 1,023: 10; 4,095: 12; 65,535: 16. More, or negative ones: refused
    floats      up to 2: white is 1; 32 to 510: white is 255; 4,096 to 131,070: white is 65,535. Others: refused

Floats above white and below 0 are clipped, and "no data" (not finite) is 0. Whatever is not plain to see is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from gsr_tf.data.decoding.strips import strips

BITS = (8, 10, 12, 16)
WHITES = ((0.0, 2.0, 1.0), (32.0, 510.0, 255.0), (4096.0, 131070.0, 65535.0))  # brightest value from, to; white


class UnknownRange(ValueError):
    """Values of which nobody can say which is white; the message says what to do."""


def from_integers(values: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """[h, w] integers to [h, w] uint8, the upper eight bits kept, with notes; raises UnknownRange."""
    least, most = int(values.min()), int(values.max())
    if least < 0 or most > 65535:
        raise UnknownRange(f"32-bit levels from {least:,} to {most:,}: which is white? Save it with 8 or 16 bits")
    bits = next(bits for bits in BITS if most < 1 << bits)
    notes = [] if bits == 16 else [f"levels of at most {most:,}: taken as {bits} bits"]
    return _by_rows(values, lambda rows: rows.astype(np.uint32) >> (bits - 8)), notes


def from_floats(values: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """[h, w] floats to [h, w] uint8, with notes; raises UnknownRange."""
    lowest, highest, are_finite = zip(*map(_range, _rows(values)))
    least, most = min(lowest), max(highest)
    white = next((white for start, top, white in WHITES if start <= most <= top), None)
    if white is None:
        raise UnknownRange(f"floating point values up to {most:,.6g}: which is white? Save it with 8 or 16 bits")
    notes = [] if white == 1 else [f"floating point values: {white:,.0f} taken as white"]
    if not all(are_finite) or least < 0 or most > white:
        notes.append(f"some values outside 0 to {white:,.0f}, clipped")
    return _by_rows(values, lambda rows: np.rint(_finite(rows).clip(0, white) * (255 / white))), notes


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, 0)


def _range(rows: np.ndarray) -> tuple[float, float, bool]:
    """Least and most, what is not finite taken as 0, and whether all is finite."""
    values = _finite(rows)
    return float(values.min()), float(values.max()), bool(np.isfinite(rows).all())


def _by_rows(values: np.ndarray, to_levels: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """[h, w] uint8: a function of some rows at a time, so that of large arrays there is no second one."""
    levels = np.empty(values.shape, np.uint8)
    for rows, target in zip(_rows(values), _rows(levels)):
        target[...] = to_levels(rows)  # whole numbers, 0 to 255
    return levels


def _rows(values: np.ndarray) -> Iterator[np.ndarray]:
    return (values[rows] for rows in strips(*values.shape))
