"""The Elman network against its definition, differentiated with a complex step, and against PyTorch.

The checks at the top take the module that they look at as an argument: `test_seeded_mistakes.py` runs the same checks
on modules with a mistake in them.
"""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnbook import _cells, rnn

STORED = Path(__file__).parent / "reference" / "rnn.npz"
BACKWARD = ["backward", "reference_backward", "backward_double_sum"]
STEP = 1e-200  # of the complex step: it has no rounding error, so it can be as small as it likes


def definition(inputs, hidden0, weight_ih, weight_hh, bias_ih, bias_hh):
    """Run the network, one member of the batch after the other, with columns, as the formula has it."""
    T, N, _ = inputs.shape
    hidden = np.zeros((T,) + hidden0.shape, np.result_type(inputs, hidden0, weight_ih, weight_hh, bias_ih, bias_hh))
    final = np.zeros(hidden0.shape, hidden.dtype)
    for n in range(N):
        h = hidden0[n]
        for t in range(T):
            h = np.tanh(weight_hh @ h + weight_ih @ inputs[t, n] + bias_ih + bias_hh)
            hidden[t, n] = h
        final[n] = h
    return hidden, final


def readout_definition(hidden, weight_ho, bias_ho):
    outputs = np.zeros(hidden.shape[:-1] + bias_ho.shape, np.result_type(hidden, weight_ho, bias_ho))
    for index in np.ndindex(*hidden.shape[:-1]):
        outputs[index] = weight_ho @ hidden[index] + bias_ho
    return (outputs,)


def draw(*shapes, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def draw_network(T, N, d, H, seed=0, dtype=np.float64):
    """Return random arguments (inputs, initial state, the four parameters) and random cotangents of both outputs."""
    arrays = draw((T, N, d), (N, H), (H, d), (H, H), (H,), (H,), (T, N, H), (N, H), seed=seed, dtype=dtype)
    return arrays[:6], tuple(arrays[6:])


def run(module, arguments):
    inputs, hidden0, *parameters = arguments
    return module.forward(inputs, hidden0, module.Parameters(*parameters))


def leaves(gradients):
    """Return the gradients in the order of the arguments of the definition."""
    return [*gradients[:-1], *gradients.parameters]


def pairing(left, right):
    return sum(np.sum(a * b) for a, b in zip(left, right))


def complex_step_gradient(function, arguments, cotangents):
    """Differentiate the pairing of the function's outputs with the cotangents with respect to every entry."""
    gradients = []
    for position, argument in enumerate(arguments):
        gradient = np.zeros(argument.shape)
        for index in np.ndindex(*argument.shape):
            moved = argument.astype(complex)
            moved[index] += 1j * STEP
            outputs = function(*arguments[:position], moved, *arguments[position + 1 :])
            gradient[index] = pairing(outputs, cotangents).imag / STEP
        gradients.append(gradient)
    return gradients


def assert_close(actual, expected, tolerance=1e-12):
    """Compare to a tolerance relative to the largest entry, or to 1, the size of what the sums are sums of."""
    assert actual.shape == expected.shape
    scale = np.max(np.abs(expected), initial=1)
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * scale)


# Checks: the module under test comes as an argument.


def check_derivative(module, backward):
    """Every gradient is the complex-step derivative of the definition."""
    arguments, cotangents = draw_network(T=4, N=3, d=2, H=5)
    _, cache = run(module, arguments)
    actual = leaves(getattr(module, backward)(cotangents, cache))
    for gradient, expected in zip(actual, complex_step_gradient(definition, arguments, cotangents), strict=True):
        assert_close(gradient, expected)


def check_adjoint(module, backward, sizes=(5, 2, 4, 3), seed=1):
    """⟨u, J v⟩ = ⟨Jᵀ u, v⟩ in a random direction v of all arguments at once, J v by a complex step."""
    arguments, cotangents = draw_network(*sizes, seed=seed)
    direction, _ = draw_network(*sizes, seed=seed + 1000)
    moved = [argument + 1j * STEP * v for argument, v in zip(arguments, direction)]
    tangents = [output.imag / STEP for output in definition(*moved)]
    _, cache = run(module, arguments)
    gradients = leaves(getattr(module, backward)(cotangents, cache))
    left, right = pairing(cotangents, tangents), pairing(gradients, direction)
    scale = pairing(map(abs, cotangents), map(abs, tangents)) + pairing(map(abs, gradients), map(abs, direction))
    assert abs(left - right) <= 1e-12 * (1 + scale)  # 1: where h is nearly one, 1 - h² is as uncertain as h²


