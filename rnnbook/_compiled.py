"""The steps of the LSTM in float32 but for their matrix products, compiled by numba.

:mod:`rnnbook.lstm` takes them where numba is installed, for their speed: on short vectors it costs NumPy more to start
an operation than to carry it out, and an LSTM has a dozen in a step. The numbers differ from NumPy's by rounding.

The steps are generators, because to go on with one costs a fifth of a call with as many arrays. Each has to be run to
its end: before it, numba does not let go of the arrays.
"""

import numba
import numpy as np

# Sums are in the order in which they are written, and a NaN stays a NaN. The compiled code is kept beside this file.
compiled = numba.njit(cache=True, error_model="numpy", fastmath={"contract"})

# tanh(x) = x P(x²) / Q(x²) for |x| up to 9, from where on it is 1 in float32; fitted so that the largest relative
# error, 2e-8, is as small as it can be. Unlike the library's tanh it is compiled for many numbers at a time.
LIMIT, ONE, HALF = np.float32(9), np.float32(1), np.float32(0.5)
P = tuple(map(np.float32, (9.999999796e-01, 1.338104475e-01, 3.495610147e-03, 2.060941867e-05, 1.335507995e-08)))
Q = tuple(map(np.float32, (1.0, 4.671436038e-01, 2.587706770e-02, 3.285669698e-04, 7.776739578e-07)))


@compiled
def tanh(x):
    x = LIMIT if x > LIMIT else x  # in this form a NaN passes
    x = -LIMIT if x < -LIMIT else x
    z = x * x
    numerator = P[0] + z * (P[1] + z * (P[2] + z * (P[3] + z * P[4])))
    y = x * numerator / (Q[0] + z * (Q[1] + z * (Q[2] + z * (Q[3] + z * Q[4]))))
    y = ONE if y > ONE else y  # which rounding alone can make of it
    return -ONE if y < -ONE else y


@compiled
def forward_steps(inputs, column, arguments, states, hidden):
    """Make the gates of their arguments, and C and h of them, at every step; yield wherever the next product is needed.

    Parameters
    ----------
    inputs : numpy.ndarray, shape (T, N, d)
    column : numpy.ndarray, shape (H + d + 1, N)
        What the weights are to be multiplied with, [h_{t-1}; x_t; 1]; at first that of step 1.
    arguments : numpy.ndarray, shape (4H, N)
        Where the product is expected: the arguments of o, i and f, halved, and of g.
    states : numpy.ndarray, shape (T + 1, 5H, N)
        Below, ``states[0]`` has C_0. Above it ``states[t - 1]`` gets the gates of step t, and ``states[t]`` below C_t.
    hidden : numpy.ndarray, shape (T + 1, N, H)
        ``hidden[t]`` becomes h_t.
    """
    T, N, d = inputs.shape
    H = hidden.shape[2]
    size = H * N
    a, h = arguments.reshape(-1), column.reshape(-1)[:size]
    for t in range(1, T + 1):
        yield
        now = states[t - 1].reshape(-1)
        o, i, f = now[:size], now[size : 2 * size], now[2 * size : 3 * size]
        g, previous = now[3 * size : 4 * size], now[4 * size :]
        cell = states[t].reshape(-1)[4 * size :]
        # In loops of few arrays each: of many, the compiler could not make sure in time that they do not overlap.
        for j in range(3 * size):
            now[j] = HALF + HALF * tanh(a[j])
        for j in range(size):
            g[j] = tanh(a[3 * size + j])
        for j in range(size):
            cell[j] = f[j] * previous[j] + i[j] * g[j]
        for j in range(size):
            h[j] = o[j] * tanh(cell[j])
        for n in range(N):
            for j in range(H):
                hidden[t, n, j] = h[j * N + n]
        if t < T:
            for k in range(d):
                for n in range(N):
                    column[H + k, n] = inputs[t, n, k]


@compiled
def backward_steps(states, cotangents, deltas, factors, before):
    """Compute the cotangents of the gates' arguments, step by step, the last first; yield for the product with each.

    Parameters
    ----------
    states : numpy.ndarray, shape (T + 1, 5H, N)
        As :func:`forward_steps` leaves them.
    cotangents : numpy.ndarray, shape (T, N, H)
        ``cotangents[t - 1]`` is that of h_t, as the loss gives it.
    deltas : numpy.ndarray, shape (2, H, N)
        The cotangents of h and C that come from the step after these. The second becomes that of C before them, the
        first is where the product of the transposed weights and what was written last is expected.
    factors : numpy.ndarray, shape (steps, 6, H, N)
        The middle four become the cotangents of the arguments of o, i, f and g.
    before : int
        How many steps come before these.
    """
    _, N, H = cotangents.shape
    size = H * N
    delta_hidden, delta_cell = deltas[0].reshape(-1), deltas[1].reshape(-1)
    for k in range(len(factors) - 1, -1, -1):
        t = before + k + 1
        now, cell = states[t - 1].reshape(-1), states[t].reshape(-1)[4 * size :]
        o, i, f = now[:size], now[size : 2 * size], now[2 * size : 3 * size]
        g, previous = now[3 * size : 4 * size], now[4 * size :]
        alpha = factors[k].reshape(-1)[size : 5 * size]
        alpha_o, alpha_i, alpha_f = alpha[:size], alpha[size : 2 * size], alpha[2 * size : 3 * size]
        alpha_g = alpha[3 * size :]
        for n in range(N):
            for j in range(H):
                delta_hidden[j * N + n] += cotangents[t - 1, n, j]
        # hidden = o * tanh(cell)
        for j in range(size):
            tanh_cell = tanh(cell[j])
            alpha_o[j] = delta_hidden[j] * tanh_cell * o[j] * (ONE - o[j])
            delta_cell[j] += delta_hidden[j] * o[j] * (ONE - tanh_cell * tanh_cell)
        # cell = f * previous + i * g
        for j in range(size):
            alpha_f[j] = delta_cell[j] * previous[j] * f[j] * (ONE - f[j])
        for j in range(size):
            alpha_i[j] = delta_cell[j] * g[j] * i[j] * (ONE - i[j])
        for j in range(size):
            alpha_g[j] = delta_cell[j] * i[j] * (ONE - g[j] * g[j])
        for j in range(size):
            delta_cell[j] *= f[j]
        yield
