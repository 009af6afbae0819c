"""The predict command on pictures whose right answer is known: a stand-in detector takes red for the probability."""

import ast
import csv
import io
import json
import os
import shutil
import signal
import threading
import time
import traceback
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from gsr_tf import predict, predict_beam
from gsr_tf.answers import answering, files, inputs
from gsr_tf.answers.answering import Answering, Defect
from gsr_tf.answers.results import Results
from gsr_tf.comparators import sources
from gsr_tf.data.example import Example
from gsr_tf.data.pictures import encode_png
from gsr_tf.inference import device
from gsr_tf.inference.detector import Detector
from gsr_tf.inference.segmentation import Segmentation, segmentation
from tests.damage import damaged_pictures
from tests.files import change_places, damage_record
from tests.tiny import authentic, write_records

ROOT = Path(predict.__file__).parents[1]
SETTINGS = {"detector": "red", "threshold": 0.5}
ANSWER = {
    **{"score": 0.5, "flagged": 0.1, "boxes": [[0, 0, 3, 4]], "width": 60, "height": 40, "orientation": 1},
    **{"format": "PNG", "warnings": [], "seconds": {"read": 0.1}},
}


class Red(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)])
    def __call__(self, picture):
        return {"probability": tf.cast(picture[..., :1], tf.float32) / 255.0}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "red"
    module = Red()
    tf.saved_model.save(module, str(folder), signatures=module.__call__)
    return folder


def picture(seed=0, shape=(40, 60)):
    """Dark noise, and a red rectangle of 12 x 20 pixels at top 4, left 30."""
    pixels = np.random.default_rng(seed).integers(0, 100, (*shape, 3), dtype=np.uint8)
    pixels[4:16, 30:50, 0] = 230
    return pixels


def save(path, pixels=None, **settings):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture() if pixels is None else pixels).save(path, **settings)
    return path


def run(model, output, *more):
    return predict.main(["predict", f"--saved_model={model}", f"--output={output}", *more])


def records(output):
    """{file: record}, one line each."""
    lines = [json.loads(line) for line in (output / "results.jsonl").read_text().splitlines()]
    assert len({line["file"] for line in lines}) == len(lines)
    return {line["file"]: line for line in lines}


def table(output):
    """The files of results.csv, in order."""
    with (output / "results.csv").open(newline="") as file:
        return [row["file"] for row in csv.DictReader(file)]


def modified(output):
    return {path: path.stat().st_mtime_ns for path in output.rglob("*_map.png")}


@pytest.mark.parametrize(
    ("command", "asked"), [(predict, "--resolution=tile"), (predict, "--scales=1,2"), (predict_beam, "--scales=1,2")]
)
def test_what_a_model_cannot_do_is_no_fault_of_pictures_and_costs_no_answer(model, tmp_path, capsys, command, asked):
    line = ["predict", f"--saved_model={model}", str(save(tmp_path / "a.png")), f"--output={tmp_path / 'out'}"]
    assert command.main(line) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").glob("a_*")}
    assert command.main([*line, asked]) == 1
    assert "error: this model can only see a whole picture at scale 1" in capsys.readouterr().err
    assert len(before) == 3 and before == {path: path.read_bytes() for path in (tmp_path / "out").glob("a_*")}


