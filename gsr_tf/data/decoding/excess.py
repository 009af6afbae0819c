"""What a file holds beside its pixels, counted before a library reads it.

Libraries read metadata without a limit, and some take time by the square of its pieces: a file of two megabytes can so
take all of a machine's memory, or hours. The limits are far above what cameras and programs write.
"""

from __future__ import annotations

import itertools

from gsr_tf.data.decoding import gif_blocks, jpeg_markers, png_chunks, tiff_tags

MARKERS, SCANS = 10_000, 50  # of a JPEG; programs write up to 15 scans
EXIF_BYTES = 1 << 20
CHUNKS = 100_000  # of a PNG: 32 kB of pixels each, and 3 GB
BLOCKS = 4_096  # of a GIF before its first frame: a megabyte of words
TAGS, NUMBERS = 4_096, 250_000  # of a TIFF or EXIF: two numbers, place and length, for each row of 125,000


class Excess(ValueError):
    """More than any picture has; the message says of what."""


def refuse(data: bytes) -> None:
    """Raises Excess for the bytes of a file that would cost much more than its pixels."""
    if data.startswith(jpeg_markers.START):
        _refuse_jpeg(data)
    elif data.startswith(png_chunks.SIGNATURE):
        _limit(sum(1 for _ in itertools.islice(png_chunks.chunks(data), CHUNKS + 1)), CHUNKS, "chunks")
    elif data.startswith(b"GIF8"):
        _limit(gif_blocks.before_first_frame(data, BLOCKS), BLOCKS, "blocks before its first frame")
    elif data.startswith((b"II", b"MM")):
        refuse_tags(data, "")


def _refuse_jpeg(data: bytes) -> None:
    markers = list(itertools.islice(jpeg_markers.markers(data), MARKERS + 1))
    _limit(len(markers), MARKERS, "segments")
    _limit(sum(marker == jpeg_markers.SCAN for marker, _ in markers), SCANS, "scans")
    contents = {jpeg_markers.EXIF: [], jpeg_markers.MORE_PICTURES: []}
    for _, start in markers:
        for name, found in contents.items():
            if data.startswith(name, start + 4):
                found.append(jpeg_markers.content(data, start)[len(name) :])
    for found in contents.values():
        _limit(sum(map(len, found)), EXIF_BYTES, "bytes of EXIF")
        refuse_tags(b"".join(found), "EXIF ")


def refuse_tags(data: bytes, kind: str) -> None:
    """Raises Excess for a TIFF, or for EXIF without the name before it, of too many tags, or of too long ones."""
    named = tiff_tags.named(data, TAGS)
    _limit(named.tags, TAGS, f"{kind}tags")
    _limit(named.numbers, NUMBERS, f"numbers in its {kind}tags")
    if named.size > len(data):
        raise Excess(f"its {named.tags:,} {kind}tags name {named.size:,} bytes, more than there are; save it anew")


def _limit(count: int, most: int, what: str) -> None:
    if count > most:
        raise Excess(f"more than {most:,} {what}, and no picture needs as many; save it anew")
