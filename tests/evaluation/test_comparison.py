import csv
import io
import json
import shutil

import numpy as np
import pytest

from gsr_tf.comparators.method import Method
from gsr_tf.evaluation import comparison, report, study
from gsr_tf.evaluation.attacks import parse_all
from gsr_tf.evaluation.comparison import ComparisonError
from gsr_tf.evaluation.evaluator import MASK_CHECKSUM
from gsr_tf.evaluation.items import Item
from gsr_tf.evaluation.outputs import as_csv
from gsr_tf.evaluation.protocols import PROTOCOLS, choose
from gsr_tf.evaluation.study import DataSet
from tests.evaluation import toy_records
from tests.evaluation.toy_records import sample

ITEMS = toy_records.items(12)
DATA = DataSet("toy", "f00d", ITEMS)


def noisy(name, amount):
    """Brightness with so much noise: a worse detector, right and wrong on much the same pictures."""

    def score(picture):
        noise = np.random.default_rng(int(picture[0, 0, 0])).normal(0, amount, picture.shape[:2])
        return np.clip(picture.mean(axis=2) / 255 + noise, 0, 1)

    return Method(name, score, probabilities=True)


@pytest.fixture(name="folders", scope="module")
def evaluated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluations")
    for name, amount in (("sharp", 0.05), ("dull", 0.07)):
        study.run(folder / name, DATA, noisy(name, amount), choose(["paper", "fixed-0.5"]))
    return folder


def found(folders, first, second):
    return {(one.protocol, one.metric): one for one in comparison.compare(folders / first, folders / second)}


def test_the_difference_is_that_of_the_scores_and_turns_round(folders):
    summaries = {name: study.run(folders / name, DATA, noisy(name, a), choose(["paper", "fixed-0.5"]))["none"]
                 for name, a in (("sharp", 0.05), ("dull", 0.07))}  # fmt: skip
    values = {
        name: next(x["value"] for x in one["scores"] if (x["protocol"], x["metric"]) == ("paper", "f1"))
        for name, one in summaries.items()
    }
    forth, back = (found(folders, *pair)["paper", "f1"] for pair in (("sharp", "dull"), ("dull", "sharp")))
    assert forth.value == pytest.approx(values["sharp"] - values["dull"], abs=1e-12) and forth.value > 0
    assert (back.value, back.low, back.high) == pytest.approx((-forth.value, -forth.high, -forth.low))
    assert forth.at_most_zero < 0.025 and back.at_most_zero > 0.975


def test_pairing_narrows_the_interval(folders):
    paired = found(folders, "sharp", "dull")["fixed-0.5", "f1"]
    rows = [np.load(folders / name / "replicates.npz")["fixed-0.5/f1"][1:] for name in ("sharp", "dull")]
    shuffled = rows[0] - np.random.default_rng(0).permutation(rows[1])
    low, high = np.quantile(shuffled, [0.025, 0.975])
    assert paired.high - paired.low < 0.8 * (high - low)


def test_an_evaluation_does_not_differ_from_itself(folders):
    for one in comparison.compare(folders / "sharp", folders / "sharp"):
        assert (one.value, one.low, one.high, one.at_most_zero) == (0, 0, 0, 1)


def test_other_pictures_are_refused_by_name(folders, tmp_path):
    study.run(tmp_path, DataSet("part", "f00d", ITEMS[1:]), noisy("sharp", 0.05), choose(["paper"]))
    with pytest.raises(ComparisonError, match="1 are in one only, the first picture 0"):
        comparison.compare(folders / "sharp", tmp_path)
    with pytest.raises(ComparisonError, match="no per_image.csv"):
        comparison.compare(folders / "sharp", tmp_path / "nowhere")


def damaged_in(place):
    """Replicates with another bit: of the first file's version, as far as it is known, or of its encryption."""

    def damage(data):
        start = data.rindex(b"PK\x01\x02")
        return data[: start + place] + bytes([data[start + place] | 0x41]) + data[start + place + 1 :]

    return damage


def npy(data):
    np.save(buffer := io.BytesIO(), np.zeros(2))
    return buffer.getvalue()


