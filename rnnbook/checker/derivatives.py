"""Derivatives of formulas: total, immediate, gradients; their layout."""
from __future__ import annotations

from rnnbook.checker import values as v
from rnnbook.checker.context import Context
from rnnbook.checker.duals import Dual, tangent
from rnnbook.checker.errors import IllTyped, Undecided
from rnnbook.checker.syntax import ungrouped
from rnnbook.checker.values import ZERO, Value, scalar

MAX_CONTEXTS = 3


class Derivatives:
    """The part of an `Instance` that sets symbols free and reads off what follows."""

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
            raise IllTyped("a derivative is taken by a symbol of the model: give this expression a name there",
                           node.start)
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
            raise IllTyped(f"{symbol.shown} is an abbreviation and not part of the graph: nothing is differentiated by "
                           "it", node.start)
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
            return self.differentiate(operand, variable, env, context, "total",
                                      lambda c: self.evaluate(operand, env, c), gradient=True)

        def gradient(c):
            return self.differentiate(operand, variable, env, c, "total", lambda d: self.evaluate(operand, env, d),
                                      gradient=True)
        return self.differentiate(operand, variable, env, context, "total", gradient, last=False)


def like_indices(value):
    return Value(value.kind, value.dims, list(range(len(value.data))))
