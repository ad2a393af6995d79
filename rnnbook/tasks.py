"""What the networks of the book are trained on: sums that need a memory, images row by row, and text.

All data are :class:`Sequences`, with time as the first axis and the sequences as the second, and come without any hidden
randomness: what is drawn is drawn from the generator that is handed in, and the splits are always the same.
"""

import hashlib
from importlib import resources
from typing import Any, NamedTuple

import numpy as np

from rnnbook._arrays import FLOATS, as_array, as_integer

__all__ = ["Characters", "Sequences", "Split", "adding", "characters", "digits", "windows"]


class Sequences(NamedTuple):
    """N sequences of T steps, and what is to be learnt about each."""

    inputs: Any
    """shape (T, N, d), float32 or float64; or integers of shape (T, N), classes that stand for unit vectors"""
    targets: Any
    """for each sequence, shape (N,) if they are classes, or (N, q); or for each step, shape (T, N) or (T, N, q)"""
    lengths: Any = None
    """how long each sequence is, shape (N,), as :mod:`rnnbook.padded` has it; None if all have T steps"""

    @property
    def size(self):
        """N, the number of sequences."""
        return np.shape(self.inputs)[1]

    def batch(self, index):
        """Take some of the sequences.

        Parameters
        ----------
        index : array_like of int or slice

        Returns
        -------
        Sequences

        Examples
        --------
        >>> data = Sequences(np.arange(8.0).reshape(2, 4, 1), np.array([0, 1, 0, 1]))
        >>> data.batch([3, 0]).inputs[..., 0], data.batch([3, 0]).targets
        (array([[3., 0.],
               [7., 4.]]), array([1, 0]))
        """
        index = np.arange(self.size)[index]
        targets = np.asarray(self.targets)
        of_steps = targets.ndim == (2 if targets.dtype.kind in "iu" else 3)
        if targets.ndim <= of_steps or targets.shape[of_steps] != self.size:
            raise ValueError(f"targets: expected one for each of N = {self.size} sequences, got shape {targets.shape}")
        # take, which gives arrays that are contiguous, as inputs[:, index] does not
        return Sequences(
            np.take(self.inputs, index, axis=1),
            np.take(targets, index, axis=int(of_steps)),
            None if self.lengths is None else np.take(self.lengths, index),
        )

    def fingerprint(self):
        """Return a checksum of everything, as text: the same for the same numbers in the same shapes and dtypes."""
        return fingerprint(*self)


class Split(NamedTuple):
    """A data set in three parts: to learn from, to decide when to stop, and to report on."""

    training: Any
    validation: Any
    test: Any


