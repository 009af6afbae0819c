import contextlib
import csv
import itertools
import json
import os
import re
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from gsr_tf import flagfiles, table_runs, tables
from gsr_tf.command import SOME_SKIPPED
from gsr_tf.data.records import open_records
from gsr_tf.evaluation import layout
from gsr_tf.evaluation.layout import Cell, Filled
from gsr_tf.evaluation.published import DATA_SETS, TABLES, Row
from gsr_tf.formats import facts
from gsr_tf.formats.provenance import trained_how
from gsr_tf.inference import saved_model
from gsr_tf.inference.metadata import METADATA, WAY
from gsr_tf.table_runs import asked_for, differences, training_of
from tests.evaluation import toy_records


@pytest.fixture(name="records", scope="module")
def make_records(tmp_path_factory):
    return toy_records.write(tmp_path_factory.mktemp("tables") / "records", (1, 2, 1, 0))


def run(records, output, *more):
    return tables.main(["tables", f"--records=CASIA={records}", f"--output={output}", *more])


def numbers(table, name):
    return next(row.paper for row in TABLES[table].rows if row.name == name)


def test_published_numbers_agree_with_each_other():
    # The same rows of Tables 1 and 2, and the text's "GSR-Net ... by 10 %" over the baseline on CASIA.
    assert numbers(1, "GSR-Net")["f1"] == numbers(2, "GSR-Net")["f1"]
    assert numbers(1, "DeepLab")["f1"] == numbers(2, "DL")["f1"]
    assert numbers(1, "NOI") == {
        "mcc": {"Carvalho": 0.255, "In-The-Wild": 0.159, "COVER": 0.172, "CASIA": 0.18},
        "f1": {"Carvalho": 0.343, "In-The-Wild": 0.278, "COVER": 0.269, "CASIA": 0.263},
    }
    assert numbers(1, "MFCN")["f1"] == {"Carvalho": 0.48, "CASIA": 0.541}
    assert numbers(3, "CP + G + SR")["f1"]["CASIA"] == 0.331
    assert [sum(bool(row.paper) for row in table.rows) for table in TABLES.values()] == [7, 7, 3]


@pytest.mark.parametrize("table", TABLES)
def test_every_row_is_made_in_one_way_and_every_flagfile_is_there(table):
    rows = TABLES[table].rows
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        assert sum(bool(way) for way in (row.method, row.flagfile)) == 1
        assert row.flagfile is None or row.flagfile.removesuffix(".cfg") in flagfiles.shipped()


def test_tables_show_ours_beside_the_papers(tmp_path):
    line = {"value": 0.2586, "low": 0.2, "high": 0.3, "threshold": 1.5, "pictures": 240, "protocol": "paper"}
    cells = {
        (row.name, name, metric): Cell(None, "not run: no reason")
        for row in TABLES[1].rows for name in DATA_SETS for metric in ("mcc", "f1")
    }  # fmt: skip
    cells["NOI", "CASIA", "f1"] = Cell({**line, "resolution": "native"}, "noi, by hand")
    table = Filled(1, DATA_SETS, cells, "paper")
    header, body = layout.wide(table)
    noi = dict(zip(header, next(row for row in body if row[0] == "NOI")))
    assert (noi["CASIA F1"], noi["CASIA MCC"]) == (".259 [.200, .300] / .263", "not run / .180")
    assert dict(zip(header, body[0]))["COVER F1"] == "not run / -"
    layout.write(tmp_path, table)
    assert {path.name for path in tmp_path.iterdir()} == {"table1.md", "table1.csv", "table1.json", "table1.html"}
    with (tmp_path / "table1.csv").open() as stream:
        found = {(row["row"], row["data set"], row["metric"]): row for row in csv.DictReader(stream)}
    assert len(found) == len(TABLES[1].rows) * 4 * 2
    cell = found["NOI", "CASIA", "f1"]
    assert (cell["value"], cell["paper"], cell["how"], cell["pictures"]) == ("0.2586", "0.263", "noi, by hand", "240")
    assert found["NOI", "COVER", "f1"]["value"] == ""
    cells = {
        (cell["row"], cell["data set"], cell["metric"]): cell
        for cell in json.loads((tmp_path / "table1.json").read_text())["cells"]
    }
    assert (cells["NOI", "CASIA", "f1"]["value"], cells["NOI", "CASIA", "f1"]["paper"]) == (0.2586, 0.263)
    assert cells["NOI", "COVER", "f1"]["value"] is None and len(cells) == len(found)
    text = (tmp_path / "table1.md").read_text()
    assert text.startswith("# Table 1: methods (MCC and F1); ours under protocol paper")
    assert "- NOI (CASIA): noi, by hand" in text
    assert "- NOI (Carvalho, In-The-Wild, COVER): not run: no reason" in text


