"""Whole pipelines, with their own processes: the answers are those of predict, whatever happens to a process."""

import functools
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gsr_tf import predict, predict_beam
from gsr_tf.answers import inputs, many
from gsr_tf.inference.segmentation import segmentation
from tests.started_with_m import handed_to_workers
from tests.test_predict import model as model  # a fixture
from tests.test_predict import picture, save

VARYING = ("seconds", "stamp")


def run(command, given, output, *more):
    return command.main(["beam", f"--output={output}", *given, *more])


def files(output):
    """{name: bytes} of the answers' files."""
    suffixes = (".png", ".jpg", ".npz")
    found = (path for path in output.rglob("*") if path.suffix in suffixes and ".previews" not in path.parts)
    return {str(path.relative_to(output)): path.read_bytes() for path in found}


def lines(output, names):
    return [json.loads(line) for path in sorted(output.glob(names)) for line in path.read_text().splitlines()]


def told(records):
    """What records say, but for times."""
    return {one["name"]: {key: value for key, value in one.items() if key not in VARYING} for one in records}


@pytest.fixture
def pictures(tmp_path):
    for number in range(6):
        save(tmp_path / "in" / f"deep{number % 2}" / f"{number}.png", picture(number, (40, 60 + number)))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    save(tmp_path / "in" / "turned.jpg", picture(7), exif=exif)
    (tmp_path / "in" / "bad.png").write_bytes(b"no picture")
    return tmp_path / "in"


def test_the_answers_are_those_of_predict_to_the_bit(model, pictures, tmp_path, capsys):
    pytest.importorskip("apache_beam", reason="needs gsr_tf[beam]")
    given = [f"--saved_model={model}", f"--input={pictures}", "--npz"]
    assert run(predict, given, tmp_path / "one") == 3
    assert run(predict_beam, given, tmp_path / "many", "--shards=3") == 3
    assert "7 of 8 pictures answered, 1 skipped" in capsys.readouterr().out
    assert files(tmp_path / "many") == files(tmp_path / "one") and len(files(tmp_path / "one")) == 28
    assert len(list((tmp_path / "many").glob("answers-0000?-of-00003.jsonl"))) == 3
    one = lines(tmp_path / "one", "results.jsonl")
    assert told(lines(tmp_path / "many", "answers-*.jsonl")) == told(line for line in one if "error" not in line)
    (dead,) = lines(tmp_path / "many", "dead-letters-*.jsonl")
    (skipped,) = (line for line in one if "error" in line)
    assert dead == {"path": skipped["path"], "name": "bad", "reason": skipped["error"]}
    assert not (tmp_path / "many" / ".shards").exists()


def load_ending(folder):
    """Ends its process over picture 3, the first time that it sees it."""

    def segment(pixels):
        once = Path(folder, "ended")
        if pixels.shape[1] == 63 and not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return segmentation(pixels[..., 0] / np.float32(255))

    return segment, {"detector": "ending", "threshold": 0.5}


@pytest.mark.slow
def test_a_process_that_is_killed_over_a_picture_is_started_again(pictures, tmp_path):
    pytest.importorskip("apache_beam", reason="needs gsr_tf[beam]")
    output = tmp_path / "out"
    output.mkdir()
    asked = many.Asked(functools.partial(load_ending, tmp_path), npz=False, max_pixels=10**6)
    counts = many.answer(inputs.find(str(pictures), output), output, asked, 1, "DirectRunner", [])
    assert (tmp_path / "ended").exists()
    assert counts == {"pictures": 8, "skipped": 1}
    answered = {line["name"] for line in lines(output, "answers-*.jsonl")}
    assert answered == {"turned", *(f"deep{number % 2}/{number}" for number in range(6))}


def test_what_a_worker_cannot_do_without_is_said(pictures, tmp_path, capsys):
    pytest.importorskip("apache_beam", reason="needs gsr_tf[beam]")
    (tmp_path / "empty").mkdir()
    given = [f"--saved_model={tmp_path / 'empty'}", f"--input={pictures}"]
    assert run(predict_beam, given, tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert f"error: {given[0]}: " in error and "Traceback" not in error
    assert "[while running" not in error


@pytest.mark.parametrize(
    "given, said",
    [
        (["--saved_model=missing"], "--saved_model=missing: no such folder"),
        (["--method=nope"], "--method=nope: no such method"),
        (["--method=noi", "--saved_model=gsr-net-coco"], "one of --saved_model=DIR and --method=NAME"),
        (["--method=noi", "--scales=.5,1"], "--method=noi sees pictures as they are"),
        (["--scales=x"], "--scales=x"),
    ],
)
@pytest.mark.parametrize("command", [predict, predict_beam])
def test_flags_are_checked_before_anything_is_written(pictures, tmp_path, capsys, command, given, said):
    assert run(command, [*given, f"--input={pictures}"], tmp_path / "out") == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_beam_the_message_says_what_to_install(pictures, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    assert run(predict_beam, ["--method=noi", f"--input={pictures}"], tmp_path / "out") == 1
    assert "gsr_tf[beam]" in capsys.readouterr().err


def test_standard_input_is_refused(tmp_path, capsys):
    assert predict_beam.main(["beam", "--help"]) == 0
    offered = capsys.readouterr().out.partition("--input: ")[2].partition("--list: ")[0]
    assert offered.startswith("A picture, a folder") and "standard input" not in offered
    assert run(predict_beam, ["--input=-"], tmp_path / "out") == 1
    assert "workers cannot read standard input" in capsys.readouterr().err


def test_workers_know_all_by_its_name_also_where_python_m_starts_the_command(pictures, tmp_path, monkeypatch):
    given = ["--method=noi", f"--input={pictures}", f"--output={tmp_path / 'out'}"]
    handed = handed_to_workers(predict_beam, given, monkeypatch)
    assert b"gsr_tf.predict_beam" in handed and b"__main__" not in handed