def test_what_is_written_for_a_picture(model, tmp_path):
    save(tmp_path / "in" / "deep" / "a.png")
    assert run(model, tmp_path / "out", f"--input={tmp_path / 'in'}", "--npz") == 0
    found = segmentation(np.float32(picture()[..., 0] / 255))
    answer = tmp_path / "out" / "deep"
    np.testing.assert_array_equal(np.asarray(Image.open(answer / "a_map.png")), picture()[..., 0] * np.uint16(257))
    np.testing.assert_array_equal(np.asarray(Image.open(answer / "a_mask.png")), found.mask * np.uint8(255))
    assert Image.open(answer / "a_overlay.jpg").size == (60, 40)
    with np.load(answer / "a.npz") as arrays:
        np.testing.assert_allclose(arrays["map"], found.map, atol=1e-7)
        np.testing.assert_array_equal(arrays["mask"], found.mask)
        assert float(arrays["score"]) == pytest.approx(230 / 255)

    record = records(tmp_path / "out")["deep/a.png"]
    assert record["score"] == pytest.approx(230 / 255, abs=1e-6)
    assert record["boxes"] == [[28, 2, 24, 16]]  # dilated by two pixels
    assert record["flagged"] == pytest.approx(24 * 16 / 2400)
    assert (record["width"], record["height"], record["orientation"], record["format"]) == (60, 40, 1, "PNG")
    assert set(record["seconds"]) == {"read", "segment", "write"}
    with (tmp_path / "out" / "results.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["file"], row["boxes"], row["regions"], row["detector"]) == ("deep/a.png", "28 2 24 16", "1", "red")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_maps_lie_over_the_file_and_turn_with_it(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "a.png", exif=exif)
    seen = []

    def segment(pixels):  # red, and brighter from top to bottom of what it sees
        seen.append(pixels)
        ramp = np.linspace(0, 0.3, len(pixels), dtype=np.float32)[:, np.newaxis]
        return segmentation(pixels[..., 0] / np.float32(400) + ramp, threshold=0.55)

    (source,) = inputs.find(str(path), tmp_path / "out")
    record = Answering(segment, SETTINGS, tmp_path / "out").answer(source)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    np.testing.assert_array_equal(seen[0], upright)
    answered = segment(upright)

    drawn = Image.open(tmp_path / "out" / "a_map.png")
    assert drawn.size == (60, 40)
    assert drawn.getexif().get(0x0112, 1) == orientation
    shown = np.asarray(ImageOps.exif_transpose(drawn))
    np.testing.assert_array_equal(shown, np.rint(answered.map * np.float32(65535)))
    mask = np.asarray(Image.open(tmp_path / "out" / "a_mask.png"))
    left, top, width, height = record["boxes"][0]
    assert mask[top : top + height, left : left + width].any()
    mask = mask.copy()
    for left, top, width, height in record["boxes"]:
        mask[top : top + height, left : left + width] = 0
    assert not mask.any()
    assert Image.open(tmp_path / "out" / "a_overlay.jpg").size == upright.shape[1::-1]
    assert (record["orientation"], record["width"], record["height"]) == (orientation, 60, 40)


def test_what_was_odd_of_a_picture_is_put_down(tmp_path, monkeypatch):
    decode = answering.decode_picture
    monkeypatch.setattr(
        answering, "decode_picture", lambda *given, **how: decode(*given, **how)._replace(notes=("odd", "and old"))
    )
    (source,) = inputs.find(str(save(tmp_path / "a.png")), tmp_path / "out")
    answer = Answering(lambda pixels: segmentation(pixels[..., 0] / np.float32(255)), SETTINGS, tmp_path / "out").answer
    assert answer(source)["warnings"] == ["odd", "and old"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_of_records_are_seen_as_evaluate_sees_them(tmp_path, monkeypatch, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = save(tmp_path / "a.jpg", exif=exif).read_bytes()
    source = inputs.Source("a.jpg", "a", tmp_path / "index.json", 0)
    example = Example("a.jpg", data, [], b"")
    seen = []

    def segment(pixels):
        seen.append(pixels)
        return segmentation(pixels[..., 0] / np.float32(400))

    monkeypatch.setattr(inputs, "_opened", lambda folder: SimpleNamespace(example=lambda number: example))
    record = Answering(segment, SETTINGS, tmp_path / "out").answer(source)
    np.testing.assert_array_equal(seen[0], example.read_picture())
    drawn = Image.open(tmp_path / "out" / "a_map.png")
    assert drawn.getexif().get(0x0112, 1) == record["orientation"] == 1
    np.testing.assert_array_equal(np.asarray(drawn), np.rint(segment(seen[0]).map * np.float32(65535)))
    assert Image.open(tmp_path / "out" / "a_overlay.jpg").size == drawn.size == (60, 40)


def test_answers_for_records_that_were_turned_are_made_again(tmp_path, capsys):
    write_records(tmp_path / "records", authentic()[:2])
    arguments = [
        "predict",
        "--method=all-positive",
        f"--records={tmp_path / 'records'}",
        f"--output={tmp_path / 'out'}",
    ]
    assert predict.main(arguments) == predict.main(arguments) == 0
    assert "(2 of them earlier)" in capsys.readouterr().out
    journal = tmp_path / "out" / "results.jsonl"
    old = [json.loads(line) for line in journal.read_text().splitlines()]
    for line in old:  # as an earlier version put them down
        del line["stamp"]["as_stored"]
    journal.write_text("".join(f"{json.dumps(line)}\n" for line in old))
    assert predict.main(arguments) == 0
    assert "2 of 2 pictures: changed since it was answered; answering again" in capsys.readouterr().err


def test_a_damaged_record_is_skipped_by_its_own_name(tmp_path, capsys):
    folder = write_records(tmp_path / "records", authentic()[:2]).path
    damage_record(folder, "tile 1")
    output = tmp_path / "out"
    assert predict.main(["predict", "--method=all-positive", f"--records={folder}", f"--output={output}"]) == 3
    assert f"skipped {folder}: tile 1: damaged since its preparation" in capsys.readouterr().err
    assert records(output)["tile 1"]["error"].startswith("damaged since its preparation")


def test_nothing_is_done_twice_and_what_changed_is_done_again(model, tmp_path, capsys):
    pictures, output = tmp_path / "in", tmp_path / "out"
    for name in ("a.png", "b.png", "c.png"):
        save(pictures / name)
    arguments = [model, output, f"--input={pictures}"]
    assert run(*arguments) == 0
    first = modified(output)
    assert run(*arguments) == 0
    assert "3 of 3 pictures answered (3 of them earlier), 0 skipped" in capsys.readouterr().out
    assert modified(output) == first

    save(pictures / "a.png", picture(1, (50, 70)))
    (output / "b_mask.png").unlink()
    save(pictures / "d.png")
    assert run(*arguments) == 0
    said = capsys.readouterr()
    assert "(1 of them earlier)" in said.out
    assert "1 of 4 pictures: changed since it was answered; answering again" in said.err
    assert "1 of 4 pictures: some of its files missing; answering again" in said.err
    assert {path.name for path, when in modified(output).items() if first.get(path) == when} == {"c_map.png"}
    assert records(output)["a.png"]["width"] == 70

    assert run(*arguments, "--npz") == 0
    assert len(list(output.glob("*.npz"))) == 4
    capsys.readouterr()
    assert run(*arguments, "--threshold=0.95") == 0
    assert "4 of 4 pictures: answered with other settings; answering again" in capsys.readouterr().err
    assert {record["flagged"] for record in records(output).values()} == {0.0}
    assert not list(output.glob("*.npz"))  # of the earlier threshold


@pytest.mark.parametrize("change", [change_places, shutil.copy2])
def test_another_picture_of_the_same_size_and_time_is_another(model, tmp_path, change):
    pictures = tmp_path / "in"
    for number, name in enumerate(("a.bmp", "b.bmp")):
        save(pictures / name, picture(number))
        os.utime(pictures / name, (10**9, 10**9))
    assert run(model, tmp_path / "out", f"--input={pictures}") == 0
    change(pictures / "a.bmp", pictures / "b.bmp")
    assert run(model, tmp_path / "out", f"--input={pictures}") == 0
    for name in ("a", "b"):
        red = np.asarray(Image.open(pictures / f"{name}.bmp"))[..., 0]
        np.testing.assert_array_equal(
            np.asarray(Image.open(tmp_path / "out" / f"{name}_map.png")), red * np.uint16(257)
        )


def test_a_picture_that_cannot_be_read_any_more_keeps_no_answer(model, tmp_path):
    pictures, output = tmp_path / "in", tmp_path / "out"
    for name in ("a.png", "b.png"):
        save(pictures / name)
    arguments = [model, output, f"--input={pictures}", "--npz"]
    assert run(*arguments) == 0
    (pictures / "a.png").write_bytes((pictures / "a.png").read_bytes()[:-40])
    assert run(*arguments) == 3
    assert "error" in records(output)["a.png"]
    of_b = {"b.jpg", *(f"b{ending}" for ending in files.endings(npz=True))}

    def left():
        return {path.name for path in output.rglob("*") if path.name.startswith(("a", "b"))}

    assert left() == of_b
    (tmp_path / "list").write_text(f"{pictures / 'b.png'}\n")
    pictures.rename(tmp_path / "unmounted")
    assert run(model, output, f"--list={tmp_path / 'list'}", "--npz") == 3
    assert left() == of_b  # a picture that is not there now keeps its answer


def test_another_model_under_the_same_name_is_another(model, tmp_path, capsys):
    class Green(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)])
        def __call__(self, image):
            return {"probability": tf.cast(image[..., 1:2], tf.float32) / 255.0}

    green = Green()
    tf.saved_model.save(green, str(tmp_path / "other" / "red"), signatures=green.__call__)
    save(tmp_path / "a.png")
    arguments = [tmp_path / "out", f"--input={tmp_path / 'a.png'}"]
    assert run(model, *arguments) == 0
    assert run(tmp_path / "other" / "red", *arguments) == 0
    assert "answered with other settings" in capsys.readouterr().err
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / "a_map.png")) // 257, picture()[..., 1])


