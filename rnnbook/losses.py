r"""The losses of a number against a target, the functions that they are made of, and means over steps and sequences.

Everything acts on each entry of an array of any shape. float32 and float64 stay what they are, and arguments of
different dtypes are a :exc:`TypeError`: nothing is promoted in silence.

The elementwise functions are right to a few units in the last place wherever the format has a number for the result,
down to its subnormal ones, and raise no floating-point warning. :math:`\pm\infty` gives the limit, ``nan`` gives
``nan``. None of them evaluates the formula that defines it.

===============================  ================================  =====================================
:math:`f(a)`                     In code                           Its derivative, in code
===============================  ================================  =====================================
:math:`\ln(1 + e^a)`             :func:`softplus`                  :func:`sigmoid`
:math:`\ln \sigma(a)`            :func:`log_sigmoid`               ``sigmoid(-a)``
:math:`\sigma(a)`                :func:`sigmoid`                   :func:`sigmoid_derivative`
:math:`\ln \cosh a`              :func:`log_cosh`                  ``numpy.tanh``
:math:`\tanh a`                  ``numpy.tanh``                    :func:`tanh_derivative`
===============================  ================================  =====================================
"""

from typing import NamedTuple

import numpy as np

from rnnbook._arrays import as_array, as_floats

__all__ = [
    "BinaryCrossEntropyCache",
    "LogLossCache",
    "MeanCache",
    "binary_cross_entropy",
    "binary_cross_entropy_backward",
    "log_cosh",
    "log_cosh_error",
    "log_cosh_error_backward",
    "log_loss",
    "log_loss_backward",
    "log_sigmoid",
    "mean",
    "mean_backward",
    "sigmoid",
    "sigmoid_derivative",
    "softplus",
    "squared_error",
    "squared_error_backward",
    "tanh_derivative",
]


def sigmoid(a):
    r"""Compute the logistic function, :math:`\sigma(a) = 1/(1 + e^{-a})`.

    With :math:`e = \exp(-|a|)`, which never overflows, it is :math:`1/(1 + e)` for :math:`a \ge 0` and
    :math:`e/(1 + e)` for :math:`a < 0`.

    Parameters
    ----------
    a : array_like
        float32 or float64, of any shape.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    TypeError
        If `a` is not of dtype float32 or float64.

    Examples
    --------
    Far on the left the value is small and right. The familiar :math:`\tfrac12 + \tfrac12 \tanh(a/2)` has nothing left:

    >>> print(sigmoid(-50.0), 0.5 + 0.5 * np.tanh(-25.0))
    1.9287498479639178e-22 0.0
    """
    a = _floats(a)
    with np.errstate(under="ignore"):
        e = np.exp(-np.abs(a))
        return (np.where(a >= 0, 1, e) / (1 + e))[()]


def sigmoid_derivative(a):
    r"""Compute the derivative of the logistic function, :math:`\sigma'(a) = \sigma(a)\,(1 - \sigma(a))`.

    With :math:`e = \exp(-|a|)` it is :math:`e/(1 + e)^2`: nothing is subtracted.

    Parameters
    ----------
    a : array_like
        float32 or float64, of any shape.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    TypeError
        If `a` is not of dtype float32 or float64.

    Examples
    --------
    >>> print(sigmoid_derivative([0.0, 40.0, -40.0]))
    [2.50000000e-01 4.24835426e-18 4.24835426e-18]
    >>> print(sigmoid(40.0) * (1 - sigmoid(40.0)))
    0.0
    """
    a = _floats(a)
    with np.errstate(under="ignore"):
        e = np.exp(-np.abs(a))
        return e / (1 + e) ** 2


def softplus(a):
    r"""Compute :math:`\ln(1 + e^a)` as :math:`\max(a, 0) + \ln(1 + e^{-|a|})`.

    Parameters
    ----------
    a : array_like
        float32 or float64, of any shape.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    TypeError
        If `a` is not of dtype float32 or float64.

    Examples
    --------
    >>> print(softplus([-1000.0, -50.0, 0.0, 1000.0]))
    [0.00000000e+00 1.92874985e-22 6.93147181e-01 1.00000000e+03]
    """
    a = _floats(a)
    with np.errstate(under="ignore"):
        return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))


