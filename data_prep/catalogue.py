"""The published data sets that this project prepares, and which of them a folder holds."""

from __future__ import annotations

from pathlib import Path

from data_prep import carvalho, casia1, casia2, columbia, coverage, imd2020, in_the_wild, nist16
from data_prep.published import PublishedSet

# Order matters: the first whose signs are there is taken.
SETS: tuple[PublishedSet, ...] = tuple(
    module.SET for module in (casia1, casia2, coverage, carvalho, in_the_wild, columbia, nist16, imd2020)
)


def recognise(folder: Path) -> PublishedSet | None:
    """The published set that a folder holds; None when it holds none."""
    return next((published for published in SETS if published.is_in(folder)), None)
