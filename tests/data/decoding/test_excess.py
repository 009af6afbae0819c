"""Files made to exhaust a machine are refused before a library reads them: in miniature, by counting."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageFile, TiffImagePlugin

from gsr_tf.data.decoding import excess, gif_blocks, jpeg_markers, opening, tiff_tags
from gsr_tf.data.pictures import PictureError, decode_picture, probe_picture
from tests.picture_files import encoded, png_chunk

GREY = np.arange(64, dtype=np.uint8).reshape(8, 8)


def tags(entries, following=0):
    packed = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return struct.pack("<H", len(entries)) + packed + struct.pack("<I", following)


def tiff(*entries, height=8, blob=b"", inner=b""):
    """A grey TIFF of 8 x `height` with more tags; `blob` lies at byte 72, then what is `inner`, then the tags."""
    body = bytes(64) + blob + inner
    own = [(256, 3, 1, 8), (257, 3, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    strips = [(273, 4, 1, 8), (277, 3, 1, 1), (278, 3, 1, height), (279, 4, 1, 64)]
    entries = {entry[0]: entry for entry in [*own, *strips, *entries]}
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + tags(list(entries.values()))


def exif_of_one_blob(number, size):
    """EXIF of `number` tags that name the same bytes."""
    return b"II*\0\x08\0\0\0" + tags([(1000 + i, 7, size, 14 + 12 * number) for i in range(number)]) + bytes(size)


def segment(marker, content):
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def jpeg_with(segments):
    data = encoded(GREY, "JPEG")
    return data[:2] + segments + data[2:]


def png_with(chunk, count=1):
    data = encoded(GREY)
    return data[:33] + png_chunk(*chunk) * count + data[33:]


def gif_with(blocks):
    data = encoded(GREY, "GIF")
    start = gif_blocks.HEADER + (3 << (data[10] & 7) + 1)
    return data[:start] + blocks + data[start:]


def bmp_of_runs(width, height):
    table = bytes(1024)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, 2, 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 1080, 0, 0, 1078) + header + table + b"\0\1"


INNER = tags([(1000 + i, 7, 900, 72) for i in range(5)])
FILES = {
    "one blob named by many tags": (
        tiff(*((1000 + i, 7, 900, 72) for i in range(9)), blob=bytes(1000)),
        "its 18 tags name 8,1.. bytes, more than there are; save it anew",
    ),
    "the same in the EXIF of a TIFF": (
        tiff((34665, 4, 1, 1072), blob=bytes(1000), inner=INNER),
        "its 15 tags name 4,5.. bytes, more than there are",
    ),
    "many tags": (tiff(*((1000 + i, 3, 1, 0) for i in range(excess.TAGS))), "more than 4,096 tags"),
    "many numbers": (
        tiff((1000, 3, excess.NUMBERS, 72), blob=bytes(2 * excess.NUMBERS)),
        "more than 250,000 numbers in its tags",
    ),
    "a tile larger than its picture": (tiff((322, 3, 1, 3000), (323, 3, 1, 3000)), "tiles of 3000x3000 pixels"),
    "strips that name the same bytes": (tiff((279, 4, 1, 10_000)), "its pieces name 10,000 bytes, more than there are"),
    "a JPEG's segments": (jpeg_with(segment(0xE5, b"") * excess.MARKERS), "more than 10,000 segments"),
    "segments behind an end": (jpeg_with(b"\xff\xd9" + segment(0xE5, b"") * excess.MARKERS), "more than 10,000 seg"),
    "bytes between segments": (jpeg_with(bytes(excess.MARKERS)), "more than 10,000 segments"),
    "EXIF in many segments": (jpeg_with(segment(0xE1, b"Exif\0\0" + bytes(65_000)) * 17), "1,048,576 bytes of EXIF"),
    "tags of a JPEG's EXIF": (
        jpeg_with(segment(0xE1, b"Exif\0\0" + exif_of_one_blob(9, 500))),
        "its 9 EXIF tags name 4,500 bytes, more than there are",
    ),
    "tags of an index of more pictures": (
        jpeg_with(segment(0xE2, b"MPF\0" + exif_of_one_blob(9, 500))),
        "its 9 EXIF tags name 4,500 bytes",
    ),
    "tags of a PNG's EXIF": (png_with((b"eXIf", exif_of_one_blob(9, 500))), "its 9 EXIF tags name 4,500 bytes"),
    "tags of a WebP's EXIF": (encoded(GREY, "WEBP", exif=exif_of_one_blob(9, 500)), "its 9 EXIF tags name 4,500 bytes"),
    "a PNG's chunks": (png_with((b"tEXt", b"a\0b"), excess.CHUNKS), "more than 100,000 chunks"),
    "a GIF's comments": (gif_with(b"\x21\xfe\1a\0" * excess.BLOCKS), "more than 4,096 blocks before its first frame"),
    "a GIF's long comment": (gif_with(b"\x21\xfe" + b"\1a" * excess.BLOCKS + b"\0"), "more than 4,096 blocks before"),
    "bytes between a GIF's blocks": (gif_with(bytes(excess.BLOCKS + 1)), "more than 4,096 blocks before"),
    "a BMP of run lengths": (bmp_of_runs(opening.PACKED + 1, 1), "a BMP of run lengths, and larger than 500,000"),
}


@pytest.mark.parametrize(("data", "message"), FILES.values(), ids=FILES)
@pytest.mark.parametrize("use", [decode_picture, probe_picture])
def test_a_file_that_would_cost_more_than_its_pixels_is_refused(use, data, message):
    with pytest.raises(PictureError, match=f"a.jpg: .*{message}"):
        use(data, "a.jpg")


HEADER_READ = ("a tile larger", "strips that", "tags of a PNG's EXIF", "tags of a WebP's EXIF", "a BMP of run lengths")


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith(HEADER_READ)])
def test_it_is_refused_before_pillow_sees_it(name, monkeypatch):
    monkeypatch.setattr(opening, "_identified", None)
    with pytest.raises(PictureError, match="save it anew"):
        decode_picture(FILES[name][0])


@pytest.mark.parametrize("name", ["a tile larger than its picture", "a BMP of run lengths"])
def test_pixels_that_cost_too_much_are_not_decoded(name, monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", None)
    monkeypatch.setattr(TiffImagePlugin.TiffImageFile, "load", None)
    with pytest.raises(PictureError, match="save it"):
        decode_picture(FILES[name][0])


def scans_of(number):
    """A progressive JPEG whose last scan is there `number` times more."""
    data = encoded(GREY, "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * number + data[-2:]


def test_scans_are_counted_up_to_the_end_alone():
    own = sum(marker == jpeg_markers.SCAN for marker, _ in jpeg_markers.markers(scans_of(0)))
    assert own == encoded(GREY, "JPEG", progressive=True).count(b"\xff\xda") > 1
    most = scans_of(excess.SCANS - own)
    np.testing.assert_array_equal(decode_picture(most).pixels, decode_picture(scans_of(0)).pixels)
    with pytest.raises(PictureError, match="more than 50 scans"):
        decode_picture(scans_of(excess.SCANS - own + 1))
    behind = most + b"\xff\xda" * 100  # a film behind the picture, whose bytes mean nothing
    assert decode_picture(behind).notes == ("greyscale",)
    hidden = scans_of(0)[:-2] + segment(0xFE, b"\xff\xd9") + scans_of(60)[-62 * 20 :]  # an end that is a comment's
    assert sum(marker == jpeg_markers.SCAN for marker, _ in jpeg_markers.markers(hidden)) > own


def tiff_of_frames(number):
    entries = [(256, 3, 1, 8), (257, 3, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    entries += [(273, 4, 1, 8), (277, 3, 1, 1), (278, 3, 1, 8), (279, 4, 1, 64)]
    length = len(tags(entries))
    starts = [72 + frame * length for frame in range(number)] + [0]
    return b"II*\0" + struct.pack("<I", 72) + GREY.tobytes() + b"".join(tags(entries, after) for after in starts[1:])


def test_the_frames_of_a_tiff_are_counted_without_reading_their_tags(monkeypatch):
    read = []
    load = TiffImagePlugin.ImageFileDirectory_v2.load
    monkeypatch.setattr(
        TiffImagePlugin.ImageFileDirectory_v2, "load", lambda self, file: read.append(file.tell()) or load(self, file)
    )
    raster = decode_picture(tiff_of_frames(7))
    np.testing.assert_array_equal(raster.pixels[..., 0], GREY)
    assert raster.notes == ("the first of 7 frames", "greyscale")
    assert set(read) == {72}  # where the first one's are


def test_counting_frames_ends(monkeypatch):
    loop = bytearray(tiff_of_frames(2))
    struct.pack_into("<I", loop, len(loop) - 4, 72)  # the second leads to the first
    assert tiff_tags.frames(bytes(loop)) == 2
    monkeypatch.setattr(tiff_tags, "MOST_FRAMES", 5)
    assert tiff_tags.frames(tiff_of_frames(9)) == 5
    assert decode_picture(tiff_of_frames(9)).notes == ("the first of 5 frames or more", "greyscale")
    monkeypatch.setattr(gif_blocks, "MOST", 20)
    frame = b"\x2c\0\0\0\0\1\0\1\0\0\x02\x02\x44\x01\0"  # two parts
    assert gif_blocks.frames(gif_with(frame * 100)) == 10


def test_a_gifs_frames_are_counted():
    frames = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (0, 90, 180)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], comment=b"words" * 100)
    assert gif_blocks.frames(data) == 3
    assert decode_picture(data).notes[0] == "the first of 3 frames"


def test_a_bigtiff_is_counted_too():
    data = encoded(GREY, "TIFF", big_tiff=True)
    named = tiff_tags.named(data, excess.TAGS)
    assert named.tags == len(Image.open(io.BytesIO(data)).tag_v2) and tiff_tags.frames(data) == 1
    np.testing.assert_array_equal(decode_picture(data).pixels[..., 0], GREY)


def test_a_tag_that_leads_outside_the_file_is_damage_and_no_excess():
    exif = b"II*\0\x08\0\0\0" + tags([(274, 3, 1, 6), (1000, 7, 1 << 31, 50)]) + bytes(50)
    assert tiff_tags.named(exif, excess.TAGS) == (2, 2, 1)
    assert decode_picture(jpeg_with(segment(0xE1, b"Exif\0\0" + exif))).orientation == 6
