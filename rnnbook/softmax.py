r"""Softmax, log-sum-exp and cross-entropy, with their derivatives.

Everything works along the **last axis**, of size :math:`q`; the axes before it are a batch of any shape. float32 and
float64 stay what they are, and arguments of different dtypes are a :exc:`TypeError`: nothing is promoted in silence.

Logits of any finite size give finite, correct values: every exponential is taken of a number that is not positive, and
:math:`1 - p` is never computed by subtraction. A logit of :math:`-\infty` is a class that is ruled out: its probability
and every derivative in its direction are zero. Where all are :math:`-\infty`, or one is :math:`+\infty`, there is no
softmax, and the answer is ``nan``; a ``nan`` among the logits makes all answers of its row ``nan``.
"""

from numbers import Real
from typing import NamedTuple

import numpy as np

from rnnbook._arrays import as_array, as_floats

__all__ = [
    "CrossEntropyCache",
    "cross_entropy",
    "cross_entropy_backward",
    "jacobian",
    "jvp",
    "log_softmax",
    "logsumexp",
    "softmax",
    "vjp",
]


def logsumexp(logits):
    r"""Compute the logarithm of a sum of exponentials, :math:`\ln \sum_j e^{o_j}`, without overflow.

    As :math:`\ln \sum_j e^{o_j} = m + \ln(1 + \sum_{j \ne i} e^{o_j - m})`, where :math:`m = o_i` is the largest logit,
    every exponent is negative or zero.

    Its gradient is the softmax.

    Parameters
    ----------
    logits : array_like, shape (..., q)
        :math:`o`, float32 or float64, :math:`q \ge 1`.

    Returns
    -------
    numpy.ndarray, shape (...)
        :math:`-\infty` where all logits are, :math:`+\infty` where one is.

    Raises
    ------
    TypeError
        If `logits` is not of dtype float32 or float64.
    ValueError
        If `logits` has no axis, or no class.

    Examples
    --------
    The naive formula overflows; this one does not:

    >>> logsumexp([10000.0, 10000.0])
    np.float64(10000.69314718056)

    The sum is close to its largest term, and the little that it exceeds it by is not lost:

    >>> logsumexp([0.0, -50.0])
    np.float64(1.9287498479639178e-22)
    """
    logits = _logits(logits)
    largest, _, _, rest = _shifted(logits, 1.0)
    return np.where(np.isfinite(largest), largest + np.log1p(rest), largest)[..., 0][()]  # [()]: a scalar for one row


def softmax(logits, *, temperature=1.0):
    r"""Compute the softmax, :math:`p_i = e^{o_i/\tau} \big/ \sum_j e^{o_j/\tau}`.

    Parameters
    ----------
    logits : array_like, shape (..., q)
        :math:`o`, float32 or float64, :math:`q \ge 1`.
    temperature : float, optional
        :math:`\tau`, finite and greater than 0. As :math:`\tau \to 0` the largest logit takes all, and as
        :math:`\tau \to \infty` all classes become equally probable.

    Returns
    -------
    numpy.ndarray, shape (..., q)
        The probabilities :math:`p`.

    Raises
    ------
    TypeError
        If `logits` is not of dtype float32 or float64, or `temperature` is not a number.
    ValueError
        If `logits` has no axis, or no class, or `temperature` is out of range.

    Examples
    --------
    Adding the same number to all logits changes nothing, however large:

    >>> softmax([0.0, np.log(3.0)]), softmax([1e8, 1e8])
    (array([0.25, 0.75]), array([0.5, 0.5]))

    A class that is ruled out takes no probability:

    >>> softmax([2.0, -np.inf, 2.0])
    array([0.5, 0. , 0.5])

    Three temperatures:

    >>> for temperature in (0.1, 1.0, 10.0):
    ...     print(softmax([1.0, 2.0, 3.0], temperature=temperature).round(3))
    [0. 0. 1.]
    [0.09  0.245 0.665]
    [0.301 0.332 0.367]
    """
    return _softmax(_logits(logits), _temperature(temperature))[0]


def log_softmax(logits, *, temperature=1.0):
    r"""Compute the logarithm of the softmax, :math:`\ln p_i = o_i/\tau - \ln \sum_j e^{o_j/\tau}`.

    Finite where the probability itself underflows to zero, and not zero where it rounds to one.

    Parameters
    ----------
    logits, temperature
        As for :func:`softmax`.

    Returns
    -------
    numpy.ndarray, shape (..., q)

    Raises
    ------
    TypeError, ValueError
        As for :func:`softmax`.

    Examples
    --------
    >>> log_softmax([0.0, -1000.0])
    array([    0., -1000.])
    >>> log_softmax([0.0, -50.0])[0]  # softmax gives exactly 1 here
    np.float64(-1.9287498479639178e-22)
    """
    return _softmax(_logits(logits), _temperature(temperature))[1]


