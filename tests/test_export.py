"""The export command: what it writes beside the model, what it measures, what it refuses."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from gsr_tf import config, export
from gsr_tf.comparators import methods
from gsr_tf.comparators.method import Method
from gsr_tf.data.records import RecordsError
from gsr_tf.evaluation import items, protocols, study
from gsr_tf.evaluation.study import DataSet
from gsr_tf.formats import agreement, onnx, pictures, tflite, weights
from gsr_tf.formats.agreement import ExportError, largest_difference
from gsr_tf.formats.facts import export_facts, paper_threshold, without_places
from gsr_tf.inference import shipped
from gsr_tf.inference.detector import Detector
from gsr_tf.models.keras import keras
from gsr_tf.models.networks import Networks
from gsr_tf.models.segmenter import build_segmenter
from gsr_tf.models.weights import load_npz, named_variables, read_npz
from gsr_tf.training.run_dir import write_facts
from tests import tiny
from tests.files import damage_record


def with_records(run_dir, folder, **records):
    """A copy of a run, in `folder`, that had records of its own for these flags."""
    copied = shutil.copytree(run_dir, folder / "run")
    write_facts(copied, {f"--{flag}": opened for flag, opened in records.items()})
    return copied


@pytest.fixture(scope="module")
def run_dir(sources, tmp_path_factory):
    """A run whose best checkpoint is a network of random weights."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    small = {"width": 0.03, "vgg16_weights": "random", "input_size": 40, "seed": 3}
    settings = config.from_dict({**small, "validation_records": str(sources.path)})
    settings.write(folder)
    write_facts(folder, {"--validation_records": sources})
    keras.utils.set_random_seed(3)
    segmenter = build_segmenter(settings.networks)
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(segmenter=segmenter), str(folder / "best"), max_to_keep=1)
    manager.save(checkpoint_number=7)
    (folder / "best.json").write_text('{"step": 7, "validation_f1": 0.5}')
    return folder


@pytest.fixture(scope="module")
def loaded(run_dir):
    """What an export of it begins with; nobody changes it."""
    return export.load_run(run_dir, "best")


@pytest.fixture(scope="module")
def network(loaded):
    return loaded[0]


def evaluation(folder, threshold, fingerprint="0123456789abcdef", **more):
    """A finished evaluation, as far as an export reads it; `more` of its summary."""
    lines = [
        {"protocol": protocol, "metric": metric, "value": 0.4, "threshold": threshold if protocol == "paper" else None}
        for protocol, metric in (("fixed-0.5", "f1"), ("paper", "f1"))
    ]
    summary = {"data_set": "held out", "data_fingerprint": "f", "method": "m", "postprocessing": "none"}
    summary["method_fingerprint"] = fingerprint
    folder.mkdir()
    (folder / "summary.json").write_text(json.dumps({**summary, "pictures": {"scored": 2}, "scores": lines, **more}))
    return str(folder)


def facts(run_dir, **settings):
    return export_facts(run_dir, config.load(run_dir).flat(), str(run_dir / "best" / "ckpt-7"), "model", **settings)


def test_an_export_says_where_it_comes_from(run_dir, sources, tmp_path):
    found = facts(run_dir, scores=[evaluation(tmp_path / "e", 0.375)], licence="CC BY 4.0")
    assert found["format"] == 1
    assert (found["name"], found["run"], found["checkpoint"]) == ("model", "run", "best/ckpt-7")
    assert found["licence"] == "CC BY 4.0"
    assert found["steps"] == 7
    assert found["scores"]["validation"] == {"step": 7, "validation_f1": 0.5}
    (said,) = found["scores"]["evaluations"]
    assert [(line["metric"], line["threshold"]) for line in said.pop("scores")] == [("f1", None), ("f1", 0.375)]
    expected = {"data_set": "held out", "data_fingerprint": "f", "method": "m", "postprocessing": "none"}
    assert said == {**expected, "pictures": {"scored": 2}, "centre": 0.5}
    data = {"path": "sources", "fingerprint": sources.fingerprint, "pictures": 6}
    assert found["records"]["--validation_records"] == data
    assert found["config"]["width"] == 0.03
    assert {"commit", "versions"} <= set(found)
    assert str(sources.path.parent) not in json.dumps(found)


