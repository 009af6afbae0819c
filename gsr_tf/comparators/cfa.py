"""CFA: traces of demosaicing (Ferrara et al. 2012), with the choices of the MKLab toolbox's CFA1.

A camera measures green at every other pixel and interpolates the rest, so the error of predicting green from its
neighbours varies less where it was interpolated. Pasted, resized or otherwise processed pixels have lost that
difference. Each 8x8 block gives the ratio of the two variances; two Gaussians fitted to its logarithm, one for blocks
with the trace and one for those without, turn it into a probability. Any JPEG below about 95 and any resize erase the
trace everywhere: chance level there is the honest answer.
"""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from gsr_tf.comparators.blocks import to_pixels

BLOCK = 8
PHASE_BLOCK = 16
MINIMUM_SIDE = 16
# What the toolbox puts for a ratio of 0, whose logarithm would be minus infinity.
SMALLEST_RATIO = 1e-320
# Of a Gaussian: the square of a logarithm of thousands, divided by a tenth of this, is still in the range of floats.
SMALLEST_VARIANCE = 1e-290
RED_BLUE_KERNEL = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
GREEN_KERNEL = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4
PREDICTION_ERROR = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]) / 4


def _block_sums(values: np.ndarray, side: int) -> np.ndarray:
    """Sums over blocks of side x side; the picture's last ones may be smaller."""
    down, across = (np.arange(0, length, side) for length in values.shape)
    return np.add.reduceat(np.add.reduceat(values, down, axis=0), across, axis=1)


def _textured(channel: np.ndarray) -> np.ndarray:
    """Which blocks have a sample standard deviation above 5: only they can tell a phase."""
    pixels = _block_sums(np.ones_like(channel), PHASE_BLOCK)
    mean = _block_sums(channel, PHASE_BLOCK) / pixels
    squares = _block_sums(channel**2, PHASE_BLOCK) - pixels * mean**2
    return squares > 25 * np.maximum(pixels - 1, 1)


