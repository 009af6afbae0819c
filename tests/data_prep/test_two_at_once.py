"""Two commands that write to one folder: the second is refused before it touches anything."""

import re
import shutil
import time

import pytest

from data_prep import all as prepare_all
from data_prep import check, compose, demo, folder, interchange, unpack
from tests.data_prep import slowly
from tests.data_prep.pictures import all_bytes, mask, photo
from tests.other_process import holding


@pytest.fixture(name="images")
def _images(tmp_path):
    for name, count in (("images", 16), ("others", 12)):
        for number in range(count):
            photo(tmp_path / name / f"{number:02d}.jpg", seed=number)
    return tmp_path


def prepare(images, output):
    return folder.main(["folder", f"--images={images}", f"--output={output}", "--processes=1"])


@pytest.fixture(name="first")
def _first(images):
    """A process that prepares `images` into `out`, and has begun."""
    with slowly.preparing(lambda: prepare(images / "images", images / "out"), 0.1) as process:
        while not list((images / "out").glob("*.tfrecord")):
            time.sleep(0.01)
        yield process


def test_the_second_is_refused_and_the_firsts_records_are_whole(images, first, capsys):
    assert prepare(images / "others", images / "out") == 1
    assert first.is_alive()
    said = capsys.readouterr().err
    assert re.search(f"error: --output={images / 'out'}: process {first.pid} on .* is writing there", said)
    first.join()
    assert first.exitcode == 0
    assert prepare(images / "images", images / "whole") == 0
    assert all_bytes(images / "out") == all_bytes(images / "whole")
    assert sorted(path.name for path in images.iterdir()) == ["images", "others", "out", "whole"]


def test_a_killed_first_one_does_not_block(images, first):
    first.kill()
    first.join()
    assert (images / ".out.lock").exists()
    assert prepare(images / "images", images / "out") == 0
    assert not (images / ".out.lock").exists()


@pytest.mark.parametrize(
    ("main", "flags"),
    [
        (prepare_all.main, ["--input=images"]),
        (check.main, ["images"]),
        (compose.main, ["--sources=none"]),
        (demo.main, []),
        (interchange.main, ["--input=none"]),
        (unpack.main, ["--records=none"]),
    ],
    ids=["all", "check", "compose", "demo", "interchange", "unpack"],
)
def test_every_command_is_refused_before_it_reads_or_writes(images, monkeypatch, capsys, main, flags):
    with holding(images / "out", "hold_from_beside") as holder:
        monkeypatch.chdir(images)
        assert main(["command", *flags, "--output=out"]) == 1
    assert f"error: --output=out: process {holder.pid} on " in capsys.readouterr().err
    assert not (images / "out").exists()


def test_all_does_not_write_where_a_sets_own_command_does(tmp_path, capsys):
    downloads, out = tmp_path / "downloads", tmp_path / "out"
    photo(downloads / "COVERAGE/image/1t.tif")
    photo(downloads / "COVERAGE/image/1.tif")
    mask(downloads / "COVERAGE/mask/1forged.tif")
    photo(downloads / "tifs-database/DSO-1/splicing-01.png")
    photo(downloads / "tifs-database/DSO-1/normal-01.png")
    mask(downloads / "tifs-database/DSO-1-Fake-Images-Masks/splicing-01.png", value=0, background=255)
    arguments = ["all", f"--input={downloads}", f"--output={out}", "--processes=1"]
    with holding(out / "carvalho", "hold_from_beside") as holder:
        assert prepare_all.main(arguments) == 1
    said = capsys.readouterr()
    assert f"error: carvalho: --output={out / 'carvalho'}: process {holder.pid} on " in said.err
    assert "prepared: coverage" in said.out
    assert not (out / "carvalho").exists()
    assert prepare_all.main(arguments) == 0
    assert sorted(path.name for path in out.iterdir()) == ["carvalho", "coverage"]


def test_the_lock_is_none_of_the_files_beside_which_it_lies(images):
    shutil.copytree(images / "images", images / "copies")
    assert prepare(images / "images", images / "images/records") == prepare(images / "copies", images / "out") == 0
    assert all_bytes(images / "images/records") == all_bytes(images / "out")


def test_a_mounted_folder_with_the_lock_in_it_is_empty_to_unpack(images, monkeypatch):
    assert prepare(images / "images", images / "records") == 0
    (images / "out").mkdir()
    monkeypatch.setattr("os.path.ismount", lambda path: str(path) == str(images / "out"))
    assert unpack.main(["unpack", f"--records={images / 'records'}", f"--output={images / 'out'}"]) == 0
    assert sorted(path.name for path in (images / "out/Au").iterdir()) == [f"{number:02d}.jpg" for number in range(16)]
    assert not list((images / "out").glob(".*"))
