r"""The long short-term memory, its gates, and its backward pass.

At step :math:`t = 1, \dots, T` the input gate, the forget gate, the candidate and the output gate are

.. claim::
   :label: eq-api-lstm-gates
   :model: lstm

   \begin{pmatrix} i_t \\ f_t \\ \tilde C_t \\ o_t \end{pmatrix} = \begin{pmatrix}
     \sigma(W_i h_{t-1} + U_i x_t + b_i) \\
     \sigma(W_f h_{t-1} + U_f x_t + b_f) \\
     \tanh(W_c h_{t-1} + U_c x_t + b_c) \\
     \sigma(W_o h_{t-1} + U_o x_t + b_o)
   \end{pmatrix}

and the cell state and the hidden state

.. claim::
   :label: eq-api-lstm-cell
   :model: lstm

   C_t = f_t \odot C_{t-1} + i_t \odot \tilde C_t

.. claim::
   :label: eq-api-lstm-hidden
   :model: lstm

   h_t = o_t \odot \tanh(C_t)

Arrays are laid out as in PyTorch: time first, then the batch, then the components. The weights of the four layers stand
one below the other as the layers do above, in PyTorch's order i, f, g, o, where g is its name for the candidate:

=================================  ===========================  ==============================
In a formula                       In code                      Shape
=================================  ===========================  ==============================
:math:`x_t`                        ``inputs[t - 1]``            (N, d)
:math:`h_t`                        ``hidden[t - 1]``            (N, H)
:math:`h_0`, :math:`C_0`           ``hidden0``, ``cell0``       (N, H)
:math:`U_i, U_f, U_c, U_o`         ``weight_ih``                (4H, d)
:math:`W_i, W_f, W_c, W_o`         ``weight_hh``                (4H, H)
:math:`b_i, b_f, b_c, b_o`         ``bias_ih + bias_hh``        (4H,) each
=================================  ===========================  ==============================

:func:`reference_forward` and :func:`reference_backward` are the formulas, one line for each, and take any numbers, so
that a complex step can go through them. :func:`forward` and :func:`backward` give the same numbers fast. For peepholes
and coupled gates see :mod:`rnnbook.lstm_variants`.
"""

import functools
from typing import NamedTuple

import numpy as np

from rnnbook._arrays import as_array, as_floats
from rnnbook._cells import (
    aligned,
    blocks,
    checked,
    checked_cotangents,
    columns,
    drawn,
    longest_part,
    multiplication,
    parts,
    rolled,
    rows,
    sigmoid,
    tall,
    zeros_like,
)

__all__ = [
    "Cache",
    "Gradients",
    "Parameters",
    "backward",
    "forward",
    "initialize",
    "reference_backward",
    "reference_forward",
    "step_jacobian",
]


class Parameters(NamedTuple):
    """The network's parameters, named, shaped and ordered (i, f, g, o) as in PyTorch's ``torch.nn.LSTM``."""

    weight_ih: np.ndarray
    """U, from the input to the gates, shape (4H, d)"""
    weight_hh: np.ndarray
    """W, from the hidden state to the gates, shape (4H, H)"""
    bias_ih: np.ndarray
    """shape (4H,); b is the sum of the two biases"""
    bias_hh: np.ndarray
    """shape (4H,)"""


class Gradients(NamedTuple):
    """The gradients with respect to every argument of :func:`forward`, in its order and of the same shapes."""

    inputs: np.ndarray
    hidden0: np.ndarray
    cell0: np.ndarray
    parameters: Parameters


class Cache(NamedTuple):
    """What the forward pass leaves for the backward pass, and for whoever wants to see the gates.

    It refers to the inputs and the parameters and does not copy them: change neither before the backward pass.
    """

    inputs: np.ndarray
    """shape (T, N, d)"""
    hidden: np.ndarray
    """the hidden states with the initial one before them, so that ``hidden[t]`` is h_t; shape (T + 1, N, H)"""
    cells: np.ndarray
    """the cell states in the same way, so that ``cells[t]`` is C_t; shape (T + 1, N, H)"""
    input_gate: np.ndarray
    """``input_gate[t - 1]`` is i_t; shape (T, N, H), as of the next three"""
    forget_gate: np.ndarray
    """f"""
    candidate: np.ndarray
    """g"""
    output_gate: np.ndarray
    """o"""
    parameters: Parameters