def jacobian(logits, *, temperature=1.0):
    r"""Build the Jacobian of the softmax with respect to the logits.

    .. claim::
       :label: eq-api-softmax-jacobian
       :model: api-softmax

       \frac{\partial p}{\partial o} = \frac{1}{\tau} \left( \operatorname{diag}(p) - p\, p^\top \right)

    It is symmetric and positive semidefinite, and its rows sum to zero: adding the same number to all logits changes
    nothing. To multiply with it, take :func:`jvp` or :func:`vjp`, which do not build it.

    Parameters
    ----------
    logits, temperature
        As for :func:`softmax`.

    Returns
    -------
    numpy.ndarray, shape (..., q, q)
        Row :math:`i` belongs to the probability :math:`p_i`, column :math:`j` to the logit :math:`o_j`.

    Raises
    ------
    TypeError, ValueError
        As for :func:`softmax`.

    Examples
    --------
    >>> J = jacobian(np.log([0.2, 0.3, 0.5]))
    >>> J.round(2)
    array([[ 0.16, -0.06, -0.1 ],
           [-0.06,  0.21, -0.15],
           [-0.1 , -0.15,  0.25]])
    >>> np.abs(J @ np.ones(3)).max() < 1e-15  # the null direction
    np.True_
    """
    temperature = _temperature(temperature)
    p, log_p = _softmax(_logits(logits), temperature)
    matrix = -p[..., :, None] * p[..., None, :]
    # 1 - p without cancellation: where p is nearly one, the subtraction would leave nothing but rounding error.
    np.einsum("...ii->...i", matrix)[...] = p * -np.expm1(log_p)
    matrix /= temperature
    return matrix


def jvp(logits, tangents, *, temperature=1.0):
    r"""Multiply the Jacobian of the softmax with a vector, without building it.

    .. claim::
       :label: eq-api-softmax-jvp
       :model: api-softmax

       \frac{\partial p}{\partial o}\, \dot o = \frac{1}{\tau}\, p \odot (\dot o - p^\top \dot o)

    takes time and memory proportional to :math:`q`, not :math:`q^2`.

    Parameters
    ----------
    logits : array_like, shape (..., q)
        :math:`o`, float32 or float64.
    tangents : array_like, shape (..., q)
        :math:`\dot o`, of the same shape and dtype.
    temperature : float, optional
        :math:`\tau`, finite and greater than 0.

    Returns
    -------
    numpy.ndarray, shape (..., q)
        :math:`\dot p`.

    Raises
    ------
    TypeError, ValueError
        As for :func:`softmax`, and if `tangents` has not the shape and dtype of `logits`.

    Examples
    --------
    >>> logits = np.log([0.2, 0.3, 0.5])
    >>> jvp(logits, [1.0, 0.0, 0.0]).round(2)  # the Jacobian's first column
    array([ 0.16, -0.06, -0.1 ])
    """
    logits = _logits(logits)
    tangents = _like_logits("tangents", tangents, logits)
    temperature = _temperature(temperature)
    p, _ = _softmax(logits, temperature)
    # A number added to all tangents changes nothing; with a zero at the largest p, 1 - p is not made by subtraction.
    tangents = tangents - np.take_along_axis(tangents, np.argmax(p, axis=-1, keepdims=True), axis=-1)
    return p * (tangents - np.sum(p * tangents, axis=-1, keepdims=True)) / temperature


def vjp(logits, cotangents, *, temperature=1.0):
    r"""Multiply the transposed Jacobian of the softmax with a vector, without building it: the backward pass.

    .. claim::
       :label: eq-api-softmax-vjp
       :model: api-softmax

       \left( \frac{\partial p}{\partial o} \right)^\top \bar p = \frac{1}{\tau}\, p \odot (\bar p - p^\top \bar p)

    The Jacobian is symmetric, so this is the same map as :func:`jvp`; it has a name of its own because its argument
    means something else.

    Parameters
    ----------
    logits : array_like, shape (..., q)
        :math:`o`, float32 or float64.
    cotangents : array_like, shape (..., q)
        :math:`\bar p`, the gradient with respect to the probabilities, of the same shape and dtype.
    temperature : float, optional
        :math:`\tau`, finite and greater than 0.

    Returns
    -------
    numpy.ndarray, shape (..., q)
        :math:`\bar o`, the gradient with respect to the logits. Its entries sum to zero.

    Raises
    ------
    TypeError, ValueError
        As for :func:`softmax`, and if `cotangents` has not the shape and dtype of `logits`.

    Examples
    --------
    Backwards through :math:`L = -\ln p_3` and then through the softmax gives :math:`p - y`, for :math:`y` the third
    unit vector:

    >>> p = np.array([0.2, 0.3, 0.5])
    >>> vjp(np.log(p), [0.0, 0.0, -1.0 / p[2]]).round(2)
    array([ 0.2,  0.3, -0.5])
    """
    logits = _logits(logits)
    return jvp(logits, _like_logits("cotangents", cotangents, logits), temperature=temperature)


