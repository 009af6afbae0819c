"""The page, in a real browser: what a person does and sees."""

import base64
import io
import re
from urllib.parse import urlsplit

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image

from gsr_tf.inference.segmentation import segmentation
from tests.browser import browser as browser  # a fixture
from tests.web.conftest import FEW, USUAL, red_detector, running
from tests.web.pictures import blotches, encoded

playwright = pytest.importorskip("playwright.sync_api")

DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
PIXELS = blotches(150, 200)
PICTURE = {"name": "holiday photo.png", "mimeType": "image/png", "buffer": encoded(PIXELS)}
BROKEN = {"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": PICTURE["buffer"][:500]}


@pytest.fixture(scope="module")
def url():
    with running(red_detector(), upload_bytes=200_000) as (host, port):
        yield f"http://{host}:{port}"


@pytest.fixture
def page(url, browser, request):  # the browser is closed before the server, whose connections it holds
    """The page, opened; afterwards: whether it asked others, complained, or broke its own policy."""
    context = browser.new_context(viewport=getattr(request, "param", DESKTOP))
    page = context.new_page()
    asked, complaints = [], []
    page.on("request", lambda sent: asked.append(sent.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(url)
    playwright.expect(page.locator("#limits")).to_contain_text("up to 0.2 MB and 64 megapixels")
    yield page
    context.close()
    own = ("http", urlsplit(url).netloc)
    assert {urlsplit(address)[:2] for address in asked if not address.startswith(("data:", "blob:"))} == {own}
    # A refused picture is an answer of 4xx, and browsers note each in the console.
    assert [words for words in complaints if "the server responded with a status of 4" not in words] == []


def give(page, picture=PICTURE):
    page.set_input_files("#file", picture)
    playwright.expect(page.locator("#result")).to_be_visible()


def canvas(page):
    """[h, w, 4] uint8: what is shown."""
    text = page.evaluate("document.getElementById('canvas').toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text.partition(",")[2]))))


def saved(page, button):
    """(name, bytes) of a download."""
    with page.expect_download() as download:
        page.click(button)
    return download.value.suggested_filename, download.value.path().read_bytes()


def server_mask(url, threshold):
    parameters = {"threshold": threshold, "maps": 8}
    answer = httpx.post(f"{url}/v1/segment", params=parameters, content=PICTURE["buffer"], timeout=60).json()
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["maps"]["mask"])))), answer


@pytest.fixture
def transfer(page):
    """What a browser hands over when a picture is dropped or pasted."""
    return page.evaluate_handle(
        """text => {
            const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "given.png", {type: "image/png"}));
            return transfer;
        }""",
        base64.b64encode(PICTURE["buffer"]).decode(),
    )


def test_a_dropped_picture_is_answered(page, transfer):
    for event in ("dragover", "drop"):
        page.dispatch_event("#drop", event, {"dataTransfer": transfer})
    playwright.expect(page.locator("#result")).to_be_visible()
    playwright.expect(page.locator("#status")).to_contain_text("given.png: ")
    assert page.locator("#size").inner_text() == "200 × 150"
    assert page.locator("#threshold-text").inner_text() == f"{round(0.4 * 256) / 256:.3f}"
    assert canvas(page).shape == (150, 200, 4)


def test_a_pasted_picture_is_answered(page, transfer):
    page.evaluate("data => dispatchEvent(new ClipboardEvent('paste', {clipboardData: data}))", transfer)
    playwright.expect(page.locator("#result")).to_be_visible()
    playwright.expect(page.locator("#status")).to_contain_text("given.png: ")


def test_the_score_is_no_verdict_and_comes_after_what_is_marked(page):
    give(page)
    facts = page.locator("#facts dd")
    assert facts.evaluate_all("all => all.map(one => one.id)")[:4] == ["name", "flagged", "regions", "score"]
    assert len(set(facts.evaluate_all("all => all.map(one => getComputedStyle(one).fontWeight)"))) == 1


