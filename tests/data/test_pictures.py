import errno
import io
import os
import re
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, TiffImagePlugin
from PIL.PngImagePlugin import PngImageFile

from gsr_tf.data import one_writer
from gsr_tf.data.decoding import jpeg_losses, opening
from gsr_tf.data.decoding.orientation import to_stored
from gsr_tf.data.pictures import PictureError, PictureTooLarge, decode_picture, pixel_count, probe_picture, read_picture
from gsr_tf.data.writing import write_atomically
from tests.picture_files import encoded, png_chunk, turned

RGB = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
GREY = RGB[..., 0]


def grey_rgb(grey):
    return np.repeat(grey[..., None], 3, axis=-1)


def palette():
    return encoded(Image.fromarray(RGB // 64 * 64).quantize(256))


def animation():
    frames = [Image.fromarray(np.full((6, 9), value, np.uint8)) for value in (40, 200)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


# By name: a file's bytes, its pixels, and whether TensorFlow decodes the bytes to the same pixels.
FILES = {
    "rgb": (encoded(RGB), RGB, True),
    "grey": (encoded(GREY), grey_rgb(GREY), True),
    "alpha": (encoded(np.dstack([RGB, GREY])), RGB, False),
    "grey_alpha": (encoded(np.dstack([GREY, GREY])), grey_rgb(GREY), False),
    "palette": (palette(), RGB // 64 * 64, False),
    "bilevel": (encoded(GREY > 99), grey_rgb((GREY > 99) * np.uint8(255)), False),
    "grey16": (encoded(GREY.astype(np.uint16) * 257), grey_rgb(GREY), False),
    "tiff16": (encoded(GREY.astype(np.uint16) * 257, "TIFF"), grey_rgb(GREY), False),
    "grey16_dark": (encoded(GREY.astype(np.uint16)), grey_rgb(GREY), False),
    "tiff32": (encoded(GREY.astype(np.int32) * 257, "TIFF"), grey_rgb(GREY), False),
    "float": (encoded(np.float32(GREY / 255), "TIFF"), grey_rgb(GREY), False),
    "tiff": (cv2.imencode(".tif", RGB[..., ::-1])[1].tobytes(), RGB, False),
    "bmp": (encoded(RGB, "BMP"), RGB, False),
    "webp": (encoded(RGB, "WEBP", lossless=True), RGB, False),
    "gif": (animation(), np.full((6, 9, 3), 40, np.uint8), False),
    "1x1": (encoded(RGB[:1, :1]), RGB[:1, :1], True),
}


@pytest.mark.parametrize(("data", "expected", "plain"), FILES.values(), ids=FILES)
def test_any_picture_gives_its_8_bit_rgb(data, expected, plain):
    raster = decode_picture(data)
    assert raster.pixels.dtype == np.uint8
    np.testing.assert_array_equal(raster.pixels, expected)
    assert raster.plain == plain
    assert probe_picture(data) == (*expected.shape[:2], plain, False)


def test_16_bit_rgb_keeps_the_high_byte():
    data = cv2.imencode(".png", RGB[..., ::-1].astype(np.uint16) * 257)[1].tobytes()
    np.testing.assert_array_equal(decode_picture(data).pixels, RGB)


def test_cmyk_jpeg():
    ink = np.zeros((16, 16, 4), np.uint8)
    ink[..., 1:3] = 255  # magenta and yellow make red
    pixels = decode_picture(encoded(Image.fromarray(ink, "CMYK"), "JPEG", quality=95)).pixels
    np.testing.assert_allclose(pixels, np.broadcast_to([255, 0, 0], (16, 16, 3)), atol=4)


@pytest.mark.parametrize(("orientation", "turn"), [(3, 2), (6, -1), (8, 1)])
def test_exif_orientation_is_applied(orientation, turn):
    picture = cv2.resize(RGB, (48, 32), interpolation=cv2.INTER_CUBIC)
    data = encoded(picture, "JPEG", quality=95, exif=turned(orientation))
    stored = decode_picture(data, orient=False)
    shown = decode_picture(data)
    np.testing.assert_array_equal(shown.pixels, np.rot90(stored.pixels, turn))
    assert (stored.plain, shown.plain) == (True, False)
    assert probe_picture(data)[:3] == (*shown.pixels.shape[:2], False)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_every_orientation_can_be_undone(format_, orientation):
    data = encoded(RGB, format_, exif=turned(orientation))
    raster = decode_picture(data)
    assert raster.orientation == orientation
    assert raster.pixels.shape == ((9, 6, 3) if orientation >= 5 else (6, 9, 3))
    assert probe_picture(data)[:2] == raster.pixels.shape[:2]
    np.testing.assert_array_equal(to_stored(raster.pixels, orientation), RGB)


@pytest.mark.parametrize("value", [0, 9, 60000])
def test_an_orientation_that_does_not_exist_is_none(value):
    raster = decode_picture(encoded(RGB, exif=turned(value)))
    assert raster.orientation == 1
    np.testing.assert_array_equal(raster.pixels, RGB)


@pytest.mark.parametrize(
    ("name", "notes"),
    {
        "rgb": [],
        "grey": ["greyscale"],
        "alpha": ["transparency ignored"],
        "palette": ["a palette of at most 256 colours"],
        "bilevel": ["greyscale"],
        "grey16": ["more than 8 bits a channel, reduced to 8", "greyscale"],
        "float": ["more than 8 bits a channel, reduced to 8", "greyscale"],
        "gif": ["the first of 2 frames", "a palette of at most 256 colours"],
    }.items(),
)
def test_what_is_lost_is_noted(name, notes):
    assert list(decode_picture(FILES[name][0]).notes) == notes


def test_notes_of_deep_colour_and_of_ink():
    deep = cv2.imencode(".png", RGB.astype(np.uint16) * 257)[1].tobytes()
    assert decode_picture(deep).notes == ("more than 8 bits a channel, reduced to 8",)
    ink = encoded(Image.new("CMYK", (8, 8)), "JPEG")
    assert decode_picture(ink).notes == ("CMYK, converted to RGB without a colour profile",)


def test_heic(monkeypatch):
    pillow_heif = pytest.importorskip("pillow_heif", reason="HEIC needs pillow-heif")
    buffer = io.BytesIO()
    picture = np.full((64, 96, 3), (200, 60, 30), np.uint8)
    pillow_heif.from_pillow(Image.fromarray(picture)).save(buffer, quality=90)
    raster = decode_picture(buffer.getvalue())
    assert raster.format == "HEIF"
    np.testing.assert_allclose(raster.pixels, picture, atol=8)


def test_heic_without_its_library_says_what_to_install(monkeypatch):
    monkeypatch.setattr(opening, "_register_heic", lambda: False)
    with pytest.raises(PictureError, match=r"photo.heic: HEIC needs pillow-heif: pip install 'gsr_tf\[heic\]'"):
        decode_picture(b"\0\0\0\x18ftypheic" + bytes(8), "photo.heic")


def test_a_header_tells_the_size():
    assert pixel_count(encoded(RGB)) == 54
    with pytest.raises(PictureError, match="photo.jpg: 9x6 pixels, more than the limit of 50"):
        pixel_count(encoded(RGB), "photo.jpg", max_pixels=50)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "photo.jpg: the file is empty"),
        (b"From: me\nTo: you\n", "photo.jpg: not a picture"),
        (encoded(RGB)[:60], "photo.jpg: .*(truncated|damaged)"),
        (encoded(np.tile(RGB, (20, 20, 1)), "JPEG")[:-900], "photo.jpg: truncated or damaged"),
        (
            encoded(Image.fromarray(np.tile(RGB, (20, 20, 1))).convert("CMYK"), "JPEG")[:-900],
            "photo.jpg: truncated or damaged",
        ),
        (cv2.imencode(".tif", np.float32(RGB))[1].tobytes(), "photo.jpg: .*TIFF.* with 8 or 16 bits a channel"),
    ],
    ids=["empty", "text", "cut png", "cut jpeg", "cut cmyk jpeg", "a tiff of three floats a pixel"],
)
def test_bad_pictures_are_named(data, message):
    for use in (decode_picture, probe_picture):
        with pytest.raises(PictureError, match=message):
            use(data, "photo.jpg")


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
def test_a_png_with_a_wrong_byte_is_damaged(place):
    """Pillow says so once, and lets the rest pass for black when it is asked again."""
    pixels = np.random.default_rng(0).integers(0, 256, [60, 80, 3], np.uint8)
    data = bytearray(encoded(pixels))
    data[int(place * len(data))] ^= 4
    for use in (decode_picture, probe_picture):
        with pytest.raises(PictureError, match="photo.png: truncated or damaged"):
            use(bytes(data), "photo.png")


def test_a_png_that_ends_within_a_text_behind_its_pixels_is_whole():
    data = encoded(RGB)
    data = data[:-12] + png_chunk(b"tEXt", b"prompt\0" + 400 * b"x")[:-100]
    np.testing.assert_array_equal(decode_picture(data).pixels, RGB)
    assert probe_picture(data)[:2] == (6, 9)


LARGE = np.tile(RGB, (40, 30, 1))  # 240 x 270
JPEG = encoded(LARGE, "JPEG", quality=90)
LOST = "the file's last bytes are missing"


@pytest.mark.parametrize("lost", [1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_lacks_only_its_end_is_read_with_a_note(lost, progressive):
    exif = Image.Exif()
    exif[0x010E] = "\xff\xd9"  # in a description the end's two bytes mean nothing
    data = encoded(LARGE, "JPEG", quality=90, progressive=progressive, exif=exif)
    raster = decode_picture(data[:-lost])
    np.testing.assert_array_equal(raster.pixels, decode_picture(data).pixels)
    assert raster.notes == (LOST,) and not raster.plain
    assert probe_picture(data[:-lost]) == (240, 270, False, False)


def test_what_a_camera_writes_behind_a_jpeg_is_no_part_of_it():
    film = JPEG + bytes(100_000)
    assert decode_picture(film).notes == () and decode_picture(film).plain
    np.testing.assert_array_equal(decode_picture(film).pixels, decode_picture(JPEG).pixels)


def test_a_lossless_jpeg_is_probed_as_it_is_decoded():
    """Written by hand: 8 x 8, grey, each level the one before plus 0, by the one code of its table."""
    frame = b"\xff\xc3\x00\x0b\x08\x00\x08\x00\x08\x01\x01\x11\x00"
    table = b"\xff\xc4\x00\x14\x00\x01" + bytes(15) + b"\x00"
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x01\x00\x00"
    data = b"\xff\xd8" + frame + table + scan + bytes(8) + b"\xff\xd9"
    raster = decode_picture(data)
    assert raster.pixels.shape == (8, 8, 3) and not raster.plain
    assert probe_picture(data) == (8, 8, False, False)


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpeg_that_lost_its_lower_half_but_ends_properly_says_so(orientation):
    data = encoded(LARGE, "JPEG", quality=90, exif=turned(orientation))
    (note,) = decode_picture(data[: len(data) // 2] + b"\xff\xd9").notes
    found = re.fullmatch(r"the last (\d+) of 240 rows are plain grey, as where a file's data were lost", note)
    assert 100 < int(found[1]) < 130
    assert probe_picture(data[: len(data) // 2] + b"\xff\xd9").lost and not probe_picture(data).lost
    assert decode_picture(data).notes == ()


def tiff_with(**tags):
    numbers = {"kind": 254, "photometric": 262, "make": 271, "frames": 330, "dng": 50706}
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for name, value in tags.items():
        info[numbers[name]] = value
        if name == "dng":
            info.tagtype[50706] = 1
    return encoded(RGB, "TIFF", tiffinfo=info)


@pytest.mark.parametrize(
    "data", [tiff_with(dng=b"\1\4\0\0"), tiff_with(kind=1, make="NIKON", frames=8)], ids=["DNG", "NEF"]
)
def test_a_cameras_raw_file_is_refused_whatever_its_suffix(data):
    for use in (decode_picture, probe_picture, pixel_count):
        with pytest.raises(PictureError, match="photo.tif: a camera's raw file; develop it first"):
            use(data, "photo.tif")


def test_a_thumbnail_in_front_is_told():
    raster = decode_picture(tiff_with(kind=1))
    np.testing.assert_array_equal(raster.pixels, RGB)
    assert raster.notes == ("by its tag the thumbnail of another frame, which was not looked at",)


@pytest.mark.parametrize("form", ["EPS", "ICO", "PPM", "TGA", "PCX", "SGI", "DDS"])
def test_formats_that_are_not_listed_are_not_opened(form):
    with pytest.raises(PictureError, match="not a picture in a format that is read: JPEG, PNG, TIFF, WebP, BMP"):
        decode_picture(encoded(RGB, form))


def test_a_badly_typed_exif_tag_does_not_keep_a_picture_from_being_turned():
    exif = turned(6)
    exif[0x829A] = 0.01  # exposure time, to be made nonsense of
    data = encoded(LARGE, "JPEG", quality=90, exif=exif)
    start = data.index(b"\x9a\x82") if b"\x9a\x82" in data else data.index(b"\x82\x9a")
    data = data[: start + 2] + b"\x00\x02" + data[start + 4 :]  # text, by its type
    assert decode_picture(data).pixels.shape == (270, 240, 3)
    assert decode_picture(data).orientation == 6


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"zTXt", b"workflow\0\0" + zlib.compress(bytes(3_000_000))),
        (b"iTXt", b"prompt\0\1\0\0\0" + zlib.compress(b"x" * 3_000_000)),
        (b"tEXt", b"prompt\0" + b"x" * 3_000_000),
        (b"iCCP", b"profile\0\0" + zlib.compress(bytes(3_000_000))),
    ],
)
def test_texts_and_profiles_of_any_size_are_no_damage(kind, body):
    data = encoded(RGB)
    data = data[:33] + png_chunk(kind, body) + data[33:]
    np.testing.assert_array_equal(decode_picture(data).pixels, RGB)
    assert probe_picture(data)[:2] == (6, 9)


def test_an_orientation_written_as_text_still_turns_a_png():
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"></x:xmpmeta>'
    data = encoded(RGB)
    data = data[:33] + png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet) + data[33:]
    raster = decode_picture(data)
    assert raster.orientation == 6
    np.testing.assert_array_equal(raster.pixels, np.rot90(RGB, -1))


def test_a_picture_above_the_limit_is_refused_before_it_is_decoded():
    with pytest.raises(PictureError, match="photo.jpg: 9x6 pixels, more than the limit of 50"):
        decode_picture(encoded(RGB), "photo.jpg", max_pixels=50)
    assert decode_picture(encoded(RGB), max_pixels=54).pixels.shape == (6, 9, 3)


def test_pillows_own_limit_belongs_to_the_host_program(monkeypatch):
    assert Image.MAX_IMAGE_PIXELS == 1024**3 // 4 // 3  # as Pillow sets it
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    for data, expected, _ in FILES.values():
        np.testing.assert_array_equal(decode_picture(data).pixels, expected)
        assert probe_picture(data)[:2] == expected.shape[:2]
    assert Image.MAX_IMAGE_PIXELS == 20
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(encoded(RGB)))


def test_large_pictures_up_to_our_limit_are_read_without_a_warning(recwarn):
    data = encoded(Image.new("1", (20_000, 10_000)), compress_level=1)
    assert probe_picture(data) == (10_000, 20_000, False, False)
    assert not [warning for warning in recwarn if issubclass(warning.category, Image.DecompressionBombWarning)]
    with pytest.raises(PictureTooLarge, match="20000x10000 pixels, more than the limit of 199,999,999"):
        decode_picture(data, max_pixels=199_999_999)


@pytest.mark.parametrize("use", [decode_picture, probe_picture])
def test_lack_of_memory_is_not_damage(monkeypatch, use):
    def lacks(*_):
        raise MemoryError

    monkeypatch.setattr(PngImageFile, "load", lacks)
    with pytest.raises(MemoryError):
        use(encoded(RGB))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(PictureError, match="gone.png: cannot be read .No such file"):
        read_picture(tmp_path / "gone.png")
    os.mkfifo(tmp_path / "pipe.jpg")  # nobody writes to it: reading would wait for ever
    for path in (tmp_path, tmp_path / "pipe.jpg"):
        with pytest.raises(PictureError, match=f"^{path}: not a file$"):
            read_picture(path)


def test_writing_makes_folders_and_replaces(tmp_path):
    path = tmp_path / "a" / "b" / "file.json"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_what_is_written_aside_is_nobody_elses_and_is_swept_when_it_stays(tmp_path, monkeypatch):
    """Containers number their processes alike; two may answer the same picture."""
    written, write = [], Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda self, data: (written.append(self.name), write(self, data)))
    for _ in range(2):
        write_atomically(tmp_path / "a.png", b"one")
    assert len(set(written)) == 2
    assert [one_writer.ASIDE.fullmatch(name)[1] for name in written] == [str(os.getpid())] * 2


def test_a_full_disk_leaves_the_old_file_alone_and_names_the_new_one(tmp_path, monkeypatch):
    path = tmp_path / "file.json"
    write_atomically(path, b"one")

    def fill_up(self, data):
        with self.open("wb") as file:
            file.write(data[:1])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fill_up)
    with pytest.raises(OSError, match=f"No space left on device: '{path}'"):
        write_atomically(path, b"two")
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("rows", [0, 1, 255, 256, 257, 600])
@pytest.mark.parametrize("last_with_data", [0, 126, 129, 255])
def test_rows_without_data_are_counted_from_the_foot(rows, last_with_data):
    pixels = np.random.default_rng(0).integers(127, 129, (600, 5, 3), np.uint8)
    pixels[: 600 - rows, 2, 1] = last_with_data  # one level in a row that is no grey of lost data is enough
    assert jpeg_losses.grey_rows(pixels) == rows
