"""Self-contained HTML: no script, nothing fetched, pictures inside."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 1240px; margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .7rem; border-bottom: 1px solid #ddd; vertical-align: top; }
th { background: #f4f4f2; } .numbers { text-align: right; } td.short { white-space: nowrap; }
caption, p.note, figcaption { color: #555; font-size: .88rem; text-align: left; }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; }
.scroll { overflow-x: auto; }
@media print {
  .scroll { overflow: visible; } figure, tr { break-inside: avoid; } h2 { break-after: avoid; }
  img { max-height: 88vh; } /* with its caption on one sheet */
}
"""
SHORT = 16  # letters that are kept on one line


def text(value: object) -> str:
    """The value, escaped."""
    return html.escape(str(value))


def heading(title: str) -> str:
    """A section's title."""
    return f"<h2>{text(title)}</h2>"


def note(sentence: str) -> str:
    """A remark in small letters."""
    return f'<p class="note">{text(sentence)}</p>'


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; columns of numbers alone, some of which may be undefined or missing, are aligned as such."""
    rows = [[str(value) for value in row] for row in rows]
    columns = [_aligned([row[place] for row in rows]) for place in range(len(header))]

    def line(tag: str, values: Sequence[str]) -> str:
        cells = (
            f'<{tag} class="{column} {_wrapped(value)}">{text(value)}</{tag}>' for column, value in zip(columns, values)
        )
        return f"<tr>{''.join(cells)}</tr>"

    body = "\n".join(line("td", row) for row in rows)
    head = f"<thead>{line('th', header)}</thead>"
    return f'<div class="scroll"><table>{head}\n<tbody>{body}</tbody></table></div>'


def _number(value: str) -> bool:
    return value[:1].isdigit() or value[:1] in ("-", ".")


def _aligned(column: Sequence[str]) -> str:
    known = [value for value in column if value and not value.startswith("undefined")]
    return "numbers" if known and all(map(_number, known)) else "words"


def _wrapped(value: str) -> str:
    return "short" if _number(value) or len(value) <= SHORT else "long"


def figure(png: bytes, caption: str) -> str:
    """A PNG inside the page."""
    data = base64.b64encode(png).decode()
    return (
        f'<figure><img alt="{text(caption)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{text(caption)}</figcaption></figure>"
    )


def page(title: str, sections: Iterable[str]) -> bytes:
    """The whole document."""
    body = "\n".join(sections)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{text(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>\n'
        f"<body><h1>{text(title)}</h1>\n{body}\n</body></html>\n"
    ).encode(errors="backslashreplace")  # names of folders, which need not be UTF-8
