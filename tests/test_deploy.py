"""The container's files: what they copy exists, what they start is a command with such flags, and packages agree."""

import importlib.util
import json
import re
from pathlib import Path

import yaml
from absl import flags

from gsr_tf import serve

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
PINS = re.compile(r"^([\w.-]+==\S+)(?: ;.*)? \\$", re.MULTILINE)


def instructions():
    """(name, its words) of each instruction of the Dockerfile, those in brackets as the list that they are."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    for line in text.replace("\\\n", " ").splitlines():
        if line:
            name, _, rest = line.partition(" ")
            bracket = rest.find("[")
            yield name, json.loads(rest[bracket:]) if bracket >= 0 else rest.split()


def words_of(name):
    return [words for found, words in instructions() if found == name]


def settings(command):
    """The flags of serve that a command gives."""
    assert command[:3] == ["python", "-m", "gsr_tf.serve"] and importlib.util.find_spec(command[2])
    values = flags.FlagValues()
    serve._define(values)
    assert values(command[2:]) == [command[2]]
    return values


def test_what_is_copied_exists_and_is_let_in():
    copied = [path for words in words_of("COPY") if not words[0].startswith("--from") for path in words[:-1]]
    let_in = [line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"]
    assert len(copied) >= 8
    for path in copied:
        assert (ROOT / path).exists(), path
        assert any(Path(path).match(pattern) for pattern in let_in), path
    assert (DEPLOY / "requirements.txt").samefile(ROOT / words_of("ARG")[0][0].partition("=")[2])


def test_it_starts_the_server_as_somebody_without_rights():
    (command,) = words_of("ENTRYPOINT")
    values = settings(command)
    assert values.host == "0.0.0.0" and words_of("EXPOSE") == [[str(values.port)]]
    assert words_of("USER")[-1][0] not in ("0", "root")
    (health,) = words_of("HEALTHCHECK")
    assert f"http://127.0.0.1:{values.port}/healthz" in health[2]
    compile(health[2], "HEALTHCHECK", "exec")


def test_compose_builds_the_same_and_shows_it_to_this_machine_alone():
    service = yaml.safe_load((DEPLOY / "compose.yml").read_text())["services"]["gsr_tf"]
    build = service["build"]
    assert (DEPLOY / build["context"]).samefile(ROOT) and (ROOT / build["dockerfile"]).samefile(DEPLOY / "Dockerfile")
    port = words_of("EXPOSE")[0][0]
    assert service["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_its_packages_are_those_of_the_tests():
    tested = set(PINS.findall((ROOT / "requirements" / "test.txt").read_text()))
    of_cpu, of_gpu = (
        set(PINS.findall((DEPLOY / name).read_text())) for name in ("requirements.txt", "requirements-gpu.txt")
    )
    names = {pin.partition("==")[0] for pin in of_cpu}
    assert {"tensorflow", "fastapi", "uvicorn", "pillow-heif", "setuptools"} <= names
    assert of_cpu <= tested
    assert all(pin in tested or pin.startswith("nvidia-") for pin in of_gpu)
    assert any(pin.startswith("nvidia-cudnn") for pin in of_gpu)