def test_of_another_checkpoint_than_the_best_the_bests_score_is_not_said(run_dir, monkeypatch):
    monkeypatch.chdir(run_dir)
    found = export_facts(Path(), config.load(run_dir).flat(), "checkpoints/ckpt-9", "model")
    assert found["scores"] == {"evaluations": []}
    assert (found["run"], found["checkpoint"]) == ("run", "checkpoints/ckpt-9")
    assert found["licence"].startswith("not stated by who exported it")


def test_the_threshold_is_the_one_given_else_the_papers_else_half(run_dir, tmp_path):
    without, with_one = evaluation(tmp_path / "a", None), evaluation(tmp_path / "b", 0.375)
    assert facts(run_dir)["threshold"] == 0.5
    assert facts(run_dir, scores=[without])["threshold"] == 0.5
    assert facts(run_dir, scores=[without, with_one])["threshold"] == 0.375
    assert facts(run_dir, scores=[with_one, evaluation(tmp_path / "c", 0.75)])["threshold"] == 0.375
    assert facts(run_dir, scores=[with_one, evaluation(tmp_path / "d", 0.25)])["threshold"] == 0.375
    assert facts(run_dir, scores=[with_one], threshold=0.0)["threshold"] == 0.0


def test_the_papers_threshold_is_moved_with_the_map(run_dir, tmp_path):
    still, moved = evaluation(tmp_path / "a", 0.375), evaluation(tmp_path / "b", 0.375, centre=0.3)
    assert facts(run_dir, scores=[still], centre=0.375)["threshold"] == pytest.approx(0.5)
    assert facts(run_dir, scores=[still], centre=0.2)["threshold"] == pytest.approx(12 / 17)  # odds 3/5 by 1/4
    assert facts(run_dir, scores=[moved])["threshold"] == pytest.approx(9 / 44)  # 3/5 by 7/3: as the network gives it
    assert facts(run_dir, scores=[moved], centre=0.3)["threshold"] == 0.375
    assert facts(run_dir, scores=[still], centre=0.2, threshold=0.25)["threshold"] == 0.25
    ends = [facts(run_dir, scores=[evaluation(tmp_path / str(x), x)], centre=0.2)["threshold"] for x in (0.0, 1.0)]
    assert ends == [0.0, 1.0]
    assert facts(run_dir, scores=[moved, still])["scores"]["evaluations"][0]["centre"] == 0.3


def test_an_export_hands_its_centre_to_the_threshold(run_dir, tmp_path):
    arguments = [f"--run_dir={run_dir}", f"--output={tmp_path / 'ours.npz'}", "--format=weights", "--centre=0.375"]
    assert export.main(["export", *arguments, f"--scores={evaluation(tmp_path / 'e', 0.375)}"]) == 0
    assert shipped.load("ours", tmp_path)[1]["threshold"] == pytest.approx(0.5)


def test_scores_that_are_not_there_are_named(run_dir, tmp_path):
    with pytest.raises(ExportError, match=f"--scores={tmp_path}: no finished evaluation there"):
        facts(run_dir, scores=[str(tmp_path)])


@pytest.mark.parametrize(
    ("threshold", "fingerprint"), [(0.3, ""), (0.3, "maps 0123456789abcdef"), (6.121, "0123456789abcdef")]
)
def test_scores_of_another_method_are_refused(run_dir, tmp_path, threshold, fingerprint):
    folder = evaluation(tmp_path / "e", threshold, fingerprint)
    for given in (None, 0.5):
        with pytest.raises(
            ExportError, match=f"--scores={folder}: an evaluation of m, which is another method; expected"
        ):
            facts(run_dir, scores=[folder], threshold=given)