def log_sigmoid(a):
    r"""Compute :math:`\ln \sigma(a) = -\ln(1 + e^{-a})`.

    Parameters
    ----------
    a : array_like
        float32 or float64, of any shape.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    TypeError
        If `a` is not of dtype float32 or float64.

    Examples
    --------
    Neither end is lost, though :math:`\sigma` itself rounds to 0 and to 1 there:

    >>> print(log_sigmoid([-1000.0, 50.0]))
    [-1.00000000e+03 -1.92874985e-22]
    """
    return -softplus(-_floats(a))


def log_cosh(z):
    r"""Compute :math:`\ln \cosh z`.

    For :math:`|z| < 2` as :math:`\ln(1 + 2 \sinh^2(z/2))`, in which nothing cancels; beyond that as
    :math:`|z| - \ln 2 + \ln(1 + e^{-2|z|})`, in which nothing overflows.

    Parameters
    ----------
    z : array_like
        float32 or float64, of any shape.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    TypeError
        If `z` is not of dtype float32 or float64.

    Examples
    --------
    Half the square for small arguments, and :math:`|z| - \ln 2` for large ones:

    >>> print(log_cosh([1e-10, 1e10]))
    [5.e-21 1.e+10]
    >>> print(np.log(np.cosh(1e-10)))
    0.0
    """
    z = _floats(z, "z")
    size = np.abs(z)
    with np.errstate(under="ignore", over="ignore"):
        s = np.sinh(np.minimum(size, 2) / 2)
        near = np.log1p((2 * s) * s)
        ln2 = z.dtype.type(np.log(2))
        far = size + (np.log1p(np.exp(-2 * size)) - ln2)
    return np.where(size < 2, near, far)[()]


def tanh_derivative(a):
    r"""Compute the derivative of tanh, :math:`1 - \tanh^2 a = 1/\cosh^2 a`; it is also the second derivative of
    :math:`\ln \cosh`.

    With :math:`e = \exp(-2|a|)` it is :math:`4 e/(1 + e)^2`: nothing is subtracted.

    Parameters
    ----------
    a : array_like
        float32 or float64, of any shape.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    TypeError
        If `a` is not of dtype float32 or float64.

    Examples
    --------
    A unit that is saturated is not quite deaf:

    >>> print(tanh_derivative(20.0), 1 - np.tanh(20.0) ** 2)
    1.6993417021166355e-17 0.0
    """
    a = _floats(a)
    with np.errstate(under="ignore", over="ignore"):
        e = np.exp(-2 * np.abs(a))
        return 4 * e / (1 + e) ** 2


class LogLossCache(NamedTuple):
    """What :func:`log_loss` leaves for :func:`log_loss_backward`."""

    outputs: np.ndarray
    """y"""
    targets: np.ndarray
    """t, -1 or 1, of the dtype of y"""


def log_loss(outputs, targets):
    r"""Compute the log-loss, :math:`L = \ln(1 + e^{-t y})` for :math:`t \in \{-1, 1\}`, of each entry.

    Parameters
    ----------
    outputs : array_like
        :math:`y`, float32 or float64, of any shape.
    targets : array_like
        :math:`t`, integers or numbers of the dtype of `outputs`, -1 or 1, of the same shape.

    Returns
    -------
    losses : numpy.ndarray
        Of the shape of `outputs`, neither summed nor averaged.
    cache : LogLossCache
        For :func:`log_loss_backward`.

    Raises
    ------
    TypeError
        If a dtype is another.
    ValueError
        If the shapes differ, or a target is neither -1 nor 1.

    See Also
    --------
    binary_cross_entropy : the same loss for targets 0 and 1.

    Examples
    --------
    Right and sure, undecided, wrong and sure:

    >>> losses, cache = log_loss([10.0, 0.0, -10.0], [1, 1, 1])
    >>> losses.round(4)
    array([ 0.    ,  0.6931, 10.    ])
    >>> log_loss_backward(np.ones(3), cache).round(4)
    array([-0. , -0.5, -1. ])
    """
    outputs = as_floats("outputs", outputs, "...", {})
    targets = as_array("targets", targets, "...", {"...": outputs.shape})
    if targets.dtype.kind in "iu":
        signs = targets.astype(outputs.dtype)
    else:
        signs = targets = as_floats("targets", targets, "...", {}, like=("outputs", outputs))
    wrong = np.abs(signs) != 1
    if np.any(wrong):
        raise ValueError(
            f"targets: expected -1 or 1, got {targets[wrong][0]}; binary_cross_entropy takes targets from 0 to 1"
        )
    return softplus(-signs * outputs), LogLossCache(outputs, signs)


