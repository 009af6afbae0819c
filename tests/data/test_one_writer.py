import os
import subprocess
import sys

import pytest

from gsr_tf.data.one_writer import LOCK, FolderInUse, hold
from tests.other_process import holding


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder until it is killed."""
    with holding(tmp_path) as process:
        yield process


def test_the_second_is_refused_and_the_first_is_named(holder, tmp_path):
    with pytest.raises(FolderInUse, match=f"--output={tmp_path}: process {holder.pid} on .* is writing there"):
        hold(tmp_path, "--output")


def test_a_killed_process_holds_nothing(holder, tmp_path):
    holder.kill()
    holder.wait()
    with hold(tmp_path, "--output"):
        assert (tmp_path / LOCK).read_text().startswith(f"process {os.getpid()} on ")


def test_a_folder_is_free_again_and_made_where_there_is_none(tmp_path):
    for _ in range(2):
        with hold(tmp_path / "new" / "folder", "--output"):
            pass
    assert (tmp_path / "new" / "folder").is_dir()


def test_what_killed_processes_left_is_swept_and_nothing_else(holder, tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = tmp_path / "deep" / f".a.png.{dead.pid}.0123cdef.tmp"
    kept = [
        tmp_path / f".b.png.{holder.pid}.0123cdef.tmp",
        tmp_path / f"c.{dead.pid}.0123cdef.tmp",
        tmp_path / "deep" / "d.tmp",
    ]
    left.parent.mkdir()
    for path in (left, *kept):
        path.touch()
    with pytest.raises(FolderInUse):
        hold(tmp_path, "--output")
    assert left.exists()
    (tmp_path / LOCK).unlink()
    with hold(tmp_path, "--output"):
        assert not left.exists()
        assert all(path.exists() for path in kept)
