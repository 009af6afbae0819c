"""The shards of a preparation, written by an Apache Beam pipeline: on a cluster, or on this machine to try it.

A shard's bytes do not depend on who writes it, and it appears by renaming: a runner may start one twice. The input
and --output must lie on a file system that every worker sees under the same path.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence

from data_prep.reading.entries import PreparationError
from data_prep.writing.shards import Shard, write_shard


def run_on_beam(shards: Sequence[Shard], runner: str, options: Sequence[str]) -> Iterator[dict]:
    """Writes shards with a Beam pipeline; gives their notes when all are written.

    Args:
        shards: to be written.
        runner: Beam's name of it, e.g. "DirectRunner", "FlinkRunner", "DataflowRunner".
        options: the runner's own flags, as Beam spells them.

    Raises:
        PreparationError: Beam is not installed.
        OSError: the pipeline failed; whole shards are kept.
    """
    try:
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise PreparationError(
            f"--runner={runner}: Apache Beam is not installed; pip install 'gsr_tf[beam]', or use --runner=local"
        ) from error
    try:
        pipeline = beam.Pipeline(options=PipelineOptions([f"--runner={runner}", *options]))
        # Pickled here: Beam would take a named tuple apart. Reshuffled, or one worker would get them all.
        made = pipeline | beam.Create([pickle.dumps(shard) for shard in shards]) | beam.Reshuffle()
        _ = made | "write" >> beam.Map(_write_pickled)
        pipeline.run().wait_until_finish()
    except Exception as error:  # each runner has errors of its own
        raise OSError(f"the {runner} pipeline failed: {error}") from error
    yield from map(write_shard, shards)  # all are there: this reads and verifies them


def _write_pickled(shard: bytes) -> None:
    write_shard(pickle.loads(shard))  # its note stays on disk
