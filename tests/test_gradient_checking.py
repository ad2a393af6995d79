"""The gradient checker against functions whose derivatives are known, and against all that can be wrong with them."""

import math

import numpy as np
import pytest

from rnnbook import rnn
from rnnbook.gradient_checking import (
    central_difference,
    check_adjoint,
    complex_step,
    forward_difference,
    gradcheck,
)


def elman(dtype=np.float64, T=4, N=3, H=3, d=2, seed=0):
    """Return a loss of all outputs of the Elman network, its gradient, and a random point."""
    rng = np.random.default_rng(seed)
    parameters = rnn.Parameters(*(rng.normal(size=shape).astype(dtype) for shape in ((H, d), (H, H), (H,), (H,))))
    point = rng.normal(size=(T, N, d)).astype(dtype), rng.normal(size=(N, H)).astype(dtype), parameters
    cotangents = rng.normal(size=(T, N, H)).astype(dtype), rng.normal(size=(N, H)).astype(dtype)

    def loss(point):
        outputs, _ = rnn.reference_forward(*point)
        return sum(np.sum(cotangent * output) for cotangent, output in zip(cotangents, outputs))

    def gradient(point):
        return rnn.backward(cotangents, rnn.forward(*point)[1])

    return loss, gradient, point


def changed(tree, path, index, change):
    """Return the gradient with one entry changed."""
    if path:
        parts = [changed(part, path[1:], index, change) if i == path[0] else part for i, part in enumerate(tree)]
        return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)
    array = np.array(tree)
    array[index] = change(array[index])
    return array


# Difference quotients


@pytest.mark.parametrize("difference, order", [(forward_difference, 1), (central_difference, 2)])
def test_order_of_the_truncation_error(difference, order):
    x = np.linspace(-1, 1, 5)
    errors = [np.abs(difference(np.sin, x, step) - np.cos(x)).max() for step in (1e-2, 1e-3)]
    assert math.isclose(math.log10(errors[0] / errors[1]), order, rel_tol=0.02)


def test_complex_step_is_exact_to_rounding():
    x = np.linspace(-2, 2, 9)
    for step in (1e-20, 1e-100, 1e-300):
        np.testing.assert_allclose(complex_step(np.tanh, x, step), 1 / np.cosh(x) ** 2, rtol=1e-15)


# What is right passes


@pytest.mark.parametrize("options", [{}, {"method": "complex"}, {"step": 1e-5}])
@pytest.mark.parametrize("seed", range(3))
def test_network_passes(options, seed):
    loss, gradient, point = elman(seed=seed)
    report = gradcheck(loss, gradient, point, **options)
    assert report, report
    assert report.checked == sum(leaf.size for leaf in (*point[:2], *point[2]))
    assert report.untested == ()


def test_random_directions_pass():
    loss, gradient, point = elman(T=20, N=5, H=10)
    report = gradcheck(loss, gradient, point, directions=3, rng=np.random.default_rng(1))
    assert report and report.checked == 18
    assert gradcheck(loss, gradient, point, directions=3, rng=np.random.default_rng(1), method="complex")


@pytest.mark.parametrize(
    "function, gradient, x",
    [
        (lambda x: x**3, lambda x: 3 * x**2, 0.0),  # the truncation error is all there is
        (lambda x: x**2 + x**3, lambda x: 2 * x + 3 * x**2, 0.0),  # a stationary point: one-sided slopes of both signs
        (lambda x: x**4, lambda x: 4 * x**3, 0.0),
        (lambda x: 0.0 * x, lambda x: 0.0, 1.0),
        (lambda x: 1e150 * np.sin(x), lambda x: 1e150 * np.cos(x), 1.0),
        (lambda x: 1e-150 * np.sin(x), lambda x: 1e-150 * np.cos(x), 1.0),
        (lambda x: np.sin(1e7 * x), lambda x: 1e7 * np.cos(1e7 * x), 0.3),  # faster than the step
        (lambda x: np.log(x), lambda x: 1 / x, 1e-6),  # x - h is outside the domain
        (lambda x: 1 / x, lambda x: -1 / x**2, 1e-3),
        (lambda x: x**2, lambda x: 2 * x, 1e8),
        (lambda x: np.exp(x), lambda x: np.exp(x), -700.0),
        (lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0, 1e-7),  # a kink near by
        (lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0, -1e-7),
        (lambda x: np.abs(x) ** 3, lambda x: 3 * x * abs(x), 0.0),
        (lambda x: 1 - np.cos(x), lambda x: np.sin(x), 0.0),
    ],
)
def test_difficult_functions_pass(function, gradient, x):
    report = gradcheck(function, gradient, x)
    assert report, report
    assert math.isfinite(report.error)


