"""Losses of two runs beside each other: equal for equal runs, and what differs is named."""

import json

import pytest

from benchmarks import first_losses
from gsr_tf.models import losses

NARROW = [
    *["first_losses", "--flagfile=generator", "--vgg16_weights=random", "--width=.02", "--input_size=32"],
    *["--batch_size=1", "--first_steps=2"],
]


def test_a_run_is_itself_and_another_equation_is_told(tmp_path, monkeypatch, capsys):
    file = tmp_path / "losses.json"
    assert first_losses.main([*NARROW, f"--save={file}"]) == 0
    stored = json.loads(file.read_text())["losses"]
    assert len(stored["loss/generator"]) == 2 and stored["loss/generator"][0] != stored["loss/generator"][1]
    assert first_losses.main([*NARROW, f"--against={file}"]) == 0
    monkeypatch.setattr(losses, "edge_loss", lambda *_, **__: 0.0)
    capsys.readouterr()
    assert first_losses.main([*NARROW, f"--against={file}"]) == 1
    said = capsys.readouterr().out
    assert "loss/edge differs by more than" in said and "loss/background differs" not in said


def test_differences_are_relative_and_the_largest_of_the_steps():
    apart = first_losses.differences({"a": [1.0, 2.2, 2.0]}, {"a": [1.0, 2.0, 2.0]})
    assert apart["a"] == (0.0, pytest.approx(0.1))
    assert first_losses.too_far(apart, "mixed_bfloat16") == []
    assert first_losses.too_far(apart, "float32") == ["a"]
    assert first_losses.too_far({"a": (float("nan"), 0.0)}, "mixed_bfloat16") == ["a"]


@pytest.mark.parametrize("content", ["", "{}", json.dumps({"losses": {"loss/other": [1.0, 1.0]}})])
def test_a_file_of_other_losses_is_refused(tmp_path, content):
    file = tmp_path / "losses.json"
    file.write_text(content)
    with pytest.raises(first_losses.LossesError, match="--against="):
        first_losses._read(file, 2, ["loss/generator"])
