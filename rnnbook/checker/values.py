"""Values with shapes: scalars, columns, rows, matrices, and derivatives of third and higher order.

The entries may be anything with `+`, `-`, `*` and `/`. Shapes are kinds, not sizes: a column is a column even if it has
one entry. Some values wait for their shape: `zero`, `ones`, `identity` and the value of an empty product.
"""
from __future__ import annotations

from rnnbook.checker.duals import Dual, function, primal, reciprocal
from rnnbook.checker.errors import ShapeError, Undecided, Undefined

MAX_ENTRIES = 20_000
MAX_EXPONENT = 10_000


class Value:
    """`kind`, `dims` and entries.

    Kinds: `scalar`, `column` (n), `row` (n), `matrix` (n, m), `tensor` ((kind, dims) of what is differentiated, then of
    the variable), and without a shape of their own `zero`, `empty` (an empty product), `identity`, `ones`, `ones_row`,
    `ones_matrix`, each but `zero` with one coefficient.
    """

    __slots__ = ("kind", "dims", "data")

    def __init__(self, kind, dims, data):
        self.kind, self.dims, self.data = kind, dims, data

    def __repr__(self):
        return f"{self.kind}{self.dims}{self.data}"


ZERO = Value("zero", (), [])
SHAPELESS = frozenset(["zero", "empty", "identity", "ones", "ones_row", "ones_matrix"])
VECTORS = ("column", "row")


def scalar(x):
    return Value("scalar", (), [x])


def like(value, data):
    return Value(value.kind, value.dims, data)


def size(kind, dims):
    if kind == "tensor":
        return size(*dims[0]) * size(*dims[1])
    result = 1
    for n in dims:
        result *= n
    return result


def check_size(n):
    if n > MAX_ENTRIES:
        raise Undecided(f"a value of {n} entries is too large")


#: Letters and numbers whose names begin with a vowel: an n × m matrix.
AN = {*"aefhilmnorsx", "8", "11", "18"}


def describe(kind, dims, letters):
    """A shape in words, with the letters of the dimensions where they are known."""
    def letter(n):
        return letters.get(n, str(n))
    if kind == "scalar":
        return "a scalar"
    if kind in VECTORS:
        return f"a {kind} of {letter(dims[0])}"
    if kind == "matrix":
        rows = letter(dims[0])
        article = "an" if rows in AN else "a"
        return f"{article} {rows} × {letter(dims[1])} matrix"
    if kind == "tensor":
        def sizes(part):
            return " × ".join(letter(n) for n in part[1]) or "1"
        order = sum(max(1, len(part[1])) for part in dims)
        return f"of order {order} ({sizes(dims[0])} by {sizes(dims[1])})"
    return {"zero": "0", "empty": "an empty product", "identity": "an identity", "ones": "ones",
            "ones_row": "a row of ones",
            "ones_matrix": "ones"}[kind]


def filled(kind, dims, x):
    n = size(kind, dims)
    check_size(n)
    return Value(kind, dims, [x] * n)


def identity(n, one, zero=0):
    check_size(n * n)
    return Value("matrix", (n, n), [one if i == j else zero for i in range(n) for j in range(n)])


def shaped(value, kind, dims):
    """A value without a shape of its own in the given one, or None where that cannot be."""
    if value.kind == "zero":
        return filled(kind, dims, 0)
    c = value.data[0]
    if value.kind == "ones":
        return filled(kind, dims, c) if kind in ("column", "matrix", "scalar", "row") else None
    if value.kind == "ones_row":
        return filled(kind, dims, c) if kind in ("row", "matrix") else None
    if value.kind == "ones_matrix":
        return filled(kind, dims, c) if kind == "matrix" else None
    if value.kind == "empty" and kind == "scalar":
        return scalar(c)
    if value.kind in ("identity", "empty") and kind == "matrix" and dims[0] == dims[1]:
        return identity(dims[0], c)
    return None


