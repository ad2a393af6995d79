"""Training: gradients of whole models, runs that are interrupted anywhere, checkpoints that are not to be trusted."""

import json
import math
import os
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from test_optim import flat

from rnnbook import gru, lstm, optim, rnn, snapshot, tasks, train
from rnnbook.train import Model, fit

CELLS = [rnn, lstm, gru]
SHAPES = [
    {"reads": "last", "loss": "cross_entropy"},
    {"reads": "every", "loss": "squared_error", "layers": 2},
    {"reads": "last", "loss": "squared_error", "layers": 2, "bidirectional": True},
    {"reads": "every", "loss": "cross_entropy", "bidirectional": True},
]


def drawn(model, T=5, N=4, lengths=True, seed=0):
    """Return parameters, and sequences of unequal lengths with nan in the padding of all that has one."""
    rng = np.random.default_rng(seed)
    parameters = train.initialize(model, rng=rng)
    inputs = rng.normal(size=(T, N, model.input_size)).astype(model.dtype)
    shape = (N,) if model.reads == "last" else (T, N)
    if model.loss == "cross_entropy":
        targets = rng.integers(0, model.output_size, shape)
    else:
        targets = rng.normal(size=(*shape, model.output_size)).astype(model.dtype)
    if not lengths:
        return parameters, tasks.Sequences(inputs, targets)
    lengths = rng.integers(1, T + 1, N)
    lengths[0] = T
    padding = np.arange(T)[:, None] >= lengths
    inputs[padding] = np.nan
    if model.reads == "every":
        targets[padding] = -1 if model.loss == "cross_entropy" else np.nan
    return parameters, tasks.Sequences(inputs, targets, lengths)


def reference_loss(model, parameters, data):
    """The loss from the definitions alone: one sequence after the other, for parameters of any numeric dtype."""
    each = []
    for n in range(data.size):
        T = data.inputs.shape[0] if data.lengths is None else data.lengths[n]
        hidden = data.inputs[:T, n : n + 1]
        for layer in parameters.network:
            outputs, ends = [], []
            for k, direction in enumerate(layer if model.bidirectional else (layer,)):
                zeros = [np.zeros((1, model.hidden_size))] * (2 if model.cell is lstm else 1)
                (states, *_), _ = model.cell.reference_forward(hidden[:: -1 if k else 1], *zeros, direction)
                ends.append(states[-1])
                outputs.append(states[:: -1 if k else 1])
            hidden = np.concatenate(outputs, axis=-1)
        read = np.concatenate(ends, axis=-1) if model.reads == "last" else hidden[:, 0]
        y = read @ parameters.readout.weight_ho.T + parameters.readout.bias_ho
        targets = data.targets[n : n + 1] if model.reads == "last" else data.targets[:T, n]
        if model.loss == "cross_entropy":
            each += [np.log(np.exp(row).sum()) - row[target] for row, target in zip(y, targets)]
        else:
            each += list(((y - targets) ** 2 / 2).ravel())
    return sum(each) / len(each)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(map(str, shape.values())))
