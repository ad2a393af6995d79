"""The arithmetic of proofs: quotients of polynomials in generators.

A generator stands for an entry of a free symbol, for the value of a function at an argument (`tanh` of something), or
for the value of a defined symbol that is left opaque. Derivatives of the functions are polynomials in their values, so
that the two sides of a claim become quotients of polynomials. Generators count as independent but for the relations
that are used by substitution (a one-hot vector, a finite set, a square root): a zero difference is a proof, anything
else proves nothing.

Polynomials are dictionaries from monomials to rational coefficients; a monomial is an integer with eight bits for the
exponent of each generator, so that a product of monomials is one addition, and new generators can come at any time.
"""
from __future__ import annotations

from fractions import Fraction

from rnnbook.checker.duals import Dual, primal
from rnnbook.checker.errors import NoProof, TooLarge, Undefined
from rnnbook.checker.values import Value, determinant, like, quotient

BITS = 8
MAX_DEGREE = 200
MAX_TERMS = 6_000
MAX_PRODUCT = 100_000
_MASK = (1 << BITS) - 1


def _normal(c):
    return c.numerator if type(c) is Fraction and c.denominator == 1 else c


class Quotient:
    """num / product of factors ** exponents; `den` is a sorted tuple of (factor, exponent)."""

    __slots__ = ("a", "num", "den", "degree")

    def __init__(self, a, num, den=(), degree=0):
        self.a, self.num, self.den, self.degree = a, num, den, degree

    def _lift(self, other):
        if type(other) is Quotient:
            return other
        if isinstance(other, (int, Fraction)):
            return Quotient(self.a, {0: _normal(other)} if other else {})
        return None

    def __add__(self, other):
        if type(other) is Dual:
            return NotImplemented
        other = self._lift(other)
        if other is None:
            raise NoProof
        if not self.num:
            return other
        if not other.num:
            return self
        a = self.a
        x, y, den, dx, dy = self.num, other.num, self.den, self.degree, other.degree
        if self.den != other.den:
            mine, theirs = dict(self.den), dict(other.den)
            merged = dict(mine)
            for factor, exponent in theirs.items():
                merged[factor] = max(merged.get(factor, 0), exponent)
            for factor, exponent in merged.items():
                for _ in range(exponent - mine.get(factor, 0)):
                    x, dx = a.product(x, a.factors[factor]), dx + a.factor_degrees[factor]
                for _ in range(exponent - theirs.get(factor, 0)):
                    y, dy = a.product(y, a.factors[factor]), dy + a.factor_degrees[factor]
            den = tuple(sorted(merged.items()))
        if len(x) < len(y):
            x, y = y, x
        total = dict(x)
        for m, c in y.items():
            new = total.get(m, 0) + c
            if new:
                total[m] = new
            else:
                del total[m]
        a.budget.tick(1 + len(y) // 4)
        return Quotient(a, total, den if total else (), max(dx, dy))

    __radd__ = __add__

    def __neg__(self):
        return Quotient(self.a, {m: -c for m, c in self.num.items()}, self.den, self.degree)

    def __sub__(self, other):
        if type(other) is Dual:
            return NotImplemented
        return self + (-other)

    def __rsub__(self, other):
        return (-self) + other

    def __mul__(self, other):
        if type(other) is Dual:
            return NotImplemented
        other = self._lift(other)
        if other is None:
            raise NoProof
        a = self.a
        if not self.num or not other.num:
            return Quotient(a, {})
        degree = self.degree + other.degree
        if degree > MAX_DEGREE:
            raise TooLarge
        num = a.product(self.num, other.num)
        if not self.den and not other.den:
            return Quotient(a, num, (), degree)
        merged = dict(self.den)
        for factor, exponent in other.den:
            merged[factor] = merged.get(factor, 0) + exponent
        return a.cancelled(num, merged, degree)

    __rmul__ = __mul__

    def __truediv__(self, other):
        if type(other) is Dual:
            return NotImplemented
        other = self._lift(other)
        if other is None:
            raise NoProof
        return self * self.a.inverted(other)

    def __rtruediv__(self, other):
        other = self._lift(other)
        if other is None:
            raise NoProof
        return other * self.a.inverted(self)

    def __eq__(self, other):
        if isinstance(other, (int, Fraction)) and other == 0:
            return not self.num
        return NotImplemented

    __hash__ = None

    def constant(self):
        """The rational that this is, or None."""
        if self.den or any(m for m in self.num):
            return None
        return Fraction(self.num.get(0, 0))

    def key(self):
        return frozenset(self.num.items()), self.den


class Symbols:
    """The arithmetic. `opaque` leaves values of defined symbols as generators.

    `style` says what the elementary functions are written in: `plain` (each its own generator), `logistic` (exp by
    sigma) or `exp` (all by exp).
    """

    symbolic = True
    digits = 0
    tolerance = 0

    def __init__(self, budget, opaque=True, style="plain", branch=0):
        self.budget, self.opaque, self.branch = budget, opaque, branch
        self.exponential, self.logistic = style == "exp", style == "logistic"
        self.generators, self.names, self.positive = {}, [], set()
        self.factors, self.factor_degrees, self.factor_index = [], [], {}
        self.squares = {}  # generator -> (degree, {exponent below: coefficient}) or a polynomial for its square
        self.complements = {}  # generator -> the polynomial it equals, as the last of entries whose sum is 1
        self.exclusive = {}  # generator -> id of the one-hot vector it belongs to
        self.exponents = {}  # generator of an exponential -> its argument
        self.logarithms = {}  # generator of a logarithm -> its argument
        self.branches = 0

    # -- polynomials ---------------------------------------------------------------------------------------------------
    def product(self, x, y):
        if len(x) > len(y):
            x, y = y, x
        if len(x) == 1:
            (m, c), = x.items()
            if m == 0:
                return y if c == 1 else {n: _normal(c * d) for n, d in y.items()}
            return {m + n: _normal(c * d) for n, d in y.items()}
        self.budget.tick(1 + len(x) * len(y) // 8)
        out = {}
        get = out.get
        for m, c in x.items():
            for n, d in y.items():
                k = m + n
                out[k] = get(k, 0) + c * d
        if len(out) > MAX_TERMS:
            raise TooLarge
        return {m: _normal(c) for m, c in out.items() if c}

    def cancelled(self, num, den, degree):
        """num / den with what is easily seen to cancel taken out."""
        for factor in list(den):
            poly = self.factors[factor]
            if len(poly) == 1:
                (m, _), = poly.items()
                shift = m.bit_length() - 1
                least = min((n >> shift) & _MASK for n in num)
                common = min(least, den[factor])
                if common:
                    num = {n - m * common: c for n, c in num.items()}
                    degree -= common
                    den[factor] -= common
            elif len(poly) == len(num):
                ratio = None
                for n, c in num.items():
                    d = poly.get(n)
                    if d is None or ratio is not None and c != ratio * d:
                        break
                    ratio = Fraction(c) / d if ratio is None else ratio
                else:
                    num, degree = {0: _normal(ratio)}, 0
                    den[factor] -= 1
            if not den[factor]:
                del den[factor]
        return Quotient(self, num, tuple(sorted(den.items())), degree)

    def inverted(self, x):
        """1 / x."""
        if not x.num:
            raise Undefined("a division by zero")
        num, degree = {0: 1}, 0
        for factor, exponent in x.den:
            for _ in range(exponent):
                num, degree = self.product(num, self.factors[factor]), degree + self.factor_degrees[factor]
        den = {}
        content = self.content(x.num)
        rest = x.num
        if content:
            rest = {m - content: c for m, c in rest.items()}
            at, left = 0, content
            while left:
                exponent = left & _MASK
                if exponent:
                    den[self.factor({1 << at: 1}, 1)] = exponent
                left >>= BITS
                at += BITS
        lead = Fraction(rest[max(rest)])
        if len(rest) > 1:
            rest = {m: _normal(c / lead) for m, c in rest.items()}
            index = self.factor(rest, x.degree)
            den[index] = den.get(index, 0) + 1
        num = {m: _normal(c / lead) for m, c in num.items()}
        return self.cancelled(num, den, degree)

    @staticmethod
    def content(num):
        """The greatest monomial that divides all terms."""
        monomials = iter(num)
        common = next(monomials)
        for m in monomials:
            if not common:
                return 0
            shift, kept, left = 0, 0, common
            while left:
                e = min(left & _MASK, (m >> shift) & _MASK)
                kept |= e << shift
                left >>= BITS
                shift += BITS
            common = kept
        return common

    def factor(self, poly, degree):
        key = frozenset(poly.items())
        if key not in self.factor_index:
            self.factor_index[key] = len(self.factors)
            self.factors.append(poly)
            self.factor_degrees.append(degree)
        return self.factor_index[key]

    # -- generators ----------------------------------------------------------------------------------------------------
    def generator(self, key, positive=False):
        index = self.generators.get(key)
        if index is None:
            if len(self.names) > 2000:
                raise NoProof
            index = self.generators[key] = len(self.names)
            self.names.append(key)
            if positive:
                self.positive.add(index)
        return index

    def symbol(self, key, positive=False):
        return Quotient(self, {1 << (BITS * self.generator(key, positive)): 1}, (), 1)

    def number(self, x):
        x = Fraction(x)
        if x.numerator.bit_length() + x.denominator.bit_length() > 4000:
            raise NoProof
        return Quotient(self, {0: _normal(x)} if x else {})

    def constant(self, name):
        return self.symbol(("constant", name), positive=True)

    @staticmethod
    def is_zero(x):
        x = primal(x)
        return x == 0

    def free(self, key, domain, kind, dims):
        """Generators for the entries of a free symbol, with the relations of its domain built in."""
        count = 1
        for n in dims:
            count *= n
        if domain.kind == "real":
            return [self.symbol(("free", key, i)) for i in range(count)]
        if domain.kind == "interval":
            positive = not isinstance(domain.low, str) and domain.low >= 0
            return [self.symbol(("free", key, i), positive) for i in range(count)]
        if domain.kind in ("onehot", "simplex"):
            entries = [self.symbol(("free", key, i), domain.kind == "simplex") for i in range(count)]
            self.sum_to_one(entries)
            if domain.kind == "onehot":
                for i in range(count):
                    self.exclusive[self.generators["free", key, i]] = key
            return entries
        if domain.kind == "set":
            elements = sorted(set(domain.elements))
            if len(elements) == 1:
                return [self.number(elements[0])] * count
            if len(elements) > 4:
                raise NoProof
            coefficients = [Fraction(1)]  # of the product of (t - element), lowest power first
            for element in elements:
                shifted = [Fraction(0), *coefficients]
                for i, c in enumerate(coefficients):
                    shifted[i] -= element * c
                coefficients = shifted
            entries = [self.symbol(("free", key, i)) for i in range(count)]
            for i in range(count):
                shift = BITS * self.generators["free", key, i]
                self.squares[self.generators["free", key, i]] = (
                    len(elements), {k << shift: _normal(-c) for k, c in enumerate(coefficients[:-1]) if c})
            return entries
        n = dims[0]
        if domain.kind == "sym":
            return [self.symbol(("free", key, min(i, j) * n + max(i, j))) for i in range(n) for j in range(n)]
        if n != 2:
            raise NoProof
        s = self.symbol(("free", key, 0))
        c, t = (1 - s * s) / (1 + s * s), 2 * s / (1 + s * s)
        mirrored = self.branch >> self.branches & 1
        self.branches += 1
        return [c, t, t, -c] if mirrored else [c, -t, t, c]

    def named(self, key, value):
        """The value of a defined symbol, with opaque generators in place of long expressions."""
        if not self.opaque:
            return value
        def replace(x, i):
            if type(x) is Dual:
                return Dual(x.tag, replace(x.value, i), x.tangents)
            if type(x) is not Quotient or not x.den and (len(x.num) == 0 or len(x.num) == 1 and x.degree <= 1):
                return x
            if x.constant() is not None:
                return x
            return self.symbol(("value", key, i))
        return like(value, [replace(x, i) for i, x in enumerate(value.data)])

    # -- functions -----------------------------------------------------------------------------------------------------
    def function(self, name, x):
        if not isinstance(x, Quotient):
            x = self.number(x)
        if self.exponential:
            if name == "tanh":
                e = self.exp(2 * x)
                return (e - 1) / (e + 1)
            if name == "sigma":
                e = self.exp(x)
                return e / (1 + e)
            if name in ("cosh", "sinh"):
                e = self.exp(x)
                other = 1 / e
                return (e + other if name == "cosh" else e - other) * Fraction(1, 2)
            if name == "coth":
                e = self.exp(2 * x)
                return (e + 1) / (e - 1)
            if name == "sech":
                e = self.exp(x)
                return 2 * e / (e * e + 1)
        if name == "exp":
            if self.logistic and x.num:
                s = self.function("sigma", x)
                return s / (1 - s)
            return self.exp(x)
        if name == "sinh":
            return self.function("tanh", x) * self.function("cosh", x)
        if name == "ln":
            return self.ln(x)
        if name == "softplus":
            return self.ln(1 + self.function("exp", x))
        if name == "coth":
            return 1 / self.function("tanh", x)
        if name == "sech":
            return 1 / self.function("cosh", x)
        if name == "tan":
            return self.function("sin", x) / self.function("cos", x)
        if name == "sqrt":
            return self.sqrt(x)
        if name == "abs":
            return self.absolute(x)
        if name in ("relu", "step", "sign"):
            return self.symbol((name, x.key()))
        if name in ("tanh", "sin", "arctan", "artanh"):
            if not x.num:
                return self.number(0)
            if self.negative(x):
                return -self.function(name, -x)
            return self.trigonometric(name, x)
        if name in ("cosh", "cos"):
            if not x.num:
                return self.number(1)
            return self.trigonometric(name, -x if self.negative(x) else x)
        if name == "sigma":
            if not x.num:
                return self.number(Fraction(1, 2))
            if self.negative(x):
                return 1 - self.function("sigma", -x)
            return self.symbol(("sigma", x.key()), positive=True)
        raise NoProof

    def trigonometric(self, name, x):
        result = self.symbol((name, x.key()), positive=name == "cosh")
        index = self.generators[name, x.key()]
        if name == "sin" and index not in self.squares:
            cosine = self.function("cos", x)
            square = 1 - cosine * cosine
            self.squares[index] = (2, square.num)
        return result

    def absolute(self, x):
        """|x|, of which the square is known."""
        c = x.constant()
        if c is not None:
            return self.number(abs(c))
        if not x.den and self.is_positive(x.num):
            return x
        if self.negative(x):
            x = -x
        result = self.symbol(("abs", x.key()))
        if not x.den:
            self.squares[self.generators["abs", x.key()]] = (2, (x * x).num)
        return result

    def extreme(self, name, entries):
        """max or min of numbers, as a generator."""
        if any(type(x) is Dual for x in entries):
            raise NoProof
        keys = [(x if isinstance(x, Quotient) else self.number(x)).key() for x in entries]
        return self.symbol((name, tuple(sorted(keys, key=repr))))

    def of_matrix(self, name, *matrices):
        """A number that belongs to a matrix (its norm, its spectral radius), the same for all the given ones."""
        keys = [(a.dims, tuple((x if isinstance(x, Quotient) else self.number(x)).key() for x in a.data))
                for a in matrices]
        return self.symbol((name, min(keys, key=repr)))

    @staticmethod
    def negative(x):
        return x.num[max(x.num)] < 0

    def sqrt(self, x):
        c = x.constant()
        if c is not None and c >= 0:
            import math
            p, q = math.isqrt(c.numerator), math.isqrt(c.denominator)
            if p * p == c.numerator and q * q == c.denominator:
                return self.number(Fraction(p, q))
        result = self.symbol(("sqrt", x.key()))
        if not x.den:
            self.squares[self.generators["sqrt", x.key()]] = (2, x.num)
        return result

    def exp(self, x):
        """exp of a polynomial as a product of exponentials of its monomials."""
        if not x.num:
            return self.number(1)
        if x.den or len(x.num) > 60:
            if self.negative(x):
                return 1 / self.exp(-x)
            result = self.symbol(("exp", x.key()), positive=True)
            self.exponents[self.generators["exp", x.key()]] = x
            return result
        up, down = self.number(1), self.number(1)
        for monomial, coefficient in x.num.items():
            coefficient = Fraction(coefficient)
            base = Quotient(self, {monomial: Fraction(1, coefficient.denominator)}, (), x.degree)
            times = abs(coefficient.numerator)
            argument = self.logarithms.get((monomial.bit_length() - 1) // BITS) if not monomial & (monomial - 1) else None
            if argument is not None and coefficient.denominator == 1 and times <= 12:  # exp(k ln x) = x ** k
                for _ in range(times):
                    up, down = (up * argument, down) if coefficient > 0 else (up, down * argument)
                continue
            if times > 12:
                base, times = Quotient(self, {monomial: abs(coefficient)}, (), x.degree), 1
            base = Quotient(self, {monomial: _normal(base.num[monomial])}, (), x.degree)
            key = ("exp", base.key())
            e = self.symbol(key, positive=True)
            self.exponents[self.generators[key]] = base
            for _ in range(times):
                if coefficient > 0:
                    up = up * e
                else:
                    down = down * e
        return up / down

    def ln(self, x):
        """ln, taken apart where the factors are known to be positive."""
        if not x.num:
            raise Undefined("ln of 0 is not defined")
        if x.constant() == 1:
            return self.number(0)
        if self.exponential and self.is_positive(x.num) and all(self.is_positive(self.factors[f]) for f, _ in x.den):
            content = self.content(x.num)
            rest = {m - content: c for m, c in x.num.items()}
            total, index = self.number(0), 0
            while content:
                exponent = content & _MASK
                if exponent:
                    total = total + exponent * self.ln_generator(index)
                content >>= BITS
                index += 1
            if rest != {0: 1}:
                total = total + self.symbol(("ln", frozenset(rest.items())))
            for f, exponent in x.den:
                poly = self.factors[f]
                if len(poly) == 1:
                    (m, _), = poly.items()
                    total = total - exponent * self.ln_generator((m.bit_length() - 1) // BITS)
                else:
                    total = total - exponent * self.symbol(("ln", frozenset(poly.items())))
            return total
        result = self.symbol(("ln", x.key()))
        self.logarithms[self.generators["ln", x.key()]] = x
        return result

    def ln_generator(self, index):
        return self.exponents[index] if index in self.exponents else self.symbol(("ln of", index))

    def is_positive(self, num):
        """Whether a polynomial is seen to be positive: positive coefficients and generators only."""
        for m, c in num.items():
            if c <= 0:
                return False
            index = 0
            while m:
                if m & _MASK and index not in self.positive:
                    return False
                m >>= BITS
                index += 1
        return True

    def softmax(self, xs):
        xs = [x if isinstance(x, Quotient) else self.number(x) for x in xs]
        if self.exponential:
            es = [self.exp(x) for x in xs]
            total = es[0]
            for e in es[1:]:
                total = total + e
            return [e / total for e in es]
        key = tuple(x.key() for x in xs)
        entries = [self.symbol(("softmax", key, i), positive=True) for i in range(len(xs))]
        self.sum_to_one(entries)
        return entries

    def sum_to_one(self, entries):
        """Note that the last of these generators is 1 minus the others."""
        last = self.number(1)
        for entry in entries[:-1]:
            last = last - entry
        (monomial, _), = entries[-1].num.items()
        self.complements[(monomial.bit_length() - 1) // BITS] = last.num

    def inverse(self, a):
        """The inverse by cofactors."""
        n = a.dims[0]
        if n > 3:
            raise NoProof
        tick = self.budget.tick
        det = determinant(a, tick)
        if n == 1:
            return like(a, [quotient(1, a.data[0])])
        data = []
        for i in range(n):
            for j in range(n):
                rest = [a.data[r * n + c] for r in range(n) if r != j for c in range(n) if c != i]
                minor = determinant(Value("matrix", (n - 1, n - 1), rest), tick)
                data.append(quotient(minor if (i + j) % 2 == 0 else -minor, det))
        return like(a, data)

    @staticmethod
    def magnitude(x):
        return 1 if x.num else 0

    @staticmethod
    def finite(x):
        return True

    # -- the decision --------------------------------------------------------------------------------------------------
    def reduced(self, num):
        """A numerator after the relations: one-hot products, finite sets, squares, entries whose sum is 1."""
        if not self.related():
            return num
        for _ in range(200):
            out, changed = {}, False
            self.budget.tick(len(num))
            for m, c in num.items():
                hot, replaced, left, index = {}, None, m, 0
                while left:
                    e = left & _MASK
                    if e:
                        vector = self.exclusive.get(index)
                        if vector is not None:
                            if vector in hot:
                                replaced = {}
                                break
                            hot[vector] = index
                            if e > 1:
                                replaced = {m - ((e - 1) << (BITS * index)): c}
                                break
                        other = self.complements.get(index)
                        if other is not None:
                            base = m - (1 << (BITS * index))
                            replaced = {base + k: c * d for k, d in other.items()}
                            break
                        rule = self.squares.get(index)
                        if rule is not None and e >= rule[0]:
                            base = m - (rule[0] << (BITS * index))
                            replaced = {base + k: c * d for k, d in rule[1].items()}
                            break
                    left >>= BITS
                    index += 1
                if replaced is None:
                    replaced = {m: c}
                else:
                    changed = True
                for k, d in replaced.items():
                    new = out.get(k, 0) + d
                    if new:
                        out[k] = new
                    else:
                        out.pop(k, None)
            num = out
            if not changed:
                return num
            if len(num) > MAX_TERMS:
                raise TooLarge
        raise TooLarge

    def related(self):
        return bool(self.squares or self.exclusive or self.complements)

    def equal(self, x, y):
        """Whether SymPy finds x - y to be zero: cross-multiplied in a polynomial ring, after the relations."""
        from sympy import QQ, ring

        x, y = (z if isinstance(z, Quotient) else self.number(z) for z in (x, y))
        used = 0
        for poly in [x.num, y.num] + [self.factors[f] for f, _ in x.den + y.den]:
            for m in poly:
                used |= m
        indices, index = [], 0
        while used:
            if used & _MASK:
                indices.append(index)
            used >>= BITS
            index += 1
        domain = ring([f"g{i}" for i in indices] or ["g"], QQ)[0]
        places = len(indices) or 1

        def element(poly):
            self.budget.tick(len(poly))
            terms = {}
            for m, c in poly.items():
                exponents = tuple((m >> (BITS * i)) & _MASK for i in indices) or (0,) * places
                c = Fraction(c)
                terms[exponents] = QQ(c.numerator, c.denominator)
            return domain.from_dict(terms)

        left, right = element(x.num), element(y.num)
        mine, theirs = dict(x.den), dict(y.den)

        def product(a, b):
            if len(a) * len(b) > MAX_PRODUCT:
                raise TooLarge
            self.budget.tick(1 + len(a) * len(b) // 4)
            return a * b

        for f, exponent in theirs.items():
            for _ in range(exponent - mine.get(f, 0)):
                left = product(left, element(self.factors[f]))
        for f, exponent in mine.items():
            for _ in range(exponent - theirs.get(f, 0)):
                right = product(right, element(self.factors[f]))
        self.budget.tick(len(left) + len(right))
        difference = left - right
        if difference == 0:
            return True
        if not self.related():
            return False
        packed = {}
        for exponents, c in difference.terms():
            m = sum(e << (BITS * i) for e, i in zip(exponents, indices))
            packed[m] = _normal(Fraction(int(c.numerator), int(c.denominator)))
        return not self.reduced(packed)
