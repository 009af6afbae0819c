"""Another process that holds a folder, as a second command on the same machine would."""

import contextlib
import subprocess
import sys

HOLD = """
import sys
from pathlib import Path
from gsr_tf.data import one_writer
with getattr(one_writer, sys.argv[2])(Path(sys.argv[1]), "--output"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def holding(folder, how="hold"):
    """The process, which holds `folder`, by this function of `one_writer`, until it is killed."""
    command = [sys.executable, "-c", HOLD, str(folder), how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()
