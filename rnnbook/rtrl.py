r"""Real-time recurrent learning: the gradient carried forwards, beside the state, and known after every step.

For every weight the *influence* on the hidden state is kept, the total derivative of :math:`h_t`. It obeys a recurrence
of its own, which runs beside that of the state:

.. claim::
   :label: eq-api-rtrl-influence
   :model: memory
   :for: t = 1..T, i = 1..n, j = 1..n, l = 1..n

   \frac{\partial h_{t,i}}{\partial W_{jl}}
     = (1 - h_{t,i}^2) \left( [\, i = j \,]\, h_{t-1,l} + \sum_{k=1}^{n} W_{ik} \frac{\partial h_{t-1,k}}{\partial W_{jl}} \right)

and the same for :math:`U` and :math:`b` with :math:`x_{t,l}` and 1 in the place of :math:`h_{t-1,l}`. The code puts all
weights into one matrix with :math:`m = n + d + 1` columns, :math:`M = (W\; U\; b)`.

Nothing of the past has to be kept, and the sequence need not end. But the influence has :math:`n^2 m` entries, and a step
takes :math:`n^3 m` multiplications for it: :math:`O(n^3)` numbers and :math:`O(n^4)` operations for each member of the
batch, where backpropagation through time needs :math:`O(T n)` and, for each step, :math:`O(n^2)`.
"""

from typing import NamedTuple

import numpy as np

from rnnbook import rnn
from rnnbook._arrays import as_floats
from rnnbook._cells import require_kind

__all__ = ["Gradients", "State", "gradients", "start", "step", "vjp"]


class State(NamedTuple):
    """What is carried from step to step. A state is never changed, so that one may go on from it more than once."""

    hidden: np.ndarray
    """h_t, shape (N, H)"""
    influence: np.ndarray
    """The derivative of component i of h_t with respect to entry (j, l) of M = (W U b), at [n, i, j, l]; shape
    (N, H, H, H + d + 1)"""
    influence0: np.ndarray
    """The Jacobian of h_t with respect to h_0, shape (N, H, H)"""


class Gradients(NamedTuple):
    """The gradients with respect to the initial state and the parameters, of the same shapes.

    There is none for the inputs: each of them would need an influence of its own.
    """

    hidden0: np.ndarray
    parameters: rnn.Parameters


def start(hidden0, parameters):
    """Begin: no weight has had any influence yet.

    Parameters
    ----------
    hidden0 : array_like, shape (N, H)
        The initial state, float32 or float64.
    parameters : rnnbook.rnn.Parameters
        Of the same dtype.

    Returns
    -------
    State

    Raises
    ------
    TypeError, ValueError
        As :func:`rnnbook.rnn.forward`.

    Examples
    --------
    >>> state = start(np.zeros((1, 3)), rnn.initialize(2, 3, rng=np.random.default_rng(0)))
    >>> state.influence.shape, state.influence.any()
    ((1, 3, 3, 6), np.False_)
    """
    sizes = {}
    hidden0 = as_floats("hidden0", hidden0, "N H", sizes)
    require_kind(parameters, rnn.Parameters)
    as_floats("parameters.weight_ih", parameters.weight_ih, "H d", sizes, like=("hidden0", hidden0))
    no_inputs = np.zeros((0, sizes["N"], sizes["d"]), hidden0.dtype)
    _, (hidden0,), parameters = rnn._checked(no_inputs, hidden0, parameters)
    (N, H), d = hidden0.shape, parameters.weight_ih.shape[1]
    identity = np.broadcast_to(np.eye(H, dtype=hidden0.dtype), (N, H, H))
    return State(hidden0.copy(), np.zeros((N, H, H, H + d + 1), hidden0.dtype), identity.copy())


