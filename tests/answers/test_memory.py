"""Lack of memory is told from defects, memory goes back to the system, and what is held is known."""

import ctypes
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf

from gsr_tf.answers import memory
from gsr_tf.data.decoding.lacking import was_lacking

BLOCKS = """
import ctypes
from gsr_tf.answers import memory

class Info(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]

c = ctypes.CDLL(None)
c.malloc.restype, c.malloc.argtypes, c.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
c.mallinfo2.restype = Info
{call}
c.free(c.malloc(24 << 20))  # from here on glibc itself would keep blocks of up to 24 MiB in its heaps
before = c.mallinfo2().hblkhd
c.malloc({size})
print(c.mallinfo2().hblkhd - before)
"""


@pytest.mark.parametrize(
    "call, size, apart",
    [
        ("", 8 << 20, False),
        ("memory.keep_large_blocks_apart()", 8 << 20, True),
        ("memory.keep_large_blocks_apart()", (1 << 20) - 64, False),
    ],
)
def test_large_blocks_are_apart(call, size, apart):
    if not hasattr(ctypes.CDLL(None), "mallinfo2"):
        pytest.skip("no glibc of 2.33 or later")
    script = BLOCKS.format(call=call, size=size)
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (int(found.stdout) >= size) == apart


def raised(action):
    with pytest.raises(Exception) as caught:
        action()
    return caught.value


def test_lack_of_memory_is_known_whoever_says_it():
    huge = raised(lambda: cv2.resize(np.zeros((2, 2, 3)), (30_000_000, 30_000_000)))
    of_onednn = "Compute received an exception:Status: {}, message: could not create a primitive, in file mkl.cc:211"
    for error in (
        *(huge, raised(lambda: np.empty(1 << 50)), tf.errors.ResourceExhaustedError(None, None, "OOM")),
        *(tf.errors.AbortedError(None, None, of_onednn.format(1)), cv2.error("std::bad_alloc")),
    ):
        assert was_lacking(error), error
    wrong = raised(lambda: cv2.resize(np.zeros((0, 0, 3)), (3, 3)))
    assert was_lacking(huge)  # still, after another error
    for error in (
        *(wrong, ValueError("memory"), tf.errors.InvalidArgumentError(None, None, "shape")),
        *(tf.errors.AbortedError(None, None, of_onednn.format(3)), cv2.error("std::length_error")),
    ):
        assert not was_lacking(error), error


@pytest.mark.skipif(not memory.PAGE, reason="Linux says it")
def test_the_memory_that_is_held_is_the_resident_one():
    status = Path("/proc/self/status").read_text()
    said = 1024 * int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])
    assert memory.resident() == pytest.approx(said, rel=0.1)