def log_loss_backward(cotangents, cache):
    r"""Compute the gradient of the log-loss with respect to the outputs.

    .. claim::
       :label: eq-api-losses-log-loss-backward
       :model: losses-log

       \frac{\partial L}{\partial y} = -t\, \sigma(-t y)

    Parameters
    ----------
    cotangents : array_like
        The gradient with respect to each of the losses, of their shape and dtype.
    cache : LogLossCache
        From :func:`log_loss`.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    TypeError, ValueError
        If `cotangents` has not the shape and dtype of the losses.

    Examples
    --------
    >>> _, cache = log_loss([0.0, 50.0], [-1, 1])
    >>> print(log_loss_backward([1.0, 1.0], cache))
    [ 5.00000000e-01 -1.92874985e-22]
    """
    outputs, targets = cache
    cotangents = _cotangents(cotangents, outputs)
    return cotangents * (-targets * sigmoid(-targets * outputs))


class BinaryCrossEntropyCache(NamedTuple):
    """What :func:`binary_cross_entropy` leaves for :func:`binary_cross_entropy_backward`."""

    logits: np.ndarray
    """y"""
    targets: np.ndarray
    """u, from 0 to 1, of the dtype of y"""


def binary_cross_entropy(logits, targets):
    r"""Compute the cross-entropy of two classes, given the logit of the first.

    .. claim::
       :label: eq-api-losses-binary-cross-entropy
       :model: losses-binary

       L = u \ln(1 + e^{-y}) + (1 - u) \ln(1 + e^{y})

    For :math:`u = 1` and :math:`u = 0` it is the :func:`log_loss` with :math:`t = 2u - 1`.

    Parameters
    ----------
    logits : array_like
        :math:`y`, float32 or float64, of any shape.
    targets : array_like
        :math:`u`, from 0 to 1, integers or numbers of the dtype of `logits`, of the same shape.

    Returns
    -------
    losses : numpy.ndarray
        Of the shape of `logits`, neither summed nor averaged.
    cache : BinaryCrossEntropyCache
        For :func:`binary_cross_entropy_backward`.

    Raises
    ------
    TypeError
        If a dtype is another.
    ValueError
        If the shapes differ, or a target is out of range.

    Examples
    --------
    >>> losses, cache = binary_cross_entropy([2.0, 2.0, 2.0], [0.0, 0.5, 1.0])
    >>> losses.round(4)
    array([2.1269, 1.1269, 0.1269])
    >>> binary_cross_entropy_backward(np.ones(3), cache).round(4)
    array([ 0.8808,  0.3808, -0.1192])
    """
    logits = as_floats("logits", logits, "...", {})
    targets = as_array("targets", targets, "...", {"...": logits.shape})
    if targets.dtype.kind in "iu":
        weights = targets.astype(logits.dtype)
    else:
        weights = targets = as_floats("targets", targets, "...", {}, like=("logits", logits))
    wrong = ~((weights >= 0) & (weights <= 1))
    if np.any(wrong):
        raise ValueError(f"targets: expected numbers from 0 to 1, got {targets[wrong][0]}; log_loss takes -1 and 1")
    losses = _times(weights, softplus(-logits)) + _times(1 - weights, softplus(logits))
    return losses, BinaryCrossEntropyCache(logits, weights)


