"""The cost model: hand-computed predictions, figures in a file, and what is measured here."""

import json
import os
import re

import numpy as np
import pytest
from absl import flags

from benchmarks import cost_model, figures, here, plan
from benchmarks.cost_model import HOUR, Job
from benchmarks.figures import Answering, Figures, Preparing, Step
from gsr_tf import config as config_lib
from gsr_tf.config import Config
from gsr_tf.data.example import parse_example
from gsr_tf.data.pictures import decode_picture
from gsr_tf.data.records import open_records

CARD = Figures("card", "", (Step("gsr_net", "half", 4, 0.1, 5e9), Step("gsr_net", "half", 24, 0.3, None)))
LAPTOP = Figures(
    "laptop",
    "2 cores",
    (Step("gsr_net", "float32", 1, 6.0, 3e9),),
    Preparing(seconds=0.004, memory_bytes=5e8, record_bytes=160_000, index_bytes=50),
    Answering(1.0, 2.0, 9.0, 1e9, written_bytes=1.5e6, written_files=4),
)
JOB = Job("gsr_net", "half", steps=9000, pictures=14, parameters=100_000_000)


def test_a_step_on_a_card_lies_on_the_line_through_what_was_measured():
    one = cost_model.training(CARD, JOB, price=3.0)
    assert one.hours == pytest.approx(9000 * 0.2 / HOUR)  # 60 ms + 14 x 10 ms
    assert one.cost == pytest.approx(3 * one.hours)
    assert one.memory_bytes == pytest.approx(1.6e9 + 3.4e9 / 4 * 14)  # 16 bytes a parameter; the rest a picture's
    assert "60.0 ms + 10.0 ms a picture; measured at 4, 24" in one.why


def test_a_step_on_a_cpu_is_in_proportion():
    job = JOB._replace(precision="float32", pictures=4, steps=100)
    estimate = cost_model.training(LAPTOP, job)
    assert estimate.hours == pytest.approx(100 * 24 / HOUR)
    assert estimate.cost is None
    assert "1 took 6.00 s; in proportion" in estimate.why


def test_several_cards_wait_for_their_gradients():
    eight = cost_model.training(CARD, JOB, cards=8, link_bytes=7e9, price=3.0)
    reduce = 2 * 7 / 8 * 4e8 / 7e9  # 0.1 s
    assert reduce == pytest.approx(0.1)
    assert eight.hours == pytest.approx(9000 * (0.2 + reduce) / HOUR)
    assert eight.cost == pytest.approx(8 * 3 * eight.hours)
    assert "9,000 steps of 112 pictures" in eight.why and "400 MB of gradients" in eight.why
    assert eight.why.endswith(f"as many pictures as on 1 card: {eight.hours / 8:.2f} h")
    assert cost_model.all_reduce_seconds(4e8, 1, 7e9) == 0


def test_preparing_and_answering():
    prepared = cost_model.preparing(LAPTOP, 90_000, 0.5)
    assert (prepared.hours, prepared.cost) == (pytest.approx(0.1), pytest.approx(0.05))
    assert prepared.why == "250 pictures a second; 14.4 GB in 352 shards, 4.5 MB of index"
    answered = cost_model.answering(LAPTOP, 1800)
    assert answered.hours == pytest.approx((9 + 3600) / HOUR)
    assert "2.7 GB in 7,200 files" in answered.why


def test_what_was_not_measured_is_said_so():
    for estimate in (
        cost_model.training(CARD, JOB._replace(precision="float32")),
        cost_model.preparing(CARD, 10),
        cost_model.answering(CARD, 10, price=2.0),
    ):
        assert estimate[1:4] == (None, None, None)
        assert estimate.why.startswith("not measured: ")


def test_figures_come_back_from_their_file(tmp_path):
    for one in (CARD, LAPTOP):
        figures.write(one, tmp_path / "figures.json")
        assert figures.read(tmp_path / "figures.json") == one


def test_the_cards_own_figures():
    card = figures.read(figures.OF_THE_CARD)
    for precision, seconds in (("mixed_bfloat16", 0.0346), ("tensorfloat32", 0.0532)):
        assert cost_model.step_seconds(card.steps("gsr_net", precision), 4)[0] == pytest.approx(seconds)
    assert card.preparing is card.answering is None


def test_files_that_hold_no_figures(tmp_path):
    with pytest.raises(figures.FiguresError, match="--figures=.*none.json: cannot be read .*--save=FILE"):
        figures.read(tmp_path / "none.json")
    for text in ("{", "[]", '{"machine": "x", "note": "", "training": [{"pictures": 1}]}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(figures.FiguresError, match="bad.json: not a file that --save wrote"):
            figures.read(tmp_path / "bad.json")


def test_parameters_are_those_of_the_networks_that_are_updated(monkeypatch):
    config = config_lib.from_flagfile("gsr_net", width=0.02, vgg16_weights="random")
    net = config.build()
    monkeypatch.setattr(Config, "build", lambda self: net)
    counts = [
        sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)
        for network in (net.segmenter, net.generator, net.discriminator)
    ]
    assert plan.parameters(config) == sum(counts)
    assert plan.parameters(config.changed(segment_on=("pasted",), refine_on=("pasted",))) == counts[0]
    assert plan.parameters(config.changed(segment_on=(), refine_on=(), refine_steps=0)) == sum(counts[1:])