def initialize(input_size, hidden_size, *, rng, dtype=np.float64):
    r"""Draw parameters as PyTorch does, every entry uniformly from :math:`(-1/\sqrt H, 1/\sqrt H)`.

    Parameters
    ----------
    input_size : int
        :math:`d`.
    hidden_size : int
        :math:`H`, at least 1.
    rng : numpy.random.Generator
        Where the random numbers come from: ``numpy.random.default_rng(seed)``.
    dtype : numpy.dtype, optional
        float64 or float32. The same generator gives the same numbers for both, rounded.

    Returns
    -------
    Parameters

    Raises
    ------
    TypeError
        If `rng` is not a generator, a size not an integer, or `dtype` another than float32 or float64.
    ValueError
        If a size is out of range.

    See Also
    --------
    rnnbook.initialization.forget_gate_bias : so that the forget gate starts open.

    Examples
    --------
    >>> parameters = initialize(3, 100, rng=np.random.default_rng(0))
    >>> print(parameters.weight_hh.shape, np.abs(parameters.weight_hh).max().round(4))
    (400, 100) 0.1
    """
    return Parameters(*drawn(4, input_size, hidden_size, rng, dtype))


def forward(inputs, hidden0, cell0, parameters):
    r"""Run the network over a batch of sequences.

    Parameters
    ----------
    inputs : array_like, shape (T, N, d)
        :math:`x_1, \dots, x_T`, float32 or float64.
    hidden0, cell0 : array_like, shape (N, H)
        :math:`h_0` and :math:`C_0`, of the same dtype, as are the parameters.
    parameters : Parameters

    Returns
    -------
    outputs : tuple of numpy.ndarray
        ``hidden``, shape (T, N, H): all hidden states, :math:`h_1, \dots, h_T`. They are read-only, because the
        backward pass needs them as they are. And ``final_hidden`` and ``final_cell``, shape (N, H): copies of the last
        states, to go on from.
    cache : Cache
        For :func:`backward`.

    Raises
    ------
    TypeError
        If `parameters` is not a :class:`Parameters`, or an array is not of dtype float32 or float64, or of another
        than `inputs`.
    ValueError
        If a shape does not fit.

    See Also
    --------
    reference_forward : the same, as the formulas have it.

    Notes
    -----
    S. Hochreiter and J. Schmidhuber, "Long short-term memory", *Neural Computation* 9 (1997), 1735-1780; the forget
    gate: F. A. Gers, J. Schmidhuber and F. Cummins, "Learning to forget", *Neural Computation* 12 (2000), 2451-2471.

    Examples
    --------
    With all weights zero the biases alone decide. A forget gate that is open, f = 1, and an input gate that is shut,
    i = 0, carry the cell's state unchanged, however long the sequence:

    >>> bias = np.array([-1e3, 1e3, 0.0, 0.0])  # i, f, g, o
    >>> parameters = Parameters(np.zeros((4, 1)), np.zeros((4, 1)), bias, np.zeros(4))
    >>> (hidden, _, final_cell), cache = forward(np.ones((1000, 1, 1)), [[0.0]], [[0.7]], parameters)
    >>> final_cell
    array([[0.7]])
    """
    inputs, (hidden0, cell0), parameters = _checked(inputs, hidden0, cell0, parameters)
    (T, N, _), H = inputs.shape, hidden0.shape[1]
    dtype = inputs.dtype

    # One column for each member of the batch: [o_t; i_t; f_t; g_t], with C_{t-1} below. In this order the three gates
    # with a σ stand together, and so do the factors of i ⊙ g and f ⊙ C.
    states = np.empty((T + 1, 5 * H, N), dtype)
    states[0, 4 * H :] = cell0.T
    # The weights are multiplied with [h_{t-1}; x_t; 1].
    weights = np.column_stack([parameters.weight_hh, parameters.weight_ih, parameters.bias_ih + parameters.bias_hh])
    weights = rolled(weights, H)
    weights[: 3 * H] *= np.array(0.5, dtype)  # σ(a) = ½ + ½ tanh(a/2): one tanh for all gates
    multiply = multiplication(weights, N)

    if _compiled(dtype):
        hidden = _run_compiled(multiply, np.ascontiguousarray(inputs), hidden0, states)
    else:
        hidden = _run(multiply, inputs, hidden0, states)

    hidden.flags.writeable = states.flags.writeable = False
    cache = Cache(inputs, hidden, *_views(states), parameters)
    cells = cache.cells
    return (hidden[1:], hidden[-1].copy(), cells[-1].copy()), cache


