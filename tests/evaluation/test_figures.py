import io
import itertools

import numpy as np
import pytest
from PIL import Image, ImageColor
from skimage.color import deltaE_ciede2000, rgb2lab

from gsr_tf.evaluation import figures, gallery, html
from gsr_tf.evaluation.figures import Panel, seam
from tests.browser import browser as browser  # a fixture

PNG = b"\x89PNG\r\n\x1a\n"
MASK = np.zeros((6, 7), bool)
MASK[2:4, 1:5] = True


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def drawn_in(colour, png):
    return ((pixels(png).astype(int) - ImageColor.getrgb(colour)) ** 2).sum(axis=2) < 30


def test_a_grid_draws_every_panel_as_what_it_is():
    red = np.zeros((20, 30, 3), np.uint8)
    red[..., 0] = 255
    half = np.zeros((20, 30), bool)
    half[:, 15:] = True
    drawn = pixels(
        figures.grid([[Panel(red, "red"), Panel(half, "mask")], [Panel(np.zeros((20, 30)), "scores")]], ["a"])
    )
    left, right = drawn[: len(drawn) // 2, : drawn.shape[1] // 2], drawn[: len(drawn) // 2, drawn.shape[1] // 2 :]
    is_red = (left == [255, 0, 0]).all(axis=2).mean()
    assert is_red > 0.3
    black, white = (right == 0).all(axis=2).mean(), (right == 255).all(axis=2).mean()
    assert black == pytest.approx(is_red / 2, rel=0.1) and white > black


def test_a_long_name_does_not_leave_its_panel():
    white = np.full((20, 30, 3), 255, np.uint8)
    drawn = pixels(figures.grid([[Panel(white, 10 * "a long name "), Panel(white)]]))
    title = drawn[: len(drawn) // 8].min(axis=(0, 2)) < 128  # columns that hold letters
    assert title.any()
    assert not title[:4].any() and not title[drawn.shape[1] // 2 :].any()


def test_scores_are_drawn_on_the_scale_that_they_are_given():
    dim = np.full((20, 30), 0.5)
    as_probability, as_its_own = (
        pixels(figures.grid([[Panel(dim, highest=highest)]])).reshape(-1, 3) for highest in (1.0, None)
    )
    assert as_its_own.min() > as_probability.min()


def test_figure_4_has_a_column_a_checkpoint():
    columns = {title: np.zeros((2, 8, 8, 3), np.uint8) for title in ("M", "100", "200", "300")}
    drawn = pixels(figures.progress(columns, dict.fromkeys(columns, [3.0, 4.0])))
    dark = (drawn < 10).all(axis=2).any(axis=0)
    assert np.count_nonzero(np.diff(dark.astype(int)) == 1) >= 4


def test_the_seam_is_the_step_of_a_flat_region_on_a_flat_ground():
    picture = np.where(MASK[..., None], [40, 100, 250], [10, 130, 250]).astype(np.uint8)
    assert seam(picture, MASK) == pytest.approx((30 + 30 + 0) / 3)
    assert seam(picture, ~MASK) == seam(picture, MASK)


def test_only_neighbours_on_both_sides_of_the_border_count():
    picture = np.random.default_rng(0).integers(0, 256, (*MASK.shape, 3)).astype(np.uint8)
    pairs = []
    for y, x in np.ndindex(MASK.shape):
        for other in ((y + 1, x), (y, x + 1)):
            if other[0] < 6 and other[1] < 7 and MASK[y, x] != MASK[other]:
                pairs.append(np.abs(picture[y, x].astype(float) - picture[other]).mean())
    assert len(pairs) == 12
    assert seam(picture, MASK) == pytest.approx(np.mean(pairs), rel=1e-6)


def test_what_has_no_border_has_no_seam():
    assert np.isnan(seam(np.zeros((6, 7, 3), np.uint8), np.ones((6, 7), bool)))


def test_figure_5_draws_what_was_measured():
    one = {"GSR-Net": {"none": 0.5, "jpeg-70": 0.4, "jpeg-50": 0.3, "scale-0.5": 0.2}}
    two = {**one, "NOI": {"none": 0.2, "jpeg-70": 0.1}}
    images = [figures.robustness(curves) for curves in (one, two)]
    alone, both = (pixels(image) for image in images)
    assert alone.shape == both.shape and (alone != both).any()
    # The second line's colour is there only with a second method.
    assert [drawn_in("#d1495b", image).any() for image in images] == [False, True]


# What the colour-blind see of linear RGB: Machado et al. (2009), severity 1.
SEEN = {
    "by all cones": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


@pytest.mark.parametrize("matrix", SEEN.values(), ids=SEEN)
def test_lines_are_told_apart_by_the_colour_blind_and_from_the_paper(matrix):
    colours = np.array([ImageColor.getrgb(colour) for colour in figures.COLOURS]) / 255
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    assert (1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05) >= 3).all()  # WCAG 2, of lines on white
    seen = np.clip(linear @ np.transpose(matrix), 0, 1)
    seen = rgb2lab(np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055))
    assert min(deltaE_ciede2000(*pair) for pair in itertools.combinations(seen, 2)) > 15


def test_figure_5_has_the_weakest_attack_first_whoever_is_drawn_first():
    one = {"none": 0.6, "jpeg-70": 0.5, "jpeg-50": 0.4, "blur-3": 0.5, "blur-11": 0.3}
    other = {name: one[name] for name in ("none", "jpeg-50", "jpeg-70", "blur-11", "blur-3")}
    assert figures.robustness({"a": one}) == figures.robustness({"a": other})


def test_names_are_drawn_as_they_are_written():
    """Dollars are no mathematics, and a name that begins with an underscore is in the legend, too."""
    picture = Panel(np.zeros((8, 8, 3), np.uint8), "US$20_and_US$50 $5_$6")
    assert figures.grid([[picture]], [r"bad$\frac$"]).startswith(PNG)
    for drawn in (
        lambda label: figures.robustness({label: {"none": 0.5, "jpeg-50": 0.4}}),
        lambda label: figures.training_curves({label: {"loss": {1: 1.0, 2: 2.0}}}, columns=1),
    ):
        with_it, without = (drawn_in(figures.COLOURS[0], drawn(label)).sum() for label in ("_$a_$b", "$a_$b"))
        assert with_it == without


@pytest.mark.parametrize("count", [1, 2, 4, 9, 50])
def test_a_gallery_shows_each_picture_once_best_first(count):
    values = np.random.default_rng(count).permutation(count).astype(float)
    parts = gallery.chosen(np.concatenate([[np.nan], values, [np.nan]]))
    shown = np.concatenate(list(parts.values()))
    assert len(np.unique(shown)) == len(shown) and 0 not in shown and count + 1 not in shown
    assert parts["best"][0] == 1 + values.argmax()
    if count >= 9:
        assert {name: len(part) for name, part in parts.items()} == {"best": 3, "median": 3, "worst": 3}
        assert 1 + values.argmin() in parts["worst"]
        assert abs(np.median(values[parts["median"] - 1]) - np.median(values)) <= 1


def test_html_escapes_and_fetches_nothing():
    sections = [html.table(["x"], [["<script>"], [-1.5], ["\udce9"]]), html.figure(PNG, "a caption")]
    page = html.page("<a & b>", sections).decode()
    assert "&lt;script&gt;" in page and "<script" not in page and "&lt;a &amp; b&gt;" in page and "\\udce9" in page
    assert "http" not in page and "data:image/png;base64,iVBORw0KGgo" in page


def test_a_column_of_a_table_has_one_side(tmp_path, browser):
    rows = [("f1", "0.5", ".25 [.12, .37] / .5"), ("auc", "undefined", "not run / .5"), ("ap", "", "undefined / .5")]
    (tmp_path / "report.html").write_bytes(html.page("x", [html.table(("metric", "value", "ours"), rows)]))
    page = browser.new_page()
    page.goto(f"file://{tmp_path}/report.html")
    side = "cells => cells.map(cell => getComputedStyle(cell).textAlign)"
    for column, expected in enumerate(("left", "right", "left"), start=1):
        assert page.locator(f"tr > :nth-child({column})").evaluate_all(side) == 4 * [expected]
    page.set_viewport_size({"width": 120, "height": 400})  # numbers are not broken
    heights = page.locator("tbody tr").evaluate_all("rows => rows.map(row => row.offsetHeight)")
    assert len(set(heights)) == 1 and heights[0] < 40


def test_a_table_wider_than_the_paper_is_printed_whole(tmp_path, browser):
    wide = html.table([f"a long word {number}" for number in range(12)], [["word"] * 12])
    (tmp_path / "report.html").write_bytes(html.page("wide", [wide]))
    page = browser.new_page(viewport={"width": 320, "height": 600})
    page.goto(f"file://{tmp_path}/report.html")
    width, table = "document.documentElement.scrollWidth", "document.querySelector('table').offsetWidth"
    assert page.evaluate(width) == 320 < page.evaluate(table)
    page.emulate_media(media="print")
    assert page.evaluate(width) >= page.evaluate(table) > 320  # browsers fit this width to the paper


def test_a_figure_taller_than_the_paper_is_printed_on_one_sheet(tmp_path, browser):
    tall = io.BytesIO()
    Image.new("RGB", (1240, 4000)).save(tall, "PNG")
    (tmp_path / "report.html").write_bytes(html.page("tall", [html.figure(tall.getvalue(), "a caption")]))
    page = browser.new_page(viewport={"width": 700, "height": 1000})
    page.goto(f"file://{tmp_path}/report.html")
    assert page.locator("img").bounding_box()["height"] > 1000
    page.emulate_media(media="print")
    drawn = page.locator("img").bounding_box()
    assert page.locator("figure").bounding_box()["height"] <= 1000
    assert drawn["height"] > 800 and drawn["width"] == pytest.approx(drawn["height"] * 1240 / 4000, abs=1)


def test_what_names_the_lines_covers_none():
    count = len(figures.COLOURS)
    levels = {f"method {number}": (number + 1) / count for number in range(count)}
    panels = (
        figures.robustness({name: dict.fromkeys(("none", "jpeg-70", "jpeg-50"), y) for name, y in levels.items()}),
        figures.training_curves({name: {"loss": {0: y, 9: y}} for name, y in levels.items()}, columns=1),
    )
    for drawn in panels:
        sizes = [drawn_in(colour, drawn).sum() for colour in figures.COLOURS]
        assert max(sizes) < 1.1 * min(sizes)


def test_more_runs_than_colours_are_all_drawn_and_told_apart():
    count = len(figures.COLOURS)
    runs = {str(number): {"loss/edge": {0: float(number), 1: float(number)}} for number in range(count + 1)}
    drawn = drawn_in(figures.COLOURS[0], figures.training_curves(runs, columns=1))
    panel = drawn[: len(drawn) * 4 // 5]  # above the names
    rows = np.nonzero(panel.any(axis=1))[0]
    first, last = panel[rows.max() - 3 :], panel[: rows.min() + 4]
    assert rows.max() - rows.min() > len(drawn) / 2  # in the same colour
    assert 0.4 * first.sum() < last.sum() < 0.8 * first.sum()  # of which the last one is dashed
