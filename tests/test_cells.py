"""LSTM and GRU, this in both variants, against their definitions, differentiated with a complex step, and PyTorch.

The checks at the top take the module that they look at as an argument: `test_cells_mistakes.py` runs the same checks
on modules with a mistake in them.
"""

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_rnn import STEP, assert_close, complex_step_gradient, draw, leaves, pairing, strided

from rnnbook import _cells, gru, lstm

STORED = np.load(Path(__file__).parent / "reference" / "cells.npz")
BACKWARD = ["backward", "reference_backward"]
SIZES = st.tuples(st.integers(0, 6), st.integers(0, 4), st.integers(0, 4), st.integers(0, 5))


def logistic(a):
    return 1 / (1 + np.exp(-a))


def lstm_definition(inputs, hidden0, cell0, weight_ih, weight_hh, bias_ih, bias_hh):
    """Run the LSTM, one member of the batch after the other, with columns, as the formulas have it."""
    T, N, _ = inputs.shape
    H = hidden0.shape[1]
    hidden = np.zeros((T, N, H), np.result_type(inputs, hidden0, cell0, weight_ih, weight_hh, bias_ih, bias_hh))
    final_hidden, final_cell = np.zeros((N, H), hidden.dtype), np.zeros((N, H), hidden.dtype)
    for n in range(N):
        h, c = hidden0[n], cell0[n]
        for t in range(T):
            a = weight_ih @ inputs[t, n] + weight_hh @ h + bias_ih + bias_hh
            i, f, g, o = logistic(a[:H]), logistic(a[H : 2 * H]), np.tanh(a[2 * H : 3 * H]), logistic(a[3 * H :])
            c = f * c + i * g
            h = hidden[t, n] = o * np.tanh(c)
        final_hidden[n], final_cell[n] = h, c
    return hidden, final_hidden, final_cell


def gru_definition(reset):
    def definition(inputs, hidden0, weight_ih, weight_hh, bias_ih, bias_hh):
        """Run the GRU, one member of the batch after the other, with columns, as the formulas have it."""
        T, N, _ = inputs.shape
        H = hidden0.shape[1]
        hidden = np.zeros((T, N, H), np.result_type(inputs, hidden0, weight_ih, weight_hh, bias_ih, bias_hh))
        final = np.zeros((N, H), hidden.dtype)
        for n in range(N):
            h = hidden0[n]
            for t in range(T):
                u = weight_ih @ inputs[t, n] + bias_ih
                gates = u[: 2 * H] + weight_hh[: 2 * H] @ h + bias_hh[: 2 * H]
                r, z = logistic(gates[:H]), logistic(gates[H:])
                if reset == "after":
                    candidate = np.tanh(u[2 * H :] + r * (weight_hh[2 * H :] @ h + bias_hh[2 * H :]))
                else:
                    candidate = np.tanh(u[2 * H :] + weight_hh[2 * H :] @ (r * h) + bias_hh[2 * H :])
                h = hidden[t, n] = (1 - z) * candidate + z * h
            final[n] = h
        return hidden, final

    return definition


LSTM = SimpleNamespace(module=lstm, definition=lstm_definition, gates=4, states=2, options={}, stored="LSTM_single")
AFTER = SimpleNamespace(
    module=gru, definition=gru_definition("after"), gates=3, states=1, options={}, stored="GRU_single"
)
BEFORE = SimpleNamespace(
    module=gru, definition=gru_definition("before"), gates=3, states=1, options={"reset": "before"}, stored=None
)
CELLS = [pytest.param(LSTM, id="lstm"), pytest.param(AFTER, id="gru-after"), pytest.param(BEFORE, id="gru-before")]
all_cells = pytest.mark.parametrize("cell", CELLS)
all_backward = pytest.mark.parametrize("backward", BACKWARD)


def draw_cell(cell, T, N, d, H, seed=0, dtype=np.float64):
    """Return random arguments (inputs, initial states, the four parameters) and random cotangents of all outputs."""
    G, states = cell.gates * H, [(N, H)] * cell.states
    shapes = [(T, N, d), *states, (G, d), (G, H), (G,), (G,), (T, N, H), *states]
    arrays = draw(*shapes, seed=seed, dtype=dtype)
    return arrays[: 5 + cell.states], tuple(arrays[5 + cell.states :])


