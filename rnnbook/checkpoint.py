r"""Backpropagation through time without keeping every hidden state: checkpoints, and recomputation between them.

A backward pass needs the states in the opposite order, :math:`h_T, h_{T-1}, \dots, h_0`. :func:`reverse` produces them in
that order from few stored ones, for any recurrence; :func:`gradients` is the backward pass of the Elman network that
reads them from there. The price is that steps of the forward pass are made again, as many as :func:`forward_steps` says
and no schedule can do with fewer. :func:`gradients_in_segments` is the simpler scheme that is mostly used, a checkpoint
every :math:`\sqrt T` steps, which runs at nearly the speed of :func:`rnnbook.rnn.backward`.

Neither the hidden states nor the gradients that the losses give them exist as a whole here, so the loss is a function:
``loss_gradient(first, hidden)`` is given some consecutive states, ``hidden[i]`` of shape (N, H) being :math:`h_t` for
``t = first + i + 1``, and returns an array of the same shape and dtype, :math:`\nabla^{+}_{h_t} L`, what the loss takes
from each of them directly. It is given every step once, later steps first, so that it may add up the loss and the
gradients of a readout as it goes.
"""

from math import ceil, comb, sqrt

import numpy as np

from rnnbook import rnn
from rnnbook._arrays import as_floats, as_integer

__all__ = ["forward_steps", "gradients", "gradients_in_segments", "repetitions", "reverse", "split"]


def repetitions(T, slots):
    r"""Find how often the most repeated step is made: the least :math:`r` with :math:`T \le \binom{s+r}{s}`.

    Parameters
    ----------
    T : int
        Number of steps, at least 1.
    slots : int
        :math:`s`, how many states may be stored at a time, the initial one among them; at least 1.

    Returns
    -------
    int
        0 for a single step.

    Raises
    ------
    TypeError, ValueError
        If an argument is not an integer, or is less than 1.

    Examples
    --------
    Ten slots are enough for a thousand steps if each may be made four times, and for ten thousand with seven:

    >>> repetitions(1000, 10), repetitions(10_000, 10), repetitions(19_448, 10)
    (4, 7, 7)
    """
    T, slots = as_integer("T", T, 1), as_integer("slots", slots, 1)
    r = 0
    while comb(slots + r, slots) < T:
        r += 1
    return r


def forward_steps(T, slots):
    r"""Count the steps of the forward pass that :func:`reverse` makes, the fewest with which it can be done.

    With :math:`r` from :func:`repetitions` it is :math:`r T - \binom{s+r}{s+1} + 1`. For :math:`s \ge T` that is
    :math:`T`: nothing is done twice.

    Parameters
    ----------
    T : int
        Number of steps, at least 0.
    slots : int
        :math:`s`, at least 1.

    Returns
    -------
    int

    Raises
    ------
    TypeError, ValueError
        If an argument is not an integer, or is out of range.

    Examples
    --------
    A thousand steps, and the more memory the less work:

    >>> for slots in (1, 2, 5, 10, 44, 1000):
    ...     print(slots, forward_steps(1000, slots))
    1 499501
    2 28821
    5 6285
    10 3637
    44 1955
    1000 1000
    """
    if as_integer("T", T, 0) == 0:
        return 0
    r = repetitions(T, slots)
    return r * T - comb(slots + r, slots + 1) + 1


def split(T, slots):
    r"""Choose where the first checkpoint after the initial state goes, if `T` steps are to be reversed.

    With :math:`\beta(s, r) = \binom{s+r}{s}` and :math:`r` from :func:`repetitions`, every :math:`k` is best that satisfies
    :math:`\beta(s, r-2) \le k \le \beta(s, r-1)` and :math:`\beta(s-1, r-1) \le T - k \le \beta(s-1, r)`. This is the
    largest.

    Parameters
    ----------
    T : int
        Number of steps, at least 2.
    slots : int
        :math:`s`, at least 2.

    Returns
    -------
    int
        :math:`k`, from 1 to :math:`T - 1`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not an integer, or is less than 2.

    Examples
    --------
    >>> split(10, 3), split(10, 10)
    (4, 1)
    """
    T, slots = as_integer("T", T, 2), as_integer("slots", slots, 2)
    r = repetitions(T, slots)
    return min(comb(slots + r - 1, slots), T - comb(slots + r - 2, slots - 1))