def adding(T, N, *, rng, dtype=np.float64):
    r"""Draw sequences of the adding problem: remember two numbers among many, and add them.

    Each step has a number, uniform on :math:`[0, 1)`, and a mark, 0 or 1. Two steps are marked, one in the first half of
    the sequence and one in the second; the target is the sum of their numbers. It has the mean 1 and the variance
    :math:`2 \cdot \tfrac1{12} = \tfrac16`, which is the mean squared error of whoever always answers 1: to do better, a
    network must carry a number over about half of the sequence.

    Parameters
    ----------
    T : int
        Steps of each sequence, at least 2.
    N : int
        How many sequences.
    rng : numpy.random.Generator
    dtype : numpy.dtype, optional
        float64 or float32.

    Returns
    -------
    Sequences
        ``inputs``, shape (T, N, 2), the number and the mark; ``targets``, shape (N, 1).

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range.

    Notes
    -----
    S. Hochreiter and J. Schmidhuber, "Long short-term memory", *Neural Computation* 9 (1997), 1735-1780, experiment 4.
    There the numbers lie between -1 and 1, the first mark is among the first ten steps, the lengths vary, and the
    target is scaled; the form here, with numbers from 0 to 1 and one length, is the usual one today.

    Examples
    --------
    >>> inputs, targets, _ = adding(5, 1, rng=np.random.default_rng(1))
    >>> inputs[:, 0].round(2)
    array([[0.51, 0.  ],
           [0.95, 1.  ],
           [0.14, 0.  ],
           [0.95, 1.  ],
           [0.31, 0.  ]])
    >>> targets.round(2)
    array([[1.9]])

    >>> _, targets, _ = adding(2, 100000, rng=np.random.default_rng(0))
    >>> print(f"{np.mean((targets - 1) ** 2):.2f}, {1 / 6:.2f}")
    0.17, 0.17
    """
    T, N = as_integer("T", T, 2), as_integer("N", N, 0)
    _check_random(rng, dtype)
    inputs = np.zeros((T, N, 2), dtype)
    inputs[..., 0] = rng.random((T, N), dtype)
    sequences = np.arange(N)
    marked = rng.integers(0, T // 2, N), rng.integers(T // 2, T, N)
    targets = np.zeros((N, 1), dtype)
    for steps in marked:
        inputs[steps, sequences, 1] = 1
        targets[:, 0] += inputs[steps, sequences, 0]
    return Sequences(inputs, targets)


def digits(*, dtype=np.float64):
    """Load images of handwritten digits, to be read row by row.

    1797 images, 8 rows of 8 pixels. Every seventh image is for the test, the one after each of these for validation,
    and the others are for training: 257, 257 and 1283. The same people wrote in all three parts, so that the test says
    how well a network reads their hands, and not a stranger's.

    Parameters
    ----------
    dtype : numpy.dtype, optional
        float64 or float32.

    Returns
    -------
    Split
        Of :class:`Sequences`: ``inputs``, shape (8, N, 8), the rows from top to bottom, pixels from 0 to 1; ``targets``,
        shape (N,), the digits.

    Notes
    -----
    E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits" [data set], UCI Machine Learning Repository,
    1998, https://doi.org/10.24432/C50P49, the test set, licensed under CC BY 4.0. It is part of this package, 45 kB, so
    that nobody needs scikit-learn for it, which carries it too and is a thousand times as large.

    Examples
    --------
    >>> training, validation, test = digits()
    >>> training.size, validation.size, test.size
    (1283, 257, 257)
    >>> for row in training.inputs[:, 0]:
    ...     print("|" + "".join(" .:#@"[int(4 * pixel)] for pixel in row) + "|")
    |   .##  |
    |   @##  |
    |  :#:@  |
    |   .#:  |
    |  :##   |
    | :@@.   |
    |  #@@:. |
    |    :@: |
    >>> training.targets[0]
    np.int64(2)
    """
    if np.dtype(dtype) not in FLOATS:
        raise TypeError(f"dtype: expected float32 or float64, got {np.dtype(dtype)}")
    with resources.files("rnnbook").joinpath("data/digits.npz").open("rb") as file, np.load(file) as stored:
        images, labels = stored["images"], stored["labels"]
    everything = Sequences((images.swapaxes(0, 1) / 16).astype(dtype), labels.astype(np.int64))
    part = np.arange(len(labels)) % 7
    return Split(*(everything.batch(np.flatnonzero(chosen)) for chosen in (part >= 2, part == 1, part == 0)))


class Characters(NamedTuple):
    """A text as numbers."""

    vocabulary: str
    """every character of the text, once, in the order of Unicode"""
    codes: np.ndarray
    """for each character of the text its place in the vocabulary, shape (len(text),)"""

    def encode(self, text):
        """Turn a text into numbers.

        Raises
        ------
        ValueError
            If it has a character that the vocabulary has not.
        """
        place = {character: code for code, character in enumerate(self.vocabulary)}
        try:
            return np.array([place[character] for character in text], np.int64)
        except KeyError as unknown:
            raise ValueError(f"text: expected characters of the vocabulary, got {unknown.args[0]!r}") from None

    def decode(self, codes):
        """Turn numbers into text."""
        return "".join(self.vocabulary[code] for code in codes)


def characters(text):
    """Turn a text into numbers, one for each character.

    Parameters
    ----------
    text : str

    Returns
    -------
    Characters

    Raises
    ------
    TypeError
        If it is no text.

    Examples
    --------
    >>> read = characters("abracadabra")
    >>> read.vocabulary, read.codes
    ('abcdr', array([0, 1, 4, 0, 2, 0, 3, 0, 1, 4, 0]))
    >>> read.decode(read.encode("carb"))
    'carb'
    """
    if not isinstance(text, str):
        raise TypeError(f"text: expected a str, got {type(text).__name__}")
    unread = Characters("".join(sorted(set(text))), None)
    return unread._replace(codes=unread.encode(text))


def windows(codes, length, *, stride=None):
    """Cut a text into pieces, each with the task to predict the next character at every step.

    Parameters
    ----------
    codes : array_like of int, shape (S,)
        From :func:`characters`.
    length : int
        T, the steps of each piece, at least 1.
    stride : int, optional
        From the start of one piece to the start of the next; `length` if it is not given.

    Returns
    -------
    Sequences
        ``inputs`` and ``targets``, integers of shape (T, N); what is left at the end, too short for a piece, is left out.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range, or the text too short for a single piece.

    Examples
    --------
    >>> read = characters("abracadabra")
    >>> inputs, targets, _ = windows(read.codes, 5)
    >>> [(read.decode(x), read.decode(y)) for x, y in zip(inputs.T, targets.T)]
    [('abrac', 'braca'), ('adabr', 'dabra')]
    """
    codes = as_array("codes", codes, "S", {})
    if codes.dtype.kind not in "iu":
        raise TypeError(f"codes: expected integers, got dtype {codes.dtype}")
    length = as_integer("length", length, 1)
    stride = length if stride is None else as_integer("stride", stride, 1)
    if len(codes) <= length:
        raise ValueError(f"codes: expected more than length = {length} of them, got {len(codes)}")
    starts = np.arange(0, len(codes) - length, stride)
    index = starts + np.arange(length)[:, None]
    return Sequences(codes[index], codes[index + 1])


def fingerprint(*arrays):
    """Return a checksum of arrays, of their numbers, shapes and dtypes."""
    digest = hashlib.sha256()
    for array in arrays:
        if array is None:
            digest.update(b"None")
            continue
        array = np.ascontiguousarray(array)
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.data if array.size else b"")
    return digest.hexdigest()


def _check_random(rng, dtype):
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng: expected a numpy.random.Generator, got {type(rng).__name__}")
    if np.dtype(dtype) not in FLOATS:
        raise TypeError(f"dtype: expected float32 or float64, got {np.dtype(dtype)}")
