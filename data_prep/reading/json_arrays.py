"""The elements of a JSON file's arrays, one at a time: COCO's annotations take 2 GiB when decoded at once."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gsr_tf.marked_text import UTF_8, UTF_16

PIECE = 1 << 20
_SPACE = " \t\r\n"
_OF_A_NUMBER = re.compile(r"[-+.\dEe]*", re.ASCII)


class Element(NamedTuple):
    """One element of an array of the top-level object.

    Attributes:
        key: of the array.
        start: first byte in the file.
        length: in bytes.
        value: decoded.
    """

    key: str
    start: int
    length: int
    value: object


class _Window:
    """A part of the file, moving forward. Latin-1: one character is one byte, and JSON's own signs are ASCII."""

    def __init__(self, path: str | os.PathLike) -> None:
        self._file = open(path, encoding="latin-1", newline="")  # noqa: SIM115 (closed by `close`)
        self.text, self.start, self.position = "", 0, 0

    def close(self) -> None:
        self._file.close()

    def _extend(self) -> bool:
        piece = self._file.read(max(PIECE, len(self.text)))
        self.start += self.position
        self.text, self.position = self.text[self.position :] + piece, 0
        return bool(piece)

    def skip_mark(self) -> None:
        """Passes over UTF-8's mark; raises ValueError for UTF-16, in which places are not counted."""
        while len(self.text) < len(UTF_8) and self._extend():
            pass
        mark = self.text[: len(UTF_8)].encode("latin-1")
        if mark.startswith(UTF_16) or b"\0" in mark:
            raise ValueError("text in UTF-16; save it as UTF-8")
        self.position = len(UTF_8) if mark == UTF_8 else 0

    def peek(self) -> str:
        """The next sign that is not a space; "" at the end."""
        while True:
            while self.position < len(self.text) and self.text[self.position] in _SPACE:
                self.position += 1
            if self.position < len(self.text):
                return self.text[self.position]
            if not self._extend():
                return ""

    def expect(self, signs: str) -> str:
        """Takes the next sign, which must be one of `signs`."""
        sign = self.peek()
        if not sign or sign not in signs:
            raise ValueError(f"byte {self.start + self.position}: {sign!r} where one of {signs!r} was expected")
        self.position += 1
        return sign

    def value(self) -> tuple[int, int, object]:
        """Takes the next value: its first byte, its length and itself."""
        self.peek()
        decoder = json.JSONDecoder()
        while True:
            try:
                value, end = decoder.raw_decode(self.text, self.position)
            except json.JSONDecodeError as error:
                if not self._extend():
                    raise ValueError(f"byte {self.start + error.pos}: {error.msg}") from None
                continue
            # A number may go on behind the window's end, and 4. and 4e, of 4.5 and 4e3, are decoded as 4.
            if _OF_A_NUMBER.match(self.text, end).end() < len(self.text) or not self._extend():
                break
        start, length, text = self.start + self.position, end - self.position, self.text[self.position : end]
        self.position = end
        return start, length, value if text.isascii() else json.loads(text.encode("latin-1"))


def elements(path: str | os.PathLike) -> Iterator[Element]:
    """Every element of every array of the file's top-level object, in order, in bounded memory.

    Raises:
        ValueError: not JSON, or not an object; the message has the byte.
        OSError: the file cannot be read.
    """
    with contextlib.closing(_Window(path)) as window:
        window.skip_mark()
        window.expect("{")
        while window.peek() == '"':
            key = window.value()[2]
            window.expect(":")
            if window.peek() == "[":
                yield from _array(window, key)
            else:
                window.value()
            if window.expect(",}") == "}":
                return
        window.expect("}")


def _array(window: _Window, key: str) -> Iterator[Element]:
    window.expect("[")
    if window.peek() == "]":
        window.expect("]")
        return
    while True:
        yield Element(key, *window.value())
        if window.expect(",]") == "]":
            return


def read_elements(path: str, places: Iterable[tuple[int, int]]) -> list:
    """Decodes elements again, from the file and their places (first byte, length)."""
    with open(path, "rb", buffering=0) as file:
        return [json.loads(os.pread(file.fileno(), length, start)) for start, length in places]
