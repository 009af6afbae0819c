"""A command as `python -m` starts it, up to what it hands to the workers of a pipeline."""

import pickle
import runpy
import sys

import pytest

from gsr_tf.data import on_beam


def handed_to_workers(module, arguments, monkeypatch):
    """The bytes that the workers get: what is to be called, and with what."""
    handed = []

    def run(function, items, runner, options):
        handed.append(pickle.dumps((function, items)))
        raise on_beam.BeamError("no workers here")

    monkeypatch.setattr(on_beam, "run", run)
    monkeypatch.setattr(sys, "argv", [module.__file__, *arguments])
    with pytest.raises(SystemExit):
        runpy.run_path(module.__file__, run_name="__main__")
    return handed[0]
