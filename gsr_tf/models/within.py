"""A setting that holds within a block of code, however deep the calls in it go."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from typing import TypeVar

Value = TypeVar("Value")


@contextlib.contextmanager
def within(variable: contextvars.ContextVar[Value], value: Value) -> Iterator[None]:
    """Within it the variable has this value; after it the one of before, also when an error ends it."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