def test_answers_in_another_precision_are_made_again(model, tmp_path, capsys, monkeypatch):
    arguments = [model, tmp_path / "out", f"--input={save(tmp_path / 'a.png')}"]
    assert run(*arguments) == 0
    assert "precision" not in records(tmp_path / "out")["a.png"]["settings"]
    monkeypatch.setattr(device, "chosen_precision", lambda: "bfloat16")
    assert run(*arguments) == 0
    assert "answered with other settings" in capsys.readouterr().err
    assert records(tmp_path / "out")["a.png"]["settings"]["precision"] == "bfloat16"
    assert "precision bfloat16" in (tmp_path / "out" / "index.html").read_text()


def test_a_torn_last_line_is_taken_off(model, tmp_path):
    pictures, output = tmp_path / "in", tmp_path / "out"
    for name in ("a.png", "b.png"):
        save(pictures / name)
    assert run(model, output, f"--input={pictures}") == 0
    journal = output / "results.jsonl"
    journal.write_bytes(b'of another hand\n[1]\n{"name": "a"}\n' + journal.read_bytes()[:-40])
    first = modified(output)
    assert run(model, output, f"--input={pictures}") == 0
    assert set(records(output)) == {"a.png", "b.png"}
    assert {path.name for path, when in modified(output).items() if when != first[path]} == {"b_map.png"}


