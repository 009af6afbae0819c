"""The settings of the three networks."""

from __future__ import annotations

import dataclasses

from gsr_tf.settings import Checked, setting


@dataclasses.dataclass(frozen=True)
class Networks(Checked):
    """How generator, discriminator and segmenter are built; each field's help says what it is."""

    width: float = setting(1.0, "Multiplies the channels of all networks; 1 is the paper's.", least=0.001, most=4.0)
    head_kernel: int = setting(
        1,
        "Side of the segmenter's heads: 1 (paper, of the boundary branch's; silent of the other two) or 4 (release).",
        choices=(1, 4),
    )
    half_pixel: bool = setting(
        True,
        "Bilinear resizing as TF2 and OpenCV do, like every program that will feed the network (ours; paper silent); "
        "false: TF1's way (release).",
    )
    boundary_branch: bool = setting(True, "Boundary branch and fusion (Section 3.2); false: DeepLab, as in Table 2.")
    dropout: float = setting(0.5, "Dropout after fc6 and fc7 (Section 4.1).", least=0.0, most=0.95)
