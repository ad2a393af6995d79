r"""Training a recurrent network: a model, its loss with all gradients, and a loop that can be interrupted.

A :class:`Model` says what there is: the cell, how many layers of it, what is read from the hidden states, and the loss.
:func:`loss_and_gradients` puts together what the modules of this package do, forward and backward. :func:`fit` repeats it,
with an optimiser of :mod:`rnnbook.optim`.

All randomness of a run comes from its seed, through one generator. A checkpoint holds the state of that generator, next to
the parameters, the optimiser's state, the position in the epoch, the best parameters so far and the history, so that a run
that was interrupted and resumed gives, bit for bit, the numbers of one that was not. (On the same machine, with the same
version of NumPy: matrix products may be rounded differently elsewhere.)

``python -m rnnbook.train --help`` trains on images from the command line.
"""

import argparse
import dataclasses
import math
import signal
import sys
import time
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rnnbook import gru, losses, lstm, optim, rnn, snapshot, softmax, stacked
from rnnbook._arrays import FLOATS, as_array, as_integer
from rnnbook._trees import check_alike, leaves, mapped
from rnnbook.bidirectional import Parameters as Directions
from rnnbook.clipping import clip_by_global_norm, global_norm

__all__ = [
    "Best",
    "Cache",
    "Evaluation",
    "History",
    "Model",
    "Parameters",
    "Run",
    "backward",
    "evaluate",
    "fit",
    "forward",
    "generate",
    "initialize",
    "load",
    "loss_and_gradients",
    "main",
]

CELLS = {"rnn": rnn, "lstm": lstm, "gru": gru}
GATES = {rnn: 1, lstm: 4, gru: 3}
OPTIMIZERS = {"SGD": optim.SGD, "Adam": optim.Adam}
MOMENTS = {optim.SGD: ("velocity",), optim.Adam: ("first_moment", "second_moment")}


