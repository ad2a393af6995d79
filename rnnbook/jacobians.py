r"""One layer :math:`y = \varphi(W x + b)`, and every way to hold or to apply its derivative.

The derivative with respect to :math:`x` is the Jacobian :math:`\operatorname{diag}(\varphi'(W x + b))\, W`, that with
respect to :math:`W` has three indices. :func:`input_jacobian`, :func:`weight_tensor` and :func:`weight_jacobian` build
them, for looking at; :func:`jvp` and :func:`backward` multiply with them and build nothing, which is what programs do.

The layer is applied to the **last axis** of its inputs; the axes before it are a batch of any shape. float32 and
float64 stay what they are, and arguments of different dtypes are a :exc:`TypeError`: nothing is promoted in silence.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rnnbook._arrays import as_array, as_floats
from rnnbook.losses import sigmoid, softplus

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Cache",
    "Gradients",
    "Tangents",
    "backward",
    "chain_cost",
    "cheapest_chain",
    "forward",
    "input_jacobian",
    "jacobian_by_complex_step",
    "jvp",
    "weight_jacobian",
    "weight_tensor",
]


class Activation(NamedTuple):
    """A function that acts on each entry, and its derivative."""

    function: Callable
    """φ, of the pre-activation"""
    slope: Callable
    """φ′, as a function of the output φ(a), so that the pre-activation need not be kept"""


ACTIVATIONS = {
    "identity": Activation(np.array, np.ones_like),
    "sigmoid": Activation(sigmoid, lambda y: y * (1 - y)),
    "tanh": Activation(np.tanh, lambda y: 1 - y * y),
    "softplus": Activation(softplus, lambda y: -np.expm1(-y)),
    # The slope at the kink is 0, by convention; heaviside, unlike y > 0, passes a nan on.
    "relu": Activation(lambda a: np.maximum(a, 0), lambda y: np.heaviside(y, 0)),
}
"""The activation functions by name, each with its slope in terms of its output."""


class Gradients(NamedTuple):
    """The gradients with respect to the arguments of :func:`forward`, in their order and of their shapes."""

    inputs: np.ndarray
    weight: np.ndarray
    bias: np.ndarray


class Tangents(NamedTuple):
    """A direction in which the arguments of :func:`forward` move, of their shapes; None for one that stands still."""

    inputs: np.ndarray | None = None
    weight: np.ndarray | None = None
    bias: np.ndarray | None = None


class Cache(NamedTuple):
    """What :func:`forward` leaves for the derivatives. It refers to the arrays and does not copy them."""

    inputs: np.ndarray
    """x, shape (..., d)"""
    weight: np.ndarray
    """W, shape (n, d)"""
    outputs: np.ndarray
    """y, shape (..., n), read-only"""
    activation: str


def forward(inputs, weight, bias, activation="sigmoid"):
    r"""Apply a layer, :math:`y = \varphi(W x + b)`.

    Parameters
    ----------
    inputs : array_like, shape (..., d)
        :math:`x`, float32 or float64.
    weight : array_like, shape (n, d)
        :math:`W`, of the same dtype.
    bias : array_like, shape (n,)
        :math:`b`, of the same dtype.
    activation : str, optional
        :math:`\varphi`, a name in :data:`ACTIVATIONS`.

    Returns
    -------
    outputs : numpy.ndarray, shape (..., n)
        :math:`y`. It is read-only, because the derivatives need it as it is.
    cache : Cache
        For :func:`backward`, :func:`jvp` and the functions that build the derivatives.

    Raises
    ------
    TypeError
        If an array is not of dtype float32 or float64, or of another than `inputs`.
    ValueError
        If a shape does not fit, or there is no such activation.

    Examples
    --------
    >>> outputs, cache = forward([1.0, 1.0], [[1.0, -1.0], [0.0, np.log(3.0)]], [0.0, 0.0])
    >>> outputs
    array([0.5 , 0.75])
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation: expected one of {', '.join(ACTIVATIONS)}, got {activation!r}")
    sizes = {}
    inputs = as_floats("inputs", inputs, "... d", sizes)
    like = "inputs", inputs
    weight = as_floats("weight", weight, "n d", sizes, like=like)
    bias = as_floats("bias", bias, "n", sizes, like=like)
    outputs = ACTIVATIONS[activation].function(inputs @ weight.T + bias)
    outputs.flags.writeable = False
    return outputs, Cache(inputs, weight, outputs, activation)


