"""The arithmetics of numbers: Python floats, and mpmath numbers of a chosen precision.

Both offer `number` (from an exact rational), `function` (the elementary functions) and `magnitude`. Proofs have a third
one, in `rnnbook.checker.polynomials`.
"""
from __future__ import annotations

import math

import mpmath

from rnnbook.checker.errors import Undecided, Undefined


def _sigma(x):
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    e = math.exp(x)
    return e / (1 + e)


class Floats:
    """Double precision."""

    symbolic = False
    digits = 16
    #: The relative difference that rounding may make; a greater one is looked at again in higher precision.
    tolerance = 1e-12
    _functions = {
        "tanh": math.tanh, "exp": math.exp, "ln": math.log, "cosh": math.cosh, "sinh": math.sinh, "sin": math.sin,
        "cos": math.cos, "tan": math.tan, "arctan": math.atan, "sqrt": math.sqrt, "sigma": _sigma, "abs": abs,
        "artanh": math.atanh,
        "sign": lambda x: float((x > 0) - (x < 0)), "step": lambda x: float(x > 0), "relu": lambda x: max(x, 0.0),
        "softplus": lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))), "coth": lambda x: 1 / math.tanh(x),
        "sech": lambda x: 1 / math.cosh(x),
    }

    @staticmethod
    def number(rational):
        try:
            return float(rational)
        except OverflowError:
            raise Undecided("a number is too large") from None

    def function(self, name, x):
        try:
            return self._functions[name](x)
        except OverflowError:
            raise Undefined(f"{name} overflows") from None
        except (ValueError, ZeroDivisionError):
            raise Undefined(f"{name} of {x:.4g} is not defined") from None

    @staticmethod
    def power(x, exponent):
        """A real power of a positive number."""
        try:
            result = x ** exponent
        except (OverflowError, ZeroDivisionError):
            raise Undefined("a power overflows") from None
        if isinstance(result, complex):
            raise Undefined("a broken power of a negative number")
        return result

    @staticmethod
    def magnitude(x):
        return abs(x)

    @staticmethod
    def finite(x):
        return math.isfinite(x)


class Precise:
    """mpmath numbers with the given number of decimal digits."""

    symbolic = False

    def __init__(self, digits=50):
        self.digits = digits
        self.context = mpmath.mp.clone() if hasattr(mpmath.mp, "clone") else mpmath.MPContext()
        self.context.dps = digits
        self.tolerance = 10.0 ** (10 - digits)
        mp = self.context
        self._functions = {
            "tanh": mp.tanh, "exp": mp.exp, "ln": mp.ln, "cosh": mp.cosh, "sinh": mp.sinh, "sin": mp.sin, "cos": mp.cos,
            "tan": mp.tan, "arctan": mp.atan, "sqrt": mp.sqrt, "sigma": lambda x: 1 / (1 + mp.exp(-x)), "abs": abs,
            "artanh": mp.atanh,
            "sign": mp.sign, "step": lambda x: mp.mpf(x > 0), "relu": lambda x: x if x > 0 else mp.mpf(0),
            "softplus": lambda x: mp.ln(1 + mp.exp(x)), "coth": mp.coth, "sech": mp.sech,
        }

    def number(self, rational):
        return self.context.mpf(rational.numerator) / rational.denominator

    def function(self, name, x):
        x = self.context.mpf(x)
        if abs(x) > 100_000 and name in ("exp", "cosh", "sinh", "sigma", "softplus"):
            raise Undefined(f"{name} overflows")
        try:
            result = self._functions[name](x)
        except (ValueError, ZeroDivisionError, OverflowError):
            raise Undefined(f"{name} of {mpmath.nstr(x, 4)} is not defined") from None
        return self._real(result)

    def _real(self, x):
        if isinstance(x, self.context.mpc):
            raise Undefined("a value is not real")
        return x

    def power(self, x, exponent):
        x, exponent = self.context.mpf(x), self.context.mpf(exponent)
        if abs(exponent) > 1_000_000:
            raise Undefined("a power overflows")
        try:
            return self._real(x ** exponent)
        except (ZeroDivisionError, OverflowError, ValueError):
            raise Undefined("a power is not defined") from None

    @staticmethod
    def magnitude(x):
        return abs(x)

    def finite(self, x):
        return bool(self.context.isfinite(x))
