"""Text in the encodings that people's programs write."""

import codecs

import pytest

from gsr_tf.marked_text import decode


@pytest.mark.parametrize(
    "data",
    [
        "é,ü\n".encode(),
        codecs.BOM_UTF8 + "é,ü\n".encode(),
        "é,ü\n".encode("utf-16"),
        codecs.BOM_UTF16_BE + "é,ü\n".encode("utf-16-be"),
    ],
    ids=["utf-8", "with its mark", "utf-16", "big-endian"],
)
def test_marked_text_is_read(data):
    assert decode(data) == "é,ü\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("é".encode("utf-16-le"), "UTF-16 without its mark|not in UTF-8"),
        ("a\né\n".encode("latin-1"), "line 2 is not in UTF-8"),
        (b"a\0b", "without its mark"),
    ],
)
def test_other_text_is_refused_with_what_to_do(data, message):
    with pytest.raises(ValueError, match=f"({message}).*save it as UTF-8"):
        decode(data)


def test_other_bytes_can_be_kept():
    assert decode(b"\xe9.jpg", "surrogateescape") == "\udce9.jpg"
