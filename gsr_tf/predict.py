r"""Where were these pictures manipulated?

    python -m gsr_tf.predict photo.jpg
    python -m gsr_tf.predict --input='scans/**/*.tif' --output=answers/scans
    python -m gsr_tf.predict --list=names.txt
    cat photo.jpg | python -m gsr_tf.predict --input=-
    python -m gsr_tf.predict --saved_model=models/gsr_net --input=folder --output=answers/gsr_net
    python -m gsr_tf.predict --method=noi --input=folder --output=answers/noi

Writes for each picture, the folder tree kept: NAME_map.png (probability of manipulation, 16 bits), NAME_mask.png
(above --threshold, dilated, small particles removed), NAME_overlay.jpg to look at, and with --npz NAME.npz (map,
mask, score). For all of them: results.jsonl and results.csv (score of the picture, share of flagged pixels, boxes,
seconds, warnings) and index.html, a page to look through.

The network sees pictures upright, as EXIF's orientation says. Map, mask, npz and boxes are in the raster of the file,
pixel by pixel; map and mask carry the same orientation, so that viewers turn them as they turn the picture. Overlays
are upright. Pictures of --records are seen as stored, as in training and by evaluate, and their answers carry no
orientation. Of animated pictures the first frame is answered, transparency is ignored; warnings say so.

The same command again answers what is new or has changed, and what other settings or another model answered. One
command at a time may write to a folder, and none overwrites there the answer for another picture; the picture on
standard input is always called "stdin", and the newest one counts. A file that cannot be answered is named, counted and
skipped; the exit code is then 3. Of a method whose map is no probability, the map is stretched to 0..1 in each picture
first.
"""

from __future__ import annotations

import functools
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from absl import flags
from tqdm import tqdm

from gsr_tf import command
from gsr_tf.answers import contact_sheet, files, inputs, taken
from gsr_tf.answers.answering import Answering, Defect, Segment
from gsr_tf.answers.results import JOURNAL, TABLE, Results
from gsr_tf.command import SOME_SKIPPED
from gsr_tf.comparators import methods, sources
from gsr_tf.data import one_writer
from gsr_tf.data.writing import write_atomically
from gsr_tf.errors import one_line
from gsr_tf.inference import trained_methods
from gsr_tf.inference.device import DEVICE_HELP, DEVICES, PRECISION_HELP, PRECISIONS, choose
from gsr_tf.inference.metadata import WAY
from gsr_tf.inference.named import located
from gsr_tf.inference.resolution import RESOLUTION_HELP, RESOLUTIONS, SCALES_HELP, parse_scales
from gsr_tf.inference.segmentation import Segmentation, segmentation

SHEET = "index.html"
PICTURES = command.Word(
    "input", "for several pictures name their folder, put a pattern in quotes ('*.jpg'), or give --list=FILE"
)


class _Place(flags.ArgumentParser):
    """A path; `~`, which shells leave alone behind --name=, is the home folder."""

    def parse(self, argument: str) -> str:
        return os.path.expanduser(argument)


def define(values: flags.FlagValues) -> None:
    """The flags: which pictures, and how they are answered."""

    def text(name: str, help_: str, **settings: object) -> None:
        flags.DEFINE_string(name, None, help_, flag_values=values, **settings)

    def place(name: str, help_: str, default: str | None = None) -> None:
        flags.DEFINE(_Place(), name, default, help_, flag_values=values)

    text(
        "saved_model",
        "Folder that gsr_tf.export made, from a source you trust: a model is code; or the name of included weights. "
        "Without it, the included model.",
    )
    text(
        "method",
        f"Instead of a model, a method by name: {', '.join(methods.DETECTORS)} (all-positive and random are "
        "floors to compare with). With a model, which of these it has to be: "
        f"{', '.join(trained_methods.TRAINED)}.",
    )
    place("input", "A picture, a folder, a pattern in quotes, or -: standard input. --input= itself may be left out.")
    place("list", "Instead of --input, a file that names pictures, one a line; -: standard input names them.")
    place("records", "Instead of --input, a folder of records (data_prep): its pictures as stored.")
    place("output", "Folder for the answers; made if missing.", "answers")
    flags.DEFINE_float(
        "threshold",
        None,
        "Pixels above this value are in the mask; without it, the model's own threshold.",
        0.0,
        1.0,
        flag_values=values,
    )
    flags.DEFINE_enum("resolution", "whole", RESOLUTIONS, RESOLUTION_HELP, flag_values=values)
    flags.DEFINE_list("scales", None, SCALES_HELP, flag_values=values)
    flags.DEFINE_enum("device", "auto", DEVICES, DEVICE_HELP, flag_values=values)
    flags.DEFINE_enum("precision", "float32", PRECISIONS, PRECISION_HELP, flag_values=values)
    flags.DEFINE_bool("npz", False, "Write NAME.npz, too.", flag_values=values)
    flags.DEFINE_float(
        "max_megapixels", 128, "Larger pictures are refused. A picture of 25 megapixels takes about 1 GiB of memory.",
        0, 10**9, flag_values=values,
    )  # fmt: skip