def add(a, b):
    if a.kind == b.kind and a.dims == b.dims:
        return Value(a.kind, a.dims, [x + y for x, y in zip(a.data, b.data)])
    if a.kind == "zero":
        return b
    if b.kind == "zero":
        return a
    if a.kind in SHAPELESS or b.kind in SHAPELESS:
        if a.kind in SHAPELESS and b.kind in SHAPELESS:
            if {a.kind, b.kind} == {"identity", "empty"}:
                return Value("identity", (), [a.data[0] + b.data[0]])
            if {a.kind, b.kind} == {"ones", "ones_matrix"}:
                return Value("ones_matrix", (), [a.data[0] + b.data[0]])
            raise ShapeError
        open_value, closed = (a, b) if a.kind in SHAPELESS else (b, a)
        if open_value.kind == "identity" and closed.kind == "scalar":
            raise ShapeError
        full = shaped(open_value, closed.kind, closed.dims)
        if full is None:
            raise ShapeError
        return add(full, closed)
    if a.kind == "scalar" and b.kind in VECTORS:
        return like(b, [a.data[0] + y for y in b.data])
    if b.kind == "scalar" and a.kind in VECTORS:
        return like(a, [x + b.data[0] for x in a.data])
    raise ShapeError


def negative(a):
    return like(a, [-x for x in a.data])


def scale(c, a):
    return like(a, [c * x for x in a.data])


def dot(xs, ys):
    total = 0
    for x, y in zip(xs, ys):
        if type(x) is int and x == 0 or type(y) is int and y == 0:
            continue
        total = total + x * y
    return total


def multiply(a, b, tick=None):
    ka, kb = a.kind, b.kind
    if ka == "zero" or kb == "zero":
        if ka == "zero" and kb not in ("row", "matrix") or kb == "zero" and ka not in ("column", "matrix"):
            return ZERO
        return ZERO
    if ka == "scalar":
        return scale(a.data[0], b)
    if kb == "scalar":
        return like(a, [x * b.data[0] for x in a.data])
    if ka in ("identity", "empty"):
        if kb == "identity":
            return Value("identity", (), [a.data[0] * b.data[0]])
        if kb in ("row",) and ka == "identity":
            raise ShapeError
        return scale(a.data[0], b)
    if kb in ("identity", "empty"):
        if ka == "column" and kb == "identity" or ka == "tensor" and kb == "identity":
            raise ShapeError
        return like(a, [x * b.data[0] for x in a.data])
    if ka in SHAPELESS or kb in SHAPELESS:
        return _multiply_ones(a, b)
    if ka == "matrix":
        n, m = a.dims
        check_size(n * m)
        if kb == "column" and m == b.dims[0]:
            return Value("column", (n,), [dot(a.data[i * m:(i + 1) * m], b.data) for i in range(n)])
        if kb == "matrix" and m == b.dims[0]:
            p = b.dims[1]
            columns = [b.data[j::p] for j in range(p)]
            data = []
            for i in range(n):
                if tick:
                    tick(m * p)
                line = a.data[i * m:(i + 1) * m]
                data.extend(dot(line, column) for column in columns)
            return Value("matrix", (n, p), data)
    elif ka == "row":
        n = a.dims[0]
        if kb == "column" and n == b.dims[0]:
            return scalar(dot(a.data, b.data))
        if kb == "matrix" and n == b.dims[0]:
            p = b.dims[1]
            return Value("row", (p,), [dot(a.data, b.data[j::p]) for j in range(p)])
    elif ka == "column" and kb == "row":
        check_size(a.dims[0] * b.dims[0])
        return Value("matrix", (a.dims[0], b.dims[0]), [x * y for x in a.data for y in b.data])
    if kb == "tensor" and b.dims[0][0] == "column" and ka in ("row", "matrix") and a.dims[-1] == b.dims[0][1][0]:
        n, inner = b.dims[0][1][0], size(*b.dims[1])
        rows = 1 if ka == "row" else a.dims[0]
        check_size(rows * inner)
        data = []
        for i in range(rows):
            if tick:
                tick(n * inner)
            line = a.data[i * n:(i + 1) * n]
            data.extend(dot(line, b.data[j::inner]) for j in range(inner))
        if ka == "row":
            return Value(b.dims[1][0], b.dims[1][1], data)
        return Value("tensor", (("column", (rows,)), b.dims[1]), data)
    raise ShapeError


