import numpy as np
import pytest

from gsr_tf import evaluate, flagfiles, predict, serve
from gsr_tf.comparators import floors, methods, sources
from gsr_tf.comparators.method import Method, MethodError
from gsr_tf.data.pictures import encode_png, read_picture
from gsr_tf.evaluation import attacks
from gsr_tf.inference import trained_methods
from gsr_tf.inference.metadata import METADATA, DetectorError
from gsr_tf.inference.score_maps import ScoreError
from tests.comparators.photographs import photograph, rectangle
from tests.test_imports import imported


@pytest.mark.parametrize("name", methods.METHODS)
def test_every_method_keeps_the_size_and_does_not_touch_the_picture(name):
    picture = photograph("coffee")[:67, :90]
    before = picture.copy()
    mask = np.zeros(picture.shape[:2], bool)
    scores = methods.choose(name)(picture, mask)
    assert scores.shape == mask.shape and np.isfinite(scores).all()
    np.testing.assert_array_equal(picture, before)
    np.testing.assert_array_equal(methods.choose(name)(picture, mask), scores)


def test_what_methods_without_weights_depend_on_is_counted():
    """No file that makes their version imports one that does not."""
    counted = sources.classical()
    assert {sources.ROOM / "noi.py", sources.ROOM / "methods.py"} <= set(counted)
    assert all((sources.ROOM / name).is_dir() for name in sources.TRAINED)
    left_out = tuple(f"gsr_tf.comparators.{name}." for name in sources.TRAINED)
    assert not [(path.name, name) for path in counted for name in imported(path) if f"{name}.".startswith(left_out)]


def test_a_picture_below_a_methods_minimum_is_refused():
    with pytest.raises(ScoreError, match="40x15 pixels; noi needs at least 16"):
        methods.choose("noi")(np.zeros((15, 40, 3), np.uint8), np.zeros((15, 40), bool))


def test_unknown_method_lists_the_known_ones():
    with pytest.raises(MethodError, match="--method=nope: no such method; choose from noi"):
        methods.choose("nope")


@pytest.mark.parametrize("name", ["mfcn", "sfcn", "rgbn", "exif-sc"])
def test_a_method_that_has_to_be_trained_says_how(name):
    with pytest.raises(
        DetectorError, match=f"--method={name}: .*--flagfile=comparators/{name}, .*--saved_model=EXPORT"
    ):
        methods.from_flags(None, name)
    assert trained_methods.TRAINED.count(name) == 1 and f"comparators/{name}" in flagfiles.shipped()


@pytest.mark.parametrize("arguments", [("predict", "--input=x", "--output=y"), ("serve",)], ids=lambda x: x[0])
def test_a_model_of_another_method_is_refused(arguments, tmp_path, capsys):
    metadata = tmp_path / METADATA
    metadata.parent.mkdir()
    metadata.write_text('{"method": "rgbn"}')
    command = {"predict": predict, "serve": serve}[arguments[0]]
    if command is predict:
        arguments = ("predict", f"--input={write_picture(tmp_path)}", f"--output={tmp_path / 'answers'}")
    assert command.main([*arguments, "--method=mfcn", f"--saved_model={tmp_path}"]) == 1
    assert f"--method=mfcn: --saved_model={tmp_path} is a model of rgbn" in capsys.readouterr().err
    metadata.write_text("{}")
    with pytest.raises(DetectorError, match="is a model of GSR-Net"):
        methods.from_flags(str(tmp_path), "mfcn")


@pytest.mark.parametrize("command", [predict, evaluate, serve], ids=lambda module: module.__name__)
def test_a_model_that_is_not_there_is_none_of_any_method(command, tmp_path, capsys):
    asked = {
        predict: [f"--input={write_picture(tmp_path)}"],
        evaluate: [f"--pairs={tmp_path / 'list.csv'}", f"--output={tmp_path / 'results'}"],
        serve: [],
    }[command]
    (tmp_path / "list.csv").write_text("a.png\n")
    arguments = [*asked, "--method=mfcn", f"--saved_model={tmp_path / 'typo'}"]
    assert command.main(["command", *arguments]) == 1
    assert f"error: --saved_model={tmp_path / 'typo'}: no such folder" in capsys.readouterr().err


def write_picture(folder):
    path = folder / "picture.png"
    path.write_bytes(encode_png(photograph("coffee")[:40, :40]))
    return path


def test_the_truth_reaches_only_those_that_use_it():
    picture, mask = np.zeros((4, 4, 3), np.uint8), np.eye(4, dtype=bool)
    blind = Method("blind", lambda *arguments: np.full((4, 4), len(arguments)), probabilities=True)
    assert blind(picture, mask)[0, 0] == 1


