"""The page of all answers promises no more than the model card."""

import base64
import os
import re
import unicodedata

import numpy as np
import pytest

from gsr_tf.answers import contact_sheet
from gsr_tf.inference import included, shipped
from tests.browser import browser as browser  # a fixture
from tests.web.pictures import encoded

NAME, ENTRY = next(iter(shipped.read_index().items()))
INCLUDED = {
    "detector": NAME,
    "fingerprint": shipped.fingerprint(ENTRY),
    "threshold": 0.5,
    "resolution": "whole",
    "scales": ENTRY["scales"],
}
METHOD = {"detector": "noi", "threshold": 0.5}


def record(name, score, flagged=0.1, settings=INCLUDED):
    facts = {"boxes": [[0, 0, 3, 4]], "width": 60, "height": 40, "warnings": []}
    return {"name": name, "file": f"{name}.png", "score": score, "flagged": flagged, "settings": settings, **facts}


def written(records, preview=lambda name: None):
    return contact_sheet.page(records, preview)


@pytest.fixture
def sheet():
    records = [record("a", 0.2), record("b", 0.99), record("c", 0.5), {**record("d", 0), "error": "the file is empty"}]
    return written(records)


def test_pictures_come_in_the_order_of_their_names(sheet):
    assert re.findall(r'data-file="(.*?)"', sheet) == ["a.png", "b.png", "c.png"]
    assert re.findall(r'<option value="(\w+)"', sheet)[0] == "file"


def test_nothing_of_a_record_is_markup():
    script = "<script>alert(1)</script>"
    marked = {**record(script, 0.5), "width": script, "height": script, "warnings": [script]}
    failed = {**record(script, 0.5), "error": script}
    assert script not in written([marked, failed])


def test_no_score_is_an_alarm(sheet):
    assert re.findall(r'<span class="score">score (.*?)</span>', sheet) == ["0.200", "0.990", "0.500"]
    assert "hsl(" not in sheet and "red" not in contact_sheet.STYLE


def test_false_alarms_are_told_as_they_were_measured(sheet):
    assert "where to look closer" in sheet
    assert included.false_alarms(INCLUDED["fingerprint"], INCLUDED["scales"]).usual in sheet
    assert "manipulated regions" not in sheet.lower()


def test_the_index_says_of_false_alarms_what_the_card_says():
    card, measured = included.CARD.read_text(encoding="utf-8"), ENTRY["false_alarms"]
    few = measured["few"]
    assert f"({100 * measured['marked_pictures']:.1f} %)" in card
    row = next(line for line in card.splitlines() if line.startswith(f"| {100 * few['marked_pixels']:.0f} % |"))
    _, threshold, _, recall, *_ = row.split(" | ")
    assert (threshold, recall) == (f"{few['threshold']:.3f}"[1:], f"{few['recall']:.3f}"[1:])
    assert (
        "of 76 in 100 authentic photographs (CASIA 1)"
        in included.false_alarms(shipped.fingerprint(ENTRY), ENTRY["scales"]).usual
    )


@pytest.mark.parametrize(
    "others",
    [
        [{**INCLUDED, "fingerprint": "another"}],
        [{**INCLUDED, "scales": [0.75, 1.0, 1.35]}],
        [{**INCLUDED, "resolution": "tile"}],
        [METHOD],
        [INCLUDED, METHOD],
    ],
    ids=["another model", "three sizes", "tile", "method", "mixed"],
)
def test_what_was_measured_of_the_included_model_is_said_of_no_other(others):
    records = [record(str(number), 0.5, settings=settings) for number, settings in enumerate(others)]
    assert "authentic photographs" not in written(records)


def test_what_was_not_answered_is_named(sheet):
    assert "<li><bdi>d.png</bdi>: the file is empty</li>" in sheet


def test_a_card_has_its_pictures_facts_and_files():
    page = written([record("a/b c", 0.25, flagged=0.125)], lambda name: name.encode())
    assert (
        '<p>12.5% flagged in 1 region, 60x40 pixels; <span class="score">score 0.250</span></p>' in page
        and 'data-file="a/b c.png" data-score="0.25" data-flagged="0.125"' in page
    )
    assert re.findall(r'href="(.*?)"', page) == ["a/b%20c_overlay.jpg", "a/b%20c_map.png", "a/b%20c_mask.png"]
    assert re.findall(r">(map|mask)</a>", page) == ["map", "mask"]
    assert re.findall(r'base64,(.*?)"', page) == [base64.b64encode(b"a/b c").decode()]


