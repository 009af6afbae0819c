"""Shards answered by a stand-in for the child, in this process; `tests/test_predict_beam.py` has whole pipelines."""

import functools
import json
import pickle
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from gsr_tf.answers import answering, many, shards
from gsr_tf.answers.child import Ended
from gsr_tf.answers.inputs import find
from gsr_tf.answers.many import Asked
from gsr_tf.data import on_beam
from gsr_tf.inference.segmentation import segmentation

SETTINGS = {"detector": "red", "threshold": 0.5}


def segment(pixels):
    return segmentation(pixels[..., 0] / np.float32(255))


def load():
    return segment, dict(SETTINGS)


MAKE = pickle.dumps(functools.partial(many._loaded, Asked(load, npz=False, max_pixels=10**6)))


@pytest.fixture
def folder(tmp_path):
    """Five pictures and a file that is none; the number of a picture is its red."""
    (tmp_path / "in").mkdir()
    for number in range(5):
        pixels = np.full([20, 30, 3], number, np.uint8)
        Image.fromarray(pixels).save(tmp_path / "in" / f"{number}.png")
    (tmp_path / "in" / "bad.png").write_bytes(b"no picture")
    return tmp_path


@pytest.fixture
def seen(monkeypatch):
    """The pictures that the network saw, by their red; 0 ends the child the first time, 9 each time."""
    seen = []

    def watched(pixels):
        seen.append(int(pixels[0, 0, 0]))
        return segment(pixels)

    child = many._loaded(Asked(lambda: (watched, dict(SETTINGS)), npz=False, max_pixels=10**6))
    monkeypatch.setattr(many, "child_of", lambda make: child)
    return seen


def shard_of(folder):
    (shard,) = shards.lay_out(find(str(folder / "in"), folder / "out"), folder / "out", 1)
    return shard


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def answers(shard):
    return {line["file"]: line for line in lines(shard.output / shard.answers)}


def test_a_shard_leaves_answers_dead_letters_and_a_note(folder, seen):
    shard = shard_of(folder)
    many.answer_shard(shard, MAKE)
    assert sorted(seen) == [0, 1, 2, 3, 4]
    found = lines(shard.output / shard.answers)
    assert [line["file"] for line in found] == [f"{number}.png" for number in range(5)]
    assert found[3]["score"] == round(3 / 255, 6) and found[3]["settings"] == SETTINGS
    assert np.asarray(Image.open(folder / "out" / "3_map.png"))[0, 0] == 3 * 257
    (dead,) = lines(shard.dead_letters)
    assert dead["path"] == str(folder / "in" / "bad.png") and "not a picture" in dead["reason"]
    assert json.loads(shard.note.read_bytes()) == {"pictures": 6, "skipped": 1}
    assert not (folder / "out" / ".previews").exists()


def test_a_shard_is_finished_when_its_dead_letters_are_written(folder, seen, monkeypatch):
    def fail(shard, errors):
        raise OSError("no space left")

    monkeypatch.setattr(many, "_write_dead_letters", fail)
    shard = shard_of(folder)
    with pytest.raises(OSError, match="no space left"):
        many.answer_shard(shard, MAKE)
    assert not shard.note.exists()


def test_dead_letters_are_in_the_order_of_names(folder, monkeypatch):
    errors = [{"name": name, "path": f"/in/{name}.png", "error": "no picture"} for name in "cab"]
    monkeypatch.setattr(many, "child_of", lambda make: lambda shard, sources: (errors, Counter()))
    shard = shard_of(folder)
    many.answer_shard(shard, MAKE)
    assert [line["name"] for line in lines(shard.dead_letters)] == ["a", "b", "c"]


@pytest.mark.parametrize(("seconds", "said"), [(-1, ["6"]), (60, [])])
def test_a_shard_says_now_and_then_how_many_were_asked_those_of_before_among_them(
    folder, seen, monkeypatch, seconds, said
):
    monkeypatch.setattr(many.on_beam, "LOOK_SECONDS", seconds)
    shard = shard_of(folder)
    many.answer_shard(shard, MAKE)
    many.child_of(MAKE)(shard, shard.sources())  # five have an answer, one is asked again
    assert [path.read_text() for path in shard.note.parent.glob(shard.begun.name)] == said


def test_a_shard_that_is_started_twice_leaves_one_answer_a_picture(folder, seen):
    shard = shard_of(folder)
    many.answer_shard(shard, MAKE)
    once = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in shard.output.glob("*") if path.is_file()}
    many.answer_shard(shard, MAKE)  # after its end: the note says so
    shard.note.unlink()  # its worker was lost before it was put down
    many.answer_shard(shard, MAKE)
    assert len(seen) == 5
    assert len(lines(shard.output / shard.answers)) == 5 and len(lines(shard.dead_letters)) == 1
    again = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in once}
    assert [again[path] for path in once if path.suffix in (".png", ".jpg")] == [
        once[path] for path in once if path.suffix in (".png", ".jpg")
    ]
    assert json.loads(shard.note.read_bytes()) == {"pictures": 6, "skipped": 1, "earlier": 5}


