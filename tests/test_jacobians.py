"""One layer's derivatives against its definition, differentiated with a complex step, and against each other.

The checks at the top take the module that they look at as an argument, so that they can be run on a module with a
mistake in it.
"""

import itertools
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnbook import jacobians

DTYPES = [np.float64, np.float32]
STEP = 1e-200

# Each activation as its formula, which a complex step can be sent through. Random pre-activations are never at a kink.
DEFINITIONS = {
    "identity": lambda a: a,
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "tanh": np.tanh,
    "softplus": lambda a: np.log(1 + np.exp(a)),
    "relu": lambda a: np.where(np.real(a) > 0, a, 0 * a),
}


def draw(shape=(3, 2), n=4, d=5, seed=0, dtype=np.float64):
    """Return inputs of a batch of the given shape, weight, bias, and random cotangents of the outputs."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=size).astype(dtype) for size in ((*shape, d), (n, d), (n,), (*shape, n))]


def layer(x, weight, bias, activation):
    """Compute the layer, one entry after the other, as the formula has it."""
    y = np.zeros(x.shape[:-1] + bias.shape, np.result_type(x, weight, bias))
    for index in np.ndindex(*y.shape):
        a = sum(weight[index[-1], k] * x[index[:-1]][k] for k in range(x.shape[-1])) + bias[index[-1]]
        y[index] = DEFINITIONS[activation](a)
    return y


def pairing(left, right):
    return sum(np.sum(a * b) for a, b in zip(left, right))


# Checks: the module under test comes as an argument.


def check_gradients(module, activation):
    """Every gradient is the complex-step derivative of the definition."""
    *arguments, cotangents = draw()
    outputs, cache = module.forward(*arguments, activation)
    np.testing.assert_allclose(outputs, layer(*arguments, activation), rtol=1e-13, atol=1e-14)
    gradients = module.backward(cotangents, cache)
    for position, gradient in enumerate(gradients):
        for index in np.ndindex(gradient.shape):
            moved = [argument.astype(complex) for argument in arguments]
            moved[position][index] += 1j * STEP
            expected = np.sum(cotangents * layer(*moved, activation)).imag / STEP
            np.testing.assert_allclose(gradient[index], expected, rtol=1e-12, atol=1e-13)


def check_adjoint(module, activation, shape=(3, 2)):
    """⟨u, J v⟩ = ⟨Jᵀ u, v⟩, and J v is the complex-step derivative in the direction v."""
    *arguments, cotangents = draw(shape)
    direction = draw(shape, seed=1)[:3]
    _, cache = module.forward(*arguments, activation)
    tangents = module.jvp(module.Tangents(*direction), cache)
    moved = [argument + 1j * STEP * v for argument, v in zip(arguments, direction)]
    np.testing.assert_allclose(tangents, layer(*moved, activation).imag / STEP, rtol=1e-12, atol=1e-13)
    gradients = module.backward(cotangents, cache)
    np.testing.assert_allclose(pairing(gradients, direction), pairing([cotangents], [tangents]), rtol=1e-11)


def check_built(module, activation):
    """The derivatives that are built are those of the definition, entry by entry."""
    x, weight, bias, _ = draw(())
    _, cache = module.forward(x, weight, bias, activation)
    built = [
        (module.input_jacobian(cache), lambda x: layer(x, weight, bias, activation), x),
        (module.weight_tensor(cache), lambda weight: layer(x, weight, bias, activation), weight),
    ]
    for order in "FC":
        built.append((
            module.weight_jacobian(cache, order),
            lambda flat, order=order: layer(x, flat.reshape(weight.shape, order=order), bias, activation),
            weight.ravel(order),
        ))
    for actual, function, argument in built:
        expected = jacobians.jacobian_by_complex_step(function, argument)
        assert actual.shape == expected.shape
        np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("activation", DEFINITIONS)
def test_gradients(activation):
    check_gradients(jacobians, activation)


@pytest.mark.parametrize("activation", DEFINITIONS)
def test_adjoint(activation):
    check_adjoint(jacobians, activation)


@pytest.mark.parametrize("activation", DEFINITIONS)
def test_built_derivatives(activation):
    check_built(jacobians, activation)


def test_every_activation_is_tested():
    assert jacobians.ACTIVATIONS.keys() == DEFINITIONS.keys()


def test_built_derivatives_of_a_batch():
    x, weight, bias, cotangents = draw((3, 2))
    _, cache = jacobians.forward(x, weight, bias, "tanh")
    gradients = jacobians.backward(cotangents, cache)
    by_jacobian = np.einsum("...i,...ij->...j", cotangents, jacobians.input_jacobian(cache))
    by_tensor = np.einsum("abi,abijk->jk", cotangents, jacobians.weight_tensor(cache))
    np.testing.assert_allclose(gradients.inputs, by_jacobian, rtol=1e-13)
    np.testing.assert_allclose(gradients.weight, by_tensor, rtol=1e-12)


@pytest.mark.parametrize("field", jacobians.Tangents._fields)
def test_what_stands_still_is_a_zero_tangent(field):
    *arguments, _ = draw()
    _, cache = jacobians.forward(*arguments, "sigmoid")
    direction = dict(zip(jacobians.Tangents._fields, draw(seed=1)))
    alone = jacobians.jvp(jacobians.Tangents(**{field: direction[field]}), cache)
    zeros = {name: np.zeros_like(value) for name, value in zip(jacobians.Tangents._fields, arguments)}
    both = jacobians.jvp(jacobians.Tangents(**(zeros | {field: direction[field]})), cache)
    np.testing.assert_array_equal(alone, both)
    np.testing.assert_array_equal(jacobians.jvp(jacobians.Tangents(), cache), np.zeros((3, 2, 4)))


def test_relu_at_its_kink_and_nan():
    x = np.array([[0.0], [-0.0], [1.0], [-1.0], [np.nan]])
    outputs, cache = jacobians.forward(x, np.ones((1, 1)), np.zeros(1), "relu")
    slopes = jacobians.backward(np.ones((5, 1)), cache).inputs
    np.testing.assert_array_equal(outputs[:, 0], [0, 0, 1, 0, np.nan])
    np.testing.assert_array_equal(slopes[:, 0], [0, 0, 1, 0, np.nan])


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 0), (2, 3)])
@pytest.mark.parametrize("n, d", [(4, 5), (1, 1), (0, 3), (3, 0)])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", DEFINITIONS)
def test_shapes_and_dtypes(shape, n, d, dtype, activation):
    *arguments, cotangents = draw(shape, n, d, dtype=dtype)
    outputs, cache = jacobians.forward(*arguments, activation)
    assert outputs.shape == (*shape, n) and outputs.dtype == dtype
    assert not outputs.flags.writeable and not any(np.shares_memory(outputs, array) for array in arguments)
    for gradient, argument in zip(jacobians.backward(cotangents, cache), arguments, strict=True):
        assert gradient.shape == argument.shape and gradient.dtype == dtype
        assert not np.shares_memory(gradient, argument)
    tangents = jacobians.jvp(jacobians.Tangents(*arguments), cache)
    assert tangents.shape == outputs.shape and tangents.dtype == dtype
    assert jacobians.input_jacobian(cache).shape == (*shape, n, d)
    assert jacobians.input_jacobian(cache).dtype == jacobians.weight_tensor(cache).dtype == dtype
    assert jacobians.weight_tensor(cache).shape == (*shape, n, n, d)


def test_read_only_and_strided_arguments():
    arguments = draw()
    expected = jacobians.backward(arguments[3], jacobians.forward(*arguments[:3], "tanh")[1])
    spread = [np.repeat(array, 2, axis=-1)[..., ::2] for array in arguments]
    for array in spread:
        array.flags.writeable = False
    actual = jacobians.backward(spread[3], jacobians.forward(*spread[:3], "tanh")[1])
    for one, two in zip(actual, expected):
        np.testing.assert_allclose(one, two, rtol=1e-13)


# The complex step.


def test_complex_step_of_any_shapes():
    x = np.random.default_rng(2).normal(size=(2, 3))
    derivative = jacobians.jacobian_by_complex_step(lambda x: np.exp(x).sum(axis=0), x)
    assert derivative.shape == (3, 2, 3)
    expected = np.einsum("jk,ik->ijk", np.exp(x), np.eye(3))
    np.testing.assert_allclose(derivative, expected, rtol=1e-15)
    assert jacobians.jacobian_by_complex_step(lambda x: x[:, :0] @ np.zeros((0, 4)), x).shape == (2, 4, 2, 3)
    assert jacobians.jacobian_by_complex_step(np.sin, 0.0) == 1.0
    assert jacobians.jacobian_by_complex_step(np.sin, np.zeros(0)).shape == (0, 0)


def test_complex_step_leaves_its_argument_alone():
    x = np.array([1.0, 2.0])
    x.flags.writeable = False
    np.testing.assert_allclose(jacobians.jacobian_by_complex_step(lambda x: x**2, x), np.diag([2.0, 4.0]))


# Chains.


def costs(sizes, i, j):
    """List the costs of all orders in which the factors i + 1, …, j can be multiplied."""
    if j == i + 1:
        return [0]
    return [
        left + right + sizes[i] * sizes[k] * sizes[j]
        for k in range(i + 1, j)
        for left, right in itertools.product(costs(sizes, i, k), costs(sizes, k, j))
    ]


def parse(order):
    """Read "((1 2) 3)" as nested pairs."""
    tokens = order.replace("(", " ( ").replace(")", " ) ").split()

    def read():
        token = tokens.pop(0)
        if token != "(":
            return int(token)
        pair = read(), read()
        assert tokens.pop(0) == ")"
        return pair

    tree = read()
    assert not tokens
    return tree


def multiply(tree, matrices):
    """Multiply in the order of the tree; return the product and the number of multiplications."""
    if isinstance(tree, int):
        return matrices[tree - 1], 0
    (left, first), (right, second) = (multiply(branch, matrices) for branch in tree)
    return left @ right, first + second + left.shape[0] * left.shape[1] * right.shape[1]


@given(st.lists(st.integers(1, 12), min_size=2, max_size=7))
def test_chains_against_all_orders(sizes):
    every = costs(sizes, 0, len(sizes) - 1)
    best, order = jacobians.cheapest_chain(sizes)
    assert best == min(every)
    assert {jacobians.chain_cost(sizes, direction) for direction in ("left", "right")} <= set(every)

    rng = np.random.default_rng(0)
    matrices = [rng.normal(size=shape) for shape in zip(sizes, sizes[1:])]
    product, count = multiply(parse(order), matrices)
    assert count == best and product.shape == (sizes[0], sizes[-1])
    left = right = None
    for matrix in matrices:
        left = (matrix, 0) if left is None else (left[0] @ matrix, left[1] + left[0].shape[0] * matrix.size)
    for matrix in reversed(matrices):
        right = (matrix, 0) if right is None else (matrix @ right[0], right[1] + matrix.size * right[0].shape[1])
    assert left[1] == jacobians.chain_cost(sizes, "left") and right[1] == jacobians.chain_cost(sizes, "right")


@given(st.lists(st.integers(2, 9), min_size=1, max_size=6))
def test_a_row_is_best_worked_off_from_the_left(sizes):
    sizes = [1, *sizes]
    assert jacobians.cheapest_chain(sizes)[0] == jacobians.chain_cost(sizes, "left")


# Wrong arguments.

X, W, B, U = draw()
CACHE = jacobians.forward(X, W, B)[1]


@pytest.mark.parametrize(
    "function, arguments, error, message",
    [
        ("forward", (X, W, B, "swish"), ValueError, r"activation: expected one of identity, sigmoid, .* got 'swish'"),
        ("forward", (X, W.T, B), ValueError, r"weight: expected shape \(n, d\) with d = 5, got \(5, 4\)"),
        ("forward", (X, W, B[:3]), ValueError, r"bias: expected shape \(n,\) with n = 4, got \(3,\)"),
        ("forward", (X, np.float32(W), B), TypeError, r"weight: expected dtype float64 as inputs has, got float32"),
        ("forward", (np.zeros((3, 5), int), W, B), TypeError, r"inputs: expected dtype float32 or float64, got int64"),
        ("forward", (1.0, W, B), ValueError, r"inputs: expected shape \(\.\.\., d\), got \(\)"),
        ("backward", (U[0], CACHE), ValueError, r"cotangents: expected shape .* got \(2, 4\)"),
        ("backward", (X, CACHE), ValueError, r"cotangents: expected shape .* n = 4, got \(3, 2, 5\)"),
        ("backward", (np.float32(U), CACHE), TypeError, r"cotangents: expected dtype float64 as inputs has"),
        ("jvp", ((X, W, B), CACHE), TypeError, r"tangents: expected Tangents, got tuple"),
        ("jvp", (jacobians.Tangents(inputs=U), CACHE), ValueError, r"tangents.inputs: expected shape .* d = 5"),
        ("jvp", (jacobians.Tangents(weight=W.T), CACHE), ValueError, r"tangents.weight: expected shape \(n, d\)"),
        ("jvp", (jacobians.Tangents(bias=np.float32(B)), CACHE), TypeError, r"tangents.bias: expected dtype float64"),
        ("weight_jacobian", (CACHE,), ValueError, r"cache: expected that of one input, .* shape \(3, 2, 5\)"),
        ("weight_jacobian", (CACHE, "A"), ValueError, r"order: expected 'F' or 'C', got 'A'"),
        ("jacobian_by_complex_step", (np.sin, [1j]), TypeError, r"argument: expected real .* got dtype complex128"),
        ("jacobian_by_complex_step", (np.abs, [1.0]), TypeError, r"function: expected complex numbers .* float64"),
        ("jacobian_by_complex_step", (np.sin, "x"), TypeError, r"argument: expected an array of numbers"),
        ("chain_cost", ([2, 3], "up"), ValueError, r"direction: expected 'left' or 'right', got 'up'"),
        ("chain_cost", ([2], "left"), ValueError, r"sizes: expected at least two, each at least 1, got \[2\]"),
        ("cheapest_chain", ([2, 0, 3],), ValueError, r"sizes: expected at least two, each at least 1"),
        ("cheapest_chain", ([2, 3.0],), TypeError, r"sizes: expected integers, got 3.0"),
    ],
)
def test_wrong_arguments(function, arguments, error, message):
    with pytest.raises(error, match=message):
        getattr(jacobians, function)(*arguments)


# The checks themselves: each must fail for a module with a mistake in it.


def mistaken(**changes):
    """Return a module with some functions replaced."""
    return types.SimpleNamespace(**{name: getattr(jacobians, name) for name in jacobians.__all__} | changes)


def replace(field, value):
    """Return a backward pass with one gradient replaced."""
    def backward(cotangents, cache):
        return jacobians.backward(cotangents, cache)._replace(**{field: value(cotangents, cache)})
    return backward


@pytest.mark.parametrize(
    "backward",
    [
        replace("inputs", lambda u, c: u @ c.weight),
        replace("inputs", lambda u, c: (1 - c.outputs) * u @ c.weight),
        replace("weight", lambda u, c: jacobians.backward(u, c).weight / 6),
        replace("bias", lambda u, c: u.sum(axis=(0, 1))),
    ],
)
def test_the_checks_of_gradients_can_fail(backward):
    for check in (check_gradients, check_adjoint):
        with pytest.raises(AssertionError):
            check(mistaken(backward=backward), "tanh")


@pytest.mark.parametrize(
    "change",
    [
        {"input_jacobian": lambda c: jacobians.input_jacobian(c) * 1.001},
        {"weight_tensor": lambda c: jacobians.weight_tensor(c).swapaxes(0, 1) + c.inputs},
        {"weight_jacobian": lambda c, order: jacobians.weight_jacobian(c, "FC"[order == "F"])},
    ],
)
def test_the_check_of_built_derivatives_can_fail(change):
    with pytest.raises(AssertionError):
        check_built(mistaken(**change), "tanh")
