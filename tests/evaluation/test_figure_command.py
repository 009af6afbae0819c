import numpy as np
import pytest

from gsr_tf import config, figure
from gsr_tf.config import Config
from gsr_tf.evaluation import figures, study
from gsr_tf.evaluation.attacks import parse_all
from gsr_tf.evaluation.protocols import choose
from gsr_tf.training.summaries import Summaries, panel_pictures
from tests.evaluation import toy_records
from tests.evaluation.test_comparison import DATA, noisy
from tests.evaluation.test_figures import drawn_in, pixels
from tests.evaluation.toy_records import sample
from tests.files import damage_record

BLUE, RED = figures.COLOURS[:2]


@pytest.fixture(name="records")
def make_records(tmp_path):
    return toy_records.write(tmp_path / "records", (1, 2, 1, 0))


def run(kind, output, *arguments):
    return figure.main(["figure", f"--figure={kind}", f"--output={output}", *arguments])


def test_figure_1_shows_as_many_pictures_as_asked_for(records, tmp_path):
    widths = []
    for count in (1, 3):
        output = tmp_path / f"{count}.png"
        assert run("1", output, f"--records={records}", f"--pictures={count}") == 0
        widths.append(pixels(output.read_bytes()).shape[1])
    assert widths[1] == 3 * widths[0]


@pytest.mark.parametrize("there", [True, False])
def test_a_figure_is_drawn_where_a_link_leads(records, tmp_path, there):
    (tmp_path / "paper").mkdir()
    figure_1 = tmp_path / "paper/figure1.png"
    if there:
        figure_1.write_bytes(b"an earlier one")
    (tmp_path / "link.png").symlink_to(figure_1)
    assert run("1", tmp_path / "link.png", f"--records={records}") == 0
    assert (tmp_path / "link.png").is_symlink() and pixels(figure_1.read_bytes()).size


def test_a_damaged_record_is_named_and_the_others_are_shown(records, tmp_path, capsys):
    damage_record(records, "tile 2")
    assert run("1", tmp_path / "some.png", f"--records={records}") == 3
    assert f"--records={records}: left out tile 2: damaged since its preparation" in (said := capsys.readouterr().err)
    assert "pictures left out, since they cannot be read: 1\n" in said
    assert run("1", tmp_path / "three.png", f"--records={records}", "--pictures=3") == 3
    some, three = (pixels((tmp_path / f"{name}.png").read_bytes()) for name in ("some", "three"))
    assert some.shape[1] * 2 == three.shape[1] * 3  # of four and of three, but for one
    damage_record(records, "tile 0")
    damage_record(records, "tile 1")
    assert run("1", tmp_path / "none.png", f"--records={records}") == 1
    assert f"--records={records}: of 4 pictures to show none can be read; prepare the set" in capsys.readouterr().err
    assert not (tmp_path / "none.png").exists()


@pytest.mark.parametrize(("gone", "there"), [("source", "target"), ("target", "source")])
def test_figure_4_names_the_records_of_its_run_that_are_gone(records, tmp_path, capsys, gone, there):
    given = {f"{gone}_records": str(tmp_path / "gone"), f"{there}_records": str(records)}
    config.from_dict(given).write(tmp_path / "run")
    assert run("4", tmp_path / "figure4.png", f"--run_dir={tmp_path / 'run'}") == 1
    assert (
        f"error: --run_dir={tmp_path / 'run'}: --{gone}_records={tmp_path / 'gone'}: no such folder"
        in capsys.readouterr().err
    )


