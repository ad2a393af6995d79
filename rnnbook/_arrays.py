"""What every function of the package asks of its array arguments, and the errors it raises when they are not so."""

import numpy as np

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def as_array(name, value, axes, sizes):
    """Return `value` as an array, its shape checked against named axes; any numeric dtype passes.

    Parameters
    ----------
    name : str
        What the argument is called in error messages.
    value : array_like
    axes : str
        The axes' names, separated by spaces: ``"T N d"``. A leading ``...`` stands for any number of axes.
    sizes : dict
        The sizes of the axes named so far. A name that is in it must have that size; one that is not is added.

    Raises
    ------
    TypeError
        If `value` is not an array of numbers.
    ValueError
        If the number of axes, or the size of one that is known already, is another.
    """
    try:
        array = np.asarray(value)
    except ValueError:  # a ragged nested list
        raise TypeError(f"{name}: expected an array of numbers, got a {type(value).__name__} that makes none") from None
    if array.dtype.kind not in "iufc":
        raise TypeError(f"{name}: expected an array of numbers, got dtype {array.dtype}")
    names = axes.split()
    leading = names[0] == "..."
    named = names[1:] if leading else names
    shape = array.shape[array.ndim - len(named):] if leading else array.shape
    fits = len(shape) == len(named) and all(sizes.get(axis, size) == size for axis, size in zip(named, shape))
    if leading and fits and "..." in sizes:
        fits = array.shape[: array.ndim - len(named)] == sizes["..."]
    if not fits:
        raise ValueError(f"{name}: expected shape {_described(names, sizes)}, got {array.shape}")
    sizes.update(zip(named, shape))
    if leading:
        sizes["..."] = array.shape[: array.ndim - len(named)]
    return array


def as_floats(name, value, axes, sizes, like=None):
    """Return `value` as a float32 or float64 array, its shape checked as :func:`as_array` does.

    `like` is a pair (name, array) of an argument whose dtype this one has to share: a silent promotion would cost a
    float32 user half the speed without a word.
    """
    array = as_array(name, value, axes, sizes)
    if array.dtype not in FLOATS:
        raise TypeError(f"{name}: expected dtype float32 or float64, got {array.dtype}")
    if like is not None and array.dtype != like[1].dtype:
        raise TypeError(f"{name}: expected dtype {like[1].dtype} as {like[0]} has, got {array.dtype}")
    return array


def as_integer(name, value, least=None):
    """Return `value`, an integer that is not below `least`."""
    if not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: expected an integer, got {value!r}")
    if least is not None and value < least:
        raise ValueError(f"{name}: expected at least {least}, got {value}")
    return int(value)


def _described(names, sizes):
    """Describe a shape in words: ``(T, N, d) with N = 3``."""
    text = f"({', '.join(names)}{',' if len(names) == 1 else ''})"
    known = [f"{name} = {sizes[name]}" for name in dict.fromkeys(names) if name in sizes]
    return f"{text} with {', '.join(known)}" if known else text
