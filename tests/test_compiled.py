"""The compiled steps of the LSTM in float32, against NumPy's operations, which the other tests hold against the formulas."""

import sys
import weakref

import numba
import numpy as np
import pytest
from test_cells import LSTM, draw_cell, leaves, run

from rnnbook import _compiled, lstm

compiled, numpy_only = (lambda dtype: _compiled), (lambda dtype: None)


@numba.njit(error_model="numpy")
def tanh_of_all(x, y):
    for j in range(x.size):
        y[j] = _compiled.tanh(x[j])


def test_tanh():
    x = np.concatenate([np.linspace(0, 12, 400_001), np.geomspace(1e-37, 1, 20_001)]).astype(np.float32)
    y = np.empty_like(x)
    tanh_of_all(x, y)
    exact = np.tanh(x.astype(np.float64))
    assert np.max(np.abs(y - exact) / np.spacing(exact.astype(np.float32))) < 5
    assert np.max(y) == 1 and y[x == 12] == 1
    negative = np.empty_like(y)
    tanh_of_all(-x, negative)
    np.testing.assert_array_equal(negative, -y)
    special = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1e-45], np.float32)
    tanh_of_all(special, special)
    np.testing.assert_array_equal(special, np.array([0, -0.0, 1, -1, np.nan, 1e-45], np.float32))
    assert np.signbit(special[1])


def close(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        assert a.dtype == b.dtype == np.float32 and a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=3e-5, atol=3e-6 * max(1, np.max(np.abs(b), initial=0)))


def drawn(T, N, d, H):
    arguments, cotangents = draw_cell(LSTM, T, N, d, H)
    return [a.astype(np.float32) for a in arguments], tuple(c.astype(np.float32) for c in cotangents)


@pytest.mark.parametrize(
    "sizes",
    [(5, 3, 2, 4), (1, 1, 1, 1), (4, 1, 3, 17), (3, 7, 0, 33), (6, 5, 2, 64), (3, 19, 2, 5), (0, 2, 3, 4), (3, 0, 2, 4)],
)
def test_the_same_as_without(sizes, monkeypatch):
    """Forward and backward, either with the other's cache."""
    arguments, cotangents = drawn(*sizes)
    results = {}
    for forward in (compiled, numpy_only):
        monkeypatch.setattr(lstm, "_compiled", forward)
        outputs, cache = run(LSTM, arguments)
        for backward in (compiled, numpy_only):
            monkeypatch.setattr(lstm, "_compiled", backward)
            results[forward, backward] = [*outputs, *leaves(lstm.backward(cotangents, cache))]
    for result in results.values():
        close(result, results[numpy_only, numpy_only])


def test_a_cache_that_is_not_as_forward_left_it(monkeypatch):
    """Whoever looks at a gradient may change a gate in the cache, or take the cache of the reference."""
    arguments, cotangents = drawn(6, 3, 2, 5)
    _, cache = run(LSTM, arguments)
    _, of_reference = run(LSTM, arguments, forward="reference_forward")
    assert np.shares_memory(lstm._states(cache), cache.cells)
    caches = [
        of_reference,
        cache._replace(forget_gate=np.ones_like(cache.forget_gate)),
        cache._replace(forget_gate=cache.input_gate, input_gate=cache.forget_gate),
        cache._replace(cells=cache.cells.copy()),
    ]
    for changed in caches:
        assert not np.shares_memory(lstm._states(changed), cache.cells)
        gradients = []
        for backward in (compiled, numpy_only):
            monkeypatch.setattr(lstm, "_compiled", backward)
            gradients.append(leaves(lstm.backward(cotangents, changed)))
        close(*gradients)


def test_nothing_keeps_the_arrays_alive():
    """Numba holds on to the arrays of a generator that has not come to its end."""
    arguments, cotangents = drawn(6, 3, 2, 5)
    (hidden, *_), cache = run(LSTM, arguments)
    lstm.backward(cotangents, cache)
    arrays = [arguments[0], hidden.base, cache.cells.base, cotangents[0]]
    left = [weakref.ref(array) for array in arrays]
    assert all(reference() is not None for reference in left)
    del arguments, cotangents, hidden, _, cache, arrays
    assert all(reference() is None for reference in left)


def test_a_nan_stays_where_it_is(monkeypatch):
    arguments, cotangents = drawn(6, 3, 2, 5)
    arguments[0][2, 1, 0] = np.nan
    found = []
    for forward in (compiled, numpy_only):
        monkeypatch.setattr(lstm, "_compiled", forward)
        outputs, cache = run(LSTM, arguments)
        found.append([np.isnan(array) for array in (*outputs, *leaves(lstm.backward(cotangents, cache)))])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
    assert found[0][0].any() and not found[0][0].all()


def test_in_float32_alone_and_without_numba_not_at_all(monkeypatch):
    lstm._compiled.cache_clear()
    try:
        assert lstm._compiled(np.dtype(np.float64)) is None
        assert lstm._compiled(np.dtype(np.float32)) is _compiled
        lstm._compiled.cache_clear()
        monkeypatch.setitem(sys.modules, "rnnbook._compiled", None)
        monkeypatch.delattr("rnnbook._compiled")
        assert lstm._compiled(np.dtype(np.float32)) is None
        arguments, cotangents = drawn(3, 2, 2, 4)
        outputs, cache = run(LSTM, arguments)
        lstm.backward(cotangents, cache)
    finally:
        lstm._compiled.cache_clear()