def test_figure_5_reads_what_evaluate_wrote(tmp_path):
    study.run(tmp_path / "one", DATA, noisy("one", 0.05), choose(["paper"]), parse_all(["jpeg-70", "scale-0.5"]))
    output = tmp_path / "figure5.png"
    assert run("5", output, f"--evaluations=Ours={tmp_path / 'one'}") == 0
    blue = drawn_in(BLUE, output.read_bytes())
    assert blue[:, : blue.shape[1] // 2].any() and blue[:, blue.shape[1] // 2 :].any()  # a panel a kind of attack


@pytest.mark.parametrize("pictures", [7, 5])
def test_figure_5_says_where_attacks_were_scored_on_other_pictures(tmp_path, capsys, pictures):
    (tmp_path / study.ROBUSTNESS).write_text(f"attack,f1 re-optimised,pictures\nnone,0.5,7\njpeg-70,0.4,{pictures}\n")
    assert run("5", tmp_path / "figure5.png", f"--evaluations=Ours={tmp_path}") == 0
    assert ("scored on different numbers of pictures" in capsys.readouterr().err) == (pictures != 7)


def test_figure_5_needs_pictures_with_masks(tmp_path, capsys):
    authentic = DATA._replace(items=[item._replace(read=lambda: (sample(0)[0], None)) for item in DATA.items[:2]])
    study.run(tmp_path / "one", authentic, noisy("one", 0.05), choose(["paper"]), parse_all(["jpeg-70"]))
    output = tmp_path / "figure5.png"
    assert run("5", output, f"--evaluations=Ours={tmp_path / 'one'}") == 1
    assert "one/robustness.csv; evaluate pictures with masks" in capsys.readouterr().err
    assert not output.exists()


def test_curves_of_runs_are_drawn_together(tmp_path):
    for name, height in (("one", 1.0), ("two", 2.0)):
        summaries = Summaries(tmp_path / name, panel_pictures)
        for step in range(3):
            summaries.scalars(step, {"loss/edge": height, "loss/generator": 1.0, "time/step": 9.0})
    output, runs = tmp_path / "curves.png", f"--runs=One={tmp_path / 'one'},Two={tmp_path / 'two'}"
    assert run("curves", output, runs, "--tags=loss/edge") == 0
    low, high = (np.median(np.nonzero(drawn_in(colour, output.read_bytes())[:, 150:])[0]) for colour in (BLUE, RED))
    assert low > high + 50  # the curve at 1 is drawn below the one at 2
    assert run("curves", output, runs, "--tags=loss/,time/") == 0
    red = drawn_in(RED, output.read_bytes())
    assert red[:, red.shape[1] // 2 :].any() and not red[:, int(red.shape[1] * 0.8) :].any()  # three panels of four


def test_a_label_stands_for_one_folder(tmp_path, capsys):
    assert run("curves", tmp_path / "x.png", "--runs=A=x,A=y") == 1
    assert "--runs: 'A=y'; write LABEL=FOLDER, each label once" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        ("1", [], "--figure=1 needs --records"),
        ("5", ["--evaluations=Ours=nowhere"], "no nowhere/robustness.csv; evaluate with --attacks=figure-5"),
        ("4", ["--run_dir=nowhere"], "no config.json there"),
        (
            "curves",
            ["--runs=Ours=nowhere"],
            "no curves of --tags=loss/,validation/ there; expected a training run's folder",
        ),
    ],
)
def test_what_a_figure_lacks_is_named(kind, given, message, tmp_path, capsys):
    assert run(kind, tmp_path / "out.png", *given) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()


def test_a_generator_that_was_never_trained_is_not_drawn(tmp_path, capsys):
    Config().changed(segment_on=("source", "pasted"), refine_on=("pasted",)).write(tmp_path)
    output = tmp_path / "figure4.png"
    assert run("4", output, f"--run_dir={tmp_path}") == 1
    assert "a run with --segment_on=source,pasted, which trains no generator" in capsys.readouterr().err
    assert not output.exists()


def test_records_without_masks_have_no_samples(tmp_path, capsys):
    records = toy_records.write(tmp_path / "authentic", (0, 0))
    assert run("1", tmp_path / "x.png", f"--records={records}") == 1
    assert "no picture with a mask among its 2 records" in capsys.readouterr().err