def run(cell, arguments, module=None, forward="forward"):
    module = module or cell.module
    split = 1 + cell.states
    return getattr(module, forward)(*arguments[:split], module.Parameters(*arguments[split:]), **cell.options)


# Checks: the module under test comes as an argument.


def check_derivative(cell, module, backward):
    """Every gradient is the complex-step derivative of the definition."""
    arguments, cotangents = draw_cell(cell, T=4, N=3, d=2, H=5)
    _, cache = run(cell, arguments, module)
    actual = leaves(getattr(module, backward)(cotangents, cache))
    for gradient, expected in zip(actual, complex_step_gradient(cell.definition, arguments, cotangents), strict=True):
        assert_close(gradient, expected)


def check_adjoint(cell, module, backward, sizes=(5, 2, 4, 3), seed=1):
    """⟨u, J v⟩ = ⟨Jᵀ u, v⟩ in a random direction v of all arguments at once, J v by a complex step."""
    arguments, cotangents = draw_cell(cell, *sizes, seed=seed)
    direction, _ = draw_cell(cell, *sizes, seed=seed + 1000)
    moved = [argument + 1j * STEP * v for argument, v in zip(arguments, direction)]
    tangents = [output.imag / STEP for output in cell.definition(*moved)]
    _, cache = run(cell, arguments, module)
    gradients = leaves(getattr(module, backward)(cotangents, cache))
    left, right = pairing(cotangents, tangents), pairing(gradients, direction)
    scale = pairing(map(abs, cotangents), map(abs, tangents)) + pairing(map(abs, gradients), map(abs, direction))
    assert abs(left - right) <= 1e-12 * scale


def check_pytorch(cell, module, backward):
    """Outputs and every gradient are those that PyTorch has."""
    states = ["hidden", "cell"][: cell.states]
    names = [f"{name}_l0" for name in module.Parameters._fields]
    initial = [STORED[f"{cell.stored}_argument_{state}0"][0] for state in states]
    parameters = [STORED[f"{cell.stored}_argument_{name}"] for name in names]
    outputs, cache = run(cell, [STORED[f"{cell.stored}_argument_inputs"], *initial, *parameters], module)
    expected = STORED[f"{cell.stored}_result_outputs"], *(STORED[f"{cell.stored}_result_final_{s}"][0] for s in states)
    for output, from_pytorch in zip(outputs, expected, strict=True):
        assert_close(output, from_pytorch)
    cotangents = [STORED[f"{cell.stored}_cotangent_outputs"]]
    cotangents += [STORED[f"{cell.stored}_cotangent_final_{state}"][0] for state in states]
    gradients = leaves(getattr(module, backward)(cotangents, cache))
    expected = [STORED[f"{cell.stored}_gradient_inputs"]]
    expected += [STORED[f"{cell.stored}_gradient_{state}0"][0] for state in states]
    expected += [STORED[f"{cell.stored}_gradient_{name}"] for name in names]
    for gradient, from_pytorch in zip(gradients, expected, strict=True):
        assert_close(gradient, from_pytorch, 1e-10)


def check_step_jacobian(cell, module):
    """The Jacobian of every step, by a complex step in the state that it starts from."""
    arguments, _ = draw_cell(cell, T=3, N=2, d=3, H=4)
    _, cache = run(cell, arguments, module)
    states = [cache.hidden] if cell.states == 1 else [cache.cells, cache.hidden]
    actual = module.step_jacobian(cache)
    for t in range(3):
        for j in range(4 * cell.states):
            moved = np.concatenate([state[t] for state in states], axis=1).astype(complex)
            moved[:, j] += 1j * STEP
            initial = np.split(moved, cell.states, axis=1)[::-1]
            _, *final = cell.definition(arguments[0][t : t + 1], *initial, *arguments[1 + cell.states :])
            assert_close(actual[t, :, :, j], np.concatenate(final[::-1], axis=1).imag / STEP)


# The forward passes.


