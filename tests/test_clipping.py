"""Clipping, against its formulas, and the cases that the docstring lists, which are PyTorch's."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from test_rnn import strided

from rnnbook import lstm
from rnnbook.clipping import clip_by_global_norm, clip_by_value, global_norm

STORED = np.load(Path(__file__).parent / "reference" / "clipping.npz")
FINITE = st_numpy.arrays(np.float64, st_numpy.array_shapes(max_dims=3, max_side=4), elements=st.floats(-1e6, 1e6))


def test_a_norm_of_small_order_may_be_out_of_range_and_its_power_is_no_error():
    assert global_norm(np.ones(3), order=1e-3) == math.inf
    # 3^1000 is out of range, and 1e-300 times it is not
    assert global_norm(np.full(3, 1e-300), order=1e-3) == pytest.approx(10 ** (1000 * math.log10(3) - 300), rel=1e-9)


@given(st.lists(FINITE, min_size=1, max_size=4), st.floats(1e-3, 1e6))
def test_the_norm_and_the_direction(gradients, max_norm):
    vector = np.concatenate([gradient.ravel() for gradient in gradients])
    clipped, norm = clip_by_global_norm(tuple(gradients), max_norm)
    np.testing.assert_allclose(norm, math.hypot(*vector), rtol=1e-12)
    after = np.concatenate([gradient.ravel() for gradient in clipped])
    assert np.linalg.norm(after) <= max_norm * (1 + 1e-12)
    np.testing.assert_allclose(after * max(norm + 1e-6, max_norm), vector * max_norm, rtol=1e-12, atol=1e-300)
    if norm + 1e-6 <= max_norm:
        np.testing.assert_array_equal(after, vector)


CASES = ["large", "small", "zero", "infinite", "nan", "exact", "order_1", "order_inf", "float32"]


@pytest.mark.parametrize("case", CASES)
def test_pytorch(case):
    gradients = STORED[f"{case}_a"], STORED[f"{case}_b"]
    order = {"order_1": 1.0, "order_inf": math.inf}.get(case, 2.0)
    (a, b), norm = clip_by_global_norm(gradients, 1.5, order=order)
    tolerance = 1e-6 if case == "float32" else 1e-14
    np.testing.assert_allclose(norm, STORED[f"{case}_norm"], rtol=tolerance)
    for clipped, expected in ((a, STORED[f"{case}_clipped_a"]), (b, STORED[f"{case}_clipped_b"])):
        assert clipped.dtype == expected.dtype
        np.testing.assert_allclose(clipped, expected, rtol=tolerance)
    for clipped, name in zip(clip_by_value(gradients, 1.5), "ab"):
        np.testing.assert_array_equal(clipped, STORED[f"{case}_by_value_{name}"])


@pytest.mark.parametrize("size", [1e-200, 1e-320, 1e200])
def test_no_square_overflows_or_underflows(size):
    gradient = np.array([3 * size, 4 * size])
    np.testing.assert_allclose(global_norm(gradient), 5 * size, rtol=1e-3)
    clipped, _ = clip_by_global_norm(gradient, 1.0)
    np.testing.assert_allclose(clipped, gradient if size < 1 else [0.6, 0.8], rtol=1e-3)
    large = np.full(4, 3e38, np.float32)
    assert global_norm(large) == pytest.approx(6e38)
    np.testing.assert_allclose(clip_by_global_norm(large, 1.0)[0], 0.5, rtol=1e-6)


def test_forms_are_kept_and_nothing_is_changed():
    parameters = lstm.initialize(2, 3, rng=np.random.default_rng(0), dtype=np.float32)
    nested = (parameters, None, (strided(np.ones((2, 2))), ()))
    for leaf in (*parameters, nested[2][0]):
        leaf.flags.writeable = False
    for clipped in (clip_by_global_norm(nested, 0.1)[0], clip_by_value(nested, 0.1)):
        assert isinstance(clipped[0], lstm.Parameters) and clipped[1] is None and clipped[2][1] == ()
        assert clipped[0].bias_ih.dtype == np.float32 and clipped[2][0].dtype == np.float64
        assert clipped[0].weight_hh.flags.writeable and not np.shares_memory(clipped[0].weight_hh, parameters.weight_hh)
    assert global_norm(()) == 0.0 and global_norm(np.zeros((0, 3))) == 0.0
    assert clip_by_global_norm(np.zeros(2), 0.0)[0].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_errors_if_nonfinite(value):
    with pytest.raises(FloatingPointError, match=f"gradients: expected a finite global norm, got {value}"):
        clip_by_global_norm(np.array([1.0, value]), 1.0, error_if_nonfinite=True)


@pytest.mark.parametrize(
    "function, arguments, options, error, message",
    [
        (clip_by_global_norm, (np.ones(2), -1.0), {}, ValueError, "max_norm: expected a number that is at least 0"),
        (clip_by_global_norm, (np.ones(2), np.nan), {}, ValueError, "max_norm: .* got nan"),
        (clip_by_global_norm, (np.ones(2), "1"), {}, TypeError, "max_norm: expected a number, got '1'"),
        (clip_by_global_norm, (np.ones(2), 1), {"order": 0}, ValueError, "order: expected a number greater than 0"),
        (clip_by_global_norm, (np.ones(2, int), 1), {}, TypeError, "gradients: expected dtype float32 or float64"),
        (clip_by_global_norm, ((np.ones(1), [1, 2]), 1), {}, TypeError, r"gradients\[1\]: expected dtype"),
        (clip_by_value, (np.ones(2), -1), {}, ValueError, "bound: expected a number that is at least 0"),
        (clip_by_value, (np.ones(2), None), {}, TypeError, "bound: expected a number, got None"),
        (clip_by_value, ((np.ones(2), "text"), 1), {}, TypeError, r"gradients\[1\]: expected an array of numbers"),
        (global_norm, (lstm.Parameters(1.0, 2, 3.0, 4.0),), {}, TypeError, "gradients.weight_hh: expected dtype"),
    ],
)
def test_wrong_arguments(function, arguments, options, error, message):
    with pytest.raises(error, match=message):
        function(*arguments, **options)
