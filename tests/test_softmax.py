"""Softmax and cross-entropy against their definitions, by complex step and to 50 digits, and against PyTorch.

The checks at the top take the module that they look at as an argument: `test_seeded_mistakes.py` runs the same checks
on modules with a mistake in them.
"""

from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import rnnbook.softmax
from rnnbook.softmax import (
    cross_entropy,
    cross_entropy_backward,
    jacobian,
    jvp,
    log_softmax,
    logsumexp,
    softmax,
    vjp,
)

STORED = Path(__file__).parent / "reference" / "softmax.npz"
STEP = 1e-200
inf, nan = np.inf, np.nan


def definition(logits, temperature=1.0):
    """The softmax as it is defined, for logits that do not overflow; complex ones too."""
    exponentials = np.exp(logits / temperature)
    return exponentials / np.sum(exponentials, axis=-1, keepdims=True)


def loss_definition(logits, targets, label_smoothing=0.0, temperature=1.0):
    """The cross-entropy as it is defined; integer targets stand for one-hot vectors."""
    classes = logits.shape[-1]
    if targets.dtype.kind == "i":
        targets = np.eye(classes)[targets]
    targets = (1 - label_smoothing) * targets + label_smoothing / classes
    return -np.sum(targets * np.log(definition(logits, temperature)), axis=-1)


def derivatives(function, logits):
    """∂ function / ∂ logits by a complex step; the direction stands in the last axis. Members of a batch are apart."""
    columns = []
    for j in range(logits.shape[-1]):
        moved = logits.astype(complex)
        moved[..., j] += 1j * STEP
        columns.append(function(moved).imag / STEP)
    return np.stack(columns, axis=-1)


