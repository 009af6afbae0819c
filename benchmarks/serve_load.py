"""Many clients of one server, most of them difficult; prints one JSON object.

    python -m benchmarks.serve_load --saved_model=models/gsr_net
    python -m benchmarks.serve_load --saved_model=models/gsr_net --fuzz=2000

Starts `python -m gsr_tf.serve` as a process of its own. By default 16 clients ask for --seconds, each in turn one of:
good pictures of three sizes, the small ones each of another shape, damaged ones, too many bytes (announced or not), too
many pixels, an upload that trickles in, one that never ends, a connection that is dropped, a look at /healthz. A
request is lost when it should have been answered and was not. With --fuzz that many damaged pictures instead, one after
the other.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from absl import flags
from tqdm import tqdm

from benchmarks.processes import by_thirds, family, resident
from benchmarks.serve_requests import MAX_MEGABYTES, UPLOAD_SECONDS, picture, post, requests
from gsr_tf import command
from tests.damage import damaged_pictures

CLIENTS = 16
QUEUE = 8
EXPECTED = {200, 408, 413, 415, 422, 503}
FLAT = 1.10  # the last third of the time may hold this much more memory than the second


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("saved_model", None, "Folder that gsr_tf.export made.", required=True, flag_values=values)
    flags.DEFINE_float("seconds", 120, "How long the clients ask.", flag_values=values)
    flags.DEFINE_integer("fuzz", 0, "Instead: send this many damaged pictures.", flag_values=values)


def _action(args: flags.FlagValues) -> None:
    with serving(args.saved_model) as server:
        found = fuzz(server, args.fuzz) if args.fuzz else load(server, args.seconds)
    print(json.dumps({"seconds_to_first_answer": server.start, **found}, indent=1))


@dataclasses.dataclass
class Server:
    """The process, where it listens, seconds to its first answer, and memory in MB, twice a second.

    The memory is what it and its workers hold, added up; while a worker is replaced the next one is among them. What
    they share, TensorFlow's code, is counted once for each.
    """

    process: subprocess.Popen
    port: int
    start: dict[str, float]
    memory: list[float]


@contextmanager
def serving(saved_model: str) -> Iterator[Server]:
    """A server of its own process; it must live to the end and stop when told to."""
    start = time.monotonic()
    limits = [f"--max_megabytes={MAX_MEGABYTES}", f"--upload_seconds={UPLOAD_SECONDS}", f"--queue={QUEUE}"]
    child = [sys.executable, "-m", "gsr_tf.serve", f"--saved_model={saved_model}", "--port=0", *limits]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(child, stdout=subprocess.PIPE, stderr=log, text=True)
        words = process.stdout.readline().split()
        if not words:
            log.seek(0)
            sys.exit(f"the server did not start: {log.read()[-3000:]}")
        port = int(words[0].rpartition(":")[2])
        post(port, picture(64, 64))
        server = Server(process, port, {"wall": time.monotonic() - start, "processor": processor_seconds(process)}, [])
        watcher = threading.Thread(target=watch, args=(server,))
        watcher.start()
        try:
            yield server
            assert process.poll() is None, f"the server died: {process.returncode}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            watcher.join()
            log.seek(0)
            print(log.read()[-3000:], file=sys.stderr)


def processor_seconds(process: subprocess.Popen) -> float:
    """What the processes have computed; unlike the time it took, this does not depend on what else the machine does."""
    ticks = 0
    for pid in family(process.pid):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def watch(server: Server) -> None:
    """Notes the memory twice a second until the server ends."""
    while server.process.poll() is None:
        server.memory.append(resident(server.process.pid) // 1_000_000)
        time.sleep(0.5)


def load(server: Server, seconds: float) -> dict:
    """Clients ask until the time is over; what they were answered."""
    kinds, lock = requests(), threading.Lock()
    statuses, times, lost = defaultdict(Counter), defaultdict(list), []
    for ask in kinds.values():  # once each: memory grows to what the largest needs, and must then stay
        ask(server.port)
    before, end = len(server.memory), time.monotonic() + seconds
    bar = tqdm(unit="request")

    def client(number: int) -> None:
        draw = random.Random(number)
        while time.monotonic() < end:
            kind = draw.choice(list(kinds))
            start = time.monotonic()
            try:
                status = kinds[kind](server.port)
            except Exception as error:  # whatever went wrong, there was no answer
                with lock:
                    lost.append(f"{kind}: {error!r}")
                continue
            with lock:
                statuses[kind][status] += 1
                times["busy (503)" if status == 503 else kind].append(time.monotonic() - start)
                bar.update()
            if status == 503:
                time.sleep(draw.uniform(0.5, 2))  # as the answer asks

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bar.close()
    found = sum(statuses.values(), Counter())
    held = by_thirds(server.memory[before:])
    return {
        "clients": CLIENTS,
        "seconds": seconds,
        "requests": sum(found.values()) + len(lost),
        "lost": lost,
        "statuses": dict(sorted(found.items())),
        "unexpected": sorted(set(found) - EXPECTED - {0}),
        "statuses_by_kind": {kind: dict(sorted(statuses[kind].items())) for kind in kinds},
        "seconds_p50_p99": {
            kind: [round(float(np.percentile(values, q)), 3) for q in (50, 99)] for kind, values in times.items()
        },
        "worker_restarts": restarts(server.port),
        "memory_megabytes": held,
        "memory_flat": held["medians_of_thirds"][2] <= FLAT * held["medians_of_thirds"][1],
    }


def restarts(port: int) -> dict[str, float]:
    """How many workers were replaced, by reason."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    found = (re.fullmatch(r'gsr_tf_worker_restarts_total\{why="(\w+)"\} (.+)', line) for line in lines)
    return {match[1]: float(match[2]) for match in found if match}


def fuzz(server: Server, count: int) -> dict:
    """Damaged pictures, one after the other."""
    statuses = Counter()
    for _, data in tqdm(damaged_pictures(count), total=count, unit="picture"):
        statuses[post(server.port, data)] += 1
    return {
        "pictures": count,
        "statuses": dict(sorted(statuses.items())),
        "unexpected": sorted(set(statuses) - EXPECTED),
        "alive": post(server.port, picture(64, 64)) == 200,
        "memory_megabytes": by_thirds(server.memory),
    }


main = functools.partial(command.main, _action, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
