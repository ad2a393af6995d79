"""Files that are whole or not there: arrays and a few facts, written at once, and read with suspicion.

A snapshot is a file in the *safetensors* format: the length of a header, a header of JSON that names each array with its
dtype, shape and place, and the numbers themselves. It holds data and nothing that could be executed, and what it declares
can be compared with its size before any memory is taken. What is particular to a snapshot stands in the header's metadata:
the facts, as JSON again, and the SHA-256 of the whole file, so that no changed bit goes unnoticed.

:func:`save` writes a new file beside the old one and then puts it in its place, which the operating system does at once: at
any time, whatever is interrupted, there is the old snapshot or the new one. (A process that is killed in between leaves the
new file as well: its name begins with a dot and ends with ``.new``, and it can be deleted.)
"""

import hashlib
import json
import math
import os
import secrets
import stat
import struct

import numpy as np

__all__ = ["SnapshotError", "load", "save"]

FORMAT = "rnnbook-snapshot-1"
DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "U8": "|u1", "BOOL": "|b1"}
NAMES = {np.dtype(dtype): name for name, dtype in DTYPES.items()}
LONGEST_HEADER = 2**20
BLANK = "0" * 64  # where the checksum stands, while it is computed


class SnapshotError(ValueError):
    """A file that is no snapshot, or not the one that was asked for. The message names the file and what is wrong."""


def save(path, arrays, facts):
    """Write a snapshot, at once.

    Parameters
    ----------
    path : str or os.PathLike
        What is there is replaced, when the new file is complete and on the disk, and not before.
    arrays : dict of str to array_like
        float64, float32, int64, uint8 or bool.
    facts : dict
        Anything that JSON can say. Floats come back exactly, nan and infinity among them; tuples come back as lists.

    Raises
    ------
    TypeError
        If an array is of another dtype, or `facts` not a dict, or nothing for JSON.
    ValueError
        If a name is not text, or ``__metadata__``; or if the names, or the facts, are longer than a header may be (1 MiB).
    OSError
        If the file cannot be written. The old one is then still there.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "numbers.safetensors"
    >>> save(path, {"weights": np.array([[1.0, 2.0]])}, {"step": 3})
    >>> load(path)
    ({'weights': array([[1., 2.]])}, {'step': 3})
    """
    if not isinstance(facts, dict):
        raise TypeError(f"facts: expected a dict, got {type(facts).__name__}")
    parts, header, offset = [], {}, 0
    for name, array in arrays.items():
        if not isinstance(name, str) or name == "__metadata__":
            raise ValueError(f"arrays: expected names that are text, and not the header's __metadata__, got {name!r}")
        array = np.asarray(array)
        dtype = NAMES.get(array.dtype.newbyteorder("="))
        if dtype is None:
            raise TypeError(f"arrays[{name!r}]: expected dtype float64, float32, int64, uint8 or bool, got {array.dtype}")
        data = array.astype(DTYPES[dtype], copy=False).tobytes()
        place = [offset, offset + len(data)]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": place}
        offset += len(data)
        parts.append(data)
    metadata = {"format": FORMAT, "facts": json.dumps(facts), "sha256": BLANK}
    text = json.dumps({"__metadata__": metadata} | header).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > LONGEST_HEADER:
        raise ValueError(f"arrays, facts: expected a header of at most {LONGEST_HEADER} bytes, got {len(text)}")
    length = struct.pack("<Q", len(text))
    digest = _digest(length, text, *parts)
    blank = f'"sha256": "{BLANK}"}}'.encode()
    _replace(path, [length, text.replace(blank, blank.replace(BLANK.encode(), digest.encode()), 1), *parts])