def test_the_mask_is_the_servers_at_every_threshold(page, url):
    give(page)
    masks = []
    for level in (0, 60, 128, 190, 230, 254):
        page.locator("#threshold").fill(str(level))
        playwright.expect(page.locator("#threshold-text")).to_have_text(f"{level / 256:.3f}")
        expected, answer = server_mask(url, level / 256)
        assert page.locator("#regions").inner_text() == str(len(answer["boxes"]))
        flagged = page.locator("#flagged").inner_text()
        assert float(flagged.split()[0]) == pytest.approx(100 * answer["flagged"], abs=0.06)
        words = f"{flagged} of the pixels are flagged, in " if answer["boxes"] else "no pixel is flagged"
        playwright.expect(page.locator("#status")).to_contain_text(words)
        name, data = saved(page, "#download-mask")
        assert name == "holiday photo_mask.png"
        playwright.expect(page.locator("#status")).to_have_text("The mask is saved.")
        shown = np.asarray(Image.open(io.BytesIO(data)))[..., 0]
        np.testing.assert_array_equal(shown, expected)
        masks.append(shown)
    shares = [mask.mean() for mask in masks]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 255 and 0 < shares[3] < 255


def test_views_and_opacity(page, url):
    give(page)
    page.locator("#threshold").fill("180")
    shown = {}
    for view in ("overlay", "heat", "boundary", "mask", "original"):
        page.locator(f"input[value={view}]").check()
        shown[view] = canvas(page)[..., :3].astype(int)
    # JPEG's colours are not exact: the preview is compared by its mean difference.
    assert np.abs(shown["original"] - PIXELS).mean() < 15
    assert np.abs(shown["heat"] - shown["boundary"]).mean() > 10
    opaque = page.locator("#opacity")
    page.locator("input[value=heat]").check()
    opaque.fill("100")
    playwright.expect(page.locator("#opacity-text")).to_have_text("100 %")
    heat = cv2.applyColorMap(np.ceil(PIXELS[..., 0] / 255 * 256).clip(0, 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    assert np.abs(canvas(page)[..., :3].astype(int) - heat[..., ::-1]).max() <= 8  # interpolated between 17 colours

    opaque.fill("0")
    playwright.expect(page.locator("#opacity-text")).to_have_text("0 %")
    bare = canvas(page)[..., :3].astype(int)
    assert np.ptp(bare, axis=-1).max() <= 1  # the picture in grey
    page.locator("input[value=mask]").check()
    opaque.fill("100")
    playwright.expect(page.locator("#opacity-text")).to_have_text("100 %")
    np.testing.assert_array_equal(canvas(page)[..., 0], server_mask(url, 180 / 256)[0])


def test_the_overlay_outlines_the_mask(page, url):
    give(page)
    page.locator("#opacity").fill("0")
    page.locator("#threshold").fill("180")
    playwright.expect(page.locator("#threshold-text")).to_have_text("0.703")
    mask = server_mask(url, 180 / 256)[0]
    inside = cv2.erode(mask, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)), borderValue=0)
    playwright.expect(page.locator("#opacity-text")).to_have_text("0 %")
    np.testing.assert_array_equal(canvas(page)[..., :3][(mask > 0) & (inside == 0)], 255)


@pytest.mark.parametrize(("button", "start"), [("#download-pdf", b"%PDF"), ("#download-png", b"\x89PNG")])
def test_a_report_is_saved(page, button, start):
    give(page)
    name, data = saved(page, button)
    assert name == f"holiday photo_report.{button[-3:]}"
    assert data.startswith(start)
    playwright.expect(page.locator("#status")).to_have_text("The report is saved.")


def test_a_bad_file_is_named_and_the_next_one_is_answered(page):
    page.set_input_files("#file", BROKEN)
    error = page.get_by_role("alert")
    playwright.expect(error).to_contain_text("broken.jpg: truncated or damaged")
    assert not page.locator("#result").is_visible()
    playwright.expect(page.locator("#busy")).to_be_hidden()
    page.set_input_files("#file", {**PICTURE, "name": "large.png", "buffer": bytes(200_001)})
    playwright.expect(error).to_contain_text("large.png: the file is larger than 0.2 MB")
    give(page)
    playwright.expect(error).to_be_empty()
    page.set_input_files("#file", BROKEN)
    playwright.expect(error).to_contain_text("broken.jpg: truncated or damaged")
    playwright.expect(page.locator("#result")).to_be_hidden()  # it was another picture's


