r"""Eigenvalues, powers, transients and Lyapunov exponents: how fast a product of many matrices grows or decays.

In the long run the spectral radius decides, :math:`\lVert M^t \rVert^{1/t} \to \rho(M)`; until then the norm may do
something else entirely. How large the powers of a matrix become on the way is bounded by its Kreiss constant, from
below and, times :math:`e n`, from above. Here a matrix has the size :math:`n`, as in the chapter, which is H in the
shapes of arrays. For a product of different matrices, as the Jacobians along a trajectory are,
Lyapunov exponents take the place of :math:`\ln \lvert\lambda\rvert`.
"""

import math
from numbers import Real

import numpy as np

from rnnbook._arrays import as_floats, as_integer

__all__ = [
    "eigenvector_condition",
    "jordan_block",
    "jordan_block_power",
    "kreiss_constant",
    "lyapunov_exponents",
    "power",
    "power_norms",
    "product_norms",
    "pseudospectral_radius",
    "spectral_radius",
]


def spectral_radius(matrix):
    r"""Compute the spectral radius, :math:`\rho(M) = \max_i \lvert\lambda_i\rvert`.

    .. claim::
       :label: eq-api-spectral-radius
       :model: spectral-any
       :for: k = 1..8

       \rho(M)^k = \rho(M^k) \le \lVert M^k \rVert

    Parameters
    ----------
    matrix : array_like, shape (..., H, H)
        float32 or float64; finite.

    Returns
    -------
    float or numpy.ndarray, shape (...)

    Raises
    ------
    TypeError, ValueError
        If `matrix` is not square, finite and of such a dtype.

    Examples
    --------
    The spectral radius says nothing about a single step. This matrix makes a vector ten times as long, and then nothing
    of it:

    >>> W = np.array([[0.0, 10.0], [0.0, 0.0]])
    >>> print(spectral_radius(W), np.linalg.norm(W, 2), np.linalg.norm(W @ W, 2))
    0.0 10.0 0.0
    """
    matrix = _square("matrix", matrix)
    return np.max(np.abs(np.linalg.eigvals(matrix)), axis=-1, initial=0.0)[()]


def eigenvector_condition(matrix):
    r"""Compute the condition number of the eigenvectors, :math:`\kappa(Q) = \lVert Q \rVert_2 \lVert Q^{-1} \rVert_2`.

    1 for a normal matrix; infinite, or as large as rounding lets it be, for a defective one, which has not enough
    eigenvectors. It bounds the powers,

    .. claim::
       :label: eq-api-spectral-condition
       :model: spectral
       :for: k = 1..8

       \rho(M)^k \le \lVert M^k \rVert \le \lVert Q \rVert\, \lVert Q^{-1} \rVert\, \rho(M)^k

    and the digits that are lost by computing them with the eigenvalues. The eigenvectors are of length 1.

    Parameters
    ----------
    matrix : array_like, shape (H, H)
        float32 or float64; finite.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        As for :func:`spectral_radius`.

    Examples
    --------
    >>> for corner in (0.0, 1.0, 100.0):
    ...     print(corner, round(eigenvector_condition([[0.9, corner], [0.0, 0.8]]), 1))
    0.0 1.0
    1.0 20.0
    100.0 2000.0
    """
    matrix = _square("matrix", matrix, "H H")
    return _condition(np.linalg.eig(matrix)[1])


