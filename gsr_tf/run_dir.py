"""A run's folder: what was asked for, with what, and whether the same command may go on in it."""

from __future__ import annotations

import dataclasses
import json
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from gsr_tf import config as config_lib
from gsr_tf.config import Config, ConfigError
from gsr_tf.data.pictures import write_atomically
from gsr_tf.data.records import Records

FACTS_NAME = "run.json"
# What may change when a run goes on: how long, how often, and where the same records are.
MAY_CHANGE = {
    *("steps", "log_every", "panels_every", "validate_every", "save_every", "keep", "jit_compile", "cache_gib"),
    *("source_records", "target_records", "validation_records", "validation_targets", "vgg16_weights"),
}


def check_run(run_dir: Path, config: Config, records: Mapping[str, Records]) -> None:
    """Checks that a folder is new, or this run's.

    Args:
        run_dir: the folder.
        config: of this run.
        records: by the flag that gave them.

    Raises:
        ConfigError: the folder holds a run of other settings or other data, or is damaged.
    """
    if run_dir.exists() and not run_dir.is_dir():
        raise ConfigError(f"--run_dir={run_dir}: a file; expected a folder, or a new name")
    if (run_dir / config_lib.CONFIG_NAME).exists():
        _check_same_settings(run_dir, config)
        _check_same_records(run_dir, records)


def write_run(run_dir: Path, config: Config, records: Mapping[str, Records]) -> None:
    """Writes a run's configuration and facts; arguments as `check_run`. From then on the folder is this run's."""
    facts = {
        "records": {flag: {"path": str(r.path), "fingerprint": r.fingerprint} for flag, r in records.items()},
        "versions": {"python": platform.python_version(), "tensorflow": tf.__version__, "numpy": np.__version__},
        "commit": source_commit(),
    }
    write_atomically(run_dir / config_lib.CONFIG_NAME, config.to_json().encode())
    write_atomically(run_dir / FACTS_NAME, (json.dumps(facts, indent=2) + "\n").encode())


def read_facts(run_dir: Path) -> dict:
    """What a run wrote down beside its configuration; empty when it is not there, ConfigError when damaged."""
    path = run_dir / FACTS_NAME
    try:
        return json.loads(path.read_text()) if path.exists() else {}
    except ValueError as error:
        raise ConfigError(f"{path}: damaged ({error}); without the file the run goes on, its data unchecked") from error


def _check_same_settings(run_dir: Path, config: Config) -> None:
    earlier = dataclasses.asdict(config_lib.load(run_dir))
    now = dataclasses.asdict(config)
    changed = [name for name in now if now[name] != earlier[name] and name not in MAY_CHANGE]
    if changed:
        lines = [f"  --{name}: {earlier[name]} there, {now[name]} now" for name in changed]
        raise ConfigError(
            f"--run_dir={run_dir} holds a run of other settings:\n" + "\n".join(lines) + "\n"
            "Use its settings to go on with it, or another --run_dir to start a new run"
        )


def _check_same_records(run_dir: Path, records: Mapping[str, Records]) -> None:
    earlier = read_facts(run_dir).get("records", {})
    for flag, opened in records.items():
        fingerprint = earlier.get(flag, {}).get("fingerprint", opened.fingerprint)
        if fingerprint != opened.fingerprint:
            raise ConfigError(
                f"{flag}={opened.path} (fingerprint {opened.fingerprint}) is not the data that --run_dir={run_dir} was "
                f"trained on ({fingerprint}); give the same records, or another --run_dir"
            )


def source_commit() -> str:
    """The commit of this source tree, with + for uncommitted changes; "unknown" outside a checkout."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