@pytest.mark.parametrize("number", TABLES)
def test_what_is_said_of_other_methods_stands_below_their_table_alone(tmp_path, number):
    rows, metrics = TABLES[number].rows, TABLES[number].metrics
    places = itertools.product((row.name for row in rows), DATA_SETS, metrics)
    layout.write(tmp_path, Filled(number, DATA_SETS, dict.fromkeys(places, Cell(None, "not run")), "paper"))
    for ending in ("md", "html"):
        text = (tmp_path / f"table{number}.{ending}").read_text()
        assert ("hardly of one protocol" in text) == (number == 1)
        assert "95 % bootstrap interval" in text


def test_table_1_without_training(records, tmp_path, capsys):
    assert run(records, tmp_path, "--table=1", f"--runs={tmp_path / 'runs'}") == SOME_SKIPPED  # rows without a run
    printed = capsys.readouterr().out
    rows_printed = {line.split("|")[1].strip(): line for line in printed.splitlines() if line.startswith("| ")}
    cells = [cell.strip() for cell in rows_printed["all-positive"].split("|")]
    # Every mask is 20 x 24 of 48 x 64 pixels.
    floor = f"{2 * 480 / (480 + 48 * 64):.3f}"[1:]
    assert cells[-2] == f"{floor} [{floor}, {floor}] / -"
    assert "1.000" in rows_printed["ground-truth box"]
    assert "give --source_records and --target_records to train it" in printed
    assert "native, post-processing none, 3 pictures, 0 skipped" in printed
    with (tmp_path / "table1.csv").open() as stream:
        assert {(row["pictures"], row["pairs"]) for row in csv.DictReader(stream) if row["value"]} == {("", "4")}


def export_constant(folder, value, **metadata):
    class Detector(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)])
        def __call__(self, picture):
            return {"probability": tf.fill(tf.concat([tf.shape(picture)[:2], [1]], 0), tf.constant(value))}

    tf.saved_model.save(Detector(), str(folder))
    path = Path(folder) / METADATA
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(metadata))


def flag(arguments, name):
    return next(one.partition("=")[2] for one in arguments if one.startswith(f"--{name}="))


def settings(row, *training):
    """What an export of a row says of its settings, once they were JSON."""
    return json.loads(json.dumps(asked_for(row.flagfile, training)))


@pytest.fixture(name="commands")
def stand_in(monkeypatch):
    """Commands that were run; an export gives a detector that marks everything, without any training."""
    seen = []

    def command(module, *arguments):
        seen.append((module, *arguments))
        if "dl_g" in flag(arguments, "run_dir"):
            raise table_runs.TrainingFailed("gsr_tf.train ... ended with exit code 1; its last words say why")
        if module == "gsr_tf.export":
            flagfile, *training = (one for one in seen[-2] if one.startswith("--") and "run_dir" not in one)
            row = Row("", flagfile=flagfile.partition("=")[2])
            said = {"config": facts.without_places(settings(row, *(one[2:] for one in training)))}
            output = Path(flag(arguments, "output"))
            if "--format=weights" in arguments:
                output.parent.mkdir(parents=True, exist_ok=True)
                output.touch()
                output.with_name(f"{output.name}.json").write_text(json.dumps(said))
            else:
                export_constant(output, 0.75, **said)

    monkeypatch.setattr(table_runs, "_command", command)
    return seen


@pytest.fixture(name="loaded")
def models_loaded(monkeypatch):
    """Folders of the models that were loaded."""
    seen, load = [], saved_model.load
    monkeypatch.setattr(saved_model, "load", lambda path: seen.append(path) or load(path))
    return seen


SAVES_LATE = """
import os, pathlib, signal, sys, time
def save(number, _):
    time.sleep(1)  # longer than subprocess.run waits after Ctrl-C
    pathlib.Path("saved").write_text(str(number))
    sys.exit(128 + number)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, save)
aside = pathlib.Path("aside")
aside.write_text(str(os.getpid()))
aside.rename("process")
time.sleep(30)
"""


