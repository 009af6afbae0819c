"""The benchmarks as commands: one can be imported beside all others, and each says what it is for."""

import importlib
from pathlib import Path

import pytest
from absl import flags

import benchmarks
from gsr_tf.flag_help import ABSL_OWN

FILES = [path for path in Path(benchmarks.__file__).parent.glob("*.py") if path.stem != "__init__"]
COMMANDS = sorted(path.stem for path in FILES if 'if __name__ == "__main__":' in path.read_text())


def test_they_can_all_be_imported_together_since_none_defines_a_flag_for_all():
    for path in FILES:
        importlib.import_module(f"benchmarks.{path.stem}")
    assert not [module for module in flags.FLAGS.flags_by_module_dict() if module.startswith("benchmarks.")]
    assert {"beam", "folder", "plan", "serve_load"} < set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_what_it_is_for_and_its_flags(name, capsys):
    module = importlib.import_module(f"benchmarks.{name}")
    values = flags.FlagValues()
    module._define(values)
    assert module.main([name, "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(module.__doc__.strip()) and f"python -m benchmarks.{name}" in said
    assert all(f"--{flag}:" in said or f"--[no]{flag}:" in said for flag in values if flag not in ABSL_OWN)
