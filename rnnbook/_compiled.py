"""The steps of the LSTM in float32 but for their matrix products, compiled by numba.

:mod:`rnnbook.lstm` takes them where numba is installed, for their speed: on short vectors it costs NumPy more to start
an operation than to carry it out, and an LSTM has a dozen in a step. The numbers differ from NumPy's by rounding.
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
def forward_step(inputs, column, arguments, states, hidden, t):
    """Make the gates of their arguments, and C and h of them, for step t + 1.

    Parameters
    ----------
    inputs : numpy.ndarray, shape (T, N, d)
    column : numpy.ndarray, shape (H + d + 1, N)
        What the weights were multiplied with, [h_t; x_{t+1}; 1]; it becomes that of the next step, if there is one.
    arguments : numpy.ndarray, shape (4H, N)
        The product: the arguments of o, i and f, halved, and of g.
    states : numpy.ndarray, shape (T + 1, 5H, N)
        Below, ``states[t]`` has C_t. Above it has the gates afterwards, and ``states[t + 1]`` the new C.
    hidden : numpy.ndarray, shape (T + 1, N, H)
        ``hidden[t + 1]`` becomes the new h.
    """
    T, N, d = inputs.shape
    H = hidden.shape[2]
    now, a = states[t].reshape(-1), arguments.reshape(-1)
    size = H * N
    o, i, f = now[:size], now[size : 2 * size], now[2 * size : 3 * size]
    g, previous = now[3 * size : 4 * size], now[4 * size :]
    cell, h = states[t + 1].reshape(-1)[4 * size :], column.reshape(-1)[:size]
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
            hidden[t + 1, n, j] = h[j * N + n]
    if t + 1 < T:
        for k in range(d):
            for n in range(N):
                column[H + k, n] = inputs[t + 1, n, k]


@compiled
def backward_step(states, cotangents, deltas, alphas, local, t, k):
    """Compute the cotangents of the gates' arguments, and take that of the cell one step back.

    Parameters
    ----------
    states : numpy.ndarray, shape (T + 1, 5H, N)
        As :func:`forward_step` leaves them.
    cotangents : numpy.ndarray, shape (T, N, H)
        ``cotangents[t]`` is that of h after step t + 1, as the loss gives it.
    deltas : numpy.ndarray, shape (2, H, N)
        The cotangents of h and C that come from the step after this one. The second becomes that of C before the step.
    alphas : numpy.ndarray, shape (4H, N)
        Becomes the cotangents of the arguments of o, i, f and g.
    local : numpy.ndarray, shape (steps, N, 4H)
        ``local[k]`` becomes the same, with one row for each member of the batch, in the order i, f, g, o.
    """
    _, N, H = cotangents.shape
    size = H * N
    now, alpha = states[t].reshape(-1), alphas.reshape(-1)
    o, i, f = now[:size], now[size : 2 * size], now[2 * size : 3 * size]
    g, previous = now[3 * size : 4 * size], now[4 * size :]
    alpha_o, alpha_i, alpha_f = alpha[:size], alpha[size : 2 * size], alpha[2 * size : 3 * size]
    alpha_g = alpha[3 * size :]
    cell = states[t + 1].reshape(-1)[4 * size :]
    delta_hidden, delta_cell = deltas[0].reshape(-1), deltas[1].reshape(-1)
    for n in range(N):
        for j in range(H):
            delta_hidden[j * N + n] += cotangents[t, n, j]
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
    for gate in range(4):
        for n in range(N):
            for j in range(H):
                local[k, n, (gate + 3) % 4 * H + j] = alphas[gate * H + j, n]