def test_the_mask_of_a_large_picture_is_saved_at_full_size(page):
    pixels = np.zeros([300, 3000, 3], np.uint8)
    pixels[100:200, 1000:1501, 0] = 255
    give(page, {**PICTURE, "buffer": encoded(pixels)})
    playwright.expect(page.locator("#warnings")).to_contain_text("Shown at 2048 × 205; masks are saved at full size.")
    name, data = saved(page, "#download-mask")
    mask = np.asarray(Image.open(io.BytesIO(data)))
    assert (name, mask.shape) == ("holiday photo_mask.png", (300, 3000))
    expected = segmentation(pixels[..., 0] / np.float32(255), threshold=0.4).mask
    np.testing.assert_array_equal(mask > 0, expected)


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_an_error_is_scrolled_to(page):
    give(page)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.route("**/v1/report*", lambda route: route.fulfill(status=413, body='{"error": {"message": "no"}}'))
    page.get_by_role("button", name="Report PDF").click()
    playwright.expect(page.get_by_role("alert")).to_contain_text("holiday photo.png: no.")
    playwright.expect(page.get_by_role("alert")).to_be_in_viewport()
    playwright.expect(page.locator("#status")).to_be_empty()


def test_the_page_says_what_was_measured_and_not_what_was_never_learnt(page):
    page.locator("summary").click()
    words = page.locator("body").inner_text()
    assert "painted over" not in words
    assert "where to look closer" in words
    for of_the_included_model in ("model card", "better than"):
        assert of_the_included_model not in words
    give(page)
    assert "authentic photographs" not in page.locator("body").inner_text()
    assert page.locator("#usual").is_visible() and not page.locator("#few").is_visible()


def test_of_the_included_model_it_says_what_was_measured(browser, included):
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    with running(included) as (host, port):
        page.goto(f"http://{host}:{port}")
        give(page)
        assert f"{USUAL}photographs (SET 7). {FEW}" in " ".join(page.locator("#threshold-hint").inner_text().split())
        for button, level in (("Few false alarms: 0.75", 192), ("Model's own: 0.4", 102)):
            point = page.get_by_role("button", name=button)
            page.locator("#threshold").fill("7")
            playwright.expect(point).to_have_attribute("aria-pressed", "false")
            point.click()
            assert page.locator("#threshold").input_value() == str(level)
            assert page.locator("#threshold-text").inner_text() == f"{level / 256:.3f}"
            assert point.get_attribute("aria-pressed") == "true"
        with page.expect_popup() as card:
            page.get_by_role("link", name="model card").last.click()
        assert card.value.locator("body").inner_text().startswith("# Model card")
        playwright.expect(page.locator("#result")).to_be_visible()  # what was found is not lost
        assert page.locator("a:not([target=_blank])").count() == 0
        context.close()


def test_a_server_that_is_gone(browser):
    context = browser.new_context()
    page = context.new_page()
    with running(red_detector()) as (host, port):
        page.goto(f"http://{host}:{port}")
        playwright.expect(page.locator("#limits")).to_contain_text("up to")
    page.set_input_files("#file", PICTURE)
    playwright.expect(page.get_by_role("alert")).to_contain_text("no answer. Is the server still running?")
    context.close()


def test_a_server_that_was_started_anew_with_another_model(browser, included):
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    with running(included, upload_bytes=300_000) as (host, port):
        page.goto(f"http://{host}:{port}")
        page.set_input_files("#file", [{**PICTURE, "name": name} for name in ("one.png", "other.png")])
        playwright.expect(page.get_by_role("listitem").get_by_text("done")).to_have_count(2)
        page.click("#few")
        assert page.locator("#limits").inner_text().endswith("HEIC, up to 0.3 MB and 64 megapixels")
        assert page.get_by_role("link", name="model card").last.is_visible()
    with running(red_detector(fingerprint="f2"), port=port, upload_bytes=200_000):
        page.click("#download-png")  # would be of what is not shown
        error = page.get_by_role("alert")
        playwright.expect(error).to_have_text(
            "one.png: the server was started anew, with other settings. Give it the picture again."
        )
        give(page, {**PICTURE, "name": "third.png"})
        playwright.expect(page.locator("#name")).to_have_text("third.png")
        assert page.locator("#limits").inner_text().endswith("HEIC, up to 0.2 MB and 64 megapixels")
        assert page.locator("#threshold").input_value() == "102"
        with page.expect_request("**/v1/segment?*"):  # the other model's answer is none any more
            page.get_by_role("listitem").nth(1).get_by_role("button").click()
        playwright.expect(page.locator("#name")).to_have_text("other.png")
        for of_the_other_model in ("#few", "footer .included"):
            assert not page.locator(of_the_other_model).is_visible()
        assert page.locator("#alarms").inner_text() == ""
        playwright.expect(error).to_be_empty()
        context.close()


