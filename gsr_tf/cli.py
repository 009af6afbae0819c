"""gsr-tf: which pixels of a picture were manipulated?

    gsr-tf predict photo.jpg            answers about pictures, into the folder answers
    gsr-tf serve                        the same in the browser
    gsr-tf train | evaluate | export    a network of your own
    gsr-tf predict_beam FLAGS           answers about millions of pictures; evaluate_beam measures on them
    gsr-tf train_comparator             another method, to compare with
    gsr-tf tables | figure              the paper's tables and figures
    gsr-tf data NAME                    data sets to records: gsr-tf data coco, gsr-tf data folder ...

`gsr-tf COMMAND --help` explains a command; each is `python -m gsr_tf.COMMAND` as well, and `gsr-tf data NAME` is
`python -m data_prep.NAME`.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Sequence

import gsr_tf
from gsr_tf import standard_output

COMMANDS = (
    *("predict", "predict_beam", "serve", "train", "train_comparator"),
    *("evaluate", "evaluate_beam", "export", "tables", "figure"),
)
PUBLISHED = ("carvalho", "casia1", "casia2", "columbia", "coverage", "imd2020", "in_the_wild", "nist16")
DATA = ("all", "check", "coco", "coco_panoptic", "compose", "demo", "folder", "interchange", "unpack", *PUBLISHED)


def main(argv: Sequence[str] | None = None) -> int:
    """The console command; returns the exit code of the one that it calls, 2 where there is none of that name."""
    standard_output.set_up()
    words = list(sys.argv if argv is None else argv)[1:]
    if not words or words[0] in ("--help", "-h", "help"):
        return _say(__doc__.strip())
    if words[0] == "--version":
        return _say(f"gsr_tf {gsr_tf.__version__}")
    module, arguments = _module(words)
    if module is None:
        print(f"error: gsr-tf {' '.join(words[:2])}: no such command\n\n{__doc__.strip()}", file=sys.stderr)
        return 2
    try:
        return importlib.import_module(module).main([module, *arguments])
    except KeyboardInterrupt:  # in the seconds that importing TensorFlow takes; later the command answers it itself
        print("interrupted", file=sys.stderr)
        return 130


def _say(words: str) -> int:
    try:
        with contextlib.suppress(BrokenPipeError):
            print(words)
        return standard_output.exit_code()
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _module(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """The module that a command line means, or None, and the arguments for it."""
    name, *arguments = words
    if name == "data":
        return (f"data_prep.{arguments[0]}", arguments[1:]) if arguments and arguments[0] in DATA else (None, [])
    if name not in COMMANDS:
        return None, []
    return f"gsr_tf.{name}", arguments


if __name__ == "__main__":
    sys.exit(main())
