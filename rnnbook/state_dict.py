r"""Parameters by PyTorch's names, in PyTorch's files, and in ONNX's order of the gates. None of it needs PyTorch.

PyTorch calls the parameters of layer 0 ``weight_ih_l0``, ``weight_hh_l0``, ``bias_ih_l0`` and ``bias_hh_l0``, those of
its second direction ``weight_ih_l0_reverse`` and so on. Here they are a tuple with an entry for each layer, as
:mod:`rnnbook.stacked` takes them.

==========  =========================  =======================
            rows of the weights        in ONNX
==========  =========================  =======================
LSTM        i, f, g, o                 i, o, f, c (which is g)
GRU         r, z, n                    z, r, h (which is n)
==========  =========================  =======================

ONNX's GRU resets before the product unless ``linear_before_reset`` is 1, which is PyTorch's way; both have
:math:`h_t = (1 - z) \odot n + z \odot h_{t-1}`.
"""

import io
import math
import pickle
import struct
import zipfile
from collections import OrderedDict
from typing import NamedTuple

import numpy as np

from rnnbook import bidirectional, gru, lstm, rnn
from rnnbook._arrays import as_floats

__all__ = ["OnnxParameters", "from_onnx", "from_state_dict", "load", "save", "to_onnx", "to_state_dict"]

NAMES = rnn.Parameters._fields  # the cells' parameters have the same names
ONNX_ORDER = {rnn: (0,), lstm: (0, 3, 1, 2), gru: (1, 0, 2)}  # block k of ONNX is which of PyTorch


class OnnxParameters(NamedTuple):
    """The parameters of one layer, as the ONNX operators RNN, LSTM and GRU take them."""

    W: np.ndarray
    """from the input, shape (directions, gates · H, d)"""
    R: np.ndarray
    """recurrent, shape (directions, gates · H, H)"""
    B: np.ndarray
    """both biases, the input's before the recurrent, shape (directions, 2 · gates · H)"""


def to_state_dict(parameters, *, prefix=""):
    """Name the parameters of all layers as PyTorch does.

    Parameters
    ----------
    parameters : tuple
        An entry for each layer: a cell's own named tuple, or a :class:`rnnbook.bidirectional.Parameters`.
    prefix : str, optional
        What stands before each name: ``"encoder."`` if the network is the attribute ``encoder`` of a module.

    Returns
    -------
    dict
        The arrays by their names, in PyTorch's order; they are not copied.

    Raises
    ------
    TypeError
        If an entry is of another type.

    Examples
    --------
    >>> from rnnbook import stacked
    >>> parameters = stacked.initialize(3, 4, 2, cell=lstm, rng=np.random.default_rng(0))
    >>> for name, array in to_state_dict(parameters).items():
    ...     print(name, array.shape)
    weight_ih_l0 (16, 3)
    weight_hh_l0 (16, 4)
    bias_ih_l0 (16,)
    bias_hh_l0 (16,)
    weight_ih_l1 (16, 4)
    weight_hh_l1 (16, 4)
    bias_ih_l1 (16,)
    bias_hh_l1 (16,)

    In PyTorch: ``network.load_state_dict({name: torch.from_numpy(array) for name, array in ...})``.
    """
    if not isinstance(parameters, (tuple, list)) or hasattr(parameters, "_fields"):
        raise TypeError(f"parameters: expected a tuple with an entry for each layer, got {type(parameters).__name__}")
    named = {}
    for layer, of_layer in enumerate(parameters):
        for suffix, of_direction in _directions(f"parameters[{layer}]", of_layer):
            for name, array in zip(NAMES, of_direction):
                named[f"{prefix}{name}_l{layer}{suffix}"] = array
    return named


