"""The losses against many digits, against their derivatives, and against PyTorch's conventions.

The checks at the top take the module that they look at as an argument, so that `test_seeded_mistakes` can run them on a
module with a mistake in it.
"""

import types
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnbook import losses

DTYPES = [np.float64, np.float32]

EXACT = {
    "sigmoid": lambda a: 1 / (1 + mpmath.exp(-a)),
    "sigmoid_derivative": lambda a: mpmath.exp(-abs(a)) / (1 + mpmath.exp(-abs(a))) ** 2,
    "softplus": lambda a: mpmath.log1p(mpmath.exp(a)),
    "log_sigmoid": lambda a: -mpmath.log1p(mpmath.exp(-a)),
    "log_cosh": lambda a: mpmath.log(mpmath.cosh(a)),
    "tanh_derivative": lambda a: mpmath.sech(a) ** 2,
}
# Of each function: the limits at infinity and at minus infinity.
LIMITS = {
    "sigmoid": (1, 0),
    "sigmoid_derivative": (0, 0),
    "softplus": (np.inf, 0),
    "log_sigmoid": (0, -np.inf),
    "log_cosh": (np.inf, np.inf),
    "tanh_derivative": (0, 0),
}
# Of each function: the exact value where exponentials are far below every number of the format.
FAR_OUT = {
    "sigmoid": lambda a: int(a > 0),
    "sigmoid_derivative": lambda a: 0,
    "softplus": lambda a: max(a, 0),
    "log_sigmoid": lambda a: min(a, 0),
    "log_cosh": lambda a: abs(a) - mpmath.log(2),
    "tanh_derivative": lambda a: 0,
}
# The derivative of each function, in terms of the others.
DERIVATIVES = {
    "sigmoid": losses.sigmoid_derivative,
    "softplus": losses.sigmoid,
    "log_sigmoid": lambda a: losses.sigmoid(-a),
    "log_cosh": np.tanh,
}


def magnitudes(dtype):
    """Return sizes from the smallest subnormal number to the largest, dense where a function changes its form."""
    info = np.finfo(dtype)
    rng = np.random.default_rng(0)
    powers = np.exp2(np.arange(info.minexp - info.nmant, info.maxexp, 7, dtype=float))
    end = -np.log(float(info.smallest_subnormal))
    usual = np.exp(rng.uniform(np.log(1e-3), np.log(1.05 * end), 150))
    ends = [end, end / 2, -np.log(float(info.tiny)), -np.log(float(info.tiny)) / 2, np.log(float(info.max))]
    special = [0.0, 2.0, np.nextafter(2.0, 0), 1.9, 2.1, np.log(2), float(info.max), float(info.tiny), *ends]
    return np.concatenate([powers, usual, special, np.nextafter(ends, 0), np.nextafter(ends, np.inf)]).astype(dtype)


def check_accuracy(module, name, dtype, bound):
    """No value is further from the exact one than `bound` units in the last place, and none raises a warning."""
    sizes = magnitudes(dtype)
    arguments = np.concatenate([sizes, -sizes])
    with np.errstate(all="raise"):
        values = getattr(module, name)(arguments)
    assert values.dtype == dtype
    for a, value in zip(arguments, values):
        with mpmath.workprec(2300 if name == "log_cosh" and abs(a) < 1 else 200):  # enough for 1 + a² with the least a
            exact = mpmath.mpf((FAR_OUT if abs(a) > 1e4 else EXACT)[name](mpmath.mpf(float(a))))
        with np.errstate(under="ignore"):
            unit = float(np.spacing(np.nextafter(np.abs(dtype(exact)), dtype(0))))  # the largest number has no next
        assert abs(mpmath.mpf(float(value)) - exact) <= bound * unit, (name, a)


def check_gradients(module):
    """Every backward pass is the derivative, to many digits, of the loss that it belongs to."""
    rng = np.random.default_rng(1)
    y, t, u, cotangents = rng.normal(size=(4, 3, 5)) * 3
    u = 1 / (1 + np.exp(-u))
    signs = np.where(rng.random((3, 5)) < 0.5, -1, 1)
    cases = [
        (module.log_loss, module.log_loss_backward, signs, lambda y, t: mpmath.log(1 + mpmath.exp(-y * t))),
        (module.squared_error, module.squared_error_backward, t, lambda y, t: (y - t) ** 2 / 2),
        (module.log_cosh_error, module.log_cosh_error_backward, t, lambda y, t: mpmath.log(mpmath.cosh(y - t))),
        (
            module.binary_cross_entropy,
            module.binary_cross_entropy_backward,
            u,
            lambda y, u: -u * mpmath.log(1 / (1 + mpmath.exp(-y))) - (1 - u) * mpmath.log(1 - 1 / (1 + mpmath.exp(-y))),
        ),
    ]
    for forward, backward, targets, definition in cases:
        values, cache = forward(y, targets)
        gradient = backward(cotangents, cache)
        with mpmath.workdps(40):
            for index in np.ndindex(y.shape):
                target = mpmath.mpf(float(targets[index]))
                point = mpmath.mpf(float(y[index]))
                np.testing.assert_allclose(values[index], float(definition(point, target)), rtol=1e-14)
                slope = float(mpmath.diff(lambda y: definition(y, target), point))
                np.testing.assert_allclose(gradient[index], cotangents[index] * slope, rtol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXACT)
