"""One page to print or file: the picture, what was found on it, the numbers, and what they do not mean."""

from __future__ import annotations

import datetime
import io
import textwrap
import threading

from fastapi import Response
from matplotlib import font_manager, rc_context
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from gsr_tf import __version__
from gsr_tf.answers.overlay import draw_overlay
from gsr_tf.inference import included
from gsr_tf.inference.detector import Detector
from gsr_tf.web.answer import reduced
from gsr_tf.web.task import Found

MEDIA_TYPES = {"pdf": "application/pdf", "png": "image/png"}
A4 = (8.27, 11.69)  # inches
MARGIN, GAP, HIGHEST = 0.08, 0.03, 0.235  # of the page; the last is a picture's height
TOP, ABOVE_TABLE, FOOT = 0.885, 0.045, 0.08  # of the page: the pictures' top, the room under them, and the disclaimer's
LINE, BETWEEN_ROWS = 0.0165, 0.006  # of the page: the table's
SIDE = 1400  # pixels of a picture on the page: 400 a printed inch
LONGEST_NAME, MOST_BOXES = 70, 4
INK, GREY = "#1d2329", "#5b6570"
FONT = "DejaVu Sans"  # comes with Matplotlib
SETTINGS = {"font.family": FONT, "pdf.fonttype": 42, "text.color": INK, "text.parse_math": False}
DISCLAIMER = (
    "Marks say where to look closer and prove nothing; the score is no verdict. The model marks what resembles the "
    "manipulations it was trained on: it misses others, and it may mark harmless edits, strong compression, screens, "
    "text or unusual light. A picture without marks is not thereby authentic."
)
SEEN = {"whole": "the whole picture at the size trained on", "tile": "at its own resolution, in windows"}
LETTERS = {8: 118, 9: 88}  # that fit on a line, by letter size: of the whole width, and beside the labels
# Matplotlib keeps fonts and settings for the whole process.
DRAWING = threading.Lock()


def respond(found: Found, detector: Detector, *, format: str, name: str) -> Response:
    """The report as a file.

    Args:
        found: what is reported.
        detector: who found it.
        format: of the file, a key of `MEDIA_TYPES`.
        name: the picture's, as the client calls it.
    """
    with DRAWING, rc_context(SETTINGS):
        data = _draw(found, detector, printable(name), format)
    disposition = f'attachment; filename="report.{format}"'
    return Response(data, media_type=MEDIA_TYPES[format], headers={"Content-Disposition": disposition})


def printable(name: str) -> str:
    """A client's file name as it may stand on a page: no folders, no control characters, only letters the font has."""
    known = font_manager.get_font(font_manager.findfont(FONT)).get_charmap()
    name = name.replace("\\", "/").rpartition("/")[2]
    letters = "".join(letter if letter.isprintable() and ord(letter) in known else "?" for letter in name)
    if len(letters) > LONGEST_NAME:
        letters = f"{letters[: LONGEST_NAME - 12]}…{letters[-11:]}"
    return letters or "unnamed"


def _draw(found: Found, detector: Detector, name: str, format: str) -> bytes:
    now = datetime.datetime.now(datetime.UTC)
    buffer = io.BytesIO()
    page(found, detector, name, now).savefig(buffer, format=format, dpi=150, metadata=_metadata(format, name, now))
    return buffer.getvalue()


def page(found: Found, detector: Detector, name: str, now: datetime.datetime) -> Figure:
    """The page; the pictures on it are as large as the lines under them leave room for."""
    figure = Figure(A4)
    figure.text(MARGIN, 0.945, "Manipulation report", size=18, weight="bold")
    figure.text(MARGIN, 0.922, name, size=11, color=GREY)
    rows = {label: textwrap.wrap(value, LETTERS[9]) for label, value in facts(found, detector, now).items()}
    table = sum(len(lines) * LINE + BETWEEN_ROWS for lines in rows.values())
    bottom = _pictures(figure, found, room=TOP - ABOVE_TABLE - table - FOOT)
    _table(figure, rows, top=bottom - ABOVE_TABLE)
    figure.text(MARGIN, 0.035, textwrap.fill(DISCLAIMER, LETTERS[8]), size=8, color=GREY, linespacing=1.5)
    return figure


