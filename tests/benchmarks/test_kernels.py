"""A profile of steps: what is added up, and what is found in a real one."""

import json

import pytest
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from benchmarks import kernels
from benchmarks.kernels import Kernel

MILLISECOND = 10**9  # of picoseconds


def test_kernels_are_added_up_by_kind_operation_and_name_and_what_overlaps_counts_once():
    found = [
        Kernel("gemm", "net/a:MatMul", 0, 4 * MILLISECOND),
        Kernel("gemm", "net/b:MatMul", 2 * MILLISECOND, 6 * MILLISECOND),  # on another stream
        Kernel("copy", "", 8 * MILLISECOND, 10 * MILLISECOND),
    ]
    report = kernels.summary(found, steps=2)
    assert report["busy_ms"] == 4.0 and report["launches"] == 1.5
    assert report["kinds"] == {"MatMul": [1.0, 4.0], "copy": [0.5, 1.0]}
    assert list(report["operations"]) == ["net/a:MatMul", "net/b:MatMul", ":copy"]
    assert report["kernels"] == {"gemm": [1.0, 4.0], "copy": [0.5, 1.0]}


def test_of_a_cards_profile_its_kernels_count_and_know_their_operations(tmp_path, monkeypatch):
    space = xplane_pb2.XSpace()
    space.planes.add(name="/host:CPU").lines.add().events.add(metadata_id=1, duration_ps=5)
    card = space.planes.add(name="/device:GPU:0")
    for number, name in enumerate(["tf_op", "net/b:Relu"], start=1):
        card.stat_metadata[number].name = name
    for number, name in enumerate(["gemm", "relu", "MemcpyD2D"], start=1):
        card.event_metadata[number].name = name
    stream = card.lines.add(timestamp_ns=7)
    stream.events.add(metadata_id=1, offset_ps=100, duration_ps=20).stats.add(metadata_id=1, str_value="net/a:MatMul")
    stream.events.add(metadata_id=2, offset_ps=120, duration_ps=30).stats.add(metadata_id=1, ref_value=2)
    stream.events.add(metadata_id=3, offset_ps=200, duration_ps=40)
    (tmp_path / "host.xplane.pb").write_bytes(space.SerializeToString())
    monkeypatch.setattr(kernels.machine, "on_gpu", lambda: True)
    assert list(kernels.kernels(tmp_path)) == [
        Kernel("gemm", "net/a:MatMul", 7100, 7120),
        Kernel("relu", "net/b:Relu", 7120, 7150),
        Kernel("MemcpyD2D", "", 7200, 7240),
    ]


def test_a_profile_of_real_steps_has_their_operations(capsys):
    narrow = ["--width=.03", "--input_size=40", "--batch_size=1", "--vgg16_weights=random", "--segment_on=pasted"]
    assert kernels.main(["kernels", "--flagfile=gsr_net", *narrow, "--refine_on=pasted", "--profiled_steps=2"]) == 0
    printed = capsys.readouterr().out
    report = json.loads(printed.splitlines()[-1])
    assert report["kinds"]["ResourceApplyAdam"][0] == pytest.approx(46, abs=20)
    assert 0 < report["busy_ms"] <= 1.5 * report["step_ms"] + 5
    assert "kinds" in printed and f"{report['launches']:.0f} launches" in printed
