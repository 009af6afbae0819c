import dataclasses
import json
import math
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from absl import flags

from gsr_tf import config, settings
from gsr_tf.config import Config, ConfigError
from gsr_tf.models.step import Step
from gsr_tf.training.run_settings import check_same

ROOT = Path(__file__).resolve().parents[1]
FLAGFILES = sorted(path.relative_to(ROOT) for path in (ROOT / "flags").rglob("*.cfg"))
VALID = {"vgg16_weights": "random"}
SOURCE_ALONE = {"segment_on": ("source",), "refine_steps": 0, "refine_on": ()}
OF_COMPOSITES = {"feather": 3.0, "jpeg_quality": (10, 20), "copy_move_share": 1.0, "target_size": 20}


def parsed(*arguments):
    values = flags.FlagValues()
    config.define_flags(values)
    values(["gsr_tf", *arguments])
    return config.from_flags(values)


@pytest.fixture
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_every_field_is_a_flag_with_help_and_its_default():
    values = flags.FlagValues()
    config.define_flags(values)
    values(["gsr_tf"])
    for name in Config.names():
        assert len(values[name].help) > 15, name
    assert set(values) == set(Config.names()) == set(Config().flat())
    assert len(Config.names()) == len(set(Config.names()))  # no two rooms declare one name
    assert config.from_flags(values) == Config()


def test_help_shows_every_setting_once_and_those_that_are_needed_first():
    groups = config.groups()
    assert groups[0].names == ("run_dir", "source_records", "target_records")
    assert sorted(name for group in groups[1:] for name in group.names) == sorted(
        set(Config.names()) - set(config.NEEDED)
    )
    titles = ["Data", "Networks", "Losses", "Optimisation", "Schedule", "Validation", "Device"]
    assert [group.title for group in groups if group.title in titles] == titles


def test_flags_of_a_config_make_it_again():
    assert Config().as_flags() == []
    changed = Config().changed(flip=False, width=0.5, segment_on=(), refine_steps=0, vgg16_weights="random", keep=7)
    assert "--flip=False" in changed.as_flags() and "--segment_on=" in changed.as_flags()
    assert parsed(*changed.as_flags()) == changed


def test_flags_have_the_types_of_their_fields():
    found = parsed("--steps=7", "--width=1", "--noflip", "--refine_on=pasted", "--boundary_class_weights=1,2")
    assert (found.optimization.steps, found.preparation.flip, found.step.refine_on) == (7, False, ("pasted",))
    assert isinstance(found.networks.width, float)
    assert found.losses.boundary_class_weights == (1.0, 2.0)


