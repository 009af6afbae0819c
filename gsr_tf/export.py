r"""Exports a run's network, or the included one: a picture of any size in, a probability map of its size out.

    python -m gsr_tf.export --run_dir=runs/gsr_net --output=models/gsr_net
    python -m gsr_tf.export --weights=gsr-net-coco --output=gsr_net.onnx --format=onnx
    python -m gsr_tf.export --run_dir=runs/gsr_net --output=gsr_net.tflite --format=tflite --quantize=int8

A run is one of gsr_tf.train, or of another method by gsr_tf.train_comparator; the settings come from it. Everything is
inside: resizing, colour range, normalisation by the picture's own moments. What was written is read again, run, and
compared with the network on generated and on real pictures before it gets its name; weights of another method are read
again and compared themselves. For a quantised model the score that it costs is measured. A real picture that cannot be
read is named and left out; the exit code is then 3.

saved_model   a folder. Signatures serving_default (a picture), encoded (picture files, for TensorFlow Serving's REST
              interface) and batch (as the network sees them); assets/gsr_tf.json says what the model is.
onnx, tflite  a file, as serving_default; FILE.json says what it is. ONNX needs the extra `onnx`.
weights       an .npz of the segmenter's weights in half precision, and their entry in index.json beside it: what
              gsr_tf/weights/ ships, and what --initial_weights of gsr_tf.train takes. Of another method (a run of
              gsr_tf.train_comparator) the weights as they are; FILE.json says what they are. The only format for
              a run of DIH, which is no detector.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from absl import flags

from gsr_tf import command
from gsr_tf import config as config_lib
from gsr_tf.data.unfindable import why_unfindable
from gsr_tf.data.writing import check_place
from gsr_tf.formats import named_weights, saved_model, single_file, tflite, weights
from gsr_tf.formats.agreement import ExportError, trial_pictures
from gsr_tf.formats.facts import LICENCE, export_facts
from gsr_tf.formats.pictures import folder_pictures, run_pictures, scored_items
from gsr_tf.inference import shipped
from gsr_tf.inference.device import choose
from gsr_tf.inference.metadata import WAY
from gsr_tf.inference.module import DetectorModule
from gsr_tf.inference.resolution import ONE_SIZE, parse_scales
from gsr_tf.models.weights import average_with_npz
from gsr_tf.training.device import set_up
from gsr_tf.training.restored import restore_network
from gsr_tf.training.run_settings import RunSettings

FORMATS = {"saved_model": "", "onnx": ".onnx", "tflite": ".tflite", "weights": ".npz"}  # ending of --output


def _define(values: flags.FlagValues) -> None:
    text = functools.partial(flags.DEFINE_string, flag_values=values)
    choice = functools.partial(flags.DEFINE_enum, flag_values=values)
    text("run_dir", None, "Folder of a training run.")
    text("weights", None, "Instead of --run_dir, the name of weights that come with the package.")
    text("output", None, "What to make: a SavedModel folder, or an .onnx, .tflite or .npz file.", required=True)
    choice(
        "checkpoint", "best", ["best", "newest", "mean"],
        "Best by validation (the newest without one), the newest, or the mean of all that were kept (--keep).",
    )  # fmt: skip
    choice("format", "saved_model", list(FORMATS), "What to write.")
    choice("quantize", "none", tflite.QUANTIZATIONS, "Smaller numbers, for --format=tflite.")
    flags.DEFINE_integer(
        "size", None, "Side (crop: short side) at which whole pictures are seen. Default: --input_size of the run.",
        lower_bound=16, flag_values=values,
    )  # fmt: skip
    flags.DEFINE_float(
        "centre", 0.5, "What the run's network calls this probability becomes .5 in what is exported, and all others "
        "move with it; e.g. the threshold of --protocols=paper, so that 0.5 is where a pixel is flagged.",
        lower_bound=0.01, upper_bound=0.99, flag_values=values,
    )  # fmt: skip
    flags.DEFINE_list(
        "average_with", [], "One or more .npz, or names of included weights, e.g. what the run began from: the mean of "
        "their weights and the run's is exported.", flag_values=values,
    )  # fmt: skip
    text("pictures", None, "Folder of real pictures to compare on, the representative set of int8. Default: the run's.")
    text("records", None, "Records with masks, to measure what --quantize costs. Default: the run's for validation.")
    flags.DEFINE_list("scores", [], "Folders of evaluations, for the metadata.", flag_values=values)
    flags.DEFINE_float(
        "threshold", None, "Default threshold of the model. Default: the paper protocol's of the first of --scores "
        "that has one, moved as --centre moves the map.",
        lower_bound=0.0, upper_bound=1.0, flag_values=values,
    )  # fmt: skip
    flags.DEFINE_list(
        "scales", None, "Default factors of --size, as in 0.75,1,1.35, at which Detector, predict, evaluate and serve "
        "look at whole pictures and average the maps. Signatures, ONNX and TFLite answer at 1.", flag_values=values,
    )  # fmt: skip
    text("licence", LICENCE, "Licence of a run's weights, for the metadata.")


def _action(args: flags.FlagValues) -> int:
    choose("cpu")  # where the proof's tolerance holds, and one graph comes out whatever the machine has
    output = Path(args.output)
    check_output(output, args.format, args.quantize)
    if (args.run_dir is None) == (args.weights is None):
        raise ExportError("give one of --run_dir=FOLDER and --weights=NAME")
    run_dir = Path(args.run_dir) if args.run_dir else None
    config = config_lib.load_any(run_dir) if run_dir else None
    if config and not config.DETECTS:
        _weights_alone(config, run_dir, output, args)
        return 0
    detector, facts, source = _of_run(run_dir, args) if run_dir else _of_weights(args)
    if args.format in ("onnx", "tflite") and not detector.portable:
        raise ExportError(
            f"--format={args.format}: {facts['method']} has operations that this format has not; expected "
            "saved_model or weights"
        )
    if args.format == "weights" and config and config.METHOD:
        _save_by_name(config.stored(detector.segmenter), output, facts, source)
        return 0
    pictures, left_out = _real_pictures(args.pictures, run_dir)
    if not pictures:
        print("no real pictures to be had: compared on generated pictures alone; --pictures=FOLDER names some")
    if args.format == "saved_model":
        worst = saved_model.save(detector, output, {**facts, "way": WAY}, pictures)
    elif args.format == "weights":
        worst = weights.save(detector, output, facts, pictures)
    elif args.quantize == "none":
        worst = single_file.save(detector, output, args.format, facts, pictures)
    else:
        scored, unread = scored_items(args.records, run_dir)
        left_out += unread
        worst = single_file.save_quantized(detector, output, args.quantize, facts, pictures, scored)
    print(
        f"{output}: exported from {source}; read again, it agrees with the network to {worst:.1g} on "
        f"{len(trial_pictures())} generated and {len(pictures)} real pictures"
    )
    if args.format == "saved_model":
        print(f"Next: python -m gsr_tf.predict --saved_model={output} --input=PICTURE_OR_FOLDER --output=FOLDER")
    return command.code_but_for(left_out)


def _real_pictures(folder: str | None, run_dir: Path | None) -> tuple[list[np.ndarray], int]:
    """Those of --pictures or of the run, none of included weights; and how many cannot be read."""
    if folder:
        return folder_pictures(folder)
    return run_pictures(run_dir) if run_dir else ([], 0)


def _weights_alone(config: RunSettings, run_dir: Path, output: Path, args: flags.FlagValues) -> None:
    """Of a run that is no detector's, the weights by name."""
    if args.format != "weights":
        raise ExportError(
            f"--format={args.format}: {run_dir} is a run of {config.METHOD}, which is no detector; expected "
            f"{config.export_flags}"
        )
    of_a_detector = ("size", "scores", "threshold", "scales", "average_with", "pictures", "records")
    given = [f"--{name}" for name in of_a_detector if args[name].present] + ["--centre"] * (args.centre != 0.5)
    if given:
        raise ExportError(f"{', '.join(given)}: for detectors, and {run_dir} is a run of {config.METHOD}")
    net = config.build()
    name = net.networks[0]
    network = getattr(net, name)
    checkpoint = restore_network(name, network, run_dir, args.checkpoint)
    facts = export_facts(run_dir, config.flat(), checkpoint, output.stem, licence=args.licence)
    _save_by_name(config.stored(network), output, {**facts, **config.facts(network)}, checkpoint)


