"""Paths by which TensorFlow does not find again what it has written: checkpoints and SavedModels."""

from __future__ import annotations

import os
import re
import sys

PATTERN = (
    "to TensorFlow a path with *, ?, [ or \\ is a pattern, by which it misses its own files and finds those of others; "
    "rename the folder, or give another"
)
NO_UTF8 = "not UTF-8, as lists and TensorFlow's paths must be; rename the folder, or give another"
OTHER_ALPHABET = (
    "TensorFlow would look for it under another name, in UTF-8, since names of files are {} here (LANG, LC_ALL); set "
    "PYTHONUTF8=1, or give a path of ASCII letters"
)


def why_unfindable(path: str | os.PathLike) -> str:
    """Why TensorFlow would not find its files under a path, which it knows no other way to write; "" if it would."""
    name = os.fspath(path)
    if re.search(r"[*?\[\\]", name):
        return PATTERN
    return why_no_utf8(name)


def why_no_utf8(path: str | os.PathLike) -> str:
    """Why TensorFlow, whose paths are UTF-8, would not write where Python does; "" if it would."""
    name, alphabet = os.fspath(path), sys.getfilesystemencoding()
    try:
        if name.encode() == name.encode(alphabet, sys.getfilesystemencodeerrors()):
            return ""
    except UnicodeEncodeError:
        pass
    return NO_UTF8 if alphabet == "utf-8" else OTHER_ALPHABET.format(alphabet)


def is_utf8(path: str | os.PathLike) -> bool:
    """Whether a path can be written as text; systems let names be any bytes, which Python keeps as surrogates."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        return False
    return True