def test_an_evaluation_of_the_model_itself_has_its_threshold_and_one_of_noi_is_refused(
    run_dir, network, sources, tmp_path, capsys
):
    data_set = DataSet("s", "f", items.from_records(sources))
    own = Method("model", lambda picture: network(picture)["probability"].numpy()[..., 0], True, fingerprint="1")
    thresholds = {}
    for folder, method in (("own", own), ("noi", methods.METHODS["noi"])):
        summary = study.run(tmp_path / folder, data_set, method, [protocols.PROTOCOLS["paper"]])["none"]
        thresholds[folder] = paper_threshold({**summary, "centre": 0.5}, 0.5)
    arguments = ["export", f"--run_dir={run_dir}", "--format=weights"]
    assert export.main([*arguments, f"--output={tmp_path / 'a.npz'}", f"--scores={tmp_path / 'own'}"]) == 0
    assert json.loads((tmp_path / "index.json").read_text())["a"]["threshold"] == thresholds["own"] != 0.5
    both = f"--scores={tmp_path / 'own'},{tmp_path / 'noi'}"
    assert export.main([*arguments, f"--output={tmp_path / 'b.npz'}", both]) == 1
    assert f"error: --scores={tmp_path / 'noi'}: an evaluation of noi, which is" in capsys.readouterr().err
    assert thresholds["noi"] > 1 and not (tmp_path / "b.npz").exists()


@pytest.mark.parametrize("form", [onnx, tflite], ids=["onnx", "tflite"])
def test_a_file_is_the_checkpoint(run_dir, network, tmp_path, capsys, form):
    if form is onnx:
        pytest.importorskip("onnxruntime")
    suffix = "onnx" if form is onnx else "tflite"
    output = tmp_path / f"model.{suffix}"
    assert export.main(["export", f"--run_dir={run_dir}", f"--output={output}", f"--format={suffix}"]) == 0
    assert "on 3 generated and 6 real pictures" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {output.name, f"{output.name}.json"}
    assert json.loads((tmp_path / f"{output.name}.json").read_text())["checkpoint"] == "best/ckpt-7"
    assert largest_difference(network, form.runner(output.read_bytes()), [tiny.tile(1)]) <= form.TOLERANCE


def test_what_quantisation_costs_is_measured(run_dir, network, tmp_path, capsys):
    output = tmp_path / "small.tflite"
    arguments = [f"--run_dir={run_dir}", f"--output={output}", "--format=tflite", "--quantize=float16"]
    assert export.main(["export", *arguments]) == 0
    beside = json.loads((tmp_path / "small.tflite.json").read_text())
    maps = tflite.runner(output.read_bytes())
    scored, left_out = pictures.scored_items(None, run_dir)
    assert (len(scored), left_out) == (7, 0)
    assert beside["quantization"] == "float16"
    assert beside["quantization_scores"]["float16"] == pictures.paper_scores(maps, scored, "")
    assert beside["quantization_scores"]["network"] == pictures.paper_scores(network, scored, "")
    assert f"float16: F1 {beside['quantization_scores']['float16']['f1']:.4f}" in capsys.readouterr().out


def test_maps_that_are_the_masks_have_the_whole_score(capsys):
    mask = np.zeros([8, 8], np.uint8)
    mask[2:4, 2:5] = 1
    item = SimpleNamespace(read=lambda: (np.zeros([8, 8, 3], np.uint8), mask))
    scores = pictures.paper_scores(lambda _: {"probability": mask[..., None].astype(np.float32)}, [item], "int8")
    assert (scores["f1"], scores["mcc"], scores["pictures"]) == (1.0, 1.0, 1)
    assert "\rint8: " in capsys.readouterr().err


def test_damaged_records_are_named_left_out_and_counted(run_dir, tmp_path, capsys):
    records = tiny.write_records(tmp_path / "records", tiny.manipulated())
    run = with_records(run_dir, tmp_path, validation_records=records)
    damage_record(records.path, "tile 2")
    damage_record(records.path, "tile 5")  # two masks
    output = tmp_path / "small.tflite"
    arguments = [f"--run_dir={run}", f"--output={output}", "--format=tflite", "--quantize=float16"]
    assert export.main(["export", *arguments]) == 3
    out, err = capsys.readouterr()
    assert "on 3 generated and 4 real pictures" in out and "(paper, 4 pairs)" in out
    assert f"--validation_records={records.path}: left out tile 2: damaged since its preparation" in err
    assert "pictures left out, since they cannot be read: 5\n" in err  # 2 of those compared on, 3 of those scored
    assert json.loads((tmp_path / "small.tflite.json").read_text())["quantization_scores"]["float16"]["pictures"] == 4


