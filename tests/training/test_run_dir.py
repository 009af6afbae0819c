import json
import platform
import re
import subprocess

import pytest
import tensorflow as tf

from gsr_tf import config
from gsr_tf.config import Config, ConfigError
from gsr_tf.training import run as training_run
from gsr_tf.training import run_dir
from gsr_tf.training.run_dir import (
    check_records,
    described,
    other_code,
    read_facts,
    source_commit,
    this_code,
    write_facts,
)
from gsr_tf.training.run_settings import check_same

CONFIG = Config().changed(width=0.1, vgg16_weights="random")


@pytest.fixture
def run(tmp_path, sources):
    folder = tmp_path / "run"
    CONFIG.write(folder)
    write_facts(folder, {"--source_records": sources})
    return folder


def test_settings_and_facts_are_written(run, sources):
    assert config.load(run) == CONFIG
    facts = json.loads((run / "run.json").read_text())
    data = {"path": str(sources.path), "fingerprint": sources.fingerprint, "pictures": 6}
    assert facts["records"] == {"--source_records": data}
    assert facts["versions"]["tensorflow"] == tf.__version__
    assert facts["versions"]["python"] == platform.python_version()
    assert facts["commit"] == source_commit()
    assert re.fullmatch(r"[0-9a-f]{40}\+?|unknown", facts["commit"])
    assert read_facts(run) == facts


def test_facts_are_said_in_words(run):
    found = read_facts(run)
    lines = described("python -m gsr_tf.train --steps=3", {**found, "commit": "f00d+"}).splitlines()
    assert lines[0] == "    python -m gsr_tf.train --steps=3"
    data = found["records"]["--source_records"]
    assert f"| --source_records | 6 | {data['path']} | {data['fingerprint']} |" in lines
    assert {"| commit | f00d+ |", f"| tensorflow | {tf.__version__} |", "| --- | --- |"} < set(lines)
    assert "| commit" not in described("", {**found, "commit": "unknown"})


def test_all_code_that_trained_a_run_is_kept_with_the_steps_that_were_done_before(tmp_path, monkeypatch):
    for commit, done in (("a", 0), ("b", 20), ("c", 20), ("c", 30)):  # b was ended before its first checkpoint
        monkeypatch.setattr(run_dir, "source_commit", lambda commit=commit: commit)
        write_facts(tmp_path, {}, done)
    found, version = read_facts(tmp_path), run_dir.versions()["gsr_tf"]
    assert found["code"] == {"0": f"gsr_tf {version} (a)", "20": f"gsr_tf {version} (c)"}
    assert found["commit"] == "c"
    assert other_code(tmp_path) == ""
    monkeypatch.setattr(run_dir, "source_commit", lambda: "d")
    assert other_code(tmp_path) == f"gsr_tf {version} (c)"


def test_where_records_lie_is_written_down_also_where_nothing_begins(run, sources, monkeypatch):
    before = read_facts(run)
    monkeypatch.setattr(run_dir, "source_commit", lambda: "another")
    write_facts(run, {}, 4, begins=False)
    assert read_facts(run) == {**before, "records": {}}


def test_of_a_run_of_before_the_last_code_is_known_or_none(tmp_path):
    assert other_code(tmp_path) == ""
    (tmp_path / "run.json").write_text('{"records": {}, "versions": {"python": "3.11.7"}, "commit": "f00d"}')
    assert other_code(tmp_path) == "gsr_tf unknown (f00d)"
    write_facts(tmp_path, {}, 7)
    assert read_facts(tmp_path)["code"] == {"0": "gsr_tf unknown (f00d)", "7": this_code()}


def test_below_somebody_elses_checkout_no_commit_is_ours(tmp_path, monkeypatch):
    installed = tmp_path / "site-packages" / "run_dir.py"
    installed.parent.mkdir()
    installed.touch()
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for arguments in (["init", "-q"], [*identity, "commit", "-q", "--allow-empty", "-m", "theirs"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    monkeypatch.setattr(run_dir, "__file__", str(installed))
    assert source_commit() == "unknown"
    subprocess.run(["git", "add", "site-packages"], cwd=tmp_path, check=True)
    assert re.fullmatch(r"[0-9a-f]{40}\+", source_commit())


@pytest.mark.parametrize("name", ["r[1]", "r*", "r?", "r\\1"])
def test_a_folder_in_which_tensorflow_would_not_find_its_files_is_refused_before_anything_is_written(tmp_path, name):
    with pytest.raises(ConfigError, match=re.escape(f"--run_dir={tmp_path / name}: ") + ".*; rename the folder"):
        training_run.run(CONFIG, tmp_path / name, "gsr_tf.train")
    assert list(tmp_path.iterdir()) == []


def test_the_same_run_may_go_on_longer_and_elsewhere(run, sources, tmp_path):
    moved = CONFIG.changed(steps=10**6, keep=9, save_every=3, source_records="moved")
    check_same(run, moved)
    check_records(run, {"--source_records": sources})


def test_a_rate_that_falls_is_not_stretched(run):
    falling = CONFIG.changed(learning_rate_schedule="cosine", steps=100)
    falling.write(run)
    check_same(run, falling.changed(keep=9))
    with pytest.raises(ConfigError, match="--steps: 100 there, 200 now"):
        check_same(run, falling.changed(steps=200))


def test_other_settings_are_refused_with_both_values(run):
    other = CONFIG.changed(width=0.2, segment_on=("pasted",), refine_on=("pasted",), steps=3)
    with pytest.raises(ConfigError, match=f"--run_dir={run} holds a run of other settings") as refusal:
        check_same(run, other)
    assert "--width: 0.1 there, 0.2 now" in str(refusal.value)
    assert "--segment_on: ('source', 'pasted', 'generated') there, ('pasted',) now" in str(refusal.value)
    assert "--steps" not in str(refusal.value)


def test_other_records_are_refused_with_both_fingerprints(run, sources, targets):
    with pytest.raises(ConfigError, match="--source_records=") as refusal:
        check_records(run, {"--source_records": targets})
    assert f"{targets.path} (fingerprint {targets.fingerprint}) is not the data" in str(refusal.value)
    assert f"trained on ({sources.fingerprint})" in str(refusal.value)


def test_a_new_folder_and_newly_given_records_are_welcome(run, targets, tmp_path):
    check_same(tmp_path / "new", CONFIG)
    check_records(tmp_path / "new", {"--source_records": targets})
    check_records(run, {"--validation_records": targets})


@pytest.mark.parametrize(
    "text",
    ['{"records": ', "[]", '{"records": []}', '{"records": {"--source_records": 3}}', '{"code": []}']
    + ['{"code": {"x": "y"}}', '{"commit": "f00d", "versions": "1"}'],
)
def test_damaged_facts_are_named(run, text):
    (run / "run.json").write_text(text)
    with pytest.raises(ConfigError, match=f"{run}/run.json: damaged"):
        check_records(run, {})
