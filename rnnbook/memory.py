r"""A network of one unit whose loss is the product of its outputs, and what its backward pass has to remember.

.. claim::
   :label: eq-api-memory-network
   :model: memory-product

   z = \prod_{t=1}^{T} y_t = \prod_{t=1}^{T} v \tanh(w h_{t-1} + u x_t)

The gradient of :math:`z` is computed four times here. :func:`forward` keeps more or less of what it computes, and
:func:`backward` makes do with it; :func:`forward_accumulation` keeps nothing at all.
"""

import math
from typing import NamedTuple

import numpy as np

from rnnbook._arrays import as_floats

__all__ = ["KEEP", "Cache", "Gradients", "Weights", "backward", "forward", "forward_accumulation", "stored"]

KEEP = ("preactivations, states and outputs", "states and outputs", "states")
"""What :func:`forward` may keep, from most to least"""


class Weights(NamedTuple):
    """The three weights, numbers."""

    w: float
    """from the state to the next one"""
    u: float
    """from the input to the state"""
    v: float
    """from the state to the output"""


class Gradients(NamedTuple):
    """The gradients with respect to every argument of :func:`forward`, in its order and of the same shapes."""

    inputs: np.ndarray
    hidden0: float
    weights: Weights


class Cache(NamedTuple):
    """What :func:`forward` leaves for :func:`backward`."""

    inputs: np.ndarray
    """shape (T,); they are the caller's and not counted as stored"""
    weights: Weights
    product: float
    """z"""
    states: np.ndarray
    """h_0, ..., h_T, shape (T + 1,)"""
    outputs: np.ndarray | None
    """y_1, ..., y_T, shape (T,), or None"""
    preactivations: np.ndarray | None
    """τ_1, ..., τ_T, shape (T,), or None"""


def forward(inputs, hidden0, weights, *, keep="states"):
    r"""Run the network, and keep what is asked for.

    Parameters
    ----------
    inputs : array_like, shape (T,)
        :math:`x_1, \dots, x_T`, float64 or float32.
    hidden0 : float
        :math:`h_0`.
    weights : Weights
    keep : str, optional
        One of :data:`KEEP`.

    Returns
    -------
    product : float
        :math:`z`; 1 for no steps.
    cache : Cache

    Raises
    ------
    TypeError
        If `inputs` is not an array of floats, or `weights` not a :class:`Weights`.
    ValueError
        If `inputs` has not one axis, or `keep` is not in :data:`KEEP`.

    Examples
    --------
    Three, two and one number more for each further step:

    >>> for keep in KEEP:
    ...     two, hundred = (forward(np.ones(T), 0.1, Weights(0.5, 1.0, 2.0), keep=keep)[1] for T in (2, 100))
    ...     print(stored(hundred) - stored(two))
    294
    196
    98
    """
    inputs = as_floats("inputs", inputs, "T", {})
    if not isinstance(weights, Weights):
        raise TypeError(f"weights: expected Weights, got {type(weights).__name__}")
    if keep not in KEEP:
        raise ValueError(f"keep: expected one of {', '.join(map(repr, KEEP))}, got {keep!r}")
    w, u, v = weights
    T = len(inputs)
    states = np.empty(T + 1)
    outputs = np.empty(T) if "outputs" in keep else None
    preactivations = np.empty(T) if "preactivations" in keep else None
    states[0] = hidden0
    product = 1.0
    for t in range(1, T + 1):
        tau = w * states[t - 1] + u * inputs[t - 1]
        states[t] = np.tanh(tau)
        y = v * states[t]
        product *= y
        if preactivations is not None:
            preactivations[t - 1] = tau
        if outputs is not None:
            outputs[t - 1] = y
    return float(product), Cache(inputs, weights, float(product), states, outputs, preactivations)


