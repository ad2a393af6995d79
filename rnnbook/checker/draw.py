"""Draw values for free symbols: exact rationals, the same for every arithmetic.

A draw depends on nothing but its seed, so verdicts repeat. Two styles: `random`, and `round` with small round numbers
for counterexamples that a reader can follow.
"""
from __future__ import annotations

from fractions import Fraction

from rnnbook.checker.errors import IllTyped

_ROUND = [Fraction(x) for x in ("1", "-1", "2", "0.5", "-0.5", "-2", "1.5", "3", "-1.5")]
_ROUND_POSITIVE = [Fraction(x) for x in ("1", "2", "0.5", "1.5", "3")]


def number(rng, style, scale=1):
    if style == "round":
        return rng.choice(_ROUND)
    if style == "integer":
        return Fraction(rng.choice((-1, 0, 0, 1, 2)))
    if style == "sparse" and rng.random() < 0.5:
        return Fraction(0)
    magnitude = Fraction(rng.randint(80, 1300), 1000)
    return (magnitude if rng.random() < 0.5 else -magnitude) * scale


def draw(domain, kind, dims, rng, style, position, scale=1):
    """Entries of one free symbol; `position` makes finite choices go through all their elements."""
    count = 1
    for n in dims:
        count *= n
    if domain.kind == "real":
        return [number(rng, style, scale) for _ in range(count)]
    if domain.kind == "interval":
        return [_between(domain.low, domain.high, rng, style) for _ in range(count)]
    if domain.kind == "set":
        if count == 1:
            return [domain.elements[position % len(domain.elements)]]
        return [rng.choice(domain.elements) for _ in range(count)]
    if domain.kind == "onehot":
        hot = (count - 1, 0)[position] if position < 2 else rng.randrange(count)
        return [Fraction(int(i == hot)) for i in range(count)]
    if domain.kind == "simplex":
        weights = [rng.randint(1, 4) if style in ("round", "integer") else rng.randint(50, 1000) for _ in range(count)]
        return [Fraction(w, sum(weights)) for w in weights]
    n = dims[0]
    if domain.kind == "sym":
        data = [None] * (n * n)
        for i in range(n):
            for j in range(i + 1):
                data[i * n + j] = data[j * n + i] = number(rng, style, scale)
        return data
    return _orthogonal(n, rng, reflections=n if position % 2 else max(1, n - 1))


def _between(low, high, rng, style):
    if low == "-inf" and high == "inf":
        return number(rng, style)
    if high == "inf":
        return low + (rng.choice(_ROUND_POSITIVE) if style in ("round", "integer")
                      else Fraction(rng.randint(50, 2500), 1000))
    if low == "-inf":
        return high - Fraction(rng.randint(50, 2500), 1000)
    if not low < high:
        raise IllTyped("the interval is empty")
    steps = 20 if style in ("round", "integer") else 1000
    return low + (high - low) * Fraction(rng.randint(1, steps - 1), steps)


def _orthogonal(n, rng, reflections):
    """A rational orthogonal matrix: a product of reflections at integer vectors."""
    q = [[Fraction(int(i == j)) for j in range(n)] for i in range(n)]
    for _ in range(reflections):
        v = [rng.choice((-2, -1, 1, 2, 3)) for _ in range(n)]
        length = sum(x * x for x in v)
        q = [[row[j] - 2 * sum(row[k] * v[k] for k in range(n)) * Fraction(v[j], length) for j in range(n)]
             for row in q]
    return [x for row in q for x in row]
