r"""Evaluates on millions of pictures: `gsr_tf.evaluate` by the workers of an Apache Beam pipeline.

    python -m gsr_tf.evaluate_beam --records=records/coco --output=results/coco
    python -m gsr_tf.evaluate_beam --records=records/coco --output=results/coco --runner=FlinkRunner \
        --beam_options=--flink_master=HOST:8081,--parallelism=8

It needs the extra `beam`. The flags of gsr_tf.evaluate, but for --maps, say what is evaluated, on what and how; files
and scores are the same. Workers score and count the pictures; what they keep of each, some 35 KB, lies in --output
until the pass is finished, and is added up here in the order of the data set. The same command again goes on from
the finished pieces.

--records, --pairs, --output and a --saved_model that is a folder lie on a file system that every worker sees under the
same path. Exit codes as those of evaluate.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Sequence

from absl import flags

from gsr_tf import command, evaluate
from gsr_tf.comparators.method import Method
from gsr_tf.evaluation import by_workers
from gsr_tf.evaluation.items import Item
from gsr_tf.inference.device import bound_threads
from gsr_tf.inference.named import located


def _define(values: flags.FlagValues) -> None:
    evaluate.define(values)
    command.define_workers(values)


def _load(threads: int | None, folder: str, data: Sequence, method: Sequence) -> tuple[Sequence[Item], Method]:
    """In a worker's own process: the items and the method.

    It works in the folder of the command, so that reasons call files as those of `evaluate` do.
    """
    bound_threads(threads)
    with contextlib.suppress(OSError):  # where there is no such folder no path can be relative to it
        os.chdir(folder)
    return evaluate.chosen_data_set(*data).items, evaluate.chosen_method(*method)


def _action(args: flags.FlagValues) -> int:
    method = args.device, args.precision, located(args.saved_model), args.method, args.resolution, args.scales
    load = functools.partial(_load, args.threads, os.getcwd(), (args.records, args.pairs), method)
    by_beam = functools.partial(by_workers.evaluate, load=load, runner_name=args.runner, options=args.beam_options)
    return evaluate.evaluated(args, by_beam)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    return command.main(_action, __doc__, _define, argv, interrupted=evaluate.INTERRUPTED)


if __name__ == "__main__":
    from gsr_tf import evaluate_beam

    sys.exit(evaluate_beam.main())  # not this module's own: workers know its functions by its name, not as __main__'s
