"""Evaluate formulas over a model, in any arithmetic, with derivatives by dual numbers.

An `Instance` is a model with sizes, a horizon and values for its free symbols. A `Context` is an instance in which some
symbols have been set free for differentiation: its value of a symbol is a dual number wherever the symbol follows from
the freed one, and that of the context outside otherwise. Contexts nest, and so do derivatives.
"""
from __future__ import annotations

from fractions import Fraction

from rnnbook.checker import values as v
from rnnbook.checker.context import IN_DEFINITION, Budget, Context, Misfit
from rnnbook.checker.derivatives import Derivatives
from rnnbook.checker.errors import IllTyped, ShapeError
from rnnbook.checker.formulas import Formulas
from rnnbook.checker.members import Members
from rnnbook.checker.naming import Naming


class Instance(Naming, Members, Formulas, Derivatives):
    """A model with sizes and values, in one arithmetic."""

    def __init__(self, model, arithmetic, dims, horizon, seed, style="random", pins=(), scale=1, position=0):
        self.model, self.arithmetic, self.dims, self.horizon = model, arithmetic, dims, horizon
        self.seed, self.style, self.pins, self.scale, self.position = seed, style, pins, scale, position
        self.root = Context()
        self.dependencies, self.closures, self.recorders, self.computing = {}, {}, [], set()
        self.budget = Budget(60)
        self.drawn = {}
        self.plain = None
        #: The shapes of members that are defined as constants; whether they may be left out; instances of the models extended.
        self.constant_shapes, self.assumed, self.before = {}, False, {}
        self.one = arithmetic.number(Fraction(1))
        counts = {}
        for letter, n in dims.items():
            counts.setdefault(n, []).append(letter)
        self.letters = {n: letters[0] for n, letters in counts.items() if len(letters) == 1}

    def evaluate(self, node, env, context):
        """The value of a formula; env gives the indices."""
        self.budget.tick()
        try:
            return _METHODS[node.op](self, node, env, context)
        except IllTyped as problem:
            if problem.at is None and IN_DEFINITION not in problem.message:
                problem.at = node.start
            raise

    def describe(self, value):
        return v.describe(value.kind, value.dims, self.letters)

    def two(self, node, a, b, left, right, what):
        """Combine two values; a misfit names both factors as printed."""
        try:
            return what(a, b)
        except ShapeError as problem:
            note = f" ({problem})" if str(problem) else ""
            raise Misfit(left, self.describe(a), right, self.describe(b), note, node) from None


_METHODS = {name[2:]: getattr(Instance, name) for name in dir(Instance) if name.startswith("e_")}
_METHODS["div"] = Instance.e_frac
_METHODS["prod_left"] = Instance.e_prod