def backward(cotangents, cache):
    r"""Multiply a row with the layer's derivatives: the vector-Jacobian product, or backward pass.

    With :math:`u` the column of cotangents and :math:`\alpha = \varphi'(W x + b) \odot u` the gradients are
    :math:`\nabla_x L = W^\top \alpha`, :math:`\nabla_W L = \alpha\, x^\top` and :math:`\nabla_b L = \alpha`. For tanh

    .. claim::
       :label: eq-api-jacobians-backward
       :model: jacobians-layer

       \nabla_x L = W^\top \left( (1 - y^2) \odot u \right)

    Parameters
    ----------
    cotangents : array_like, shape (..., n)
        :math:`u`, the gradient with respect to the outputs, of their dtype.
    cache : Cache
        From :func:`forward`.

    Returns
    -------
    Gradients
        Those of weight and bias are summed over the batch.

    Raises
    ------
    TypeError, ValueError
        If `cotangents` has not the shape and dtype of the outputs.

    Examples
    --------
    A row of the Jacobian is the backward pass of a unit vector:

    >>> outputs, cache = forward([1.0, 1.0], [[1.0, -1.0], [0.0, np.log(3.0)]], [0.0, 0.0])
    >>> gradients = backward([0.0, 1.0], cache)
    >>> np.array_equal(gradients.inputs, input_jacobian(cache)[1])
    True
    >>> gradients.weight
    array([[0.    , 0.    ],
           [0.1875, 0.1875]])
    """
    inputs, weight = cache.inputs, cache.weight
    alpha = _slope(cache) * _cotangents(cotangents, cache)
    members = math.prod(inputs.shape[:-1])
    rows = alpha.reshape(members, weight.shape[0])
    columns = inputs.reshape(members, weight.shape[1])
    return Gradients(
        inputs=alpha @ weight,
        weight=rows.T @ columns,
        bias=rows.sum(axis=0),
    )


def jvp(tangents, cache):
    r"""Multiply the layer's derivatives with a direction: the Jacobian-vector product.

    In the direction :math:`(\dot x, \dot W, \dot b)` the outputs move by
    :math:`\dot y = \varphi'(W x + b) \odot (W \dot x + \dot W x + \dot b)`.

    Parameters
    ----------
    tangents : Tangents
        :math:`\dot x, \dot W, \dot b`, of the shapes and dtype of the arguments of :func:`forward`; None stands for
        zeros.
    cache : Cache
        From :func:`forward`.

    Returns
    -------
    numpy.ndarray, shape (..., n)
        :math:`\dot y`.

    Raises
    ------
    TypeError
        If `tangents` is not a :class:`Tangents`, or one is not of the dtype of the inputs.
    ValueError
        If a shape does not fit.

    Examples
    --------
    A column of the Jacobian is the forward pass of a unit vector:

    >>> outputs, cache = forward([1.0, 1.0], [[1.0, -1.0], [0.0, np.log(3.0)]], [0.0, 0.0])
    >>> np.array_equal(jvp(Tangents(inputs=[0.0, 1.0]), cache), input_jacobian(cache)[:, 1])
    True
    """
    inputs, weight, outputs, _ = cache
    if not isinstance(tangents, Tangents):
        raise TypeError(f"tangents: expected Tangents, got {type(tangents).__name__}")
    sizes = {"...": inputs.shape[:-1], "n": weight.shape[0], "d": weight.shape[1]}
    like = "inputs", inputs
    moved = np.zeros_like(outputs)
    if tangents.inputs is not None:
        moved += as_floats("tangents.inputs", tangents.inputs, "... d", sizes, like=like) @ weight.T
    if tangents.weight is not None:
        moved += inputs @ as_floats("tangents.weight", tangents.weight, "n d", sizes, like=like).T
    if tangents.bias is not None:
        moved += as_floats("tangents.bias", tangents.bias, "n", sizes, like=like)
    return _slope(cache) * moved


def input_jacobian(cache):
    r"""Build the Jacobian with respect to the inputs.

    It is :math:`\operatorname{diag}(\varphi'(W x + b))\, W`; for :math:`\varphi = \sigma` and :math:`b = 0`

    .. claim::
       :label: eq-api-jacobians-input-jacobian
       :model: jacobians

       \frac{\partial y}{\partial x} = \operatorname{diag}(\sigma'(W x))\, W

    Parameters
    ----------
    cache : Cache
        From :func:`forward`.

    Returns
    -------
    numpy.ndarray, shape (..., n, d)

    Examples
    --------
    >>> _, cache = forward([1.0, 1.0], [[1.0, -1.0], [0.0, np.log(3.0)]], [0.0, 0.0])
    >>> input_jacobian(cache).round(4)
    array([[ 0.25 , -0.25 ],
           [ 0.   ,  0.206]])
    """
    # A factor for each row of W: its axis is the last but one.
    return _slope(cache)[..., :, None] * cache.weight


