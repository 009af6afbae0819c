import errno
import functools
import itertools
import json
import multiprocessing
import multiprocessing.synchronize
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from data_prep import folder
from data_prep.reading import masks
from data_prep.reading.entries import Entry, Listing, PreparationError, Skipped
from data_prep.reading.files import file_sha256
from data_prep.writing import examples, records, shards
from data_prep.writing.report import Report
from gsr_tf.data.pictures import PictureError, read_bytes
from gsr_tf.data.records import open_records
from tests.data_prep import slowly
from tests.data_prep.pictures import all_bytes, index_of, mask, photo, read_all, skipped_of
from tests.picture_files import turned


@pytest.fixture(name="images")
def _images(tmp_path):
    for number in range(20):
        photo(tmp_path / f"images/{number:02d}.jpg", seed=number)
        mask(tmp_path / f"masks/{number:02d}.png")
    return tmp_path


def prepare(root, output, *flags):
    return folder.main(["folder", f"--images={root}/images", f"--masks={root}/masks", f"--output={output}", *flags])


def write(listing, output):
    return records.write_records(listing, output, run=functools.partial(records.run_locally, processes=1))


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_any_number_of_processes_writes_the_same_bytes(images):
    for processes in (1, 2, 3):
        assert prepare(images, images / f"out{processes}", f"--processes={processes}") == 0
    one = all_bytes(images / "out1")
    assert len(one) == 8 + 2  # shards, the index, what was skipped: nothing else is left behind
    assert one == all_bytes(images / "out2") == all_bytes(images / "out3")


def test_an_output_that_tensorflow_would_write_elsewhere_is_refused(images, monkeypatch, capsys):
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "iso8859-1")
    assert prepare(images, images / "café", "--processes=1") == 1
    assert "café: TensorFlow would look for it under another name" in capsys.readouterr().err
    assert not (images / "café").exists()


def test_the_index_points_at_every_record(images):
    prepare(images, images / "out", "--processes=1")
    index, names = index_of(images / "out"), [record["name"] for record in read_all(images / "out")]
    assert names == index["columns"]["name"] == [f"{n:02d}.jpg" for n in range(20)]
    for shard in index["shards"]:
        assert file_sha256(images / "out" / shard["file"]) == shard["sha256"]


@pytest.mark.parametrize("stop", range(9))
def test_interrupted_after_any_shard_it_goes_on_to_the_same_bytes(images, monkeypatch, stop):
    prepare(images, images / "whole", "--processes=1")
    written = itertools.count()

    def interrupted(shard):
        if next(written) == stop:
            (images / "out" / f".{shard.file}.0123.tmp").write_bytes(b"half a shard")
            raise KeyboardInterrupt
        return shards.write_shard(shard)

    monkeypatch.setattr(records, "write_shard", interrupted)
    assert prepare(images, images / "out", "--processes=1") == (130 if stop < 8 else 0)
    assert (images / "out/index.json").exists() == (stop == 8)
    again = itertools.count()
    make_example = shards.make_example
    monkeypatch.setattr(records, "write_shard", shards.write_shard)
    monkeypatch.setattr(shards, "make_example", lambda entry: (next(again), make_example(entry))[1])
    assert prepare(images, images / "out", "--processes=1") == 0
    assert all_bytes(images / "out") == all_bytes(images / "whole")
    done = 20 * stop // 8
    assert next(again) == 20 - done  # finished shards were not written again


def test_of_hidden_files_only_those_of_preparations_are_removed(images):
    output = images / "out"
    output.mkdir()
    own = [output / name for name in (".notes.tmp", ".7.tmp", ".00000-of-00008.tfrecord.tmp", ".index.json.old.tmp")]
    left = [f".00000-of-00008.tfrecord.{'0f' * 16}.tmp", "..00000-of-00008.tfrecord.json.7.0123cdef.tmp"]
    left = [output / name for name in (*left, ".index.json.7.0123cdef.tmp", ".skipped.json.7.0123cdef.tmp")]
    for _ in range(2):  # unfinished, then finished
        for path in (*own, *left):
            path.touch()
        assert prepare(images, output, "--processes=1") == 0
        assert all(path.exists() for path in own) and not any(path.exists() for path in left)