def binary_cross_entropy_backward(cotangents, cache):
    r"""Compute the gradient of the binary cross-entropy with respect to the logits.

    .. claim::
       :label: eq-api-losses-binary-cross-entropy-backward
       :model: losses-binary

       \frac{\partial L}{\partial y} = \sigma(y) - u = (1 - u)\, \sigma(y) - u\, \sigma(-y)

    The second form is the one computed: for :math:`u = 0` and :math:`u = 1` nothing is subtracted in it.

    Parameters
    ----------
    cotangents : array_like
        The gradient with respect to each of the losses, of their shape and dtype.
    cache : BinaryCrossEntropyCache
        From :func:`binary_cross_entropy`.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    TypeError, ValueError
        If `cotangents` has not the shape and dtype of the losses.

    Examples
    --------
    >>> _, cache = binary_cross_entropy([50.0], [1])
    >>> print(binary_cross_entropy_backward([1.0], cache), sigmoid(50.0) - 1)
    [-1.92874985e-22] 0.0
    """
    logits, targets = cache
    cotangents = _cotangents(cotangents, logits)
    return cotangents * ((1 - targets) * sigmoid(logits) - targets * sigmoid(-logits))


def squared_error(outputs, targets):
    r"""Compute :math:`L = \tfrac12 (y - t)^2` of each entry.

    Parameters
    ----------
    outputs : array_like
        :math:`y`, float32 or float64, of any shape.
    targets : array_like
        :math:`t`, of the same shape and dtype.

    Returns
    -------
    losses : numpy.ndarray
        Of the shape of `outputs`, neither summed nor averaged.
    residuals : numpy.ndarray
        :math:`y - t`, the cache for :func:`squared_error_backward`.

    Raises
    ------
    TypeError, ValueError
        If `targets` has not the shape and dtype of `outputs`.

    Examples
    --------
    >>> losses, residuals = squared_error([1.0, 5.0], [0.0, 2.0])
    >>> losses, squared_error_backward([1.0, 1.0], residuals)
    (array([0.5, 4.5]), array([1., 3.]))
    """
    residuals = _residuals(outputs, targets)
    return (residuals / 2) * residuals, residuals


def squared_error_backward(cotangents, residuals):
    r"""Compute the gradient of the squared error, :math:`y - t`.

    Parameters
    ----------
    cotangents : array_like
        The gradient with respect to each of the losses, of their shape and dtype.
    residuals : numpy.ndarray
        From :func:`squared_error`.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    TypeError, ValueError
        If `cotangents` has not the shape and dtype of the losses.

    Examples
    --------
    >>> _, residuals = squared_error([1.0, 5.0], [0.0, 2.0])
    >>> squared_error_backward([0.5, 0.5], residuals)  # of the mean
    array([0.5, 1.5])
    """
    return _cotangents(cotangents, residuals) * residuals


def log_cosh_error(outputs, targets):
    r"""Compute :math:`L = \ln \cosh(y - t)` of each entry.

    Parameters
    ----------
    outputs : array_like
        :math:`y`, float32 or float64, of any shape.
    targets : array_like
        :math:`t`, of the same shape and dtype.

    Returns
    -------
    losses : numpy.ndarray
        Of the shape of `outputs`, neither summed nor averaged.
    residuals : numpy.ndarray
        :math:`y - t`, the cache for :func:`log_cosh_error_backward`.

    Raises
    ------
    TypeError, ValueError
        If `targets` has not the shape and dtype of `outputs`.

    Examples
    --------
    An outlier pulls no harder than any other large residual:

    >>> losses, residuals = log_cosh_error([0.1, 5.0, 500.0], [0.0, 0.0, 0.0])
    >>> losses.round(4), log_cosh_error_backward(np.ones(3), residuals).round(4)
    (array([5.000000e-03, 4.306900e+00, 4.993069e+02]), array([0.0997, 0.9999, 1.    ]))
    """
    residuals = _residuals(outputs, targets)
    return log_cosh(residuals), residuals


def log_cosh_error_backward(cotangents, residuals):
    r"""Compute the gradient of the log-cosh error with respect to the outputs.

    .. claim::
       :label: eq-api-losses-log-cosh-error-backward
       :model: losses-cosh

       \frac{\partial L}{\partial y} = \tanh(y - t)

    Parameters
    ----------
    cotangents : array_like
        The gradient with respect to each of the losses, of their shape and dtype.
    residuals : numpy.ndarray
        From :func:`log_cosh_error`.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    TypeError, ValueError
        If `cotangents` has not the shape and dtype of the losses.

    Examples
    --------
    >>> _, residuals = log_cosh_error([0.1, 500.0], [0.0, 0.0])
    >>> log_cosh_error_backward([1.0, 1.0], residuals).round(4)
    array([0.0997, 1.    ])
    """
    return _cotangents(cotangents, residuals) * np.tanh(residuals)