def draw(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


# Checks: the module under test comes as an argument.

LOSSES = [(smoothing, temperature) for smoothing in (0.0, 0.3) for temperature in (1.0, 0.6)]


def check_loss_gradient(module):
    """The gradient is the complex-step derivative of the definition, for indices, one-hot vectors and any weights."""
    logits, weights, cotangents = draw((2, 3, 4), (2, 3, 4), (2, 3))
    classes = np.random.default_rng(1).integers(4, size=(2, 3))
    for targets in (classes, np.eye(4)[classes], definition(weights), weights):
        for smoothing, temperature in LOSSES:
            options = {"label_smoothing": smoothing, "temperature": temperature}
            losses, cache = module.cross_entropy(logits, targets, **options)
            np.testing.assert_allclose(losses, loss_definition(logits, targets, **options), rtol=1e-13, atol=1e-13)
            by_step = derivatives(lambda moved: loss_definition(moved, targets, **options), logits)
            gradient = module.cross_entropy_backward(cotangents, cache)
            np.testing.assert_allclose(gradient, cotangents[..., None] * by_step, rtol=1e-12, atol=1e-14)


def check_loss_pytorch(module):
    stored = np.load(STORED)
    for key in ("classes", "weights"):
        for smoothing, suffix in ((0.0, "plain"), (float(stored["label_smoothing"]), "smooth")):
            options = {"label_smoothing": smoothing, "temperature": float(stored["temperature"])}
            losses, cache = module.cross_entropy(stored["logits"], stored[key], **options)
            gradient = module.cross_entropy_backward(stored["cotangents"], cache)
            np.testing.assert_allclose(losses, stored[f"losses_{key}_{suffix}"], rtol=1e-12)
            np.testing.assert_allclose(gradient, stored[f"gradient_{key}_{suffix}"], rtol=1e-10, atol=1e-13)


def check_jacobian(module):
    (logits,) = draw((2, 3, 4))
    for temperature in (1.0, 0.6):
        by_step = derivatives(lambda moved: definition(moved, temperature), logits)
        actual = module.jacobian(logits, temperature=temperature)
        np.testing.assert_allclose(actual, by_step, rtol=1e-12, atol=1e-15)


def check_products(module):
    """The two products are those with the Jacobian, and adjoint to each other."""
    logits, tangents, cotangents = draw((2, 3, 4), (2, 3, 4), (2, 3, 4))
    for temperature in (1.0, 0.6):
        by_step = derivatives(lambda moved: definition(moved, temperature), logits)
        pushed = module.jvp(logits, tangents, temperature=temperature)
        pulled = module.vjp(logits, cotangents, temperature=temperature)
        expected_pushed = np.einsum("...ij,...j->...i", by_step, tangents)
        expected_pulled = np.einsum("...ij,...i->...j", by_step, cotangents)
        np.testing.assert_allclose(pushed, expected_pushed, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(pulled, expected_pulled, rtol=1e-12, atol=1e-15)
        assert abs(np.sum(cotangents * pushed) - np.sum(pulled * tangents)) <= 1e-12


def check_products_pytorch(module):
    stored = np.load(STORED)
    temperature = float(stored["temperature"])
    actual = module.jacobian(stored["logits"], temperature=temperature)
    np.testing.assert_allclose(actual, stored["jacobian"], rtol=1e-10, atol=1e-14)
    for j, direction in enumerate(np.eye(4)):
        for product in (module.jvp, module.vjp):
            column = product(stored["logits"], np.broadcast_to(direction, (5, 4)), temperature=temperature)
            np.testing.assert_allclose(column, stored["jacobian"][..., j], rtol=1e-10, atol=1e-14)


CHECKS = [check_loss_gradient, check_loss_pytorch, check_jacobian, check_products, check_products_pytorch]


@pytest.mark.parametrize("check", CHECKS)
def test_derivatives(check):
    check(rnnbook.softmax)


def test_products_keep_their_digits_where_the_prediction_is_certain():
    logits = np.array([[0.0, -50.0, -51.0], [-30.0, 2.0, 1.0]])
    for j, direction in enumerate(np.eye(3)):
        exact = np.array([[mp_derivative(row, i, j) for i in range(3)] for row in logits])
        for product in (rnnbook.softmax.jvp, rnnbook.softmax.vjp):
            np.testing.assert_allclose(product(logits, np.tile(direction, (2, 1))), exact, rtol=1e-14)


def mp_derivative(logits, i, j):
    """Entry (i, j) of the Jacobian, in sixty digits."""
    with mpmath.workdps(60):
        powers = [mpmath.exp(mpmath.mpf(logit)) for logit in logits]
        p = [power / sum(powers) for power in powers]
        return float(p[i] * ((i == j) - p[j]))


def test_a_temperature_is_one_of_the_dtype_as_well():
    for function in (softmax, log_softmax):
        with pytest.raises(ValueError, match="temperature: expected a number greater than 0 in float32, got 1e-50"):
            function(np.float32([0, -1]), temperature=1e-50)
    assert softmax([0.0, -1.0], temperature=1e-50).tolist() == [1, 0]


def test_values_are_those_of_pytorch():
    stored = np.load(STORED)
    temperature = float(stored["temperature"])
    np.testing.assert_allclose(logsumexp(stored["logits"]), stored["logsumexp"], rtol=1e-14)
    np.testing.assert_allclose(softmax(stored["logits"], temperature=temperature), stored["softmax"], rtol=1e-13)
    log_p = log_softmax(stored["logits"], temperature=temperature)
    np.testing.assert_allclose(log_p, stored["log_softmax"], rtol=1e-12)


# Accuracy: 50 digits, over the whole range.


def exact(logits, target, temperature):
    """ln Σ exp o, p, ln p, the loss and its gradient for a class index, and the Jacobian's diagonal."""
    with mpmath.workdps(50):
        o = [mpmath.mpf(float(logit)) for logit in logits]
        total = mpmath.fsum(map(mpmath.exp, o))
        scaled = [logit / mpmath.mpf(temperature) for logit in o]
        p = [mpmath.exp(logit) / mpmath.fsum(map(mpmath.exp, scaled)) for logit in scaled]
        rest = [mpmath.fsum(p[:i] + p[i + 1 :]) for i in range(len(p))]  # 1 - p, which 50 digits would not hold either
        log_p = [mpmath.log(p[i]) if p[i] < 0.9 else mpmath.log1p(-rest[i]) for i in range(len(p))]
        gradient = [(-rest[i] if i == target else p[i]) / mpmath.mpf(temperature) for i in range(len(p))]
        diagonal = [p[i] * rest[i] / mpmath.mpf(temperature) for i in range(len(p))]
        answers = [mpmath.log(total)], p, log_p, [-log_p[target]], gradient, diagonal
        return [np.array([float(number) for number in answer]) for answer in answers]


@pytest.mark.parametrize("dtype, largest", [(np.float64, 1e4), (np.float32, 1e2)])
def test_accurate_to_rounding_at_any_size(dtype, largest):
    rng = np.random.default_rng(3)
    tiny, eps = np.finfo(dtype).tiny, np.finfo(dtype).eps
    for scale in (largest, largest / 10, largest / 100, 1.0, 1e-3):
        for temperature in (1.0, 0.5, 4.0):
            for _ in range(5):
                logits = (scale * rng.uniform(-1, 1, size=4)).astype(dtype)
                target = int(rng.integers(4))
                losses, cache = cross_entropy(logits, target, temperature=temperature)
                gradient = cross_entropy_backward(dtype(1), cache)
                p, log_p = softmax(logits, temperature=temperature), log_softmax(logits, temperature=temperature)
                diagonal = np.diag(jacobian(logits, temperature=temperature))
                answers = logsumexp(logits), p, log_p, losses, gradient, diagonal
                expected = exact(logits, target, temperature)
                # Rounding x moves exp(x) by |x| ulp; where that is more than 750, the result is subnormal or zero.
                relative = (8 + 2 * min(float(np.ptp(logits)) / temperature, 750)) * eps
                for name, actual, right in zip(("lse", "p", "ln p", "L", "dL", "J"), answers, expected, strict=True):
                    # ln Σ exp o may vanish while max o does not.
                    absolute = 4 * eps * float(np.max(np.abs(logits))) if name == "lse" else 16 * tiny
                    assert actual.dtype == dtype
                    np.testing.assert_allclose(
                        np.atleast_1d(actual).astype(float), right, rtol=relative, atol=absolute, err_msg=name
                    )


@pytest.mark.parametrize("dtype, large", [(np.float64, 1e4), (np.float32, 1e2)])
def test_logits_that_overflow_the_naive_forms(dtype, large):
    logits = np.array([[large, -large, 0], [-large, -large, -large], [large, large, -large]], dtype)
    np.testing.assert_array_equal(softmax(logits)[0], [1, np.exp(dtype(-2 * large)), np.exp(dtype(-large))])
    np.testing.assert_allclose(softmax(logits)[1:], [[1 / 3] * 3, [0.5, 0.5, 0]], rtol=1e-6, atol=1e-80)
    losses, cache = cross_entropy(logits, np.array([1, 0, 2]))
    np.testing.assert_allclose(losses, [2 * large, np.log(3), 2 * large + np.log(2)], rtol=1e-6)
    gradient = cross_entropy_backward(np.ones(3, dtype), cache)
    expected = [[1, -1, np.exp(-large)], [-2 / 3, 1 / 3, 1 / 3], [0.5, 0.5, -1]]
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-30)
    np.testing.assert_allclose(logsumexp(logits), [large, -large + np.log(3), large + np.log(2)], rtol=1e-6)


def test_the_whole_range_of_the_floats():
    largest = np.finfo(np.float64).max
    np.testing.assert_array_equal(softmax([largest, -largest]), [1, 0])
    np.testing.assert_array_equal(softmax([largest, -largest], temperature=1e-300), [1, 0])
    np.testing.assert_array_equal(softmax([1.0, 1.0 + 1e-15], temperature=1e-300), [0, 1])
    np.testing.assert_array_equal(softmax([largest, largest / 2], temperature=largest), softmax([0.0, -0.5]))
    assert cross_entropy([largest, 0.0], 1)[0] == largest and logsumexp([largest, 0.0]) == largest


# Masked classes, and what is not a number.


def test_a_class_that_is_ruled_out():
    logits = np.array([0.0, -inf, np.log(3.0)])
    without = logits[[0, 2]]
    np.testing.assert_allclose(softmax(logits), [0.25, 0, 0.75], rtol=1e-15)
    np.testing.assert_array_equal(log_softmax(logits)[[0, 2]], log_softmax(without))
    assert log_softmax(logits)[1] == -inf and logsumexp(logits) == logsumexp(without)
    matrix = jacobian(logits)
    assert not matrix[1].any() and not matrix[:, 1].any()
    np.testing.assert_array_equal(matrix[::2, ::2], jacobian(without))
    np.testing.assert_array_equal(jvp(logits, [1.0, 2.0, 3.0])[[0, 2]], jvp(without, [1.0, 3.0]))
    assert jvp(logits, [1.0, 2.0, 3.0])[1] == 0
    for targets, smaller in ((2, 1), ([0.0, 0.0, 1.0], [0.0, 1.0]), ([0.5, 0.0, 1.0], [0.5, 1.0])):
        losses, cache = cross_entropy(logits, targets)
        expected, smaller_cache = cross_entropy(without, smaller)
        assert losses == expected
        gradient = cross_entropy_backward(1.0, cache)
        np.testing.assert_array_equal(gradient[[0, 2]], cross_entropy_backward(1.0, smaller_cache))
        assert gradient[1] == 0


@pytest.mark.parametrize("targets", [1, [0.0, 1.0, 0.0]])
def test_a_target_that_is_ruled_out_costs_infinitely_much(targets):
    losses, cache = cross_entropy([0.0, -inf, np.log(3.0)], targets)
    assert losses == inf
    np.testing.assert_allclose(cross_entropy_backward(1.0, cache), [0.25, -1, 0.75], rtol=1e-15)
    assert cross_entropy([0.0, -inf], 0, label_smoothing=0.1)[0] == inf


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("row", [[-inf] * 3, [0, inf, 1], [inf, inf, 0], [inf, -inf, 1], [0, nan, 1], [nan] * 3])
def test_where_there_is_no_softmax_there_is_nan_in_that_row_alone(row, dtype):
    logits = np.array([[1, 2, 3], row], dtype)
    for function in (softmax, log_softmax, jacobian, lambda logits: jvp(logits, np.ones_like(logits))):
        result = function(logits)
        assert np.isnan(result[1]).all() and np.isfinite(result[0]).all() and result.dtype == dtype
    for targets in (np.array([0, 0]), np.eye(3, dtype=dtype)[:2], np.zeros((2, 3), dtype)):
        for smoothing in (0, 0.1):
            losses, cache = cross_entropy(logits, targets, label_smoothing=smoothing)
            gradient = cross_entropy_backward(np.ones(2, dtype), cache)
            assert np.isnan(losses[1]) and np.isfinite(losses[0])
            assert np.isnan(gradient[1]).all() and np.isfinite(gradient[0]).all()


def test_logsumexp_of_what_is_not_finite():
    assert logsumexp([-inf, -inf]) == -inf
    assert logsumexp([inf, 0.0]) == logsumexp([inf, inf, -inf]) == inf
    assert np.isnan(logsumexp([nan, inf])) and np.isnan(logsumexp([nan]))


def test_nan_in_targets_and_cotangents_is_passed_on():
    losses, cache = cross_entropy(np.zeros((2, 3)), np.array([[nan, 0, 0], [1, 0, 0]]))
    assert np.isnan(losses[0]) and not np.isnan(losses[1])
    gradient = cross_entropy_backward(np.ones(2), cache)
    assert np.isnan(gradient[0]).all() and not np.isnan(gradient[1]).any()
    _, cache = cross_entropy(np.zeros((2, 3)), np.array([0, 1]))
    gradient = cross_entropy_backward(np.array([nan, 1.0]), cache)
    assert np.isnan(gradient[0]).all() and not np.isnan(gradient[1]).any()


# What holds for any arguments.

LOGITS = st.sampled_from([np.float32, np.float64]).flatmap(
    lambda dtype: hnp.arrays(
        dtype,
        hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4).filter(lambda shape: shape[-1] > 0),
        elements=st.floats(-100, 100, width=32),
    )
)


