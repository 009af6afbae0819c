"""Flagfiles mean the same from any folder, and whatever an editor wrote them with."""

from pathlib import Path

import pytest
from absl import flags

from gsr_tf import command, config
from gsr_tf.flagfiles import expanded

ROOT = Path(config.__file__).parents[1]


def write(path, text, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def test_lines_are_flags_in_their_place(tmp_path):
    file = write(tmp_path / "a.cfg", "# words\n\n  --steps=3 \n// words\n--precision=float32\n")
    assert expanded(["x", "--steps=1", f"--flagfile={file}", "--steps=5"]) == [
        *["x", "--steps=1", "--steps=3", "--precision=float32", "--steps=5"]
    ]
    assert expanded(["x", "--flagfile", str(file)]) == ["x", "--steps=3", "--precision=float32"]


def test_a_nested_file_is_beside_its_own_then_above_then_in_the_working_folder(tmp_path, monkeypatch):
    file = write(tmp_path / "flags" / "deep" / "a.cfg", "--flagfile=flags/base.cfg\n--steps=2")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    write(tmp_path / "elsewhere" / "flags" / "base.cfg", "--steps=10")
    assert expanded([f"--flagfile={file}"]) == ["--steps=10", "--steps=2"]
    write(tmp_path / "flags" / "base.cfg", "--steps=11")
    assert expanded([f"--flagfile={file}"]) == ["--steps=11", "--steps=2"]
    write(tmp_path / "flags" / "deep" / "flags" / "base.cfg", "--steps=12")
    assert expanded([f"--flagfile={file}"]) == ["--steps=12", "--steps=2"]


@pytest.mark.parametrize("path", ["flags/table3/cp_s.cfg", "flags/generator.cfg"])
def test_those_that_ship_work_from_any_folder(path, tmp_path, monkeypatch):
    here = config.from_flagfile(ROOT / path)
    monkeypatch.chdir(tmp_path)
    assert config.from_flagfile(ROOT / path) == here
    values = command.parse(["train", f"--flagfile={ROOT / path}"], "", config.define_flags)
    assert config.from_flags(values) == here


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_windows_writes_is_read(encoding, tmp_path):
    file = write(tmp_path / "a.cfg", "--source_records=Bücher\r\n--steps=3\r\n", encoding)
    found = config.from_flagfile(file)
    assert (found.records.source_records, found.optimization.steps) == ("Bücher", 3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("--source_records=Bücher".encode("latin-1"), "not text in UTF-8 or UTF-16"),
        ("--steps=3".encode("utf-16-le"), "not text in UTF-8, or in UTF-16 with its mark"),
        (b"--flagfile=a.cfg", "a.cfg: nests itself"),
        (b"--flagfile=none.cfg", "--flagfile=none.cfg: cannot be read .No such file"),
    ],
)
def test_what_cannot_be_read_is_one_clear_line(data, message, tmp_path, capsys):
    file = tmp_path / "a.cfg"
    file.write_bytes(data)
    assert command.main(lambda _: 0, "", config.define_flags, ["train", f"--flagfile={file}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    with pytest.raises(flags.Error, match=message):
        expanded([f"--flagfile={file}"])
    assert line.startswith("error: --flagfile=")
