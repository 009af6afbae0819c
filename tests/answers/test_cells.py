"""Names of files in CSV files: whoever names a picture must not write a formula into somebody's spreadsheet."""

import csv
import io

import pytest

from gsr_tf.answers.cells import cell
from gsr_tf.answers.results import Results
from gsr_tf.evaluation.outputs import as_csv

NAMES = {
    "=cmd|'/c calc'!A0.png": "'=cmd|'/c calc'!A0.png",
    "+1.png": "'+1.png",
    "-1.png": "'-1.png",
    "@sum.png": "'@sum.png",
    "\t=1.png": "\\t=1.png",
    "a\nb\rc.png": "a\\nb\\rc.png",
    "a=b-c, d.png": "a=b-c, d.png",
    "\udcff.png": "\udcff.png",
}


@pytest.mark.parametrize(("text", "shown"), NAMES.items())
def test_a_cell_is_a_line_of_text(text, shown):
    assert cell(text) == shown


def test_per_image_has_a_row_a_picture_and_numbers_as_they_are():
    text = as_csv({"name": list(NAMES), "mcc": [-0.5] * len(NAMES)})
    rows = list(csv.reader(io.StringIO(text)))
    assert rows == [["name", "mcc"], *([shown, "-0.5"] for shown in NAMES.values())]
    assert len(text.splitlines()) == 1 + len(NAMES)


def test_results_have_a_row_a_picture(tmp_path):
    results = Results(tmp_path)
    settings = {"detector": "red", "threshold": 0.5}
    for name in NAMES:
        record = {"name": name, "file": name, "path": f"/in/{name}", "settings": settings, "stamp": {}}
        results.add({**record, "error": "=1+1"})
    results.finish(list(NAMES))
    data = (tmp_path / "results.csv").read_bytes().decode("utf-8", "surrogateescape")
    rows = list(csv.DictReader(io.StringIO(data)))
    assert {row["file"] for row in rows} == set(NAMES.values())
    assert {row["error"] for row in rows} == {"'=1+1"}
