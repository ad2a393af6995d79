"""Read derivatives, functions, sums and products over indices, matrices."""
from __future__ import annotations

from fractions import Fraction

from rnnbook.checker.errors import IllTyped
from rnnbook.checker.layout import MATRICES
from rnnbook.checker.lexer import GREEK
from rnnbook.checker.syntax import Binder, Node, letters_below
from rnnbook.checker.vocabulary import BIG, CLOSERS, FUNCTION_NAMES, OPERATORS


class OperatorParser:
    """The part of the parser that reads operators and what they act on."""

    # -- derivatives ---------------------------------------------------------------------------------------------------
    def differential_sign(self, parser):
        """Read `\\partial`, `\\partial^{+}`, `\\partial^2`, `d`, `d^2`; return (flavour, order) or None."""
        token = parser.token
        if token.kind == "cmd" and token.text == "partial":
            parser.advance()
            flavour, order = "partial", 1
        elif token.kind == "letter" and token.text == "d" and not self.names.declared("d"):
            parser.advance()
            flavour, order = "d", 1
        elif token.kind == "cmd" and token.text in ("mathrm", "text", "operatorname") and (
                parser.peek().text == "d" or parser.peek().text == "{" and parser.peek(2).text == "d"
                and parser.peek(3).text == "}"):
            parser.i += 2 if parser.peek().text == "d" else 4
            flavour, order = "d", 1
        else:
            return None
        if parser.at("^"):
            parser.advance()
            at = parser.token.start
            a, b = parser.script_tokens()
            text = "".join(t.text for t in parser.tokens[a:b])
            if text == "+":
                flavour = "immediate"
            elif text in ("2", "3", "4"):
                order = int(text)
            else:
                raise IllTyped(r"after \partial stands ^{+} for the immediate derivative, or its order", at)
        return flavour, order

    def cmd_frac(self):
        start = self.advance().start
        derivative = self.derivative_fraction(start)
        if derivative is not None:
            return derivative
        top = self.braced()
        bottom = self.braced()
        return self.node("frac", (top, bottom), start)

    def derivative_fraction(self, start):
        if not self.at("{"):
            return None
        begin = self.i
        top = self.inner(*self.script_tokens())
        if not self.at("{"):
            self.i = begin
            return None
        bottom = self.inner(*self.script_tokens())
        after = self.i
        sign = self.differential_sign(top)
        below = self.differential_sign(bottom) if sign else None
        if sign and not below and sign[0] != "d":
            raise IllTyped(r"a \partial above and none below the line", bottom.token.start)
        if not sign or not below or (below[0] == "d" and bottom.token.kind == "end"):
            self.i = begin
            return None
        flavour, order = sign
        if below[0] == "immediate" or below[1] != 1:
            if below[0] == "immediate" and flavour == "partial":
                flavour = "immediate"
            elif below[1] != 1:
                raise IllTyped(r"the order stands behind the symbol below the line: \partial w^2", bottom.token.start)
        elif (below[0] == "d") != (flavour == "d"):
            raise IllTyped(r"\partial above and d below the line, or the other way round", bottom.token.start)
        numerator = None
        if top.token.kind != "end":
            numerator = top.term()
            if top.at("+", "-"):
                raise IllTyped("put the sum that is differentiated in brackets", top.token.start)
            top.finish()
        variables, total = [], 0
        while True:
            variable, count = self.differential_variable(bottom)
            variables += [variable] * count
            total += count
            if bottom.token.kind == "end":
                break
            following = self.differential_sign(bottom)
            if following is None:
                raise IllTyped(f"unexpected {self.shown(bottom.token)} below the line of a derivative",
                               bottom.token.start)
        if total != order:
            raise IllTyped(f"a derivative of order {order} above the line and {total} below it", start)
        self.i = after
        if numerator is None:
            numerator = self.operand(start)
        return self.node("derivative", (flavour, numerator, tuple(variables)), start)

    def differential_variable(self, parser):
        """The symbol behind a \\partial below the line, and how often it is differentiated by."""
        at = parser.token.start
        if parser.token.kind == "end":
            raise IllTyped("the variable of the derivative is missing", at)
        node = parser.factor()
        if node.op == "pow" and node.args[1].op == "num" and node.args[1].args[0] in (2, 3, 4):
            return node.args[0], int(node.args[1].args[0])
        return node, 1

    def operand(self, start):
        """What an operator `\\frac{\\partial}{\\partial B}` acts on: brackets, or else the rest of its term."""
        if not self.starts_factor():
            raise IllTyped("the derivative of what?", self.token.start)
        if self.at("(", "["):
            return self.factor()
        return self.term()

    def cmd_partial(self):
        r"""`\partial A / \partial B` in a line of text."""
        start = self.token.start
        sign = self.differential_sign(self)
        numerator = self.factor()
        if not self.at("/"):
            raise IllTyped(r"\partial A stands above a fraction line or before / \partial B", self.token.start)
        self.advance()
        below = self.differential_sign(self)
        if below is None:
            raise IllTyped(r"\partial expected after /", self.token.start)
        at = self.token.start
        variable = self.primary()
        if self.at("^") and self.peek().text != "top":
            raise IllTyped(r"write higher derivatives with \frac", at)
        if sign[1] != 1:
            raise IllTyped(r"write higher derivatives with \frac", start)
        flavour = "immediate" if "immediate" in (sign[0], below[0]) else "partial"
        return self.node("derivative", (flavour, numerator, (variable,)), start)

    def cmd_nabla(self):
        start = self.advance().start
        variable, order = None, 1
        while self.at("_", "^"):
            if self.advance().text == "_":
                if variable is not None:
                    raise IllTyped(r"two subscripts on \nabla", self.token.start)
                inner = self.inner(*self.script_tokens())
                variable = inner.factor()
                inner.finish()
            else:
                a, b = self.script_tokens()
                text = "".join(t.text for t in self.tokens[a:b])
                if text != "2":
                    raise IllTyped(r"only \nabla and \nabla^2 have a meaning", self.tokens[a].start)
                order = 2
        if variable is None:
            raise IllTyped(r"\nabla needs its variable: \nabla_{h_t}", start)
        if not self.starts_factor():
            raise IllTyped(r"\nabla of what?", self.token.start)
        operand_start = self.token.start
        operand = self.primary()
        while self.at("_"):
            operand = self.scripts(operand, operand_start)
        result = self.node("gradient", (operand, variable, order), start)
        return result

    # -- functions and operators ---------------------------------------------------------------------------------------
    def function(self, name, start, user=False):
        """An elementwise function with primes and a power, and its argument."""
        primes, power, base = 0, None, None
        while self.at("'", "^", "_"):
            token = self.advance()
            if token.text == "'":
                primes += 1
                if primes > 4:
                    raise IllTyped("more than four primes", token.start)
            elif token.text == "_":
                a, b = self.script_tokens()
                if name != "ln" or b != a + 1 or self.tokens[a].kind != "num":
                    raise IllTyped(f"a subscript on the function {name}", token.start)
                base = Fraction(self.tokens[a].text)
                if base <= 1:
                    raise IllTyped("the base of a logarithm is greater than 1", token.start)
            else:
                a, b = self.script_tokens()
                texts = [t.text for t in self.tokens[a:b]]
                if set(texts) == {"prime"}:
                    primes += len(texts)
                    continue
                if texts == ["-", "1"]:
                    raise IllTyped(f"{name}^{{-1}} is the inverse function to some and the reciprocal to others: write "
                                   "what is meant", token.start)
                inner = self.inner(a, b)
                power = inner.expression()
                inner.finish()
        argument = self.argument(name)
        node = self.node("call" if user else "fn", (name, primes, argument), start)
        if base is not None:
            logarithm = Node("fn", ("ln", 0, Node("num", (base, str(base)), start, start)), start, start)
            node = self.node("frac", (node, logarithm), start)
        if power is not None:
            node = self.node("pow", (node, power), start)
        return node

    def argument(self, name):
        if self.at("(", "[", "{"):
            return self.group()
        if not self.starts_factor():
            raise IllTyped(f"the argument of {name} is missing", self.token.start)
        return self.factor()

    def cmd_sigma(self):
        start = self.token.start
        following = self.peek()
        if following.text in ("(", "'", "[", "^") or following.kind in ("letter", "cmd", "num"):
            if self.peek().text == "_":
                return self.symbol_or_call()
            self.advance()
            return self.function("sigma", start)
        return self.symbol_or_call()

    def cmd_rho(self):
        start = self.token.start
        if self.peek().text not in ("(", "["):
            return self.symbol_or_call()
        self.advance()
        return self.operator("rho", start)

    def operator(self, name, start):
        if name in ("max", "min"):
            if not self.at("(", "{"):
                raise IllTyped(rf"\{name} takes its arguments in brackets: \{name}(a, b)", self.token.start)
            closer = CLOSERS[self.advance().text]
            arguments = [self.expression()]
            while self.at(","):
                self.advance()
                arguments.append(self.expression())
            self.expect(closer)
            return self.node("extreme", (name, tuple(arguments)), start)
        if self.at("'", "^", "_"):
            raise IllTyped(f"a script on the operator {name}: put its argument first", self.token.start)
        return self.node("operator", (name, self.argument(name)), start)

    def cmd_operatorname(self):
        token = self.token
        start = token.start
        saved = self.i
        self.advance()
        if self.at("{"):
            a, b = self.script_tokens()
        else:
            a, b = self.i, self.i + 1
            self.advance()
        name = "".join(t.text for t in self.tokens[a:b])
        if name == "I" and not self.names.declared("{I}"):
            return self.identity(start)
        if name == "e" and not self.names.declared("{e}"):
            return self.euler(start)
        if not self.names.declared("{" + name + "}"):
            if name in FUNCTION_NAMES:
                return self.function(FUNCTION_NAMES[name], start)
            if name in OPERATORS:
                return self.operator(OPERATORS[name], start)
        if not name or not name.isalnum():
            shown = self.source[start:self.tokens[self.i - 1].end]
            raise IllTyped(f"{shown!r} is text, not a formula; a reason stands after &&", start)
        self.i = saved
        return self.symbol_or_call()

    cmd_mathrm = cmd_operatorname
    cmd_text = cmd_operatorname

    # -- big operators -------------------------------------------------------------------------------------------------
    def is_reversed_product(self):
        """Whether `\\overset{\\curvearrowleft}{\\prod}` or `\\overleftarrow{\\prod}` stands here."""
        text = " ".join(t.text for t in self.tokens[self.i:self.i + 7])
        return text.startswith(("overset { curvearrowleft } { prod }", "overset { curvearrowright } { prod }",
                                "overset { leftarrow } { prod }", "overleftarrow { prod }"))

    def cmd_overset(self):
        raise IllTyped(r"\overset is read only in \overset{\curvearrowleft}{\prod}", self.token.start)

    def big(self):
        self.enter()
        start = self.token.start
        if self.at("overset", "overleftarrow"):
            backwards = self.peek(2).text != "curvearrowright"
            while not self.at("prod"):
                self.advance()
            self.advance()
            self.expect("}")
            kind = "prod_left" if backwards else "prod"
        else:
            kind = BIG[self.advance().text]
        below = above = None
        while self.at("_", "^"):
            token = self.advance()
            if token.text == "_":
                if below:
                    raise IllTyped("two lower bounds", token.start)
                below = self.inner(*self.script_tokens())
            else:
                if above is not None:
                    raise IllTyped("two upper bounds", token.start)
                inner = self.inner(*self.script_tokens())
                above = inner.expression()
                inner.finish()
        if below is None:
            raise IllTyped("the index of the sum or product is missing", self.token.start)
        binder = self.binder(below, above)
        if self.at("-", "+"):
            sign_at = self.advance()
            factors, operators = self.items()
            if sign_at.text == "-":
                factors[0] = Node("sum", ((-1, factors[0]),), sign_at.start, factors[0].end)
        else:
            if not self.starts_factor():
                raise IllTyped("a sum or product of what?", self.token.start)
            factors, operators = self.items()
        self.depth -= 1
        if kind == "sum":
            body = self.build(factors, operators)
            return Node("bigsum", (binder, body), start, body.end)

        def reaching(reach):
            body = self.build(factors[:reach], operators[:reach])
            node = Node(kind, (binder, body), start, body.end)
            return self.build([node] + factors[reach:], ["jux"] + operators[reach:])

        least, most = self.reach(factors, operators, set(binder.variables))
        shortest = reaching(least)
        if most == least:
            return shortest
        longest = reaching(most)
        body = self.build(factors[:most], operators[:most])
        return Node("reach", (binder, body, longest, shortest), start, longest.end)

    def reach(self, factors, operators, indices):
        """How far a product reaches, at least and at most.

        It reaches to the last factor of its term that mentions its index, and on over factors that carry no index at all,
        as the W of `D_j W`, if what it multiplies then still can be multiplied with itself.
        """
        mentions = [k for k, factor in enumerate(factors) if indices & letters_below(factor)]
        least = most = mentions[-1] + 1 if mentions else 1
        while most < len(factors) and operators[most] in ("jux", "mul") and self.constant(factors[most]):
            most += 1
        return least, most

    def constant(self, factor):
        """Whether all symbols of a factor are names of the model without an index."""
        return all(self.names.declared(node.args[0].name) for node in factor.walk() if node.op == "sym")

    def binder(self, parser, above):
        def index():
            token = parser.token
            if token.kind == "letter" or token.kind == "cmd" and token.text in GREEK:
                parser.advance()
                return self.letter_name(token)
            return None

        begin = parser.i
        names = []
        name = index()
        while name:
            names.append(name)
            if not parser.at(","):
                break
            parser.advance()
            name = index()
        if names and parser.token.kind == "end":
            if above is not None:
                raise IllTyped("an upper bound without a lower one", above.start)
            return Binder(tuple(names), None, None, ())
        if names and parser.at("="):
            parser.advance()
            low = parser.expression()
            if parser.at(".", "dots") and above is None:
                while parser.at(".", "dots", ","):
                    parser.advance()
                above = parser.expression()
            parser.finish()
            if above is None:
                raise IllTyped("the upper bound is missing", parser.token.start)
            return Binder(tuple(names), low, above, ())
        # k < t, 1 \le k \le t, j \ne i, perhaps several after commas
        if above is not None:
            raise IllTyped("an upper bound besides an inequality", above.start)
        parser.i = begin
        conditions, variables = [], []
        while True:
            sides, relations = [parser.expression()], []
            while parser.relation():
                relations.append(parser.advance().text)
                sides.append(parser.expression())
            if relations:
                for r, a, b in zip(relations, sides, sides[1:]):
                    conditions.append((r, a, b))
                which = sides[1] if len(relations) == 2 else sides[0]
            else:
                which = sides[0]
            if which.op != "sym" or which.args[0].sub is not None:
                raise IllTyped("the index of a sum or product is a letter", which.start)
            if which.args[0].base not in variables:
                variables.append(which.args[0].base)
            if not parser.at(","):
                break
            parser.advance()
        parser.finish()
        return Binder(tuple(variables), None, None, tuple(conditions))

    # -- matrices ------------------------------------------------------------------------------------------------------
    def cmd_begin(self):
        self.enter()
        start = self.advance().start
        name = self.environment_name()
        if name not in MATRICES or name in ("vmatrix", "Vmatrix", "cases"):
            raise IllTyped(f"the environment {name!r} is not part of the language", start)
        if name == "array" and self.at("{"):
            self.script_tokens()
        rows = [[]]
        while True:
            if self.at("end"):
                break
            if self.token.kind == "end":
                raise IllTyped(rf"\begin{{{name}}} is not closed", start)
            rows[-1].append(self.expression())
            if self.token.kind == "sym" and self.token.text == "&":
                self.advance()
            elif self.token.kind == "row":
                self.advance()
                if not self.at("end"):
                    rows.append([])
            elif not self.at("end"):
                raise IllTyped(f"& or \\\\ expected, found {self.shown(self.token)}", self.token.start)
        self.advance()
        if self.environment_name() != name:
            raise IllTyped(rf"\end does not fit \begin{{{name}}}", self.token.start)
        if not rows[0] or any(len(row) != len(rows[0]) for row in rows):
            raise IllTyped("the rows of the matrix have different lengths", start)
        self.depth -= 1
        return self.node("matrix", tuple(tuple(row) for row in rows), start)

    def environment_name(self):
        if not self.at("{"):
            raise IllTyped("the name of an environment is missing", self.token.start)
        a, b = self.script_tokens()
        return "".join(t.text for t in self.tokens[a:b])
