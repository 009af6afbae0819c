"""A run's facts beside its settings: with what it was trained, and whether the same records are here again."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from gsr_tf.data.pictures import write_atomically
from gsr_tf.data.records import Records
from gsr_tf.settings import ConfigError

FACTS_NAME = "run.json"


def write_facts(run_dir: Path, records: Mapping[str, Records]) -> None:
    """Writes what a run is trained with: records by the flag that gave them, versions, commit."""
    facts = {
        "records": {flag: {"path": str(r.path), "fingerprint": r.fingerprint} for flag, r in records.items()},
        "versions": {"python": platform.python_version(), "tensorflow": tf.__version__, "numpy": np.__version__},
        "commit": source_commit(),
    }
    write_atomically(run_dir / FACTS_NAME, (json.dumps(facts, indent=2) + "\n").encode())


def read_facts(run_dir: Path) -> dict:
    """What a run wrote down beside its configuration; empty when it is not there, ConfigError when damaged."""
    path = run_dir / FACTS_NAME
    try:
        return json.loads(path.read_text()) if path.exists() else {}
    except ValueError as error:
        raise ConfigError(f"{path}: damaged ({error}); without the file the run goes on, its data unchecked") from error


def check_records(run_dir: Path, records: Mapping[str, Records]) -> None:
    """Raises ConfigError when a run in the folder was trained on other records; arguments as `write_facts`."""
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
