from pathlib import Path

import pytest

import data_prep
from data_prep.catalogue import SETS

README = Path(data_prep.__file__).with_name("README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("published", SETS, ids=lambda published: published.name)
def test_the_page_says_what_the_scripts_say(published):
    (row,) = [line for line in README.splitlines() if line.startswith(f"| `{published.name}` |")]
    numbers = f"{published.manipulated:,} / {published.authentic:,}"
    for words in (published.title, published.source.split(" (")[0], published.licence, numbers, published.size):
        assert words in row
