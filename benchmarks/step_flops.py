"""Floating point operations of a training step, counted from the networks' definitions.

Two operations a multiply-add of the convolutions as the paper and the release define them (SAME padding counted, heads
at full resolution), three times a pass for forward, gradient of the input and gradient of the kernels. Everything
else (normalisation, pooling, losses, Adam) counts nothing: it is what a good implementation makes small.
"""

from __future__ import annotations

from gsr_tf.config import Config
from gsr_tf.models.generator import SIZE
from gsr_tf.models.segmenter import BOUNDARY_BLOCKS, CLASSES, FC_CHANNELS, VGG16


def segmenter_multiply_adds(config: Config) -> int:
    """Of one picture through the segmenter: 43.97 G at 300x300 with 1x1 heads, 46.45 G with 4x4 ones."""
    side, channels, total, blocks = config.preparation.input_size, 3, 0, []
    for block in VGG16:
        width = max(1, round(block.channels * config.networks.width))
        for _ in range(block.convolutions):
            total += side * side * 9 * channels * width
            channels = width
        blocks.append(channels)
        side = -(-side // block.pool_stride)
    fc = max(1, round(FC_CHANNELS * config.networks.width))
    total += side * side * (9 * channels * fc + fc * fc + config.networks.head_kernel**2 * fc * CLASSES)
    if config.networks.boundary_branch:
        merged = sum(blocks[number - 1] for number in BOUNDARY_BLOCKS)
        total += config.preparation.input_size**2 * config.networks.head_kernel**2 * CLASSES * (merged + 2 * CLASSES)
    return total


def generator_multiply_adds(config: Config) -> int:
    """Of one picture through the generator: 6.07 G at width 1."""
    base = max(1, round(64 * config.networks.width))
    widths = [base * multiple for multiple in (1, 2, 4, 8, 8, 8, 8, 8)]
    total, side, channels = 0, SIZE, 4
    for width in widths:
        side //= 2
        total += side * side * 16 * channels * width
        channels = width
    for number, width in zip(range(8, 0, -1), [*reversed(widths[:-1]), 3]):
        channels = widths[7] if number == 8 else 2 * widths[number - 1]
        total += side * side * 16 * channels * width  # a transposed convolution: at its input's pixels
        side *= 2
    return total


def discriminator_multiply_adds(config: Config) -> int:
    """Of one picture through the discriminator: 3.16 G at width 1."""
    base = max(1, round(64 * config.networks.width))
    total, channels = 0, 4
    for side, width in zip((128, 64, 32, 31, 30), (base, 2 * base, 4 * base, 8 * base, 1)):
        total += side * side * 16 * channels * width
        channels = width
    return total


def step_flops(config: Config) -> int:
    """Of one training step at the configuration's batch size."""
    step = config.step
    passes = len(step.segment_on) + step.refine_steps * len(step.refined)
    multiply_adds = 3 * passes * segmenter_multiply_adds(config)
    if step.generates:
        # In the paper's order the generator that has moved blends once more.
        multiply_adds += (3 + (step.alternation == "sequential")) * generator_multiply_adds(config)
        # D on the fake for G: forward and the input's gradient; on real and fake for D: forward and the kernels',
        # and the gradients between layers.
        multiply_adds += (2 + 3 + 3) * discriminator_multiply_adds(config)
    return 2 * config.optimization.batch_size * multiply_adds
