"""Text in the encodings that people's programs write."""

import codecs

import pytest

from gsr_tf.marked_text import decode, lines, rows


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


def test_lines_end_where_editors_end_them():
    assert lines("") == [] and lines("a") == lines("a\n") == ["a"]
    assert lines("a\r\nb\rc\n\n\udce9") == ["a", "b", "c", "", "\udce9"]
    inside = "\v\f\x1c\x1d\x1e\x85\u2028\u2029".join("abcdefghi")
    assert lines(f"{inside}\n{inside}") == [inside, inside]


def test_each_line_of_a_table_is_a_row():
    assert rows('a,b\n\n"c, ""d""",\ne"f,g"', ",") == [["a", "b"], [], ['c, "d"', ""], ['e"f', 'g"']]
    assert rows("a|b,c\r\n", "|") == [["a", "b,c"]]


@pytest.mark.parametrize(
    "line", ['"a.png,m.png', 'a.png,"m.png', '"a.png"b,m.png', '"a.png\nb.png"', f'"{140_000 * "a.png,m.png "}']
)
def test_a_quote_takes_no_line_but_its_own(line):
    with pytest.raises(ValueError, match="^line 2: .*; a cell that begins with a quote ends with one, too"):
        rows(f"a,b\n{line}\nc,d\n", ",")
