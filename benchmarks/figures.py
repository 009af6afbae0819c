"""What was measured on a machine, as a JSON file: what `plan` predicts from. What is null was not measured."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import NamedTuple

from gsr_tf.data.writing import write_atomically
from gsr_tf.errors import UserError

OF_THE_CARD = Path(__file__).with_name("gpu_figures.json")


class FiguresError(UserError):
    """A file of figures that cannot be used; the message names the flag."""


class Step(NamedTuple):
    """A training step.

    Attributes:
        run: the flagfile's name.
        precision: --precision.
        pictures: a step.
        seconds: a step, back to back.
        memory_bytes: at peak: a GPU's own memory, else the process's; None: not measured.
    """

    run: str
    precision: str
    pictures: int
    seconds: float
    memory_bytes: float | None


class Preparing(NamedTuple):
    """Pictures like COCO's to records.

    Attributes:
        seconds: a picture, with all worker processes.
        memory_bytes: of all processes together, at peak.
        record_bytes: of shards, a picture.
        index_bytes: of index.json, a picture.
    """

    seconds: float
    memory_bytes: float
    record_bytes: float
    index_bytes: float


class Answering(NamedTuple):
    """`predict` on a folder with the included model.

    Attributes:
        megapixels: of each picture.
        seconds: a picture, in the long run.
        start_seconds: until the first picture is begun.
        memory_bytes: of the process, at peak.
        written_bytes: of answers, a picture.
        written_files: a picture.
    """

    megapixels: float
    seconds: float
    start_seconds: float
    memory_bytes: float
    written_bytes: float
    written_files: float


@dataclasses.dataclass(frozen=True)
class Figures:
    """All of one machine.

    Attributes:
        machine: its processor, or its card.
        note: what else a reader of the figures must know.
        training: steps; those of one run and precision lie on a line.
        preparing: None: not measured.
        answering: None: not measured.
    """

    machine: str
    note: str
    training: tuple[Step, ...] = ()
    preparing: Preparing | None = None
    answering: Answering | None = None

    def steps(self, run: str, precision: str) -> list[Step]:
        """The steps of one run, by number of pictures."""
        found = [step for step in self.training if (step.run, step.precision) == (run, precision)]
        return sorted(found, key=lambda step: step.pictures)


def read(path: Path) -> Figures:
    """The figures in a file.

    Raises:
        FiguresError: no such file, or one that `write` has not written.
    """
    try:
        values = json.loads(path.read_bytes())
        return Figures(
            machine=values["machine"],
            note=values["note"],
            training=tuple(Step(**step) for step in values["training"]),
            preparing=values["preparing"] and Preparing(**values["preparing"]),
            answering=values["answering"] and Answering(**values["answering"]),
        )
    except OSError as error:
        raise FiguresError(f"--figures={path}: cannot be read ({error.strerror}); --save=FILE writes one") from error
    except (ValueError, KeyError, TypeError) as error:
        raise FiguresError(f"--figures={path}: not a file that --save wrote ({error!r})") from error


def write(figures: Figures, path: Path) -> None:
    """Writes figures, atomically."""
    values = {
        "machine": figures.machine,
        "note": figures.note,
        "training": [step._asdict() for step in figures.training],
        "preparing": figures.preparing and figures.preparing._asdict(),
        "answering": figures.answering and figures.answering._asdict(),
    }
    write_atomically(path, (json.dumps(values, indent=1) + "\n").encode())