@pytest.mark.parametrize("lengths", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_against_a_complex_step(cell, lengths, shape):
    """The derivative in a random direction of each array by itself."""
    model = Model(cell, 2, 3, 4, **shape)
    parameters, data = drawn(model, lengths=lengths)
    loss, gradients = train.loss_and_gradients(model, parameters, *data)
    np.testing.assert_allclose(loss, reference_loss(model, parameters, data), rtol=1e-13)
    rng, places = np.random.default_rng(1), len(flat(parameters))
    assert [g.shape for g in flat(gradients)] == [p.shape for p in flat(parameters)]
    for place in range(places):
        direction = rng.normal(size=flat(parameters)[place].shape)
        count = iter(range(places))
        moved = train.mapped(lambda p: p + 1e-30j * direction if next(count) == place else p, parameters)
        expected = reference_loss(model, moved, data).imag / 1e-30
        np.testing.assert_allclose((flat(gradients)[place] * direction).sum(), expected, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("cell", CELLS)
def test_float32_and_classes_as_inputs(cell):
    model = Model(cell, 5, 3, 4, reads="every", dtype="float32")
    parameters, data = drawn(model, lengths=False)
    codes = np.random.default_rng(2).integers(0, 5, (5, 4))
    vectors = np.eye(5, dtype=np.float32)[codes]
    loss, gradients = train.loss_and_gradients(model, parameters, codes, data.targets)
    loss_too, gradients_too = train.loss_and_gradients(model, parameters, vectors, data.targets)
    assert loss == loss_too and isinstance(loss, float)
    for a, b in zip(flat(gradients), flat(gradients_too), strict=True):
        assert a.dtype == np.float32
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("cell", CELLS)
def test_states_are_handed_on(cell):
    model = Model(cell, 2, 3, 4, reads="every", layers=2)
    parameters, data = drawn(model, T=6, lengths=False)
    (whole, final), _ = train.forward(model, parameters, data.inputs)
    (first, middle), _ = train.forward(model, parameters, data.inputs[:2])
    (second, final_too), _ = train.forward(model, parameters, data.inputs[2:], initial=middle)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=1e-13)
    for a, b in zip(final, final_too, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(map(str, shape.values())))
def test_evaluation_does_not_depend_on_the_batches(shape):
    model = Model(gru, 2, 3, 4, **shape)
    parameters, data = drawn(model, N=23)
    expected = reference_loss(model, parameters, data)
    right = []
    if model.loss == "cross_entropy":
        (outputs, _), _ = train.forward(model, parameters, data.inputs, data.lengths)
        inside = ... if model.reads == "last" else np.arange(5)[:, None] < data.lengths
        right = (outputs.argmax(axis=-1) == data.targets)[inside]
    for size in (1, 7, 23, 100):
        result = train.evaluate(model, parameters, data, batch_size=size)
        np.testing.assert_allclose(result.loss, expected, rtol=1e-13)
        if model.loss == "cross_entropy":
            assert result.accuracy == np.mean(right) and math.isnan(result.mean_squared_error)
        else:
            assert result.mean_squared_error == 2 * result.loss and math.isnan(result.accuracy)


def letters(N=20, seed=0, dtype="float64"):
    """Sequences whose class is that of their first step."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(4, N, 3)).astype(dtype)
    return tasks.Sequences(inputs, inputs[0].argmax(axis=-1))


SMALL = Model(lstm, 3, 5, 3)
RUN = {"seed": 3, "batch_size": 6, "max_norm": 0.5}


def numbers(rng, N):
    return tasks.adding(5, N, rng=rng)


def scenarios():
    """Every kind of training, each as (model, optimizer, training, validation, more)."""
    adding = Model(gru, 2, 4, 1, loss="squared_error", layers=2)
    return {
        "adam": (SMALL, optim.Adam(0.02), letters(), letters(9, 1), {}),
        "momentum": (SMALL, optim.SGD(0.1, momentum=0.9), letters(), letters(9, 1), {}),
        "sgd, no validation": (SMALL, optim.SGD(0.1), letters(), None, {}),
        "drawn": (
            adding, optim.Adam(0.02, weight_decay=0.1),
            numbers, numbers(np.random.default_rng(0), 9), {"steps_per_epoch": 4},
        ),
        "bidirectional, float32": (
            Model(rnn, 3, 5, 3, bidirectional=True, dtype="float32"), optim.SGD(0.1, momentum=0.5, nesterov=True),
            letters(dtype="float32"), letters(9, 1, "float32"), {},
        ),
    }


def same(one, two):
    """Compare two runs, to the bit."""
    for a, b in zip(flat(one), flat(two), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    for name in ("model", "optimizer", "epoch", "step", "position", "generator"):
        assert getattr(one, name) == getattr(two, name)
    assert one.best.loss == two.best.loss and one.best.epoch == two.best.epoch


class Interrupted:
    """Data that raise a KeyboardInterrupt when they are asked for the n-th time."""

    def __init__(self, data, n):
        self.data, self.left = data, n

    def __getattr__(self, name):
        return getattr(self.data, name)

    def batch(self, index):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return self.data.batch(index)


def interrupted(data, n):
    if not callable(data):
        return Interrupted(data, n)
    asked = Interrupted(None, n)
    asked.batch = None

    def draw(rng, N):
        batch = data(rng, N)  # the generator moves, and the step is never complete
        asked.left -= 1
        if asked.left == 0:
            raise KeyboardInterrupt
        return batch

    return draw


@pytest.mark.parametrize("name", scenarios())
def test_a_run_that_is_interrupted_and_resumed_is_the_same(tmp_path, name):
    model, optimizer, training, validation, more = scenarios()[name]
    more |= RUN | {"epochs": 4}
    never = fit(model, optimizer, training, validation, checkpoint=tmp_path / "never", **more)
    same(fit(model, optimizer, training, validation, **more), never)  # a checkpoint changes nothing
    assert never.step == 16 and len(never.history.loss) == 16 and len(never.history.training_loss) == 4
    path = tmp_path / "often"
    for n in (1, 1, 3, 2, 5):
        with pytest.raises(KeyboardInterrupt):
            fit(model, optimizer, interrupted(training, n), validation, checkpoint=path, resume=path.exists(), **more)
        assert train.load(path).step <= 16
    assert train.load(path).step == 7
    resumed = fit(model, optimizer, training, validation, checkpoint=path, resume=True, **more)
    same(resumed, never)
    same(train.load(path), never)
    assert path.read_bytes() == (tmp_path / "never").read_bytes()


# An interrupt before a `with` closes its file leaves that to the garbage collector, which tells. It does not matter here.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_a_run_that_is_interrupted_before_any_line(tmp_path):
    """Of what computes, measures and writes: at its first time, and at its sixth if it has one."""
    model, optimizer, training, validation, _ = scenarios()["adam"]
    more = RUN | {"epochs": 2, "checkpoint_every": 1}
    never = fit(model, optimizer, training, validation, **more | {"checkpoint": tmp_path / "never"})
    files, path, done = {train.__file__, snapshot.__file__}, tmp_path / "often", set()

    def interrupting():
        """Return a trace function that raises before the first line whose turn has not been, and notes it as done."""
        times = Counter()

        def trace(frame, event, _):
            if frame.f_code.co_filename not in files:
                return None
            if event == "line":
                line = frame.f_code, frame.f_lineno
                times[line] += 1
                turn = *line, times[line]
                if times[line] in (1, 6) and turn not in done:
                    done.add(turn)
                    raise KeyboardInterrupt
            return trace

        return trace

    before, interrupted = sys.gettrace(), True
    while interrupted:
        path.unlink(missing_ok=True)
        interrupted = False
        try:
            sys.settrace(interrupting())
            fit(model, optimizer, training, validation, checkpoint=path, **more)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            sys.settrace(before)
        assert set(os.listdir(tmp_path)) <= {"never", "often"}
        same(fit(model, optimizer, training, validation, checkpoint=path, resume=path.exists(), **more), never)
        assert path.read_bytes() == (tmp_path / "never").read_bytes()
    assert {code.co_name for code, *_ in done} >= {"fit", "_stepped", "_measured", "_save", "save", "_replace"}
    assert {times for *_, times in done} == {1, 6}


def test_more_epochs_can_be_asked_for(tmp_path):
    model, optimizer, training, validation, _ = scenarios()["adam"]
    whole = fit(model, optimizer, training, validation, epochs=5, **RUN)
    path = tmp_path / "a"
    fit(model, optimizer, training, validation, epochs=2, checkpoint=path, **RUN)
    same(fit(model, optimizer, training, validation, epochs=5, checkpoint=path, resume=True, **RUN), whole)
    same(fit(model, optimizer, training, validation, epochs=3, checkpoint=path, resume=True, **RUN), whole)


def test_numbers_of_numpy(tmp_path):
    """Sizes and rates that are computed are NumPy's numbers; a checkpoint holds them as any others."""
    model = Model(gru, np.int64(3), np.int32(4), np.uint8(3), layers=np.int64(2), dtype=np.float32)
    optimizer = optim.SGD(np.float32(0.1), momentum=np.float64(0.5))
    more = {"seed": np.int64(1), "batch_size": np.int32(7), "max_norm": np.float32(1.5)}
    run = fit(model, optimizer, letters(dtype="float32"), epochs=np.int64(1), checkpoint=tmp_path / "a", **more)
    assert all(array.dtype == np.float32 for array in flat(run.parameters))
    same(train.load(tmp_path / "a"), run)
    assert model == Model(gru, 3, 4, 3, layers=2, dtype="float32")


def test_the_seed_is_all_there_is():
    model, optimizer, training, validation, _ = scenarios()["adam"]
    more = {"epochs": 2, "batch_size": 6}
    np.random.seed(0)
    one = fit(model, optimizer, training, validation, seed=1, **more)
    np.random.seed(1)
    same(fit(model, optimizer, training, validation, seed=1, **more), one)
    other = fit(model, optimizer, training, validation, seed=2, **more)
    assert not np.array_equal(one.history.loss, other.history.loss)


def test_a_step_is_what_it_says():
    """One epoch of one step, by hand; and parameters to start with, which are not changed."""
    training = letters(8)
    parameters = train.initialize(SMALL, rng=np.random.default_rng(9))
    before = [array.copy() for array in flat(parameters)]
    run = fit(SMALL, optim.SGD(0.5), training, seed=0, epochs=1, batch_size=8, max_norm=0.1, parameters=parameters)
    loss, gradients = train.loss_and_gradients(SMALL, parameters, *training)
    clipped, norm = optim.clip_by_global_norm(gradients, 0.1)
    assert norm > 0.1
    np.testing.assert_allclose([run.history.loss[0], run.history.norm[0]], [loss, norm], rtol=1e-13)
    for new, old, gradient, copy in zip(flat(run.parameters), flat(parameters), flat(clipped), before, strict=True):
        np.testing.assert_array_equal(old, copy)
        np.testing.assert_allclose(new, old - 0.5 * gradient, rtol=1e-12)
    wrong = parameters._replace(readout=parameters.readout._replace(bias_ho=np.zeros(4)))
    with pytest.raises(ValueError, match="parameters.readout.bias_ho: expected shape"):
        fit(SMALL, optim.SGD(0.5), training, seed=0, epochs=1, batch_size=8, parameters=wrong)


def test_every_sequence_once_in_an_epoch():
    seen = []

    class Watched(Interrupted):
        def batch(self, index):
            seen.append(index)
            return self.data.batch(index)

    fit(SMALL, optim.SGD(0.1), Watched(letters(20), 0), seed=0, epochs=3, batch_size=6)
    assert [len(index) for index in seen] == [6, 6, 6, 2] * 3
    epochs = [np.concatenate(seen[4 * k : 4 * k + 4]) for k in range(3)]
    assert all(sorted(epoch) == list(range(20)) for epoch in epochs)
    assert not np.array_equal(epochs[0], epochs[1])


def test_early_stopping():
    """With labels for validation that have nothing to do with the inputs, the loss rises before long."""
    validation = letters(30, 1)
    validation = validation._replace(targets=np.roll(validation.targets, 1))
    run = fit(SMALL, optim.Adam(0.1), letters(), validation, seed=0, epochs=100, batch_size=20, patience=3)
    losses = run.history.validation_loss
    assert run.epoch == len(losses) < 100 and run.epoch == run.best.epoch + 3
    assert losses.argmin() + 1 == run.best.epoch and run.best.loss == losses.min()
    assert train.evaluate(SMALL, run.best.parameters, validation).loss == run.best.loss
    assert train.evaluate(SMALL, run.parameters, validation).loss == losses[-1]


def test_numbers_that_are_not_finite_stop_the_run(tmp_path):
    """The checkpoint holds the last epoch that was well."""
    training = letters(12)
    training.inputs[0, 5] = np.nan
    path = tmp_path / "a"
    with pytest.raises(FloatingPointError, match="step 1: expected a finite loss and gradient, got the loss nan"):
        fit(SMALL, optim.Adam(), training, seed=0, epochs=1, batch_size=12, checkpoint=path)
    assert train.load(path).step == 0
    huge = Model(rnn, 2, 3, 1, loss="squared_error")
    data = tasks.adding(4, 8, rng=np.random.default_rng(0))
    message = "step [2-9].*learning rate"
    with pytest.raises(FloatingPointError, match=message), np.errstate(over="ignore", invalid="ignore"):
        fit(huge, optim.SGD(1e100), data, seed=0, epochs=20, batch_size=8, checkpoint=tmp_path / "b")
    assert all(np.isfinite(array).all() for array in flat(train.load(tmp_path / "b").parameters))


def test_a_network_learns():
    run = fit(
        Model(gru, 2, 16, 1, loss="squared_error"), optim.Adam(0.02), lambda rng, N: tasks.adding(8, N, rng=rng),
        tasks.adding(8, 500, rng=np.random.default_rng(1)),
        seed=0, epochs=2, batch_size=32, steps_per_epoch=60, max_norm=1,
    )
    assert run.history.validation_error[-1] < 0.01 < 1 / 6
    training, validation, test = tasks.digits(dtype=np.float32)
    model = Model(lstm, 8, 32, 10, dtype="float32")
    run = fit(model, optim.Adam(0.02), training, validation, seed=0, epochs=4, batch_size=32, max_norm=1)
    assert run.history.validation_accuracy[-1] > 0.8 and train.evaluate(model, run.best.parameters, test).accuracy > 0.8


def test_a_network_writes():
    read = tasks.characters("abcde" * 60)
    model = Model(rnn, 5, 12, 5, reads="every")
    run = fit(model, optim.Adam(0.02), tasks.windows(read.codes, 15), seed=0, epochs=30, batch_size=10)

    def text(seed, temperature, length=20, begin="cd"):
        rng = np.random.default_rng(seed)
        codes = train.generate(model, run.parameters, read.encode(begin), length, rng=rng, temperature=temperature)
        return read.decode(codes)

    assert text(0, 0.01) == "eabcd" * 4 and text(0, 0.01, 0) == "" and text(0, 0.01, 3, "abcdea") == "bcd"
    assert text(0, 5.0) == text(0, 5.0) != text(1, 5.0)
    # what it draws has the probabilities that it should have
    (outputs, _), _ = train.forward(model, run.parameters, read.encode("cd")[:, None])
    expected = np.exp(outputs[-1, 0] / 4) / np.exp(outputs[-1, 0] / 4).sum()
    rng = np.random.default_rng(0)
    many = [train.generate(model, run.parameters, [2, 3], 1, rng=rng, temperature=4.0)[0] for _ in range(2000)]
    np.testing.assert_allclose(np.bincount(many, minlength=5) / 2000, expected, atol=0.04)
    for wrong in (replace(model, reads="last"), replace(model, bidirectional=True), replace(model, output_size=4)):
        with pytest.raises(ValueError, match="model: expected one that predicts its next input"):
            train.generate(wrong, run.parameters, [0], 1, rng=rng)
    with pytest.raises(ValueError, match="codes: expected at least one"):
        train.generate(model, run.parameters, np.empty(0, int), 1, rng=rng)


def test_the_bar(capsys):
    more = {"seed": 0, "epochs": 2, "batch_size": 6}
    fit(SMALL, optim.SGD(0.1), letters(), letters(9, 1), **more)
    assert capsys.readouterr() == ("", "")  # no terminal
    fit(SMALL, optim.SGD(0.1), letters(), letters(9, 1), progress=True, **more)
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("\repoch 1/2 [█") and err.endswith("\r\x1b[K") and "loss 1." in err


def test_each_epoch_is_told():
    told = []
    run = fit(SMALL, optim.SGD(0.1), letters(), seed=0, epochs=3, batch_size=6, each_epoch=told.append)
    assert [len(one.history.training_loss) for one in told] == [1, 2, 3]
    assert [len(one.history.loss) for one in told] == [4, 8, 12]
    same(told[-1], run)


@pytest.fixture
def checkpoint(tmp_path):
    model, optimizer, training, validation, _ = scenarios()["momentum"]
    path = tmp_path / "run.safetensors"
    with pytest.raises(KeyboardInterrupt):
        fit(model, optimizer, Interrupted(training, 6), validation, epochs=9, checkpoint=path, **RUN)
    return path


def resumed(path, **changes):
    model, optimizer, training, validation, _ = scenarios()["momentum"]
    given = {"model": model, "optimizer": optimizer, "training": training, "validation": validation, "epochs": 9, **RUN}
    return fit(checkpoint=path, resume=True, **given | changes)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"model": replace(SMALL, hidden_size=6)}, "model.hidden_size = 5, expected the same, got 6"),
        ({"model": replace(SMALL, cell=gru)}, "model.cell = rnnbook.lstm, expected the same, got rnnbook.gru"),
        ({"optimizer": optim.SGD(0.2, momentum=0.9)}, "learning_rate = 0.1, expected the same, got 0.2"),
        ({"optimizer": optim.Adam(0.1)}, "optimizer = SGD, expected the same, got Adam"),
        ({"seed": 4}, "seed = 3, expected the same, got 4"),
        ({"batch_size": 5}, "batch_size = 6, expected the same, got 5"),
        ({"max_norm": None}, "max_norm = 0.5, expected the same, got None"),
        ({"training": letters(seed=5)}, "other data for training"),
        ({"training": letters(21)}, "other data for training"),
        ({"validation": None}, "other data for validation"),
        ({"validation": letters()}, "other data for validation"),
    ],
)
def test_other_arguments_do_not_resume(checkpoint, changes, message):
    before = checkpoint.read_bytes()
    with pytest.raises(ValueError, match=f"run.safetensors: it was written with {message}"):
        resumed(checkpoint, **changes)
    assert checkpoint.read_bytes() == before


