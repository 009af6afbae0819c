"""Every trained row of Tables 2 and 3, from its flagfile to its cell, with networks a few channels wide."""

import importlib
import json

import pytest
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from gsr_tf import figure, table_runs, tables
from gsr_tf.evaluation.published import TABLES
from tests.evaluation import toy_records
from tests.evaluation.test_figures import pixels

# One pass of all kinds of pictures is traced in half the time; what it computes is the same (tests/models).
TINY = "steps=2,width=0.02,input_size=48,batch_size=2,vgg16_weights=random,panels_every=0,passes=merged"
TRAINED = [(table, row) for table in (2, 3) for row in TABLES[table].rows if row.flagfile]


@pytest.fixture(name="folder", scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablations")
    toy_records.write(folder / "records", (1, 2, 1, 0, 0))
    return folder


def in_this_process(module, *arguments):
    code = importlib.import_module(module).main([module, *arguments])
    assert code == 0, (module, *arguments)


def signature_outputs(export):
    """Names of the maps that an export says it gives; to load it would take longer."""
    (graph,) = SavedModel.FromString((export / "saved_model.pb").read_bytes()).meta_graphs
    return set(graph.signature_def["serving_default"].outputs)


@pytest.mark.slow
@pytest.mark.parametrize(("table", "row"), TRAINED, ids=lambda value: getattr(value, "name", value))
def test_a_row_trains_exports_and_scores(table, row, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(table_runs, "_command", in_this_process)
    records, runs = folder / "records", folder / "runs"
    code = tables.main(
        ["tables", f"--table={table}", f"--rows={row.name}", f"--records=CASIA={records}", f"--runs={runs}",
         f"--output={tmp_path}", f"--source_records={records}", f"--target_records={records}",
         f"--training={TINY}"]
    )  # fmt: skip
    assert code == 0
    assert f"- {row.name} (CASIA): flags/{row.flagfile} steps=2" in capsys.readouterr().out
    (summary,) = (tmp_path / "evaluations" / "CASIA" / tables._slug(row.name)).glob("summary.json")
    scores = {(line["protocol"], line["metric"]): line["value"] for line in json.loads(summary.read_text())["scores"]}
    assert 0.2 < scores["paper", "f1"] <= 1  # the floor, marking everything, is 2 x 480 / (480 + 3072) = .27
    maps = signature_outputs(runs / row.flagfile[:-4] / "export")
    assert "probability" in maps and ("boundary" in maps) == (not row.name.startswith("DL"))


@pytest.mark.slow
def test_figures_3_and_4_are_drawn_from_a_run(folder, capsys):
    run, output = folder / "runs" / "table2" / "gsr_net", folder / "figure.png"
    if not run.exists():
        pytest.skip("drawn from the run of the GSR-Net row, which was not made")
    arguments = ["figure", f"--output={output}", "--pictures=2"]
    assert figure.main([*arguments, "--figure=4", f"--run_dir={run}"]) == 0
    titles = [line.partition(": seam ")[0] for line in capsys.readouterr().out.splitlines()[:-1]]
    assert titles == ["T", "M", "G(M), step 2"]
    column = pixels(output.read_bytes()).shape[1] / 3
    more = [f"--saved_model={run / 'export'}", f"--records={folder / 'records'}"]
    assert figure.main([*arguments, "--figure=3", *more]) == 0
    assert pixels(output.read_bytes()).shape[1] == 4 * column  # picture, prediction, boundary, truth
