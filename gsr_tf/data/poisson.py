"""Poisson blending: what the paper's generator is trained towards, as the solution of an equation.

G(M) is to keep T's pixels (Eq. 3) and S's second derivatives in the region (Eq. 4). The picture that keeps both exactly
is S plus a membrane: T - S around the region, and without second derivatives in it (Perez et al., "Poisson Image
Editing", 2003).
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csc_matrix, diags
from scipy.sparse.linalg import splu


def membrane(s: np.ndarray, k: np.ndarray, t: np.ndarray) -> np.ndarray:
    """T - S outside K, and inside the smoothest that fits to it: the discrete Laplace equation, 4 neighbours.

    Args:
        s: [h, w, 3] uint8, S.
        k: [h, w, 1] bool, K.
        t: [h, w, 3] uint8, T.

    Returns:
        [h, w, 3] float32, u: S + u is S blended into T. Where K is everything, 0.
    """
    u = t.astype(np.float32) - s
    inside = k[..., 0]
    if not inside.any():
        return u
    if inside.all():
        return np.zeros_like(u)
    unknowns = int(inside.sum())
    number = np.full(inside.shape, -1)
    number[inside] = np.arange(unknowns)
    pixels, neighbours = _neighbours(inside)
    known = ~inside[neighbours]
    # For each unknown: its neighbours' count times it, less its unknown neighbours, is the sum of its known ones.
    border = np.zeros((unknowns, 3))
    np.add.at(border, number[pixels][known], u[neighbours][known])
    one, other = number[pixels][~known], number[neighbours][~known]
    count = np.bincount(number[pixels], minlength=unknowns).astype(float)
    laplacian = diags(count) - csc_matrix((np.ones(len(one)), (one, other)), shape=(unknowns, unknowns))
    u[inside] = splu(laplacian.tocsc(), permc_spec="MMD_AT_PLUS_A").solve(border)
    return u


def _neighbours(inside: np.ndarray) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Rows and columns of each pixel inside, once for each neighbour it has in the picture, and of the neighbours."""
    rows, columns = np.nonzero(inside)
    steps = np.array([[-1, 0], [1, 0], [0, -1], [0, 1]])
    beside = np.stack([rows, columns], -1)[:, np.newaxis] + steps
    exists = ((beside >= 0) & (beside < inside.shape)).all(-1)
    pixel, _ = np.nonzero(exists)
    return (rows[pixel], columns[pixel]), tuple(beside[exists].T)