def test_where_no_record_can_be_read_the_next_ones_are_compared_on_and_nothing_is_scored(run_dir, sources, tmp_path):
    records = tiny.write_records(tmp_path / "records", tiny.manipulated()[:2])
    run = with_records(run_dir, tmp_path, validation_records=records, source_records=sources)
    for name in ("tile 0", "tile 1"):
        damage_record(records.path, name)
    found, left_out = pictures.run_pictures(run)
    assert (len(found), left_out) == (6, 2)
    with pytest.raises(RecordsError, match=f"--validation_records={records.path}: of 2 pictures with a mask none can"):
        pictures.scored_items(None, run)
    with pytest.raises(RecordsError, match=f"--records={records.path}: of 2 pictures with a mask none can be read"):
        pictures.scored_items(str(records.path), None)


@pytest.mark.parametrize(
    ("text", "fault"), [(None, "missing"), ("{", r"damaged \(Expecting .*\)"), ("folder", r"damaged \(.*\)")]
)
def test_a_best_score_that_is_not_there_is_missing_and_another_one_damaged(run_dir, tmp_path, text, fault):
    copied = shutil.copytree(run_dir, tmp_path / "run")
    (copied / "best.json").unlink()
    if text == "folder":
        (copied / "best.json").mkdir()
    elif text:
        (copied / "best.json").write_text(text)
    with pytest.raises(ExportError, match=f"{copied}/best.json: {fault}; --checkpoint=newest exports without it"):
        facts(copied)


