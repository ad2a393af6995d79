"""Reversal with few states: the steps that it makes against two searches for the best, the gradients to the last bit."""

import heapq
import weakref
from collections import Counter
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_rnn import assert_close, complex_step_gradient, definition, draw_network, leaves, run

from rnnbook import checkpoint, rnn

LONGEST, MOST_SLOTS = 300, 30


def deliveries(longest, most_slots):
    """t(l, s) by dynamic programming over the place of the first checkpoint, for all l and s at once."""
    table = np.zeros((most_slots + 1, longest + 1), int)
    table[1] = np.arange(longest + 1) * (np.arange(longest + 1) - 1) // 2
    for s in range(2, most_slots + 1):
        for length in range(2, longest + 1):
            k = np.arange(1, length)
            table[s, length] = np.min(k + table[s, k] + table[s - 1, length - k])
    return table


def cheapest_by_search(T, slots):
    """The least number of steps over all ways of stepping, storing, dropping and restarting, by Dijkstra's algorithm.

    A situation is what is stored, where we are, and which state is to be delivered next; h_T comes with h_{T-1}.
    """
    start = (frozenset([0]), 0, T - 1)
    cost, queue, order = {start: 0}, [(0, 0, start)], 0
    while queue:
        so_far, _, situation = heapq.heappop(queue)
        stored, at, wanted = situation
        if wanted < 0:
            return so_far + 1
        moves = [(0, (stored - {k}, at, wanted)) for k in stored] + [(0, (stored, k, wanted)) for k in stored]
        if at == wanted:
            moves.append((0, (stored, at, wanted - 1)))
        if at < T - 1:
            moves.append((1, (stored, at + 1, wanted)))
        if len(stored) < slots:
            moves.append((0, (stored | {at}, at, wanted)))
        for step, then in moves:
            if so_far + step < cost.get(then, np.inf):
                cost[then] = so_far + step
                order += 1
                heapq.heappush(queue, (so_far + step, order, then))


def test_closed_form_is_the_dynamic_program():
    table = deliveries(LONGEST, MOST_SLOTS)
    for s in range(1, MOST_SLOTS + 1):
        for T in range(1, LONGEST + 1):
            assert checkpoint.forward_steps(T, s) == table[s, T] + 1


def test_split_is_the_largest_of_the_best():
    table = deliveries(LONGEST, MOST_SLOTS)
    for s in range(2, MOST_SLOTS + 1):
        for length in [*range(2, 40), *range(40, LONGEST + 1, 13)]:
            k = np.arange(1, length)
            cost = k + table[s, k] + table[s - 1, length - k]
            best = k[cost == cost.min()]
            assert checkpoint.split(length, s) == best[-1]
            r = checkpoint.repetitions(length, s)
            low = max(comb(s + r - 2, s) if r > 1 else 1, length - comb(s - 1 + r, s - 1))
            high = min(comb(s + r - 1, s), length - comb(s - 1 + r - 1, s - 1))
            assert list(best) == list(range(low, high + 1))


@pytest.mark.parametrize("slots", [1, 2, 3, 4])
def test_no_other_way_is_cheaper(slots):
    for T in range(1, 9):
        assert cheapest_by_search(T, slots) == checkpoint.forward_steps(T, slots)


def test_reverse_makes_as_many_steps_as_the_closed_form_says():
    made = []

    def step(t, state):
        assert t == state + 1
        made.append(t)
        return t

    for slots in range(1, MOST_SLOTS + 1):
        for T in range(LONGEST + 1):
            made.clear()
            assert list(checkpoint.reverse(step, 0, T, slots)) == list(range(T, -1, -1))
            assert len(made) == checkpoint.forward_steps(T, slots)
            if T % 50 == 1 < T:
                repeated = Counter(made)
                assert max(repeated[t] for t in range(1, T)) == checkpoint.repetitions(T, slots)
                assert repeated[T] == 1


@pytest.mark.parametrize("slots", [1, 2, 3, 7, 40])
def test_no_more_states_exist_than_promised(slots):
    class State:
        pass

    alive, most = weakref.WeakSet(), 0

    def step(t, state):
        nonlocal most
        after = State()
        alive.add(after)
        most = max(most, len(alive))
        return after

    initial = State()
    alive.add(initial)
    for state in checkpoint.reverse(step, initial, 40, slots):
        most = max(most, len(alive))
    # the slots, the state that a step comes from, the one that it makes, and the one yielded last
    assert most <= slots + 3
    assert most > min(slots, 40)


@pytest.mark.parametrize("slots", [1, 2, 3, 5, 11, 12, 100])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_are_those_of_the_stored_version_to_the_last_bit(slots, dtype):
    arguments, (cotangents, _) = draw_network(T=11, N=3, d=2, H=5, dtype=dtype)
    inputs, hidden0, *parameters = arguments
    _, cache = rnn.reference_forward(inputs, hidden0, rnn.Parameters(*parameters))
    expected = leaves(rnn.reference_backward((cotangents, None), cache))
    actual = checkpoint.gradients(
        inputs, hidden0, rnn.Parameters(*parameters), lambda first, hidden: cotangents[first : first + len(hidden)], slots=slots
    )
    for gradient, stored in zip(leaves(actual), expected, strict=True):
        assert gradient.dtype == stored.dtype == dtype
        np.testing.assert_array_equal(gradient, stored)