@settings(max_examples=60, deadline=None)
@given(logits=LOGITS, temperature=st.floats(0.01, 100), data=st.data())
def test_properties(logits, temperature, data):
    dtype, q = logits.dtype, logits.shape[-1]
    eps = np.finfo(dtype).eps
    p = softmax(logits, temperature=temperature)
    assert p.shape == logits.shape and p.dtype == dtype
    np.testing.assert_allclose(p.sum(axis=-1), np.ones(logits.shape[:-1]), rtol=10 * eps)
    assert logsumexp(logits).shape == logits.shape[:-1] and logsumexp(logits).dtype == dtype

    matrix = jacobian(logits, temperature=temperature)
    assert matrix.shape == logits.shape + (q,) and matrix.dtype == dtype
    np.testing.assert_array_equal(matrix, np.swapaxes(matrix, -1, -2))
    np.testing.assert_allclose(matrix.sum(axis=-1), np.zeros(logits.shape), atol=20 * eps / temperature)
    assert np.all(np.linalg.eigvalsh(matrix) >= -20 * eps / temperature)

    vector = data.draw(hnp.arrays(dtype, logits.shape, elements=st.floats(-10, 10, width=32)))
    expected = np.einsum("...ij,...j->...i", matrix, vector)
    for product in (jvp, vjp):
        result = product(logits, vector, temperature=temperature)
        assert result.dtype == dtype
        np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e3 * eps / temperature)

    classes = data.draw(hnp.arrays(np.int64, logits.shape[:-1], elements=st.integers(0, q - 1)))
    one_hot = np.eye(q, dtype=dtype)[classes]
    smoothing = data.draw(st.sampled_from([0.0, 0.1, 1.0]))
    options = {"label_smoothing": smoothing, "temperature": temperature}
    losses, cache = cross_entropy(logits, classes, **options)
    also, also_cache = cross_entropy(logits, one_hot, **options)
    cotangents = np.ones(logits.shape[:-1], dtype)
    gradient, also_gradient = cross_entropy_backward(cotangents, cache), cross_entropy_backward(cotangents, also_cache)
    assert losses.dtype == gradient.dtype == dtype and losses.shape == logits.shape[:-1]
    assert gradient.shape == logits.shape
    np.testing.assert_allclose(also, losses, rtol=4 * eps)
    np.testing.assert_allclose(also_gradient, gradient, rtol=4 * eps, atol=eps / temperature)
    assert np.all(losses >= 0)
    # Probabilities as targets: the gradient sums to zero, for adding the same number to all logits changes nothing.
    np.testing.assert_allclose(gradient.sum(axis=-1), 0 * losses, atol=20 * eps / temperature)