@pytest.mark.parametrize(
    ("number", "to_both", "ending"),
    [
        (signal.SIGINT, True, KeyboardInterrupt),
        (signal.SIGINT, False, KeyboardInterrupt),
        (signal.SIGTERM, False, SystemExit),
        (signal.SIGHUP, False, SystemExit),
    ],
)
def test_a_training_saves_before_a_signal_ends_the_table(tmp_path, monkeypatch, number, to_both, ending):
    """A terminal's Ctrl-C is told to both processes, `kill` to this one alone; SIGINT is passed on the second time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "isatty", lambda _: False)  # a terminal of these tests is not gone
    Path("saves_late.py").write_text(SAVES_LATE)

    def tell():
        while not Path("process").exists():
            time.sleep(0.01)
        if to_both:
            os.kill(int(Path("process").read_text()), number)
        os.kill(os.getpid(), number)
        if number == signal.SIGINT and not to_both:
            time.sleep(0.1)  # for the first one to be handled
            os.kill(os.getpid(), number)

    def too_early(*_):
        raise ending("before the training's end")

    before = signal.signal(number, too_early)
    told = threading.Thread(target=tell)
    told.start()
    try:
        with pytest.raises(ending) as ended:
            table_runs._command("saves_late")
        assert signal.getsignal(number) is too_early
    finally:
        signal.signal(number, before)
        told.join()
    assert Path("saved").read_text() == str(int(number))
    assert ending is KeyboardInterrupt or ended.value.code == 128 + number


@pytest.mark.parametrize("code", [0, 3, 1])
def test_a_command_that_named_what_it_left_out_has_done_its_work(tmp_path, monkeypatch, code):
    monkeypatch.chdir(tmp_path)
    Path("ends.py").write_text(f"raise SystemExit({code})")
    with pytest.raises(table_runs.TrainingFailed, match="-m ends") if code == 1 else contextlib.nullcontext():
        table_runs._command("ends")


def test_rows_are_trained_exported_evaluated_and_not_done_again(records, tmp_path, commands, loaded, capsys):
    arguments = ("--table=2", "--rows=DL,DL + CP", f"--runs={tmp_path / 'runs'}", f"--source_records={records}",
                 f"--target_records={records}", "--training=steps=2,seed=7")  # fmt: skip
    assert run(records, tmp_path / "out", *arguments) == 0
    assert [command[0] for command in commands] == ["gsr_tf.train", "gsr_tf.export"] * 2
    train, export = commands[0], commands[1]
    assert train[1] == "--flagfile=table2/dl.cfg" and train[-2:] == ("--steps=2", "--seed=7")
    assert flag(train, "run_dir") == flag(export, "run_dir") == str(tmp_path / "runs" / "table2" / "dl")
    assert Path(flag(train, "source_records")) == records.resolve()
    printed = capsys.readouterr().out
    assert "flags/table2/dl.cfg steps=2 seed=7" in printed
    assert "DL + DIH (Carvalho, In-The-Wild, COVER, CASIA): not run: not among --rows" in printed
    before = (tmp_path / "out" / "table2.csv").read_text()
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("summary.json")}
    assert len(stamps) == 2 and run(records, tmp_path / "out", *arguments) == 0
    assert len(commands) == 4 and (tmp_path / "out" / "table2.csv").read_text() == before
    assert loaded == [tmp_path / "runs" / "table2" / name / "export" for name in ("dl", "dl_cp")]
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


@pytest.mark.parametrize(
    ("name", "file", "setting", "start", "published"),
    [
        ("MFCN", "mfcn", "vgg16_weights=random", "VGG-16 random", ".541"),
        ("RGB-N", "rgbn", "resnet_weights=imagenet", "ResNet imagenet", ".408"),
    ],
)
def test_another_methods_row_is_trained_by_its_own_command(
    records, tmp_path, commands, capsys, name, file, setting, start, published
):
    arguments = ("--table=1", f"--rows={name}", f"--runs={tmp_path / 'runs'}", f"--source_records={records}",
                 f"--target_records={records}", f"--training=steps=2,{setting}")  # fmt: skip
    assert run(records, tmp_path / "out", *arguments) == 0
    assert [command[0] for command in commands] == ["gsr_tf.train_comparator", "gsr_tf.export"]
    assert commands[0][1] == f"--flagfile=comparators/{file}.cfg"
    assert flag(commands[1], "run_dir") == str(tmp_path / "runs" / "comparators" / file)
    printed = capsys.readouterr().out
    line = next(line for line in printed.splitlines() if line.startswith(f"- {name} (CASIA): "))
    assert f"flags/comparators/{file}.cfg steps=2 {setting}, trained on" in line
    assert f"for 2 steps from {start}" in line
    assert f"/ {published}" in next(line for line in printed.splitlines() if line.startswith(f"| {name} |"))


def dih_row(records, folder, *more):
    arguments = ("--table=2", "--rows=DL + DIH", f"--runs={folder / 'runs'}", *more)
    return run(records, folder / "out", *arguments, f"--source_records={records}", f"--target_records={records}")


def test_the_row_of_harmonised_pictures_trains_the_harmoniser_first(records, tmp_path, commands, capsys):
    training = "--training=steps=2,vgg16_weights=random,nodeterministic,noboundary_branch"
    assert dih_row(records, tmp_path, training) == 0
    names = ["gsr_tf.train_comparator", "gsr_tf.export", "gsr_tf.train", "gsr_tf.export"]
    assert [command[0] for command in commands] == names
    harmoniser, weights, row, _ = commands
    assert harmoniser[1] == "--flagfile=comparators/dih.cfg"
    assert harmoniser[-2:] == ("--steps=2", "--nodeterministic")  # what it has of --training
    file = tmp_path / "runs" / "comparators" / "dih" / "dih.npz"
    assert flag(weights, "output") == flag(row, "harmonizer") == str(file) and "--format=weights" in weights
    assert row[1] == "--flagfile=table2/dl_dih.cfg" and "--noboundary_branch" in row
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("- DL + DIH (CASIA): "))
    assert "harmonised by flags/comparators/dih.cfg trained on" in line and "2 steps from random weights" in line
    assert dih_row(records, tmp_path, training) == 0 and len(commands) == 4


def test_a_harmoniser_of_other_settings_is_not_used(records, tmp_path, commands, capsys):
    assert dih_row(records, tmp_path, "--training=steps=2") == 0
    assert dih_row(records, tmp_path, "--training=steps=3") == SOME_SKIPPED
    cell = next(line for line in capsys.readouterr().out.splitlines()[::-1] if line.startswith("- DL + DIH (CASIA): "))
    assert "not run: " in cell and "dih.npz is another model than was asked for (steps: 2 there, 3 asked)" in cell
    assert len(commands) == 4


def test_a_row_that_fails_says_so_and_does_not_stop_the_others(records, tmp_path, commands, capsys):
    arguments = ("--table=2", "--rows=DL + G,GS-Net", f"--runs={tmp_path / 'runs'}", f"--source_records={records}")
    assert run(records, tmp_path, *arguments, f"--target_records={records}") == 1
    printed = capsys.readouterr().out
    assert "DL + G (CASIA): not run: gsr_tf.train ... ended with exit code 1" in printed
    assert "GS-Net (CASIA): flags/table2/gs_net.cfg" in printed


def test_words_of_a_failure_in_a_path_are_none(records, tmp_path, capsys):
    runs = f"--runs={tmp_path / 'exit code 1'}"
    assert run(records, tmp_path / "out", "--table=2", "--rows=DL", runs) == SOME_SKIPPED
    assert "exit code 1/table2/dl/export; give --source_records" in capsys.readouterr().out


DL = next(row for row in TABLES[2].rows if row.name == "DL")


def cell_of_an_export(records, folder, capsys, *more, **metadata):
    """What is said of the DL row, beside an export that says this of itself."""
    export_constant(folder / "runs" / "table2" / "dl" / "export", 0.75, **metadata)
    code = run(records, folder / "out", "--table=2", "--rows=DL", f"--runs={folder / 'runs'}", *more)
    cell = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("- DL (CASIA): "))
    assert code == (SOME_SKIPPED if "not run: " in cell else 0)
    return cell


def test_an_export_of_the_settings_asked_for_is_used(records, tmp_path, capsys):
    elsewhere = settings(DL, "steps=7", "source_records=casia2", "target_records=coco", "save_every=3", "keep=1")
    cell = cell_of_an_export(records, tmp_path, capsys, "--training=steps=7", config=elsewhere)
    assert cell.startswith("- DL (CASIA): flags/table2/dl.cfg steps=7, ")


def test_an_export_of_earlier_settings_is_the_same_as_long_as_it_does_the_same(records, tmp_path, capsys):
    fewer = {name: value for name, value in settings(DL).items() if name != "window_scale"}
    assert "flags/table2/dl.cfg" in cell_of_an_export(records, tmp_path, capsys, config=fewer)


@pytest.mark.parametrize(
    ("there", "difference"),
    [
        ({"steps": 1000}, "steps: 1000 there, 50000 asked"),
        ({"vgg16_weights": "random"}, "vgg16_weights: random there, imagenet asked"),
        ({"segment_on": ["source", "pasted"]}, "segment_on: ('source', 'pasted') there, ('source',) asked"),
        ({"learning_rate": 0.001, "dropout": 0.1}, "dropout: 0.1 there, 0.5 asked; learning_rate: 0.001 there, 0.0001"),
        ({"tomorrow": 1}, "unknown settings: tomorrow"),
    ],
)
def test_an_export_of_other_settings_is_not_put_into_a_cell(records, tmp_path, capsys, there, difference):
    cell = cell_of_an_export(records, tmp_path, capsys, config={**settings(DL), **there})
    assert "not run: " in cell and f"another model than was asked for ({difference}" in cell
    assert not list((tmp_path / "out").rglob("summary.json"))


def test_an_export_that_was_made_otherwise_is_not_put_into_a_cell(records, tmp_path, capsys):
    cell = cell_of_an_export(records, tmp_path, capsys, config=settings(DL), centre=0.5, scales=[0.75, 1.0])
    assert "(scales: [0.75, 1.0] there, [1.0] asked)" in cell


def test_an_export_of_an_unfinished_run_is_not_put_into_a_cell(records, tmp_path, capsys):
    cell = cell_of_an_export(records, tmp_path, capsys, config=settings(DL), steps=20)
    assert "(steps: 20 there, 50000 asked)" in cell


def test_an_export_that_sees_pictures_at_sizes_of_another_version_is_not_put_into_a_cell(records, tmp_path, capsys):
    cropped = {"config": settings(DL, "resize_mode=crop")}
    for way, used in (({}, False), ({"way": WAY}, True)):
        path = tmp_path / str(used)
        cell = cell_of_an_export(records, path, capsys, "--training=resize_mode=crop", **cropped, **way)
        assert ("not run: " not in cell) == used
        assert ("its marks may be displaced; delete it to have its run exported anew" in cell) != used


def test_an_export_that_says_nothing_is_not_put_into_a_cell(records, tmp_path, capsys):
    assert "it does not say with which settings it was trained" in cell_of_an_export(records, tmp_path, capsys)


def test_settings_are_read_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert asked_for(DL.flagfile, ["steps=3"])["steps"] == 3
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize(
    ("sources", "note"),
    [
        (("a", "a"), None),
        (("a", "b"), "Rows differ in their training data, too. Fingerprints of --source_records: DL: a; GS-Net: b."),
        (("a", None), "Fingerprints of --source_records: DL: a; GS-Net: not said."),
    ],
    ids=["same", "different", "one not said"],
)
def test_rows_that_were_trained_on_different_data_are_said_to_be(records, tmp_path, capsys, sources, note):
    for name, source in zip(("dl", "gs_net"), sources):
        row = next(row for row in TABLES[2].rows if row.flagfile == f"table2/{name}.cfg")
        data = {"--target_records": {"path": "coco", "fingerprint": "t"}}
        if source:
            data["--source_records"] = {"path": name, "fingerprint": source}  # elsewhere, and still the same
        export_constant(tmp_path / "runs" / "table2" / name / "export", 0.75, config=settings(row), records=data)
    arguments = ("--table=2", "--rows=DL,GS-Net,GSR-Net", f"--runs={tmp_path / 'runs'}")
    assert run(records, tmp_path / "out", *arguments) == SOME_SKIPPED  # GSR-Net has no run
    written = [capsys.readouterr().out, *(path.read_text() for path in (tmp_path / "out").glob("table2.[mh]*"))]
    assert len(written) == 3
    assert all(note in text if note else "training data" not in text for text in written)
    notes = json.loads((tmp_path / "out" / "table2.json").read_text())["notes"]
    assert [note in one for one in notes] == ([True] if note else [])


def test_a_trained_cell_says_data_steps_initialisation_and_edge_threshold():
    data = {"--source_records": {"path": "casia2", "pictures": 5123}, "--target_records": {"path": "coco"}}
    learnt = "trained on casia2 (5123 pictures), coco (unknown pictures) for"
    one = {"config": settings(DL), "records": data}
    assert trained_how(one) == f"{learnt} 50000 steps from VGG-16 imagenet"
    edges = {"edge_threshold": 0.3, "edge_threshold_chosen_by": "validation"}
    other = {"config": settings(DL, "initial_weights=w.npz", "steps=7"), "records": data, **edges}
    assert trained_how(other) == f"{learnt} 7 steps from w.npz, edge threshold 0.3 chosen by validation"
    assert trained_how({**one, "steps": 20}) == f"{learnt} 20 of 50000 steps from VGG-16 imagenet"
    best = {**one, "steps": 20, "checkpoint": "best/ckpt-10"}
    assert trained_how(best) == f"{learnt} 10 of 50000 steps, the best by validation, from VGG-16 imagenet"
    last = {**other, "checkpoint": "best/ckpt-7"}
    assert f"{learnt} 7 steps, the best by validation, from w.npz" in trained_how(last)
    newest = {**one, "steps": 20, "checkpoint": "checkpoints/ckpt-20"}
    assert trained_how(newest) == trained_how({**one, "steps": 20})
    as_it_was = {"config": settings(DL, "release_checkpoint=c", "steps=0")}
    assert trained_how(as_it_was) == "the authors' checkpoint, not trained here"
    further = {"config": settings(DL, "release_checkpoint=c", "steps=7"), "records": data}
    assert trained_how(further) == f"{learnt} 7 steps from the authors' checkpoint"


def test_exif_consistency_says_what_it_was_trained_on():
    row = next(row for row in TABLES[1].rows if row.name == "EXIF-consistency")
    data = {"--source_records": {"path": "casia2"}, "--target_records": {"path": "flickr", "pictures": 1200}}
    learnt = {"attributes": ["re-JPEG", "Model"], "learnt_from": ["--target_records"]}
    metadata = {"config": settings(row), "records": data, **learnt}
    said = "EXIF-SC (our training, 1200 photos, attributes re-JPEG, Model), trained on flickr (1200 pictures) for "
    assert trained_how(metadata) == said + "1000000 steps from ResNet-50 v2 imagenet"
    assert differences({"config": settings(row, "comparison=sparse")}, asked_for(row.flagfile, ())) == [
        "comparison: sparse there, dense asked"
    ]


def test_of_a_file_of_weights_the_name_counts():
    config = settings(DL, "vgg16_weights=vgg16.npz")
    assert differences({"config": config}, asked_for(DL.flagfile, ["vgg16_weights=/elsewhere/vgg16.npz"])) == []


def test_a_flag_that_training_does_not_have_is_refused_before_training(records, tmp_path, commands, capsys):
    more = (f"--source_records={records}", f"--target_records={records}", "--training=stepz=2")
    assert run(records, tmp_path, "--table=2", "--rows=DL", f"--runs={tmp_path / 'runs'}", *more) == 2
    assert "stepz" in capsys.readouterr().err and not commands


def test_each_run_gets_of_the_training_what_its_method_has():
    training = ["steps=7", "width=0.25", "nowhole_regions", "comparators/exif-sc:batch_size=8", "batch_size=4"]
    assert training_of("table2/dl.cfg", training) == ["steps=7", "width=0.25", "nowhole_regions", "batch_size=4"]
    found = training_of("comparators/exif-sc.cfg", training)
    assert found == ["steps=7", "batch_size=4", "batch_size=8"]  # of two the last one counts
    assert asked_for("comparators/exif-sc.cfg", found)["batch_size"] == 8
    assert training_of("comparators/dih.cfg", ["edge_weight=1", "comparators/dih:steps=2"]) == ["steps=2"]


@pytest.mark.parametrize("flag", ["comparators/none:steps=2", "comparators/exif-sc:width=1", "stepz=2"])
def test_a_flag_for_no_run_is_refused(flag):
    with pytest.raises(flags.Error, match=re.escape(repr(flag))):
        tables.check_training(["steps=3", flag])


def test_other_protocols_show_other_cells_of_the_same_evaluations(records, tmp_path, capsys):
    arguments = ("--table=1", "--rows=random,NOI", f"--runs={tmp_path / 'runs'}")
    assert run(records, tmp_path, *arguments, "--protocol=fixed-0.5") == SOME_SKIPPED
    printed = capsys.readouterr().out
    assert "NOI (CASIA): not run: fixed-0.5 needs a map of probabilities" in printed
    assert "random (CASIA): random; protocol fixed-0.5, native" in printed


def test_of_authentic_pictures_alone_a_cell_says_why_it_is_empty(tmp_path, capsys):
    records = toy_records.write(tmp_path / "records", (0, 0))
    assert run(records, tmp_path, "--table=1", "--rows=NOI,random") == SOME_SKIPPED
    printed = capsys.readouterr().out
    assert "random (CASIA): not run: without a score, for want of pictures that paper scores" in printed
    assert "needs a map of probabilities" not in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--table=1", "--rows=NOI,Noise"), "no row Noise in table 1"),
        (("--table=1", "--records=casia"), "'casia'; write NAME=FOLDER"),
    ],
)
def test_wrong_flags_are_explained(records, tmp_path, capsys, arguments, message):
    assert run(records, tmp_path, *arguments) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", ".", "..", "../other", "{folder}/other", "a/b", "a\\b"])
def test_a_data_sets_name_stays_in_the_output(records, tmp_path, capsys, name):
    output = tmp_path / "out"
    given = f"--records={name.format(folder=tmp_path)}={records}"
    assert run(records, output, "--table=1", "--rows=random", given) == 1
    assert "expected one without / and \\, and neither . nor .." in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_bar_in_a_data_sets_name_makes_no_column(records, tmp_path):
    assert run(records, tmp_path, "--table=1", "--rows=random", f"--records=a|b={records}") == 0
    text = (tmp_path / "table1.md").read_text()
    assert "| a\\|b MCC | a\\|b F1 |" in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1


def lines_of(folder, row):
    """The lines of a row on CASIA in Table 2's CSV file."""
    with (folder / "table2.csv").open() as stream:
        return [line for line in csv.DictReader(stream) if (line["row"], line["data set"]) == (row, "CASIA")]