def test_a_folder_of_other_records_keeps_its_files(images):
    assert prepare(images, images / "out", "--processes=1") == 0
    left = images / "out/.index.json.7.0123cdef.tmp"
    left.touch()
    assert prepare(images, images / "out", "--mask_threshold=3") == 1
    assert left.exists()


@pytest.mark.parametrize("plant", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "device"])
def test_a_mask_without_an_end_is_skipped_and_named(images, monkeypatch, plant):
    path = images / "masks/07.png"
    path.unlink()
    plant(path)

    def hashed(file):
        assert str(file) != str(path), "would be read for ever"
        return file_sha256(file)

    monkeypatch.setattr(shards, "file_sha256", hashed)
    assert prepare(images, images / "out", "--processes=1") == 0
    assert skipped_of(images / "out").keys() == {"07.jpg"}
    assert [shard["records"] for shard in index_of(images / "out")["shards"]] == [2, 3, 2, 2, 2, 3, 2, 3]


@pytest.mark.parametrize("file", ["images/07.jpg", "masks/07.png"])
def test_what_could_not_be_read_and_can_be_now_is_not_left_out(images, monkeypatch, capsys, file):
    """As where somebody lacked a right, or a disk failed once: sizes are what they were."""
    assert prepare(images, images / "whole", "--processes=1") == 0

    def failing(path):
        if path.endswith(file):
            raise PictureError(f"{path}: cannot be read (Permission denied)")
        return read_bytes(path)

    def interrupted(shard):
        if shard.number == 5:
            raise KeyboardInterrupt
        return shards.write_shard(shard)

    with monkeypatch.context() as patch:
        patch.setattr(examples, "read_bytes", failing)
        patch.setattr("gsr_tf.data.masks.read_bytes", failing)
        for _ in range(2):
            assert prepare(images, images / "out", "--processes=1") == 0
            assert skipped_of(images / "out").keys() == {"07.jpg"}
        patch.setattr(records, "write_shard", interrupted)
        assert prepare(images, images / "half", "--processes=1") == 130
    assert prepare(images, images / "half", "--processes=1") == 0
    assert all_bytes(images / "half") == all_bytes(images / "whole")
    capsys.readouterr()
    assert prepare(images, images / "out", "--processes=1") == 1
    assert "out: 07.jpg could not be read then, and can be now; " in capsys.readouterr().err


def test_killed_without_warning_it_goes_on_to_the_same_bytes(images):
    prepare(images, images / "whole", "--processes=1")
    out = images / "out"
    with slowly.preparing(lambda: prepare(images, out, "--processes=1"), 0.05):
        while len(list(out.glob(".*.json"))) < 3:
            time.sleep(0.01)
    assert not (out / "index.json").exists()
    assert prepare(images, out, "--processes=1") == 0
    assert all_bytes(out) == all_bytes(images / "whole")


def test_a_shard_damaged_between_two_runs_is_written_again(images, monkeypatch):
    prepare(images, images / "whole", "--processes=1")
    monkeypatch.setattr(records, "write_index", interrupt)
    assert prepare(images, images / "out", "--processes=1") == 130
    monkeypatch.undo()
    shard = images / "out/00003-of-00008.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    assert prepare(images, images / "out", "--processes=1") == 0
    assert all_bytes(images / "out") == all_bytes(images / "whole")


def test_shards_of_more_than_five_digits_are_known():
    for name in ("00001-of-00008.tfrecord", ".100000-of-390625.tfrecord.json"):
        assert records.SHARD_OR_NOTE.fullmatch(name)


def test_shards_of_an_unfinished_run_over_fewer_pictures_do_not_stay(images, monkeypatch):
    for path in [*(images / "images").iterdir(), *(images / "masks").iterdir()]:
        if path.stem > "04":
            path.rename(images / path.parent.name / f"..{path.name}")  # hidden: no picture
    monkeypatch.setattr(records, "write_index", interrupt)
    assert prepare(images, images / "out", "--processes=1") == 130
    assert (images / "out/00004-of-00005.tfrecord").exists()
    monkeypatch.undo()
    for path in [*(images / "images").glob("..*"), *(images / "masks").glob("..*")]:
        path.rename(path.with_name(path.name[2:]))
    assert prepare(images, images / "out", "--processes=1") == 0
    assert prepare(images, images / "whole", "--processes=1") == 0
    assert all_bytes(images / "out") == all_bytes(images / "whole")


