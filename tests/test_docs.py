"""The documents: links lead somewhere, pictures are credited, and the site is made without a warning."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLACES = ("*.md", "docs/**/*.md", "docs/*.ipynb", "*/README.md", "gsr_tf/weights/*.md", "tests/goldens/*.md")
DOCUMENTS = sorted({path for place in PLACES for path in ROOT.glob(place)})
PICTURES = [path for path in (ROOT / "docs").iterdir() if path.suffix in (".jpg", ".png")]
LINK = re.compile(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"")
# What a browser fetches by itself, as a link that one may click is not.
FETCHED = re.compile(r"""(?:src=|<link[^>]*href=|@import |url\()\s*["']?(?:https?:)?//[^"')\s]*""")


def read(path):
    """A document's text without its code."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] != "code")
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(path):
    headings = re.findall(r"^#+ (.*)$", read(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    for link in map("".join, LINK.findall(read(path))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_each_picture_is_credited(path):
    assert f"\ndocs/{path.name}, " in (ROOT / "NOTICE").read_text(encoding="utf-8")


@pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("mkdocs", "mkdocstrings_handlers"))),
    reason="the site needs the extra docs: pip install -e '.[docs]'",
)
def test_the_site_is_made_and_asks_nothing_of_other_machines(tmp_path):
    site = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", f"--site-dir={site}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (site / "docs/api/detector.html").read_text(encoding="utf-8")
    assert "A detector, ready to be asked." in page  # from the docstrings
    for path in site.rglob("*.html"):
        text = re.sub(r"<pre>.*?</pre>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        # A list that a table has swallowed, and a command that is no code.
        assert not re.search(r"<td>- |(<p>|\n)(\.venv/bin/|python -m )", text), path
    assert "copy_paste(" in (site / "docs/tutorial.html").read_text(encoding="utf-8")
    for path in [*site.rglob("*.html"), *site.rglob("*.css")]:
        assert not FETCHED.findall(path.read_text(encoding="utf-8")), path
