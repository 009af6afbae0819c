import numpy as np
import pytest

from gsr_tf.data.composition import copy_paste, refine


def pictures(seed):
    return np.random.default_rng(seed).normal(size=(2, 5, 4, 3)).astype(np.float32)


S, T, M = pictures(0), pictures(1), pictures(2)
K = (np.random.default_rng(3).random((2, 5, 4, 1)) < 0.5).astype(np.float32)
P = (np.random.default_rng(4).random((2, 5, 4, 1)) < 0.5).astype(np.float32)


def test_copy_paste_takes_s_inside_k_and_t_outside():
    np.testing.assert_array_equal(copy_paste(S, K, T), np.where(K == 1, S, T))


@pytest.mark.parametrize(("value", "expected"), [(0.0, T), (1.0, S), (0.25, 0.25 * S + 0.75 * T)])
def test_copy_paste_blends(value, expected):
    np.testing.assert_allclose(copy_paste(S, np.full_like(K, value), T), expected, atol=1e-6)


def test_refine_takes_t_where_a_boundary_was_predicted():
    m_prime, k_prime = refine(M, K, P, T)
    np.testing.assert_array_equal(m_prime, np.where(P == 1, T, M))
    np.testing.assert_array_equal(k_prime, (K == 1) & (P == 0))


def test_no_boundary_changes_nothing():
    m_prime, k_prime = refine(M, K, np.zeros_like(P), T)
    np.testing.assert_array_equal(m_prime, M)
    np.testing.assert_array_equal(k_prime, K)


def test_boundary_everywhere_restores_the_target():
    m_prime, k_prime = refine(M, K, np.ones_like(P), T)
    np.testing.assert_array_equal(m_prime, T)
    np.testing.assert_array_equal(k_prime, np.zeros_like(K))
