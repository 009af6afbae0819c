import os

import numpy as np
import pytest
import tensorflow as tf

from gsr_tf.data.batch import Batch
from gsr_tf.inference.device import DeviceError
from gsr_tf.training import device
from gsr_tf.training.device import Device, build_strategy, set_up
from gsr_tf.training.workers import Workers


@pytest.fixture
def gpus(monkeypatch):
    """The GPUs that the process may use, as a list to fill."""
    visible = []
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: list(visible))
    build_strategy.cache_clear()
    yield visible
    build_strategy.cache_clear()


def test_a_machine_of_several_gpus_has_one_strategy_for_all_runs(gpus):
    gpus += ["GPU:0", "GPU:1"]
    strategy = build_strategy(Workers())
    assert isinstance(strategy, tf.distribute.MirroredStrategy)
    assert build_strategy(Workers()) is strategy


def test_several_workers_meet_once(gpus, monkeypatch):
    met = []
    monkeypatch.setattr(device, "join", lambda workers: met.append(workers) or "theirs")
    workers = Workers(("a:1", "b:2"), 1)
    assert [build_strategy(workers), build_strategy(workers)] == ["theirs", "theirs"]
    assert met == [workers]


def test_gpus_that_a_run_may_not_use_are_no_replicas(gpus, monkeypatch):
    gpus += ["GPU:0", "GPU:1"]
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, enable: None)
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda devices, kind: gpus.clear())
    set_up(Device(device="cpu"), seed=0)
    assert build_strategy(Workers()) is tf.distribute.get_strategy()


def test_a_run_that_asks_for_a_gpu_does_not_begin_without_one(gpus):
    with pytest.raises(DeviceError, match="--device=gpu: TensorFlow"):
        set_up(Device(device="gpu"), seed=0)


def test_precision_decides_on_products_of_ten_bits():
    for precision, enabled in (("tensorfloat32", True), ("float32", False)):
        set_up(Device(precision=precision), seed=0)
        assert tf.config.experimental.tensor_float_32_execution_enabled() == enabled


def test_a_quick_precision_keeps_its_channels_last(monkeypatch):
    monkeypatch.delenv("TF_USE_CUDNN_BATCHNORM_SPATIAL_PERSISTENT", raising=False)
    for precision, theirs in (("mixed_bfloat16", False), ("tensorfloat32", False), ("float32", True)):
        set_up(Device(precision=precision), seed=0)
        assert tf.config.optimizer.get_experimental_options()["layout_optimizer"] == theirs
        assert os.environ["TF_USE_CUDNN_BATCHNORM_SPATIAL_PERSISTENT"] == "1"


def test_batches_are_kept_ahead_on_a_gpu_and_are_the_same(gpus):
    made = []

    def numbered(i):
        made.append(int(i))
        return np.float32(i)

    def batches():
        number = tf.data.Dataset.range(5).map(
            lambda i: tf.ensure_shape(tf.numpy_function(numbered, [i], tf.float32), [])
        )
        return number.map(lambda x: Batch(s=x, k=x + 1, t=x, m=x))

    plain = batches()
    assert device.kept_ahead(plain) is plain
    gpus.append("GPU:0")
    dealt = iter([1, 2])
    assert device.kept_ahead(dealt) is dealt
    found = []
    for batch in device.kept_ahead(batches(), "/CPU:0"):
        assert isinstance(batch, Batch) and batch.a is None
        found.append((float(batch.s), float(batch.k)))
    assert found == [(i, i + 1) for i in range(5)] and made == list(range(5))


def test_what_is_wrong_with_a_batch_is_said_where_it_is_wanted(gpus):
    gpus.append("GPU:0")
    batches = tf.data.Dataset.range(3).map(lambda i: Batch(*[tf.debugging.check_numerics(1 / (1 - i), "damaged")] * 4))
    ahead = iter(device.kept_ahead(batches, "/CPU:0"))
    assert float(next(ahead).s) == 1.0
    with pytest.raises(tf.errors.InvalidArgumentError, match="damaged"):
        next(ahead)


def test_one_device_needs_none():
    assert build_strategy(Workers()) is tf.distribute.get_strategy()
