"""Time forward plus backward of the package's cells, all gradients, against torch.nn.RNN, LSTM and GRU.

    python benchmarks/cells.py [--threads 2] [--clock cpu] [--seconds 2] [--cells lstm gru] [--sizes 3] [--json FILE]

Two at a time take turns, so that whatever else the machine does falls on both alike, and each round gives one ratio of
the times; printed are its median and its quartiles. Before anything is timed the gradients are compared. Without PyTorch
only the package's own times are printed, and with JAX installed there is a column for its jitted scan as well. All get
as many processors as threads; JAX would otherwise take all that there are. Where numba is installed, which the heading
tells, the package uses it for the LSTM in float32. With ``--json`` the rows are also kept in a file, beside those of
other cells and numbers of threads that are in it; the figure in the book is drawn from `benchmarks/results.json`.

Which processor instructions NumPy's matrix products use is for OpenBLAS to find out. On a machine that it does not know
it takes older ones, which makes products in float32 up to twice as slow; ``OPENBLAS_CORETYPE=SKYLAKEX`` makes it use
AVX-512 where the processor has it.
"""

import argparse
import datetime
import importlib
import json
import os
import platform
import sys
import time
from pathlib import Path

import numpy as np

SIZES = [(10, 1, 4, 8), (50, 16, 16, 32), (100, 32, 64, 128), (2000, 4, 16, 64), (200, 64, 128, 512)]
CELLS = ["rnn", "lstm", "gru", "bidirectional"]
FEWEST = 7  # rounds
REST, TURN = 0.1, 0.01  # seconds before a turn, and how many one lasts at least
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def ours(name, inputs, initial, parameters, cotangents):
    """Return a function that runs forward and backward, and gives all gradients."""
    from rnnbook import bidirectional, rnn

    def run():
        if name == "bidirectional":
            _, cache = bidirectional.forward(inputs, initial, parameters, cell=rnn)
            gradients = bidirectional.backward((cotangents[0], cotangents[1:]), cache)
            return [gradients.inputs, *gradients.initial, *gradients.parameters.forward, *gradients.parameters.reverse]
        cell = importlib.import_module(f"rnnbook.{name}")
        _, cache = cell.forward(inputs, *initial, parameters)
        gradients = cell.backward(cotangents, cache)
        return [*gradients[:-1], *gradients.parameters]

    return run


def theirs(torch, name, inputs, initial, parameters, cotangents):
    """Return the same for PyTorch."""
    two = name == "bidirectional"
    kind = torch.nn.RNN if two else getattr(torch.nn, name.upper())
    first = parameters.forward if two else parameters
    H = first.weight_hh.shape[1]
    network = kind(inputs.shape[2], H, bidirectional=two, dtype=torch.from_numpy(inputs).dtype)
    flat = [*parameters.forward, *parameters.reverse] if two else list(parameters)
    with torch.no_grad():
        for leaf, parameter in zip(network.parameters(), flat, strict=True):
            leaf.copy_(torch.from_numpy(parameter))
    x = torch.from_numpy(inputs).requires_grad_()
    states = [torch.from_numpy(state.reshape(1 + two, -1, H)).clone().requires_grad_() for state in initial]
    leaves = [x, *states, *network.parameters()]
    vectors = [torch.from_numpy(cotangents[0])]
    vectors += [torch.from_numpy(cotangent.reshape(1 + two, -1, H)) for cotangent in cotangents[1:]]

    def run():
        hidden, final = network(x, tuple(states) if len(states) > 1 else states[0])
        return torch.autograd.grad([hidden, *(final if len(states) > 1 else [final])], leaves, vectors)

    return run


def with_jax(jax, name, inputs, initial, parameters, cotangents):
    """Return the same for a jitted scan of JAX; not for two directions."""
    if name == "bidirectional":
        return None
    jax.config.update("jax_enable_x64", True)
    numpy, sigmoid = jax.numpy, jax.nn.sigmoid

    def step(parameters, states, x):
        weight_ih, weight_hh, bias_ih, bias_hh = parameters
        of_input, of_hidden = weight_ih @ x.T + bias_ih[:, None], weight_hh @ states[0].T + bias_hh[:, None]
        if name == "rnn":
            h = numpy.tanh(of_input + of_hidden).T
            return (h,), h
        if name == "lstm":
            i, f, g, o = numpy.split((of_input + of_hidden).T, 4, axis=1)
            c = sigmoid(f) * states[1] + sigmoid(i) * numpy.tanh(g)
            h = sigmoid(o) * numpy.tanh(c)
            return (h, c), h
        x_r, x_z, x_n = numpy.split(of_input.T, 3, axis=1)
        h_r, h_z, h_n = numpy.split(of_hidden.T, 3, axis=1)
        z = sigmoid(x_z + h_z)
        h = (1 - z) * numpy.tanh(x_n + sigmoid(x_r + h_r) * h_n) + z * states[0]
        return (h,), h

    def pairing(inputs, initial, parameters):
        final, hidden = jax.lax.scan(lambda states, x: step(parameters, states, x), tuple(initial), inputs)
        return sum((a * b).sum() for a, b in zip((hidden, *final), cotangents))

    gradient = jax.jit(jax.grad(pairing, argnums=(0, 1, 2)))

    def run():
        of_inputs, of_initial, of_parameters = jax.block_until_ready(gradient(inputs, initial, tuple(parameters)))
        return [of_inputs, *of_initial, *of_parameters]

    return run


def agree(left, right, tolerance):
    for a, b in zip(left, right, strict=True):
        b = np.asarray(b).reshape(a.shape)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.abs(b).max())


