"""The optimisers, against PyTorch's, and the forms that parameters can have."""

import math
from pathlib import Path

import numpy as np
import pytest

from rnnbook import bidirectional, clipping, lstm, optim, rnn, stacked

STORED = np.load(Path(__file__).parent / "reference" / "optim.npz")
CASES = {
    "sgd": optim.SGD(0.1),
    "momentum": optim.SGD(0.1, momentum=0.9),
    "nesterov": optim.SGD(0.1, momentum=0.8, nesterov=True),
    "adam": optim.Adam(0.01),
    "adam_other": optim.Adam(0.3, beta1=0.5, beta2=0.75, epsilon=1e-2),
    "adamw": optim.Adam(0.05, weight_decay=0.2),
}


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-13), ("float32", 2e-6)])
@pytest.mark.parametrize("case", CASES)
def test_pytorch(case, dtype, tolerance):
    """Six steps; among the gradients are zeros at first, a component of zeros, and a sudden large one."""
    optimizer = CASES[case]
    parameters = tuple(STORED[f"{dtype}_start_{part}"] for part in "ab")
    state = optimizer.initialize(parameters)
    for t in range(6):
        gradients = tuple(STORED[f"{dtype}_gradients_{part}"][t] for part in "ab")
        parameters, state = optimizer.update(gradients, state, parameters)
        for part, array in zip("ab", parameters):
            expected = STORED[f"{dtype}_{case}_{part}"][t]
            assert array.dtype == expected.dtype
            np.testing.assert_allclose(array, expected, rtol=tolerance, atol=tolerance)


def test_the_formulas_of_the_docstring():
    """The sums that the claims name, computed as sums."""
    rng = np.random.default_rng(0)
    gradients, start = rng.normal(size=(5, 3)), rng.normal(size=3)
    adam = optim.Adam(0.1, beta1=0.7, beta2=0.8)
    sgd = optim.SGD(0.1, momentum=0.6)
    state, state_sgd, parameters = adam.initialize(start), sgd.initialize(start), start
    for gradient in gradients:
        _, state_sgd = sgd.update(gradient, state_sgd, parameters)
        parameters, state = adam.update(gradient, state, parameters)
    ages = np.arange(4, -1, -1)[:, None]
    np.testing.assert_allclose(state_sgd.velocity, (0.6**ages * gradients).sum(axis=0), rtol=1e-13)
    np.testing.assert_allclose(state.first_moment, (0.3 * 0.7**ages * gradients).sum(axis=0), rtol=1e-13)
    np.testing.assert_allclose(state.second_moment, (0.2 * 0.8**ages * gradients**2).sum(axis=0), rtol=1e-13)


def forms():
    rng = np.random.default_rng(0)
    readout = rnn.initialize_readout(3, 2, rng=rng)
    both = stacked.initialize(2, 3, 2, cell=lstm, bidirectional=True, rng=rng)
    return {
        "array": rng.normal(size=(2, 3)),
        "scalar": np.array(0.5),
        "cell": rnn.initialize(2, 3, rng=rng),
        "nested": (both, readout),
        "list": [rng.normal(size=2), [rng.normal(size=(1, 2))], None, ()],
        "float32": stacked.initialize(2, 3, 1, cell=lstm, rng=rng, dtype=np.float32),
        "empty": (np.zeros((0, 3)), np.ones(2)),
    }


@pytest.mark.parametrize("form", forms())
@pytest.mark.parametrize("case", CASES)
def test_forms_are_kept_and_nothing_is_changed(case, form):
    parameters, gradients = forms()[form], forms()[form]
    optimizer = CASES[case]
    state = optimizer.initialize(parameters)
    for array in flat((parameters, gradients)):
        array.flags.writeable = False
    for _ in range(2):
        before = [array.copy() for array in flat(state)]
        new, new_state = optimizer.update(gradients, state, parameters)
        for array, old in zip(flat(state), before):
            np.testing.assert_array_equal(array, old)
        assert described(new) == described(parameters) and type(new_state) is type(state)
        assert len(flat(new_state)) == len(flat(state))
        assert not any(
            np.shares_memory(a, b) for a in flat((new, new_state)) for b in flat((parameters, gradients, state))
        )
        parameters, state = new, new_state


def flat(tree):
    """Return all arrays of nested tuples and lists."""
    if isinstance(tree, (tuple, list)):
        return [leaf for branch in tree for leaf in flat(branch)]
    return [tree] if isinstance(tree, np.ndarray) else []


def described(tree):
    if isinstance(tree, (tuple, list)):
        return type(tree), [described(branch) for branch in tree]
    return None if tree is None else (np.asarray(tree).shape, np.asarray(tree).dtype)


@pytest.mark.parametrize("case", CASES)
def test_a_zero_gradient_moves_nothing(case):
    parameters = lstm.initialize(2, 3, rng=np.random.default_rng(0))
    zeros = lstm.Parameters(*map(np.zeros_like, parameters))
    optimizer = CASES[case]
    after, _ = optimizer.update(zeros, optimizer.initialize(parameters), parameters)
    shrunk = 1 - 0.05 * 0.2 if case == "adamw" else 1
    for a, b in zip(after, parameters):
        np.testing.assert_array_equal(a, shrunk * b)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("case", CASES)