def test_a_chosen_threshold_holds_for_the_pictures_that_follow(browser, included):
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    with running(included) as (host, port):
        page.goto(f"http://{host}:{port}")
        page.set_input_files("#file", [{**PICTURE, "name": name} for name in ("one.png", "other.png")])
        items = page.get_by_role("listitem")
        playwright.expect(items.get_by_text("done")).to_have_count(2)
        page.locator("input[value=mask]").check()
        page.locator("#opacity").fill("100")
        for button, level in (("#few", 192), ("#usual", 102)):
            page.click(button)
            for number in (1, 0, 0):
                items.nth(number).get_by_role("button").click()
                playwright.expect(page.locator("#name")).to_have_text(("one.png", "other.png")[number])
                assert page.locator("#threshold").input_value() == str(level)
                assert page.locator(button).get_attribute("aria-pressed") == "true"
                expected, _ = server_mask(f"http://{host}:{port}", level / 256)
                np.testing.assert_array_equal(canvas(page)[..., 0], expected)
            with page.expect_request(f"**/v1/report?threshold={level / 256}&*"):
                page.click("#download-png")
            playwright.expect(page.locator("#status")).to_have_text("The report is saved.")
        context.close()


def test_a_file_that_is_no_longer_there_is_not_the_servers_fault(browser, url, tmp_path):
    paths = [tmp_path / name for name in ("one.png", "gone.png")]
    for path in paths:
        path.write_bytes(PICTURE["buffer"])
    context = browser.new_context()
    page = context.new_page()

    sent = []

    def delete_the_next(route):
        sent.append(route)
        paths[1].unlink(missing_ok=True)
        route.continue_()

    page.goto(url)
    page.route("**/v1/segment*", delete_the_next)
    page.set_input_files("#file", paths)
    failed = page.get_by_role("listitem").nth(1)
    playwright.expect(failed).to_contain_text("failed: the file cannot be read: it is a folder, or was moved, changed")
    playwright.expect(page.get_by_role("listitem").nth(0)).to_contain_text("done")
    assert len(sent) == 1  # a request for what is gone would never end in Firefox
    context.close()


def test_what_was_written_to_a_file_since_is_not_sent(page):
    give(page)
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.evaluate("File.prototype.arrayBuffer = async () => new ArrayBuffer(100)")  # as in Firefox
    page.click("#download-pdf")
    error = page.get_by_role("alert")
    playwright.expect(error).to_contain_text("holiday photo.png: the file cannot be read: it is a folder, or ")
    assert sent == []


def test_an_answer_takes_the_place_of_an_error(page):
    page.route("**/v1/segment*", lambda route: route.fulfill(status=413, body='{"error": {"message": "no"}}'))
    page.set_input_files("#file", [PICTURE, {**PICTURE, "name": "other.png"}])
    playwright.expect(page.get_by_text("failed: no.")).to_have_count(2)
    playwright.expect(page.get_by_role("alert")).to_have_text("holiday photo.png: no.")
    page.unroute("**/v1/segment*")
    page.get_by_role("listitem").first.get_by_role("button").click()
    playwright.expect(page.locator("#result")).to_be_visible()
    playwright.expect(page.get_by_role("alert")).to_be_empty()


def test_what_is_no_longer_looked_at_is_not_said_to_be(page):
    page.set_input_files("#file", [BROKEN, {**BROKEN, "name": "other.jpg"}])
    playwright.expect(page.get_by_text("failed: truncated")).to_have_count(2)
    playwright.expect(page.locator("#status")).to_be_empty()
    playwright.expect(page.get_by_role("alert")).to_contain_text("broken.jpg: truncated")


def test_what_is_dropped_and_is_no_file_is_refused_in_words(page):
    page.evaluate(
        """() => {
            const dataTransfer = new DataTransfer();
            dataTransfer.setData("text/uri-list", "https://example.org/picture.jpg");
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
        }"""
    )
    playwright.expect(page.get_by_role("alert")).to_contain_text("is no file. Save the picture first")


