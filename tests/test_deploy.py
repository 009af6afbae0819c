"""The containers' files: what they copy exists, what they start is a command with such flags, and numbers agree."""

import base64
import importlib.util
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import tensorflow as tf
import yaml
from absl import flags
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2
from PIL import Image

from gsr_tf import command, serve
from gsr_tf.data.pictures import decode_picture, encode_png
from gsr_tf.formats import saved_model
from gsr_tf.inference.detector import Detector
from gsr_tf.web import server
from tests.formats.rest import serve as tensorflow_serving
from tests.networks import one_convolution

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
SERVING, README = DEPLOY / "tensorflow_serving", DEPLOY / "README.md"
BODY = re.compile(r"```json\n(.*?)\n```", re.DOTALL)  # of a request to TensorFlow Serving, and what writes it:
PIPED = re.compile(r"^    (\(printf .*\n.*\)) \| curl -d @- http://\S+:predict$", re.MULTILINE)
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
    assert command[:5] == ["tini", "--", "python", "-m", "gsr_tf.serve"] and importlib.util.find_spec(command[4])
    values = flags.FlagValues()
    serve._define(values)
    assert values(command[4:]) == [command[4]]
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


def service(file, name="serve"):
    """A service of a compose file, with what it extends."""
    own = yaml.safe_load((DEPLOY / file).read_text(encoding="utf-8"))["services"][name]
    base = own.pop("extends", None)
    return {**(service(base["file"], base["service"]) if base else {}), **own}


def seconds(time):
    assert time.endswith("s")
    return int(time[:-1])


def test_compose_builds_the_same_and_shows_it_to_this_machine_alone():
    build = service("compose.yml")["build"]
    assert (DEPLOY / build["context"]).samefile(ROOT) and (ROOT / build["dockerfile"]).samefile(DEPLOY / "Dockerfile")
    port = words_of("EXPOSE")[0][0]
    shown = [f"127.0.0.1:{port}:{port}"]
    assert service("compose.yml")["ports"] == shown
    assert service("compose.balanced.yml", "balancer")["ports"] == shown
    assert "ports" not in service("compose.balanced.yml")  # of which any number may run


def test_compose_passes_limits_on_and_waits_for_what_is_at_work():
    one = service("compose.balanced.yml")
    known = {command.variable(name) for name in serve.VARIABLES}
    of_a_model = {command.variable(name) for name in ("saved_model", "method", "device")}  # it needs a volume, a card
    passed = [variable.partition("=")[0] for variable in one["environment"]]
    assert set(passed) == known - of_a_model
    assert seconds(one["stop_grace_period"]) > server.GRACE_SECONDS
    assert seconds(service("compose.balanced.yml", "balancer")["stop_grace_period"]) > server.GRACE_SECONDS


def test_the_gpu_file_changes_the_packages_and_asks_for_a_card():
    card = service("compose.gpu.yml")
    (argument,) = card["build"]["args"].items()
    assert argument[0] == words_of("ARG")[0][0].partition("=")[0] and (ROOT / argument[1]).exists()
    assert card["image"] != service("compose.yml")["image"]
    (variable,) = card["environment"]
    assert variable == f"{command.variable('device')}=gpu"
    assert card["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]


def balancer():
    """The balancer's lines, without comments."""
    lines = (DEPLOY / "haproxy.cfg").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def test_the_balancers_bounds_are_the_servers():
    lines, values = balancer(), flags.FlagValues()
    serve._define(values)
    values(["serve"])
    times = {words[1]: seconds(words[2]) for words in map(str.split, lines) if words[0] == "timeout"}
    assert times["http-request"] == server.SILENCE_SECONDS
    assert times["client"] == values.upload_seconds
    assert times["server"] == (values.queue + values.workers) * values.picture_seconds
    (refusal,) = [line for line in lines if "status 413" in line]
    assert refusal.endswith(f"{{ req.hdr_val(content-length) gt {values.max_megabytes * 1_000_000:.0f} }}")
    answers = [json.loads(re.search("'(.*)'", line)[1]) for line in lines if "string" in line]
    assert [answer["error"]["status"] for answer in answers] == [413, 503]


def test_the_balancer_asks_for_readiness_and_finds_the_replicas():
    lines = balancer()
    (check,) = [line.split() for line in lines if line.startswith("http-check send")]
    assert check[check.index("uri") + 1] == "/healthz" and "Host localhost" in " ".join(check)
    assert "http-check expect status 200" in lines
    (replicas,) = [line.split() for line in lines if line.startswith("server-template")]
    assert replicas[3] == f"serve:{words_of('EXPOSE')[0][0]}"
    assert f"bind :{words_of('EXPOSE')[0][0]}" in lines
    (mount,) = service("compose.balanced.yml", "balancer")["volumes"]
    assert (DEPLOY / mount.partition(":")[0]).exists()


def schema(**fields):
    """A message of these fields, each a type of protobuf's or the name of a wrapped one."""
    file = descriptor_pb2.FileDescriptorProto(
        name="known.proto", syntax="proto3", dependency=["google/protobuf/wrappers.proto"]
    )
    message = file.message_type.add(name="Known")
    for number, (name, kind) in enumerate(fields.items(), start=1):
        field = message.field.add(name=name, number=number, label=1)
        if isinstance(kind, str):
            field.type, field.type_name = field.TYPE_MESSAGE, f".google.protobuf.{kind}"
        else:
            field.type, field.label = kind, 3 if name == "allowed_batch_sizes" else 1
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("Known"))