def reverse(step, initial, T, slots):
    r"""Yield the states of a recurrence in the opposite order, :math:`h_T, h_{T-1}, \dots, h_0`, from few stored ones.

    Parameters
    ----------
    step : callable
        ``step(t, state)`` returns :math:`h_t` when given :math:`h_{t-1}`, always the same, and leaves that as it is.
    initial : object
        :math:`h_0`; the states may be anything.
    T : int
        Number of steps, at least 0.
    slots : int
        How many states are stored at a time, :math:`h_0` among them; at least 1. Besides these exist the one that is
        being computed, the one it is computed from, and the one that was yielded last.

    Yields
    ------
    object
        :math:`T + 1` states.

    Raises
    ------
    TypeError, ValueError
        If `T` or `slots` is not an integer, or is out of range; when the first state is asked for.

    See Also
    --------
    forward_steps : how often `step` is called.

    Examples
    --------
    The state is a string, and a step appends a letter. Two slots:

    >>> made = []
    >>> def step(t, state):
    ...     made.append(t)
    ...     return state + "abcdef"[t - 1]
    >>> list(reverse(step, "", 6, slots=2))
    ['abcdef', 'abcde', 'abcd', 'abc', 'ab', 'a', '']
    >>> made
    [1, 2, 3, 4, 5, 6, 4, 1, 2]
    >>> len(made) == forward_steps(6, slots=2)
    True
    """
    T, slots = as_integer("T", T, 0), as_integer("slots", slots, 1)
    stored = [(0, initial)]
    if T == 0:
        yield initial
    for t in range(T - 1, -1, -1):
        at, state = stored[-1]
        while at < t:
            free = slots - len(stored) + 1  # with that of the state we start from
            stop = at + split(t - at + 1, free) if free > 1 else t
            while at < stop:
                at += 1
                state = step(at, state)
            if at < t:
                stored.append((at, state))
        if t == T - 1:
            yield step(T, state)
        if stored[-1][0] == t:
            stored.pop()
        yield state


def gradients(inputs, hidden0, parameters, loss_gradient, *, slots):
    r"""Compute what :func:`rnnbook.rnn.backward` does, with no more than a given number of hidden states stored.

    The numbers are, bit for bit, those of :func:`rnnbook.rnn.reference_backward`, whatever the number of slots.

    Parameters
    ----------
    inputs, hidden0, parameters
        As for :func:`rnnbook.rnn.forward`.
    loss_gradient : callable
        ``loss_gradient(first, hidden)``, see above, here with a single state at a time, ``hidden`` of shape (1, N, H).
    slots : int
        How many states are stored, the initial one among them; at least 1. From T on nothing is recomputed.

    Returns
    -------
    rnnbook.rnn.Gradients

    Raises
    ------
    TypeError, ValueError
        As :func:`rnnbook.rnn.forward`, if `slots` is not an integer of at least 1, or if `loss_gradient` returns
        something else than an array of the shape and dtype of the states.

    Examples
    --------
    The loss is half the sum of the squares of all states. Two states are stored instead of fifty, and nothing changes:

    >>> rng = np.random.default_rng(0)
    >>> parameters = rnn.initialize(2, 3, rng=rng)
    >>> inputs, hidden0 = rng.normal(size=(50, 4, 2)), np.zeros((4, 3))
    >>> def loss_gradient(first, hidden):
    ...     return hidden
    >>> few = gradients(inputs, hidden0, parameters, loss_gradient, slots=2)
    >>> all_stored = gradients(inputs, hidden0, parameters, loss_gradient, slots=50)
    >>> np.array_equal(few.parameters.weight_hh, all_stored.parameters.weight_hh)
    True
    """
    inputs, (hidden0,), parameters = rnn._checked(inputs, hidden0, parameters)
    weight_ih, weight_hh, bias_ih, bias_hh = parameters
    slots = as_integer("slots", slots, 1)

    def step(t, before):
        recurrent, input_t = before @ weight_hh.T, inputs[t - 1] @ weight_ih.T
        return np.tanh(recurrent + input_t + (bias_ih + bias_hh))

    total = _zeros(inputs, parameters)
    inputs_gradient = np.empty(inputs.shape, inputs.dtype)
    delta = np.zeros(hidden0.shape, inputs.dtype)
    states = reverse(step, hidden0, len(inputs), slots)
    after = next(states)
    for t, before in zip(range(len(inputs), 0, -1), states):
        delta = _cotangents(loss_gradient, t - 1, after[None])[0] + delta
        local = (1 - after**2) * delta
        total.weight_hh[...] += local.T @ before
        total.weight_ih[...] += local.T @ inputs[t - 1]
        total.bias_ih[...] += local.sum(axis=0)
        inputs_gradient[t - 1] = local @ weight_ih
        delta = local @ weight_hh
        after = before
    total.bias_hh[...] = total.bias_ih
    return rnn.Gradients(inputs_gradient, delta, total)


