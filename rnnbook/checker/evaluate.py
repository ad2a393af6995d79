"""Evaluate formulas over a model, in any arithmetic, with derivatives by dual numbers.

An `Instance` is a model with sizes, a horizon and values for its free symbols. A `Context` is an instance in which some
symbols have been set free for differentiation: its value of a symbol is a dual number wherever the symbol follows from the
freed one, and that of the context outside otherwise. Contexts nest, and so do derivatives.
"""
from __future__ import annotations

import difflib
import random
import time
from fractions import Fraction

from rnnbook.checker import values as v
from rnnbook.checker.draw import draw
from rnnbook.checker.duals import Dual, function, new_tag, nth_derivative, primal, reciprocal, tangent
from rnnbook.checker.errors import IllTyped, NoProof, ShapeError, Undecided, Undefined
from rnnbook.checker.model import Rule
from rnnbook.checker.values import ZERO, Value, scalar

MAX_TERMS = 20_000
MAX_BITS = 4096
MAX_CONTEXTS = 3
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


class Instance:
    """A model with sizes and values, in one arithmetic."""

    def __init__(self, model, arithmetic, dims, horizon, seed, style="random", pins=(), scale=1, position=0):
        self.model, self.arithmetic, self.dims, self.horizon = model, arithmetic, dims, horizon
        self.seed, self.style, self.pins, self.scale, self.position = seed, style, pins, scale, position
        self.root = Context()
        self.dependencies, self.closures, self.recorders, self.computing = {}, {}, [], set()
        self.budget = Budget(60)
        self.drawn = {}
        self.plain = None
        self.one = arithmetic.number(Fraction(1))
        counts = {}
        for letter, n in dims.items():
            counts.setdefault(n, []).append(letter)
        self.letters = {n: letters[0] for n, letters in counts.items() if len(letters) == 1}

    # -- symbols -------------------------------------------------------------------------------------------------------
    def undefined(self, symbol):
        """The error for a symbol that the model does not define."""
        if (symbol.base, 1) in self.model.families and symbol.sub is None:
            return IllTyped(f"{symbol.shown} needs an index: {symbol.shown}_t")
        if any(base == symbol.base for base, _ in self.model.families):
            return IllTyped(f"{symbol.shown} is not defined with this subscript")
        names = sorted(set(self.model.names()) | set(self.model.dimensions))
        letter = symbol.base.split("{")[-1].rstrip("}").lower()
        close = (difflib.get_close_matches(symbol.name, names, n=1, cutoff=0.6)
                 or difflib.get_close_matches(symbol.base, names, n=1, cutoff=0.5)
                 or [name for name in names if name.split("_")[0].split("{")[-1].rstrip("}").lower() == letter])[:1]
        where = f" in the model {self.model.name!r}" if self.model.name else ""
        hint = f"; did you mean {close[0]}?" if close else ""
        return IllTyped(f"{symbol.shown} is not defined{where}{hint}")

    def split(self, symbol):
        """(family name, index nodes, component nodes) of a symbol, or None if it names no member of the model."""
        families = self.model.families
        if symbol.sub is None:
            return (symbol.base, (), ()) if (symbol.base, 0) in families else None
        if (symbol.name, 0) in families:
            return symbol.name, (), ()
        if symbol.parts is None:
            return None
        texts = symbol.texts
        for r in range(len(texts) - 1, 0, -1):
            name, rest = f"{symbol.base}_{{{','.join(texts[:r])}}}", symbol.parts[sum(symbol.counts[:r]):]
            found = self._arity(name, len(rest))
            if found is not None:
                return name, tuple(rest[:found]), tuple(rest[found:])
        parts = symbol.parts
        if symbol.base == "\\delta" and len(parts) == 2 and symbol.juxtaposed and ("\\delta", 2) not in families \
                and ("\\delta", 0) not in families:
            return None
        arity = self._arity(symbol.base, len(parts))
        if arity is None:
            return None
        return symbol.base, tuple(parts[:arity]), tuple(parts[arity:])

    def _arity(self, name, count):
        for arity in range(min(count, 3), -1, -1):
            if (name, arity) in self.model.families and count - arity <= 2:
                return arity
        return None

    def integer(self, node, env):
        """The value of a formula in whole numbers, or None if it is not one."""
        op, args = node.op, node.args
        if op == "num":
            return int(args[0]) if args[0].denominator == 1 else None
        if op == "sym":
            symbol = args[0]
            if symbol.sub is not None:
                return None
            if symbol.base in env:
                found = env[symbol.base]
                return found if isinstance(found, int) else None
            if (symbol.base, 0) in self.model.families:
                return None
            if symbol.base == "T":
                return self.horizon
            return self.dims.get(symbol.base)
        if op == "group":
            return self.integer(args[0], env)
        if op == "sum":
            total = 0
            for sign, term in args:
                x = self.integer(term, env)
                if x is None:
                    return None
                total += sign * x
            return total
        if op in ("mul", "frac", "div", "pow", "powT"):
            a = self.integer(args[0], env)
            b = None if a is None else self.integer(args[1], env)
            if b is None:
                return None
            if op == "mul":
                if a.bit_length() + b.bit_length() > MAX_BITS:
                    raise Undecided("a number is too large")
                return a * b
            if op in ("pow", "powT"):
                if b < 0:
                    return None
                if b * max(1, a.bit_length()) > MAX_BITS and abs(a) > 1:
                    raise Undecided("a number is too large")
                return a ** b if abs(a) > 1 or b < MAX_BITS else (1 if a == 1 or b == 0 or b % 2 == 0 and a else a)
            return a // b if b and a % b == 0 else None
        return None

    def index(self, node, env):
        """An index as a whole number."""
        i = self.integer(node, env)
        if i is None:
            for letter in sorted({n.args[0].base for n in node.walk() if n.op == "sym"}):
                if letter not in env and (letter, 0) not in self.model.families and letter != "T" and letter not in self.dims:
                    raise IllTyped(f"the index {letter} has no range here", node.start)
            raise IllTyped("an index is a whole number", node.start)
        return i

    def rule(self, name, indices, symbol=None):
        """The rule for one member of a family, and the values of its pattern's letters."""
        rules = self.model.families[name, len(indices)]
        general = None
        for rule in rules:
            env, fits = {}, True
            for item, i in zip(rule.pattern, indices):
                if isinstance(item, str):
                    if env.setdefault(item, i) != i:
                        fits = False
                elif self.integer(item, {}) != i:
                    fits = False
            if not fits:
                continue
            if not env:
                return rule, env
            general = general or (rule, env)
        shown = self.member(name, indices)
        if general is None:
            known = ", ".join(sorted(rule.shown for rule in rules))
            raise IllTyped(f"{shown} is not defined: there is only {known}")
        for letter, i in general[1].items():
            if not 1 <= i <= self.horizon:
                raise IllTyped(f"{shown} does not exist: {letter} = {i} lies outside 1..T (T = {self.horizon}); "
                               f"a range in :for: keeps it inside")
        return general

    @staticmethod
    def member(name, indices):
        if not indices:
            return name
        text = ",".join(map(str, indices))
        return f"{name}_{text}" if len(text) == 1 else f"{name}_{{{text}}}"

    # -- values --------------------------------------------------------------------------------------------------------
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
            result = self._compute(rule, env, key, context) if key == context.expand else self.value(context.parent, key)
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
        if result.kind == "zero" and rule.kind == "definition":
            result = self._zero(rule, key)
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
        from rnnbook.checker.model import Domain
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

    def _zero(self, rule, key):
        """A member defined as 0 takes its shape from its neighbours in the recursion."""
        name, indices = key
        if len(indices) == 1:
            for i in (indices[0] + 1, indices[0] - 1):
                scratch = Instance(self.model, self.arithmetic, self.dims, self.horizon, self.seed, self.style, self.pins)
                scratch.budget = self.budget
                scratch.root.values[key] = ZERO
                scratch.dependencies[key] = set()
                try:
                    if self.rule(name, (i,))[0] is rule:
                        continue
                    sibling = scratch.value(scratch.root, (name, (i,)))
                except (IllTyped, ShapeError, Undefined, NoProof):
                    continue
                if sibling.kind not in v.SHAPELESS:
                    return v.filled(sibling.kind, sibling.dims, self.arithmetic.number(Fraction(0)))
        return scalar(self.arithmetic.number(Fraction(0))) if not indices else ZERO

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
        if self.plain is None:
            self.plain = Instance(self.model, self.arithmetic, self.dims, self.horizon, self.seed, self.style)
            self.plain.budget = self.budget
            if self.arithmetic.symbolic:
                from rnnbook.checker.arithmetic import Floats
                self.plain = Instance(self.model, Floats(), self.dims, self.horizon, self.seed, self.style)
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

    # -- ranges --------------------------------------------------------------------------------------------------------
    def natural_range(self, letter, nodes, env, context, asked=frozenset()):
        """The range of an index from where it stands: 1..T in time, the size in a component; None if it stands nowhere.

        An index that is only compared with another (`i \\le j`, `[i = j]`) has the range of that one.
        """
        found = self._placed_range(letter, nodes, env, context)
        if found is None:
            for peer in sorted(peers(letter, nodes) - asked - {letter}):
                if peer not in self.dims and peer != "T" and (peer, 0) not in self.model.families:
                    found = self.natural_range(peer, nodes, env, context, asked | {letter})
                    if found is not None:
                        break
        return found

    def _placed_range(self, letter, nodes, env, context):
        component = None
        for node in nodes:
            for below in node.walk():
                if below.op == "sym" and below.args[0].parts:
                    found = self.split(below.args[0])
                    if found is None:
                        continue
                    name, indices, components = found
                    for part in indices:
                        if letter in letters_below(part):
                            return 1, self.horizon
                    for position, part in enumerate(components):
                        if letter in letters_below(part):
                            shape = self._shape_of(name, indices, env, context)
                            if shape and position < len(shape):
                                component = component or (1, shape[position])
                elif below.op == "component":
                    for position, part in enumerate(below.args[1]):
                        if letter in letters_below(part) and component is None:
                            guess = dict(env)
                            for other in letters_below(below.args[0]) | {letter}:
                                if other not in guess and (other, 0) not in self.model.families:
                                    guess.setdefault(other, 1)
                            guess.pop("T", None)
                            try:
                                value = self.evaluate(below.args[0], {k: x for k, x in guess.items() if k not in self.dims}, context)
                            except (IllTyped, Undefined):
                                continue
                            if position < len(value.dims):
                                component = (1, value.dims[position])
        return component

    def _shape_of(self, name, indices, env, context):
        guess = []
        for part in indices:
            here = dict(env)
            for other in letters_below(part):
                if other not in self.dims and other != "T":
                    here.setdefault(other, 1)
            guess.append(self.integer(part, here))
        if None in guess:
            return None
        for attempt in (tuple(guess), (1,) * len(guess), (2,) * len(guess), (0,) * len(guess)):
            try:
                value = self.value(self.root, (name, attempt))
            except (IllTyped, Undefined):
                continue
            return value.dims if value.kind != "tensor" else None
        return None

    # -- formulas ------------------------------------------------------------------------------------------------------
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

    def e_num(self, node, env, context):
        x = node.args[0]
        return scalar(self.arithmetic.number(x)) if x else ZERO

    def e_constant(self, node, env, context):
        return scalar(self.arithmetic.function("exp", self.one) if node.args[0] == "e" else self.pi())

    def pi(self):
        if self.arithmetic.symbolic:
            return self.arithmetic.constant("pi")
        return 4 * self.arithmetic.function("arctan", self.one)

    def e_group(self, node, env, context):
        return self.evaluate(node.args[0], env, context)

    def e_sym(self, node, env, context):
        symbol = node.args[0]
        if symbol.sub is None and symbol.base in env:
            found = env[symbol.base]
            if isinstance(found, int):
                return scalar(self.arithmetic.number(Fraction(found))) if found else ZERO
            return found
        memo = node.memo
        if memo is None or memo[0] is not self.model:
            node.memo = memo = (self.model, self.split(symbol))
        found = memo[1]
        if found is None:
            return self._other_symbol(symbol, node, env)
        name, indices, components = found
        key = (name, tuple([self.index(part, env) for part in indices]))
        value = self.value(context, key)
        if components:
            return self.component(value, components, env, symbol.shown)
        return value

    def _other_symbol(self, symbol, node, env):
        """Built-in symbols: sizes, the Kronecker delta, constants."""
        if symbol.sub is None:
            n = self.integer(node, env)
            if n is not None:
                return scalar(self.arithmetic.number(Fraction(n)))
            if symbol.base == "\\pi":
                return scalar(self.pi())
            if symbol.base == "e":
                return scalar(self.arithmetic.function("exp", self.one))
        if symbol.base == "\\delta" and symbol.parts and len(symbol.parts) == 2:
            i, j = (self.index(part, env) for part in symbol.parts)
            return scalar(self.one) if i == j else ZERO
        raise self.undefined(symbol)

    def component(self, value, parts, env, shown):
        """An entry of a vector or matrix."""
        if value.kind == "zero":
            return ZERO
        if value.kind == "matrix" and len(parts) == 1 and parts[0].op == "num" and len(parts[0].args[1]) == 2:
            digits = parts[0].args[1]
            indices = [int(digits[0]), int(digits[1])]
        else:
            indices = [self.index(part, env) for part in parts]
        count = {"column": 1, "row": 1, "matrix": 2}.get(value.kind)
        if count is None or count != len(indices):
            raise IllTyped(f"{shown} takes {len(indices)} component{'s' * (len(indices) > 1)} of {self.describe(value)}",
                           parts[0].start)
        flat = 0
        for i, n in zip(indices, value.dims):
            if not 1 <= i <= n:
                raise IllTyped(f"{shown}: the component {i} lies outside 1..{n}", parts[0].start)
            flat = flat * n + i - 1
        return scalar(value.data[flat])

    def e_component(self, node, env, context):
        value = self.evaluate(node.args[0], env, context)
        return self.component(value, node.args[1], env, "this")

    def e_sum(self, node, env, context):
        total, previous = None, None
        for sign, term in node.args:
            value = self.evaluate(term, env, context)
            if sign < 0:
                value = v.negative(value)
            if total is None:
                total, previous = value, term
            else:
                total = self.two(node, total, value, previous, term, v.add)
                if total.kind not in v.SHAPELESS and value.kind == total.kind:
                    previous = term
        return total

    def e_mul(self, node, env, context):
        left, right = node.args
        a = self.evaluate(left, env, context)
        b = self.evaluate(right, env, context)
        tick = self.budget.tick
        return self.two(node, a, b, left, right, lambda x, y: v.multiply(x, y, tick))

    def e_had(self, node, env, context):
        left, right = node.args
        a = self.evaluate(left, env, context)
        b = self.evaluate(right, env, context)
        return self.two(node, a, b, left, right, lambda x, y: v.elementwise(x, y, lambda p, q: p * q))

    def e_hdiv(self, node, env, context):
        left, right = node.args
        a = self.evaluate(left, env, context)
        b = self.evaluate(right, env, context)
        return self.two(node, a, b, left, right, lambda x, y: v.elementwise(x, y, v.quotient))

    def e_kron(self, node, env, context):
        left, right = node.args
        return self.two(node, self.evaluate(left, env, context), self.evaluate(right, env, context), left, right, v.kronecker)

    def e_frac(self, node, env, context):
        top, bottom = node.args
        a, b = self.evaluate(top, env, context), self.evaluate(bottom, env, context)
        if b.kind == "zero":
            raise Undefined("a division by zero")
        if b.kind == "empty":
            b = scalar(b.data[0])
        if b.kind == "scalar":
            return v.like(a, [v.quotient(x, b.data[0]) for x in a.data])
        if b.kind in v.VECTORS and a.kind in ("scalar", "zero"):
            if a.kind == "zero":
                return v.filled(b.kind, b.dims, 0)
            return v.like(b, [v.quotient(a.data[0], y) for y in b.data])
        note = r": elementwise division is written \oslash" if b.kind in v.VECTORS else ""
        raise Misfit(top, self.describe(a), bottom, self.describe(b), note, node, "cannot be divided by")

    def e_binom(self, node, env, context):
        n, k = self.integer(node.args[0], env), self.integer(node.args[1], env)
        if n is None or k is None or abs(n) > 200:
            raise IllTyped("a binomial coefficient takes small whole numbers")
        result = 1
        for i in range(max(k, 0)):
            result = result * (n - i) // (i + 1)
        return scalar(self.arithmetic.number(Fraction(result if k >= 0 else 0))) if result and k >= 0 else ZERO

    def e_T(self, node, env, context):
        value = self.evaluate(node.args[0], env, context)
        try:
            return v.transpose(value)
        except ShapeError as problem:
            raise IllTyped(str(problem), node.start) from None

    def e_inv(self, node, env, context):
        value = self.evaluate(node.args[0], env, context)
        if value.kind == "matrix":
            if value.dims[0] != value.dims[1]:
                raise IllTyped(f"{self.describe(value)} has no inverse", node.start)
            return v.inverse(value, self.arithmetic, self.budget.tick)
        if value.kind in ("identity", "scalar", "column", "row", "empty"):
            return v.like(value, [v.quotient(self.one, x) for x in value.data])
        if value.kind == "zero":
            raise Undefined("a division by zero")
        raise IllTyped(f"there is no inverse of {self.describe(value)}", node.start)

    def e_powT(self, node, env, context):
        value = self.evaluate(node.args[0], env, context)
        if value.kind not in ("scalar", "zero"):
            raise IllTyped(r"^T could be the transpose or the power T: write ^\top for the transpose", node.start)
        return self.e_pow(node, env, context)

    def e_pow(self, node, env, context):
        base_node, exponent_node = node.args
        exponent = self.integer(exponent_node, env)
        if exponent == 2 and base_node.op == "norm" and base_node.args[1] in ("2", "F"):
            inside = self.evaluate(base_node.args[0], env, context)
            if inside.kind in v.VECTORS or base_node.args[1] == "F" and inside.kind == "matrix":
                return scalar(v.dot(inside.data, inside.data))
        base = self.evaluate(base_node, env, context)
        if exponent is not None:
            return self._power(base, exponent, node)
        if base.kind in ("matrix", "tensor", "identity"):
            raise IllTyped("the power of a matrix is a whole number", exponent_node.start)
        fraction = rational(exponent_node)
        if fraction == Fraction(1, 2):
            return v.like(base, [function(self.arithmetic, "sqrt", x) for x in base.data])
        if fraction is not None and fraction.denominator == 1:
            return self._power(base, int(fraction), node)
        value = self.evaluate(exponent_node, env, context)
        if value.kind == "zero":
            value = scalar(self.arithmetic.number(Fraction(0)))
        if value.kind == "empty":
            value = scalar(value.data[0])
        if value.kind != "scalar":
            raise IllTyped(f"the exponent is {self.describe(value)}, not a scalar", exponent_node.start)
        if base.kind in v.SHAPELESS:
            raise IllTyped(f"a broken power of {self.describe(base)}", node.start)
        p = value.data[0]
        return v.like(base, [self._real_power(x, p) for x in base.data])

    def _real_power(self, x, p):
        if type(x) is Dual or type(p) is Dual or self.arithmetic.symbolic:
            return function(self.arithmetic, "exp", p * function(self.arithmetic, "ln", x))
        return self.arithmetic.power(x, p)

    def _power(self, base, exponent, node):
        try:
            return v.power(base, exponent, self.arithmetic, self.budget.tick)
        except ShapeError:
            raise IllTyped(f"{self.describe(base)} has no powers: only a square matrix has", node.start) from None

    def e_hpow(self, node, env, context):
        base = self.evaluate(node.args[0], env, context)
        exponent = self.integer(node.args[1], env)
        if exponent is None:
            fraction = rational(node.args[1])
            exponent = int(fraction) if fraction is not None and fraction.denominator == 1 else None
        if exponent is None or abs(exponent) > v.MAX_EXPONENT:
            raise IllTyped("an elementwise power is a whole number", node.args[1].start)
        return v.like(base, [v.entry_power(x, exponent) for x in base.data])

    def e_fn(self, node, env, context):
        name, primes, argument = node.args
        return self.apply(name, primes, self.evaluate(argument, env, context), node)

    def apply(self, name, primes, value, node):
        arithmetic = self.arithmetic
        if value.kind == "zero":
            x = nth_derivative(arithmetic, name, primes, arithmetic.number(Fraction(0)))
            return ZERO if not arithmetic.symbolic and x == 0 or arithmetic.symbolic and arithmetic.is_zero(x) else scalar(x)
        if value.kind == "empty":
            value = scalar(value.data[0])
        if value.kind in ("tensor", "identity"):
            raise IllTyped(f"{name} of {self.describe(value)}", node.start)
        if primes:
            return v.like(value, [nth_derivative(arithmetic, name, primes, x) for x in value.data])
        return v.like(value, [function(arithmetic, name, x) for x in value.data])

    def e_call(self, node, env, context):
        name, primes, argument = node.args
        value = self.evaluate(argument, env, context)
        arguments, body, source = self.model.functions[name]
        if len(arguments) != 1:
            raise IllTyped(f"{name} takes {len(arguments)} arguments: only functions of one are read", node.start)
        letter = arguments[0]
        if name in self.computing:
            raise IllTyped(f"the function {name} is defined in terms of itself", node.start)

        def at(x):
            self.budget.tick(8)
            self.computing.add(name)
            try:
                result = self.evaluate(body, {letter: scalar(x)}, context)
            except Misfit as problem:
                raise IllTyped(f"{problem.quote(source)}{IN_DEFINITION}{name})") from None
            finally:
                self.computing.discard(name)
            if result.kind == "zero":
                return 0
            if result.kind != "scalar":
                raise IllTyped(f"{name} is {self.describe(result)}: only scalar functions are applied elementwise", node.start)
            return result.data[0]

        def nth(order, x):
            if order == 0:
                return at(x)
            tag = new_tag()
            return tangent(nth(order - 1, Dual(tag, x, {0: self.one})), tag, 0)

        if value.kind == "zero":
            value = scalar(self.arithmetic.number(Fraction(0)))
        if value.kind in ("tensor", "identity", "empty"):
            raise IllTyped(f"{name} of {self.describe(value)}", node.start)
        return v.like(value, [nth(primes, x) for x in value.data])

    def e_operator(self, node, env, context):
        name, argument = node.args
        value = self.evaluate(argument, env, context)
        tick = self.budget.tick
        try:
            if name == "softmax":
                return v.softmax(value, self.arithmetic)
            if name == "diag":
                if value.kind == "ones":
                    return Value("identity", (), value.data)
                if value.kind == "zero":
                    return ZERO
                return v.diagonal(value)
            if name == "vec":
                return v.vectorised(value)
            if name == "tr":
                if value.kind == "scalar":
                    return value
                if value.kind != "matrix" or value.dims[0] != value.dims[1]:
                    raise ShapeError("only a square matrix has a trace")
                total = 0
                for x in value.data[::value.dims[0] + 1]:
                    total = total + x
                return scalar(total)
            if name == "det":
                return scalar(v.determinant(value, tick))
            if name == "rho":
                return scalar(v.spectral_radius(value, self.arithmetic, tick))
            if name == "logsumexp":
                if value.kind != "column":
                    raise ShapeError("log-sum-exp takes a column")
                total = 0
                for x in value.data:
                    total = total + function(self.arithmetic, "exp", x)
                return scalar(function(self.arithmetic, "ln", total))
        except ShapeError as problem:
            raise IllTyped(f"{problem}; this is {self.describe(value)}", node.start) from None
        raise IllTyped(f"the operator {name} is unknown", node.start)

    def e_extreme(self, node, env, context):
        name, arguments = node.args
        found = [self.evaluate(a, env, context) for a in arguments]
        zero = self.arithmetic.number(Fraction(0))
        shape = next((x for x in found if x.kind not in v.SHAPELESS and x.kind != "scalar"), None)
        columns = []
        for x in found:
            if x.kind == "zero":
                x = scalar(zero)
            if x.kind == "scalar":
                columns.append(x.data * (len(shape.data) if shape else 1))
            elif shape and (x.kind, x.dims) == (shape.kind, shape.dims):
                columns.append(x.data)
            else:
                raise IllTyped(rf"the arguments of \{name} have different shapes", node.start)
        def choose(entries):
            if self.arithmetic.symbolic:
                return self.arithmetic.extreme(name, list(entries))
            return (max if name == "max" else min)(entries, key=primal)

        if len(columns) == 1 and shape:
            return scalar(choose(columns[0]))
        data = [choose(entries) for entries in zip(*columns)]
        return v.like(shape, data) if shape else scalar(data[0])

    def e_abs(self, node, env, context):
        value = self.evaluate(node.args[0], env, context)
        if value.kind in ("scalar", "column", "row"):
            return v.like(value, [function(self.arithmetic, "abs", x) for x in value.data])
        if value.kind == "zero":
            return ZERO
        if value.kind == "empty":
            return scalar(function(self.arithmetic, "abs", value.data[0]))
        raise IllTyped(r"|…| of a matrix: write \det or \lVert…\rVert", node.start)

    def e_norm(self, node, env, context):
        value = self.evaluate(node.args[0], env, context)
        if value.kind == "zero":
            return ZERO
        if value.kind in ("empty", "identity"):
            if node.args[1] == "F" and value.kind == "identity":
                raise IllTyped("the size of the identity is not determined here: write I_n", node.start)
            return scalar(function(self.arithmetic, "abs", value.data[0]))
        try:
            return scalar(v.norm(value, node.args[1], self.arithmetic, self.budget.tick))
        except ShapeError as problem:
            raise IllTyped(f"{problem}: this is {self.describe(value)}", node.start) from None

    def e_inner(self, node, env, context):
        left, right = node.args
        a, b = self.evaluate(left, env, context), self.evaluate(right, env, context)
        def product(x, y):
            full = v.elementwise(x, y, lambda p, q: p * q)
            if full.kind == "zero":
                return ZERO
            if full.kind in v.SHAPELESS or full.kind == "tensor":
                raise ShapeError
            total = 0
            for entry in full.data:
                total = total + entry
            return scalar(total)
        return self.two(node, a, b, left, right, product)

    def e_iverson(self, node, env, context):
        sides, relations = node.args
        found = []
        for side in sides:
            i = self.integer(side, env)
            if i is None:
                value = self.evaluate(side, env, context)
                if value.kind == "zero":
                    i = 0
                elif value.kind == "scalar" and not self.arithmetic.symbolic:
                    i = primal(value.data[0])
                elif self.arithmetic.symbolic:
                    raise NoProof
                else:
                    raise IllTyped("the Iverson bracket compares scalars", side.start)
            found.append(i)
        tests = {"=": lambda a, b: a == b, "ne": lambda a, b: a != b, "<": lambda a, b: a < b, ">": lambda a, b: a > b,
                 "le": lambda a, b: a <= b, "ge": lambda a, b: a >= b}
        for relation, a, b in zip(relations, found, found[1:]):
            if relation not in tests:
                raise IllTyped("this relation does not stand in an Iverson bracket", node.start)
            if not tests[relation](a, b):
                return ZERO
        return scalar(self.one)

    def e_identity(self, node, env, context):
        if node.args[0] is None:
            return Value("identity", (), [self.one])
        n = self.integer(node.args[0], env)
        if n is None or n < 1:
            raise IllTyped("the size of the identity is a whole number", node.start)
        return v.identity(n, self.one)

    def e_filled(self, node, env, context):
        digit, sizes = node.args
        if sizes is None:
            return ZERO if digit == "0" else Value("ones", (), [self.one])
        dims = tuple(self.integer(s, env) for s in sizes)
        if any(n is None or n < 1 for n in dims):
            raise IllTyped("a size is a whole number", node.start)
        return v.filled("column" if len(dims) == 1 else "matrix", dims, self.one if digit == "1" else 0)

    def e_matrix(self, node, env, context):
        rows = [[self.evaluate(entry, env, context) for entry in row] for row in node.args]
        heights, widths = [None] * len(rows), [None] * len(rows[0])
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                if value.kind in ("identity", "empty", "ones_matrix", "ones", "ones_row", "zero"):
                    continue
                size = {"scalar": (1, 1), "column": (*value.dims, 1), "row": (1, *value.dims), "matrix": value.dims}.get(value.kind)
                if size is None:
                    raise IllTyped(f"an entry of the matrix is {self.describe(value)}", node.args[i][j].start)
                for sizes, k, n in ((heights, i, size[0]), (widths, j, size[1])):
                    if sizes[k] not in (None, n):
                        raise IllTyped(f"the blocks of the matrix do not fit: {self.text(node.args[i][j])} is {self.describe(value)}",
                                       node.args[i][j].start)
                    sizes[k] = n
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                if value.kind in ("identity", "empty"):
                    heights[i] = heights[i] or widths[j]
                    widths[j] = widths[j] or heights[i]
        if all(n in (None, 1) for n in heights + widths):
            heights, widths = [1] * len(heights), [1] * len(widths)
        if None in heights or None in widths:
            raise IllTyped("the size of a block is not determined", node.start)
        total = (sum(heights), sum(widths))
        v.check_size(total[0] * total[1])
        data = []
        for i, row in enumerate(rows):
            lines = [[] for _ in range(heights[i])]
            for j, value in enumerate(row):
                if value.kind in v.SHAPELESS:
                    full = v.shaped(value, "matrix", (heights[i], widths[j]))
                    if full is None:
                        raise IllTyped("a block does not fit", node.args[i][j].start)
                    value = full
                for k in range(heights[i]):
                    lines[k] += value.data[k * widths[j]:(k + 1) * widths[j]]
            data += [x for line in lines for x in line]
        if total == (1, 1):
            return scalar(data[0])
        if total[1] == 1:
            return Value("column", (total[0],), data)
        if total[0] == 1:
            return Value("row", (total[1],), data)
        return Value("matrix", total, data)

    def text(self, node):
        return getattr(self, "source", "")[node.start:node.end]

    # -- sums and products over indices --------------------------------------------------------------------------------
    def assignments(self, binder, body, env, context):
        """All values of the bound indices, smallest first."""
        for name in binder.variables:
            if (name, 0) in self.model.families:
                raise IllTyped(f"{name} is a symbol of the model and cannot be an index")
            if name == "T" or name in self.dims and binder.low is None:
                raise IllTyped(f"{name} is a size and cannot be an index")

        def extend(k, here):
            if k == len(binder.variables):
                if self._conditions(binder.conditions, here):
                    yield here
                return
            low, high = self._bounds(binder, binder.variables[k], body, here, context)
            if high - low > MAX_TERMS:
                raise Undecided(f"a sum or product of {high - low + 1} terms is too long")
            for i in range(low, high + 1):
                self.budget.tick()
                yield from extend(k + 1, {**here, binder.variables[k]: i})

        return extend(0, env)

    def _conditions(self, conditions, env):
        tests = {"=": lambda a, b: a == b, "ne": lambda a, b: a != b, "<": lambda a, b: a < b, ">": lambda a, b: a > b,
                 "le": lambda a, b: a <= b, "ge": lambda a, b: a >= b}
        for relation, a, b in conditions:
            if relation not in tests:
                raise IllTyped("this relation does not bound an index", a.start)
            if not tests[relation](self.index(a, env), self.index(b, env)):
                return False
        return True

    def _bounds(self, binder, name, body, env, context):
        if binder.low is not None:
            return self.index(binder.low, env), self.index(binder.high, env)
        low = high = None
        for relation, a, b in binder.conditions:
            if relation in (">", "ge"):
                relation, a, b = {">": "<", "ge": "le"}[relation], b, a
            def is_name(node):
                return node.op == "sym" and node.args[0].sub is None and node.args[0].base == name
            later = set(binder.variables[binder.variables.index(name) + 1:])
            if relation in ("<", "le"):
                if is_name(a) and not later & letters_below(b):
                    high = self.index(b, env) - (relation == "<")
                elif is_name(b) and not later & letters_below(a):
                    low = self.index(a, env) + (relation == "<")
        natural = None
        if low is None or high is None:
            natural = self.natural_range(name, [body], {k: x for k, x in env.items() if k != name}, context)
        if low is None:
            low = natural[0] if natural else 1
        if high is None:
            if natural is None:
                raise IllTyped(f"the range of {name} is not known: give bounds")
            high = natural[1]
        return low, high

    def e_bigsum(self, node, env, context):
        binder, body = node.args
        total = ZERO
        for here in self.assignments(binder, body, env, context):
            value = self.evaluate(body, here, context)
            total = self.two(node, total, value, body, body, v.add)
        return total

    def e_prod(self, node, env, context):
        binder, body = node.args
        factors = [self.evaluate(body, here, context) for here in self.assignments(binder, body, env, context)]
        if node.op == "prod_left":
            factors.reverse()
        if not factors:
            return Value("empty", (), [self.one])
        result, tick = factors[0], self.budget.tick
        for factor in factors[1:]:
            if node.op == "hprod":
                result = self.two(node, result, factor, body, body, lambda x, y: v.elementwise(x, y, lambda p, q: p * q))
            else:
                result = self.two(node, result, factor, body, body, lambda x, y: v.multiply(x, y, tick))
        return result

    def e_hprod(self, node, env, context):
        result = self.e_prod(node, env, context)
        return Value("ones", (), [self.one]) if result.kind == "empty" else result

    # -- derivatives ---------------------------------------------------------------------------------------------------
    def variable(self, node, env, context):
        """(key, component nodes, whether it stands inside vec) of what a derivative is taken by."""
        inside_vec = False
        while node.op == "group":
            node = node.args[0]
        if node.op == "operator" and node.args[0] == "vec":
            inside_vec, node = True, node.args[1]
            while node.op == "group":
                node = node.args[0]
        if node.op == "T":
            raise IllTyped("a derivative by a transpose: differentiate by the symbol itself", node.start)
        if node.op == "component":
            inner, components = node.args
            while inner.op == "group":
                inner = inner.args[0]
            if inner.op == "sym":
                key, before, _ = self.variable(inner, env, context)
                if not before:
                    return key, components, False
        if node.op != "sym":
            raise IllTyped("a derivative is taken by a symbol of the model: give this expression a name there", node.start)
        symbol = node.args[0]
        if symbol.sub is None and symbol.base in env:
            raise IllTyped(f"{symbol.shown} is an index and cannot be differentiated by", node.start)
        found = self.split(symbol)
        if found is None:
            if symbol.sub is None and (symbol.base == "T" or symbol.base in self.dims):
                raise IllTyped(f"{symbol.shown} is a whole number and cannot be differentiated by", node.start)
            problem = self.undefined(symbol)
            problem.at = node.start
            raise problem
        name, indices, components = found
        key = (name, tuple([self.index(part, env) for part in indices]))
        rule, _ = self.rule(*key)
        if rule.kind == "abbreviation":
            raise IllTyped(f"{symbol.shown} is an abbreviation and not part of the graph: nothing is differentiated by it",
                           node.start)
        return key, components, inside_vec

    def freed(self, context, key, immediate, expand):
        """The context inside this one in which a symbol is free."""
        name = (key, immediate, expand)
        child = context.children.get(name)
        if child is None:
            value = self.value(context, key)
            if value.kind in v.SHAPELESS or value.kind == "tensor":
                if value.kind == "tensor":
                    raise IllTyped(f"a derivative by {self.member(*key)}, which is {self.describe(value)}")
                raise IllTyped(f"the shape of {self.member(*key)} is not determined")
            if context.depth >= MAX_CONTEXTS:
                raise Undecided(f"derivatives are nested deeper than {MAX_CONTEXTS} times")
            child = Context(context, key, immediate, expand)
            child.values[key] = v.like(value, [Dual(child.tag, x, {i: self.one}) for i, x in enumerate(value.data)])
            context.children[name] = child
        return child

    def differentiate(self, numerator, variable, env, context, flavour, inner, gradient=False, last=True):
        """Derivative of what `inner` computes in the context where the variable is free."""
        key, components, inside_vec = self.variable(variable, env, context)
        expand = None
        immediate = flavour == "immediate"
        if immediate and numerator is not None:
            expand = self._direct(numerator, env)
        child = self.freed(context, key, immediate, expand)
        at = child.values[key]
        value = inner(child)
        return self._extract(value, child.tag, at, components, env, inside_vec, gradient, variable,
                             numerator if last else None)

    def _direct(self, node, env):
        """The symbol whose own definition an immediate derivative looks into."""
        while True:
            if node.op in ("group", "T", "component"):
                node = node.args[0]
            elif node.op == "operator" and node.args[0] in ("vec",):
                node = node.args[1]
            else:
                break
        if node.op != "sym":
            return None
        found = self.split(node.args[0])
        if found is None:
            return None
        name, indices, _ = found
        return name, tuple([self.index(part, env) for part in indices])

    def _extract(self, value, tag, at, components, env, inside_vec, gradient, variable, numerator):
        size = len(at.data)
        b_kind, b_dims = at.kind, at.dims
        order = range(size)
        if components:
            flat = self.component(like_indices(at), components, env, self.text(variable) or "this").data[0]
            order, b_kind, b_dims = [flat], "scalar", ()
        elif inside_vec:
            if b_kind == "matrix":
                n, m = b_dims
                order = [i * m + j for j in range(m) for i in range(n)]
            b_kind, b_dims = "column", (size,)
        if value.kind in v.SHAPELESS:
            if value.kind == "empty":
                value = scalar(value.data[0])
            elif value.kind != "zero":
                raise IllTyped(f"the derivative of {self.describe(value)}", variable.start)
        if value.kind == "zero":
            return v.filled(b_kind, b_dims, 0) if gradient else ZERO
        if gradient:
            if value.kind != "scalar":
                raise IllTyped(rf"\nabla is the gradient of a scalar, and this is {self.describe(value)}",
                               numerator.start if numerator else variable.start)
            return Value(b_kind, b_dims, [tangent(value.data[0], tag, i) for i in order])
        data = [tangent(x, tag, i) for x in value.data for i in order]
        if b_kind == "scalar":
            return v.like(value, data)
        if value.kind == "scalar":
            if b_kind == "matrix" or self.model.layout == "gradient":
                return Value(b_kind, b_dims, data)
            return Value("row" if b_kind == "column" else "column", b_dims, data)
        if value.kind == "row" and numerator is not None and ungrouped(numerator).op != "derivative":
            raise IllTyped("the derivative of a row by a vector has no layout of its own: differentiate the column",
                           numerator.start)
        if value.kind in v.VECTORS and b_kind in v.VECTORS:
            return Value("matrix", (value.dims[0], b_dims[0]), data)
        if value.kind == "tensor":
            raise IllTyped("a derivative of fourth order or higher", variable.start)
        v.check_size(len(data))
        kind = "column" if value.kind in v.VECTORS else value.kind
        return Value("tensor", ((kind, value.dims), (b_kind, b_dims)), data)

    def e_derivative(self, node, env, context):
        flavour, numerator, variables = node.args
        if flavour == "partial" and self.model.partial == "immediate":
            flavour = "immediate"
        cache_key = None
        if numerator.op == "sym" and len(variables) == 1 and variables[0].op == "sym":
            memo = node.memo
            if memo is None or memo[0] is not self.model:
                node.memo = memo = (self.model, self.split(numerator.args[0]), self.split(variables[0].args[0]))
            if memo[1] and memo[2] and not memo[1][2] and not memo[2][2]:
                cache_key = (flavour, memo[1][0], tuple([self.index(p, env) for p in memo[1][1]]),
                             memo[2][0], tuple([self.index(p, env) for p in memo[2][1]]))
                found = context.results.get(cache_key)
                if found is not None:
                    return found

        def inner(k, here):
            if k == len(variables):
                return self.evaluate(numerator, env, here)
            return self.differentiate(numerator, variables[k], env, here, flavour, lambda child: inner(k + 1, child),
                                      last=k == len(variables) - 1)

        result = inner(0, context)
        if cache_key is not None:
            context.results[cache_key] = result
        return result

    def e_gradient(self, node, env, context):
        operand, variable, order = node.args
        if order == 1:
            return self.differentiate(operand, variable, env, context, "total", lambda c: self.evaluate(operand, env, c), gradient=True)

        def gradient(c):
            return self.differentiate(operand, variable, env, c, "total", lambda d: self.evaluate(operand, env, d), gradient=True)
        return self.differentiate(operand, variable, env, context, "total", gradient, last=False)