def test_a_finished_folder_is_verified_and_left_alone(images, capsys):
    prepare(images, images / "out", "--processes=1")
    before = {path: path.stat().st_mtime_ns for path in (images / "out").iterdir()}
    assert prepare(images, images / "out", "--processes=1") == 0
    assert {path: path.stat().st_mtime_ns for path in (images / "out").iterdir()} == before
    assert "kept 20" in capsys.readouterr().out


def test_other_files_or_settings_do_not_overwrite_records(images, capsys):
    prepare(images, images / "out", "--processes=1")
    before = all_bytes(images / "out")
    assert prepare(images, images / "out", "--mask_threshold=3") == 1
    photo(images / "images/20.jpg")
    mask(images / "masks/20.png")
    assert prepare(images, images / "out") == 1
    assert "other files or settings" in capsys.readouterr().err
    assert all_bytes(images / "out") == before


def test_records_that_an_earlier_version_finished_are_named_as_such_and_half_of_them_made_anew(
    images, capsys, monkeypatch
):
    earlier = functools.partial(records.plan, version=records.WRITER_VERSION - 1)
    with monkeypatch.context() as patch:
        patch.setattr(records, "plan", earlier)
        assert prepare(images, images / "out", "--processes=1") == 0
        patch.setattr(records, "write_index", interrupt)
        assert prepare(images, images / "half", "--processes=1") == 130
    before = all_bytes(images / "out")
    assert prepare(images, images / "out", "--processes=1") == 1
    assert "these files and settings that an earlier version finished" in capsys.readouterr().err
    assert all_bytes(images / "out") == before
    assert prepare(images, images / "out", "--processes=1", "--mask_threshold=3") == 1
    assert "other files or settings" in capsys.readouterr().err
    made = itertools.count()
    make_example = shards.make_example
    monkeypatch.setattr(shards, "make_example", lambda entry: (next(made), make_example(entry))[1])
    assert prepare(images, images / "half", "--processes=1") == 0
    assert next(made) == 20


@pytest.mark.parametrize("change", [lambda path: photo(path), lambda path: (path.parent / "lone.jpg").unlink()])
def test_a_finished_folder_does_not_count_other_files_than_there_are(images, capsys, change):
    photo(images / "images/lone.jpg")
    mask(images / "masks/black.png", value=0)
    photo(images / "images/black.jpg")  # refused when it is read: no other file
    assert prepare(images, images / "out", "--processes=1") == 0
    (images / "images/.DS_Store").touch()
    assert prepare(images, images / "out", "--processes=1") == 0
    change(images / "images/new.jpg")
    before = all_bytes(images / "out")
    assert prepare(images, images / "out", "--processes=1") == 1
    assert "skipped.json is of other files (see " in capsys.readouterr().err
    assert all_bytes(images / "out") == before


def as_bitmap(path):
    """The mask in a form whose size tells nothing of its pixels."""
    Image.open(path).save(path.with_suffix(".bmp"))
    path.unlink()
    return path.with_suffix(".bmp")


def correct(path):
    """Mirrors a mask, whose file keeps its size and times: as where an older archive is unpacked over it."""
    before = path.stat()
    Image.open(path).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def test_a_mask_corrected_to_the_same_size_is_other_work(images, capsys):
    path = as_bitmap(images / "masks/03.png")
    prepare(images, images / "out", "--processes=1")
    correct(path)
    assert prepare(images, images / "out", "--processes=1") == 1
    assert "holds records of other files or settings" in capsys.readouterr().err


def test_a_shard_of_a_mask_corrected_since_is_written_again(images, monkeypatch):
    path = as_bitmap(images / "masks/03.png")
    monkeypatch.setattr(records, "write_index", interrupt)
    assert prepare(images, images / "out", "--processes=1") == 130
    monkeypatch.undo()
    correct(path)
    assert prepare(images, images / "out", "--processes=1") == 0
    (found,) = read_all(images / "out")[3]["masks"]
    assert not found[:, :16].any() and found[:12, 16:].all()