def test_a_line_after_a_torn_one_is_whole(tmp_path):
    record = {"name": "a", "file": "a.png", "path": "a.png", "settings": SETTINGS, "stamp": {}, "error": "none"}
    Results(tmp_path).add(record)
    with (tmp_path / "results.jsonl").open("ab") as file:
        file.write(b'{"name": "b", "fi')
    Results(tmp_path).add({**record, "name": "c"})
    assert set(Results(tmp_path).records) == {"a", "c"}


def test_a_line_that_lacks_something_is_answered_again(model, tmp_path):
    save(tmp_path / "a.png")
    arguments = [tmp_path / "out", f"--input={tmp_path / 'a.png'}"]
    assert run(model, *arguments) == 0
    first = records(tmp_path / "out")
    journal = tmp_path / "out" / "results.jsonl"
    for lacking in ("boxes", "score", "seconds"):
        journal.write_text(
            json.dumps({name: value for name, value in first["a.png"].items() if name != lacking}) + "\n"
        )
        assert run(model, *arguments) == 0
        assert records(tmp_path / "out")["a.png"]["boxes"] == first["a.png"]["boxes"]
        assert table(tmp_path / "out") == ["a.png"]


@pytest.mark.parametrize("name", ["../own/model", "/own/model", "deep/../../own/model", "\0", "\ud800", ["x"], None])
def test_a_line_that_names_what_is_not_in_the_folder_removes_nothing(tmp_path, name):
    """It is as one of a picture that is called otherwise now, whose earlier files go."""
    output, own = tmp_path / "out", tmp_path / "own/model.npz"
    own.parent.mkdir()
    own.touch()
    record = {"name": "a", "file": "a.png", "path": "/in/a.png", "settings": SETTINGS, "stamp": {}, **ANSWER}
    if name == "/own/model":
        name = str(own.with_suffix(""))
    Results(output).add(record)
    with (output / "results.jsonl").open("a") as file:
        file.write(json.dumps({**record, "name": name}) + "\n")
    results = Results(output)
    assert results.finish(["a"]) == [record]
    assert results.records == {"a": record}
    assert own.exists()


def test_a_link_in_the_folder_leads_nobody_to_remove_what_is_elsewhere(tmp_path):
    output, own = tmp_path / "out", tmp_path / "own/photo.npz"
    own.parent.mkdir()
    own.touch()
    record = {"name": "a", "file": "a.png", "path": "/in/a.png", "settings": SETTINGS, "stamp": {}, **ANSWER}
    Results(output).add(record)
    (output / "sub").symlink_to(own.parent)
    Results(output).add({**record, "name": "sub/photo"})
    assert Results(output).finish(["a"]) == [record]
    assert own.exists()


@pytest.mark.parametrize(
    "changed",
    [
        *({"width": "<img src=x>"}, {"score": 10**400}, {"flagged": "0"}, {"boxes": [1]}, {"warnings": [1]}),
        *({"file": 1}, {"settings": []}, {"settings": {**SETTINGS, "scales": [[1]]}}, {"error": 1}, {"stamp": None}),
        *({"settings": {**SETTINGS, "scales": 1}}, {"settings": {**SETTINGS, "resolution": []}}),
        *({"settings": {"detector": 1, "threshold": 0.5}}, {"format": "\ud800"}),
    ],
)
def test_a_line_of_another_form_is_not_shown(tmp_path, changed):
    record = {"name": "a", "file": "a.png", "path": "/in/a.png", "settings": SETTINGS, "stamp": {}, **ANSWER}
    Results(tmp_path).add({**record, "name": "b"})
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write(json.dumps({**record, **changed}) + "\n" + "[" * 100_000 + "\n")
    results = Results(tmp_path)
    assert [one["name"] for one in results.finish(["a", "b"])] == ["b"]


def test_results_of_other_pictures_stay(model, tmp_path):
    for name in ("a.png", "b.png"):
        save(tmp_path / name)
        assert run(model, tmp_path / "out", f"--input={tmp_path / name}") == 0
    assert set(records(tmp_path / "out")) == {"a.png", "b.png"}
    assert table(tmp_path / "out") == ["b.png"]


