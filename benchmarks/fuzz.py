"""Thousands of damaged pictures through the predict command; prints one JSON object.

    python -m benchmarks.fuzz --count=2000

The command runs as a user's would, in its own process and under a limit of its address space. Every picture must get
an answer or an error in words, the process must end by itself with exit code 3, and its memory must stay bounded:
`crashed`, `unaccounted` and `unexpected` are to be 0 or empty.
"""

from __future__ import annotations

import functools
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from absl import flags
from tqdm import tqdm

from benchmarks.random_model import save_random_model
from gsr_tf import command
from gsr_tf.answers.results import JOURNAL
from gsr_tf.predict import SOME_SKIPPED
from tests.damage import damaged_pictures


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_integer("count", 2000, "How many damaged pictures.", 1, flag_values=values)
    flags.DEFINE_integer("seed", 0, "Which ones.", flag_values=values)
    flags.DEFINE_float(
        "memory_gib", 10, "Address space that the command may use, TensorFlow's 4 GiB included.", flag_values=values
    )


def _action(args: flags.FlagValues) -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(fuzz(Path(folder), args.count, args.seed, args.memory_gib), indent=1))


def predict(model: Path, pictures: Path, answers: Path, memory_gib: float) -> tuple[int, str, float, float]:
    """Exit code, last words on standard error, seconds and peak resident MiB of the command on a folder."""
    limit = round(memory_gib * 2**30)
    start = time.perf_counter()
    child = subprocess.run(
        [sys.executable, "-m", "gsr_tf.predict"]
        + [f"--saved_model={model}", f"--input={pictures}", f"--output={answers}"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        errors="replace",
    )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return child.returncode, child.stderr[-500:], time.perf_counter() - start, peak


def fuzz(folder: Path, count: int, seed: int, memory_gib: float) -> dict:
    """Makes a tiny network and the pictures, runs the command, and counts what came of each."""
    model, pictures, answers = folder / "model", folder / "pictures", folder / "answers"
    save_random_model(model, width=0.05, size=32)
    pictures.mkdir()
    for name, data in tqdm(damaged_pictures(count, seed), total=count, desc="damaging"):
        (pictures / name).write_bytes(data)
    code, words, seconds, peak = predict(model, pictures, answers, memory_gib)
    records = [json.loads(line) for line in (answers / JOURNAL).read_text().splitlines()]
    refused = {record["file"]: record["error"] for record in records if "error" in record}
    kinds = {record["file"]: record["file"].partition("_")[2].rpartition(".")[0] for record in records}
    return {
        "pictures": count,
        "answered": len(records) - len(refused),
        "refused": len(refused),
        "unaccounted": count - len(records),
        "crashed": int(code not in (0, SOME_SKIPPED)),
        "exit_code": code,
        "unexpected": [f"{file}: {error}" for file, error in refused.items() if "Error: " in error],
        "refused_by_damage": Counter(kinds[file] for file in refused),
        "answered_by_damage": Counter(kind for file, kind in kinds.items() if file not in refused),
        "seconds": round(seconds, 1),
        "slowest": sorted(((sum(r["seconds"].values()), r["file"]) for r in records if "seconds" in r), reverse=True)[
            :3
        ],
        "peak_resident_mib": round(peak),
        "address_space_limit_gib": memory_gib,
        **({"last_words": words} if code not in (0, SOME_SKIPPED) else {}),
    }


main = functools.partial(command.main, _action, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
