import json
import os

import numpy as np
import pytest
import tensorflow as tf

from gsr_tf.data.example import encode_example, parse_example
from gsr_tf.data.records import INDEX_NAME, RecordsError, open_records
from tests import tiny


def test_examples_round_trip():
    example = ("set/ü.jpg", b"picture", [b"one", b"two"], b"original")
    assert parse_example(encode_example(b"picture", "set/ü.jpg", [b"one", b"two"], b"original")) == example


def test_an_authentic_example_has_no_mask_and_no_original():
    assert parse_example(encode_example(b"picture", "name")) == ("name", b"picture", [], b"")


def test_reading_by_number_is_reading_in_order(sources):
    in_order = list(tf.data.TFRecordDataset(str(sources.path / sources.shards[0])).as_numpy_iterator())
    assert [sources.read(number) for number in range(len(sources))] == in_order
    assert len(sources) == 6


def test_pairs_are_every_record_with_each_of_its_masks(sources):
    assert sources.pairs.tolist() == [[0, 0], [1, 0], [2, 0], [3, 0], [4, 0], [5, 0], [5, 1]]


def test_shards_are_not_kept_open(sources):
    before = len(os.listdir("/proc/self/fd"))
    for record in range(len(sources)):
        sources.read(record)
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_authentic_set_has_no_pairs(targets):
    assert targets.pairs.shape == (0, 2)


def test_counts_of_the_index(sources):
    index = json.loads((sources.path / INDEX_NAME).read_text())
    assert index["counts"] == {"records": 6, "masks": 7, "authentic": 0, "originals": 6}


def test_fingerprint_names_the_content(tmp_path, sources):
    again = tiny.write_records(tmp_path / "again", tiny.manipulated())
    fewer = tiny.write_records(tmp_path / "fewer", tiny.manipulated()[1:])
    assert again.fingerprint == sources.fingerprint != fewer.fingerprint


def change_index(folder, **changes):
    file = folder / INDEX_NAME
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def without_columns(folder):
    file = folder / INDEX_NAME
    file.write_text(json.dumps({name: v for name, v in json.loads(file.read_text()).items() if name != "columns"}))


def change_columns(**changed):
    def change(folder):
        columns = json.loads((folder / INDEX_NAME).read_text())["columns"]
        change_index(folder, columns={**columns, **changed})

    return change


def change_shard(**changed):
    def change(folder):
        (shard,) = json.loads((folder / INDEX_NAME).read_text())["shards"]
        change_index(folder, shards=[{**shard, **changed}])

    return change


def truncate_shard(folder):
    (shard,) = folder.glob("*.tfrecord")
    shard.write_bytes(shard.read_bytes()[:1000])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / INDEX_NAME).unlink(), "no index.json; these records were never finished"),
        (lambda folder: change_index(folder, schema=7), "records of schema 7, this version reads 1"),
        (lambda folder: (folder / INDEX_NAME).write_text('{"schema": 1, '), "index.json is damaged"),
        (lambda folder: (folder / INDEX_NAME).write_text("[]"), "index.json is damaged"),
        (without_columns, "index.json is damaged .*columns"),
        (lambda folder: (folder / INDEX_NAME).write_text("[" * 100_000), "index.json is damaged .*recursion"),
        (change_columns(offset=[]), "index.json is damaged .*'offset' is not of 1 entries of type int"),
        *(
            (change_columns(length=[wrong]), "index.json is damaged .*'length'")
            for wrong in ("1", 1.0, None, [1], True)
        ),
        *((change_columns(length=[wrong]), "index.json is damaged") for wrong in (-1, 10**15, 2**63 - 1, 10**30)),
        (change_columns(offset=[2**63 - 1]), "index.json is damaged .*beyond the end of its shard"),
        (change_columns(masks=[10**15]), "index.json is damaged .*beyond the end of its shard"),
        *((change_columns(shard=[wrong]), "index.json is damaged .*a shard that is not there") for wrong in (-1, 1)),
        *((change_columns(name=wrong), "index.json is damaged") for wrong in (5, "a", [5], ["a", "b"])),
        (change_columns(name=["a\0.png"]), "index.json is damaged .a name with the character NUL"),
        (change_columns(name=["a\ud800.png"]), "index.json is damaged .*surrogates"),
        *(
            (change_shard(**wrong), "index.json is damaged")
            for wrong in ({"file": 5}, {"bytes": "5"}, {"bytes": 10**30})
        ),
        (lambda folder: (folder / "00000-of-00001.tfrecord").unlink(), "00000-of-00001.tfrecord is missing"),
        (truncate_shard, r"00000-of-00001.tfrecord has 1000 bytes, the index says \d+ bytes"),
    ],
)
def test_what_cannot_be_used_is_refused_at_once(tmp_path, damage, message):
    folder = tiny.write_records(tmp_path / "records", tiny.authentic()[:1]).path
    damage(folder)
    with pytest.raises(RecordsError, match=rf"--target_records={folder}: .*{message}"):
        open_records(folder, "--target_records")


def test_a_folder_that_tensorflow_cannot_name_is_refused(tmp_path):
    folder = tiny.write_records(tmp_path / "records", tiny.authentic()[:1]).path
    with pytest.raises(RecordsError, match="^--records=.*: not UTF-8"):
        open_records(folder.rename(tmp_path / os.fsdecode(b"r\xe9")))


def test_a_missing_folder_says_how_to_make_one(tmp_path):
    with pytest.raises(RecordsError, match="no such folder; make records with `python -m data_prep"):
        open_records(tmp_path / "none")


def test_stored_pictures_come_back(sources):
    example = tiny.manipulated()[5]
    stored = parse_example(sources.read(5))
    np.testing.assert_array_equal(tf.io.decode_png(stored.image), example.picture)
    np.testing.assert_array_equal(tf.io.decode_png(stored.original), example.original)
    np.testing.assert_array_equal(tf.io.decode_png(stored.masks[1])[..., 0] > 0, example.masks[1])