def test_a_row_is_a_picture_of_this_calls_input(model, tmp_path):
    """Twins of a name come and a picture goes: nothing is there twice, and nothing that is gone."""
    pictures, output = tmp_path / "in", tmp_path / "out"
    for name in ("a.png", "b.png"):
        save(pictures / name)
    assert run(model, output, f"--input={pictures}") == 0
    save(pictures / "a.bmp")
    (pictures / "b.png").unlink()
    assert run(model, output, f"--input={pictures}") == 0
    assert table(output) == ["a.bmp", "a.png"]
    assert set(records(output)) == {"a.bmp", "a.png", "b.png"}
    assert (output / "index.html").read_text().count("<article") == 2
    maps = {path.name for path in output.glob("*_map.png")}
    assert maps == {"a.bmp_map.png", "a.png_map.png", "b_map.png"}  # none of what a.png was called before


def test_what_cannot_be_answered_is_named_and_the_rest_is_done(model, tmp_path, capsys):
    save(tmp_path / "good.png")
    (tmp_path / "bad.jpg").write_text("words")
    (tmp_path / "names.txt").write_text(f"{tmp_path}/gone.png\n{tmp_path}/bad.jpg\n{tmp_path}/good.png\n")
    output = tmp_path / "out"
    assert run(model, output, f"--list={tmp_path / 'names.txt'}", "--max_megapixels=0.01") == predict.SOME_SKIPPED
    said = capsys.readouterr()
    assert f"skipped {tmp_path}/gone.png: cannot be read (No such file or directory)" in said.err
    assert f"skipped {tmp_path}/bad.jpg: not a picture" in said.err
    assert "1 of 3 pictures answered, 2 skipped" in said.out
    below = str(tmp_path).lstrip("/")
    found = records(output)
    assert found[f"{below}/bad.jpg"]["error"].startswith("not a picture in a format that is read")
    assert "score" in found[f"{below}/good.png"]
    assert "2 could not be answered" in (output / "index.html").read_text()
    assert run(model, output, f"--list={tmp_path / 'names.txt'}", "--max_megapixels=0.001", "--threshold=0.1") == 3
    assert (
        "good.png: 60x40 pixels, more than the limit of 1,000, which --max_megapixels sets\n" in capsys.readouterr().err
    )


def test_a_picture_too_large_for_the_memory_does_not_end_the_run(tmp_path):
    save(tmp_path / "a.png")
    save(tmp_path / "b.png", picture(1, (30, 30)))

    def segment(pixels):
        if len(pixels) == 40:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")
        return segmentation(np.zeros(pixels.shape[:2], np.float32))

    found = {
        r["file"]: r
        for r in Answering(segment, SETTINGS, tmp_path / "out").answer_all(inputs.find(str(tmp_path), tmp_path / "out"))
    }
    assert found["a.png"]["error"] == "needs more memory than there is now"
    assert found["b.png"]["score"] == 0


def test_a_picture_that_a_method_cannot_work_on_is_skipped_with_its_words(tmp_path, capsys):
    save(tmp_path / "small.png", picture(shape=(15, 60)))
    save(tmp_path / "good.png")
    arguments = ["--method=noi", f"--input={tmp_path}", f"--output={tmp_path / 'out'}"]
    assert predict.main(["predict", *arguments]) == predict.SOME_SKIPPED
    assert records(tmp_path / "out")["small.png"]["error"] == "60x15 pixels; noi needs at least 16 on each side"


