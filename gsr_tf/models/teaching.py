"""Teachers: segmenters that are not trained, and what they say together of a picture that another one learns from."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from gsr_tf.models.convolution import without_gradients
from gsr_tf.models.keras import keras
from gsr_tf.models.segmenter import log_odds


def taught(teachers: Sequence[keras.Model], image: tf.Tensor) -> dict[str, tf.Tensor]:
    """The probability whose log odds are the mean of the teachers' (ours; Hinton et al., 2015, average them too).

    Args:
        teachers: segmenters of one form.
        image: [b, h, w, 3], network range; each picture is normalised by its own moments, as at test.

    Returns:
        {name of the logits: [b, h, w, 1] float32, of class 1}, without a gradient; {} without teachers.
    """
    with without_gradients():
        answers = [teacher(image, training=False) for teacher in teachers]
    names = answers[0] if answers else ()
    means = {name: tf.add_n([log_odds(answer[name]) for answer in answers]) / len(answers) for name in names}
    return {name: tf.stop_gradient(tf.sigmoid(mean)) for name, mean in means.items()}