def _save_by_name(
    variables: Mapping[str, tf.Variable], output: Path, facts: Mapping[str, Any], checkpoint: str
) -> None:
    """Another method's weights as they are."""
    named_weights.save(variables, output, facts)
    print(f"{output}: the weights of {checkpoint}, by name, read again; {output}.json says what they are")


def _of_run(run_dir: Path, args: flags.FlagValues) -> tuple[DetectorModule, dict[str, Any], str]:
    """The detector, what is known of it, and where it comes from."""
    detector, config, checkpoint = load_run(run_dir, args.checkpoint, args.size, args.centre)
    said = {"scores": args.scores, "threshold": args.threshold, "centre": args.centre, "licence": args.licence}
    facts = export_facts(run_dir, config.flat(), checkpoint, Path(args.output).stem, **said)
    facts.update(config.facts(detector.segmenter))
    if args.checkpoint == "mean" and facts.get("edge_threshold_chosen_by") == "validation":
        facts["edge_threshold_chosen_by"] = "validation of the newest checkpoint"  # not of the mean
    facts["centre"] = args.centre
    facts["scales"] = list(parse_scales(args.scales) or ONE_SIZE)
    if facts["scales"] != list(ONE_SIZE) and detector.window is None:
        raise ExportError(f"--scales={','.join(args.scales)}: {config.METHOD} sees whole pictures at scale 1 alone")
    if config.METHOD == "exif-sc" and (args.average_with or args.checkpoint == "mean"):
        averaging = "--average_with" if args.average_with else "--checkpoint=mean"
        raise ExportError(
            f"{averaging}: moments of EXIF-consistency's normalisation do not fit averaged weights; expected those of "
            "one checkpoint, --checkpoint=best or newest"
        )
    if args.average_with:
        paths = [shipped.weights_file(given, "--average_with") for given in args.average_with]
        average_with_npz(detector.segmenter, [*map(str, paths)])
        facts["averaged_with"] = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    return detector, facts, checkpoint