def test_a_name_that_is_no_text_is_linked_by_its_bytes():
    assert 'href="%FF_overlay.jpg"' in written([{**record(os.fsdecode(b"\xff"), 0.5), "file": "?.png"}])


def test_a_warning_stands_in_its_own_card():
    records = [record("a", 0.5), {**record("b", 0.5), "warnings": ["less sure", "cut off"]}, record("c", 0.5)]
    cards = written(records).split("<article")[1:]
    assert [re.findall('<p class="warning">(.*?)</p>', card) for card in cards] == [[], ["less sure", "cut off"], []]


def test_pictures_are_counted_as_answered_flagged_and_failed():
    plain, failed = {**record("b", 0.5), "boxes": []}, {**record("c", 0.5), "error": "no picture"}
    headings = [
        re.findall("<h1>(.*?)</h1>", written(records))
        for records in ([record("a", 0.5)], [record("a", 0.5), plain, failed], [plain] * 1000)
    ]
    assert headings == [
        ["1 picture, 1 with a flagged region"],
        ['2 pictures, 1 with a flagged region, <a href="#errors">1 could not be answered</a>'],
        ["1,000 pictures, 0 with a flagged region"],
    ]
    assert "<h2>1 picture could not be answered</h2>" in written([failed])


def test_what_answered_is_said_once_and_a_mixture_is_said_to_be_one():
    other = {**METHOD, "threshold": 0.25}
    one, two = (
        [record(str(n), 0.5, settings=s) for n, s in enumerate(given)] for given in ([METHOD] * 2, [METHOD, other])
    )
    assert "<p>Detector: noi, threshold 0.5</p>" in written(one)
    said = "Answers of several settings, whose scores do not compare: noi, threshold 0.5; noi, threshold 0.25"
    assert f"<p>{said}</p>" in written(two)


def test_what_can_be_pressed_or_seen_is_told_by_the_files_name():
    sheet = written([record("a&b", 0.2), record('"c"', 0.3)], lambda name: b"picture")
    assert re.findall(r'alt="(.*?)"', sheet) == [
        f"picture and overlay of {file}.png" for file in ("a&amp;b", "&quot;c&quot;")
    ]
    assert re.findall(r'aria-label="(.*?)"', sheet) == [
        f"{kind} of {file}.png" for file in ("a&amp;b", "&quot;c&quot;") for kind in ("map", "mask")
    ]


