"""Evaluates an exported detector, or a method by name, on a data set.

python -m gsr_tf.evaluate --saved_model=runs/gsr_net/export --records=records/casia1 --output=results/casia1
python -m gsr_tf.evaluate --records=records/casia1 --output=results/shipped
python -m gsr_tf.evaluate --method=noi --pairs=casia1.csv --output=results/noi
python -m gsr_tf.evaluate --maps=trufor --pairs=casia1.csv --output=results/trufor

A picture that cannot be scored is named, counted and skipped; the exit code is then 3, and 1 where none was scored, or
where no protocol has a score of such pictures.
The same command again goes on where a run was interrupted: every 64 pictures that were scored are kept.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from gsr_tf import command
from gsr_tf.command import SOME_SKIPPED
from gsr_tf.comparators import given_maps, methods
from gsr_tf.comparators.method import Method, MethodError
from gsr_tf.data import one_writer
from gsr_tf.data.records import RecordsError, open_records
from gsr_tf.errors import one_line
from gsr_tf.evaluation import attacks, comparison, items, outputs, pieces, protocols, report, runner, study
from gsr_tf.evaluation.protocols.protocol import Protocol, ProtocolError
from gsr_tf.evaluation.study import DataSet
from gsr_tf.inference import trained_methods
from gsr_tf.inference.device import DEVICE_HELP, DEVICES, PRECISION_HELP, PRECISIONS, choose
from gsr_tf.inference.postprocessing import POSTPROCESSING
from gsr_tf.inference.resolution import RESOLUTION_HELP, RESOLUTIONS, SCALES_HELP, parse_scales

INTERRUPTED = (
    f"interrupted; every {pieces.PICTURES} pictures that were scored are kept, the same command goes on from them"
)


def define(values: flags.FlagValues) -> None:
    """The flags: what is evaluated, on what and how."""

    def text(name: str, help_: str, **settings: object) -> None:
        flags.DEFINE_string(name, None, help_, flag_values=values, **settings)

    text(
        "saved_model", "Folder of an exported detector (python -m gsr_tf.export), from a source you trust: a model is "
        "code; or the name of included weights. Without it and --method, the included model.",
    )  # fmt: skip
    text(
        "method",
        f"Instead of --saved_model, a method by name: {', '.join(methods.METHODS)}. With --saved_model, "
        f"which of these it has to be: {', '.join(trained_methods.TRAINED)}.",
    )
    flags.DEFINE_enum("resolution", "whole", RESOLUTIONS, RESOLUTION_HELP, flag_values=values)
    flags.DEFINE_list("scales", None, SCALES_HELP, flag_values=values)
    flags.DEFINE_enum("device", "auto", DEVICES, DEVICE_HELP, flag_values=values)
    flags.DEFINE_enum("precision", "float32", PRECISIONS, PRECISION_HELP, flag_values=values)
    text("records", "Folder of records, from a data_prep command.")
    text("pairs", "Instead of --records, a CSV file with `picture,mask` a line; no mask, or a black one: authentic.")
    text("output", "Folder for summary.json, per_image.csv, replicates.npz and report.html.", required=True)
    text(
        "compare_with",
        "Folder of another evaluation of the same pictures, or FOLDER/attacks/NAME of one: prints the difference.",
    )
    slow = ", ".join(name for name in protocols.PROTOCOLS if name not in protocols.DEFAULT)
    flags.DEFINE_list(
        "protocols", list(protocols.DEFAULT),
        f"Protocols to score by. Slow, and so only if named: {slow}. Their definitions are in summary.json and in the "
        "report.", flag_values=values,
    )  # fmt: skip
    flags.DEFINE_list(
        "attacks",
        [],
        "Attacks to evaluate under as well: kind-strength, figure-5, grid. Printed are "
        "the scores of the first protocol that has any.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "postprocessing", "none", list(POSTPROCESSING),
        "What is done to each score map; paper: the clean-up of Section 4.1, of maps of probabilities only.",
        flag_values=values,
    )  # fmt: skip


def chosen_data_set(records: str | None, pairs: str | None) -> DataSet:
    """The data set that --records or --pairs names; raises RecordsError, PictureError."""
    if (records is None) == (pairs is None):
        raise RecordsError("give one of --records=DIR and --pairs=FILE")
    if pairs is not None:
        files = functools.cache(functools.partial(items.files_now, pairs))  # asked for by each pass
        return DataSet(Path(pairs).stem, items.fingerprint(pairs), items.from_list(pairs), files)
    opened = open_records(records)
    return DataSet(opened.path.resolve().name, opened.fingerprint, items.from_records(opened))


def printed(summaries: dict[str, dict]) -> str:
    """What is printed: every score of the pictures as they are, one protocol's under each attack, what was skipped."""
    lines, scored = [], list(dict.fromkeys(line["protocol"] for line in summaries["none"]["scores"]))
    for name, summary in summaries.items():
        data_set = summary["data_set"] if name == "none" else f"{summary['data_set']} {name}"
        for line in summary["scores"]:
            if name == "none" or line["protocol"] in scored[:1]:
                lines.append(outputs.describe_score(line, data_set))
        if summary["skipped"]:
            first = summary["skipped"][0]
            count = len(summary["skipped"])
            lines.append(f"{count} skipped, the first {first['name']}: {first['reason']}; all are in {outputs.SUMMARY}")
    if len(summaries) > 1 < len(scored):
        lines.append(f"under an attack, the scores of the other protocols are in attacks/NAME/{outputs.SUMMARY}")
    return "\n".join(map(one_line, lines))