def test_a_file_that_disagrees_is_not_written(run_dir, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(tflite, "convert", lambda detector: b"model")
    monkeypatch.setattr(
        tflite, "runner", lambda model: lambda picture: {"probability": np.ones([*picture.shape[:2], 1])}
    )
    arguments = [f"--run_dir={run_dir}", f"--output={tmp_path / 'm.tflite'}", "--format=tflite"]
    assert export.main(["export", *arguments]) == 1
    assert "error: the exported model differs from the network by 0." in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--output=model.pb", "--format=onnx"], "--output=model.pb: expected a file name that ends in .onnx"),
        (["--output=model.onnx"], "--output=model.onnx: --format=saved_model is a folder, and .onnx ends a file of"),
        (["--output=model[1]"], "--output=model[1]: to TensorFlow a path with *, ?, [ or \\ is a pattern"),
        (["--output=" + os.fsdecode(b"model\xe9")], "--output=model\\udce9: not UTF-8"),
        (["--output=model", "--quantize=int8"], "--quantize=int8 is for --format=tflite, not --format=saved_model"),
        (["--output=m.tflite", "--format=tflite", "--pictures=none"], "--pictures=none: no pictures that can be read"),
        (
            ["--output=m.tflite", "--format=tflite", "--quantize=int8", "--records=none"],
            "--records=none: no such folder",
        ),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_wrong_flags(run_dir, capsys, flags, message):
    assert export.main(["export", f"--run_dir={run_dir}", *flags]) == 1
    assert message in capsys.readouterr().err


def test_pictures_are_the_folders_or_the_runs_or_none(run_dir, tmp_path, capsys):
    Image.fromarray(tiny.tile(5)).save(tmp_path / "a.png")
    for name in ("cut.png", "._a.png"):  # damaged; what a Mac writes beside a file
        (tmp_path / name).write_bytes((tmp_path / "a.png").read_bytes()[:60])
    (found,), left_out = pictures.folder_pictures(str(tmp_path))
    assert left_out == 1
    said = capsys.readouterr().err
    assert "cut.png" in said and "._a.png" not in said
    np.testing.assert_array_equal(found, tiny.tile(5))
    np.testing.assert_array_equal(pictures.run_pictures(run_dir)[0][0], tiny.manipulated()[0].picture)
    elsewhere = shutil.copytree(run_dir, tmp_path / "elsewhere")
    facts = json.loads((elsewhere / "run.json").read_text())
    facts["records"]["--validation_records"]["path"] = str(tmp_path / "gone")
    (elsewhere / "run.json").write_text(json.dumps(facts))
    assert pictures.run_pictures(elsewhere) == ([], 0)


def test_weights_are_listed_under_their_name_and_start_a_run(run_dir, tmp_path):
    output = tmp_path / "ours.npz"
    arguments = [f"--run_dir={run_dir}", f"--output={output}", "--format=weights", "--size=56", "--threshold=0.25"]
    assert export.main(["export", *arguments, "--centre=0.3"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"ours.npz", "index.json"}
    loaded, entry = shipped.load("ours", tmp_path)
    assert (loaded.size, loaded.centre, entry["threshold"], entry["checkpoint"]) == (56, 0.3, 0.25, "best/ckpt-7")
    network, _, _ = export.load_run(run_dir, "best", 56, 0.3)
    assert 0 < largest_difference(network, loaded, [tiny.tile(1)]) < weights.TOLERANCE
    started = build_segmenter(Networks(width=0.03))
    load_npz(named_variables(started), str(output), "--initial_weights")
    for mine, theirs in zip(started.trainable_variables, loaded.segmenter.trainable_variables):
        np.testing.assert_array_equal(mine, theirs)


def test_weights_come_behind_the_others_and_take_no_files_place(run_dir, loaded, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(agreement, "trial_pictures", lambda: [tiny.tile(1)])
    monkeypatch.setattr(export, "load_run", lambda *_: loaded)

    def save(name):
        return export.main(["export", f"--run_dir={run_dir}", f"--output={tmp_path / name}.npz", "--format=weights"])

    assert [save(name) for name in ("b", "a", "b")] == [0, 0, 1]
    assert "b.npz exists already; remove it or choose another name" in capsys.readouterr().err
    monkeypatch.setattr(weights, "TOLERANCE", 0.0)
    assert save("c") == 1 and "differs from the network by" in capsys.readouterr().err
    assert list(shipped.read_index(tmp_path)) == ["b", "a"]
    assert {path.name for path in tmp_path.iterdir()} == {"a.npz", "b.npz", "index.json"}


@pytest.mark.parametrize("count", [1, 2])
def test_weights_are_averaged_with_files(run_dir, network, tmp_path, count):
    others, files = [], []
    for number in range(count):
        others.append(named_variables(build_segmenter(Networks(width=0.03))))
        files.append(tmp_path / f"before-{number}.npz")
        np.savez(files[-1], **{name: variable.numpy() for name, variable in others[-1].items()})
    arguments = [f"--run_dir={run_dir}", f"--output={tmp_path / 'mean.npz'}", "--format=weights"]
    assert export.main(["export", *arguments, f"--average_with={','.join(map(str, files))}"]) == 0
    mean, entry = shipped.load("mean", tmp_path)
    assert entry["averaged_with"] == [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    own, found = (named_variables(one.segmenter) for one in (network, mean))
    for name in own:
        expected = np.mean([own[name], *(other[name] for other in others)], axis=0)
        np.testing.assert_allclose(found[name], expected, rtol=1e-3, atol=1e-6)


@pytest.mark.slow
def test_scales_are_the_models_own_and_may_be_others(run_dir, loaded, tmp_path, capsys, monkeypatch):
    shipped_facts = {**shipped.load("gsr-net-coco")[1], "scales": [0.75, 1.0, 1.35]}
    monkeypatch.setattr(shipped, "load", lambda name: (loaded[0], shipped_facts))
    run, weights = f"--run_dir={run_dir}", "--weights=gsr-net-coco"
    output, said = tmp_path / "model", []
    assert export.main(["export", run, "--scales=1.5,1", f"--output={output}"]) == 0
    assert Detector.load(output).scales == (1.0, 1.5)
    monkeypatch.setattr(export, "load_run", lambda *_: loaded)
    monkeypatch.setattr(export.saved_model, "save", lambda detector, path, facts, pictures: said.append(facts) or 0.0)
    for arguments in ([run], [weights], [weights, "--scales=1"]):
        assert export.main(["export", *arguments, f"--output={tmp_path / 'other'}"]) == 0
    assert [facts["scales"] for facts in said] == [[1.0], [0.75, 1.0, 1.35], [1.0]]
    assert export.main(["export", f"--run_dir={run_dir}", f"--output={tmp_path / 'x'}", "--scales=1,9"]) == 1
    assert "--scales=1,9: expected one or more different factors" in capsys.readouterr().err


@pytest.mark.parametrize("both", [True, False])
def test_a_run_or_weights_and_not_both(run_dir, tmp_path, capsys, both):
    given = [f"--run_dir={run_dir}", "--weights=gsr-net-coco"] if both else []
    assert export.main(["export", *given, f"--output={tmp_path / 'model'}"]) == 1
    assert "error: give one of --run_dir=FOLDER and --weights=NAME" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_average_needs_its_file_and_a_run(run_dir, tmp_path, capsys):
    more = [f"--output={tmp_path / 'model'}", f"--average_with={tmp_path / 'none.npz'}"]
    assert export.main(["export", f"--run_dir={run_dir}", *more]) == 1
    assert "none.npz: no such file, and no weights of that name" in capsys.readouterr().err
    assert export.main(["export", "--weights=gsr-net-coco", *more]) == 1
    assert "--average_with and --centre are a run's" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_pictures_are_seen_at_the_size_asked_for(run_dir, network):
    picture, small, large = tiny.tile(1), network, export.load_run(run_dir, "best", 56)[0]
    assert (small.size, large.size) == (40, 56)
    assert not np.allclose(small(picture)["probability"], large(picture)["probability"], atol=1e-6)


def test_places_on_this_machine_are_not_said():
    said = {"a": {"b": "/home/x/records"}, "teachers": ("/home/x/one.npz", "two.npz"), "steps": 3, "url": "a/b"}
    wanted = {"a": {"b": "records"}, "teachers": ("one.npz", "two.npz"), "steps": 3, "url": "a/b"}
    assert without_places(said) == wanted


@pytest.fixture(scope="module")
def mfcn_run(tmp_path_factory):
    """A run of MFCN, which sees pictures whole; its checkpoint is a network of random weights."""
    folder = tmp_path_factory.mktemp("runs") / "mfcn"
    settings = config.any_from_dict({"method": "mfcn", "width": 0.03, "fc_channels": 8, "vgg16_weights": "random"})
    settings.write(folder)
    write_facts(folder, {})
    checkpoint = tf.train.Checkpoint(segmenter=settings.build_segmenter())
    tf.train.CheckpointManager(checkpoint, str(folder / "checkpoints"), max_to_keep=1).save(checkpoint_number=3)
    return folder


@pytest.mark.parametrize("format_", ["saved_model", "weights"])
def test_scales_at_which_a_model_cannot_see_are_refused(mfcn_run, tmp_path, capsys, format_):
    output = tmp_path / ("model.npz" if format_ == "weights" else "model")
    arguments = [f"--run_dir={mfcn_run}", f"--output={output}", f"--format={format_}", "--scales=.5,1"]
    assert export.main(["export", *arguments]) == 1
    assert "--scales=.5,1: mfcn sees whole pictures at scale 1 alone" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_of_another_methods_weights_only_what_was_done_is_said(mfcn_run, tmp_path, capsys):
    output = tmp_path / "mfcn.npz"
    assert export.main(["export", f"--run_dir={mfcn_run}", f"--output={output}", "--format=weights", "--scales=1"]) == 0
    said = f"{output}: the weights of {mfcn_run / 'checkpoints' / 'ckpt-3'}, by name, read again; {output}.json says"
    assert capsys.readouterr().out == f"{said} what they are\n"
    stored = config.load_any(mfcn_run).stored(export.load_run(mfcn_run, "newest")[0].segmenter)
    np.testing.assert_equal(read_npz(str(output), ""), {name: variable.numpy() for name, variable in stored.items()})


def test_weights_that_are_read_again_as_others_get_no_name(mfcn_run, tmp_path, capsys, monkeypatch):
    save = np.savez
    monkeypatch.setattr(np, "savez", lambda file, **arrays: save(file, **{k: v + 1 for k, v in arrays.items()}))
    arguments = [f"--run_dir={mfcn_run}", f"--output={tmp_path / 'mfcn.npz'}", "--format=weights"]
    assert export.main(["export", *arguments]) == 1
    assert "mfcn.npz: " in (said := capsys.readouterr().err) and "were read again as other weights" in said
    assert not list(tmp_path.iterdir())
