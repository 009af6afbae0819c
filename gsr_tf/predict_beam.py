r"""Where were these millions of pictures manipulated? `gsr_tf.predict` by the workers of an Apache Beam pipeline.

    python -m gsr_tf.predict_beam --input=folder --output=answers
    python -m gsr_tf.predict_beam --records=records/coco --output=answers --runner=FlinkRunner \
        --beam_options=--flink_master=HOST:8081,--parallelism=8

It needs the extra `beam`. The flags of gsr_tf.predict say which pictures and how (no standard input, which workers
cannot read), and the answers are the same: the files of each picture under --output, the folder tree kept. In place of
results.jsonl, results.csv and the page there are answers-00000-of-0000N.jsonl, ..., with a line a picture that was
answered, and, where some were not, dead-letters-00000-of-0000N.jsonl, ..., with their paths and the reasons.

--input, --output and a --saved_model that is a folder lie on a file system that every worker sees under the same path.
Each worker loads the model once. The same command again answers what is new or has changed, what other settings or
another model answered, and what is a dead letter; a worker that was lost costs the pictures that it was at.

Exit codes as those of predict: 0; 1 for an error, which the message explains; 3 where there are dead letters.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from absl import flags

from gsr_tf import command, predict
from gsr_tf.answers import many, taken
from gsr_tf.answers.answering import Segment
from gsr_tf.command import SOME_SKIPPED
from gsr_tf.data import one_writer
from gsr_tf.inference.device import bound_threads

NO_REASONS = ("pictures", "skipped", "earlier")


def _define(values: flags.FlagValues) -> None:
    predict.define(values)
    values["input"].help = "A picture, a folder, or a pattern in quotes. --input= itself may be left out."
    command.define_workers(values)
    flags.DEFINE_integer(
        "shards", None, "Files of results; without it as many as --output has, or one for every 100 pictures.", 1,
        flag_values=values,
    )  # fmt: skip


def _load(threads: int | None, load: Callable[[], tuple[Segment, dict]]) -> tuple[Segment, dict]:
    bound_threads(threads)
    return load()


def _action(args: flags.FlagValues) -> int:
    output, sources = Path(args.output).absolute(), predict.chosen(args)
    load = functools.partial(_load, args.threads, predict.way(args))
    asked = many.Asked(load, args.npz, round(args.max_megapixels * 1e6))
    taken.check(sources, output)
    with one_writer.hold(output, "--output"):
        counts = many.answer(sources, output, asked, args.shards, args.runner, args.beam_options)
    for reason in counts.keys() - set(NO_REASONS):
        print(f"{counts[reason]} of {len(sources)} pictures: {reason}; answered again", file=sys.stderr)
    skipped = counts["skipped"]
    where = f"; {output}/dead-letters-*.jsonl say why" if skipped else ""
    print(f"{output}: {predict.counted(len(sources), counts['earlier'], skipped)}{where}")
    return SOME_SKIPPED if skipped else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    return command.main(_action, __doc__, _define, argv, word=predict.PICTURES)


if __name__ == "__main__":
    from gsr_tf import predict_beam

    sys.exit(predict_beam.main())  # not this module's own: workers know its functions by its name, not as __main__'s