def test_flagfiles_nest_and_later_flags_win(tmp_path):
    (tmp_path / "base.cfg").write_text("# a comment\n--steps=3\n--batch_size=2\n")
    (tmp_path / "run.cfg").write_text(f"--flagfile={tmp_path}/base.cfg\n--batch_size=5\n")
    found = parsed(f"--flagfile={tmp_path}/run.cfg", "--seed=9")
    assert (found.optimization.steps, found.optimization.batch_size, found.preparation.seed) == (3, 5, 9)
    assert config.from_flagfile(tmp_path / "run.cfg", steps=4) == found.changed(seed=0, steps=4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": -1}, "--steps=-1: expected at least 0"),
        ({"dropout": 1.0}, "--dropout=1.0: expected at most 0.95"),
        ({"mask_threshold": 1.0}, "--mask_threshold=1.0: no mask is whiter"),
        ({"learning_rate": float("nan")}, "--learning_rate=nan: expected a finite number"),
        ({"seed": 2**32}, "--seed=4294967296: expected at most 4294967295"),
        ({"resize_mode": "stretch"}, "--resize_mode=stretch: expected one of squash, crop"),
        ({"head_kernel": 3}, "--head_kernel=3: expected one of 1, 4"),
        ({"segment_on": ("pasted", "sauce")}, "--segment_on=sauce: expected one of source, pasted, generated"),
        ({"segment_on": ("pasted", "pasted")}, "--segment_on=pasted,pasted: expected each name once"),
        (
            {"segment_on": (), "refine_steps": 0, "validation_records": "records/coco"},
            "--validation_records=records/coco: with --segment_on empty no segmenter learns",
        ),
        ({"segment_on": ()}, "--refine_on=generated,pasted is not in --segment_on"),
        (
            {"segment_on": ("pasted",), "refine_steps": 0, "initial_generator": "runs/g"},
            "--initial_generator=runs/g is of no use without 'generated' in --segment_on",
        ),
        (
            {"segment_on": ("source", "harmonized"), "refine_steps": 0},
            "--harmonizer= and --segment_on=source,harmonized: give both",
        ),
        ({"learning_rate": math.inf}, "--learning_rate=inf: expected a finite number"),
        ({"window_scale": (1.0, math.inf)}, "--window_scale=inf: expected a finite number"),
        ({"cache_gib": 1e300}, "--cache_gib=1e.300: expected at most"),
        ({"jit_compile": True, "deterministic": True}, "--jit_compile and --deterministic: .* one of them"),
        ({"harmonizer": "dih.npz"}, "--harmonizer=dih.npz and --segment_on=source,pasted,generated"),
        ({"teachers": ("a.npz",)}, "--teachers=a.npz and --teachers_share=0.0, .* a share above 0"),
        ({"teachers_share": 0.5}, "--teachers= and --teachers_share=0.5, .* the share needs teachers"),
        (
            {"teachers": ("a.npz",), "teachers_share": 0.5, "segment_on": (), "refine_steps": 0},
            "--segment_on=: teachers need .* a segmenter that learns",
        ),
        ({"refine_steps": -1}, "--refine_steps=-1: expected at least 0"),
        ({"teachers_share": 1.5}, "--teachers_share=1.5: expected at most 1.0"),
        ({"teachers_share": -0.5}, "--teachers_share=-0.5: expected at least 0.0"),
        ({"alternation": "together"}, "--alternation=together: expected one of simultaneous, sequential"),
        (
            {"segmentation_gradient": True, "alternation": "sequential"},
            "--segmentation_gradient is one update .*: set --alternation=simultaneous",
        ),
        ({"composite_background": True}, "--composite_background needs 'harmonized' in --segment_on"),
        ({"boundary_branch": False}, "set --boundary_branch or --refine_steps=0"),
        ({"segment_on": ("source", "pasted")}, "--refine_on=generated is not in --segment_on"),
        ({"boundary_class_weights": (1.0,)}, "--boundary_class_weights=.*two numbers"),
        ({"boundary_class_weights": (1.0, -2.0)}, "--boundary_class_weights=-2.0: expected at least 0"),
        (
            {"segment_on": ("pasted",), "refine_on": ("pasted",), "segmentation_gradient": True},
            "--segmentation_gradient needs 'generated' in --segment_on",
        ),
        ({"vgg16_weights": "imagenet", "width": 0.5}, "--vgg16_weights=imagenet fits --width=1 alone"),
        ({"validation_targets": "records/coco"}, "--validation_targets needs --validation_records"),
        ({"jpeg_quality": (90,)}, "--jpeg_quality=90: expected two numbers, e.g. 60,100"),
        ({"jpeg_quality": (90, 60)}, "--jpeg_quality=90,60: expected the smaller number first"),
        ({"gamma": 0.5}, "--gamma=0.5: expected at least 1.0"),
        ({"window_scale": (0.5, 2.0)}, "--window_scale=0.5: expected at least 1.0"),
        (
            {"short_side": 400},
            "--short_side, --window_scale and --whole_regions are about windows: set --resize_mode=crop",
        ),
        ({"whole_regions": True}, "--whole_regions are about windows: set --resize_mode=crop"),
        (
            {"resize_mode": "crop", "input_size": 200, "short_side": 300, "window_scale": (1.0, 2.0)},
            "--short_side=300: windows of 400 pixels .* at least 400 is needed",
        ),
        ({"target_size": 256, "feather": 1.0}, "--target_size is the release's detour"),
        (
            {"copy_move_share": 0.5, "flip": False},
            "--copy_move_share=0.5 would paste regions where they were: set --flip",
        ),
        ({"authentic_share": 0.1}, "--authentic_share: K is then not what was manipulated in S"),
        ({"shape_share": 0.1}, "--shape_share: K is then not what was manipulated in S"),
        ({"paste_rotation": 9.0}, "--paste_scale or --paste_rotation: K is then not what was manipulated in S"),
        (
            {"initial_weights": "w.npz", "release_checkpoint": "c"},
            "--initial_weights and --release_checkpoint: give one of them",
        ),
        (
            {"initial_generator": "run", "release_checkpoint": "c"},
            "--initial_generator and --release_checkpoint: give one of them",
        ),
        (
            {"initial_weights": "w.npz", "vgg16_weights": "v.npz"},
            "--vgg16_weights=v.npz: not used, since all weights come from w.npz",
        ),
        ({"learning_rate_schedule": "steps"}, "--learning_rate_schedule=steps: expected one of fixed, cosine"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_what_makes_no_sense_names_its_flag(wrong, message):
    with pytest.raises(ConfigError, match=message):
        config.from_dict({**VALID, **wrong})


@pytest.mark.parametrize(
    ("useless", "message"),
    [
        *(
            ({**SOURCE_ALONE, name: value}, f"--{name}: for composites, and this run learns from S alone")
            for name, value in OF_COMPOSITES.items()
        ),
        (
            {**SOURCE_ALONE, "copy_move_share": 0.5, "validation_records": "v", "validation_targets": "v"},
            "--copy_move_share: for composites",
        ),
        (
            {"segment_on": (), "refine_steps": 0, "initial_weights": "w.npz"},
            "--initial_weights=w.npz is of no use with --segment_on empty",
        ),
    ],
)
def test_what_changes_nothing_is_refused_where_a_run_begins_and_not_where_one_goes_on(useless, message, tmp_path):
    run = config.from_dict({**VALID, **useless})
    with pytest.raises(ConfigError, match=message):
        check_same(tmp_path, run)
    run.write(tmp_path)
    check_same(tmp_path, run)
    assert config.load_any(tmp_path) == run


@pytest.mark.parametrize("method", config.KINDS)
def test_a_list_that_must_not_be_empty_names_its_flag(method):
    kind = config.KINDS[method]
    usable = {"vgg16_weights": "random", "refine_steps": 0}
    lists = {field.name for field in settings.leaves(kind) if isinstance(field.default, tuple)}
    refused = set()
    for name in lists:
        try:
            settings.from_flat(kind, {**usable, name: ()})
        except ConfigError as error:
            assert str(error).startswith(f"--{name}=: expected ")
            refused.add(name)
    assert lists - refused == lists & {"teachers", "segment_on", "refine_on"}  # where it means none


def test_of_a_step_what_it_computes_stays_and_how_may_change():
    of_the_step = {field.name for field in dataclasses.fields(Step)}
    assert Config.may_change() & of_the_step == {"jit_compile", "passes"}


def test_a_generator_alone_is_for_another_run_and_no_detector():
    alone = Config().changed(segment_on=(), refine_steps=0)
    assert alone.next_command(Path("runs/g")) == "python -m gsr_tf.train --initial_generator=runs/g ..."
    assert Config().next_command(Path("runs/g")) == "python -m gsr_tf.export --run_dir=runs/g --output=MODEL"
    with pytest.raises(ConfigError, match="has trained no segmenter.*--initial_generator"):
        alone.build_segmenter()


def test_what_changes_k_is_for_composites_alone():
    composites = {"segment_on": ("pasted",), "refine_on": ("pasted",), "authentic_share": 0.1, "shape_share": 0.1}
    assert config.from_dict({**VALID, **composites}).preparation.shape_share == 0.1
    unplaced = {"paste_rotation": 9.0, "placed_share": 0.0}
    assert config.from_dict({**VALID, **unplaced}).preparation.paste_rotation == 9


@pytest.mark.parametrize("name", OF_COMPOSITES)
def test_what_is_done_to_composites_is_for_runs_that_see_some(name):
    changes = {**VALID, name: OF_COMPOSITES[name]}
    seen = {"validation_records": "v", "validation_targets": "v"}
    for method in ("mfcn", "rgbn"):
        kind = config.KINDS[method]
        given = {key: value for key, value in changes.items() if key in kind.names()}
        with pytest.raises(ConfigError, match=f"--{name}: for composites, and this run learns from S alone"):
            kind().changed(**given).refuse_useless()
        kind().changed(**given, train_on=("source", "pasted")).refuse_useless()
        if name != "copy_move_share":  # of which a validation has none
            kind().changed(**given, **seen).refuse_useless()
            config.from_dict({**SOURCE_ALONE, **changes, **seen}).refuse_useless()
    config.from_dict(changes).refuse_useless()


def test_initial_weights_need_no_pretrained_ones_and_so_have_any_width():
    assert config.from_dict({"initial_weights": "w.npz", "width": 0.5}).networks.width == 0.5


def test_lists_of_numbers_must_be_numbers():
    with pytest.raises(ConfigError, match="--boundary_class_weights=a,1: could not convert"):
        parsed("--boundary_class_weights=a,1")


def test_json_round_trip(tmp_path):
    written = Config().changed(
        width=0.25, segment_on=("pasted",), refine_on=("pasted",), boundary_class_weights=(0.3, 0.7), **VALID
    )
    written.write(tmp_path)
    assert config.load(tmp_path) == written


def test_a_run_of_before_goes_on(tmp_path, at_root):
    """Its config.json has settings that are gone, and lacks those that are new."""
    text = (ROOT / "tests" / "goldens" / "config_before_rooms.json").read_text()
    (tmp_path / "config.json").write_text(text)
    demo = config.from_flagfile("flags/demo.cfg", alternation="simultaneous")
    assert config.load(tmp_path) == demo
    check_same(tmp_path, demo)


def test_a_run_that_needs_a_setting_that_is_gone_says_so(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"blend": 0.7}))
    with pytest.raises(ConfigError, match="--blend=0.7: this version has no such setting"):
        config.load(tmp_path)


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(ConfigError, match=f"--run_dir={tmp_path}: no config.json there"):
        config.load(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["{", "[1]", json.dumps({"colour": "red"}), json.dumps({"steps": "many"})],
    ids=["cut", "list", "unknown", "type"],
)
def test_a_damaged_configuration_is_named(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConfigError, match=f"{tmp_path}/config.json: damaged or of another version"):
        config.load(tmp_path)