def test_accuracy(name, dtype):
    check_accuracy(losses, name, dtype, bound=4.5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXACT)
def test_infinities_and_nan(name, dtype):
    with np.errstate(all="raise"):
        values = getattr(losses, name)(np.array([np.inf, -np.inf, np.nan], dtype))
    np.testing.assert_array_equal(values, np.array([*LIMITS[name], np.nan], dtype))


@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives(name):
    for a in np.random.default_rng(2).normal(size=20) * 4:
        with mpmath.workdps(40):
            slope = float(mpmath.diff(EXACT[name], mpmath.mpf(a)))
        np.testing.assert_allclose(DERIVATIVES[name](a), slope, rtol=1e-14)


def test_gradients():
    check_gradients(losses)


@given(st.floats(-700, 700))
def test_identities(a):
    assert losses.log_sigmoid(a) == -losses.softplus(-a)
    np.testing.assert_allclose(losses.softplus(a) - losses.softplus(-a), a, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(losses.sigmoid(a) + losses.sigmoid(-a), 1, rtol=1e-15)
    np.testing.assert_allclose(2 * losses.sigmoid(2 * a) - 1, np.tanh(a), rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(losses.tanh_derivative(a), 4 * losses.sigmoid_derivative(2 * a), rtol=1e-14)
    np.testing.assert_allclose(losses.sigmoid_derivative(a), losses.sigmoid(a) * losses.sigmoid(-a), rtol=1e-14)
    assert losses.log_cosh(a) == losses.log_cosh(-a)


@pytest.mark.parametrize("dtype", DTYPES)
def test_confident_predictions_keep_their_gradient(dtype):
    """A loss that is right and sure: p - u, as it stands, would be zero."""
    y = np.array([60.0, -60.0], dtype)
    small = float(np.exp(-60.0))
    for forward, backward, targets in (
        (losses.log_loss, losses.log_loss_backward, [1, -1]),
        (losses.binary_cross_entropy, losses.binary_cross_entropy_backward, [1, 0]),
    ):
        values, cache = forward(y, targets)
        np.testing.assert_allclose(values, [small, small], rtol=1e-6)
        np.testing.assert_allclose(backward(np.ones(2, dtype), cache), [-small, small], rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_infinite_outputs(dtype):
    y = np.array([np.inf, -np.inf, np.inf, -np.inf], dtype)
    ones = np.ones(4, dtype)
    with np.errstate(all="raise"):
        values, cache = losses.log_loss(y, [1, 1, -1, -1])
        np.testing.assert_array_equal(values, [0, np.inf, np.inf, 0])
        np.testing.assert_array_equal(losses.log_loss_backward(ones, cache), [0, -1, 1, 0])
        values, cache = losses.binary_cross_entropy(y, [1, 1, 0, 0])
        np.testing.assert_array_equal(values, [0, np.inf, np.inf, 0])
        np.testing.assert_array_equal(losses.binary_cross_entropy_backward(ones, cache), [0, -1, 1, 0])
        values, cache = losses.log_cosh_error(y, np.zeros(4, dtype))
        np.testing.assert_array_equal(values, np.inf)
        np.testing.assert_array_equal(losses.log_cosh_error_backward(ones, cache), [1, -1, 1, -1])


@pytest.mark.parametrize("shape", [(), (0,), (4,), (3, 2), (2, 0, 3)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_shapes_and_dtypes(shape, dtype):
    y = np.full(shape, 0.5, dtype)
    for name in EXACT:
        value = getattr(losses, name)(y)
        assert value.shape == shape and value.dtype == dtype
    for name, targets in (
        ("log_loss", np.ones(shape, int)),
        ("log_loss", np.ones(shape, dtype)),
        ("binary_cross_entropy", np.ones(shape, int)),
        ("binary_cross_entropy", np.full(shape, 0.25, dtype)),
        ("squared_error", y),
        ("log_cosh_error", y),
    ):
        values, cache = getattr(losses, name)(y, targets)
        gradient = getattr(losses, f"{name}_backward")(np.ones(shape, dtype), cache)
        assert values.shape == gradient.shape == shape and values.dtype == gradient.dtype == dtype


def test_nothing_is_changed():
    y, t = np.array([1.0, -2.0]), np.array([1.0, -1.0])
    for array in (y, t):
        array.flags.writeable = False
    for name in ("log_loss", "squared_error", "log_cosh_error"):
        values, cache = getattr(losses, name)(y, t)
        first = getattr(losses, f"{name}_backward")(y, cache)
        np.testing.assert_array_equal(first, getattr(losses, f"{name}_backward")(y, cache))
    for name in EXACT:
        assert not np.shares_memory(getattr(losses, name)(y), y)


def test_two_codes_of_the_same_loss():
    y = np.random.default_rng(3).normal(size=(4, 3)) * 5
    signs = np.where(y > 1, 1, -1)
    first, first_cache = losses.log_loss(y, signs)
    second, second_cache = losses.binary_cross_entropy(y, (signs + 1) // 2)
    np.testing.assert_allclose(first, second, rtol=1e-15)
    ones = np.ones(y.shape)
    gradient = losses.log_loss_backward(ones, first_cache)
    np.testing.assert_allclose(gradient, losses.binary_cross_entropy_backward(ones, second_cache), rtol=1e-15)


def test_pytorch():
    stored = np.load(Path(__file__).parent / "reference" / "losses.npz")
    y, u, t = stored["outputs"], stored["weights"], stored["targets"]
    ones = np.ones(y.shape)
    values, cache = losses.binary_cross_entropy(y, u)
    np.testing.assert_allclose(values, stored["binary_cross_entropy"], rtol=1e-12)
    gradient = losses.binary_cross_entropy_backward(ones, cache)
    np.testing.assert_allclose(gradient, stored["binary_cross_entropy_gradient"], rtol=1e-10, atol=1e-14)
    values, cache = losses.log_loss(y, stored["signs"])
    np.testing.assert_allclose(values, stored["soft_margin"], rtol=1e-12)
    np.testing.assert_allclose(losses.log_loss_backward(ones, cache), stored["soft_margin_gradient"], rtol=1e-10)
    values, cache = losses.squared_error(y, t)
    np.testing.assert_allclose(values, stored["mse"] / 2, rtol=1e-12)
    np.testing.assert_allclose(losses.squared_error_backward(ones, cache), stored["mse_gradient"] / 2, rtol=1e-12)


# Means.


@pytest.mark.parametrize("dtype", DTYPES)
def test_mean_with_a_mask(dtype):
    rng = np.random.default_rng(4)
    values = rng.normal(size=(5, 3)).astype(dtype)
    mask = rng.random((5, 3)) < 0.6
    values[~mask] = np.nan
    value, cache = losses.mean(values, mask)
    np.testing.assert_allclose(value, np.mean(values[mask]), rtol=1e-6)
    assert value.dtype == dtype
    gradient = losses.mean_backward(dtype(2), cache)
    assert gradient.dtype == dtype and gradient.shape == (5, 3)
    np.testing.assert_allclose(gradient, np.where(mask, 2 / mask.sum(), 0), rtol=1e-6)
    mask[:] = False  # the caller's own array: the cache must not follow it
    np.testing.assert_array_equal(losses.mean_backward(dtype(2), cache), gradient)


def test_mean_without_a_mask():
    values = np.random.default_rng(5).normal(size=(2, 3, 4))
    value, cache = losses.mean(values)
    np.testing.assert_allclose(value, values.mean(), rtol=1e-14)
    np.testing.assert_allclose(losses.mean_backward(1.0, cache), np.full((2, 3, 4), 1 / 24), rtol=1e-15)


# Wrong arguments.

Y = np.zeros((3, 2))


@pytest.mark.parametrize(
    "function, arguments, error, message",
    [
        ("sigmoid", ([1, 2],), TypeError, r"a: expected dtype float32 or float64, got int64"),
        ("sigmoid_derivative", ("x",), TypeError, r"a: expected an array of numbers"),
        ("softplus", (np.zeros(2, complex),), TypeError, r"a: expected dtype float32 or float64, got complex128"),
        ("log_cosh", (np.zeros(2, np.float16),), TypeError, r"z: expected dtype float32 or float64, got float16"),
        ("log_loss", (Y, np.zeros((3, 2), int)), ValueError, r"targets: expected -1 or 1, got 0; binary_cross_entropy"),
        ("log_loss", (Y, np.full((3, 2), np.nan)), ValueError, r"targets: expected -1 or 1, got nan"),
        ("log_loss", (Y, np.ones((2, 3), int)), ValueError, r"targets: expected shape .* \(3, 2\), got \(2, 3\)"),
        ("log_loss", (Y, np.ones((3, 2), np.float32)), TypeError, r"targets: expected dtype float64 as outputs has"),
        ("log_loss", (Y, np.ones((3, 2), bool)), TypeError, r"targets: expected an array of numbers, got dtype bool"),
        ("binary_cross_entropy", (Y, -np.ones((3, 2), int)), ValueError, r"targets: expected .* from 0 to 1, got -1"),
        ("binary_cross_entropy", (Y, np.full((3, 2), np.nan)), ValueError, r"targets: expected numbers from 0 to 1"),
        ("squared_error", (Y, np.zeros(2)), ValueError, r"targets: expected shape .* \(3, 2\), got \(2,\)"),
        ("squared_error", (Y, np.zeros((3, 2), np.float32)), TypeError, r"targets: expected dtype float64 as outputs"),
        ("log_cosh_error", (Y, np.zeros((3, 2), int)), TypeError, r"targets: expected dtype float32 or float64"),
        ("mean", (np.zeros(0),), ValueError, r"losses: expected at least one that counts, got none$"),
        ("mean", (Y, np.zeros((3, 2), bool)), ValueError, r"losses: expected .* got none after masking"),
        ("mean", (Y, np.ones((3, 2))), TypeError, r"mask: expected booleans, got dtype float64"),
        ("mean", (Y, np.ones((3, 1), bool)), ValueError, r"mask: expected shape \(3, 2\) as losses has, got \(3, 1\)"),
        ("mean_backward", (Y, losses.mean(Y)[1]), ValueError, r"cotangent: expected shape .* got \(3, 2\)"),
        ("log_loss_backward", (np.ones(2), losses.log_loss(Y, Y + 1)[1]), ValueError, r"cotangents: .* got \(2,\)"),
        ("squared_error_backward", (np.float32(Y), Y), TypeError, r"cotangents: expected dtype float64 as losses has"),
    ],
)
def test_wrong_arguments(function, arguments, error, message):
    with pytest.raises(error, match=message):
        getattr(losses, function)(*arguments)


# The checks themselves: each must fail for a module with a mistake in it.


def mistaken(**changes):
    """Return a module with some functions replaced."""
    module = types.SimpleNamespace(**{name: getattr(losses, name) for name in losses.__all__})
    for name, function in changes.items():
        setattr(module, name, function)
    return module


NAIVE = {
    "sigmoid": lambda a: (0.5 + 0.5 * np.tanh(a / 2)).astype(a.dtype),
    "sigmoid_derivative": lambda a: losses.sigmoid(a) * (1 - losses.sigmoid(a)),
    "softplus": lambda a: np.log1p(np.exp(np.minimum(a, 80))) + np.maximum(a - 80, 0),
    "log_sigmoid": lambda a: np.log(losses.sigmoid(a) + np.finfo(a.dtype).tiny),
    "log_cosh": lambda a: np.abs(a) + np.log1p(np.exp(-2 * np.minimum(np.abs(a), 40))) - a.dtype.type(np.log(2)),
    "tanh_derivative": lambda a: 1 - np.tanh(a) ** 2,
}


@pytest.mark.parametrize("name", EXACT)
def test_the_check_of_accuracy_can_fail(name):
    def quiet(a):
        with np.errstate(all="ignore"):
            return NAIVE[name](a)

    if name == "softplus":  # this form is accurate, but warns
        with pytest.raises(FloatingPointError):
            check_accuracy(mistaken(softplus=lambda a: np.log1p(np.exp(a))), name, np.float64, bound=4.5)
        return
    with pytest.raises(AssertionError):
        check_accuracy(mistaken(**{name: quiet}), name, np.float64, bound=4.5)


@pytest.mark.parametrize(
    "name, backward",
    [
        ("log_loss_backward", lambda g, c: g * c.targets * losses.sigmoid(-c.targets * c.outputs)),
        ("log_loss_backward", lambda g, c: g * -c.targets * losses.sigmoid(c.targets * c.outputs)),
        ("binary_cross_entropy_backward", lambda g, c: g * (c.targets - losses.sigmoid(c.logits))),
        ("squared_error_backward", lambda g, c: 2 * g * c),
        ("log_cosh_error_backward", lambda g, c: g * np.tanh(-c)),
        ("log_cosh_error_backward", lambda g, c: np.tanh(c)),
    ],
)
def test_the_check_of_gradients_can_fail(name, backward):
    with pytest.raises(AssertionError):
        check_gradients(mistaken(**{name: backward}))
