"""The paper's tables: each row's numbers as published, to stand beside ours, and what we make the row from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

DATA_SETS = ("Carvalho", "In-The-Wild", "COVER", "CASIA")


class Row(NamedTuple):
    """A row of a table, made by a method or from a flagfile.

    Attributes:
        name: as in the paper, or what it is.
        paper: metric -> data set -> the paper's number; what the paper leaves out is not there.
        method: the name of a method that needs no training.
        flagfile: below `flags`, of the run that it needs; its folder is named after it.
        harmonizer: below `flags`, of the run whose weights that run's --harmonizer is.
    """

    name: str
    paper: Mapping[str, Mapping[str, float]] = {}
    method: str | None = None
    flagfile: str | None = None
    harmonizer: str | None = None

    @property
    def flagfiles(self) -> list[str]:
        """Of all runs that it needs, in the order of training."""
        return [flagfile for flagfile in (self.harmonizer, self.flagfile) if flagfile]

    def published(self, metric: str, data_set: str) -> float | None:
        """The paper's number for a cell, or None."""
        return self.paper.get(metric, {}).get(data_set)


class Table(NamedTuple):
    """A table of the paper: its title, the metrics of each cell, its rows in order, and what is to be known of them."""

    title: str
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]
    caveat: str = ""


def _cells(*values: float | None) -> dict[str, dict[str, float]]:
    """Metric -> data set -> value, of a row as printed: a number a data set, or MCC and F1 of each."""
    metrics = ("mcc", "f1") if len(values) == 2 * len(DATA_SETS) else ("f1",)
    return {
        metric: {name: value for name, value in zip(DATA_SETS, values[index :: len(metrics)]) if value is not None}
        for index, metric in enumerate(metrics)
    }


# Most of Table 1's cells of other methods equal numbers in those methods' own papers or in later comparisons.
CAVEAT = (
    "The paper's cells are hardly of one protocol: it seems to quote MFCN, RGB-N on CASIA, and NOI and CFA on CASIA "
    "and Carvalho from other papers' tables, and EXIF-consistency from one with the best threshold of each picture."
)
TABLES = {
    1: Table(
        "Table 1: methods (MCC and F1)",
        ("mcc", "f1"),
        (
            Row("all-positive", method="all-positive"),
            Row("random", method="random"),
            Row("NOI", _cells(0.255, 0.343, 0.159, 0.278, 0.172, 0.269, 0.180, 0.263), method="noi"),
            Row("NOI (minmax)", method="noi-minmax"),
            Row("CFA", _cells(0.164, 0.292, 0.144, 0.270, 0.050, 0.190, 0.108, 0.207), method="cfa"),
            Row("MFCN", _cells(0.408, 0.480, None, None, None, None, 0.520, 0.541), flagfile="comparators/mfcn.cfg"),
            Row(
                "RGB-N", _cells(0.261, 0.383, 0.290, 0.424, 0.334, 0.379, 0.364, 0.408), flagfile="comparators/rgbn.cfg"
            ),
            Row(
                "EXIF-consistency",
                _cells(0.420, 0.520, 0.415, 0.504, 0.102, 0.276, 0.127, 0.204),
                flagfile="comparators/exif-sc.cfg",
            ),
            Row("DeepLab", _cells(0.343, 0.420, 0.352, 0.472, 0.304, 0.376, 0.435, 0.474), flagfile="table2/dl.cfg"),
            Row(
                "GSR-Net", _cells(0.462, 0.525, 0.446, 0.555, 0.439, 0.489, 0.553, 0.574), flagfile="table2/gsr_net.cfg"
            ),
            Row("ground-truth box", method="ground-truth-box"),
        ),
        CAVEAT,
    ),
    2: Table(
        "Table 2: what the segmenter is trained on, and how (F1)",
        ("f1",),
        (
            Row("DL", _cells(0.420, 0.472, 0.376, 0.474), flagfile="table2/dl.cfg"),
            Row("DL + CP", _cells(0.446, 0.504, 0.410, 0.503), flagfile="table2/dl_cp.cfg"),
            Row("DL + G", _cells(0.460, 0.524, 0.434, 0.506), flagfile="table2/dl_g.cfg"),
            Row(
                "DL + DIH",
                _cells(0.384, 0.421, 0.342, 0.420),
                flagfile="table2/dl_dih.cfg",
                harmonizer="comparators/dih.cfg",
            ),
            Row("DL + CP + G", _cells(0.472, 0.528, 0.444, 0.507), flagfile="table2/dl_cp_g.cfg"),
            Row("GS-Net", _cells(0.515, 0.540, 0.455, 0.545), flagfile="table2/gs_net.cfg"),
            Row("GSR-Net", _cells(0.525, 0.555, 0.489, 0.574), flagfile="table2/gsr_net.cfg"),
        ),
    ),
    3: Table(
        "Table 3: training from COCO's object annotations alone (F1)",
        ("f1",),
        (
            Row("CP + S", _cells(0.343, 0.430, 0.351, 0.242), flagfile="table3/cp_s.cfg"),
            Row("CP + G + S", _cells(0.354, 0.441, 0.355, 0.270), flagfile="table3/cp_gs.cfg"),
            Row("CP + G + SR", _cells(0.418, 0.479, 0.381, 0.331), flagfile="table3/cp_gsr.cfg"),
        ),
    ),
}