def chosen_method(
    device: str, precision: str, saved_model: str | None, method: str | None, resolution: str, scales: list[str] | None
) -> Method:
    """The method that the flags of these names tell, on a device.

    Raises:
        DeviceError, MethodError, DetectorError, ResolutionError: as their messages say.
    """
    choose(device, precision)
    how = {"resolution": resolution, "scales": parse_scales(scales), "precision": precision}
    return methods.from_flags(saved_model, method, **how)


def _check_defined(chosen: list[Protocol], method: Method) -> None:
    """Names the protocols that the method's maps cannot be scored by; raises ProtocolError where all are such."""
    found = runner.defined(chosen, method)
    left_out = ", ".join(one.name for one in chosen if one not in found)
    if not found:
        raise ProtocolError(f"--protocols={left_out}: for maps of probabilities, and those of {method.name} are none")
    if left_out:
        print(f"not scored by {left_out}: the maps of {method.name} are no probabilities", file=sys.stderr)


def _say_unscored(summary: dict, method: Method) -> None:
    """Names the protocols that cover none of the pictures."""
    without = runner.defined([protocols.PROTOCOLS[name] for name in outputs.without_score(summary)], method)
    if without:
        names = ", ".join(one.name for one in without)
        counts = "{manipulated} manipulated and {authentic} authentic".format(**summary["pictures"])
        print(f"no score by {names}, for want of pictures of their kind: {counts} ones were scored", file=sys.stderr)


def _given_maps(args: flags.FlagValues, maps: str, data_set: DataSet) -> Method:
    """The method of --maps; raises MethodError beside flags of another one, and with attacks."""
    others = {"saved_model": None, "method": None, "resolution": "whole", "scales": None}
    others |= {"precision": "float32", "attacks": []}
    for flag, unset in others.items():
        if getattr(args, flag) != unset:
            raise MethodError(f"--maps={maps}: another tool's, of the pictures as they are; leave out --{flag}")
    return given_maps.load(maps, [item.name for item in data_set.items])


def evaluated(args: flags.FlagValues, evaluate: study.Evaluate = study.here, maps: str | None = None) -> int:
    """Evaluates as the flags say, prints the scores, gives the exit code; `evaluate` makes one pass."""
    data_set = chosen_data_set(args.records, args.pairs)
    if maps is None:
        method = chosen_method(args.device, args.precision, args.saved_model, args.method, args.resolution, args.scales)
    else:
        method = _given_maps(args, maps, data_set)
    chosen, attacked_by = protocols.choose(args.protocols), attacks.parse_all(args.attacks)
    _check_defined(chosen, method)
    if args.compare_with and not Path(args.compare_with).resolve().is_relative_to(Path(args.output).resolve()):
        comparison.check(args.compare_with)  # of what this evaluation may make, afterwards
    with one_writer.hold(Path(args.output), "--output"):
        summaries = study.run(args.output, data_set, method, chosen, attacked_by, args.postprocessing, evaluate)
        report.write(args.output, data_set, method, args.postprocessing, summaries)
    if text := printed(summaries):
        print(text)
    code = _code(summaries, method, args.protocols)
    if args.compare_with and code != 1:
        _print_differences(args.output, args.compare_with)
    return code


def _code(summaries: dict[str, dict], method: Method, asked: Sequence[str]) -> int:
    """The exit code; says what has no score."""
    pictures = [summary["pictures"] for summary in summaries.values()]
    if not any(counts["scored"] for counts in pictures):
        print("nothing was scored", file=sys.stderr)
        return 1
    _say_unscored(summaries["none"], method)
    if not any(line["value"] is not None for summary in summaries.values() for line in summary["scores"]):
        print(f"--protocols={','.join(asked)}: none has a score on these pictures", file=sys.stderr)
        return 1
    return SOME_SKIPPED if any(counts["skipped"] for counts in pictures) else 0


def _print_differences(output: str, other: str) -> None:
    for difference in comparison.compare(output, other):
        print(comparison.describe(difference, other))
    for remark in comparison.remarks(output, other):
        print(one_line(remark), file=sys.stderr)


def _define(values: flags.FlagValues) -> None:
    define(values)
    flags.DEFINE_string("maps", None, given_maps.MAPS_HELP, flag_values=values)


def _action(args: flags.FlagValues) -> int:
    return evaluated(args, maps=args.maps)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    return command.main(_action, __doc__, _define, argv, interrupted=INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
