r"""The Elman network, its readout, and backpropagation through time.

At step :math:`t = 1, \dots, T` the hidden state is :math:`h_t = \tanh(W h_{t-1} + U x_t + b)`, and the readout
:math:`o_t = V h_t + c`.

Arrays are laid out as in PyTorch: time first, then the batch, then the components, so that the inputs have the shape
(T, N, d) and ``hidden[t - 1]`` holds :math:`h_t` for every member of the batch, one in each row.

======================  =============================  ==============================
In a formula            In code                        Shape
======================  =============================  ==============================
:math:`x_t`             ``inputs[t - 1]``              (N, d)
:math:`h_t`             ``hidden[t - 1]``              (N, H)
:math:`h_0`             ``hidden0``                    (N, H)
:math:`U`               ``weight_ih``                  (H, d)
:math:`W`               ``weight_hh``                  (H, H)
:math:`b`               ``bias_ih + bias_hh``          (H,) each
:math:`V`, :math:`c`    ``weight_ho``, ``bias_ho``     (q, H), (q,)
======================  =============================  ==============================

Three ways to the gradients stand side by side, take the same arguments and give the same numbers:
:func:`backward_double_sum` is the sum over all pairs of steps, as the formula has it; :func:`reference_backward` is the
recursion, one line of code for each line of the derivation; :func:`backward` is the recursion, arranged to be fast.

float32 and float64 stay what they are, and arguments of different dtypes are a :exc:`TypeError`: nothing is promoted in
silence. Only :func:`reference_forward`, the definition, and :func:`reference_backward` take any numbers, so that a
complex step can differentiate the network, and the gradient once more. A sequence may have length 0, and its final
hidden state is then the initial one; a batch may be empty.
"""

from typing import NamedTuple

import numpy as np

from rnnbook._arrays import as_array, as_floats, as_integer
from rnnbook._cells import (
    aligned_copy,
    blocks,
    checked,
    checked_cotangents,
    drawn,
    require_kind,
    rows,
    sum_of_outer_products,
    zeros_like,
)
from rnnbook.initialization import uniform

__all__ = [
    "Cache",
    "Gradients",
    "Parameters",
    "ReadoutCache",
    "ReadoutGradients",
    "ReadoutParameters",
    "backward",
    "backward_double_sum",
    "forward",
    "initialize",
    "initialize_readout",
    "long_product",
    "readout_backward",
    "readout_forward",
    "reference_backward",
    "reference_forward",
    "step_jacobian",
]


class Parameters(NamedTuple):
    """The network's parameters, named and shaped as in PyTorch's ``RNN``."""

    weight_ih: np.ndarray
    """U, from the input to the hidden state, shape (H, d)"""
    weight_hh: np.ndarray
    """W, from the hidden state to the next one, shape (H, H)"""
    bias_ih: np.ndarray
    """shape (H,); b is the sum of the two biases"""
    bias_hh: np.ndarray
    """shape (H,)"""


class Gradients(NamedTuple):
    """The gradients with respect to every argument of :func:`forward`, in its order and of the same shapes."""

    inputs: np.ndarray
    hidden0: np.ndarray
    parameters: Parameters


class Cache(NamedTuple):
    """What :func:`forward` leaves for the backward passes.

    It refers to the inputs and the parameters and does not copy them: change neither before the backward pass.
    """

    inputs: np.ndarray
    """shape (T, N, d)"""
    states: np.ndarray
    """the hidden states with the initial one before them, so that ``states[t]`` is h_t; shape (T + 1, N, H)"""
    parameters: Parameters


class ReadoutParameters(NamedTuple):
    """The parameters of the readout."""

    weight_ho: np.ndarray
    """V, from the hidden state to the output, shape (q, H)"""
    bias_ho: np.ndarray
    """c, shape (q,)"""


class ReadoutGradients(NamedTuple):
    """The gradients with respect to every argument of :func:`readout_forward`, in its order and of the same shapes."""

    hidden: np.ndarray
    parameters: ReadoutParameters