@pytest.mark.parametrize("damage", [lambda data: b"", damaged_in(6), damaged_in(8), npy])
def test_replicates_that_are_damaged_are_named(folders, tmp_path, damage):
    shutil.copytree(folders / "dull", tmp_path / "dull")
    path = tmp_path / "dull" / "replicates.npz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ComparisonError, match=f"{tmp_path}/dull: replicates.npz is missing or damaged; evaluate it"):
        comparison.compare(folders / "sharp", tmp_path / "dull")


def test_protocols_of_another_definition_are_left_out_by_name(folders, tmp_path):
    shutil.copytree(folders / "dull", tmp_path / "dull")
    path = tmp_path / "dull/summary.json"
    summary = json.loads(path.read_text())
    assert comparison.remarks(folders / "sharp", tmp_path / "dull") == []
    summary["protocols"]["paper"]["definition"] += ", as it was"
    summary["scoring"] = "0"
    path.write_text(json.dumps(summary))
    assert {one.protocol for one in comparison.compare(folders / "sharp", tmp_path / "dull")} == {"fixed-0.5"}
    redefined, scored = comparison.remarks(folders / "sharp", tmp_path / "dull")
    assert redefined == f"{tmp_path}/dull was scored by other definitions of paper, left out here; evaluate it anew"
    assert scored == f"{tmp_path}/dull was scored by another version of the code, which may count otherwise"
    summary["protocols"]["fixed-0.5"]["definition"] += ", as it was"
    summary["method_fingerprint"] = "a model's, whose scores other sources make"
    path.write_text(json.dumps(summary))
    with pytest.raises(ComparisonError, match="other definitions of paper, fixed-0.5, left out here; .*: no score in"):
        comparison.compare(folders / "sharp", tmp_path / "dull")
    assert len(comparison.remarks(folders / "sharp", tmp_path / "dull")) == 1


def test_who_counted_masks_as_pictures_is_refused(folders, tmp_path):
    shutil.copytree(folders / "dull", tmp_path / "dull")
    path = tmp_path / "dull/summary.json"
    summary = json.loads(path.read_text())
    summary["pictures"]["scored"] += 2
    path.write_text(json.dumps(summary))
    with pytest.raises(
        ComparisonError, match=f"sharp counted {len(ITEMS)} pictures, .*dull {len(ITEMS) + 2}: an earlier"
    ):
        comparison.compare(folders / "sharp", tmp_path / "dull")


def with_another_mask(folder, change):
    def changed():
        picture, mask = sample(3)
        return picture, change(mask)

    items = [item._replace(read=changed) if item.name == "picture 3" else item for item in ITEMS]
    study.run(folder, DATA._replace(items=items), noisy("sharp", 0.05), choose(["paper"]))


@pytest.mark.parametrize("change", [lambda mask: mask[::-1] & mask, lambda mask: mask[::-1, ::-1]])
def test_other_masks_are_refused_by_name(folders, tmp_path, change):
    with_another_mask(tmp_path, change)
    with pytest.raises(ComparisonError, match="different masks, .* those of 1 pictures, the first picture 3"):
        comparison.compare(folders / "sharp", tmp_path)


def without_checksums(folder):
    """As an earlier version wrote it."""
    path = folder / "per_image.csv"
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    for row in rows:
        checksum = row.pop(MASK_CHECKSUM)
        assert checksum.isdecimal() and int(checksum) < 2**29
    path.write_text(as_csv({name: [row[name] for row in rows] for name in rows[0]}))


def test_earlier_evaluations_are_compared_by_the_size_of_their_masks(folders, tmp_path):
    for name, change in (("same size", lambda mask: mask[::-1, ::-1]), ("smaller", lambda mask: mask[::-1] & mask)):
        with_another_mask(tmp_path / name, change)
        without_checksums(tmp_path / name)
    assert comparison.compare(folders / "sharp", tmp_path / "same size")
    with pytest.raises(ComparisonError, match="different masks"):
        comparison.compare(tmp_path / "smaller", folders / "sharp")


