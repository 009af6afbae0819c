"""The real commands, on tiny records and networks, and what they leave on disk."""

import csv
import json
import re
import shutil
import signal

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.python.framework.config import disable_op_determinism

from gsr_tf import config, evaluate, export, predict, train
from gsr_tf.data.image_ops import to_network_range
from gsr_tf.data.pictures import read_picture
from gsr_tf.inference.detector import Detector
from gsr_tf.inference.metadata import WAY
from gsr_tf.models.gsr_net import GSRNet
from gsr_tf.models.segmenter import build_segmenter, manipulation_probability
from gsr_tf.training import run
from gsr_tf.training.restored import last_step, restore_network
from gsr_tf.training.run_dir import read_facts, this_code
from tests import tiny
from tests.checkpoints import values_in

STEPS = 4
PANEL = (2, 4)


@pytest.fixture(scope="module")
def command(sources, targets):
    """A training command, less its --run_dir and --steps: everything, small."""
    yield [
        *["train", f"--source_records={sources.path}", f"--target_records={targets.path}"],
        *[f"--validation_records={sources.path}", "--validation_pictures=3", "--validate_every=2"],
        *["--vgg16_weights=random", "--width=0.02", "--input_size=32", "--batch_size=2"],
        *["--segment_on=generated", "--refine_on=generated", "--deterministic"],
        *["--log_every=1", "--panels_every=2", "--save_every=2"],
    ]
    disable_op_determinism()