def check_pytorch(module, backward):
    """Every gradient is the one that PyTorch has."""
    stored = np.load(STORED)
    names = ["inputs", "hidden0", "weight_ih", "weight_hh", "bias_ih", "bias_hh"]
    _, cache = run(module, [stored[f"argument_{name}"] for name in names])
    # PyTorch's loss has the readout in it. Its part of the cotangent comes from the stored numbers, not from our code.
    through_readout = stored["cotangent_outputs"] @ stored["argument_weight_ho"]
    cotangents = stored["cotangent_hidden"] + through_readout, stored["cotangent_final"]
    for gradient, name in zip(leaves(getattr(module, backward)(cotangents, cache)), names, strict=True):
        assert_close(gradient, stored[f"gradient_{name}"], 1e-10)


def check_readout_derivative(module):
    *arguments, cotangents = draw((2, 3, 4), (5, 4), (5,), (2, 3, 5))
    _, cache = module.readout_forward(arguments[0], module.ReadoutParameters(*arguments[1:]))
    actual = leaves(module.readout_backward(cotangents, cache))
    expected = complex_step_gradient(readout_definition, arguments, (cotangents,))
    for gradient, by_step in zip(actual, expected, strict=True):
        assert_close(gradient, by_step)


def check_readout_pytorch(module):
    stored = np.load(STORED)
    parameters = module.ReadoutParameters(stored["argument_weight_ho"], stored["argument_bias_ho"])
    _, cache = module.readout_forward(stored["result_hidden"], parameters)
    gradients = module.readout_backward(stored["cotangent_outputs"], cache)
    assert_close(gradients.parameters.weight_ho, stored["gradient_weight_ho"], 1e-10)
    assert_close(gradients.parameters.bias_ho, stored["gradient_bias_ho"], 1e-10)
    assert_close(gradients.hidden, stored["cotangent_outputs"] @ stored["argument_weight_ho"], 1e-10)


def check_long_product(module):
    """∂h_t/∂h_k for every pair of steps, by a complex step in h_k, from which the network is started anew."""
    arguments, _ = draw_network(T=4, N=2, d=3, H=5)
    inputs, hidden0, *parameters = arguments
    hidden, _ = definition(*arguments)
    states = np.concatenate([hidden0[None], hidden])
    for t in range(5):
        for k in range(t + 1):
            expected = np.zeros((2, 5, 5))
            for j in range(5):
                moved = states[k].astype(complex)
                moved[:, j] += 1j * STEP
                _, final = definition(inputs[k:t], moved, *parameters)
                expected[:, :, j] = (final if t > k else moved).imag / STEP
            assert_close(module.long_product(hidden, parameters[1], t, k), expected)


# The forward passes.


@pytest.mark.parametrize("forward", [rnn.forward, rnn.reference_forward])
def test_forward_is_the_definition(forward):
    arguments, _ = draw_network(T=4, N=3, d=2, H=5)
    inputs, hidden0, *parameters = arguments
    (hidden, final), cache = forward(inputs, hidden0, rnn.Parameters(*parameters))
    expected, expected_final = definition(*arguments)
    assert_close(hidden, expected, 1e-14)
    assert_close(final, expected_final, 1e-14)
    np.testing.assert_array_equal(cache.states[0], hidden0)
    np.testing.assert_array_equal(cache.states[1:], hidden)


@pytest.mark.parametrize("forward", [rnn.forward, rnn.reference_forward])
def test_forward_is_pytorch(forward):
    stored = np.load(STORED)
    parameters = rnn.Parameters(*(stored[f"argument_{name}"] for name in rnn.Parameters._fields))
    (hidden, final), _ = forward(stored["argument_inputs"], stored["argument_hidden0"], parameters)
    assert_close(hidden, stored["result_hidden"])
    assert_close(final, stored["result_final"])
    readout = rnn.ReadoutParameters(stored["argument_weight_ho"], stored["argument_bias_ho"])
    assert_close(rnn.readout_forward(hidden, readout)[0], stored["result_outputs"])


