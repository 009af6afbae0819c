"""What all command lines share: flags of their own, help that teaches, errors a user can act on.

Exit codes: 0 done, 1 an error that the message explains, 2 wrong flags, 3 done but for pictures that were named and
skipped, 128 + n ended by signal n.
"""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from absl import flags

from gsr_tf import standard_output
from gsr_tf.errors import UserError, of_tensorflow, one_line
from gsr_tf.flag_help import Group, describe, wrapped
from gsr_tf.flagfiles import expanded

SOME_SKIPPED = 3
NEEDED = re.compile(r"flag --(\w+)=None: Flag --\w+ must have a value other than None\.")  # as absl says it
# What a user can mend; anything else is a defect and keeps its traceback.
MENDABLE = (UserError, OSError, MemoryError)


class Word(NamedTuple):
    """What a word of the command line that is no flag means.

    Attributes:
        flag: the one that it sets.
        advice: for who gives several; none where the flag is a list, which takes them all.
    """

    flag: str
    advice: str = ""


def parse(
    argv: Sequence[str],
    doc: str,
    define: Callable[[flags.FlagValues], None],
    groups: Sequence[Group] = (),
    variables: Sequence[str] = (),
    word: Word | None = None,
    removed: Mapping[str, Any] | None = None,
) -> flags.FlagValues | None:
    """The flags of one command; None when `--help` was asked for and printed.

    Args:
        argv: the command line, the program's name first.
        doc: the command's documentation.
        define: defines its flags.
        groups: of its flags, for `--help`; they are all of them, or none.
        variables: names of the flags that the environment may set where the command line does not (see `variable`).
        word: what a word that is no flag means, wherever it stands; None: there is to be none.
        removed: flags of earlier versions, which to absl are misspelt ones of this, each with the value that had no
            effect.

    Raises:
        flags.Error: a flag that is unknown, missing, empty or of a wrong value, or a flagfile that cannot be read.
    """
    values = flags.FlagValues()
    define(values)
    if {"--help", "-h", "-help", "--helpfull"} & set(argv):
        print(f"{doc.strip()}\n\nFlags (--flagfile=FILE reads more of them from a file):\n{describe(values, groups)}")
        if variables:
            print(f"\n{wrapped(_about(variables))}")
        return None
    values.set_gnu_getopt(word is not None)
    arguments = expanded(argv)
    _refuse_removed(arguments, removed or {})
    _read_words(values, values(arguments)[1:], word)
    refuse_nothing(values)
    _read_variables(values, variables)
    return values


def _refuse_removed(arguments: Sequence[str], removed: Mapping[str, Any]) -> None:
    for name, neutral in removed.items():
        if any(re.match(f"--?(no)?{name}(=|$)", argument) for argument in arguments):
            raise flags.Error(f"--{name}: this version has no such setting, and does what --{name}={neutral} did")


def refuse_nothing(values: flags.FlagValues) -> None:
    """Raises flags.Error for a flag that says nothing: --output=$OUT, and no such variable, is no working folder.

    Text may be empty where it is so by default. A list may be where it has a default, and holds no empty item. Of
    numbers it is nan, which is neither below nor above any bound.
    """
    for name in values:
        _refuse_nothing(values[name])


def _refuse_nothing(flag: flags.Flag) -> None:
    if flag.value == "" != flag.default or (flag.value == [] and flag.default is None):
        raise flags.Error(f"--{flag.name}= is empty; expected a value")
    if isinstance(flag.value, float) and math.isnan(flag.value):
        raise flags.Error(f"--{flag.name}={flag.value}: expected a number")
    if isinstance(flag.value, list) and "" in flag.value:
        raise flags.Error(f"--{flag.name}={','.join(flag.value)}: an item of it is empty; expected a value")


def code_but_for(left_out: int) -> int:
    """The exit code of a command that is done but for so many pictures that cannot be read; it tells of them."""
    if left_out:
        print(f"pictures left out, since they cannot be read: {left_out}", file=sys.stderr)
    return SOME_SKIPPED if left_out else 0


def variable(name: str) -> str:
    """The variable of the environment that sets a flag: GSR_TF_QUEUE for queue."""
    return f"GSR_TF_{name.upper()}"


def _read_words(values: flags.FlagValues, words: Sequence[str], word: Word | None) -> None:
    """Sets the flag that words without a name mean."""
    if not words:
        return
    if word is None:
        raise flags.Error(f"unexpected argument {words[0]!r}; flags are written --name=value")
    if not word.advice:
        values[word.flag].value = [*values[word.flag].value, *words]
        return
    given = [values[word.flag].value, *words] if values[word.flag].present else words
    if len(given) > 1:
        raise flags.Error(f"{len(given)} words for one --{word.flag}, {given[0]!r} and {given[1]!r}; {word.advice}")
    values[word.flag].parse(words[0])


def _read_variables(values: flags.FlagValues, names: Sequence[str]) -> None:
    """Sets the flags that were not given and whose variable is not empty."""
    for name in names:
        text = os.environ.get(variable(name))
        if text and not values[name].present:
            try:
                values[name].parse(text)
                _refuse_nothing(values[name])
            except flags.Error as error:
                raise flags.Error(f"{variable(name)}={text}, a variable of the environment: {error}") from error


def _about(names: Sequence[str]) -> str:
    return (
        f"Variables of the environment do the same where a flag is not given: {variable(names[0])} for --{names[0]}, "
        f"and so on for {', '.join(names[1:])}."
    )


def define_workers(values: flags.FlagValues) -> None:
    """The flags of every command whose work an Apache Beam pipeline does."""
    flags.DEFINE_string(
        "runner", "DirectRunner", "Apache Beam's runner: DirectRunner (this machine), FlinkRunner, SparkRunner, "
        "DataflowRunner, ...", flag_values=values,
    )  # fmt: skip
    flags.DEFINE_list(
        "beam_options", [], "The runner's own flags, e.g. --flink_master=HOST:8081,--parallelism=8.", flag_values=values
    )
    flags.DEFINE_integer(
        "threads", None, "TensorFlow's threads in each worker; without it, all cores of its machine. Where several "
        "workers share a machine: cores / workers. The last bits of an answer depend on it.", 1, flag_values=values,
    )  # fmt: skip


def main(
    action: Callable[[flags.FlagValues], int | None],
    doc: str,
    define: Callable[[flags.FlagValues], None],
    argv: Sequence[str] | None = None,
    groups: Sequence[Group] = (),
    variables: Sequence[str] = (),
    word: Word | None = None,
    interrupted: str = "interrupted",
    removed: Mapping[str, Any] | None = None,
) -> int:
    """Runs a command: parses its flags, calls `action` with them, turns errors into messages and exit codes.

    `action` returns an exit code, or None for 0; `doc`, `define`, `groups`, `variables`, `word` and `removed` are
    `parse`'s; without `argv` it is the process's; `interrupted` is said after Ctrl-C.
    """
    standard_output.set_up()
    try:
        values = parse(sys.argv if argv is None else argv, doc, define, groups, variables, word, removed)
        if values is None:
            return standard_output.exit_code()
        return action(values) or 0
    except flags.Error as error:
        words = NEEDED.sub(r"--\1 is needed", str(error))
        print(f"error: {one_line(words)}; --help explains all flags", file=sys.stderr)
        return 2
    except BrokenPipeError as error:
        if standard_output.is_closed():
            return standard_output.CLOSED
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return 130
    except of_tensorflow("ResourceExhaustedError") as error:  # a table of TensorFlow's, which names no files
        print(f"error: {error}", file=sys.stderr)
        return 1
    except MENDABLE as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 1