@settings(max_examples=60, deadline=None)
@given(logits=hnp.arrays(np.float64, 4, elements=st.integers(-50, 50)), shift=st.integers(-(10**6), 10**6))
def test_shift_invariance(logits, shift):
    """Integers as logits: the sums are exact, so that nothing at all may change."""
    np.testing.assert_array_equal(softmax(logits + shift), softmax(logits))
    np.testing.assert_array_equal(jacobian(logits + shift), jacobian(logits))
    losses, cache = cross_entropy(logits, 2)
    shifted_losses, shifted_cache = cross_entropy(logits + shift, 2)
    assert losses == shifted_losses
    np.testing.assert_array_equal(cross_entropy_backward(1.0, cache), cross_entropy_backward(1.0, shifted_cache))


def test_a_single_class_is_certain():
    assert softmax([5.0]) == 1 and not jacobian([5.0]).any()
    losses, cache = cross_entropy([5.0], 0)
    assert losses == 0 and not np.signbit(losses)
    assert cross_entropy_backward(1.0, cache) == 0


@pytest.mark.parametrize("integer", [np.int8, np.uint8, np.int64, np.uint64])
def test_any_integers_are_classes(integer):
    logits = np.zeros((2, 3))
    losses, _ = cross_entropy(logits, np.array([0, 2], integer))
    np.testing.assert_allclose(losses, np.log([3, 3]))