def luminance(colour):
    """Of #rgb or #rrggbb, as WCAG 2 defines it."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    levels = [int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    linear = [level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in levels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("name", "grounds"),
    [("soft", ("#fff", "#3b3b3b")), ("warning", ("#fff", "#1e1e1e"))],  # white, and browsers' palest dark
    ids=["on the page and in a field", "on the page"],
)
def test_coloured_words_stand_out(name, grounds):
    colours = re.findall(rf"--{name}: (#\w+);", contact_sheet.STYLE)
    for colour, ground in zip(colours, grounds, strict=True):
        darker, lighter = sorted(map(luminance, (colour, ground)))
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_it_fits_a_telephone(sheet, tmp_path, browser):
    (tmp_path / "index.html").write_text(sheet)
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(f"file://{tmp_path}/index.html")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("document.querySelector('article').getBoundingClientRect().right") <= 390


def test_names_are_found_in_either_form_and_gone_back_to_the_page_shows_what_is_asked(tmp_path, browser):
    records = [record("a", 0.2), record(unicodedata.normalize("NFD", "Möbel"), 0.3), record("Möbel 2", 0.4)]
    (tmp_path / "index.html").write_text(written(records))
    page = browser.new_page()
    page.goto(f"file://{tmp_path}/index.html")
    assert page.inner_text("#shown") == "3 of 3 shown"
    for form in ("NFC", "NFD"):
        page.fill("[name=words]", unicodedata.normalize(form, "möb"))
        assert page.inner_text("#shown") == "2 of 3 shown"
    page.select_option("[name=order]", "score")
    page.goto("about:blank")
    page.go_back()
    assert page.inner_text("#shown") == "2 of 3 shown"
    assert page.locator("article:visible h2").all_inner_texts()[0] == "Möbel 2.png"


def test_the_legend_is_printed_in_its_colours_and_a_picture_with_its_words(sheet, tmp_path, browser):
    (tmp_path / "index.html").write_text(sheet)
    page = browser.new_page()
    page.goto(f"file://{tmp_path}/index.html")
    page.emulate_media(media="print")
    for part in (".heat", ".outline"):
        assert page.locator(part).evaluate("part => getComputedStyle(part).printColorAdjust") == "exact"
    assert page.locator("article").first.evaluate("card => getComputedStyle(card).breakInside") == "avoid"
    page.emulate_media(media="screen", forced_colors="active")
    ground = "getComputedStyle(document.querySelector('.heat')).backgroundImage"
    assert page.evaluate(ground).startswith("linear-gradient(")


@pytest.mark.parametrize("size", [(700, 400), (1024, 768), (1280, 480), (1600, 900)], ids=str)
def test_what_is_gone_to_is_not_behind_the_controls(tmp_path, browser, size):
    records = [record(f"{number:04}", 0.5) for number in range(300)]
    failed = [{**record(f"failed {number}", 0), "error": "no picture"} for number in range(40)]
    small = encoded(np.zeros([4, 8, 3], np.uint8))
    (tmp_path / "index.html").write_text(written(records + failed, lambda name: small))
    page = browser.new_page(viewport=dict(zip(("width", "height"), size)))
    page.goto(f"file://{tmp_path}/index.html")
    covered = """place => {
        const { left, top, bottom } = (place.querySelector("img") ?? place).getBoundingClientRect();
        return !place.contains(document.elementFromPoint(left + 5, (top + bottom) / 2));
    }"""
    page.locator("article .links a").last.focus()
    for _ in range(30):
        page.keyboard.press("Shift+Tab")
        assert not page.evaluate(f"({covered})(document.activeElement)")
    page.get_by_role("link", name="40 could not be answered").click()
    assert not page.locator("#errors h2").evaluate(covered)


def test_how_many_are_shown_is_told_and_nothing_else(sheet, tmp_path, browser):
    (tmp_path / "index.html").write_text(sheet)
    page = browser.new_page()
    page.goto(f"file://{tmp_path}/index.html")
    page.evaluate("""() => {
        window.told = [];
        for (const place of document.querySelectorAll("output, [role=status], [aria-live]"))
            new MutationObserver(() => told.push(place.innerText)).observe(place, { childList: true, subtree: true });
    }""")
    page.fill("[name=words]", "b")
    for least in (".5", ".6", "1"):
        page.locator("[name=least]").fill(least)
    assert page.get_by_role("status").inner_text() == "0 of 3 shown"
    assert page.evaluate("told") == ["1 of 3 shown", "0 of 3 shown"]
    assert page.inner_text("#at_least") == "1.00"


def test_without_scripts_there_is_no_control(sheet, tmp_path, browser):
    (tmp_path / "index.html").write_text(sheet)
    for scripts in (True, False):
        page = browser.new_context(java_script_enabled=scripts).new_page()
        page.goto(f"file://{tmp_path}/index.html")
        assert page.get_by_role("searchbox").count() == page.get_by_role("slider").count() == scripts
        assert page.get_by_role("article").count() == 3


def test_a_name_written_from_right_to_left_turns_nothing_else(tmp_path, browser):
    names = ["\u05d7\u05e9\u05d1\u05d5\u05df", "photo\u202egpj"]  # Hebrew; one that overrides the order of letters
    failed = [{**record(name, 0), "file": name, "error": "12 of 34 bytes"} for name in names]
    (tmp_path / "index.html").write_text(written(failed), encoding="utf-8")
    page = browser.new_page()
    page.goto(f"file://{tmp_path}/index.html")
    lefts = """item => [...item.lastChild.data].map((_, place) => {
        const range = document.createRange();
        range.setStart(item.lastChild, place);
        range.setEnd(item.lastChild, place + 1);
        return range.getBoundingClientRect().left;
    })"""
    for item in page.locator("#errors li").all():
        places = item.evaluate(lefts)
        assert places == sorted(places) and places[0] >= item.locator("bdi").bounding_box()["x"]
