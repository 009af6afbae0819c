"""A run of several workers as Slurm and Kubernetes start it: the files of deploy/, with stand-ins for both."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gsr_tf import command, config, train
from gsr_tf.training.run_dir import read_facts
from gsr_tf.training.workers import find_workers
from tests.training import team

ROOT = Path(__file__).resolve().parents[1]
SLURM, KUBERNETES = ROOT / "deploy" / "slurm_train.sh", ROOT / "deploy" / "kubernetes_train.yml"
# Two tasks on this machine, with what srun tells them; its exit code is the highest of theirs.
SRUN = """#!/bin/bash
export SLURM_STEP_NUM_TASKS=2 SLURM_STEP_NODELIST=localhost SLURM_STEP_TASKS_PER_NODE=2 SLURMD_NODENAME=localhost
SLURM_PROCID=1 SLURM_LOCALID=1 "$@" & other=$!
SLURM_PROCID=0 SLURM_LOCALID=0 "$@"; code=$?
wait $other || code=$((code > $? ? code : $?))
exit $code
"""


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """A function that puts a command on PATH, in place of the cluster's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)

    def put(name, text):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)

    return put


def run_slurm(*arguments):
    environment = {**os.environ, "PYTHON": sys.executable, "SLURM_JOB_ID": str(os.getpid())}
    line = ["bash", str(SLURM), *arguments]
    return subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=team.SECONDS)


@pytest.mark.slow
def test_slurm_starts_a_run_of_two_workers(commands, tmp_path, sources, targets):
    commands("srun", SRUN)
    run_dir = tmp_path / "run"
    small = ["--width=0.02", "--vgg16_weights=random", "--input_size=32", "--batch_size=2", "--segment_on="]
    records = [f"--source_records={sources.path}", f"--target_records={targets.path}"]
    done = run_slurm(*records, *small, "--refine_steps=0", "--noboundary_branch", f"--run_dir={run_dir}", "--steps=2")
    assert done.returncode == 0, done.stderr
    assert "worker 0 of 2 (localhost:" in done.stdout and "worker 1 of 2 (localhost:" in done.stdout
    assert f"done: {run_dir} at step 2" in done.stdout
    assert read_facts(run_dir)["records"]["--source_records"]["fingerprint"] == sources.fingerprint


@pytest.mark.parametrize(("code", "again"), [(0, False), (1, False), (143, True)])
def test_slurm_is_asked_for_more_time_after_a_stop_alone(commands, tmp_path, code, again):
    commands("srun", f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/given\nexit {code}\n')
    commands("scontrol", f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    assert run_slurm("--run_dir=a b").returncode == code
    assert (tmp_path / "given").read_text().split("\n")[1:] == ["-m", "gsr_tf.train", "--run_dir=a b", ""]
    assert (tmp_path / "asked").exists() == again
    if again:
        assert (tmp_path / "asked").read_text() == f"requeue {os.getpid()}\n"


def test_slurm_is_asked_for_whole_workers():
    wanted = [line.removeprefix("#SBATCH ") for line in SLURM.read_text().splitlines() if line.startswith("#SBATCH")]
    assert {"--nodes=2", "--ntasks-per-node=1", "--requeue", "--signal=TERM@300"} <= set(wanted)


def test_kubernetes_tells_each_pod_its_place(commands, monkeypatch):
    service, job = yaml.safe_load_all(KUBERNETES.read_text())
    (container,) = job["spec"]["template"]["spec"]["containers"]
    environment = {entry["name"]: entry["value"] for entry in container["env"]}
    count = int(environment["WORKERS"])
    assert (job["spec"]["completionMode"], job["spec"]["completions"], job["spec"]["parallelism"]) == (
        "Indexed", count, count,
    )  # fmt: skip
    name, subdomain = job["metadata"]["name"], job["spec"]["template"]["spec"]["subdomain"]
    assert service["metadata"]["name"] == subdomain
    assert service["spec"]["clusterIP"] == "None" and service["spec"]["selector"] == {"job-name": name}
    (port,) = service["spec"]["ports"]
    addresses = tuple(f"{name}-{index}.{subdomain}:{port['port']}" for index in range(count))
    commands("tini", '#!/bin/sh\nshift\nexec "$@"\n')
    commands("python", '#!/bin/sh\necho "$TF_CONFIG"\nprintf "%s\\n" "$@"\n')
    for index in range(count):
        line, given = [*container["command"], *container["args"]], {"JOB_COMPLETION_INDEX": str(index), **environment}
        done = subprocess.run(line, env={**os.environ, **given}, capture_output=True, text=True, check=True)
        tf_config, *arguments = done.stdout.splitlines()
        monkeypatch.setenv("TF_CONFIG", tf_config)
        assert find_workers() == (addresses, index)
    assert arguments[:2] == ["-m", "gsr_tf.train"]
    settings = config.from_flags(command.parse(["train", *arguments[2:]], "", train._define))
    assert settings.optimization.batch_size % count == 0
