"""Parameters, gradients and states: arrays in tuples, named tuples and lists, nested in any way."""

import numpy as np

from rnnbook._arrays import FLOATS, as_floats


def leaves(name, tree):
    """Return the arrays of a tree and what each is called, as ``(name, array)``; float32 and float64 only.

    None stands where there is no array, and is left out.
    """
    if tree is None:
        return []
    if is_branch(tree):
        return [leaf for part, branch in _branches(name, tree) for leaf in leaves(part, branch)]
    return [(name, as_floats(name, tree, "...", {}))]


def mapped(function, tree, *others):
    """Return a tree of the same form, with the function of every array, and of its counterparts in other trees."""
    if tree is None:
        return None
    if is_branch(tree):
        branches = [mapped(function, *branch) for branch in zip(tree, *others, strict=True)]
        return type(tree)(*branches) if hasattr(tree, "_fields") else type(tree)(branches)
    return np.asarray(function(np.asarray(tree), *others))  # an array without axes does not become a number


def check_alike(name, tree, like_name, like):
    """Raise an error unless both trees have the same form, and their arrays the same shapes and dtypes.

    Raises
    ------
    TypeError
        If a branch is of another type, or an array of another dtype.
    ValueError
        If a tuple or list is longer or shorter, or an array has another shape.
    """
    if isinstance(like, np.ndarray) and isinstance(tree, np.ndarray):
        if tree.shape == like.shape and tree.dtype == like.dtype and like.dtype in FLOATS:
            return  # the case of every step of a training, and the only one that has to be fast
    if _kind(tree) != _kind(like):
        raise TypeError(f"{name}: expected {_kind(like)} as {like_name} is, got {_kind(tree)}")
    if is_branch(like):
        if len(tree) != len(like):
            raise ValueError(f"{name}: expected {len(like)} entries as {like_name} has, got {len(tree)}")
        for (part, branch), (like_part, like_branch) in zip(_branches(name, tree), _branches(like_name, like)):
            check_alike(part, branch, like_part, like_branch)
    elif like is not None:
        array = np.asarray(like)
        as_floats(name, tree, "...", {"...": array.shape}, (like_name, array))


def _branches(name, tree):
    """Return what each branch is called, and the branch."""
    fields = getattr(tree, "_fields", None)
    parts = [f".{field}" for field in fields] if fields else [f"[{k}]" for k in range(len(tree))]
    return [(name + part, branch) for part, branch in zip(parts, tree)]


def is_branch(tree):
    """Tell a tuple or list of arrays from an array; a list of numbers, or of such lists, is the array that it makes."""
    if isinstance(tree, list):
        return any(isinstance(branch, (np.ndarray, type(None))) or is_branch(branch) for branch in tree)
    return isinstance(tree, tuple)


def _kind(tree):
    if tree is None:
        return "None"
    if not is_branch(tree):
        return "an array"
    kind = type(tree)
    return f"a {kind.__name__}" if kind in (tuple, list) else f"{kind.__module__}.{kind.__name__}"
