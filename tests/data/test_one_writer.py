import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gsr_tf.data import one_writer
from gsr_tf.data.one_writer import LOCK, FolderInUse, hold, hold_from_beside
from gsr_tf.errors import UserError
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


def test_a_lock_beside_names_its_holder_and_leaves_nothing(tmp_path):
    folder = tmp_path / "deep" / "records"
    with pytest.raises(ZeroDivisionError), hold_from_beside(folder, "--output"):
        assert [path.name for path in (tmp_path / "deep").iterdir()] == [".records.lock"]
        assert (tmp_path / "deep/.records.lock").read_text().startswith(f"process {os.getpid()} on ")
        raise ZeroDivisionError
    assert not (tmp_path / "deep").exists()  # which was made for the lock alone
    with hold_from_beside(folder, "--output"):
        folder.mkdir()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["records"]


def test_a_file_system_without_locks_is_named_and_written_to(tmp_path, monkeypatch, capsys):
    def without(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.lockf", without)
    with hold_from_beside(tmp_path / "records", "--output"):
        assert (tmp_path / ".records.lock").exists()
    assert capsys.readouterr().err == f"{tmp_path}: has no locks (No locks available); start no second command there\n"
    assert not list(tmp_path.iterdir())


def test_a_lock_can_be_taken_by_others_later(tmp_path):
    hold(tmp_path, "--output").close()
    assert (tmp_path / LOCK).stat().st_mode & 0o777 == 0o666


def link_to_a_file(path):
    path.symlink_to(path.with_name("private"))


def link_to_nothing(path):
    path.symlink_to(path.with_name("nothing"))


def test_a_lock_that_is_another_file_as_well_is_held_and_stays_as_it_is(tmp_path):
    private = tmp_path / "private"
    private.write_text("mine")
    private.chmod(0o600)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / LOCK).hardlink_to(private)
    with hold(folder, "--output"):
        assert (private.read_text(), private.stat().st_mode & 0o777) == ("mine", 0o600)


@pytest.mark.parametrize("plant", [link_to_a_file, link_to_nothing, os.mkfifo, Path.mkdir])
@pytest.mark.parametrize(("how", "name"), [("hold", LOCK), ("hold_from_beside", ".records.lock")])
def test_what_somebody_planted_as_a_lock_is_refused_and_what_it_leads_to_stays(tmp_path, plant, how, name):
    private = tmp_path / "private"
    private.write_text("mine")
    private.chmod(0o600)
    plant(tmp_path / name)
    folder = tmp_path if how == "hold" else tmp_path / "records"
    with (
        pytest.raises(UserError, match=f"--output={folder}: its lock {tmp_path / name} is a link or another thing"),
        getattr(one_writer, how)(folder, "--output"),
    ):
        pass
    assert (private.read_text(), private.stat().st_mode & 0o777) == ("mine", 0o600)
    assert {path.name for path in tmp_path.iterdir()} == {"private", name}


def test_of_a_lock_that_is_no_text_or_long_little_is_said(tmp_path):
    with holding(tmp_path):
        (tmp_path / LOCK).write_bytes(b"\xff" + b"x" * 1_000_000)
        with pytest.raises(FolderInUse) as refused:
            hold(tmp_path, "--output")
        assert len(str(refused.value)) < 500


def test_by_another_name_it_is_the_same_folder(tmp_path, monkeypatch):
    folder = tmp_path / "records"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    with holding(folder, "hold_from_beside") as first:
        monkeypatch.chdir(folder)
        for name in (folder, tmp_path / "link", Path(".")):
            with (
                pytest.raises(FolderInUse, match=f"--output={name}: process {first.pid} on .* is writing there"),
                hold_from_beside(name, "--output"),
            ):
                pass
        assert (tmp_path / ".records.lock").read_text().startswith(f"process {first.pid} on ")
        first.kill()
        first.wait()
        assert (tmp_path / ".records.lock").exists()
        with hold_from_beside(folder, "--output"):
            pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "records"]


def test_a_lock_that_its_holder_removed_meanwhile_is_taken_anew(tmp_path, monkeypatch):
    """Or two would hold a folder: by the file that is gone, and by a new one."""
    take, removed = one_writer._take, []

    def too_late(path, *others):
        file = take(path, *others)
        if not removed:
            removed.append(path)
            path.unlink()
        return file

    monkeypatch.setattr(one_writer, "_take", too_late)
    with hold_from_beside(tmp_path / "records", "--output"):
        assert removed == [tmp_path / ".records.lock"]
        assert removed[0].read_text().startswith(f"process {os.getpid()} on ")


@pytest.mark.parametrize(
    ("what", "said"), [("os.path.ismount", True), ("os.access", False)], ids=["mounted", "nothing is written beside it"]
)
def test_where_a_lock_beside_is_of_no_use_it_lies_inside(tmp_path, monkeypatch, what, said):
    folder = tmp_path / "records"
    folder.mkdir()
    monkeypatch.setattr(what, lambda *_: said)
    with hold_from_beside(folder, "--output"):
        assert [path.name for path in folder.iterdir()] == [".records.lock"]
    assert not list(folder.iterdir())


def test_a_lock_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(
            UserError, match=r"--output=.*/file/records: cannot be written: its lock .*/file/\.records\.lock"
        ),
        hold_from_beside(tmp_path / "file" / "records", "--output"),
    ):
        pass


def test_a_link_to_no_folder_is_named(tmp_path):
    (tmp_path / "link").symlink_to("gone")
    with pytest.raises(UserError, match="--output=.*link: a link to gone, which is not there"):
        hold(tmp_path / "link", "--output")
    assert not (tmp_path / "gone").exists()
