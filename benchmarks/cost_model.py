"""From figures to hours, memory and cost: arithmetic alone. docs/scale.md has the reasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.figures import Figures, Step
from data_prep.writing.records import PICTURES_PER_SHARD

HOUR = 3600.0
GRADIENT_BYTES = 4  # float32, in mixed_bfloat16 too
STATE_BYTES = 16  # a parameter: itself, its gradient and Adam's two moments


class Estimate(NamedTuple):
    """One prediction.

    Attributes:
        what: is done, and on what.
        hours: of wall clock; None: not measured.
        memory_bytes: of one process or card, at peak; None: not measured.
        cost: in the currency of the price; None: no price, or not measured.
        why: the reasoning, one line.
    """

    what: str
    hours: float | None
    memory_bytes: float | None
    cost: float | None
    why: str


def not_measured(what: str, why: str) -> Estimate:
    """A prediction that cannot be made."""
    return Estimate(what, None, None, None, f"not measured: {why}")


class Job(NamedTuple):
    """A training run.

    Attributes:
        run: the flagfile's name.
        precision: --precision.
        steps: how many.
        pictures: a step, on each card.
        parameters: trainable, of all networks that the run updates.
    """

    run: str
    precision: str
    steps: int
    pictures: int
    parameters: int


def training(
    figures: Figures, job: Job, *, cards: int = 1, link_bytes: float = 1.0, price: float | None = None
) -> Estimate:
    """A run on one machine, or on several cards that average their gradients after each step.

    Args:
        figures: of the machine, or of one card.
        job: the run.
        cards: how many; each has `job.pictures`.
        link_bytes: a second, between two cards.
        price: of an hour of one card, or of the machine.
    """
    what = f"training, {cards} x {figures.machine}"
    measured = figures.steps(job.run, job.precision)
    if not measured:
        return not_measured(what, f"no step of {job.run} in {job.precision}")
    step, how = step_seconds(measured, job.pictures)
    reduce = all_reduce_seconds(GRADIENT_BYTES * job.parameters, cards, link_bytes)
    hours = job.steps * (step + reduce) / HOUR
    why = f"{job.steps:,} steps x {_short(step)} ({how})"
    if cards > 1:
        ring = (
            f"{GRADIENT_BYTES * job.parameters / 1e6:.0f} MB of gradients round the ring at {link_bytes / 1e9:g} GB/s"
        )
        why = (
            f"{job.steps:,} steps of {job.pictures * cards} pictures x ({_short(step)} as on 1 card + "
            f"{_short(reduce)}: {ring}); as many pictures as on 1 card: {hours / cards:.2f} h"
        )
    return Estimate(what, hours, step_memory(measured, job), _cost(hours * cards, price), why)


def step_seconds(measured: Sequence[Step], pictures: int) -> tuple[float, str]:
    """Seconds of a step of so many pictures, and how that is known.

    From one figure in proportion to the pictures, as on a CPU; from several by the line through them, as on a GPU,
    where a step has a part that no picture adds to.
    """
    if len(measured) == 1:
        (only,) = measured
        return only.seconds * pictures / only.pictures, f"{only.pictures} took {_short(only.seconds)}; in proportion"
    each, fixed = np.polyfit([step.pictures for step in measured], [step.seconds for step in measured], 1)
    sizes = ", ".join(str(step.pictures) for step in measured)
    line = f"{_short(fixed)} + {_short(each)} a picture; measured at {sizes}"
    return float(fixed + each * pictures), line


def step_memory(measured: Sequence[Step], job: Job) -> float | None:
    """Bytes of a step: weights and their state, and activations in proportion to the pictures."""
    known = [step for step in measured if step.memory_bytes]
    if not known:
        return None
    state = STATE_BYTES * job.parameters
    return state + (known[-1].memory_bytes - state) * job.pictures / known[-1].pictures


def all_reduce_seconds(size: float, cards: int, link_bytes: float) -> float:
    """Seconds to sum `size` bytes over a ring: each card sends and receives 2 (n - 1) / n of them.

    Nothing of it is hidden behind the computation, and no latency is counted.
    """
    return 2 * (cards - 1) / cards * size / link_bytes


def preparing(figures: Figures, pictures: float, price: float | None = None) -> Estimate:
    """Pictures to records, on one machine."""
    what, known = f"preparing {pictures:,.0f} pictures, {figures.machine}", figures.preparing
    if known is None:
        return not_measured(what, "no preparation")
    hours = pictures * known.seconds / HOUR
    why = (
        f"{1 / known.seconds:.0f} pictures a second; {pictures * known.record_bytes / 1e9:.1f} GB in "
        f"{-(-pictures // PICTURES_PER_SHARD):,.0f} shards, {pictures * known.index_bytes / 1e6:.1f} MB of index"
    )
    return Estimate(what, hours, known.memory_bytes, _cost(hours, price), why)


def answering(figures: Figures, pictures: float, price: float | None = None) -> Estimate:
    """An archive answered by `predict`, on one machine."""
    what, known = f"answering {pictures:,.0f} pictures, {figures.machine}", figures.answering
    if known is None:
        return not_measured(what, "no answer")
    hours = (known.start_seconds + pictures * known.seconds) / HOUR
    why = (
        f"{known.start_seconds:.0f} s + {_short(known.seconds)} a picture of {known.megapixels:.1f} megapixels; "
        f"{pictures * known.written_bytes / 1e9:.1f} GB in {pictures * known.written_files:,.0f} files; n machines: "
        "1/n of the hours"
    )
    return Estimate(what, hours, known.memory_bytes, _cost(hours, price), why)


def _cost(hours: float, price: float | None) -> float | None:
    return None if price is None else hours * price


def _short(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.1f} ms"