def test_answers_of_a_method_as_it_was_before_are_made_again(tmp_path, capsys, monkeypatch):
    save(tmp_path / "a.png")
    command = ["predict", "--method=noi", f"--input={tmp_path / 'a.png'}", f"--output={tmp_path / 'out'}"]
    assert predict.main(command) == 0
    assert predict.main(command) == 0
    assert "answering again" not in capsys.readouterr().err
    room = tmp_path / "comparators"  # a method may be a folder
    shutil.copytree(sources.ROOM, room, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(sources, "ROOM", room)
    assert predict.main(command) == 0
    (room / "mfcn/network.py").write_text("")  # a method that is trained: not noi's code
    assert predict.main(command) == 0
    assert "answering again" not in capsys.readouterr().err
    (room / "ghost").mkdir()
    (room / "ghost/ghost.py").write_text("")
    assert predict.main(command) == 0
    assert "1 of 1 pictures: answered with other settings; answering again" in capsys.readouterr().err


def test_a_defect_keeps_its_traceback_and_ends_the_run(model, tmp_path, monkeypatch):
    """Of six pictures 1 fails while 0 and 2 are at work: these are written, the others are not begun."""
    for number in range(6):
        save(tmp_path / "in" / f"{number}.png", np.full((10, 10, 3), number, np.uint8))
    at_work = threading.Barrier(answering.WORKERS)
    failed, begun = threading.Event(), []

    def segment(detector, pixels, **_):
        begun.append(int(pixels[0, 0, 0]))
        at_work.wait(10)
        if pixels[0, 0, 0] == 1:
            failed.set()
            return [][pixels[0, 0, 0]]
        assert failed.wait(10)
        time.sleep(0.3)
        return segmentation(pixels[..., 0] / np.float32(255))

    arguments = [model, tmp_path / "out", f"--input={tmp_path / 'in'}"]
    with monkeypatch.context() as patch:
        patch.setattr(Detector, "segment", segment)
        with pytest.raises(Defect, match="in/1.png: an unexpected error") as caught:
            run(*arguments)
    assert sorted(begun) == [0, 1, 2]
    assert isinstance(caught.value.__cause__, IndexError)
    assert "return [][pixels[0, 0, 0]]" in "".join(traceback.format_exception(caught.value))
    assert set(records(tmp_path / "out")) == {"0.png", "2.png"}
    assert (tmp_path / "out" / "index.html").read_text().count("<article") == 2
    assert {path.name for path in (tmp_path / "out").glob("*_map.png")} == {"0_map.png", "2_map.png"}
    assert run(*arguments) == 0
    assert len(records(tmp_path / "out")) == 6


def test_a_name_too_long_for_its_answers(model, tmp_path):
    save(tmp_path / f"{'x' * 250}.png")
    save(tmp_path / "a.png")
    assert run(model, tmp_path / "out", f"--input={tmp_path}") == predict.SOME_SKIPPED
    found = records(tmp_path / "out")
    assert "name is too long" in found[f"{'x' * 250}.png"]["error"] and "score" in found["a.png"]


def test_a_name_too_long_for_one_of_its_answers_leaves_none_of_them(model, tmp_path):
    aside = f"._map.png.{os.getpid()}.{'0' * 8}.tmp"  # the overlay's is longer
    name = "x" * (os.pathconf(tmp_path, "PC_NAME_MAX") - len(aside))
    save(tmp_path / f"{name}.png")
    assert run(model, tmp_path / "out", f"--input={tmp_path}") == predict.SOME_SKIPPED
    assert "name is too long" in records(tmp_path / "out")[f"{name}.png"]["error"]
    assert not list((tmp_path / "out").rglob("x*"))


def test_a_picture_on_standard_input(model, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(encode_png(picture()))))
    assert run(model, tmp_path, "--input=-") == 0
    np.testing.assert_array_equal(
        np.asarray(Image.open(tmp_path / "stdin_map.png")), picture()[..., 0] * np.uint16(257)
    )


def test_a_name_of_any_bytes(model, tmp_path):
    (tmp_path / "in").mkdir()
    name = os.fsencode(tmp_path / "in") + b"/\xff<b>&'\".png"
    with open(name, "wb") as file:
        file.write(encode_png(picture()))
    assert run(model, tmp_path / "out", f"--input={tmp_path / 'in'}") == 0
    assert b"\xff<b>" in (tmp_path / "out" / "results.csv").read_bytes()
    page = (tmp_path / "out" / "index.html").read_text()
    assert "?&lt;b&gt;&amp;&#x27;&quot;.png" in page and "%FF%3Cb%3E" in page and "<b>" not in page


def test_pictures_do_not_depend_on_each_other(model, tmp_path):
    for number in range(6):
        save(tmp_path / "in" / f"{number}.png", picture(number, (30 + 7 * number, 60)))
    assert run(model, tmp_path / "all", f"--input={tmp_path / 'in'}") == 0
    assert run(model, tmp_path / "one", f"--input={tmp_path / 'in' / '3.png'}") == 0
    for ending in ("map.png", "mask.png", "overlay.jpg"):
        assert (tmp_path / "all" / f"3_{ending}").read_bytes() == (tmp_path / "one" / f"3_{ending}").read_bytes()


def test_several_pictures_at_a_time_but_one_large(tmp_path, monkeypatch):
    for number in range(6):
        save(tmp_path / "in" / f"{number}.png", np.zeros((10, 10 if number % 2 else 90, 3), np.uint8))
    monkeypatch.setattr(answering, "LARGE", 500)
    lock, running, most = threading.Lock(), {10: 0, 90: 0}, {10: 0, 90: 0, "all": 0}

    def segment(pixels):
        width = pixels.shape[1]
        with lock:
            running[width] += 1
            most[width] = max(most[width], running[width])
            most["all"] = max(most["all"], sum(running.values()))
        time.sleep(0.05)
        with lock:
            running[width] -= 1
        return segmentation(np.zeros(pixels.shape[:2], np.float32))

    sources = inputs.find(str(tmp_path / "in"), tmp_path / "out")
    assert len(list(Answering(segment, SETTINGS, tmp_path / "out").answer_all(sources))) == 6
    assert most[90] == 1 and 2 <= most["all"] <= answering.WORKERS


