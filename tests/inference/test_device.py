import pytest
import tensorflow as tf

from gsr_tf import predict
from gsr_tf.inference import device
from gsr_tf.inference.device import DeviceError, choose


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
