"""Whole pipelines, with their own processes: the files are those of evaluate."""

import sys

import pytest

from gsr_tf import evaluate, evaluate_beam
from gsr_tf.data.pictures import PictureError
from tests.evaluation import toy_records
from tests.started_with_m import handed_to_workers


@pytest.fixture(name="given")
def _given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where no worker need be
    toy_records.write(tmp_path / "records", (1, 2, 0, 1))
    return ["--records=records", "--method=random", "--postprocessing=paper"]


@pytest.mark.slow
def test_the_files_are_those_of_evaluate(given, tmp_path, capsys):
    pytest.importorskip("apache_beam", reason="needs gsr_tf[beam]")
    assert evaluate.main(["evaluate", *given, "--output=one"]) == 0
    printed = capsys.readouterr().out
    assert evaluate_beam.main(["evaluate_beam", *given, "--output=many"]) == 0
    assert capsys.readouterr().out == printed
    one, many = (
        {path.relative_to(top): path for path in top.rglob("*") if path.is_file()}
        for top in (tmp_path / "one", tmp_path / "many")
    )
    assert one.keys() == many.keys()
    assert len(one) == 5  # with the lock
    for name, path in one.items():
        assert many[name].read_bytes() == path.read_bytes(), name


def test_workers_call_files_as_evaluate_does(tmp_path, monkeypatch):
    """Reasons stand in summary.json and in the report."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "pictures" / "list.csv").write_text("gone.png\nbroken.png\n")
    (tmp_path / "pictures" / "broken.png").write_bytes(b"no picture")
    monkeypatch.chdir(tmp_path)
    begun = []
    monkeypatch.setattr(evaluate, "evaluated", lambda args, pass_: begun.append(pass_) or 0)
    given = ["--pairs=pictures/list.csv", "--method=random", "--output=many"]
    assert evaluate_beam.main(["evaluate_beam", *given]) == 0
    monkeypatch.chdir("elsewhere")
    items, method = begun[0].keywords["load"]()
    assert method.name == "random"
    for item, reason in zip(items, ("gone.png: cannot be read", "broken.png: not a picture"), strict=True):
        with pytest.raises(PictureError, match=f"^{reason}"):
            item.read()


def test_without_beam_the_message_says_what_to_install(given, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    assert evaluate_beam.main(["evaluate_beam", *given, "--output=many"]) == 1
    assert "gsr_tf[beam]" in capsys.readouterr().err


def test_workers_know_all_by_its_name_also_where_python_m_starts_the_command(given, monkeypatch):
    handed = handed_to_workers(evaluate_beam, [*given, "--output=many"], monkeypatch)
    assert b"gsr_tf.evaluate_beam" in handed and b"__main__" not in handed
