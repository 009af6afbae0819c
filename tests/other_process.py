"""Another process that holds a folder, as a second command on the same machine would."""

import contextlib
import subprocess
import sys

HOLD = """
import sys
from pathlib import Path
from gsr_tf.data.one_writer import hold
file = hold(Path(sys.argv[1]), "--output")
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def holding(folder):
    """The process, which holds `folder` until it is killed."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()