@pytest.mark.parametrize(
    ("given", "kept"),
    [(np.float16, np.float32), (bool, np.float32), (np.uint8, np.float32), (np.int64, np.float64)]
    + [(np.float32, np.float32), (np.float64, np.float64), (np.longdouble, np.float64)],
)
def test_any_real_map_is_scored_at_any_size(given, kept):
    picture = photograph("coffee")[:40, :60]
    values = picture[..., 0].astype(given)
    own = Method("own", lambda picture: values, probabilities=False)
    assert own(picture).dtype == kept
    np.testing.assert_array_equal(own(picture), values)
    assert attacks.back_to_size(own(picture), (80, 120)).shape == (80, 120)


@pytest.mark.parametrize(
    ("gives", "message"),
    [
        (np.zeros((4, 4, 1)), r"own gave \[4, 4, 1\] of float64; expected \[h, w\], real numbers"),
        (np.zeros((4, 4), complex), r"own gave \[4, 4\] of complex128"),
        (None, r"own gave \[\] of object"),
        (np.full((4, 4), 255), r"score map reaches 255; expected probabilities in 0\.\.1"),
        (np.full((4, 4), -2.5), r"score map reaches -2\.5; expected probabilities"),
        (np.full((4, 4), np.nan), "score map has 16 of 16 values NaN or infinite"),
    ],
)
def test_what_is_no_map_of_probabilities_is_refused(gives, message):
    with pytest.raises(ScoreError, match=message):
        Method("own", lambda picture: gives, probabilities=True)(np.zeros((4, 4, 3), np.uint8))


def test_ground_truth_box_is_the_smallest_about_the_mask():
    picture = photograph("coffee")
    mask = rectangle(picture)
    mask[180:, :100] = False
    np.testing.assert_array_equal(floors.ground_truth_box(picture, mask), mask.astype(np.float32))
    mask[170, 130] = False
    assert floors.ground_truth_box(picture, mask).sum() == 96 * 112
    assert floors.ground_truth_box(picture, np.zeros_like(mask)).sum() == 0


def test_random_depends_on_the_picture_alone():
    one, other = photograph("coffee"), photograph("rocket")
    np.testing.assert_array_equal(floors.random(one), floors.random(one.copy()))
    assert abs(np.corrcoef(floors.random(one).ravel(), floors.random(other).ravel())[0, 1]) < 0.02
    assert floors.random(one).mean() == pytest.approx(0.5, abs=0.01)


def test_a_stretched_map_is_for_looking_at():
    picture = photograph("coffee")
    raw, shown = methods.choose("noi")(picture), methods.choose("noi").stretched(picture)
    assert (shown.dtype, shown.min(), shown.max()) == (np.float32, 0, 1)
    assert np.argmax(shown) == np.argmax(raw)
    half = Method("half", lambda picture: np.full(picture.shape[:2], 0.5), probabilities=True)
    assert half.stretched(picture).max() == 0.5
    flat = Method("flat", lambda picture: np.full(picture.shape[:2], 7.0), probabilities=False)
    assert flat.stretched(picture).max() == 0


def test_a_map_that_is_not_finite_is_no_answer(tmp_path, capsys, monkeypatch):
    def broken(picture):
        scores = np.zeros(picture.shape[:2])
        scores[0, :3] = np.nan, np.inf, -np.inf
        return scores

    monkeypatch.setitem(methods.METHODS, "cfa", Method("cfa", broken, probabilities=False))
    arguments = ["predict", "--method=cfa", f"--input={write_picture(tmp_path)}", f"--output={tmp_path / 'out'}"]
    assert predict.main(arguments) == predict.SOME_SKIPPED
    assert "picture.png: score map has 3 of 1600 values NaN or infinite" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*_map.png"))


def test_a_classical_method_answers_on_any_picture(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "cup.png").write_bytes(encode_png(photograph("coffee")[:64, :80]))
    (tmp_path / "in" / "tiny.png").write_bytes(encode_png(np.zeros((9, 9, 3), np.uint8)))
    arguments = ["predict", "--method=cfa", f"--input={tmp_path / 'in'}", f"--output={tmp_path / 'out'}"]
    assert predict.main(arguments) == predict.SOME_SKIPPED
    assert read_picture(tmp_path / "out" / "cup_map.png").shape == (64, 80, 3)
    assert "9x9 pixels; cfa needs at least 16" in capsys.readouterr().err
    assert predict.main([*arguments, "--saved_model=model"]) == 1
    assert "--saved_model=DIR and --method=NAME" in capsys.readouterr().err
    assert predict.main([*arguments, "--method=mfcn"]) == 1
    assert "--method=mfcn: this method has to be trained" in capsys.readouterr().err
    assert predict.main([*arguments, "--method=ground-truth-box"]) == 1
    assert "--method=ground-truth-box: no such method; choose from noi" in capsys.readouterr().err
