"""The recipes of the shipped weights, one after the other as their flagfiles say, in small."""

from pathlib import Path

import numpy as np

from gsr_tf import build, config, export, train
from gsr_tf.inference import shipped

RECIPES = Path(__file__).resolve().parents[1] / "flags" / "shipped"


def test_the_second_recipe_goes_on_from_the_first(sources, targets, tmp_path, monkeypatch):
    monkeypatch.chdir(RECIPES.parents[1])
    data = [f"--source_records={sources.path}", f"--target_records={targets.path}"]
    small = ["--width=0.02", "--input_size=32", "--batch_size=2", "--validation_pictures=2", "--panels_every=0"]

    def trained(name, *more):
        run = tmp_path / name
        recipe = f"--flagfile=flags/shipped/{name}.cfg"
        arguments = [recipe, f"--run_dir={run}", *data, *small, "--vgg16_weights=random", "--steps=2", *more]
        assert train.main(["train", *arguments]) == 0
        return run

    first = trained("coco_plain")
    weights = tmp_path / "coco_plain.npz"
    export.main(
        ["export", f"--run_dir={first}", "--checkpoint=newest", "--format=weights", f"--output={weights}", "--size=32"]
    )
    second = trained("coco_retouched", f"--initial_weights={weights}", "--short_side=64", "--learning_rate=0")
    assert build.preparation(config.load(second)).retouched
    began, went_on = (
        shipped.load("coco_plain", tmp_path)[0].segmenter,
        export.load_run(second, "newest")[0].segmenter,
    )
    for start, end in zip(began.trainable_variables, went_on.trainable_variables):
        np.testing.assert_array_equal(start, end)