def test_what_is_pasted_and_is_no_picture_is_refused_in_words(page, transfer):
    give(page)
    page.evaluate("dispatchEvent(new ClipboardEvent('paste', { clipboardData: new DataTransfer() }))")
    error = page.get_by_role("alert")
    playwright.expect(error).to_contain_text("The browser hands over no picture that was pasted. Choose its file")
    page.evaluate("data => dispatchEvent(new ClipboardEvent('paste', {clipboardData: data}))", transfer)
    playwright.expect(page.locator("#status")).to_contain_text("given.png: ")
    playwright.expect(error).to_be_empty()


def test_a_name_that_runs_from_right_to_left_turns_no_other_words(page):
    name = "photo\u202egpj"  # its end is shown as "jpg", and all that follows it would be turned round
    page.set_input_files("#file", {**PICTURE, "name": name})
    status = page.locator("#status")
    playwright.expect(status).to_contain_text(re.compile(f"{name}: .* flagged"))
    first, last = status.evaluate(
        """status => [0, status.lastChild.length - 1].map(place => {
            const range = document.createRange();
            range.setStart(status.lastChild, place);
            range.setEnd(status.lastChild, place + 1);
            return range.getBoundingClientRect().left;
        })"""
    )
    assert status.bounding_box()["x"] < first < last
    page.set_input_files("#file", {**BROKEN, "name": name})
    playwright.expect(page.locator("#error bdi")).to_have_text(name)


def test_what_is_read_out_is_what_happened(page):
    give(page)
    page.evaluate("""() => {
        window.told = [];
        for (const place of document.querySelectorAll("output:not([aria-live=off]), [aria-live=polite], [role=alert]"))
            new MutationObserver(() => told.push(place.id)).observe(place, { childList: true, subtree: true });
    }""")
    page.set_input_files("#file", {**PICTURE, "name": "other.png"})
    playwright.expect(page.locator("#status")).to_contain_text(re.compile("other.png: .* flagged"))
    assert "zoom-text" not in page.evaluate("told")
    page.evaluate("told.length = 0")
    page.locator("#threshold").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("told.length")
    page.wait_for_timeout(100)
    assert page.evaluate("told") == ["status"]  # the slider itself has its value
    page.click("#zoom-in")
    assert page.evaluate("told") == ["status", "zoom-text"]


def test_without_scripts_it_says_that_it_needs_them(browser, url):
    for scripts in (True, False):
        context = browser.new_context(java_script_enabled=scripts)
        page = context.new_page()
        page.goto(url)
        seen = "place => place.getBoundingClientRect().height > 10 && place.innerText"  # Playwright sees no `noscript`
        assert ("needs JavaScript" in (page.locator("noscript").evaluate(seen) or "")) != scripts
        context.close()


def focused(page):
    return page.evaluate("document.activeElement.id")


def test_a_button_that_is_done_keeps_the_focus_or_passes_it_on(page):
    give(page)
    held = []
    page.route("**/v1/report*", lambda route: held.append(route))
    button = page.locator("#download-pdf")
    button.focus()
    with page.expect_request("**/v1/report*"):
        page.keyboard.press("Enter")
    playwright.expect(button).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("Enter")  # nothing more while it is written
    page.wait_for_timeout(100)
    assert focused(page) == "download-pdf" and len(held) == 1
    held.pop().continue_()
    playwright.expect(page.locator("#status")).to_have_text("The report is saved.")
    playwright.expect(button).to_have_attribute("aria-disabled", "false")
    assert focused(page) == "download-pdf"
    for way_back in ("zoom-reset", "zoom-out"):
        page.click("#zoom-in")
        page.locator(f"#{way_back}").focus()
        page.keyboard.press("Enter")
        playwright.expect(page.locator(f"#{way_back}")).to_be_disabled()
        page.wait_for_timeout(100)
        assert focused(page) == "zoom-in"


def test_what_is_chosen_is_seen_without_colours_of_ours(page):
    page.emulate_media(forced_colors="active")
    page.set_input_files("#file", [PICTURE, {**PICTURE, "name": "other.png"}])
    playwright.expect(page.get_by_role("listitem").get_by_text("done")).to_have_count(2)
    line = "button => getComputedStyle(button).textDecorationLine"
    assert page.locator("#usual").evaluate(line) == "underline"
    assert page.get_by_role("listitem").get_by_role("button").evaluate_all(f"all => all.map({line})") == [
        "underline",
        "none",
    ]
    page.locator("#threshold").fill("7")
    playwright.expect(page.locator("#usual")).to_have_attribute("aria-pressed", "false")
    assert page.locator("#usual").evaluate(line) == "none"