def test_a_checkpoint_is_not_written_over(checkpoint):
    before = checkpoint.read_bytes()
    model, optimizer, training, validation, _ = scenarios()["momentum"]
    with pytest.raises(FileExistsError, match="run.safetensors: it is there already; resume goes on from it"):
        fit(model, optimizer, training, validation, epochs=9, checkpoint=checkpoint, **RUN)
    assert checkpoint.read_bytes() == before
    with pytest.raises(FileNotFoundError):
        resumed(checkpoint.with_name("nowhere"))


def changed(key, value):
    def change(arrays, facts):
        *path, last = key.split("/")
        for part in path:
            facts = facts[part]
        facts[last] = value

    return change


def with_array(name, array):
    return lambda arrays, facts: arrays.update({name: array})


FOREIGN = {
    "another kind": (
        changed("kind", "holiday pictures"),
        "kind: expected 'rnnbook training run', got 'holiday pictures'",
    ),
    "no kind": (lambda arrays, facts: facts.clear(), "kind: expected .*, got None"),
    "no step": (changed("step", "1"), "step: expected a int, got '1'"),
    "true": (changed("epoch", True), "epoch: expected a int, got True"),
    "less than nothing": (changed("epoch", -1), "epoch, position: expected numbers that are at least 0"),
    "another cell": (changed("model/cell", "mlp"), "model: cell: expected one of the modules"),
    "a cell that is a list": (changed("model/cell", ["rnn"]), "model: "),
    "no size": (changed("model/hidden_size", None), "model: hidden_size: expected an integer, got None"),
    "more of a model": (changed("model/dropout", 0.5), "model: .*dropout"),
    "a wider layer": (
        changed("model/hidden_size", 6),
        r"weight_ih: expected float64 of shape \(24, 3\), got float64 of shape \(20, 3\)",
    ),
    "a huge layer": (changed("model/hidden_size", 10**15), "weight_ih: expected float64 of shape"),
    "endless layers": (changed("model/layers", 10**15), r"parameters.network\[1\].weight_ih: expected .*, got none"),
    "another dtype": (changed("model/dtype", "float32"), "weight_ih: expected float32 of shape .*, got float64"),
    "another optimizer": (changed("optimizer/name", "Lion"), "optimizer: 'Lion'"),
    "an optimizer that is a list": (changed("optimizer/name", []), "optimizer: "),
    "a wrong rate": (changed("optimizer/learning_rate", -1), "optimizer: learning_rate: expected a number"),
    "no velocity": (
        lambda arrays, facts: arrays.pop("optimizer_state.velocity.readout.bias_ho"),
        "velocity.readout.bias_ho: expected .*, got none",
    ),
    "more than there should be": (with_array("zzz", np.ones(1)), "zzz: expected nothing of this name"),
    "a shape": (
        with_array("best.parameters.readout.bias_ho", np.ones(4)),
        r"best.parameters.readout.bias_ho: expected float64 of shape \(3,\), got float64 of shape \(4,\)",
    ),
    "a history": (with_array("history.norm", np.ones(4)), r"history.norm: expected float64 of shape \(5,\)"),
    "an order of numbers": (with_array("order", np.ones(20)), "order: expected int64"),
    "an order of two axes": (with_array("order", np.arange(20).reshape(4, 5)), "order: expected int64"),
    "an order with one twice": (
        with_array("order", np.array([0] + list(range(19)))),
        "order: expected each of 20 sequences once",
    ),
    "a position beyond": (changed("position", 5), "position: expected at most 4, got 5"),
    "a generator": (changed("generator", {"bit_generator": "MT19937"}), "generator: expected the state of a PCG64"),
    "a generator of text": (changed("generator/state", {"state": "x", "inc": 1}), "generator: expected"),
    "a generator below nothing": (changed("generator/state", {"state": -1, "inc": 1}), "generator: expected"),
    "no best": (changed("best", {}), "loss: expected a float, got None"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_foreign_and_wrong_checkpoints(checkpoint, case):
    """Snapshots that are whole, with the right checksum, and not of this run."""
    change, message = FOREIGN[case]
    arrays, facts = snapshot.load(checkpoint)
    change(arrays, facts)
    snapshot.save(checkpoint, arrays, facts)
    with pytest.raises(snapshot.SnapshotError, match=f"run.safetensors: .*{message}"):
        resumed(checkpoint)


def test_damaged_checkpoints(checkpoint):
    whole = checkpoint.read_bytes()
    for damaged in (whole[:-1], whole[: len(whole) // 2], b"", whole[:-1] + bytes([whole[-1] ^ 1])):
        checkpoint.write_bytes(damaged)
        with pytest.raises(snapshot.SnapshotError, match="run.safetensors: not a complete snapshot"):
            resumed(checkpoint)
        assert checkpoint.read_bytes() == damaged


def test_a_checkpoint_has_all_that_is_needed(checkpoint):
    run = train.load(checkpoint)
    assert run.model == SMALL and (run.epoch, run.position, run.step) == (1, 1, 5)
    assert 0 < train.evaluate(run.model, run.best.parameters, letters(9, 1)).loss == run.best.loss
    assert json.loads(json.dumps(run.settings)) == run.settings


GIVEN = {"model": SMALL, "optimizer": optim.SGD(0.1), "training": letters(), "seed": 0, "epochs": 1, "batch_size": 4}


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"model": rnn}, TypeError, "model: expected rnnbook.train.Model, got module"),
        ({"optimizer": "adam"}, TypeError, "optimizer: expected rnnbook.optim.SGD or Adam, got str"),
        ({"seed": -1}, ValueError, "seed: expected at least 0, got -1"),
        ({"seed": 1.5}, TypeError, "seed: expected an integer, got 1.5"),
        ({"epochs": -1}, ValueError, "epochs: expected at least 0"),
        ({"batch_size": 0}, ValueError, "batch_size: expected at least 1, got 0"),
        ({"max_norm": 0}, ValueError, "max_norm: expected a number greater than 0, got 0"),
        ({"max_norm": math.nan}, ValueError, "max_norm: .* got nan"),
        ({"patience": 2}, ValueError, "patience: expected data for validation with it"),
        ({"patience": 0, "validation": letters()}, ValueError, "patience: expected at least 1"),
        ({"checkpoint_every": 2}, ValueError, "checkpoint_every: expected a checkpoint with it"),
        ({"resume": True}, ValueError, "resume: expected a checkpoint with it"),
        ({"steps_per_epoch": 2}, ValueError, "steps_per_epoch: expected None"),
        ({"training": numbers}, ValueError, "steps_per_epoch: expected a number for data that are drawn"),
        ({"training": letters(0)}, ValueError, "training: expected at least one sequence, got none"),
        ({"validation": letters(0)}, ValueError, "data: expected at least one sequence, got none"),
        (
            {"training": letters(dtype="float32")},
            TypeError,
            "inputs: expected dtype float64 as the model has, got float32",
        ),
        (
            {"training": letters()._replace(targets=np.zeros(20))},
            TypeError,
            "targets: expected classes, integers, got dtype",
        ),
        ({"training": letters()._replace(targets=np.zeros((20, 3)))}, TypeError, "targets: expected classes, integers"),
        (
            {"training": letters()._replace(targets=np.full(20, 3))},
            ValueError,
            "targets: expected classes from 0 to 2, got 3",
        ),
        (
            {"training": letters()._replace(targets=np.zeros(19, int))},
            ValueError,
            r"targets: .* N = 20 sequences, got shape \(19,\)",
        ),
        (
            {"training": letters()._replace(inputs=np.full((4, 20), 3))},
            ValueError,
            "inputs: expected classes from 0 to 2, got 3",
        ),
        ({"training": letters()._replace(inputs=np.zeros((4, 20, 2)))}, ValueError, "inputs: expected shape .*d = 3"),
    ],
)
def test_wrong_arguments(changes, error, message):
    with pytest.raises(error, match=message):
        fit(**GIVEN | changes)


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"cell": "lstm"}, TypeError, "cell: expected one of the modules rnnbook.rnn, lstm, gru, got 'lstm'"),
        ({"input_size": 0}, ValueError, "input_size: expected at least 1, got 0"),
        ({"hidden_size": 2.0}, TypeError, "hidden_size: expected an integer, got 2.0"),
        ({"bidirectional": 1}, TypeError, "bidirectional: expected True or False, got 1"),
        ({"reads": "first"}, ValueError, "reads: expected 'last' or 'every', got 'first'"),
        ({"loss": "log"}, ValueError, "loss: expected 'cross_entropy' or 'squared_error'"),
        ({"dtype": np.float16}, TypeError, "dtype: expected float32 or float64, got float16"),
        ({"dtype": "words"}, TypeError, "words"),
    ],
)
def test_models_that_are_none(changes, error, message):
    with pytest.raises(error, match=message):
        replace(SMALL, **changes)
