import csv
import dataclasses
import io
import json
import os
import re
import shutil
import threading
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from gsr_tf import evaluate
from gsr_tf.comparators import exported, methods, sources
from gsr_tf.comparators.method import Method, MethodError
from gsr_tf.data.pictures import PictureError, encode_png
from gsr_tf.data.records import open_records
from gsr_tf.data.writing import write_atomically
from gsr_tf.evaluation import attacks, items, outputs, runner, scoring, study
from gsr_tf.evaluation.accumulator import resample
from gsr_tf.evaluation.items import Item
from gsr_tf.evaluation.metrics import PROBABILITY_GRID
from gsr_tf.evaluation.protocols import PROTOCOLS, choose
from gsr_tf.evaluation.study import DataSet
from gsr_tf.inference import looking, saved_model, together
from gsr_tf.inference.detector import Detector
from gsr_tf.inference.metadata import DetectorError
from tests.evaluation import toy_records
from tests.evaluation.toy_records import BRIGHTNESS, sample
from tests.files import change_places

ITEMS = toy_records.items(5)
AUTHENTIC = [Item(f"authentic {seed}", lambda seed=seed: (sample(seed)[0], None)) for seed in (10, 11)]


def missing():
    raise PictureError("gone.jpg: cannot be read")


def run(data, method=BRIGHTNESS, names=("paper", "fixed-0.5"), **scorer):
    return runner.evaluate(data, runner.Scorer(method, **scorer), choose(names), PROBABILITY_GRID)


def test_scores_are_those_of_the_maps():
    evaluation, skipped = run(ITEMS)
    assert skipped == []
    expected = [BRIGHTNESS.score(sample(seed)[0]) > 0.5 for seed in range(5)]
    f1 = [2 * (p & sample(s)[1]).sum() / (p.sum() + sample(s)[1].sum()) for s, p in enumerate(expected)]
    assert evaluation.scores["fixed-0.5"]["f1"].rows[0] == pytest.approx(np.mean(f1), abs=1e-12)
    np.testing.assert_allclose(evaluation.table["f1 at 0.5"], f1, atol=1e-12)
    best = evaluation.scores["paper"]["f1"]
    assert np.mean(evaluation.table["f1 at data set best"]) == pytest.approx(best.rows[0], abs=1e-6)


def test_lack_of_memory_ends_the_run_and_names_the_picture():
    def large():
        raise MemoryError

    with pytest.raises(MemoryError, match="huge.png: needs more memory than there is now"):
        run([*ITEMS, Item("huge.png", large)])


def test_what_cannot_be_scored_is_named_and_left_out():
    bad = [
        Item("gone.jpg", missing),
        Item("picture 0", ITEMS[0].read),
        Item("other size", lambda: (sample(0)[0], np.zeros((5, 5), bool))),
    ]
    evaluation, skipped = run([*ITEMS, *bad])
    assert [name for name, _ in skipped] == ["gone.jpg", "picture 0", "other size"]
    assert "cannot be read" in skipped[0][1]
    assert "names must be unique" in skipped[1][1]
    assert "mask of (5, 5), picture of (48, 64)" in skipped[2][1]
    assert evaluation.scores["paper"]["f1"].pictures == 5
    assert evaluation.scores["paper"]["f1"].rows[0] == run(ITEMS)[0].scores["paper"]["f1"].rows[0]


def test_on_a_gpu_sixteen_are_scored_at_a_time_and_nothing_else_changes(monkeypatch):
    data = [*ITEMS, Item("gone.jpg", missing), *AUTHENTIC, ITEMS[0]]
    data += toy_records.items(16, "more")
    one_at_a_time = run(data)
    assert together.MOST == 16
    monkeypatch.setattr(runner, "gpus", lambda: ["GPU:0"])
    meeting = threading.Barrier(16, timeout=20)  # broken, and the method with it, unless sixteen are at work

    def score(picture):
        meeting.wait()
        return BRIGHTNESS.score(picture)

    many, skipped = run(data[:5] + data[9:20], Method("brightness", score, probabilities=True))
    assert len(many.table["name"]) == 16 and not skipped
    evaluation, skipped = run(data)
    assert (
        skipped
        == one_at_a_time[1]
        == [
            ("gone.jpg", "gone.jpg: cannot be read"),
            ("picture 0", "the name was there before; names must be unique in a data set"),
        ]
    )
    np.testing.assert_equal(evaluation.table, one_at_a_time[0].table)
    for protocol, scores in one_at_a_time[0].scores.items():
        for metric, score in scores.items():
            np.testing.assert_array_equal(evaluation.scores[protocol][metric].rows, score.rows)


@pytest.mark.parametrize("on_gpu", [False, True])
def test_a_defect_ends_the_pass_and_what_had_not_begun_is_left(monkeypatch, on_gpu):
    monkeypatch.setattr(runner, "gpus", lambda: ["GPU:0"] * on_gpu)
    calls = []

    def score(picture):
        calls.append(1)
        raise ZeroDivisionError

    data = [Item(str(number), ITEMS[0].read) for number in range(100)]
    with pytest.raises(ZeroDivisionError):
        run(data, Method("defect", score, probabilities=True))
    assert len(calls) <= (16 if on_gpu else 1)


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (lambda picture: np.zeros((3, 3)), r"score map of \(3, 3\)"),
        (lambda picture: np.full(picture.shape[:2], np.nan), "NaN or infinite"),
    ],
)
def test_bad_maps_are_never_scored(score, message):
    evaluation, skipped = run(ITEMS, Method("bad", score, probabilities=True))
    assert len(skipped) == 5 and not len(evaluation.table["name"])
    assert all(re.search(message, reason) for _, reason in skipped)


