"""The paper's numbers (Tables 1-3), to stand beside ours."""

from __future__ import annotations

DATA_SETS = ("Carvalho", "In-The-Wild", "COVER", "CASIA")
METRICS = {1: ("mcc", "f1"), 2: ("f1",), 3: ("f1",)}


def _row(*values: float | None) -> dict[str, dict[str, float]]:
    """Metric -> data set -> value, of a row as printed: a number a data set, or MCC and F1 of each."""
    metrics = ("mcc", "f1") if len(values) == 2 * len(DATA_SETS) else ("f1",)
    return {
        metric: {name: value for name, value in zip(DATA_SETS, values[index :: len(metrics)]) if value is not None}
        for index, metric in enumerate(metrics)
    }


_TABLE_1 = {
    "NOI": _row(0.255, 0.343, 0.159, 0.278, 0.172, 0.269, 0.180, 0.263),
    "CFA": _row(0.164, 0.292, 0.144, 0.270, 0.050, 0.190, 0.108, 0.207),
    "MFCN": _row(0.408, 0.480, None, None, None, None, 0.520, 0.541),
    "RGB-N": _row(0.261, 0.383, 0.290, 0.424, 0.334, 0.379, 0.364, 0.408),
    "EXIF-consistency": _row(0.420, 0.520, 0.415, 0.504, 0.102, 0.276, 0.127, 0.204),
    "DeepLab": _row(0.343, 0.420, 0.352, 0.472, 0.304, 0.376, 0.435, 0.474),
    "GSR-Net": _row(0.462, 0.525, 0.446, 0.555, 0.439, 0.489, 0.553, 0.574),
}
_TABLE_2 = {
    "DL": _row(0.420, 0.472, 0.376, 0.474),
    "DL + CP": _row(0.446, 0.504, 0.410, 0.503),
    "DL + G": _row(0.460, 0.524, 0.434, 0.506),
    "DL + DIH": _row(0.384, 0.421, 0.342, 0.420),
    "DL + CP + G": _row(0.472, 0.528, 0.444, 0.507),
    "GS-Net": _row(0.515, 0.540, 0.455, 0.545),
    "GSR-Net": _row(0.525, 0.555, 0.489, 0.574),
}
_TABLE_3 = {
    "CP + S": _row(0.343, 0.430, 0.351, 0.242),
    "CP + G + S": _row(0.354, 0.441, 0.355, 0.270),
    "CP + G + SR": _row(0.418, 0.479, 0.381, 0.331),
}
# table -> row -> metric -> data set -> value; what the paper leaves out is not there.
TABLES = {1: _TABLE_1, 2: _TABLE_2, 3: _TABLE_3}
TITLES = {
    1: "Table 1: methods (MCC and F1)",
    2: "Table 2: what the segmenter is trained on, and how (F1)",
    3: "Table 3: training from COCO's object annotations alone (F1)",
}
# Most of Table 1's cells of other methods equal numbers in those methods' own papers or in later comparisons.
CAVEAT = (
    "The paper's cells are hardly of one protocol: it seems to quote MFCN, RGB-N on CASIA, and NOI and CFA on CASIA "
    "and Carvalho from other papers' tables, and EXIF-consistency from one with the best threshold of each picture."
)
