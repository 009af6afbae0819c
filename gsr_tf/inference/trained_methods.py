"""Methods beside GSR-Net that have to be trained, and are then a model that says which of them it is."""

from __future__ import annotations

from gsr_tf.inference.metadata import DetectorError, read_metadata
from gsr_tf.inference.named import located

TRAINED = ("mfcn", "sfcn", "rgbn", "exif-sc")


def check(method: str | None, path: str | None) -> None:
    """Checks that a model is of the method that is asked for.

    Args:
        method: one of `TRAINED`, or None for any.
        path: the folder that was exported, or the name of included weights; None for none.

    Raises:
        DetectorError: there is no model, no such folder, or it is of another method.
    """
    if method is None:
        return
    if path is None:
        raise DetectorError(
            f"--method={method}: this method has to be trained, and is then read as a model: python -m "
            f"gsr_tf.train_comparator --flagfile=comparators/{method}, then python -m gsr_tf.export, then "
            f"--method={method} --saved_model=EXPORT"
        )
    located(path)  # a folder that is not there says nothing of its method
    found = read_metadata(path).get("method", "GSR-Net")
    if found != method:
        raise DetectorError(
            f"--method={method}: --saved_model={path} is a model of {found}; leave --method out to use it"
        )
