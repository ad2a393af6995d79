r"""Two networks over the same sequences, one from the front and one from the back.

With the plain cell, for example, the state from the front and the state from the back are

.. claim::
   :label: eq-api-bidirectional-front
   :model: bidirectional

   h_t = \tanh(A h_{t-1} + U x_t + a)

.. claim::
   :label: eq-api-bidirectional-back
   :model: bidirectional

   k_t = \tanh(B k_{t+1} + R x_t + b)

and the output is :math:`h_t` beside :math:`k_t`. They share the inputs and nothing else, so that the backward pass is
that of each, and the gradients of the inputs are added. It needs the whole sequence before its first output: not for
what is to be predicted as it comes.

Everything is laid out as in PyTorch: the outputs have the shape (T, N, 2H), the front's before the back's; initial and
final states have the shape (2, N, H). The final state of the second direction is the one that has seen everything, at
:math:`t = 1`; ``outputs[-1]`` holds the one that has seen only :math:`x_T`.
"""

from typing import Any, NamedTuple

import numpy as np

from rnnbook import padded
from rnnbook._arrays import as_floats

__all__ = ["Cache", "Gradients", "Parameters", "backward", "forward", "initialize"]


class Parameters(NamedTuple):
    """The parameters of both directions, each the cell's own named tuple."""

    forward: Any
    """from the front"""
    reverse: Any
    """from the back; PyTorch's names for them end in ``_reverse``"""


class Gradients(NamedTuple):
    """The gradients with respect to every argument of :func:`forward`, of the same shapes."""

    inputs: np.ndarray
    initial: tuple
    """for each state of the cell, shape (2, N, H)"""
    parameters: Parameters


class Cache(NamedTuple):
    """What :func:`forward` leaves for :func:`backward`."""

    forward: padded.Cache
    reverse: padded.Cache
    lengths: Any


def initialize(input_size, hidden_size, *, cell, rng, dtype=np.float64):
    """Draw the parameters of both directions as the cell does.

    Parameters
    ----------
    input_size, hidden_size : int
    cell : module
        :mod:`rnnbook.rnn`, :mod:`rnnbook.lstm` or :mod:`rnnbook.gru`.
    rng, dtype
        As for the cell.

    Returns
    -------
    Parameters

    Raises
    ------
    TypeError, ValueError
        As the cell.

    Examples
    --------
    >>> from rnnbook import gru
    >>> parameters = initialize(3, 4, cell=gru, rng=np.random.default_rng(0))
    >>> parameters.reverse.weight_ih.shape
    (12, 3)
    """
    padded.states(cell)
    forward, reverse = (cell.initialize(input_size, hidden_size, rng=rng, dtype=dtype) for _ in range(2))
    return Parameters(forward, reverse)


def forward(inputs, initial, parameters, *, cell, lengths=None, **options):
    """Run a cell over a batch of sequences in both directions.

    Parameters
    ----------
    inputs : array_like, shape (T, N, d)
        float32 or float64.
    initial : tuple of array_like
        The initial states, as many as the cell has, each of shape (2, N, H): what the first direction starts with
        before step 1, and the second after the last step of each sequence.
    parameters : Parameters
    cell : module
        :mod:`rnnbook.rnn`, :mod:`rnnbook.lstm` or :mod:`rnnbook.gru`.
    lengths : array_like of int, shape (N,), optional
        How long each sequence is, from 0 to T, in any order; see :mod:`rnnbook.padded`. None stands for T, for all.
    **options
        Handed on to the cell.

    Returns
    -------
    outputs : tuple
        ``hidden``, shape (T, N, 2H), with zeros in the padding, and ``final``, a tuple of the final states of both
        directions, shape (2, N, H).
    cache : Cache
        For :func:`backward`.

    Raises
    ------
    TypeError, ValueError
        As the cell, and if `parameters` is not a :class:`Parameters`.

    Notes
    -----
    M. Schuster and K. K. Paliwal, "Bidirectional recurrent neural networks", *IEEE Transactions on Signal Processing*
    45 (1997), 2673-2681.

    Examples
    --------
    Every output depends on every input. The first direction sees what came before, the second what comes after:

    >>> from rnnbook import rnn
    >>> rng = np.random.default_rng(0)
    >>> parameters = initialize(1, 1, cell=rnn, rng=rng)
    >>> inputs, initial = rng.normal(size=(4, 1, 1)), (np.zeros((2, 1, 1)),)
    >>> (hidden, _), _ = forward(inputs, initial, parameters, cell=rnn)
    >>> inputs[2] += 1  # x_3
    >>> (changed, _), _ = forward(inputs, initial, parameters, cell=rnn)
    >>> (changed != hidden)[:, 0].astype(int).T
    array([[0, 0, 1, 1],
           [1, 1, 1, 0]])
    """
    if not isinstance(parameters, Parameters):
        raise TypeError(f"parameters: expected rnnbook.bidirectional.Parameters, got {type(parameters).__name__}")
    sizes = {"directions": 2}
    inputs = as_floats("inputs", inputs, "T N d", sizes)
    names = padded.states(cell)
    initial = tuple(initial)
    if len(initial) != len(names):
        raise ValueError(f"initial: expected {len(names)} states, {', '.join(names)}, got {len(initial)}")
    like = ("inputs", inputs)
    initial = [as_floats(name, state, "directions N H", sizes, like) for name, state in zip(names, initial)]

    from_front, from_back = ([state[k] for state in initial] for k in range(2))
    options |= {"cell": cell, "lengths": lengths}
    (front, final_front), cache_front = padded.forward(inputs, from_front, parameters.forward, **options)
    turned = padded.reverse(inputs, lengths)
    (back, final_back), cache_back = padded.forward(turned, from_back, parameters.reverse, **options)
    hidden = np.concatenate([front, padded.reverse(back, lengths)], axis=-1)
    final = tuple(np.stack(both) for both in zip(final_front, final_back))
    return (hidden, final), Cache(cache_front, cache_back, lengths)