class MeanCache(NamedTuple):
    """What :func:`mean` leaves for :func:`mean_backward`."""

    mask: np.ndarray
    """true where a loss counts"""
    count: int
    """how many do"""
    dtype: np.dtype
    """of the losses"""


def mean(losses, mask=None):
    r"""Take the mean of the losses that count.

    With :math:`m_i \in \{0, 1\}`, 1 where a loss counts, it is :math:`\sum_i m_i L_i / \sum_i m_i`. The sums run over
    all axes: steps and members of the batch. What is masked is not looked at, and may be ``nan``.

    Parameters
    ----------
    losses : array_like
        :math:`L_i`, float32 or float64, of any shape, (T, N) for instance.
    mask : array_like of bool, optional
        :math:`m_i`, of the same shape. Without it all losses count.

    Returns
    -------
    value : numpy.floating
    cache : MeanCache
        For :func:`mean_backward`.

    Raises
    ------
    TypeError
        If `losses` is not of dtype float32 or float64, or `mask` not of booleans.
    ValueError
        If the shapes differ, or no loss counts.

    Examples
    --------
    Two sequences, of three steps and of one. The last two losses of the second do not exist:

    >>> losses = np.array([[1.0, 4.0], [2.0, np.nan], [3.0, np.nan]])
    >>> value, cache = mean(losses, [[True, True], [True, False], [True, False]])
    >>> print(value)
    2.5
    >>> print(mean_backward(1.0, cache))
    [[0.25 0.25]
     [0.25 0.  ]
     [0.25 0.  ]]
    """
    losses = as_floats("losses", losses, "...", {})
    if mask is None:
        mask = np.ones(losses.shape, bool)
    else:
        mask = np.array(mask)
        if mask.dtype != bool:
            raise TypeError(f"mask: expected booleans, got dtype {mask.dtype}")
        if mask.shape != losses.shape:
            raise ValueError(f"mask: expected shape {losses.shape} as losses has, got {mask.shape}")
    count = int(np.count_nonzero(mask))
    if count == 0:
        raise ValueError("losses: expected at least one that counts, got none" + " after masking" * (losses.size > 0))
    return losses.sum(where=mask) / losses.dtype.type(count), MeanCache(mask, count, losses.dtype)


def mean_backward(cotangent, cache):
    r"""Compute the gradient of the mean with respect to each loss, :math:`m_i / \sum_j m_j`.

    Parameters
    ----------
    cotangent : array_like
        The gradient with respect to the mean, a number of the dtype of the losses.
    cache : MeanCache
        From :func:`mean`.

    Returns
    -------
    numpy.ndarray
        Of the shape of the losses, zero where they do not count: the cotangents for a loss's backward pass.

    Raises
    ------
    TypeError, ValueError
        If `cotangent` is not a number of the dtype of the losses.

    Examples
    --------
    >>> _, cache = mean([1.0, 2.0, 3.0, 4.0])
    >>> mean_backward(1.0, cache)
    array([0.25, 0.25, 0.25, 0.25])
    """
    cotangent = _cotangent(cotangent, cache)
    share = cotangent / cache.dtype.type(cache.count)
    return np.where(cache.mask, share, cache.dtype.type(0))


def _floats(value, name="a"):
    return as_floats(name, value, "...", {})


def _residuals(outputs, targets):
    outputs = as_floats("outputs", outputs, "...", {})
    return outputs - as_floats("targets", targets, "...", {"...": outputs.shape}, like=("outputs", outputs))


def _cotangents(cotangents, outputs):
    return as_floats("cotangents", cotangents, "...", {"...": outputs.shape}, like=("losses", outputs))


def _cotangent(cotangent, cache):
    return as_floats("cotangent", cotangent, "...", {"...": ()}, like=("losses", np.empty((), cache.dtype)))


def _times(weights, values):
    """Return the product, with 0 · ∞ = 0: what has no weight does not count, however large it is."""
    return weights * np.where((weights == 0) & np.isinf(values), 0, values)