def test_an_attack_below_a_methods_minimum_is_named():
    scorer = {"attack": attacks.parse("scale-0.3")}
    _, skipped = run(ITEMS, methods.choose("noi"), ("paper",), **scorer)
    assert len(skipped) == 5 and "19x14 pixels; noi needs at least 16" in skipped[0][1]


def test_attacked_maps_return_to_the_size_of_the_truth():
    box = methods.choose("ground-truth-box")
    evaluation, skipped = run(ITEMS, box, attack=attacks.parse("scale-0.5"))
    assert skipped == []
    assert evaluation.scores["fixed-0.5"]["f1"].rows[0] > 0.9


def test_a_clean_up_of_probabilities_is_refused_for_other_maps(tmp_path):
    message = "those of noi are none; --protocols=paper-cleaned"
    with pytest.raises(MethodError, match=message):
        study.run(tmp_path, DATA, methods.choose("noi"), choose(["paper"]), postprocessing="paper")


def test_postprocessing_is_done_to_the_maps():
    evaluation, _ = run(ITEMS, postprocess=lambda scores: np.ones_like(scores))
    assert evaluation.table["marked at 0.5"].tolist() == [1] * 5


def test_quantile_grid_comes_from_the_methods_own_scores():
    thousand = Method("thousand", lambda picture: 1000 + picture.mean(axis=2), probabilities=False)
    grid = runner.threshold_grid(ITEMS, runner.Scorer(thousand))
    assert grid[0] == -np.inf and 1000 <= grid[1] < grid[-1] <= 1255 and len(grid) > 200
    assert runner.threshold_grid(ITEMS, runner.Scorer(BRIGHTNESS)) is PROBABILITY_GRID
    scores = runner.evaluate(ITEMS, runner.Scorer(thousand), choose(["paper", "fixed-0.5"]), grid)[0].scores
    assert list(scores) == ["paper"]
    assert scores["paper"]["f1"].rows[0] == pytest.approx(run(ITEMS)[0].scores["paper"]["f1"].rows[0], abs=0.01)


def test_half_has_no_meaning_among_quantiles():
    """Nor where all of the maps' own values are .5."""
    half = Method("half", lambda picture: np.where(picture[..., 0] > 99, 7.0, 0.5), probabilities=False)
    grid = runner.threshold_grid([*ITEMS, *AUTHENTIC], runner.Scorer(half))
    assert grid.tolist() == [-np.inf, 0.5, 7.0]
    evaluation, _ = runner.evaluate([*ITEMS, *AUTHENTIC], runner.Scorer(half), choose(list(PROTOCOLS)), grid)
    found = {f"{protocol} {name}" for protocol, scores in evaluation.scores.items() for name in scores}
    assert {"pooled f1", "trufor f1", "image-level auc"} <= found
    assert not {name for name in found if "0.5" in name} | {"image-level f1"} & found
    assert np.isnan([evaluation.table[name] for name in ("marked at 0.5", "f1 at 0.5", "mcc at 0.5")]).all()


def test_a_grid_of_quantiles_is_known_as_such_where_none_of_its_pictures_can_be_read():
    grid = runner.threshold_grid([Item("gone.jpg", missing)], runner.Scorer(methods.choose("noi")))
    assert grid[0] == -np.inf and len(grid) > 200


def test_a_picture_too_large_for_a_scale_is_named_and_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(looking, "MAX_PIXELS", 4 * 48 * 64)
    large = Item("large.png", lambda: (np.zeros((49, 64, 3), np.uint8), None))

    class Seen:
        window = native = staticmethod(lambda image: {"probability": tf.reduce_mean(image / 255, -1, keepdims=True)})
        network_size = staticmethod(lambda size: tf.constant([1024, 1024]))

    detector = Detector(Seen(), name="seen", metadata={})
    monkeypatch.setattr(Detector, "load", lambda path: detector)
    method = exported.load(None, resolution="tile", scales=[2])
    assert method.name == "seen tile 2"
    evaluation, skipped = run([*ITEMS, large], method)
    assert len(evaluation.table["name"]) == 5
    assert skipped == [("large.png", "--scales=2: 128x98 pixels, more than the limit of 12,288")]


@pytest.fixture(name="records")
def make_records(tmp_path):
    """Three pictures: one mask, two masks, authentic."""
    return toy_records.write(tmp_path / "records")


def test_records_give_one_item_a_mask_and_authentic_pictures_last(records):
    found = items.from_records(open_records(records))
    assert [item.name for item in found] == ["tile 0", "tile 1#0", "tile 1#1", "tile 2"]
    picture, mask = found[2].read()
    np.testing.assert_array_equal(picture, sample(1)[0])
    np.testing.assert_array_equal(mask, sample(1)[1][::-1, ::-1])
    assert found[3].read()[1] is None


