"""The settings of S, K and T: how a picture becomes what the networks see."""

from __future__ import annotations

import dataclasses

from gsr_tf.data.augment.retouching import Retouching
from gsr_tf.settings import Checked, ConfigError, flat, setting


@dataclasses.dataclass(frozen=True)
class Preparation(Checked):
    """How S, K and T are prepared, and M composed from them; each field's help says what it is."""

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
        two="1,2",
        ascending=True,
        least=1.0,
    )
    whole_regions: bool = setting(
        False, "In crop mode: windows hold the whole region where it fits in (ours). False: one pixel of it at least."
    )
    retouching: Retouching = Retouching()
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
    placed_share: float = setting(
        1.0,
        "Share of examples that --paste_scale and --paste_rotation are for; the others are pasted as they are.",
        least=0.0,
        most=1.0,
    )
    paste_scale: tuple[float, ...] = setting(
        (1.0, 1.0),
        "S's region is scaled by a factor drawn between these before it is pasted (ours; paper: as it is). Scaling and "
        "rotation are about the picture's centre; a region that would be outside it is pasted as it is.",
        two=".7,1.4",
        ascending=True,
        least=0.1,
        most=10.0,
    )
    paste_rotation: float = setting(
        0.0,
        "S's region is also rotated before it is pasted, by a random angle of at most this many degrees in either "
        "direction (ours; the paper does not rotate).",
        least=0.0,
        most=180.0,
    )
    target_size: int = setting(
        0,
        "First squash T to this side, then to --input_size (the release stores T at 256, which leaves T less sharp "
        "than S: a trace of pasting that no picture in the wild has). 0: no detour (ours; paper silent).",
        least=0,
    )
    mask_threshold: float = setting(
        50 / 255, "A resized mask is 1 above this share of white (release: 50 of 255).", least=0.0, most=1.0
    )
    flip: bool = setting(True, "Mirror S (with K) and T at random, independently (Section 4.1).")
    gamma: float = setting(
        1.0,
        "Each channel x in [0, 1] of S and T becomes x^g, with one random g per channel between 1/gamma and gamma, the "
        "same for both pictures (ours; the paper does not do this). 1: off.",
        least=1.0,
        most=5.0,
    )
    cache_gib: float = setting(
        2.0,
        "Memory for decoded pictures of S and of T each, GiB: what fits is decoded once.",
        least=0.0,
        most=2**20,
        may_change=True,
    )
    seed: int = setting(
        0,
        "Random seed of the order of the data, of flips and crops, of initial weights and of dropout.",
        least=0,
        most=2**32 - 1,
    )

    def __post_init__(self):
        super().__post_init__()
        self._check_windows()
        if self.white == 255:
            raise ConfigError(
                f"--mask_threshold={self.mask_threshold}: no mask is whiter, so that every K would be empty; expected "
                "less"
            )
        if self.copy_move_share and not self.flip:
            raise ConfigError(
                f"--copy_move_share={self.copy_move_share} would paste regions where they were: set --flip, which "
                "mirrors T where its window is S's"
            )

    def _check_windows(self) -> None:
        cut = bool(self.short_side) or self.window_scale != (1.0, 1.0)
        if (cut or self.whole_regions) and self.resize_mode != "crop":
            raise ConfigError(
                "--short_side, --window_scale and --whole_regions are about windows: set --resize_mode=crop"
            )
        largest, short_side = round(self.input_size * self.window_scale[1]), self.short_side or self.input_size
        if largest > short_side:
            raise ConfigError(
                f"--short_side={self.short_side}: windows of {largest} pixels (--input_size times --window_scale) do "
                f"not fit; at least {largest} is needed"
            )
        if self.target_size and (cut or self.retouched):
            raise ConfigError(
                "--target_size is the release's detour of T; it does not go with windows or a retouched M"
            )

    @property
    def loaded_size(self) -> int:
        """Side, or short side, at which pictures are loaded."""
        return (self.short_side if self.resize_mode == "crop" else 0) or self.input_size

    @property
    def placed(self) -> bool:
        """Whether any region is scaled or rotated before it is pasted."""
        return self.placed_share > 0.0 and (self.paste_scale != (1.0, 1.0) or self.paste_rotation > 0.0)

    @property
    def retouched(self) -> bool:
        """Whether M is anything else than Eq. 1 at the network's resolution."""
        return self.retouching != Retouching() or self.window_scale != (1.0, 1.0)

    @property
    def white(self) -> int:
        """Mask pixels above this, of 255, are manipulated."""
        return int(255 * self.mask_threshold + 1e-6)

    def check_source(self, learnt_from: bool) -> None:
        """Raises ConfigError where S itself is learnt from, and K would not be what was manipulated in S."""
        others = {
            "authentic_share": self.retouching.authentic_share,  # K is emptied
            "shape_share": self.shape_share,  # K is another region
            "paste_scale or --paste_rotation": self.placed,  # S is mirrored at its border, K is not
        }
        given = [name for name, share in others.items() if share]
        if learnt_from and given:
            raise ConfigError(
                f"--{given[0]}: K is then not what was manipulated in S, from which this run learns, too; leave it, or "
                "learn from composites alone (--segment_on, --train_on)"
            )

    def check_composites(self, learnt_from: bool, validated_on: bool) -> None:
        """Raises ConfigError for a setting of M or T alone in a run that does not look at them."""
        unused = {} if learnt_from else {"copy_move_share": 0.0}  # never validated on, see `unmoved`
        if not learnt_from and not validated_on:
            unused.update(flat(Retouching()), target_size=0)
        given = [name for name, unset in unused.items() if flat(self)[name] != unset]
        if given:
            raise ConfigError(
                f"--{given[0]}: for composites, and this run learns from S alone; leave it, or learn from composites "
                "(--segment_on, --train_on)"
            )

    def unmoved(self, **changes: object) -> Preparation:
        """For pictures that are shown or validated on: nothing at random but which T is met, each with its region."""
        still = {
            "flip": False,
            "gamma": 1.0,
            "shape_share": 0.0,
            "copy_move_share": 0.0,  # not mirrored, a region may stay where it was
            "paste_scale": (1.0, 1.0),
            "paste_rotation": 0.0,
            "retouching": dataclasses.replace(self.retouching, authentic_share=0.0),
        }
        return dataclasses.replace(self, **{**still, **changes})
