"""The page of all answers promises no more than the model card."""

import re
import shutil

import pytest

from gsr_tf.answers import contact_sheet

SETTINGS = {"detector": "red", "threshold": 0.5}


def record(name, score, flagged=0.1):
    facts = {"boxes": [[0, 0, 3, 4]], "width": 60, "height": 40, "warnings": []}
    return {"name": name, "file": f"{name}.png", "score": score, "flagged": flagged, "settings": SETTINGS, **facts}


@pytest.fixture
def sheet():
    records = [record("a", 0.2), record("b", 0.99), record("c", 0.5), {**record("d", 0), "error": "the file is empty"}]
    return "".join(contact_sheet.page(records, lambda name: None))


def test_pictures_come_in_the_order_of_their_names(sheet):
    assert re.findall(r'data-file="(.*?)"', sheet) == ["a.png", "b.png", "c.png"]
    assert re.findall(r'<option value="(\w+)"', sheet)[0] == "file"


def test_no_score_is_an_alarm(sheet):
    assert re.findall(r'<span class="score">score (.*?)</span>', sheet) == ["0.200", "0.990", "0.500"]
    assert "hsl(" not in sheet and "red" not in contact_sheet.STYLE


def test_false_alarms_are_told_as_they_were_measured(sheet):
    assert "where to look closer" in sheet
    assert "of 98 in 100 authentic photographs" in sheet
    assert "manipulated regions" not in sheet.lower()


def test_what_was_not_answered_is_named(sheet):
    assert "<li>d.png: the file is empty</li>" in sheet


def test_it_fits_a_telephone(sheet, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no browser")
    (tmp_path / "index.html").write_text(sheet)
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.goto(f"file://{tmp_path}/index.html")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert page.evaluate("document.querySelector('article').getBoundingClientRect().right") <= 390
        browser.close()