def _of_weights(args: flags.FlagValues) -> tuple[DetectorModule, dict[str, Any], str]:
    """The same, of shipped weights, which bring their own facts."""
    if args.format == "weights" or args.size or args.scores or args.average_with or args.centre != 0.5:
        raise ExportError(
            f"--weights={args.weights} are as they ship: --format=weights, --size, --scores, --average_with and "
            "--centre are a run's"
        )
    detector, facts = shipped.load(args.weights)
    threshold = facts["threshold"] if args.threshold is None else args.threshold
    scales = list(parse_scales(args.scales) or facts.get("scales", ONE_SIZE))
    return detector, {**facts, "threshold": threshold, "scales": scales}, f"the weights {args.weights}"


def check_output(output: Path, format_: str, quantize: str) -> None:
    """Raises ExportError for a name, format and quantisation that do not go together, or a name that is taken.

    PlaceError where nothing can be written.
    """
    ending = FORMATS[format_]
    if ending and output.suffix != ending:
        raise ExportError(f"--output={output}: expected a file name that ends in {ending} for --format={format_}")
    others = {other: name for name, other in FORMATS.items() if other}
    if not ending and output.suffix in others:
        raise ExportError(
            f"--output={output}: --format={format_} is a folder, and {output.suffix} ends a file of "
            f"--format={others[output.suffix]}; expected that format, or another name"
        )
    if not ending and (why := why_unfindable(output)):
        raise ExportError(f"--output={output}: {why}")
    if quantize != "none" and format_ != "tflite":
        raise ExportError(f"--quantize={quantize} is for --format=tflite, not --format={format_}")
    if os.path.lexists(output):
        raise ExportError(f"--output={output} exists already; remove it or choose another name")
    check_place(output, "--output")


def load_run(
    run_dir: Path, which: str, size: int | None = None, centre: float = 0.5
) -> tuple[DetectorModule, RunSettings, str]:
    """A run's detector, its configuration and the path of the checkpoint.

    Args:
        run_dir: the run's folder.
        which: "best", "newest" or "mean".
        size: at which whole pictures are seen, pixels; None: as in training.
        centre: as `DetectorModule`'s.

    Raises:
        ConfigError, CheckpointError: as their messages say.
    """
    config = config_lib.load_any(run_dir).changed(precision="float32")
    set_up(dataclasses.replace(config.device, device="cpu"), config.preparation.seed)
    segmenter = config.build_segmenter()
    checkpoint = restore_network("segmenter", segmenter, run_dir, which)
    detector = config.detector(segmenter, size or config.preparation.input_size, centre)
    return detector, config, checkpoint


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    return command.main(_action, __doc__, _define, argv)


if __name__ == "__main__":
    sys.exit(main())
