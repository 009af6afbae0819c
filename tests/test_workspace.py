"""WORKSPACE.md is the map of the house: what it names exists, and what exists is named."""

import re
from pathlib import Path

import pytest

from tests.test_imports import FLOORS, GROUND

ROOT = Path(__file__).resolve().parents[1]
MAP = (ROOT / "WORKSPACE.md").read_text(encoding="utf-8")
NAMED = {name for name in re.findall(r"`([\w./-]+)`", MAP) if (ROOT / name.split("/")[0]).exists()}
ROW = re.compile(r"^\| (\d) \| (.*?) \|", re.MULTILINE)


def modules_and_folders(package):
    """The modules at the top of a package, and every folder in it that holds files of ours."""
    top = ROOT / package
    folders = {path.parent for path in top.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    return {str(path.relative_to(ROOT)) for path in {*top.glob("*.py"), *folders}}


def command_lines(package):
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / package).rglob("*.py")
        if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
    }


def row(text):
    """The paths in the first column of the map's row that has this text."""
    (line,) = [line for line in MAP.splitlines() if text in line]
    return {name for name in re.findall(r"`([\w./-]+)`", line) if name.endswith(".py")}


@pytest.mark.parametrize("name", sorted(NAMED))
def test_what_is_named_exists(name):
    assert (ROOT / name).exists()


@pytest.mark.parametrize("package", ["gsr_tf", "data_prep"])
def test_what_exists_is_named(package):
    assert modules_and_folders(package) - NAMED <= {f"{package}/__init__.py"}


def test_the_floors_are_those_that_imports_obey():
    floors = {int(number): set(re.findall(r"`gsr_tf/(\w+)(?:\.py)?`", names)) for number, names in ROW.findall(MAP)}
    assert floors.pop(len(FLOORS) + 1) == {Path(name).stem for name in command_lines("gsr_tf")}
    above = {number: rooms for number, rooms in enumerate(FLOORS[1:], start=2)}
    assert floors == {1: GROUND, **above}


def test_only_command_lines_are_called_so():
    assert row("command lines, one a data set") | row("command lines for all sets") == command_lines("data_prep")


def test_the_documents_index_names_every_document():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for name in {path.name for path in (ROOT / "docs").iterdir()} - {"__pycache__"}:
        assert name in index, name
