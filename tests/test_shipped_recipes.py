"""The flagfiles: each starts a run, and `flags/shipped/make.sh` goes through the recipes of the shipped weights."""

import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest
from absl import flags

from gsr_tf import config, export, train
from gsr_tf.evaluation.published import TABLES
from gsr_tf.inference import shipped
from gsr_tf.models.weights import named_variables
from gsr_tf.training.summaries import read_scalars
from tests.checkpoints import values_in
from tests.networks import tiny_net

ROOT = Path(__file__).resolve().parents[1]
FLAGS = ROOT / "flags"
PATHS = sorted(FLAGS.rglob("*.cfg"))
RECIPES = {path.stem: path for path in PATHS if path.parent.name == "shipped"}
SCRIPT = FLAGS / "shipped" / "make.sh"

SHORT = {"04_short", "05_short_whole_regions", "06_short_shapes"}
LATE = {"07_whole_regions", "08_authentic", "09_wide_windows", "10_whole_pictures"}
LAST = {"11_on_a_gpu", "12_taught"}
LARGE = {"09_wide_windows", "10_whole_pictures"} | LAST
RETOUCHED = RECIPES.keys() - {"01_plain"}
# What sets the recipes apart, of settings `s`, and those that have it.
TRAITS = {
    "retouching": (lambda s: s["feather"] > 0 and s["jpeg_quality"] == (60, 100), RETOUCHED),
    "falling rates": (lambda s: s["learning_rate_schedule"] == "cosine", RETOUCHED),
    "windows of several scales": (lambda s: s["window_scale"] == (1.0, 2.0), RETOUCHED - LARGE),
    "windows of most of a picture": (lambda s: s["window_scale"] == (1.0, 1.38), {"09_wide_windows"} | LAST),
    "empty examples": (lambda s: s["authentic_share"] > 0, RETOUCHED - SHORT),
    "many empty examples": (lambda s: s["authentic_share"] > 0.3, {"08_authentic"}),
    "copy-moves": (lambda s: s["copy_move_share"] > 0, RETOUCHED - {"02_retouched"}),
    "whole regions": (lambda s: s["whole_regions"], LATE | LAST | {"05_short_whole_regions"}),
    "shapes": (lambda s: s["shape_share"] > 0, LATE | {"06_short_shapes", "11_on_a_gpu"}),
    "large inputs": (lambda s: s["input_size"] == 288, LARGE),
    "each picture's own moments": (lambda s: s["moments"] == "picture", LAST),
    "half of the regions placed": (lambda s: s["paste_rotation"] > 0 and s["placed_share"] == 0.5, LAST),
    "teachers": (lambda s: s["teachers_share"] == 0.5, {"12_taught"}),
}
STEPS = {
    "01_plain": 372,
    "02_retouched": 1000,
    "03_copy_moves": 1400,
    **dict.fromkeys(SHORT, 160),
    "07_whole_regions": 1300,
    "08_authentic": 180,
    "09_wide_windows": 340,
    "10_whole_pictures": 300,
    "11_on_a_gpu": 3550,
    "12_taught": 240,
}


@pytest.fixture(autouse=True)
def _in_the_top_folder(monkeypatch):
    """Nested flagfiles are named from there."""
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: str(path.relative_to(FLAGS)))
def test_a_flagfile_makes_a_config(path):
    assert config.from_flagfile(path).flat()["steps"] > 0


def test_a_row_is_called_in_its_flagfile_as_the_tables_call_it():
    rows = [row for table in TABLES.values() for row in table.rows if row.flagfile]
    for row in rows:
        line = (FLAGS / row.flagfile).read_text().splitlines()[0]
        assert f'"{row.name}"' in line or line.startswith(f"# {row.name},"), (row.name, line)


def test_each_recipe_has_its_traits_and_length():
    settings = {name: config.from_flagfile(path).flat() for name, path in RECIPES.items()}
    for trait, (has, names) in TRAITS.items():
        assert {name for name, values in settings.items() if has(values)} == names, trait
    assert {name: values["steps"] for name, values in settings.items()} == STEPS
    cp_s, cp_gsr = (("pasted",), 0, 1.0), (("pasted", "generated"), 1, 1.0)  # rows of Table 3
    for name, values in settings.items():
        found = (values["segment_on"], values["refine_steps"], values["width"])
        assert found == (cp_gsr if name == "11_on_a_gpu" else cp_s)


def test_the_last_recipe_is_what_the_index_says():
    entry = shipped.read_index()["gsr-net-coco"]
    settings = config.from_flagfile(RECIPES["12_taught"]).flat()
    about_the_run = {name for name in settings if name.endswith(("_records", "_targets", "_every", "_weights"))}
    for name in settings.keys() & entry["config"].keys() - about_the_run - {"keep", "teachers"}:
        value = entry["config"][name]
        assert settings[name] == (tuple(value) if isinstance(value, list) else value), name