def _run(multiply, inputs, hidden0, states):
    """Fill in the gates and the cell states, step by step, and return the hidden states, with the initial one."""
    (T, N, d), H, dtype = inputs.shape, hidden0.shape[1], states.dtype
    stacked = aligned((T + 1, H + d + 1, N), dtype)
    stacked[0, :H] = hidden0.T
    stacked[:T, H:-1] = columns(inputs)
    stacked[:, -1] = 1
    half = np.array(0.5, dtype)
    products, tanh_cell = np.empty((2 * H, N), dtype), np.empty((H, N), dtype)
    written, kept = products[:H], products[H:]
    steps = zip(
        stacked,
        states[:-1, : 4 * H],
        states[:-1, : 3 * H],
        states[:-1, H : 3 * H],
        states[:-1, 3 * H :],
        states[:-1, :H],
        states[1:, 4 * H :],
        stacked[1:, :H],
    )
    for stacked_t, gates, sigmoids, input_forget, candidate_cell, output, cell, hidden in steps:
        multiply(stacked_t, gates)
        np.tanh(gates, gates)
        np.multiply(sigmoids, half, sigmoids)
        np.add(sigmoids, half, sigmoids)
        np.multiply(input_forget, candidate_cell, products)
        np.add(written, kept, cell)
        np.tanh(cell, tanh_cell)
        np.multiply(output, tanh_cell, hidden)
    return np.ascontiguousarray(columns(stacked[:, :H]))


def _run_compiled(multiply, inputs, hidden0, states):
    """Do the same with compiled steps."""
    (T, N, d), H, dtype = inputs.shape, hidden0.shape[1], states.dtype
    hidden = np.empty((T + 1, N, H), dtype)
    column, arguments = aligned((H + d + 1, N), dtype), np.empty((4 * H, N), dtype)
    column[-1] = 1
    hidden[0], column[:H] = hidden0, hidden0.T
    if T > 0:
        column[H:-1] = inputs[0].T
    for _ in _compiled(dtype).forward_steps(inputs, column, arguments, states, hidden):
        multiply(column, arguments)
    return hidden