def test_rows_left_out_keep_what_was_found_of_them(records, tmp_path, commands, loaded):
    data = (f"--runs={tmp_path / 'runs'}", f"--source_records={records}", f"--target_records={records}")
    arguments = ("--table=2", "--training=steps=2", *data)
    assert run(records, tmp_path, *arguments, "--rows=DL") == 0
    before, made = lines_of(tmp_path, "DL"), len(commands)
    assert before[0]["value"]
    assert run(records, tmp_path, *arguments, "--rows=GS-Net") == 0
    assert lines_of(tmp_path, "DL") == before and lines_of(tmp_path, "GS-Net")[0]["value"]
    assert len(commands) == 2 * made  # nothing was trained of a row that was not asked for
    assert run(records, tmp_path, *arguments, "--rows=GS-Net", "--postprocessing=paper") == 0
    assert not lines_of(tmp_path, "DL")[0]["value"]  # found with another setting
    other = toy_records.write(tmp_path / "other", (1,))
    assert run(other, tmp_path, *arguments, "--rows=GS-Net") == 0
    assert not lines_of(tmp_path, "DL")[0]["value"]  # found on other pictures
    assert [path.parent.name for path in loaded] == ["dl", "gs_net", "gs_net", "gs_net"]


def test_a_cell_that_lacks_pictures_is_told_by_the_exit_code(tmp_path):
    records = toy_records.write(tmp_path / "records", (1, 1))
    opened = open_records(records)
    shard = records / opened.shards[0]
    damaged = bytearray(shard.read_bytes())
    damaged[opened.columns["offset"][0] + 50] ^= 255
    shard.write_bytes(damaged)
    assert run(records, tmp_path / "out", "--table=1", "--rows=random") == SOME_SKIPPED
    assert "1 skipped" in (tmp_path / "out" / "table1.md").read_text()
    assert run(records, tmp_path / "out", "--table=1", "--rows=random") == SOME_SKIPPED


def test_numbers_are_printed_as_the_paper_does():
    shown = [layout._three(value) for value in (0.5, -0.0123, 0.9996, 1.0, 0.0)]
    assert shown == [".500", "-.012", "1.000", "1.000", ".000"]
    assert np.isclose(float(shown[1]), -0.012)