def test_a_picture_with_two_masks_is_drawn_with_both_and_counts_once_where_pictures_are_told_apart(records):
    found = [*items.from_records(open_records(records)), Item("tile 1#2", ITEMS[4].read)]  # a file of that name
    evaluation, _ = run(found, names=("fixed-0.5", "image-level"))
    weights = np.stack([resample(name) for name in ("tile 0", "tile 1", "tile 1", "tile 1#2")], axis=1)
    each, drawn = evaluation.table["f1 at 0.5"][[0, 1, 2, 4]], weights.sum(axis=1) > 0
    rows = evaluation.scores["fixed-0.5"]["f1"].rows
    np.testing.assert_allclose(rows[drawn], (weights @ each)[drawn] / weights.sum(axis=1)[drawn], atol=1e-12)
    once = run([found[0], Item("tile 1", found[1].read), *found[3:]], names=("image-level",))[0]
    for metric, score in once.scores["image-level"].items():
        np.testing.assert_array_equal(evaluation.scores["image-level"][metric].rows, score.rows)
        assert evaluation.scores["image-level"][metric].pictures == score.pictures == 4


def test_pairs_of_a_picture_and_a_mask_are_not_called_pictures(records, tmp_path, capsys):
    command = ["evaluate", "--method=all-positive", f"--records={records}", f"--output={tmp_path / 'out'}"]
    assert evaluate.main([*command, "--protocols=fixed-0.5,image-level,authentic"]) == 0
    said = {line.split("(", 1)[1] for line in capsys.readouterr().out.splitlines()}
    assert said == {
        "fixed-0.5, records, 3 (picture, mask) pairs, native)",
        "image-level, records, 3 pictures, native)",
        "authentic, records, 1 pictures, native)",
    }
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["pictures"] == {"scored": 3, "manipulated": 2, "authentic": 1, "skipped": 0}
    assert ">3 (picture, mask) pairs<" in (tmp_path / "out" / "report.html").read_text()


def written_list(folder, number=3):
    lines = []
    for seed in range(number):
        picture, mask = sample(seed)
        (folder / f"{seed}.png").write_bytes(encode_png(picture))
        (folder / f"{seed}_gt.png").write_bytes(encode_png(np.uint8(mask) * 255))
        lines.append(f"{seed}.png,{seed}_gt.png")
    return lines


def test_lists_are_read_relative_to_themselves(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("\n".join([*written_list(tmp_path), "2.png,", "missing.png,0_gt.png"]))
    found = items.from_list(path)
    assert [item.name for item in found] == ["0.png", "1.png", "2.png", "2.png", "missing.png"]
    np.testing.assert_array_equal(found[1].read()[1], sample(1)[1])
    assert found[3].read()[1] is None
    with pytest.raises(PictureError, match="missing.png: cannot be read"):
        found[4].read()


@pytest.mark.parametrize("relative", [False, True])
def test_what_is_published_of_a_list_names_no_folder_of_the_machine(tmp_path, monkeypatch, relative):
    (tmp_path / "set").mkdir()
    lines = written_list(tmp_path / "set")
    (tmp_path / "other.png").write_bytes(b"no picture")
    (tmp_path / "set" / "small.png").write_bytes(encode_png(np.full((3, 4), 255, np.uint8)))
    lines += ["missing.png,", "../other.png,", "0.png,small.png", "1.png,missing.png"]
    (tmp_path / "set" / "list.csv").write_text("\n".join(lines[-4:] + lines[2:3]))
    monkeypatch.chdir(tmp_path / "set")
    folder = "" if relative else f"{tmp_path}/set/"
    command = ["evaluate", "--method=all-positive", f"--pairs={folder}list.csv", f"--output={tmp_path}/out"]
    assert evaluate.main(command) == 3
    skipped = json.loads((tmp_path / "out" / "summary.json").read_text())["skipped"]
    assert [one["reason"].partition(" (")[0] for one in skipped] == [
        "missing.png: cannot be read",
        "../other.png: not a picture in a format that is read: JPEG, PNG, TIFF, WebP, BMP, GIF, HEIC",
        "0.png: picture 64x48, mask 4x3",
        "missing.png: cannot be read",
    ]
    assert "is small.png this picture's?" in skipped[2]["reason"]
    for name in ("summary.json", "report.html"):
        assert str(tmp_path) not in (tmp_path / "out" / name).read_text()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"picture,mask\n0.png,0_gt.png\n", ["0_gt.png"]),
        (b"Image, Mask\n\n0.png, 0_gt.png\n", ["0_gt.png"]),
        (b"0.png;0_gt.png\n1.png;\n", ["0_gt.png", None]),
        (b"\n   \n0.png,0_gt.png\n\t\n , \n", ["0_gt.png"]),
        (b"\xef\xbb\xbf0.png,0_gt.png\r\n", ["0_gt.png"]),
        ("0.png,0_gt.png\r\n1.png,\r\n".encode("utf-16"), ["0_gt.png", None]),
    ],
    ids=["header", "another header", "semicolons", "blank lines", "byte order mark", "UTF-16"],
)
def test_lists_as_other_programs_write_them(tmp_path, data, expected):
    written_list(tmp_path)
    (tmp_path / "list.csv").write_bytes(data)
    found = items.from_list(tmp_path / "list.csv")
    assert [item.name for item in found] == [f"{number}.png" for number in range(len(expected))]
    for number, (item, mask) in enumerate(zip(found, expected)):
        picture, truth = item.read()
        np.testing.assert_array_equal(picture, sample(number)[0])
        assert (truth is None) == (mask is None)


