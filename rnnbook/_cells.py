"""What the gated cells have in common: the checks of their arguments, and how their arrays are laid out."""

import math
import os

import numpy as np

from rnnbook._arrays import as_floats, as_integer
from rnnbook.initialization import uniform

BLOCK = 2**15  # numbers of one array that a backward pass works on at a time: what it needs then stays in the cache
PART = 2**10  # rows of an array that serves some steps, and then those before them: to take new memory costs time
SMALL = 10**6  # multiplications of a small product
FEWEST = 16  # rows and columns of a piece of a matrix that are still worth a call
MOST = 8  # partial products that are worth adding
LINE = 64  # bytes that a processor reads at a time, from a multiple of them


def _threads():
    """Return how many threads a product may use, as OpenBLAS decides it when NumPy is imported."""
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        number = os.environ.get(variable, "")
        if number.isdecimal() and int(number) > 0:
            return int(number)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


THREADS = _threads()


def sigmoid(a):
    """Compute the logistic function, as a tanh, which overflows nowhere and takes complex numbers."""
    return 0.5 + 0.5 * np.tanh(0.5 * a)


def rows(array):
    """Return the array with two axes, one row for every step and member of the batch; a view where there can be one."""
    return array.reshape(math.prod(array.shape[:-1]), array.shape[-1])


def columns(array):
    """Return a view of (T, N, H) as (T, H, N): one column for every member of the batch."""
    return array.swapaxes(-2, -1)


def tall(array):
    """Return (T, R, N) with one row for every step and member of the batch; copied in the order that is faster."""
    if array.shape[2] < FEWEST:
        return rows(columns(array))
    return array.swapaxes(0, 1).reshape(array.shape[1], -1).T


def rolled(array, by):
    """Move the last `by` rows to the front, or the first ones to the end: np.roll, at a tenth of its cost when small."""
    return np.concatenate([array[-by:], array[:-by]])


