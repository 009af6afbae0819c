"""One page to look through: every picture beside its overlay, in the order of their names. Nothing is fetched.

The small pictures are inside the page; a click opens the overlay's own file, where the page lies beside it.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Sequence
from urllib.parse import quote

from gsr_tf.answers import files
from gsr_tf.inference import included

STYLE = """
:root { color-scheme: light dark; --soft: #666; --warning: #945700; }
@media (prefers-color-scheme: dark) { :root { --soft: #aaa; --warning: #d98a1a; } }
body { font: 14px/1.45 system-ui, sans-serif; margin: 0; background: Canvas; color: CanvasText; }
header { padding: .7rem 1.2rem 0; }
h1 { font-size: 1.15rem; margin: 0 0 .3rem; } p { margin: .2rem 0; } .note { color: var(--soft); }
form { display: flex; flex-wrap: wrap; gap: .4rem 1.2rem; align-items: center; padding: .5rem 1.2rem .7rem;
  background: Canvas; border-bottom: 1px solid #8886; }
label { display: flex; gap: .4rem; align-items: center; }
input, select { font: inherit; padding: .15rem .4rem; } input[type=search] { width: 15rem; }
::placeholder { color: var(--soft); opacity: 1; }
.heat { display: inline-block; width: 9rem; height: .7rem; border: 1px solid #8888; vertical-align: -1px; }
.outline { display: inline-block; width: 1.6rem; height: .7rem; background: #777; border: 2px solid #fff;
  outline: 2px solid #000; vertical-align: -1px; margin: 0 .3rem; }
.heat, .outline { -webkit-print-color-adjust: exact; print-color-adjust: exact; forced-color-adjust: none; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); gap: .9rem;
  padding: 1rem 1.2rem; }
article { border: 1px solid #8884; border-radius: 6px; padding: .6rem; content-visibility: auto;
  contain-intrinsic-size: auto 17rem; overflow-wrap: anywhere; }
article img { display: block; width: 100%; height: 13rem; object-fit: contain; background: #8882; }
[hidden] { display: none !important; }
article h2 { font-size: .95rem; margin: .5rem 0 .15rem; font-weight: 600; }
.score { font-variant-numeric: tabular-nums; }
.warning { color: var(--warning); font-size: .9em; } .links { font-size: .9em; }
@media (min-width: 80rem) and (min-height: 30rem) { /* where it takes one line; what is gone to stays below it */
  form { position: sticky; top: 0; z-index: 1; } :root { scroll-padding-top: 4rem; }
}
@media print { article { break-inside: avoid; } }
section { padding: 0 1.2rem 1rem; } section h2 { font-size: 1rem; } li { overflow-wrap: anywhere; }
"""
SCRIPT = """
const sheet = document.querySelector("main"), form = document.querySelector("form");
const cards = [...sheet.children], shown = document.getElementById("shown");
form.hidden = false;  // without this script it does nothing
form.addEventListener("submit", event => event.preventDefault());
const plain = text => text.normalize("NFC").toLowerCase();  // a Mac writes an accent as a letter of its own
function look() {
  const words = plain(form.words.value), least = Number(form.least.value), key = form.order.value;
  let count = 0;
  for (const card of cards) {
    const fits = plain(card.dataset.file).includes(words) && Number(card.dataset.score) >= least
      && (!form.flagged.checked || Number(card.dataset.flagged) > 0);
    card.hidden = !fits;
    count += fits;
  }
  const told = `${count} of ${cards.length} shown`;
  if (shown.textContent !== told) shown.textContent = told;  // a screen reader says it anew each time
  document.getElementById("at_least").textContent = least.toFixed(2);
  const order = key === "file" ? (a, b) => a.dataset.file.localeCompare(b.dataset.file)
    : (a, b) => b.dataset[key] - a.dataset[key];
  if (key !== sheet.dataset.order) sheet.append(...cards.sort(order));
  sheet.dataset.order = key;
}
form.addEventListener("input", look);
addEventListener("pageshow", look);  // of a page gone back to, the controls are as they were left
"""
CONTROLS = """<form hidden>
<label>Name <input type="search" name="words" placeholder="part of a name"></label>
<label>Score at least <input type="range" name="least" min="0" max="1" step="0.01" value="0">
<span id="at_least">0.00</span></label>
<label><input type="checkbox" name="flagged"> with a flagged region</label>
<label>Order <select name="order"><option value="file">name</option><option value="flagged">share flagged</option>
<option value="score">score</option></select></label>
<span id="shown" class="note" role="status"></span></form>
"""
# Samples of OpenCV's inferno, the overlay's colours.
LEGEND = """<p class="note">Left: the picture. Right: in grey, under heat <span class="heat" style="background:
linear-gradient(90deg, #888, #711f57 30%, #ba3655 50%, #f1731d 70%, #f6d543 90%, #fcffa4)"></span>, probability of
manipulation 0 to 1 <span class="outline"></span> flagged region: where to look closer. A score
is no verdict.</p>
"""


def page(records: Sequence[dict], preview: Callable[[str], bytes | None]) -> str:
    """The page.

    Args:
        records: of `Results`, in the order of names.
        preview: name of an answer -> its small JPEG, picture beside overlay; None: there is none.
    """
    answered = [record for record in records if "error" not in record]
    failed = [record for record in records if "error" in record]
    cards = "".join(_card(record, preview(record["name"])) for record in answered)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Where to look closer</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>\n<body><header>'
        f"<h1>{_summary(answered, failed)}</h1>\n<p>{_settings(records)}</p>\n{LEGEND}"
        f"{_false_alarms(records)}</header>\n{CONTROLS}<main>\n{cards}</main>\n{_errors(failed)}"
        f"<script>{SCRIPT}</script></body></html>\n"
    )


def _errors(failed: Sequence[dict]) -> str:
    if not failed:
        return ""
    lines = "".join(f"<li><bdi>{_text(record['file'])}</bdi>: {_text(record['error'])}</li>\n" for record in failed)
    heading = f"{_count(failed, 'picture')} could not be answered"
    return f'<section id="errors"><h2>{heading}</h2><ul>\n{lines}</ul></section>\n'


def _card(record: dict, small: bytes | None) -> str:
    file = _text(record["file"])
    links = " ".join(
        f'<a href="{_link(record, ending)}" aria-label="{kind} of {file}">{kind}</a>'
        for kind, ending in (("map", files.MAP), ("mask", files.MASK))
    )
    warnings = "".join(f'<p class="warning">{_text(warning)}</p>' for warning in record["warnings"])
    data = "" if small is None else f"data:image/jpeg;base64,{base64.b64encode(small).decode()}"
    image = f'<img loading="lazy" decoding="async" alt="picture and overlay of {file}" src="{data}">' if data else ""
    facts = f"{record['flagged']:.1%} flagged in {_count(record['boxes'], 'region')}, "
    return (
        f'<article data-file="{file}" data-score="{record["score"]}" '
        f'data-flagged="{record["flagged"]}">'
        f'<a href="{_link(record, files.OVERLAY)}">{image}</a>'
        f"<h2>{file}</h2>"
        f"<p>{facts}{_text(record['width'])}x{_text(record['height'])} pixels; "
        f'<span class="score">score {record["score"]:.3f}</span></p>{warnings}'
        f'<p class="links">{links}</p></article>\n'
    )


def _summary(answered: Sequence[dict], failed: Sequence[dict]) -> str:
    flagged = [record for record in answered if record["boxes"]]
    words = f"{_count(answered, 'picture')}, {len(flagged)} with a flagged region"
    return words if not failed else f'{words}, <a href="#errors">{len(failed)} could not be answered</a>'


def _settings(records: Sequence[dict]) -> str:
    """What answered: as a rule one detector with one setting."""
    said = dict.fromkeys(
        ", ".join(
            [record["settings"]["detector"], *(f"{k} {v}" for k, v in record["settings"].items() if k != "detector")]
        )
        for record in records
    )
    mixed = "Answers of several settings, whose scores do not compare: " if len(said) > 1 else "Detector: "
    return _text(mixed + "; ".join(said))


def _false_alarms(records: Sequence[dict]) -> str:
    """What was measured of the included model, where it alone answered, and as it was measured."""
    settings = [record["settings"] for record in records]
    asked = {(s.get("fingerprint"), tuple(s.get("scales", ())), s.get("resolution")) for s in settings}
    alarms = included.false_alarms(*asked.pop()) if len(asked) == 1 else None
    return f'<p class="note">{_text(alarms.usual)} {_text(alarms.few)}</p>\n' if alarms else ""


def _count(things: Sequence, word: str) -> str:
    return f"{len(things):,} {word}{'' if len(things) == 1 else 's'}"


def _link(record: dict, ending: str) -> str:
    return quote(record["name"] + ending, errors="surrogateescape")


def _text(value: object) -> str:
    return html.escape(str(value))
