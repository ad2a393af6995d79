"""Hold two values against each other: shapes first, then entries, within the rounding of the arithmetic."""
from __future__ import annotations

from fractions import Fraction

from rnnbook.checker import values as v
from rnnbook.checker.errors import IllTyped, Undefined
from rnnbook.checker.syntax import rational
from rnnbook.checker.values import Value, scalar

ORDER = {"le": 1, "<": 1, "ge": -1, ">": -1}


def aligned(a, b, relation, arithmetic, describe):
    """Both sides in one shape; a misfit of shapes is an error of the formula."""
    zero = arithmetic.number(Fraction(0))
    if a.kind in v.SHAPELESS and b.kind in v.SHAPELESS:
        if a.kind == "zero" and b.kind == "zero":
            return scalar(zero), scalar(zero)
        if a.kind == b.kind or {a.kind, b.kind} <= {"identity", "empty"}:
            return scalar(a.data[0]), scalar(b.data[0])
        if "zero" in (a.kind, b.kind):
            return tuple(scalar(zero) if x.kind == "zero" else scalar(x.data[0]) for x in (a, b))
        raise IllTyped(f"the left side is {describe(a)}, the right side {describe(b)}: their size is not determined")
    if a.kind in v.SHAPELESS:
        full = v.shaped(a, b.kind, b.dims)
        if full is not None:
            return full, b
    elif b.kind in v.SHAPELESS:
        full = v.shaped(b, a.kind, a.dims)
        if full is not None:
            return a, full
    elif (a.kind, a.dims) == (b.kind, b.dims):
        return a, b
    elif relation in ORDER and "scalar" in (a.kind, b.kind):
        if a.kind == "scalar":
            return v.like(b, a.data * len(b.data)), b
        return a, v.like(a, b.data * len(a.data))
    note = ""
    if {a.kind, b.kind} == {"row", "column"} and a.dims == b.dims:
        note = r" (one of them needs a `^\top`)"
    elif a.kind == b.kind == "matrix" and a.dims == b.dims[::-1]:
        note = r" (one of them needs a `^\top`)"
    raise IllTyped(f"the left side is {describe(a)}, the right side {describe(b)}{note}")


class Difference:
    """How far two aligned sides are apart: the greatest absolute and relative difference and where it is."""

    __slots__ = ("absolute", "relative", "scale", "at")

    def __init__(self, a, b, arithmetic):
        worst, at, scale = 0, 0, 0
        for i, (x, y) in enumerate(zip(a.data, b.data)):
            for entry in (x, y):
                if not arithmetic.finite(entry):
                    raise Undefined("a value is not finite")
                if abs(entry) > scale:
                    scale = abs(entry)
            gap = abs(x - y)
            if gap > worst:
                worst, at = gap, i
        self.absolute, self.scale, self.at = worst, scale, at
        self.relative = float(worst / scale) if scale else 0.0


def excess(a, b, relation):
    """For an inequality: by how much it fails at worst (negative: it holds by that much), where, and the scale."""
    sign = ORDER[relation]
    worst, at, scale = None, 0, 0
    for i, (x, y) in enumerate(zip(a.data, b.data)):
        gap = (x - y) * sign
        if worst is None or gap > worst:
            worst, at = gap, i
        scale = max(scale, abs(x), abs(y))
    return (worst if worst is not None else 0), at, scale


def printed_unit(node):
    """Half a unit in the last printed place of every literal of a side of \\approx, as a Value of the same shape, or
    None.
    """
    op, args = node.op, node.args
    if op == "num":
        text = args[1]
        places = len(text.partition(".")[2])
        return scalar(Fraction(1, 2 * 10 ** places))
    if op == "group":
        return printed_unit(args[0])
    if op == "sum" and len(args) == 1:
        return printed_unit(args[0][1])
    if op == "T":
        inner = printed_unit(args[0])
        return v.transpose(inner) if inner else None
    if op == "mul":  # 1.5 \cdot 10^{-3}
        unit, power = printed_unit(args[0]), args[1]
        ten = power.op in ("pow", "inv") and power.args[0].op == "num" and power.args[0].args[0] == 10 or \
            power.op == "num" and set(power.args[1]) <= set("10") and power.args[1].startswith("1")
        factor = rational(power) if ten else None
        return None if unit is None or factor is None else v.scale(factor, unit)
    if op == "matrix":
        units = [[printed_unit(entry) for entry in row] for row in args]
        if any(u is None or u.kind != "scalar" for row in units for u in row):
            return None
        data = [u.data[0] for row in units for u in row]
        n, m = len(units), len(units[0])
        if n == m == 1:
            return scalar(data[0])
        if m == 1:
            return Value("column", (n,), data)
        return Value("row", (m,), data) if n == 1 else Value("matrix", (n, m), data)
    return None
