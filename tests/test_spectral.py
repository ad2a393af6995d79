"""Eigenvalues, powers, transients and exponents: against closed forms, brute force and each other."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_rnn import draw

from rnnbook import gru, lstm, rnn, spectral
from rnnbook.initialization import orthogonal

SEEDS = st.integers(0, 2**16)


def similar(eigenvalues, seed=0):
    """Return a matrix with the given real eigenvalues and random eigenvectors."""
    (V,) = draw((len(eigenvalues),) * 2, seed=seed)
    return V @ np.diag(eigenvalues) @ np.linalg.inv(V)


def test_spectral_radius():
    assert spectral.spectral_radius(similar([0.5, -0.9, 0.3])) == pytest.approx(0.9, rel=1e-12)
    assert spectral.spectral_radius([[0.0, -2.0], [2.0, 0.0]]) == pytest.approx(2.0)
    stacked = np.stack([similar([0.5, 0.1]), similar([-0.7, 0.2])])
    np.testing.assert_allclose(spectral.spectral_radius(stacked), [0.5, 0.7], rtol=1e-12)
    assert spectral.spectral_radius(np.zeros((0, 0))) == 0.0


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(1, 6), st.integers(0, 30))
def test_power_by_eigenvalues_is_repeated_multiplication(seed, size, exponent):
    (matrix,) = draw((size, size), seed=seed)
    matrix /= max(1.0, spectral.spectral_radius(matrix))
    condition = spectral.eigenvector_condition(matrix)
    if condition > 1e8:
        return
    expected = np.eye(size)
    for _ in range(exponent):
        expected = matrix @ expected
    np.testing.assert_allclose(spectral.power(matrix, exponent), expected, atol=1e-13 * condition**2 * size)
    # ρᵗ ≤ ‖Wᵗ‖ ≤ κ ρᵗ
    radius, norm = spectral.spectral_radius(matrix), np.linalg.norm(expected, 2)
    assert radius**exponent * (1 - 1e-9) <= norm + 1e-13 and norm <= condition * radius**exponent * (1 + 1e-9) + 1e-13


def test_defective_matrices():
    for size in (2, 3, 5):
        block = spectral.jordan_block(0.9, size)
        assert spectral.eigenvector_condition(block) > 1e12
        with pytest.raises(np.linalg.LinAlgError, match="matrix: expected a diagonalisable one, .*matrix_power"):
            spectral.power(block, 3)
        for exponent in (0, 1, 2, 7, 40):
            expected = np.linalg.matrix_power(block, exponent)
            np.testing.assert_allclose(spectral.jordan_block_power(0.9, size, exponent), expected, rtol=1e-12)
    np.testing.assert_array_equal(spectral.jordan_block_power(0.0, 3, 2), [[0, 0, 1], [0, 0, 0], [0, 0, 0]])
    near = np.array([[0.9, 1.0], [1e-12, 0.9]])  # diagonalisable, with a condition of a million
    np.testing.assert_allclose(spectral.power(near, 20), np.linalg.matrix_power(near, 20), rtol=1e-6)
    with pytest.raises(np.linalg.LinAlgError):
        spectral.power(near, 20, largest_condition=1e3)
    assert spectral.eigenvector_condition(orthogonal(5, 5, rng=np.random.default_rng(0))) == pytest.approx(1.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_norms_of_powers_and_products(dtype):
    factors = draw((6, 2, 3, 3), dtype=dtype)[0]
    norms = spectral.product_norms(factors)
    assert norms.shape == (7, 2) and norms.dtype == dtype
    product = np.eye(3)
    for t, factor in enumerate(factors):
        np.testing.assert_allclose(norms[t, 1], np.linalg.norm(product, 2), rtol=1e-5 if dtype is np.float32 else 1e-12)
        product = factor[1].astype(float) @ product
    matrix = factors[0, 0]
    expected = [np.linalg.norm(np.linalg.matrix_power(matrix, t), 2) for t in range(5)]
    np.testing.assert_allclose(spectral.power_norms(matrix, 4), expected, rtol=1e-5)
    assert spectral.power_norms(matrix, 0).tolist() == [1.0]


def test_norm_of_a_trajectory_is_the_norm_of_the_long_product():
    rng = np.random.default_rng(0)
    parameters = rnn.initialize(2, 4, rng=rng)
    (hidden, _), _ = rnn.forward(rng.normal(size=(9, 3, 2)), rng.normal(size=(3, 4)), parameters)
    norms = spectral.product_norms(rnn.step_jacobian(hidden, parameters.weight_hh))
    for t in range(10):
        long_product = rnn.long_product(hidden, parameters.weight_hh, t, 0)
        np.testing.assert_allclose(norms[t], np.linalg.norm(long_product, 2, axis=(1, 2)), rtol=1e-12)


# Lyapunov exponents.


@pytest.mark.parametrize("eigenvalues", [[0.9, 0.5, -0.2], [1.5, -1.1, 0.7], [0.8]])
def test_exponents_of_a_linear_network_are_logarithms_of_eigenvalues(eigenvalues):
    matrix = similar(eigenvalues)
    exponents = spectral.lyapunov_exponents(np.broadcast_to(matrix, (600, *matrix.shape)), skip=300)
    np.testing.assert_allclose(exponents, np.sort(np.log(np.abs(eigenvalues)))[::-1], atol=1e-10)


def test_exponents_of_a_defective_and_of_a_rotating_matrix():
    """Two cases where the frame never settles: the error is of order ln T / T, and 1 / T."""
    block = np.broadcast_to(spectral.jordan_block(0.9, 3), (4000, 3, 3))
    np.testing.assert_allclose(spectral.lyapunov_exponents(block), math.log(0.9), atol=0.01)
    spiral = np.broadcast_to([[0.6, -0.9], [0.4, 0.7]], (4000, 2, 2))
    np.testing.assert_allclose(spectral.lyapunov_exponents(spiral), 0.5 * math.log(0.6 * 0.7 + 0.9 * 0.4), atol=1e-3)


def test_exponents_add_up_to_the_logarithm_of_the_determinant():
    factors = draw((50, 2, 3, 3))[0]
    exponents = spectral.lyapunov_exponents(factors)
    expected = np.log(np.abs(np.linalg.det(factors))).mean(axis=0)
    np.testing.assert_allclose(exponents.sum(axis=-1), expected, rtol=1e-12)
    assert np.all(np.diff(exponents, axis=-1) <= 0)
    single = spectral.lyapunov_exponents(factors[:, 1])
    np.testing.assert_allclose(exponents[1], single, rtol=1e-12)


def test_the_largest_exponent_is_the_rate_of_the_norm():
    rng = np.random.default_rng(1)
    parameters = gru.initialize(2, 5, rng=rng)
    _, cache = gru.forward(rng.normal(size=(400, 1, 2)), np.zeros((1, 5)), parameters)
    jacobians = gru.step_jacobian(cache)
    rate = math.log(spectral.product_norms(jacobians)[-1, 0]) / 400
    assert spectral.lyapunov_exponents(jacobians)[0, 0] == pytest.approx(rate, abs=0.01)
    _, cache = lstm.forward(rng.normal(size=(400, 1, 2)), *np.zeros((2, 1, 5)), lstm.initialize(2, 5, rng=rng))
    jacobians = lstm.step_jacobian(cache)
    rate = math.log(spectral.product_norms(jacobians)[-1, 0]) / 400
    assert spectral.lyapunov_exponents(jacobians)[0, 0] == pytest.approx(rate, abs=0.01)


def test_a_direction_that_is_lost():
    singular = np.broadcast_to(np.diag([0.5, 0.0]), (10, 2, 2))
    np.testing.assert_allclose(spectral.lyapunov_exponents(singular), [math.log(0.5), -np.inf])
    assert spectral.lyapunov_exponents(np.ones((3, 1, 1), np.float32)).dtype == np.float32


# Pseudospectra and the Kreiss constant.


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.sampled_from([1e-3, 0.1, 1.0]))
def test_pseudospectral_radius_of_normal_matrices(seed, epsilon):
    rng = np.random.default_rng(seed)
    Q = orthogonal(4, 4, rng=rng)
    eigenvalues = rng.uniform(-1, 1, 4)
    for matrix, radius in ((Q * 0.8, 0.8), (Q @ np.diag(eigenvalues) @ Q.T, np.abs(eigenvalues).max())):
        assert spectral.pseudospectral_radius(matrix, epsilon) == pytest.approx(radius + epsilon, rel=1e-6)


@pytest.mark.parametrize("epsilon", [0.01, 0.3])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_pseudospectral_radius_bounds_every_perturbation_and_is_reached(seed, epsilon):
    (matrix,) = draw((4, 4), seed=seed)
    matrix *= 0.5
    radius = spectral.pseudospectral_radius(matrix, epsilon)
    rng = np.random.default_rng(seed)
    for _ in range(200):
        E = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
        E *= epsilon / np.linalg.norm(E, 2)
        assert np.abs(np.linalg.eigvals(matrix + E)).max() <= radius * (1 + 1e-9)
    # On the circle of that radius the resolvent's norm reaches 1/ε somewhere and exceeds it nowhere.
    z = radius * np.exp(1j * np.linspace(0, np.pi, 20001))
    smallest = np.linalg.svd(z[:, None, None] * np.eye(4) - matrix, compute_uv=False)[:, -1]
    assert smallest.min() == pytest.approx(epsilon, rel=1e-3) and smallest.min() >= epsilon * (1 - 1e-6)


def test_pseudospectral_radius_of_a_jordan_block_of_two():
    """By hand: both singular values of zI − J have the product |z|² and the difference 1."""
    for epsilon in (1e-4, 0.1, 1.0):
        radius = spectral.pseudospectral_radius([[0.0, 1.0], [0.0, 0.0]], epsilon)
        assert radius == pytest.approx(math.sqrt(epsilon * (1 + epsilon)), rel=1e-6)


def test_kreiss_theorem():
    for seed in range(6):
        matrix = similar(np.random.default_rng(seed).uniform(-0.95, 0.95, 4), seed)
        constant = spectral.kreiss_constant(matrix)
        peak = spectral.power_norms(matrix, 300).max()
        assert 1 <= constant <= peak * (1 + 1e-9) <= math.e * 4 * constant
        # No coarser or finer grid finds more.
        assert spectral.kreiss_constant(matrix, angles=300, radii=200) == pytest.approx(constant, rel=1e-4)


def test_kreiss_constant_of_normal_and_of_unstable_matrices():
    rotation = orthogonal(6, 6, rng=np.random.default_rng(0))
    for matrix in (0.7 * np.eye(3), rotation, np.zeros((2, 2)), np.diag([1.0, -1.0])):
        assert spectral.kreiss_constant(matrix) == pytest.approx(1.0, abs=1e-6)
    assert spectral.kreiss_constant([[1.1]]) == math.inf
    assert spectral.kreiss_constant(np.zeros((0, 0))) == 1.0
    # Of [[0, c], [0, 0]] by hand: the maximum of (r - 1) (c + √(c² + 4 r²)) / (2 r²) over r > 1.
    c, r = 50.0, np.linspace(1, 20, 2_000_001)[1:]
    by_hand = ((r - 1) * (c + np.sqrt(c**2 + 4 * r**2)) / (2 * r**2)).max()
    assert spectral.kreiss_constant([[0.0, c], [0.0, 0.0]]) == pytest.approx(by_hand, rel=1e-9)


W = np.eye(2)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: spectral.spectral_radius(np.ones((2, 3))), ValueError, r"matrix: expected shape \(..., H, H\)"),
        (lambda: spectral.spectral_radius([[np.nan]]), ValueError, "matrix: expected finite numbers, got nan"),
        (lambda: spectral.spectral_radius([[1]]), TypeError, "matrix: expected dtype float32 or float64, got int64"),
        (lambda: spectral.power(W, -1), ValueError, "exponent: expected at least 0, got -1"),
        (lambda: spectral.power(W, 0.5), TypeError, "exponent: expected an integer, got 0.5"),
        (lambda: spectral.power(np.ones((2, 2, 2)), 1), ValueError, r"matrix: expected shape \(H, H\)"),
        (lambda: spectral.jordan_block(0.9, 0), ValueError, "size: expected at least 1, got 0"),
        (lambda: spectral.jordan_block("0.9", 2), TypeError, "eigenvalue: expected a number, got '0.9'"),
        (lambda: spectral.product_norms(W), ValueError, r"jacobians: expected shape \(T, ..., H, H\), got \(2, 2\)"),
        (lambda: spectral.lyapunov_exponents(W[None], skip=1), ValueError, "skip: expected less than T = 1, got 1"),
        (lambda: spectral.lyapunov_exponents(np.zeros((0, 2, 2))), ValueError, "skip: expected less than T = 0"),
        (lambda: spectral.pseudospectral_radius(W, 0.0), ValueError, "epsilon: expected a number greater than 0"),
        (lambda: spectral.pseudospectral_radius(W, 0.1, angles=1), ValueError, "angles: expected at least 2, got 1"),
        (lambda: spectral.kreiss_constant(W, radii=1.5), TypeError, "radii: expected an integer, got 1.5"),
    ],
)
def test_wrong_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
