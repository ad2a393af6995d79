r"""How a recurrent network's weights start.

Every function takes the random generator that it draws from, and returns a new array, or new parameters; nothing is
changed in place.
"""

import math
from numbers import Real

import numpy as np

from rnnbook._arrays import FLOATS, as_floats, as_integer

__all__ = ["forget_gate_bias", "identity", "orthogonal", "scaled", "uniform"]


def uniform(shape, bound, *, rng, dtype=np.float64):
    r"""Draw every entry uniformly from :math:`(-b, b)`; PyTorch's recurrent layers take :math:`b = 1/\sqrt H`.

    Parameters
    ----------
    shape : tuple of int
    bound : float
        :math:`b \ge 0`.
    rng : numpy.random.Generator
        Where the random numbers come from: ``numpy.random.default_rng(seed)``.
    dtype : numpy.dtype, optional
        float64 or float32. The same generator gives the same numbers for both, rounded.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    TypeError
        If `rng` is not a generator, `bound` not a number, or `dtype` another than float32 or float64.
    ValueError
        If `bound` is negative or not finite.

    Examples
    --------
    >>> uniform((2, 3), 0.5, rng=np.random.default_rng(0)).round(2)
    array([[ 0.14, -0.23, -0.46],
           [-0.48,  0.31,  0.41]])
    """
    dtype = _checked(rng, dtype)
    bound = _number("bound", bound)
    return rng.uniform(-bound, bound, shape).astype(dtype)


