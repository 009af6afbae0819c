"""Nobody reads what a command prints: it ends in silence, as other tools do."""

import os
import subprocess
import sys

import pytest

from gsr_tf import standard_output


@pytest.mark.parametrize(
    "command",
    [
        "from gsr_tf import train as command",
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


def without(streams, script):
    """The process that ran a script in Python, started without these streams."""
    command = ["sh", "-c", f'exec "$0" -c "$1" {streams}', sys.executable, script]
    return subprocess.run(command, capture_output=True, text=True)


def test_streams_that_are_closed_are_opened():
    opened = "from gsr_tf import standard_output as o; o.open_closed(); import os, sys; os.fstat(0); os.fstat(2)"
    asked = "assert sys.stdin.buffer.read() == b''; print('a', file=sys.stderr); print(o.is_closed())"
    ended = without("<&- 2>&-", f"{opened}; {asked}; print(os.get_inheritable(0), os.get_inheritable(2))")
    assert (ended.returncode, ended.stdout) == (0, "False\nTrue True\n")
    ended = without(
        ">&-", "from gsr_tf import standard_output as o; o.open_closed(); print('a'); assert not o.is_closed()"
    )
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    ("streams", "arguments", "code", "said"),
    [
        ("<&-", ["--method=all-positive", "--list=-", "--output=none"], 1, "error: --list=-: "),
        ("<&- >&-", ["--help"], 0, ""),
        ("2>&-", ["--no_such_flag"], 2, ""),
    ],
)
def test_a_command_without_streams_ends_as_with_them(streams, arguments, code, said):
    script = f"import sys; from gsr_tf import predict; sys.exit(predict.main(['predict', *{arguments}]))"
    ended = without(streams, script)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert said in ended.stderr and "Traceback" not in ended.stderr


@pytest.mark.parametrize("first", ["", "import select; del select.poll; "])
def test_output_that_is_read_is_not_closed(first):
    script = f"{first}from gsr_tf import standard_output as o; print('a'); print(o.is_closed())"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "a\nFalse\n"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_name_that_standard_output_cannot_express_is_printed_as_standard_error_prints_it(encoding):
    script = "from gsr_tf import standard_output as o; o.set_up(); print('p\\xe9\\udce9')"
    environment = {**os.environ, "PYTHONIOENCODING": f"{encoding}:strict"}
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, env=environment)
    assert ended.stdout == "pé\\udce9\n".encode(encoding, errors="backslashreplace"), ended.stderr


@pytest.mark.parametrize("word", ["--help", "--version"])
@pytest.mark.parametrize("buffered", ["", "1"])
def test_what_the_console_command_says_of_itself_ends_as_help_of_the_others(word, buffered):
    command = [sys.executable, "-m", "gsr_tf.cli", word]
    environment = {**os.environ, "PYTHONUNBUFFERED": buffered}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", standard_output.CLOSED)
    with open("/dev/full", "w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment)
    assert (ended.returncode, ended.stderr) == (1, "error: [Errno 28] No space left on device\n")
