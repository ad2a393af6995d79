r"""Sequences of unequal lengths in one batch.

The inputs have the shape (T, N, d), where T is the longest length and the steps beyond a sequence's own length are
padding. The cell never sees the padding: the batch is sorted by length and cut wherever a sequence ends, and each part
runs with the sequences that are left, from the states that the part before it ended with. So every sequence gives what
it would give alone, its final states are those of its own last step, no gradient reaches the padding, and whatever
stands there, be it a nan, does no harm. PyTorch's packed sequences do the same.

In a formula a mask says it, :math:`\mu_t = 1` within the sequence and 0 in the padding. For the plain cell, with
:math:`s_t` for what it would make of the step,

.. claim::
   :label: eq-api-padded-hidden
   :model: masked

   h_t = \mu_t s_t + (1 - \mu_t)\, h_{t-1}

.. claim::
   :label: eq-api-padded-inputs
   :model: masked

   \nabla_{x_t} L = \mu_t U^\top \left( (1 - s_t^2) \odot \delta_t \right)

Nothing is multiplied by a mask here; the results are the same, and outputs in the padding are zeros.

A cell is one of the modules :mod:`rnnbook.rnn`, :mod:`rnnbook.lstm` and :mod:`rnnbook.gru`.
"""

from typing import Any, NamedTuple

import numpy as np

from rnnbook._arrays import as_array, as_floats

__all__ = ["Cache", "Gradients", "backward", "forward", "reverse", "states"]


class Gradients(NamedTuple):
    """The gradients with respect to every argument of :func:`forward`, of the same shapes."""

    inputs: np.ndarray
    """zero in the padding"""
    initial: tuple
    """for each state of the cell, shape (N, H)"""
    parameters: Any
    """the cell's own named tuple"""


class Cache(NamedTuple):
    """What :func:`forward` leaves for :func:`backward`."""

    cell: Any
    order: Any
    """the sequences, the longest first"""
    parts: list
    """(steps, sequences, cache of the cell) for each part"""
    shape: tuple
    """of the inputs"""


def states(cell):
    """Return the names of a cell's initial states.

    Raises
    ------
    TypeError
        If `cell` is not one of the package's cells.

    Examples
    --------
    >>> from rnnbook import lstm
    >>> states(lstm)
    ('hidden0', 'cell0')
    """
    try:
        return cell.Gradients._fields[1:-1]
    except AttributeError:
        raise TypeError(f"cell: expected one of the modules rnnbook.rnn, lstm, gru, got {cell!r}") from None


def forward(inputs, initial, parameters, *, cell, lengths=None, **options):
    """Run a cell over a batch of sequences, each as long as it is.

    Parameters
    ----------
    inputs : array_like, shape (T, N, d)
        float32 or float64.
    initial : tuple of array_like
        The initial states, as many as the cell has, each of shape (N, H).
    parameters : cell.Parameters
    cell : module
        :mod:`rnnbook.rnn`, :mod:`rnnbook.lstm` or :mod:`rnnbook.gru`.
    lengths : array_like of int, shape (N,), optional
        From 0 to T, in any order. None stands for T, for all.
    **options
        Handed on to the cell: ``reset="before"`` for a GRU.

    Returns
    -------
    outputs : tuple
        ``hidden``, shape (T, N, H), with zeros in the padding, and ``final``, a tuple of the states after each
        sequence's last step, shape (N, H).
    cache : Cache
        For :func:`backward`.

    Raises
    ------
    TypeError, ValueError
        As the cell; if `initial` does not have as many states as the cell, or a length is out of range.

    Examples
    --------
    >>> from rnnbook import rnn
    >>> rng = np.random.default_rng(0)
    >>> parameters, inputs = rnn.initialize(2, 1, rng=rng), rng.normal(size=(4, 2, 2))
    >>> inputs[2:, 1] = np.nan  # padding
    >>> (hidden, (final,)), _ = forward(inputs, (np.zeros((2, 1)),), parameters, cell=rnn, lengths=[4, 2])
    >>> hidden[:, 1, 0].round(3), final[1].round(3)
    (array([0.238, 0.48 , 0.   , 0.   ]), array([0.48]))
    """
    sizes = {}
    inputs = as_floats("inputs", inputs, "T N d", sizes)
    names = states(cell)
    initial = tuple(initial)
    if len(initial) != len(names):
        raise ValueError(f"initial: expected {len(names)} states, {', '.join(names)}, got {len(initial)}")
    like = ("inputs", inputs)
    running = [as_floats(name, state, "N H", sizes, like).copy() for name, state in zip(names, initial)]
    order, cuts = _cuts(lengths, sizes)
    running = [state[order] for state in running]
    inputs = inputs[:, order]

    hidden, parts = np.zeros((sizes["T"], sizes["N"], sizes["H"]), inputs.dtype), []
    for steps, sequences in cuts:
        (hidden[steps, sequences], *final), cache = cell.forward(
            inputs[steps, sequences], *(state[sequences] for state in running), parameters, **options
        )
        for state, after in zip(running, final):
            state[sequences] = after
        parts.append((steps, sequences, cache))
    final = tuple(_unsorted(state, order, axis=0) for state in running)
    return (_unsorted(hidden, order, axis=1), final), Cache(cell, order, parts, inputs.shape)