def orthogonal(rows, columns, gain=1.0, *, rng, dtype=np.float64):
    r"""Draw a matrix with orthonormal rows or columns, whichever are fewer, times the gain.

    A square one preserves the length of every vector, forwards and backwards: all its singular values, and the moduli
    of all its eigenvalues, are the gain. It is drawn uniformly (by the Haar measure): the orthogonal factor of a matrix
    of normal numbers, with the signs that make the other factor's diagonal positive.

    Parameters
    ----------
    rows, columns : int
    gain : float, optional
    rng, dtype
        As for :func:`uniform`.

    Returns
    -------
    numpy.ndarray, shape (rows, columns)

    Raises
    ------
    TypeError, ValueError
        As for :func:`uniform`.

    Notes
    -----
    For recurrent networks: A. M. Saxe, J. L. McClelland and S. Ganguli, "Exact solutions to the nonlinear dynamics of
    learning in deep linear neural networks", ICLR 2014. For the signs: F. Mezzadri, "How to generate random matrices
    from the classical compact groups", *Notices of the AMS* 54 (2007), 592-604.

    Examples
    --------
    >>> W = orthogonal(50, 50, rng=np.random.default_rng(0))
    >>> v = np.ones(50)
    >>> for t in (1, 10, 100):
    ...     print(t, np.linalg.norm(np.linalg.matrix_power(W, t) @ v).round(10))
    1 7.0710678119
    10 7.0710678119
    100 7.0710678119
    """
    dtype = _checked(rng, dtype)
    gain = _number("gain", gain)
    tall = rng.normal(size=(max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return (gain * (q if rows >= columns else q.T)).astype(dtype)


def identity(rows, columns, gain=1.0, *, dtype=np.float64):
    r"""Return the identity matrix times the gain, with columns or rows of zeros where it is not square.

    Parameters
    ----------
    rows, columns : int
    gain : float, optional
    dtype : numpy.dtype, optional
        float64 or float32.

    Returns
    -------
    numpy.ndarray, shape (rows, columns)

    Raises
    ------
    TypeError, ValueError
        If `dtype` is another, or `gain` is not a finite number that is at least 0.

    Notes
    -----
    For recurrent networks of rectified linear units: Q. V. Le, N. Jaitly and G. E. Hinton, "A simple way to initialize
    recurrent networks of rectified linear units", 2015, arXiv:1504.00941.

    Examples
    --------
    >>> identity(2, 3, 0.5)
    array([[0.5, 0. , 0. ],
           [0. , 0.5, 0. ]])
    """
    return np.eye(rows, columns, dtype=_dtype(dtype)) * np.asarray(_number("gain", gain), dtype)


def scaled(size, radius, *, rng, dtype=np.float64):
    r"""Draw a square matrix of normal numbers and scale it to a given spectral radius.

    Parameters
    ----------
    size : int
        :math:`H`, at least 1.
    radius : float
        :math:`\rho`, the largest modulus of an eigenvalue. Without the exact scaling, a standard deviation of
        :math:`\rho/\sqrt H` has about the same effect, by the circular law.
    rng, dtype
        As for :func:`uniform`.

    Returns
    -------
    numpy.ndarray, shape (H, H)

    Raises
    ------
    TypeError, ValueError
        As for :func:`uniform`, or if `size` is less than 1.

    Examples
    --------
    The spectral radius says what happens in the long run, not in one step: the norm is about twice as large.

    >>> W = scaled(200, 0.9, rng=np.random.default_rng(0))
    >>> np.abs(np.linalg.eigvals(W)).max().round(10), np.linalg.norm(W, 2).round(2)
    (np.float64(0.9), np.float64(1.67))
    """
    dtype = _checked(rng, dtype)
    radius = _number("radius", radius)
    as_integer("size", size, 1)
    matrix = rng.normal(size=(size, size))
    matrix *= radius / np.max(np.abs(np.linalg.eigvals(matrix)))
    return matrix.astype(dtype)


def forget_gate_bias(parameters, value=1.0):
    r"""Return an LSTM's parameters with the bias of the forget gate set, so that it starts open.

    With :math:`b_f = 1` the gate starts near :math:`\sigma(1) = 0.73` instead of a half, and what the cell keeps over
    :math:`T` steps is :math:`0.73^T` instead of :math:`0.5^T`. The value goes into ``bias_ih``; that part of
    ``bias_hh`` becomes zero, because the two are added. Set to `value` both would make it twice as large.

    Parameters
    ----------
    parameters : rnnbook.lstm.Parameters
    value : float, optional

    Returns
    -------
    rnnbook.lstm.Parameters
        Only the biases are new arrays.

    Raises
    ------
    TypeError
        If `parameters` is of another type, or `value` is not a number.

    Notes
    -----
    F. A. Gers, J. Schmidhuber and F. Cummins, "Learning to forget: continual prediction with LSTM", *Neural
    Computation* 12 (2000), 2451-2471; R. Jozefowicz, W. Zaremba and I. Sutskever, "An empirical exploration of
    recurrent network architectures", ICML 2015.

    Examples
    --------
    >>> from rnnbook import lstm
    >>> parameters = forget_gate_bias(lstm.initialize(2, 2, rng=np.random.default_rng(0)))
    >>> (parameters.bias_ih + parameters.bias_hh).round(2)  # i, i, f, f, g, g, o, o
    array([-0.41,  0.06,  1.  ,  1.  , -0.17,  1.1 ,  0.23, -0.03])
    """
    from rnnbook import lstm  # here, because it draws its parameters with this module

    if not isinstance(parameters, lstm.Parameters):
        raise TypeError(f"parameters: expected rnnbook.lstm.Parameters, got {type(parameters).__name__}")
    if not isinstance(value, Real):
        raise TypeError(f"value: expected a number, got {value!r}")
    sizes = {}
    bias_ih = as_floats("parameters.bias_ih", parameters.bias_ih, "4H", sizes).copy()
    bias_hh = as_floats("parameters.bias_hh", parameters.bias_hh, "4H", sizes).copy()
    H = len(bias_ih) // 4
    bias_ih[H : 2 * H] = value
    bias_hh[H : 2 * H] = 0
    return parameters._replace(bias_ih=bias_ih, bias_hh=bias_hh)


def _checked(rng, dtype):
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng: expected a numpy.random.Generator, got {type(rng).__name__}")
    return _dtype(dtype)


def _dtype(dtype):
    dtype = np.dtype(dtype)
    if dtype not in FLOATS:
        raise TypeError(f"dtype: expected float32 or float64, got {dtype}")
    return dtype


def _number(name, value):
    if not isinstance(value, Real):
        raise TypeError(f"{name}: expected a number, got {value!r}")
    if not 0 <= value < math.inf:
        raise ValueError(f"{name}: expected a finite number that is at least 0, got {value!r}")
    return float(value)