def backward(cotangents, cache):
    r"""Go back through both directions: each line undoes one of the forward pass, the last first.

    With the plain cell, :math:`\delta_t = \nabla_{h_t} L` and :math:`\kappa_t = \nabla_{k_t} L`, and with
    :math:`\alpha_t = (1 - h_t^2) \odot \delta_t` and :math:`\beta_t = (1 - k_t^2) \odot \kappa_t`, one message runs
    from the back and one from the front,

    .. claim::
       :label: eq-api-bidirectional-delta
       :model: bidirectional
       :for: t = 1..T-1

       \delta_t = P^\top \varepsilon_t + A^\top \alpha_{t+1}

    .. claim::
       :label: eq-api-bidirectional-kappa
       :model: bidirectional
       :for: t = 2..T

       \kappa_t = Q^\top \varepsilon_t + B^\top \beta_{t-1}

    where :math:`P^\top \varepsilon_t` and :math:`Q^\top \varepsilon_t` stand for what the loss takes from each state
    directly, and the two meet at the inputs:

    .. claim::
       :label: eq-api-bidirectional-inputs
       :model: bidirectional

       \nabla_{x_t} L = U^\top \alpha_t + R^\top \beta_t

    Parameters
    ----------
    cotangents : tuple
        The gradients of the loss with respect to the outputs of :func:`forward`: an array of shape (T, N, 2H), whose
        numbers in the padding are not looked at, and a tuple of arrays of shape (2, N, H) for the final states. None
        stands for zeros, for either and within the tuple.
    cache : Cache
        From :func:`forward`.

    Returns
    -------
    Gradients

    Raises
    ------
    TypeError, ValueError
        If `cotangents` is not of the form of the outputs.

    Examples
    --------
    From the output in the middle the gradient reaches both ends:

    >>> from rnnbook import rnn
    >>> rng = np.random.default_rng(0)
    >>> parameters = initialize(1, 2, cell=rnn, rng=rng)
    >>> _, cache = forward(rng.normal(size=(5, 1, 1)), (np.zeros((2, 1, 2)),), parameters, cell=rnn)
    >>> cotangents = np.zeros((5, 1, 4))
    >>> cotangents[2] = 1
    >>> backward((cotangents, None), cache).inputs[:, 0, 0].round(3)
    array([ 0.012, -0.027,  0.042,  0.774, -0.163])
    """
    names = padded.states(cache.forward.cell)
    cotangents_hidden, cotangents_final = padded.pair(cotangents, names)
    like = cache.forward.parts[0][2].parameters.weight_hh
    (T, N, _), H = cache.forward.shape, like.shape[1]
    sizes = {"T": T, "N": N, "2H": 2 * H, "directions": 2, "H": H}
    like = ("the cache", like)
    final = [
        (None, None) if state is None else as_floats(f"cotangents[1][{k}]", state, "directions N H", sizes, like)
        for k, state in enumerate(cotangents_final)
    ]
    to_front, to_back = ([state[k] for state in final] for k in range(2))
    if cotangents_hidden is None:
        front = back = None
    else:
        front, back = np.split(as_floats("cotangents[0]", cotangents_hidden, "T N 2H", sizes, like), 2, axis=-1)
        back = padded.reverse(back, cache.lengths)
    of_back = padded.backward((back, to_back), cache.reverse)
    of_front = padded.backward((front, to_front), cache.forward)
    return Gradients(
        inputs=of_front.inputs + padded.reverse(of_back.inputs, cache.lengths),
        initial=tuple(np.stack(both) for both in zip(of_front.initial, of_back.initial)),
        parameters=Parameters(of_front.parameters, of_back.parameters),
    )
