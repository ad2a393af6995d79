"""Real-time recurrent learning against backpropagation through time, and against the definition by complex step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_rnn import STEP, assert_close, complex_step_gradient, definition, draw_network, run

from rnnbook import rnn, rtrl


def gradients(arguments, cotangents):
    inputs, hidden0, *parameters = arguments
    of_hidden, of_final = cotangents
    all_ = np.array(of_hidden)
    all_[-1:] += of_final
    return rtrl.gradients(inputs, hidden0, rnn.Parameters(*parameters), lambda first, hidden: all_[first : first + 1])


def test_gradients_are_those_of_backpropagation_through_time():
    arguments, cotangents = draw_network(T=6, N=3, d=2, H=5)
    forwards = gradients(arguments, cotangents)
    backwards = rnn.backward(cotangents, run(rnn, arguments)[1])
    assert_close(forwards.hidden0, backwards.hidden0, 1e-12)
    for ours, theirs in zip(forwards.parameters, backwards.parameters, strict=True):
        assert_close(ours, theirs, 1e-12)


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 6), st.integers(0, 3), st.integers(0, 3), st.integers(0, 4)),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 2**16),
)
def test_any_sizes_and_both_dtypes(sizes, dtype, seed):
    arguments, cotangents = draw_network(*sizes, seed=seed, dtype=dtype)
    forwards = gradients(arguments, cotangents)
    backwards = rnn.backward(cotangents, run(rnn, arguments)[1])
    for ours, theirs in zip((forwards.hidden0, *forwards.parameters), (backwards.hidden0, *backwards.parameters)):
        assert ours.dtype == dtype
        assert_close(ours, theirs, 1e-12 if dtype is np.float64 else 5e-4)


def test_the_influence_is_the_derivative_of_the_state_at_every_step():
    arguments, _ = draw_network(T=4, N=2, d=3, H=5)
    inputs, hidden0, *parameters = arguments
    state = rtrl.start(hidden0, rnn.Parameters(*parameters))
    for t in range(1, 5):
        state = rtrl.step(state, inputs[t - 1], rnn.Parameters(*parameters))
        M = np.concatenate([parameters[1], parameters[0], parameters[2][:, None]], axis=1)
        expected = np.zeros((2, 5) + M.shape)
        for j, l in np.ndindex(*M.shape):
            moved = M.astype(complex)
            moved[j, l] += 1j * STEP
            _, final = definition(inputs[:t], hidden0, moved[:, 5:8], moved[:, :5], moved[:, 8], parameters[3])
            expected[:, :, j, l] = final.imag / STEP
        assert_close(state.influence, expected)
        for j in range(5):
            moved = hidden0.astype(complex)
            moved[:, j] += 1j * STEP
            assert_close(state.influence0[:, :, j], definition(inputs[:t], moved, *parameters)[1].imag / STEP)


def test_gradients_of_a_loss_of_the_states():
    arguments, (weights, _) = draw_network(T=4, N=3, d=2, H=5)
    inputs, hidden0, *parameters = arguments
    order = []

    def loss_gradient(first, hidden):
        order.append(first)
        assert not hidden.flags.writeable
        return weights[first : first + 1] * np.cos(hidden)

    actual = rtrl.gradients(inputs, hidden0, rnn.Parameters(*parameters), loss_gradient)
    expected = complex_step_gradient(lambda *a: (np.sin(definition(*a)[0]),), arguments, (weights,))
    for gradient, by_step in zip((actual.hidden0, *actual.parameters), expected[1:], strict=True):
        assert_close(gradient, by_step)
    assert order == [0, 1, 2, 3]


def test_states_are_not_changed_and_arguments_neither():
    arguments, _ = draw_network(T=2, N=2, d=3, H=4)
    for array in arguments:
        array.flags.writeable = False
    inputs, hidden0, *parameters = arguments
    parameters = rnn.Parameters(*parameters)
    state = rtrl.step(rtrl.start(hidden0, parameters), inputs[0], parameters)
    copies = [array.copy() for array in state]
    first, second = rtrl.step(state, inputs[1], parameters), rtrl.step(state, inputs[1], parameters)
    rtrl.vjp(state, np.ones((2, 4)))
    for array, copy in zip(state, copies):
        np.testing.assert_array_equal(array, copy)
    for one, other in zip(first, second):
        np.testing.assert_array_equal(one, other)
    begin = rtrl.start(hidden0, parameters)
    assert not np.shares_memory(begin.hidden, hidden0)


def test_the_gradients_are_arrays_of_their_own():
    arguments, cotangents = draw_network(T=2, N=2, d=3, H=4)
    actual = gradients(arguments, cotangents)
    arrays = [actual.hidden0, *actual.parameters]
    for position, array in enumerate(arrays):
        assert array.flags.writeable
        assert not any(np.shares_memory(array, other) for other in (*arrays[:position], *arguments))


def test_an_empty_sequence_has_no_influence():
    arguments, _ = draw_network(T=0, N=2, d=3, H=4)
    inputs, hidden0, *parameters = arguments
    actual = rtrl.gradients(inputs, hidden0, rnn.Parameters(*parameters), None)
    assert all(np.all(array == 0) for array in (actual.hidden0, *actual.parameters))


@pytest.mark.parametrize(
    "call, error, says",
    [
        (lambda s, x, p: rtrl.step(s, x[:1], p), ValueError, "inputs: expected shape"),
        (lambda s, x, p: rtrl.step(s, x.astype("f4"), p), TypeError, "inputs: expected dtype float64"),
        (lambda s, x, p: rtrl.step(s, x, tuple(p)), TypeError, "parameters: expected rnnbook.rnn.Parameters"),
        (lambda s, x, p: rtrl.start(s.hidden, None), TypeError, "parameters: expected rnnbook.rnn.Parameters"),
        (lambda s, x, p: rtrl.start(s.hidden[0], p), ValueError, "hidden0: expected shape"),
        (lambda s, x, p: rtrl.start(s.hidden[:, :3], p), ValueError, "weight_ih"),
        (lambda s, x, p: rtrl.vjp(s, x), ValueError, "cotangents: expected shape"),
        (lambda s, x, p: rtrl.gradients(x[None], s.hidden, p, lambda f, h: h[0]), ValueError, r"loss_gradient\(0, hidden\)"),
    ],
)
def test_errors(call, error, says):
    arguments, _ = draw_network(T=1, N=2, d=3, H=4)
    parameters = rnn.Parameters(*arguments[2:])
    with pytest.raises(error, match=says):
        call(rtrl.start(arguments[1], parameters), arguments[0][0], parameters)