@pytest.mark.parametrize("path", FLAGFILES, ids=str)
def test_flagfiles_say_how_to_start_themselves(at_root, path):
    config.from_flagfile(path).refuse_useless()
    header = "".join(line for line in path.read_text().splitlines(keepends=True) if line.startswith("#"))
    if path.name != "base.cfg" and path.parent.name != "shipped":  # those are started by one script
        names = path, path.relative_to("flags").with_suffix("")
        assert {f"--flagfile={name}" for name in names} & set(header.split()) or "make demo" in header
    run = re.search(r"--run_dir=(\S+)", header)
    named = str(Path("runs", *path.with_suffix("").parts[1:]))
    assert run is None or run[1] in (named, "runs/mine")  # mine: trained on pictures of one's own


def test_the_paper(at_root):
    paper = config.from_flagfile("flags/gsr_net.cfg")
    values = SimpleNamespace(**paper.flat())
    assert (values.lambda_grad, values.lambda_edge, values.lambda_adv) == (1, 2, 5)
    assert (values.learning_rate, values.discriminator_learning_rate, values.weight_decay) == (1e-4, 1e-4, 5e-5)
    assert (values.batch_size, values.steps, values.dropout, values.loss_normalization) == (4, 50_000, 0.5, "region")
    assert values.alternation == "sequential"
    assert (values.laplacian_scale, values.boundary_size, values.boundary_class_weights) == (1, 5, (1, 1))
    assert (values.segment_on, values.refine_on) == (("source", "pasted", "generated"), ("pasted", "generated"))
    assert (values.refine_steps, values.discriminator_beta_1, values.moments) == (1, 0.9, "batch")
    assert config.from_flagfile("flags/table2/gsr_net.cfg") == paper


def test_the_release(at_root):
    release = config.from_flagfile("flags/release.cfg").flat()
    expected = {
        **{"input_size": 300, "target_size": 256, "resize_mode": "squash", "half_pixel": False, "head_kernel": 4},
        **{"segment_on": ("source", "pasted", "generated"), "refine_on": ("source",), "refine_steps": 1},
        **{"lambda_grad": 1, "lambda_edge": 2, "lambda_adv": 5, "loss_normalization": "pixel"},
        **{"laplacian_scale": 0.25, "boundary_class_weights": (0.3, 0.7), "boundary_size": 5},
        **{"segmentation_gradient": True, "alternation": "simultaneous"},
        **{"weight_decay": 5e-5, "dropout": 0.5, "mask_threshold": 50 / 255},
        **{"learning_rate": 1e-4, "discriminator_learning_rate": 5e-5, "discriminator_beta_1": 0.5},
        **{"batch_size": 4, "steps": 60_000},
    }
    assert {name: release[name] for name in expected} == expected
