"""The LSTM with peepholes and with coupled gates, against their definitions, and in place of a cell."""

import numpy as np
import pytest
from test_cells import logistic
from test_padded import flat
from test_rnn import STEP, assert_close, complex_step_gradient, draw, leaves, pairing

from rnnbook import lstm, lstm_variants, stacked


def definition(coupled):
    def run(inputs, hidden0, cell0, weight_ih, weight_hh, bias_ih, bias_hh, weight_ch):
        """Run it, one member of the batch after the other, with columns, as the formulas have it."""
        T, N, _ = inputs.shape
        H = hidden0.shape[1]
        every = inputs, hidden0, cell0, weight_ih, weight_hh, bias_ih, bias_hh, weight_ch
        hidden = np.zeros((T, N, H), np.result_type(*every))
        final_hidden, final_cell = np.zeros((N, H), hidden.dtype), np.zeros((N, H), hidden.dtype)
        for n in range(N):
            h, c = hidden0[n], cell0[n]
            for t in range(T):
                a = weight_ih @ inputs[t, n] + weight_hh @ h + bias_ih + bias_hh
                i = logistic(a[:H] + weight_ch[0] * c)
                f = 1 - i if coupled else logistic(a[H : 2 * H] + weight_ch[1] * c)
                c = f * c + i * np.tanh(a[2 * H : 3 * H])
                h = hidden[t, n] = logistic(a[3 * H :] + weight_ch[2] * c) * np.tanh(c)
            final_hidden[n], final_cell[n] = h, c
        return hidden, final_hidden, final_cell

    return run


def draw_variant(T=4, N=3, d=2, H=5, seed=0):
    shapes = [(T, N, d), (N, H), (N, H), (4 * H, d), (4 * H, H), (4 * H,), (4 * H,), (3, H), (T, N, H), (N, H), (N, H)]
    arrays = draw(*shapes, seed=seed)
    return arrays[:8], tuple(arrays[8:])


def run(module, arguments, coupled):
    return module.forward(*arguments[:3], module.Parameters(*arguments[3:]), coupled=coupled)


def check_derivative(module, coupled):
    arguments, cotangents = draw_variant()
    outputs, cache = run(module, arguments, coupled)
    for output, expected in zip(outputs, definition(coupled)(*arguments), strict=True):
        assert_close(output, expected, 1e-14)
    actual = leaves(module.backward(cotangents, cache))
    expected = complex_step_gradient(definition(coupled), arguments, cotangents)
    for gradient, by_step in zip(actual, expected, strict=True):
        assert_close(gradient, by_step)


def check_adjoint(module, coupled):
    arguments, cotangents = draw_variant(T=5, N=2, d=4, H=3, seed=1)
    direction, _ = draw_variant(T=5, N=2, d=4, H=3, seed=2)
    moved = [argument + 1j * STEP * v for argument, v in zip(arguments, direction)]
    tangents = [output.imag / STEP for output in definition(coupled)(*moved)]
    gradients = leaves(module.backward(cotangents, run(module, arguments, coupled)[1]))
    left, right = pairing(cotangents, tangents), pairing(gradients, direction)
    assert abs(left - right) <= 1e-12 * (pairing(map(abs, cotangents), map(abs, tangents)) + abs(right))


@pytest.mark.parametrize("coupled", [False, True])
@pytest.mark.parametrize("check", [check_derivative, check_adjoint])
def test_backward(check, coupled):
    check(lstm_variants, coupled)


def test_without_peepholes_it_is_the_lstm():
    arguments, cotangents = draw_variant()
    arguments[7] = np.zeros_like(arguments[7])
    outputs, cache = run(lstm_variants, arguments, False)
    expected, expected_cache = lstm.forward(*arguments[:3], lstm.Parameters(*arguments[3:7]))
    gradients, expected_gradients = lstm_variants.backward(cotangents, cache), lstm.backward(cotangents, expected_cache)
    for one, two in zip([*outputs, *leaves(gradients)], [*expected, *leaves(expected_gradients)]):
        assert_close(one, two, 1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("T, N", [(0, 3), (1, 1), (3, 0)])
def test_edges_and_dtypes(T, N, dtype):
    arguments, cotangents = draw_variant(T=T, N=N)
    arguments = [argument.astype(dtype) for argument in arguments]
    outputs, cache = run(lstm_variants, arguments, True)
    gradients = leaves(lstm_variants.backward(tuple(c.astype(dtype) for c in cotangents), cache))
    assert all(array.dtype == dtype for array in (*outputs, *gradients))
    assert [gradient.shape for gradient in gradients] == [argument.shape for argument in arguments]


def test_it_is_a_cell_like_the_others():
    parameters = stacked.initialize(2, 3, 2, cell=lstm_variants, bidirectional=True, rng=np.random.default_rng(0))
    inputs, zeros = draw((4, 3, 2))[0], np.zeros((4, 3, 3))
    outputs, cache = stacked.forward(
        inputs, (zeros, zeros), parameters, cell=lstm_variants, lengths=[2, 4, 3], coupled=True
    )
    gradients = stacked.backward(outputs, cache)
    for one, two in zip(flat(gradients.parameters), flat(parameters), strict=True):
        assert one.shape == two.shape


def test_wrong_arguments():
    arguments, _ = draw_variant()
    arguments[7] = np.zeros((4, 5))
    with pytest.raises(ValueError, match=r"parameters.weight_ch: expected shape .* peepholes = 3, H = 5, got \(4, 5\)"):
        run(lstm_variants, arguments, False)
    with pytest.raises(TypeError, match="expected rnnbook.lstm_variants.Parameters, got rnnbook.lstm.Parameters"):
        lstm_variants.forward(*arguments[:3], lstm.Parameters(*arguments[3:7]))
