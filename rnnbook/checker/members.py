"""The values of a model's members: drawn, computed from their definitions, pinned."""
from __future__ import annotations

import random
from fractions import Fraction

from rnnbook.checker import values as v
from rnnbook.checker.arithmetic import Floats
from rnnbook.checker.context import IN_DEFINITION, Misfit
from rnnbook.checker.draw import draw
from rnnbook.checker.errors import IllTyped, NoProof, ShapeError, Undecided, Undefined
from rnnbook.checker.model import Domain
from rnnbook.checker.syntax import rational, ungrouped
from rnnbook.checker.values import ZERO, Value, scalar


def is_constant(rule):
    """Whether a rule defines a member as a number, or as 0, I or ones without a size: none of them says which shape it has."""
    if rule.kind != "definition":
        return False
    body = ungrouped(rule.body)
    return rational(body) is not None or body.op == "identity" and body.args[0] is None or body.op == "filled" and body.args[1] is None


class Members:
    """The part of an `Instance` that knows its members' values, in every context."""

    def value(self, context, key):
        """The value of a member of the model in a context."""
        found = context.values.get(key)
        if found is not None:
            if self.recorders:
                self.recorders[-1].add(key)
            return found
        if context.parent is None:
            return self._base(context, key)
        base = self.value(self.root, key)
        rule, env = self.rule(*key)
        if rule.kind == "abbreviation":
            result = base
        elif context.immediate:
            if key == context.expand:
                result = self._compute(rule, env, key, context)
            else:
                result = self.value(context.parent, key)
        elif context.key in self.closure(key):
            result = self._compute(rule, env, key, context)
        else:
            result = self.value(context.parent, key)
        context.values[key] = result
        return result

    def _base(self, context, key):
        if key in self.computing:
            raise IllTyped(f"{self.member(*key)} is defined in terms of itself")
        name, indices = key
        if len(indices) == 1 and indices[0] > 6 and (name, (indices[0] - 1,)) not in context.values:
            self._warm(context, name, indices[0])
        rule, env = self.rule(name, indices)
        self.computing.add(key)
        self.recorders.append(set())
        try:
            if len(self.computing) > 100:
                raise Undecided("the definitions reach too deep")
            result = self._compute(rule, env, key, context)
        finally:
            self.computing.discard(key)
            seen = self.recorders.pop()
        self.dependencies[key] = seen
        context.values[key] = result
        if self.recorders:
            self.recorders[-1].add(key)
        return result

    def _warm(self, context, name, last):
        """Compute the members of a recursion in the order in which they follow from one another."""
        rule, _ = self.rule(name, (last,))
        if rule.body is None or any(n.op == "sum" and any(s == 1 for s, _ in n.args[1:]) for node in rule.body.walk()
                                    if node.op == "sym" for part in node.args[0].parts or () for n in part.walk()):
            return
        for i in range(1, last):
            if (name, (i,)) not in self.computing:
                self.value(context, (name, (i,)))

    def closure(self, key):
        """All members that a member follows from."""
        found = self.closures.get(key)
        if found is None:
            found, stack = set(), [key]
            while stack:
                for below in self.dependencies.get(stack.pop(), ()):
                    if below not in found:
                        found.add(below)
                        stack.append(below)
            self.closures[key] = found
        return found

    def _compute(self, rule, env, key, context):
        self.budget.tick(16)
        pin = self._pin(key) if self.pins else None
        if pin is not None:
            return self._pinned(pin, key, context)
        if rule.kind == "free":
            return self.free(rule.domain, key)
        if rule.components:
            result = self._by_components(rule, env, context)
        else:
            try:
                result = self.evaluate(rule.body, env, self.root if rule.kind == "abbreviation" else context)
            except IllTyped as problem:
                if IN_DEFINITION in problem.message:
                    raise
                message = problem.quote(rule.source) if isinstance(problem, Misfit) else problem.message
                raise IllTyped(f"{message}{IN_DEFINITION}{rule.shown})") from None
        if rule.kind == "definition" and (result.kind in v.SHAPELESS or result.kind == "scalar" and self.model.base is not None
                                          and is_constant(rule)):
            result = self._constant(result, rule, key)
        if self.arithmetic.symbolic and rule.kind == "definition":
            result = self.arithmetic.named(key, result)
        return result

    def free(self, domain, key):
        """The value of a free symbol."""
        kind, dims = self.shape(domain)
        v.check_size(v.size(kind, dims))
        if self.arithmetic.symbolic:
            return Value(kind, dims, self.arithmetic.free(key, self._exact(domain), kind, dims))
        if key not in self.drawn:
            rng = random.Random(f"{self.model.name} {self.seed} {key}")
            position = self.position + sum(key[1]) + (rng.randrange(7) if domain.kind == "set" else 0)
            if domain.kind == "set":
                rank = sorted(k for k, rules in self.model.families.items()
                              if any(r.domain and r.domain.kind == "set" for r in rules)).index((key[0], len(key[1])))
                n = max(1, len(domain.elements))
                position = (self.position // n ** rank if rank < 6 else rng.randrange(7)) + sum(key[1])
            self.drawn[key] = draw(self._exact(domain), kind, dims, rng, self.style, position, self.scale)
        return Value(kind, dims, [self.arithmetic.number(x) for x in self.drawn[key]])

    def _exact(self, domain):
        """The domain with its bounds and elements as exact numbers."""
        if domain.kind not in ("interval", "set"):
            return domain
        def exact(bound):
            if isinstance(bound, str) or bound is None:
                return bound
            found = rational(bound)
            if found is None:
                raise IllTyped("a bound is a number")
            return found
        return Domain(domain.kind, domain.shape, exact(domain.low), exact(domain.high),
                      tuple(exact(e) for e in domain.elements))

    def shape(self, domain):
        sizes = []
        for node in domain.shape:
            n = self.integer(node, {})
            if n is None or n < 1:
                raise IllTyped("a size is a whole number")
            sizes.append(n)
        if not sizes:
            return "scalar", ()
        if len(sizes) == 1:
            return "column", (sizes[0],)
        def is_one(node):
            return node.op == "num"
        if sizes[1] == 1 and is_one(domain.shape[1]):
            return ("scalar", ()) if sizes[0] == 1 and is_one(domain.shape[0]) else ("column", (sizes[0],))
        if sizes[0] == 1 and is_one(domain.shape[0]):
            return "row", (sizes[1],)
        return "matrix", tuple(sizes)

    def _by_components(self, rule, env, context):
        """A vector or matrix that is defined entry by entry."""
        ranges = []
        for letter in rule.components:
            reach = self.natural_range(letter, [rule.body], env, context)
            if reach is None:
                raise IllTyped(f"the range of {letter} in the definition of {rule.shown} is not known")
            ranges.append(reach[1])
        data, names = [], rule.components
        v.check_size(ranges[0] * (ranges[1] if len(ranges) > 1 else 1))
        for i in range(1, ranges[0] + 1):
            for j in range(1, (ranges[1] if len(ranges) > 1 else 1) + 1):
                here = {**env, names[0]: i}
                if len(names) > 1:
                    here[names[1]] = j
                entry = self.evaluate(rule.body, here, context)
                if entry.kind == "zero":
                    entry = scalar(0)
                if entry.kind != "scalar":
                    raise IllTyped(f"{rule.shown} is defined by components, but its right side is "
                                   f"{v.describe(entry.kind, entry.dims, self.letters)}")
                data.append(entry.data[0])
        if len(names) == 1:
            return Value("column", (ranges[0],), data)
        return Value("matrix", tuple(ranges), data)

    def _constant(self, result, rule, key):
        """A member defined as a constant in the shape that it has to have: 0, I and ones have none of their own, and a number that
        stands in place of a vector fills it.
        """
        number = result.kind == "scalar"
        if key not in self.constant_shapes:
            shape = None if number else self._shape_beside(rule, key)
            if shape is None or shape.kind == "scalar":
                shape = self._shape_before(key) or shape
            self.constant_shapes[key] = shape and (shape.kind, shape.dims)
        shape = self.constant_shapes[key]
        if shape is None:
            return scalar(self.arithmetic.number(Fraction(0))) if result.kind == "zero" and not key[1] else result
        if number:
            return v.filled(*shape, result.data[0]) if shape[0] in v.VECTORS else result
        if result.kind == "zero":
            return v.filled(*shape, self.arithmetic.number(Fraction(0)))
        return v.shaped(result, *shape) or result

    def _shape_beside(self, rule, key):
        """The value of a neighbour in the recursion while all constants without a shape are left so, or None."""
        name, indices = key
        if len(indices) != 1 or self.assumed:
            return None
        for i in (indices[0] + 1, indices[0] - 1):
            scratch = type(self)(self.model, self.arithmetic, self.dims, self.horizon, self.seed, self.style, self.pins)
            scratch.budget, scratch.assumed, scratch.before = self.budget, True, self.before
            try:
                if self.rule(name, (i,))[0] is rule:
                    continue
                sibling = scratch.value(scratch.root, (name, (i,)))
            except (IllTyped, ShapeError, Undefined, NoProof):
                continue
            if sibling.kind not in v.SHAPELESS:
                return sibling
        return None

    def _shape_before(self, key):
        """The value that the member has in the model that this one extends, where it is more than a constant there; or None."""
        base = self.model.base
        while base is not None:
            before = self.before.get(id(base))
            if before is None:
                arithmetic = Floats() if self.arithmetic.symbolic else self.arithmetic
                before = self.before[id(base)] = type(self)(base, arithmetic, self.dims, self.horizon, self.seed, self.style)
                before.before = self.before
            before.budget = self.budget
            try:
                rule, _ = before.rule(*key) if (key[0], len(key[1])) in base.families else (None, None)
                if rule is not None and not is_constant(rule):
                    found = before.value(before.root, key)
                    return None if found.kind in v.SHAPELESS else found
            except (IllTyped, ShapeError, Undefined, NoProof):
                return None
            base = base.base
        return None

    def _pin(self, key):
        for pin in self.pins:
            if pin.name != key[0] or len(pin.pattern) != len(key[1]):
                continue
            env = {}
            for item, i in zip(pin.pattern, key[1]):
                letters = [n.args[0].base for n in item.walk() if n.op == "sym" and n.args[0].base != "T"
                           and n.args[0].base not in self.dims]
                if not letters:
                    if self.integer(item, {}) != i:
                        break
                    continue
                for candidate in range(i - 3, i + 4):
                    if self.integer(item, {letters[0]: candidate}) == i:
                        env[letters[0]] = candidate
                        break
                else:
                    break
            else:
                return pin, env
        return None

    def _pinned(self, found, key, context):
        pin, env = found
        result = self.evaluate(pin.body, env, context)
        if self.plain is None:  # the same model without pins, to see which shape the pinned member has
            arithmetic = Floats() if self.arithmetic.symbolic else self.arithmetic
            self.plain = type(self)(self.model, arithmetic, self.dims, self.horizon, self.seed, self.style)
            self.plain.budget = self.budget
        shape = self.plain.value(self.plain.root, key)
        if result.kind in v.SHAPELESS:
            full = v.shaped(result, shape.kind, shape.dims)
        elif result.kind == "scalar" and shape.kind != "scalar":
            full = v.filled(shape.kind, shape.dims, result.data[0]) if shape.kind in v.VECTORS else None
        else:
            full = result if (result.kind, result.dims) == (shape.kind, shape.dims) else None
        if full is None:
            raise IllTyped(f":given: sets {self.member(*key)}, {v.describe(shape.kind, shape.dims, self.letters)}, to "
                           f"{v.describe(result.kind, result.dims, self.letters)}")
        return full
