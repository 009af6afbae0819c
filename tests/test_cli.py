"""The console command finds what it is asked for, and hands its words on."""

import contextlib
import importlib
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from absl import flags

import data_prep.check
import gsr_tf
from gsr_tf import cli, command, predict
from gsr_tf.data.pictures import encode_png


@pytest.fixture
def called(monkeypatch):
    """What a command would have been called with; nothing is run."""
    calls = []

    class Module:
        def __init__(self, name):
            self.name = name

        def main(self, argv):
            calls.append((self.name, argv))
            return 7

    monkeypatch.setattr(importlib, "import_module", Module)
    return calls


@pytest.mark.parametrize(
    ("words", "module", "arguments"),
    [
        (["predict", "photo.jpg"], "gsr_tf.predict", ["photo.jpg"]),
        (["predict", "a b/photo.jpg", "--output=x"], "gsr_tf.predict", ["a b/photo.jpg", "--output=x"]),
        (["predict", "--help"], "gsr_tf.predict", ["--help"]),
        (["train", "--flagfile=run.cfg"], "gsr_tf.train", ["--flagfile=run.cfg"]),
        (["data", "coco", "--output=records"], "data_prep.coco", ["--output=records"]),
    ],
)
def test_words_go_to_the_command_that_they_name(called, words, module, arguments):
    assert cli.main(["gsr-tf", *words]) == 7
    assert called == [(module, [module, *arguments])]


