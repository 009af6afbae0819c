"""Pictures that wait at the same time go through the network together, on a GPU; on a CPU they take turns.

A GPU answers four small pictures in hardly more time than one. A CPU is full with one, and its answers are the same
bits alone and in any company.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np
import tensorflow as tf

from gsr_tf.inference.device import gpus
from gsr_tf.inference.metadata import DetectorError
from gsr_tf.inference.module import DetectorModule
from gsr_tf.inference.saved_model import MAPS, form_refusal

Maps = dict[str, np.ndarray]

ONE_PASS = threading.Lock()  # passes take turns: one of a megapixel takes 1.1 GiB
PIXELS = 2_000_000  # of the pictures of one pass, at most, or one picture
MOST = 16  # pictures


@dataclasses.dataclass(frozen=True, eq=False)
class Waiting:
    """A picture, [h, w, 3] uint8, the detector that it waits for, and its maps to be."""

    module: DetectorModule
    picture: np.ndarray
    maps: Future[Maps] = dataclasses.field(default_factory=Future)

    @property
    def company(self) -> tuple:
        """Equal for pictures that can go together."""
        return id(self.module), self.picture.shape


_waiting: list[Waiting] = []
_list = threading.Lock()


def go_together(module: DetectorModule) -> bool:
    """Whether pictures go through this detector together: on a GPU, unless an earlier version exported it."""
    return bool(gpus()) and getattr(module, "natives", None) is not None


def native(module: DetectorModule, picture: np.ndarray) -> Maps:
    """The maps of a picture at its own size, in one pass; from several threads, together where they `go_together`.

    Args:
        module: the detector, or what was saved of it.
        picture: [h, w, 3] uint8 RGB.

    Returns:
        {name: [h, w] float32 in [0, 1]}: those of `module.native`, within 1e-4 where pictures went together.
    """
    mine = Waiting(module, picture)
    with _list:
        _waiting.append(mine)
    with ONE_PASS:
        if not mine.maps.done():  # else whoever held the lock has answered this one, too
            _answer(_taken(mine))
    return mine.maps.result()


def _taken(first: Waiting) -> list[Waiting]:
    """The picture and others to go with it, out of the list.

    One, two, four and so on: of each other number a GPU would first have to try out its convolutions.
    """
    with _list:
        others = [one for one in _waiting if one.company == first.company and one != first]
        pixels = first.picture.shape[0] * first.picture.shape[1]
        most = max(1, min(1 + len(others), MOST, PIXELS // pixels)) if go_together(first.module) else 1
        power_of_two = 1 << most.bit_length() - 1
        taken = [first, *others[: power_of_two - 1]]
        _waiting[:] = [one for one in _waiting if one not in taken]
    return taken


def _answer(taken: Sequence[Waiting]) -> None:
    try:
        for one, maps in zip(taken, _maps(taken[0].module, [one.picture for one in taken])):
            one.maps.set_result(maps)
    except Exception as error:
        for one in taken:
            one.maps.set_exception(error)


def _maps(module: DetectorModule, pictures: Sequence[np.ndarray]) -> list[Maps]:
    if len(pictures) == 1:
        return [arrays(module.native(tf.constant(pictures[0])))]
    found = arrays(module.natives(tf.constant(np.stack(pictures))), rank=4)
    return [{name: values[number] for name, values in found.items()} for number in range(len(pictures))]


def arrays(answer: dict[str, tf.Tensor], rank: int = 3) -> Maps:
    """A detector's answer, tensors by name, as arrays that are the caller's own.

    Args:
        answer: of each map [h, w, 1], float; other outputs are left out.
        rank: 4 for the answer to n pictures, [n, h, w, 1].

    Returns:
        {name: [h, w] or [n, h, w] float32}.

    Raises:
        DetectorError: a map has another form.
    """
    found = {name: answer[name].numpy() for name in MAPS if name in answer}
    for name, values in found.items():
        if refusal := form_refusal(name, tf.TensorShape(values.shape), tf.as_dtype(values.dtype), rank):
            raise DetectorError(f"the model's {refusal}")
    return {name: values[..., 0].astype(np.float32, copy=False) for name, values in found.items()}