@all_cells
@pytest.mark.parametrize("forward", ["forward", "reference_forward"])
def test_forward_is_the_definition(cell, forward):
    arguments, _ = draw_cell(cell, T=4, N=3, d=2, H=5)
    outputs, cache = run(cell, arguments, forward=forward)
    for output, expected in zip(outputs, cell.definition(*arguments), strict=True):
        assert_close(output, expected, 1e-14)
    np.testing.assert_array_equal(cache.hidden[0], arguments[1])
    np.testing.assert_array_equal(cache.hidden[1:], outputs[0])


@all_cells
def test_both_caches_hold_the_same(cell):
    """So that either can be handed to either backward pass, and a chapter can draw the gates of either."""
    arguments, cotangents = draw_cell(cell, T=4, N=3, d=2, H=5)
    (_, fast), (_, slow) = run(cell, arguments), run(cell, arguments, forward="reference_forward")
    for name, one, two in zip(fast._fields, fast, slow):
        if isinstance(one, np.ndarray):
            assert_close(one, two, 1e-13)
            assert name == "inputs" or not (one.flags.writeable or two.flags.writeable)
    for backward in BACKWARD:
        backward = getattr(cell.module, backward)
        for one, two in zip(leaves(backward(cotangents, fast)), leaves(backward(cotangents, slow))):
            assert_close(one, two)


@all_cells
def test_complex_step_goes_through_the_reference_and_its_gradient(cell):
    arguments, cotangents = draw_cell(cell, T=3, N=2, d=2, H=3)

    def reference(*arrays):
        return run(cell, arrays, forward="reference_forward")[0]

    expected = complex_step_gradient(cell.definition, arguments, cotangents)
    for actual, by_definition in zip(complex_step_gradient(reference, arguments, cotangents), expected):
        assert_close(actual, by_definition)

    direction, cotangent_direction = draw_cell(cell, T=3, N=2, d=2, H=3, seed=1)

    def gradient(step):
        moved = tuple(a + step * v for a, v in zip(cotangents, cotangent_direction))
        _, cache = run(cell, [a + step * v for a, v in zip(arguments, direction)], forward="reference_forward")
        return leaves(cell.module.reference_backward(moved, cache))

    for by_step, plus, minus in zip(gradient(1j * STEP), gradient(1e-5), gradient(-1e-5)):
        assert_close(by_step.imag / STEP, (plus - minus) / 2e-5, 1e-7)


# The backward passes.


@all_cells
@all_backward
@pytest.mark.parametrize("check", [check_derivative, check_adjoint])
def test_backward(check, cell, backward):
    check(cell, cell.module, backward)


@all_backward
@pytest.mark.parametrize("cell", CELLS[:2])  # PyTorch has no GRU that resets before the product
def test_backward_is_pytorch(cell, backward):
    check_pytorch(cell, cell.module, backward)


@all_cells
def test_step_jacobian(cell):
    check_step_jacobian(cell, cell.module)


@all_cells
@settings(max_examples=40, deadline=None)
@given(sizes=SIZES, dtype=st.sampled_from([np.float32, np.float64]), seed=st.integers(0, 2**16))
def test_any_sizes_and_both_dtypes(cell, sizes, dtype, seed):
    arguments, cotangents = draw_cell(cell, *sizes, seed=seed, dtype=dtype)
    tolerance = 1e-12 if dtype is np.float64 else 1e-3
    outputs, cache = run(cell, arguments)
    slow_outputs, slow_cache = run(cell, arguments, forward="reference_forward")
    for output, slow in zip(outputs, slow_outputs, strict=True):
        assert output.dtype == slow.dtype == dtype
        assert_close(output, slow, tolerance)
    fast, slow = cell.module.backward(cotangents, cache), cell.module.reference_backward(cotangents, slow_cache)
    for argument, gradient, expected in zip(arguments, leaves(fast), leaves(slow), strict=True):
        assert gradient.dtype == expected.dtype == dtype and gradient.shape == argument.shape
        assert_close(gradient, expected, tolerance)


@all_cells
@settings(max_examples=20, deadline=None)
@given(sizes=SIZES.filter(lambda sizes: sizes[0] > 0), seed=st.integers(0, 2**16))
def test_adjoint_identity_at_any_sizes(cell, sizes, seed):
    for backward in BACKWARD:
        check_adjoint(cell, cell.module, backward, sizes, seed)