def from_state_dict(state_dict, *, cell, prefix=""):
    """Take the parameters of all layers from a dictionary with PyTorch's names.

    Parameters
    ----------
    state_dict : dict
        Arrays by their names, or anything that NumPy makes arrays of, as PyTorch's tensors on the CPU. A network
        without biases gets biases of zeros.
    cell : module
        :mod:`rnnbook.rnn`, :mod:`rnnbook.lstm` or :mod:`rnnbook.gru`.
    prefix : str, optional
        Only names that begin with it are looked at.

    Returns
    -------
    tuple
        An entry for each layer: a ``cell.Parameters``, or a :class:`rnnbook.bidirectional.Parameters`.

    Raises
    ------
    KeyError
        If a name is missing.
    TypeError
        If an array is not of dtype float32 or float64, or `cell` is none of the modules.
    ValueError
        If a shape does not fit, or there is a name that belongs to no layer.

    Examples
    --------
    >>> from rnnbook import stacked
    >>> parameters = stacked.initialize(3, 4, 2, cell=gru, bidirectional=True, rng=np.random.default_rng(0))
    >>> again = from_state_dict(to_state_dict(parameters, prefix="encoder."), cell=gru, prefix="encoder.")
    >>> np.array_equal(again[1].reverse.weight_hh, parameters[1].reverse.weight_hh)
    True
    """
    gates = len(_onnx_order(cell))
    left = {name.removeprefix(prefix): value for name, value in state_dict.items() if name.startswith(prefix)}

    def take(name, axes, like=None):
        if name not in left:
            raise KeyError(f"state_dict: expected {prefix}{name}, got {_some(state_dict)}")
        return as_floats(prefix + name, np.asarray(left.pop(name)), axes, sizes, like)

    layers, biases = 0, "bias_ih_l0" in left
    suffixes = ("", "_reverse") if "weight_ih_l0_reverse" in left else ("",)
    while f"weight_ih_l{layers}" in left:
        layers += 1
    sizes = {}
    first = take("weight_hh_l0", "rows H")
    left["weight_hh_l0"], like, H = first, ("weight_hh_l0", first), sizes["H"]
    rows = f"{gates}H"
    sizes = {"H": H, rows: gates * H}
    parameters = []
    for layer in range(max(layers, 1)):
        directions = []
        for suffix in suffixes:
            tag = f"_l{layer}{suffix}"
            weights = [take(f"weight_ih{tag}", f"{rows} d", like), take(f"weight_hh{tag}", f"{rows} H", like)]
            if biases:
                both = [take(f"{name}{tag}", rows, like) for name in ("bias_ih", "bias_hh")]
            else:
                both = [np.zeros(gates * H, first.dtype) for _ in range(2)]
            directions.append(cell.Parameters(*weights, *both))
        parameters.append(bidirectional.Parameters(*directions) if len(suffixes) == 2 else directions[0])
        sizes["d"] = len(suffixes) * H  # of the next layer
    if left:
        raise ValueError(f"state_dict: expected names such as {prefix}weight_ih_l0 alone, got also {_some(left)}")
    return tuple(parameters)


def to_onnx(parameters, *, cell):
    """Put the parameters of one layer in ONNX's form and order.

    Parameters
    ----------
    parameters : cell.Parameters or rnnbook.bidirectional.Parameters
    cell : module
        :mod:`rnnbook.rnn`, :mod:`rnnbook.lstm` or :mod:`rnnbook.gru`.

    Returns
    -------
    OnnxParameters

    Raises
    ------
    TypeError
        If `cell` is none of the modules, or `parameters` not a layer of it.

    Examples
    --------
    The blocks i, f, g, o of an LSTM with one unit become i, o, f, c:

    >>> bias = np.array([1.0, 2.0, 3.0, 4.0])
    >>> to_onnx(lstm.Parameters(np.zeros((4, 1)), np.zeros((4, 1)), bias, 10 * bias), cell=lstm).B
    array([[ 1.,  4.,  2.,  3., 10., 40., 20., 30.]])
    """
    order = _onnx_order(cell)
    W, R, B = [], [], []
    for _, of_direction in _directions("parameters", parameters, cell):
        weight_ih, weight_hh, bias_ih, bias_hh = (_blocks(array, order) for array in of_direction)
        W.append(weight_ih)
        R.append(weight_hh)
        B.append(np.concatenate([bias_ih, bias_hh]))
    return OnnxParameters(np.stack(W), np.stack(R), np.stack(B))


