"""One function over many items by an Apache Beam pipeline: on a cluster, or on this machine.

What the function makes must not depend on who calls it, and must appear by renaming: a runner may call it twice with
one item. Files that it reads and writes must lie on a file system that every worker sees under the same path.
"""

from __future__ import annotations

import contextlib
import logging
import pickle
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from gsr_tf.errors import UserError

LOOK_SECONDS = 1  # between two looks at what is finished
BEGUN = ".begun"  # ends the name of a file that says how many pictures of something unfinished are
OWN = (UserError, KeyboardInterrupt)
Item = TypeVar("Item")


class BeamError(UserError):
    """Apache Beam is not installed, or a pipeline failed; the message says which runner's."""


def run(function: Callable[[Item], object], items: Sequence[Item], runner: str, options: Sequence[str]) -> None:
    """Calls the function with each item on the workers of a runner; returns when all calls are done.

    Args:
        function: can be pickled; what it returns is dropped.
        items: can be pickled.
        runner: Beam's name of it, e.g. "DirectRunner", "FlinkRunner", "DataflowRunner".
        options: the runner's own flags, as Beam spells them.

    Raises:
        BeamError: Beam is not installed, or the pipeline failed.
        UserError, KeyboardInterrupt: the function's own, where it was called in this process; an OSError is a BeamError
            with its words.
    """
    beam, pipeline_options = _beam(runner)
    log = logging.getLogger("apache_beam.runners.common")
    log.addFilter(_is_news)
    try:
        pipeline = beam.Pipeline(options=pipeline_options.PipelineOptions([f"--runner={runner}", *options]))
        # Pickled here: Beam would take a named tuple apart. Reshuffled, or one worker would get them all.
        pickled = pipeline | beam.Create([pickle.dumps(item) for item in items]) | beam.Reshuffle()
        _ = pickled | "call" >> beam.Map(_call, pickle.dumps(function))
        pipeline.run().wait_until_finish()
    except Exception as error:  # each runner has errors of its own
        own = _own(error)
        raise own or BeamError(f"the {runner} pipeline failed: {error}") from (None if own else error)
    finally:
        log.removeFilter(_is_news)


@contextlib.contextmanager
def left_by(runner: str) -> Iterator[None]:
    """Within it, after `run`, files are read that workers left; BeamError for one that is not there."""
    try:
        yield
    except FileNotFoundError as error:
        raise BeamError(
            f"the {runner} pipeline left no {error.filename}: do all workers see --output under this path?"
        ) from error


def _beam(runner: str) -> tuple[Any, Any]:
    try:
        logging.disable(logging.WARNING)  # while it is imported Beam speaks of a cloud's libraries that it lacks
        import apache_beam
        from apache_beam.options import pipeline_options
    except ImportError as error:
        raise BeamError(f"--runner={runner}: Apache Beam is not installed; pip install 'gsr_tf[beam]'") from error
    finally:
        logging.disable(logging.NOTSET)
    return apache_beam, pipeline_options


def _call(item: bytes, function: bytes) -> None:
    try:
        pickle.loads(function)(pickle.loads(item))
    except OSError as error:  # as a full disk: what a user can mend, of which Beam would show our lines of code
        raise BeamError(str(error)) from error


def _is_news(record: logging.LogRecord) -> bool:
    """Whether Beam is to tell what it tells of an error; ours speak for themselves."""
    return not (record.exc_info and isinstance(record.exc_info[1], OWN))


def _own(error: BaseException | None) -> BaseException | None:
    """The error of ours, or Ctrl-C, that Beam has wrapped, once or several times, with words of its own added."""
    own = None
    while error is not None:
        if own is None and isinstance(error, OWN) or type(error) is type(own):
            own = error
        error = error.__cause__ or error.__context__
    return own


@contextlib.contextmanager
def progress(folder: Path, pictures: Mapping[str, int]) -> Iterator[None]:
    """Shows how many pictures are finished, as files appear in a folder while a pipeline runs.

    Args:
        folder: which workers write to.
        pictures: file's name -> of how many pictures it says that they are finished. A file in the folder whose name
            ends in `BEGUN` says it by a number in it.
    """
    ended = threading.Event()
    follower = threading.Thread(target=_follow, args=(folder, pictures, ended), daemon=True)
    follower.start()
    try:
        yield
    finally:
        ended.set()
        follower.join()


def _follow(folder: Path, pictures: Mapping[str, int], ended: threading.Event) -> None:
    with tqdm(total=sum(pictures.values()), unit="picture") as bar:
        last = False
        while not last:
            last = ended.wait(LOOK_SECONDS)
            bar.update(sum(_finished(path, pictures) for path in folder.iterdir()) - bar.n)


def _finished(path: Path, pictures: Mapping[str, int]) -> int:
    if path.name.endswith(BEGUN):
        with contextlib.suppress(FileNotFoundError):  # it is finished by now
            return int(path.read_text())
    return pictures.get(path.name, 0)