def _multiply_ones(a, b):
    ka, kb = a.kind, b.kind
    if kb == "ones" and ka in ("row", "matrix"):
        return multiply(a, filled("column", (a.dims[-1],), b.data[0]))
    if ka == "ones_row" and kb in ("column", "matrix"):
        return multiply(filled("row", (b.dims[0],), a.data[0]), b)
    if ka == "ones" and kb == "ones_row":
        return Value("ones_matrix", (), [a.data[0] * b.data[0]])
    if {ka, kb} <= SHAPELESS or ka in SHAPELESS and kb in VECTORS or kb in SHAPELESS and ka in VECTORS:
        raise ShapeError("the size of the ones is not determined here: write \\mathbf{1}_{n}")
    raise ShapeError


def elementwise(a, b, operation):
    """The elementwise combination of two values of equal shape."""
    if a.kind in SHAPELESS and b.kind not in SHAPELESS:
        a = shaped(a, b.kind, b.dims) or a
    elif b.kind in SHAPELESS and a.kind not in SHAPELESS:
        b = shaped(b, a.kind, a.dims) or b
    if a.kind == "zero" and b.kind == "zero":
        return ZERO
    if a.kind != b.kind or a.dims != b.dims or a.kind == "identity":
        raise ShapeError
    return like(a, [operation(x, y) for x, y in zip(a.data, b.data)])


def quotient(x, y):
    if not type(y) is Dual and y == 0:
        raise Undefined("a division by zero")
    if type(y) is Dual and primal(y) == 0:
        raise Undefined("a division by zero")
    if type(x) is int and type(y) is int:
        return x * reciprocal(float(y))
    return x * reciprocal(y) if type(x) is Dual or type(y) is Dual else x / y


def transpose(a):
    if a.kind == "column":
        return Value("row", a.dims, a.data)
    if a.kind == "row":
        return Value("column", a.dims, a.data)
    if a.kind == "matrix":
        n, m = a.dims
        return Value("matrix", (m, n), [a.data[i * m + j] for j in range(m) for i in range(n)])
    if a.kind == "ones":
        return Value("ones_row", (), a.data)
    if a.kind == "ones_row":
        return Value("ones", (), a.data)
    if a.kind == "tensor":
        raise ShapeError("a derivative of third order has no transpose")
    return a


def power(a, exponent, arithmetic, tick):
    """An integer power: of a matrix by repeated squaring, elementwise of anything else."""
    if abs(exponent) > MAX_EXPONENT:
        raise Undecided(f"the exponent {exponent} is too large")
    if a.kind == "matrix":
        if a.dims[0] != a.dims[1]:
            raise ShapeError("only a square matrix has powers")
        if exponent < 0:
            return power(inverse(a, arithmetic, tick), -exponent, arithmetic, tick)
        result, square = None, a
        while exponent:
            if exponent & 1:
                result = square if result is None else multiply(result, square, tick)
            exponent >>= 1
            if exponent:
                square = multiply(square, square, tick)
        return identity(a.dims[0], arithmetic.number(1)) if result is None else result
    if a.kind == "zero":
        if exponent > 0:
            return ZERO
        raise Undefined("zero to a power that is not positive")
    if a.kind == "tensor":
        raise ShapeError("a derivative of third order has no powers")
    if a.kind == "row" or a.kind in SHAPELESS or a.kind in ("scalar", "column"):
        return like(a, [entry_power(x, exponent) for x in a.data])
    raise ShapeError


def entry_power(x, exponent):
    if exponent < 0:
        if primal(x) == 0:
            raise Undefined("a division by zero")
        return reciprocal(entry_power(x, -exponent)) if not isinstance(x, int) else float(x) ** exponent
    if not exponent:
        return 1
    if isinstance(x, (float, int)):
        try:
            return float(x) ** exponent
        except OverflowError:
            raise Undefined("a power overflows") from None
    result = None
    while exponent:
        if exponent & 1:
            result = x if result is None else result * x
        exponent >>= 1
        if exponent:
            x = x * x
    return result