def test_a_shard_goes_on_where_a_lost_worker_left_it(folder, seen):
    shard = shard_of(folder)
    many.answer_shard(shard, MAKE)
    journal = shard.output / shard.answers
    kept = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(kept[:3]) + kept[3][:20])  # the fourth line torn
    shard = shard_of(folder)  # another call
    many.answer_shard(shard, MAKE)
    assert sorted(seen[5:]) == [3, 4]
    assert [line["file"] for line in lines(journal)] == [f"{number}.png" for number in range(5)]


def test_what_was_mended_is_no_dead_letter_and_what_broke_is_no_answer(folder, seen):
    many.answer_shard(shard_of(folder), MAKE)
    Image.fromarray(np.full([20, 30, 3], 77, np.uint8)).save(folder / "in" / "bad.png")
    (folder / "in" / "2.png").write_bytes(b"broken")
    shard = shard_of(folder)
    many.answer_shard(shard, MAKE)
    assert seen[5:] == [77]
    assert set(answers(shard)) == {"0.png", "1.png", "3.png", "4.png", "bad.png"}
    assert [line["name"] for line in lines(shard.dead_letters)] == ["2"]
    (folder / "in" / "2.png").unlink()
    shard = shard_of(folder)
    many.answer_shard(shard, MAKE)
    assert not shard.dead_letters.exists()


def test_names_that_got_twins_leave_no_second_answers(folder, seen):
    def answered():
        for shard in shards.lay_out(find(str(folder / "in"), folder / "out"), folder / "out", 20):
            many.answer_shard(shard, MAKE)
        return sorted(line["name"] for path in (folder / "out").glob("answers-*") for line in lines(path))

    assert answered() == ["0", "1", "2", "3", "4"]
    for number in range(5):
        Image.open(folder / "in" / f"{number}.png").save(folder / "in" / f"{number}.jpg")
    assert answered() == [f"{number}.{suffix}" for number in range(5) for suffix in ("jpg", "png")]


def test_a_picture_over_which_a_process_ends_twice_is_a_dead_letter(folder, monkeypatch):
    child = many._loaded(Asked(load, npz=False, max_pixels=10**6))

    def ending(shard, sources):
        if any(source.file == "2.png" for source in sources):
            child(shard, sources[:2])  # what was done before it ended
            raise Ended("its process ended (SIGKILL)")
        return child(shard, sources)

    monkeypatch.setattr(many, "child_of", lambda make: ending)
    shard = shard_of(folder)
    (folder / "out" / "2_map.png").touch()  # of an earlier state of the picture
    many.answer_shard(shard, MAKE)
    assert set(answers(shard)) == {"0.png", "1.png", "3.png", "4.png"}
    assert not list((folder / "out").glob("2*"))
    dead = {line["name"]: line["reason"] for line in lines(shard.dead_letters)}
    assert dead["2"] == many.ENDED and set(dead) == {"2", "bad"}


def test_where_the_model_itself_ends_processes_no_picture_is_blamed(folder, monkeypatch):
    def ending(shard, sources):
        raise Ended("its process ended (SIGKILL)")

    monkeypatch.setattr(many, "child_of", lambda make: ending)
    shard = shard_of(folder)
    with pytest.raises(Ended):
        many.answer_shard(shard, MAKE)
    assert not shard.dead_letters.exists() and not shard.note.exists()


def test_on_a_gpu_pictures_of_like_sizes_follow_each_other(folder, seen, monkeypatch):
    for number, (height, width) in enumerate([(40, 60), (30, 20), (20, 30), (60, 40), (40, 60)]):
        pixels = np.full([height, width, 3], 100 + number, np.uint8)
        Image.fromarray(pixels).save(folder / "in" / f"{number}.png")
    monkeypatch.setattr(answering, "WORKERS", 1)  # so that the network sees them in their order
    monkeypatch.setattr(many, "gpus", lambda: ["GPU:0"])
    many.answer_shard(shard_of(folder), MAKE)
    assert seen == [101, 103, 102, 100, 104]


def test_a_picture_whose_size_needs_too_much_memory_is_asked_all_the_same(folder, monkeypatch):
    def lack(*_):
        raise MemoryError

    given = find(str(folder / "in"), folder / "out")
    monkeypatch.setattr(many, "open_file", lack)
    assert many.alike(given) == given


def test_a_shard_that_no_worker_answered_is_no_end(folder, monkeypatch):
    monkeypatch.setattr(on_beam, "run", lambda *_: None)
    output, asked = folder / "out", Asked(load, npz=False, max_pixels=10**6)
    given = find(str(folder / "in"), output)
    with pytest.raises(on_beam.BeamError, match=f"AnyRunner pipeline left no {output}.*00001.done: do all workers"):
        many.answer(given, output, asked, 1, "AnyRunner", [])