def test_what_is_not_finite_is_passed_on(case, value):
    """As the docstring has it, and only where it stands; clipping can refuse it."""
    parameters, gradient = np.ones(3), np.array([1.0, value, 1.0])
    optimizer = CASES[case]
    with np.errstate(invalid="ignore"):
        after, _ = optimizer.update(gradient, optimizer.initialize(parameters), parameters)
    assert not np.isfinite(after[1]) and np.isfinite(after[[0, 2]]).all()
    with pytest.raises(FloatingPointError, match="gradients: expected a finite global norm"):
        optim.clip_by_global_norm(gradient, 1.0, error_if_nonfinite=True)


def test_clipping_is_the_one_of_the_package():
    assert optim.clip_by_global_norm is clipping.clip_by_global_norm and optim.clip_by_value is clipping.clip_by_value


ONE = (np.ones(2), np.ones((1, 2)))
CELL = rnn.initialize(2, 3, rng=np.random.default_rng(0))
BOTH = bidirectional.Parameters(CELL, CELL)


@pytest.mark.parametrize(
    "gradients, parameters, error, message",
    [
        ((np.ones(2), np.ones(2)), ONE, ValueError, r"gradients\[1\]: expected shape .*, got \(2,\)"),
        ((np.ones(2),), ONE, ValueError, "gradients: expected 2 entries as parameters has, got 1"),
        ([np.ones(2), np.ones((1, 2))], ONE, TypeError, "gradients: expected a tuple as parameters is, got a list"),
        (
            (np.ones(2, np.float32), ONE[1]), ONE,
            TypeError,
            r"gradients\[0\]: expected dtype float64 as parameters\[0\] has",
        ),
        ((None, ONE[1]), ONE, TypeError, r"gradients\[0\]: expected an array as parameters\[0\] is, got None"),
        (CELL, BOTH, TypeError, "gradients: expected rnnbook.bidirectional.Parameters .*, got rnnbook.rnn.Parameters"),
        (
            BOTH._replace(reverse=CELL._replace(bias_hh=np.ones(4))), BOTH,
            ValueError,
            "gradients.reverse.bias_hh: expected",
        ),
        (np.ones(2, int), np.ones(2, int), TypeError, "parameters: expected dtype float32 or float64, got int64"),
        ((), (), ValueError, "parameters: expected at least one array, got none"),
    ],
)
@pytest.mark.parametrize("optimizer", [optim.SGD(0.1, momentum=0.9), optim.Adam()])
def test_gradients_that_do_not_fit(optimizer, gradients, parameters, error, message):
    with pytest.raises(error, match=message):
        optimizer.update(gradients, optimizer.initialize(parameters), parameters)


def test_states_that_do_not_fit():
    sgd, adam = optim.SGD(0.1, momentum=0.9), optim.Adam()
    with pytest.raises(TypeError, match="state: expected AdamState, from Adam.initialize, got SGDState"):
        adam.update(ONE, sgd.initialize(ONE), ONE)
    with pytest.raises(TypeError, match="state: expected SGDState, from SGD.initialize, got NoneType"):
        sgd.update(ONE, None, ONE)
    with pytest.raises(ValueError, match=r"state.second_moment\[0\]: expected shape"):
        adam.update(ONE, adam.initialize(ONE)._replace(second_moment=(np.ones(3), ONE[1])), ONE)
    with pytest.raises(TypeError, match="state.velocity: expected a tuple as parameters is, got None"):
        sgd.update(ONE, optim.SGD(0.1).initialize(ONE), ONE)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: optim.SGD("0.1"), TypeError, "learning_rate: expected a number, got '0.1'"),
        (
            lambda: optim.SGD(-0.1),
            ValueError,
            "learning_rate: expected a number that is at least 0 and finite, got -0.1",
        ),
        (lambda: optim.SGD(math.nan), ValueError, "learning_rate: .* got nan"),
        (lambda: optim.SGD(0.1, momentum=1.0), ValueError, "momentum: .* at least 0 and less than 1, got 1.0"),
        (lambda: optim.SGD(0.1, nesterov=True), ValueError, "nesterov: expected a momentum greater than 0"),
        (lambda: optim.Adam(math.inf), ValueError, "learning_rate: .* finite, got inf"),
        (lambda: optim.Adam(beta1=1), ValueError, "beta1: .* less than 1, got 1"),
        (lambda: optim.Adam(beta2=-0.1), ValueError, "beta2: .* at least 0"),
        (lambda: optim.Adam(epsilon=-1e-8), ValueError, "epsilon: .* at least 0"),
        (lambda: optim.Adam(weight_decay=True), TypeError, "weight_decay: expected a number, got True"),
    ],
)
def test_numbers_out_of_range(make, error, message):
    with pytest.raises(error, match=message):
        make()
