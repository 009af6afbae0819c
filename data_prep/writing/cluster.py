"""The shards of a preparation, written by an Apache Beam pipeline: on a cluster, or on this machine to try it.

A shard's bytes do not depend on who writes it, and it appears by renaming: a runner may start one twice. The input
and --output must lie on a file system that every worker sees under the same path.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from data_prep.writing.shards import Shard, write_shard
from gsr_tf.data import on_beam


def run_on_beam(shards: Sequence[Shard], runner: str, options: Sequence[str]) -> Iterator[dict]:
    """Writes shards with a Beam pipeline; gives their notes when all are written. Arguments, errors: `on_beam.run`."""
    on_beam.run(write_shard, shards, runner, options)  # notes stay on disk
    yield from map(write_shard, shards)  # all are there: this reads and verifies them
