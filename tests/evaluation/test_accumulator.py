import numpy as np
import pytest

from gsr_tf.evaluation.accumulator import BLOCK, Accumulator, interval, resample


def filled(values, replicates=200):
    accumulator = Accumulator()
    for index, value in enumerate(values):
        accumulator.add(resample(str(index), replicates), {"x": np.atleast_1d(value)})
    return accumulator


def test_the_estimate_is_the_plain_mean_over_any_number_of_blocks():
    values = np.random.default_rng(0).random((2 * BLOCK + 3, 5))
    accumulator = filled(values)
    np.testing.assert_allclose(accumulator.means()["x"][0], values.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(accumulator.sums()["x"][0], values.sum(axis=0), atol=1e-12)
    assert accumulator.pictures("x") == len(values)


def test_replicates_are_weighted_means():
    values = np.random.default_rng(0).random(BLOCK + 1)
    weights = np.stack([resample(str(index), 200) for index in range(len(values))])
    expected = (weights * values[:, None]).sum(axis=0) / weights.sum(axis=0)
    np.testing.assert_allclose(filled(values).means()["x"][:, 0], expected, atol=1e-12)


def test_the_interval_has_the_width_of_the_standard_error():
    values = np.random.default_rng(0).normal(3, 2, 400)
    low, high = interval(filled(values, replicates=2000).means()["x"][1:, 0])
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_undefined_values_are_left_out_and_counted():
    accumulator = filled([1.0, np.nan, 3.0])
    assert accumulator.means()["x"][0, 0] == 2
    assert accumulator.pictures("x") == 2


@pytest.mark.parametrize("first", [0, 1, BLOCK])
def test_a_name_that_some_pictures_lack_is_of_the_others(first):
    """Whether the first picture has it, or none of the first block."""
    accumulator, expected = Accumulator(), Accumulator()
    for index in range(BLOCK + 2):
        weights, x, y = resample(str(index), 200), np.array([1.0]), np.array([float(index), 2.0])
        accumulator.add(weights, {"x": x, **({"y": y} if index >= first else {})})
        expected.add(weights, {"x": x, "y": y if index >= first else np.full(2, np.nan)})
    assert (accumulator.pictures("x"), accumulator.pictures("y")) == (BLOCK + 2, BLOCK + 2 - first)
    np.testing.assert_array_equal(accumulator.means()["y"], expected.means()["y"])
    np.testing.assert_allclose(accumulator.means()["y"][0], [(first + BLOCK + 1) / 2, 2.0])


def test_resampling_depends_on_the_name_alone():
    np.testing.assert_array_equal(resample("a"), resample("a"))
    assert (resample("a") != resample("b")).any()
    draws = np.stack([resample(str(index)) for index in range(500)])[:, 1:]
    assert (draws.mean(), draws.var()) == pytest.approx((1, 1), rel=0.02)


def test_interval_of_nothing_is_undefined():
    assert np.isnan(interval(np.array([np.nan, np.nan]))).all()
