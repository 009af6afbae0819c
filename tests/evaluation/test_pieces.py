"""Passes in pieces, with stand-ins for Beam and for the child; `tests/test_evaluate_beam.py` has both."""

import pickle
import random

import numpy as np
import pytest

from gsr_tf.comparators.method import Method
from gsr_tf.data import on_beam
from gsr_tf.data.pictures import PictureError
from gsr_tf.evaluation import attacks, by_workers, pieces, runner, study
from gsr_tf.evaluation.items import Item
from gsr_tf.evaluation.metrics import PROBABILITY_GRID
from gsr_tf.evaluation.protocols import PROTOCOLS, choose
from gsr_tf.evaluation.study import DataSet
from tests.evaluation.toy_records import BRIGHTNESS, sample

QUICK = ("paper", "fixed-0.5")
COUNTED = []  # names, as they are read


def read(seed, name, kind):
    COUNTED.append(name)
    if kind == "missing":
        raise PictureError(f"{name}: cannot be read")
    picture, mask = sample(seed)
    return picture, None if kind == "authentic" else mask


def item(seed, kind="manipulated", name=None):
    name = name or f"{kind} {seed}"
    return Item(name, lambda: read(seed, name, kind))


ITEMS = [
    *(item(seed) for seed in range(9)),
    item(9, "missing"),
    item(10, "authentic"),
    item(11, name="manipulated 2"),  # there before, in another piece
    item(12, "authentic"),
    *(item(seed) for seed in range(13, 20)),
]
ITEMS[3:5] = [one._replace(picture="one in two pieces") for one in ITEMS[3:5]]
DATA = DataSet("toys", "f00d", ITEMS)
SUM = Method("sum", lambda picture: picture.sum(axis=2, dtype=float), probabilities=False)


def load_brightness():
    return ITEMS, BRIGHTNESS


def load_sum():
    return ITEMS, SUM


