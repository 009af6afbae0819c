"""Names of files in CSV files: whoever names a picture must not write a formula into somebody's spreadsheet."""

import csv
import io
import itertools

import pytest

from gsr_tf.answers.cells import cell, text_of
from gsr_tf.answers.results import Results
from gsr_tf.evaluation.outputs import as_csv

NAMES = {
    "=cmd|'/c calc'!A0.png": "'=cmd|'/c calc'!A0.png",
    "+1.png": "'+1.png",
    "-1.png": "'-1.png",
    "@sum.png": "'@sum.png",
    "\t=1.png": "\\t=1.png",
    "a\nb\rc.png": "a\\nb\\rc.png",
    "a\\nb.png": "a\\\\nb.png",
    "'=1.png": "''=1.png",
    "'a'.png": "''a'.png",
    "x;=HYPERLINK(1);y.png": "x;'=HYPERLINK(1);y.png",
    'x; "=1".png': 'x; "\'=1".png',
    "a=b-c, d; e.png": "a=b-c, d; e.png",
    "\udcff.png": "\udcff.png",
}


@pytest.mark.parametrize(("text", "shown"), NAMES.items())
def test_a_cell_is_a_line_of_text(text, shown):
    assert cell(text) == shown
    assert text_of(shown) == text


def test_every_text_has_a_cell_of_its_own():
    texts = ["".join(letters) for count in range(6) for letters in itertools.product("\\n\n;'= ", repeat=count)]
    cells = [cell(text) for text in texts]
    assert len(set(cells)) == len(texts) == 19608
    assert [text_of(one) for one in cells] == texts


@pytest.mark.parametrize("earlier", [r"scans\a.png", "'a.png", "x;=1.png"])
def test_cells_of_earlier_versions_are_read(earlier):
    assert text_of(earlier) == earlier


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