@all_cells
def test_more_steps_than_one_block(cell, monkeypatch):
    """The backward pass works through blocks of steps; wherever they are cut the gradients are the same."""
    arguments, cotangents = draw_cell(cell, T=7, N=2, d=2, H=3)
    _, cache = run(cell, arguments)
    expected = leaves(cell.module.reference_backward(cotangents, cache))
    for numbers, of_part in ((1, 1), (12, 4), (12, 6), (18, 100), (24, 10)):
        monkeypatch.setattr(_cells, "BLOCK", numbers)
        monkeypatch.setattr(_cells, "PART", of_part)
        for gradient, slow in zip(leaves(cell.module.backward(cotangents, cache)), expected, strict=True):
            assert_close(gradient, slow)


@all_cells
def test_weights_in_pieces(cell, monkeypatch):
    """The weights are cut so that products are small; however they are cut, the outputs and gradients are the same."""
    T, N, d, H = 4, 2, 3, 12
    arguments, cotangents = draw_cell(cell, T, N, d, H)
    expected_outputs, cache = run(cell, arguments, forward="reference_forward")
    expected = leaves(cell.module.reference_backward(cotangents, cache))
    monkeypatch.setattr(_cells, "FEWEST", 1)
    monkeypatch.setattr(_cells, "THREADS", 1)
    for small in (1, 16, 32, 2 * (H + d + 1) * N, 6 * H * N, 12 * (H + d + 1) * N):
        monkeypatch.setattr(_cells, "SMALL", small)
        outputs, cache = run(cell, arguments)
        for actual, slow in zip(outputs, expected_outputs, strict=True):
            assert_close(actual, slow)
        for gradient, slow in zip(leaves(cell.module.backward(cotangents, cache)), expected, strict=True):
            assert_close(gradient, slow)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(5, 3), (1,), (0, 4), (7, 1, 2)])
def test_an_aligned_array(shape, dtype):
    kept = [_cells.aligned(shape, dtype) for _ in range(9)]  # so that they do not all get the same place
    for array in kept:
        assert array.shape == shape and array.dtype == dtype and array.flags.c_contiguous and array.flags.writeable
        assert array.ctypes.data % _cells.LINE == 0 or array.size == 0
    original = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    for of in (original, original.T):
        copy = _cells.aligned_copy(of)
        np.testing.assert_array_equal(copy, of)
        assert copy.ctypes.data % _cells.LINE == 0 or copy.size == 0
        assert not np.shares_memory(copy, of)


@pytest.mark.parametrize("N", [0, 1, 3, _cells.FEWEST - 1, _cells.FEWEST, 40])
def test_one_row_for_every_step_and_member(N):
    array = np.random.default_rng(0).normal(size=(5, 6, N))
    for view in (array[:, 1:], array[1:]):
        expected = [view[t, :, n] for t in range(len(view)) for n in range(N)]
        np.testing.assert_array_equal(_cells.tall(view), np.reshape(expected, (len(view) * N, view.shape[1])))


@pytest.mark.parametrize(
    ("openblas", "omp", "threads"),
    [("3", "2", 3), ("", "2", 2), ("0", "2", 2), (None, "2", 2), ("many", None, None), (None, "4,2", None), (None, None, None)],
)
def test_how_many_threads_a_product_may_use(openblas, omp, threads, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 4, 5, 6}, raising=False)
    for variable, value in (("OPENBLAS_NUM_THREADS", openblas), ("OMP_NUM_THREADS", omp)):
        monkeypatch.delenv(variable, raising=False) if value is None else monkeypatch.setenv(variable, value)
    assert _cells._threads() == (threads or 5)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("rows", "columns", "N", "pieces"),
    [
        (512, 193, 32, (1, 4, 128, 193)), (2048, 641, 64, (1, 128, 16, 641)), (512, 2048, 64, (4, 32, 16, 512)),
        (509, 193, 32, None), (509, 512, 32, None),  # a prime number of rows
        (256, 81, 4, None), (8, 13, 1, None), (0, 4, 3, None), (4, 0, 3, None), (4, 3, 0, None),
    ],
)  # fmt: skip
def test_a_matrix_is_cut_where_that_makes_products_small(rows, columns, N, pieces, threads, monkeypatch):
    monkeypatch.setattr(_cells, "THREADS", threads)
    cuts, matmul = [], np.matmul

    def noted(left, right, out):
        cuts.append(left.shape)
        return matmul(left, right, out=out)

    monkeypatch.setattr(np, "matmul", noted)
    rng = np.random.default_rng(0)
    matrix, factor, out = rng.normal(size=(rows, columns)), rng.normal(size=(columns, N)), np.full((rows, N), np.nan)
    multiply = _cells.multiplication(matrix, N)
    for _ in range(2):
        multiply(factor, out)
        np.testing.assert_allclose(out, matrix @ factor, rtol=1e-12, atol=1e-11)
    assert cuts == ([pieces] * 2 if pieces and threads == 1 else [])


