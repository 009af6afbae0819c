import json
import os
import unicodedata
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from data_prep import folder, interchange, unpack
from gsr_tf.data.example import parse_example
from tests.data_prep.pictures import mask, mask_counts, photo, read_all, skipped_of


@pytest.fixture(name="root", autouse=True)
def _root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def prepare(source):
    assert interchange.main(["interchange", f"--input={source}", "--output=out", "--processes=1"]) == 0


def test_mani_dataset_pairs_by_name_though_a_stray_file_shifts_the_order(root):
    for stem in "abc":
        photo(root / f"set/Tp/{stem}.jpg")
    mask(root / "set/Gt/b.png")
    mask(root / "set/Gt/c_gt.png")
    (root / "set/Gt/_list.txt").write_text("b c")
    prepare("set")
    assert mask_counts(root / "out") == {"b.jpg": 1, "c.jpg": 1}
    assert skipped_of(root / "out") == {"a.jpg": "no mask", "_list.txt": "not a picture"}


def test_mani_dataset_pairs_by_order_only_without_any_name_in_common(root, capsys):
    photo(root / "set/Tp/1.jpg", size=(20, 20))
    photo(root / "set/Tp/2.jpg", size=(30, 30))
    mask(root / "set/Gt/m1.png", size=(20, 20))
    mask(root / "set/Gt/m2.png", size=(30, 30))
    prepare("set")
    assert "paired by order" in capsys.readouterr().err
    assert mask_counts(root / "out") == {"1.jpg": 1, "2.jpg": 1}


@pytest.mark.parametrize("base", [".", "elsewhere"], ids=["from here", "from the file"])
def test_json_dataset(root, base):
    photo(root / base / "a b.jpg")
    mask(root / base / "m.png")
    photo(root / base / "c.jpg")
    (root / base / "set.json").write_text(json.dumps([["a b.jpg", "m.png"], ["c.jpg", "Negative"], ["c.jpg", "m.png"]]))
    prepare(f"{base}/set.json")
    assert mask_counts(root / "out") == {"a b.jpg": 1, "c.jpg": 0}
    assert skipped_of(root / "out") == {"c.jpg": "listed twice"}


@pytest.mark.parametrize("name", ["./x.png", "sub/../x.png", "{root}/x.png"])
def test_one_file_in_two_spellings_is_listed_twice(root, name):
    photo(root / "x.png")
    mask(root / "m.png")
    (root / "sub").mkdir()
    name = name.format(root=root)
    (root / "set.json").write_text(json.dumps([["x.png", "m.png"], [name, "Negative"]]))
    prepare("set.json")
    assert mask_counts(root / "out") == {"x.png": 1}
    assert skipped_of(root / "out") == {name: "listed twice"}


def test_a_name_that_is_not_utf_8_is_skipped_and_the_others_are_kept(root):
    for number, name in enumerate(("x.png", "caf\udce9.png", "y.png")):
        photo(root / name, seed=number)
    mask(root / "m.png")
    rows = [["x.png", "m.png"], ["caf\udce9.png", "m.png"], ["\ud801.png", "Negative"], ["y.png", "\ud801.png"]]
    (root / "set.json").write_text(json.dumps(rows))
    prepare("set.json")
    assert mask_counts(root / "out") == {"x.png": 1}
    assert skipped_of(root / "out") == {
        "caf\\udce9.png": "name is not UTF-8",
        "\\ud801.png": "name is not UTF-8",
        "y.png": "mask cannot be read",
    }
    prepare("set.json")


def test_mvss_list(root):
    photo(root / "a b.jpg")
    mask(root / "m.png")
    photo(root / "c.jpg")
    (root / "list.txt").write_text("a b.jpg m.png 1\nc.jpg None 0\ngone.jpg None 0\n\n")
    prepare("list.txt")
    assert mask_counts(root / "out") == {"a b.jpg": 1, "c.jpg": 0}
    assert skipped_of(root / "out") == {"gone.jpg": "picture cannot be read"}