def methods():
    yield lambda *arguments: checkpoint.gradients(*arguments, slots=2)
    for length in (None, 1, 3, 4, 100):
        yield lambda *arguments, length=length: checkpoint.gradients_in_segments(*arguments, length=length)


@pytest.mark.parametrize("method", list(methods()))
def test_gradients_are_derivatives_of_the_definition(method):
    """With a loss that is not linear in the states, L = Σ c · sin h."""
    arguments, (weights, _) = draw_network(T=5, N=3, d=2, H=4)
    inputs, hidden0, *parameters = arguments
    seen = []

    def loss_gradient(first, hidden):
        assert not hidden.flags.writeable
        seen.extend(range(first + len(hidden), first, -1))
        return weights[first : first + len(hidden)] * np.cos(hidden)

    actual = leaves(method(inputs, hidden0, rnn.Parameters(*parameters), loss_gradient))
    expected = complex_step_gradient(lambda *a: (np.sin(definition(*a)[0]),), arguments, (weights,))
    for gradient, by_step in zip(actual, expected, strict=True):
        assert_close(gradient, by_step)
    assert seen == [5, 4, 3, 2, 1]


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 3), st.integers(0, 4)),
    slots=st.integers(1, 10),
    length=st.none() | st.integers(1, 10),
    seed=st.integers(0, 2**16),
)
def test_any_sizes(sizes, slots, length, seed):
    arguments, (cotangents, _) = draw_network(*sizes, seed=seed)
    expected = leaves(rnn.backward((cotangents, None), run(rnn, arguments)[1]))
    given_ = arguments[0], arguments[1], rnn.Parameters(*arguments[2:]), lambda first, h: cotangents[first : first + len(h)]
    for actual in (
        checkpoint.gradients(*given_, slots=slots),
        checkpoint.gradients_in_segments(*given_, length=length),
    ):
        for gradient, stored in zip(leaves(actual), expected, strict=True):
            assert_close(gradient, stored)


@pytest.mark.parametrize("T, length", [(12, 4), (12, 5), (12, 12), (12, 50), (1, 1)])
def test_segments_make_every_step_twice_but_the_last_ones(monkeypatch, T, length):
    made, forward = [], rnn.forward
    monkeypatch.setattr(rnn, "forward", lambda inputs, *rest: made.append(len(inputs)) or forward(inputs, *rest))
    arguments, _ = draw_network(T=T, N=2, d=2, H=3)
    checkpoint.gradients_in_segments(
        arguments[0], arguments[1], rnn.Parameters(*arguments[2:]), lambda first, hidden: hidden, length=length
    )
    last = T - (-(-T // length) - 1) * length
    assert sum(made) == 2 * T - last


def test_nothing_is_changed():
    arguments, _ = draw_network(T=5, N=2, d=2, H=3)
    for array in arguments:
        array.flags.writeable = False
    given_ = arguments[0], arguments[1], rnn.Parameters(*arguments[2:]), lambda first, hidden: hidden
    for actual in (checkpoint.gradients(*given_, slots=2), checkpoint.gradients_in_segments(*given_)):
        for gradient in leaves(actual):
            assert gradient.flags.writeable
            assert not any(np.shares_memory(gradient, array) for array in arguments)
        assert not np.shares_memory(actual.parameters.bias_ih, actual.parameters.bias_hh)


@pytest.mark.parametrize(
    "call, error, says",
    [
        (lambda: checkpoint.forward_steps(3.0, 2), TypeError, "T: expected an integer"),
        (lambda: checkpoint.forward_steps(-1, 2), ValueError, "T: expected at least 0"),
        (lambda: checkpoint.repetitions(3, 0), ValueError, "slots: expected at least 1"),
        (lambda: checkpoint.split(3, 1), ValueError, "slots: expected at least 2"),
        (lambda: next(checkpoint.reverse(None, 0, 3, "two")), TypeError, "slots: expected an integer"),
    ],
)
def test_errors_of_the_schedule(call, error, says):
    with pytest.raises(error, match=says):
        call()


@pytest.mark.parametrize(
    "change, error, says",
    [
        ({"slots": 0}, ValueError, "slots: expected at least 1"),
        ({"inputs": np.zeros((5, 3, 2))}, ValueError, "hidden0"),
        ({"parameters": None}, TypeError, "parameters: expected rnnbook.rnn.Parameters"),
        ({"loss_gradient": lambda first, hidden: hidden[0]}, ValueError, r"loss_gradient\(4, hidden\): expected shape"),
        ({"loss_gradient": lambda first, hidden: hidden.astype("f4")}, TypeError, r"loss_gradient\(4, hidden\): expected"),
    ],
)
def test_errors_of_the_gradients(change, error, says):
    arguments, _ = draw_network(T=5, N=2, d=2, H=3)
    given_ = {"inputs": arguments[0], "hidden0": arguments[1], "parameters": rnn.Parameters(*arguments[2:])}
    given_ |= {"loss_gradient": lambda first, hidden: hidden, "slots": 2} | change
    with pytest.raises(error, match=says):
        checkpoint.gradients(**given_)
