"""This process's memory: what it holds, how much more it may take, and what it gives back to the system."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

try:
    import resource
except ImportError:  # not on Windows
    resource = None

STATM = Path("/proc/self/statm")  # Linux: sizes in pages
PAGE = os.sysconf("SC_PAGE_SIZE") if STATM.exists() else 0
ADDRESS_SPACE = resource.getrlimit(resource.RLIMIT_AS) if resource else ()
_LARGE = 1 << 20  # bytes: most activations, pictures and maps
_M_MMAP_THRESHOLD = -3  # malloc.h


def resident() -> int:
    """Bytes of memory that this process holds; 0 where the system does not say."""
    return _pages(1)


@contextlib.contextmanager
def bounded_growth(size: int) -> Iterator[None]:
    """Within it this process gets at most so many bytes more, then MemoryError; no bound where there is no Linux."""
    if not PAGE:
        yield
        return
    soft, hard = ADDRESS_SPACE
    bound = _pages(0) + size
    resource.setrlimit(resource.RLIMIT_AS, (bound if soft == resource.RLIM_INFINITY else min(bound, soft), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, ADDRESS_SPACE)


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


def _pages(field: int) -> int:
    return int(STATM.read_text().split()[field]) * PAGE if PAGE else 0
