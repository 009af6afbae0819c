"""Every setting of a run, defined once: name, type, default, help and check.

The flags of `python -m gsr_tf.train` are the fields of `Config`; a run writes its `Config` beside its checkpoints,
and later commands read it from there. Defaults are the paper's, and the release's where the paper is silent;
flags/release.cfg is the release throughout.
"""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from absl import flags

CONFIG_NAME = "config.json"
PICTURES = ("source", "pasted", "generated")
PRECISIONS = ("float32", "tensorfloat32", "mixed_bfloat16")


class ConfigError(ValueError):
    """A setting, or a combination, that makes no sense; the message names the flag."""


def setting(default: Any, help_: str, **checks: Any) -> Any:
    """A field of `Config`. checks: `choices`, `least` (inclusive), `most` (inclusive)."""
    return dataclasses.field(default=default, metadata={"help": help_, **checks})


@dataclasses.dataclass(frozen=True)
class Config:
    """The settings of one run; see each field's help, or `python -m gsr_tf.train --help`."""

    # data
    source_records: str = setting("", "Records of S with masks K (a folder that a data_prep command wrote).")
    target_records: str = setting("", "Records of authentic T, e.g. COCO. May be the same folder as --source_records.")
    validation_records: str = setting("", "Records with masks to score on while training. Empty: no validation.")
    validation_targets: str = setting(
        "", "If given, validation scores composites (Eq. 1) of --validation_records on these; else the pictures as is."
    )
    validation_pictures: int = setting(200, "At most so many validation pictures, the same ones each time.", least=1)
    input_size: int = setting(300, "Side of what the segmenter sees, pixels (release; paper silent).", least=16)
    resize_mode: str = setting(
        "squash",
        "How a picture becomes square. squash: as the release, aspect ratio given up; crop: its short side to "
        "--input_size, then a random window that holds a manipulated pixel.",
        choices=("squash", "crop"),
    )
    short_side: int = setting(
        0, "With --resize_mode=crop: the pictures' short side before a window is cut, pixels. 0: --input_size.", least=0
    )
    window_scale: tuple[float, ...] = setting(
        (1.0, 1.0),
        "With crop: the window's side is drawn between these multiples of --input_size; M is composed in the window "
        "and reduced to --input_size, as pictures are after pasting (ours; the paper composes at the network's size).",
        least=1.0,
    )
    whole_regions: bool = setting(
        False, "In crop mode: windows hold the whole region where it fits in (ours). False: one pixel of it at least."
    )
    feather: float = setting(
        0.0, "K is blurred by up to so many pixels (standard deviation) before Eq. 1 (ours; paper: hard).", least=0.0
    )
    blend: float = setting(
        0.0,
        "Up to so much of what Poisson blending adds to S is added before Eq. 1: 0 nothing, 1 all of it and no step at "
        "the seam (ours; the paper leaves blending to G).",
        least=0.0,
        most=1.0,
    )
    jpeg_quality: tuple[int, ...] = setting(
        (0, 0), "M is saved as JPEG of a quality drawn between these (ours). 0,0: not (paper).", least=0, most=100
    )
    authentic_share: float = setting(
        0.0, "Share of examples with nothing pasted: M is T and K empty (ours; paper: none).", least=0.0, most=1.0
    )
    copy_move_share: float = setting(
        0.0,
        "Share of examples pasted on S's own picture, elsewhere or mirrored (ours; paper: T is another picture). Needs "
        "one folder as --source_records and --target_records.",
        least=0.0,
        most=1.0,
    )
    shape_share: float = setting(
        0.0,
        "Share of examples whose K is not an object but a rhombus, ellipse or rectangle anywhere in S (ours; paper: "
        "annotated objects).",
        least=0.0,
        most=1.0,
    )
    paste_scale: tuple[float, ...] = setting(
        (1.0, 1.0),
        "S's region is scaled by a factor drawn between these before it is pasted (ours; paper: as it is).",
        least=0.1,
        most=10.0,
    )
    paste_rotation: float = setting(
        0.0, "And turned by at most so many degrees, either way (ours; paper: not).", least=0.0, most=180.0
    )
    target_size: int = setting(
        0, "First squash T to this side, then to --input_size (the release stores T at 256). 0: no detour.", least=0
    )
    mask_threshold: float = setting(
        50 / 255, "A resized mask is 1 above this share of white (release: 50 of 255).", least=0.0, most=1.0
    )
    flip: bool = setting(True, "Mirror S (with K) and T at random, independently (Section 4.1).")
    gamma: float = setting(
        1.0,
        "Each channel of S and T, the same for both, goes through x^g, g drawn between 1/this and this (ours; paper: "
        "not). 1: not.",
        least=1.0,
        most=5.0,
    )
    cache_gib: float = setting(
        2.0, "Memory for decoded pictures of S and of T each, GiB: what fits is decoded once.", least=0.0
    )
    seed: int = setting(
        0, "Of the data's order, flips and crops, of initial weights and dropout.", least=0, most=2**32 - 1
    )

    # networks
    width: float = setting(1.0, "Multiplies the channels of all networks; 1 is the paper's.", least=0.001, most=4.0)
    head_kernel: int = setting(1, "Side of the segmenter's heads: 1 (paper) or 4 (release).", choices=(1, 4))
    half_pixel: bool = setting(True, "Bilinear resizing as TF2 and OpenCV do; false: TF1's way (release).")
    boundary_branch: bool = setting(True, "Boundary branch and fusion (Section 3.2); false: DeepLab, as in Table 2.")
    boundary_size: int = setting(5, "Side of the square that dilates and erodes K (release; paper silent).", least=2)
    dropout: float = setting(0.5, "Dropout after fc6 and fc7 (Section 4.1).", least=0.0, most=0.95)
    vgg16_weights: str = setting(
        "imagenet",
        "Initial VGG-16 convolutions: 'imagenet' (downloaded by Keras), a Keras .h5, an .npz, the prefix of a TF1 "
        "DeepLab-LargeFOV checkpoint, or 'random'. Only at --width=1.",
    )
    vgg16_fc: bool = setting(False, "Also take fc6 and fc7 from a DeepLab checkpoint (the release does not).")
    initial_weights: str = setting(
        "",
        "An .npz of weights by canonical name (python -m gsr_tf.export --format=weights) to start the segmenter from.",
    )
    initial_generator: str = setting(
        "", "A run's folder whose newest generator and discriminator to start from, e.g. one with --segment_on empty."
    )
    release_checkpoint: str = setting("", "Prefix of a checkpoint of the authors' code, to start all networks from.")

    # what the segmenter learns from
    segment_on: tuple[str, ...] = setting(
        PICTURES,
        "Pictures that the segmenter is trained on (Table 2's rows). Empty: generator and discriminator alone learn, "
        "which in the paper nothing of the segmenter's flows into (Section 3.1).",
        choices=PICTURES,
    )
    refine_on: tuple[str, ...] = setting(
        ("pasted", "generated"),
        "Which of them are refined (Eq. 8). The paper: M or G(M), with T's pixels; the release: source, with the "
        "pixels of S's own authentic picture.",
        choices=PICTURES,
    )
    refine_steps: int = setting(1, "Rounds of refinement (Section 3.3); 0: none.", least=0)

    # losses
    lambda_grad: float = setting(1.0, "Weight of L_grad (Eq. 7).", least=0.0)
    lambda_edge: float = setting(2.0, "Weight of L_edge (Eq. 7).", least=0.0)
    lambda_adv: float = setting(5.0, "Weight of L_adv (Eq. 7).", least=0.0)
    loss_normalization: str = setting(
        "region", "Eq. 3-5 are means over their region (paper) or over all pixels (release).",
        choices=("region", "pixel"),
    )  # fmt: skip
    laplacian_scale: float = setting(1.0, "Factor on the Laplacian of Eq. 4; the release's is 0.25.", least=0.0)
    boundary_class_weights: tuple[float, ...] = setting(
        (1.0, 1.0),
        "Weights of rest and boundary in the boundary's cross entropy; the release's are 0.3,0.7.",
        least=0.0,
    )
    weight_decay: float = setting(5e-5, "L2 rate on the segmenter's kernels (Section 4.1).", least=0.0)
    segmentation_gradient: bool = setting(
        False, "The release's joint update: the segmenter's loss on G(M) also moves the generator."
    )

    # optimization
    steps: int = setting(50_000, "Training steps (Section 4.1).", least=1)
    batch_size: int = setting(4, "Pictures a step, over all GPUs (Section 4.1).", least=1)
    learning_rate: float = setting(1e-4, "Adam's, of generator and segmenter; fixed (Section 4.1).", least=0.0)
    learning_rate_schedule: str = setting(
        "fixed", "fixed (Section 4.1), or cosine: all rates fall to 0 at --steps (ours).", choices=("fixed", "cosine")
    )
    discriminator_learning_rate: float = setting(
        1e-4, "Adam's, of the discriminator; the release's is 5e-5.", least=0.0
    )
    discriminator_beta_1: float = setting(
        0.9, "Adam's first decay, of the discriminator; the release's is 0.5.", least=0.0, most=0.999
    )
    precision: str = setting(
        "float32", "float32; tensorfloat32 or mixed_bfloat16 for GPUs that have them.", choices=PRECISIONS
    )
    jit_compile: bool = setting(False, "Compile the step with XLA: for GPUs; slower on CPUs.")
    deterministic: bool = setting(False, "Bit-equal repetitions on one machine, somewhat slower.")

    # the run
    log_every: int = setting(50, "Steps between TensorBoard scalars.", least=1)
    panels_every: int = setting(1000, "Steps between TensorBoard panels of pictures; 0: none.", least=0)
    validate_every: int = setting(1000, "Steps between validations.", least=1)
    save_every: int = setting(1000, "Steps between checkpoints.", least=1)
    keep: int = setting(5, "Newest checkpoints to keep; the best by validation is kept beside them.", least=1)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            _check(field, getattr(self, field.name))
        _check_combination(self)

    @property
    def generates(self) -> bool:
        """Whether generator and discriminator learn."""
        return not self.segment_on or "generated" in self.segment_on

    def to_json(self) -> str:
        """All settings, readable."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"


def _check(field: dataclasses.Field, value: Any) -> None:
    checks = field.metadata
    if "choices" in checks and isinstance(value, tuple) and len(set(value)) < len(value):
        raise ConfigError(f"--{field.name}={','.join(map(str, value))}: expected each name once")
    for item in value if isinstance(value, tuple) else (value,):
        if "choices" in checks and item not in checks["choices"]:
            raise ConfigError(f"--{field.name}={item}: expected one of {', '.join(map(str, checks['choices']))}")
        if "least" in checks and not item >= checks["least"]:
            raise ConfigError(f"--{field.name}={item}: expected at least {checks['least']}")
        if "most" in checks and not item <= checks["most"]:
            raise ConfigError(f"--{field.name}={item}: expected at most {checks['most']}")


def _check_combination(config: Config) -> None:
    if not config.segment_on and config.validation_records:
        raise ConfigError(
            f"--validation_records={config.validation_records}: with --segment_on empty no segmenter learns that could "
            "be scored"
        )
    if config.initial_generator and not config.generates:
        raise ConfigError(
            f"--initial_generator={config.initial_generator} is of no use without 'generated' in --segment_on"
        )
    refined = config.refine_on if config.refine_steps else ()
    if refined and not config.boundary_branch:
        raise ConfigError("--refine_steps needs the boundary it predicts: set --boundary_branch or --refine_steps=0")
    missing = set(refined) - set(config.segment_on)
    if missing:
        raise ConfigError(f"--refine_on={','.join(sorted(missing))} is not in --segment_on: P is predicted there")
    pairs = {
        "boundary_class_weights": "0.3,0.7",
        "window_scale": "1,2",
        "jpeg_quality": "60,100",
        "paste_scale": ".7,1.4",
    }
    for name, example in pairs.items():
        value = getattr(config, name)
        if len(value) != 2:
            raise ConfigError(f"--{name}={','.join(map(str, value))}: expected two numbers, e.g. {example}")
    _check_windows(config)
    if config.segmentation_gradient and "generated" not in config.segment_on:
        raise ConfigError("--segmentation_gradient needs 'generated' in --segment_on")
    if config.copy_move_share and not config.flip and config.resize_mode != "crop":
        raise ConfigError(
            f"--copy_move_share={config.copy_move_share} would paste each region where it was: set --flip or "
            "--resize_mode=crop"
        )
    if config.validation_targets and not config.validation_records:
        raise ConfigError("--validation_targets needs --validation_records: the pictures that are pasted on them")
    if config.vgg16_weights != "random" and config.width != 1.0 and not config.release_checkpoint:
        raise ConfigError(f"--vgg16_weights={config.vgg16_weights} fits --width=1 alone; use --vgg16_weights=random")


def _check_windows(config: Config) -> None:
    for name in ("window_scale", "jpeg_quality", "paste_scale"):
        low, high = getattr(config, name)
        if low > high:
            raise ConfigError(f"--{name}={low},{high}: expected the smaller number first")
    cut = bool(config.short_side) or config.window_scale != (1.0, 1.0)
    if (cut or config.whole_regions) and config.resize_mode != "crop":
        raise ConfigError("--short_side, --window_scale and --whole_regions are about windows: set --resize_mode=crop")
    largest, short_side = round(config.input_size * config.window_scale[1]), config.short_side or config.input_size
    if largest > short_side:
        raise ConfigError(
            f"--short_side={config.short_side}: windows of {largest} pixels (--input_size times --window_scale) do "
            f"not fit; at least {largest} is needed"
        )
    retouched = cut or config.feather or config.blend or config.authentic_share or config.jpeg_quality[1]
    if config.target_size and retouched:
        raise ConfigError("--target_size is the release's detour of T; it does not go with windows or a retouched M")


def define_flags(values: flags.FlagValues) -> None:
    """One absl flag a field of `Config`."""
    for field in dataclasses.fields(Config):
        name, default, help_ = field.name, field.default, field.metadata["help"]
        choices = field.metadata.get("choices")
        if isinstance(default, tuple):
            flags.DEFINE_list(name, [str(item) for item in default], help_, flag_values=values)
        elif isinstance(default, bool):
            flags.DEFINE_bool(name, default, help_, flag_values=values)
        elif isinstance(default, int):
            flags.DEFINE_integer(name, default, help_, flag_values=values)
        elif isinstance(default, float):
            flags.DEFINE_float(name, default, help_, flag_values=values)
        elif choices:
            flags.DEFINE_enum(name, default, choices, help_, flag_values=values)
        else:
            flags.DEFINE_string(name, default, help_, flag_values=values)


def from_flags(values: flags.FlagValues) -> Config:
    """The Config of a parsed command line; raises ConfigError."""
    return from_dict({field.name: getattr(values, field.name) for field in dataclasses.fields(Config)})


def from_dict(values: dict[str, Any]) -> Config:
    """A Config from plain values, lists as tuples of the default's type; raises ConfigError for unknown names."""
    fields = {field.name: field for field in dataclasses.fields(Config)}
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise ConfigError(f"unknown settings: {', '.join(unknown)}; written by another version?")
    return Config(**{name: _typed(fields[name], value) for name, value in values.items()})


def _typed(field: dataclasses.Field, value: Any) -> Any:
    if not isinstance(field.default, tuple):
        return value
    try:
        return tuple(type(field.default[0])(item) for item in value)
    except ValueError as error:
        raise ConfigError(f"--{field.name}={','.join(map(str, value))}: {error}") from error


def from_flagfile(path: str | os.PathLike, **changes: Any) -> Config:
    """The Config that a flagfile starts, with changes; for code that has no command line of its own."""
    values = flags.FlagValues()
    define_flags(values)
    values(["gsr_tf", f"--flagfile={path}"])
    return dataclasses.replace(from_flags(values), **changes)


def load(run_dir: str | os.PathLike, flag: str = "--run_dir") -> Config:
    """The Config that a run wrote down; raises ConfigError when there is none."""
    path = Path(run_dir) / CONFIG_NAME
    try:
        return from_dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ConfigError(f"{flag}={run_dir}: no {CONFIG_NAME} there, so it is not a training run's folder") from None
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path}: damaged or of another version ({error})") from error
