"""What MkDocs asks while it makes the site (mkdocs.yml names this file).

Documents lie where they belong, not all in docs/, and link to one another as on a page that shows the repository. So
the site has the repository's layout: every link leads to the same place in both.
"""

import json
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
SHOWN = (
    "*.md",
    "docs/**/*.md",
    "docs/*.jpg",
    "docs/*.png",
    "gsr_tf/weights/*.md",
    "data_prep/README.md",
    "deploy/*",
    "deploy/tensorflow_serving/*",
    "tests/goldens/README.md",
    "flags/**/*.*",
    "LICENSE",
    "NOTICE",
    "CITATION.cff",
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The theme's files, and ours under their paths in the repository."""
    for file in list(files):
        if file.src_dir == config.docs_dir:
            files.remove(file)
    for path in sorted({path for pattern in SHOWN for path in ROOT.glob(pattern) if path.is_file()}):
        files.append(File(path.relative_to(ROOT).as_posix(), str(ROOT), config.site_dir, config.use_directory_urls))
    notebook = ROOT / "docs" / "tutorial.ipynb"
    files.append(File.generated(config, "docs/tutorial.md", content=as_page(notebook.read_text(encoding="utf-8"))))
    files.append(File("docs/tutorial.ipynb", str(ROOT), config.site_dir, config.use_directory_urls))
    return files


def as_page(notebook: str) -> str:
    """A notebook's cells as Markdown; outputs are left out."""
    parts = []
    for cell in json.loads(notebook)["cells"]:
        text = "".join(cell["source"])
        parts.append(f"```python\n{text}\n```" if cell["cell_type"] == "code" else text)
    return "\n\n".join(parts) + "\n"
