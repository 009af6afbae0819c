"""The curves of a run in TensorBoard, as the demo's last lines tell to look at them."""

import json
import re
import subprocess
import sys
import time
from urllib.request import urlopen

import pytest

from gsr_tf.training.summaries import Summaries


@pytest.fixture
def address(tmp_path):
    """Where a TensorBoard that was started on a run's folder answers."""
    Summaries(tmp_path).scalars(3, {"loss/segmenter": 0.5})
    command = [sys.executable, "-m", "tensorboard.main", f"--logdir={tmp_path}", "--host=127.0.0.1", "--port=0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        said = []
        for line in process.stderr:
            said.append(line)
            found = re.search(r"TensorBoard .* at (http://127\.0\.0\.1:\d+/)", line)
            if found:
                yield found[1]
                break
        else:
            pytest.fail("".join(said))
        process.terminate()


def read(url):
    with urlopen(url, timeout=20) as response:
        return response.read()


def test_it_starts_and_shows_the_curves(address):
    assert b"<title>TensorBoard</title>" in read(address)
    for _ in range(100):  # it reads the folder in the background
        tags = json.loads(read(f"{address}data/plugin/scalars/tags"))
        if tags:
            break
        time.sleep(0.2)
    assert list(tags["."]) == ["loss/segmenter"]