def inverse(a, arithmetic, tick):
    """The inverse of a square matrix, by elimination with the largest pivot."""
    n = a.dims[0]
    if a.dims[0] != a.dims[1]:
        raise ShapeError("only a square matrix has an inverse")
    if arithmetic.symbolic:
        return arithmetic.inverse(a)
    one = arithmetic.number(1)
    rows = [a.data[i * n:(i + 1) * n] + [one if i == j else 0 for j in range(n)] for i in range(n)]
    scale_ = max((arithmetic.magnitude(primal(x)) for x in a.data), default=0)
    for k in range(n):
        tick(n * n)
        pivot = max(range(k, n), key=lambda i: arithmetic.magnitude(primal(rows[i][k])))
        if arithmetic.magnitude(primal(rows[pivot][k])) <= scale_ * arithmetic.tolerance:
            raise Undefined("a matrix is singular")
        rows[k], rows[pivot] = rows[pivot], rows[k]
        factor = reciprocal(rows[k][k])
        rows[k] = [x * factor for x in rows[k]]
        for i in range(n):
            if i != k:
                c = rows[i][k]
                if not (type(c) is int and c == 0):
                    rows[i] = [x - c * y for x, y in zip(rows[i], rows[k])]
    return Value("matrix", (n, n), [x for row in rows for x in row[n:]])


def determinant(a, tick):
    """The determinant, without divisions (Laplace along rows, remembered by the columns left)."""
    if a.kind in ("identity", "empty", "scalar"):
        if a.kind == "scalar":
            return a.data[0]
        raise ShapeError("the size of the identity is not determined here: write I_n")
    if a.kind != "matrix" or a.dims[0] != a.dims[1]:
        raise ShapeError("only a square matrix has a determinant")
    n = a.dims[0]
    if n > 10:
        raise Undecided("a determinant of more than 10 rows")
    minors = {(): 1}
    for i in range(n - 1, -1, -1):
        width = n - i
        larger = {}
        for columns in _subsets(n, width):
            tick(width)
            total = 0
            for position, j in enumerate(columns):
                term = a.data[i * n + j] * minors[columns[:position] + columns[position + 1:]]
                total = total + term if position % 2 == 0 else total - term
            larger[columns] = total
        minors = larger
    return minors[tuple(range(n))]


def _subsets(n, k, start=0):
    if k == 0:
        yield ()
        return
    for j in range(start, n - k + 1):
        for rest in _subsets(n, k - 1, j + 1):
            yield (j,) + rest


def diagonal(a):
    """diag of a column, as a square matrix."""
    if a.kind != "column":
        raise ShapeError("diag takes a column")
    n = a.dims[0]
    check_size(n * n)
    return Value("matrix", (n, n), [a.data[i] if i == j else 0 for i in range(n) for j in range(n)])


def kronecker(a, b):
    """The Kronecker product."""
    def rows(v):
        if v.kind == "scalar":
            return 1, 1
        if v.kind == "column":
            return v.dims[0], 1
        if v.kind == "row":
            return 1, v.dims[0]
        if v.kind == "matrix":
            return v.dims
        raise ShapeError("the size of a factor of ⊗ is not determined: write I_n" if v.kind in SHAPELESS else "")
    (p, q), (r, s) = rows(a), rows(b)
    check_size(p * q * r * s)
    data = [a.data[i * q + j] * b.data[k * s + m] for i in range(p) for k in range(r) for j in range(q)
            for m in range(s)]
    kinds = {a.kind, b.kind}
    if kinds == {"scalar"}:
        return scalar(data[0])
    if kinds <= {"column", "scalar"}:
        return Value("column", (p * r,), data)
    if kinds <= {"row", "scalar"}:
        return Value("row", (q * s,), data)
    return Value("matrix", (p * r, q * s), data)


def vectorised(a):
    """The columns of a matrix below one another."""
    if a.kind == "matrix":
        n, m = a.dims
        return Value("column", (n * m,), [a.data[i * m + j] for j in range(m) for i in range(n)])
    if a.kind == "column":
        return a
    if a.kind == "row":
        return Value("column", a.dims, a.data)
    raise ShapeError("vec takes a matrix")