# What comes in is left alone, and what goes out is the caller's own.


def strided(array):
    """Return equal numbers, read-only, that are neither contiguous nor forwards in memory."""
    spread = np.full([2 * size for size in array.shape], -7, array.dtype)
    view = spread[tuple(slice(None, None, -2) for _ in array.shape)]
    view[...] = array
    view.flags.writeable = False
    return view


@pytest.mark.parametrize("smoothing", [0, 0.2])
@pytest.mark.parametrize("kind", ["classes", "weights"])
def test_strided_and_read_only_arguments_are_not_changed_nor_shared(kind, smoothing):
    logits, weights, vector, cotangents = draw((3, 4), (3, 4), (3, 4), (3,))
    targets = np.array([1, 0, 3]) if kind == "classes" else weights

    def everything(logits, targets, vector, cotangents):
        losses, cache = cross_entropy(logits, targets, label_smoothing=smoothing)
        gradient, again = (cross_entropy_backward(cotangents, cache) for _ in range(2))
        np.testing.assert_array_equal(gradient, again)
        p, log_p = softmax(logits), log_softmax(logits)
        return logsumexp(logits), p, log_p, jacobian(logits), jvp(logits, vector), vjp(logits, vector), losses, gradient

    expected = everything(logits, targets, vector, cotangents)
    arguments = [strided(array) for array in (logits, targets, vector, cotangents)]
    for actual, right in zip(everything(*arguments), expected):
        np.testing.assert_allclose(actual, right, rtol=1e-14)
        assert actual.flags.writeable and not any(np.shares_memory(actual, argument) for argument in arguments)
    for argument, before in zip(arguments, (logits, targets, vector, cotangents)):
        np.testing.assert_array_equal(argument, before)


# Wrong arguments: the error names the argument, what was expected, and what came.

ZEROS = np.zeros((2, 3))