def test_pasted_pictures_are_told_apart(page):
    page.evaluate(
        """text => {
            const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
            for (const name of ["image.png", "named.png", "image.png"]) {
                const clipboardData = new DataTransfer();
                clipboardData.items.add(new File([bytes], name, { type: "image/png" }));
                dispatchEvent(new ClipboardEvent("paste", { clipboardData }));
            }
        }""",
        base64.b64encode(PICTURE["buffer"]).decode(),
    )
    items = page.get_by_role("listitem")
    playwright.expect(items.get_by_text("done")).to_have_count(3)
    playwright.expect(items).to_contain_text(["image 1.png", "named.png", "image 2.png"])


def test_from_the_keyboard(page):
    # Not `expect_file_chooser`: on a busy machine the key arrives before the browser knows that it is waited for.
    page.on("filechooser", lambda chooser: chooser.set_files(PICTURE))
    page.keyboard.press("Tab")
    playwright.expect(page.locator("#file")).to_be_focused()
    page.keyboard.press("Space")
    playwright.expect(page.locator("#result")).to_be_visible()

    def focused():
        return page.evaluate(
            "document.activeElement.id || document.activeElement.value || document.activeElement.tagName"
        )

    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(focused())
        visible = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert visible == "solid", focused()
    controls = [
        "frame",
        "zoom-in",
        "overlay",
        "threshold",
        "usual",
        "resolution",
        "opacity",
        "download-mask",
        "download-pdf",
        "download-png",
    ]
    assert reached == [*controls, "SUMMARY", "A"]

    page.locator("input[value=overlay]").focus()
    page.keyboard.press("ArrowDown")
    assert focused() == "heat"
    assert page.locator("#canvas").get_attribute("aria-label").startswith("Heat map: ")
    page.locator("#threshold").focus()
    before = int(page.locator("#threshold").input_value())
    page.keyboard.press("ArrowRight")
    assert int(page.locator("#threshold").input_value()) == before + 1


def test_another_resolution_looks_again(page):
    give(page)
    with page.expect_request("**/v1/segment?*resolution=tile*"):
        page.select_option("#resolution", "tile")
    playwright.expect(page.locator("#error")).to_contain_text("this model can only see a whole picture")
    playwright.expect(page.locator("#error")).to_be_in_viewport()
    playwright.expect(page.locator("#resolution")).to_have_value("whole")  # as what is still shown was seen
    with page.expect_request("**/v1/report?*resolution=whole*"):
        page.click("#download-png")
    playwright.expect(page.locator("#status")).to_have_text("The report is saved.")
    playwright.expect(page.locator("#error")).to_be_empty()


@pytest.fixture
def seen_at_both(page):
    """Resolutions that were asked for, all of which are answered, though the model can only see whole pictures."""
    asked = []

    def answer(route):
        asked.append(httpx.URL(route.request.url).params["resolution"])
        whole = route.fetch(url=route.request.url.replace("resolution=tile", "resolution=whole")).json()
        route.fulfill(json={**whole, "resolution": asked[-1]})

    page.route("**/v1/segment?*", answer)
    return asked


def resolution_of(page):
    return page.locator("#resolution").input_value()


def test_the_resolution_is_that_of_the_answer_that_is_shown(page, seen_at_both):
    page.set_input_files("#file", [{**PICTURE, "name": name} for name in ("one.png", "other.png")])
    entries = page.get_by_role("listitem")
    playwright.expect(entries.get_by_text("done")).to_have_count(2)
    page.select_option("#resolution", "tile")
    playwright.expect(page.locator("#status")).to_contain_text("one.png: ")
    playwright.expect(entries.get_by_text("done")).to_have_count(2)
    assert resolution_of(page) == "tile"
    for number, expected in ((1, "whole"), (0, "tile"), (1, "whole")):
        entries.nth(number).get_by_role("button").click()
        playwright.expect(page.locator("#name")).to_have_text(("one.png", "other.png")[number])
        assert resolution_of(page) == expected
    assert seen_at_both == ["whole", "whole", "tile"]