@dataclass(frozen=True, repr=False)
class Model:
    """What a network is made of; its numbers are :class:`Parameters`.

    Parameters
    ----------
    cell : module
        :mod:`rnnbook.rnn`, :mod:`rnnbook.lstm` or :mod:`rnnbook.gru`.
    input_size, hidden_size, output_size : int
        d, H and q, at least 1.
    layers : int, optional
    bidirectional : bool, optional
    reads : str, optional
        ``"last"``: one output for each sequence, read from the top layer's hidden state after its last step, and for two
        directions from both final states side by side. ``"every"``: one for each step.
    loss : str, optional
        ``"cross_entropy"``, for targets that are classes; or ``"squared_error"``, half the square, for numbers. The loss of
        a batch is the mean over all its entries.
    dtype : numpy.dtype, optional
        float64 or float32.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range.
    """

    cell: Any
    input_size: int
    hidden_size: int
    output_size: int
    layers: int = 1
    bidirectional: bool = False
    reads: str = "last"
    loss: str = "cross_entropy"
    dtype: str = "float64"

    def __post_init__(self):
        if self.cell not in GATES:
            raise TypeError(f"cell: expected one of the modules rnnbook.rnn, lstm, gru, got {self.cell!r}")
        for name in ("input_size", "hidden_size", "output_size", "layers"):
            # as Python's own number, which a checkpoint can hold, where it is NumPy's
            object.__setattr__(self, name, as_integer(name, getattr(self, name), 1))
        if not isinstance(self.bidirectional, bool):
            raise TypeError(f"bidirectional: expected True or False, got {self.bidirectional!r}")
        for name, known in (("reads", ("last", "every")), ("loss", ("cross_entropy", "squared_error"))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: expected {known[0]!r} or {known[1]!r}, got {getattr(self, name)!r}")
        if np.dtype(self.dtype) not in FLOATS:
            raise TypeError(f"dtype: expected float32 or float64, got {np.dtype(self.dtype)}")
        object.__setattr__(self, "dtype", np.dtype(self.dtype).name)

    def __repr__(self):
        values = _described(self) | {"cell": self.cell.__name__}
        return f"Model({', '.join(f'{name}={value}' for name, value in values.items())})"

    @property
    def directions(self):
        """1 or 2."""
        return 2 if self.bidirectional else 1


class Parameters(NamedTuple):
    """All numbers that are learnt."""

    network: tuple
    """an entry for each layer, as :mod:`rnnbook.stacked` has them"""
    readout: rnn.ReadoutParameters


class Cache(NamedTuple):
    """What :func:`forward` leaves for :func:`backward`."""

    network: stacked.Cache
    readout: rnn.ReadoutCache
    shape: tuple
    """of the final states"""


class Evaluation(NamedTuple):
    """How well a network does on some data."""

    loss: float
    accuracy: float
    """the fraction of classes that are right; nan if the targets are numbers"""
    mean_squared_error: float
    """twice the loss; nan if the targets are classes"""


class Best(NamedTuple):
    """The parameters with the lowest validation loss so far; without validation, those after the last epoch."""

    parameters: Parameters
    loss: float
    epoch: int
    """after how many epochs; 0 before the first is complete"""


class History(NamedTuple):
    """What happened, as arrays: the first two with an entry for each step, the others with one for each epoch."""

    loss: np.ndarray
    """of the batch, before the step"""
    norm: np.ndarray
    """the global norm of the gradient, before clipping"""
    training_loss: np.ndarray
    """the mean over the steps of the epoch"""
    validation_loss: np.ndarray
    """after the epoch; nan without validation, as the next two"""
    validation_accuracy: np.ndarray
    validation_error: np.ndarray
    """the mean squared error"""


class Run(NamedTuple):
    """Everything about a run, after some steps; what a checkpoint holds."""

    model: Model
    optimizer: Any
    parameters: Parameters
    """after the last step"""
    best: Best
    history: History
    epoch: int
    """how many are complete"""
    step: int
    """how many there were"""
    position: int
    """how many steps of the current epoch there were"""
    order: np.ndarray
    """in which the current epoch goes through the sequences"""
    optimizer_state: Any
    generator: dict
    """the state of the random numbers"""
    settings: dict
    """the other arguments of :func:`fit` that the numbers depend on"""


def initialize(model, *, rng):
    """Draw the parameters of all layers and of the readout.

    Parameters
    ----------
    model : Model
    rng : numpy.random.Generator

    Returns
    -------
    Parameters

    Examples
    --------
    >>> parameters = initialize(Model(lstm, 2, 3, 1, bidirectional=True), rng=np.random.default_rng(0))
    >>> parameters.network[0].reverse.weight_ih.shape, parameters.readout.weight_ho.shape
    ((12, 2), (1, 6))
    """
    dtype = np.dtype(model.dtype)
    network = stacked.initialize(
        model.input_size, model.hidden_size, model.layers,
        cell=model.cell, bidirectional=model.bidirectional, rng=rng, dtype=dtype,
    )
    read = model.directions * model.hidden_size
    return Parameters(network, rnn.initialize_readout(read, model.output_size, rng=rng, dtype=dtype))


def forward(model, parameters, inputs, lengths=None, *, initial=None):
    """Run the network over a batch of sequences.

    Parameters
    ----------
    model : Model
    parameters : Parameters
    inputs : array_like
        Shape (T, N, d), of the model's dtype; or integers of shape (T, N), from 0 to d - 1, that stand for unit vectors.
    lengths : array_like of int, shape (N,), optional
        How long each sequence is; see :mod:`rnnbook.padded`. None stands for T, for all.
    initial : tuple of array_like, optional
        The initial states, in the form of the final ones. None stands for zeros.

    Returns
    -------
    outputs : tuple
        The outputs, shape (N, q) or (T, N, q), as the model reads them; and the final states, to go on from: a tuple of
        arrays of shape (layers · directions, N, H).
    cache : Cache
        For :func:`backward`.

    Raises
    ------
    TypeError, ValueError
        If something does not fit.

    Examples
    --------
    >>> model = Model(rnn, 5, 4, 5, reads="every")
    >>> parameters = initialize(model, rng=np.random.default_rng(0))
    >>> (outputs, final), _ = forward(model, parameters, [[0], [3], [1]])
    >>> (first, middle), _ = forward(model, parameters, [[0], [3]])
    >>> (second, _), _ = forward(model, parameters, [[1]], initial=middle)
    >>> outputs.shape, np.allclose(np.concatenate([first, second]), outputs)
    ((3, 1, 5), True)
    """
    inputs = _vectors(model, inputs)
    if not isinstance(parameters, Parameters):
        raise TypeError(f"parameters: expected rnnbook.train.Parameters, got {type(parameters).__name__}")
    shape = (model.layers * model.directions, inputs.shape[1], model.hidden_size)
    if initial is None:
        initial = tuple(np.zeros(shape, inputs.dtype) for _ in stacked.padded.states(model.cell))
    (hidden, final), cache = stacked.forward(inputs, initial, parameters.network, cell=model.cell, lengths=lengths)
    if model.reads == "last":
        hidden = np.concatenate(final[0][-model.directions :], axis=-1)
    outputs, cache_readout = rnn.readout_forward(hidden, parameters.readout)
    return (outputs, final), Cache(cache, cache_readout, shape)


def backward(model, cotangents, cache):
    """Go back through the readout and all layers.

    Parameters
    ----------
    model : Model
    cotangents : array_like
        The gradient of the loss with respect to the outputs, of their shape and dtype.
    cache : Cache
        From :func:`forward`.

    Returns
    -------
    Parameters
        The gradients, in the form of the parameters.

    Raises
    ------
    TypeError, ValueError
        If `cotangents` has not the shape and dtype of the outputs.
    """
    hidden, readout = rnn.readout_backward(cotangents, cache.readout)
    final = None
    if model.reads == "last":
        top = np.zeros(cache.shape, hidden.dtype)
        top[-model.directions :] = np.split(hidden, model.directions, axis=-1)
        final = (top, *(None for _ in stacked.padded.states(model.cell)[1:]))
        hidden = None
    return Parameters(stacked.backward((hidden, final), cache.network).parameters, readout)


def loss_and_gradients(model, parameters, inputs, targets, lengths=None):
    """Compute the mean loss of a batch and its gradient with respect to all parameters.

    Parameters
    ----------
    model : Model
    parameters : Parameters
    inputs : array_like
        As for :func:`forward`.
    targets : array_like
        Classes, shape (N,) or (T, N), or numbers, (N, q) or (T, N, q), as the model reads; what stands in the padding is
        not looked at.
    lengths : array_like of int, shape (N,), optional

    Returns
    -------
    loss : float
    gradients : Parameters

    Raises
    ------
    TypeError, ValueError
        If something does not fit.

    Examples
    --------
    Before anything is learnt, ten classes are equally likely, more or less, and the loss is near ln 10 = 2.3026:

    >>> from rnnbook import tasks
    >>> model = Model(gru, 8, 16, 10)
    >>> parameters = initialize(model, rng=np.random.default_rng(0))
    >>> loss, gradients = loss_and_gradients(model, parameters, *tasks.digits().training)
    >>> round(loss, 2), gradients.readout.bias_ho.shape
    (2.33, (10,))
    """
    (outputs, _), cache = forward(model, parameters, inputs, lengths)
    loss, mean_cache, loss_cache = _loss(model, outputs, targets, lengths)
    each_backward = softmax.cross_entropy_backward if model.loss == "cross_entropy" else losses.squared_error_backward
    cotangents = each_backward(losses.mean_backward(outputs.dtype.type(1), mean_cache), loss_cache)
    return float(loss), backward(model, cotangents, cache)


def evaluate(model, parameters, data, *, batch_size=256):
    """Measure the loss and what it means on data.

    Parameters
    ----------
    model : Model
    parameters : Parameters
    data : rnnbook.tasks.Sequences
        Or anything that has a ``size`` and a method ``batch``, as that has.
    batch_size : int, optional
        How many sequences are looked at at a time.

    Returns
    -------
    Evaluation

    Raises
    ------
    TypeError, ValueError
        If something does not fit, or there is nothing to evaluate.
    """
    as_integer("batch_size", batch_size, 1)
    if data.size == 0:
        raise ValueError("data: expected at least one sequence, got none")
    total, right, count = 0.0, 0, 0
    for start in range(0, data.size, batch_size):
        inputs, targets, lengths = data.batch(slice(start, start + batch_size))
        (outputs, _), _ = forward(model, parameters, inputs, lengths)
        loss, mean_cache, _ = _loss(model, outputs, targets, lengths)
        total += float(loss) * mean_cache.count
        count += mean_cache.count
        if model.loss == "cross_entropy":
            right += np.count_nonzero(mean_cache.mask & (outputs.argmax(axis=-1) == targets))
    loss = total / count
    if model.loss == "cross_entropy":
        return Evaluation(loss, right / count, math.nan)
    return Evaluation(loss, math.nan, 2 * loss)


def generate(model, parameters, codes, length, *, rng, temperature=1.0):
    """Let a network that was trained to predict the next character write a text.

    Parameters
    ----------
    model : Model
        That reads every step, in one direction, with as many outputs as inputs.
    parameters : Parameters
    codes : array_like of int, shape (S,)
        How the text begins, at least one character.
    length : int
        How many characters are drawn.
    rng : numpy.random.Generator
    temperature : float, optional
        Near 0 the most probable character is always taken.

    Returns
    -------
    numpy.ndarray of int, shape (length,)
        What follows the beginning.

    Raises
    ------
    TypeError, ValueError
        If the model is of another kind, or an argument is out of range.
    """
    if model.reads != "every" or model.bidirectional or model.output_size != model.input_size:
        raise ValueError(f"model: expected one that predicts its next input at every step, in one direction, got {model}")
    codes = as_array("codes", codes, "S", {})
    if len(codes) == 0:
        raise ValueError("codes: expected at least one, to begin with, got none")
    as_integer("length", length, 0)
    drawn = np.empty(length, np.int64)
    (outputs, final), _ = forward(model, parameters, codes[:, None])
    for k, uniform in enumerate(rng.random(length)):
        cumulated = np.cumsum(softmax.softmax(outputs[-1, 0].astype(np.float64), temperature=temperature))
        drawn[k] = min(np.searchsorted(cumulated, uniform * cumulated[-1], side="right"), model.output_size - 1)
        (outputs, final), _ = forward(model, parameters, drawn[k : k + 1, None], initial=final)
    return drawn


def fit(
    model, optimizer, training, validation=None, *, seed, epochs, batch_size, max_norm=None, patience=None,
    steps_per_epoch=None, parameters=None, checkpoint=None, checkpoint_every=None, resume=False, progress=None,
    each_epoch=None,
):
    """Train a network.

    Parameters
    ----------
    model : Model
    optimizer : rnnbook.optim.SGD or rnnbook.optim.Adam
    training : rnnbook.tasks.Sequences or callable
        The data, in another order in each epoch; or anything that has a ``size`` and the methods ``batch`` and
        ``fingerprint``, as that has. Or a function of a generator and a number, that draws so many sequences.
    validation : rnnbook.tasks.Sequences, optional
        What the loss is measured on after each epoch.
    seed : int
        Of the parameters, the orders, and what is drawn.
    epochs : int
        When to stop at the latest.
    batch_size : int
        Sequences for each step; there may be fewer in the last of an epoch.
    max_norm : float, optional
        Gradients are clipped to this global norm, see :func:`rnnbook.clipping.clip_by_global_norm`.
    patience : int, optional
        Stop when the validation loss has had no new lowest value for so many epochs.
    steps_per_epoch : int, optional
        For data that are drawn, where it must be given.
    parameters : Parameters, optional
        To start with; drawn if they are not given, and not looked at with `resume`.
    checkpoint : str or os.PathLike, optional
        A file for the :class:`Run`, which is written before the first step, after each epoch, and when the training is
        interrupted by a KeyboardInterrupt, after the last complete step. See :mod:`rnnbook.snapshot` for how.
    checkpoint_every : int, optional
        Write it after each so many steps as well.
    resume : bool, optional
        Go on from the checkpoint. `epochs`, `patience` and how often a checkpoint is written may be others than before.
    progress : bool, optional
        Show a bar on the standard error; if it is not given, do so if that is a terminal.
    each_epoch : callable, optional
        A function that is given the :class:`Run` after each epoch, to print or to draw something.

    Returns
    -------
    Run

    Raises
    ------
    TypeError, ValueError
        If something does not fit; with `resume`, if the checkpoint was written with other arguments or data.
    FileExistsError
        If there is a checkpoint already and `resume` is not set.
    FloatingPointError
        If the loss or the gradient is not finite. The parameters, and the checkpoint, are not touched by such a step.
    rnnbook.snapshot.SnapshotError
        If the file is not a checkpoint, or a damaged one.

    Examples
    --------
    >>> from rnnbook import tasks
    >>> training, validation, test = tasks.digits()
    >>> model = Model(gru, 8, 16, 10)
    >>> run = fit(model, optim.Adam(0.01), training, validation, seed=0, epochs=5, batch_size=32)
    >>> run.history.validation_accuracy.round(1)
    array([0.6, 0.7, 0.8, 0.8, 0.9])
    """
    run, rng, steps = _started(
        model, optimizer, training, validation, seed, batch_size, max_norm, steps_per_epoch, parameters, checkpoint, resume
    )
    as_integer("epochs", epochs, 0)
    if patience is not None:
        as_integer("patience", patience, 1)
        if validation is None:
            raise ValueError("patience: expected data for validation with it, got none")
    if checkpoint_every is not None:
        as_integer("checkpoint_every", checkpoint_every, 1)
        if checkpoint is None:
            raise ValueError("checkpoint_every: expected a checkpoint with it, got none")
    # Lists that only grow. An interrupt may come when they are ahead of `run`, which says how much of them counts.
    log = History(*(list(column) for column in run.history))
    bar = _Bar(sys.stderr.isatty() if progress is None else progress)

    def complete(run):
        return run._replace(history=_history(log, run))

    def save(run):
        if checkpoint is not None:
            _save(checkpoint, complete(run))

    if not resume:
        save(run)  # now, and not after an epoch, one learns that a file cannot be written
    try:
        while run.epoch < epochs and not (patience is not None and run.epoch - run.best.epoch >= patience):
            if run.position == 0 and not callable(training):
                # The generator's state stays what it was until there is a step: whoever resumes here draws the same order.
                run = run._replace(order=rng.permutation(training.size))
            while run.position < steps:
                run = _stepped(run, log, rng, training)
                bar.show(run, steps, epochs, log)
                if checkpoint_every is not None and run.step % checkpoint_every == 0 and run.position < steps:
                    save(run)
            run = _measured(run, log, validation)
            save(run)
            if each_epoch is not None:
                bar.close()
                each_epoch(complete(run))
    except KeyboardInterrupt:
        # `run` is replaced as a whole, by one assignment, so that it is complete here whatever was interrupted.
        save(run)
        raise
    finally:
        bar.close()
    return complete(run)


def load(path, *, max_bytes=2**30):
    """Read a checkpoint.

    Parameters
    ----------
    path : str or os.PathLike
        That :func:`fit` wrote.
    max_bytes : int, optional
        A larger file is refused.

    Returns
    -------
    Run

    Raises
    ------
    rnnbook.snapshot.SnapshotError
        If the file is not a checkpoint, or a damaged one.
    OSError
        If it cannot be read.
    """
    arrays, facts = snapshot.load(path, max_bytes=max_bytes)

    def wrong(name, expected, got):
        return snapshot.SnapshotError(f"{path}: {name}: expected {expected}, got {got}")

    def fact(name, kind, known=facts):
        if type(known.get(name)) is not kind:
            raise wrong(name, f"a {kind.__name__}", f"{known.get(name)!r:.80}")
        return known[name]

    if facts.get("kind") != KIND:
        raise wrong("kind", repr(KIND), f"{facts.get('kind')!r:.80}")
    described = fact("model", dict)
    try:
        model = Model(**described | {"cell": CELLS.get(described.get("cell"))})
    except (TypeError, ValueError) as problem:
        raise snapshot.SnapshotError(f"{path}: model: {problem}") from None
    described = fact("optimizer", dict)
    try:
        optimizer = OPTIMIZERS[described.pop("name")](**described)
    except (KeyError, TypeError, ValueError) as problem:
        raise snapshot.SnapshotError(f"{path}: optimizer: {problem}") from None

    def take(name, shape, dtype="float64"):
        if name not in arrays:
            raise wrong(name, f"{dtype} of shape {shape}", "none")
        array = arrays.pop(name)
        if array.shape != shape or array.dtype != dtype:
            raise wrong(name, f"{dtype} of shape {shape}", f"{array.dtype} of shape {array.shape}")
        return array

    def taken(prefix):
        return _form(model, lambda name, shape: take(f"{prefix}.{name}", shape, model.dtype))

    step, epoch, position = (fact(name, int) for name in ("step", "epoch", "position"))
    if min(step, epoch, position) < 0:
        raise wrong("step, epoch, position", "numbers that are at least 0", f"{step}, {epoch}, {position}")
    columns = {name: (step if name in ("loss", "norm") else epoch,) for name in History._fields}
    best = fact("best", dict)
    order = arrays.get("order", np.empty(0, np.int64))
    run = Run(
        model=model,
        optimizer=optimizer,
        parameters=taken("parameters"),
        best=Best(taken("best.parameters"), fact("loss", float, best), fact("epoch", int, best)),
        history=History(*(take(f"history.{name}", shape) for name, shape in columns.items())),
        epoch=epoch,
        step=step,
        position=position,
        order=take("order", (order.size,), "int64"),
        optimizer_state=_optimizer_state(optimizer, step, lambda name: taken(f"optimizer_state.{name}")),
        generator=fact("generator", dict),
        settings=fact("settings", dict),
    )
    if arrays:
        raise wrong(min(arrays), "nothing of this name", "it")
    try:
        np.random.default_rng().bit_generator.state = run.generator
    except (KeyError, TypeError, ValueError, OverflowError):
        raise wrong("generator", "the state of a PCG64", "another") from None
    return run


KIND = "rnnbook training run"


def _save(path, run):
    arrays = {"order": run.order} | {f"history.{name}": column for name, column in run.history._asdict().items()}
    trees = {"parameters": run.parameters, "best.parameters": run.best.parameters}
    trees |= {f"optimizer_state.{name}": getattr(run.optimizer_state, name) for name in MOMENTS[type(run.optimizer)]}
    for name, tree in trees.items():
        arrays |= dict(leaves(name, tree))
    facts = {
        "kind": KIND,
        "model": _described(run.model) | {"cell": run.model.cell.__name__.rpartition(".")[2]},
        "optimizer": {"name": type(run.optimizer).__name__} | _described(run.optimizer),
        "step": run.step,
        "epoch": run.epoch,
        "position": run.position,
        "best": {"loss": run.best.loss, "epoch": run.best.epoch},
        "generator": run.generator,
        "settings": run.settings,
    }
    snapshot.save(path, arrays, facts)


def _described(instance):
    return {field.name: getattr(instance, field.name) for field in dataclasses.fields(instance)}


def _optimizer_state(optimizer, step, make):
    if isinstance(optimizer, optim.Adam):
        return optim.AdamState(step, make("first_moment"), make("second_moment"))
    return optim.SGDState(make("velocity") if optimizer.momentum else None)


def _form(model, make):
    """Build parameters from a function of each array's name and shape."""
    H, rows = model.hidden_size, GATES[model.cell] * model.hidden_size

    def direction(name, d):
        shapes = {"weight_ih": (rows, d), "weight_hh": (rows, H), "bias_ih": (rows,), "bias_hh": (rows,)}
        return model.cell.Parameters(**{part: make(f"{name}.{part}", shape) for part, shape in shapes.items()})

    network = []
    for k in range(model.layers):
        d = model.directions * H if k else model.input_size
        name = f"network[{k}]"
        if model.bidirectional:
            network.append(Directions(*(direction(f"{name}.{way}", d) for way in Directions._fields)))
        else:
            network.append(direction(name, d))
    q = model.output_size
    weight_ho = make("readout.weight_ho", (q, model.directions * H))
    return Parameters(tuple(network), rnn.ReadoutParameters(weight_ho, make("readout.bias_ho", (q,))))


def _started(
    model, optimizer, training, validation, seed, batch_size, max_norm, steps_per_epoch, parameters, checkpoint, resume
):
    """Return the run before its first step, or as it was left, the generator, and the steps of an epoch."""
    if not isinstance(model, Model):
        raise TypeError(f"model: expected rnnbook.train.Model, got {type(model).__name__}")
    if type(optimizer) not in MOMENTS:
        raise TypeError(f"optimizer: expected rnnbook.optim.SGD or Adam, got {type(optimizer).__name__}")
    as_integer("seed", seed, 0)
    as_integer("batch_size", batch_size, 1)
    if max_norm is not None and (not isinstance(max_norm, Real) or not max_norm > 0):
        raise ValueError(f"max_norm: expected a number greater than 0, got {max_norm!r}")
    if callable(training):
        if steps_per_epoch is None:
            raise ValueError("steps_per_epoch: expected a number for data that are drawn, got None")
        steps = as_integer("steps_per_epoch", steps_per_epoch, 1)
    else:
        if steps_per_epoch is not None:
            raise ValueError(f"steps_per_epoch: expected None for data that are there, got {steps_per_epoch}")
        if training.size == 0:
            raise ValueError("training: expected at least one sequence, got none")
        steps = math.ceil(training.size / batch_size)
    settings = {
        "seed": int(seed),
        "batch_size": int(batch_size),
        "max_norm": None if max_norm is None else float(max_norm),
        "steps_per_epoch": int(steps),
    }
    rng = np.random.default_rng(seed)
    if checkpoint is not None:
        # What the data are is looked at only where somebody may come back with others.
        settings["training"] = None if callable(training) else training.fingerprint()
        settings["validation"] = None if validation is None else validation.fingerprint()
        if resume:
            run = load(checkpoint)
            _check_resumed(checkpoint, run, model, optimizer, settings, training)
            rng.bit_generator.state = run.generator
            return run, rng, steps
        if Path(checkpoint).exists():
            raise FileExistsError(f"{checkpoint}: it is there already; resume goes on from it")
    elif resume:
        raise ValueError("resume: expected a checkpoint with it, got none")
    drawn = initialize(model, rng=rng)  # also where it is not used, so that the rest of a run does not depend on it
    if parameters is None:
        parameters = drawn
    else:
        check_alike("parameters", parameters, "the model's", drawn)
        parameters = mapped(np.array, parameters)
    run = Run(
        model=model,
        optimizer=optimizer,
        parameters=parameters,
        best=Best(parameters, math.inf, 0),
        history=History(*(np.empty(0) for _ in History._fields)),
        epoch=0,
        step=0,
        position=0,
        order=np.empty(0, np.int64),
        optimizer_state=optimizer.initialize(parameters),
        generator=rng.bit_generator.state,
        settings=settings,
    )
    return run, rng, steps


def _check_resumed(path, run, model, optimizer, settings, training):
    """Raise an error unless a run can go on with these arguments."""
    then, now = (
        {f"model.{name}": value for name, value in _described(of_model).items()}
        | {"optimizer": type(of_optimizer).__name__} | _described(of_optimizer) | of_settings
        for of_model, of_optimizer, of_settings in (
            (run.model, run.optimizer, run.settings), (model, optimizer, settings),
        )
    )
    for name, value in now.items():
        before = then.get(name)
        if before != value:
            if name in ("training", "validation"):
                raise ValueError(f"{path}: it was written with other data for {name}")
            if name == "model.cell":
                before, value = before.__name__, value.__name__
            raise ValueError(f"{path}: it was written with {name} = {before}, expected the same, got {value}")
    expected = 0 if callable(training) else training.size
    if not np.array_equal(np.sort(run.order), np.arange(expected)) and (run.order.size or run.position):
        raise snapshot.SnapshotError(f"{path}: order: expected each of {expected} sequences once, got something else")
    steps = settings["steps_per_epoch"]
    if run.position > steps:
        raise snapshot.SnapshotError(f"{path}: position: expected at most {steps}, got {run.position}")


def _stepped(run, log, rng, training):
    """Return the run after one more step."""
    size = run.settings["batch_size"]
    if callable(training):
        batch = training(rng, size)
    else:
        batch = training.batch(run.order[run.position * size : (run.position + 1) * size])
    loss, gradients = loss_and_gradients(run.model, run.parameters, *batch)
    if run.settings["max_norm"] is None:
        norm = global_norm(gradients)
    else:
        gradients, norm = clip_by_global_norm(gradients, run.settings["max_norm"])
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise FloatingPointError(
            f"step {run.step + 1}: expected a finite loss and gradient, got the loss {loss} and the norm {norm}; a lower "
            "learning rate, or clipping, may help"
        )
    parameters, state = run.optimizer.update(gradients, run.optimizer_state, run.parameters)
    log.loss.append(loss)
    log.norm.append(norm)
    return run._replace(
        parameters=parameters,
        optimizer_state=state,
        step=run.step + 1,
        position=run.position + 1,
        generator=rng.bit_generator.state,
    )


def _measured(run, log, validation):
    """Return the run after the end of an epoch."""
    training_loss = float(np.mean(log.loss[run.step - run.position : run.step]))
    result = Evaluation(math.nan, math.nan, math.nan)
    best = Best(run.parameters, training_loss, run.epoch + 1)
    if validation is not None:
        result = evaluate(run.model, run.parameters, validation)
        best = Best(run.parameters, result.loss, run.epoch + 1) if result.loss < run.best.loss else run.best
    for column, value in zip(log[2:], (training_loss, *result)):
        column.append(value)
    return run._replace(epoch=run.epoch + 1, position=0, best=best)


def _history(log, run):
    lengths = (run.step, run.step, *(run.epoch for _ in log[2:]))
    return History(*(np.array(column[:length], np.float64) for column, length in zip(log, lengths)))


def _loss(model, outputs, targets, lengths):
    """Return the mean loss of a batch, and what its backward passes need."""
    targets = as_array("targets", targets, "...", {})
    classes = model.loss == "cross_entropy"
    if classes and targets.dtype.kind not in "iu":
        raise TypeError(f"targets: expected classes, integers, got dtype {targets.dtype}")
    mask = None
    if lengths is not None and model.reads == "every":
        mask = np.arange(len(outputs))[:, None] < np.asarray(lengths)
        if not classes:
            mask = np.broadcast_to(mask[..., None], outputs.shape)
        if targets.shape == mask.shape:
            # What has no weight must not be nan all the same, nor a class that there is not.
            targets = np.where(mask, targets, targets.dtype.type(0))
    function = softmax.cross_entropy if model.loss == "cross_entropy" else losses.squared_error
    each, loss_cache = function(outputs, targets)
    loss, mean_cache = losses.mean(each, mask)
    return loss, mean_cache, loss_cache


def _vectors(model, inputs):
    """Return the inputs as arrays of shape (T, N, d), with unit vectors for integers."""
    inputs = np.asarray(inputs)
    if inputs.dtype.kind not in "iu":
        as_array("inputs", inputs, "T N d", {"d": model.input_size})
        if inputs.dtype != model.dtype:
            raise TypeError(f"inputs: expected dtype {model.dtype} as the model has, got {inputs.dtype}")
        return inputs
    inputs = as_array("inputs", inputs, "T N", {})
    wrong = (inputs < 0) | (inputs >= model.input_size)
    if np.any(wrong):
        raise ValueError(f"inputs: expected classes from 0 to {model.input_size - 1}, got {inputs[wrong][0]}")
    vectors = np.zeros((*inputs.shape, model.input_size), model.dtype)
    np.put_along_axis(vectors, inputs[..., None].astype(np.intp), 1, axis=-1)
    return vectors


class _Bar:
    """A line on the standard error that says how far a run is."""

    WIDTH, PAUSE = 30, 0.1

    def __init__(self, shown):
        self.shown, self.last, self.start, self.first = shown, -math.inf, time.monotonic(), None

    def show(self, run, steps, epochs, log):
        now = time.monotonic()
        if not self.shown or now < self.last + self.PAUSE:
            return
        self.last = now
        done, total = run.epoch * steps + run.position, epochs * steps
        if self.first is None:
            self.first = done - 1
        filled = self.WIDTH * done // total
        left = (now - self.start) / (done - self.first) * (total - done)
        text = f"epoch {run.epoch + 1}/{epochs} [{'█' * filled}{'·' * (self.WIDTH - filled)}] loss {log.loss[-1]:.4f}"
        if run.epoch:
            text += f", validation {log.validation_loss[run.epoch - 1]:.4f}"
        minutes, seconds = divmod(round(left), 60)
        sys.stderr.write(f"\r{text}, {minutes}:{seconds:02} left\x1b[K")
        sys.stderr.flush()

    def close(self):
        if self.shown and self.last > -math.inf:
            self.last = -math.inf
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message}\n")