class CrossEntropyCache(NamedTuple):
    """What :func:`cross_entropy` leaves for :func:`cross_entropy_backward`."""

    probabilities: np.ndarray
    """p, shape (..., q)"""
    log_probabilities: np.ndarray
    """ln p, shape (..., q)"""
    targets: np.ndarray
    """class indices, shape (...), or weights of the classes, shape (..., q), with the label smoothing done"""
    temperature: float


def cross_entropy(logits, targets, *, label_smoothing=0.0, temperature=1.0):
    r"""Compute the cross-entropy of predictions given as logits, one for each member of the batch.

    With :math:`p = \operatorname{softmax}(o/\tau)` the loss is :math:`L = -\sum_i y_i \ln p_i`.

    Label smoothing puts :math:`(1 - \varepsilon)\, y + \varepsilon / q` for :math:`y`. A class with :math:`y_i = 0`
    contributes nothing, even where :math:`p_i = 0`; smoothing leaves no such class, so that with a logit of
    :math:`-\infty` the smoothed loss is infinite.

    Parameters
    ----------
    logits : array_like, shape (..., q)
        :math:`o`, float32 or float64.
    targets : array_like, shape (...) or (..., q)
        Integers: the class of each member of the batch, :math:`0` to :math:`q - 1`. Floats, of the dtype of `logits`:
        :math:`y`, a one-hot vector, probabilities, or any other weights; they need not sum to one.
    label_smoothing : float, optional
        :math:`\varepsilon`, from 0 to 1.
    temperature : float, optional
        :math:`\tau`, finite and greater than 0.

    Returns
    -------
    losses : numpy.ndarray, shape (...)
        Neither summed nor averaged.
    cache : CrossEntropyCache
        For :func:`cross_entropy_backward`.

    Raises
    ------
    TypeError
        If `logits` is not of dtype float32 or float64, `targets` neither of that dtype nor integers, or another
        argument not a number.
    ValueError
        If a shape does not fit, a class is out of range, or a number is.

    Examples
    --------
    >>> logits = np.array([[2.0, 0.0, -1.0], [2.0, 0.0, -1.0]])
    >>> losses, cache = cross_entropy(logits, [0, 2])
    >>> losses.round(4)
    array([0.1698, 3.1698])

    The gradient of the summed loss is what the prediction has too much, :math:`p - y`:

    >>> cross_entropy_backward(np.ones(2), cache).round(4)
    array([[-0.1562,  0.1142,  0.042 ],
           [ 0.8438,  0.1142, -0.958 ]])
    """
    logits = _logits(logits)
    temperature = _temperature(temperature)
    smoothing = _number("label_smoothing", label_smoothing)
    if not 0 <= smoothing <= 1:
        raise ValueError(f"label_smoothing: expected a number from 0 to 1, got {label_smoothing!r}")
    targets = _targets(targets, logits)
    if smoothing:
        classes = logits.shape[-1]
        if targets.ndim < logits.ndim:
            targets = (targets[..., None] == np.arange(classes)).astype(logits.dtype)
        targets = (1 - smoothing) * targets + smoothing / classes

    p, log_p = _softmax(logits, temperature)
    if targets.ndim < logits.ndim:
        losses = 0 - np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]  # and not -0.0
    else:
        # 0 ln 0 = 0, the limit; but a nan is passed on.
        ruled_out = (targets == 0) & (log_p == -np.inf)
        losses = 0 - np.sum(targets * np.where(ruled_out, 0, log_p), axis=-1)
    return losses, CrossEntropyCache(p, log_p, targets, temperature)