def backward(cotangents, cache):
    """Go back through all parts, the last first.

    Parameters
    ----------
    cotangents : tuple
        The gradients of the loss with respect to the outputs of :func:`forward`: an array for the hidden states, whose
        numbers in the padding are not looked at, and a tuple of arrays for the final states. None stands for zeros,
        for either and within the tuple.
    cache : Cache
        From :func:`forward`.

    Returns
    -------
    Gradients

    Raises
    ------
    TypeError, ValueError
        As the cell, or if `cotangents` is not of the form of the outputs.

    Examples
    --------
    >>> from rnnbook import rnn
    >>> rng = np.random.default_rng(0)
    >>> parameters, inputs = rnn.initialize(2, 1, rng=rng), rng.normal(size=(4, 2, 2))
    >>> _, cache = forward(inputs, (np.zeros((2, 1)),), parameters, cell=rnn, lengths=[4, 2])
    >>> gradients = backward((np.ones((4, 2, 1)), None), cache)
    >>> gradients.inputs[:, 1].round(3)
    array([[ 0.076, -0.127],
           [ 0.211, -0.354],
           [ 0.   ,  0.   ],
           [ 0.   ,  0.   ]])
    """
    cell, order, parts, shape = cache
    names = states(cell)
    hidden_cotangents, final_cotangents = pair(cotangents, names)
    T, N, _ = shape
    first = parts[0][2]
    like = first.parameters.weight_hh
    sizes = {"T": T, "N": N, "H": like.shape[1]}
    if hidden_cotangents is not None:
        hidden_cotangents = as_floats("cotangents[0]", hidden_cotangents, "T N H", sizes, ("the cache", like))[:, order]
    running = []
    for k, cotangent in enumerate(final_cotangents):
        if cotangent is None:
            running.append(np.zeros((N, sizes["H"]), like.dtype))
        else:
            name = f"cotangents[1][{k}]"
            running.append(as_floats(name, cotangent, "N H", sizes, ("the cache", like)).copy()[order])

    gradients_inputs, gradients_parameters = np.zeros(shape, like.dtype), None
    for steps, sequences, cache_of_part in reversed(parts):
        gradients_inputs[steps, sequences], *initial, of_part = cell.backward(
            (
                None if hidden_cotangents is None else hidden_cotangents[steps, sequences],
                *(state[sequences] for state in running),
            ),
            cache_of_part,
        )
        for state, before in zip(running, initial):
            state[sequences] = before
        if gradients_parameters is None:
            gradients_parameters = of_part
        else:
            for total, gradient in zip(gradients_parameters, of_part):
                total += gradient
    initial = tuple(_unsorted(state, order, axis=0) for state in running)
    return Gradients(_unsorted(gradients_inputs, order, axis=1), initial, gradients_parameters)


def reverse(sequences, lengths=None):
    """Turn every sequence round within its own length; the padding stays where it is.

    To do it twice changes nothing, and it is its own transpose: cotangents go back through it in the same way.

    Parameters
    ----------
    sequences : array_like, shape (T, N, d)
    lengths : array_like of int, shape (N,), optional
        None stands for T, for all.

    Returns
    -------
    numpy.ndarray, shape (T, N, d)

    Raises
    ------
    TypeError, ValueError
        If a shape does not fit, or a length is out of range.

    Examples
    --------
    >>> sequences = np.array([[1, 10], [2, 20], [3, 0]])[..., None]
    >>> reverse(sequences, [3, 2])[..., 0]
    array([[ 3, 20],
           [ 2, 10],
           [ 1,  0]])
    """
    sizes = {}
    sequences = as_array("sequences", sequences, "T N d", sizes)
    if lengths is None:
        return sequences[::-1]
    lengths = _lengths(lengths, sizes)
    step = np.arange(sizes["T"])[:, None]
    index = np.where(step < lengths, lengths - 1 - step, step)
    return np.take_along_axis(sequences, index[..., None], axis=0)


def pair(cotangents, names):
    """Return the cotangents of the hidden states, and a tuple of those of the final states."""
    try:
        hidden, final = cotangents
        final = (None,) * len(names) if final is None else tuple(final)
        if len(final) != len(names):
            raise ValueError
    except (TypeError, ValueError):
        raise TypeError(
            f"cotangents: expected a pair, for all hidden states and a tuple of {len(names)} for the final states, "
            f"got {type(cotangents).__name__}"
        ) from None
    return hidden, final


def _lengths(lengths, sizes):
    lengths = as_array("lengths", lengths, "N", sizes)
    if lengths.dtype.kind not in "iu" and lengths.size:
        raise TypeError(f"lengths: expected integers, got dtype {lengths.dtype}")
    lengths = lengths.astype(np.intp)
    wrong = (lengths < 0) | (lengths > sizes["T"])
    if np.any(wrong):
        raise ValueError(f"lengths: expected from 0 to T = {sizes['T']}, got {lengths[wrong][0]}")
    return lengths


def _cuts(lengths, sizes):
    """Return the order of the sequences, the longest first, and (steps, sequences) of every part, as slices."""
    T, N = sizes["T"], sizes["N"]
    if lengths is None:
        return slice(None), [(slice(0, T), slice(0, N))]
    lengths = _lengths(lengths, sizes)
    order = np.argsort(-lengths, kind="stable")
    ends = np.unique(lengths[lengths > 0])
    cuts = [
        (slice(start, end), slice(0, int(np.count_nonzero(lengths >= end)))) for start, end in zip([0, *ends], ends)
    ]
    return order, cuts or [(slice(0, 0), slice(0, N))]  # nothing to run over: the cell still checks its arguments


def _unsorted(array, order, axis):
    """Undo ``array[order]`` along an axis."""
    if isinstance(order, slice):
        return array
    return np.take(array, np.argsort(order), axis=axis)
