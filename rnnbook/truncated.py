r"""Truncated backpropagation through time: what is left of the gradient when messages are not sent all the way back.

The gradient is a sum over pairs, the loss of step :math:`t` and the use of the weights at step :math:`k \le t`, and
:math:`m = t - k` is the *lag* of a pair. :func:`by_lag` takes that sum apart. :func:`backward` is the algorithm that is
used, which leaves out pairs with a long lag, and so is biased; :func:`roulette` leaves them out at random and gives
weights to the others, so that it is right on the average.

All functions take what :func:`rnnbook.rnn.backward` takes, the cotangents of both outputs and a cache.
"""

import numpy as np

from rnnbook import rnn
from rnnbook._arrays import as_floats, as_integer

__all__ = ["backward", "by_lag", "roulette", "windows"]


def windows(T, k1, k2):
    r"""List the pieces in which truncated backpropagation goes through a sequence.

    At each step :math:`e` that is a multiple of `k1`, it takes the losses of the last `k1` steps and sends their messages
    back through the last `k2` steps. It uses the pair of a loss :math:`t` and a step :math:`k` exactly if
    :math:`e - k_2 < k \le t`, where :math:`e = \lceil t / k_1 \rceil\, k_1`. The last piece may be shorter.

    Parameters
    ----------
    T : int
        Number of steps, at least 0.
    k1, k2 : int
        :math:`1 \le k_1 \le k_2`; with a smaller `k2` there would be losses that reach no weight.

    Returns
    -------
    list of tuple of int
        ``(low, first, end)``: the messages of the losses first + 1, ..., end go back through the steps
        low + 1, ..., end.

    Raises
    ------
    TypeError, ValueError
        If an argument is not an integer, or is out of range.

    Examples
    --------
    Cut into pieces of four; and every two steps, four steps back:

    >>> windows(10, 4, 4)
    [(0, 0, 4), (4, 4, 8), (8, 8, 10)]
    >>> windows(10, 2, 4)
    [(0, 0, 2), (0, 2, 4), (2, 4, 6), (4, 6, 8), (6, 8, 10)]
    """
    as_integer("T", T, 0)
    if not 1 <= as_integer("k1", k1) <= as_integer("k2", k2):
        raise ValueError(f"k1, k2: expected 1 <= k1 <= k2, got k1 = {k1}, k2 = {k2}")
    return [(max(first + k1 - k2, 0), first, min(first + k1, T)) for first in range(0, T, k1)]


def backward(cotangents, cache, k1, k2):
    r"""Backpropagate through time, every `k1` steps through the last `k2` of them: TBPTT(:math:`k_1, k_2`).

    The weights stay the same over the whole sequence, so that the result can be compared with the gradient. It is not
    the gradient, nor the gradient of anything else, unless :math:`k_2 \ge \lceil T / k_1 \rceil\, k_1`.

    Parameters
    ----------
    cotangents, cache
        As for :func:`rnnbook.rnn.backward`.
    k1, k2 : int
        As for :func:`windows`. ``k1 = k2`` trains on sub-sequences, with the state handed on; with ``k1 = 1`` each loss
        reaches back through exactly `k2` steps, its own among them.

    Returns
    -------
    rnnbook.rnn.Gradients

    Raises
    ------
    TypeError, ValueError
        As :func:`rnnbook.rnn.backward` and :func:`windows`.

    Examples
    --------
    How large is the error, relative to the gradient?

    >>> rng = np.random.default_rng(0)
    >>> parameters = rnn.initialize(2, 8, rng=rng)
    >>> (hidden, _), cache = rnn.forward(rng.normal(size=(40, 3, 2)), np.zeros((3, 8)), parameters)
    >>> cotangents = rng.normal(size=hidden.shape), None
    >>> exact = rnn.backward(cotangents, cache).parameters.weight_hh
    >>> for k2 in (1, 2, 4, 8, 40):
    ...     error = backward(cotangents, cache, 1, k2).parameters.weight_hh - exact
    ...     print(k2, f"{np.linalg.norm(error) / np.linalg.norm(exact):.0e}")
    1 3e-01
    2 1e-01
    4 3e-02
    8 2e-03
    40 ...e-16
    """
    inputs, states, parameters = cache
    hidden, (final,) = rnn._checked_cotangents(cotangents, cache)
    if len(inputs) == 0:
        return rnn.backward(cotangents, cache)
    total = rnn._zeros(cache, states.dtype)
    for low, first, end in windows(len(inputs), k1, k2):
        part = rnn.Cache(inputs[low:end], states[low : end + 1], parameters)
        taken = np.zeros(part.states[1:].shape, states.dtype)
        taken[first - low :] = hidden[first:end]
        taken_final = final if end == len(inputs) else None
        piece = rnn.backward((taken, taken_final), part)
        total.inputs[low:end] += piece.inputs
        if low == 0:
            total.hidden0[...] += piece.hidden0
        for sum_, summand in zip(total.parameters, piece.parameters):
            sum_ += summand
    return total


