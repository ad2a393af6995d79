"""Several layers of recurrent networks, each running over the hidden states of the one below it.

The parameters are a tuple with an entry for each layer: the cell's own named tuple, or a
:class:`rnnbook.bidirectional.Parameters` for a layer of two directions. All initial, or final, states stand in one
array, in PyTorch's order: layer by layer, and the front's before the back's. :mod:`rnnbook.state_dict` gives the
parameters the names that PyTorch has for them, and takes them from there.
"""

from typing import NamedTuple

import numpy as np

from rnnbook import bidirectional as two_directions
from rnnbook import padded
from rnnbook._arrays import as_floats, as_integer

__all__ = ["Cache", "Gradients", "backward", "forward", "initialize"]


class Gradients(NamedTuple):
    """The gradients with respect to every argument of :func:`forward`, of the same shapes."""

    inputs: np.ndarray
    initial: tuple
    """for each state of the cell, shape (layers · directions, N, H)"""
    parameters: tuple


class Cache(NamedTuple):
    """What :func:`forward` leaves for :func:`backward`: the cache of each layer, the lowest first."""

    layers: tuple
    directions: int


def initialize(input_size, hidden_size, layers, *, cell, bidirectional=False, rng, dtype=np.float64):
    """Draw the parameters of all layers as the cell does.

    Parameters
    ----------
    input_size, hidden_size : int
        d and H. From the second layer on, the input has H components, or 2H with two directions.
    layers : int
        At least 1.
    cell : module
        :mod:`rnnbook.rnn`, :mod:`rnnbook.lstm` or :mod:`rnnbook.gru`.
    bidirectional : bool, optional
    rng, dtype
        As for the cell.

    Returns
    -------
    tuple
        An entry for each layer.

    Raises
    ------
    TypeError, ValueError
        As the cell, or if `layers` is less than 1.

    Examples
    --------
    >>> from rnnbook import gru
    >>> parameters = initialize(3, 4, 2, cell=gru, bidirectional=True, rng=np.random.default_rng(0))
    >>> [layer.reverse.weight_ih.shape for layer in parameters]
    [(12, 3), (12, 8)]
    """
    as_integer("layers", layers, 1)
    padded.states(cell)
    parameters = []
    for _ in range(layers):
        if bidirectional:
            parameters.append(two_directions.initialize(input_size, hidden_size, cell=cell, rng=rng, dtype=dtype))
        else:
            parameters.append(cell.initialize(input_size, hidden_size, rng=rng, dtype=dtype))
        input_size = (1 + bool(bidirectional)) * hidden_size
    return tuple(parameters)


def forward(inputs, initial, parameters, *, cell, lengths=None, **options):
    """Run all layers over a batch of sequences.

    Parameters
    ----------
    inputs : array_like, shape (T, N, d)
        float32 or float64.
    initial : tuple of array_like
        The initial states, as many as the cell has, each of shape (layers · directions, N, H).
    parameters : tuple
        An entry for each layer, all of one or all of two directions.
    cell : module
        :mod:`rnnbook.rnn`, :mod:`rnnbook.lstm` or :mod:`rnnbook.gru`.
    lengths : array_like of int, shape (N,), optional
        How long each sequence is; see :mod:`rnnbook.padded`. None stands for T, for all.
    **options
        Handed on to the cell.

    Returns
    -------
    outputs : tuple
        ``hidden``, the top layer's, shape (T, N, directions · H), and ``final``, a tuple of the final states of all
        layers, shape (layers · directions, N, H).
    cache : Cache
        For :func:`backward`.

    Raises
    ------
    TypeError, ValueError
        As the cell, or if the layers do not fit together.

    Examples
    --------
    >>> from rnnbook import lstm
    >>> rng = np.random.default_rng(0)
    >>> parameters = initialize(2, 3, 4, cell=lstm, bidirectional=True, rng=rng)
    >>> inputs, zeros = rng.normal(size=(5, 1, 2)), np.zeros((8, 1, 3))
    >>> (hidden, (final_hidden, final_cell)), _ = forward(inputs, (zeros, zeros), parameters, cell=lstm)
    >>> hidden.shape, final_cell.shape
    ((5, 1, 6), (8, 1, 3))
    """
    parameters = _checked_layers(parameters)
    directions = 2 if isinstance(parameters[0], two_directions.Parameters) else 1
    sizes = {"layers·directions": len(parameters) * directions}
    inputs = as_floats("inputs", inputs, "T N d", sizes)
    names = padded.states(cell)
    initial = tuple(initial)
    if len(initial) != len(names):
        raise ValueError(f"initial: expected {len(names)} states, {', '.join(names)}, got {len(initial)}")
    like = ("inputs", inputs)
    initial = [as_floats(name, state, "layers·directions N H", sizes, like) for name, state in zip(names, initial)]

    hidden, finals, caches = inputs, [], []
    layer_forward = two_directions.forward if directions == 2 else padded.forward
    for k, of_layer in enumerate(parameters):
        start = [state[_part(k, directions)] for state in initial]
        (hidden, final), cache = layer_forward(hidden, start, of_layer, cell=cell, lengths=lengths, **options)
        finals.append(final)
        caches.append(cache)
    final = tuple(np.concatenate([state.reshape(directions, *state.shape[-2:]) for state in of]) for of in zip(*finals))
    return (hidden, final), Cache(tuple(caches), directions)