def test_batching_is_written_by_tensorflow_servings_names():
    integer, boolean = descriptor_pb2.FieldDescriptorProto.TYPE_INT64, descriptor_pb2.FieldDescriptorProto.TYPE_BOOL
    known = schema(
        max_batch_size="Int64Value",
        batch_timeout_micros="Int64Value",
        max_enqueued_batches="Int64Value",
        num_batch_threads="Int64Value",
        thread_pool_name="StringValue",
        allowed_batch_sizes=integer,
        pad_variable_length_inputs=boolean,
    )
    batching = text_format.Parse((SERVING / "batching.txt").read_text(encoding="utf-8"), known())
    assert (batching.max_batch_size.value, batching.num_batch_threads.value) == (8, 1)
    assert batching.batch_timeout_micros.value > 0 and batching.max_enqueued_batches.value > 0
    assert not batching.allowed_batch_sizes and not batching.pad_variable_length_inputs
    said = README.read_text(encoding="utf-8")
    assert f"A request holds up to {batching.max_batch_size.value} files" in said
    assert f"what waits ({batching.max_enqueued_batches.value} calls, then status 503)" in said


def test_tensorflow_serving_finds_its_files_and_the_model():
    one = service("tensorflow_serving/compose.yml", "tensorflow_serving")
    mounted = dict(volume.removesuffix(":ro").rsplit(":", 1) for volume in one["volumes"])
    paths = {inside: outside for outside, inside in mounted.items()}
    for flag in ("model_config_file", "batching_parameters_file"):
        (inside,) = [word.partition("=")[2] for word in one["command"] if word.startswith(f"--{flag}=")]
        assert (SERVING / paths[inside]).is_file()
    assert "--enable_batching=true" in one["command"]
    config = (SERVING / "models.config").read_text(encoding="utf-8")
    base, name = re.search(r'base_path: "(.*)"', config)[1], re.search(r'name: "(.*)"', config)[1]
    (model,) = [inside for inside in paths if inside.startswith(base)]
    assert model == f"{base}/1"  # a numbered version
    assert f"/v1/models/{name}:predict" in README.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    """The folder of a tiny export."""
    folder = tmp_path_factory.mktemp("export") / "gsr_net"
    saved_model.save(one_convolution(size=32), folder, {"threshold": 0.5})
    return folder


def test_the_documented_requests_are_answered_as_the_detector_answers(export):
    file = encode_png(skimage.data.coffee()[:80, :100])
    expected = Detector.load(export).segment(decode_picture(file).pixels)
    loaded, said = tf.saved_model.load(str(export)), README.read_text(encoding="utf-8")
    (body,) = BODY.findall(said)
    body = body.replace("BASE64", base64.b64encode(file).decode())
    (answer,) = json.loads(tensorflow_serving(loaded, body))["predictions"]
    levels = np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["probability_bytes"]["b64"]))))
    np.testing.assert_allclose(levels / 65535, expected.map, rtol=0, atol=0.51 / 65535)
    assert (answer["score"], answer["height"], answer["width"]) == (pytest.approx(expected.score, abs=1e-6), 80, 100)

    # By gRPC: the tensor that the documented line makes, taken apart again as the server does it.
    sent = tf.make_ndarray(tf.make_tensor_proto([file]))
    found = loaded.signatures["encoded"](image_bytes=tf.constant(sent))
    assert float(found["score"][0]) == pytest.approx(expected.score, abs=1e-6)
    assert 'signature_name = "gsr_net", "encoded"' in said and 'inputs["image_bytes"]' in said


@pytest.mark.skipif(sys.platform != "linux", reason="base64 -w0 is that of GNU")
@pytest.mark.parametrize("page", [README, ROOT / "docs" / "using.md"], ids=["deploy", "using"])
def test_the_documented_command_sends_large_files_too(tmp_path, page):
    file = np.random.default_rng(0).bytes(1_000_000)  # far more than an argument may hold
    (tmp_path / "photo.jpg").write_bytes(file)
    (body,) = BODY.findall(README.read_text(encoding="utf-8"))
    (written,) = PIPED.findall(page.read_text(encoding="utf-8"))
    sent = subprocess.run(["sh", "-c", written], cwd=tmp_path, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert sent == body.replace("BASE64", base64.b64encode(file).decode())


def test_only_signatures_with_a_number_of_pictures_first_are_said_to_be_batched(export):
    loaded, said = tf.saved_model.load(str(export)), README.read_text(encoding="utf-8")
    for name, rank in (("encoded", 1), ("batch", 4), ("serving_default", 3)):
        ((input_name, spec),) = loaded.signatures[name].structured_input_signature[1].items()
        assert spec.shape.rank == rank and spec.shape[0] is None
        assert f"| `{name}` | `{input_name}`, [" in said


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