def test_structures():
    a, b = np.array([1.0, 2.0]), np.array([[3.0], [4.0]])

    def product(point):
        return float(point["a"] @ point["b"][:, 0])

    def gradient(point):
        return {"b": point["a"][:, None], "a": point["b"][:, 0]}  # another order of the keys

    assert gradcheck(product, gradient, {"a": a, "b": b})
    assert gradcheck(product, gradient({"a": a, "b": b}), {"a": a, "b": b})
    assert gradcheck(lambda p: (p[0] @ p[1]).item(), lambda p: (p[1][:, 0], p[0][:, None]), (a, b))
    assert gradcheck(lambda x: np.sum(x**2), lambda x: 2 * x, [1.0, 2.0])  # a list is an array
    a.flags.writeable = False
    assert gradcheck(lambda x: np.sum(x**2), lambda x: 2 * x, a)
    assert gradcheck(lambda x: np.sum(x**2), lambda x: 2 * x, np.asfortranarray(b.T))


# What is wrong is found, and named


@pytest.mark.parametrize("options", [{}, {"method": "complex"}])
@pytest.mark.parametrize("change", [np.negative, lambda v: 2 * v, lambda v: 1.0001 * v, lambda v: v + 1e-3, lambda v: 0])
@pytest.mark.parametrize(
    "path, index, name",
    [
        ((0,), (2, 1, 0), "point[0]"),
        ((1,), (2, 2), "point[1]"),
        ((2, 1), (0, 2), "point[2].weight_hh"),
        ((2, 3), (1,), "point[2].bias_hh"),
    ],
)
def test_a_wrong_entry_is_found(options, change, path, index, name):
    loss, gradient, point = elman()
    right = gradient(point)
    report = gradcheck(loss, changed(right, path, index, change), point, **options)
    assert report.verdict == "wrong" and not report
    assert (report.argument, report.index) == (name, index)
    entry = right
    for part in path:
        entry = entry[part]
    assert math.isclose(report.numerical, entry[index], rel_tol=1e-6)
    assert report.given == change(entry[index])
    expected = abs(report.given - report.numerical) / max(abs(report.given), abs(report.numerical))
    assert math.isclose(report.error, expected, rel_tol=1e-3)
    assert name in report.message


def test_a_small_mistake_is_below_a_loose_tolerance():
    report = gradcheck(np.sin, 1.001 * math.cos(0.5), 0.5, tolerance=1e-2)
    assert report and math.isclose(report.error, 1e-3, rel_tol=0.01)
    assert gradcheck(np.sin, 1.001 * math.cos(0.5), 0.5).verdict == "wrong"


def test_random_directions_find_a_mistake_and_the_argument():
    loss, gradient, point = elman()
    wrong = changed(gradient(point), (2, 1), (0, 2), lambda v: -v)
    report = gradcheck(loss, wrong, point, directions=2, rng=np.random.default_rng(0))
    assert report.verdict == "wrong" and report.argument == "point[2].weight_hh"


def test_a_wrong_entry_goes_before_a_kink():
    report = gradcheck(lambda x: np.abs(x).sum(), lambda x: np.array([0.5, -1.0]), np.array([0.0, 2.0]))
    assert (report.verdict, report.index) == ("wrong", (1,))


def test_wrong_near_a_kink():
    report = gradcheck(lambda x: np.maximum(x, 0), lambda x: 0.5, 1e-7)
    assert report.verdict == "wrong" and math.isclose(report.numerical, 1, rel_tol=1e-3)


# Everything else has a verdict of its own


@pytest.mark.parametrize("given", [-1.0, 0.0, 0.5, 1.0])
@pytest.mark.parametrize("function", [np.abs, lambda x: np.maximum(x, 0), lambda x: np.abs(x) + x**2 + 3])
def test_kink(function, given):
    assert gradcheck(function, given, 0.0).verdict == "kink"


def test_kink_of_one_entry():
    report = gradcheck(lambda x: np.maximum(x, 0).sum(), lambda x: (x > 0) * 1.0, np.array([0.5, 0.0, -1.0]))
    assert (report.verdict, report.index) == ("kink", (1,))
    assert "0 to the left and 1 to the right" in report.message


@pytest.mark.parametrize("function", [np.sign, lambda x: np.floor(x) + x, lambda x: float(x >= 0)])
def test_jump(function):
    assert gradcheck(function, 0.0, 0.0).verdict == "jump"


def test_float32():
    loss, gradient, point = elman(np.float32)
    report = gradcheck(loss, gradient, point)
    assert (report.verdict, report.argument) == ("low precision", "point[0]")
    assert gradcheck(loss, gradient, point, tolerance=0.05)
    wrong = changed(gradient(point), (2, 1), (0, 2), lambda v: -v)
    assert gradcheck(loss, wrong, point, tolerance=0.05).verdict in ("wrong", "inconclusive")


