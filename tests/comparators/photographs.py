"""Photographs that scikit-image ships, with the traces that a camera leaves and a rectangle that lacks them."""

from __future__ import annotations

import cv2
import numpy as np
import skimage.data

from gsr_tf.evaluation import metrics


def demosaiced(picture):
    """[h, w, 3] uint8 through an RGGB mosaic and bilinear interpolation."""
    down, across = np.indices(picture.shape[:2])
    sites = ((down % 2 == 0) & (across % 2 == 0), (down + across) % 2 == 1, (down % 2 == 1) & (across % 2 == 1))
    square, cross = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4, np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4
    channels = [
        cv2.filter2D(picture[..., index] * site.astype(float), -1, kernel, borderType=cv2.BORDER_REFLECT_101)
        for index, (site, kernel) in enumerate(zip(sites, (square, cross, square)))
    ]
    return np.clip(np.rint(np.stack(channels, axis=-1)), 0, 255).astype(np.uint8)


def rectangle(picture):
    mask = np.zeros(picture.shape[:2], bool)
    mask[160:256, 128:240] = True
    return mask


def photograph(name):
    return getattr(skimage.data, name)()[:400, :400]


def best_f1(scores, mask):
    return metrics.f1(metrics.count(scores, mask, metrics.quantile_grid(scores))).max()


def floor(mask):
    return 2 * mask.sum() / (mask.sum() + mask.size)
