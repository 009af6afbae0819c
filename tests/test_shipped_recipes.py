"""The recipes of the shipped weights, and the trials: each in small, as its flagfile says."""

from pathlib import Path

import numpy as np
import pytest

from gsr_tf import build, config, export, train
from gsr_tf.models.weights import named_variables
from gsr_tf.training.checkpoints import restore_generation

FLAGS = Path(__file__).resolve().parents[1] / "flags"
START, GENERATOR = FLAGS / "shipped" / "coco_plain.cfg", FLAGS / "trials" / "coco_generator.cfg"
PATHS = sorted([*(FLAGS / "shipped").glob("*.cfg"), *(FLAGS / "trials").glob("*.cfg")])
RECIPES = {path.stem: path for path in PATHS if path not in (START, GENERATOR)}

SHORT = {"coco_short", "coco_short_whole_regions", "coco_short_shapes"}
STEADY = {"coco_steady", "coco_steady_copy_moves", "coco_steady_windows"}
GENERATED = {"coco_generated", "coco_generated_refined"}
SINGLE = {"coco_single_pictures", "coco_single_refined", "coco_steady", "coco_steady_copy_moves"}
WHOLE = {"coco_colours", *SINGLE, *GENERATED}
WIDE = {"coco_blended", "coco_single_placed", "coco_steady_windows"}
LATE = {"coco_whole_regions", "coco_whole_pictures", "coco_authentic", "coco_wide_windows", *WHOLE, *WIDE}
# What sets recipes apart, of settings `s` and preparation `p`, and those that have it.
TRAITS = {
    "copy-moves": (lambda s, p: p.copy_move_share > 0, RECIPES.keys() - {"coco_retouched"}),
    "mostly copy-moves": (lambda s, p: p.copy_move_share > 0.5, {"coco_steady_copy_moves"}),
    "turned regions": (lambda s, p: p.paste_rotation > 0, {"coco_placed"}),
    "scaled regions": (lambda s, p: p.paste_scale != (1.0, 1.0), {"coco_placed", "coco_single_placed"}),
    "generation": (lambda s, p: s.generates, GENERATED),
    "refinement": (lambda s, p: s.refine_steps > 0, {"coco_single_refined", "coco_generated_refined"}),
    "whole regions": (lambda s, p: p.whole_regions, LATE | {"coco_short_whole_regions"}),
    "shapes": (lambda s, p: p.shape_share > 0, LATE | {"coco_short_shapes"}),
    "empty examples": (lambda s, p: p.retouching.authentic_share > 0, RECIPES.keys() - SHORT),
    "colours": (lambda s, p: p.gamma > 1, WHOLE | WIDE),
    "blending": (lambda s, p: p.retouching.blend > 0, {"coco_blended"}),
    "a fixed rate": (lambda s, p: s.learning_rate_schedule == "fixed", STEADY),
}
WINDOWS = {
    **dict.fromkeys(RECIPES, (1.0, 2.0)),
    **dict.fromkeys(WHOLE | {"coco_whole_pictures"}, (1.0, 1.0)),
    **dict.fromkeys(WIDE | {"coco_wide_windows"}, (1.0, 1.38)),
}


@pytest.fixture(scope="module")
def trained(sources, tmp_path_factory):
    """A function that starts a flagfile in small and returns the run's folder."""
    data = [f"--source_records={sources.path}", f"--target_records={sources.path}"]
    small = ["--width=0.02", "--input_size=32", "--batch_size=2", "--validation_pictures=2", "--panels_every=0"]

    def start(flagfile, *more):
        run = tmp_path_factory.mktemp(flagfile.stem)
        arguments = [f"--flagfile={flagfile}", f"--run_dir={run}", *data, *small, "--vgg16_weights=random", *more]
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(FLAGS.parent)  # nested flagfiles are named from there
            assert train.main(["train", *arguments, "--steps=2"]) == 0
        return run

    return start


@pytest.fixture(scope="module")
def weights(trained):
    """The .npz of weights that the others begin with."""
    run = trained(START)
    path = run / "weights.npz"
    of_run = [f"--run_dir={run}", "--checkpoint=newest", "--format=weights", "--size=32"]
    assert export.main(["export", *of_run, f"--output={path}"]) == 0
    return path


@pytest.fixture(scope="module")
def generator(trained):
    """The run of a generator alone."""
    return trained(GENERATOR)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_goes_on_from_its_weights_with_what_it_is_about(name, trained, weights, request):
    more = [f"--initial_generator={request.getfixturevalue('generator')}"] if name in GENERATED else []
    run = trained(RECIPES[name], f"--initial_weights={weights}", "--short_side=64", "--learning_rate=0", *more)
    settings = config.load(run)
    preparation = build.preparation(settings)
    assert preparation.retouched
    assert preparation.window_scale == WINDOWS[name]
    found = {trait for trait, (has, _) in TRAITS.items() if has(settings, preparation)}
    assert found == {trait for trait, (_, recipes) in TRAITS.items() if name in recipes}
    began = np.load(weights)
    for variable_name, variable in named_variables(export.load_run(run, "newest")[0].segmenter).items():
        np.testing.assert_array_equal(variable, began[variable_name].astype(np.float32))


def test_a_generators_run_is_gone_on_with(trained, weights, generator):
    run = trained(
        RECIPES["coco_generated"], f"--initial_weights={weights}", f"--initial_generator={generator}",
        "--short_side=64", "--learning_rate=0", "--discriminator_learning_rate=0",
    )  # fmt: skip
    nets = []
    for folder in (generator, run):
        net = build.build_gsr_net(config.load(folder))
        restore_generation(net, folder, "--run_dir")
        nets.append(net)
    for network in ("generator", "discriminator"):
        for one, other in zip(*(getattr(net, network).trainable_variables for net in nets)):
            np.testing.assert_array_equal(one, other)