def test_complex_step_goes_through_the_reference():
    arguments, cotangents = draw_network(T=3, N=2, d=2, H=3)

    def reference(inputs, hidden0, *parameters):
        return rnn.reference_forward(inputs, hidden0, rnn.Parameters(*parameters))[0]

    expected = complex_step_gradient(definition, arguments, cotangents)
    for actual, by_definition in zip(complex_step_gradient(reference, arguments, cotangents), expected):
        assert_close(actual, by_definition)


def test_complex_step_goes_through_the_reference_gradient():
    """The second derivative in a direction of all arguments and cotangents, against a central difference."""
    arguments, cotangents = draw_network(T=3, N=2, d=2, H=3)
    direction, cotangent_direction = draw_network(T=3, N=2, d=2, H=3, seed=1)

    def gradient(step):
        inputs, hidden0, *parameters = (a + step * v for a, v in zip(arguments, direction))
        _, cache = rnn.reference_forward(inputs, hidden0, rnn.Parameters(*parameters))
        moved = tuple(a + step * v for a, v in zip(cotangents, cotangent_direction))
        return leaves(rnn.reference_backward(moved, cache))

    for by_step, plus, minus in zip(gradient(1j * STEP), gradient(1e-5), gradient(-1e-5)):
        assert_close(by_step.imag / STEP, (plus - minus) / 2e-5, 1e-7)


def test_readout_is_the_definition():
    hidden, *parameters = draw((2, 3, 4), (5, 4), (5,))
    outputs, _ = rnn.readout_forward(hidden, rnn.ReadoutParameters(*parameters))
    assert_close(outputs, readout_definition(hidden, *parameters)[0], 1e-14)


# The backward passes.


@pytest.mark.parametrize("backward", BACKWARD)
@pytest.mark.parametrize("check", [check_derivative, check_adjoint, check_pytorch])
def test_backward(check, backward):
    check(rnn, backward)


@pytest.mark.parametrize("check", [check_readout_derivative, check_readout_pytorch, check_long_product])
def test_readout_and_jacobians(check):
    check(rnn)


def test_step_jacobian_is_a_long_product_of_one():
    arguments, _ = draw_network(T=4, N=2, d=3, H=5)
    (hidden, _), _ = run(rnn, arguments)
    assert_close(rnn.step_jacobian(hidden, arguments[3])[2], rnn.long_product(hidden, arguments[3], 3, 2), 1e-15)


def test_the_whole_chain_down_to_the_cross_entropy():
    """The model of the book, h_t, o_t, softmax and L, differentiated as one."""
    from rnnbook import softmax

    T, N, d, H, q = 4, 3, 2, 5, 6
    arguments, _ = draw_network(T, N, d, H)
    readout = draw((q, H), (q,), seed=5)
    classes = np.random.default_rng(6).integers(q, size=(T, N))

    def loss(*arrays):
        hidden, _ = definition(*arrays[:6])
        (outputs,) = readout_definition(hidden, *arrays[6:])
        chosen = np.take_along_axis(outputs, classes[..., None], axis=-1)[..., 0]
        return (np.sum(np.log(np.sum(np.exp(outputs), axis=-1)) - chosen),)

    (hidden, _), cache = run(rnn, arguments)
    outputs, readout_cache = rnn.readout_forward(hidden, rnn.ReadoutParameters(*readout))
    losses, loss_cache = softmax.cross_entropy(outputs, classes)
    readout_gradients = rnn.readout_backward(softmax.cross_entropy_backward(np.ones((T, N)), loss_cache), readout_cache)
    gradients = rnn.backward((readout_gradients.hidden, None), cache)
    expected = complex_step_gradient(loss, arguments + readout, (np.array(1.0),))
    for actual, by_step in zip([*leaves(gradients), *readout_gradients.parameters], expected, strict=True):
        assert_close(actual, by_step)
    assert_close(np.sum(losses), loss(*arguments, *readout)[0], 1e-13)


SIZES = st.tuples(st.integers(0, 6), st.integers(0, 4), st.integers(0, 4), st.integers(0, 5))