@all_cells
@settings(max_examples=20, deadline=None)
@given(first=st.integers(0, 4), second=st.integers(0, 4), seed=st.integers(0, 2**16))
def test_a_sequence_can_be_cut_anywhere(cell, first, second, seed):
    """Forward and backward over the parts, the states and their cotangents handed on, are those over the whole."""
    arguments, cotangents = draw_cell(cell, first + second, 2, 3, 4, seed=seed)
    inputs, initial, parameters = arguments[0], arguments[1:-4], arguments[-4:]
    outputs, cache = run(cell, arguments)
    (hidden_1, *middle), cache_1 = run(cell, [inputs[:first], *initial, *parameters])
    (hidden_2, *final_2), cache_2 = run(cell, [inputs[first:], *middle, *parameters])
    assert_close(np.concatenate([hidden_1, hidden_2]), outputs[0])
    for one, two in zip(final_2, outputs[1:]):
        assert_close(one, two)
    whole = cell.module.backward(cotangents, cache)
    part_2 = cell.module.backward((cotangents[0][first:], *cotangents[1:]), cache_2)
    part_1 = cell.module.backward((cotangents[0][:first], *part_2[1:-1]), cache_1)
    assert_close(np.concatenate([part_1.inputs, part_2.inputs]), whole.inputs)
    for one, two in zip(part_1[1:-1], whole[1:-1]):
        assert_close(one, two)
    for of_1, of_2, of_whole in zip(part_1.parameters, part_2.parameters, whole.parameters):
        assert_close(of_1 + of_2, of_whole)


@all_cells
@all_backward
def test_an_empty_sequence_is_the_identity(cell, backward):
    arguments, cotangents = draw_cell(cell, T=0, N=3, d=2, H=4)
    outputs, cache = run(cell, arguments)
    for final, initial in zip(outputs[1:], arguments[1:-4], strict=True):
        np.testing.assert_array_equal(final, initial)
    gradients = getattr(cell.module, backward)(cotangents, cache)
    for gradient, cotangent in zip(gradients[1:-1], cotangents[1:], strict=True):
        np.testing.assert_array_equal(gradient, cotangent)
    assert all(np.all(gradient == 0) for gradient in gradients.parameters)


@all_cells
@all_backward
def test_none_is_a_cotangent_of_zeros(cell, backward):
    arguments, cotangents = draw_cell(cell, T=4, N=3, d=2, H=5)
    _, cache = run(cell, arguments)
    backward = getattr(cell.module, backward)
    for position in range(1 + cell.states):
        with_zeros, with_none = list(cotangents), list(cotangents)
        with_zeros[position] = np.zeros_like(cotangents[position])
        with_none[position] = None
        for actual, expected in zip(leaves(backward(with_none, cache)), leaves(backward(with_zeros, cache))):
            np.testing.assert_array_equal(actual, expected)


# What comes in is left alone, and what goes out is the caller's own.


@all_cells
@all_backward
def test_strided_and_read_only_arguments(cell, backward):
    arguments, cotangents = draw_cell(cell, T=4, N=3, d=2, H=5)
    expected = leaves(getattr(cell.module, backward)(cotangents, run(cell, arguments)[1]))
    arrays = [strided(array) for array in (*arguments, *cotangents)]
    for array in arrays:
        array.flags.writeable = False
    fortran = [np.asfortranarray(array) for array in (*arguments, *cotangents)]
    for changed in (arrays, fortran):
        count = len(arguments)
        actual = leaves(getattr(cell.module, backward)(tuple(changed[count:]), run(cell, changed[:count])[1]))
        for gradient, from_contiguous in zip(actual, expected, strict=True):
            assert_close(gradient, from_contiguous, 1e-13)


