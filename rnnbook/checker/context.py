"""What an evaluation carries along: limits, the symbols set free, assumptions that pin, errors that quote."""
from __future__ import annotations

import time

from rnnbook.checker.duals import new_tag
from rnnbook.checker.errors import IllTyped, Undecided

IN_DEFINITION = " (in the definition of "


class Budget:
    """A deadline, and perhaps a number of steps, that the evaluator's loops look at."""

    def __init__(self, seconds, steps=None):
        self.deadline = time.perf_counter() + seconds
        self.total, self.limit, self.next_look = 0, steps, 256

    def tick(self, n=1):
        self.total += n
        if self.total >= self.next_look:
            self.next_look = self.total + 256
            if self.exhausted():
                raise Undecided("the time limit was reached")

    def exhausted(self):
        return self.limit is not None and self.total > self.limit or time.perf_counter() > self.deadline


class Context:
    """Values of symbols while `key` is free; `parent` is the context outside."""

    __slots__ = ("parent", "key", "tag", "values", "children", "immediate", "expand", "depth", "results")

    def __init__(self, parent=None, key=None, immediate=False, expand=None):
        self.parent, self.key, self.immediate, self.expand = parent, key, immediate, expand
        self.tag = new_tag() if parent else 0
        self.values, self.children, self.results = {}, {}, {}
        self.depth = parent.depth + 1 if parent else 0


class Pin:
    """`f_t = 1` from `:given:`: the definition of a symbol is cut and a value stands instead."""

    def __init__(self, name, pattern, body, source):
        self.name, self.pattern, self.body, self.source = name, pattern, body, source


class Misfit(IllTyped):
    """Two factors whose shapes do not fit; quotes them when the source is known."""

    def __init__(self, left, left_shape, right, right_shape, note, node, verb="do not fit"):
        self.left, self.right, self.verb = left, right, verb
        self.shapes, self.note = (left_shape, right_shape), note
        self.operation = node.op
        super().__init__("", node.start)

    def quote(self, source):
        # in backticks, so that a page can typeset them
        a, b = (f"`{' '.join(source[n.start:n.end].split())}`" for n in (self.left, self.right))
        if self.verb != "do not fit":
            return f"{a}, {self.shapes[0]}, {self.verb} {b}, {self.shapes[1]}{self.note}"
        names = {"mul": "product", "sum": "sum", "bigsum": "sum", "had": "elementwise product",
                 "hdiv": "elementwise quotient", "inner": "inner product"}
        what = f"the {names.get(self.operation, 'combination')} of"
        return f"shapes do not fit in {what} {a}, {self.shapes[0]}, and {b}, {self.shapes[1]}{self.note}"
