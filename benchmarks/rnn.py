"""Time forward plus backward of the Elman network, all gradients, against torch.nn.RNN.

    python benchmarks/rnn.py [--seconds 3]

One thread for both. The two take turns, so that whatever else the machine does falls on both alike, and each turn gives
one ratio of the times; printed are its median and its quartiles. Before anything is timed the gradients are compared.
Without PyTorch only the package's own times are printed.
"""

import argparse
import os
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # read when the libraries are loaded, so before they are

import numpy as np

from rnnbook import rnn

try:
    import torch
except ImportError:
    torch = None
else:
    torch.set_num_threads(1)

SIZES = [(10, 1, 4, 8), (50, 16, 16, 32), (100, 32, 64, 128), (2000, 4, 16, 64), (200, 64, 128, 512)]
WARM_UP, FEWEST = 3, 5


def ours(inputs, hidden0, parameters, cotangents):
    """Return a function that runs forward and backward, and gives all gradients."""

    def run():
        _, cache = rnn.forward(inputs, hidden0, parameters)
        gradients = rnn.backward(cotangents, cache)
        return gradients.inputs, gradients.hidden0, *gradients.parameters

    return run


def theirs(inputs, hidden0, parameters, cotangents):
    """Return the same for PyTorch."""
    H, d = parameters.weight_ih.shape
    network = torch.nn.RNN(d, H, dtype=torch.from_numpy(inputs).dtype)
    with torch.no_grad():
        for name, parameter in parameters._asdict().items():
            getattr(network, f"{name}_l0").copy_(torch.from_numpy(parameter))
    x, h0 = torch.from_numpy(inputs).requires_grad_(), torch.from_numpy(hidden0)[None].requires_grad_()
    leaves = [x, h0, *network.parameters()]
    vectors = torch.from_numpy(cotangents[0]), torch.from_numpy(cotangents[1])[None]

    def run():
        return torch.autograd.grad(network(x, h0), leaves, vectors)

    return run


def agree(left, right, tolerance):
    for a, b in zip(left, right, strict=True):
        b = b.numpy().reshape(a.shape)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.abs(b).max())


def timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def measure(functions, seconds):
    """Return the times of the functions, which take turns, as an array with one row for each turn."""
    for function in functions * WARM_UP:
        function()
    rows, end = [], time.perf_counter() + seconds
    while len(rows) < FEWEST or time.perf_counter() < end:
        rows.append([timed(function) for function in functions])
    return np.array(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="for each size and dtype")
    seconds = parser.parse_args().seconds

    versions = f"NumPy {np.__version__}" + (f", PyTorch {torch.__version__}" if torch else ", no PyTorch")
    print(f"Elman network, forward and backward, one thread; {versions}")
    print(f"{'dtype':8} {'T':>5} {'N':>4} {'d':>4} {'H':>4} {'rnnbook':>11} {'PyTorch':>11}  ratio (quartiles)")
    for dtype in (np.float64, np.float32):
        for T, N, d, H in SIZES:
            rng = np.random.default_rng(0)
            parameters = rnn.initialize(d, H, rng=rng, dtype=dtype)
            shapes = (T, N, d), (N, H), (T, N, H), (N, H)
            inputs, hidden0, *cotangents = (rng.normal(size=shape).astype(dtype) for shape in shapes)
            functions = [ours(inputs, hidden0, parameters, cotangents)]
            if torch:
                functions.append(theirs(inputs, hidden0, parameters, cotangents))
                agree(functions[0](), functions[1](), 1e-10 if dtype is np.float64 else 1e-3)
            times = measure(functions, seconds)
            line = f"{np.dtype(dtype).name:8} {T:5} {N:4} {d:4} {H:4} {1e3 * np.median(times[:, 0]):8.3f} ms"
            if torch:
                low, middle, high = np.quantile(times[:, 0] / times[:, 1], [0.25, 0.5, 0.75])
                line += f" {1e3 * np.median(times[:, 1]):8.3f} ms   {middle:.2f} ({low:.2f} to {high:.2f})"
            print(line, flush=True)


if __name__ == "__main__":
    main()
