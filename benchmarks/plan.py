r"""What would it cost? Hours, memory and money of training, of preparing COCO and of answering an archive.

    python -m benchmarks.plan --pictures=1e6 --gpus=8
    python -m benchmarks.plan --pictures=1e6 --gpus=8 --price_per_gpu_hour=4 --price_per_cpu_hour=.1 --save=here.json
    python -m benchmarks.plan --pictures=1e8 --figures=here.json

Measures the machine at hand for a minute or two (two cores), unless --figures names the file of an earlier
measurement, and takes a card's figures from gpu_figures.json beside this file. Prints a prediction a line with its
reasoning under it. "-" is what was not measured, or has no price. docs/scale.md says what bounds each stage.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable
from pathlib import Path

from absl import flags

from benchmarks import cost_model, figures
from benchmarks.cost_model import Estimate, Job
from gsr_tf import command
from gsr_tf import config as config_lib
from gsr_tf.config import Config
from gsr_tf.settings import ConfigError

COCO_PHOTOGRAPHS = 118_287  # train2017


def _define(values: flags.FlagValues) -> None:
    own = {"flag_values": values}
    flags.DEFINE_float("pictures", 1e6, "Of the archive that is answered.", 1, **own)
    flags.DEFINE_integer("gpus", 1, "Cards that train together.", 1, **own)
    flags.DEFINE_string("run", "gsr_net", "Flagfile of the training run; of GSR-Net.", **own)
    flags.DEFINE_integer("steps", None, "Of training; the run's own by default.", 1, **own)
    flags.DEFINE_integer(
        "pictures_per_card", None, "Pictures a step on each card; the run's --batch_size by default.", 1, **own
    )
    flags.DEFINE_string("precision", "mixed_bfloat16", "Of training on cards, as in gsr_tf.train.", **own)
    flags.DEFINE_float(
        "link_gigabytes", 25, "A second, from card to card: 25 is a guess at PCIe 4, no measurement.", 0.001, **own
    )
    flags.DEFINE_float("price_per_gpu_hour", None, "Of one card.", 0, **own)
    flags.DEFINE_float("price_per_cpu_hour", None, "Of the machine at hand, with all its cores.", 0, **own)
    flags.DEFINE_string("figures", None, "File of an earlier --save; this machine is not measured.", **own)
    flags.DEFINE_string("save", None, "File to write the figures of this machine to.", **own)


def _action(args: flags.FlagValues) -> None:
    config = config_lib.from_flagfile(args.run)
    if not isinstance(config, Config):
        raise ConfigError(f"--run={args.run}: expected a flagfile of GSR-Net's training, e.g. gsr_net")
    here = figures.read(Path(args.figures)) if args.figures else _measured(args.run)
    if args.save:
        figures.write(here, Path(args.save))
    card = figures.read(figures.OF_THE_CARD)
    print(f"here: {here.machine} ({here.note})\ncard: {card.machine} ({card.note})\n")
    job = Job(
        run=args.run,
        precision=args.precision,
        steps=args.steps or config.optimization.steps,
        pictures=args.pictures_per_card or config.optimization.batch_size,
        parameters=parameters(config),
    )
    for line in table(estimates(here, card, job, args)):
        print(line)


def _measured(run: str) -> figures.Figures:
    from benchmarks import here  # starts TensorFlow's devices, which figures in a file do without

    print("measuring this machine: training, preparing, answering ...", file=sys.stderr)
    return here.figures(run)


def estimates(here: figures.Figures, card: figures.Figures, job: Job, args: flags.FlagValues) -> Iterable[Estimate]:
    """All predictions, for this machine and for one and several cards."""
    local = job._replace(precision=here.training[0].precision) if here.training else job
    yield cost_model.training(here, local, price=args.price_per_cpu_hour)
    for cards in sorted({1, args.gpus}):
        yield cost_model.training(
            card, job, cards=cards, link_bytes=args.link_gigabytes * 1e9, price=args.price_per_gpu_hour
        )
    yield cost_model.preparing(here, COCO_PHOTOGRAPHS, args.price_per_cpu_hour)
    yield cost_model.answering(here, args.pictures, args.price_per_cpu_hour)
    yield cost_model.answering(card, args.pictures, args.price_per_gpu_hour)


def parameters(config: Config) -> int:
    """Trainable ones, of the networks that a step of this run updates."""
    net, step = config.build(), config.step
    updated = [net.segmenter] * bool(step.segment_on) + [net.generator, net.discriminator] * step.generates
    return sum(int(variable.shape.num_elements()) for network in updated for variable in network.trainable_variables)


def table(rows: Iterable[Estimate]) -> list[str]:
    """Lines to print: a heading, and two for each prediction."""
    lines = [f"{'hours':>12}  {'memory':>9}  {'cost':>12}"]
    for row in rows:
        memory = "-" if row.memory_bytes is None else f"{row.memory_bytes / 1e9:.1f} GB"
        lines.append(f"{_number(row.hours):>12}  {memory:>9}  {_number(row.cost):>12}  {row.what}")
        lines.append(f"{'':>12}  {'':>9}  {'':>12}    {row.why}")
    return lines


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}"


main = functools.partial(command.main, _action, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
