from pathlib import Path

import pytest

from gsr_tf.answers import shards
from gsr_tf.answers.inputs import InputError, Source


def sources(count):
    return [Source(f"deep/{number}.png", f"deep/{number}", Path(f"/in/deep/{number}.png")) for number in range(count)]


def laid_out(given, output, asked=None):
    """Shard's number -> its pictures' files."""
    sizes = shards.lay_out(given, output, asked)
    listed = {shard.number: [source.file for source in shard.sources()] for shard in sizes}
    assert {shard.number: size for shard, size in sizes.items()} == {n: len(files) for n, files in listed.items()}
    return listed


def test_every_picture_is_in_one_shard_of_about_a_hundred(tmp_path):
    listed = laid_out(sources(950), tmp_path)
    assert sorted(listed) == list(range(10))
    assert sorted(file for files in listed.values() for file in files) == sorted(one.file for one in sources(950))
    assert all(50 < len(files) < 150 for files in listed.values())


def test_a_picture_stays_in_its_shard_when_others_come(tmp_path):
    first = laid_out(sources(100), tmp_path, 7)
    (tmp_path / "answers-00000-of-00007.jsonl").touch()
    second = laid_out(sources(1000), tmp_path)
    assert len(second) == 7 and all(set(first[number]) <= set(second[number]) for number in first)


def test_another_number_of_shards_is_refused(tmp_path):
    (tmp_path / "answers-00002-of-00007.jsonl").touch()
    with pytest.raises(InputError, match="its number of shards is 7; leave --shards out"):
        shards.lay_out(sources(3), tmp_path, 8)
    assert len(shards.lay_out(sources(3), tmp_path, 7)) == 7
    (tmp_path / "answers-00002-of-00009.jsonl").touch()
    for asked in (None, 7):
        with pytest.raises(InputError, match="its number of shards is 7 and 9; leave --shards out"):
            shards.lay_out(sources(3), tmp_path, asked)


def test_a_finished_shard_is_begun_no_more(tmp_path):
    (shard,) = shards.lay_out(sources(3), tmp_path, 1)
    shard.begun.write_text("2")
    shard.write_note({"pictures": 3})
    assert shard.note.exists() and not shard.begun.exists()


def test_lists_hold_names_of_any_bytes_absolute_paths_and_numbers_of_records(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = [
        Source("a\udcff\n.png", "a\udcff\n", Path("a\udcff\n.png")),
        Source("b.jpg", "b", Path("records/index.json"), 12),
    ]
    (shard,) = shards.lay_out(given, tmp_path)
    assert shard.sources() == [one._replace(path=tmp_path / one.path) for one in given]


def test_standard_input_is_refused(tmp_path):
    with pytest.raises(InputError, match="standard input"):
        shards.lay_out([Source("standard input", "stdin", None)], tmp_path)
