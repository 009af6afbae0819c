"""Imports go one way: data -> models -> training, inference -> evaluation, comparators, web -> command lines."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "gsr_tf"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")
LEVELS = {"data": 0, "models": 1, "training": 2, "inference": 2, "evaluation": 3, "comparators": 3, "web": 3}
COMMAND_LINES = 4
# Not command lines themselves: where flags are made from settings, and what all command lines share.
MAY_SEE_FLAGS = {"config.py", "command.py", "flag_help.py"}


def layer(parts):
    """("gsr_tf", "data", ...) -> "data"; "" for the modules beside the layers."""
    return parts[1] if len(parts) > 1 and parts[1] in LEVELS else ""


def imported(path):
    """Dotted names of every module, or thing in a module, that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    own = layer(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    level = LEVELS.get(own, COMMAND_LINES)
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "gsr_tf":
            other = layer(parts)
            assert LEVELS.get(other, COMMAND_LINES) <= level, f"{path.name} imports {name}"
        assert parts[0] not in ("data_prep", "benchmarks", "tests"), f"{path.name} imports {name}"
        if parts[0] == "absl":
            assert own == "", f"{path.name}, in {own}, sees flags"


def test_only_command_lines_see_flags():
    for path in PACKAGE.glob("*.py"):
        sees = any(name.startswith("absl") for name in imported(path))
        if sees and path.name not in MAY_SEE_FLAGS:
            assert 'if __name__ == "__main__":' in path.read_text(), f"{path.name} sees flags and is no command line"


def test_every_layer_is_known():
    assert {folder.parent.name for folder in PACKAGE.glob("*/__init__.py")} == set(LEVELS)


def test_no_drawer_for_everything():
    names = {path.stem for path in PACKAGE.rglob("*.py")}
    assert not names & {"utils", "common", "helpers", "misc"}
