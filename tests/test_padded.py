"""Unequal lengths, two directions and stacks of layers: against each sequence run alone, complex steps, and PyTorch."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_rnn import STEP, assert_close, draw, pairing, strided

from rnnbook import bidirectional, gru, lstm, padded, rnn, stacked, state_dict
from rnnbook._arrays import as_array

STORED = np.load(Path(__file__).parent / "reference" / "cells.npz")
CELLS = [
    pytest.param(rnn, {}, id="rnn"),
    pytest.param(lstm, {}, id="lstm"),
    pytest.param(gru, {}, id="gru-after"),
    pytest.param(gru, {"reset": "before"}, id="gru-before"),
]
all_cells = pytest.mark.parametrize("cell, options", CELLS)
T, N, D, H = 5, 4, 2, 3
LENGTHS = [3, 5, 0, 3]


def setting(cell, layers=1, directions=1, seed=0):
    """Return inputs, initial states, parameters of a stack, and cotangents of its outputs, all random."""
    states, slots = len(padded.states(cell)), layers * directions
    inputs, cotangent, *rest = draw(
        (T, N, D), (T, N, directions * H), *[(slots, N, H)] * (2 * states), seed=seed
    )
    rng = np.random.default_rng(seed + 1)
    parameters = stacked.initialize(D, H, layers, cell=cell, bidirectional=directions == 2, rng=rng)
    return inputs, tuple(rest[:states]), parameters, (cotangent, tuple(rest[states:]))


def one_layer(inputs, initial, parameters, cotangents):
    return inputs, tuple(s[0] for s in initial), parameters[0], (cotangents[0], tuple(s[0] for s in cotangents[1]))


def in_padding(lengths):
    return np.arange(T)[:, None] >= np.array(lengths)


def flat(tree):
    """Return all arrays of nested tuples, in order."""
    if isinstance(tree, np.ndarray):
        return [tree]
    return [] if tree is None else [leaf for branch in tree for leaf in flat(branch)]


def like(tree, leaves):
    """Return nested tuples of the form of `tree`, with arrays taken from an iterator."""
    if isinstance(tree, np.ndarray):
        return next(leaves)
    branches = [like(branch, leaves) for branch in tree]
    return type(tree)(*branches) if hasattr(tree, "_fields") else tuple(branches)


# Unequal lengths.


@all_cells
def test_padded_is_each_sequence_alone(cell, options):
    inputs, initial, parameters, cotangents = one_layer(*setting(cell))
    ((hidden, final), cache) = padded.forward(inputs, initial, parameters, cell=cell, lengths=LENGTHS, **options)
    gradients = padded.backward(cotangents, cache)
    total = [np.zeros_like(parameter) for parameter in parameters]
    for n, length in enumerate(LENGTHS):
        alone = (slice(0, length), slice(n, n + 1))
        start = [state[n : n + 1] for state in initial]
        (expected, *expected_final), cache = cell.forward(inputs[alone], *start, parameters, **options)
        assert_close(hidden[alone], expected, 1e-14)
        assert np.all(hidden[length:, n] == 0)
        for state, from_alone in zip(final, expected_final, strict=True):
            assert_close(state[n : n + 1], from_alone, 1e-14)
        alone_cotangents = cotangents[0][alone], *(state[n : n + 1] for state in cotangents[1])
        of_inputs, *of_initial, of_parameters = cell.backward(alone_cotangents, cache)
        assert_close(gradients.inputs[alone], of_inputs)
        assert np.all(gradients.inputs[length:, n] == 0)
        for state, from_alone in zip(gradients.initial, of_initial, strict=True):
            assert_close(state[n : n + 1], from_alone)
        total = [sum_ + gradient for sum_, gradient in zip(total, of_parameters)]
    for gradient, expected in zip(gradients.parameters, total, strict=True):
        assert_close(gradient, expected)


@all_cells
@pytest.mark.parametrize("directions", [1, 2])
def test_what_stands_in_the_padding_has_no_effect(cell, options, directions):
    inputs, initial, parameters, cotangents = setting(cell, 2, directions)
    results = []
    for filling in (0.0, 1e300, np.nan):
        inputs, cotangent = inputs.copy(), cotangents[0].copy()
        inputs[in_padding(LENGTHS)] = filling
        cotangent[in_padding(LENGTHS)] = filling
        outputs, cache = stacked.forward(inputs, initial, parameters, cell=cell, lengths=LENGTHS, **options)
        results.append(flat((outputs, stacked.backward((cotangent, cotangents[1]), cache))))
    for first, *others in zip(*results, strict=True):
        for other in others:
            np.testing.assert_array_equal(first, other)


@settings(max_examples=40, deadline=None)
@given(lengths=st.lists(st.integers(0, T), min_size=1, max_size=6))
def test_reverse_is_an_involution_and_its_own_transpose(lengths):
    one, two = draw((T, len(lengths), 2), (T, len(lengths), 2))
    turned = padded.reverse(one, lengths)
    np.testing.assert_array_equal(padded.reverse(turned, lengths), one)
    assert_close(np.sum(turned * two), np.sum(one * padded.reverse(two, lengths)), 1e-14)
    for n, length in enumerate(lengths):
        np.testing.assert_array_equal(turned[:length, n], one[:length, n][::-1])
        np.testing.assert_array_equal(turned[length:, n], one[length:, n])


@pytest.mark.parametrize("lengths", [[T] * N, [0] * N, [1] * N])
def test_equal_lengths(lengths):
    inputs, initial, parameters, cotangents = one_layer(*setting(lstm))
    with_lengths = padded.forward(inputs, initial, parameters, cell=lstm, lengths=lengths)
    cut = slice(0, lengths[0])
    without = padded.forward(inputs[cut], initial, parameters, cell=lstm)
    gradients = padded.backward(cotangents, with_lengths[1])
    gradients_without = padded.backward((cotangents[0][cut], cotangents[1]), without[1])
    for one, two in zip(flat((with_lengths[0], gradients)), flat((without[0], gradients_without)), strict=True):
        one = one[cut] if len(one) == T and len(two) == lengths[0] else one
        assert_close(one, two, 1e-14)


# Two directions and stacks.


@pytest.fixture
def complex_passes(monkeypatch):
    """Let complex numbers through: the fast forward passes take none, so the reference ones stand in for them."""

    def as_array_of_any_dtype(name, value, axes, sizes, like=None):
        return as_array(name, value, axes, sizes)

    def use():
        for module in (padded, bidirectional, stacked):
            monkeypatch.setattr(module, "as_floats", as_array_of_any_dtype)
        for cell in (rnn, lstm, gru):
            monkeypatch.setattr(cell, "forward", cell.reference_forward)

    return use


@all_cells
def test_bidirectional_by_hand(cell, options):
    """One direction over the sequences, the other over their reverse, with the two outputs side by side."""
    inputs, initial, (parameters,), _ = setting(cell, 1, 2)
    (hidden, final), _ = bidirectional.forward(inputs, initial, parameters, cell=cell, **options)
    (front, *final_front), _ = cell.forward(inputs, *(state[0] for state in initial), parameters.forward, **options)
    (back, *final_back), _ = cell.forward(inputs[::-1], *(state[1] for state in initial), parameters.reverse, **options)
    np.testing.assert_array_equal(hidden, np.concatenate([front, back[::-1]], axis=-1))
    for state, *both in zip(final, final_front, final_back, strict=True):
        np.testing.assert_array_equal(state, np.stack(both))


@all_cells
@pytest.mark.parametrize("layers, directions", [(1, 1), (3, 1), (1, 2), (2, 2)])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_adjoint_identity(cell, options, layers, directions, lengths, complex_passes):
    """⟨u, J v⟩ = ⟨Jᵀ u, v⟩ in a random direction v of all arguments at once, J v by a complex step."""
    inputs, initial, parameters, cotangents = setting(cell, layers, directions)
    arguments = inputs, initial, parameters
    rng = np.random.default_rng(5)
    direction = like(arguments, (rng.normal(size=leaf.shape) for leaf in flat(arguments)))

    _, cache = stacked.forward(*arguments, cell=cell, lengths=lengths, **options)
    gradients = stacked.backward(cotangents, cache)
    complex_passes()
    moved = like(arguments, (a + 1j * STEP * v for a, v in zip(flat(arguments), flat(direction))))
    outputs, _ = stacked.forward(*moved, cell=cell, lengths=lengths, **options)
    tangents = [output.imag / STEP for output in flat(outputs)]
    left, right = pairing(flat(cotangents), tangents), pairing(flat(gradients), flat(direction))
    both = (cotangents, tangents), (gradients, direction)
    scale = sum(pairing(map(abs, flat(a)), map(abs, flat(b))) for a, b in both)
    assert abs(left - right) <= 1e-12 * scale


@pytest.mark.parametrize("cell", [rnn, lstm, gru])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_every_gradient_by_complex_step(cell, lengths, complex_passes):
    inputs, initial, parameters, cotangents = setting(cell, 2, 2)
    _, cache = stacked.forward(inputs, initial, parameters, cell=cell, lengths=lengths)
    gradients = stacked.backward(cotangents, cache)
    complex_passes()
    arguments = inputs, initial, parameters
    leaves = [leaf.astype(complex) for leaf in flat(arguments)]
    rng = np.random.default_rng(6)
    for position, gradient in enumerate(flat(gradients)):
        for index in rng.permutation(list(np.ndindex(*gradient.shape)))[:6]:
            index = tuple(index)
            leaves[position][index] += 1j * STEP
            outputs, _ = stacked.forward(*like(arguments, iter(leaves)), cell=cell, lengths=lengths)
            by_step = pairing(flat(outputs), flat(cotangents)).imag / STEP
            assert abs(by_step - gradient[index]) <= 1e-12 * max(1, np.abs(gradient).max())
            leaves[position][index] -= 1j * STEP


@pytest.mark.parametrize("cell", [rnn, lstm, gru])
@pytest.mark.parametrize("case", ["single", "stacked", "packed"])
def test_pytorch(cell, case):
    """One layer, three layers, two layers of both directions over a packed batch: outputs and all gradients."""
    start = f"{cell.__name__.removeprefix('rnnbook.').upper()}_{case}_"
    stored = {name.removeprefix(start): STORED[name] for name in STORED.files if name.startswith(start)}
    states = [name.removesuffix("0") for name in padded.states(cell)]
    arguments = {name.removeprefix("argument_"): array for name, array in stored.items() if name.startswith("argument_")}
    named = {name: array for name, array in arguments.items() if "_l" in name}
    parameters = state_dict.from_state_dict(named, cell=cell)
    initial = tuple(stored[f"argument_{state}0"] for state in states)
    lengths = STORED["lengths"] if case == "packed" else None
    (hidden, final), cache = stacked.forward(stored["argument_inputs"], initial, parameters, cell=cell, lengths=lengths)
    assert_close(hidden, stored["result_outputs"])
    for state, name in zip(final, states, strict=True):
        assert_close(state, stored[f"result_final_{name}"])
    cotangents = stored["cotangent_outputs"], tuple(stored[f"cotangent_final_{name}"] for name in states)
    gradients = stacked.backward(cotangents, cache)
    assert_close(gradients.inputs, stored["gradient_inputs"], 1e-10)
    for gradient, name in zip(gradients.initial, states, strict=True):
        assert_close(gradient, stored[f"gradient_{name}0"], 1e-10)
    by_name = state_dict.to_state_dict(gradients.parameters)
    assert by_name.keys() == named.keys()
    for name, gradient in by_name.items():
        assert_close(gradient, stored[f"gradient_{name}"], 1e-10)


def test_none_is_a_cotangent_of_zeros():
    inputs, initial, parameters, (cotangent, finals) = setting(lstm, 2, 2)
    _, cache = stacked.forward(inputs, initial, parameters, cell=lstm, lengths=LENGTHS)
    zeros = np.zeros_like(finals[0])
    for with_none, with_zeros in [
        ((None, finals), (np.zeros_like(cotangent), finals)),
        ((cotangent, None), (cotangent, (zeros, zeros))),
        ((cotangent, (None, finals[1])), (cotangent, (zeros, finals[1]))),
        ((None, None), (np.zeros_like(cotangent), (zeros, zeros))),
    ]:
        pairs = zip(flat(stacked.backward(with_none, cache)), flat(stacked.backward(with_zeros, cache)), strict=True)
        for one, two in pairs:
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_is_changed_and_strides_do_not_matter(lengths, dtype):
    tree = setting(gru, 2, 2)
    tree = like(tree, (leaf.astype(dtype) for leaf in flat(tree)))
    before = [leaf.copy() for leaf in flat(tree)]
    frozen = like(tree, (strided(leaf) for leaf in flat(tree)))
    for leaf in flat(frozen):
        leaf.flags.writeable = False
    results = []
    for inputs, initial, parameters, cotangents in (tree, frozen, tree):
        outputs, cache = stacked.forward(inputs, initial, parameters, cell=gru, lengths=lengths)
        results.append(flat((outputs, stacked.backward(cotangents, cache))))
    for one, two, three in zip(*results, strict=True):
        assert one.dtype == dtype
        assert_close(two, one, 1e-13 if dtype is np.float64 else 1e-5)
        np.testing.assert_array_equal(one, three)
    for leaf, copy in zip(flat(tree), before):
        np.testing.assert_array_equal(leaf, copy)


@pytest.mark.parametrize("sizes", [(0, 2), (3, 0), (1, 1)])
def test_empty_batches_and_sequences(sizes):
    steps, batch = sizes
    parameters = stacked.initialize(D, H, 2, cell=lstm, bidirectional=True, rng=np.random.default_rng(0))
    zeros = np.zeros((4, batch, H))
    for lengths in (None, [steps] * batch):
        inputs = np.zeros((steps, batch, D))
        (hidden, final), cache = stacked.forward(inputs, (zeros, zeros), parameters, cell=lstm, lengths=lengths)
        assert hidden.shape == (steps, batch, 2 * H) and final[1].shape == (4, batch, H)
        gradients = stacked.backward((hidden, final), cache)
        assert gradients.inputs.shape == inputs.shape and gradients.parameters[1].reverse.bias_hh.shape == (4 * H,)


# Wrong arguments.


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"lengths": [1, 2]}, ValueError, r"lengths: expected shape \(N,\) with .*N = 4.*, got \(2,\)"),
        ({"lengths": [1, 2, 3, 6]}, ValueError, r"lengths: expected from 0 to T = 5, got 6"),
        ({"lengths": [1, 2, 3, -1]}, ValueError, r"lengths: expected from 0 to T = 5, got -1"),
        ({"lengths": [1.0, 2.0, 3.0, 4.0]}, TypeError, r"lengths: expected integers, got dtype float64"),
        ({"initial": (np.zeros((4, N, H)),)}, ValueError, r"initial: expected 2 states, hidden0, cell0, got 1"),
        ({"initial": [np.zeros((2, N, H))] * 2}, ValueError, r"hidden0: expected shape .* = 4, N = 4, got \(2, 4, 3\)"),
        ({"cell": "lstm"}, TypeError, r"cell: expected one of the modules rnnbook.rnn, lstm, gru, got 'lstm'"),
        ({"cell": rnn, "initial": [np.zeros((4, N, H))]}, TypeError, r"parameters: expected .*Parameters, got"),
        ({"parameters": ()}, ValueError, r"parameters: expected at least one layer, got none"),
        ({"inputs": np.zeros((T, N, 7))}, ValueError, r"weight_ih: .* d = 7, got \(12, 2\)"),
        ({"inputs": np.zeros((T, N, D), int)}, TypeError, r"inputs: expected dtype float32 or float64, got int64"),
    ],
)
def test_wrong_arguments(changes, error, message):
    inputs, initial, parameters, _ = setting(lstm, 2, 2)
    arguments = {"inputs": inputs, "initial": initial, "parameters": parameters, "cell": lstm} | changes
    with pytest.raises(error, match=message):
        stacked.forward(**arguments)


def test_wrong_layers_and_cotangents():
    inputs, initial, parameters, cotangents = setting(lstm, 2, 2)
    with pytest.raises(TypeError, match="parameters: expected a tuple with an entry for each layer, got Parameters"):
        stacked.forward(inputs, initial, parameters[0], cell=lstm)
    with pytest.raises(ValueError, match="all layers of one direction or all of two"):
        stacked.forward(inputs, initial, (parameters[0], parameters[1].forward), cell=lstm)
    with pytest.raises(TypeError, match="expected rnnbook.bidirectional.Parameters, got Parameters"):
        bidirectional.forward(inputs, initial, parameters[0].forward, cell=lstm)
    _, cache = stacked.forward(inputs, initial, parameters, cell=lstm)
    for wrong in (None, cotangents[0], (cotangents[0], cotangents[1][:1]), (*cotangents, None)):
        with pytest.raises(TypeError, match=r"cotangents: expected a pair, .* a tuple of 2 for the final states"):
            stacked.backward(wrong, cache)
    with pytest.raises(ValueError, match=r"cotangents\[1\]\[1\]: expected shape .* got \(3, 4, 3\)"):
        stacked.backward((None, (None, np.zeros((3, N, H)))), cache)
    with pytest.raises(ValueError, match=r"cotangents\[0\]: expected shape \(T, N, 2H\)"):
        stacked.backward((np.zeros((T, N, H)), None), cache)
    with pytest.raises(ValueError, match="layers: expected at least 1, got 0"):
        stacked.initialize(2, 3, 0, cell=lstm, rng=np.random.default_rng(0))
