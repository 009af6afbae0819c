"""The house has nine floors, and imports go down: never up, never across to another room of the same floor."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "gsr_tf"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")
FLOORS = (
    {"ground"},
    {"data"},
    {"models"},
    {"inference"},
    {"comparators", "answers"},
    {"evaluation", "web"},
    {"training"},
    {"config", "formats"},
)  # and above them the command lines
# Files, all of one room.
GROUND = {"command", "errors", "settings", "flag_help", "flagfiles", "marked_text", "signals", "standard_output"}
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# Not command lines themselves: where flags are made from settings or read, and what all command lines share.
MAY_SEE_FLAGS = {"settings", "flag_help", "flagfiles", "config", "command"}


def room(parts):
    """("gsr_tf", "data", "records") -> "data"; ("gsr_tf", "config") -> "config"."""
    name = parts[1] if len(parts) > 1 else ""
    return "ground" if name in GROUND else name


def imported(path):
    """Dotted names of every module, or thing in a module, that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path):
    own = room(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    floor = FLOOR_OF.get(own, len(FLOORS))
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "gsr_tf" and parts[1:] != ["__version__"] and room(parts) != own:
            other = FLOOR_OF.get(room(parts), len(FLOORS))
            assert other < floor or other == len(FLOORS) == floor, f"{path.name}, in {own}, imports {name}"
        assert parts[0] not in ("data_prep", "benchmarks", "tests"), f"{path.name} imports {name}"
        if parts[0] == "absl" and own in FLOOR_OF:
            assert path.stem in MAY_SEE_FLAGS, f"{path.name}, in {own}, sees flags"


def test_only_command_lines_see_flags():
    for path in PACKAGE.glob("*.py"):
        sees = any(name.startswith("absl") for name in imported(path))
        if sees and path.stem not in MAY_SEE_FLAGS:
            assert 'if __name__ == "__main__":' in path.read_text(), f"{path.name} sees flags and is no command line"


def test_every_room_is_on_a_floor():
    folders = {folder.parent.name for folder in PACKAGE.glob("*/__init__.py")}
    assert folders <= set(FLOOR_OF)
    rooms = (set(FLOOR_OF) - {"ground"}) | GROUND
    assert all((PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file() for name in rooms)


def test_no_drawer_for_everything():
    names = {path.stem for path in PACKAGE.rglob("*.py")}
    assert not names & {"utils", "common", "helpers", "misc"}


def test_keras_comes_from_one_place():
    """TensorFlow's own Keras may be 3; `gsr_tf.models.keras` knows where Keras 2 is."""
    one_place = PACKAGE / "models" / "keras.py"
    for path in PACKAGE.parent.glob("*/**/*.py"):
        if path != one_place and path.relative_to(PACKAGE.parent).parts[0] in ("gsr_tf", "benchmarks", "tests"):
            direct = {"tensorflow.keras", "tf_keras", "keras"} & set(imported(path))
            assert not direct and not re.search(r"\btf\.keras\b", path.read_text()), (
                f"{path} takes Keras from elsewhere"
            )