def weight_tensor(cache):
    r"""Build the derivative with respect to the weight, with all its three indices.

    .. claim::
       :label: eq-api-jacobians-weight-tensor
       :model: jacobians
       :for: i = 1..n, j = 1..n, k = 1..d

       \frac{\partial y_i}{\partial W_{jk}} = \sigma'(a_i)\, [\, i = j \,]\, x_k

    with :math:`a = W x + b` and :math:`\varphi` for :math:`\sigma` in general. Of its :math:`n \cdot n d` entries all
    but :math:`n d` are zero. :func:`backward` does without it.

    Parameters
    ----------
    cache : Cache
        From :func:`forward`.

    Returns
    -------
    numpy.ndarray, shape (..., n, n, d)

    See Also
    --------
    weight_jacobian : the same numbers as a matrix.

    Examples
    --------
    >>> _, cache = forward([1.0, 1.0], [[1.0, -1.0], [0.0, np.log(3.0)]], [0.0, 0.0])
    >>> tensor = weight_tensor(cache)
    >>> tensor.shape, int(np.count_nonzero(tensor))
    ((2, 2, 2), 4)
    >>> np.allclose(np.einsum("i,ijk", [1.0, 2.0], tensor), backward([1.0, 2.0], cache).weight)
    True
    """
    slope = _slope(cache)
    same = np.eye(slope.shape[-1], dtype=slope.dtype)
    return np.einsum("...i,ij,...k->...ijk", slope, same, cache.inputs)


def weight_jacobian(cache, order="F"):
    r"""Build the derivative with respect to the vectorised weight, a matrix.

    With :math:`D = \operatorname{diag}(\varphi'(W x + b))` it is :math:`x^\top \otimes D` if the weight is laid out
    column after column, and :math:`D \otimes x^\top` if it is laid out row after row.

    Parameters
    ----------
    cache : Cache
        From :func:`forward`, of one input and not of a batch.
    order : {"F", "C"}, optional
        How the weight is laid out as a vector: column after column, as :math:`\operatorname{vec} W` and
        ``weight.ravel("F")`` are, or row after row, as ``weight.ravel()``.

    Returns
    -------
    numpy.ndarray, shape (n, n d)

    Raises
    ------
    ValueError
        If there is no such order, or the inputs are a batch.

    Examples
    --------
    >>> _, cache = forward([1.0, 2.0, 3.0], np.zeros((2, 3)), np.zeros(2))
    >>> weight_jacobian(cache)
    array([[0.25, 0.  , 0.5 , 0.  , 0.75, 0.  ],
           [0.  , 0.25, 0.  , 0.5 , 0.  , 0.75]])
    >>> weight_jacobian(cache, order="C")
    array([[0.25, 0.5 , 0.75, 0.  , 0.  , 0.  ],
           [0.  , 0.  , 0.  , 0.25, 0.5 , 0.75]])
    """
    if order not in ("F", "C"):
        raise ValueError(f"order: expected 'F' or 'C', got {order!r}")
    if cache.inputs.ndim != 1:
        raise ValueError(f"cache: expected that of one input, of shape (d,), got inputs of shape {cache.inputs.shape}")
    slopes = np.diag(_slope(cache))
    row = cache.inputs[None, :]
    return np.kron(row, slopes) if order == "F" else np.kron(slopes, row)


def jacobian_by_complex_step(function, argument, step=1e-200):
    r"""Differentiate a function entry by entry with a complex step, without rounding error from the step.

    The derivative by entry :math:`j` is :math:`\operatorname{Im} f(x + \mathrm{i} s e_j) / s + O(s^2)`.
    Nothing is subtracted, so the step can be so small that its error vanishes. The function has to be analytic and to
    take complex numbers: a sum, a product, exp, tanh do, whereas the absolute value, the maximum and the conjugate do
    not.

    Parameters
    ----------
    function : callable
        From an array of the shape of `argument` to an array of any one shape.
    argument : array_like
        Where to differentiate, of any shape.
    step : float, optional
        :math:`s`.

    Returns
    -------
    numpy.ndarray of float64
        Of the shape of the result followed by that of the argument: a Jacobian if both are vectors.

    Raises
    ------
    TypeError
        If `argument` is not made of real numbers, or `function` gives real numbers for complex ones.

    Examples
    --------
    >>> weight = np.array([[1.0, -1.0, 0.5], [0.0, np.log(3.0), 2.0]])
    >>> x = np.array([1.0, 1.0, 0.0])
    >>> by_step = jacobian_by_complex_step(lambda x: 1 / (1 + np.exp(-weight @ x)), x)
    >>> np.allclose(by_step, input_jacobian(forward(x, weight, np.zeros(2))[1]), rtol=1e-14)
    True
    >>> jacobian_by_complex_step(lambda weight: weight @ x, weight).shape
    (2, 2, 3)
    """
    argument = as_array("argument", argument, "...", {})
    if argument.dtype.kind == "c":
        raise TypeError(f"argument: expected real numbers, got dtype {argument.dtype}")
    columns = []
    for index in np.ndindex(argument.shape):
        moved = argument.astype(complex)
        moved[index] += 1j * step
        value = np.asarray(function(moved))
        if value.dtype.kind != "c":
            raise TypeError(f"function: expected complex numbers for a complex argument, got dtype {value.dtype}")
        columns.append(value.imag / step)
    if not columns:
        shape = np.shape(function(argument.astype(complex)))
        return np.zeros(shape + argument.shape)
    return np.stack(columns, axis=-1).reshape(columns[0].shape + argument.shape)


