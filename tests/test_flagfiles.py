"""Flagfiles mean the same from any folder, and whatever an editor wrote them with."""

from pathlib import Path

import pytest
from absl import flags

from gsr_tf import command, config, flagfiles
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


def test_a_flag_may_have_what_looks_like_a_lines_end(tmp_path):
    (tmp_path / "a.cfg").write_text("--run_dir=runs/a\u2028b\x85c\n--steps=3\n", encoding="utf-8")
    assert expanded([f"--flagfile={tmp_path / 'a.cfg'}"]) == ["--run_dir=runs/a\u2028b\x85c", "--steps=3"]


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
        ("--source_records=Bücher".encode("latin-1"), "line 1 is not in UTF-8"),
        ("--steps=3".encode("utf-16-le"), "UTF-16 without its mark"),
        (b"--flagfile=a.cfg", "a.cfg: nests itself"),
        (b"--flagfile=none.cfg", "--flagfile=none.cfg: no such file, and none that comes with gsr_tf; those are demo"),
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


@pytest.fixture(params=["gsr_tf/flags", "flags"], ids=["installed", "checkout"])
def package(request, tmp_path, monkeypatch):
    """A made-up package with flagfiles inside or beside it; the working folder is another."""
    folder = tmp_path / "site" / request.param
    write(folder / "net.cfg", "# A net, as\n# the paper says. More words.\n--steps=1\n")
    write(folder / "table3" / "base.cfg", "--flagfile=flags/net.cfg\n--batch_size=2\n")
    (tmp_path / "site" / "gsr_tf").mkdir(exist_ok=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr(flagfiles, "PACKAGE", tmp_path / "site" / "gsr_tf")
    return folder


def test_those_that_come_along_go_by_name(package):
    assert flagfiles.shipped() == {"net": package / "net.cfg", "table3/base": package / "table3" / "base.cfg"}
    for name in ("net", "net.cfg", "flags/net", "flags/net.cfg"):
        assert expanded([f"--flagfile={name}"]) == ["--steps=1"]
    assert expanded(["--flagfile", "table3/base"]) == ["--steps=1", "--batch_size=2"]


def test_a_file_comes_before_a_name_and_a_folder_does_not(package):
    Path("net").mkdir()
    assert expanded(["--flagfile=net"]) == ["--steps=1"]
    Path("net").rmdir()
    write(Path("net"), "--steps=9")
    assert expanded(["--flagfile=net"]) == ["--steps=9"]


def test_an_installed_package_does_not_look_beside_itself(package):
    write(flagfiles.PACKAGE / "flags" / "own.cfg", "--steps=7")
    write(flagfiles.PACKAGE.parent / "flags" / "another_packages.cfg", "--steps=8")
    assert "own" in flagfiles.shipped() and "another_packages" not in flagfiles.shipped()


@pytest.mark.parametrize(("name", "nearest"), [("nett", "nearest of those: net"), ("base", "nearest .*: table3/base")])
def test_an_unknown_name_is_answered_with_the_nearest(package, name, nearest):
    with pytest.raises(flags.Error, match=f"--flagfile={name}: no such file, and none that comes .*; {nearest}$"):
        expanded([f"--flagfile={name}"])


def test_a_flagfiles_title_is_its_first_sentence(package):
    assert flagfiles.title(package / "net.cfg") == "A net, as the paper says."
    assert flagfiles.title(package / "table3" / "base.cfg") == ""


def test_those_of_this_checkout_all_have_titles():
    assert {"gsr_net", "release", "table3/cp_s", "shipped/01_plain"} < set(flagfiles.shipped())
    assert all(15 < len(flagfiles.title(file)) < 250 for file in flagfiles.shipped().values())
