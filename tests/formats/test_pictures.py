"""Which real pictures an export is compared on and scored on, of a folder and of records."""

import numpy as np
import pytest
from PIL import Image

from gsr_tf.data.records import RecordsError
from gsr_tf.formats import pictures
from gsr_tf.training.run_dir import write_facts
from tests import tiny
from tests.files import damage_record


def run_of(folder, records):
    """A run's folder, as far as it is looked at here, that had these records for its validation."""
    folder.mkdir()
    write_facts(folder, {"--validation_records": records})
    return folder


@pytest.fixture
def few(monkeypatch):
    """Two pictures are compared on, and two are scored."""
    monkeypatch.setattr(pictures, "COMPARED", 2)
    monkeypatch.setattr(pictures, "SCORED", 2)


def test_a_folders_pictures_are_taken_in_their_order_from_wherever_they_lie_in_it(tmp_path, monkeypatch):
    folder = tmp_path / ".hidden" / "pictures"  # a folder that is asked for is meant
    names = ["a/x.PNG", "b.png", "c/d/y.png", "e.png", "f.Png"]
    for level, name in [*enumerate(names)][::-1]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full([2, 3, 3], level, np.uint8)).save(folder / name)

    def levels():
        found, left_out = pictures.folder_pictures(str(folder))
        assert left_out == 0
        return [picture.mean() for picture in found]

    assert levels() == [0, 1, 2, 3, 4]
    monkeypatch.setattr(pictures, "COMPARED", 3)
    assert levels() == [0, 2, 4]


def test_of_records_those_are_taken_that_are_spread_over_them(tmp_path, few):
    examples = tiny.manipulated()[:5] + tiny.authentic()[:1]
    run = run_of(tmp_path / "run", tiny.write_records(tmp_path / "records", examples))
    compared, _ = pictures.run_pictures(run)
    np.testing.assert_equal(compared, [examples[0].picture, examples[5].picture])
    scored, left_out = pictures.scored_items(None, run)  # they have a mask, and the authentic one has none
    assert ([item.name for item in scored], left_out) == (["tile 0", "tile 4"], 0)
    np.testing.assert_equal([item.read()[1] for item in scored], [examples[0].masks[0], examples[4].masks[0]])


def test_pictures_of_which_none_can_be_read_are_counted_and_named_with_their_flag(tmp_path, capsys):
    records = tiny.write_records(tmp_path / "records", tiny.authentic()[:2])
    run = run_of(tmp_path / "run", records)
    for name in ("tile 0", "tile 1"):
        damage_record(records.path, name)
    assert pictures.run_pictures(run) == ([], 2)
    said = capsys.readouterr().err.splitlines()
    assert [line.startswith(f"--validation_records={records.path}: left out tile ") for line in said] == [True, True]


def test_without_pictures_that_have_a_mask_nothing_can_be_scored(tmp_path):
    records = tiny.write_records(tmp_path / "records", tiny.authentic()[:2])
    for path, run, flag in (
        (str(records.path), None, "--records"),
        (None, run_of(tmp_path / "run", records), "--validation_records"),
    ):
        with pytest.raises(RecordsError, match=f"^{flag}={records.path}: no pictures with a mask, so there is nothing"):
            pictures.scored_items(path, run)
    (tmp_path / "other").mkdir()
    for run in (None, tmp_path / "other"):
        with pytest.raises(RecordsError, match="^no --validation_records of the run to be read; --records=FOLDER says"):
            pictures.scored_items(None, run)
