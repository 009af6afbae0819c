"""What asks a process to end, as the system sends it."""

import os
import signal
import subprocess
import sys

import pytest

from gsr_tf import signals
from gsr_tf.training.stopping import signals_received

pytestmark = pytest.mark.skipif(not signals.SIGHUP, reason="this system has no SIGHUP")

EVERY = (signal.SIGINT, signal.SIGTERM, signals.SIGHUP)
WORKS_TILL_TOLD = """
import os, signal, sys, time
from gsr_tf.training.stopping import signals_received
os.open(os.ttyname(1), os.O_RDWR)  # the terminal is this session's from here on
with signals_received() as received:
    print("at work", flush=True)
    while not received:
        time.sleep(0.01)
    signal.raise_signal(signal.SIGHUP)  # the shell tells of it, and then the system
    for stream in (sys.stdout, sys.stderr):
        print("to nobody", file=stream, flush=True)
sys.exit(128 + received[0])
"""
WRITES_TO_A_FILE_AND_A_TERMINAL = """
import signal, sys
from gsr_tf.signals import SIGHUP, told
signal.signal(SIGHUP, signal.SIG_DFL)  # also where these tests run under nohup
with told(lambda *_: None):
    for number in (signal.SIGTERM, SIGHUP):
        signal.raise_signal(number)
        print("after", number, flush=True)
        print("after", number, file=sys.stderr, flush=True)
"""


def test_a_terminal_that_is_gone_ends_work_and_what_is_written_to_it_is_no_error():
    ours, terminal = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", WORKS_TILL_TOLD],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    assert os.read(ours, 100).startswith(b"at work")
    os.close(ours)
    assert process.wait(60) == 128 + signal.SIGHUP


def test_of_a_terminal_that_is_gone_alone_nothing_is_written_any_more(tmp_path):
    ours, terminal = os.openpty()
    with open(tmp_path / "written", "w") as written:
        command = [sys.executable, "-c", WRITES_TO_A_FILE_AND_A_TERMINAL]
        subprocess.run(command, stdout=written, stderr=terminal, check=True, timeout=60)
    os.write(terminal, b"end")
    said = b""
    while not said.endswith(b"end"):
        said += os.read(ours, 100)
    os.close(terminal)
    os.close(ours)
    term, hup = (f"after {number}" for number in (int(signal.SIGTERM), int(signals.SIGHUP)))
    assert (tmp_path / "written").read_text().splitlines() == [term, hup]
    assert said.split(b"\r\n") == [term.encode(), b"end"]


def test_what_signals_told_before_they_tell_again_however_it_ends():
    handlers = {number: lambda *_: None for number in EVERY}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        with pytest.raises(KeyError), signals.told(lambda *_: None) as found:
            assert found == handlers
            assert not {signal.getsignal(number) for number in EVERY} & set(handlers.values())
            raise KeyError
        assert {number: signal.getsignal(number) for number in EVERY} == handlers
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_under_nohup_it_is_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_received() as received:
            signal.raise_signal(signal.SIGHUP)
        assert received == []
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_session_that_ends_tells_twice(monkeypatch):
    """systemd sends SIGTERM and SIGHUP at once; Ctrl-C and SIGTERM are of two who want it to end."""
    monkeypatch.setattr(os, "isatty", lambda _: False)  # a terminal of these tests is not gone
    before = {number: signal.signal(number, lambda *_: None) for number in EVERY}
    try:
        for told in ([signal.SIGTERM, signal.SIGHUP], [signal.SIGHUP, signal.SIGTERM], [signal.SIGHUP, signal.SIGHUP]):
            with signals_received() as received:
                for number in told:
                    signal.raise_signal(number)
            assert received == told[:1]
        with signals_received() as received:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
        assert received == [signal.SIGINT, signal.SIGTERM]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
