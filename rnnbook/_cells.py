"""What the gated cells have in common: the checks of their arguments, and how their arrays are laid out."""

import math

import numpy as np

from rnnbook._arrays import as_floats, as_integer
from rnnbook.initialization import uniform

BLOCK = 2**15  # numbers of one array that a backward pass works on at a time: what it needs then stays in the cache
SMALL = 10**6  # multiplications of a small product
FEWEST = 16  # rows of a piece of a matrix that are still worth a call


def sigmoid(a):
    """Compute the logistic function, as a tanh, which overflows nowhere and takes complex numbers."""
    return 0.5 + 0.5 * np.tanh(0.5 * a)


def rows(array):
    """Return the array with two axes, one row for every step and member of the batch; a view where there can be one."""
    return array.reshape(math.prod(array.shape[:-1]), array.shape[-1])


def columns(array):
    """Return a view of (T, N, H) as (T, H, N): one column for every member of the batch."""
    return array.swapaxes(-2, -1)


def rolled(array, by):
    """Move the last `by` rows to the front, or the first ones to the end: np.roll, at a tenth of its cost when small."""
    return np.concatenate([array[-by:], array[:-by]])


def pieces(matrix, N):
    """Cut a matrix that is multiplied with N columns, again and again, into pieces whose products are small.

    Every call of a BLAS library first copies both factors of a large product into an order of its own. For a small one
    OpenBLAS leaves them where they are, which measured up to a third faster for the same numbers. Where no cut makes the
    products small, the matrix stays whole. The pieces have shape (count, rows, columns); :func:`in_pieces` is for what
    comes out.
    """
    rows, columns = matrix.shape
    for count in range(1, rows // FEWEST + 1):
        if rows % count == 0 and rows // count * columns * N <= SMALL:
            break
    else:
        count = 1
    if count == 1:
        return np.asfortranarray(matrix)[None]  # the faster order for a product that is small as it is
    return np.ascontiguousarray(matrix).reshape(count, rows // count, columns)


def in_pieces(array, pieces):
    """Return a view of an array (..., rows, N) into which the product of :func:`pieces` of a matrix can be written."""
    return array.reshape(*array.shape[:-2], *pieces.shape[:2], array.shape[-1])


def sum_of_outer_products(left, right):
    """Sum the outer products of the rows of two arrays, as weight gradients do: ``left.T @ right``.

    The transposed product gives the same and measured up to a third faster for tall arrays of which the left one, with
    all gates beside one another, is the wider.
    """
    return np.ascontiguousarray((right.T @ left).T)


def blocks(T, size):
    """Return slices of about `BLOCK` numbers that cover T steps of `size` numbers each, the last steps first."""
    length = max(1, BLOCK // max(1, size))
    return [slice(start, min(start + length, T)) for start in reversed(range(0, T, length))]


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
