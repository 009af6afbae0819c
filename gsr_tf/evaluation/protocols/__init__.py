"""Evaluation protocols by name: what each system of the field means by "F1".

A protocol is a file: how it looks at one picture, what it keeps of it to be summed over pictures, and the scores that
follow from the sums. What several of them share is in `protocol`, `curves` and `pixels`.
"""

from __future__ import annotations

from collections.abc import Sequence

from gsr_tf.evaluation.protocols import (
    authentic,
    false_alarms,
    fixed,
    image_level,
    image_optimum,
    imdlbenco,
    mvss,
    paper,
    paper_cleaned,
    pooled,
    release,
    trufor,
)
from gsr_tf.evaluation.protocols.protocol import Protocol, ProtocolError

_IN_ORDER = (
    *(paper, paper_cleaned, release, image_optimum, fixed, pooled, imdlbenco, trufor, mvss, image_level),
    *(authentic, false_alarms),
)
PROTOCOLS = {module.PROTOCOL.name: module.PROTOCOL for module in _IN_ORDER}
DEFAULT = tuple(name for name, protocol in PROTOCOLS.items() if protocol.by_default)


def choose(names: Sequence[str]) -> list[Protocol]:
    """The protocols of these names; raises ProtocolError for a name that is none, and for no name."""
    if not names:
        raise ProtocolError(f"--protocols: names none; choose from {', '.join(PROTOCOLS)}")
    unknown = [name for name in names if name not in PROTOCOLS]
    if unknown:
        raise ProtocolError(f"--protocols: no protocol {', '.join(unknown)}; choose from {', '.join(PROTOCOLS)}")
    return [PROTOCOLS[name] for name in names]