class ReadoutCache(NamedTuple):
    """What :func:`readout_forward` leaves for :func:`readout_backward`; it refers to both and copies neither."""

    hidden: np.ndarray
    """shape (..., H)"""
    parameters: ReadoutParameters


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
        If `rng` is not a generator, or `dtype` another than float32 or float64.
    ValueError
        If a size is out of range.

    Examples
    --------
    >>> parameters = initialize(3, 100, rng=np.random.default_rng(0))
    >>> print(parameters.weight_hh.shape, np.abs(parameters.weight_hh).max().round(4))
    (100, 100) 0.1

    The largest eigenvalue of such a matrix is about :math:`1/\sqrt 3 = 0.577` in modulus, whatever :math:`H`: the
    gradient of a network that is not trained yet vanishes.

    >>> for H in (100, 400):
    ...     W = initialize(3, H, rng=np.random.default_rng(0)).weight_hh
    ...     print(H, np.abs(np.linalg.eigvals(W)).max().round(2))
    100 0.6
    400 0.59
    """
    return Parameters(*drawn(1, input_size, hidden_size, rng, dtype))


def initialize_readout(hidden_size, output_size, *, rng, dtype=np.float64):
    r"""Draw a readout's parameters as PyTorch does, every entry uniformly from :math:`(-1/\sqrt H, 1/\sqrt H)`.

    Parameters
    ----------
    hidden_size, output_size : int
        :math:`H`, at least 1, and :math:`q`.
    rng, dtype
        As for :func:`initialize`.

    Returns
    -------
    ReadoutParameters

    Raises
    ------
    TypeError, ValueError
        As :func:`initialize`.

    Examples
    --------
    >>> initialize_readout(4, 2, rng=np.random.default_rng(0), dtype=np.float32).bias_ho.round(3)
    array([0.044, 0.435], dtype=float32)
    """
    H, q = as_integer("hidden_size", hidden_size, 1), as_integer("output_size", output_size, 0)
    weight_ho, bias_ho = (uniform(shape, 1 / np.sqrt(H), rng=rng, dtype=dtype) for shape in ((q, H), (q,)))
    return ReadoutParameters(weight_ho, bias_ho)


def forward(inputs, hidden0, parameters):
    r"""Run the network over a batch of sequences, :math:`h_t = \tanh(W h_{t-1} + U x_t + b)`.

    Parameters
    ----------
    inputs : array_like, shape (T, N, d)
        :math:`x_1, \dots, x_T`, float32 or float64.
    hidden0 : array_like, shape (N, H)
        :math:`h_0`, of the same dtype, as are the parameters.
    parameters : Parameters

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
        If a shape does not fit.

    See Also
    --------
    reference_forward : the same, as the formula has it.

    Examples
    --------
    A sequence can be cut anywhere: the final hidden state of one part is the initial one of the next.

    >>> rng = np.random.default_rng(0)
    >>> parameters = initialize(2, 3, rng=rng)
    >>> inputs, hidden0 = rng.normal(size=(5, 4, 2)), np.zeros((4, 3))
    >>> (hidden, final), cache = forward(inputs, hidden0, parameters)
    >>> (first, middle), _ = forward(inputs[:2], hidden0, parameters)
    >>> (second, final_too), _ = forward(inputs[2:], middle, parameters)
    >>> np.allclose(np.concatenate([first, second]), hidden, rtol=1e-14), np.allclose(final_too, final, rtol=1e-14)
    (True, True)
    """
    inputs, (hidden0,), parameters = _checked(inputs, hidden0, parameters)
    (T, N, _), H = inputs.shape, hidden0.shape[1]
    weight_ih, weight_hh, bias_ih, bias_hh = parameters

    states = np.empty((T + 1, N, H), inputs.dtype)
    states[0] = hidden0
    hidden = states[1:]
    # U x_t + b for all t in one product, which writes where the hidden states will stand.
    np.matmul(rows(inputs), weight_ih.T, out=rows(hidden))
    hidden += bias_ih + bias_hh
    weight_hh, recurrent = aligned_copy(weight_hh.T), np.empty((N, H), inputs.dtype)
    for before, after in zip(states, hidden):
        np.dot(before, weight_hh, out=recurrent)  # a small product starts faster in dot than in matmul
        after += recurrent
        np.tanh(after, out=after)

    final = states[-1].copy()
    states.flags.writeable = hidden.flags.writeable = False
    return (hidden, final), Cache(inputs, states, parameters)


def backward(cotangents, cache):
    r"""Backpropagate through time: the gradients of a loss with respect to everything that :func:`forward` was given.

    With :math:`\delta_t = \nabla_{h_t} L`, a column, and :math:`D_t = \operatorname{diag}(1 - h_t^2)`,

    .. claim::
       :label: eq-api-rnn-delta
       :model: elman
       :for: t = 1..T-1

       \delta_t = \nabla_{h_t} L_t + W^\top D_{t+1}\, \delta_{t+1}

    .. claim::
       :label: eq-api-rnn-weight-hh
       :model: elman

       \frac{\partial L}{\partial W} = \sum_{t=1}^{T} D_t\, \delta_t\, h_{t-1}^\top

    .. claim::
       :label: eq-api-rnn-weight-ih
       :model: elman

       \frac{\partial L}{\partial U} = \sum_{t=1}^{T} D_t\, \delta_t\, x_t^\top

    .. claim::
       :label: eq-api-rnn-bias
       :model: elman

       \nabla_b L = \sum_{t=1}^{T} D_t\, \delta_t

    .. claim::
       :label: eq-api-rnn-inputs
       :model: elman

       \nabla_{x_t} L = U^\top D_t\, \delta_t

    .. claim::
       :label: eq-api-rnn-hidden0
       :model: elman

       \nabla_{h_0} L = W^\top D_1\, \delta_1

    The recursion starts with :math:`\delta_T = \nabla_{h_T} L_T`. Only it needs a loop; each of the other lines is one matrix
    product over all steps, or one sum.

    Parameters
    ----------
    cotangents : tuple of array_like
        The gradients of the loss with respect to the two outputs of :func:`forward`, of their shapes and dtype:
        :math:`\nabla^{+}_{h_t} L`, what the loss takes from each hidden state directly, shape (T, N, H); and the same
        for the final hidden state, shape (N, H). None stands for zeros.
    cache : Cache
        From :func:`forward`.

    Returns
    -------
    Gradients
        Summed over the batch, as the loss is. Both biases have the gradient :math:`\nabla_b L`.

    Raises
    ------
    TypeError
        If `cotangents` is not a pair, or one is not of the dtype of the inputs.
    ValueError
        If a shape does not fit.

    See Also
    --------
    reference_backward : the same, one line for each equation.
    backward_double_sum : the same, as a sum over all pairs of steps.

    Notes
    -----
    Backpropagation through time is due to P. J. Werbos, "Backpropagation through time: what it does and how to do it",
    *Proceedings of the IEEE* 78 (1990), 1550-1560.

    Examples
    --------
    The loss is the first component of the last hidden state. How much of its gradient reaches the inputs, by the time
    that they came in?

    >>> rng = np.random.default_rng(0)
    >>> parameters = initialize(2, 3, rng=rng)
    >>> (hidden, final), cache = forward(rng.normal(size=(6, 1, 2)), np.zeros((1, 3)), parameters)
    >>> gradients = backward((None, [[1.0, 0.0, 0.0]]), cache)
    >>> np.linalg.norm(gradients.inputs, axis=(1, 2)).round(4)
    array([0.0083, 0.0094, 0.011 , 0.0148, 0.0551, 0.2571])

    One step of gradient descent on the parameters, and the loss is lower:

    >>> steps = zip(parameters, gradients.parameters)
    >>> better = Parameters(*(parameter - 0.1 * gradient for parameter, gradient in steps))
    >>> (_, lower), _ = forward(cache.inputs, cache.states[0], better)
    >>> lower[0, 0] < final[0, 0]
    np.True_
    """
    inputs, states, (weight_ih, weight_hh, _, _) = cache
    cotangents_hidden, (delta,) = _checked_cotangents(cotangents, cache)

    hidden = states[1:]
    T, N, H = hidden.shape
    # Starts as D_t, for some steps at a time; in the loop it becomes D_t δ_t, the cotangents of the arguments of tanh.
    local, weight_hh = np.empty(hidden.shape, hidden.dtype), aligned_copy(weight_hh)
    for block in blocks(slice(0, T), N * H):
        np.square(hidden[block], out=local[block])
        np.subtract(1, local[block], out=local[block])
        for local_t, cotangents_t in zip(local[block][::-1], cotangents_hidden[block][::-1]):
            delta += cotangents_t
            local_t *= delta
            np.dot(local_t, weight_hh, out=delta)

    local = rows(local)
    bias = local.sum(axis=0)
    return Gradients(
        inputs=(local @ weight_ih).reshape(inputs.shape),
        hidden0=delta,
        parameters=Parameters(
            weight_ih=sum_of_outer_products(local, rows(inputs)),
            weight_hh=sum_of_outer_products(local, rows(states[:-1])),
            bias_ih=bias,
            bias_hh=bias.copy(),
        ),
    )


def reference_forward(inputs, hidden0, parameters):
    r"""Run the network as the formula has it, one step after the other.

    The definition that everything else is measured against. It takes arrays of any numeric dtype and promotes them as
    NumPy does, so that a complex step can be sent through it.

    Parameters
    ----------
    inputs, hidden0, parameters
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
    The derivative of :math:`h_2` with respect to the only entry of :math:`W`, to full precision, by a complex step; and
    by the chain rule, :math:`(1 - h_2^2)(h_1 + W (1 - h_1^2)\, h_0)`:

    >>> W, h0 = 0.5, 0.3
    >>> inputs, hidden0 = np.zeros((2, 1, 1)), np.array([[h0]])
    >>> parameters = Parameters(np.ones((1, 1)), np.array([[W + 1e-200j]]), np.zeros(1), np.zeros(1))
    >>> (hidden, final), _ = reference_forward(inputs, hidden0, parameters)
    >>> print(round(final[0, 0].imag / 1e-200, 14))
    0.2939281513388
    >>> h1, h2 = hidden[:, 0, 0].real
    >>> print(round((1 - h2**2) * (h1 + W * (1 - h1**2) * h0), 14))
    0.2939281513388
    """
    inputs, (hidden0,), parameters = _checked(inputs, hidden0, parameters, as_array)
    weight_ih, weight_hh, bias_ih, bias_hh = parameters
    states = [hidden0]
    for inputs_t in inputs:
        states.append(np.tanh(states[-1] @ weight_hh.T + inputs_t @ weight_ih.T + (bias_ih + bias_hh)))
    states = np.stack(states)
    final = states[-1].copy()
    states.flags.writeable = False
    return (states[1:], final), Cache(inputs, states, parameters)


def reference_backward(cotangents, cache):
    r"""Backpropagate through time as the derivation has it, one step after the other.

    The equations are those of :func:`backward`, and each is one line here. Columns of the formulas are rows of the
    arrays, one for each member of the batch, so that :math:`W^\top D_t \delta_t` becomes ``local @ weight_hh``.

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
    >>> (hidden, final), cache = forward(rng.normal(size=(6, 4, 2)), np.zeros((4, 3)), initialize(2, 3, rng=rng))
    >>> cotangents = rng.normal(size=hidden.shape), rng.normal(size=final.shape)
    >>> slow, fast = reference_backward(cotangents, cache), backward(cotangents, cache)
    >>> np.allclose(slow.parameters.weight_hh, fast.parameters.weight_hh, rtol=1e-13)
    True
    """
    inputs, states, (weight_ih, weight_hh, _, _) = cache
    cotangents_hidden, (delta,) = _checked_cotangents(cotangents, cache, as_array)
    gradients = _zeros(cache, np.result_type(states, cotangents_hidden, delta))
    for t in range(len(inputs), 0, -1):
        delta = cotangents_hidden[t - 1] + delta
        local = (1 - states[t] ** 2) * delta
        gradients.parameters.weight_hh[...] += local.T @ states[t - 1]
        gradients.parameters.weight_ih[...] += local.T @ inputs[t - 1]
        gradients.parameters.bias_ih[...] += local.sum(axis=0)
        gradients.parameters.bias_hh[...] += local.sum(axis=0)
        gradients.inputs[t - 1] = local @ weight_ih
        delta = local @ weight_hh
    gradients.hidden0[...] = delta
    return gradients


def backward_double_sum(cotangents, cache):
    r"""Sum the gradients over all pairs of steps, as the formula of the double sum has it.

    .. claim::
       :label: eq-api-rnn-double-sum
       :model: elman

       \frac{\partial L}{\partial W} = \sum_{t=1}^{T} \sum_{k=1}^{t} \frac{\partial L_t}{\partial h_t}
         \frac{\partial h_t}{\partial h_k} \frac{\partial^{+} h_k}{\partial W}

    and the same with :math:`U`, :math:`b` and :math:`x_k` for :math:`W`, while :math:`h_0` gets
    :math:`\sum_t \frac{\partial L_t}{\partial h_t} \frac{\partial h_t}{\partial h_0}`. The product of Jacobians is
    built, one factor more for every :math:`k`, which takes :math:`O(T^2 H^3)` operations for each member of the batch,
    where the recursion takes :math:`O(T H^2)`. For short sequences and small networks only.

    Parameters
    ----------
    cotangents, cache
        As for :func:`backward`. The rows :math:`\partial L_t / \partial h_t` are those of the first cotangent; the
        second belongs to :math:`t = T`.

    Returns
    -------
    Gradients

    Raises
    ------
    TypeError, ValueError
        As :func:`backward`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> (hidden, final), cache = forward(rng.normal(size=(6, 4, 2)), np.zeros((4, 3)), initialize(2, 3, rng=rng))
    >>> cotangents = rng.normal(size=hidden.shape), rng.normal(size=final.shape)
    >>> double_sum, recursion = backward_double_sum(cotangents, cache), backward(cotangents, cache)
    >>> np.allclose(double_sum.parameters.weight_hh, recursion.parameters.weight_hh, rtol=1e-13)
    True
    """
    inputs, states, (weight_ih, weight_hh, _, _) = cache
    (T, N, _), H = inputs.shape, states.shape[2]
    cotangents_hidden, (cotangents_final,) = _checked_cotangents(cotangents, cache)
    gradients = _zeros(cache, states.dtype)
    if T == 0:
        gradients.hidden0[...] = cotangents_final  # the final hidden state is the initial one
    factors = step_jacobian(states[1:], weight_hh)  # factors[k - 1] is ∂h_k/∂h_{k-1}
    for t in range(1, T + 1):
        row = cotangents_hidden[t - 1] + (cotangents_final if t == T else 0)  # ∂L_t/∂h_t
        product = np.broadcast_to(np.eye(H, dtype=states.dtype), (N, H, H))  # ∂h_t/∂h_k, here for k = t
        for k in range(t, 0, -1):
            term = np.einsum("ni,nij->nj", row, product)  # ∂L_t/∂h_t ∂h_t/∂h_k
            # The immediate derivatives of h_k = tanh(W h_{k-1} + U x_k + b): h_{k-1} is held fixed.
            term = term * (1 - states[k] ** 2)
            gradients.parameters.weight_hh[...] += np.einsum("ni,nj->ij", term, states[k - 1])
            gradients.parameters.weight_ih[...] += np.einsum("ni,nj->ij", term, inputs[k - 1])
            gradients.parameters.bias_ih[...] += np.einsum("ni->i", term)
            gradients.parameters.bias_hh[...] += np.einsum("ni->i", term)
            gradients.inputs[k - 1] += np.einsum("ni,ij->nj", term, weight_ih)
            product = product @ factors[k - 1]  # ∂h_t/∂h_{k-1}
        gradients.hidden0[...] += np.einsum("ni,nij->nj", row, product)
    return gradients


def step_jacobian(hidden, weight_hh):
    r"""Build the Jacobian of one step, a diagonal matrix times the recurrent weights.

    .. claim::
       :label: eq-api-rnn-step
       :model: elman

       \frac{\partial h_t}{\partial h_{t-1}} = \operatorname{diag}(1 - h_t^2)\, W

    .. claim::
       :label: eq-api-rnn-step-entry
       :model: elman
       :for: t = 1..T, i = 1..n, j = 1..n

       \frac{\partial h_{t,i}}{\partial h_{t-1,j}} = (1 - h_{t,i}^2)\, W_{ij}

    Parameters
    ----------
    hidden : array_like, shape (..., H)
        :math:`h_t`, float32 or float64, for any number of steps and members of the batch.
    weight_hh : array_like, shape (H, H)
        :math:`W`, of the same dtype.

    Returns
    -------
    numpy.ndarray, shape (..., H, H)
        Row :math:`i` belongs to component :math:`i` of :math:`h_t`, column :math:`j` to component :math:`j` of
        :math:`h_{t-1}`.

    Raises
    ------
    TypeError
        If an array is not of dtype float32 or float64, or the dtypes differ.
    ValueError
        If a shape does not fit.

    Examples
    --------
    A saturated unit passes nothing on, whatever the weights:

    >>> step_jacobian([0.0, 1.0], [[3.0, 4.0], [5.0, 6.0]])
    array([[3., 4.],
           [0., 0.]])
    """
    sizes = {}
    hidden = as_floats("hidden", hidden, "... H", sizes)
    weight_hh = as_floats("weight_hh", weight_hh, "H H", sizes, like=("hidden", hidden))
    return (1 - hidden**2)[..., :, None] * weight_hh


def long_product(hidden, weight_hh, t, k):
    r"""Build the Jacobian of a later hidden state with respect to an earlier one, the latest factor first.

    .. claim::
       :label: eq-api-rnn-long-product
       :model: elman
       :for: t = 1..T, k = 0..t

       \frac{\partial h_t}{\partial h_k}
         = \overset{\curvearrowleft}{\prod}_{j=k+1}^{t} \frac{\partial h_j}{\partial h_{j-1}}
         = \overset{\curvearrowleft}{\prod}_{j=k+1}^{t} \left( D_j W \right)

    It has :math:`t - k` factors; for :math:`t = k` it is the identity.

    Parameters
    ----------
    hidden : array_like, shape (T, N, H)
        The hidden states, as :func:`forward` returns them: ``hidden[t - 1]`` is :math:`h_t`.
    weight_hh : array_like, shape (H, H)
        :math:`W`, of the same dtype.
    t, k : int
        :math:`0 \le k \le t \le T`; step 0 is the initial state.

    Returns
    -------
    numpy.ndarray, shape (N, H, H)

    Raises
    ------
    TypeError
        If an array is not of dtype float32 or float64, or the dtypes differ.
    ValueError
        If a shape does not fit, or the steps are out of range.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> parameters = initialize(2, 8, rng=rng)
    >>> (hidden, _), _ = forward(rng.normal(size=(30, 1, 2)), np.zeros((1, 8)), parameters)
    >>> for k in (30, 20, 10, 0):
    ...     print(k, f"{np.linalg.norm(long_product(hidden, parameters.weight_hh, 30, k)[0], 2):.0e}")
    30 1e+00
    20 3e-03
    10 1e-06
    0 8e-10
    """
    sizes = {}
    hidden = as_floats("hidden", hidden, "T N H", sizes)
    if not 0 <= as_integer("k", k) <= as_integer("t", t) <= sizes["T"]:
        raise ValueError(f"t, k: expected 0 <= k <= t <= T with T = {sizes['T']}, got t = {t}, k = {k}")
    product = np.broadcast_to(np.eye(sizes["H"], dtype=hidden.dtype), (sizes["N"], sizes["H"], sizes["H"])).copy()
    for factor in step_jacobian(hidden[k:t], weight_hh):
        product = factor @ product
    return product


def readout_forward(hidden, parameters):
    r"""Read the outputs from the hidden states, :math:`o_t = V h_t + c`.

    Parameters
    ----------
    hidden : array_like, shape (..., H)
        :math:`h_t`, float32 or float64, for any number of steps and members of the batch.
    parameters : ReadoutParameters
        Of the same dtype.

    Returns
    -------
    outputs : numpy.ndarray, shape (..., q)
        :math:`o_t`.
    cache : ReadoutCache
        For :func:`readout_backward`.

    Raises
    ------
    TypeError
        If `parameters` is not a :class:`ReadoutParameters`, or an array is not of dtype float32 or float64, or of
        another than `hidden`.
    ValueError
        If a shape does not fit.

    Examples
    --------
    >>> parameters = ReadoutParameters(weight_ho=np.array([[1.0, -1.0]]), bias_ho=np.array([0.5]))
    >>> outputs, cache = readout_forward([[0.25, 0.5], [0.0, 1.0]], parameters)
    >>> outputs
    array([[ 0.25],
           [-0.5 ]])
    """
    require_kind(parameters, ReadoutParameters)
    sizes = {}
    hidden = as_floats("hidden", hidden, "... H", sizes)
    like = ("hidden", hidden)
    weight_ho = as_floats("parameters.weight_ho", parameters.weight_ho, "q H", sizes, like)
    bias_ho = as_floats("parameters.bias_ho", parameters.bias_ho, "q", sizes, like)
    outputs = rows(hidden) @ weight_ho.T
    outputs += bias_ho
    return outputs.reshape(sizes["..."] + (sizes["q"],)), ReadoutCache(hidden, ReadoutParameters(weight_ho, bias_ho))


def readout_backward(cotangents, cache):
    r"""Go back through the readout.

    .. claim::
       :label: eq-api-readout-hidden
       :model: elman

       \nabla_{h_t} L_t = V^\top \nabla_{o_t} L

    .. claim::
       :label: eq-api-readout-weight
       :model: elman

       \frac{\partial L}{\partial V} = \sum_{t=1}^{T} \nabla_{o_t} L\; h_t^\top

    .. claim::
       :label: eq-api-readout-bias
       :model: elman

       \nabla_c L = \sum_{t=1}^{T} \nabla_{o_t} L

    What comes out for the hidden states is the first of the cotangents that :func:`backward` takes.

    Parameters
    ----------
    cotangents : array_like, shape (..., q)
        :math:`\nabla_{o_t} L`, of the shape and dtype of the outputs.
    cache : ReadoutCache
        From :func:`readout_forward`.

    Returns
    -------
    ReadoutGradients

    Raises
    ------
    TypeError, ValueError
        If `cotangents` has not the shape and dtype of the outputs.

    Examples
    --------
    >>> parameters = ReadoutParameters(weight_ho=np.array([[1.0, -1.0]]), bias_ho=np.array([0.5]))
    >>> outputs, cache = readout_forward([[0.25, 0.5], [0.0, 1.0]], parameters)
    >>> gradients = readout_backward([[1.0], [2.0]], cache)
    >>> gradients.hidden
    array([[ 1., -1.],
           [ 2., -2.]])
    >>> gradients.parameters
    ReadoutParameters(weight_ho=array([[0.25, 2.5 ]]), bias_ho=array([3.]))
    """
    hidden, (weight_ho, _) = cache
    sizes = {"...": hidden.shape[:-1], "q": len(weight_ho)}
    cotangents = as_floats("cotangents", cotangents, "... q", sizes, like=("hidden", hidden))
    flat = rows(cotangents)
    return ReadoutGradients(
        hidden=(flat @ weight_ho).reshape(hidden.shape),
        parameters=ReadoutParameters(weight_ho=flat.T @ rows(hidden), bias_ho=flat.sum(axis=0)),
    )


def _checked(inputs, hidden0, parameters, convert=as_floats):
    return checked(inputs, {"hidden0": hidden0}, parameters, Parameters, 1, convert)


def _checked_cotangents(cotangents, cache, convert=as_floats):
    return checked_cotangents(cotangents, ("the final one",), cache.states[1:], convert)


def _zeros(cache, dtype):
    """Return gradients of zeros, for the slow backward passes to add to."""
    inputs, hidden0 = np.zeros(cache.inputs.shape, dtype), np.zeros(cache.states.shape[1:], dtype)
    return Gradients(inputs, hidden0, zeros_like(cache.parameters, dtype))