def test_ctrl_c_while_a_command_is_imported_is_no_traceback(monkeypatch, capsys):
    def interrupted(module):
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib, "import_module", interrupted)
    assert cli.main(["gsr-tf", "predict", "photo.jpg"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize("words", [["paint"], ["data"], ["data", "reading"], ["data", "--help"], ["cli"]])
def test_what_is_no_command_is_said_with_those_that_are(called, capsys, words):
    assert cli.main(["gsr-tf", *words]) == 2
    assert not called
    message = capsys.readouterr().err
    assert f"gsr-tf {' '.join(words)}: no such command" in message and "gsr-tf predict photo.jpg" in message


def test_help_and_version(capsys):
    assert cli.main(["gsr-tf"]) == cli.main(["gsr-tf", "--help"]) == 0
    said = capsys.readouterr().out
    assert said == 2 * f"{cli.__doc__.strip()}\n" and all(name in said for name in cli.COMMANDS)
    assert cli.main(["gsr-tf", "--version"]) == 0
    assert capsys.readouterr().out == f"gsr_tf {gsr_tf.__version__}\n"


def test_train_explains_itself_in_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["gsr-tf", "train", "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    places = [
        *["  gsr_net: GSR-Net as the paper trains it (Section 4): the last row of Tables 1", "  --run_dir: Folder of"],
        *["Losses. What is minimised, and how its terms weigh.", "  --lambda_grad: Weight of L_grad (Eq. 7). [1.0]"],
        *["Device. What computes, and how exactly.", "  --[no]deterministic: Bit-equal repetitions"],
    ]
    found = [next(number for number, line in enumerate(lines) if line.startswith(start)) for start in places]
    assert found == sorted(found)


def test_predict_without_an_output_says_where_its_answers_are(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.png").write_bytes(encode_png(np.zeros([24, 32, 3], np.uint8)))
    assert cli.main(["gsr-tf", "predict", "photo.png", "--method=all-positive"]) == 0
    assert "answers: 1 of 1 pictures answered, 0 skipped; answers/index.html shows them" in capsys.readouterr().out
    assert (tmp_path / "answers" / "photo_map.png").is_file()


def test_a_flag_that_is_needed_is_named(capsys):
    assert cli.main(["gsr-tf", "evaluate", "--records=records"]) == 2
    assert capsys.readouterr().err == "error: --output is needed; --help explains all flags\n"


@pytest.fixture
def input_of(monkeypatch):
    """Calls predict with words, up to what they say of the input."""
    monkeypatch.setattr(predict, "_action", lambda args: print(f"input {args.input}"))
    return lambda *words: cli.main(["gsr-tf", "predict", *words])


@pytest.mark.parametrize(
    "words",
    [
        ["--threshold=.6", "photo.jpg"],
        ["--threshold", ".6", "photo.jpg", "--npz"],
        ["--npz", "photo.jpg"],
        ["photo.jpg", "--npz"],
    ],
)
def test_a_picture_may_stand_anywhere_among_the_flags(input_of, capsys, words):
    assert input_of(*words) == 0
    assert capsys.readouterr().out == "input photo.jpg\n"


@pytest.mark.parametrize("words", [["a.jpg", "--npz", "b.jpg"], ["--input=a.jpg", "b.jpg"]])
def test_who_names_several_pictures_is_told_how_to(input_of, capsys, words):
    assert input_of(*words) == 2
    message = capsys.readouterr().err
    assert "2 words for one --input, 'a.jpg' and 'b.jpg'; for several pictures name their folder" in message
    assert "pattern in quotes ('*.jpg')" in message and "--list=FILE" in message


def command_lines(package):
    files = (Path(gsr_tf.__file__).parents[1] / package).glob("*.py")
    return {path.stem for path in files if '__name__ == "__main__"' in path.read_text()}


def test_every_command_line_is_reached():
    assert set(cli.DATA) == command_lines("data_prep")
    assert set(cli.COMMANDS) == command_lines("gsr_tf") - {"cli", "benchmark"}


NEED_TENSORFLOW = {"train", "train_comparator", "export", "tables", "figure", "data compose"}  # for their flags


def test_most_commands_know_their_flags_before_tensorflow_is_there():
    commands = {*cli.COMMANDS, *(f"data {name}" for name in cli.DATA)} - NEED_TENSORFLOW
    script = (
        "import contextlib, io, sys; from gsr_tf import cli\n"
        f"for words in {sorted(commands)}:\n"
        "    with contextlib.redirect_stdout(io.StringIO()):\n"
        "        assert cli.main(['gsr-tf', *words.split(), '--help']) == 0\n"
        "    assert 'tensorflow' not in sys.modules, words\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


# What may be empty, in all commands, where it has a default.
TEXTS_THAT_MAY_BE_EMPTY = {
    *("source_records", "target_records", "validation_records", "validation_targets"),
    *("initial_weights", "initial_generator", "harmonizer", "release_checkpoint", "path_prefix"),
}
LISTS_THAT_MAY_BE_EMPTY = {
    *("attacks", "average_with", "beam_options", "evaluations", "names", "paths", "protocols", "records", "rows"),
    *("runs", "scores", "tags", "training", "without"),  # protocols, tags, ...: their command says what it expects
    *("boundary_class_weights", "jpeg_quality", "paste_scale", "window_scale"),
    *("refine_on", "segment_on", "teachers", "train_on"),
}


@pytest.fixture(params=[*cli.COMMANDS, *(f"data {name}" for name in cli.DATA)])
def definition(request, monkeypatch):
    """What defines a command's flags."""
    found = []
    monkeypatch.setattr(command, "main", lambda action, doc, define, *_, **__: found.append(define) or 0)
    assert cli.main(["gsr-tf", *request.param.split()]) == 0
    return found[0]


def each(definition):
    """(name, all flags at their defaults), anew for each flag."""
    names = flags.FlagValues()
    definition(names)
    for name in names:
        values = flags.FlagValues()
        definition(values)
        yield name, values


def test_a_flag_that_is_empty_is_refused_unless_that_means_something(definition):
    for name, values in each(definition):
        try:
            values[name].parse("")
        except flags.IllegalFlagValueError:
            continue  # numbers, and one of several words
        allowed = LISTS_THAT_MAY_BE_EMPTY if isinstance(values[name].value, list) else TEXTS_THAT_MAY_BE_EMPTY
        if name in allowed and values[name].default is not None:
            command.refuse_nothing(values)
        else:
            with pytest.raises(flags.Error, match=f"^--{name}= is empty; expected a value$"):
                command.refuse_nothing(values)


def test_a_number_that_is_none_is_refused(definition):
    for name, values in each(definition):
        with contextlib.suppress(flags.IllegalFlagValueError):  # words, and numbers that refuse it themselves
            values[name].parse("nan")
        if isinstance(values[name].value, float) and math.isnan(values[name].value):
            with pytest.raises(flags.Error, match=f"^--{name}=nan: expected a number$"):
                command.refuse_nothing(values)


@pytest.mark.parametrize(
    ("main", "words", "message"),
    [
        (predict.main, ["photos", "--method=noi", "--output="], "--output= is empty"),
        (data_prep.check.main, [""], "--paths=: an item of it is empty"),
        (data_prep.check.main, ["photos", ""], "--paths=photos,: an item of it is empty"),
    ],
)
def test_an_unset_variable_does_not_mean_the_working_folder(main, words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(encode_png(np.zeros([24, 32, 3], np.uint8)))
    assert main(["command", *words]) == 2
    assert f"error: {message}" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
