"""What a training step of GSR-Net does: its settings."""

from __future__ import annotations

import dataclasses

from gsr_tf.models.convolution import on_gpu
from gsr_tf.settings import Checked, ConfigError, setting

PICTURES = ("source", "pasted", "generated", "harmonized")


@dataclasses.dataclass(frozen=True)
class Step(Checked):
    """What a training step does; each field's help says what it is."""

    segment_on: tuple[str, ...] = setting(
        ("source", "pasted", "generated"),
        "Pictures that the segmenter is trained on (Table 2's rows). harmonized: M as --harmonizer makes it. Empty: "
        "only generator and discriminator are trained; in the paper, too, they get no gradient from the segmenter "
        "(Section 3.1).",
        choices=PICTURES,
    )
    refine_on: tuple[str, ...] = setting(
        ("pasted", "generated"),
        "Which of them are refined (Eq. 8). The paper: M or G(M), with T's pixels; the release: source, with the "
        "pixels of S's own authentic picture.",
        choices=PICTURES,
    )
    refine_steps: int = setting(1, "Rounds of refinement (Section 3.3); 0: none.", least=0)
    alternation: str = setting(
        "simultaneous",
        "Whose pictures and weights an update of the step sees. simultaneous: all gradients are those of the weights "
        "at the step's start (ours; the release updates D first, then G and the segmenter, on another batch and by the "
        "new D). sequential: G is updated first, then D and the segmenter see the new G(M) (paper, whose three "
        "networks are updated in turn).",
        choices=("simultaneous", "sequential"),
    )
    composite_background: bool = setting(
        False,
        "Keep of a harmonised picture only the region K, and the pixels of M around it. False: all pixels are the "
        "harmoniser's (paper silent).",
    )
    segmentation_gradient: bool = setting(
        False, "The release's joint update: the segmenter's loss on G(M) also moves the generator."
    )
    moments: str = setting(
        "batch",
        "By which moments the segmenter is normalised in training. batch: those of the pictures of one kind in the "
        "batch (paper and release); picture: each picture's own, as at test (ours).",
        choices=("batch", "picture"),
    )
    passes: str = setting(
        "auto",
        "How the kinds of pictures go through the segmenter. apart: one kind after the other, with one kind's "
        "activations in memory at a time; merged: all kinds as one batch, then their refinements as one, in fewer and "
        "larger kernels, each kind with its own moments all the same; auto: merged on a GPU, apart on a CPU.",
        choices=("auto", "apart", "merged"),
        may_change=True,
    )
    teachers_share: float = setting(
        0.0,
        "Part of the segmenter's cross entropies that is on what --teachers say together, instead of on K and its "
        "boundary (ours: Hinton et al., Distilling the knowledge in a neural network, 2015).",
        least=0.0,
        most=1.0,
    )
    jit_compile: bool = setting(
        False, "Compile the step with XLA: for one GPU; slower on CPUs, and not for several replicas.", may_change=True
    )

    def __post_init__(self):
        super().__post_init__()
        missing = set(self.refined) - set(self.segment_on)
        if missing:
            raise ConfigError(f"--refine_on={','.join(sorted(missing))} is not in --segment_on: P is predicted there")
        if self.composite_background and not self.harmonizes:
            raise ConfigError("--composite_background needs 'harmonized' in --segment_on")
        if self.segmentation_gradient and "generated" not in self.segment_on:
            raise ConfigError("--segmentation_gradient needs 'generated' in --segment_on")
        if self.segmentation_gradient and self.alternation == "sequential":
            raise ConfigError(
                "--segmentation_gradient is one update of segmenter and generator, from the same weights: set "
                "--alternation=simultaneous"
            )

    @property
    def generates(self) -> bool:
        """Whether generator and discriminator learn."""
        return not self.segment_on or "generated" in self.segment_on

    @property
    def harmonizes(self) -> bool:
        """Whether the segmenter learns from harmonised pictures."""
        return "harmonized" in self.segment_on

    @property
    def merged(self) -> bool:
        """Whether all kinds of pictures go through the segmenter as one batch."""
        return self.passes == "merged" or self.passes == "auto" and on_gpu()

    @property
    def refined(self) -> tuple[str, ...]:
        """The pictures that are refined."""
        return self.refine_on if self.refine_steps else ()
