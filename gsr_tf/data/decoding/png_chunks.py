"""A PNG without its words: text and colour profiles, of any size once unpacked, are not unpacked at all."""

from __future__ import annotations

from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
WORDS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")
# Where some programs write EXIF, and with it the orientation. Packed ones of more bytes hold something else.
ORIENTATIONS, LONGEST = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0"), 65_536


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, first byte and end of each chunk, up to the first that is cut off."""
    start = len(SIGNATURE)
    while start + 12 <= len(data):
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        kind = data[start + 4 : start + 8]
        if end > len(data):
            return
        yield kind, start, end
        start = end


def _is_needless(kind: bytes, content: bytes) -> bool:
    return kind in WORDS and not (content.startswith(ORIENTATIONS) and len(content) <= LONGEST)


def without_text(data: bytes) -> bytes:
    """The bytes of a PNG less its text chunks and colour profile, which no answer depends on; others as they are.

    A text in which the file ends is left out as well.
    """
    if not data.startswith(SIGNATURE):
        return data
    found = list(chunks(data))
    drop = [(start, end) for kind, start, end in found if _is_needless(kind, data[start + 8 : end - 4])]
    last = found[-1][2] if found else len(SIGNATURE)
    if data[last + 4 : last + 8] in WORDS:
        drop.append((last, len(data)))
    if not drop:
        return data
    starts, ends = [0, *(end for _, end in drop)], [*(start for start, _ in drop), len(data)]
    return b"".join(data[start:end] for start, end in zip(starts, ends))
