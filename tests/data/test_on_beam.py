import errno
import functools
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from gsr_tf.data import on_beam
from gsr_tf.errors import UserError

DIRECT = "DirectRunner"


class Known(UserError):
    """An error that a user can mend."""


def leave(number, folder):
    (Path(folder) / f"{number} {os.getpid()}").touch()


def fail(_):
    raise Known("the model is missing")


def find_no_room(_):
    raise OSError(errno.ENOSPC, "No space left on device", "answers.jsonl")


def break_down(_):
    raise ZeroDivisionError("a defect")


def interrupt(_):
    signal.raise_signal(signal.SIGINT)


def test_a_function_is_called_with_each_item(tmp_path):
    pytest.importorskip("apache_beam", reason="needs gsr_tf[beam]")
    on_beam.run(functools.partial(leave, folder=tmp_path), [1, 2, 3], DIRECT, [])
    assert {path.name.split()[0] for path in tmp_path.iterdir()} == {"1", "2", "3"}


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (fail, Known, "^the model is missing$"),
        (find_no_room, on_beam.BeamError, r"^\[Errno 28\] No space left on device: 'answers.jsonl'$"),
        (break_down, on_beam.BeamError, "the DirectRunner pipeline failed: a defect"),
        (interrupt, KeyboardInterrupt, "^$"),
    ],
)
def test_what_went_wrong_is_raised_as_it_was(function, error, message, caplog):
    pytest.importorskip("apache_beam", reason="needs gsr_tf[beam]")
    with pytest.raises(error, match=message):
        on_beam.run(function, [1], DIRECT, [])
    assert ("Traceback" in caplog.text) == (function is break_down)  # a defect's


def test_without_beam_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(on_beam.BeamError, match=r"--runner=DirectRunner: .* pip install 'gsr_tf\[beam\]'"):
        on_beam.run(leave, [1], DIRECT, [])


def test_progress_is_what_has_appeared(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(on_beam, "LOOK_SECONDS", 0.01)
    (tmp_path / "other").touch()
    with on_beam.progress(tmp_path, {"a": 30, "b": 12}):
        (tmp_path / "a").touch()
        (tmp_path / f"b{on_beam.BEGUN}").write_text("5")
        threading.Event().wait(0.5)
        assert "35/42" in capsys.readouterr().err
        (tmp_path / f"b{on_beam.BEGUN}").unlink()
        (tmp_path / "b").touch()
    assert "42/42" in capsys.readouterr().err