@all_cells
@all_backward
@pytest.mark.parametrize("forward", ["forward", "reference_forward"])
@pytest.mark.parametrize("T", [0, 1, 4])
@pytest.mark.parametrize("N, H", [(1, 1), (3, 5)])
def test_nothing_is_changed_and_nothing_shared(cell, forward, backward, T, N, H):
    arguments, cotangents = draw_cell(cell, T, N=N, d=2, H=H)
    before = [array.copy() for array in (*arguments, *cotangents)]
    outputs, cache = run(cell, arguments, forward=forward)
    kept = [array.copy() for array in cache if isinstance(array, np.ndarray)]
    first = leaves(getattr(cell.module, backward)(cotangents, cache))
    again = leaves(getattr(cell.module, backward)(cotangents, cache))
    now = [array for array in cache if isinstance(array, np.ndarray)]
    for array, copy in zip((*arguments, *cotangents, *now, *first), (*before, *kept, *again), strict=True):
        np.testing.assert_array_equal(array, copy)
    results = [*outputs, *first]
    for position, result in enumerate(results):
        for other in (*arguments, *cotangents, *results[:position]):
            assert not np.shares_memory(result, other)
        assert result.flags.writeable == (result is not outputs[0])


@all_cells
def test_float32_is_the_float64_result_rounded(cell):
    arguments, cotangents = draw_cell(cell, T=6, N=3, d=2, H=5)
    expected = leaves(cell.module.backward(cotangents, run(cell, arguments)[1]))
    arguments, cotangents = draw_cell(cell, T=6, N=3, d=2, H=5, dtype=np.float32)
    for actual, exact in zip(leaves(cell.module.backward(cotangents, run(cell, arguments)[1])), expected, strict=True):
        assert actual.dtype == np.float32
        assert_close(actual, exact, 2e-5)


@all_cells
@all_backward
def test_nan_is_passed_on(cell, backward):
    arguments, cotangents = draw_cell(cell, T=4, N=3, d=2, H=5)
    inputs = arguments[0].copy()
    inputs[1, 2, 0] = np.nan  # x_2 of the last member of the batch
    outputs, cache = run(cell, [inputs, *arguments[1:]])
    hidden = outputs[0]
    assert np.isnan(hidden[1:, 2]).all() and not np.isnan(hidden[0]).any() and not np.isnan(hidden[:, :2]).any()
    for final in outputs[1:]:
        assert np.isnan(final[2]).all() and not np.isnan(final[:2]).any()
    gradients = getattr(cell.module, backward)(cotangents, cache)
    assert all(np.isnan(gradient).all() for gradient in gradients.parameters)
    assert np.isnan(gradients.inputs[:, 2]).all() and not np.isnan(gradients.inputs[:, :2]).any()


@all_cells
def test_saturated_gates_neither_overflow_nor_lose_the_rest(cell):
    """Arguments of ±1e4: σ is 0 or 1, no exponential overflows, and the gradients are zeros and not nan."""
    arguments, cotangents = draw_cell(cell, T=3, N=2, d=2, H=3)
    arguments[0] = 1e4 * arguments[0]
    outputs, cache = run(cell, arguments)
    gradients = leaves(cell.module.backward(cotangents, cache))
    assert all(np.isfinite(array).all() for array in (*outputs, *gradients))


# Initialisation, and wrong arguments: the error names the argument, what was expected, and what came.


@all_cells
def test_initialize(cell):
    for dtype in (np.float32, np.float64, "float32"):
        parameters = cell.module.initialize(3, 100, rng=np.random.default_rng(0), dtype=dtype)
        rows = 100 * cell.gates
        assert [parameter.shape for parameter in parameters] == [(rows, 3), (rows, 100), (rows,), (rows,)]
        for parameter in parameters:
            assert parameter.dtype == dtype and np.abs(parameter).max() <= np.asarray(0.1, dtype)
        np.testing.assert_allclose(parameters.weight_hh.std(), 0.1 / np.sqrt(3), rtol=0.01)
    again = cell.module.initialize(3, 100, rng=np.random.default_rng(0), dtype=np.float32)
    np.testing.assert_array_equal(again.weight_ih, parameters.weight_ih)
    for arguments, options, error, message in [
        ((3, 0), {}, ValueError, "hidden_size: expected at least 1, got 0"),
        ((-1, 2), {}, ValueError, "input_size: expected at least 0, got -1"),
        ((3, 2.0), {}, TypeError, "hidden_size: expected an integer, got 2.0"),
        ((3, 2), {"rng": 0}, TypeError, "rng: expected a numpy.random.Generator, got int"),
        ((3, 2), {"dtype": int}, TypeError, "dtype: expected float32 or float64, got int64"),
    ]:
        with pytest.raises(error, match=message):
            cell.module.initialize(*arguments, **({"rng": np.random.default_rng(0)} | options))


