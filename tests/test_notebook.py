"""The tutorial runs from its first cell to its last, and does what it says."""

import json
from pathlib import Path

import matplotlib
import numpy as np
import pytest

NOTEBOOK = Path(__file__).resolve().parents[1] / "docs" / "tutorial.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]


def test_it_is_kept_without_outputs():
    code = [cell for cell in CELLS if cell["cell_type"] == "code"]
    assert code and all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@pytest.mark.slow
def test_its_cells_run_in_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    matplotlib.use("agg")
    names = {}
    for cell in CELLS:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"{NOTEBOOK.name}: {cell['id']}", "exec"), names)
    assert (tmp_path / "tutorial/records/index.json").exists()
    assert (tmp_path / "tutorial/run/checkpoints/ckpt-3.index").exists()
    assert (tmp_path / "tutorial/model/saved_model.pb").exists()
    # M is S inside K and T outside (Eq. 1), and the included model answered for it.
    inside = names["k"][..., 0] == 1
    np.testing.assert_array_equal(names["m"][inside], names["s"][inside])
    np.testing.assert_array_equal(names["m"][~inside], names["t"][~inside])
    assert names["found"].map.shape == inside.shape and 0 < names["found"].map.max() <= 1