def backward(cotangents, cache):
    r"""Backpropagate through time: the gradients of a loss with respect to everything that :func:`forward` was given.

    Let :math:`\delta_t = \nabla_{h_t} L` and :math:`\gamma_t = \nabla_{C_t} L`, columns, and let the loss itself have
    the gradient :math:`g_t` at :math:`h_t`, and :math:`e` at :math:`C_T`. From :math:`t = T` down to 1, where
    :math:`\delta_T = g_T`,

    .. claim::
       :label: eq-api-lstm-gamma-last
       :model: lstm-packed

       \gamma_T = e + o_T \odot (1 - \tanh^2(C_T)) \odot \delta_T

    .. claim::
       :label: eq-api-lstm-gamma
       :model: lstm-packed
       :for: t = 1..T-1

       \gamma_t = f_{t+1} \odot \gamma_{t+1} + o_t \odot (1 - \tanh^2(C_t)) \odot \delta_t

    The four layers' arguments :math:`a_t = W h_{t-1} + U x_t + b`, one below the other, have the gradient

    .. claim::
       :label: eq-api-lstm-alpha
       :model: lstm-packed

       \alpha_t = \nabla_{a_t} L = \begin{pmatrix}
         \tilde C_t \odot i_t \odot (1 - i_t) \odot \gamma_t \\
         C_{t-1} \odot f_t \odot (1 - f_t) \odot \gamma_t \\
         i_t \odot (1 - \tilde C_t^2) \odot \gamma_t \\
         \tanh(C_t) \odot o_t \odot (1 - o_t) \odot \delta_t
       \end{pmatrix}

    .. claim::
       :label: eq-api-lstm-delta
       :model: lstm-packed
       :for: t = 1..T-1

       \delta_t = g_t + W^\top \alpha_{t+1}

    and pass it on to the parameters, the inputs and the initial states:

    .. claim::
       :label: eq-api-lstm-weight-hh
       :model: lstm-packed

       \frac{\partial L}{\partial W} = \sum_{t=1}^{T} \alpha_t\, h_{t-1}^\top

    .. claim::
       :label: eq-api-lstm-weight-ih
       :model: lstm-packed

       \frac{\partial L}{\partial U} = \sum_{t=1}^{T} \alpha_t\, x_t^\top

    .. claim::
       :label: eq-api-lstm-bias
       :model: lstm-packed

       \nabla_b L = \sum_{t=1}^{T} \alpha_t

    .. claim::
       :label: eq-api-lstm-inputs
       :model: lstm-packed

       \nabla_{x_t} L = U^\top \alpha_t

    .. claim::
       :label: eq-api-lstm-hidden0
       :model: lstm-packed

       \nabla_{h_0} L = W^\top \alpha_1

    .. claim::
       :label: eq-api-lstm-cell0
       :model: lstm-packed

       \nabla_{C_0} L = f_1 \odot \gamma_1

    Parameters
    ----------
    cotangents : tuple of array_like
        The gradients of the loss with respect to the three outputs of :func:`forward`, of their shapes and dtype: for
        all hidden states, for the final hidden state, and for the final cell state. None stands for zeros.
    cache : Cache
        From :func:`forward`.

    Returns
    -------
    Gradients
        Summed over the batch, as the loss is. Both biases have the same gradient.

    Raises
    ------
    TypeError
        If `cotangents` are not three, or one is not of the dtype of the inputs.
    ValueError
        If a shape does not fit.

    See Also
    --------
    reference_backward : the same, one line for each equation.

    Examples
    --------
    How much of the gradient of the last hidden state's sum reaches the first input, by the bias of the forget gate:

    >>> from rnnbook.initialization import forget_gate_bias
    >>> rng = np.random.default_rng(0)
    >>> parameters, inputs, zeros = initialize(2, 3, rng=rng), rng.normal(size=(50, 1, 2)), np.zeros((1, 3))
    >>> for bias in (0.0, 1.0, 3.0):
    ...     (_, final, _), cache = forward(inputs, zeros, zeros, forget_gate_bias(parameters, bias))
    ...     print(bias, f"{np.linalg.norm(backward((None, np.ones_like(final), None), cache).inputs[0]):.0e}")
    0.0 2e-13
    1.0 7e-07
    3.0 4e-03
    """
    inputs, hidden, cells, _, _, _, _, parameters = cache
    cotangents_hidden, (delta_hidden, delta_cell) = _checked_cotangents(cotangents, cache)
    T, N, H = cotangents_hidden.shape
    dtype = hidden.dtype
    # One column for each member of the batch, as in the forward pass.
    deltas = np.ascontiguousarray(np.stack([delta_hidden.T, delta_cell.T]))
    delta_hidden, delta_cell = deltas
    multiply = multiplication(rolled(parameters.weight_hh, H).T, N)  # for o, i, f, g

    compiled = _compiled(dtype)
    if compiled:
        states, cotangents_hidden = _states(cache), np.ascontiguousarray(cotangents_hidden)
    gradients_inputs = np.empty(inputs.shape, dtype)
    weight_ih = rolled(parameters.weight_ih, H)
    # The gradients of W, U and b in one: sums of products of the gates' cotangents and [h_{t-1}; x_t; 1].
    of_weights = np.zeros((4 * H, H + inputs.shape[2] + 1), dtype)
    room = aligned((longest_part(T, N), 6, H, N), dtype)
    for part in parts(T, N):
        factors = room[: part.stop - part.start]
        of_gates = factors[:, 1:5].reshape(len(factors), 4 * H, N)  # becomes the cotangents of their arguments
        if compiled:
            steps = compiled.backward_steps(states, cotangents_hidden, deltas, factors, part.start)
            for _, alphas in zip(steps, of_gates[::-1]):  # in this order, so that the steps come to their end
                multiply(alphas, delta_hidden)
        else:
            for block in blocks(part, N * H):
                of_hidden = np.ascontiguousarray(columns(cotangents_hidden[block]))
                factors_of_block = factors[block.start - part.start : block.stop - part.start]
                _local_factors(cache, block, factors_of_block)
                _go_back(multiply, factors_of_block, of_hidden, delta_hidden, delta_cell)
        local = tall(of_gates)
        np.matmul(local, weight_ih, out=rows(gradients_inputs[part]))
        stacked = [rows(hidden[part]), rows(inputs[part]), np.ones((len(local), 1), dtype)]
        of_weights += local.T @ np.concatenate(stacked, axis=1)
    of_weights = rolled(of_weights, -H)  # to the order i, f, g, o
    bias = of_weights[:, -1]
    return Gradients(
        inputs=gradients_inputs,
        hidden0=np.ascontiguousarray(delta_hidden.T),
        cell0=np.ascontiguousarray(delta_cell.T),
        parameters=Parameters(
            weight_ih=np.ascontiguousarray(of_weights[:, H:-1]),
            weight_hh=np.ascontiguousarray(of_weights[:, :H]),
            bias_ih=bias.copy(),
            bias_hh=bias.copy(),
        ),
    )