def test_a_list_and_a_disk_may_write_accents_differently(tmp_path):
    composed, apart = (unicodedata.normalize(form, "été/café.png") for form in ("NFC", "NFD"))
    (tmp_path / apart).parent.mkdir()
    (tmp_path / apart).write_bytes(encode_png(sample(0)[0]))
    (tmp_path / "list.csv").write_text(f"{composed},\n", encoding="utf-8")
    np.testing.assert_array_equal(items.from_list(tmp_path / "list.csv")[0].read()[0], sample(0)[0])


def pair_item(tmp_path, mask, picture=None):
    """The one item of a list of a picture and a mask, each an array or bytes."""
    for name, data in (("a.png", sample(0)[0] if picture is None else picture), ("m.png", mask)):
        (tmp_path / name).write_bytes(data if isinstance(data, bytes) else encode_png(data))
    (tmp_path / "list.csv").write_text("a.png,m.png\n")
    return items.from_list(tmp_path / "list.csv")[0]


def test_a_black_mask_says_that_the_picture_is_authentic(tmp_path, capsys):
    black = pair_item(tmp_path, np.zeros((48, 64), np.uint8))
    assert black.read()[1] is None
    assert "m.png: black, and so the picture is authentic (said once)" in capsys.readouterr().err
    with_it, without = run([*ITEMS, black])[0], run(ITEMS)[0]
    assert with_it.scores["paper"]["f1"].pictures == 5
    assert with_it.scores["paper"]["f1"].rows[0] == without.scores["paper"]["f1"].rows[0]
    assert with_it.table["manipulated"].tolist() == [1, 1, 1, 1, 1, 0]


@pytest.mark.parametrize("kind", ["white", "red and green, lossy"])
def test_a_mask_that_marks_everything_says_so(tmp_path, capsys, kind):
    mask = np.full((48, 64, 3), 255, np.uint8)
    if kind != "white":
        mask[:], mask[16:32, 16:32] = (200, 0, 0), (0, 200, 0)
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "PNG" if kind == "white" else "JPEG", quality=90)
    item = pair_item(tmp_path, buffer.getvalue())
    assert item.read()[1].all() and item.read()[1].all()
    said = capsys.readouterr().err
    assert said.count("m.png: marks every pixel: the whole picture is manipulated") == 1


def test_one_file_spelt_in_two_ways_is_scored_once(tmp_path):
    (tmp_path / "list.csv").write_text("\n".join([*written_list(tmp_path), "./1.png,", "a/../2.png,0_gt.png"]))
    evaluation, skipped = run(items.from_list(tmp_path / "list.csv"))
    assert evaluation.table["manipulated"].tolist() == [1, 1, 1]
    assert skipped == [
        ("./1.png", "./1.png: the same file as 1.png, which is listed before; list each picture once"),
        ("a/../2.png", "a/../2.png: the same file as 2.png, which is listed before; list each picture once"),
    ]


def test_masks_are_read_by_the_one_rule(tmp_path, capsys):
    truth = sample(0)[1]
    np.testing.assert_array_equal(pair_item(tmp_path, truth.astype(np.uint8)).read()[1], truth)
    assert "m.png: levels of 0 and 1: whatever is not 0 counts" in capsys.readouterr().err
    cyan = truth[..., None] * np.array([0, 255, 255], np.uint8)
    np.testing.assert_array_equal(pair_item(tmp_path, cyan).read()[1], truth)


def test_a_mask_that_is_neither_black_nor_marks_anything_is_refused(tmp_path):
    dim = np.zeros((48, 64), np.uint8)
    dim[0, :2] = 1, 2
    with pytest.raises(PictureError, match="m.png: its levels end at 2: neither black nor a mask, .* above 127; save"):
        pair_item(tmp_path, dim).read()


def test_a_mask_of_another_size_is_named_with_its_picture(tmp_path):
    message = r"a.png: picture 64x48, mask 40x30 \(width x height\); is .*m.png this picture's"
    with pytest.raises(PictureError, match=message):
        pair_item(tmp_path, np.full((30, 40), 255, np.uint8)).read()


@pytest.mark.parametrize("as_stored", [False, True])
def test_a_mask_lies_over_the_picture_as_shown_or_as_stored(tmp_path, as_stored):
    stored, truth = sample(0)
    shown = np.rot90(stored, -1)
    mask = truth if as_stored else np.rot90(truth, -1)
    picture, read = pair_item(tmp_path, np.uint8(mask) * 255, encode_png(stored, orientation=6)).read()
    np.testing.assert_array_equal(picture, stored if as_stored else shown)
    np.testing.assert_array_equal(read, mask)