@settings(max_examples=60, deadline=None)
@given(sizes=SIZES, dtype=st.sampled_from([np.float32, np.float64]), seed=st.integers(0, 2**16))
def test_any_sizes_and_both_dtypes(sizes, dtype, seed):
    arguments, cotangents = draw_network(*sizes, seed=seed, dtype=dtype)
    (hidden, final), cache = run(rnn, arguments)
    (expected, expected_final), _ = rnn.reference_forward(*arguments[:2], rnn.Parameters(*arguments[2:]))
    tolerance = 1e-12 if dtype is np.float64 else 2e-4
    assert hidden.dtype == final.dtype == expected.dtype == dtype
    assert_close(hidden, expected, tolerance)
    assert_close(final, expected_final, tolerance)
    results = [leaves(getattr(rnn, backward)(cotangents, cache)) for backward in BACKWARD]
    for argument, *gradients in zip(arguments, *results, strict=True):
        for gradient in gradients:
            assert gradient.dtype == dtype and gradient.shape == argument.shape
            assert_close(gradient, gradients[0], tolerance)


@settings(max_examples=30, deadline=None)
@given(sizes=SIZES.filter(lambda sizes: sizes[0] > 0), seed=st.integers(0, 2**16))
def test_adjoint_identity_at_any_sizes(sizes, seed):
    for backward in BACKWARD:
        check_adjoint(rnn, backward, sizes, seed)


@pytest.mark.parametrize("numbers", [1, 12, 18, 100])
def test_more_steps_than_one_block(numbers, monkeypatch):
    """The backward pass works through blocks of steps; wherever they are cut the gradients are the same."""
    arguments, cotangents = draw_network(T=7, N=2, d=4, H=3)
    _, cache = run(rnn, arguments)
    expected = leaves(rnn.reference_backward(cotangents, cache))
    monkeypatch.setattr(_cells, "BLOCK", numbers)
    for gradient, slow in zip(leaves(rnn.backward(cotangents, cache)), expected, strict=True):
        assert_close(gradient, slow)


@settings(max_examples=30, deadline=None)
@given(first=st.integers(0, 4), second=st.integers(0, 4), seed=st.integers(0, 2**16))
def test_a_sequence_can_be_cut_anywhere(first, second, seed):
    """Forward and backward over the parts, the state and its cotangent handed on, are those over the whole."""
    (inputs, hidden0, *parameters), (cotangents, cotangents_final) = draw_network(first + second, 2, 3, 4, seed=seed)
    parameters = rnn.Parameters(*parameters)
    (hidden, final), cache = rnn.forward(inputs, hidden0, parameters)
    (hidden_1, middle), cache_1 = rnn.forward(inputs[:first], hidden0, parameters)
    (hidden_2, final_2), cache_2 = rnn.forward(inputs[first:], middle, parameters)
    assert_close(np.concatenate([hidden_1, hidden_2]), hidden)
    assert_close(final_2, final)
    whole = rnn.backward((cotangents, cotangents_final), cache)
    part_2 = rnn.backward((cotangents[first:], cotangents_final), cache_2)
    part_1 = rnn.backward((cotangents[:first], part_2.hidden0), cache_1)
    assert_close(part_1.hidden0, whole.hidden0)
    assert_close(np.concatenate([part_1.inputs, part_2.inputs]), whole.inputs)
    for of_1, of_2, of_whole in zip(part_1.parameters, part_2.parameters, whole.parameters):
        assert_close(of_1 + of_2, of_whole)


@pytest.mark.parametrize("backward", BACKWARD)
def test_an_empty_sequence_is_the_identity(backward):
    arguments, cotangents = draw_network(T=0, N=3, d=2, H=4)
    (hidden, final), cache = run(rnn, arguments)
    np.testing.assert_array_equal(final, arguments[1])
    assert hidden.shape == (0, 3, 4)
    gradients = getattr(rnn, backward)(cotangents, cache)
    np.testing.assert_array_equal(gradients.hidden0, cotangents[1])
    assert all(np.all(gradient == 0) for gradient in gradients.parameters)


@pytest.mark.parametrize("backward", BACKWARD)
@pytest.mark.parametrize("position", [0, 1])
def test_none_is_a_cotangent_of_zeros(backward, position):
    arguments, cotangents = draw_network(T=4, N=3, d=2, H=5)
    _, cache = run(rnn, arguments)
    with_zeros, with_none = list(cotangents), list(cotangents)
    with_zeros[position] = np.zeros_like(cotangents[position])
    with_none[position] = None
    backward = getattr(rnn, backward)
    for actual, expected in zip(leaves(backward(with_none, cache)), leaves(backward(with_zeros, cache))):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("backward", BACKWARD)
