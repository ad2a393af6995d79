"""Measure the memory and the time of checkpoints, and of real-time recurrent learning, beside backpropagation through time.

    python benchmarks/checkpoint.py [--seconds 10]

One thread. Memory is the peak of all that is allocated during forward and backward pass, NumPy's arrays included, less
the gradient with respect to the inputs, which every method returns; it is printed in arrays of T * N * H numbers, and
beside it what the scheme has to hold by theory. The methods take turns, and the time is the median over turns of the ratio
to the first row, in which all states are stored. Before anything is measured the gradients are compared.
"""

import argparse
import os
import time
import tracemalloc
from math import ceil

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # read when the libraries are loaded, so before they are

import numpy as np

from rnnbook import checkpoint, rnn, rtrl

T, N, D, H = 2000, 4, 16, 64
SLOTS = (2, 5, 10, 20, 63, 200, 2000)
UNITS = (8, 16, 32, 64)
SHORT = 20  # steps for real-time recurrent learning, whose cost for each step does not depend on their number


def peak(function):
    """Return the bytes that a call holds at its worst moment, and what it returns."""
    tracemalloc.start()
    result = function()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most, result


def timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def take_turns(functions, seconds):
    """Return the times of the functions, an array with one row for each turn."""
    rows, end = [], time.perf_counter() + seconds
    while len(rows) < 3 or time.perf_counter() < end:
        rows.append([timed(function) for function in functions])
    return np.array(rows)


def compare_checkpoints(seconds):
    rng = np.random.default_rng(0)
    parameters = rnn.initialize(D, H, rng=rng)
    arguments = rng.normal(size=(T, N, D)), rng.normal(size=(N, H)), parameters
    targets = rng.normal(size=(N, H))

    def loss_gradient(first, hidden):
        return hidden - targets

    def stored(forward, backward):
        (hidden, _), cache = forward(*arguments)
        return backward((loss_gradient(0, hidden), None), cache)

    length = ceil(T**0.5)
    weights = 2 * sum(parameter.size for parameter in parameters) / (N * H)  # their gradients, and a summand of them
    # The last column is the theory, in states of N * H: besides the weights the states that are stored; the cotangents,
    # where the loss sees all states of a pass at once; and the slopes, where the backward pass does.
    rows = [
        ("stored, rnn.backward", lambda: stored(rnn.forward, rnn.backward), T, 3 * T),
        ("stored, step by step", lambda: stored(rnn.reference_forward, rnn.reference_backward), T, 2 * T),
        (
            f"segments of {length}",
            lambda: checkpoint.gradients_in_segments(*arguments, loss_gradient),
            2 * T - (T - (ceil(T / length) - 1) * length),
            ceil(T / length) + 3 * length,
        ),
    ]
    for s in SLOTS:
        rows.append(
            (
                f"binomial, {s} slots",
                lambda s=s: checkpoint.gradients(*arguments, loss_gradient, slots=s),
                checkpoint.forward_steps(T, s),
                s + 2,
            )
        )
    functions = [function for _, function, _, _ in rows]
    exact = functions[0]()
    times = take_turns(functions, seconds)
    ratios = np.median(times / times[:, :1], axis=0)
    print(f"T = {T}, N = {N}, d = {D}, H = {H}, float64; an array of T * N * H has {T * N * H * 8 / 1e6:.1f} MB")
    print(f"{'':24} {'steps made':>10} {'peak':>8} {'theory':>8} {'less by':>8} {'time':>6}")
    first = None
    for (name, function, steps, states), ratio in zip(rows, ratios):
        bytes_, gradients = peak(function)
        for ours, theirs in zip((gradients.inputs, *gradients.parameters), (exact.inputs, *exact.parameters)):
            np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12 * np.abs(theirs).max())
        size = (bytes_ - gradients.inputs.nbytes) / (T * N * H * 8)
        first = first or size
        theory = (states + weights) / T
        print(f"{name:24} {steps:10} {size:8.4f} {theory:8.4f} {first / size:8.1f} {ratio:6.2f}", flush=True)


def compare_real_time(seconds):
    print(f"\nReal-time recurrent learning, N = 1, d = H / 2, for each step, against backpropagation over {SHORT} steps")
    print(f"{'H':>4} {'influence':>12} {'mult.':>14} {'us/step':>10} {'growth':>7} {'BPTT us/step':>13} {'ratio':>8}")
    before = None
    for units in UNITS:
        d = units // 2
        rng = np.random.default_rng(0)
        parameters = rnn.initialize(d, units, rng=rng)
        arguments = rng.normal(size=(SHORT, 1, d)), rng.normal(size=(1, units)), parameters

        def forwards():
            return rtrl.gradients(*arguments, lambda first, hidden: hidden)

        def backwards():
            (hidden, _), cache = rnn.forward(*arguments)
            return rnn.backward((hidden, None), cache)

        for ours, theirs in zip(forwards().parameters, backwards().parameters):
            np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12 * np.abs(theirs).max())
        influence = rtrl.start(arguments[1], parameters).influence
        ours, theirs = np.median(take_turns((forwards, backwards), seconds), axis=0) / SHORT * 1e6
        growth = f"{ours / before:7.1f}" if before else f"{'':7}"
        before = ours
        print(
            f"{units:4} {influence.size:12} {influence.size * units:14} {ours:10.1f} {growth} {theirs:13.2f} {ours / theirs:8.1f}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="for the first table; a tenth of it for each row of the second")
    seconds = parser.parse_args().seconds
    compare_checkpoints(seconds)
    compare_real_time(seconds / 10)


if __name__ == "__main__":
    main()
