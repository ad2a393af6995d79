"""How weights start: the properties that each way promises."""

import numpy as np
import pytest

from rnnbook import gru, lstm
from rnnbook.initialization import forget_gate_bias, identity, orthogonal, scaled, uniform

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def rng(seed=0):
    return np.random.default_rng(seed)


@DTYPES
@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (1, 1), (0, 3)])
def test_orthogonal(shape, dtype):
    matrix = orthogonal(*shape, 1.5, rng=rng(), dtype=dtype)
    assert matrix.shape == shape and matrix.dtype == dtype
    product = matrix @ matrix.T if shape[0] <= shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(product, 2.25 * np.eye(min(shape)), atol=1e-14 if dtype is np.float64 else 1e-6)


def test_orthogonal_is_drawn_uniformly():
    """By the Haar measure the trace has mean 0 and variance 1; without the signs of R its mean is far from 0."""
    generator = rng()
    traces = [np.trace(orthogonal(4, 4, rng=generator)) for _ in range(4000)]
    assert abs(np.mean(traces)) < 0.06 and abs(np.var(traces) - 1) < 0.1
    both = [np.linalg.det(orthogonal(3, 3, rng=generator)) > 0 for _ in range(1000)]
    assert 0.4 < np.mean(both) < 0.6


@DTYPES
def test_identity(dtype):
    for shape in ((3, 3), (2, 4), (4, 2)):
        matrix = identity(*shape, 0.5, dtype=dtype)
        assert matrix.dtype == dtype
        np.testing.assert_array_equal(matrix, 0.5 * np.eye(*shape))


@DTYPES
@pytest.mark.parametrize("size, radius", [(1, 0.5), (2, 1.0), (60, 0.9), (10, 0.0)])
def test_scaled(size, radius, dtype):
    matrix = scaled(size, radius, rng=rng(), dtype=dtype)
    assert matrix.dtype == dtype and matrix.shape == (size, size)
    largest = np.abs(np.linalg.eigvals(matrix.astype(float))).max()
    assert largest == pytest.approx(radius, rel=1e-10 if dtype is np.float64 else 1e-5)


@DTYPES
def test_uniform(dtype):
    array = uniform((300, 200), 0.25, rng=rng(), dtype=dtype)
    assert array.dtype == dtype and np.abs(array).max() <= 0.25
    np.testing.assert_allclose(array.std(), 0.25 / np.sqrt(3), rtol=0.01)
    rounded = uniform((3,), 1.0, rng=rng()).astype(dtype)
    np.testing.assert_array_equal(uniform((3,), 1.0, rng=rng(), dtype=dtype), rounded)


@DTYPES
def test_forget_gate_bias(dtype):
    before = lstm.initialize(2, 3, rng=rng(), dtype=dtype)
    copies = [array.copy() for array in before]
    after = forget_gate_bias(before, 2.0)
    for array, copy in zip(before, copies):
        np.testing.assert_array_equal(array, copy)
    total, old = after.bias_ih + after.bias_hh, before.bias_ih + before.bias_hh
    np.testing.assert_array_equal(total[3:6], 2.0)
    np.testing.assert_array_equal(np.delete(total, slice(3, 6)), np.delete(old, slice(3, 6)))
    assert after.bias_ih.dtype == after.bias_hh.dtype == dtype
    zeros = np.zeros((1, 3), dtype)
    _, cache = lstm.forward(np.zeros((1, 1, 2), dtype), zeros, zeros, after)
    np.testing.assert_allclose(cache.forget_gate, 1 / (1 + np.exp(-2.0)), rtol=1e-6)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: orthogonal(3, 3, rng=0), TypeError, "rng: expected a numpy.random.Generator, got int"),
        (lambda: orthogonal(3, 3, "1", rng=rng()), TypeError, "gain: expected a number, got '1'"),
        (lambda: orthogonal(3, 3, -1.0, rng=rng()), ValueError, "gain: expected a finite number that is at least 0"),
        (lambda: uniform((3,), np.inf, rng=rng()), ValueError, "bound: expected a finite number .* got inf"),
        (lambda: uniform((3,), 1.0, rng=rng(), dtype=int), TypeError, "dtype: expected float32 or float64, got int64"),
        (lambda: scaled(0, 1.0, rng=rng()), ValueError, "size: expected at least 1, got 0"),
        (lambda: scaled(3, np.nan, rng=rng()), ValueError, "radius: expected a finite number"),
        (lambda: identity(3, 3, dtype="float16"), TypeError, "dtype: expected float32 or float64, got float16"),
        (lambda: forget_gate_bias(gru.initialize(2, 3, rng=rng())), TypeError, "expected rnnbook.lstm.Parameters"),
        (lambda: forget_gate_bias(lstm.initialize(2, 3, rng=rng()), None), TypeError, "value: expected a number"),
    ],
)
def test_wrong_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