def backward(cotangents, cache):
    r"""Go back through the layers, the top one first.

    What a layer hears from above is the gradient that the layer above has for its inputs. With two layers of the plain
    cell, :math:`\alpha_{l,t} = (1 - h_{l,t}^2) \odot \delta_{l,t}`, and the loss on the upper one alone,

    .. claim::
       :label: eq-api-stacked-delta
       :model: stacked
       :for: t = 1..T-1

       \delta_{1,t} = U_2^\top \alpha_{2,t} + W_1^\top \alpha_{1,t+1}

    Parameters
    ----------
    cotangents : tuple
        The gradients of the loss with respect to the outputs of :func:`forward`: an array for the top layer's hidden
        states, and a tuple of arrays for the final states. None stands for zeros, for either and within the tuple.
    cache : Cache
        From :func:`forward`.

    Returns
    -------
    Gradients

    Raises
    ------
    TypeError, ValueError
        If `cotangents` is not of the form of the outputs.

    Examples
    --------
    >>> from rnnbook import rnn
    >>> rng = np.random.default_rng(0)
    >>> parameters = initialize(2, 3, 2, cell=rnn, rng=rng)
    >>> (hidden, _), cache = forward(rng.normal(size=(5, 1, 2)), (np.zeros((2, 1, 3)),), parameters, cell=rnn)
    >>> gradients = backward((np.ones_like(hidden), None), cache)
    >>> [np.linalg.norm(layer.weight_hh).round(2) for layer in gradients.parameters]
    [np.float64(1.9), np.float64(4.84)]
    """
    layers, directions = cache
    bottom = layers[0].forward if directions == 2 else layers[0]
    names = padded.states(bottom.cell)
    cotangent, finals = padded.pair(cotangents, names)
    like = bottom.parts[0][2].parameters.weight_hh
    sizes = {"layers·directions": len(layers) * directions, "N": bottom.shape[1], "H": like.shape[1]}
    finals = [
        state if state is None
        else as_floats(f"cotangents[1][{k}]", state, "layers·directions N H", sizes, ("the cache", like))
        for k, state in enumerate(finals)
    ]
    layer_backward = two_directions.backward if directions == 2 else padded.backward
    initial, parameters = [], []
    for k in reversed(range(len(layers))):
        final = [None if state is None else state[_part(k, directions)] for state in finals]
        cotangent, of_initial, of_parameters = layer_backward((cotangent, final), layers[k])
        initial.append([state.reshape(directions, *state.shape[-2:]) for state in of_initial])
        parameters.append(of_parameters)
    initial = tuple(np.concatenate(of_state[::-1]) for of_state in zip(*initial))
    return Gradients(cotangent, initial, tuple(parameters[::-1]))


def _part(k, directions):
    """Return the index of layer k's states: a step for one direction, which has no axis for it, and two for both."""
    return slice(2 * k, 2 * k + 2) if directions == 2 else k


def _checked_layers(parameters):
    if not isinstance(parameters, (tuple, list)) or hasattr(parameters, "_fields"):
        raise TypeError(f"parameters: expected a tuple with an entry for each layer, got {type(parameters).__name__}")
    if not parameters:
        raise ValueError("parameters: expected at least one layer, got none")
    kinds = {isinstance(layer, two_directions.Parameters) for layer in parameters}
    if len(kinds) > 1:
        raise ValueError("parameters: expected all layers of one direction or all of two, got some of each")
    return parameters