def test_float32_value_and_float32_inside():
    x = np.array([0.3, -0.7])
    assert gradcheck(lambda x: np.sum(x**2).astype(np.float32), lambda x: 2 * x, x).argument == "value"
    report = gradcheck(lambda x: float(np.sum(np.float32(np.sin(x)))), lambda x: np.cos(x), x)
    assert report.verdict == "inconclusive"


def test_not_deterministic():
    rng = np.random.default_rng(0)
    report = gradcheck(lambda x: x + rng.normal(), lambda x: 1.0, 0.5)
    assert report.verdict == "not deterministic"


@pytest.mark.parametrize(
    "function, gradient, x, subject",
    [
        (lambda x: x, lambda x: 1.0, math.nan, "point"),
        (lambda x: x, lambda x: 1.0, math.inf, "point"),
        (lambda x: math.nan, lambda x: 1.0, 1.0, "value"),
        (lambda x: x, lambda x: math.nan, 1.0, "point"),
        (lambda x: math.sqrt(x) if x >= 0 else math.nan, lambda x: 0.0, 0.0, "point"),
    ],
)
def test_not_finite(function, gradient, x, subject):
    report = gradcheck(function, gradient, x)
    assert (report.verdict, report.argument) == ("not finite", subject)


@pytest.mark.parametrize(
    "function, gradient",
    [
        (lambda x: x, lambda x: np.ones(3)),  # no number
        (lambda x: x.sum() + 0j, lambda x: np.ones(3)),
        (lambda x: None, lambda x: np.ones(3)),
        (lambda x: x.sum(), lambda x: np.ones(2)),
        (lambda x: x.sum(), lambda x: np.ones((3, 1))),
        (lambda x: x.sum(), lambda x: 1.0),
        (lambda x: x.sum(), lambda x: (np.ones(3),)),
        (lambda x: x.sum(), lambda x: [[1.0], [1.0, 2.0]]),
    ],
)
def test_wrong_shape(function, gradient):
    assert gradcheck(function, gradient, np.zeros(3)).verdict == "wrong shape"


def test_wrong_structure_is_named():
    loss, gradient, point = elman()
    report = gradcheck(loss, lambda point: gradient(point)[:2], point)
    assert report.verdict == "wrong shape" and "of 2" in report.message
    right = gradient(point)
    transposed = right._replace(parameters=right.parameters._replace(weight_ih=right.parameters.weight_ih.T))
    report = gradcheck(loss, transposed, point)
    assert report.verdict == "wrong shape" and ".weight_ih has the shape (2, 3)" in report.message.replace("[2]", "")
    report = gradcheck(lambda p: p["a"], lambda p: {"b": 1.0}, {"a": 1.0})
    assert report.verdict == "wrong shape" and "keys" in report.message


def test_integers():
    assert gradcheck(lambda x: x**2, lambda x: 2 * x, 3).verdict == "integer"
    report = gradcheck(lambda p: p[0] * p[1].sum(), lambda p: (p[1].sum(), p[0] * np.ones(2)), (1.0, np.arange(2)))
    assert (report.verdict, report.argument) == ("integer", "point[1]")


def test_changes_its_argument():
    def greedy(x):
        x *= 2
        return x.sum()

    x = np.ones(2)
    assert gradcheck(greedy, lambda x: 2 * np.ones(2), x).verdict == "changes its argument"
    assert gradcheck(np.sum, lambda x: np.multiply(x, 0, out=x) + 1, x).verdict == "changes its argument"
    assert (x == 1).all()


@pytest.mark.filterwarnings("ignore:Casting complex")
@pytest.mark.parametrize("function", [lambda x: np.sum(np.abs(x) ** 2), lambda x: np.sum(np.real(x) ** 2)])
def test_not_analytic(function):
    report = gradcheck(function, lambda x: 2 * x, np.array([0.5, 1.5]), method="complex")
    assert report.verdict == "not analytic"


def test_empty_and_untested():
    assert gradcheck(np.sum, np.zeros_like, np.zeros((0, 3))).verdict == "empty"
    assert gradcheck(lambda p: 1.0, lambda p: (), ()).verdict == "empty"
    loss, gradient, (inputs, hidden0, parameters) = elman(T=1)
    report = gradcheck(loss, gradient, (inputs, np.zeros_like(hidden0), parameters))
    assert report and report.untested == ("point[2].weight_hh",)
    assert "weight_hh" in report.message


