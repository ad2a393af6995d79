"""The data: that they are what they say, that the splits are what they are, and that batches take what they should."""

import hashlib

import numpy as np
import pytest

from rnnbook import tasks
from rnnbook.tasks import Sequences


@pytest.mark.parametrize("T", [2, 3, 10, 11])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_adding(T, dtype):
    inputs, targets, lengths = tasks.adding(T, 400, rng=np.random.default_rng(0), dtype=dtype)
    assert inputs.shape == (T, 400, 2) and targets.shape == (400, 1) and lengths is None
    assert inputs.dtype == targets.dtype == dtype
    value, mark = inputs[..., 0], inputs[..., 1]
    assert (value >= 0).all() and (value < 1).all() and set(np.unique(mark)) <= {0, 1}
    assert (mark[: T // 2].sum(axis=0) == 1).all() and (mark[T // 2 :].sum(axis=0) == 1).all()
    np.testing.assert_allclose((value * mark).sum(axis=0), targets[:, 0], rtol=1e-6)
    assert mark.any(axis=1).all()  # every step is marked somewhere


def test_the_baseline_of_adding():
    """1/6 within four standard errors, and no other constant does better, because 1 is the mean."""
    _, targets, _ = tasks.adding(6, 200_000, rng=np.random.default_rng(0))
    errors = (targets - 1) ** 2
    assert abs(errors.mean() - 1 / 6) < 4 * errors.std() / np.sqrt(errors.size)
    assert abs(targets.mean() - 1) < 4 * targets.std() / np.sqrt(targets.size)


def test_the_digits_are_the_ones_of_the_data_set():
    """1797 images; how many of each there are is what the description of the data set says of its test set."""
    split = tasks.digits()
    assert [part.size for part in split] == [1283, 257, 257]
    counts = sum(np.bincount(part.targets, minlength=10) for part in split)
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    for part in split:
        assert part.inputs.shape == (8, part.size, 8) and part.inputs.min() == 0 and part.inputs.max() == 1
        assert (part.inputs * 16 == np.round(part.inputs * 16)).all()
        assert np.bincount(part.targets).min() > 0.07 * part.size  # no class is rare in any part
    everything = np.concatenate([part.inputs for part in split], axis=1).swapaxes(0, 1).reshape(1797, 64)
    assert len(np.unique(everything, axis=0)) == 1797  # so that no image is in two parts
    # and that the split is always the same
    parts = (split.test.inputs * 16).astype(np.uint8), split.validation.targets.astype(np.uint8)
    digest = hashlib.sha256(b"".join(part.tobytes() for part in parts))
    assert digest.hexdigest()[:16] == "d4ec59137f0baa2d"
    for a, b in zip(tasks.digits(dtype=np.float32), split):
        assert a.inputs.dtype == np.float32
        np.testing.assert_array_equal(a.inputs, b.inputs)


def test_scikit_learn_has_the_same():
    datasets = pytest.importorskip("sklearn.datasets")
    digits = datasets.load_digits()
    test = tasks.digits().test
    np.testing.assert_array_equal(test.inputs.swapaxes(0, 1) * 16, digits.images[::7])
    np.testing.assert_array_equal(test.targets, digits.target[::7])


def test_text():
    text = "Größe, größer\n"
    read = tasks.characters(text)
    assert read.vocabulary == "\n ,Gegrßö" == "".join(sorted(set(text)))
    assert read.decode(read.codes) == text and read.codes.dtype == np.int64
    with pytest.raises(ValueError, match="text: expected characters of the vocabulary, got 'x'"):
        read.encode("größx")
    with pytest.raises(TypeError, match="text: expected a str, got bytes"):
        tasks.characters(b"a")
    assert tasks.characters("").codes.size == 0


@pytest.mark.parametrize(
    "length, stride, starts", [(3, None, [0, 3, 6]), (4, 2, [0, 2, 4]), (9, None, [0]), (2, 5, [0, 5])]
)
def test_windows(length, stride, starts):
    codes = np.arange(10) * 7
    inputs, targets, _ = tasks.windows(codes, length, stride=stride)
    assert inputs.T.tolist() == [codes[s : s + length].tolist() for s in starts]
    assert targets.T.tolist() == [codes[s + 1 : s + length + 1].tolist() for s in starts]


def test_batches():
    """Targets for each sequence or for each step, also where all sizes are equal and could be taken for one another."""
    rng = np.random.default_rng(0)
    inputs, lengths = rng.normal(size=(4, 4, 4)), np.array([4, 3, 2, 1])
    index = [3, 0, 1]
    for targets, of_steps in (
        (rng.integers(0, 9, 4), False), (rng.integers(0, 9, (4, 4)), True),
        (rng.normal(size=(4, 4)), False), (rng.normal(size=(4, 4, 4)), True),
    ):
        data = Sequences(inputs, targets, lengths)
        for chosen in (index, np.array(index), slice(1, 3), slice(None), np.array([True, False, True, False])):
            part = data.batch(chosen)
            np.testing.assert_array_equal(part.inputs, inputs[:, chosen])
            np.testing.assert_array_equal(part.targets, targets[:, chosen] if of_steps else targets[chosen])
            np.testing.assert_array_equal(part.lengths, lengths[chosen])
            assert part.inputs.flags.c_contiguous
    with pytest.raises(ValueError, match=r"targets: expected one for each of N = 4 sequences, got shape \(5,\)"):
        Sequences(inputs, np.zeros(5, int)).batch([0])


def test_fingerprints():
    data = Sequences(np.zeros((2, 3, 1)), np.zeros(3, int))
    others = [
        data._replace(inputs=np.zeros((2, 3, 1), np.float32)), data._replace(inputs=np.zeros((3, 2, 1))),
        data._replace(targets=np.ones(3, int)), data._replace(lengths=np.full(3, 2)),
        data._replace(targets=np.zeros((0, 3), int)),
    ]
    assert len({one.fingerprint() for one in [data, *others]}) == 6
    assert data.fingerprint() == Sequences(np.zeros((4, 3, 1))[::2], np.zeros(3, int)).fingerprint()


RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "function, error, message",
    [
        (lambda: tasks.adding(1, 2, rng=RNG), ValueError, "T: expected at least 2, got 1"),
        (lambda: tasks.adding(2.0, 2, rng=RNG), TypeError, "T: expected an integer, got 2.0"),
        (lambda: tasks.adding(2, -1, rng=RNG), ValueError, "N: expected at least 0, got -1"),
        (lambda: tasks.adding(2, 2, rng=0), TypeError, "rng: expected a numpy.random.Generator, got int"),
        (lambda: tasks.adding(2, 2, rng=RNG, dtype=int), TypeError, "dtype: expected float32 or float64, got int64"),
        (lambda: tasks.digits(dtype="float16"), TypeError, "dtype: expected float32 or float64, got float16"),
        (lambda: tasks.windows([0.5, 1.0], 1), TypeError, "codes: expected integers, got dtype float64"),
        (lambda: tasks.windows([1, 2, 3], 3), ValueError, "codes: expected more than length = 3 of them, got 3"),
        (lambda: tasks.windows([1, 2, 3], 0), ValueError, "length: expected at least 1, got 0"),
        (lambda: tasks.windows([1, 2, 3], 1, stride=0), ValueError, "stride: expected at least 1, got 0"),
    ],
)
def test_wrong_arguments(function, error, message):
    with pytest.raises(error, match=message):
        function()
