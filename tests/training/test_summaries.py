"""Curves, there and back; what a panel shows."""

from gsr_tf.training.summaries import Summaries, panel_pictures, read_scalars
from tests.networks import make_batch, tiny_net


def test_a_continued_run_has_one_curve_where_the_later_stretch_counts(tmp_path):
    first = Summaries(tmp_path)
    for step in (1, 2, 3):
        first.scalars(step, {"loss/edge": 1.0})
    first.writer.close()
    for path in tmp_path.glob("events*"):  # opened within the same second
        path.rename(tmp_path / "events.out.tfevents.1.first")
    second = Summaries(tmp_path)
    for step in (3, 4):  # went on from the checkpoint of step 2
        second.scalars(step, {"loss/edge": 2.0, "validation/f1": 0.5})
    assert read_scalars(tmp_path) == {"loss/edge": {1: 1.0, 2: 1.0, 3: 2.0, 4: 2.0}, "validation/f1": {3: 0.5, 4: 0.5}}


def test_a_folder_without_events_has_no_curves(tmp_path):
    assert read_scalars(tmp_path) == {}


def test_of_a_generator_alone_nothing_of_the_segmenter_is_shown():
    pictures = panel_pictures(tiny_net(segment_on=[], refine_steps=0), make_batch())
    assert list(pictures) == ["S", "K", "T", "M", "G(M)"]