def test_gradients_add_up_over_the_batch(backward):
    arguments, cotangents = draw_network(T=4, N=3, d=2, H=5)
    backward = getattr(rnn, backward)
    whole = backward(cotangents, run(rnn, arguments)[1])
    total = [np.zeros_like(parameter) for parameter in arguments[2:]]
    for n in range(3):
        _, cache = run(rnn, [arguments[0][:, n : n + 1], arguments[1][n : n + 1], *arguments[2:]])
        single = backward((cotangents[0][:, n : n + 1], cotangents[1][n : n + 1]), cache)
        assert_close(single.inputs[:, 0], whole.inputs[:, n])
        total = [sum_ + gradient for sum_, gradient in zip(total, single.parameters)]
    for actual, expected in zip(total, whole.parameters):
        assert_close(actual, expected)


# What comes in is left alone, and what goes out is the caller's own.


def strided(array):
    """Return equal numbers that are neither contiguous nor forwards in memory."""
    spread = np.zeros([2 * size for size in array.shape], array.dtype)
    spread[...] = np.nan
    view = spread[tuple(slice(None, None, -2) for _ in array.shape)]
    view[...] = array
    return view


@pytest.mark.parametrize("backward", BACKWARD)
def test_strided_and_read_only_arguments(backward):
    arguments, cotangents = draw_network(T=4, N=3, d=2, H=5)
    expected = leaves(getattr(rnn, backward)(cotangents, run(rnn, arguments)[1]))
    arrays = [strided(array) for array in (*arguments, *cotangents)]
    for array in arrays:
        array.flags.writeable = False
    actual = leaves(getattr(rnn, backward)(tuple(arrays[6:]), run(rnn, arrays[:6])[1]))
    for gradient, from_contiguous in zip(actual, expected):
        assert_close(gradient, from_contiguous, 1e-14)
    transposed = [np.asfortranarray(array) for array in (*arguments, *cotangents)]
    actual = leaves(getattr(rnn, backward)(tuple(transposed[6:]), run(rnn, transposed[:6])[1]))
    for gradient, from_contiguous in zip(actual, expected):
        assert_close(gradient, from_contiguous, 1e-14)


@pytest.mark.parametrize("forward", ["forward", "reference_forward"])
@pytest.mark.parametrize("backward", BACKWARD)
@pytest.mark.parametrize("T", [0, 1, 4])
def test_nothing_is_changed_and_nothing_shared(forward, backward, T):
    arguments, cotangents = draw_network(T, N=3, d=2, H=5)
    before = [array.copy() for array in (*arguments, *cotangents)]
    inputs, hidden0, *parameters = arguments
    (hidden, final), cache = getattr(rnn, forward)(inputs, hidden0, rnn.Parameters(*parameters))
    states = cache.states.copy()
    first = leaves(getattr(rnn, backward)(cotangents, cache))
    again = leaves(getattr(rnn, backward)(cotangents, cache))
    for array, copy in zip((*arguments, *cotangents, cache.states, *first), (*before, states, *again)):
        np.testing.assert_array_equal(array, copy)
    results = [hidden, final, *first]
    for position, result in enumerate(results):
        for other in (*arguments, *cotangents, *results[:position]):
            assert not np.shares_memory(result, other)
        if result is not hidden:
            assert result.flags.writeable
    assert not hidden.flags.writeable and not cache.states.flags.writeable


def test_readout_changes_and_shares_nothing():
    arrays = draw((2, 3, 4), (5, 4), (5,), (2, 3, 5))
    before = [array.copy() for array in arrays]
    hidden, weight_ho, bias_ho, cotangents = (strided(array) for array in arrays)
    for array in (hidden, weight_ho, bias_ho, cotangents):
        array.flags.writeable = False
    outputs, cache = rnn.readout_forward(hidden, rnn.ReadoutParameters(weight_ho, bias_ho))
    gradients = rnn.readout_backward(cotangents, cache)
    expected_outputs, expected_cache = rnn.readout_forward(arrays[0], rnn.ReadoutParameters(*arrays[1:3]))
    assert_close(outputs, expected_outputs, 1e-14)
    for actual, expected in zip(leaves(gradients), leaves(rnn.readout_backward(arrays[3], expected_cache))):
        assert_close(actual, expected, 1e-14)
        assert actual.flags.writeable
        assert not any(np.shares_memory(actual, array) for array in arrays)
    for array, copy in zip(arrays, before):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(4,), (0, 4), (2, 3, 4), (2, 0, 4), (2, 3, 0)])
