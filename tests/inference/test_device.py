from types import SimpleNamespace

import numpy as np
import pytest
import skimage.data
import tensorflow as tf

from gsr_tf import evaluate, predict
from gsr_tf.inference import device
from gsr_tf.inference.detector import Detector
from gsr_tf.inference.device import DeviceError, choose
from gsr_tf.inference.module import DetectorModule


class Machine:
    """Stands in for TensorFlow on a machine of two GPUs."""

    def __init__(self, monkeypatch):
        self.visible, self.growing, self.begun = ["GPU:0", "GPU:1"], [], False
        monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: list(self.visible))
        monkeypatch.setattr(tf.config, "set_visible_devices", self._set_visible)
        monkeypatch.setattr(tf.config.experimental, "set_memory_growth", self._grow)

    def _set_visible(self, devices, kind):
        self._refuse_when_begun()
        self.visible = devices

    def _grow(self, gpu, enable):
        self._refuse_when_begun()
        self.growing += [gpu] * enable

    def _refuse_when_begun(self):
        if self.begun:
            raise RuntimeError("Visible devices cannot be modified after being initialized")


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


@pytest.fixture(autouse=True)
def exactness():
    enabled = tf.config.experimental.tensor_float_32_execution_enabled()
    yield
    tf.config.experimental.enable_tensor_float_32_execution(enabled)
    tf.config.optimizer.set_experimental_options({device.BFLOAT16_PASS: False})


@pytest.fixture
def cpu(monkeypatch, tmp_path):
    """A CPU without a GPU, of the flags that the test writes to the file."""
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [])
    monkeypatch.setattr(device, "CPU_FLAGS", tmp_path / "cpuinfo")
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nflags\t\t: fpu avx512f amx_bf16 amx_int8\n")
    return tmp_path / "cpuinfo"


@pytest.mark.parametrize("name", ["auto", "gpu"])
def test_all_gpus_take_memory_as_they_need_it(machine, name):
    choose(name)
    assert machine.visible == machine.growing == ["GPU:0", "GPU:1"]


def test_a_cpu_asked_for_hides_the_gpus(machine):
    choose("cpu")
    assert machine.visible == machine.growing == device.gpus() == []


def test_a_process_that_has_computed_keeps_its_devices(machine):
    machine.begun = True
    choose("cpu")
    assert machine.visible == ["GPU:0", "GPU:1"]


def test_products_are_of_full_float32():
    tf.config.experimental.enable_tensor_float_32_execution(True)
    choose("auto")
    assert not tf.config.experimental.tensor_float_32_execution_enabled()


def test_without_a_gpu_the_message_says_what_there_is_and_what_to_install(machine, monkeypatch):
    machine.visible = []
    monkeypatch.setattr(
        tf.config, "list_physical_devices", lambda: [tf.config.PhysicalDevice("/physical_device:CPU:0", "CPU")]
    )
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    choose("auto")
    with pytest.raises(
        DeviceError, match=r"--device=gpu: TensorFlow \S+ sees CPU:0, no GPU\. .*tensorflow\[and-cuda\]==2"
    ):
        choose("gpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    with pytest.raises(DeviceError, match=r"no GPU \(CUDA_VISIBLE_DEVICES=-1 "):
        choose("gpu")


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU")
def test_a_command_ends_with_that_message(tmp_path, capsys):
    assert predict.main(["predict", "--input=x.jpg", f"--output={tmp_path}", "--device=gpu"]) == 1
    assert "error: --device=gpu: TensorFlow" in capsys.readouterr().err


def test_bfloat16_is_the_processs_until_another_choice(cpu):
    assert device.chosen_precision() == "float32"
    choose("auto", "bfloat16")
    assert device.chosen_precision() == "bfloat16"
    choose("auto")
    assert device.chosen_precision() == "float32"


@pytest.mark.parametrize("flags", ["flags : fpu avx512f avx512_bf16", "flags : xamx_bf16", None])
def test_bfloat16_is_refused_where_it_would_be_slow_or_fail(cpu, flags):
    cpu.unlink() if flags is None else cpu.write_text(flags)
    with pytest.raises(DeviceError, match=r"--precision=bfloat16: this CPU has no AMX \(amx_bf16 in .*cpuinfo\)"):
        choose("cpu", "bfloat16")
    assert device.chosen_precision() == "float32"


def test_every_process_that_answers_chooses_its_precision(cpu):
    cpu.unlink()
    asked = {"saved_model": None, "method": None, "resolution": "whole", "scales": None}
    load = predict.way(SimpleNamespace(device="cpu", precision="bfloat16", threshold=None, **asked))
    with pytest.raises(DeviceError, match="has no AMX"):
        load()
    with pytest.raises(DeviceError, match="has no AMX"):
        evaluate.chosen_method("cpu", "bfloat16", *asked.values())


def test_bfloat16_is_refused_without_what_computes_in_it(cpu, monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    with pytest.raises(DeviceError, match="--precision=bfloat16: TF_ENABLE_ONEDNN_OPTS in the environment"):
        choose("auto", "bfloat16")
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    choose("auto", "bfloat16")


def test_bfloat16_is_for_cpus(cpu, machine):
    with pytest.raises(DeviceError, match="there is a GPU, which computes in float32; give --device=cpu as well"):
        choose("auto", "bfloat16")
    choose("cpu", "bfloat16")
    assert device.chosen_precision() == "bfloat16"


needs_amx = pytest.mark.skipif(not device.has_amx(), reason="this CPU has no AMX")


@needs_amx
def test_in_bfloat16_a_convolution_does_not_see_the_ninth_bit():
    x, kernel = tf.fill([1, 32, 32, 64], 1 + 2.0**-9), tf.ones([3, 3, 64, 64])

    def convolved():
        return float(tf.function(lambda x: tf.nn.conv2d(x, kernel, 1, "SAME") * 1.0)(x)[0, 8, 8, 0])

    assert convolved() == 9 * 64 * (1 + 2.0**-9)
    choose("cpu", "bfloat16")
    assert convolved() == 9 * 64


@needs_amx
@pytest.mark.parametrize("resolution", ["whole", "tile"])
def test_in_bfloat16_a_detectors_maps_are_nearly_the_same(segmenter, resolution):
    def answered():
        detector = Detector(DetectorModule(segmenter, size=64), name="small", metadata={})
        return detector.precision, detector.maps(skimage.data.astronaut()[:150, :200], resolution=resolution)

    exact, maps = answered()
    choose("cpu", "bfloat16")
    rounded, others = answered()
    assert (exact, rounded) == ("float32", "bfloat16")
    for name, values in maps.items():
        assert 1e-5 < np.abs(others[name] - values).max() < 0.02
