"""Many pictures answered, several at a time: while the network works on one, others are read and written."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

import numpy as np

from gsr_tf.answers import files, memory
from gsr_tf.answers.inputs import Source
from gsr_tf.answers.results import Results
from gsr_tf.data.decoding.lacking import was_lacking
from gsr_tf.data.pictures import MAX_PIXELS, PictureTooLarge, decode_picture, pixel_count
from gsr_tf.data.writing import write_atomically
from gsr_tf.errors import UserError
from gsr_tf.inference.device import gpus
from gsr_tf.inference.segmentation import Segmentation

WORKERS, GPU_WORKERS = 3, 8  # pictures at a time; on a GPU several go through the network together
LARGE = 16_000_000  # pixels; of pictures above it one at a time, so that memory is bounded by the largest
LACKING = "needs more memory than there is now"

Segment = Callable[[np.ndarray], Segmentation]


class Defect(RuntimeError):
    """An error that is neither the picture's nor the user's; its message names the picture, its cause is the error."""


def stamp(source: Source) -> dict:
    """Size and times of the picture's file, and whether it is seen as stored; empty where it has none."""
    try:
        status = os.stat(source.path) if source.path else None
    except OSError:
        status = None
    if status is None:
        return {}
    seen = {} if source.record is None else {"as_stored": True}  # answers of before turned what a record holds
    # Files that change places, or are replaced by one of the same size and time, show that in their inodes alone.
    return {"bytes": status.st_size, "modified": status.st_mtime_ns, "changed": status.st_ctime_ns, **seen}


