"""A run's facts beside its settings: with what it was trained, and whether the same records are here again."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gsr_tf.data.records import Records
from gsr_tf.data.writing import write_atomically
from gsr_tf.evaluation.outputs import versions
from gsr_tf.settings import ConfigError

FACTS_NAME = "run.json"
UNKNOWN = "unknown"  # the commit, outside a checkout


def write_facts(run_dir: Path, records: Mapping[str, Records], done: int = 0, begins: bool = True) -> None:
    """Writes into a run's folder what it is trained with from now on.

    Beside "versions" and "commit" stands as "code" which code it was trained with before: {steps done: code}.

    Args:
        run_dir: the folder.
        records: by the flag that gave them.
        done: the run's steps so far.
        begins: whether more steps follow; else only where the records lie may be new.
    """
    facts = read_facts(run_dir)
    if begins or not facts:
        code = {steps: one for steps, one in _code(facts).items() if int(steps) < done}
        if (now := this_code()) not in [*code.values()][-1:]:
            code[str(done)] = now
        facts = {"versions": versions(), "commit": source_commit(), "code": code}
    facts["records"] = {
        flag: {"path": str(opened.path), "fingerprint": opened.fingerprint, "pictures": len(opened)}
        for flag, opened in records.items()
    }
    write_atomically(run_dir / FACTS_NAME, (json.dumps(facts, indent=2) + "\n").encode())


def this_code() -> str:
    """Version and commit, in words."""
    return f"gsr_tf {versions()['gsr_tf']} ({source_commit()})"


def other_code(run_dir: Path) -> str:
    """With which code a run was trained last, empty where it is this code or nobody knows; raises ConfigError."""
    last = [*_code(read_facts(run_dir)).values()][-1:]
    return "" if last in ([], [this_code()]) else last[0]


def _code(facts: Mapping[str, Any]) -> dict[str, str]:
    """Of facts their "code"; an earlier version wrote down the last alone, which is taken for the first."""
    if "code" in facts or "commit" not in facts:
        return facts.get("code", {})
    return {"0": f"gsr_tf {facts.get('versions', {}).get('gsr_tf', UNKNOWN)} ({facts['commit']})"}


def described(line: str, found: Mapping[str, dict | str]) -> str:
    """The facts as Markdown, below the command line that starts the run; a commit where it is known."""
    data = [(flag, r["pictures"], r["path"], r["fingerprint"]) for flag, r in found["records"].items()]
    commit = [] if found["commit"] == UNKNOWN else [("commit", found["commit"])]
    return "\n\n".join(
        [
            f"    {line}",
            _table(("data", "pictures", "folder", "fingerprint"), data),
            _table(("code", "version"), [*commit, *found["versions"].items()]),
        ]
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in [header, ["---"] * len(header), *rows])


def read_facts(run_dir: Path) -> dict:
    """What a run wrote down beside its configuration; empty when it is not there, ConfigError when damaged."""
    path = run_dir / FACTS_NAME
    try:
        found = json.loads(path.read_text()) if path.exists() else {}
        if not _are_facts(found):
            raise ValueError("valid JSON, but not what a run writes")
    except ValueError as error:
        raise ConfigError(f"{path}: damaged ({error}); without the file the run goes on, its data unchecked") from error
    return found


def _are_facts(found: object) -> bool:
    """Whether "versions", "code", by numbers of steps, "records" and each of these, as far as there, are objects."""
    if not isinstance(found, dict):
        return False
    numbers, code, records = (found.get(name, {}) for name in ("versions", "code", "records"))
    if not all(isinstance(one, dict) for one in (numbers, code, records)):
        return False
    return all(map(str.isdecimal, code)) and all(isinstance(one, dict) for one in records.values())


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
        git("ls-files", "--error-unmatch", Path(__file__).name)  # installed below somebody's checkout is not in it
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return UNKNOWN
