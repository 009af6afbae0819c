"""What is put down of pictures, line by line, and the table of it."""

import csv
import errno
import json
import os

import pytest

from gsr_tf.answers import results
from gsr_tf.answers.results import Results

SETTINGS = {"detector": "red", "threshold": 0.5}


def answered(name, **changes):
    seconds = {"read": 0.5, "segment": 1.5, "write": 0.25}
    facts = {"score": 0.5, "flagged": 0.1, "boxes": [[0, 0, 3, 4], [5, 6, 7, 8]], "width": 60, "height": 40}
    record = {"name": name, "file": f"{name}.png", "path": f"/in/{name}.png", "settings": SETTINGS, "stamp": {}}
    return {**record, **facts, "warnings": ["odd", "and old"], "seconds": seconds, **changes}


def test_a_record_is_on_disk_when_it_is_put_down(tmp_path, monkeypatch):
    """As many bytes as its line are in the file, and the system is asked for them to stay."""
    stay, fsync = [], os.fsync
    monkeypatch.setattr(results.os, "fsync", lambda file: (stay.append(os.fstat(file).st_size), fsync(file)))
    Results(tmp_path).add(answered("a"))
    assert stay == [(tmp_path / "results.jsonl").stat().st_size] == [len(json.dumps(answered("a"))) + 1]


def test_a_journal_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    def fail(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(results.os, "fsync", fail)
    with pytest.raises(OSError, match=f"No space left on device: '{tmp_path}/results.jsonl'"):
        Results(tmp_path).add(answered("a"))


def test_a_row_has_every_region_warning_and_stage(tmp_path):
    put_down = Results(tmp_path)
    put_down.add(answered("b"))
    put_down.add(answered("a", boxes=[], warnings=[]))
    assert [record["name"] for record in put_down.finish(["a", "b"])] == ["a", "b"]
    with (tmp_path / "results.csv").open(newline="") as file:
        none, some = csv.DictReader(file)
    names = (
        "regions",
        "boxes",
        "warnings",
        "detector",
        "threshold",
        "read_seconds",
        "segment_seconds",
        "write_seconds",
    )
    assert [some[name] for name in names] == [
        "2",
        "0 0 3 4; 5 6 7 8",
        "odd; and old",
        "red",
        "0.5",
        "0.5",
        "1.5",
        "0.25",
    ]
    assert [none[name] for name in names[:3]] == ["0", "", ""]
    journal = (tmp_path / "results.jsonl").read_text().splitlines()
    assert [json.loads(line)["name"] for line in journal] == ["a", "b"]


@pytest.mark.parametrize("wrong", [{"score": -0.1}, {"score": 1.5}, {"flagged": -0.1}, {"flagged": 1.5}])
def test_shares_are_between_0_and_1_or_the_record_is_nobodys(tmp_path, wrong):
    put_down = Results(tmp_path)
    put_down.add(answered("a"))
    put_down.add(answered("b", **wrong))
    assert set(Results(tmp_path).records) == {"a"}


def test_what_was_not_answered_is_no_answer(tmp_path):
    put_down = Results(tmp_path)
    put_down.add(answered("a", error="no picture"))
    assert put_down.why_not_done("a", SETTINGS, {}, []) == "new"
    put_down.add(answered("a"))
    assert put_down.why_not_done("a", SETTINGS, {}, []) == ""
