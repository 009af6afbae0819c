"""What TensorFlow 2.15 saves, today's TensorFlow reads, and the other way round."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# `.ci/run` makes both environments, one for each TensorFlow.
OTHERS = [path for name in (".venv", ".venv-other") if (path := ROOT / name) != Path(sys.prefix)]


@pytest.mark.skipif(
    not (OTHERS[0] / "bin/python").exists(), reason=f"no environment of the other TensorFlow in {OTHERS[0]}"
)
@pytest.mark.parametrize(
    "writer, reader", [(sys.executable, OTHERS[0] / "bin/python"), (OTHERS[0] / "bin/python", sys.executable)]
)
def test_each_world_reads_the_others_models(tmp_path, writer, reader):
    for python, verb in ((writer, "write"), (reader, "read")):
        done = subprocess.run(
            [python, "-m", "tests.formats.world", verb, tmp_path], cwd=ROOT, text=True, capture_output=True
        )
        assert done.returncode == 0, done.stderr
