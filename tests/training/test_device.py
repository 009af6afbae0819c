import tensorflow as tf

from gsr_tf.training.device import build_strategy


def test_a_machine_of_several_gpus_has_one_strategy_for_all_runs(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [f"{kind}:{number}" for number in range(2)])
    build_strategy.cache_clear()
    try:
        strategy = build_strategy()
        assert isinstance(strategy, tf.distribute.MirroredStrategy)
        assert build_strategy() is strategy
    finally:
        build_strategy.cache_clear()


def test_one_device_needs_none():
    assert build_strategy() is tf.distribute.get_strategy()