def _action(args: flags.FlagValues) -> int:
    choose(args.device, args.precision)  # before anything takes time
    output = Path(args.output)
    sources = chosen(args)
    segment, settings = way(args)()
    taken.check(sources, output, (SHEET, TABLE, JOURNAL))
    with one_writer.hold(output, "--output"):
        return _answer(args, sources, segment, settings)


def _answer(args: flags.FlagValues, sources: Sequence[inputs.Source], segment: Segment, settings: dict) -> int:
    output = Path(args.output)
    results = Results(output)
    results.begin()
    answering = Answering(segment, settings, output, npz=args.npz, max_pixels=round(args.max_megapixels * 1e6))
    todo = _todo(sources, results, answering)
    skipped = 0
    try:
        for record in tqdm(answering.answer_all(todo), total=len(todo), unit="picture"):
            results.add(record)
            if "error" in record:
                skipped += 1
                where = f"{args.records}: {record['file']}" if args.records else record["path"]
                tqdm.write(one_line(f"skipped {where}: {record['error']}"), file=sys.stderr)
    except (KeyboardInterrupt, Defect):
        _finish(results, sources)
        raise
    _finish(results, sources)
    shows = f"; {output / SHEET} shows them" if skipped < len(sources) else ""
    print(f"{output}: {counted(len(sources), len(sources) - len(todo), skipped)}{shows}")
    return SOME_SKIPPED if skipped else 0


def counted(pictures: int, earlier: int, skipped: int) -> str:
    """What is printed of how many pictures were answered."""
    of_before = f" ({earlier} of them earlier)" if earlier else ""
    return f"{pictures - skipped} of {pictures} pictures answered{of_before}, {skipped} skipped"


def chosen(args: flags.FlagValues) -> list[inputs.Source]:
    """The pictures that the flags name; raises InputError, RecordsError."""
    if sum(given is not None for given in (args.input, args.list, args.records)) != 1:
        raise inputs.InputError("give one of --input=PICTURES, --list=FILE and --records=DIR")
    if args.records:
        return inputs.from_records(args.records)
    return inputs.from_list(args.list) if args.list else inputs.find(args.input, Path(args.output))


def way(args: flags.FlagValues) -> Callable[[], tuple[Segment, dict]]:
    """Loads what answers pictures as the flags say; any process may call it, and computes on --device from then on."""
    how = {"threshold": args.threshold, "resolution": args.resolution, "scales": parse_scales(args.scales)}
    method = args.method
    if method in trained_methods.TRAINED:
        trained_methods.check(method, args.saved_model)
        method = None
    if method:  # here, not by each worker of a pipeline
        methods.alone(method, args.saved_model, args.resolution, how["scales"], args.precision, methods.DETECTORS)
    return functools.partial(_load, args.device, args.precision, located(args.saved_model), method, **how)


def _load(
    device: str, precision: str, saved_model: str | None, method: str | None, **how: object
) -> tuple[Segment, dict]:
    choose(device, precision)
    return _method(method, how["threshold"]) if method else _model(saved_model, **how)


def _model(
    saved_model: str | None, *, threshold: float | None, resolution: str, scales: tuple[float, ...] | None
) -> tuple[Segment, dict]:
    from gsr_tf.inference.detector import Detector  # TensorFlow: --help and wrong flags need not wait for it

    detector = Detector.load(saved_model)
    threshold = detector.threshold if threshold is None else threshold
    scales = detector.scales_at(resolution, scales)
    how = {"threshold": threshold, "resolution": resolution, "scales": scales}
    used = {"detector": detector.name, "fingerprint": detector.fingerprint, "way": WAY}
    if detector.precision != "float32":
        used["precision"] = detector.precision
    return functools.partial(detector.segment, **how), {**used, **how, "scales": list(scales)}


def _method(name: str, threshold: float | None) -> tuple[Segment, dict]:
    method = methods.choose(name)
    threshold = 0.5 if threshold is None else threshold

    def segment(picture: np.ndarray) -> Segmentation:
        return segmentation(method.stretched(picture), threshold=threshold)

    return segment, {"detector": method.name, "way": sources.of_files(sources.classical()), "threshold": threshold}


def _todo(sources: Sequence[inputs.Source], results: Results, answering: Answering) -> list[inputs.Source]:
    """The pictures to answer; says on standard error why any is answered again."""
    why = {source: answering.why_not_done(source, results) for source in sources}
    for reason, count in Counter(why.values()).items():
        if reason not in ("", "new"):
            print(f"{count} of {len(sources)} pictures: {reason}; answering again", file=sys.stderr)
    return [source for source, reason in why.items() if reason or source.path is None]


def _finish(results: Results, sources: Sequence[inputs.Source]) -> None:
    """Puts results in order and writes the page."""

    def small(name: str) -> bytes | None:
        path = files.preview(results.folder, name)
        return path.read_bytes() if path.is_file() else None

    page = contact_sheet.page(results.finish({source.name for source in sources}), small)
    write_atomically(results.folder / SHEET, page.encode("utf-8", "replace"))


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    return command.main(_action, __doc__, define, argv, word=PICTURES)


if __name__ == "__main__":
    sys.exit(main())