def cross_entropy_backward(cotangents, cache):
    r"""Compute the gradient of the cross-entropy with respect to the logits.

    .. claim::
       :label: eq-api-cross-entropy
       :model: api-softmax

       \nabla_o L = \frac{1}{\tau} \left( (\mathbf{1}^\top y)\, p - y \right)

    .. claim::
       :label: eq-api-cross-entropy-entry
       :model: api-softmax

       \frac{\partial L}{\partial o_i}
         = \frac{1}{\tau} \left( p_i \sum_{j=1}^{q} [\, j \ne i \,]\, y_j - y_i (1 - p_i) \right)

    which is :math:`(p - y)/\tau` when, and only when, the targets sum to one. The second form is the one computed:
    for a single class nothing cancels in it, so that the gradient is accurate even where the prediction is right and certain.

    Parameters
    ----------
    cotangents : array_like, shape (...)
        The gradient with respect to each of the losses; ones for their sum, :math:`1/N` for their mean.
    cache : CrossEntropyCache
        From :func:`cross_entropy`.

    Returns
    -------
    numpy.ndarray, shape (..., q)

    Raises
    ------
    TypeError, ValueError
        If `cotangents` has not the shape and dtype of the losses.

    Examples
    --------
    Targets that sum to two:

    >>> _, cache = cross_entropy(np.log([0.2, 0.3, 0.5]), [1.0, 0.0, 1.0])
    >>> cross_entropy_backward(1.0, cache).round(2)
    array([-0.6,  0.6,  0. ])

    A prediction that is right and almost certain; :math:`p - y`, as it stands, would give 0 for the right class:

    >>> _, cache = cross_entropy([0.0, -50.0], 0)
    >>> cross_entropy_backward(1.0, cache)
    array([-1.92874985e-22,  1.92874985e-22])
    """
    p, log_p, targets, temperature = cache
    cotangents = as_floats("cotangents", cotangents, "...", {"...": log_p.shape[:-1]}, like=("logits", log_p))
    if targets.ndim < log_p.ndim:
        gradient = p.copy()
        index = targets[..., None]
        np.put_along_axis(gradient, index, np.expm1(np.take_along_axis(log_p, index, axis=-1)), axis=-1)
    else:
        others = np.sum(targets, axis=-1, keepdims=True) - targets
        gradient = p * others + targets * np.expm1(log_p)
    gradient *= cotangents[..., None]
    gradient /= temperature
    return gradient


def _shifted(logits, temperature):
    """Return m = max o, (o - m)/τ, its exponentials and their sum less 1; a reduced axis stays, with size 1."""
    index = np.argmax(logits, axis=-1, keepdims=True)  # the index of a nan, if there is one
    largest = np.take_along_axis(logits, index, axis=-1)
    # The shift comes before the division, which may overflow; and then only to -inf, whose exponential is right.
    with np.errstate(invalid="ignore", over="ignore"):
        shifted = (logits - largest) / temperature
        exponentials = np.exp(shifted)
    # The largest term is 1. Left out of the sum and given to log1p, it does not wipe out the others.
    others = exponentials.copy()
    np.put_along_axis(others, index, 0, axis=-1)
    return largest, shifted, exponentials, np.sum(others, axis=-1, keepdims=True)


def _softmax(logits, temperature):
    """Return p and ln p."""
    if not logits.dtype.type(temperature) > 0:  # as the division would have it
        raise ValueError(f"temperature: expected a number greater than 0 in {logits.dtype}, got {temperature!r}")
    largest, shifted, exponentials, rest = _shifted(logits, temperature)
    # Without a finite maximum there is no softmax.
    rest = np.where(np.isfinite(largest), rest, np.nan)
    return exponentials / (1 + rest), shifted - np.log1p(rest)


def _logits(logits):
    sizes = {}
    logits = as_floats("logits", logits, "... q", sizes)
    if sizes["q"] == 0:
        raise ValueError(f"logits: expected shape (..., q) with at least one class, got {logits.shape}")
    return logits


def _like_logits(name, value, logits):
    sizes = {"...": logits.shape[:-1], "q": logits.shape[-1]}
    return as_floats(name, value, "... q", sizes, like=("logits", logits))


def _targets(targets, logits):
    """Return class indices or class weights, whichever the dtype says, checked against the logits."""
    sizes = {"...": logits.shape[:-1], "q": logits.shape[-1]}
    targets = as_array("targets", targets, "...", {})
    if targets.dtype.kind not in "iu":
        return as_floats("targets", targets, "... q", sizes, like=("logits", logits))
    if targets.shape == logits.shape:
        raise TypeError(
            f"targets: expected class indices of shape {logits.shape[:-1]} or {logits.dtype} weights of shape "
            f"{logits.shape}, got {targets.dtype} of shape {targets.shape}"
        )
    targets = as_array("targets", targets, "...", sizes)
    wrong = (targets < 0) | (targets >= sizes["q"])
    if np.any(wrong):
        raise ValueError(f"targets: expected classes from 0 to {sizes['q'] - 1}, got {targets[wrong][0]}")
    return targets


def _temperature(temperature):
    number = _number("temperature", temperature)
    if not 0 < number < np.inf:
        raise ValueError(f"temperature: expected a finite number greater than 0, got {temperature!r}")
    return number


def _number(name, value):
    """Return a Python float: a NumPy one would turn float32 arrays into float64."""
    if not isinstance(value, Real):
        raise TypeError(f"{name}: expected a number, got {value!r}")
    return float(value)