def test_nothing_scored_is_an_error(tmp_path, capsys):
    (tmp_path / "list.csv").write_text("gone.png,gone_gt.png\n")
    arguments = ["evaluate", "--method=noi", f"--pairs={tmp_path / 'list.csv'}", f"--output={tmp_path / 'out'}"]
    assert evaluate.main(arguments) == 1
    said = capsys.readouterr()
    assert "nothing was scored" in said.err and "1 skipped, the first gone.png" in said.out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the list is empty"),
        ("picture,mask\n \n", "the list is empty"),
        ("a,b\nc,d,e\n", "line 2 has 3 columns"),
        ("a,b\n,d\n", "line 2 has no picture"),
        ('a,b\n\n"c,d\ne,f\n', "line 3: .*a cell that begins with a quote ends with one"),
        ("a,b\ncaf\udce9,d\n", r"line 2 is not in UTF-8 \(Latin-1, perhaps"),
    ],
)
def test_bad_lists_are_refused(tmp_path, text, message):
    (tmp_path / "list.csv").write_text(text, errors="surrogateescape")
    with pytest.raises(PictureError, match=f"--pairs=.*{message}"):
        items.from_list(tmp_path / "list.csv")


@pytest.mark.parametrize("read", [items.from_list, items.fingerprint, items.files_now])
def test_a_list_that_is_not_there_is_named_with_its_flag(tmp_path, read):
    with pytest.raises(PictureError, match=f"^--pairs={tmp_path}/none.csv: cannot be read \\(No such file"):
        read(tmp_path / "none.csv")


def test_a_list_in_json_is_told_who_reads_it(tmp_path):
    path = tmp_path / "test.json"
    path.write_text('[["a.jpg", "a.png"], ["b.jpg", "Negative"]]')
    with pytest.raises(PictureError, match=f"python -m data_prep.interchange --input={path} "):
        items.from_list(path)


DATA = DataSet("toy", "f00d", [*ITEMS, *AUTHENTIC])


def test_a_study_writes_what_it_found(tmp_path):
    summaries = study.run(tmp_path, DATA, BRIGHTNESS, choose(["paper", "authentic"]), attacks.parse_all(["blur-3"]))
    summary = json.loads((tmp_path / outputs.SUMMARY).read_text())
    assert summary == summaries["none"]
    assert summary["pictures"] == {"scored": 7, "manipulated": 5, "authentic": 2, "skipped": 0}
    assert (summary["data_fingerprint"], summary["method"], summary["attack"]) == ("f00d", "brightness", "none")
    assert {"numpy", "tensorflow", "python"} <= set(summary["versions"])
    line = next(line for line in summary["scores"] if (line["protocol"], line["metric"]) == ("paper", "f1"))
    assert line["low"] < line["value"] < line["high"] and line["pictures"] == 5
    with (tmp_path / outputs.PER_IMAGE).open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 7 and rows[6]["f1 at best"] == ""
    best = [float(row["f1 at data set best"]) for row in rows[:5]]
    assert np.mean(best) == pytest.approx(line["value"], abs=1e-6)
    assert summaries["blur-3"]["attack"] == "blur-3"


def test_a_study_says_where_a_map_was_moved_to(tmp_path):
    for centre, said in ((0.5, None), (0.3, 0.3)):
        method = dataclasses.replace(BRIGHTNESS, centre=centre)
        study.run(tmp_path, DATA, method, choose(["paper"]))
        assert json.loads((tmp_path / outputs.SUMMARY).read_text()).get("centre") == said


def test_frozen_thresholds_are_those_of_before_the_attack(tmp_path):
    study.run(tmp_path, DATA, BRIGHTNESS, choose(["paper"]), attacks.parse_all(["gamma-2", "jpeg-70"]))
    columns = study.robustness(tmp_path, ["none", "gamma-2", "jpeg-70"])
    assert columns["f1 frozen"][0] == columns["f1 re-optimised"][0]
    # Darkening moves every score the same way: a new threshold mends what the old one loses.
    assert columns["f1 re-optimised"][1] > columns["f1 frozen"][1] + 0.2
    with (tmp_path / study.ROBUSTNESS).open() as stream:
        assert [row["attack"] for row in csv.DictReader(stream)] == columns["attack"]


def test_attacks_that_were_scored_on_other_pictures_say_so(tmp_path):
    listed = written_list(tmp_path)
    picture, mask = sample(0)
    (tmp_path / "small.png").write_bytes(encode_png(picture[:24, :24]))
    (tmp_path / "small_gt.png").write_bytes(encode_png(np.uint8(mask[:24, :24]) * 255))
    (tmp_path / "list.csv").write_text("\n".join([*listed, "small.png,small_gt.png"]))
    where = [f"--pairs={tmp_path / 'list.csv'}", f"--output={tmp_path / 'out'}"]
    said = []
    for attack in ("jpeg-90", "scale-0.5"):
        evaluate.main(["evaluate", "--method=noi", *where, f"--attacks={attack}"])
        report = (tmp_path / "out" / "report.html").read_text()
        said.append(["12x12 pixels; noi needs" in report, "scored on the same pictures" in report])
        with (tmp_path / "out" / study.ROBUSTNESS).open() as stream:
            said[-1] += [row["pictures"] for row in csv.DictReader(stream)]
    assert said == [[False, False, "4", "4"], [True, True, "4", "3"]]