def power(matrix, exponent, *, largest_condition=1e8):
    r"""Compute a power by the eigendecomposition.

    .. claim::
       :label: eq-api-spectral-power
       :model: spectral
       :for: k = 0..8

       M^k = Q \operatorname{diag}(\lambda^k)\, Q^{-1}

    Parameters
    ----------
    matrix : array_like, shape (H, H)
        :math:`M`, float32 or float64; finite.
    exponent : int
        :math:`k \ge 0`.
    largest_condition : float, optional
        For how large a :math:`\kappa(Q)` the result is still wanted: about its decimal logarithm is the number of
        digits lost.

    Returns
    -------
    numpy.ndarray, shape (H, H)

    Raises
    ------
    numpy.linalg.LinAlgError
        If :math:`\kappa(Q)` is larger: the matrix is defective, or so near to it that the formula is of no use. Then
        :func:`numpy.linalg.matrix_power` gives the power by repeated squaring, without eigenvalues, and
        :func:`jordan_block_power` has the formula for a block of Jordan's form.
    TypeError, ValueError
        As for :func:`spectral_radius`, or if `exponent` is no such number.

    Examples
    --------
    Rotations by 12 degrees; the eigenvalues are complex, the power is not:

    >>> angle = np.deg2rad(12)
    >>> W = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    >>> np.abs(power(W, 30) - np.eye(2)).max() < 1e-14
    np.True_

    >>> power([[0.9, 1.0], [0.0, 0.9]], 30)
    Traceback (most recent call last):
    ...
    numpy.linalg.LinAlgError: matrix: expected a diagonalisable one, with a condition number of its eigenvectors of at
    most 1e+08, got ...; use numpy.linalg.matrix_power
    """
    matrix = _square("matrix", matrix, "H H")
    exponent = as_integer("exponent", exponent, 0)
    eigenvalues, eigenvectors = np.linalg.eig(matrix)
    condition = _condition(eigenvectors)
    if not condition <= largest_condition:
        raise np.linalg.LinAlgError(
            "matrix: expected a diagonalisable one, with a condition number of its eigenvectors of at most "
            f"{largest_condition:.0e}, got {condition:.0e}; use numpy.linalg.matrix_power"
        )
    # Q diag(λᵏ) Q⁻¹ as the solution of X Q = Q diag(λᵏ).
    result = np.linalg.solve(eigenvectors.T, (eigenvectors * eigenvalues**exponent).T).T
    return np.ascontiguousarray(result.real)


def jordan_block(eigenvalue, size):
    r"""Build a Jordan block: the eigenvalue on the diagonal, ones above it. It has a single eigenvector.

    Parameters
    ----------
    eigenvalue : float
        :math:`\lambda`.
    size : int
        At least 1.

    Returns
    -------
    numpy.ndarray, shape (size, size)

    Raises
    ------
    TypeError, ValueError
        If an argument is no such number.

    Examples
    --------
    >>> jordan_block(0.9, 3)
    array([[0.9, 1. , 0. ],
           [0. , 0.9, 1. ],
           [0. , 0. , 0.9]])
    """
    eigenvalue = _real("eigenvalue", eigenvalue)
    size = as_integer("size", size, 1)
    return eigenvalue * np.eye(size) + np.eye(size, k=1)


def jordan_block_power(eigenvalue, size, exponent):
    r"""Compute a power of a Jordan block, entry by entry.

    .. claim::
       :label: eq-api-spectral-jordan-block-power
       :model: spectral-jordan
       :for: k = 0..12, i = 1..3, j = i..3

       (J^k)_{ij} = \binom{k}{j-i} \lambda^{k-(j-i)}

    In a block of size m it grows like :math:`k^{m-1} \lambda^k`, before :math:`\lambda^k` wins.

    Parameters
    ----------
    eigenvalue, size
        As for :func:`jordan_block`.
    exponent : int
        :math:`k \ge 0`.

    Returns
    -------
    numpy.ndarray, shape (size, size)

    Raises
    ------
    TypeError, ValueError
        If an argument is no such number.

    Examples
    --------
    >>> for t in (1, 10, 20, 100):
    ...     print(t, jordan_block_power(0.9, 3, t)[0].round(3))
    1 [0.9 1.  0. ]
    10 [ 0.349  3.874 19.371]
    20 [ 0.122  2.702 28.518]
    100 [0.    0.003 0.162]
    """
    eigenvalue = _real("eigenvalue", eigenvalue)
    size, exponent = as_integer("size", size, 1), as_integer("exponent", exponent, 0)
    diagonals = [
        math.comb(exponent, k) * eigenvalue ** (exponent - k) if k <= exponent else 0.0 for k in range(size)
    ]
    return sum(value * np.eye(size, k=k) for k, value in enumerate(diagonals))


def power_norms(matrix, steps):
    r"""Compute the norms of the powers, :math:`\lVert M^t \rVert_2` for :math:`t = 0, \dots, T`.

    Parameters
    ----------
    matrix : array_like, shape (H, H)
        :math:`M`, float32 or float64; finite.
    steps : int
        :math:`T \ge 0`.

    Returns
    -------
    numpy.ndarray, shape (T + 1,)

    Raises
    ------
    TypeError, ValueError
        As for :func:`spectral_radius`, or if `steps` is no such number.

    Examples
    --------
    All eigenvalues are 0.9 or less, and yet for 28 steps a vector may be longer than at the start:

    >>> norms = power_norms([[0.9, 2.0], [0.0, 0.8]], 60)
    >>> norms.argmax(), norms.max().round(2), np.flatnonzero(norms > 1).max()
    (np.int64(6), np.float64(5.42), np.int64(28))
    """
    matrix = _square("matrix", matrix, "H H")
    steps = as_integer("steps", steps, 0)
    return product_norms(np.broadcast_to(matrix, (steps, *matrix.shape)))


