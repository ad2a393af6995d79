"""CIFAR-10, as sequences of rows.

The data set has 60000 colour images of 32 by 32 pixels in ten classes, 10000 of them for the test. Its *binary
version*, the archive ``cifar-10-binary.tar.gz`` from https://www.cs.toronto.edu/~kriz/cifar.html, unpacks to the folder
that :func:`read` reads. Each of its six files is a sequence of records of 3073 bytes: a label from 0 to 9, and the red,
the green and the blue values of all pixels, row by row. There is nothing else in them, and nothing that could be
executed; the version "for Python" is made of pickles, and not read.

A. Krizhevsky, "Learning multiple layers of features from tiny images", technical report, University of Toronto, 2009.

A network sees an image as a sequence of :math:`T = 32` rows from top to bottom, each of :math:`d = 96` numbers: the 32 red
values of the row, the 32 green ones, and the 32 blue ones.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from rnnbook._arrays import as_integer
from rnnbook.tasks import Sequences, Split, fingerprint

__all__ = ["Cifar10", "Rows", "read", "split"]

TRAINING_FILES = tuple(f"data_batch_{k}.bin" for k in range(1, 6))
TEST_FILE, NAMES_FILE = "test_batch.bin", "batches.meta.txt"
SHAPE = 3, 32, 32
RECORD = 1 + 3 * 32 * 32


class Cifar10(NamedTuple):
    """What the files hold, as bytes."""

    images: np.ndarray
    """of the five files for training, shape (5 · records, 3, 32, 32), the axes being image, colour, row and column"""
    labels: np.ndarray
    """shape (5 · records,)"""
    test_images: np.ndarray
    """shape (records, 3, 32, 32)"""
    test_labels: np.ndarray
    names: tuple
    """of the ten classes"""


class Rows(NamedTuple):
    """Images as sequences of rows. They stay bytes, a quarter of the memory, until they are used."""

    images: np.ndarray
    """bytes, shape (N, 3, 32, 32)"""
    labels: np.ndarray
    """shape (N,)"""
    mean: np.ndarray
    """of each colour over the images for training, float32"""
    scale: np.ndarray
    """the standard deviation"""

    @property
    def size(self):
        """N, the number of images."""
        return len(self.images)

    def batch(self, index):
        """Take some of the images, normalised.

        Parameters
        ----------
        index : array_like of int or slice

        Returns
        -------
        rnnbook.tasks.Sequences
            ``inputs``, float32 of shape (32, n, 96); ``targets``, shape (n,).
        """
        images = (self.images[index] - self.mean[:, None, None]) / self.scale[:, None, None]
        rows = images.transpose(2, 0, 1, 3)  # row, image, colour, column
        return Sequences(rows.reshape(*rows.shape[:2], -1), self.labels[index].astype(np.int64))

    def fingerprint(self):
        """Return a checksum of everything, as text."""
        return fingerprint(*self)


def read(folder, *, records=10000):
    """Read the binary version of CIFAR-10, and refuse anything else.

    Parameters
    ----------
    folder : str or os.PathLike
        With ``data_batch_1.bin`` to ``data_batch_5.bin``, ``test_batch.bin`` and ``batches.meta.txt``.
    records : int, optional
        How many images each file holds; other than 10000 for files of the same format that somebody has made.

    Returns
    -------
    Cifar10

    Raises
    ------
    OSError
        If a file is not there, or cannot be read.
    ValueError
        If a file has another size, or a label is greater than 9, or there are not ten names; the message names the file.
    """
    folder = Path(folder)
    records = as_integer("records", records, 1)
    _look(folder)
    names = _names(folder / NAMES_FILE)
    images, labels = np.empty((5 * records, *SHAPE), np.uint8), np.empty(5 * records, np.uint8)
    for k, name in enumerate(TRAINING_FILES):
        part = slice(k * records, (k + 1) * records)
        images[part], labels[part] = _records(folder / name, records)
    return Cifar10(images, labels, *_records(folder / TEST_FILE, records), names)


def split(data, *, limit=None):
    """Split the images into those for training, for validation and for the test.

    Every tenth image of the five files is for validation, and the test has a file of its own. All are normalised with
    the mean and the standard deviation of each colour over the images for training.

    Parameters
    ----------
    data : Cifar10
    limit : int, optional
        Take no more than so many images, the first ones, into each part.

    Returns
    -------
    rnnbook.tasks.Split
        Of :class:`Rows`.

    Raises
    ------
    TypeError, ValueError
        If `limit` is not an integer, or less than 1.
    """
    if limit is not None:
        limit = as_integer("limit", limit, 1)
    for_validation = np.arange(len(data.labels)) % 10 == 9
    training, validation = np.flatnonzero(~for_validation)[:limit], np.flatnonzero(for_validation)[:limit]
    images = data.images[training]
    mean, scale = _moments(images)
    return Split(
        Rows(images, data.labels[training], mean, scale),
        Rows(data.images[validation], data.labels[validation], mean, scale),
        Rows(data.test_images[:limit], data.test_labels[:limit], mean, scale),
    )


def _moments(images):
    """Return mean and standard deviation of each colour, exact up to rounding: from counts of the 256 values."""
    counts = np.zeros((SHAPE[0], 256), np.int64)
    for start in range(0, len(images), 1000):  # bincount makes integers of eight bytes of everything
        for colour in range(SHAPE[0]):
            counts[colour] += np.bincount(images[start : start + 1000, colour].ravel(), minlength=256)
    values, total = np.arange(256), counts[0].sum()
    mean = counts @ values / total
    variance = (counts * (values - mean[:, None]) ** 2).sum(axis=1) / total
    scale = np.where(variance > 0, np.sqrt(variance), 1)  # a colour that never changes says nothing, whatever its scale
    return mean.astype(np.float32), scale.astype(np.float32)


def _look(folder):
    """Raise an error that helps if this is another folder, or another version of the data."""
    if not folder.exists():
        raise FileNotFoundError(f"{folder}: no such folder")
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder}: expected the folder that the archive unpacks to, got a file")
    for name in (*TRAINING_FILES, TEST_FILE, NAMES_FILE):
        if (folder / name).exists():
            continue
        hint = ""
        if (folder / "cifar-10-batches-bin" / name).exists():
            hint = f"; it is in {folder / 'cifar-10-batches-bin'}"
        elif (folder / "data_batch_1").exists():
            hint = "; this is the version for Python, of pickles: expected the binary version, cifar-10-binary.tar.gz"
        raise FileNotFoundError(f"{folder / name}: no such file{hint}")


def _records(path, records):
    expected = records * RECORD
    if not path.is_file():
        raise ValueError(f"{path}: expected a file")
    size = path.stat().st_size
    if size != expected:
        got = f"{size}"
        if size and size % RECORD == 0:
            got += f", which are {size // RECORD}"
        raise ValueError(f"{path}: expected {expected} bytes, {records} records of {RECORD}, got {got}")
    table = np.fromfile(path, np.uint8, expected)
    if table.size != expected:
        raise ValueError(f"{path}: expected {expected} bytes, got {table.size}: the file changed while it was read")
    table = table.reshape(records, RECORD)
    labels = table[:, 0].copy()
    wrong = np.flatnonzero(labels > 9)
    if wrong.size:
        raise ValueError(f"{path}: record {wrong[0]}: expected a label from 0 to 9, got {labels[wrong[0]]}")
    return table[:, 1:].reshape(records, *SHAPE), labels


def _names(path):
    size = path.stat().st_size
    if size > 4096:
        raise ValueError(f"{path}: expected ten names, one on each line, got {size} bytes")
    try:
        names = tuple(line.strip() for line in path.read_text("utf-8").splitlines() if line.strip())
    except UnicodeDecodeError:
        raise ValueError(f"{path}: expected ten names, one on each line, got something that is no text") from None
    if len(names) != 10 or len(set(names)) != 10:
        raise ValueError(f"{path}: expected ten names, one on each line, got {len(set(names))}")
    return names