def counting(calls, fingerprint):
    def score(picture):
        calls.append(1)
        return picture.mean(axis=2) / 255

    return Method("counting", score, probabilities=True, fingerprint=fingerprint)


def test_finished_passes_are_not_done_again(tmp_path):
    calls = []
    for fingerprint, expected in (("one", 7), ("one", 7), ("two", 14)):
        study.run(tmp_path, DATA, counting(calls, fingerprint), choose(["paper"]))
        assert len(calls) == expected


@pytest.mark.parametrize("name", [outputs.SUMMARY, outputs.PER_IMAGE, outputs.REPLICATES])
def test_a_pass_of_which_a_file_is_gone_is_done_again(tmp_path, name):
    calls = []
    for expected in (7, 14):
        study.run(tmp_path, DATA, counting(calls, "one"), choose(["paper"]))
        assert len(calls) == expected
        (tmp_path / name).unlink()


@pytest.mark.parametrize("left", [lambda data: b"", lambda data: data[:-50], lambda data: b"[]"])
@pytest.mark.parametrize("name", [outputs.SUMMARY, outputs.REPLICATES])
def test_a_pass_of_which_a_file_is_damaged_is_done_again(tmp_path, name, left):
    calls = []
    first = study.run(tmp_path, DATA, counting(calls, "one"), choose(["paper"]), attacks.parse_all(["jpeg-50"]))
    (tmp_path / name).write_bytes(left((tmp_path / name).read_bytes()))
    assert study.run(tmp_path, DATA, counting(calls, "one"), choose(["paper"]), attacks.parse_all(["jpeg-50"])) == first
    assert len(calls) == 21  # the pass under attack is whole


@pytest.mark.parametrize("unwritten", [outputs.PER_IMAGE, outputs.SUMMARY])
def test_a_pass_that_ended_while_it_was_written_counts_for_none(tmp_path, monkeypatch, unwritten):
    """Nor for the pass before it, whose files it had begun to replace."""
    calls, dark = [], Method("dark", lambda picture: 1 - picture.mean(axis=2) / 255, probabilities=True)
    first = study.run(tmp_path, DATA, counting(calls, "one"), choose(["paper"]))["none"]

    def killed(path, data):
        if path.name == unwritten:
            raise ZeroDivisionError
        write_atomically(path, data)

    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(outputs, "write_atomically", killed)
        study.run(tmp_path, DATA, dark, choose(["paper"]))
    assert study.run(tmp_path, DATA, counting(calls, "one"), choose(["paper"]))["none"] == first
    assert len(calls) == 14
    with np.load(tmp_path / outputs.REPLICATES) as stored:
        assert stored["paper/f1"][0] == first["scores"][0]["value"]


def rewrite(path, change):
    """Changes a file's bytes, and when they were written, as a later edit does."""
    before = path.stat().st_mtime_ns
    path.write_bytes(change(path.read_bytes()))
    os.utime(path, ns=(before, before + 1))


@pytest.mark.parametrize(
    ("name", "change"),
    [("0_gt.png", lambda data: encode_png(np.full((48, 64), 255, np.uint8))), ("1.png", lambda data: data)],
    ids=["mask", "picture, of the same size"],
)
def test_a_pass_over_files_that_changed_since_is_done_again(tmp_path, name, change):
    calls, path = [], tmp_path / "list.csv"
    path.write_text("\n".join(written_list(tmp_path)))

    def measure():
        data = evaluate.chosen_data_set(None, str(path))
        return study.run(tmp_path / "out", data, counting(calls, "one"), choose(["paper"]))["none"]

    first = measure()
    assert measure() == first and len(calls) == 3
    rewrite(tmp_path / name, change)
    second = measure()
    assert len(calls) == 6 and measure() == second and len(calls) == 6
    assert second["data_fingerprint"] == first["data_fingerprint"]  # of the list alone: what is published
    assert (second["scores"] == first["scores"]) == (name == "1.png")


@pytest.mark.parametrize("change", [change_places, shutil.copy2])
def test_other_files_of_the_same_size_and_time_are_others(tmp_path, change):
    path, files = tmp_path / "list.csv", [tmp_path / "a.png", tmp_path / "b.png"]
    path.write_text("a.png\nb.png\n")
    for file in files:
        file.write_text(file.name)
        os.utime(file, (10**9, 10**9))
    before = items.files_now(path)
    assert items.files_now(path) == before
    time.sleep(0.02)  # clocks of file systems tick less often than the processor's
    change(*files)
    assert items.files_now(path) != before