def product_norms(jacobians):
    r"""Compute the norms of the running products, :math:`\lVert J_t \cdots J_1 \rVert_2` for :math:`t = 0, \dots, T`.

    Parameters
    ----------
    jacobians : array_like, shape (T, ..., H, H)
        The factors in the order of time, as :func:`rnnbook.rnn.step_jacobian` returns them; float32 or float64.

    Returns
    -------
    numpy.ndarray, shape (T + 1, ...)
        The first is that of the empty product, 1.

    Raises
    ------
    TypeError, ValueError
        If the factors are not square, finite and of such a dtype.

    Examples
    --------
    >>> product_norms([[[2.0]], [[0.5]], [[0.1]]])
    array([1. , 2. , 1. , 0.1])
    """
    jacobians = _steps(jacobians)
    product = np.broadcast_to(np.eye(jacobians.shape[-1], dtype=jacobians.dtype), jacobians.shape[1:])
    products = [product]
    for jacobian in jacobians:
        product = jacobian @ product
        products.append(product)
    return np.linalg.norm(np.stack(products), 2, axis=(-2, -1))


def lyapunov_exponents(jacobians, *, skip=0):
    r"""Compute the Lyapunov exponents along a trajectory, the largest first.

    They are the rates at which the product :math:`J_T \cdots J_1` stretches space, direction by direction. The product
    itself would overflow, and its columns would all turn into the same direction; so a frame is carried along that is
    made orthonormal after every step, :math:`J_t Q_{t-1} = Q_t R_t`, and the exponents are the means over the steps
    of :math:`\ln \lvert (R_t)_{kk} \rvert`, sorted. That of k = 1 is the rate at which the first column of the product
    grows, and the sum of all is the rate of its volume; with :math:`e_1` for the first unit vector,

    .. claim::
       :label: eq-api-spectral-lyapunov-first
       :model: vanishing-triangular

       \frac{1}{T} \ln \left\lVert \left( \overset{\curvearrowleft}{\prod}_{t=1}^{T} J_t \right) e_1 \right\rVert
         = \frac{1}{T} \sum_{t=1}^{T} \ln \lvert (R_t)_{11} \rvert

    .. claim::
       :label: eq-api-spectral-lyapunov-sum
       :model: vanishing-triangular

       \frac{1}{T} \ln \left\lvert \det \left( \overset{\curvearrowleft}{\prod}_{t=1}^{T} J_t \right) \right\rvert
         = \sum_{k=1}^{n} \frac{1}{T} \sum_{t=1}^{T} \ln \lvert (R_t)_{kk} \rvert

    With all :math:`J_t = M` they tend to :math:`\ln \lvert\lambda_k\rvert` as :math:`T \to \infty`. The error of a
    finite T is of order :math:`1/T`; most of it comes from the first steps, while the frame still turns.

    Parameters
    ----------
    jacobians : array_like, shape (T, ..., H, H)
        The factors in the order of time, as :func:`rnnbook.rnn.step_jacobian` returns them; float32 or float64.
    skip : int, optional
        How many of the first steps only turn the frame and are not counted; less than T.

    Returns
    -------
    numpy.ndarray, shape (..., H)
        :math:`-\infty` for a direction that is lost entirely.

    Raises
    ------
    TypeError, ValueError
        If the factors are not square, finite and of such a dtype, or there are none to count.

    Notes
    -----
    G. Benettin, L. Galgani, A. Giorgilli and J.-M. Strelcyn, "Lyapunov characteristic exponents for smooth dynamical
    systems", *Meccanica* 15 (1980), 9-30.

    Examples
    --------
    >>> W = np.array([[0.9, 2.0], [0.0, 0.5]])
    >>> lyapunov_exponents(np.broadcast_to(W, (1000, 2, 2)), skip=200).round(6)
    array([-0.105361, -0.693147])
    >>> np.log([0.9, 0.5]).round(6)
    array([-0.105361, -0.693147])
    """
    jacobians = _steps(jacobians)
    skip = as_integer("skip", skip, 0)
    if skip >= len(jacobians):
        raise ValueError(f"skip: expected less than T = {len(jacobians)}, got {skip}")
    H = jacobians.shape[-1]
    frame = np.broadcast_to(np.eye(H, dtype=jacobians.dtype), jacobians.shape[1:])
    total = np.zeros(jacobians.shape[1:-1], jacobians.dtype)
    for t, jacobian in enumerate(jacobians):
        frame, triangle = np.linalg.qr(jacobian @ frame)
        if t >= skip:
            with np.errstate(divide="ignore"):  # ln 0 = -inf
                total += np.log(np.abs(np.einsum("...ii->...i", triangle)))
    return -np.sort(-total / (len(jacobians) - skip), axis=-1)


