"""Evaluation protocols by name: what each system of the field means by "F1".

A protocol is three steps: a view of one picture (`views`), the values of that picture that are summed (`values`), and
the scores that follow from the sums (`scores`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from gsr_tf.evaluation import scores, values, views
from gsr_tf.evaluation.accumulator import Accumulator
from gsr_tf.evaluation.errors import ProtocolError
from gsr_tf.evaluation.metrics import Counts


@dataclasses.dataclass(frozen=True)
class Protocol:
    """One way to turn score maps into numbers.

    Attributes:
        name: what the command line and every printed score call it.
        definition: thresholds, averaging and conventions, in a sentence.
        source: where the definition is from.
        view: (scores, mask, thresholds) -> Counts of one picture.
        values: (counts, thresholds) -> what is summed over pictures.
        scores: (sums, thresholds) -> the metrics.
        resolution: at which size pixels are counted.
        pictures: "manipulated", "authentic" or "all": which ones it is over.
        needs_probabilities: it has a fixed threshold, which means nothing for other maps.
        thresholds: its own grid; None for the run's.
    """

    name: str
    definition: str
    source: str
    view: Callable[[np.ndarray, np.ndarray, np.ndarray], Counts]
    values: Callable[[Counts, np.ndarray], values.Values]
    scores: Callable[[Accumulator, np.ndarray], scores.Scores]
    resolution: str = "native"
    pictures: str = "manipulated"
    needs_probabilities: bool = False
    thresholds: np.ndarray | None = None

    def covers(self, manipulated: bool) -> bool:
        """Whether the protocol is over pictures of this kind."""
        return self.pictures in ("all", "manipulated" if manipulated else "authentic")


_ALL = (
    Protocol(
        name="paper",
        definition="F1 and MCC of each picture averaged at each threshold, then the best average, each its own",
        source='GSR-Net 4.2: "vary the prediction threshold [...] and report the optimal score over the whole dataset"',
        view=views.native,
        values=values.curves,
        scores=scores.best_mean,
    ),
    Protocol(
        name="release",
        definition="each picture's best F1 and best MCC over thresholds 0.00 to 0.49, averaged; at each threshold a "
        "closing by 15x15, the three largest components (background included), a 3x3 erosion, a closing twice",
        source="the test script of GSR-Net's release, in its early revisions (2019)",
        view=views.release,
        values=values.release,
        scores=scores.mean,
        resolution="300x300",
        needs_probabilities=True,
        thresholds=views.RELEASE_THRESHOLDS,
    ),
    Protocol(
        name="image-optimum",
        definition="each picture's best F1 and best MCC over thresholds, averaged; polarity as the method gives it",
        source="Huh et al. 2018 (EXIF-consistency), whose numbers Table 1 quotes",
        view=views.native,
        values=values.optima,
        scores=scores.mean,
    ),
    Protocol(
        name="fixed-0.5",
        definition="F1 and MCC of each picture at probability > 0.5, averaged",
        source="common practice: no threshold is chosen with the truth in hand",
        view=views.native,
        values=values.fixed,
        scores=scores.mean,
        needs_probabilities=True,
    ),
    Protocol(
        name="pooled",
        definition="the pixels of all pictures as one: large pictures and large regions weigh more",
        source="photoholmes (torchmetrics over the data set)",
        view=views.native,
        values=values.pixels,
        scores=scores.pooled,
    ),
    Protocol(
        name="imdlbenco",
        definition="F1 of each listed picture at > 0.5, averaged; an authentic picture scores 0",
        source="IMDLBenCo, evaluation/F1.py and AUC.py, mode origin",
        view=views.imdlbenco,
        values=values.imdlbenco,
        scores=scores.mean,
        resolution="512x512",
        pictures="all",
        needs_probabilities=True,
    ),
    Protocol(
        name="trufor",
        definition="F1 of the map or of its inverse, whichever is better, at each picture's best threshold and at 0.5; "
        "a band about the region's border is ignored",
        source="TruFor, test_docker/metrics.py",
        view=views.trufor,
        values=values.trufor,
        scores=scores.mean,
    ),
    Protocol(
        name="mvss",
        definition="F1 of each manipulated picture at > 0.5 of an 8-bit map, averaged; empty mask and prediction: 1",
        source="MVSS-Net, evaluate.py and common/utils.py",
        view=views.mvss,
        values=values.mvss,
        scores=scores.mean,
        needs_probabilities=True,
    ),
    Protocol(
        name="image-level",
        definition="manipulated or authentic, by the picture's highest score; at > 0.5 where a threshold is needed",
        source="the image score of MVSS-Net (highest pixel)",
        view=views.whole_picture,
        values=values.pixels,
        scores=scores.detection,
        pictures="all",
    ),
    Protocol(
        name="authentic",
        definition="share of an authentic picture's pixels at > 0.5, averaged; share of pictures with any",
        source="what users of such tools complain of: false alarms on pictures that nobody touched",
        view=views.native,
        values=values.false_alarms,
        scores=scores.mean,
        pictures="authentic",
        needs_probabilities=True,
    ),
    Protocol(
        name="false-alarms",
        definition="F1, MCC and recall of each manipulated picture, averaged, at the lowest threshold at which at most "
        "10, 5, 2 or 1 % of an authentic picture's pixels are marked, averaged over the set's",
        source="ours: methods that mark much and little compare, and a threshold can be chosen by what it costs",
        view=views.native,
        values=values.curves_by_kind,
        scores=scores.at_false_alarms,
        pictures="all",
    ),
)
PROTOCOLS = {protocol.name: protocol for protocol in _ALL}


def choose(names: Sequence[str], flag: str = "--protocols") -> list[Protocol]:
    """The protocols of these names; raises ProtocolError for a name that is none."""
    unknown = [name for name in names if name not in PROTOCOLS]
    if unknown:
        raise ProtocolError(f"{flag}: no protocol {', '.join(unknown)}; choose from {', '.join(PROTOCOLS)}")
    return [PROTOCOLS[name] for name in names]
