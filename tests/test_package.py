"""The wheel and the sdist, built, and the wheel used with the checkout out of reach."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import skimage.data
from PIL import Image

import gsr_tf

CHECKOUT = Path(__file__).parent.parent
FOLDERS = ("gsr_tf", "data_prep", "flags", "requirements", "tests", "docs", "benchmarks", "deploy", ".ci")
FILES = ("setup.py", "pyproject.toml", "MANIFEST.in", "Makefile", "mkdocs.yml", "CITATION.cff", "LICENSE", "NOTICE")
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "WORKSPACE.md")


def run(*command: object, **settings) -> str:
    done = subprocess.run([str(part) for part in command], text=True, capture_output=True, **settings)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folder with the wheel and the sdist of a copy of the sources."""
    pytest.importorskip("build", reason="the package `build` is not installed (extra dev)")
    copy = tmp_path_factory.mktemp("package")
    for name in FOLDERS:
        shutil.copytree(CHECKOUT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (*FILES, *PAGES):
        shutil.copy(CHECKOUT / name, copy)
    run(sys.executable, "-m", "build", "--no-isolation", cwd=copy)  # the sdist, and the wheel from the sdist
    return copy / "dist"


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """Folder in which the wheel alone is installed, and an environment that looks there before anywhere else."""
    folder = tmp_path_factory.mktemp("site")
    (wheel,) = built.glob("*.whl")
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", folder, wheel)
    return folder, {**os.environ, "PYTHONPATH": str(folder)}


def test_what_the_wheel_holds(built):
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"gsr_tf", "data_prep", f"gsr_tf-{gsr_tf.__version__}.dist-info"}
    held = set(names)
    for folder, inside in (("gsr_tf", "gsr_tf"), ("data_prep", "data_prep"), ("flags", "gsr_tf/flags")):
        for file in (CHECKOUT / folder).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts and file.name != "README.md":
                assert f"{inside}/{file.relative_to(CHECKOUT / folder)}" in held
    assert any(name.endswith("licenses/LICENSE") for name in names) and any(name.endswith("/NOTICE") for name in names)


def test_what_the_sdist_holds(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {*FILES, *PAGES} <= held  # with which `make test`, `make bench` and `make docs` work
    for file in (file for folder in FOLDERS for file in (CHECKOUT / folder).rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            assert str(file.relative_to(CHECKOUT)) in held
    assert not any(name.endswith(".pyc") for name in held)


def test_the_console_command_of_the_wheel_answers_a_picture(installed, tmp_path):
    folder, environment = installed
    Image.fromarray(skimage.data.astronaut()[:200, :200]).save(tmp_path / "photo.jpg")
    where = run(sys.executable, "-c", "import gsr_tf; print(gsr_tf.__file__)", cwd=tmp_path, env=environment)
    assert Path(where.strip()).is_relative_to(folder)
    version = run(folder / "bin" / "gsr-tf", "--version", cwd=tmp_path, env=environment)
    assert version.split()[-1] == gsr_tf.__version__
    run(folder / "bin" / "gsr-tf", "predict", "photo.jpg", "--output=answers", cwd=tmp_path, env=environment)
    assert Image.open(tmp_path / "answers" / "photo_mask.png").size == (200, 200)


def test_a_flagfile_of_the_wheel_is_found_by_its_name(installed, tmp_path):
    _, environment = installed
    records = ["--source_records=nowhere", "--target_records=nowhere"]
    command = [sys.executable, "-m", "gsr_tf.train", "--flagfile=gsr_net", "--run_dir=run", *records]
    done = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True)
    assert done.returncode == 1 and "--source_records=nowhere" in done.stderr and "Traceback" not in done.stderr