@pytest.mark.parametrize("q", [0, 1, 5])
def test_readout_of_any_shape(shape, q, dtype):
    hidden, *parameters = draw(shape, (q, shape[-1]), (q,), dtype=dtype)
    outputs, cache = rnn.readout_forward(hidden, rnn.ReadoutParameters(*parameters))
    assert outputs.shape == shape[:-1] + (q,) and outputs.dtype == dtype
    for gradient, argument in zip(leaves(rnn.readout_backward(outputs, cache)), (hidden, *parameters)):
        assert gradient.shape == argument.shape and gradient.dtype == dtype


def test_float32_is_the_float64_result_rounded():
    arguments, cotangents = draw_network(T=6, N=3, d=2, H=5)
    expected = leaves(rnn.backward(cotangents, run(rnn, arguments)[1]))
    arguments, cotangents = draw_network(T=6, N=3, d=2, H=5, dtype=np.float32)
    for backward in BACKWARD:
        for actual, exact in zip(leaves(getattr(rnn, backward)(cotangents, run(rnn, arguments)[1])), expected):
            assert actual.dtype == np.float32
            assert_close(actual, exact, 1e-5)


@pytest.mark.parametrize("backward", BACKWARD)
def test_nan_is_passed_on(backward):
    arguments, cotangents = draw_network(T=4, N=3, d=2, H=5)
    inputs = arguments[0].copy()
    inputs[1, 2, 0] = np.nan  # x_2 of the last member of the batch
    (hidden, final), cache = run(rnn, [inputs, *arguments[1:]])
    assert np.isnan(hidden[1:, 2]).all() and not np.isnan(hidden[0]).any() and not np.isnan(hidden[:, :2]).any()
    assert np.isnan(final[2]).all() and not np.isnan(final[:2]).any()
    gradients = getattr(rnn, backward)(cotangents, cache)
    assert all(np.isnan(gradient).all() for gradient in gradients.parameters)
    assert np.isnan(gradients.inputs[:, 2]).all() and not np.isnan(gradients.inputs[:, :2]).any()

    _, cache = run(rnn, arguments)
    cotangents[0][1, 2, 3] = np.nan  # of h_2, so that it reaches steps 1 and 2
    gradients = getattr(rnn, backward)(cotangents, cache)
    assert np.isnan(gradients.inputs[:2, 2]).all() and not np.isnan(gradients.inputs[2:]).any()
    assert np.isnan(gradients.hidden0[2]).all() and not np.isnan(gradients.hidden0[:2]).any()
    assert np.isnan(gradients.parameters.weight_hh).any()


# Initialisation.


@pytest.mark.parametrize("dtype", [np.float32, np.float64, "float32"])
def test_initialize(dtype):
    parameters = rnn.initialize(3, 400, rng=np.random.default_rng(0), dtype=dtype)
    assert [parameter.shape for parameter in parameters] == [(400, 3), (400, 400), (400,), (400,)]
    for parameter in (*parameters, *rnn.initialize_readout(400, 7, rng=np.random.default_rng(1), dtype=dtype)):
        assert parameter.dtype == dtype
        # Within the bound, and as a uniform distribution fills it: its standard deviation is the bound over √3.
        assert np.abs(parameter).max() <= np.asarray(1 / 20, dtype) and len(np.unique(parameter)) > 6
    np.testing.assert_allclose(parameters.weight_hh.std(), 1 / 20 / np.sqrt(3), rtol=0.01)
    np.testing.assert_allclose(parameters.weight_hh.mean(), 0, atol=1e-3)


