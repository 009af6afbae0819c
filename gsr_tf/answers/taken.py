"""What an output folder holds and must keep: a person's own files, and the answers for other pictures."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from gsr_tf.answers import files, results
from gsr_tf.answers.inputs import InputError, Source
from gsr_tf.answers.shards import WORK
from gsr_tf.errors import first_of


def check(sources: Sequence[Source], output: Path, overviews: Sequence[str] = ()) -> None:
    """Nothing in the folder would be lost to the answers for these pictures; nothing is written here.

    A picture that was moved keeps its answer: where the file that a record names is no more, the name is free.

    Args:
        sources: the pictures.
        output: the folder.
        overviews: names of the files about all pictures.

    Raises:
        InputError: a picture's answer has the name of another one's, whose file is still there; or files would be
            overwritten that are answers of another folder, within this one or around it, or in a folder that holds no
            answers.
    """
    named, holds_answers = {source.name: source for source in sources}, (output / WORK).is_dir()
    own: set[str] = set()
    for journal in results.journals(output):
        records = results.read(journal)
        own |= records.keys()
        holds_answers |= bool(records) or journal.stat().st_size == 0  # else it is somebody's own of that name
        for name in records.keys() & named.keys():
            _refuse_another(named[name], records[name]["path"], output)
    _refuse_answers_of_another_folder(named.keys() - own, output)
    if not holds_answers:
        _refuse_own_files(sources, output, overviews)


def _refuse_answers_of_another_folder(names: Iterable[str], output: Path) -> None:
    """Answers within `output`/scans may be listed there as a/b, and are scans/a/b here."""
    absolute = Path(os.path.realpath(output))
    places = {f"{absolute}/{name}" for name in names}
    within = {os.path.dirname(place) for place in places}
    folders = {folder for parent in map(Path, within) for folder in (parent, *parent.parents)} - {absolute}
    for folder in sorted(folders):
        for journal in results.journals(folder):
            for name, record in results.read(journal).items():
                if "error" not in record and f"{folder}/{name}" in places:
                    raise InputError(
                        f"--output={output}: the answer {name} of {folder} would be overwritten; give another folder"
                    )


def _refuse_another(source: Source, answered: str, output: Path) -> None:
    if os.path.exists(answered) and not _is_same(source, answered):
        raise InputError(
            f"--output={output}: {source.name} there is the answer for {answered}, and that for "
            f"{source.path or source.file} would take its place; give another folder"
        )


def _is_same(source: Source, answered: str) -> bool:
    if source.path is None:
        return False
    try:
        return os.path.abspath(source.path) == answered or os.path.samefile(source.path, answered)
    except OSError:  # the source is no file
        return False


def _refuse_own_files(sources: Sequence[Source], output: Path, overviews: Sequence[str]) -> None:
    places = [output / name for name in overviews]
    places += (path for source in sources for path in files.places(output, source.name))
    there = [str(path.relative_to(output)) for path in places if os.path.lexists(path)]
    if there:
        raise InputError(
            f"--output={output}: {first_of(there)} would be overwritten, and no {results.JOURNAL} there names them as "
            "answers (the first versions wrote none); give another folder"
        )