def timed(function, clock):
    start = clock()
    function()
    return clock() - start


def turn(function, clock):
    """Return the time of a call when nothing else is under way and the caches and threads are the function's own.

    The threads of a BLAS library wait busily for more work after a product, tens of milliseconds long. Whoever's turn is
    next would have one processor less: that measured up to a factor of two, with two threads, to the disadvantage of the
    one that makes more use of the second.
    """
    time.sleep(REST)
    function()
    times = [timed(function, clock)]
    while sum(times) < TURN:
        times.append(timed(function, clock))
    return np.median(times)


def measure(functions, seconds, clock):
    """Return the times of the functions, which take turns in an order drawn anew each time, one row for each round."""
    rng, rounds, end = np.random.default_rng(0), [], time.perf_counter() + seconds
    while len(rounds) < FEWEST or time.perf_counter() < end:
        times = np.empty(len(functions))
        for k in rng.permutation(len(functions)):
            times[k] = turn(functions[k], clock)
        rounds.append(times)
    return np.array(rounds)


def arguments(name, T, N, d, H, dtype):
    """Return random inputs, initial states, parameters and cotangents."""
    from rnnbook import bidirectional, rnn

    rng = np.random.default_rng(0)
    directions, states = (2, 1) if name == "bidirectional" else (1, 2 if name == "lstm" else 1)
    shape = (2, N, H) if directions == 2 else (N, H)
    shapes = [(T, N, d), (T, N, directions * H), *[shape] * (2 * states)]
    inputs, hidden, *rest = (rng.normal(size=shape).astype(dtype) for shape in shapes)
    if directions == 2:
        parameters = bidirectional.initialize(d, H, cell=rnn, rng=rng, dtype=dtype)
    else:
        parameters = importlib.import_module(f"rnnbook.{name}").initialize(d, H, rng=rng, dtype=dtype)
    return inputs, rest[:states], parameters, (hidden, *rest[states:])


def optional(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def machine():
    """Return what processor this is, and how many cores of it there are."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{name}, {os.cpu_count()} cores"


def keep(file, threads, clock, versions, rows):
    """Write the rows to a file, in the place of those of the same cells for as many threads."""
    others = json.loads(file.read_text())["rows"] if file.exists() else []
    measured = {row["cell"] for row in rows}
    others = [row for row in others if row["threads"] != threads or row["cell"] not in measured]
    found = {"date": str(datetime.date.today()), "machine": machine(), "clock": clock, "versions": versions}
    lines = ",\n".join(json.dumps(row) for row in sorted(others + rows, key=lambda row: (row["threads"], CELLS.index(row["cell"]))))
    file.write_text(json.dumps(found)[:-1] + f', "rows": [\n{lines}\n]}}\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="for each pair")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu where others keep the machine busy")
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=CELLS)
    parser.add_argument("--sizes", type=int, default=len(SIZES), help="how many of the sizes, the first ones")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the rows in this file as well")
    options = parser.parse_args()
    threads = str(options.threads)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    if any(os.environ.get(variable) != threads for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")):
        # NumPy's libraries read them when they are loaded, which they are: start again.
        os.environ.update(OMP_NUM_THREADS=threads, OPENBLAS_NUM_THREADS=threads, MKL_NUM_THREADS=threads)
        os.execv(sys.executable, [sys.executable, *sys.argv])

    others, numba = {"PyTorch": optional("torch"), "JAX": optional("jax")}, optional("numba")
    if others["PyTorch"]:
        others["PyTorch"].set_num_threads(options.threads)
    modules = {"NumPy": np, "numba": numba} | others
    versions = {name: module.__version__ for name, module in modules.items() if module}
    found = ", ".join(f"{name} {version}" for name, version in versions.items())
    print(f"Forward and backward, {threads} thread(s), {options.clock} time; {found}")
    rows = []
    print(f"{'cell':14}{'dtype':9}{'T':>5} {'N':>3} {'d':>4} {'H':>4} {'rnnbook':>12}   ratio to the other (quartiles)")
    for name in options.cells:
        for dtype in (np.float64, np.float32):
            for size in SIZES[: options.sizes]:
                setting = arguments(name, *size, dtype)
                function = ours(name, *setting)
                pairs = {}
                for other, module in others.items():
                    run = module and {"PyTorch": theirs, "JAX": with_jax}[other](module, name, *setting)
                    if run:
                        agree(function(), run(), 1e-9 if dtype is np.float64 else 5e-3)
                        pairs[other] = measure([function, run], options.seconds, CLOCKS[options.clock])
                times_of_ours = next(iter(pairs.values())) if pairs else measure([function], options.seconds, CLOCKS[options.clock])
                line = f"{name:14}{np.dtype(dtype).name:9}{size[0]:5} {size[1]:3} {size[2]:4} {size[3]:4}"
                row = dict(zip("TNdH", size)) | {"cell": name, "dtype": np.dtype(dtype).name, "threads": options.threads}
                row["milliseconds"] = round(1e3 * np.median(times_of_ours[:, 0]), 4)
                line += f" {row['milliseconds']:9.3f} ms"
                for other, times in pairs.items():
                    row[other] = np.quantile(times[:, 0] / times[:, 1], [0.25, 0.5, 0.75]).round(4).tolist()
                    low, middle, high = row[other]
                    line += f"   {other} {middle:.2f} ({low:.2f} to {high:.2f})"
                print(line, flush=True)
                rows.append(row)
    if options.json:
        keep(options.json, options.threads, options.clock, versions, rows)


if __name__ == "__main__":
    main()
