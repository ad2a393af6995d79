r"""The gated recurrent unit in both variants, and its backward pass.

At step :math:`t = 1, \dots, T` the reset gate, the update gate and the candidate are

.. claim::
   :label: eq-api-gru-gates
   :model: gru

   \begin{pmatrix} r_t \\ z_t \\ n_t \end{pmatrix} = \begin{pmatrix}
     \sigma(W_r h_{t-1} + U_r x_t + b_r) \\
     \sigma(W_z h_{t-1} + U_z x_t + b_z) \\
     \tanh(U_n x_t + b_n + r_t \odot (W_n h_{t-1} + c_n))
   \end{pmatrix}

with the reset after the product, as PyTorch and cuDNN have it; or, with the reset before it, as in the paper of Cho et al. as published,

.. claim::
   :label: eq-api-gru-before-candidate
   :model: gru-before

   n_t = \tanh(U_n x_t + b_n + W_n (r_t \odot h_{t-1}))

where :math:`c_n` is added to :math:`b_n`. In both variants

.. claim::
   :label: eq-api-gru-hidden
   :model: gru

   h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}

Here z keeps the old state, as in PyTorch; some papers have z and 1 − z the other way round. The two variants are
different functions of the same parameters; they agree where :math:`r_t = 1`, and with a diagonal :math:`W_n` and
:math:`c_n = 0`.

Arrays are laid out as in PyTorch: time first, then the batch, then the components. The weights of the gates stand one
below the other, in the order r, z, n:

================================  ===========================  ==============================
In a formula                      In code                      Shape
================================  ===========================  ==============================
:math:`x_t`                       ``inputs[t - 1]``            (N, d)
:math:`h_t`                       ``hidden[t - 1]``            (N, H)
:math:`h_0`                       ``hidden0``                  (N, H)
:math:`U_r, U_z, U_n`             ``weight_ih``                (3H, d)
:math:`W_r, W_z, W_n`             ``weight_hh``                (3H, H)
:math:`b_n`, :math:`c_n`          the last H of the biases     ``bias_ih``, ``bias_hh``: (3H,)
:math:`b_r, b_z`                  the first 2H of their sum
================================  ===========================  ==============================

:func:`reference_forward` and :func:`reference_backward` are the formulas, one line for each, and take any numbers, so
that a complex step can go through them. :func:`forward` and :func:`backward` give the same numbers fast.
"""

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
    """The network's parameters, named, shaped and ordered (r, z, n) as in PyTorch's ``torch.nn.GRU``."""

    weight_ih: np.ndarray
    """U, from the input to the gates, shape (3H, d)"""
    weight_hh: np.ndarray
    """W, from the hidden state to the gates, shape (3H, H)"""
    bias_ih: np.ndarray
    """shape (3H,)"""
    bias_hh: np.ndarray
    """shape (3H,); its last part stands inside the product with r, when the reset comes after"""


class Gradients(NamedTuple):
    """The gradients with respect to every argument of :func:`forward`, in its order and of the same shapes."""

    inputs: np.ndarray
    hidden0: np.ndarray
    parameters: Parameters


