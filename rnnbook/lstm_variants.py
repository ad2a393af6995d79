r"""The LSTM with peepholes, with coupled gates, or with both.

Peepholes let the gates see the cell's state itself, each component of it by a weight of its own: the input and the
forget gate see the state as it was, the output gate as it has become.

.. claim::
   :label: eq-api-variants-gates
   :model: lstm-peephole

   \begin{pmatrix} i_t \\ f_t \\ \tilde C_t \\ o_t \end{pmatrix} = \begin{pmatrix}
     \sigma(W_i h_{t-1} + U_i x_t + p_i \odot C_{t-1} + b_i) \\
     \sigma(W_f h_{t-1} + U_f x_t + p_f \odot C_{t-1} + b_f) \\
     \tanh(W_c h_{t-1} + U_c x_t + b_c) \\
     \sigma(W_o h_{t-1} + U_o x_t + p_o \odot C_t + b_o)
   \end{pmatrix}

Coupled gates have one decision for both: as much is written as was erased, :math:`f_t = 1 - i_t`.

.. claim::
   :label: eq-api-variants-coupled
   :model: lstm-coupled

   C_t = (1 - i_t) \odot C_{t-1} + i_t \odot \tilde C_t

The hidden state is :math:`h_t = o_t \odot \tanh(C_t)`, as ever.

This is the step-by-step form alone, one line for each equation, for arrays of any numeric dtype. Layout and names are
those of :mod:`rnnbook.lstm`, and the module can stand for a cell in :mod:`rnnbook.padded`,
:mod:`~rnnbook.bidirectional` and :mod:`~rnnbook.stacked`.
"""

from typing import NamedTuple

import numpy as np

from rnnbook._arrays import as_array
from rnnbook._cells import checked, checked_cotangents, drawn, sigmoid, zeros_like
from rnnbook.initialization import uniform

__all__ = ["Cache", "Gradients", "Parameters", "backward", "forward", "initialize"]


class Parameters(NamedTuple):
    """Those of :class:`rnnbook.lstm.Parameters`, in the order i, f, g, o, and the peepholes.

    With coupled gates the rows of f have no effect, and gradients of zero.
    """

    weight_ih: np.ndarray
    """U, from the input to the gates, shape (4H, d)"""
    weight_hh: np.ndarray
    """W, from the hidden state to the gates, shape (4H, H)"""
    bias_ih: np.ndarray
    """shape (4H,); b is the sum of the two biases"""
    bias_hh: np.ndarray
    """shape (4H,)"""
    weight_ch: np.ndarray
    """p, from the cell to the gates i, f and o, shape (3, H); zeros for none"""


class Gradients(NamedTuple):
    """The gradients with respect to every argument of :func:`forward`, in its order and of the same shapes."""

    inputs: np.ndarray
    hidden0: np.ndarray
    cell0: np.ndarray
    parameters: Parameters


class Cache(NamedTuple):
    """What :func:`forward` leaves for :func:`backward`."""

    inputs: np.ndarray
    """shape (T, N, d)"""
    hidden: np.ndarray
    """shape (T + 1, N, H), the initial one first"""
    cells: np.ndarray
    """shape (T + 1, N, H), the initial one first"""
    gates: np.ndarray
    """i, f, g and o, shape (T, 4, N, H)"""
    parameters: Parameters
    coupled: bool


def initialize(input_size, hidden_size, *, rng, dtype=np.float64):
    r"""Draw parameters, every entry uniformly from :math:`(-1/\sqrt H, 1/\sqrt H)`.

    Parameters
    ----------
    input_size, hidden_size, rng, dtype
        As for :func:`rnnbook.lstm.initialize`.

    Returns
    -------
    Parameters

    Raises
    ------
    TypeError, ValueError
        As :func:`rnnbook.lstm.initialize`.

    Examples
    --------
    >>> initialize(3, 4, rng=np.random.default_rng(0)).weight_ch.shape
    (3, 4)
    """
    four = drawn(4, input_size, hidden_size, rng, dtype)
    return Parameters(*four, uniform((3, hidden_size), 1 / np.sqrt(hidden_size), rng=rng, dtype=dtype))


