"""Streams: their elements by number, and what they are made by."""

from __future__ import annotations

import pytest
import tensorflow as tf

from gsr_tf.data.stream import in_batches, mapped


def test_elements_come_by_number_from_any_batch_on():
    stream = in_batches(lambda number: number**2, 3, start=2)
    assert [batch.numpy().tolist() for batch in stream.take(2)] == [[36, 49, 64], [81, 100, 121]]


def test_no_code_is_converted():
    """Which would take four fifths of the time until a stream's first element; so branches are operations."""
    numbers = tf.data.Dataset.range(2)
    with pytest.raises(tf.errors.OperatorNotAllowedInGraphError, match="AutoGraph"):
        mapped(numbers, lambda number: 1 if number > 0 else 0)