class _Range:
    """The type of an argument: a number that is at least one thing and less than another."""

    def __init__(self, kind, least, bound=math.inf):
        self.kind, self.least, self.bound = kind, least, bound

    def __call__(self, text):
        number = self.kind(text)
        if not self.least <= number < self.bound:
            below = f" and less than {self.bound}" if self.bound < math.inf else ""
            raise argparse.ArgumentTypeError(f"expected a number that is at least {self.least}{below}, got {text}")
        return number

    def __repr__(self):  # for argparse, which says "invalid … value"
        return "whole number" if self.kind is int else "number"


def _parser():
    parser = _Parser(
        prog="python -m rnnbook.train",
        description="Train a recurrent network to tell what is on an image, which it reads row by row, and report its "
        "accuracy. The training can be interrupted, and goes on from its checkpoint as if nothing had been.",
        epilog="CIFAR-10 is at https://www.cs.toronto.edu/~kriz/cifar.html: take the binary version, "
        "cifar-10-binary.tar.gz, and unpack it; DIR is the folder cifar-10-batches-bin. Example: "
        "python -m rnnbook.train --data cifar-10-batches-bin --cell gru --epochs 20 --checkpoint gru.safetensors",
        allow_abbrev=False,
    )
    count, number = _Range(int, 1), _Range(float, 0)
    data = parser.add_argument_group("data").add_mutually_exclusive_group(required=True)
    data.add_argument("--data", metavar="DIR", help="the folder of CIFAR-10, binary version: 32 rows of 96 numbers")
    data.add_argument("--digits", action="store_true", help="handwritten digits, which come with the package: 8 rows of 8")
    more = parser.add_argument_group("more about the data")
    more.add_argument("--limit", type=count, metavar="N", help="at most N images for each of training, validation and test")
    more.add_argument("--records", type=count, metavar="N", help="images in each file of DIR, if not 10000")
    network = parser.add_argument_group("network")
    network.add_argument("--cell", choices=CELLS, default="lstm", help="(default: %(default)s)")
    network.add_argument("--hidden", type=count, default=128, metavar="H", help="its size (default: %(default)s)")
    network.add_argument("--layers", type=count, default=1, metavar="N", help="(default: %(default)s)")
    network.add_argument("--bidirectional", action="store_true", help="read from the top and from the bottom")
    training = parser.add_argument_group("training")
    training.add_argument("--epochs", type=count, default=10, metavar="N", help="at most (default: %(default)s)")
    training.add_argument("--batch-size", type=count, default=64, metavar="N", help="of a step (default: %(default)s)")
    training.add_argument("--optimizer", choices=("adam", "sgd"), default="adam", help="(default: %(default)s)")
    training.add_argument("--learning-rate", type=number, metavar="X", help="(default: 0.001 for adam, 0.1 for sgd)")
    training.add_argument("--momentum", type=_Range(float, 0, 1), metavar="X", help="for sgd (default: 0.9)")
    training.add_argument(
        "--clip", type=float, default=1.0, metavar="X",
        help="the largest norm of a gradient; inf for any (default: %(default)s)",
    )
    training.add_argument("--patience", type=count, metavar="N", help="stop after N epochs without a lower validation loss")
    training.add_argument("--seed", type=_Range(int, 0), default=0, metavar="N", help="(default: %(default)s)")
    files = parser.add_argument_group("checkpoint")
    files.add_argument("--checkpoint", metavar="FILE", help="written after each epoch, and when interrupted")
    files.add_argument("--checkpoint-every", type=count, metavar="N", help="and after each N steps")
    files.add_argument("--resume", action="store_true", help="go on from FILE")
    return parser