def forward(inputs, hidden0, cell0, parameters, *, coupled=False):
    r"""Run the network over a batch of sequences, one step after the other.

    Parameters
    ----------
    inputs : array_like, shape (T, N, d)
        :math:`x_1, \dots, x_T`.
    hidden0, cell0 : array_like, shape (N, H)
        :math:`h_0` and :math:`C_0`.
    parameters : Parameters
    coupled : bool, optional
        Whether :math:`f_t = 1 - i_t`.

    Returns
    -------
    outputs : tuple of numpy.ndarray
        ``hidden``, shape (T, N, H), read-only; ``final_hidden`` and ``final_cell``, shape (N, H).
    cache : Cache
        For :func:`backward`.

    Raises
    ------
    TypeError
        If `parameters` is not a :class:`Parameters`, or an array is not one of numbers.
    ValueError
        If a shape does not fit.

    Notes
    -----
    Peepholes: F. A. Gers and J. Schmidhuber, "Recurrent nets that time and count", IJCNN 2000. Both, and what they are
    worth: K. Greff et al., "LSTM: a search space odyssey", *IEEE Transactions on Neural Networks and Learning Systems*
    28 (2017), 2222-2232.

    Examples
    --------
    With coupled gates the cell's state is an average of what it was and of something between -1 and 1, so that it never
    leaves that range; without, it can count:

    >>> weights, bias = np.zeros((4, 1)), np.array([9.0, 9.0, 9.0, 0.0])
    >>> parameters = Parameters(weights, weights, bias, np.zeros(4), np.zeros((3, 1)))
    >>> for coupled in (False, True):
    ...     (_, _, final_cell), _ = forward(np.zeros((50, 1, 1)), [[0.0]], [[0.0]], parameters, coupled=coupled)
    ...     print(coupled, final_cell.round(2))
    False [[49.84]]
    True [[1.]]
    """
    states = {"hidden0": hidden0, "cell0": cell0}
    inputs, (hidden0, cell0), parameters = checked(inputs, states, parameters, Parameters, 4, as_array)
    weight_ih, weight_hh, bias_ih, bias_hh, (p_i, p_f, p_o) = parameters
    hidden, cells, gates = [hidden0], [cell0], []
    for x in inputs:
        a = hidden[-1] @ weight_hh.T + x @ weight_ih.T + (bias_ih + bias_hh)
        a_i, a_f, a_g, a_o = np.split(a, 4, axis=-1)
        i = sigmoid(a_i + p_i * cells[-1])
        f = 1 - i if coupled else sigmoid(a_f + p_f * cells[-1])
        g = np.tanh(a_g)
        cells.append(f * cells[-1] + i * g)
        o = sigmoid(a_o + p_o * cells[-1])
        hidden.append(o * np.tanh(cells[-1]))
        gates.append((i, f, g, o))
    hidden, cells = np.stack(hidden), np.stack(cells)
    gates = np.reshape(gates, (len(inputs), 4, *hidden0.shape))
    hidden.flags.writeable = False
    return (hidden[1:], hidden[-1].copy(), cells[-1].copy()), Cache(inputs, hidden, cells, gates, parameters, coupled)