class Answering:
    """How pictures are answered, and into which folder.

    Args:
        segment: [h, w, 3] uint8 RGB -> Segmentation; called by several threads.
        settings: JSON: what an answer depends on besides the picture; "detector" and "threshold" are among it.
        output: the folder.
        npz: write arrays, too.
        previews: write what the contact sheet shows, too.
        max_pixels: larger pictures are refused.
    """

    def __init__(
        self,
        segment: Segment,
        settings: Mapping,
        output: Path,
        *,
        npz: bool = False,
        previews: bool = True,
        max_pixels: int = MAX_PIXELS,
    ):
        self._segment, self._settings, self._output = segment, dict(settings), output
        self._npz, self._previews, self._max_pixels = npz, previews, max_pixels
        self._one_large = threading.Lock()

    def why_not_done(self, source: Source, results: Results) -> str:
        """Why a picture is to be answered; "" where these results, of the same folder, have an answer that holds."""
        places = files.places(self._output, source.name, npz=self._npz, previews=self._previews)
        return results.why_not_done(source.name, self._settings, stamp(source), places)

    def answer_all(self, sources: Sequence[Source]) -> Iterator[dict]:
        """The record of each picture, in the order in which they get done; see `answer`.

        Raises:
            OSError, Defect: as `answer`, after the records of the pictures that had been begun.
        """
        pool = ThreadPoolExecutor(GPU_WORKERS if gpus() else WORKERS)
        try:
            answers = [pool.submit(self.answer, source) for source in sources]
            yield from _results(answers)
        finally:
            pool.shutdown(cancel_futures=True)  # of an interrupted run; what has begun is finished

    def answer(self, source: Source) -> dict:
        """Answers one picture and writes its files; nothing that is wrong with the picture is raised.

        A picture for which there is not enough memory gets an error, too: it is no reason to end the run.

        Returns:
            The record. Of every picture: name, file, path, settings, stamp. Of one that was answered: score and
            flagged share, in [0, 1]; boxes, [left, top, width, height] in pixels of the stored raster; width and
            height of that raster; orientation, 1 for records; format; warnings; seconds by stage. Of one that was not:
            error.

        Raises:
            OSError: the answer cannot be written; the disk is full, say.
            Defect: anything else.
        """
        record = {
            "name": source.name,
            "file": source.file,
            "path": "-" if source.path is None else os.path.abspath(source.path),
            "settings": self._settings,
            "stamp": stamp(source),
        }
        try:
            contents, facts = self._answered(source)
        except UserError as error:
            return {**record, "error": str(error).removeprefix(f"{source.file}: ").removeprefix(f"{source.path}: ")}
        except Exception as error:
            if was_lacking(error):
                return {**record, "error": LACKING}
            raise Defect(f"{record['path']}: an unexpected error, which ends the run") from error
        start = time.perf_counter()
        try:
            for path, data in contents.items():
                write_atomically(path, data)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            files.remove(self._output, source.name)  # those with shorter endings are written by now
            return {**record, "error": "the name is too long for its answers; rename the file"}
        if not self._npz:  # an earlier answer's
            (self._output / f"{source.name}{files.ARRAYS}").unlink(missing_ok=True)
        facts["seconds"]["write"] = round(facts["seconds"]["write"] + time.perf_counter() - start, 4)
        return {**record, **facts}

    def _answered(self, source: Source) -> tuple[dict[Path, bytes], dict]:
        seconds, clock = {}, _clock()
        next(clock)
        data = source.read()
        with _no_earlier_answer(self._output, source.name), contextlib.ExitStack() as stack:
            count = self._pixel_count(data, source)
            if count > LARGE:
                stack.enter_context(self._one_large)
            as_file = source.record is None
            pixels, stored_as, _, orientation, notes = decode_picture(
                data, source.file, orient=as_file, max_pixels=self._max_pixels
            )
            orientation = orientation if as_file else 1
            del data
            seconds["read"] = next(clock)
            upright = self._segment(pixels)
            if count > LARGE:
                memory.give_back()
            seconds["segment"] = next(clock)
            overlay, small = files.draw(pixels, upright)
            del pixels  # of a large picture as much as its map
            found = files.stored(upright, orientation)
            contents = {**files.encode(found, orientation, npz=self._npz), files.OVERLAY: overlay}
            facts = {**_said(found), "orientation": orientation, "format": stored_as, "warnings": list(notes)}
            seconds["write"] = next(clock)
        paths = {self._output / f"{source.name}{ending}": content for ending, content in contents.items()}
        if self._previews:
            paths[files.preview(self._output, source.name)] = small
        return paths, {**facts, "seconds": seconds}

    def _pixel_count(self, data: bytes, source: Source) -> int:
        try:
            return pixel_count(data, source.file, max_pixels=self._max_pixels)
        except PictureTooLarge as error:
            raise PictureTooLarge(f"{error}, which --max_megapixels sets") from error


def _said(found: Segmentation) -> dict:
    """What a record says of the answer itself."""
    height, width = found.map.shape
    return {
        "score": round(found.score, 6),
        "flagged": round(found.flagged, 6),
        "boxes": [list(box) for box in found.boxes],
        "width": width,
        "height": height,
    }


@contextlib.contextmanager
def _no_earlier_answer(output: Path, name: str) -> Iterator[None]:
    """Within it, if a picture is refused, what an earlier state of it was answered with is removed.

    A picture that is not there now keeps its answer: its drive may be back tomorrow.
    """
    try:
        yield
    except UserError:
        files.remove(output, name)
        raise


def _results(answers: Sequence[Future]) -> Iterator[dict]:
    """What futures return, as they get done; after the first error, of those that had begun, and then that error."""

    def end_with_errors(done: Future) -> None:
        """Called by the thread that met an error, before it would begin another."""
        if not done.cancelled() and done.exception() is not None:
            for answer in answers:
                answer.cancel()

    for answer in answers:
        answer.add_done_callback(end_with_errors)
    first = None
    for done in as_completed(answers):
        if done.cancelled():
            continue
        if done.exception() is None:
            yield done.result()
        else:
            first = first or done.exception()
    if first is not None:
        raise first


def _clock() -> Iterator[float]:
    """Seconds since the last time it was asked."""
    last = time.perf_counter()
    while True:
        now = time.perf_counter()
        yield round(now - last, 4)
        last = now
