import sys

import pytest

from data_prep import folder
from tests.data_prep.pictures import all_bytes, mask, photo


@pytest.fixture(name="images")
def _images(tmp_path):
    for number in range(12):
        photo(tmp_path / f"images/{number:02d}.jpg", seed=number)
        mask(tmp_path / f"masks/{number:02d}.png")
    (tmp_path / "images/bad.jpg").write_bytes(b"no picture")
    mask(tmp_path / "masks/bad.png")
    return tmp_path


def prepare(root, output, *flags):
    return folder.main(["folder", f"--images={root}/images", f"--masks={root}/masks", f"--output={output}", *flags])


def test_a_beam_pipeline_writes_the_same_bytes(images):
    pytest.importorskip("apache_beam", reason="needs gsr_tf[beam]")
    assert prepare(images, images / "local", "--processes=1") == 0
    assert prepare(images, images / "beam", "--runner=DirectRunner") == 0
    assert all_bytes(images / "beam") == all_bytes(images / "local")


def test_a_failing_pipeline_gets_a_message(images, capsys):
    pytest.importorskip("apache_beam", reason="needs gsr_tf[beam]")
    assert prepare(images, images / "out", "--runner=NoSuchRunner") == 1
    assert "NoSuchRunner" in capsys.readouterr().err


def test_without_beam_the_message_says_what_to_install(images, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    assert prepare(images, images / "out", "--runner=DirectRunner") == 1
    assert "gsr_tf[beam]" in capsys.readouterr().err
