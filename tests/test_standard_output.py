"""Nobody reads what a command prints: it ends in silence, as other tools do."""

import subprocess
import sys

import pytest

from gsr_tf import standard_output


@pytest.mark.parametrize(
    "command",
    [
        "from gsr_tf import train as command",
        "from data_prep import folder as command",
        "from data_prep import folder as command; import select; del select.poll",  # as on Windows
    ],
)
def test_help_into_a_closed_pipe_is_quiet(command):
    script = f"import sys; {command}; sys.exit(command.main(['command', '--help']))"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        said = process.stderr.read().decode()
    assert process.returncode == standard_output.CLOSED
    assert "BrokenPipe" not in said and "Broken pipe" not in said


@pytest.mark.parametrize("first", ["", "import select; del select.poll; "])
def test_output_that_is_read_is_not_closed(first):
    script = f"{first}from gsr_tf import standard_output as o; print('a'); print(o.is_closed())"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "a\nFalse\n"