def test_a_name_in_an_mvss_list_may_have_what_looks_like_a_lines_end(root):
    rows = interchange.read_mvss_rows("a\u2028b.jpg m.png 1\r\nc\x85d.jpg None 0\r\n", Path("list.txt"))
    assert rows == [("a\u2028b.jpg", "m.png"), ("c\x85d.jpg", None)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_lists_as_windows_writes_them(root, encoding):
    photo(root / "é.jpg")
    photo(root / "c.jpg")
    mask(root / "m.png")
    (root / "list.txt").write_text("é.jpg m.png 1\r\n   \r\nc.jpg None 0\r\n", encoding=encoding)
    (root / "list.json").write_text(json.dumps([["é.jpg", "m.png"], ["c.jpg", "Negative"]]), encoding=encoding)
    for source in ("list.txt", "list.json"):
        assert interchange.main(["interchange", f"--input={source}", f"--output={source}.out", "--processes=1"]) == 0
        assert mask_counts(root / f"{source}.out") == {"é.jpg": 1, "c.jpg": 0}


def test_a_list_in_another_alphabet_gets_one_line(root, capsys):
    (root / "list.txt").write_bytes("a.jpg None 0\né.jpg None 0\n".encode("latin-1"))
    assert interchange.main(["interchange", "--input=list.txt", "--output=out"]) == 1
    assert "line 2 is not in UTF-8 (Latin-1, perhaps?); save it as UTF-8" in capsys.readouterr().err


def test_a_list_and_a_disk_may_write_accents_differently(root):
    composed, apart = (unicodedata.normalize(form, "été/café") for form in ("NFC", "NFD"))
    photo(root / f"{apart}.jpg")
    mask(root / f"{apart}.png")
    (root / "list.txt").write_text(f"{composed}.jpg {composed}.png 1\n", encoding="utf-8")
    prepare("list.txt")
    assert mask_counts(root / "out") == {f"{composed}.jpg": 1}


def test_test_datasets_json_gives_one_records_folder_a_set(root):
    photo(root / "x/Tp/a.jpg")
    mask(root / "x/Gt/a.png")
    photo(root / "c.jpg")
    (root / "y.json").write_text(json.dumps([["c.jpg", "Negative"]]))
    (root / "test_datasets.json").write_text(json.dumps({"X": "x", "Y": "y.json"}))
    prepare("test_datasets.json")
    assert mask_counts(root / "out/X") == {"a.jpg": 1}
    assert mask_counts(root / "out/Y") == {"c.jpg": 0}


def test_a_bad_set_does_not_keep_the_others_from_being_converted(root, capsys):
    photo(root / "x/Tp/a.jpg")
    mask(root / "x/Gt/b.png")
    photo(root / "x/Tp/c.jpg")
    photo(root / "z/Tp/a.jpg")
    mask(root / "z/Gt/a.png")
    (root / "y.json").write_text("[")
    (root / "sets.json").write_text(json.dumps({"X": "x", "gone": "gone", "Y": "y.json", "Z": "z"}))
    assert interchange.main(["interchange", "--input=sets.json", "--output=out", "--processes=1"]) == 1
    assert mask_counts(root / "out/Z") == {"a.jpg": 1}
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert [line.split(": ")[1] for line in said] == ["X", "gone", "Y"]
    assert "the set 'gone' is gone: no such folder or file" in said[1] and "damaged JSON" in said[2]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "[[1, 2]]", "element 0 is [1, 2]"),
        ("a.json", "3", "neither a list"),
        ("a.json", "[", "damaged JSON"),
        ("a.txt", "x.jpg y.png\n", "line 1 is 'x.jpg y.png'"),
        ("b.txt", None, "cannot be read"),
        ("a.json", '{"X": "nowhere"}', "the set 'X' is nowhere: no such folder or file"),
        ("a.json", '{"X": "a.json"}', "a.json: neither a list of [picture, mask] nor"),
        ("a.json", '{"../X": "a.txt"}', "the set '../X' would be written outside --output"),
        ("a.json", '{"/X": "a.txt"}', "the set '/X' would be written outside --output"),
        ("a.json", '{"caf\\udce9": "a.txt"}', r"the set 'caf\\udce9': name is not UTF-8; rename it"),
        ("a.json", "[" * 100_000, "damaged JSON"),
        ("a.txt", "x.jpg None 1\n", "line 1 is 'x.jpg None 1': by its label manipulated, and has no mask"),
        ("a.txt", "a.jpg None 0\nx.jpg y.png 0\n", "line 2 is 'x.jpg y.png 0': by its label authentic, and has a mask"),
    ],
)
def test_files_of_no_format_get_a_message(root, capsys, name, text, message):
    if text is not None:
        (root / name).write_text(text)
    assert interchange.main(["interchange", f"--input={name}", "--output=out"]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("source", ["files", "files/dataset.json", "files/list.txt"])
def test_unpacked_records_come_back_the_same(root, source):
    for number, name in enumerate(["a/x.jpg", "b/x.jpg", "with space é.tif"]):
        photo(root / "set/Tp" / name, seed=number)
        mask(root / "set/Gt" / name.replace(name[-4:], ".png"))
    assert folder.main(["folder", "--images=set/Tp", "--masks=set/Gt", "--output=before"]) == 0
    assert unpack.main(["unpack", "--records=before", "--output=files"]) == 0
    assert sorted(path.name for path in (root / "files/Gt").iterdir()) == ["a_x.png", "b_x.png", "with_space_é.png"]
    prepare(source)
    for before, after in zip(read_all(root / "before"), read_all(root / "out")):
        assert before["bytes"] == after["bytes"]
        np.testing.assert_array_equal(before["masks"], after["masks"])


def test_unpacked_authentic_pictures(root):
    photo(root / "set/a.jpg")
    folder.main(["folder", "--images=set", "--output=before"])
    assert unpack.main(["unpack", "--records=before", "--output=files"]) == 0
    assert json.loads((root / "files/dataset.json").read_text()) == [["files/Au/a.jpg", "Negative"]]
    assert json.loads((root / "files/test_datasets.json").read_text()) == {"files": "files/dataset.json"}
    assert (root / "files/list.txt").read_text() == "files/Au/a.jpg None 0\n"


def test_a_folder_of_other_files_is_not_unpacked_into(root, capsys):
    for name in "ab":
        photo(root / name / f"{name}.jpg")
        folder.main(["folder", f"--images={name}", f"--output={name}_records", "--processes=1"])
    assert unpack.main(["unpack", "--records=a_records", "--output=files"]) == 0
    before = sorted(root.glob("files/**/*"))
    assert unpack.main(["unpack", "--records=a_records", "--output=files"]) == 0  # goes on
    assert unpack.main(["unpack", "--records=b_records", "--output=files"]) == 1
    assert "--output=files: holds other files; give an empty or a new folder" in capsys.readouterr().err
    (root / "files" / "unpacked.json").write_bytes(b"")
    assert unpack.main(["unpack", "--records=a_records", "--output=files"]) == 1
    assert "--output=files: unpacked.json is damaged (" in capsys.readouterr().err
    assert unpack.main(["unpack", "--records=b_records", "--output=my files"]) == 1
    assert "--output=my files: list.txt takes no space in a path" in capsys.readouterr().err
    no_utf8 = os.fsdecode(b"files\xe9")
    assert unpack.main(["unpack", "--records=b_records", f"--output={no_utf8}"]) == 1
    assert folder.main(["folder", "--images=a", f"--output={no_utf8}"]) == 1
    assert capsys.readouterr().err.count("--output=files\\udce9: not UTF-8") == 2
    assert sorted(root.glob("files/**/*")) == before and len(list(root.glob("*files*"))) == 1


def test_stems_stay_apart():
    taken = {}
    assert [unpack.flat_stem(name, taken) for name in ("a/b.jpg", "a_b.png", "A b.tif")] == ["a_b", "a_b_2", "A_b_3"]


def test_a_stem_of_many_pictures_is_not_numbered_from_the_beginning_for_each():
    class Counting(dict):
        asked = 0

        def __contains__(self, stem):
            self.asked += 1
            return super().__contains__(stem)

    taken = Counting()
    names = [unpack.unlike("x", taken, "_") for _ in range(100)]
    assert names == ["x", *(f"x_{number}" for number in range(2, 101))]
    assert taken.asked < 200  # each is asked for as it is, and with one number


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_dictionary_of_sets_as_windows_writes_it(root, encoding):
    photo(root / "é.jpg")
    mask(root / "m.png")
    (root / "set.json").write_text(json.dumps([["é.jpg", "m.png"]], ensure_ascii=False), encoding=encoding)
    (root / "test_datasets.json").write_text(json.dumps({"one": "set.json"}), encoding=encoding)
    prepare("test_datasets.json")
    assert mask_counts(root / "out/one") == {"é.jpg": 1}


def test_a_damaged_record_is_named_and_counted_and_the_others_are_unpacked(root, capsys):
    for number, name in enumerate(["a.jpg", "b.jpg"]):
        photo(root / "set" / name, seed=number)
    folder.main(["folder", "--images=set", "--output=before"])
    shard = next(path for path in (root / "before").glob("*.tfrecord") if b"a.jpg" in path.read_bytes())
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(data)
    assert unpack.main(["unpack", "--records=before", "--output=files"]) == 3
    said = capsys.readouterr().out
    assert "skipped a.jpg: damaged since its preparation" in said and "1 damaged, left out" in said
    assert [path.name for path in (root / "files/Au").iterdir()] == ["b.jpg"]


def test_a_record_of_several_masks_is_left_out_which_the_exit_code_says(root, monkeypatch, capsys):
    for number, name in enumerate(["a.jpg", "b.jpg"]):
        photo(root / "set/Tp" / name, seed=number)
        mask(root / "set/Gt" / f"{name[0]}.png")
    folder.main(["folder", "--images=set/Tp", "--masks=set/Gt", "--output=before"])

    def parse(payload, several):
        example = parse_example(payload)
        return example._replace(masks=example.masks * (2 if example.name in several else 1))

    monkeypatch.setattr("gsr_tf.data.records.parse_example", partial(parse, several=["b.jpg"]))
    assert unpack.main(["unpack", "--records=before", "--output=files"]) == 3
    assert "1 several masks, left out" in capsys.readouterr().out
    monkeypatch.setattr("gsr_tf.data.records.parse_example", partial(parse, several=["a.jpg", "b.jpg"]))
    assert unpack.main(["unpack", "--records=before", "--output=none"]) == 1
    assert "every record has several masks or is damaged" in capsys.readouterr().err
