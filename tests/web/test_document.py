import dataclasses
import datetime
import io
import itertools

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

import gsr_tf
from gsr_tf.inference.segmentation import segmentation
from gsr_tf.web import document
from gsr_tf.web.task import Found
from tests.web.conftest import FEW, USUAL, red_detector
from tests.web.pictures import blotches, encoded

PIXELS = blotches()
NOW = datetime.datetime(2026, 3, 4, 5, 6, tzinfo=datetime.UTC)


def found(threshold=0.8, pixels=PIXELS):
    return Found(
        pixels, segmentation(pixels[..., 0] / np.float32(255), threshold=threshold), "ab12", {}, "whole", (0.75, 1.0)
    )


def test_the_facts_of_the_page():
    rows = document.facts(found(), red_detector(), NOW)
    answer = found().segmentation
    assert rows["Image score"].startswith(f"{answer.score:.3f}")
    assert list(rows)[:4] == ["Threshold", "Flagged", "Regions", "Image score"]  # which is no verdict, and so not first
    assert rows["Flagged"].startswith(f"{100 * answer.flagged:.2f} %")
    assert rows["Threshold"] == "0.800"
    first = answer.boxes[0]
    assert rows["Regions"].startswith(f"{first.width} × {first.height} at ({first.left}, {first.top})")
    assert (rows["SHA-256"], rows["Fingerprint"]) == ("ab12", "f1")
    assert rows["Model"] == f"red, gsr_tf {gsr_tf.__version__}"
    assert rows["Seen"] == "the whole picture at the size trained on, 0.75 and 1 times that size"
    assert (rows["Picture"], rows["Date"]) == ("120 × 90 pixels", "2026-03-04 05:06 UTC")
    assert document.facts(found(1.0), red_detector(), NOW)["Regions"] == "none"


def test_a_precision_that_is_not_the_usual_one_is_a_fact():
    detector = red_detector()
    assert "Precision" not in document.facts(found(), detector, NOW)
    detector.precision = "bfloat16"
    assert document.facts(found(), detector, NOW)["Precision"] == "convolutions in bfloat16"


def test_what_the_file_has_and_was_not_looked_at_is_a_fact():
    assert "File" not in document.facts(found(), red_detector(), NOW)
    noted = dataclasses.replace(found().segmentation, warnings=("the first of 2 frames", "transparency ignored"))
    rows = document.facts(found()._replace(segmentation=noted), red_detector(), NOW)
    assert rows["File"] == "the first of 2 frames; transparency ignored"


def test_what_was_measured_is_said_of_the_included_model_alone(included):
    said = found()._replace(scales=(1.0,))
    assert document.facts(said, included, NOW)["False alarms"] == f"{USUAL}photographs (SET 7). {FEW}"
    assert "False alarms" not in document.facts(said._replace(resolution="tile"), included, NOW)
    assert "False alarms" not in document.facts(said._replace(scales=(0.5, 1.0)), included, NOW)
    assert "False alarms" not in document.facts(said, red_detector(), NOW)


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("photo.jpg", "photo.jpg"),
        ("C:\\Users\\me\\photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("a\nb\x1b[31m\u202e.png", "a?b?[31m?.png"),
        ("$x^2$ & <b>.png", "$x^2$ & <b>.png"),
        ("", "unnamed"),
        ("ж漢.png", "ж?.png"),
        (80 * "x" + ".jpg", 58 * "x" + "…" + 7 * "x" + ".jpg"),
    ],
)
def test_names_as_they_may_stand_on_a_page(name, printed):
    assert document.printable(name) == printed


NOTES = ("transparency ignored", "the first of 12 frames", *(f"the colour profile {n} is not known" for n in range(9)))


@pytest.mark.parametrize("shape", [(90, 120), (320, 213), (400, 20)])
@pytest.mark.parametrize("notes", [(), NOTES[:1], NOTES], ids=len)
def test_nothing_on_the_page_lies_on_anything_else(included, shape, notes):
    pixels = np.zeros([*shape, 3], np.uint8)
    squares = pixels if shape[0] > shape[1] else pixels.swapaxes(0, 1)
    for start in range(0, 120, 20):
        squares[start : start + 8, :8, 0] = 255
    said = found(0.6, pixels)._replace(scales=(1.0,), sha256=64 * "d")
    said = said._replace(segmentation=dataclasses.replace(said.segmentation, warnings=notes))
    assert document.facts(said, included, NOW)["Regions"].endswith("; and 2 more")  # on a second line
    with rc_context(document.SETTINGS):
        page = document.page(said, included, "photo.png", NOW)
        FigureCanvasAgg(page).draw()
    parts = [*page.texts, *(axes for axes in page.axes if axes.images)]
    extents = [part.get_window_extent() for part in parts]
    for (one, first), (other, second) in itertools.combinations(zip(parts, extents, strict=True), 2):
        assert not first.overlaps(second), (one, other)
    width, height = page.bbox.size
    assert min(box.x0 for box in extents) >= 0.05 * width and max(box.x1 for box in extents) <= 0.95 * width
    assert min(box.y0 for box in extents) >= 0.03 * height and max(box.y1 for box in extents) <= 0.97 * height
    assert min(axes.get_position(original=True).height for axes in page.axes if axes.images) > 0.1


@pytest.mark.parametrize("shape", [(90, 120), (200, 20), (1, 1)])
def test_a_report_is_a_page_with_the_picture_on_it(client, shape):
    pixels = blotches(*shape) if min(shape) > 1 else np.full([1, 1, 3], 90, np.uint8)
    response = client.post("/v1/report", params={"format": "png", "name": "$\\frac.png"}, content=encoded(pixels))
    assert response.status_code == 200
    assert response.headers["Content-Disposition"] == 'attachment; filename="report.png"'
    page = Image.open(io.BytesIO(response.content))
    assert page.size == (1240, 1753)
    ink = np.ptp(np.asarray(page.convert("RGB")), axis=-1)
    assert (ink > 30).any()  # colours: the picture, its heat map
    borders = np.asarray(page.convert("L"))
    assert borders[:, :60].min() == borders[:, -60:].min() == borders[:60].min() == borders[-30:].min() == 255


def test_a_pdf_says_what_it_is(client):
    response = client.post("/v1/report", params={"name": "photo.png"}, content=encoded(PIXELS))
    assert response.headers["Content-Type"] == "application/pdf"
    assert response.content.startswith(b"%PDF")
    assert b"/Title (Manipulation report: photo.png)" in response.content
