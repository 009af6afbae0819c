"""The curves of a run in TensorBoard, as the demo's last lines tell to look at them."""

import json
import re
import subprocess
import sys
import time
from urllib.request import Request, urlopen

import pytest

from gsr_tf.training.summaries import Summaries, panel_pictures


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Where a TensorBoard that was started on a folder of runs answers."""
    folder = tmp_path_factory.mktemp("runs")
    summaries = Summaries(folder / "mine", panel_pictures)
    summaries.introduction("a run", {"steps": 4, "refine_on": ("pasted", "generated")})
    for step, f1 in ((2, 0.75), (4, 0.5)):
        summaries.scalars(step, {"loss/segmenter": 1.5, "validation/f1": f1})
    command = [sys.executable, "-m", "tensorboard.main", f"--logdir={folder}", "--host=127.0.0.1", "--port=0"]
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


def read(url, asked=None):
    data = None if asked is None else json.dumps(asked).encode()
    with urlopen(Request(url, data, {"Content-Type": "application/json"}), timeout=20) as response:
        return response.read()


def test_it_starts_and_shows_the_curves(address):
    assert b"<title>TensorBoard</title>" in read(address)
    for _ in range(100):  # it reads the folder in the background
        tags = json.loads(read(f"{address}data/plugin/scalars/tags"))
        if len(tags.get("mine", ())) == 2:
            break
        time.sleep(0.2)
    assert sorted(tags["mine"]) == ["loss/segmenter", "validation/f1"]


def test_it_shows_settings_beside_the_last_validation(address):
    asked = {"experimentName": "", "allowedStatuses": ["STATUS_UNKNOWN"], "startIndex": 0, "sliceSize": 9}
    asked["colParams"] = [{"hparam": "steps"}, {"hparam": "refine_on"}, {"metric": {"tag": "validation/f1"}}]
    for _ in range(100):
        groups = json.loads(read(f"{address}data/plugin/hparams/session_groups", asked)).get("sessionGroups", ())
        found = [metric for group in groups for metric in group.get("metricValues", ())]
        values = {metric["name"]["tag"]: metric["value"] for metric in found}
        if "validation/f1" in values:  # a curve may be there before another
            break
        time.sleep(0.2)
    (group,) = groups
    assert group["hparams"] == {"steps": 4, "refine_on": "pasted,generated"}
    assert values["validation/f1"] == 0.5