def chain_cost(sizes, direction):
    r"""Count the multiplications of a product of matrices that is worked off from one end.

    Parameters
    ----------
    sizes : sequence of int
        :math:`s_0, \dots, s_m`: the factors are :math:`s_0 \times s_1`, :math:`s_1 \times s_2` and so on. A product of
        a :math:`p \times q` and a :math:`q \times r` matrix takes :math:`p q r` multiplications.
    direction : {"left", "right"}
        Where to begin. For Jacobians, latest first, "left" is reverse and "right" is forward accumulation.

    Returns
    -------
    int

    Raises
    ------
    TypeError, ValueError
        If the sizes are not at least two positive integers, or there is no such direction.

    Examples
    --------
    A scalar loss, four layers of 100 units, 50 inputs:

    >>> sizes = [1, 100, 100, 100, 100, 50]
    >>> chain_cost(sizes, "left"), chain_cost(sizes, "right")
    (35000, 1505000)
    """
    sizes = _chain(sizes)
    if direction == "left":
        return sum(sizes[0] * p * q for p, q in zip(sizes[1:], sizes[2:]))
    if direction == "right":
        return sum(p * q * sizes[-1] for p, q in zip(sizes, sizes[1:-1]))
    raise ValueError(f"direction: expected 'left' or 'right', got {direction!r}")


def cheapest_chain(sizes):
    r"""Find the cheapest order in which to multiply a chain of matrices.

    The best way to the product of factors :math:`i + 1` to :math:`j` makes two products and multiplies them, so that
    its cost is :math:`c_{ij} = \min_{i < k < j} (c_{ik} + c_{kj} + s_i s_k s_j)`, where :math:`c_{i, i+1} = 0`.

    Parameters
    ----------
    sizes : sequence of int
        As for :func:`chain_cost`.

    Returns
    -------
    cost : int
        The number of multiplications.
    order : str
        The factors, numbered from 1, in brackets.

    Raises
    ------
    TypeError, ValueError
        If the sizes are not at least two positive integers.

    Notes
    -----
    The algorithm is that of S. S. Godbole, "On efficient computation of matrix chain products", *IEEE Transactions on
    Computers* C-22 (1973), 864-866; it takes time proportional to the cube of the number of factors.

    Examples
    --------
    Where a chain has a waist, neither end is the place to begin:

    >>> sizes = [50, 100, 2, 100, 50]
    >>> chain_cost(sizes, "left"), chain_cost(sizes, "right"), cheapest_chain(sizes)
    (270000, 270000, (25000, '((1 2) (3 4))'))
    """
    sizes = _chain(sizes)
    best = {(i, i + 1): (0, str(i + 1)) for i in range(len(sizes) - 1)}
    for length in range(2, len(sizes)):
        for i in range(len(sizes) - length):
            j = i + length
            ways = []
            for k in range(i + 1, j):
                (left, first), (right, second) = best[i, k], best[k, j]
                cost = left + right + sizes[i] * sizes[k] * sizes[j]
                ways.append((cost, f"({first} {second})"))
            best[i, j] = min(ways)
    return best[0, len(sizes) - 1]


def _slope(cache):
    """Return φ′(W x + b), from the outputs."""
    return ACTIVATIONS[cache.activation].slope(cache.outputs)


def _cotangents(cotangents, cache):
    sizes = {"...": cache.outputs.shape[:-1], "n": cache.outputs.shape[-1]}
    return as_floats("cotangents", cotangents, "... n", sizes, like=("inputs", cache.inputs))


def _chain(sizes):
    sizes = list(sizes)
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)):
            raise TypeError(f"sizes: expected integers, got {size!r}")
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"sizes: expected at least two, each at least 1, got {sizes}")
    return [int(size) for size in sizes]