def from_onnx(parameters, *, cell):
    """Take the parameters of one layer from ONNX's form and order.

    Parameters
    ----------
    parameters : OnnxParameters or tuple of array_like
        W, R and B; None for B stands for zeros.
    cell : module
        :mod:`rnnbook.rnn`, :mod:`rnnbook.lstm` or :mod:`rnnbook.gru`.

    Returns
    -------
    cell.Parameters or rnnbook.bidirectional.Parameters

    Raises
    ------
    TypeError, ValueError
        If `cell` is none of the modules, or a dtype or a shape does not fit.

    Examples
    --------
    >>> parameters = gru.initialize(3, 2, rng=np.random.default_rng(0))
    >>> again = from_onnx(to_onnx(parameters, cell=gru), cell=gru)
    >>> all(np.array_equal(one, two) for one, two in zip(again, parameters))
    True
    """
    order = _onnx_order(cell)
    try:
        W, R, B = parameters
    except (TypeError, ValueError):
        raise TypeError(f"parameters: expected W, R and B, got {type(parameters).__name__}") from None
    sizes, rows = {}, f"{len(order)}H"
    R = as_floats("R", R, f"directions {rows} H", sizes)
    if sizes[rows] != len(order) * sizes["H"]:
        raise ValueError(f"R: expected shape (directions, {rows}, H) for {cell.__name__}, got {R.shape}")
    if sizes["directions"] not in (1, 2):
        raise ValueError(f"R: expected 1 or 2 directions, got {sizes['directions']}")
    sizes[f"2·{rows}"] = 2 * sizes[rows]
    W = as_floats("W", W, f"directions {rows} d", sizes, like=("R", R))
    if B is None:
        B = np.zeros((sizes["directions"], 2 * sizes[rows]), R.dtype)
    B = as_floats("B", B, f"directions 2·{rows}", sizes, like=("R", R))
    back = np.argsort(order)
    directions = [
        cell.Parameters(_blocks(W[k], back), _blocks(R[k], back), *(_blocks(half, back) for half in np.split(B[k], 2)))
        for k in range(sizes["directions"])
    ]
    return bidirectional.Parameters(*directions) if len(directions) == 2 else directions[0]


# PyTorch's files: an archive, not compressed, of the pickled dictionary, in which a tensor is a call of
# _rebuild_tensor_v2, and of one file with the numbers of each tensor's storage.

STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "|b1",
}