def test_a_digest_is_of_settings_names_sizes_and_masks(images, monkeypatch):
    original = photo(images / "original.jpg", seed=50)
    entry = Entry("a.jpg", f"{images}/images/00.jpg", masks.MaskFile(f"{images}/masks/00.png"), f"{original}")
    settings = {"a": 1, "b": 2}
    digests = [
        shards.digest(entries, settings)
        for entries in ([entry], [entry._replace(name="b.jpg")], [entry._replace(masks=None)], [entry] * 2)
    ]
    digests.append(shards.digest([entry], {"a": 1, "b": 3}))
    for path in (Path(entry.image), original):
        path.write_bytes(path.read_bytes() + b"x")
        digests.append(shards.digest([entry], settings))
    assert shards.digest([entry], {"b": 2, "a": 1}) == digests[-1]
    assert shards.digest([entry], settings, shards.WRITER_VERSION) == digests[-1]
    digests.append(shards.digest([entry], settings, shards.WRITER_VERSION + 1))

    def failing(file):
        raise OSError(errno.EIO, "Input/output error", file)

    monkeypatch.setattr(shards, "file_sha256", failing)
    digests.append(shards.digest([entry], settings))
    assert len(set(digests)) == len(digests) == 9


@pytest.mark.parametrize("note", [b"", b"{}", b"[]", b'{"digest": "?", "sha256": "?", "skipped": [5]}'])
def test_a_shard_whose_note_is_damaged_is_written_again(images, note):
    entries = [Entry("a.jpg", str(images / "images/00.jpg"))]
    shard = shards.Shard(str(images), 0, 1, entries, shards.digest(entries, {}))
    whole = shards.write_shard(shard)
    assert whole["bytes"] == (images / shard.file).stat().st_size
    shard.note.write_bytes(note)
    assert shards.write_shard(shard) == json.loads(shard.note.read_bytes()) == whole


def test_a_shard_counts_what_it_notes_of_all_its_pictures(images):
    (images / "broken.jpg").write_bytes(b"no picture")
    entries = [Entry(f"{n}.jpg", f"{images}/images/{n:02d}.jpg", original=f"{images}/broken.jpg") for n in range(3)]
    entries.append(Entry("3.jpg", str(images / "images/03.jpg")))
    assert shards.write_shard(shards.Shard(str(images), 0, 1, entries, ""))["remarks"] == {"original cannot be read": 3}


def test_records_do_not_depend_on_when_their_files_were_copied(images):
    prepare(images, images / "out", "--processes=1")
    before = all_bytes(images / "out")
    for path in [*(images / "images").iterdir(), *(images / "masks").iterdir()]:
        os.utime(path, (1, 1))
    assert prepare(images, images / "out", "--processes=1") == 0
    assert prepare(images, images / "again", "--processes=1") == 0
    assert all_bytes(images / "out") == all_bytes(images / "again") == before


def test_the_index_is_read_once_where_it_was_there_and_never_where_it_is_new(images, monkeypatch):
    """Of millions of pictures it has more than a gigabyte."""
    listing = Listing([Entry("a.jpg", str(images / "images/00.jpg"))], [], {})
    read, read_bytes = [], Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: (read.append(path.name), read_bytes(path))[1])
    new = write(listing, images / "out")
    assert read.count("index.json") == 0
    assert write(listing, images / "out") == new
    assert read.count("index.json") == 1


def test_the_summary_counts_what_the_index_counts(images):
    entries = [
        Entry("authentic.jpg", str(images / "images/00.jpg")),
        Entry("masked.jpg", str(images / "images/01.jpg"), masks.MaskFile(str(images / "masks/01.png"))),
        Entry(
            "both.jpg",
            str(images / "images/02.jpg"),
            masks.MaskFile(str(images / "masks/02.png")),
            str(images / "images/00.jpg"),
        ),
    ]
    report = write(Listing(entries, [], {}), images / "out")
    assert report.counts == {"records": 3, "masks": 2, "authentic": 1, "originals": 1}
    assert report.counts == index_of(images / "out")["counts"]


def test_records_of_another_form_are_not_overwritten(images, capsys):
    prepare(images, images / "out", "--processes=1")
    (images / "out/index.json").write_text(json.dumps(index_of(images / "out") | {"schema": 0}))
    assert prepare(images, images / "out", "--processes=1") == 1
    assert "holds records of other files or settings" in capsys.readouterr().err