def backward(cotangents, cache):
    r"""Backpropagate through time: each line undoes one of the forward pass, the last first.

    What differs from :func:`rnnbook.lstm.backward`, with :math:`\alpha^{(f)}_t` for the gradient at the argument of
    :math:`f_t` and so on: through the peepholes the cell gets three messages more,

    .. claim::
       :label: eq-api-variants-gamma
       :model: lstm-peephole
       :for: t = 1..T-1

       \gamma_t &= o_t \odot (1 - \tanh^2(C_t)) \odot \delta_t + p_o \odot \alpha^{(o)}_t \\
         &\quad + f_{t+1} \odot \gamma_{t+1} + p_f \odot \alpha^{(f)}_{t+1} + p_i \odot \alpha^{(i)}_{t+1}

    and they themselves get

    .. claim::
       :label: eq-api-variants-peephole-f
       :model: lstm-peephole

       \nabla_{p_f} L = \sum_{t=1}^{T} \alpha^{(f)}_t \odot C_{t-1}

    .. claim::
       :label: eq-api-variants-peephole-i
       :model: lstm-peephole

       \nabla_{p_i} L = \sum_{t=1}^{T} \alpha^{(i)}_t \odot C_{t-1}

    .. claim::
       :label: eq-api-variants-peephole-o
       :model: lstm-peephole

       \nabla_{p_o} L = \sum_{t=1}^{T} \alpha^{(o)}_t \odot C_t

    With coupled gates the input gate answers for both,

    .. claim::
       :label: eq-api-variants-coupled-i
       :model: lstm-coupled

       \alpha^{(i)}_t = (\tilde C_t - C_{t-1}) \odot i_t \odot (1 - i_t) \odot \gamma_t

    Parameters
    ----------
    cotangents : tuple of array_like
        The gradients of the loss with respect to the three outputs of :func:`forward`. None stands for zeros.
    cache : Cache
        From :func:`forward`.

    Returns
    -------
    Gradients

    Raises
    ------
    TypeError
        If `cotangents` are not three.
    ValueError
        If a shape does not fit.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> inputs, zeros = rng.normal(size=(6, 4, 2)), np.zeros((4, 3))
    >>> outputs, cache = forward(inputs, zeros, zeros, initialize(2, 3, rng=rng), coupled=True)
    >>> gradients = backward(outputs, cache)
    >>> np.linalg.norm(np.split(gradients.parameters.weight_hh, 4), axis=(1, 2)).round(2)  # i, f, g, o
    array([0.04, 0.  , 0.59, 0.14])
    """
    inputs, hidden, cells, gates, parameters, coupled = cache
    final = ("the final hidden state", "the final cell state")
    cotangents_hidden, (delta_hidden, delta_cell) = checked_cotangents(cotangents, final, hidden[1:], as_array)
    weight_ih, weight_hh, _, _, (p_i, p_f, p_o) = parameters
    dtype = np.result_type(hidden, cells, cotangents_hidden, delta_hidden, delta_cell)
    gradients, gradients_inputs = zeros_like(parameters, dtype), np.zeros(inputs.shape, dtype)
    for t in range(len(inputs), 0, -1):
        i, f, g, o = gates[t - 1]
        # hidden[t] = o * tanh(cells[t])
        delta_hidden = cotangents_hidden[t - 1] + delta_hidden
        delta_o = delta_hidden * np.tanh(cells[t])
        delta_cell = delta_cell + delta_hidden * o * (1 - np.tanh(cells[t]) ** 2)
        # o = sigmoid(a_o + p_o * cells[t])
        delta_a_o = delta_o * o * (1 - o)
        delta_cell = delta_cell + delta_a_o * p_o
        # cells[t] = f * cells[t - 1] + i * g
        delta_f, delta_i, delta_g = delta_cell * cells[t - 1], delta_cell * g, delta_cell * i
        delta_cell = delta_cell * f
        # g = tanh(a_g)
        delta_a_g = delta_g * (1 - g**2)
        if coupled:
            # f = 1 - i
            delta_i = delta_i - delta_f
            delta_a_f = np.zeros_like(delta_f)
        else:
            # f = sigmoid(a_f + p_f * cells[t - 1])
            delta_a_f = delta_f * f * (1 - f)
        # i = sigmoid(a_i + p_i * cells[t - 1])
        delta_a_i = delta_i * i * (1 - i)
        delta_cell = delta_cell + delta_a_i * p_i + delta_a_f * p_f
        gradients.weight_ch[0] += (delta_a_i * cells[t - 1]).sum(axis=0)
        gradients.weight_ch[1] += (delta_a_f * cells[t - 1]).sum(axis=0)
        gradients.weight_ch[2] += (delta_a_o * cells[t]).sum(axis=0)
        # a = hidden[t - 1] @ weight_hh.T + inputs[t - 1] @ weight_ih.T + (bias_ih + bias_hh)
        delta_a = np.concatenate([delta_a_i, delta_a_f, delta_a_g, delta_a_o], axis=-1)
        gradients.weight_hh[...] += delta_a.T @ hidden[t - 1]
        gradients.weight_ih[...] += delta_a.T @ inputs[t - 1]
        gradients.bias_ih[...] += delta_a.sum(axis=0)
        gradients.bias_hh[...] += delta_a.sum(axis=0)
        gradients_inputs[t - 1] = delta_a @ weight_ih
        delta_hidden = delta_a @ weight_hh
    return Gradients(gradients_inputs, delta_hidden.astype(dtype), delta_cell.astype(dtype), gradients)