def backward(cache):
    r"""Compute the gradient of the product from what was kept, and the rest from that.

    With :math:`\delta_t = \partial z / \partial h_t`,

    .. claim::
       :label: eq-api-memory-recursion
       :model: memory-product
       :for: t = 1..T-1

       \delta_t = v \left( \prod_{s=1}^{t-1} y_s \right) \left( \prod_{s=t+1}^{T} y_s \right) + w (1 - h_{t+1}^2)\, \delta_{t+1}

    Parameters
    ----------
    cache : Cache

    Returns
    -------
    Gradients

    Examples
    --------
    >>> weights = Weights(0.5, 1.0, 2.0)
    >>> for keep in KEEP:
    ...     _, cache = forward([1.0, -0.5], 0.4, weights, keep=keep)
    ...     print(round(backward(cache).weights.w, 12))
    2.922304406029
    2.922304406029
    2.922304406029
    """
    inputs, (w, u, v), product, states, outputs, preactivations = cache
    inputs_gradient = np.empty(len(inputs))
    of_w = of_u = of_v = carried = 0.0
    earlier, later = product, 1.0  # y_1 ··· y_t and y_{t+1} ··· y_T
    for t in range(len(inputs), 0, -1):
        y = v * states[t] if outputs is None else outputs[t - 1]
        if abs(earlier) >= np.finfo(np.float64).tiny:
            earlier = earlier / y  # undoes what the forward pass did
        else:  # it has made a zero, by y_t = 0, or lost digits by underflow
            earlier = math.prod((v * states[1:t]).tolist())
        tanh = states[t] if preactivations is None else np.tanh(preactivations[t - 1])
        delta = earlier * later * v + carried
        alpha = (1 - tanh**2) * delta
        of_v += earlier * later * states[t]
        of_w += alpha * states[t - 1]
        of_u += alpha * inputs[t - 1]
        inputs_gradient[t - 1] = alpha * u
        carried = alpha * w
        later *= y
    weights = Weights(float(of_w), float(of_u), float(of_v))
    return Gradients(inputs_gradient, float(carried), weights)


def forward_accumulation(inputs, hidden0, weights):
    r"""Compute the product and its gradient with respect to the weights, forwards, with nothing kept.

    Beside :math:`h_t` and :math:`z` go their derivatives with respect to the three weights: seven numbers, whatever T.

    Parameters
    ----------
    inputs, hidden0, weights
        As for :func:`forward`.

    Returns
    -------
    product : float
    gradient : Weights

    Raises
    ------
    TypeError, ValueError
        As :func:`forward`.

    Examples
    --------
    >>> product, gradient = forward_accumulation([1.0, -0.5], 0.4, Weights(0.5, 1.0, 2.0))
    >>> print(round(gradient.w, 12))
    2.922304406029
    """
    inputs = as_floats("inputs", inputs, "T", {})
    if not isinstance(weights, Weights):
        raise TypeError(f"weights: expected Weights, got {type(weights).__name__}")
    w, u, v = weights
    h, z = float(hidden0), 1.0
    h_w = h_u = z_w = z_u = z_v = 0.0
    for x in inputs.tolist():
        before, h = h, math.tanh(w * h + u * x)
        h_w, h_u = (1 - h**2) * (before + w * h_w), (1 - h**2) * (x + w * h_u)
        y = v * h
        z_w, z_u, z_v = z_w * y + z * v * h_w, z_u * y + z * v * h_u, z_v * y + z * h
        z *= y
    return z, Weights(z_w, z_u, z_v)


def stored(cache):
    """Count the numbers that the forward pass has stored for the backward pass; each takes eight bytes.

    Parameters
    ----------
    cache : Cache

    Returns
    -------
    int
        The initial state is counted, the inputs and the weights are not, nor is the product.

    Examples
    --------
    >>> stored(forward(np.ones(2), 0.1, Weights(0.5, 1.0, 2.0), keep="states")[1])
    3
    """
    kept = (cache.states, cache.outputs, cache.preactivations)
    return sum(array.size for array in kept if array is not None)
