"""The recipes of the shipped weights, and the trials, one after the other as their flagfiles say, in small."""

from pathlib import Path

import numpy as np

from gsr_tf import build, config, export, train
from gsr_tf.inference import shipped

FLAGS = Path(__file__).resolve().parents[1] / "flags"


def test_each_recipe_goes_on_from_the_one_before(sources, tmp_path, monkeypatch):
    monkeypatch.chdir(FLAGS.parent)
    data = [f"--source_records={sources.path}", f"--target_records={sources.path}"]
    small = ["--width=0.02", "--input_size=32", "--batch_size=2", "--validation_pictures=2", "--panels_every=0"]

    def trained(name, *more):
        run = tmp_path / name
        folder = "shipped" if (FLAGS / "shipped" / f"{name}.cfg").exists() else "trials"
        recipe = f"--flagfile=flags/{folder}/{name}.cfg"
        arguments = [recipe, f"--run_dir={run}", *data, *small, "--vgg16_weights=random", "--steps=2", *more]
        assert train.main(["train", *arguments]) == 0
        return run

    def weights_of(run):
        path = tmp_path / f"{run.name}.npz"
        export.main(
            ["export", f"--run_dir={run}", "--checkpoint=newest", "--format=weights", f"--output={path}", "--size=32"]
        )
        return path

    before = trained("coco_plain")
    single = ("coco_single_pictures", "coco_single_refined", "coco_steady", "coco_steady_copy_moves")
    windows = ("coco_single_placed", "coco_steady_windows")
    whole, wide = ("coco_whole_pictures", "coco_colours", *single), ("coco_wide_windows", "coco_blended", *windows)
    scales = {**dict.fromkeys(whole, (1.0, 1.0)), **dict.fromkeys(wide, (1.0, 1.38))}
    last = ("coco_colours", "coco_blended", *single, *windows)
    late = ("coco_whole_regions", "coco_whole_pictures", "coco_wide_windows", "coco_authentic", *last)
    whole_regions, shapes = (*late, "coco_short_whole_regions"), (*late, "coco_short_shapes")
    short = ("coco_short", "coco_short_whole_regions", "coco_short_shapes")
    for name in ("coco_retouched", "coco_copy_moves", "coco_placed", *short, *late):
        start = weights_of(before)
        run = trained(name, f"--initial_weights={start}", "--short_side=64", "--learning_rate=0")
        settings = config.load(run)
        preparation = build.preparation(settings)
        assert preparation.retouched
        assert (preparation.copy_move_share > 0) == (name != "coco_retouched")
        assert (preparation.copy_move_share > 0.5) == (name == "coco_steady_copy_moves")
        assert (preparation.paste_rotation > 0) == (name == "coco_placed")
        assert (preparation.paste_scale != (1.0, 1.0)) == (name in ("coco_placed", "coco_single_placed"))
        assert (settings.refine_steps > 0) == (name == "coco_single_refined")
        assert preparation.whole_regions == (name in whole_regions)
        assert (preparation.shape_share > 0) == (name in shapes)
        assert (preparation.retouching.authentic_share > 0) == (name not in short)
        assert (preparation.gamma > 1) == (name in last)
        assert (preparation.retouching.blend > 0) == (name == "coco_blended")
        assert (settings.learning_rate_schedule == "fixed") == name.startswith("coco_steady")
        assert preparation.window_scale == scales.get(name, (1.0, 2.0))
        began, went_on = shipped.load(start.stem, tmp_path)[0].segmenter, export.load_run(run, "newest")[0].segmenter
        for one, other in zip(began.trainable_variables, went_on.trainable_variables):
            np.testing.assert_array_equal(one, other)
        before = run