def pseudospectral_radius(matrix, epsilon, *, angles=180):
    r"""Compute the :math:`\varepsilon`-pseudospectral radius: how far the eigenvalues of a perturbed matrix can get.

    .. math::
       :unchecked: definition outside the language

       \rho_\varepsilon(M) = \max_{\lVert E \rVert_2 \le \varepsilon} \rho(M + E)
              = \max \{\lvert z \rvert : \sigma_{\min}(z I - M) \le \varepsilon\}.

    For a normal matrix it is :math:`\rho + \varepsilon`, as for a symmetric one,

    .. claim::
       :label: eq-api-spectral-normal
       :model: api-spectral

       \rho(S + E) \le \rho(S) + \lVert E \rVert

    and more than that is what non-normality costs. (For differential equations, where the real part decides, the
    pseudospectral abscissa has its place.)

    On a ray :math:`z = r e^{\mathrm i\theta}` the outermost r is found exactly: it is the largest real eigenvalue of
    :math:`\begin{bmatrix} B & \varepsilon I \\ \varepsilon I & B^* \end{bmatrix}` with
    :math:`B = e^{-\mathrm i\theta} M`. The largest over the rays is found on a grid that is refined, so that the result
    is a lower bound, and in practice exact to many digits.

    Parameters
    ----------
    matrix : array_like, shape (H, H)
        :math:`M`, float32 or float64; finite.
    epsilon : float
        :math:`\varepsilon > 0`.
    angles : int, optional
        How many rays the first grid has, from 0 to π: those below the real axis are their mirror images.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        As for :func:`spectral_radius`, or if another argument is no such number.

    Notes
    -----
    E. Mengi and M. L. Overton, "Algorithms for the computation of the pseudospectral radius and the numerical radius of
    a matrix", *IMA Journal of Numerical Analysis* 25 (2005), 648-669.

    Examples
    --------
    >>> for corner in (0.0, 10.0):
    ...     print(corner, round(pseudospectral_radius([[0.9, corner], [0.0, 0.8]], 0.01), 4))
    0.0 0.91
    10.0 1.1703
    """
    matrix = _square("matrix", matrix, "H H").astype(np.float64)
    epsilon = _real("epsilon", epsilon)
    if not epsilon > 0:
        raise ValueError(f"epsilon: expected a number greater than 0, got {epsilon}")
    angles = as_integer("angles", angles, 2)
    H = len(matrix)
    size = np.linalg.norm(matrix, 2) + epsilon

    def outermost(theta):
        rotated = np.exp(-1j * theta)[:, None, None] * matrix
        whole = np.zeros((len(theta), 2 * H, 2 * H), complex)
        whole[:, :H, :H], whole[:, H:, H:] = rotated, rotated.conj().swapaxes(1, 2)
        whole[:, :H, H:] = whole[:, H:, :H] = epsilon * np.eye(H)
        eigenvalues = np.linalg.eigvals(whole)
        radii = np.where(np.abs(eigenvalues.imag) <= 1e-8 * size, eigenvalues.real, -np.inf)
        return np.max(radii, axis=1, initial=0.0)

    if H == 0:
        return 0.0
    # The rays through the eigenvalues are among them: for a small ε there is nothing on most others.
    theta = np.concatenate([np.linspace(0, math.pi, angles), np.abs(np.angle(np.linalg.eigvals(matrix)))])
    return float(_refined_maximum(outermost, theta, math.pi / (angles - 1)))


