"""Truncated backpropagation against the double sum over exactly those pairs that it claims to use."""

from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_rnn import assert_close, draw_network, leaves, run

from rnnbook import rnn, truncated


def pair_sum(arguments, cotangents, weight):
    """The double sum over losses t and steps k, each pair with its weight, all of it with columns."""
    inputs, hidden0, weight_ih, weight_hh, bias_ih, bias_hh = arguments
    (hidden, _), _ = run(rnn, arguments)
    states = np.concatenate([hidden0[None], hidden])
    of_hidden, of_final = cotangents
    sums = [np.zeros_like(argument) for argument in arguments]
    T, N, _ = inputs.shape
    for n in range(N):
        for t in range(1, T + 1):
            row = of_hidden[t - 1, n] + (of_final[n] if t == T else 0)
            for k in range(t, 0, -1):
                row = row * (1 - states[k, n] ** 2)
                for position, multiplied in ((2, inputs[k - 1, n]), (3, states[k - 1, n])):
                    sums[position] += weight(t, k) * np.outer(row, multiplied)
                sums[4] += weight(t, k) * row
                sums[5] += weight(t, k) * row
                sums[0][k - 1, n] += weight(t, k) * (row @ weight_ih)
                row = row @ weight_hh
                if k == 1:
                    sums[1][n] += weight(t, k) * row
    return sums


@pytest.mark.parametrize("k1, k2", [(1, 1), (1, 3), (2, 3), (3, 3), (2, 4), (4, 4), (3, 5), (1, 7), (5, 9), (9, 9)])
def test_backward_is_the_sum_over_its_pairs(k1, k2):
    arguments, cotangents = draw_network(T=7, N=2, d=3, H=4)
    actual = truncated.backward(cotangents, run(rnn, arguments)[1], k1, k2)
    expected = pair_sum(arguments, cotangents, lambda t, k: ceil(t / k1) * k1 - k2 < k)
    for gradient, by_pairs in zip(leaves(actual), expected, strict=True):
        assert_close(gradient, by_pairs)


@settings(max_examples=50, deadline=None)
@given(T=st.integers(0, 20), k1=st.integers(1, 22), more=st.integers(0, 22))
def test_windows_hold_every_loss_once(T, k1, more):
    windows = truncated.windows(T, k1, k1 + more)
    losses = [t for _, first, end in windows for t in range(first + 1, end + 1)]
    assert losses == list(range(1, T + 1))
    assert all(0 <= low <= first < end <= T and end - low <= k1 + more for low, first, end in windows)


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(0, 3), st.integers(0, 4)),
    k1=st.integers(1, 7),
    seed=st.integers(0, 2**16),
)
def test_nothing_is_cut_when_k2_is_long_enough(sizes, k1, seed):
    arguments, cotangents = draw_network(*sizes, seed=seed)
    _, cache = run(rnn, arguments)
    expected = leaves(rnn.backward(cotangents, cache))
    for gradient, exact in zip(leaves(truncated.backward(cotangents, cache, k1, 13)), expected, strict=True):
        assert_close(gradient, exact)


def test_partial_sums_by_lag_are_truncated_gradients():
    arguments, cotangents = draw_network(T=6, N=2, d=3, H=4)
    _, cache = run(rnn, arguments)
    partial = [np.zeros_like(argument) for argument in arguments]
    for lag, summand in enumerate(truncated.by_lag(cotangents, cache)):
        for gradient, by_pairs in zip(leaves(summand), pair_sum(arguments, cotangents, lambda t, k: t - k == lag)):
            assert_close(gradient, by_pairs)
        partial = [sum_ + gradient for sum_, gradient in zip(partial, leaves(summand))]
        for sum_, gradient in zip(partial, leaves(truncated.backward(cotangents, cache, 1, lag + 1)), strict=True):
            assert_close(sum_, gradient)
    assert lag == 5
    for sum_, gradient in zip(partial, leaves(rnn.backward(cotangents, cache))):
        assert_close(sum_, gradient)


def test_truncation_is_not_the_gradient():
    arguments, cotangents = draw_network(T=6, N=2, d=3, H=4)
    _, cache = run(rnn, arguments)
    exact = rnn.backward(cotangents, cache).parameters.weight_hh
    for k1, k2 in ((1, 5), (3, 3), (5, 5)):
        assert np.abs(truncated.backward(cotangents, cache, k1, k2).parameters.weight_hh - exact).max() > 1e-6


def test_roulette_is_right_on_the_average():
    arguments, cotangents = draw_network(T=6, N=2, d=3, H=4)
    _, cache = run(rnn, arguments)
    survival = np.array([1, 0.9, 0.6, 0.6, 0.2, 0.05])
    probabilities = survival - np.append(survival[1:], 0)
    mean = [np.zeros_like(argument) for argument in arguments]
    for length, probability in enumerate(probabilities, 1):
        estimate = leaves(truncated.roulette(cotangents, cache, length, survival))
        mean = [sum_ + probability * part for sum_, part in zip(mean, estimate)]
    for sum_, exact in zip(mean, leaves(rnn.backward(cotangents, cache)), strict=True):
        assert_close(sum_, exact, 1e-13)


def test_roulette_without_chance_is_the_gradient():
    arguments, cotangents = draw_network(T=6, N=2, d=3, H=4, dtype=np.float32)
    _, cache = run(rnn, arguments)
    actual = leaves(truncated.roulette(cotangents, cache, 6, np.ones(6)))
    for gradient, exact in zip(actual, leaves(rnn.backward(cotangents, cache))):
        assert gradient.dtype == np.float32
        assert_close(gradient, exact, 1e-5)


@pytest.mark.parametrize(
    "length, survival, error, says",
    [
        (0, [1.0, 0.5, 0.5], ValueError, "length: expected from 1 to T = 3, got 0"),
        (4, [1.0, 0.5, 0.5], ValueError, "length"),
        (2, [1.0, 0.5, 0.0], ValueError, "survival"),
        (2, [0.9, 0.5, 0.2], ValueError, "survival"),
        (2, [1.0, 0.5, 0.6], ValueError, "survival"),
        (2, [1.0, np.nan, 0.5], ValueError, "survival"),
        (2, [1.0, 0.5], ValueError, "survival: expected shape"),
        (1.5, [1.0, 0.5, 0.5], TypeError, "length: expected an integer"),
    ],
)
def test_roulette_errors(length, survival, error, says):
    arguments, cotangents = draw_network(T=3, N=2, d=3, H=4)
    with pytest.raises(error, match=says):
        truncated.roulette(cotangents, run(rnn, arguments)[1], length, survival)


@pytest.mark.parametrize("k1, k2, error", [(0, 3, ValueError), (3, 2, ValueError), (1.0, 3, TypeError), (1, "3", TypeError)])
def test_window_errors(k1, k2, error):
    arguments, cotangents = draw_network(T=3, N=2, d=3, H=4)
    with pytest.raises(error, match="k"):
        truncated.backward(cotangents, run(rnn, arguments)[1], k1, k2)


def test_nothing_is_changed():
    arguments, cotangents = draw_network(T=5, N=2, d=3, H=4)
    _, cache = run(rnn, arguments)
    before = [array.copy() for array in (*arguments, *cotangents, cache.states)]
    for array in (*arguments, *cotangents):
        array.flags.writeable = False
    truncated.backward(cotangents, cache, 2, 3)
    truncated.roulette(cotangents, cache, 2, np.ones(5))
    for array, copy in zip((*arguments, *cotangents, cache.states), before):
        np.testing.assert_array_equal(array, copy)