def test_a_resolution_chosen_while_a_picture_is_looked_at_is_carried_out(page, seen_at_both):
    def choose_meanwhile(route):
        if not seen_at_both[1:]:
            page.select_option("#resolution", "tile")
        route.fallback()

    give(page)
    page.route("**/v1/segment?*", choose_meanwhile)
    with page.expect_response("**/v1/segment?*resolution=tile*"):
        page.set_input_files("#file", [{**PICTURE, "name": "next.png"}])
    playwright.expect(page.locator("#name")).to_have_text("next.png")
    assert resolution_of(page) == "tile" and seen_at_both == ["whole", "whole", "tile"]


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_on_a_telephone(page):
    def sideways():
        return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    assert sideways() == 0
    give(page)
    long = {"name": f"{60 * 'long'}.jpg"}
    page.set_input_files("#file", [BROKEN | long, PICTURE | long])
    page.get_by_role("listitem").nth(2).get_by_text("done").click()
    playwright.expect(page.locator("#status")).to_contain_text(long["name"])
    assert sideways() == 0
    for control in page.locator("#result input, #result button:visible, #canvas").all():
        box = control.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]
    picture = page.locator("#canvas").bounding_box()
    assert picture["height"] / picture["width"] == pytest.approx(0.75, abs=0.02)


def test_several_pictures_are_looked_at_one_after_the_other(page):
    held = []
    page.route("**/v1/segment*", lambda route: held.append(route))
    page.set_input_files("#file", [{**PICTURE, "name": "a.png"}, BROKEN, {**PICTURE, "name": "c.png"}])
    items, text = page.get_by_role("listitem"), page.locator("#queue-text")

    def states(*expected):
        playwright.expect(items).to_contain_text(expected)

    states("a.pnglooking …", "broken.jpgwaiting", "c.pngwaiting")
    playwright.expect(text).to_have_text("0 of 3 pictures looked at")
    page.wait_for_timeout(100)
    held.pop().continue_()
    states("a.pngdone", "broken.jpglooking …", "c.pngwaiting")
    playwright.expect(page.locator("#name")).to_have_text("a.png")
    assert page.locator("#busy").is_visible()
    page.wait_for_timeout(100)
    held.pop().continue_()
    states("a.pngdone", "broken.jpgfailed: truncated or damaged", "c.pnglooking …")
    playwright.expect(page.get_by_role("alert")).to_be_empty()  # what is shown is another one
    page.wait_for_timeout(100)
    held.pop().continue_()
    playwright.expect(text).to_have_text("3 of 3 pictures looked at, 1 failed")
    playwright.expect(page.locator("#busy")).to_be_hidden()
    assert page.locator("#name").inner_text() == "a.png"
    page.unroute("**/v1/segment*")

    items.nth(2).get_by_role("button").click()
    playwright.expect(page.locator("#name")).to_have_text("c.png")
    assert items.nth(2).get_by_role("button").get_attribute("aria-current") == "true"
    assert items.nth(0).get_by_role("button").get_attribute("aria-current") == "false"
    with page.expect_request("**/v1/segment*"):
        items.nth(1).get_by_role("button").click()  # one that failed is looked at again
    playwright.expect(page.get_by_role("alert")).to_contain_text("broken.jpg: truncated or damaged")
    playwright.expect(page.locator("#result")).to_be_hidden()
    items.nth(0).get_by_role("button").click()
    playwright.expect(page.locator("#result")).to_be_visible()
    playwright.expect(page.get_by_role("alert")).to_be_empty()