def test_on_a_gpu_eight_pictures_are_answered_at_a_time(tmp_path, monkeypatch):
    for number in range(answering.GPU_WORKERS):
        save(tmp_path / "in" / f"{number}.png", np.full((10, 10, 3), number, np.uint8))
    monkeypatch.setattr(answering, "gpus", lambda: ["GPU:0"])
    at_work = threading.Barrier(8, timeout=20)  # broken unless eight are at work

    def segment(pixels):
        at_work.wait()
        return segmentation(np.zeros(pixels.shape[:2], np.float32))

    sources = inputs.find(str(tmp_path / "in"), tmp_path / "out")
    found = list(Answering(segment, SETTINGS, tmp_path / "out").answer_all(sources))
    assert len(found) == 8 and not any("error" in record for record in found)


def test_an_interrupted_run_leaves_everything_in_order_and_goes_on(model, tmp_path, monkeypatch, capsys):
    for number in range(8):
        save(tmp_path / "in" / f"{number}.png")
    add = predict.Results.add

    def interrupted(results, record):
        add(results, record)
        if len(results.records) == 2:
            signal.raise_signal(signal.SIGINT)

    arguments = [model, tmp_path / "out", f"--input={tmp_path / 'in'}"]
    with monkeypatch.context() as patch:
        patch.setattr(predict.Results, "add", interrupted)
        assert run(*arguments) == 130
    assert len(records(tmp_path / "out")) == 2
    assert (tmp_path / "out" / "index.html").read_text().count("<article") == 2
    assert not list((tmp_path / "out").rglob("*.tmp"))
    assert run(*arguments) == 0
    assert "8 of 8 pictures answered (2 of them earlier)" in capsys.readouterr().out
    assert len(records(tmp_path / "out")) == 8


@pytest.mark.filterwarnings("ignore")
def test_damaged_pictures_get_an_answer_or_an_error_each(model, tmp_path):
    names = []
    (tmp_path / "in").mkdir()
    for name, data in damaged_pictures(72, seed=5):
        (tmp_path / "in" / name).write_bytes(data)
        names.append(name)
    assert run(model, tmp_path / "out", f"--input={tmp_path / 'in'}", "--max_megapixels=2") == predict.SOME_SKIPPED
    found = records(tmp_path / "out")
    assert sorted(found) == sorted(names)
    errors = {file: record["error"] for file, record in found.items() if "error" in record}
    assert 24 < len(errors) < 60
    for file, error in errors.items():
        assert error and "\n" not in error and "Error: " not in error, f"{file}: {error}"
        kind = file.split("_", 1)[1].rpartition(".")[0]
        expected = {"empty": "the file is empty", "text": "not a picture", "archive": "not a picture"}
        assert expected.get(kind, "") in error
        if kind in ("tiny_bomb", "true_bomb"):
            assert error == "50000x50000 pixels, more than the limit of 2,000,000, which --max_megapixels sets"
    for kind in ("empty", "text", "archive", "tiny_bomb", "true_bomb"):
        assert sum(f"_{kind}." in file for file in errors) == 4
    for kind in ("wrong_suffix", "looping_tiff", "truncated_exif", "text_bomb"):  # a text is not unpacked
        assert not any(f"_{kind}." in file for file in errors)


def test_the_page_shows_every_picture_and_fetches_nothing(model, tmp_path):
    for number in range(3):
        save(tmp_path / "in" / f"{number} &.png", picture(number) // (number + 1))
    (tmp_path / "in" / "bad.png").write_text("words")
    assert run(model, tmp_path / "out", f"--input={tmp_path / 'in'}") == predict.SOME_SKIPPED
    page = (tmp_path / "out" / "index.html").read_text()
    order = [page.index(f'data-file="{number} &amp;.png"') for number in range(3)]
    assert order == sorted(order)  # the darker, the less suspicious
    assert page.count('src="data:image/jpeg;base64,') == 3
    assert "http" not in page and "<link" not in page and "<script src" not in page
    assert 'href="0%20%26_overlay.jpg"' in page
    assert "bad.png</bdi>: not a picture" in page


def test_answers_copied_without_what_the_page_shows_are_made_again(model, tmp_path, capsys):
    for name in ("a.png", "b.png"):
        save(tmp_path / "in" / name)
    arguments = [model, tmp_path / "out", f"--input={tmp_path / 'in'}"]
    assert run(*arguments) == 0
    (tmp_path / "out" / ".previews" / "b.jpg").unlink()
    first = modified(tmp_path / "out")
    assert run(*arguments) == 0
    assert "1 of 2 pictures: some of its files missing; answering again" in capsys.readouterr().err
    assert {path.name for path, when in modified(tmp_path / "out").items() if first[path] == when} == {"a_map.png"}
    assert (tmp_path / "out" / "index.html").read_text().count('src="data:image/jpeg;base64,') == 2


def test_flags_that_do_not_go_together(tmp_path, capsys):
    for wrong in ([], ["--input=a.png", "--list=b.txt"]):
        assert predict.main(["predict", "--method=noi", f"--output={tmp_path}", *wrong]) == 1
        assert "give one of --input=PICTURES, --list=FILE and --records=DIR" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("--threshold=nan", "--threshold=nan: expected a number"),
        ("--max_megapixels=nan", "--max_megapixels=nan: expected a number"),
        ("--max_megapixels=inf", "--max_megapixels=inf: inf is not a number in the range [0, 1000000000]"),
    ],
)
@pytest.mark.parametrize("command", [predict, predict_beam])
def test_numbers_that_are_none(tmp_path, capsys, command, wrong, message):
    assert command.main(["predict", "--input=a.png", f"--output={tmp_path}", wrong]) == 2
    assert message in capsys.readouterr().err