def gradients_in_segments(inputs, hidden0, parameters, loss_gradient, *, length=None):
    r"""Compute what :func:`rnnbook.rnn.backward` does, with the hidden states of one segment stored at a time.

    The first pass stores the state in which each segment begins. The second goes through the segments from the last to
    the first, runs each again, now with a cache, and backpropagates through it. It needs room for about
    :math:`T/\ell + \ell` states with segments of length :math:`\ell`, which is least for :math:`\ell = \sqrt T`, and
    makes every step of the forward pass twice, but for those of the last segment.

    Parameters
    ----------
    inputs, hidden0, parameters
        As for :func:`rnnbook.rnn.forward`.
    loss_gradient : callable
        ``loss_gradient(first, hidden)``, see above, here with the states of a whole segment.
    length : int, optional
        The length of the segments, at least 1. Unless given, :math:`\sqrt T`, rounded up.

    Returns
    -------
    rnnbook.rnn.Gradients

    Raises
    ------
    TypeError, ValueError
        As :func:`gradients`, with `length` for its `slots`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> parameters = rnn.initialize(2, 3, rng=rng)
    >>> inputs, hidden0 = rng.normal(size=(50, 4, 2)), np.zeros((4, 3))
    >>> def loss_gradient(first, hidden):
    ...     print(f"steps {first + 1} to {first + len(hidden)}")
    ...     return hidden
    >>> in_segments = gradients_in_segments(inputs, hidden0, parameters, loss_gradient, length=20)
    steps 41 to 50
    steps 21 to 40
    steps 1 to 20
    >>> (hidden, _), cache = rnn.forward(inputs, hidden0, parameters)
    >>> at_once = rnn.backward((hidden, None), cache)
    >>> np.allclose(in_segments.parameters.weight_hh, at_once.parameters.weight_hh, rtol=1e-13)
    True
    """
    inputs, (hidden0,), parameters = rnn._checked(inputs, hidden0, parameters)
    T = len(inputs)
    length = as_integer("length", max(1, ceil(sqrt(T))) if length is None else length, 1)
    total = _zeros(inputs, parameters)
    inputs_gradient = np.empty(inputs.shape, inputs.dtype)
    delta = np.zeros(hidden0.shape, inputs.dtype)

    segments = [slice(start, start + length) for start in range(0, T, length)]
    stored = [hidden0]
    for segment in segments[:-1]:
        outputs = rnn.forward(inputs[segment], stored[-1], parameters)[0]
        stored.append(outputs[1])
        del outputs  # a name would keep the segment's states until the end
    for segment in reversed(segments):
        given = inputs[segment], stored.pop(), parameters
        part = _through_segment(given, loss_gradient, segment.start, delta)
        inputs_gradient[segment] = part.inputs
        delta = part.hidden0
        for sum_, summand in zip(total, part.parameters):
            sum_ += summand
    return rnn.Gradients(inputs_gradient, delta, total)


def _through_segment(given, loss_gradient, first, delta):
    """Run forward and backward; what is stored for that is gone when the next segment is run."""
    (hidden, _), cache = rnn.forward(*given)
    cotangents = _cotangents(loss_gradient, first, hidden)
    return rnn.backward((cotangents, delta), cache)


def _cotangents(loss_gradient, first, hidden):
    """Return what the loss takes from these states, which it is not to change."""
    hidden = hidden.view()
    hidden.flags.writeable = False
    sizes = dict(zip(("steps", "N", "H"), hidden.shape))
    name = f"loss_gradient({first}, hidden)"
    return as_floats(name, loss_gradient(first, hidden), "steps N H", sizes, like=("hidden", hidden))


def _zeros(inputs, parameters):
    return rnn.Parameters(*(np.zeros(parameter.shape, inputs.dtype) for parameter in parameters))

