"""Dual numbers with tags, and the elementary functions with their derivatives.

An entry is a number of the arithmetic in use (a float, an mpmath number, a symbolic fraction) or a `Dual` over entries:
a value and the tangents of the perturbed entries that move it. Every differentiation has its own tag, a later one a
greater tag, so that derivatives nest without confusion of perturbations.
"""
from __future__ import annotations

from itertools import count

new_tag = count(1).__next__


class Dual:
    """value + sum of tangents[i] * epsilon_i, for the epsilons of one tag."""

    __slots__ = ("tag", "value", "tangents")

    def __init__(self, tag, value, tangents):
        self.tag, self.value, self.tangents = tag, value, tangents

    def __add__(self, other):
        if type(other) is Dual:
            if other.tag == self.tag:
                tangents = dict(self.tangents)
                for k, v in other.tangents.items():
                    tangents[k] = tangents[k] + v if k in tangents else v
                return Dual(self.tag, self.value + other.value, tangents)
            if other.tag > self.tag:
                return Dual(other.tag, self + other.value, other.tangents)
        return Dual(self.tag, self.value + other, self.tangents)

    __radd__ = __add__

    def __neg__(self):
        return Dual(self.tag, -self.value, {k: -v for k, v in self.tangents.items()})

    def __sub__(self, other):
        return self + (-other)

    def __rsub__(self, other):
        return (-self) + other

    def __mul__(self, other):
        if type(other) is Dual:
            if other.tag == self.tag:
                a, b = self.value, other.value
                tangents = {k: v * b for k, v in self.tangents.items()}
                for k, v in other.tangents.items():
                    tangents[k] = tangents[k] + a * v if k in tangents else a * v
                return Dual(self.tag, a * b, tangents)
            if other.tag > self.tag:
                return Dual(other.tag, self * other.value, {k: self * v for k, v in other.tangents.items()})
        return Dual(self.tag, self.value * other, {k: v * other for k, v in self.tangents.items()})

    __rmul__ = __mul__

    def __truediv__(self, other):
        if type(other) is Dual:
            return self * reciprocal(other)
        return Dual(self.tag, self.value / other, {k: v / other for k, v in self.tangents.items()})

    def __rtruediv__(self, other):
        return reciprocal(self) * other


def reciprocal(x):
    """1 / x."""
    if type(x) is Dual:
        inverse = reciprocal(x.value)
        slope = -(inverse * inverse)
        return Dual(x.tag, inverse, {k: slope * v for k, v in x.tangents.items()})
    return 1 / x


def primal(x):
    """The number under all tangents."""
    while type(x) is Dual:
        x = x.value
    return x


def function(arithmetic, name, x):
    """The value of an elementary function."""
    if type(x) is Dual:
        y = function(arithmetic, name, x.value)
        slope = derivative(arithmetic, name, x.value, y)
        return Dual(x.tag, y, {k: slope * v for k, v in x.tangents.items()})
    return arithmetic.function(name, x)


def derivative(arithmetic, name, x, y):
    """The derivative of an elementary function at x, where its value is y."""
    if name == "tanh":
        return 1 - y * y
    if name == "sigma":
        return y * (1 - y)
    if name == "exp":
        return y
    if name == "ln":
        return reciprocal(x)
    if name == "sinh":
        return function(arithmetic, "cosh", x)
    if name == "cosh":
        return function(arithmetic, "sinh", x)
    if name == "sin":
        return function(arithmetic, "cos", x)
    if name == "cos":
        return -function(arithmetic, "sin", x)
    if name == "tan":
        return 1 + y * y
    if name == "coth":
        return 1 - y * y
    if name == "sech":
        return -(y * function(arithmetic, "tanh", x))
    if name == "arctan":
        return reciprocal(1 + x * x)
    if name == "artanh":
        return reciprocal(1 - x * x)
    if name == "sqrt":
        return reciprocal(2 * y)
    if name == "abs":
        return function(arithmetic, "sign", x)
    if name == "relu":
        return function(arithmetic, "step", x)
    if name == "softplus":
        return function(arithmetic, "sigma", x)
    if name in ("sign", "step"):
        return 0 * x
    raise NotImplementedError(name)


def nth_derivative(arithmetic, name, order, x):
    """f'(x), f''(x), ..."""
    if order == 0:
        return function(arithmetic, name, x)
    if order == 1:
        return derivative(arithmetic, name, x, function(arithmetic, name, x))
    tag = new_tag()
    lower = nth_derivative(arithmetic, name, order - 1, Dual(tag, x, {0: 1}))
    return tangent(lower, tag, 0)


def tangent(x, tag, index):
    """The tangent of a value along one perturbed entry of a tag."""
    if type(x) is Dual:
        if x.tag == tag:
            return x.tangents.get(index, 0)
    return 0
