"""All benchmarks of a card in one go: what is left when the minutes are over, and what the same command does next."""

import json
import time
from pathlib import Path

import pytest

from benchmarks import card
from benchmarks.card import Benchmark

REPORT = {
    "seconds_per_step": 0.03,
    "seconds_alone": 0.04,
    "tflops_per_second": 187.3,
    "fraction_of_matmul": 0.35,
    "peak_memory_bytes": 2.5e9,
    "first_step_seconds": 9.0,
}


@pytest.fixture
def module(tmp_path, monkeypatch):
    """(its name, its file): a benchmark that does what the file says."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "a_benchmark", tmp_path / "a_benchmark.py"


def run(benchmark, output, seconds):
    return card.run(card.start(benchmark, output, ()), seconds)


def test_the_next_one_imports_while_one_runs_and_waits_for_its_turn(tmp_path, module, monkeypatch):
    name, file = module
    file.write_text(
        "import sys, time, pathlib\nnote = lambda word: pathlib.Path('order').open('a').write(word + '\\n')\n"
        "note('import' + sys.argv[2])\n"
        "def main(argv):\n    note('begin' + argv[1])\n    time.sleep(1)\n    note('end' + argv[1])\n    print('{}')\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(card, "benchmarks", lambda: [Benchmark("a", name, ("1",)), Benchmark("b", name, ("2",))])
    assert card.main(["card", f"--output={tmp_path}", "--minutes=1"]) == 0
    order = (tmp_path / "order").read_text().split()
    assert order.index("import2") < order.index("end1") < order.index("begin2")


def test_a_report_is_the_last_json_line_and_all_else_is_kept(tmp_path, module):
    name, file = module
    file.write_text(
        "def main(argv):\n    print('a table')\n"
        f"    print('{json.dumps(REPORT)}')\n    print('done', *argv[1:])\n    return 1\n"
    )
    one = Benchmark("train_step_x_4_merged", name, ("--a=1",))
    assert card.run(card.start(one, tmp_path, ["width=.5"]), 60) == ""
    assert json.loads((tmp_path / "train_step_x_4_merged.json").read_text()) == REPORT
    assert "done --a=1 --width=.5" in (tmp_path / "train_step_x_4_merged.txt").read_text()
    assert "x_4_merged 30.0 40.0 187.30 0.35 2.50 9.0" in " ".join(card.summary(tmp_path).split())


def test_one_that_fails_or_lasts_too_long_says_so_and_leaves_no_report(tmp_path, module):
    name, file = module
    file.write_text("raise SystemExit(5)\n")
    assert run(Benchmark("b", name, ()), tmp_path, 60) == "ended with 5 and no report; see b.txt"
    file.write_text("import time\ndef main(argv):\n    time.sleep(60)\n")
    assert run(Benchmark("b", name, ()), tmp_path, 0) == "the minutes were over"
    assert not (tmp_path / "b.json").exists()


def test_what_one_has_started_ends_with_it(tmp_path, module):
    name, file = module
    file.write_text(
        "import pathlib, subprocess\ndef main(argv):\n    child = subprocess.Popen(['sleep', '60'])\n"
        "    pathlib.Path(argv[1]).write_text(str(child.pid))\n    child.wait()\n"
    )
    assert run(Benchmark("b", name, (str(tmp_path / "child"),)), tmp_path, 5) == "the minutes were over"
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child}/stat").exists() and " Z " not in Path(f"/proc/{child}/stat").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_same_command_goes_on_with_what_has_no_report(tmp_path, module, monkeypatch, capsys):
    name, file = module
    file.write_text("import pathlib\ndef main(argv):\n    pathlib.Path('ran').open('a').write('x')\n    print('{}')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(card, "benchmarks", lambda: [Benchmark(one, name, ()) for one in "abc"])
    (tmp_path / "b.json").write_text("{}")
    arguments = ["card", f"--output={tmp_path}", "--minutes=1"]
    assert card.main(arguments) == 0
    assert (tmp_path / "ran").read_text() == "xx"
    assert card.main(arguments) == 0
    assert (tmp_path / "ran").read_text() == "xx"


def test_without_minutes_nothing_runs_and_the_end_is_no_success(tmp_path, module, monkeypatch):
    monkeypatch.setattr(card, "benchmarks", lambda: [Benchmark("a", "no_such_module", ())])
    assert card.main(["card", f"--output={tmp_path}", "--minutes=0"]) == 1


def test_one_that_takes_more_than_its_share_does_not_keep_the_others(tmp_path, module, monkeypatch, capsys):
    name, file = module
    file.write_text("import time\ndef main(argv):\n    time.sleep(60 * ('--slow' in argv))\n    print('{}')\n")
    both = [Benchmark("a", name, ("--slow",)), Benchmark("b", name, ())]
    monkeypatch.setattr(card, "benchmarks", lambda: both)
    assert card.main(["card", f"--output={tmp_path}", "--minutes=1", "--each=.1"]) == 1
    assert not (tmp_path / "a.json").exists()
    assert (tmp_path / "b.json").exists()
    assert "a: the minutes were over" in "".join(capsys.readouterr())


def test_names_are_unique_and_flags_are_the_benchmarks_own():
    found = list(card.benchmarks())
    assert len({one.name for one in found}) == len(found)
    assert found[0].name == "kernels_mixed_bfloat16_4_merged"
    for one in found:
        assert f"benchmarks.{one.name.split('_mixed')[0].split('_tensor')[0].split('_float')[0]}" == one.module
    assert card.REFERENCE.exists()