def _go_back(multiply, factors, of_hidden, delta_hidden, delta_cell):
    """Multiply the local factors of each step, the last first, with the cotangents that come to it; hand those on."""
    length, _, H, N = factors.shape
    steps = zip(
        of_hidden[::-1],
        factors[::-1, :2],
        factors[::-1, 0],
        factors[::-1, 2:],
        factors[::-1, 5],
        factors[:, 1:5].reshape(length, 4 * H, N)[::-1],
    )
    carried = delta_cell
    for cotangent, factors_of_hidden, into_cell, factors_of_cell, previous_cell, of_gates in steps:
        np.add(delta_hidden, cotangent, delta_hidden)
        np.multiply(factors_of_hidden, delta_hidden, factors_of_hidden)
        np.add(carried, into_cell, delta_cell)
        np.multiply(factors_of_cell, delta_cell, factors_of_cell)
        carried = previous_cell
        multiply(of_gates, delta_hidden)
    delta_cell[...] = carried


def reference_forward(inputs, hidden0, cell0, parameters):
    r"""Run the network as the formulas have it, one step after the other.

    The definition that everything else is measured against. It takes arrays of any numeric dtype and promotes them as
    NumPy does, so that a complex step can be sent through it.

    Parameters
    ----------
    inputs, hidden0, cell0, parameters
        As for :func:`forward`, of any numeric dtype.

    Returns
    -------
    outputs, cache
        As :func:`forward`.

    Raises
    ------
    TypeError, ValueError
        As :func:`forward`, except for the dtypes.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> parameters, inputs, zeros = initialize(2, 3, rng=rng), rng.normal(size=(5, 4, 2)), np.zeros((4, 3))
    >>> (slow, *_), _ = reference_forward(inputs, zeros, zeros, parameters)
    >>> (fast, *_), _ = forward(inputs, zeros, zeros, parameters)
    >>> np.allclose(slow, fast, rtol=1e-14)
    True
    """
    inputs, (hidden0, cell0), parameters = _checked(inputs, hidden0, cell0, parameters, as_array)
    weight_ih, weight_hh, bias_ih, bias_hh = parameters
    hidden, cell, gates = [hidden0], [cell0], []
    for x in inputs:
        a = hidden[-1] @ weight_hh.T + x @ weight_ih.T + (bias_ih + bias_hh)
        a_i, a_f, a_g, a_o = np.split(a, 4, axis=-1)
        i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
        cell.append(f * cell[-1] + i * g)
        hidden.append(o * np.tanh(cell[-1]))
        gates.append((i, f, g, o))
    hidden, cell = np.stack(hidden), np.stack(cell)
    gates = np.reshape(gates, (len(inputs), 4, *hidden0.shape))
    hidden.flags.writeable = cell.flags.writeable = gates.flags.writeable = False
    i, f, g, o = gates.swapaxes(0, 1)
    return (hidden[1:], hidden[-1].copy(), cell[-1].copy()), Cache(inputs, hidden, cell, i, f, g, o, parameters)


