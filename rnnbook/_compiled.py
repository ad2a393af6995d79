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
def forward_step(states, stacked, hidden, t):
    """Make the gates of their arguments, and C_t and h_t of them.

    Parameters
    ----------
    states : numpy.ndarray, shape (T + 1, 5H, N)
        ``states[t]`` has the arguments of o, i and f, halved, that of g, and C before the step. It has the gates
        afterwards, and ``states[t + 1]`` the new C.
    stacked : numpy.ndarray, shape (T + 1, H + d + 1, N)
        The first H rows of ``stacked[t + 1]`` become the new h.
    hidden : numpy.ndarray, shape (T + 1, N, H)
        And so does ``hidden[t + 1]``, with one row for each member of the batch.
    """
    now = states[t].reshape(-1)
    size = now.size // 5
    o, i, f = now[:size], now[size : 2 * size], now[2 * size : 3 * size]
    g, previous = now[3 * size : 4 * size], now[4 * size :]
    cell, h = states[t + 1].reshape(-1)[4 * size :], stacked[t + 1].reshape(-1)[:size]
    # In loops of few arrays each: of many, the compiler could not make sure in time that they do not overlap.
    for j in range(3 * size):
        now[j] = HALF + HALF * tanh(now[j])
    for j in range(size):
        g[j] = tanh(g[j])
    for j in range(size):
        cell[j] = f[j] * previous[j] + i[j] * g[j]
    for j in range(size):
        h[j] = o[j] * tanh(cell[j])
    _, N, H = hidden.shape
    for n in range(N):
        for j in range(H):
            hidden[t + 1, n, j] = h[j * N + n]


@compiled
def backward_step(states, cotangents, deltas, t, k):
    """Compute the cotangents of the gates' arguments, and take that of the cell one step back.

    Parameters
    ----------
    states : numpy.ndarray, shape (T + 1, 5H, N)
        As :func:`forward_step` leaves them.
    cotangents : numpy.ndarray, shape (steps, 5H, N)
        The last H rows of ``cotangents[k]`` have that of h, as the loss gives it, after step t. The others become those
        of the arguments of o, i, f and g.
    deltas : numpy.ndarray, shape (2, H, N)
        The cotangents of h and C that come from the step after this one. The second becomes that of C before the step.
    """
    now, work = states[t].reshape(-1), cotangents[k].reshape(-1)
    size = now.size // 5
    o, i, f = now[:size], now[size : 2 * size], now[2 * size : 3 * size]
    g, previous = now[3 * size : 4 * size], now[4 * size :]
    alpha_o, alpha_i, alpha_f = work[:size], work[size : 2 * size], work[2 * size : 3 * size]
    alpha_g, cotangent = work[3 * size : 4 * size], work[4 * size :]
    cell = states[t + 1].reshape(-1)[4 * size :]
    delta_hidden, delta_cell = deltas[0].reshape(-1), deltas[1].reshape(-1)
    for j in range(size):
        delta_hidden[j] += cotangent[j]
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


@compiled
def copy_to_rows(cotangents, local):
    """Copy what belongs to o, i, f and g, one column for each member of the batch, to rows in the order i, f, g, o."""
    length, _, N = cotangents.shape
    H = local.shape[2] // 4
    for k in range(length):
        for gate in range(4):
            for n in range(N):
                for j in range(H):
                    local[k, n, (gate + 3) % 4 * H + j] = cotangents[k, gate * H + j, n]