def softmax(a, arithmetic):
    """exp of the entries over their sum, with the derivative in terms of the values."""
    if a.kind != "column":
        raise ShapeError("softmax takes a column")
    return like(a, _softmax(a.data, arithmetic))


def _softmax(xs, arithmetic):
    tag = max((x.tag for x in xs if type(x) is Dual), default=0)
    if not tag:
        return arithmetic.softmax(xs) if arithmetic.symbolic else _softmax_numbers(xs, arithmetic)
    values = [x.value if type(x) is Dual and x.tag == tag else x for x in xs]
    tangents = [x.tangents if type(x) is Dual and x.tag == tag else {} for x in xs]
    ps = _softmax(values, arithmetic)
    indices = sorted({k for t in tangents for k in t})
    means = {k: dot(ps, [t.get(k, 0) for t in tangents]) for k in indices}
    return [Dual(tag, p, {k: p * (t.get(k, 0) - means[k]) for k in indices}) for p, t in zip(ps, tangents)]


def _softmax_numbers(xs, arithmetic):
    top = max(xs)
    es = [function(arithmetic, "exp", x - top) for x in xs]
    total = sum(es)
    return [e / total for e in es]


def spectral_radius(a, arithmetic, tick):
    """The largest modulus of an eigenvalue, as the limit of ||A^(2^k)||^(1/2^k) with the scale taken out at every
    squaring.
    """
    if a.kind != "matrix" or a.dims[0] != a.dims[1]:
        raise ShapeError("only a square matrix has a spectral radius")
    if any(type(x) is Dual for x in a.data):
        raise Undecided("the spectral radius is not differentiated")
    if arithmetic.symbolic:
        return arithmetic.of_matrix("rho", a, transpose(a))
    if a.dims == (2, 2):
        p, q, r, s = a.data
        half, det = (p + s) / 2, p * s - q * r
        inside = half * half - det
        if inside >= 0:
            return abs(half) + function(arithmetic, "sqrt", inside)
        return function(arithmetic, "sqrt", det)
    zero = arithmetic.number(0)
    total, current, weight, before = zero, like(a, [x + zero for x in a.data]), 1, None
    for _ in range(int(arithmetic.digits * 3.4) + 12):
        biggest = max(abs(x) for x in current.data)
        if biggest == 0:
            return zero
        step = function(arithmetic, "ln", biggest) / weight
        current = scale(1 / biggest, current)
        if before is not None and max(abs(x - y) for x,
                                      y in zip(current.data, before)) <= 10.0 ** (2 - arithmetic.digits):
            total = total + 2 * step  # from here on the squares repeat themselves: the rest is a geometric series
            break
        total, before = total + step, current.data
        current = multiply(current, current, tick)
        weight *= 2
    return function(arithmetic, "exp", total)


def norm(a, which, arithmetic, tick):
    """The Euclidean norm of a vector, the spectral norm of a matrix, and the others by name."""
    if a.kind == "scalar":
        return function(arithmetic, "abs", a.data[0])
    if a.kind in VECTORS or which == "F":
        if a.kind not in ("column", "row", "matrix"):
            raise ShapeError("a norm of something that has no shape")
        if which in ("2", "F"):
            return function(arithmetic, "sqrt", dot(a.data, a.data))
        absolute = [function(arithmetic, "abs", x) for x in a.data]
        if which == "1":
            return sum(absolute)
        return max(absolute, key=primal)
    if a.kind != "matrix":
        raise ShapeError("a norm of something that has no shape")
    if any(type(x) is Dual for x in a.data):
        raise Undecided("the norm of a matrix is not differentiated")
    if arithmetic.symbolic:
        return arithmetic.of_matrix(which, a, transpose(a) if which == "2" else a)
    n, m = a.dims
    if which == "2":
        gram = multiply(transpose(a), a, tick) if m <= n else multiply(a, transpose(a), tick)
        return function(arithmetic, "sqrt", abs(spectral_radius(gram, arithmetic, tick)))
    lines = [a.data[i * m:(i + 1) * m] for i in range(n)] if which == "\\infty" else [a.data[j::m] for j in range(m)]
    return max(sum(abs(x) for x in line) for line in lines)
