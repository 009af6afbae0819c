"""The place of an export: one process at a time writes there, and over nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from gsr_tf.data.one_writer import hold_from_beside
from gsr_tf.formats.agreement import ExportError


@contextlib.contextmanager
def making(output: Path, held: Path | None = None) -> Iterator[None]:
    """Within, `output` and what is written beside it are this process's alone.

    Args:
        output: a file or folder that is to be made.
        held: what others write to, where that is not `output`.

    Raises:
        ExportError: `output` exists.
        FolderInUse: another process is writing there.
    """
    with hold_from_beside(held or output, "--output"):
        if output.exists():
            raise ExportError(f"--output={output} exists already; remove it or choose another name")
        yield
