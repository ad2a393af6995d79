"""The trees of formulas, and questions about them that need no model."""
from __future__ import annotations

from fractions import Fraction


#: Ends the name of a family whose first index stands above, in round brackets.
UPPER = "^()"


class Node:
    """A part of a formula: an operation, its arguments and its span in the source. `memo` is the evaluator's."""

    __slots__ = ("op", "args", "start", "end", "memo")

    def __init__(self, op, args, start, end):
        self.op, self.args, self.start, self.end, self.memo = op, args, start, end, None

    def __repr__(self):
        return f"{self.op}{self.args!r}"

    def children(self):
        """The nodes directly below."""
        stack = [self.args]
        while stack:
            item = stack.pop()
            if isinstance(item, Node):
                yield item
            elif isinstance(item, Symbol):
                stack.append([*(item.parts or ()), *([item.upper] if item.upper is not None else [])])
            elif isinstance(item, Binder):
                stack.append([item.conditions, [b for b in (item.low, item.high) if b is not None]])
            elif isinstance(item, (tuple, list)):
                stack.extend(reversed(item))

    def walk(self):
        """This node and all below."""
        yield self
        for child in self.children():
            yield from child.walk()


class Symbol:
    """A symbol as written: base with accents and style, subscript and bracketed superscript.

    `stem` is the base without the bracketed superscript and `upper` what stands in that, as a node if it is a formula: a
    part of the name (``W^{(f)}``) or an index (``W^{(t)}``). `sub` is the subscript's text in one spelling, `parts` its comma-separated entries as nodes (None where they are not
    formulas, as in ``W_{\\text{in}}``), `juxtaposed` tells ``ij`` from ``i,j``, `counts` says how many parts each entry
    gave.
    """

    __slots__ = ("base", "sub", "texts", "parts", "juxtaposed", "shown", "counts", "stem", "upper")

    def __init__(self, base, sub, texts, parts, juxtaposed, shown, counts=(), stem=None, upper=None):
        self.base, self.sub, self.texts, self.parts = base, sub, texts, parts
        self.juxtaposed, self.shown, self.counts = juxtaposed, shown, counts
        self.stem, self.upper = stem, upper

    @property
    def kronecker(self):
        """Whether this looks like the Kronecker delta: two indices on a \\delta."""
        return self.base == "\\delta" and bool(self.parts) and len(self.parts) == 2

    @property
    def name(self):
        return self.base if self.sub is None else f"{self.base}_{self.sub}"

    def __repr__(self):
        return self.name


class Binder:
    """The index variables of a sum or product with their bounds and conditions."""

    __slots__ = ("variables", "low", "high", "conditions")

    def __init__(self, variables, low, high, conditions):
        self.variables, self.low, self.high, self.conditions = variables, low, high, conditions


class Chain:
    """`A = B <= C`: sides and the relations between them."""

    __slots__ = ("sides", "relations", "places")

    def __init__(self, sides, relations, places):
        self.sides, self.relations, self.places = sides, relations, places


def ungrouped(node):
    """A node without the brackets around it."""
    while node.op == "group":
        node = node.args[0]
    return node


def letters_below(node):
    """The letters of an index formula."""
    return {n.args[0].base for n in node.walk() if n.op == "sym" and n.args[0].sub is None}


def peers(letter, nodes):
    """The letters that an index is compared with, or whose bound it is."""
    found = set()
    for root in nodes:
        for node in root.walk():
            groups = []
            if node.op in ("bigsum", "prod", "prod_left", "hprod"):
                binder = node.args[0]
                groups += [[a, b] for _, a, b in binder.conditions]
                bounds = [b for b in (binder.low, binder.high) if b is not None]
                if any(letter in letters_below(b) for b in bounds):
                    found |= set(binder.variables)
            elif node.op == "iverson":
                groups.append(node.args[0])
            elif node.op == "sym" and node.args[0].kronecker:
                groups.append(node.args[0].parts)
            for group in groups:
                letters = [letters_below(side) for side in group]
                if any(letter in side for side in letters):
                    found |= set().union(*letters)
    return found


def rational(node):
    """The exact value of a formula of numbers alone, or None."""
    op, args = node.op, node.args
    if op == "num":
        return args[0]
    if op == "group":
        return rational(args[0])
    if op == "sum":
        total = Fraction(0)
        for sign, term in args:
            x = rational(term)
            if x is None:
                return None
            total += sign * x
        return total
    if op == "inv":
        a = rational(args[0])
        return 1 / a if a else None
    if op in ("mul", "frac", "div"):
        a, b = rational(args[0]), rational(args[1])
        if a is None or b is None or op != "mul" and b == 0:
            return None
        return a * b if op == "mul" else a / b
    if op == "pow":
        a, b = rational(args[0]), rational(args[1])
        if a is None or b is None or b.denominator != 1 or abs(b) > 400 or a == 0 and b < 0:
            return None
        return a ** int(b)
    return None