def test_a_pass_that_lacks_pictures_is_done_again_when_they_are_there(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("\n".join(written_list(tmp_path)))
    away = (tmp_path / "1.png").rename(tmp_path / "away.png")
    skipped = []
    for _ in range(2):
        data = evaluate.chosen_data_set(None, str(path))
        summary = study.run(tmp_path / "out", data, BRIGHTNESS, choose(["paper"]))["none"]
        skipped.append(summary["pictures"]["skipped"])
        if away.exists():
            away.rename(tmp_path / "1.png")
    assert skipped == [1, 0]


@pytest.mark.parametrize("fingerprint", ["", "a model's"])
def test_a_pass_of_other_scoring_code_is_done_again(tmp_path, fingerprint):
    calls = []
    method = counting(calls, fingerprint)
    first = study.run(tmp_path, DATA, method, choose(["paper"]))["none"]
    path = tmp_path / outputs.SUMMARY
    path.write_text(path.read_text().replace(first["scoring"], "0123456789abcdef"))
    assert study.run(tmp_path, DATA, method, choose(["paper"]))["none"] == first
    assert len(calls) == 14
    study.run(tmp_path, DATA, method, choose(["paper"]))
    assert len(calls) == 14


def test_the_version_of_the_scoring_code_is_that_of_its_files(tmp_path, monkeypatch):
    package = tmp_path / "gsr_tf"
    shutil.copytree(scoring.PACKAGE, package, ignore=shutil.ignore_patterns("weights", "__pycache__"))

    def versions():
        scoring._of_sources.cache_clear()
        return [scoring.fingerprint(counting([], fingerprint)) for fingerprint in ("", "a model's")]

    assert all(any(scoring.PACKAGE.glob(pattern)) for pattern in scoring.COUNTING)
    assert len(set(before := versions())) == 2
    monkeypatch.setattr(scoring, "PACKAGE", package)
    monkeypatch.setattr(sources, "ROOM", package / "comparators")
    assert versions() == before
    for file, changes in [
        ("evaluation/metrics.py", [True, True]),
        ("evaluation/accumulator.py", [True, True]),
        ("evaluation/protocols/pooled.py", [True, True]),
        ("inference/postprocessing.py", [True, True]),
        ("comparators/noi.py", [True, False]),  # a model's numbers do not depend on it
        ("comparators/spectrum/spectrum.py", [True, False]),  # a method in a folder of its own
        ("comparators/exif/voting.py", [False, False]),  # trained: scored as a model
        ("evaluation/report.py", [False, False]),
    ]:
        (package / file).parent.mkdir(exist_ok=True)
        with (package / file).open("a") as stream:
            stream.write("#")
        assert [one != other for one, other in zip(before, versions())] == changes, file
        before = versions()
    scoring._of_sources.cache_clear()


def test_printed_scores_carry_all_that_they_mean(tmp_path):
    summaries = study.run(tmp_path, DATA, BRIGHTNESS, choose(["paper", "release"]), attacks.parse_all(["jpeg-50"]))
    lines = evaluate.printed(summaries).splitlines()
    assert any("f1" in line and "(paper, toy, 5 pictures, native)" in line for line in lines)
    assert any("f1" in line and "(release, toy, 5 pictures, 300x300)" in line for line in lines)
    assert any("(paper, toy jpeg-50, 5 pictures, native)" in line for line in lines)
    assert lines[-1] == "under an attack, the scores of the other protocols are in attacks/NAME/summary.json"
    summaries = study.run(tmp_path, DATA, BRIGHTNESS, choose(["fixed-0.5"]), attacks.parse_all(["jpeg-50"]))
    *_, last = evaluate.printed(summaries).splitlines()
    assert "recall" in last and "(fixed-0.5, toy jpeg-50, 5 pictures, native)" in last


def test_the_command_line_names_what_is_missing(records):
    with pytest.raises(ValueError, match="--saved_model=DIR and --method=NAME"):
        methods.from_flags("model", "noi")
    with pytest.raises(ValueError, match="--records=DIR and --pairs=FILE"):
        evaluate.chosen_data_set(str(records), "list.csv")
    with pytest.raises(DetectorError, match="--saved_model=.*not a SavedModel folder"):
        methods.from_flags(str(records), None)
    assert methods.from_flags(None, "cfa").name == "cfa"
    assert len(evaluate.chosen_data_set(str(records), None).items) == 4


def test_an_exported_detector_is_a_method(tmp_path):
    from gsr_tf.inference.saved_model import fingerprint

    class Brightness(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)])
        def __call__(self, picture):
            return {"probability": tf.reduce_mean(tf.cast(picture, tf.float32), axis=-1, keepdims=True) / 255.0}

    tf.saved_model.save(Brightness(), str(tmp_path / "detector"))
    method = exported.load(tmp_path / "detector")
    picture, mask = sample(0)
    np.testing.assert_allclose(method(picture, mask), BRIGHTNESS.score(picture), atol=1e-6)
    assert method.name == "detector" and method.probabilities
    assert method.fingerprint == fingerprint(tmp_path / "detector") and len(method.fingerprint) == 16
    assert method.centre == 0.5
    (tmp_path / "detector" / "assets").mkdir(exist_ok=True)
    (tmp_path / "detector" / "assets" / "gsr_tf.json").write_text('{"centre": 0.3}')
    assert exported.load(tmp_path / "detector").centre == 0.3


