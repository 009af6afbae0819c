"""Methods beside GSR-Net that have to be trained, and are then a model that says which of them it is."""

from __future__ import annotations

from gsr_tf.inference.saved_model import DetectorError, read_metadata

TRAINED = ("mfcn", "sfcn", "rgbn", "exif-sc")


def check(method: str | None, path: str | None) -> None:
    """Checks that a model is of the method that is asked for.

    Args:
        method: one of `TRAINED`, or None for any.
        path: the folder that was exported; None for none.

    Raises:
        DetectorError: there is no model, or it is of another method.
    """
    if method is None:
        return
    if path is None:
        raise DetectorError(
            f"--method={method}: this method has to be trained, and is then read as a model: python -m "
            f"gsr_tf.train_comparator --flagfile=comparators/{method}, then python -m gsr_tf.export, then "
            f"--method={method} --saved_model=EXPORT"
        )
    found = read_metadata(path).get("method", "GSR-Net")
    if found != method:
        raise DetectorError(
            f"--method={method}: --saved_model={path} is a model of {found}; leave --method out to use it"
        )