def load(path, *, max_bytes=2**30):
    """Read a snapshot, and refuse anything else.

    Nothing in the file is executed, and no more memory is taken than a few times its size.

    Parameters
    ----------
    path : str or os.PathLike
    max_bytes : int, optional
        A larger file is refused.

    Returns
    -------
    arrays : dict of str to numpy.ndarray
        Writeable, and in the machine's byte order.
    facts : dict

    Raises
    ------
    SnapshotError
        If the file is not a snapshot, is damaged or not complete, or is larger than `max_bytes`.
    OSError
        If it cannot be read.
    """
    path = os.fspath(path)

    def wrong(expected, got):
        return SnapshotError(f"{path}: not a complete snapshot: expected {expected}, got {got}")

    # A pipe, or a device without an end, would not even open, or never end.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise wrong("a file", "something else")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise wrong(f"at most max_bytes = {max_bytes} bytes", f"{size}")
        length = file.read(8)
        if len(length) < 8:
            raise wrong("at least 8 bytes", f"{len(length)}")
        (header_size,) = struct.unpack("<Q", length)
        if header_size > LONGEST_HEADER or 8 + header_size > size:
            raise wrong("its first 8 bytes to be the length of a header", f"{header_size} in a file of {size} bytes")
        text = file.read(header_size)
        header, facts, digest, total = _parsed(text, wrong)
        if 8 + header_size + total != size:
            raise wrong(f"{8 + header_size + total} bytes, as its header says", f"{size}")
        data = file.read(total + 1)
    if len(data) != total:
        raise wrong(f"{total} bytes of numbers", f"{len(data)}: the file changed while it was read")
    # The checksum stands in the header once; it was computed with zeros in its place.
    found = _digest(length, text.replace(digest.encode(), BLANK.encode(), 1), data)
    if found != digest:
        raise wrong(f"the checksum {digest[:12]}… that it was written with", f"{found[:12]}…: it is damaged")
    arrays = {}
    for name, (dtype, shape, start) in header.items():
        array = np.frombuffer(data, dtype, count=math.prod(shape), offset=start)
        try:
            array = array.reshape(shape)
        except ValueError:  # no numbers, in a shape that is too large even for none
            raise wrong("shapes that an array can have", f"{shape}") from None
        arrays[name] = array.astype(array.dtype.newbyteorder("="))  # a copy, aligned
    return arrays, facts


def _parsed(text, wrong):
    """Return the arrays as {name: (dtype, shape, offset)}, the facts, the checksum, and how many bytes there must be."""
    try:
        header = json.loads(text)
        metadata = header.pop("__metadata__")
        if metadata["format"] != FORMAT:
            raise wrong(f"the format {FORMAT}", repr(metadata["format"])[:80])
        facts, digest = json.loads(metadata["facts"]), metadata["sha256"]
        if not isinstance(facts, dict) or len(bytes.fromhex(digest)) != 32:
            raise ValueError
        arrays, total = {}, 0
        for name, entry in header.items():
            dtype, shape = np.dtype(DTYPES[entry["dtype"]]), entry["shape"]
            if not all(type(size) is int and 0 <= size < 2**63 for size in shape) or len(shape) > 32:
                raise ValueError
            arrays[name] = dtype, tuple(shape), total
            end = total + math.prod(shape) * dtype.itemsize
            if entry["data_offsets"] != [total, end]:
                raise wrong(f"{name} at the bytes {total} to {end}", f"{entry['data_offsets']!r}"[:80])
            total = end
    except SnapshotError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise wrong("a header that names its arrays and facts", "another") from None
    return arrays, facts, digest, total


def _digest(*parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _replace(path, parts):
    """Write the parts to a new file beside `path`, make sure that they are on the disk, and put it in its place."""
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path}: expected a file, got a folder")
    target = os.path.realpath(path)  # a link stays, and what it points to is replaced
    folder, name = os.path.split(target)
    new = os.path.join(folder, f".{name}.{secrets.token_hex(8)}.new")
    try:
        with open(new, "xb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, target)
    except BaseException as problem:  # a KeyboardInterrupt as well
        try:
            os.unlink(new)
        except FileNotFoundError:
            pass
        if isinstance(problem, OSError):  # which knows the new file only, or none
            raise type(problem)(problem.errno, problem.strerror, os.fspath(path)) from problem
        raise
    if os.name == "posix":  # the new name is on the disk when the folder is
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