def by_lag(cotangents, cache):
    r"""Take the gradient apart by the lag: one summand for all pairs (loss :math:`t`, step :math:`k`) with the same
    :math:`t - k`.

    All messages are sent back side by side, one step for each lag; that takes :math:`O(T^2 H^2)` operations.

    Parameters
    ----------
    cotangents, cache
        As for :func:`rnnbook.rnn.backward`.

    Yields
    ------
    rnnbook.rnn.Gradients
        T of them, for the lags 0, 1, ..., T - 1. Their sum is the gradient; the sum of the first `k2` is what
        :func:`backward` returns with ``k1 = 1``.

    Raises
    ------
    TypeError, ValueError
        As :func:`rnnbook.rnn.backward`; when the first is asked for.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> parameters = rnn.initialize(2, 8, rng=rng)
    >>> (hidden, _), cache = rnn.forward(rng.normal(size=(9, 3, 2)), np.zeros((3, 8)), parameters)
    >>> cotangents = rng.normal(size=hidden.shape), None
    >>> total = sum(summand.parameters.weight_hh for summand in by_lag(cotangents, cache))
    >>> np.allclose(total, rnn.backward(cotangents, cache).parameters.weight_hh, rtol=1e-12)
    True
    """
    inputs, states, (weight_ih, weight_hh, _, _) = cache
    hidden, (final,) = rnn._checked_cotangents(cotangents, cache)
    messages = np.array(hidden)
    messages[-1:] += final
    slopes = 1 - states[1:] ** 2
    for lag in range(len(inputs)):
        # messages[k - 1] is that of the loss of step k + lag, which has come as far as h_k
        count = len(inputs) - lag
        local = slopes[:count] * messages
        summand = rnn._zeros(cache, states.dtype)
        summand.parameters.weight_hh[...] = np.einsum("tni,tnj->ij", local, states[:count])
        summand.parameters.weight_ih[...] = np.einsum("tni,tnj->ij", local, inputs[:count])
        summand.parameters.bias_ih[...] = summand.parameters.bias_hh[...] = local.sum(axis=(0, 1))
        summand.inputs[:count] = local @ weight_ih
        messages = local @ weight_hh
        summand.hidden0[...] = messages[0]
        messages = messages[1:]
        yield summand


def roulette(cotangents, cache, length, survival):
    r"""Estimate the gradient from its first summands by lag, each divided by the probability that it is looked at.

    Let :math:`G_m` be the summand of lag :math:`m - 1`. If `length` is drawn at random, and
    :math:`S_m = P(\text{length} \ge m)`, then the expected value of the estimate :math:`X_k` with :math:`k` = `length`,

    .. claim::
       :label: eq-api-truncated-roulette
       :model: memory-roulette
       :for: k = 1..T

       X_k = \sum_{m=1}^{k} \frac{G_m}{S_m},

    is the gradient, :math:`\sum_m G_m`.

    Parameters
    ----------
    cotangents, cache
        As for :func:`rnnbook.rnn.backward`.
    length : int
        How many lags are looked at, from 1 to T.
    survival : array_like, shape (T,)
        :math:`S_1, \dots, S_T`, float32 or float64: 1 at first, never rising, and greater than 0, because otherwise
        there would be a lag that is never looked at.

    Returns
    -------
    rnnbook.rnn.Gradients

    Raises
    ------
    TypeError, ValueError
        As :func:`rnnbook.rnn.backward`, or if `length` or `survival` is out of range.

    Examples
    --------
    The mean over all lengths, each with its probability, is the gradient:

    >>> rng = np.random.default_rng(0)
    >>> parameters = rnn.initialize(2, 8, rng=rng)
    >>> (hidden, _), cache = rnn.forward(rng.normal(size=(4, 3, 2)), np.zeros((3, 8)), parameters)
    >>> cotangents = rng.normal(size=hidden.shape), None
    >>> survival = np.array([1.0, 0.5, 0.25, 0.125])
    >>> mean = 0.0
    >>> for length, probability in zip((1, 2, 3, 4), (0.5, 0.25, 0.125, 0.125)):
    ...     mean = mean + probability * roulette(cotangents, cache, length, survival).parameters.weight_hh
    >>> np.allclose(mean, rnn.backward(cotangents, cache).parameters.weight_hh, rtol=1e-12)
    True
    """
    survival = as_floats("survival", survival, "T", {"T": len(cache.inputs)})
    if not (np.all(survival > 0) and np.all(survival[:1] == 1) and np.all(np.diff(survival) <= 0)):
        raise ValueError("survival: expected probabilities greater than 0 that begin with 1 and never rise")
    if not 1 <= as_integer("length", length) <= len(survival):
        raise ValueError(f"length: expected from 1 to T = {len(survival)}, got {length}")
    total = rnn._zeros(cache, cache.states.dtype)
    for summand, probability, _ in zip(by_lag(cotangents, cache), survival.tolist(), range(length)):
        total.inputs[...] += summand.inputs / probability
        total.hidden0[...] += summand.hidden0 / probability
        for sum_, part in zip(total.parameters, summand.parameters):
            sum_ += part / probability
    return total
