"""Memory that was freed, given back to the system where the C library is glibc."""

from __future__ import annotations

import contextlib
import ctypes

_LARGE = 1 << 20  # bytes: most activations, pictures and maps
_M_MMAP_THRESHOLD = -3  # malloc.h


def give_back() -> None:
    """What is free in the heaps, once.

    glibc's heaps keep some of what other threads than the first have freed: after the network has seen 200 megapixels,
    0.1 GiB.
    """
    _glibc("malloc_trim", 0)


def keep_large_blocks_apart() -> None:
    """Blocks of 1 MiB and more are taken from the system one by one from now on, and given back when they are freed.

    glibc begins so, too, but with every such block that is freed it raises the limit, up to 32 MiB; later ones then lie
    in heaps, between small ones that live longer. Under benchmarks/serve_load.py a server so grew from 1.0 to 1.4 GB in
    four minutes; with this it stays at 1.0. It costs 4 % of a picture's time.
    """
    _glibc("mallopt", _M_MMAP_THRESHOLD, _LARGE)


def _glibc(function: str, *arguments: int) -> None:
    with contextlib.suppress(AttributeError, OSError, TypeError):
        getattr(ctypes.CDLL(None), function)(*arguments)
