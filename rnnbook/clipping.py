r"""Clipping gradients before they are used.

Gradients come as an array or as tuples and lists of them, nested in any way, as the backward passes return them, and go
out in the same form; nothing is changed in place. Where there is None there stays None.
"""

import math
from numbers import Real

import numpy as np

from rnnbook._trees import leaves, mapped

__all__ = ["clip_by_global_norm", "clip_by_value", "global_norm"]


def global_norm(gradients, *, order=2.0):
    r"""Compute the norm of all gradients together, as of one long vector.

    .. claim::
       :label: eq-api-clipping-norm
       :model: api-clipping

       \lVert g \rVert = \sqrt{\sum_{k=1}^{n} g_k^2}

    With another order :math:`p` it is the left side of

    .. claim::
       :label: eq-api-clipping-order
       :model: api-clipping

       \left( \sum_{k=1}^{n} \lvert g_k \rvert^p \right)^{1/p}
         = m \left( \sum_{k=1}^{n} \left( \frac{\lvert g_k \rvert}{m} \right)^p \right)^{1/p}

    and for :math:`p = \infty` the largest :math:`\lvert g_k \rvert`. It is computed as on the right, with the largest
    entry for :math:`m`, and in float64, so that no power overflows, and none underflows that matters: it is infinite
    only if an entry is, or if the norm itself is beyond the range of float64.

    Parameters
    ----------
    gradients : array_like or tuple
        float32 or float64.
    order : float, optional
        :math:`p`, greater than 0; ``math.inf`` for the largest entry.

    Returns
    -------
    float
        nan if any entry is.

    Raises
    ------
    TypeError
        If an array is of another dtype, or `order` not a number.
    ValueError
        If `order` is not greater than 0.

    Examples
    --------
    >>> global_norm((np.array([3.0, 0.0]), (np.array([[4.0]]), None)))
    5.0
    >>> print(f"{global_norm(np.array([3e200, 4e200])):.3g}")
    5e+200
    """
    if not isinstance(order, Real):
        raise TypeError(f"order: expected a number, got {order!r}")
    if not order > 0:
        raise ValueError(f"order: expected a number greater than 0, got {order!r}")
    arrays = [array for _, array in leaves("gradients", gradients) if array.size]
    largest = [float(np.max(np.abs(array))) for array in arrays]
    scale = math.nan if any(map(math.isnan, largest)) else max(largest, default=0.0)
    if scale == 0 or not math.isfinite(scale) or order == math.inf:
        return scale
    total = math.fsum(float(np.sum((np.abs(array.astype(np.float64)) / scale) ** order)) for array in arrays)
    try:
        return scale * total ** (1 / order)
    except OverflowError:  # of the power, which may be out of range where the norm is not
        with np.errstate(over="ignore"):
            return float(np.exp(math.log(scale) + math.log(total) / order))


def clip_by_global_norm(gradients, max_norm, *, order=2.0, error_if_nonfinite=False):
    r"""Scale all gradients by one factor, so that their global norm is at most `max_norm`.

    .. claim::
       :label: eq-api-clipping-by-norm
       :model: api-clipping

       f = \min\left( 1, \frac{c}{\lVert g \rVert + 10^{-6}} \right) g

    The direction stays, and the length is no more than was allowed:

    .. claim::
       :label: eq-api-clipping-direction
       :model: api-clipping

       g^\top f = \lVert g \rVert\, \lVert f \rVert

    .. claim::
       :label: eq-api-clipping-length
       :model: api-clipping

       \lVert f \rVert \le c

    The constant, and what happens to zero, infinity and nan, are those of PyTorch's
    ``torch.nn.utils.clip_grad_norm_``; only that here a finite gradient whose sum of squares overflows is clipped like
    any other, where PyTorch makes zeros of it.

    =======================  =====================================================================
    If the norm is           the gradients become
    =======================  =====================================================================
    zero                     zero, as they are
    infinite                 0 where they are finite and nan where they are infinite
    nan                      nan, all of them
    =======================  =====================================================================

    Parameters
    ----------
    gradients : array_like or tuple
        float32 or float64.
    max_norm : float
        :math:`c \ge 0`.
    order : float, optional
        Of the norm.
    error_if_nonfinite : bool, optional
        Raise an error instead, if the norm is infinite or nan.

    Returns
    -------
    clipped : numpy.ndarray or tuple
        In the form of `gradients`, with new arrays.
    norm : float
        The global norm before clipping.

    Raises
    ------
    TypeError
        If an array is of another dtype, or a number is none.
    ValueError
        If `max_norm` is negative or nan.
    FloatingPointError
        If the norm is not finite and `error_if_nonfinite` is set.

    Notes
    -----
    R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural networks", ICML 2013.

    Examples
    --------
    >>> (a, b), norm = clip_by_global_norm((np.array([30.0]), np.array([40.0])), 1.0)
    >>> a.round(6), b.round(6), norm
    (array([0.6]), array([0.8]), 50.0)
    """
    if not isinstance(max_norm, Real):
        raise TypeError(f"max_norm: expected a number, got {max_norm!r}")
    if not max_norm >= 0:
        raise ValueError(f"max_norm: expected a number that is at least 0, got {max_norm!r}")
    norm = global_norm(gradients, order=order)
    if error_if_nonfinite and not math.isfinite(norm):
        raise FloatingPointError(f"gradients: expected a finite global norm, got {norm}")
    factor = max_norm / (norm + 1e-6)
    factor = 1.0 if factor > 1 else factor  # a nan stays one
    with np.errstate(invalid="ignore"):  # 0 · inf
        return mapped(lambda array: array * array.dtype.type(factor), gradients), norm


def clip_by_value(gradients, bound):
    r"""Limit every entry to :math:`[-c, c]`.

    .. claim::
       :label: eq-api-clipping-by-value
       :model: api-clipping

       u = \max(-c, \min(g, c))

    Unlike clipping by the norm it turns the gradient's direction: large entries are cut, small ones stay. An infinite
    entry becomes :math:`\pm c`, and a nan stays one, as with PyTorch's ``torch.nn.utils.clip_grad_value_``.

    Parameters
    ----------
    gradients : array_like or tuple
        float32 or float64.
    bound : float
        :math:`c \ge 0`.

    Returns
    -------
    numpy.ndarray or tuple
        In the form of `gradients`, with new arrays.

    Raises
    ------
    TypeError
        If an array is of another dtype, or `bound` not a number.
    ValueError
        If `bound` is negative or nan.

    Examples
    --------
    >>> clip_by_value((np.array([0.5, -7.0]), np.array([np.inf])), 1.0)
    (array([ 0.5, -1. ]), array([1.]))
    """
    if not isinstance(bound, Real):
        raise TypeError(f"bound: expected a number, got {bound!r}")
    if not bound >= 0:
        raise ValueError(f"bound: expected a number that is at least 0, got {bound!r}")
    leaves("gradients", gradients)
    return mapped(lambda array: np.clip(array, -array.dtype.type(bound), array.dtype.type(bound)), gradients)