class Misfit(IllTyped):
    """Two factors whose shapes do not fit; quotes them when the source is known."""

    def __init__(self, left, left_shape, right, right_shape, note, node, verb="do not fit"):
        self.left, self.right, self.verb = left, right, verb
        self.shapes, self.note = (left_shape, right_shape), note
        self.operation = node.op
        super().__init__("", node.start)

    def quote(self, source):
        a, b = (" ".join(source[n.start:n.end].split()) for n in (self.left, self.right))
        if self.verb != "do not fit":
            return f"{a}, {self.shapes[0]}, {self.verb} {b}, {self.shapes[1]}{self.note}"
        what = {"mul": "the product of", "sum": "the sum of", "bigsum": "the sum of", "had": "the elementwise product of",
                "hdiv": "the elementwise quotient of", "inner": "the inner product of"}.get(self.operation, "the combination of")
        return f"shapes do not fit in {what} {a}, {self.shapes[0]}, and {b}, {self.shapes[1]}{self.note}"


def like_indices(value):
    return Value(value.kind, value.dims, list(range(len(value.data))))


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
            elif node.op == "sym" and node.args[0].base == "\\delta" and node.args[0].parts and len(node.args[0].parts) == 2:
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


_METHODS = {name[2:]: method for name, method in vars(Instance).items() if name.startswith("e_")}
_METHODS["div"] = Instance.e_frac
_METHODS["prod_left"] = Instance.e_prod
__all__ = ["Budget", "Context", "Instance", "Misfit", "Pin", "Rule", "letters_below", "rational", "reciprocal"]