def load(path):
    """Read a state dict that PyTorch saved, ``torch.save(network.state_dict(), path)``.

    Nothing in the file is executed: what a pickle may call is limited to the few names that a state dict needs.

    Parameters
    ----------
    path : path-like or binary file
        In PyTorch's format since version 1.6, an archive.

    Returns
    -------
    dict
        Arrays by their names.

    Raises
    ------
    ValueError
        If the file is none, is damaged, or holds anything but a dictionary of tensors.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> save(file, {"weight_ih_l0": np.array([[1.0, 2.0]], np.float32)})
    >>> load(file)
    {'weight_ih_l0': array([[1., 2.]], dtype=float32)}
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
            if len(found) != 1:
                raise ValueError(f"it has {len(found)} data.pkl, not one")
            root = found[0].removesuffix("data.pkl")
            if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
                raise ValueError("it is compressed")
            if root + "byteorder" in archive.namelist() and archive.read(root + "byteorder").strip() != b"little":
                raise ValueError("its numbers are not little-endian")
            loaded = _Unpickler(archive, root).load()
    except OSError:
        raise
    except Exception as error:  # a damaged pickle raises anything
        raise ValueError(f"path: expected a state dict saved by PyTorch, got a file that is none: {error}") from error
    if not isinstance(loaded, dict) or not all(isinstance(array, np.ndarray) for array in loaded.values()):
        raise ValueError("path: expected a state dict, names and tensors, got a file with something else")
    return dict(loaded)


class _Unpickler(pickle.Unpickler):
    """Makes arrays of pickled tensors, and refuses everything else."""

    def __init__(self, archive, root):
        super().__init__(io.BytesIO(archive.read(root + "data.pkl")))
        self.archive, self.root = archive, root

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda *arguments: _array(*arguments)  # one of its own: a pickle can set a function's attributes
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda array, requires_grad, hooks: array
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise ValueError(f"{module}.{name} has no place in a state dict")

    def persistent_load(self, pid):
        kind, dtype, key, _, size = pid
        numbers = self.archive.read(f"{self.root}data/{key}")
        if kind != "storage" or len(numbers) != size * np.dtype(dtype).itemsize:
            raise ValueError(f"storage {key} is damaged")
        return dtype, numbers


def _array(storage, offset, shape, strides, *_):
    """Make an array of its own of a part of a storage."""
    dtype, numbers = storage
    numbers = np.frombuffer(numbers, dtype)
    if len(shape) != len(strides) or any(not isinstance(k, int) or k < 0 for k in (offset, *shape, *strides)):
        raise ValueError(f"a tensor has shape {shape} and strides {strides}")
    size = math.prod(shape)
    last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides)) if size else 0
    if size > len(numbers) or last >= max(len(numbers), 1):
        raise ValueError(f"a tensor of shape {shape} reaches beyond its storage")
    bytes_of_strides = [stride * numbers.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(numbers[offset if size else 0 :], shape, bytes_of_strides).copy()


def save(path, state_dict):
    """Write a state dict that PyTorch loads, ``network.load_state_dict(torch.load(path))``.

    Parameters
    ----------
    path : path-like or binary file
    state_dict : dict
        Arrays by their names.

    Raises
    ------
    TypeError
        If an array is not of dtype float32 or float64, or a name not a string.

    Examples
    --------
    The same dictionary gives the same bytes:

    >>> first, second = io.BytesIO(), io.BytesIO()
    >>> for file in (first, second):
    ...     save(file, {"bias": np.arange(3.0)})
    >>> first.getvalue() == second.getvalue()
    True
    """
    # Pickle writes a name only if it can import it, and here it cannot; so the few opcodes that there are stand here.
    pickled = [pickle.PROTO, b"\x02", pickle.EMPTY_DICT]
    storages = []
    for key, (name, value) in enumerate(state_dict.items()):
        if not isinstance(name, str):
            raise TypeError(f"state_dict: expected names that are strings, got {name!r}")
        array = np.ascontiguousarray(as_floats(name, value, "...", {}))
        kind = "FloatStorage" if array.dtype == np.float32 else "DoubleStorage"
        strides = [stride // array.itemsize for stride in array.strides]
        pickled += [_text(name), _global("torch._utils", "_rebuild_tensor_v2"), pickle.MARK]
        pickled += [pickle.MARK, _text("storage"), _global("torch", kind), _text(str(key)), _text("cpu")]
        pickled += [_integer(array.size), pickle.TUPLE, pickle.BINPERSID, _integer(0)]
        pickled += [_tuple(np.shape(value)), _tuple(strides[: np.ndim(value)]), pickle.NEWFALSE]
        pickled += [_global("collections", "OrderedDict"), pickle.EMPTY_TUPLE, pickle.REDUCE]
        pickled += [pickle.TUPLE, pickle.REDUCE, pickle.SETITEM]
        storages.append(array.astype(array.dtype.newbyteorder("<")).tobytes())
    pickled.append(pickle.STOP)
    with zipfile.ZipFile(path, "w") as archive:
        files = {"data.pkl": b"".join(pickled), "byteorder": b"little", "version": b"3\n"}
        files |= {f"data/{key}": numbers for key, numbers in enumerate(storages)}
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(f"archive/{name}"), content)  # with a fixed date


def _text(text):
    encoded = text.encode()
    return pickle.BINUNICODE + struct.pack("<I", len(encoded)) + encoded


def _integer(number):
    return pickle.LONG1 + struct.pack("<Bq", 8, number)


def _tuple(numbers):
    return pickle.MARK + b"".join(map(_integer, numbers)) + pickle.TUPLE


def _global(module, name):
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def _onnx_order(cell):
    try:
        return ONNX_ORDER[cell]
    except (KeyError, TypeError):
        raise TypeError(f"cell: expected one of the modules rnnbook.rnn, lstm, gru, got {cell!r}") from None


def _directions(name, parameters, cell=None):
    """Return (suffix, parameters) for each direction of a layer."""
    kinds = tuple(module.Parameters for module in ((cell,) if cell else ONNX_ORDER))
    both = isinstance(parameters, bidirectional.Parameters)
    directions = list(zip(("", "_reverse"), parameters)) if both else [("", parameters)]
    for _, of_direction in directions:
        if not isinstance(of_direction, kinds):
            raise TypeError(f"{name}: expected a cell's Parameters, got {type(of_direction).__name__}")
    return directions


def _blocks(array, order):
    """Return the array with its blocks of rows, one for each gate, in another order."""
    array = np.asarray(array)
    height = len(array) // len(order)
    return array.reshape(len(order), height, *array.shape[1:])[list(order)].reshape(array.shape)


def _some(names):
    """Describe the names that are there, if they are many only the first."""
    names = list(names)
    return ", ".join(map(str, names[:4])) + (f" and {len(names) - 4} more" if len(names) > 4 else "") or "nothing"