@pytest.mark.parametrize("function", [logsumexp, softmax, log_softmax, jacobian])
@pytest.mark.parametrize(
    "logits, error, message",
    [
        ([1, 2, 3], TypeError, r"logits: expected dtype float32 or float64, got int64"),
        (ZEROS + 0j, TypeError, r"logits: expected dtype float32 or float64, got complex128"),
        (ZEROS.astype(np.float16), TypeError, r"logits: expected .* got float16"),
        (0.0, ValueError, r"logits: expected shape \(\.\.\., q\), got \(\)"),
        (ZEROS[:, :0], ValueError, r"logits: expected shape \(\.\.\., q\) with at least one class, got \(2, 0\)"),
        (None, TypeError, r"logits: expected an array of numbers, got dtype object"),
        ([[1.0], [2.0, 3.0]], TypeError, r"logits: expected an array of numbers, got a list"),
    ],
)
def test_wrong_logits(function, logits, error, message):
    with pytest.raises(error, match=message):
        function(logits)


@pytest.mark.parametrize("function", [softmax, log_softmax, jacobian, lambda *a, **k: cross_entropy(*a, [0, 0], **k)])
@pytest.mark.parametrize(
    "temperature, error, message",
    [
        (0, ValueError, r"temperature: expected a finite number greater than 0, got 0"),
        (-1.0, ValueError, r"temperature: expected .* got -1.0"),
        (inf, ValueError, r"temperature: expected .* got inf"),
        (nan, ValueError, r"temperature: expected .* got nan"),
        ("1", TypeError, r"temperature: expected a number, got '1'"),
        (None, TypeError, r"temperature: expected a number, got None"),
        (np.ones(2), TypeError, r"temperature: expected a number, got array"),
    ],
)
def test_wrong_temperature(function, temperature, error, message):
    with pytest.raises(error, match=message):
        function(ZEROS, temperature=temperature)


@pytest.mark.parametrize(
    "targets, options, error, message",
    [
        ([0, 3], {}, ValueError, r"targets: expected classes from 0 to 2, got 3"),
        ([-1, 0], {}, ValueError, r"targets: expected classes from 0 to 2, got -1"),
        ([0, 1, 2], {}, ValueError, r"targets: expected shape \(\.\.\.,\) with \.\.\. = \(2,\), got \(3,\)"),
        (0, {}, ValueError, r"targets: expected shape .* got \(\)"),
        ([[1, 0, 0], [0, 1, 0]], {}, TypeError, r"targets: expected class indices of shape \(2,\) or float64 weights"),
        (np.zeros((2, 4)), {}, ValueError, r"targets: expected shape \(\.\.\., q\) with \.\.\. = \(2,\), q = 3, got"),
        (np.zeros(2), {}, ValueError, r"targets: expected shape \(\.\.\., q\)"),
        (ZEROS.astype(np.float32), {}, TypeError, r"targets: expected dtype float64 as logits has, got float32"),
        (ZEROS == 0, {}, TypeError, r"targets: expected an array of numbers, got dtype bool"),
        ([0, 0], {"label_smoothing": 1.1}, ValueError, r"label_smoothing: expected a number from 0 to 1, got 1.1"),
        ([0, 0], {"label_smoothing": -0.1}, ValueError, r"label_smoothing: expected .* got -0.1"),
        ([0, 0], {"label_smoothing": nan}, ValueError, r"label_smoothing: expected .* got nan"),
        ([0, 0], {"label_smoothing": "0"}, TypeError, r"label_smoothing: expected a number, got '0'"),
    ],
)
def test_wrong_targets(targets, options, error, message):
    with pytest.raises(error, match=message):
        cross_entropy(ZEROS, targets, **options)


@pytest.mark.parametrize("product, name", [(jvp, "tangents"), (vjp, "cotangents")])
def test_wrong_vectors(product, name):
    with pytest.raises(ValueError, match=rf"^{name}: .* \(\.\.\., q\) with \.\.\. = \(2,\), q = 3, got \(3,\)"):
        product(ZEROS, np.zeros(3))
    with pytest.raises(TypeError, match=rf"^{name}: expected dtype float64 as logits has, got float32"):
        product(ZEROS, ZEROS.astype(np.float32))


def test_wrong_cotangents():
    _, cache = cross_entropy(ZEROS, [0, 1])
    with pytest.raises(ValueError, match=r"cotangents: expected shape \(\.\.\.,\) with \.\.\. = \(2,\), got \(2, 3\)"):
        cross_entropy_backward(ZEROS, cache)
    with pytest.raises(TypeError, match=r"cotangents: expected dtype float64 as logits has, got float32"):
        cross_entropy_backward(np.ones(2, np.float32), cache)