@all_cells
@pytest.mark.parametrize(
    "position, value, error, message",
    [
        (0, np.zeros((4, 3)), ValueError, r"inputs: expected shape \(T, N, d\), got \(4, 3\)"),
        (0, np.zeros((4, 3, 2), int), TypeError, r"inputs: expected dtype float32 or float64, got int64"),
        (0, None, TypeError, r"inputs: expected an array of numbers, got dtype object"),
        (1, np.zeros((1, 3, 5)), ValueError, r"hidden0: expected shape \(N, H\) with N = 3, got \(1, 3, 5\)"),
        (1, np.zeros((3, 5), np.float32), TypeError, r"hidden0: expected dtype float64 as inputs has, got float32"),
        (-4, np.zeros((5, 2)), ValueError, r"weight_ih: expected shape \(.H, d\) with .H = \d+, d = 2, got \(5, 2\)"),
        (-3, np.zeros((15, 4)), ValueError, r"parameters.weight_hh: expected shape \(.H, H\) with .H = \d+, H = 5"),
        (-2, np.zeros(5), ValueError, r"parameters.bias_ih: expected shape \(.H,\) with .H = \d+, got \(5,\)"),
        (-1, np.zeros(20, int), TypeError, r"parameters.bias_hh: expected"),
    ],
)
def test_wrong_arguments_of_forward(cell, position, value, error, message):
    arguments, _ = draw_cell(cell, T=4, N=3, d=2, H=5)
    arguments[position] = value
    if position == -1:
        arguments[-1] = np.zeros(5 * cell.gates, int)
    with pytest.raises(error, match=message):
        run(cell, arguments)


@all_cells
def test_wrong_parameters(cell):
    from rnnbook import rnn

    arguments, _ = draw_cell(cell, T=4, N=3, d=2, H=5)
    for wrong in (rnn.Parameters(*arguments[-4:]), tuple(arguments[-4:]), None):
        with pytest.raises(TypeError, match=rf"parameters: expected {cell.module.__name__}.Parameters, got (rnnbook|tuple|None)"):
            cell.module.forward(*arguments[:-4], wrong)
    with pytest.raises(ValueError, match="reset: expected 'after' or 'before', got 'never'"):
        gru.forward(*draw_cell(AFTER, 1, 1, 1, 1)[0][:2], None, reset="never")


@all_cells
@all_backward
def test_wrong_cotangents(cell, backward):
    arguments, cotangents = draw_cell(cell, T=4, N=3, d=2, H=5)
    _, cache = run(cell, arguments)
    cases = [
        (None, TypeError, rf"cotangents: expected {1 + cell.states} in a tuple, .* got NoneType"),
        (cotangents[:1], TypeError, r"cotangents: expected . in a tuple, for all hidden states, .* got tuple of 1"),
        ((*cotangents, None), TypeError, r"cotangents: expected . in a tuple"),
        ((np.zeros((4, 3, 2)), *cotangents[1:]), ValueError, r"cotangents\[0\]: .* H = 5, got \(4, 3, 2\)"),
        ((*cotangents[:-1], np.zeros((4, 5))), ValueError, r"cotangents\[.\]: expected shape \(N, H\) with N = 3"),
    ]
    if backward == "backward":
        message = r"cotangents\[.\]: expected dtype float64 as the cache has, got float32"
        cases.append(((*cotangents[:-1], np.zeros((3, 5), np.float32)), TypeError, message))
    for wrong, error, message in cases:
        with pytest.raises(error, match=message):
            getattr(cell.module, backward)(wrong, cache)
