"""What a command says where it cannot write its --output."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from data_prep.reading.entries import PreparationError


@contextlib.contextmanager
def writing(output: str | os.PathLike) -> Iterator[None]:
    """Within, all that is written lies in --output: an OSError becomes a PreparationError that names it."""
    try:
        yield
    except OSError as error:
        raise PreparationError(f"--output={output}: cannot be written ({error.strerror})") from error