@pytest.mark.parametrize("text", [b"{", b"\xff", b"", b"[]"])
def test_a_damaged_index_is_reported(images, capsys, text):
    prepare(images, images / "out", "--processes=1")
    (images / "out/index.json").write_bytes(text)
    assert prepare(images, images / "out", "--processes=1") == 1
    assert "index.json is damaged" in capsys.readouterr().err


REPORT = {"found": 20, "kept": 20, "skipped": {}, "remarks": {}}


@pytest.mark.parametrize(
    "change",
    [
        {"shards": None},
        {"shards": [5]},
        {"shards": [{"file": 5, "sha256": ""}]},
        {"counts": []},
        {"counts": {"records": 20}},
        {"report": None},
        {"report": {}},
        {"report": {**REPORT, "found": "many"}},
        {"report": {**REPORT, "found": float("inf")}},
        {"report": {**REPORT, "skipped": [1]}},
        {"report": {**REPORT, "remarks": {"a": None}}},
    ],
)
def test_an_index_of_a_wrong_form_is_damaged(images, change):
    listing = Listing([Entry("a.jpg", str(images / "images/00.jpg"))], [], {})
    write(listing, images / "out")
    (images / "out/index.json").write_text(json.dumps(index_of(images / "out") | change))
    with pytest.raises(PreparationError, match=r"out: index.json is damaged \(.+\); delete the folder"):
        write(listing, images / "out")


@pytest.mark.parametrize(
    "text", ["{", "[1]", '[{"name": "a"}]', '[{"name": 1, "reason": [], "detail": 2}]', "[" * 100_000]
)
def test_a_damaged_list_of_what_was_skipped_is_reported(images, capsys, text):
    prepare(images, images / "out", "--processes=1")
    (images / "out/skipped.json").write_text(text)
    assert prepare(images, images / "out", "--processes=1") == 1
    assert "skipped.json is damaged" in capsys.readouterr().err


def test_a_missing_list_of_what_was_skipped_is_reported(images, capsys):
    prepare(images, images / "out", "--processes=1")
    (images / "out/skipped.json").unlink()
    assert prepare(images, images / "out", "--processes=1") == 1
    assert "out: skipped.json is missing; delete the folder" in capsys.readouterr().err


def test_what_was_skipped_is_sorted_and_in_other_words_the_same(images):
    def skipping(*skips):
        listing = Listing([Entry("a.jpg", str(images / "images/00.jpg"))], [Skipped(*skip) for skip in skips], {})
        return write(listing, images / "out")

    report = skipping(("c", "odd", "1 x 2"), ("b\udcff", "even", "\udcff"), ("b", "odd", ""))
    assert (report.found, report.kept, list(report.skipped.items())) == (4, 1, [("even", 1), ("odd", 2)])
    assert [skip["name"] for skip in json.loads((images / "out/skipped.json").read_bytes())] == ["b", "b\udcff", "c"]
    assert skipping(("b", "odd", "now"), ("b\udcff", "even", "else"), ("c", "odd", "3 x 4")) == report
    kept = [("b", "odd", ""), ("b\udcff", "even", "")]
    for others, changed in ((kept, "c"), ([*kept, ("c", "odd", ""), ("d", "odd", "")], "d")):
        with pytest.raises(PreparationError, match=f"skipped.json is of other files .see {changed}: odd"):
            skipping(*others)


def test_a_summary_counts_pictures_and_keeps_to_its_lines():
    counts = {"records": 4, "masks": 5, "authentic": 1, "originals": 2}
    report = Report(9, 4, {"no mask": 2, "odd\nname": 3}, {"mask: empty": 1}, counts)
    assert report.summary(Path("out")).splitlines() == [
        "found 9 = kept 4 + skipped 5",
        "  skipped 2: no mask",
        "  skipped 3: odd\\nname",
        "  noted 1: mask: empty",
        "records in out: 4 pictures, 5 masks, 1 authentic, 2 with their original",
        "out/skipped.json names what was skipped",
    ]


def test_a_missing_shard_of_a_finished_folder_is_reported(images, capsys):
    prepare(images, images / "out", "--processes=1")
    (images / "out/00002-of-00008.tfrecord").unlink()
    assert prepare(images, images / "out", "--processes=1") == 1
    assert "shard 00002-of-00008.tfrecord is missing or damaged" in capsys.readouterr().err


