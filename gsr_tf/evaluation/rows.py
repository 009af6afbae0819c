"""What each row of the paper's tables is made from: a method by name, or a flagfile to train."""

from __future__ import annotations

from typing import NamedTuple, Optional

from gsr_tf.evaluation.published import TABLES


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        name: as in the paper, or what it is.
        method: the name of a method that needs no training.
        flagfile: below `flags`, of the run that it needs; its folder is named after it.
        why_not: for a row that has neither.
    """

    name: str
    method: Optional[str] = None  # noqa: UP045 (evaluated on Python 3.9)
    flagfile: Optional[str] = None  # noqa: UP045
    why_not: str = ""


_OTHERS = "another project's method, not part of this one yet"
ROWS = {
    1: (
        Row("all-positive", method="all-positive"),
        Row("random", method="random"),
        Row("NOI", method="noi"),
        Row("NOI (minmax)", method="noi-minmax"),
        Row("CFA", method="cfa"),
        Row("MFCN", why_not=_OTHERS),
        Row("RGB-N", why_not=_OTHERS),
        Row("EXIF-consistency", why_not=_OTHERS),
        Row("DeepLab", flagfile="table2/dl.cfg"),
        Row("GSR-Net", flagfile="table2/gsr_net.cfg"),
        Row("ground-truth box", method="ground-truth-box"),
    ),
    2: (
        Row("DL", flagfile="table2/dl.cfg"),
        Row("DL + CP", flagfile="table2/dl_cp.cfg"),
        Row("DL + G", flagfile="table2/dl_g.cfg"),
        Row("DL + DIH", why_not="needs harmonised composites, which this project does not make yet"),
        Row("DL + CP + G", flagfile="table2/dl_cp_g.cfg"),
        Row("GS-Net", flagfile="table2/gs_net.cfg"),
        Row("GSR-Net", flagfile="table2/gsr_net.cfg"),
    ),
    3: (
        Row("CP + S", flagfile="table3/cp_s.cfg"),
        Row("CP + G + S", flagfile="table3/cp_gs.cfg"),
        Row("CP + G + SR", flagfile="table3/cp_gsr.cfg"),
    ),
}


def published(table: int, row: str, metric: str, data_set: str) -> float | None:
    """The paper's number for a cell, or None."""
    return TABLES[table].get(row, {}).get(metric, {}).get(data_set)