def test_a_detector_is_loaded_at_need_and_once(tmp_path, monkeypatch):
    class Zero(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)])
        def __call__(self, picture):
            return {"probability": tf.zeros_like(picture[..., :1], tf.float32)}

    def load(path):
        time.sleep(0.05)  # for others to come meanwhile
        loaded.append(path)
        return Zero()

    loaded, folder = [], tmp_path / "detector"
    tf.saved_model.save(Zero(), str(folder))
    (folder / "assets").mkdir(exist_ok=True)
    (folder / "assets" / "gsr_tf.json").write_text('{"centre": 0.3, "scales": [0.5, 1.0]}')
    monkeypatch.setattr(saved_model, "load", load)
    late = exported.at_need(folder)
    assert (late.name, late.centre) == ("detector 0.5,1", 0.3) and not loaded
    assert late.fingerprint == f"{saved_model.fingerprint(folder)} 0.5,1"
    monkeypatch.chdir(folder)
    assert exported.at_need(Path()).name == "detector 0.5,1"
    (folder / "assets" / "gsr_tf.json").write_text("{}")
    with ThreadPoolExecutor(4) as pool:
        assert not np.any([*pool.map(exported.at_need(folder), [sample(0)[0]] * 4)])
    assert loaded == [folder]
    with pytest.raises(DetectorError, match=f"--saved_model={tmp_path}: not a SavedModel folder"):
        exported.at_need(tmp_path)


def test_what_is_loaded_at_need_sees_several_pictures_at_a_time(tmp_path, monkeypatch):
    two_there = threading.Barrier(2)

    def maps(_detector, picture):
        two_there.wait(20)  # BrokenBarrierError where nobody else comes
        return {"probability": picture[..., 0] / 255}

    monkeypatch.setattr(saved_model, "check", lambda path: None)
    monkeypatch.setattr(saved_model, "fingerprint", lambda path: "f")
    monkeypatch.setattr(saved_model, "load", lambda path: None)
    monkeypatch.setattr(Detector, "maps", maps)
    method, pictures = exported.at_need(tmp_path), [sample(seed)[0] for seed in range(2)]
    with ThreadPoolExecutor(2) as pool:
        for found, picture in zip(pool.map(method.score, pictures), pictures):
            np.testing.assert_array_equal(found, picture[..., 0] / 255)


def test_authentic_pictures_alone_can_be_attacked(tmp_path):
    pictures = [line.partition(",")[0] for line in written_list(tmp_path)]
    (tmp_path / "list.csv").write_text("\n".join(pictures))
    where = [f"--pairs={tmp_path / 'list.csv'}", f"--output={tmp_path / 'out'}"]
    assert evaluate.main(["evaluate", "--method=random", *where, "--attacks=jpeg-50"]) == 0
    assert "Under attacks" not in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "named", "lines"),
    [
        (["--method=random", "--protocols=paper"], 1, "paper", 0),
        (["--method=random", "--protocols=paper,authentic"], 0, "paper", 2),
        (["--method=noi", "--protocols=paper,image-level,pooled"], 1, "paper, pooled", 2),  # both areas are undefined
    ],
)
def test_protocols_without_their_pictures_are_named(tmp_path, capsys, arguments, code, named, lines):
    pictures = [line.partition(",")[0] for line in written_list(tmp_path)]
    (tmp_path / "list.csv").write_text("\n".join(pictures))
    where = [f"--pairs={tmp_path / 'list.csv'}", f"--output={tmp_path / 'out'}"]
    assert evaluate.main(["evaluate", *arguments, *where]) == code
    said = capsys.readouterr()
    counts = f"0 manipulated and {len(pictures)} authentic ones were scored"
    assert f"no score by {named}, for want of pictures of their kind: {counts}" in said.err
    assert (f"{arguments[1]}: none has a score on these pictures" in said.err) == (code == 1)
    assert len(said.out.splitlines()) == lines


def test_the_folder_to_compare_with_is_looked_at_first(tmp_path, capsys):
    written_list(tmp_path)
    (tmp_path / "file").touch()
    path, out = tmp_path / "list.csv", tmp_path / "out"
    path.write_text("0.png,0_gt.png\n1.png,1_gt.png\n")
    arguments = ["evaluate", "--method=noi", f"--pairs={path}", f"--output={out}", "--protocols=pooled"]
    for other in (tmp_path, tmp_path / "file"):
        assert evaluate.main([*arguments, f"--compare_with={other}"]) == 1
        assert f"{other}: no per_image.csv; give the --output of a finished" in capsys.readouterr().err
        assert not out.exists()
    attacked = out / "attacks/jpeg-50"  # not there until now
    assert evaluate.main([*arguments, "--attacks=jpeg-50", f"--compare_with={attacked}"]) == 0
    assert f" against {attacked}, " in capsys.readouterr().out


def test_the_command_line_from_end_to_end(tmp_path, capsys):
    path = tmp_path / "list.csv"
    path.write_text("\n".join([*written_list(tmp_path), "missing.png,0_gt.png"]))
    arguments = ["evaluate", "--method=noi", f"--pairs={path}", f"--output={tmp_path / 'out'}", "--attacks=jpeg-50"]
    assert evaluate.main(arguments) == evaluate.SOME_SKIPPED == 3
    printed = capsys.readouterr().out
    assert "(paper, list, 3 pictures, native)" in printed and "(paper, list jpeg-50, 3 pictures, native)" in printed
    assert "1 skipped, the first missing.png: " in printed and "cannot be read" in printed
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["pictures"]["skipped"] == 1
    assert evaluate.main([*arguments, "--protocols=papper"]) == 1
    assert "no protocol papper; choose from paper" in capsys.readouterr().err
    assert evaluate.main([*arguments, "--protocols="]) == 1
    assert "--protocols: names none; choose from paper" in capsys.readouterr().err