def aligned(shape, dtype):
    """Return an array, not filled in, that begins at a multiple of `LINE` bytes; NumPy's own begin at multiples of 16.

    A read of as many bytes from anywhere else is two reads. Where a product leaves its factors where they are, that
    measured up to 1.6 times as long.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + LINE, np.uint8)
    start = -memory.__array_interface__["data"][0] % LINE
    return memory[start : start + size].view(dtype).reshape(shape)


def aligned_copy(array):
    """Return a copy of the array that begins at a multiple of `LINE` bytes, its rows one after the other."""
    copy = aligned(array.shape, array.dtype)
    copy[...] = array
    return copy


def multiplication(matrix, N):
    """Return a function of (factor, out) that writes the product of the matrix and N columns, again and again.

    Every call of a BLAS library first copies both factors of a large product into an order of its own. For a small one
    OpenBLAS leaves them where they are, which measured up to 1.6 times as fast for the same numbers. So a large matrix
    is cut into pieces, if equal ones can be small and not flat; but not where the library is to use several threads,
    which it does for a large product only. The factor is best an :func:`aligned` array.
    """
    rows, columns = matrix.shape
    if rows * columns * N <= SMALL:
        return aligned_copy(matrix.T).T.dot  # in the order that is faster for a small product
    matrix = np.ascontiguousarray(matrix)
    cut = _cut(rows, columns, N) if THREADS == 1 else None
    if cut is None:
        return matrix.dot
    height, width = cut
    pieces = np.ascontiguousarray(matrix.reshape(rows // height, height, -1, width).transpose(2, 0, 1, 3))
    products = aligned((*pieces.shape[:-1], N), matrix.dtype)

    def multiply(factor, out):
        if width == columns:
            np.matmul(pieces, factor, out=out.reshape(products.shape))
        else:
            np.matmul(pieces, factor.reshape(-1, 1, width, N), out=products)
            np.add.reduce(products.reshape(-1, rows, N), axis=0, out=out)

    return multiply


def _cut(rows, columns, N):
    """Return the height and width of pieces whose products are small: as wide as can be, and then as high; or None."""
    for parts in range(1, min(columns // FEWEST, MOST) + 1):
        for count in range(1, rows // FEWEST + 1):
            if columns % parts == 0 and rows % count == 0 and (rows // count) * (columns // parts) * N <= SMALL:
                return rows // count, columns // parts
    return None


def sum_of_outer_products(left, right):
    """Sum the outer products of the rows of two arrays, as weight gradients do: ``left.T @ right``.

    The transposed product gives the same, and for tall arrays it measured faster.
    """
    return np.ascontiguousarray((right.T @ left).T)


def parts(T, N):
    """Cut T steps, of N rows each, into slices of about `PART` rows; the last steps come first."""
    return _slices(slice(0, T), N, PART)


def longest_part(T, N):
    """Return of how many steps the longest of the :func:`parts` is."""
    return max((part.stop - part.start for part in parts(T, N)), default=0)


def blocks(steps, size):
    """Cut a slice of steps in the same way into slices of about `BLOCK` numbers."""
    return _slices(steps, size, BLOCK)


def _slices(steps, size, most):
    length = max(1, most // max(1, size))
    starts = range(steps.start, steps.stop, length)
    return [slice(start, min(start + length, steps.stop)) for start in reversed(starts)]


def drawn(gates, input_size, hidden_size, rng, dtype):
    """Draw the four parameters of a cell as PyTorch does, uniformly from (-1/√H, 1/√H)."""
    d, H = as_integer("input_size", input_size, 0), as_integer("hidden_size", hidden_size, 1)
    shapes = (gates * H, d), (gates * H, H), (gates * H,), (gates * H,)
    return [uniform(shape, 1 / math.sqrt(H), rng=rng, dtype=dtype) for shape in shapes]


def require_kind(parameters, kind):
    """Refuse parameters that are not of the named tuple that a cell has for them."""
    if not isinstance(parameters, kind):
        # several cells have a type of this name: say whose
        expected, got = (f"{t.__module__}.{t.__name__}".removeprefix("builtins.") for t in (kind, type(parameters)))
        raise TypeError(f"parameters: expected {expected}, got {got}")


def checked(inputs, initial, parameters, kind, gates, convert=as_floats):
    """Return a cell's arguments as arrays whose shapes, and with `as_floats` whose dtypes, agree.

    Parameters
    ----------
    inputs : array_like, shape (T, N, d)
    initial : dict
        The initial states, each of shape (N, H), by their names.
    parameters : kind
        A named tuple with the fields that PyTorch's layers have.
    gates : int
        How many blocks of H rows the weights have.
    """
    require_kind(parameters, kind)
    sizes = {}
    inputs = convert("inputs", inputs, "T N d", sizes)
    like = {"like": ("inputs", inputs)} if convert is as_floats else {}
    states = [convert(name, state, "N H", sizes, **like) for name, state in initial.items()]
    rows_of = f"{gates}H" if gates > 1 else "H"
    sizes[rows_of] = gates * sizes["H"]
    sizes["peepholes"] = 3
    axes = {"weight_ih": f"{rows_of} d", "weight_hh": f"{rows_of} H", "bias_ih": rows_of, "bias_hh": rows_of}
    axes["weight_ch"] = "peepholes H"
    arrays = [
        convert(f"parameters.{name}", array, axes[name], sizes, **like) for name, array in parameters._asdict().items()
    ]
    return inputs, states, kind(*arrays)


def checked_cotangents(cotangents, final, hidden, convert=as_floats):
    """Return the cotangents of the hidden states, and a list of those of the final states, which may be written to.

    Parameters
    ----------
    cotangents : tuple of array_like or None
        For all hidden states, and for each of the final states.
    final : tuple of str
        What the final states are called.
    hidden : numpy.ndarray, shape (T, N, H)
        The hidden states, for their shape and dtype.
    """
    try:
        cotangents_hidden, *cotangents_final = cotangents
        if len(cotangents_final) != len(final):
            raise ValueError
    except (TypeError, ValueError):
        names = ", ".join(("all hidden states", *final))
        found = type(cotangents).__name__
        if isinstance(cotangents, (tuple, list)):
            found += f" of {len(cotangents)}"
        raise TypeError(f"cotangents: expected {1 + len(final)} in a tuple, for {names}, got {found}") from None
    T, N, H = hidden.shape
    sizes = {"T": T, "N": N, "H": H}
    like = {"like": ("the cache", hidden)} if convert is as_floats else {}
    if cotangents_hidden is None:
        cotangents_hidden = np.broadcast_to(np.zeros((), hidden.dtype), hidden.shape)
    else:
        cotangents_hidden = convert("cotangents[0]", cotangents_hidden, "T N H", sizes, **like)
    for k, cotangent in enumerate(cotangents_final):
        if cotangent is None:
            cotangents_final[k] = np.zeros((N, H), hidden.dtype)
        else:
            cotangents_final[k] = np.array(
                convert(f"cotangents[{k + 1}]", cotangent, "N H", sizes, **like), order="C"
            )
    return cotangents_hidden, cotangents_final


def zeros_like(parameters, dtype):
    """Return parameters of zeros, for a backward pass to add to."""
    return type(parameters)(*(np.zeros(parameter.shape, dtype) for parameter in parameters))