def step(state, inputs, parameters):
    """Make one step: the next hidden state and the influences on it.

    Parameters
    ----------
    state : State
    inputs : array_like, shape (N, d)
        The input of this step, of the dtype of the state.
    parameters : rnnbook.rnn.Parameters
        If they are not those of the steps before, the influences are no exact derivatives any more: they mix what the
        old weights did with what the new ones do.

    Returns
    -------
    State

    Raises
    ------
    TypeError, ValueError
        As :func:`rnnbook.rnn.forward`.

    Examples
    --------
    The influence of the recurrent weight in a network of one unit, and the same by the chain rule:

    >>> W, h0 = 0.5, 0.3
    >>> parameters = rnn.Parameters(np.ones((1, 1)), np.full((1, 1), W), np.zeros(1), np.zeros(1))
    >>> state1 = step(start([[h0]], parameters), [[0.0]], parameters)
    >>> state2 = step(state1, [[0.0]], parameters)
    >>> print(round(state2.influence[0, 0, 0, 0], 14))
    0.2939281513388
    >>> h1, h2 = state1.hidden[0, 0], state2.hidden[0, 0]
    >>> print(round((1 - h2**2) * (h1 + W * (1 - h1**2) * h0), 14))
    0.2939281513388
    """
    before = as_floats("state.hidden", state.hidden, "N H", {})
    inputs = as_floats("inputs", inputs, "N d", {"N": len(before)}, like=("state.hidden", before))
    inputs, (before,), parameters = rnn._checked(inputs[None], before, parameters)
    weight_ih, weight_hh, bias_ih, bias_hh = parameters
    (inputs,), (N, H) = inputs, before.shape
    recurrent, input_t = before @ weight_hh.T, inputs @ weight_ih.T
    hidden = np.tanh(recurrent + input_t + (bias_ih + bias_hh))
    slopes = 1 - hidden**2

    # Through the state before: n³ m multiplications for each member of the batch.
    m = state.influence.shape[-1]
    influence = weight_hh @ state.influence.reshape(N, H, H * m)
    influence = influence.reshape(N, H, H, m)
    # Directly: row i of M multiplies (h_{t-1}, x_t, 1) in component i, in no other.
    ones = np.ones((N, 1), before.dtype)
    multiplied = np.concatenate([before, inputs, ones], axis=1)
    np.einsum("niil->nil", influence)[...] += multiplied[:, None, :]
    influence *= slopes[:, :, None, None]
    influence0 = slopes[:, :, None] * (weight_hh @ state.influence0)
    return State(hidden, influence, influence0)


def vjp(state, cotangents):
    r"""Multiply the influences by a row from the left: the gradients of a loss that looks at this hidden state.

    Parameters
    ----------
    state : State
    cotangents : array_like, shape (N, H)
        The gradient of the loss with respect to the hidden state, of its dtype.

    Returns
    -------
    Gradients
        Those with respect to the parameters are summed over the batch.

    Raises
    ------
    TypeError, ValueError
        If `cotangents` has not the shape and dtype of the hidden state.

    Examples
    --------
    >>> parameters = rnn.initialize(2, 3, rng=np.random.default_rng(0))
    >>> state = step(start(np.ones((1, 3)), parameters), np.ones((1, 2)), parameters)
    >>> vjp(state, np.ones((1, 3))).parameters.bias_ih.round(4)  # the slopes, after a single step
    array([0.928 , 0.8113, 0.8002])
    """
    N, H = state.hidden.shape
    sizes = {"N": N, "H": H}
    cotangents = as_floats("cotangents", cotangents, "N H", sizes, like=("state.hidden", state.hidden))
    of_weights = np.tensordot(cotangents, state.influence, axes=((0, 1), (0, 1)))
    bias = of_weights[:, -1]
    return Gradients(
        hidden0=np.einsum("ni,nij->nj", cotangents, state.influence0),
        parameters=rnn.Parameters(
            weight_ih=of_weights[:, H:-1].copy(),
            weight_hh=of_weights[:, :H].copy(),
            bias_ih=bias.copy(),
            bias_hh=bias.copy(),
        ),
    )


def gradients(inputs, hidden0, parameters, loss_gradient):
    """Run over a whole sequence, and add up the gradients of the losses of all steps.

    Parameters
    ----------
    inputs, hidden0, parameters
        As for :func:`rnnbook.rnn.forward`.
    loss_gradient : callable
        ``loss_gradient(first, hidden)``, as in :mod:`rnnbook.checkpoint`: with ``hidden`` of shape (1, N, H), the
        state of step ``first + 1``, it returns what the loss takes from it directly. Earlier steps come first.

    Returns
    -------
    Gradients

    Raises
    ------
    TypeError, ValueError
        As :func:`rnnbook.rnn.forward`, or if `loss_gradient` returns something else than an array of the shape and
        dtype of the state.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> parameters = rnn.initialize(2, 5, rng=rng)
    >>> inputs, hidden0 = rng.normal(size=(9, 3, 2)), rng.normal(size=(3, 5))
    >>> (hidden, _), cache = rnn.forward(inputs, hidden0, parameters)
    >>> backwards = rnn.backward((hidden, None), cache)
    >>> forwards = gradients(inputs, hidden0, parameters, lambda first, hidden: hidden)
    >>> np.allclose(forwards.parameters.weight_hh, backwards.parameters.weight_hh, rtol=1e-12)
    True
    """
    inputs, (hidden0,), parameters = rnn._checked(inputs, hidden0, parameters)
    state = start(hidden0, parameters)
    total = vjp(state, np.zeros(hidden0.shape, inputs.dtype))
    for t, inputs_t in enumerate(inputs):
        state = step(state, inputs_t, parameters)
        hidden = state.hidden[None]
        hidden.flags.writeable = False
        sizes = dict(zip(("steps", "N", "H"), hidden.shape))
        name = f"loss_gradient({t}, hidden)"
        cotangents = as_floats(name, loss_gradient(t, hidden), "steps N H", sizes, like=("hidden", hidden))
        now = vjp(state, cotangents[0])
        total.hidden0[...] += now.hidden0
        for sum_, summand in zip(total.parameters, now.parameters):
            sum_ += summand
    return total