def test_initialize_is_reproducible_and_its_parameters_fit():
    first, second = (rnn.initialize(3, 4, rng=np.random.default_rng(7)) for _ in range(2))
    rounded = rnn.initialize(3, 4, rng=np.random.default_rng(7), dtype=np.float32)
    for one, two, three in zip(first, second, rounded):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one.astype(np.float32), three)
    assert not np.array_equal(first.bias_ih, first.bias_hh)
    rnn.forward(np.zeros((2, 1, 3)), np.zeros((1, 4)), first)
    rnn.readout_forward(np.zeros((1, 4)), rnn.initialize_readout(4, 2, rng=np.random.default_rng(7)))


# Wrong arguments: the error names the argument, what was expected, and what came.


def call_forward(**changes):
    """Call forward with T = 4, N = 3, d = 2, H = 5 and some arguments replaced."""
    arguments, _ = draw_network(T=4, N=3, d=2, H=5)
    values = dict(zip(("inputs", "hidden0", *rnn.Parameters._fields), arguments)) | changes
    parameters = changes.get("parameters", rnn.Parameters(*(values[name] for name in rnn.Parameters._fields)))
    return rnn.forward(values["inputs"], values["hidden0"], parameters)


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"inputs": np.zeros((4, 3))}, ValueError, r"inputs: expected shape \(T, N, d\), got \(4, 3\)"),
        ({"inputs": np.zeros((4, 3, 2), int)}, TypeError, r"inputs: expected dtype float32 or float64, got int64"),
        ({"inputs": np.zeros((4, 3, 2), complex)}, TypeError, r"inputs: expected .* got complex128"),
        ({"inputs": np.zeros((4, 3, 2), np.float16)}, TypeError, r"inputs: expected .* got float16"),
        ({"inputs": np.zeros((4, 3, 2), bool)}, TypeError, r"inputs: expected an array of numbers, got dtype bool"),
        ({"inputs": "text"}, TypeError, r"inputs: expected an array of numbers, got dtype <U4"),
        ({"inputs": None}, TypeError, r"inputs: expected an array of numbers, got dtype object"),
        ({"inputs": [[1.0], [2.0, 3.0]]}, TypeError, r"inputs: expected an array of numbers, got a list"),
        ({"inputs": np.zeros((4, 3, 7))}, ValueError, r"weight_ih: .* \(H, d\) with H = 5, d = 7, got \(5, 2\)"),
        ({"hidden0": np.zeros((1, 3, 5))}, ValueError, r"hidden0: .* \(N, H\) with N = 3, got \(1, 3, 5\)"),
        ({"hidden0": np.zeros((2, 5))}, ValueError, r"hidden0: expected shape \(N, H\) with N = 3, got \(2, 5\)"),
        ({"hidden0": np.zeros((3, 5), np.float32)}, TypeError, r"hidden0: .* float64 as inputs has, got float32"),
        ({"weight_hh": np.zeros((5, 4))}, ValueError, r"parameters.weight_hh: expected shape \(H, H\) with H = 5, got"),
        ({"weight_ih": np.zeros((2, 5))}, ValueError, r"parameters.weight_ih: expected shape \(H, d\)"),
        ({"bias_ih": np.zeros((5, 1))}, ValueError, r"parameters.bias_ih: expected shape \(H,\) with H = 5"),
        ({"bias_hh": np.float64(0)}, ValueError, r"parameters.bias_hh: expected shape \(H,\) with H = 5, got \(\)"),
        ({"bias_hh": np.zeros(5, int)}, TypeError, r"parameters.bias_hh: expected dtype float32 or float64, got int64"),
        ({"parameters": (1, 2, 3, 4)}, TypeError, r"parameters: expected rnnbook.rnn.Parameters, got tuple"),
        ({"parameters": None}, TypeError, r"parameters: expected rnnbook.rnn.Parameters, got NoneType"),
    ],
)
def test_wrong_arguments_of_forward(changes, error, message):
    with pytest.raises(error, match=message):
        call_forward(**changes)