def test_a_home_folder_is_found_though_the_shell_left_it_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(save(tmp_path / "in" / "a.png").parent)
    (tmp_path / "names.txt").write_text("a.png\n")
    assert predict.main(["predict", "--method=all-positive", "--input=~/in", "--output=~/one"]) == 0
    assert predict.main(["predict", "--method=all-positive", "--list=~/names.txt", "--output=~/two"]) == 0
    assert (tmp_path / "one" / "a_map.png").is_file() and (tmp_path / "two" / "a_map.png").is_file()


def test_a_killed_call_that_put_nothing_down_goes_on(tmp_path, monkeypatch):
    def killed(results, record):
        raise SystemExit  # the picture's files are there, its record is not

    save(tmp_path / "a.png")
    arguments = ["predict", "--method=all-positive", f"--input={tmp_path / 'a.png'}", f"--output={tmp_path / 'out'}"]
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(predict.Results, "add", killed)
        predict.main(arguments)
    assert (tmp_path / "out" / "a_map.png").is_file()
    assert predict.main(arguments) == 0


def test_starting_needs_no_slow_imports():
    """What predict can do without, and takes a second or so to import, is imported where it is used."""

    def imported_at_start(path):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from (name for alias in node.names for name in (node.module, f"{node.module}.{alias.name}"))

    seen, waiting = set(), ["gsr_tf.predict"]
    while waiting:
        name = waiting.pop()
        path = ROOT / f"{name.replace('.', '/')}.py"
        if name not in seen and path.is_file():
            waiting.extend(imported_at_start(path))
        seen.add(name)
    assert {"gsr_tf.inference.postprocessing", "gsr_tf.answers.answering", "cv2"} <= seen
    tops = {name.split(".")[0] for name in seen}
    assert not tops & {"tensorflow", "matplotlib", "skimage", "scipy", "pywt", "sklearn", "pillow_heif"}


def answer_for(mask):
    return Segmentation(mask.astype(np.float32), None, 0.5, mask)


def opened(data):
    return Image.open(io.BytesIO(data))


def test_the_files_of_one_answer():
    found = answer_for(np.zeros((8, 5), bool))
    overlay, small = files.draw(np.zeros((8, 5, 3), np.uint8), found)
    assert set(files.encode(found, 1, npz=False)) == {files.MAP, files.MASK}
    assert opened(overlay).size == (5, 8)
    assert opened(small).size == (10, 8)


def test_the_overlay_of_a_large_picture_is_smaller_than_it(monkeypatch):
    monkeypatch.setattr(files, "OVERLAY_PIXELS", 2_000)
    mask = np.zeros((80, 100), bool)
    mask[40:45, 51:56] = True  # the least that a mask has
    overlay, small = map(opened, files.draw(np.full((80, 100, 3), 90, np.uint8), answer_for(mask)))
    assert (overlay.size, small.size) == ((50, 40), (100, 40))
    levels = np.asarray(overlay).astype(int)
    assert np.abs(levels[20:22, 26:27] - levels[5, 5]).max() > 50


def test_the_mask_of_a_large_picture_is_drawn_over_its_map(monkeypatch):
    drawn = []
    monkeypatch.setattr(files, "OVERLAY_PIXELS", 500)  # a quarter of each side
    monkeypatch.setattr(files, "draw_overlay", lambda picture, *answer: drawn.extend(answer) or picture)
    mask = np.zeros((80, 100), bool)
    mask[41:61, 21:77] = True
    files.draw(np.zeros((80, 100, 3), np.uint8), answer_for(mask))
    np.testing.assert_array_equal(drawn[0] > 0.5, drawn[1])