def reference_backward(cotangents, cache):
    r"""Backpropagate through time as the derivation has it: each line undoes one of the forward pass, the last first.

    Parameters
    ----------
    cotangents, cache
        As for :func:`backward`, or of any numeric dtype, with a cache from :func:`reference_forward`.

    Returns
    -------
    Gradients

    Raises
    ------
    TypeError, ValueError
        As :func:`backward`, except for the dtypes.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> zeros = np.zeros((4, 3))
    >>> outputs, cache = forward(rng.normal(size=(6, 4, 2)), zeros, zeros, initialize(2, 3, rng=rng))
    >>> cotangents = tuple(rng.normal(size=output.shape) for output in outputs)
    >>> slow, fast = reference_backward(cotangents, cache), backward(cotangents, cache)
    >>> np.allclose(slow.parameters.weight_hh, fast.parameters.weight_hh, rtol=1e-13)
    True
    """
    inputs, hidden, cells, *_, (weight_ih, weight_hh, _, _) = cache
    cotangents_hidden, (delta_hidden, delta_cell) = _checked_cotangents(cotangents, cache, as_array)
    dtype = np.result_type(hidden, cells, cotangents_hidden, delta_hidden, delta_cell)
    gradients = zeros_like(cache.parameters, dtype)
    gradients_inputs = np.zeros(inputs.shape, dtype)
    for t in range(len(inputs), 0, -1):
        i, f = cache.input_gate[t - 1], cache.forget_gate[t - 1]
        g, o = cache.candidate[t - 1], cache.output_gate[t - 1]
        # hidden[t] = o * tanh(cells[t])
        delta_hidden = cotangents_hidden[t - 1] + delta_hidden
        delta_o = delta_hidden * np.tanh(cells[t])
        delta_cell = delta_cell + delta_hidden * o * (1 - np.tanh(cells[t]) ** 2)
        # cells[t] = f * cells[t - 1] + i * g
        delta_f, delta_i, delta_g = delta_cell * cells[t - 1], delta_cell * g, delta_cell * i
        delta_cell = delta_cell * f
        # i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o)
        delta_a = np.concatenate(
            [delta_i * i * (1 - i), delta_f * f * (1 - f), delta_g * (1 - g**2), delta_o * o * (1 - o)], axis=-1
        )
        # a = hidden[t - 1] @ weight_hh.T + inputs[t - 1] @ weight_ih.T + (bias_ih + bias_hh)
        gradients.weight_hh[...] += delta_a.T @ hidden[t - 1]
        gradients.weight_ih[...] += delta_a.T @ inputs[t - 1]
        gradients.bias_ih[...] += delta_a.sum(axis=0)
        gradients.bias_hh[...] += delta_a.sum(axis=0)
        gradients_inputs[t - 1] = delta_a @ weight_ih
        delta_hidden = delta_a @ weight_hh
    return Gradients(gradients_inputs, delta_hidden.astype(dtype), delta_cell.astype(dtype), gradients)


def step_jacobian(cache):
    r"""Build the Jacobian of one step, from (C, h) to the next (C, h), for every step.

    With :math:`s_t`, the column of :math:`C_t` above :math:`h_t`, and :math:`F_t = \operatorname{diag}(f_t)`,

    .. claim::
       :label: eq-api-lstm-jacobian
       :model: lstm-state

       \frac{\partial s_t}{\partial s_{t-1}} = \begin{pmatrix} F_t & B_t \\ E_t F_t & E_t B_t + R_t \end{pmatrix}

    The blocks are what the cell hears of the hidden state before,

    .. claim::
       :label: eq-api-lstm-jacobian-B
       :model: lstm-block

       B_t = \frac{\partial C_t}{\partial h_{t-1}}
         &= \operatorname{diag}(\tilde C_t \odot i_t \odot (1 - i_t))\, W_i \\
         &\quad + \operatorname{diag}(C_{t-1} \odot f_t \odot (1 - f_t))\, W_f \\
         &\quad + \operatorname{diag}(i_t \odot (1 - \tilde C_t^2))\, W_c

    what the hidden state hears of the cell,

    .. claim::
       :label: eq-api-lstm-jacobian-E
       :model: lstm-block

       E_t = \frac{\partial h_t}{\partial C_t} = \operatorname{diag}(o_t \odot (1 - \tanh^2(C_t)))

    and what it hears of the one before through the output gate alone:

    .. claim::
       :label: eq-api-lstm-jacobian-R
       :model: lstm-block

       R_t = \frac{\partial h_t}{\partial o_t} \frac{\partial o_t}{\partial h_{t-1}}
         = \operatorname{diag}(\tanh(C_t) \odot o_t \odot (1 - o_t))\, W_o

    Parameters
    ----------
    cache : Cache
        From :func:`forward`.

    Returns
    -------
    numpy.ndarray, shape (T, N, 2H, 2H)
        Entry ``[t - 1, n, i, j]``: row i belongs to component i of :math:`(C_t, h_t)`, column j to component j of
        :math:`(C_{t-1}, h_{t-1})`.

    Examples
    --------
    An open forget gate keeps the cell's own path at 1; what changes the cell by way of h comes on top.

    >>> bias = np.array([0.0, 1e3, 0.0, 0.0])
    >>> parameters = Parameters(np.zeros((4, 1)), np.full((4, 1), 0.5), bias, np.zeros(4))
    >>> _, cache = forward(np.zeros((1, 1, 1)), [[0.1]], [[0.7]], parameters)
    >>> step_jacobian(cache)[0, 0].round(3)
    array([[1.   , 0.262],
           [0.315, 0.16 ]])
    """
    _, _, cells, i, f, g, o, (_, weight_hh, _, _) = cache
    W_i, W_f, W_g, W_o = np.split(weight_hh, 4)
    T, N, H = i.shape

    def diag_times(vector, matrix):
        return vector[..., :, None] * matrix

    tanh_cell = np.tanh(cells[1:])
    eye = np.eye(H, dtype=cells.dtype)
    cell_hidden = (
        diag_times(g * i * (1 - i), W_i) + diag_times(cells[:-1] * f * (1 - f), W_f) + diag_times(i * (1 - g**2), W_g)
    )
    cell_to_hidden = o * (1 - tanh_cell**2)
    jacobian = np.empty((T, N, 2 * H, 2 * H), cells.dtype)
    jacobian[..., :H, :H] = diag_times(f, eye)
    jacobian[..., :H, H:] = cell_hidden
    jacobian[..., H:, :H] = diag_times(cell_to_hidden * f, eye)
    jacobian[..., H:, H:] = diag_times(cell_to_hidden, cell_hidden) + diag_times(tanh_cell * o * (1 - o), W_o)
    return jacobian


