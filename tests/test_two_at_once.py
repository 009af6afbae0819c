"""Two commands that write to one folder: the second is refused before it touches anything."""

import fcntl
import functools
import re

import numpy as np
import pytest

from gsr_tf import config, evaluate, predict, tables, train
from gsr_tf.data.one_writer import LOCK, FolderInUse
from gsr_tf.data.pictures import encode_png
from gsr_tf.formats import named_weights, saved_model, single_file, weights
from gsr_tf.formats.agreement import ExportError
from gsr_tf.training import run
from tests.other_process import holding


@pytest.fixture
def arguments(tmp_path):
    (tmp_path / "a.png").write_bytes(encode_png(np.zeros([8, 8, 3], np.uint8)))
    return ["predict", "--method=all-positive", f"--input={tmp_path / 'a.png'}", f"--output={tmp_path / 'out'}"]


def test_a_second_predict_in_a_folder_is_refused(arguments, tmp_path, capsys):
    output = tmp_path / "out"
    with holding(output) as first:
        assert predict.main(arguments) == 1
    said = capsys.readouterr().err
    assert re.search(f"error: --output={output}: process {first.pid} on .* is writing there", said)
    assert [path.name for path in output.iterdir()] == [LOCK]


def test_predict_gives_its_folder_free(arguments, tmp_path):
    assert predict.main(arguments) == predict.main(arguments) == 0
    with (tmp_path / "out" / LOCK).open("a") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_second_evaluate_in_a_folder_is_refused(tmp_path, capsys):
    (tmp_path / "a.png").write_bytes(encode_png(np.zeros([8, 8, 3], np.uint8)))
    (tmp_path / "list.csv").write_text("a.png")
    output = tmp_path / "out"
    with holding(output) as first:
        assert (
            evaluate.main(["evaluate", "--method=noi", f"--pairs={tmp_path / 'list.csv'}", f"--output={output}"]) == 1
        )
    said = capsys.readouterr().err
    assert re.search(f"error: --output={output}: process {first.pid} on .* is writing there", said)
    assert [path.name for path in output.iterdir()] == [LOCK]


def test_second_tables_in_a_folder_are_refused(tmp_path, capsys):
    with holding(tmp_path) as first:
        assert tables.main(["tables", "--table=1", "--rows=NOI", f"--output={tmp_path}"]) == 1
    said = capsys.readouterr().err
    assert re.search(f"error: --output={tmp_path}: process {first.pid} on .* is writing there", said)
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]


def test_a_second_run_in_a_folder_is_refused_before_anything_is_read_or_built(tmp_path, capsys):
    run_dir = tmp_path / "run"
    with holding(run_dir) as first:
        assert train.main(["train", "--source_records=none", "--target_records=none", f"--run_dir={run_dir}"]) == 1
    said = capsys.readouterr().err
    assert re.search(f"error: --run_dir={run_dir}: process {first.pid} on .* is writing there", said)
    assert [path.name for path in run_dir.iterdir()] == [LOCK]


def test_train_holds_its_folder_until_its_end(tmp_path, monkeypatch):
    settings = config.Config().changed(vgg16_weights="random")

    def another(*_):
        with pytest.raises(AssertionError), holding(tmp_path):
            pass
        return 7

    monkeypatch.setattr(run, "_run", another)
    assert run.run(settings, tmp_path, "gsr_tf.train") == 7
    with holding(tmp_path):
        pass


@pytest.mark.parametrize(
    ("save", "name", "held"),
    [
        (saved_model.save, "model", "model"),
        (weights.save, "ours.npz", "index.json"),
        (lambda _, output, facts: named_weights.save({}, output, facts), "ours.npz", "ours.npz"),
        (functools.partial(single_file.save, format_="onnx", pictures=()), "ours.onnx", "ours.onnx"),
        (
            functools.partial(single_file.save_quantized, quantize="float16", pictures=(), scored=()),
            "ours.tflite",
            "ours.tflite",
        ),
    ],
    ids=["SavedModel", "weights", "another method's weights", "ONNX", "quantised"],
)
def test_a_second_export_is_refused_and_takes_nothing_from_the_first(tmp_path, save, name, held):
    """Another one into the same folder of weights, too: they share its index."""
    begun = tmp_path / ".model.tmp" / "saved_model.pb"
    begun.parent.mkdir()
    begun.touch()
    with holding(tmp_path / held, "hold_from_beside") as first:
        with pytest.raises(
            FolderInUse, match=f"--output={tmp_path / held}: process {first.pid} on .* is writing there"
        ):
            save(None, tmp_path / name, facts={})
        assert begun.exists()
    begun.unlink()
    (tmp_path / name).touch()
    with pytest.raises(ExportError, match=f"--output={tmp_path / name} exists already"):  # the first one's
        save(None, tmp_path / name, facts={})
