"""Curves, there and back; what a panel shows."""

import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams import metadata

from gsr_tf.training.summaries import Summaries, SummaryError, panel_pictures, read_scalars
from tests.networks import make_batch, tiny_net


def test_a_continued_run_has_one_curve_where_the_later_stretch_counts(tmp_path):
    first = Summaries(tmp_path, panel_pictures)
    for step in (1, 2, 3):
        first.scalars(step, {"loss/edge": 1.0})
    first.writer.close()
    for path in tmp_path.glob("events*"):  # opened within the same second
        path.rename(tmp_path / "events.out.tfevents.1.first")
    second = Summaries(tmp_path, panel_pictures)
    for step in (3, 4):  # went on from the checkpoint of step 2
        second.scalars(step, {"loss/edge": 2.0, "validation/f1": 0.5})
    assert read_scalars(tmp_path) == {"loss/edge": {1: 1.0, 2: 1.0, 3: 2.0, 4: 2.0}, "validation/f1": {3: 0.5, 4: 0.5}}


def test_the_introduction_is_text_and_settings(tmp_path):
    Summaries(tmp_path, panel_pictures).introduction(
        "as **this**", {"steps": 3, "flip": True, "segment_on": ("pasted", "source")}
    )
    (file,) = tmp_path.glob("events*")
    found = {value.tag: value for event in EventFileLoader(str(file)).Load() for value in event.summary.value}
    assert tf.make_ndarray(found["run"].tensor).item() == b"as **this**"
    assert found["run"].metadata.plugin_data.plugin_name == "text"
    content = found[metadata.SESSION_START_INFO_TAG].metadata.plugin_data.content
    settings = metadata.parse_session_start_info_plugin_data(content).hparams
    assert (settings["steps"].number_value, settings["flip"].bool_value) == (3, True)
    assert settings["segment_on"].string_value == "pasted,source" and len(settings) == 3


def test_a_folder_without_events_has_no_curves(tmp_path):
    assert read_scalars(tmp_path) == {}


def test_of_a_generator_alone_nothing_of_the_segmenter_is_shown():
    pictures = panel_pictures(tiny_net(segment_on=[], refine_steps=0), make_batch())
    assert list(pictures) == ["S", "K", "T", "M", "G(M)"]


@pytest.mark.parametrize("kind", [tf.errors.ResourceExhaustedError, tf.errors.OutOfRangeError])
def test_a_disk_without_room_for_curves_is_said(tmp_path, monkeypatch, kind):
    def flush(writer):
        raise kind(None, None, "events.v2; No space left on device\nFailed to flush 9 events")

    summaries = Summaries(tmp_path, panel_pictures)
    monkeypatch.setattr(type(summaries.writer), "flush", flush)
    with pytest.raises(SummaryError, match=f"step 3: .*{tmp_path} .*No space left on device.*same command") as raised:
        summaries.scalars(3, {"loss/edge": 1.0})
    assert "\n" not in str(raised.value)
