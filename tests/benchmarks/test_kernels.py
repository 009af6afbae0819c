"""A profile of steps: what is added up, and what is found in a real one."""

import json

import pytest

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


def test_a_profile_of_real_steps_has_their_operations(capsys):
    narrow = ["--width=.03", "--input_size=40", "--batch_size=1", "--vgg16_weights=random", "--segment_on=pasted"]
    assert kernels.main(["kernels", "--flagfile=gsr_net", *narrow, "--refine_on=pasted", "--profiled_steps=2"]) == 0
    printed = capsys.readouterr().out
    report = json.loads(printed.splitlines()[-1])
    assert report["kinds"]["ResourceApplyAdam"][0] == pytest.approx(46, abs=20)
    assert 0 < report["busy_ms"] <= 1.5 * report["step_ms"] + 5
    assert "kinds" in printed and f"{report['launches']:.0f} launches" in printed