class _Terminated(KeyboardInterrupt):
    """The process was asked to end; it leaves a checkpoint as if it had been interrupted from the keyboard."""


def main(arguments=None):
    """Run the command; returns its exit status: 0, 2 after an error, 130 or 143 if it was interrupted or terminated."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.resume and options.checkpoint is None:
        parser.error("--resume: expected --checkpoint FILE with it")
    if not options.clip > 0:
        parser.error(f"--clip: expected a number greater than 0, got {options.clip}")
    if options.checkpoint_every is not None and options.checkpoint is None:
        parser.error("--checkpoint-every: expected --checkpoint FILE with it")
    if options.digits and options.records is not None:
        parser.error("--records: expected --data DIR with it")
    if options.momentum is not None and options.optimizer != "sgd":
        parser.error("--momentum: expected --optimizer sgd with it")

    def terminate(*_):
        raise _Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        _command(options)
    except KeyboardInterrupt as interrupt:
        left = f"; {options.checkpoint} goes on with --resume" if options.checkpoint else ""
        print(f"{parser.prog}: interrupted{left}", file=sys.stderr)
        return 143 if isinstance(interrupt, _Terminated) else 130
    except OSError as problem:
        named = problem.filename is not None and problem.strerror
        message = f"{problem.filename}: {problem.strerror}" if named else problem
        print(f"{parser.prog}: error: {message}", file=sys.stderr)
        return 2
    except (ValueError, FloatingPointError, MemoryError) as problem:
        print(f"{parser.prog}: error: {problem}", file=sys.stderr)
        return 2
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _command(options):
    from rnnbook import cifar10, tasks  # here: whoever trains on other data has no use for them

    if options.data is not None:
        data = cifar10.read(options.data, **({} if options.records is None else {"records": options.records}))
        training, validation, test = cifar10.split(data, limit=options.limit)
    else:
        parts = tasks.digits(dtype=np.float32)
        training, validation, test = (part.batch(slice(options.limit)) for part in parts)
    T, _, d = training.batch(slice(1)).inputs.shape
    model = Model(
        CELLS[options.cell], d, options.hidden, 10,
        layers=options.layers, bidirectional=options.bidirectional, dtype="float32",
    )
    if options.optimizer == "adam":
        optimizer = optim.Adam(0.001 if options.learning_rate is None else options.learning_rate)
    else:
        rate = 0.1 if options.learning_rate is None else options.learning_rate
        optimizer = optim.SGD(rate, momentum=0.9 if options.momentum is None else options.momentum)
    sizes = f"{training.size} for training, {validation.size} for validation, {test.size} for the test"
    print(f"images: {sizes}; {T} rows of {d} numbers", flush=True)

    def report(run):
        history, k = run.history, run.epoch - 1
        print(
            f"epoch {run.epoch}: training loss {history.training_loss[k]:.4f}, validation loss "
            f"{history.validation_loss[k]:.4f}, validation accuracy {history.validation_accuracy[k]:.4f}",
            flush=True,
        )

    run = fit(
        model, optimizer, training, validation, seed=options.seed, epochs=options.epochs, batch_size=options.batch_size,
        max_norm=options.clip, patience=options.patience, checkpoint=options.checkpoint,
        checkpoint_every=options.checkpoint_every, resume=options.resume, each_epoch=report,
    )
    if run.epoch < options.epochs:
        print(f"stopped: no lower validation loss for {run.epoch - run.best.epoch} epochs")
    print(f"best after epoch {run.best.epoch}, by validation loss; accuracy of these parameters:")
    for name, part in (("training", training), ("validation", validation), ("test", test)):
        print(f"{name:10} {evaluate(model, run.best.parameters, part).accuracy:.4f}")


if __name__ == "__main__":
    sys.exit(main())