class Cache(NamedTuple):
    """What the forward pass leaves for the backward pass, and for whoever wants to see the gates.

    It refers to the inputs and the parameters and does not copy them: change neither before the backward pass.
    """

    inputs: np.ndarray
    """shape (T, N, d)"""
    hidden: np.ndarray
    """the hidden states with the initial one before them, so that ``hidden[t]`` is h_t; shape (T + 1, N, H)"""
    reset_gate: np.ndarray
    """``reset_gate[t - 1]`` is r_t; shape (T, N, H), as of the next three"""
    update_gate: np.ndarray
    """z"""
    candidate: np.ndarray
    """n"""
    recurrent: np.ndarray
    """what the reset gate is multiplied with, W_n h + c_n when it comes after and h when it comes before"""
    parameters: Parameters
    reset: str
    """``"after"`` or ``"before"``"""


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

    Examples
    --------
    >>> parameters = initialize(3, 100, rng=np.random.default_rng(0))
    >>> print(parameters.weight_hh.shape, np.abs(parameters.weight_hh).max().round(4))
    (300, 100) 0.1
    """
    return Parameters(*drawn(3, input_size, hidden_size, rng, dtype))


def forward(inputs, hidden0, parameters, *, reset="after"):
    r"""Run the network over a batch of sequences.

    Parameters
    ----------
    inputs : array_like, shape (T, N, d)
        :math:`x_1, \dots, x_T`, float32 or float64.
    hidden0 : array_like, shape (N, H)
        :math:`h_0`, of the same dtype, as are the parameters.
    parameters : Parameters
    reset : {"after", "before"}, optional
        Whether the reset gate acts after the product with :math:`W_n`, or before it.

    Returns
    -------
    outputs : tuple of numpy.ndarray
        ``hidden``, shape (T, N, H): all hidden states, :math:`h_1, \dots, h_T`. They are read-only, because the
        backward pass needs them as they are. And ``final``, shape (N, H): a copy of the last one, to go on from.
    cache : Cache
        For :func:`backward`.

    Raises
    ------
    TypeError
        If `parameters` is not a :class:`Parameters`, or an array is not of dtype float32 or float64, or of another
        than `inputs`.
    ValueError
        If a shape does not fit, or `reset` is neither.

    See Also
    --------
    reference_forward : the same, as the formulas have it.

    Notes
    -----
    K. Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine translation",
    EMNLP 2014.

    Examples
    --------
    The two variants differ:

    >>> rng = np.random.default_rng(0)
    >>> parameters, inputs = initialize(2, 3, rng=rng), rng.normal(size=(4, 1, 2))
    >>> for reset in ("after", "before"):
    ...     (_, final), _ = forward(inputs, np.zeros((1, 3)), parameters, reset=reset)
    ...     print(reset, final.round(3))
    after [[-0.747 -0.064 -0.783]]
    before [[-0.764 -0.194 -0.845]]
    """
    inputs, (hidden0,), parameters = _checked(inputs, hidden0, parameters, reset)
    (T, N, d), H = inputs.shape, hidden0.shape[1]
    dtype = inputs.dtype

    # U x_t + b for all t, with a row of ones for b; c_n is one with b_n, unless the reset gate stands between them. One
    # column for each member of the batch. The rows of r and z are halved, for σ(a) = ½ + ½ tanh(a/2).
    bias = parameters.bias_ih + parameters.bias_hh
    bias_recurrent = np.zeros(H, dtype)
    if reset == "after":
        bias[2 * H :], bias_recurrent = parameters.bias_ih[2 * H :], parameters.bias_hh[2 * H :]
    weights_ih = np.column_stack([parameters.weight_ih, bias])
    weights_hh = parameters.weight_hh.copy()
    weights_ih[: 2 * H] *= np.array(0.5, dtype)
    weights_hh[: 2 * H] *= np.array(0.5, dtype)
    stacked = np.ones((T, d + 1, N), dtype)
    stacked[:, :d] = columns(inputs)
    gates = np.matmul(weights_ih, stacked)  # shape (T, 3H, N)

    states = aligned((T + 1, H, N), dtype)
    states[0] = hidden0.T
    if reset == "after":
        recurrent = np.empty((T, H, N), dtype)
        bias_recurrent = np.ascontiguousarray(np.broadcast_to(bias_recurrent[:, None], (H, N)))
        _run_after(gates, states, recurrent, weights_hh, bias_recurrent)
    else:
        _run_before(gates, states, weights_hh)

    hidden = np.ascontiguousarray(columns(states))
    recurrent = columns(recurrent) if reset == "after" else hidden[:-1]
    hidden.flags.writeable = gates.flags.writeable = recurrent.flags.writeable = False
    r, z, n = (columns(gates[:, k * H : (k + 1) * H]) for k in range(3))
    return (hidden[1:], hidden[-1].copy()), Cache(inputs, hidden, r, z, n, recurrent, parameters, reset)


def _run_after(gates, states, recurrent, weights_hh, bias_recurrent):
    """Turn U x_t + b into the gates and fill in the states and W_n h + c_n, step by step."""
    _, H, N = recurrent.shape
    half = np.array(0.5, gates.dtype)
    product, scratch = np.empty((3 * H, N), gates.dtype), np.empty((H, N), gates.dtype)
    of_gates, of_candidate = product[: 2 * H], product[2 * H :]
    multiply = multiplication(weights_hh, N)
    split = gates[:, : 2 * H], gates[:, :H], gates[:, H : 2 * H], gates[:, 2 * H :]
    steps = zip(states[:-1], states[1:], recurrent, *split)
    for previous, following, recurrent_t, sigmoids, r, z, n in steps:
        multiply(previous, product)
        np.add(sigmoids, of_gates, sigmoids)
        np.tanh(sigmoids, sigmoids)
        np.multiply(sigmoids, half, sigmoids)
        np.add(sigmoids, half, sigmoids)
        np.add(of_candidate, bias_recurrent, recurrent_t)
        np.multiply(r, recurrent_t, scratch)
        np.add(n, scratch, n)
        np.tanh(n, n)
        np.subtract(previous, n, scratch)  # h_t = n + z ⊙ (h_{t-1} - n)
        np.multiply(z, scratch, scratch)
        np.add(n, scratch, following)


def _run_before(gates, states, weights_hh):
    """Do the same with the reset gate acting on h, so that W_n has to wait for it."""
    _, H, N = states.shape
    half = np.array(0.5, gates.dtype)
    for_gates, for_candidate = multiplication(weights_hh[: 2 * H], N), multiplication(weights_hh[2 * H :], N)
    of_gates, scratch, of_candidate = (aligned((height, N), gates.dtype) for height in (2 * H, H, H))
    steps = zip(states[:-1], states[1:], gates[:, : 2 * H], gates[:, :H], gates[:, H : 2 * H], gates[:, 2 * H :])
    for previous, following, sigmoids, r, z, n in steps:
        for_gates(previous, of_gates)
        np.add(sigmoids, of_gates, sigmoids)
        np.tanh(sigmoids, sigmoids)
        np.multiply(sigmoids, half, sigmoids)
        np.add(sigmoids, half, sigmoids)
        np.multiply(r, previous, scratch)
        for_candidate(scratch, of_candidate)
        np.add(n, of_candidate, n)
        np.tanh(n, n)
        np.subtract(previous, n, scratch)  # h_t = n + z ⊙ (h_{t-1} - n)
        np.multiply(z, scratch, scratch)
        np.add(n, scratch, following)


def backward(cotangents, cache):
    r"""Backpropagate through time: the gradients of a loss with respect to everything that :func:`forward` was given.

    Let :math:`\delta_t = \nabla_{h_t} L`, a column, let the loss itself have the gradient :math:`g_t` at :math:`h_t`,
    and let :math:`\rho_t`, :math:`\zeta_t` and :math:`\nu_t` be the arguments of σ, σ and tanh in the gates r and z and
    in the candidate; a bar stands for the gradient with respect to each. In both variants

    .. claim::
       :label: eq-api-gru-nu
       :model: gru

       \bar\nu_t = (1 - z_t) \odot (1 - n_t^2) \odot \delta_t

    .. claim::
       :label: eq-api-gru-zeta
       :model: gru

       \bar\zeta_t = (h_{t-1} - n_t) \odot z_t \odot (1 - z_t) \odot \delta_t

    With the reset after the product,

    .. claim::
       :label: eq-api-gru-rho
       :model: gru

       \bar\rho_t = (W_n h_{t-1} + c_n) \odot r_t \odot (1 - r_t) \odot \bar\nu_t

    .. claim::
       :label: eq-api-gru-delta
       :model: gru
       :for: t = 2..T

       \delta_{t-1} = g_{t-1} + z_t \odot \delta_t + W_r^\top \bar\rho_t + W_z^\top \bar\zeta_t
         + W_n^\top (r_t \odot \bar\nu_t)

    .. claim::
       :label: eq-api-gru-weight-n
       :model: gru

       \frac{\partial L}{\partial W_n} = \sum_{t=1}^{T} (r_t \odot \bar\nu_t)\, h_{t-1}^\top

    .. claim::
       :label: eq-api-gru-bias-n
       :model: gru

       \nabla_{c_n} L = \sum_{t=1}^{T} r_t \odot \bar\nu_t

    and with the reset before it

    .. claim::
       :label: eq-api-gru-before-rho
       :model: gru-before

       \bar\rho_t = h_{t-1} \odot r_t \odot (1 - r_t) \odot (W_n^\top \bar\nu_t)

    .. claim::
       :label: eq-api-gru-before-delta
       :model: gru-before
       :for: t = 2..T

       \delta_{t-1} = g_{t-1} + z_t \odot \delta_t + W_r^\top \bar\rho_t + W_z^\top \bar\zeta_t
         + r_t \odot (W_n^\top \bar\nu_t)

    .. claim::
       :label: eq-api-gru-before-weight-n
       :model: gru-before

       \frac{\partial L}{\partial W_n} = \sum_{t=1}^{T} \bar\nu_t\, (r_t \odot h_{t-1})^\top

    Every other weight has the gradient of its argument times what it multiplied, for example

    .. claim::
       :label: eq-api-gru-weight-z
       :model: gru

       \frac{\partial L}{\partial W_z} = \sum_{t=1}^{T} \bar\zeta_t\, h_{t-1}^\top

    .. claim::
       :label: eq-api-gru-inputs
       :model: gru

       \nabla_{x_t} L = U_r^\top \bar\rho_t + U_z^\top \bar\zeta_t + U_n^\top \bar\nu_t

    The recursion starts with :math:`\delta_T = g_T`, and :math:`\nabla_{h_0} L` is what it gives for :math:`t = 1`,
    with :math:`g_0 = 0`.

    Parameters
    ----------
    cotangents : tuple of array_like
        The gradients of the loss with respect to the two outputs of :func:`forward`, of their shapes and dtype: for
        all hidden states, and for the final one. None stands for zeros.
    cache : Cache
        From :func:`forward`.

    Returns
    -------
    Gradients
        Summed over the batch, as the loss is. With the reset before the product both biases have the same gradient;
        with the reset after it, their last parts differ.

    Raises
    ------
    TypeError
        If `cotangents` is not a pair, or one is not of the dtype of the inputs.
    ValueError
        If a shape does not fit.

    See Also
    --------
    reference_backward : the same, one line for each equation.

    Examples
    --------
    An update gate near 1 carries the state, and the gradient with it:

    >>> rng = np.random.default_rng(0)
    >>> parameters, inputs = initialize(2, 3, rng=rng), rng.normal(size=(50, 1, 2))
    >>> for bias in (0.0, 3.0, 6.0):
    ...     parameters.bias_ih[3:6] = bias  # r, z, n
    ...     (_, final), cache = forward(inputs, np.zeros((1, 3)), parameters)
    ...     gradients = backward((None, np.ones_like(final)), cache)
    ...     print(bias, f"{np.linalg.norm(gradients.hidden0):.0e}")
    0.0 1e-14
    3.0 2e-01
    6.0 1e+00
    """
    inputs, hidden, reset_gate, _, _, _, parameters, reset = cache
    cotangents_hidden, (delta,) = _checked_cotangents(cotangents, cache)
    (T, N, H), d = cotangents_hidden.shape, inputs.shape[2]
    delta = np.ascontiguousarray(delta.T)  # one column for each member of the batch, as in the forward pass
    go_back = _go_back_after if reset == "after" else _go_back_before
    weights_rz, weights_n = np.split(parameters.weight_hh, [2 * H])
    weights_zr = rolled(weights_rz, H)  # in the order of the factors
    if reset == "after":
        through = [multiplication(np.concatenate([weights_zr, weights_n]).T, N)]
    else:
        through = [multiplication(weights_zr.T, N), multiplication(weights_n.T, N)]

    gradients_inputs = np.empty(inputs.shape, hidden.dtype)
    weight_ih = _turned(parameters.weight_ih)
    # The gradients of U and W, each with its bias in the last column.
    of_ih, of_hh = np.zeros((3 * H, d + 1), hidden.dtype), np.zeros((3 * H, H + 1), hidden.dtype)
    room = aligned((longest_part(T, N), 5, H, N), hidden.dtype)
    for part in parts(T, N):
        factors = room[: part.stop - part.start]
        for block in blocks(part, N * H):
            # They start as the local factors of a block of steps; then they are multiplied with what comes.
            factors_of_block = factors[block.start - part.start : block.stop - part.start]
            _local_factors(cache, block, factors_of_block)
            go_back(factors_of_block, np.ascontiguousarray(columns(cotangents_hidden[block])), delta, *through)

        # The cotangents of the arguments of n, z and r, and of the product with r.
        local = tall(factors[:, 1:].reshape(len(factors), 4 * H, N))
        of_inputs, previous, ones = local[:, : 3 * H], rows(hidden[part]), np.ones((len(local), 1), hidden.dtype)
        np.matmul(of_inputs, weight_ih, out=rows(gradients_inputs[part]))
        of_ih += of_inputs.T @ np.concatenate([rows(inputs[part]), ones], axis=1)
        if reset == "after":
            of_hh += local[:, H:].T @ np.concatenate([previous, ones], axis=1)
        else:
            of_hh[: 2 * H, :-1] += local[:, H : 3 * H].T @ previous
            of_hh[2 * H :, :-1] += local[:, :H].T @ (rows(reset_gate[part]) * previous)
    of_ih = _turned(of_ih)
    of_hh = np.concatenate([rolled(of_hh[: 2 * H], H), of_hh[2 * H :]])  # r and z were in the other order
    weight_ih, bias_ih = np.ascontiguousarray(of_ih[:, :-1]), of_ih[:, -1].copy()
    weight_hh, bias_hh = np.ascontiguousarray(of_hh[:, :-1]), (of_hh if reset == "after" else of_ih)[:, -1].copy()
    return Gradients(
        inputs=gradients_inputs,
        hidden0=np.ascontiguousarray(delta.T),
        parameters=Parameters(weight_ih, weight_hh, bias_ih, bias_hh),
    )


def _go_back_after(factors, cotangents, delta, through_weights):
    """Multiply the factors of each step, the last first, with the cotangent of its hidden state, and hand that on."""
    length, _, H, N = factors.shape
    flat = factors.reshape(length, 5 * H, N)
    for cotangent, all_t, kept, of_products in zip(
        cotangents[::-1], factors[::-1], factors[::-1, 0], flat[::-1, 2 * H :]
    ):
        np.add(delta, cotangent, delta)
        np.multiply(all_t, delta, all_t)
        through_weights(of_products, delta)
        np.add(delta, kept, delta)


def _go_back_before(factors, cotangents, delta, through_gates, through_candidate):
    """Do the same with the factors of r and W_n h waiting for what comes back through W_n."""
    length, _, H, N = factors.shape
    flat = factors.reshape(length, 5 * H, N)
    through = np.empty((H, N), factors.dtype)
    for cotangent, of_state, kept, n, of_reset, of_gates, to_state in zip(
        cotangents[::-1],
        factors[::-1, :3],
        factors[::-1, 0],
        factors[::-1, 1],
        factors[::-1, 3:],
        flat[::-1, 2 * H : 4 * H],
        factors[::-1, 4],
    ):
        np.add(delta, cotangent, delta)
        np.multiply(of_state, delta, of_state)
        through_candidate(n, through)
        np.multiply(of_reset, through, of_reset)
        through_gates(of_gates, delta)
        np.add(delta, kept, delta)
        np.add(delta, to_state, delta)


def _turned(array):
    """Turn the order of the gates, r, z, n from the top, into n, z, r, which the factors have; or back."""
    return np.concatenate(np.split(array, 3)[::-1])


def _local_factors(cache, steps, factors):
    """Write what the cotangents are multiplied with, shape (steps, 5, H, N).

    In order: the state that is kept; the arguments of n, z and r; and q, the product with r.
    """
    previous, r, z, n, recurrent = (columns(array[steps]) for array in (cache.hidden[:-1], *cache[2:6]))
    factors[:, 0] = z
    np.multiply(1 - z, 1 - n * n, out=factors[:, 1])
    np.multiply((previous - n) * z, 1 - z, out=factors[:, 2])
    np.multiply(recurrent * r, 1 - r, out=factors[:, 3])
    factors[:, 4] = r
    if cache.reset == "after":  # r and q get their cotangents from n's, not from what comes back through W_n
        factors[:, 3:] *= factors[:, 1:2]


def reference_forward(inputs, hidden0, parameters, *, reset="after"):
    r"""Run the network as the formulas have it, one step after the other.

    The definition that everything else is measured against. It takes arrays of any numeric dtype and promotes them as
    NumPy does, so that a complex step can be sent through it.

    Parameters
    ----------
    inputs, hidden0, parameters, reset
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
    >>> parameters, inputs, hidden0 = initialize(2, 3, rng=rng), rng.normal(size=(5, 4, 2)), np.zeros((4, 3))
    >>> for reset in ("after", "before"):
    ...     (slow, _), _ = reference_forward(inputs, hidden0, parameters, reset=reset)
    ...     (fast, _), _ = forward(inputs, hidden0, parameters, reset=reset)
    ...     print(np.allclose(slow, fast, rtol=1e-14))
    True
    True
    """
    inputs, (hidden0,), parameters = _checked(inputs, hidden0, parameters, reset, as_array)
    W_r, W_z, W_n = np.split(parameters.weight_hh, 3)
    U_r, U_z, U_n = np.split(parameters.weight_ih, 3)
    (b_r, b_z, b_n), (c_r, c_z, c_n) = np.split(parameters.bias_ih, 3), np.split(parameters.bias_hh, 3)
    hidden, gates = [hidden0], []
    for x in inputs:
        h = hidden[-1]
        r = sigmoid(x @ U_r.T + b_r + h @ W_r.T + c_r)
        z = sigmoid(x @ U_z.T + b_z + h @ W_z.T + c_z)
        if reset == "after":
            recurrent = h @ W_n.T + c_n
            n = np.tanh(x @ U_n.T + b_n + r * recurrent)
        else:
            recurrent = h
            n = np.tanh(x @ U_n.T + b_n + (r * recurrent) @ W_n.T + c_n)
        hidden.append((1 - z) * n + z * h)
        gates.append((r, z, n, recurrent))
    hidden = np.stack(hidden)
    gates = np.reshape(gates, (len(inputs), 4, *hidden0.shape))
    hidden.flags.writeable = gates.flags.writeable = False
    return (hidden[1:], hidden[-1].copy()), Cache(inputs, hidden, *gates.swapaxes(0, 1), parameters, reset)


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
    >>> outputs, cache = forward(rng.normal(size=(6, 4, 2)), np.zeros((4, 3)), initialize(2, 3, rng=rng))
    >>> cotangents = tuple(rng.normal(size=output.shape) for output in outputs)
    >>> slow, fast = reference_backward(cotangents, cache), backward(cotangents, cache)
    >>> np.allclose(slow.parameters.weight_hh, fast.parameters.weight_hh, rtol=1e-13)
    True
    """
    inputs, hidden, _, _, _, _, parameters, reset = cache
    cotangents_hidden, (delta,) = _checked_cotangents(cotangents, cache, as_array)
    dtype = np.result_type(hidden, cotangents_hidden, delta)
    gradients, gradients_inputs = zeros_like(parameters, dtype), np.zeros(inputs.shape, dtype)
    W_r, W_z, W_n = np.split(parameters.weight_hh, 3)
    gradient_W_r, gradient_W_z, gradient_W_n = np.split(gradients.weight_hh, 3)  # views
    for t in range(len(inputs), 0, -1):
        h, r, z, n, recurrent = hidden[t - 1], *(array[t - 1] for array in cache[2:6])
        # hidden[t] = (1 - z) * n + z * h
        delta = cotangents_hidden[t - 1] + delta
        delta_z, delta_n = delta * (h - n), delta * (1 - z)
        delta = delta * z
        # n = tanh(a_n)
        delta_a_n = delta_n * (1 - n**2)
        if reset == "after":
            # a_n = x @ U_n.T + b_n + r * recurrent
            delta_r, delta_recurrent = delta_a_n * recurrent, delta_a_n * r
            # recurrent = h @ W_n.T + c_n
            gradient_W_n += delta_recurrent.T @ h
            delta = delta + delta_recurrent @ W_n
        else:
            # a_n = x @ U_n.T + b_n + (r * h) @ W_n.T + c_n
            delta_recurrent = delta_a_n
            gradient_W_n += delta_recurrent.T @ (r * h)
            delta_product = delta_recurrent @ W_n
            # product = r * h
            delta_r = delta_product * h
            delta = delta + delta_product * r
        # z = sigmoid(x @ U_z.T + b_z + h @ W_z.T + c_z), and the same for r
        delta_a_z, delta_a_r = delta_z * z * (1 - z), delta_r * r * (1 - r)
        gradient_W_z += delta_a_z.T @ h
        gradient_W_r += delta_a_r.T @ h
        delta = delta + delta_a_z @ W_z + delta_a_r @ W_r
        # What the input's side of all three had.
        delta_a = np.concatenate([delta_a_r, delta_a_z, delta_a_n], axis=-1)
        gradients.weight_ih[...] += delta_a.T @ inputs[t - 1]
        gradients.bias_ih[...] += delta_a.sum(axis=0)
        gradients.bias_hh[...] += np.concatenate([delta_a_r, delta_a_z, delta_recurrent], axis=-1).sum(axis=0)
        gradients_inputs[t - 1] = delta_a @ parameters.weight_ih
    return Gradients(gradients_inputs, delta.astype(dtype), gradients)


