"""The rooms and scripts of data_prep have floors, and imports go down: never up, never across."""

import ast
from pathlib import Path

import pytest

from data_prep.reading.entries import PreparationError
from gsr_tf.errors import UserError
from tests.test_imports import GROUND, imported

PACKAGE = Path(__file__).resolve().parents[2] / "data_prep"
MODULES = sorted(PACKAGE.rglob("*.py"))
FLOORS = (
    {"reading"},
    {"writing"},
    {"command", "inspecting"},
    {"published", "coco", "demo", "folder", "interchange"},
    {"casia1", "carvalho", "columbia", "coverage", "imd2020", "in_the_wild", "nist16", "coco_panoptic", "unpack"},
    {"casia2", "compose"},  # each uses another script
    {"catalogue"},
    {"layouts"},
    {"all", "check"},
)
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}
FROM_GSR_TF = ("gsr_tf.data.", *(f"gsr_tf.{name}" for name in GROUND))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path):
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "data_prep" and parts[1] != own:
            assert FLOOR_OF[parts[1]] < FLOOR_OF[own], f"{path.name} imports {name}"
        if parts[0] == "gsr_tf":
            assert name.startswith(FROM_GSR_TF), f"{path.name} imports {name}"


def test_everything_has_a_floor():
    assert {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in MODULES} - {"__init__"} == set(FLOOR_OF)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_only_hands_on_what_others_define(path):
    _docstring, *body = ast.parse(path.read_text()).body
    assert not body or not all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in body)


def test_a_preparation_error_is_one_that_a_user_can_mend():
    assert issubclass(PreparationError, UserError)