def kreiss_constant(matrix, *, angles=90, radii=60):
    r"""Estimate the Kreiss constant of a matrix, from below.

    .. math::
       :unchecked: definition outside the language

       K(M) = \sup_{\lvert z \rvert > 1} \bigl(\lvert z \rvert - 1\bigr) \lVert (zI - M)^{-1} \rVert_2, \qquad
              K(M) \le \sup_{t \ge 0} \lVert M^t \rVert_2 \le e\, n\, K(M).

    It is 1 for a normal matrix with :math:`\rho \le 1`, and large if the powers grow before they decay. For
    :math:`\rho > 1` it is infinite, as the powers are.

    Parameters
    ----------
    matrix : array_like, shape (H, H)
        :math:`M`, float32 or float64; finite.
    angles, radii : int, optional
        The size of the grid in z that the supremum is sought on; the best point is then refined. Every value on the way
        is a lower bound of the constant.

    Returns
    -------
    float
        At least 1, the limit for :math:`\lvert z \rvert \to \infty`.

    Raises
    ------
    TypeError, ValueError
        As for :func:`spectral_radius`, or if another argument is no such number.

    Notes
    -----
    L. N. Trefethen and M. Embree, *Spectra and Pseudospectra*, Princeton University Press, 2005, chapter 18.

    Examples
    --------
    >>> for corner in (0.0, 2.0, 20.0):
    ...     W = np.array([[0.9, corner], [0.0, 0.8]])
    ...     K, peak = kreiss_constant(W), power_norms(W, 200).max()
    ...     print(f"{corner:4}: {K:5.2f} <= {peak:5.2f} <= {np.e * 2 * K:6.2f}")
     0.0:  1.00 <=  1.00 <=   5.44
     2.0:  3.51 <=  5.42 <=  19.06
    20.0: 34.32 <= 53.86 <= 186.59
    """
    matrix = _square("matrix", matrix, "H H").astype(np.float64)
    angles, radii = as_integer("angles", angles, 2), as_integer("radii", radii, 2)
    # Of an orthogonal matrix, computed eigenvalues are a few roundings outside the circle.
    if spectral_radius(matrix) > 1 + 1e-12 * max(1.0, np.linalg.norm(matrix)):
        return math.inf
    eye = np.eye(len(matrix))

    def quotient(log_excess, theta):
        excess = np.exp(log_excess)
        z = (1 + excess) * np.exp(1j * theta)
        smallest = np.linalg.svd(z[..., None, None] * eye - matrix, compute_uv=False)[..., -1]
        with np.errstate(divide="ignore"):
            return excess / smallest

    if len(matrix) == 0:
        return 1.0
    logs = np.linspace(math.log(1e-8), math.log(10 * (1 + np.linalg.norm(matrix, 2))), radii)
    theta = np.linspace(0, math.pi, angles)
    values = quotient(logs[:, None], theta[None, :])
    best = np.unravel_index(np.argmax(values), values.shape)
    largest, centre = values[best], (logs[best[0]], theta[best[1]])
    widths = np.array([logs[1] - logs[0], theta[1] - theta[0]])
    for _ in range(40):
        offsets = np.linspace(-1, 1, 5)
        u, v = np.meshgrid(centre[0] + widths[0] * offsets, centre[1] + widths[1] * offsets, indexing="ij")
        values = quotient(u, v)
        best = np.unravel_index(np.argmax(values), values.shape)
        if values[best] > largest:
            largest, centre = values[best], (u[best], v[best])
        widths = widths / 1.6
    return float(max(largest, 1.0))


def _refined_maximum(function, grid, width):
    """Return the largest value of a function on a grid that is refined around its best point again and again."""
    values = function(grid)
    centre, largest = grid[np.argmax(values)], np.max(values)
    for _ in range(40):
        around = centre + width * np.linspace(-1, 1, 5)
        values = function(around)
        if np.max(values) > largest:
            centre, largest = around[np.argmax(values)], np.max(values)
        width /= 1.6
    return largest


def _condition(eigenvectors):
    if eigenvectors.size == 0:
        return 1.0
    singular = np.linalg.svd(eigenvectors, compute_uv=False)
    return float(singular[0] / singular[-1]) if singular[-1] > 0 else math.inf


def _square(name, matrix, axes="... H H"):
    matrix = as_floats(name, matrix, axes, {})
    if matrix.shape[-1] != matrix.shape[-2]:
        raise ValueError(f"{name}: expected shape ({axes.replace(' ', ', ')}), got {matrix.shape}")
    if not np.all(np.isfinite(matrix)):
        raise ValueError(f"{name}: expected finite numbers, got {matrix[~np.isfinite(matrix)][0]}")
    return matrix


def _steps(jacobians):
    jacobians = _square("jacobians", jacobians)
    if jacobians.ndim < 3:
        raise ValueError(f"jacobians: expected shape (T, ..., H, H), got {jacobians.shape}")
    return jacobians


def _real(name, value):
    if not isinstance(value, Real):
        raise TypeError(f"{name}: expected a number, got {value!r}")
    return float(value)