@pytest.fixture(scope="module")
def trained(command, tmp_path_factory):
    """The folder of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert train.main([*command, f"--run_dir={folder}", f"--steps={STEPS}"]) == 0
    return folder


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """Its SavedModel."""
    folder = tmp_path_factory.mktemp("models") / "model"
    assert export.main(["export", f"--run_dir={trained}", f"--output={folder}", "--checkpoint=newest"]) == 0
    return folder


@pytest.fixture(scope="module")
def detector(exported):
    """The SavedModel, read again."""
    return Detector.load(exported)


def curves(run_dir):
    """{tag: {step: value}} of all event files; the value of what is no scalar is None."""
    found = {}
    for file in sorted(run_dir.glob("events.*")):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                scalar = value.metadata.plugin_data.plugin_name == "scalars"
                found.setdefault(value.tag, {})[event.step] = float(tf.make_ndarray(value.tensor)) if scalar else None
    return found


def saved(run_dir, step):
    """{name: value} of a checkpoint."""
    values = values_in(run_dir / "checkpoints" / f"ckpt-{step}")
    return {name: value for name, value in values.items() if not name.startswith("save_counter")}


def files(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_what_a_run_leaves(trained, sources):
    names = {str(path) for path in files(trained)}
    assert {"config.json", "run.json", "best.json", "checkpoints/ckpt-2.index", "checkpoints/ckpt-4.index"} <= names
    assert {f"panels/{step:07d}.png" for step in PANEL} == {name for name in names if name.startswith("panels")}
    assert len([name for name in names if name.startswith("best/ckpt")]) == 2
    assert config.load(trained).flat()["steps"] == STEPS
    facts = json.loads((trained / "run.json").read_text())
    assert facts["records"]["--validation_records"]["fingerprint"] == sources.fingerprint
    columns = ("S", "K", "T", "M", "G(M)", "P", "M'", "K'", "prediction", "boundary")
    assert read_picture(trained / "panels" / "0000002.png").shape == (18 + 2 * 160, len(columns) * 160, 3)


def test_curves_of_every_loss(trained):
    found = curves(trained)
    parts = ["background", "gradient", "edge", "adversarial", "generator", "discriminator", "segmenter", "weight_decay"]
    pictures = ("generated", "generated_refined_1")
    parts += [f"{kind}/{picture}" for kind in ("segmentation", "boundary") for picture in pictures]
    assert {"run", "_hparams_/session_start_info"} <= set(found)
    assert {tag for tag in found if tag.startswith("loss")} == {f"loss/{part}" for part in parts}
    for part in parts:
        assert list(found[f"loss/{part}"]) == [1, 2, 3, 4]
        assert np.isfinite(list(found[f"loss/{part}"].values())).all()
    assert list(found["validation/f1"]) == [2, 4]
    assert list(found["panel"]) == [2, 4]
    assert {f"learning_rate/{name}" for name in ("generator", "discriminator", "segmenter")} <= set(found)
    assert {"time/step_seconds", "time/input_seconds", "validation/mcc", "validation/all_positive_f1"} <= set(found)


def test_the_best_is_the_best_of_the_curve(trained):
    scores = curves(trained)["validation/f1"]
    best = json.loads((trained / "best.json").read_text())
    assert best["validation_f1"] == pytest.approx(max(scores.values()), abs=1e-6)
    assert (trained / "best" / f"ckpt-{best['step']}.index").exists()


def test_the_same_command_again_does_nothing(command, trained, capsys, monkeypatch):
    before, facts = (saved(trained, STEPS), files(trained / "checkpoints")), read_facts(trained)
    monkeypatch.setattr("gsr_tf.training.run_dir.source_commit", lambda: "f00d")
    assert train.main([*command, f"--run_dir={trained}", f"--steps={STEPS}"]) == 0
    assert f"{trained}: at step {STEPS}, --steps={STEPS} are done" in capsys.readouterr().out
    np.testing.assert_equal((saved(trained, STEPS), files(trained / "checkpoints")), before)
    assert read_facts(trained) == facts  # that commit has trained nothing


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(command, trained, tmp_path, monkeypatch, capsys):
    run_dir, code = tmp_path / "run", this_code()
    step = GSRNet.train_step

    def interrupted_step(net, batch):
        if int(net.step) == 2:
            signal.raise_signal(signal.SIGTERM)
        return step(net, batch)

    with monkeypatch.context() as patch:
        patch.setattr(GSRNet, "train_step", interrupted_step)
        assert train.main([*command, f"--run_dir={run_dir}", "--steps=9"]) == 128 + signal.SIGTERM
    assert "stopped and saved at step 3 of 9; the same command goes on" in capsys.readouterr().out

    monkeypatch.setattr("gsr_tf.training.run_dir.source_commit", lambda: "f00d")
    assert train.main([*command, f"--run_dir={run_dir}", f"--steps={STEPS}"]) == 0
    assert f"{run_dir}: trained with {code} so far, now with {this_code()}; CHANGELOG.md" in capsys.readouterr().out
    assert read_facts(run_dir)["code"] == {"0": code, "3": this_code()}
    np.testing.assert_equal(saved(run_dir, STEPS), saved(trained, STEPS))
    found = curves(run_dir)
    for tag, curve in curves(trained).items():
        assert tag.startswith("time") or found[tag] == curve, tag


@pytest.mark.slow
def test_several_replicas_train_draw_validate_and_save(command, tmp_path, monkeypatch, two_replicas):
    monkeypatch.setattr(run, "build_strategy", lambda _: two_replicas)
    assert train.main([*command, f"--run_dir={tmp_path}", "--steps=2"]) == 0
    assert np.isfinite(list(curves(tmp_path)["loss/segmenter"].values())).all()
    assert saved(tmp_path, 2)
    assert (tmp_path / "panels" / "0000002.png").exists()


def test_a_batch_that_replicas_cannot_share_is_refused(command, tmp_path, monkeypatch, two_replicas, capsys):
    monkeypatch.setattr(run, "build_strategy", lambda _: two_replicas)
    assert train.main([*command, f"--run_dir={tmp_path}", "--batch_size=3", "--steps=2"]) == 1
    assert re.search(r"error: --batch_size=3: 2 replicas \(.*expected a multiple of 2", capsys.readouterr().err)
    assert not (tmp_path / "config.json").exists()


def test_a_step_of_several_replicas_is_not_compiled(command, tmp_path, monkeypatch, two_replicas, capsys):
    monkeypatch.setattr(run, "build_strategy", lambda _: two_replicas)
    assert train.main([*command, f"--run_dir={tmp_path}", "--jit_compile", "--nodeterministic", "--steps=1"]) == 1
    assert re.search(r"error: --jit_compile: there are 2 replicas \(.*CUDA_VISIBLE_DEVICES=0", capsys.readouterr().err)
    assert not (tmp_path / "config.json").exists()


def test_a_loss_that_is_not_a_number_ends_the_run(command, tmp_path, capsys):
    small = [
        "--segment_on=pasted",
        "--refine_steps=0",
        "--noboundary_branch",
        "--panels_every=0",
        "--save_every=1",
        "--validate_every=9",
    ]
    arguments = [*command, *small, f"--run_dir={tmp_path}", "--steps=5", "--learning_rate=1e38"]
    assert train.main(arguments) == 1
    way_back = r"--learning_rate, with --initial_weights of an earlier checkpoint \(python -m gsr_tf.export --format=w"
    assert re.search(rf"error: step 2: .*loss/segmenter = (nan|inf).*{way_back}", capsys.readouterr().err)
    assert (tmp_path / "checkpoints" / "ckpt-1.index").exists()
    assert not (tmp_path / "checkpoints" / "ckpt-2.index").exists()


def test_a_generator_alone_that_diverged_says_what_can_be_begun_with(sources, targets, tmp_path, capsys):
    alone = [
        *["train", f"--source_records={sources.path}", f"--target_records={targets.path}", "--segment_on="],
        *["--refine_steps=0", "--vgg16_weights=random", "--width=0.02", "--input_size=32", "--batch_size=2"],
        *["--panels_every=0", "--save_every=1"],
    ]
    first, soon = tmp_path / "first", ["--steps=9", "--learning_rate=1e37"]
    assert train.main([*alone, f"--run_dir={tmp_path / 'nothing saved'}", *soon, "--save_every=9"]) == 1
    assert capsys.readouterr().err.strip().endswith("start another --run_dir at a lower --learning_rate")
    assert train.main([*alone, f"--run_dir={first}", *soon]) == 1
    said = capsys.readouterr().err.strip()
    assert said.endswith(f"lower --learning_rate, with --initial_generator={first}") and "--initial_weights" not in said
    second = tmp_path / "second"
    assert train.main([*alone, f"--run_dir={second}", "--steps=0", said.split()[-1]]) == 0
    newest, begun = (saved(folder, last_step(folder)) for folder in (first, second))
    generator = [name for name in begun if name.startswith("generator/") and "OPTIMIZER_SLOT" not in name]
    assert generator
    for name in generator:
        np.testing.assert_array_equal(begun[name], newest[name], err_msg=name)


def test_the_exported_model_is_the_checkpoint(trained, detector):
    segmenter = build_segmenter(config.load(trained).networks)
    restore_network("segmenter", segmenter, trained, "newest")
    picture = tiny.tile(3)[:32, :32]
    expected = manipulation_probability(segmenter, to_network_range(picture)[None])[0]
    found = detector.module(picture)["probability"]
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_exported_model_says_where_it_comes_from(trained, exported):
    metadata = json.loads((exported / "assets" / "gsr_tf.json").read_text())
    assert metadata["checkpoint"] == "checkpoints/ckpt-4"
    assert (metadata["config"]["input_size"], metadata["way"]) == (32, WAY)
    stored = json.loads((trained / "run.json").read_text())["records"]
    assert {flag: facts["fingerprint"] for flag, facts in metadata["records"].items()} == {
        flag: facts["fingerprint"] for flag, facts in stored.items()
    }


def test_an_export_is_never_overwritten(trained, exported, capsys):
    before = files(exported)
    assert export.main(["export", f"--run_dir={trained}", f"--output={exported}"]) == 1
    assert f"--output={exported} exists already" in capsys.readouterr().err
    assert files(exported) == before


@pytest.fixture(scope="module")
def answered(exported, tmp_path_factory):
    """Folders of pictures and of answers, and the exit code."""
    pictures, answers = tmp_path_factory.mktemp("pictures"), tmp_path_factory.mktemp("answers")
    tile = tiny.tile(0)
    (pictures / "deep").mkdir()
    Image.fromarray(tile).save(pictures / "rgb.png")
    Image.fromarray(tile[..., 0]).save(pictures / "deep" / "grey.jpg")
    Image.fromarray(np.dstack([tile, tile[..., 0]])).save(pictures / "rgba.png")
    Image.fromarray(tile[:1, :1]).save(pictures / "dot.png")
    (pictures / "bad.jpg").write_bytes(b"no picture")
    (pictures / "cut.png").write_bytes((pictures / "rgb.png").read_bytes()[:500])
    (pictures / "notes.txt").write_text("not to be read")
    code = predict.main(["predict", f"--saved_model={exported}", f"--input={pictures}", f"--output={answers}"])
    return pictures, answers, code


def test_every_picture_is_answered_in_its_size(answered):
    pictures, answers, _ = answered
    sizes = {"rgb": (48, 64), "deep/grey": (48, 64), "rgba": (48, 64), "dot": (1, 1)}
    kinds = {"map.png": (), "mask.png": (), "overlay.jpg": (3,)}
    expected = {f"{name}_{kind}": (*size, *end) for name, size in sizes.items() for kind, end in kinds.items()}
    named = [path for path in files(answers) if path.parts[0] != ".previews" and path.suffix in (".png", ".jpg")]
    assert {str(path): np.asarray(Image.open(answers / path)).shape for path in named} == expected


def test_answers_are_the_models(answered, detector):
    pictures, answers, _ = answered
    found = detector.segment(pictures / "rgb.png")
    np.testing.assert_array_equal(np.asarray(Image.open(answers / "rgb_map.png")), np.rint(65535 * found.map))
    np.testing.assert_array_equal(np.asarray(Image.open(answers / "rgb_mask.png")), 255 * found.mask)
    assert found.warnings == ()
    assert detector.segment(pictures / "rgba.png").warnings == ("transparency ignored",)


def test_bad_pictures_are_named_counted_and_skipped(answered, exported, tmp_path, capsys):
    pictures, _, code = answered
    assert code == 3
    shutil.copy(pictures / "bad.jpg", tmp_path / "alone.jpg")
    arguments = [f"--saved_model={exported}", f"--input={tmp_path / 'alone.jpg'}", f"--output={tmp_path / 'out'}"]
    assert predict.main(["predict", *arguments]) == 3
    output = capsys.readouterr()
    assert f"skipped {tmp_path}/alone.jpg: not a picture" in output.err
    assert "0 of 1 pictures answered, 1 skipped" in output.out


def test_the_export_is_evaluated(exported, detector, sources, tmp_path):
    output = tmp_path / "results"
    arguments = [f"--saved_model={exported}", f"--records={sources.path}", f"--output={output}"]
    assert evaluate.main(["evaluate", *arguments, "--protocols=fixed-0.5"]) == 0
    with (output / "per_image.csv").open() as file:
        rows = list(csv.DictReader(file))
    mask = tiny.manipulated()[0].masks[0]
    predicted = detector.module(tiny.manipulated()[0].picture)["probability"].numpy()[..., 0] > 0.5
    f1 = 2 * (predicted & mask).sum() / (predicted.sum() + mask.sum())
    assert float(next(row for row in rows if row["name"] == "tile 0")["f1 at 0.5"]) == pytest.approx(f1, abs=1e-6)