def test_the_command_predicts_from_a_file(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(plan, "parameters", lambda config: 77_666_120)
    figures.write(LAPTOP, tmp_path / "here.json")
    arguments = [f"--figures={tmp_path / 'here.json'}", "--pictures=1e6", "--gpus=8", "--price_per_gpu_hour=4"]
    assert plan.main(["plan", *arguments, f"--save={tmp_path / 'again.json'}"]) == 0
    assert figures.read(tmp_path / "again.json") == LAPTOP
    rows = re.findall(r"^ *(\S+) +\S+(?: GB)? +\S+  (\w.*)$", capsys.readouterr().out, re.MULTILINE)
    hours = {what: hours for hours, what in rows}
    assert hours["training, 1 x laptop"] == "333.33"  # 50,000 steps of 4 pictures
    assert hours["training, 1 x NVIDIA H200"] == "0.48"  # 50,000 x 34.6 ms
    assert hours["training, 8 x NVIDIA H200"] == "0.78"  # and 21.7 ms for the gradients
    assert hours["preparing 118,287 pictures, laptop"] == "0.13"
    assert hours["answering 1,000,000 pictures, laptop"] == "555.56"
    assert hours["answering 1,000,000 pictures, NVIDIA H200"] == "-"


def test_a_run_of_another_method_is_refused(capsys):
    assert plan.main(["plan", "--run=comparators/mfcn"]) == 1
    assert "--run=comparators/mfcn: expected a flagfile of GSR-Net's training" in capsys.readouterr().err


def test_a_training_step_is_measured_by_the_benchmark_of_it(monkeypatch):
    commands = []

    def run(command, **how):
        commands.append(command)
        found = {"seconds_per_step": 0.1, "peak_memory_bytes": 3, "peak_device_memory_bytes": 2}
        return type("Done", (), {"stdout": f"{json.dumps(found)}\n"})

    monkeypatch.setattr(here.subprocess, "run", run)
    monkeypatch.setattr(here, "on_gpu", lambda: True)
    assert here.training("gsr_net") == tuple(Step("gsr_net", "mixed_bfloat16", n, 0.1, 2) for n in (4, 16))
    assert [command[-2:] for command in commands] == [
        [f"--batch_size={n}", "--precision=mixed_bfloat16"] for n in (4, 16)
    ]


def test_preparation_is_measured_on_pictures_like_cocos(tmp_path, monkeypatch):
    kept = []

    def write(listing, output, **how):
        kept.append(here_write(listing, output, **how))
        records = open_records(output)
        examples = [parse_example(records.read(number)) for number in range(len(records))]
        kept.extend([decode_picture(examples[0].image).pixels.shape, [len(one.masks) for one in examples]])

    here_write = here.write_records
    monkeypatch.setattr(here, "write_records", write)
    found = here.preparing(40)
    report, shape, masks = kept
    assert report.kept == 40 and shape == (480, 640, 3)
    assert 3 < sum(masks) / 40 < here.OBJECTS  # some are too small
    assert 130_000 < found.record_bytes < 190_000
    assert 20 < found.index_bytes < 500 and found.seconds > 0 and found.memory_bytes > 1e8


def test_answers_are_timed_from_the_first_to_the_last(monkeypatch):
    def run(command):
        pictures, answers = (here.Path(argument.partition("=")[2]) for argument in command[-2:])
        answers.mkdir()
        for number, picture in enumerate(sorted(pictures.iterdir())):
            assert decode_picture(picture.read_bytes()).pixels.shape == (800, 1200, 3)
            for ending in ("_map.png", "_mask.png"):
                file = answers / f"{picture.stem}{ending}"
                file.write_bytes(bytes(1000))
                os.utime(file, (1, started + 9 + 3 * number))
        return 5e8

    started = 1_000_000.0
    monkeypatch.setattr(here.time, "time", lambda: started)
    monkeypatch.setattr(here, "_run", run)
    assert here.answering(3) == Answering(0.96, 3.0, 6.0, 5e8, 2000.0, 2)


def test_a_command_that_fails_is_no_measurement():
    assert here._run([here.sys.executable, "-c", ""]) > 1e6
    with pytest.raises(here.subprocess.CalledProcessError):
        here._run([here.sys.executable, "-c", "raise SystemExit(3)"])


def test_flags_have_values_that_the_help_names(capsys):
    values = flags.FlagValues()
    plan._define(values)
    values(["plan"])
    assert (values.pictures, values.gpus, values.run, values.precision) == (1e6, 1, "gsr_net", "mixed_bfloat16")
    assert plan.main(["plan", "--help"]) == 0
    assert "a guess at PCIe 4, no measurement" in " ".join(capsys.readouterr().out.split())
