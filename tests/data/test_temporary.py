"""Where no temporary file can be written, one line says which variable to set."""

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gsr_tf.data import temporary
from gsr_tf.data.temporary import TemporaryError
from gsr_tf.evaluation.evaluator import Evaluator
from gsr_tf.formats import saved_model, weights


@pytest.fixture
def no_folder(monkeypatch, tmp_path):
    """TMPDIR leads to a folder that is not there, and so does every other place that Python would try."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "none")])


SAYS = "no temporary file can be written .No usable temporary directory.*; set TMPDIR to a folder that has room"


@pytest.mark.parametrize(
    ("use", "what"),
    [
        (lambda path: Evaluator([]), "the curves of the pictures that were scored"),
        (lambda path: saved_model.save(None, path / "model", {}), "what the model says of itself"),
        (lambda path: weights.save(None, path / "a.npz", {}), "the rounded weights, on trial"),
    ],
    ids=["evaluation", "SavedModel", "weights"],
)
def test_without_a_temporary_folder(no_folder, tmp_path, use, what):
    with pytest.raises(TemporaryError, match=f"{what}: {SAYS}"):
        use(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_full_temporary_disk_is_not_taken_for_that_of_the_model(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    message = "what the model says of itself: no temporary file can be written .No space left on device"
    with pytest.raises(TemporaryError, match=message):
        saved_model.save(None, tmp_path / "model", {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("folders", "found"), [("['/none']", "./absl_testing"), ("[TMP]", "TMP/absl_testing")])
def test_tensorflow_can_be_imported_without_a_temporary_folder(tmp_path, folders, found):
    """It imports absl's tests, which want to know one."""
    code = f"""if True:
        import tempfile
        tempfile._candidate_tempdir_list = lambda: {folders.replace("TMP", repr(str(tmp_path)))}
        import gsr_tf
        from absl.testing import absltest
        print(absltest.get_default_test_tmpdir())"""
    environment = {name: value for name, value in os.environ.items() if name != "TEST_TMPDIR"}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (ended.stdout.strip(), ended.returncode) == (found.replace("TMP", str(tmp_path)), 0), ended.stderr


def test_a_full_temporary_disk_is_said():
    message = "a: no temporary file can be written .No space left on device"
    with pytest.raises(TemporaryError, match=message), temporary.explained("a"):
        Path("/dev/full").write_bytes(b"x")


def test_a_temporary_folder_is_removed_and_errors_inside_it_are_their_own():
    with pytest.raises(OSError, match="^mine$"), temporary.folder("a") as name:
        Path(name, "file").touch()
        raise OSError("mine")
    assert not Path(name).exists()