@pytest.fixture(autouse=True)
def workers(monkeypatch):
    """Pieces of four, in any order, some of them done twice."""

    def run(function, items, *_):
        for one in random.Random(3).sample([*items, *items], 2 * len(items)):
            pickle.loads(pickle.dumps(function))(one)

    class Here:
        def __init__(self, make):
            self._call = pickle.loads(make)()

        def __call__(self, number):
            self._call(number)

        def close(self):
            pass

    monkeypatch.setattr(pieces, "PICTURES", 4)
    monkeypatch.setattr(on_beam, "run", run)
    monkeypatch.setattr(on_beam, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(by_workers, "child_of", Here)
    COUNTED.clear()


def by_pieces(
    path, method=BRIGHTNESS, load=load_brightness, attack=attacks.NONE, grid=PROBABILITY_GRID, names=tuple(PROTOCOLS)
):
    setting = study.setting_of(DATA, method, attack, "none", choose(names))
    how = {"load": load, "runner_name": "AnyRunner", "options": []}
    return by_workers.evaluate(path, DATA, runner.Scorer(method, attack), choose(names), grid, setting, **how)


@pytest.mark.parametrize(
    ("method", "load", "attack"), [(BRIGHTNESS, load_brightness, "none"), (SUM, load_sum, "blur-3")]
)
def test_sums_over_pieces_are_those_of_evaluate_to_the_bit(tmp_path, method, load, attack):
    attack, grid = attacks.parse(attack), runner.threshold_grid(ITEMS, runner.Scorer(method))
    scorer = runner.Scorer(method, attack)
    expected, skipped = runner.evaluate(ITEMS, scorer, choose(list(PROTOCOLS)), grid)
    evaluation, left_out = by_pieces(tmp_path, method, load, attack, grid)
    assert left_out == skipped and [name for name, _ in skipped] == ["missing 9", "manipulated 2"]
    np.testing.assert_equal(evaluation.table, expected.table)
    np.testing.assert_equal(evaluation.pictures, expected.pictures)
    np.testing.assert_equal(evaluation.curves, expected.curves)
    assert evaluation.scores.keys() == expected.scores.keys()
    for name, scores in expected.scores.items():
        assert evaluation.scores[name].keys() == scores.keys()
        for metric, score in scores.items():
            np.testing.assert_array_equal(evaluation.scores[name][metric].rows, score.rows)
    assert not (tmp_path / pieces.WORK).exists()


def test_finished_pieces_of_the_same_setting_are_kept(tmp_path, monkeypatch):
    whole = on_beam.run
    monkeypatch.setattr(on_beam, "run", lambda function, items, *_: whole(function, items[:3]))
    with pytest.raises(on_beam.BeamError, match="AnyRunner pipeline left no .*000003.npz"):
        by_pieces(tmp_path, names=QUICK)
    assert sorted(COUNTED) == sorted(one.name for one in ITEMS[:12])
    COUNTED.clear()
    asked = []
    monkeypatch.setattr(on_beam, "run", lambda function, items, *_: (asked.extend(items), whole(function, items)))
    by_pieces(tmp_path, names=QUICK)
    assert sorted(COUNTED) == sorted(one.name for one in ITEMS[12:])
    assert asked == [3, 4]


def test_the_process_in_which_workers_score_ends_with_the_pass(tmp_path, monkeypatch):
    made, child = [], by_workers.child_of
    monkeypatch.setattr(by_workers, "child_of", lambda make: made.append(child(make)) or made[-1])
    monkeypatch.setattr(child, "close", lambda self: made.append("closed"))
    by_pieces(tmp_path, names=QUICK)
    assert made[-1] == "closed"


def test_pieces_of_another_setting_are_not_taken(tmp_path, monkeypatch):
    whole = on_beam.run
    monkeypatch.setattr(on_beam, "run", lambda function, items, *_: whole(function, items[:3]))
    with pytest.raises(on_beam.BeamError):
        by_pieces(tmp_path, names=("paper",))
    COUNTED.clear()
    monkeypatch.setattr(on_beam, "run", whole)
    by_pieces(tmp_path, names=QUICK)
    assert len(COUNTED) == len(ITEMS)


def test_a_piece_over_which_its_process_ends_is_begun_once_more(monkeypatch):
    calls = []

    def child(number):
        calls.append(number)
        if len(calls) == 1:
            raise by_workers.Ended("its process ended (SIGKILL)")

    monkeypatch.setattr(by_workers, "child_of", lambda make: child)
    by_workers.count_piece(7, b"")
    assert calls == [7, 7]


def test_the_last_piece_has_what_is_left():
    assert [pieces.sizes(count) for count in (0, 3, 8, 9)] == [[], [3], [4, 4], [4, 4, 1]]


def test_all_pieces_but_the_last_are_written(tmp_path):
    list(pieces.outcomes(ITEMS, runner.Scorer(BRIGHTNESS), choose(QUICK), PROBABILITY_GRID, tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"00000{number}.npz" for number in range(4)]


def test_each_setting_grid_and_size_of_pieces_has_its_folder(tmp_path, monkeypatch):
    found = [
        pieces.folder_of(tmp_path, *of)
        for of in [({"a": 1}, np.arange(3)), ({"a": 2}, np.arange(3)), ({"a": 1}, np.arange(4))]
    ]
    monkeypatch.setattr(pieces, "PICTURES", 5)
    found.append(pieces.folder_of(tmp_path, {"a": 1}, np.arange(3)))
    assert len(set(found)) == 4 and {folder.parent for folder in found} == {tmp_path / pieces.WORK}


def here(path, method=BRIGHTNESS, names=QUICK):
    setting = study.setting_of(DATA, method, attacks.NONE, "none", choose(names))
    return study.here(path, DATA, runner.Scorer(method), choose(names), PROBABILITY_GRID, setting)


def interrupted_at(path, place, names=QUICK):
    """A pass that Ctrl-C ends over the picture at this place."""

    def score(picture):
        if len(COUNTED) > place:
            raise KeyboardInterrupt
        return BRIGHTNESS.score(picture)

    with pytest.raises(KeyboardInterrupt):
        here(path, Method("brightness", score, probabilities=True), names)
    COUNTED.clear()


def test_a_pass_in_this_process_goes_on_from_its_pieces_to_the_same_bits(tmp_path):
    expected, skipped = runner.evaluate(ITEMS, runner.Scorer(BRIGHTNESS), choose(QUICK), PROBABILITY_GRID)
    COUNTED.clear()
    interrupted_at(tmp_path, 14)
    kept = sorted(tmp_path.glob(f"{pieces.WORK}/*/*.npz"))
    kept[1].write_bytes(kept[1].read_bytes()[:-50])  # the machine lost its power
    evaluation, left_out = here(tmp_path)
    todo = [*ITEMS[4:8], *ITEMS[12:]]
    assert [one.name for one in todo] == COUNTED
    assert left_out == skipped and [name for name, _ in skipped] == ["missing 9", "manipulated 2"]
    np.testing.assert_equal(evaluation.table, expected.table)
    for name, scores in expected.scores.items():
        for metric, score in scores.items():
            np.testing.assert_array_equal(evaluation.scores[name][metric].rows, score.rows)
    assert not (tmp_path / pieces.WORK).exists()


def test_a_pass_in_this_process_takes_no_pieces_of_another_setting(tmp_path):
    interrupted_at(tmp_path, 14, names=("paper",))
    here(tmp_path)
    assert set(COUNTED) == {one.name for one in ITEMS}