@pytest.mark.parametrize(
    "error, options",
    [
        (ValueError, {"method": "forward"}),
        (ValueError, {"tolerance": -1.0}),
        (ValueError, {"step": 0.0}),
        (ValueError, {"step": math.nan}),
        (ValueError, {"directions": 0}),
        (TypeError, {"directions": 2}),
        (ValueError, {"rng": np.random.default_rng(0)}),
    ],
)
def test_options_are_checked(error, options):
    name = next(iter(options)) if options != {"directions": 2} else "rng"
    with pytest.raises(error, match=f"^{name}: expected"):
        gradcheck(np.sin, np.cos, 1.0, **options)


@pytest.mark.parametrize("point", ["text", None, 1j, [[1.0], [1.0, 2.0]], {"a": object()}])
def test_points_are_checked(point):
    with pytest.raises(TypeError, match="expected an array of real numbers"):
        gradcheck(np.sin, np.cos, point)


# The adjoint test


def derivative_along(point):
    """Return v ↦ J v of the Elman network's outputs, by one complex step."""
    inputs, hidden0, parameters = point

    def jvp(v):
        step = 1e-100j
        moved = rnn.Parameters(*(p + step * q for p, q in zip(parameters, v[2])))
        outputs, _ = rnn.reference_forward(inputs + step * v[0], hidden0 + step * v[1], moved)
        return tuple(np.imag(output) / 1e-100 for output in outputs)

    return jvp


def test_adjoint_of_the_network():
    _, _, point = elman()
    outputs, cache = rnn.forward(*point)
    jvp = derivative_along(point)
    report = check_adjoint(jvp, lambda u: rnn.backward(u, cache), point, outputs, rng=np.random.default_rng(0))
    assert report and report.error < 1e-14
    for path, index in (((0,), (2, 1, 0)), ((1,), (2, 2)), ((2, 1), (0, 2)), ((2, 3), (1,))):
        def wrong(u, path=path, index=index):
            return changed(rnn.backward(u, cache), path, index, lambda v: 1.001 * v)

        assert check_adjoint(jvp, wrong, point, outputs, rng=np.random.default_rng(0)).verdict == "wrong"


def test_adjoint_verdicts():
    A = np.arange(6.0).reshape(3, 2)
    v, u = np.zeros(2), np.zeros(3)

    def verdict(jvp, vjp):
        return check_adjoint(jvp, vjp, v, u, rng=np.random.default_rng(0)).verdict

    assert verdict(lambda v: A @ v, lambda u: A.T @ u) == "correct"
    assert verdict(lambda v: A @ v, lambda u: -A.T @ u) == "wrong"
    assert verdict(lambda v: A @ v, lambda u: u) == "wrong shape"
    assert verdict(lambda v: A @ v, lambda u: A.T @ u + math.nan) == "not finite"
    assert verdict(lambda v: A @ v + 1, lambda u: A.T @ u) == "not linear"
    assert verdict(lambda v: A @ v, lambda u: np.tanh(A.T @ u)) == "not linear"
    assert verdict(lambda v: 0 * A @ v, lambda u: 0 * A.T @ u) == "untested"
    # what the test cannot see: both wrong in the same way
    assert verdict(lambda v: 2 * A @ v, lambda u: 2 * A.T @ u) == "correct"


def test_adjoint_options():
    with pytest.raises(TypeError, match="^rng: expected"):
        check_adjoint(np.negative, np.negative, 1.0, 1.0, rng=0)
    with pytest.raises(ValueError, match="^trials: expected"):
        check_adjoint(np.negative, np.negative, 1.0, 1.0, rng=np.random.default_rng(0), trials=0)


def test_single_precision_inside_is_hardly_ever_taken_for_a_mistake():
    rng = np.random.default_rng(0)
    verdicts = [gradcheck(lambda x: float(np.float32(np.sin(x))), np.cos(x), x).verdict for x in rng.normal(size=200)]
    assert verdicts.count("inconclusive") > 180 and verdicts.count("wrong") <= 4


def test_a_function_with_few_random_outcomes_is_not_deterministic():
    rng = np.random.default_rng(0)
    for _ in range(20):
        report = gradcheck(lambda x: x @ (rng.random(3) < 0.5), np.ones(3), np.array([0.5, -0.25, 0.0]))
        assert report.verdict == "not deterministic"


def test_a_corner_near_by_is_never_taken_for_a_mistake():
    rng = np.random.default_rng(0)
    for x in rng.normal(size=300) * 10.0 ** -rng.uniform(3, 10, 300):
        report = gradcheck(lambda x: np.maximum(x, 0) * 3 + x**2, lambda x: 2 * x + 3.0 * (x > 0), x)
        assert report.verdict in ("correct", "kink", "inconclusive"), (x, report)
