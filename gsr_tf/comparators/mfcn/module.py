"""MFCN as a detector: a picture in, the edge-enhanced map out."""

from __future__ import annotations

import tensorflow as tf

from gsr_tf.comparators.mfcn.edges import edge_enhanced
from gsr_tf.inference.module import DetectorModule


class EdgeEnhancedModule(DetectorModule):
    """`DetectorModule` of a network with an `edge_threshold`; "probability" is the edge-enhanced map.

    It sees whole pictures only: outlines that are learnt close at a picture's border, not at a window's.
    """

    native = natives = moments = window = None

    def _maps_of(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        maps = super()._maps_of(images)
        enhanced = edge_enhanced(maps["probability"], maps["boundary"], self.segmenter.edge_threshold)
        return {**maps, "probability": enhanced}