def test_a_damaged_finished_folder_is_reported(images, capsys):
    prepare(images, images / "out", "--processes=1")
    shard = images / "out/00000-of-00008.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    assert prepare(images, images / "out") == 1
    assert "damaged" in capsys.readouterr().err


def test_a_full_disk_stops_with_a_message_and_nothing_half_valid(images, capsys, monkeypatch):
    write = shards._write_examples

    def write_to_a_full_disk(shard, path):
        path.symlink_to("/dev/full")  # through a link: cleaning up removes the link, never the device
        return write(shard, path)

    monkeypatch.setattr(shards, "_write_examples", write_to_a_full_disk)
    assert prepare(images, images / "out", "--processes=1") == 1
    assert "No space left on device" in capsys.readouterr().err
    assert list((images / "out").iterdir()) == []
    monkeypatch.undo()
    assert prepare(images, images / "out", "--processes=1") == 0


def test_an_output_that_cannot_be_written(images, capsys):
    (images / "file").touch()
    assert prepare(images, images / "file") == 1
    assert f"--output={images / 'file'}: cannot be written" in capsys.readouterr().err


def test_memory_of_the_plan_does_not_hold_pictures(images):
    """20,000 entries are planned from their names alone."""
    entries = [Entry(f"{n}.jpg", str(images / "images/00.jpg")) for n in range(20_000)]
    planned = records.plan(Listing(entries, [], {}), images / "out")
    assert len(planned) == 79 and sum(len(shard.entries) for shard in planned) == 20_000


def test_nothing_to_keep_is_an_error(tmp_path):
    listing = Listing([], [], {})
    with pytest.raises(PreparationError, match="nothing to keep"):
        write(listing, tmp_path / "out")
    assert not (tmp_path / "out/index.json").exists()


def test_open_records_reads_what_was_written(images):
    prepare(images, images / "out", "--processes=2")
    assert len(open_records(images / "out").pairs) == 20


def kill_itself(shard):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_the_system_kills_stops_the_run_with_a_message(images, capsys, monkeypatch):
    monkeypatch.setattr(records, "write_shard", kill_itself)
    assert prepare(images, images / "out", "--processes=2") == 1
    said = capsys.readouterr().err
    assert "a worker process was killed, as a system does when memory runs out; give fewer" in said
    assert "finished shards are kept, the same command goes on from them" in said
    monkeypatch.undo()
    assert prepare(images, images / "out", "--processes=2") == 0


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("what", ["read_mask", "decode_picture"])
def test_a_picture_lost_to_lack_of_memory_ends_the_run_and_is_named(images, capsys, monkeypatch, processes, what):
    """Found = kept + skipped would hold, and the set would look whole: it must not."""
    real = getattr({"read_mask": masks, "decode_picture": examples}[what], what)

    def lack(first, *arguments, **others):
        if "07" in Path(str(arguments[0] if what == "decode_picture" else first)).name:  # not in that of a folder
            raise MemoryError
        return real(first, *arguments, **others)

    photo(images / "images/07.jpg", exif=turned(3))  # so that its pixels are decoded, and not its bytes copied
    monkeypatch.setattr({"read_mask": masks, "decode_picture": examples}[what], what, lack)
    assert prepare(images, images / "out", f"--processes={processes}") == 1
    said = capsys.readouterr().err
    assert f"error: memory ran out: {images}/images/07.jpg: needs more memory than there is now; give fewer" in said
    assert not (images / "out/index.json").exists()
    monkeypatch.undo()
    assert prepare(images, images / "out", f"--processes={processes}") == 0
    assert index_of(images / "out")["report"]["kept"] == 20


def test_without_shared_memory_the_message_names_it_and_not_the_output(images, capsys, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(multiprocessing.synchronize._multiprocessing, "SemLock", refuse)
    assert prepare(images, images / "out", "--processes=2") == 1
    said = capsys.readouterr().err
    assert "error: --processes=2: worker processes cannot be started (Permission denied); they need a /dev/shm" in said
    assert "--output" not in said
    assert prepare(images, images / "out", "--processes=1") == 0