WRONG_SHAPES = [
    (None, TypeError, r"cotangents: expected 2 in a tuple, .* got NoneType"),
    (np.zeros((4, 3, 5)), TypeError, r"cotangents: expected 2 in a tuple, .* got ndarray"),
    ((np.zeros((4, 3, 2)), None), ValueError, r"cotangents\[0\]: .* \(T, N, H\) with T = 4, N = 3, H = 5"),
    ((np.zeros((3, 5)), None), ValueError, r"cotangents\[0\]: expected shape .* got \(3, 5\)"),
    ((None, np.zeros((4, 3, 5))), ValueError, r"cotangents\[1\]: expected shape \(N, H\) with N = 3, H = 5"),
]
WRONG_DTYPES = [
    ((None, np.zeros((3, 5), np.float32)), TypeError, r"cotangents\[1\]: expected dtype float64 .* got float32"),
    ((np.zeros((4, 3, 5), int), None), TypeError, r"cotangents\[0\]: expected dtype float32 or float64, got int64"),
]


@pytest.mark.parametrize(
    "backward, cotangents, error, message",
    [
        *(("reference_backward", *case) for case in WRONG_SHAPES),
        *(("backward", *case) for case in WRONG_SHAPES + WRONG_DTYPES),
        *(("backward_double_sum", *case) for case in WRONG_SHAPES + WRONG_DTYPES),
    ],
)
def test_wrong_cotangents(backward, cotangents, error, message):
    _, cache = call_forward()
    with pytest.raises(error, match=message):
        getattr(rnn, backward)(cotangents, cache)


READOUT = rnn.ReadoutParameters(np.zeros((6, 5)), np.zeros(6))
RNG = np.random.default_rng(0)
HIDDEN = np.zeros((4, 3, 5))


@pytest.mark.parametrize(
    "function, arguments, error, message",
    [
        ("readout_forward", (HIDDEN[..., :3], READOUT), ValueError, r"weight_ho: .* with H = 3, got \(6, 5\)"),
        ("readout_forward", (np.float32(HIDDEN), READOUT), TypeError, r"weight_ho: expected dtype float32 as hidden"),
        ("readout_forward", (np.float64(1), READOUT), ValueError, r"hidden: expected shape \(\.\.\., H\), got \(\)"),
        ("readout_forward", (HIDDEN, tuple(READOUT)), TypeError, r"expected rnnbook.rnn.ReadoutParameters, got tuple"),
        ("step_jacobian", (np.zeros(5), np.zeros((5, 4))), ValueError, r"weight_hh: .* \(H, H\) with H = 5, got"),
        ("long_product", (HIDDEN, np.eye(5), 2, 3), ValueError, r"<= k <= t <= T with T = 4, got t = 2, k = 3"),
        ("long_product", (HIDDEN, np.eye(5), 5, 3), ValueError, r"<= k <= t <= T with T = 4, got t = 5, k = 3"),
        ("long_product", (HIDDEN, np.eye(5), 3, -1), ValueError, r"0 <= k <= t <= T"),
        ("long_product", (HIDDEN, np.eye(5), 3.0, 1), TypeError, r"t: expected an integer, got 3.0"),
    ],
)
def test_wrong_arguments_of_the_readout_and_the_jacobians(function, arguments, error, message):
    with pytest.raises(error, match=message):
        getattr(rnn, function)(*arguments)


def test_wrong_cotangents_of_the_readout():
    _, cache = rnn.readout_forward(HIDDEN, READOUT)
    with pytest.raises(ValueError, match=r"cotangents: .* \.\.\. = \(4, 3\), q = 6, got \(4, 6\)"):
        rnn.readout_backward(np.zeros((4, 6)), cache)


@pytest.mark.parametrize(
    "function, arguments, options, error, message",
    [
        ("initialize", (3, 0), {}, ValueError, r"hidden_size: expected at least 1, got 0"),
        ("initialize", (-1, 2), {}, ValueError, r"input_size: expected at least 0, got -1"),
        ("initialize", (3, 2.0), {}, TypeError, r"hidden_size: expected an integer, got 2.0"),
        ("initialize", (3, 2), {"rng": 0}, TypeError, r"rng: expected a numpy.random.Generator, got int"),
        ("initialize", (3, 2), {"dtype": int}, TypeError, r"dtype: expected float32 or float64, got int64"),
        ("initialize_readout", (3, -2), {}, ValueError, r"output_size: expected at least 0, got -2"),
    ],
)
def test_wrong_arguments_of_the_initializers(function, arguments, options, error, message):
    with pytest.raises(error, match=message):
        getattr(rnn, function)(*arguments, **({"rng": RNG} | options))
