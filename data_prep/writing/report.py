"""What became of what a preparation found: counted in its index, and said at its end."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from gsr_tf.errors import one_line

SKIPPED_NAME = "skipped.json"


class Report(NamedTuple):
    """What became of what was found: found = kept + the sum of skipped.

    Attributes:
        found: pictures and files.
        kept: records written.
        skipped: how many were not, by reason.
        remarks: of the kept ones: objects and originals left out, and what was not plain to see, by reason.
        counts: of the index: records, masks, authentic, originals.
    """

    found: int
    kept: int
    skipped: dict[str, int]
    remarks: dict[str, int]
    counts: dict[str, int]

    def summary(self, output: Path) -> str:
        """The lines that end every preparation, as they are printed."""
        counts = self.counts
        lines = [
            f"found {self.found} = kept {self.kept} + skipped {self.found - self.kept}",
            *(f"  skipped {count}: {reason}" for reason, count in self.skipped.items()),
            *(f"  noted {count}: {reason}" for reason, count in self.remarks.items()),
            f"records in {output}: {counts['records']} pictures, {counts['masks']} masks, "
            f"{counts['authentic']} authentic, {counts['originals']} with their original",
        ]
        if self.skipped:
            lines.append(f"{output / SKIPPED_NAME} names what was skipped")
        return "\n".join(map(one_line, lines))


def report_of(index: dict) -> Report:
    """The report of a finished preparation; its index may be damaged, and raises nearly anything then."""
    report, counts = index["report"], index["counts"]
    return Report(
        found=int(report["found"]),
        kept=int(report["kept"]),
        skipped={reason: int(count) for reason, count in report["skipped"].items()},
        remarks={reason: int(count) for reason, count in report["remarks"].items()},
        counts={name: int(counts[name]) for name in ("records", "masks", "authentic", "originals")},
    )