def test_a_long_list_is_drawn_where_it_changes_and_holds_few_answers(page):
    page.evaluate(
        """() => {
          window.drawn = 0;
          const seen = new MutationObserver((found) => { window.drawn += found.length; });
          seen.observe(document.getElementById("pictures"), { childList: true, subtree: true });
        }"""
    )
    asked = []
    page.on("request", lambda sent: asked.append(sent.url) if "/v1/segment" in sent.url else None)
    count = 20
    page.set_input_files("#file", [{**PICTURE, "name": f"{number}.png"} for number in range(count)])
    playwright.expect(page.locator("#queue-text")).to_have_text(f"{count} of {count} pictures looked at")
    assert page.evaluate("window.drawn") < 8 * count and len(asked) == count
    items = page.get_by_role("listitem")
    for number, again in [(0, 0), (count - 1, 0), (3, 1), (3, 1), (0, 2), (count - 1, 2), (1, 3)]:
        items.nth(number).get_by_role("button").click()
        playwright.expect(page.locator("#name")).to_have_text(f"{number}.png")
        playwright.expect(items.nth(number)).to_contain_text("done")
        assert len(asked) == count + again, number


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_the_picture_that_is_shown_is_seen_in_the_list(page):
    names = [f"{number}.png" for number in range(12)]
    page.set_input_files("#file", [{**PICTURE, "name": name} for name in names])
    playwright.expect(page.locator("#queue-text")).to_have_text("12 of 12 pictures looked at")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    place = page.evaluate("scrollY")
    page.set_input_files("#file", {**PICTURE, "name": "last.png"})
    playwright.expect(page.locator("#name")).to_have_text("last.png")
    assert page.evaluate("scrollY") == pytest.approx(place, abs=2)  # the page itself stays where it is
    seen, last = page.locator("#pictures").bounding_box(), page.get_by_role("listitem").last.bounding_box()
    assert seen["y"] <= last["y"] and last["y"] + last["height"] <= seen["y"] + seen["height"]
    page.get_by_role("listitem").first.get_by_role("button").evaluate("button => button.click()")
    assert page.get_by_role("listitem").first.bounding_box()["y"] >= seen["y"]


def test_one_picture_needs_no_list(page):
    give(page)
    assert not page.locator("#queue").is_visible()


def test_zoom_and_move(page):
    def place():
        box = page.locator("#canvas").bounding_box()
        return np.array([box["x"], box["y"], box["width"], box["height"]])

    give(page)
    whole, frame = place(), page.locator("#frame").bounding_box()
    out, text = page.get_by_role("button", name="Zoom out"), page.locator("#zoom-text")
    assert out.is_disabled()
    page.get_by_role("button", name="Zoom in").click()
    playwright.expect(text).to_have_text("150 %")
    np.testing.assert_allclose(place()[2:], 1.5 * whole[2:], atol=1)
    np.testing.assert_allclose((place()[:2] + place()[2:] / 2), whole[:2] + whole[2:] / 2, atol=1)  # about the middle
    out.click()
    np.testing.assert_allclose(place(), whole, atol=0.1)

    corner = whole[:2] + 10  # the wheel zooms about the pointer
    page.mouse.move(*corner)
    page.mouse.wheel(0, -1000)
    playwright.expect(text).not_to_have_text("100 %")
    zoomed = place()
    scale = zoomed[2] / whole[2]
    assert scale > 3
    assert (corner[1] - zoomed[1]) / zoomed[3] == pytest.approx((corner[1] - whole[1]) / whole[3], abs=0.01)
    page.mouse.move(frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2)
    page.mouse.down()
    page.mouse.move(frame["x"] + frame["width"] / 2 - 20, frame["y"] + frame["height"] / 2 - 30)
    page.mouse.up()
    np.testing.assert_allclose(place()[:2] - zoomed[:2], [-20, -30], atol=2)
    page.locator("#frame").focus()
    before = place()
    page.keyboard.press("ArrowDown")
    assert place()[1] < before[1]
    for _ in range(50):  # not past the edge
        page.keyboard.press("ArrowUp")
    assert place()[1] == pytest.approx(frame["y"], abs=1)
    page.keyboard.press("0")
    np.testing.assert_allclose(place(), whole, atol=0.1)
    page.keyboard.press("+")
    playwright.expect(text).to_have_text("150 %")
    page.keyboard.press("-")
    playwright.expect(text).to_have_text("100 %")
    assert canvas(page).shape[:2] == PIXELS.shape[:2]  # as fine as before


def test_everything_has_a_name(page):
    give(page)
    for role, names in {
        "slider": ["Threshold", "Opacity"],
        "radio": ["Overlay", "Heat map", "Boundary", "Mask", "Original"],
        "button": ["Save mask (PNG)", "Report PDF", "Report PNG", "Zoom in", "Zoom out", "All of it"],
    }.items():
        for name in names:
            assert page.get_by_role(role, name=name, exact=True).count() == 1
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("img").get_attribute("aria-label").startswith("Overlay: ")