def step_jacobian(cache):
    r"""Build the Jacobian of one step, :math:`\partial h_t / \partial h_{t-1}`, for every step.

    With the reset after the product

    .. claim::
       :label: eq-api-gru-jacobian
       :model: gru

       \frac{\partial h_t}{\partial h_{t-1}}
         &= \operatorname{diag}(z_t) + \operatorname{diag}((h_{t-1} - n_t) \odot z_t \odot (1 - z_t))\, W_z \\
         &\quad + \operatorname{diag}((1 - z_t) \odot (1 - n_t^2)) \\
         &\quad \cdot \left( \operatorname{diag}(r_t)\, W_n
           + \operatorname{diag}((W_n h_{t-1} + c_n) \odot r_t \odot (1 - r_t))\, W_r \right)

    and with the reset before it

    .. claim::
       :label: eq-api-gru-before-jacobian
       :model: gru-before

       \frac{\partial h_t}{\partial h_{t-1}}
         &= \operatorname{diag}(z_t) + \operatorname{diag}((h_{t-1} - n_t) \odot z_t \odot (1 - z_t))\, W_z \\
         &\quad + \operatorname{diag}((1 - z_t) \odot (1 - n_t^2))\, W_n \\
         &\quad \cdot \left( \operatorname{diag}(r_t)
           + \operatorname{diag}(h_{t-1} \odot r_t \odot (1 - r_t))\, W_r \right)

    Parameters
    ----------
    cache : Cache
        From :func:`forward`.

    Returns
    -------
    numpy.ndarray, shape (T, N, H, H)
        Entry ``[t - 1, n, i, j]``: row i belongs to component i of :math:`h_t`, column j to component j of
        :math:`h_{t-1}`.

    Examples
    --------
    An update gate at 1 passes on exactly what it is given:

    >>> parameters = Parameters(np.zeros((3, 1)), np.ones((3, 1)), np.array([0.0, 1e3, 0.0]), np.zeros(3))
    >>> _, cache = forward(np.zeros((1, 1, 1)), [[0.5]], parameters)
    >>> step_jacobian(cache)
    array([[[[1.]]]])
    """
    _, hidden, r, z, n, recurrent, parameters, reset = cache
    W_r, W_z, W_n = np.split(parameters.weight_hh, 3)
    eye = np.eye(r.shape[2], dtype=r.dtype)

    def diag_times(vector, matrix):
        return vector[..., :, None] * matrix

    through_reset = diag_times(recurrent * r * (1 - r), W_r)
    if reset == "after":
        of_candidate = diag_times(r, W_n) + through_reset
    else:
        of_candidate = W_n @ (diag_times(r, eye) + through_reset)
    return (
        diag_times(z, eye)
        + diag_times((hidden[:-1] - n) * z * (1 - z), W_z)
        + diag_times((1 - z) * (1 - n**2), of_candidate)
    )


def _checked(inputs, hidden0, parameters, reset, convert=as_floats):
    if reset not in ("after", "before"):
        raise ValueError(f"reset: expected 'after' or 'before', got {reset!r}")
    return checked(inputs, {"hidden0": hidden0}, parameters, Parameters, 3, convert)


def _checked_cotangents(cotangents, cache, convert=as_floats):
    return checked_cotangents(cotangents, ("the final hidden state",), cache.hidden[1:], convert)
