"""What all scripts do with what can go wrong."""

import errno

import pytest
from absl import flags

from data_prep import check, command, demo
from gsr_tf.errors import UserError


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def output_alone(values):
    flags.DEFINE_string("output", "records", "The one flag that every script has.", flag_values=values)


@pytest.mark.parametrize(
    "error",
    [
        UserError("no such folder"),
        OSError(errno.ENOSPC, "No space left on device", "records/a"),
        MemoryError("too much"),
    ],
    ids=["user", "disk", "memory"],
)
def test_what_a_user_can_mend_is_said_without_a_traceback(error, capsys):
    def action(_):
        raise error

    assert command.main(action, "A script.", output_alone, ["script"]) == 1
    assert capsys.readouterr().err == f"error: {error}\n"


def test_a_defect_keeps_its_traceback():
    def action(_):
        raise KeyError("a")

    with pytest.raises(KeyError):
        command.main(action, "A script.", output_alone, ["script"])


def test_interrupted(capsys):
    def action(_):
        raise KeyboardInterrupt

    assert command.main(action, "A script.", output_alone, ["script"]) == 130
    assert "the same command goes on" in capsys.readouterr().err


@pytest.mark.parametrize(("script", "words"), [(check, ["."]), (demo, ["--output=out"])], ids=["check", "demo"])
def test_what_keeps_nothing_does_not_say_that_it_goes_on(script, words, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(check, "list_samples", interrupted)
    monkeypatch.setattr(demo, "tiles", interrupted)
    assert script.main(["script", *words]) == 130
    said = capsys.readouterr().err
    assert "kept" not in said and "goes on" not in said and "anew" in said


@pytest.mark.parametrize("asked", ["--help", "--helpfull"])
def test_help_is_the_scripts_documentation(asked, capsys):
    assert command.main(lambda _: 1, "A script.", output_alone, ["script", asked]) == 0
    assert capsys.readouterr().out.startswith("A script.\n")