def _views(states):
    """Return the cell states and the gates i, f, g and o as views of what the forward pass fills in."""
    output, input_, forget, candidate, cells = (columns(part) for part in np.split(states, 5, axis=1))
    return cells, input_[:-1], forget[:-1], candidate[:-1], output[:-1]


def _states(cache):
    """Return what the forward pass filled in, if the arrays of the cache are still its views, and a copy otherwise."""
    _, _, cells, i, f, g, o, _ = cache
    states, shape = cells.base, (len(cells), 5 * cells.shape[2], cells.shape[1])
    if states is not None and states.shape == shape:
        views = zip(_views(states), (cells, i, f, g, o))
        if all(view.__array_interface__ == array.__array_interface__ for view, array in views):
            return states
    states = np.empty(shape, cells.dtype)
    for view, array in zip(_views(states), (cells, i, f, g, o)):
        view[...] = array
    return states


def _local_factors(cache, steps, factors):
    """Write what the cotangents are multiplied with, shape (steps, 6, H, N): two for those of h, four for those of C.

    In order: into C; the argument of o; those of i, f and g; C_{t-1}.
    """
    arrays = cache.cells[:-1], cache.cells[1:], *cache[3:7]
    previous, cell, i, f, g, o = (columns(array[steps]) for array in arrays)
    tanh_cell = np.tanh(cell)
    np.multiply(o, 1 - tanh_cell * tanh_cell, out=factors[:, 0])
    np.multiply(tanh_cell * o, 1 - o, out=factors[:, 1])
    np.multiply(g * i, 1 - i, out=factors[:, 2])
    np.multiply(previous * f, 1 - f, out=factors[:, 3])
    np.multiply(i, 1 - g * g, out=factors[:, 4])
    factors[:, 5] = f


@functools.cache
def _compiled(dtype):
    """Return the module with the compiled steps, or None where there is none for the dtype, or no numba to compile it."""
    if dtype != np.float32:
        return None
    try:
        from rnnbook import _compiled
    except (ImportError, RuntimeError):  # numba does not know this NumPy, or has no place to keep what it compiles
        return None
    return _compiled


def _checked(inputs, hidden0, cell0, parameters, convert=as_floats):
    return checked(inputs, {"hidden0": hidden0, "cell0": cell0}, parameters, Parameters, 4, convert)


def _checked_cotangents(cotangents, cache, convert=as_floats):
    final = ("the final hidden state", "the final cell state")
    return checked_cotangents(cotangents, final, cache.hidden[1:], convert)
