import os
import signal

import pytest
import tensorflow as tf

from tests import tiny

# A shell starts background commands with Ctrl-C ignored, and Python keeps that; tests of Ctrl-C need it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# XLA compiles in half the time what computes the same.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

# Two devices, for the tests of several replicas; before TensorFlow starts any.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


def pytest_collection_modifyitems(items):
    """Files with slow tests come first: a process that began one last would keep the others waiting."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def two_replicas():
    """One strategy for the process, as `training.device.build_strategy` has: the operations of two would mix."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    """Records of six S with masks and originals."""
    return tiny.write_records(tmp_path_factory.mktemp("records") / "sources", tiny.manipulated())


@pytest.fixture(scope="session")
def targets(tmp_path_factory):
    """Records of six T."""
    return tiny.write_records(tmp_path_factory.mktemp("records") / "targets", tiny.authentic())
