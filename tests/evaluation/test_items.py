from gsr_tf.evaluation.items import evenly


def test_entries_are_spread_evenly():
    assert evenly(range(10), 4) == [0, 3, 6, 9]
    assert evenly("abc", 8) == ["a", "b", "c"]
    assert evenly([], 3) == []