def _metadata(format: str, name: str, now: datetime.datetime) -> dict:
    title = f"Manipulation report: {name}"
    return {"Title": title, "Creator": "gsr_tf", "CreationDate": now} if format == "pdf" else {"Title": title}


def _pictures(figure: Figure, found: Found, room: float) -> float:
    """Draws the four pictures within `room` from `TOP`; returns where they end. All are shares of the page's height."""
    picture = reduced(found.picture, SIDE)
    probability = reduced(found.segmentation.map, SIDE)
    mask = reduced(found.segmentation.mask, SIDE)
    panels = {
        "picture": picture,
        "overlay: heat map, flagged region outlined": draw_overlay(picture, probability, mask),
        "probability of manipulation": probability,
        "mask: flagged pixels are white": mask,
    }
    width = (1 - 2 * MARGIN - GAP) / 2
    height = min(width * A4[0] / A4[1] * picture.shape[0] / picture.shape[1], HIGHEST, (room - GAP) / 2)
    for number, (title, pixels) in enumerate(panels.items()):
        row, column = divmod(number, 2)
        place = MARGIN + column * (width + GAP), TOP - (row + 1) * height - row * GAP, width, height
        axes = figure.add_axes(place, anchor="NW")
        limits = {"cmap": "inferno" if pixels is probability else "gray", "vmin": 0, "vmax": 1}
        shown = axes.imshow(pixels, **(limits if pixels.ndim == 2 else {}))
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(color="#c9ced4", linewidth=0.6)
        figure.text(place[0], place[1] + height + 0.006, title, size=8.5, color=GREY)
        if pixels is probability:
            _legend(figure, shown, place[0] + width - 0.12, place[1] + height + 0.006)
    return TOP - 2 * height - GAP


def _legend(figure: Figure, shown: AxesImage, left: float, bottom: float) -> None:
    bar = figure.add_axes([left, bottom, 0.1, 0.008])
    figure.colorbar(shown, cax=bar, orientation="horizontal", ticks=[])
    figure.text(left - 0.006, bottom, "0", size=7, color=GREY, ha="right")
    figure.text(left + 0.106, bottom, "1", size=7, color=GREY)


def facts(found: Found, detector: Detector, now: datetime.datetime) -> dict[str, str]:
    """The numbers of the page, by label."""
    segmentation, (height, width) = found.segmentation, found.picture.shape[:2]
    boxes = segmentation.boxes
    regions = [f"{box.width} × {box.height} at ({box.left}, {box.top})" for box in boxes[:MOST_BOXES]]
    if len(boxes) > MOST_BOXES:
        regions.append(f"and {len(boxes) - MOST_BOXES} more")
    rows = {
        "Threshold": f"{segmentation.threshold:.3f}",
        "Flagged": f"{100 * segmentation.flagged:.2f} % of the pixels lie above it, after the clean-up",
        "Regions": "; ".join(regions) or "none",
        "Image score": f"{segmentation.score:.3f}  (mean probability of the highest hundredth of the pixels)",
        "Picture": f"{width} × {height} pixels",
        "SHA-256": found.sha256,
        "Seen": f"{SEEN[found.resolution]}, {' and '.join(f'{scale:g}' for scale in found.scales)} times that size",
        "Model": f"{detector.name}, gsr_tf {__version__}",
        "Precision": "" if detector.precision == "float32" else f"convolutions in {detector.precision}",
        "Fingerprint": detector.fingerprint,
        "Date": f"{now:%Y-%m-%d %H:%M} UTC",
        "False alarms": _false_alarms(found, detector),
        "File": "; ".join(segmentation.warnings),
    }
    return {label: value for label, value in rows.items() if value}


def _false_alarms(found: Found, detector: Detector) -> str:
    alarms = included.false_alarms(detector.fingerprint, found.scales, found.resolution)
    return f"{alarms.usual} {alarms.few}" if alarms else ""


def _table(figure: Figure, rows: dict[str, list[str]], top: float) -> None:
    for label, lines in rows.items():
        figure.text(MARGIN, top, label, size=9, color=GREY)
        for line in lines:
            figure.text(MARGIN + 0.14, top, line, size=9)
            top -= LINE
        top -= BETWEEN_ROWS