def test_pairs_of_ones_own_are_learnt_from_as_the_included_model_sees_pictures():
    entry = shipped.read_index()["gsr-net-coco"]
    settings = config.from_flagfile(FLAGS / "finetune.cfg").flat()
    assert (settings["segment_on"], settings["refine_steps"]) == (("source",), 0)
    assert (settings["resize_mode"], settings["short_side"], settings["moments"]) == ("crop", entry["size"], "picture")
    assert {name: settings[name] for name in entry["segmenter"]} == entry["segmenter"]
    (line,) = [
        line for line in (ROOT / "README.md").read_text().splitlines() if "gsr_tf.export --run_dir=runs/mine" in line
    ]
    values = flags.FlagValues()
    export._define(values)
    values(shlex.split(line)[2:])
    assert (values.size, values.centre) == (entry["size"], entry["centre"])
    assert [float(scale) for scale in values.scales or [1]] == entry["scales"]


def dry_run(*arguments):
    """The script's commands, each as (its module, its flags as that module itself parses them)."""
    done = subprocess.run(["sh", SCRIPT, "--dry-run", *arguments], check=True, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        _, minus_m, module, *words = shlex.split(line)
        assert minus_m == "-m"
        values = flags.FlagValues()
        {"gsr_tf.train": train, "gsr_tf.export": export}[module]._define(values)
        assert values([module, *words]) == [module]
        yield module.rpartition(".")[2], words, values


def test_the_script_uses_every_recipe_once_and_in_order(tmp_path):
    commands = list(dry_run("coco", "held_out", "all", "objects", str(tmp_path)))
    exports_of = {11: 2, 12: 2}  # their own weights, and a mean of these and others
    wanted = [["train", *["export"] * exports_of.get(number, 1)] for number in range(1, 1 + len(RECIPES))]
    assert [module for module, _, _ in commands] == sum(wanted, [])
    trained = [words[0] for module, words, _ in commands if module == "train"]
    assert trained == [f"--flagfile=flags/shipped/{name}.cfg" for name in sorted(RECIPES)]


def test_the_script_hands_on_what_each_step_made(tmp_path):
    starts, teachers, learnt, means, made = {}, {}, {}, {}, set()
    for module, _, values in dry_run("coco", "held_out", "all", "objects", str(tmp_path)):
        if module == "train":
            run = values.run_dir
            assert values.source_records == values.target_records
            assert values.validation_records == values.validation_targets == "held_out"
            assert not values.initial_weights or values.initial_weights in made
            assert made.issuperset(values.teachers)
            name = Path(run).name
            starts[name], learnt[name] = Path(values.initial_weights).stem, values.source_records
            teachers[name] = {Path(path).stem for path in values.teachers}
        else:
            assert (values.run_dir, values.checkpoint, values.format) == (run, "newest", "weights")
            assert made.issuperset(values.average_with)
            made.add(values.output)
            means[Path(values.output).stem] = [Path(path).stem for path in values.average_with]
    assert starts == {
        "01_plain": "",
        "02_retouched": "01_plain",
        "03_copy_moves": "02_retouched",
        **dict.fromkeys(SHORT | {"07_whole_regions"}, "second_weights"),
        **dict.fromkeys(LATE - {"07_whole_regions"}, "third_weights"),
        "11_on_a_gpu": "",
        "12_taught": "fifth_weights",
    }
    assert learnt == {**dict.fromkeys(RECIPES, "coco"), "11_on_a_gpu": "all", "12_taught": "objects"}
    assert teachers == {**dict.fromkeys(RECIPES, set()), "12_taught": {"fourth_weights", "11_on_a_gpu"}}
    assert {name: sorted(parts) for name, parts in means.items() if parts} == {
        "second_weights": ["02_retouched"],
        "third_weights": sorted(SHORT),
        "fourth_weights": ["08_authentic", "09_wide_windows", "third_weights"],
        "fifth_weights": ["fourth_weights"],
        "gsr-net-coco": [*["12_taught"] * 4, "fourth_weights"],
    }
    entry = shipped.read_index()["gsr-net-coco"]
    assert (values.centre, [float(scale) for scale in values.scales or [1]]) == (entry["centre"], entry["scales"])
    assert values.size == entry["size"] and len(values.average_with) == len(entry["averaged_with"])


def test_the_card_says_how_long_the_longest_line_of_steps_is(tmp_path):
    lengths = {"": 0}  # of what each file began with and learnt; a mean's is that of its longest part
    for module, _, values in dry_run("coco", "held_out", "all", "objects", str(tmp_path)):
        if module == "train":
            length = lengths[Path(values.initial_weights).stem] + STEPS[Path(values.run_dir).name]
        else:
            parts = [lengths[Path(path).stem] for path in values.average_with]
            lengths[Path(values.output).stem] = max([length, *parts])
    assert lengths["gsr-net-coco"] == max(lengths.values())
    card = (shipped.FOLDER / "MODEL_CARD.md").read_text()
    assert f"no run had more than {lengths['gsr-net-coco']:,} steps in one line" in card


def test_the_script_does_not_make_again_what_is_there(tmp_path):
    for name in ("01_plain", "02_retouched", "second_weights"):
        (tmp_path / f"{name}.npz").touch()
    done = subprocess.run(
        ["sh", SCRIPT, "--dry-run", "coco", "held_out", "all", "objects", str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
    )
    skipped, rest = done.stdout.splitlines()[:3], done.stdout.splitlines()[3:]
    assert all(line.endswith("exists: skipped") for line in skipped)
    assert "04_short.cfg" in rest[0] and not any("skipped" in line for line in rest)


def test_the_script_says_how_it_is_called():
    done = subprocess.run(["sh", SCRIPT, "coco"], capture_output=True, text=True)
    assert done.returncode == 2 and "RECORDS HELD_OUT ALL OBJECTS OUTPUT" in done.stderr


@pytest.fixture(scope="module")
def trained(sources, tmp_path_factory):
    """A function that starts a flagfile in small and returns the run's folder."""
    data = [f"--source_records={sources.path}", f"--target_records={sources.path}"]
    small = ["--width=0.02", "--input_size=32", "--batch_size=2", "--vgg16_weights=random"]
    quick = ["--panels_every=0", "--passes=merged"]  # traced in half the time, and the same (tests/models)

    def start(name, *more, steps=2):
        run = tmp_path_factory.mktemp(Path(name).stem)
        arguments = [f"--flagfile=flags/{name}", f"--run_dir={run}", *data, *small, *quick, *more, f"--steps={steps}"]
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(ROOT)
            assert train.main(["train", *arguments]) == 0
        return run

    return start


@pytest.fixture(scope="module")
def segmenting():
    """A net whose step is that of the recipes' "CP + S"."""
    return tiny_net(segment_on=("pasted",), refine_steps=0)


@pytest.mark.parametrize("name", sorted(RECIPES.keys() - LAST))
def test_a_step_on_the_examples_of_each_recipe(sources, segmenting, name):
    small = {"width": 0.03, "input_size": 32, "batch_size": 2, "vgg16_weights": "random"}
    short = {"short_side": 64} if name != "01_plain" else {}
    run = config.from_flagfile(RECIPES[name]).changed(**small, **short)
    records = {"--source_records": sources, "--target_records": sources}
    batch = next(iter(run.stream(records, 0)))
    assert batch.m.shape == (2, 32, 32, 3)
    before = segmenting.segmenter.get_weights()
    assert np.isfinite(segmenting._step(batch)["loss/segmenter"])
    assert any(np.any(a != b) for a, b in zip(before, segmenting.segmenter.get_weights()))


@pytest.mark.slow
def test_the_last_recipe_goes_on_from_the_firsts_weights(trained, tmp_path):
    first, weights = trained("shipped/01_plain.cfg"), tmp_path / "weights.npz"
    of_run = [f"--run_dir={first}", "--checkpoint=newest", "--format=weights", "--size=32"]
    assert export.main(["export", *of_run, f"--output={weights}"]) == 0
    goes_on = [
        f"--initial_weights={weights}",
        f"--teachers={weights},{weights}",
        "--short_side=64",
        "--learning_rate=0",
    ]
    last = trained("shipped/12_taught.cfg", *goes_on)
    began = np.load(weights)
    for name, variable in named_variables(export.load_run(last, "newest")[0].segmenter).items():
        np.testing.assert_array_equal(variable, began[name].astype(np.float32))


@pytest.mark.slow
def test_the_recipe_for_a_gpu_runs(trained):
    run = trained("shipped/11_on_a_gpu.cfg", "--short_side=64")
    curves = read_scalars(run)
    assert np.isfinite([*curves["loss/segmenter"].values(), *curves["loss/generator"].values()]).all()


def test_pairs_of_ones_own_move_the_segmenter_alone(trained):
    begun, moved = (trained("finetune.cfg", steps=steps) for steps in (0, 2))
    before, after = (values_in(run / "checkpoints", "segmenter") for run in (begun, moved))
    kernels = [name for name in before if name.endswith("/kernel/.ATTRIBUTES/VARIABLE_VALUE")]
    assert any(np.any(before[name] != after[name]) for name in kernels)
    first, last = (values_in(run / "checkpoints", "generator", "discriminator") for run in (begun, moved))
    assert len(first) > 20 and all(np.array_equal(first[name], last[name]) for name in first)


def test_a_row_of_table_3_goes_on_with_a_generator_that_learnt_alone(trained):
    alone = trained("generator.cfg")
    run = trained("table3/cp_gs.cfg", f"--initial_generator={alone}", steps=0)
    began, goes_on = (values_in(folder / "checkpoints", "generator", "discriminator") for folder in (alone, run))
    assert began.keys() == goes_on.keys() and len(began) > 20
    for name in began:
        np.testing.assert_array_equal(began[name], goes_on[name])