def _interpolation_errors(channel: np.ndarray, sites: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Mean squared error a block when only the pixels at `sites`, [h, w] bool, are kept and the rest interpolated."""
    interpolated = cv2.filter2D(channel * sites, -1, kernel, borderType=cv2.BORDER_CONSTANT)
    rebuilt = np.where(sites, channel, np.clip(np.floor(interpolated + 0.5), 0, 255))
    return _block_sums((rebuilt - channel) ** 2, PHASE_BLOCK) / _block_sums(np.ones_like(channel), PHASE_BLOCK)


def green_sites(picture: np.ndarray) -> np.ndarray:
    """Where the camera measured green, by trying the four Bayer layouts (Dirik & Memon 2009).

    Args:
        picture: [h, w, 3] float64 RGB, 0..255, h and w even.

    Returns:
        [h, w] bool, one of the two checkerboards: that of the layout whose demosaicing changes the picture least.
    """
    down, across = np.indices(picture.shape[:2])
    corner = {(y, x): (down % 2 == y) & (across % 2 == x) for y, x in itertools.product((0, 1), repeat=2)}
    checkerboard = {parity: (down + across) % 2 == parity for parity in (0, 1)}
    red, green, blue = (np.ascontiguousarray(picture[..., channel]) for channel in range(3))
    textured = [_textured(channel) for channel in (red, green, blue)]
    if not any(blocks.any() for blocks in textured):
        return checkerboard[0]
    best = {}
    for parity in (0, 1):
        green_errors = _interpolation_errors(green, checkerboard[parity], GREEN_KERNEL)[textured[1]]
        diagonal = [site for site in corner if sum(site) % 2 != parity]
        for red_site, blue_site in (diagonal, diagonal[::-1]):
            errors = (
                _interpolation_errors(red, corner[red_site], RED_BLUE_KERNEL)[textured[0]],
                green_errors,
                _interpolation_errors(blue, corner[blue_site], RED_BLUE_KERNEL)[textured[2]],
            )
            mean = np.concatenate(errors).mean()
            best[parity] = min(mean, best.get(parity, np.inf))
    return checkerboard[min(best, key=best.get)]


def _window() -> tuple[np.ndarray, float]:
    """The 7x7 Gaussian on the pixels of one phase, normalised, and its correction for small samples."""
    axis = np.linspace(-2, 2, 7)
    gaussian = np.exp(-(axis[:, None] ** 2 + axis**2) / 2) / (2 * np.pi)
    window = gaussian * (np.indices((7, 7)).sum(axis=0) % 2 == 0)
    # The toolbox takes the correction from the weights before normalising them.
    return window / window.sum(), 1 - (window**2).sum()


def _weighted_variance(error: np.ndarray) -> np.ndarray:
    window, correction = _window()
    mean, square = (cv2.filter2D(moment, -1, window, borderType=cv2.BORDER_REPLICATE) for moment in (error, error**2))
    return np.maximum(square - mean**2, 0) / correction


def local_variance(error: np.ndarray, acquired: np.ndarray) -> np.ndarray:
    """[h, w] weighted variance of the prediction error about each pixel, over the pixels of its own phase.

    The other phase is set to 0 first: it has no weight inside, but the border replicates it.
    """
    return np.where(acquired, _weighted_variance(error * acquired), _weighted_variance(error * ~acquired))


def log_ratios(variance: np.ndarray, acquired: np.ndarray) -> np.ndarray:
    """Logarithm of the product of variances at acquired pixels over that at interpolated ones, a block.

    Sums of logarithms, since products of 32 variances leave the range of floats.

    Args:
        variance: [h, w], at least 0.
        acquired: [h, w] bool.

    Returns:
        [rows, columns]; minus infinity where one of the products is 0, and 0 (a ratio of 1) where both are.
    """
    down, across = (-side % BLOCK for side in variance.shape)
    # Outside the picture the variance is 0, as in the toolbox: an incomplete block has the ratio 0/0.
    variance = np.pad(variance, ((0, down), (0, across)))
    acquired = np.pad(acquired, ((0, down), (0, across)), mode="symmetric")
    zero = variance == 0
    logs = np.log(np.where(zero, 1, variance))
    ratio = _block_sums(np.where(acquired, logs, -logs), BLOCK)
    above, below = (_block_sums((zero & phase).astype(int), BLOCK) > 0 for phase in (acquired, ~acquired))
    ratio[above | below] = -np.inf
    ratio[above & below] = 0.0
    return ratio


def _log_normal(values: np.ndarray, mean: float, variance: float) -> np.ndarray:
    return -((values - mean) ** 2 / variance + np.log(variance)) / 2


def fit_mixture(values: np.ndarray) -> tuple[float, float, float]:
    """Fits alpha N(0, v1) + (1 - alpha) N(mu, v2) by expectation-maximisation.

    The first component is that of blocks without the trace: both variances are alike there, so its mean stays 0.

    Args:
        values: [n] finite logarithms of ratios.

    Returns:
        (v1, mu, v2). A variance may come near 0 where flat blocks all have the ratio 1; it never is 0.
    """
    from scipy.special import expit

    alpha, mu, v2 = 0.5, values.mean(), max(values.var(ddof=1), SMALLEST_VARIANCE)
    v1 = v2 / 10
    for _ in range(500):
        odds = np.log(alpha / (1 - alpha)) + _log_normal(values, 0, v1) - _log_normal(values, mu, v2)
        first = expit(odds)
        previous, alpha = alpha, first.mean()
        if alpha in (0, 1):  # one component took every block
            break
        v1 = max((first * values**2).sum() / first.sum(), SMALLEST_VARIANCE)
        mu = ((1 - first) * values).sum() / (1 - first).sum()
        v2 = max(((1 - first) * (values - mu) ** 2).sum() / (1 - first).sum(), SMALLEST_VARIANCE)
        if abs(alpha - previous) <= 1e-3:
            break
    return v1, mu, v2


def trace_map(picture: np.ndarray) -> np.ndarray:
    """[rows, columns] float64 probability that a block of 8x8 pixels has no trace of demosaicing.

    Args:
        picture: [h, w, 3] uint8 RGB; an odd last row or column is left out.

    Returns:
        As many blocks as it takes to cover what is not left out; the last ones may be incomplete.
    """
    from scipy.ndimage import median_filter  # where they are used: who predicts with a model does without
    from scipy.special import expit

    height, width = (side // 2 * 2 for side in picture.shape[:2])
    pixels = picture[:height, :width].astype(np.float64)
    error = cv2.filter2D(np.ascontiguousarray(pixels[..., 1]), -1, PREDICTION_ERROR, borderType=cv2.BORDER_REPLICATE)
    acquired = green_sites(pixels)
    ratios = log_ratios(local_variance(error, acquired), acquired)
    finite = ratios[np.isfinite(ratios)]
    if len(finite) < 2:
        return np.full(ratios.shape, 0.5)  # nothing to fit: a flat picture says nothing
    v1, mu, v2 = fit_mixture(finite)
    ratios = np.maximum(ratios, np.log(SMALLEST_RATIO))
    likelihood = _log_normal(ratios, mu, v2) - _log_normal(ratios, 0, v1)
    return expit(-median_filter(likelihood, size=5, mode="reflect"))


def score(picture: np.ndarray) -> np.ndarray:
    """[h, w] float64 in [0, 1]: the probability that the pixel's block has no trace of demosaicing.

    Block b lies on pixels 8b to 8b + 7, whatever the picture's size.

    Args:
        picture: [h, w, 3] uint8 RGB, as published.
    """
    return to_pixels(trace_map(picture), BLOCK, picture.shape[:2])