def named(folder, names):
    items = [item._replace(name=name) for item, name in zip(ITEMS, names)]
    data = DataSet("toy", "f00d", items)
    summaries = study.run(folder, data, noisy("sharp", 0.05), choose(["paper"]))
    report.write(folder, data, noisy("sharp", 0.05), "none", summaries)  # finds its pictures by these names


def test_pictures_whose_names_look_alike_are_told_apart(tmp_path):
    names = ["=a.png", "'=a.png", "b\nc.png", "b\\nc.png", "d;=1.png"]
    named(tmp_path / "all", names)
    named(tmp_path / "others", [*names[:1], *names[2:]])
    with pytest.raises(ComparisonError, match="1 are in one only, the first '=a.png"):
        comparison.compare(tmp_path / "all", tmp_path / "others")
    assert comparison.compare(tmp_path / "all", tmp_path / "all")


def test_two_pictures_that_an_earlier_version_wrote_alike_are_refused(tmp_path):
    named(tmp_path / "alike", ["=a.png", "'=a.png"])
    table = tmp_path / "alike" / "per_image.csv"
    table.write_text(table.read_text().replace("''=a", "'=a"))
    with pytest.raises(ComparisonError, match="alike: per_image.csv has two pictures =a.png; evaluate it anew"):
        comparison.check(tmp_path / "alike")


def test_evaluations_without_a_protocol_in_common_are_refused(folders, tmp_path):
    study.run(tmp_path, DATA, noisy("sharp", 0.05), choose(["pooled", "mvss"]))
    with pytest.raises(ComparisonError, match="of paper, fixed-0.5, .* of pooled, mvss: none in common; .*--protocols"):
        comparison.compare(folders / "sharp", tmp_path)


def test_an_undefined_difference_is_called_so(tmp_path):
    for name, amount in (("sharp", 0.05), ("dull", 0.07)):
        study.run(tmp_path / name, DATA, noisy(name, amount), choose(["image-level"]))
    auc = found(tmp_path, "sharp", "dull")["image-level", "auc"]
    assert np.isnan([auc.value, auc.at_most_zero]).all()
    assert comparison.describe(auc, "dull") == f"{'auc':>20} undefined against dull  (image-level, paired by picture)"


def test_replicates_without_a_difference_do_not_count_as_better():
    rows = np.array([1.0, np.nan, np.nan, -1.0, 2.0])
    assert comparison._difference("paper/f1", rows).at_most_zero == 0.5


def test_a_printed_difference_says_against_what(folders):
    line = comparison.describe(found(folders, "sharp", "dull")["paper", "f1"], "dull")
    assert "against dull" in line and "(paper, paired by picture)" in line and "+0." in line


def test_the_report_holds_scores_figures_and_skips(tmp_path):
    def broken():
        raise ValueError

    method = noisy("<dull>", 0.07)
    data = DataSet("toy", "f00d", [*ITEMS, Item("picture 0", broken)])
    summaries = study.run(tmp_path, data, method, choose(list(PROTOCOLS)), parse_all(["jpeg-70", "scale-0.7"]))
    report.write(tmp_path, data, method, "none", summaries)
    page = (tmp_path / report.REPORT).read_text()
    assert page.count("data:image/png;base64,") == 4
    for words in ("Under attacks", "Skipped pictures", "names must be unique", "&lt;dull&gt; on toy", "fixed-0.5"):
        assert words in page
    assert "Without a score, for want of probabilities or of such pictures: authentic, false-alarms." in page
    assert "http" not in page and "<dull>" not in page
    with (tmp_path / "per_image.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 12


def test_a_gallery_survives_a_duplicate_that_cannot_be_read(tmp_path):
    """The first item of a name is the one that was scored."""
    method = noisy("dull", 0.07)

    def unreadable():
        raise AssertionError("not the picture that was scored")

    data = DataSet("toy", "f00d", [*ITEMS[:3], *(Item(f"picture {seed}", unreadable) for seed in range(3))])
    summaries = study.run(tmp_path, data, method, choose(["paper"]))
    report.write(tmp_path, data, method, "none", summaries)
    assert (tmp_path / report.REPORT).exists()
