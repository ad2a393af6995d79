"""The value of every kind of formula but derivatives."""
from __future__ import annotations

from fractions import Fraction

from rnnbook.checker import values as v
from rnnbook.checker.context import IN_DEFINITION, Misfit
from rnnbook.checker.duals import Dual, function, new_tag, nth_derivative, primal, tangent
from rnnbook.checker.errors import IllTyped, NoProof, ShapeError, Undecided, Undefined
from rnnbook.checker.syntax import letters_below, rational
from rnnbook.checker.values import ZERO, Value, scalar

MAX_TERMS = 20_000


def hadamard(a, b):
    return v.elementwise(a, b, lambda x, y: x * y)


class Formulas:
    """The part of an `Instance` that evaluates formulas: a method `e_…` for each operation of the tree."""

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
        if symbol.kronecker:
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
            plural = "s" * (len(indices) > 1)
            raise IllTyped(f"{shown} takes {len(indices)} component{plural} of {self.describe(value)}", parts[0].start)
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
        return self.two(node, a, b, left, right, hadamard)

    def e_hdiv(self, node, env, context):
        left, right = node.args
        a = self.evaluate(left, env, context)
        b = self.evaluate(right, env, context)
        return self.two(node, a, b, left, right, lambda x, y: v.elementwise(x, y, v.quotient))

    def e_kron(self, node, env, context):
        left, right = node.args
        return self.two(node, self.evaluate(left, env, context), self.evaluate(right, env, context), left, right,
                        v.kronecker)

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
        if self.model.transpose == "T":
            return self.e_T(node, env, context)
        value = self.evaluate(node.args[0], env, context)
        if value.kind not in ("scalar", "zero"):
            raise IllTyped(r"^T could be the transpose or the power T: write ^\top for the transpose "
                           "(or, if it never is the power, say `transpose = T`)", node.start)
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
            return ZERO if primal(x) == 0 and type(x) is not Dual else scalar(x)
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
                raise IllTyped(f"{name} is {self.describe(result)}: only scalar functions are applied elementwise",
                               node.start)
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
                size = {"scalar": (1, 1), "column": (*value.dims, 1), "row": (1, *value.dims),
                        "matrix": value.dims}.get(value.kind)
                if size is None:
                    raise IllTyped(f"an entry of the matrix is {self.describe(value)}", node.args[i][j].start)
                for sizes, k, n in ((heights, i, size[0]), (widths, j, size[1])):
                    if sizes[k] not in (None, n):
                        block = node.args[i][j]
                        raise IllTyped(f"the blocks of the matrix do not fit: {self.text(block)} is "
                                       f"{self.describe(value)}", block.start)
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
                result = self.two(node, result, factor, body, body, hadamard)
            else:
                result = self.two(node, result, factor, body, body, lambda x, y: v.multiply(x, y, tick))
        return result

    def e_reach(self, node, env, context):
        """A product whose reach is decided by shapes: see `OperatorParser.reach`."""
        binder, body, longest, shortest = node.args
        if node.memo is None or node.memo[0] is not self:
            node.memo = self, self._repeats(binder, body, env)
        return self.evaluate(longest if node.memo[1] else shortest, env, context)

    def _repeats(self, binder, body, env):
        """Whether the value of a formula can be multiplied with itself, as seen at the first small index with a value."""
        for guess in range(1, self.horizon + 1):
            try:
                value = self.evaluate(body, {**env, **dict.fromkeys(binder.variables, guess)}, self.root)
            except (IllTyped, Undefined):
                continue
            return value.kind in ("scalar", "zero", "identity") or value.kind == "matrix" and value.dims[0] == value.dims[1]
        return True

    def e_hprod(self, node, env, context):
        result = self.e_prod(node, env, context)
        return Value("ones", (), [self.one]) if result.kind == "empty" else result
