"""The network whose loss is the product of its outputs, against its definition by complex step."""

import numpy as np
import pytest
from test_rnn import STEP, assert_close

from rnnbook import memory


def definition(inputs, hidden0, w, u, v):
    h, z = hidden0, 1.0
    for x in inputs:
        h = np.tanh(w * h + u * x)
        z = z * v * h
    return z


def complex_step(inputs, hidden0, weights):
    arguments = [np.array(inputs, complex), complex(hidden0), *map(complex, weights)]

    def derivative(position, index=None):
        moved = list(arguments)
        step = 1j * STEP
        if index is not None:
            step = step * np.eye(len(inputs))[index]
        moved[position] = moved[position] + step
        return definition(*moved).imag / STEP

    of_inputs = np.array([derivative(0, t) for t in range(len(inputs))])
    return of_inputs, derivative(1), [derivative(position) for position in (2, 3, 4)]


def draw(T, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=T), rng.normal(), memory.Weights(*rng.normal(size=3))


@pytest.mark.parametrize("keep", memory.KEEP)
@pytest.mark.parametrize("T", [0, 1, 2, 7])
def test_backward_is_the_derivative_whatever_is_kept(keep, T):
    inputs, hidden0, weights = draw(T)
    product, cache = memory.forward(inputs, hidden0, weights, keep=keep)
    actual = memory.backward(cache)
    of_inputs, of_hidden0, of_weights = complex_step(inputs, hidden0, weights)
    assert_close(np.array(product), np.array(definition(inputs, hidden0, *weights)), 1e-14)
    assert_close(actual.inputs, of_inputs)
    assert_close(np.array(actual.hidden0), np.array(of_hidden0))
    assert_close(np.array(actual.weights), np.array(of_weights))


@pytest.mark.parametrize("T", [0, 1, 2, 7])
def test_forward_accumulation_is_the_derivative(T):
    inputs, hidden0, weights = draw(T)
    product, gradient = memory.forward_accumulation(inputs, hidden0, weights)
    assert_close(np.array(product), np.array(definition(inputs, hidden0, *weights)), 1e-14)
    assert_close(np.array(gradient), np.array(complex_step(inputs, hidden0, weights)[2]))


@pytest.mark.parametrize("keep", memory.KEEP)
@pytest.mark.parametrize("zeros", [[2], [0], [5], [1, 4], [2, 3]])
def test_an_output_of_zero(keep, zeros):
    """With w = 0 the states are tanh(u x_t), and an input of zero makes an output of zero."""
    inputs, hidden0, weights = draw(6)
    inputs[zeros] = 0
    weights = weights._replace(w=0.0)
    product, cache = memory.forward(inputs, hidden0, weights, keep=keep)
    actual = memory.backward(cache)
    of_inputs, of_hidden0, of_weights = complex_step(inputs, hidden0, weights)
    assert product == 0
    assert_close(actual.inputs, of_inputs)
    assert_close(np.array(actual.hidden0), np.array(of_hidden0))
    assert_close(np.array(actual.weights), np.array(of_weights))
    assert np.any(actual.inputs != 0) == (len(zeros) == 1)


@pytest.mark.parametrize("keep, per_step", list(zip(memory.KEEP, (3, 2, 1))))
def test_what_is_stored(keep, per_step):
    counts = [memory.stored(memory.forward(*draw(T), keep=keep)[1]) for T in (0, 2, 100)]
    assert counts == [1, 1 + 2 * per_step, 1 + 100 * per_step]
    _, cache = memory.forward(*draw(100), keep=keep)
    arrays = [array for array in (cache.states, cache.outputs, cache.preactivations) if array is not None]
    assert sum(array.nbytes for array in arrays) == 8 * memory.stored(cache)


@pytest.mark.parametrize(
    "arguments, error, says",
    [
        ((np.zeros((2, 2)), 0.0, memory.Weights(1.0, 1.0, 1.0)), ValueError, "inputs: expected shape"),
        ((["a"], 0.0, memory.Weights(1.0, 1.0, 1.0)), TypeError, "inputs: expected an array of numbers"),
        ((np.zeros(2), 0.0, (1.0, 1.0, 1.0)), TypeError, "weights: expected Weights"),
    ],
)
def test_errors(arguments, error, says):
    for function in (memory.forward, memory.forward_accumulation):
        with pytest.raises(error, match=says):
            function(*arguments)


def test_a_product_that_has_lost_digits_is_not_divided():
    _, cache = memory.forward([7e-294, 1e-30], 0.0, memory.Weights(0.0, 1.0, 1.0))
    np.testing.assert_allclose(memory.backward(cache).inputs, [1e-30, 7e-294], rtol=1e-12)


def test_keep_must_be_known():
    with pytest.raises(ValueError, match="keep: expected one of"):
        memory.forward(*draw(2), keep="everything")
