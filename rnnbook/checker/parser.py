"""Read LaTeX formulas into trees.

The tree keeps the span of every part, so that messages quote the formula as it is printed. Which symbols exist, and
which of them are functions, is asked of `names` (see `rnnbook.checker.model`): a declared name always wins over a
built-in one.
"""

from __future__ import annotations

from fractions import Fraction

from rnnbook.checker.errors import IllTyped
from rnnbook.checker.layout import RELATIONS, chain_tokens
from rnnbook.checker.lexer import GREEK, Token
from rnnbook.checker.operators import OperatorParser
from rnnbook.checker.symbols import SymbolParser
from rnnbook.checker.syntax import Chain, Node, Symbol
from rnnbook.checker.vocabulary import ACCENTS, BIG, BINARY, CLOSERS, DOTS, FUNCTION_NAMES, OPERATORS, STYLES

MAX_DEPTH = 40


class NoNames:
    """The names of an empty model."""

    def declared(self, name):
        return False

    def function(self, name):
        return False


class Parser(OperatorParser, SymbolParser):
    """Recursive descent over a list of tokens."""

    def __init__(self, tokens, source, names=None, depth=0):
        self.tokens, self.source, self.i, self.depth, self.bars = tokens, source, 0, depth, []
        self.names = names or NoNames()

    # -- helpers -------------------------------------------------------------------------------------------------------
    @property
    def token(self):
        return self.tokens[self.i]

    def peek(self, offset=1):
        return self.tokens[min(self.i + offset, len(self.tokens) - 1)]

    def at(self, *texts):
        token = self.tokens[self.i]
        return token.text in texts and token.kind in ("sym", "cmd")

    def advance(self):
        token = self.tokens[self.i]
        if token.kind != "end":
            self.i += 1
        return token

    def expect(self, text, what=None):
        if not self.at(text):
            raise IllTyped(f"{what or repr(text)} expected, found {self.shown(self.token)}", self.token.start)
        return self.advance()

    @staticmethod
    def shown(token):
        if token.kind == "end":
            return "the end"
        return repr("\\" + token.text if token.kind == "cmd" else token.text)

    def enter(self):
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise IllTyped(f"the formula is nested deeper than {MAX_DEPTH} levels", self.token.start)

    def node(self, op, args, start):
        return Node(op, args, start, self.tokens[self.i - 1].end if self.i else start)

    # -- chains --------------------------------------------------------------------------------------------------------
    def relation(self):
        token = self.token
        if token.kind in ("sym", "cmd") and token.text in RELATIONS:
            return token.text
        if token.kind == "sym" and token.text == ":" and self.peek().text == "=":
            raise IllTyped(":= names an abbreviation and belongs in a model; a claim uses =", token.start)
        return None

    def chain(self):
        """A whole claim."""
        if self.token.kind == "end":
            raise IllTyped("there is no formula", self.token.start)
        if self.relation():
            raise IllTyped(f"nothing stands before the first {self.shown(self.token)}", self.token.start)
        sides, relations, places = [self.expression()], [], []
        while self.relation():
            token = self.advance()
            relations.append(token.text)
            places.append(token.start)
            sides.append(self.expression())
        self.finish()
        if not relations:
            raise IllTyped("there is no relation (=, \\le, <, \\approx) to check", self.token.start)
        return Chain(sides, relations, places)

    def finish(self):
        if self.token.kind != "end":
            text = self.shown(self.token)
            if self.at("}", ")", "]"):
                raise IllTyped(f"{text} closes nothing", self.token.start)
            if self.at("in"):
                raise IllTyped(r"\in declares a symbol and belongs in a model", self.token.start)
            if self.at("dots"):
                raise IllTyped(DOTS, self.token.start)
            if self.at(":"):
                raise IllTyped("an option such as :for: stands above the formula", self.token.start)
            if self.at(","):
                raise IllTyped("one chain of relations per claim: the comma starts a second one", self.token.start)
            raise IllTyped(f"unexpected {text}", self.token.start)

    # -- sums and products ---------------------------------------------------------------------------------------------
    def expression(self):
        self.enter()
        start, terms, sign = self.token.start, [], 1
        if self.at("+", "-"):
            sign = -1 if self.advance().text == "-" else 1
        terms.append((sign, self.term()))
        while self.at("+", "-"):
            sign = -1 if self.advance().text == "-" else 1
            terms.append((sign, self.term()))
        if self.at("pm", "mp"):
            raise IllTyped(r"\pm stands for two formulas: write them as two claims", self.token.start)
        self.depth -= 1
        if len(terms) == 1 and terms[0][0] == 1:
            return terms[0][1]
        return self.node("sum", tuple(terms), start)

    def starts_factor(self):
        token = self.token
        if token.kind in ("num", "letter"):
            return True
        if token.kind == "sym":
            if token.text == "|":
                return not self.bars or self.bars[-1] != "|"
            return token.text in ("{", "(", "[")
        if token.kind == "cmd":
            if token.text in RELATIONS or token.text in BINARY:
                return False
            if token.text in ("|", "vert"):
                return not self.bars or self.bars[-1] != token.text
            return token.text not in ("}", "rVert", "rvert", "rangle", "in", "pm", "mp", "end", "mid", "to", "top",
                                      "over", "dots")
        return False

    def term(self):
        """A product; juxtaposition binds tighter than the operators between its groups."""
        return self.build(*self.items())

    def items(self):
        """The factors of a product and the operators before them (`jux` for none)."""
        factors, operators = [], ["jux"]
        while True:
            if self.at("+", "-") and factors:
                raise IllTyped(f"{self.shown(self.token)} directly after an operator: use brackets", self.token.start)
            if not self.starts_factor():
                token = self.token
                if token.kind == "cmd" and token.text in ("circ", "star", "bullet"):
                    raise IllTyped(rf"\{token.text} has no meaning here: the elementwise product is \odot", token.start)
                if self.at("dots"):
                    raise IllTyped(DOTS, token.start)
                raise IllTyped(f"a factor is missing before {self.shown(token)}", token.start)
            name, open_function = self.token, self.open_function()
            factors.append(self.factor())
            token = self.token
            if token.kind in ("sym", "cmd") and token.text in BINARY:
                self.advance()
                operators.append(BINARY[token.text])
            elif self.at("circ"):
                raise IllTyped(r"\circ has no meaning here: the elementwise product is \odot", token.start)
            elif self.starts_factor():
                if open_function and not token.spaced and token.kind != "sym" and not self.at("frac", "sum"):
                    raise IllTyped(f"how far does {self.shown(name)} reach? Put its argument in brackets", token.start)
                operators.append("jux")
            else:
                return factors, operators

    def open_function(self):
        """Whether an elementary function without brackets around its argument stands here."""
        if not self.is_function(self.token):
            return False
        j = self.i + 1
        while self.tokens[j].text in ("'", "^", "_") and self.tokens[j].kind == "sym":
            j = min(j + (1 if self.tokens[j].text == "'" else 2), len(self.tokens) - 1)
        return self.tokens[j].text not in ("(", "[", "{") and not self.is_function(self.tokens[j])

    def is_function(self, token):
        if token.kind != "cmd" or token.text not in FUNCTION_NAMES and token.text != "sigma":
            return False
        return not self.names.declared("\\" + token.text)

    def build(self, factors, operators):
        groups, joins = [[factors[0]]], []
        for factor, operator in zip(factors[1:], operators[1:]):
            if operator == "jux":
                groups[-1].append(factor)
            else:
                joins.append(operator)
                groups.append([factor])
        for operator, group in zip(joins, groups[1:]):
            if operator == "div" and len(group) > 1 and group[0].op != "num":
                raise IllTyped(r"what does / divide by here? Write \frac{…}{…} or brackets", group[1].start)
        def product(group):
            result = group[0]
            for factor in group[1:]:
                result = Node("mul", (result, factor), result.start, factor.end)
            return result
        result = None
        for k, group in enumerate(groups):
            if k and joins[k - 1] == "div" and len(group) > 1:  # 1/2 x: only the number divides
                result = Node("div", (result, group[0]), result.start, group[0].end)
                for factor in group[1:]:
                    result = Node("mul", (result, factor), result.start, factor.end)
                continue
            value = product(group)
            result = value if result is None else Node(joins[k - 1], (result, value), result.start, value.end)
        return result

    # -- factors -------------------------------------------------------------------------------------------------------
    def factor(self):
        self.enter()
        start = self.token.start
        result = self.scripts(self.primary(), start)
        self.depth -= 1
        return result

    def scripts(self, base, start):
        """Superscripts, subscripts and primes behind a factor that is not a plain symbol."""
        seen = set()
        while self.at("^", "_", "'", "!"):
            if self.token.text in seen:
                raise IllTyped(f"a second {self.token.text} on one factor: TeX does not read that, use brackets",
                               self.token.start)
            seen.add(self.token.text)
            if self.at("!"):
                raise IllTyped("the factorial is not part of the language", self.token.start)
            if self.at("'"):
                raise IllTyped("the prime marks the derivative of a function: it stands right behind its name",
                               self.token.start)
            if self.at("_"):
                self.advance()
                _, parts, juxtaposed = self.subscript()
                if parts is None:
                    raise IllTyped("a component is written with indices", self.token.start)
                base = self.node("component", (base, tuple(parts)), start)
                continue
            base = self.superscript(base, start)
        return base

    def script_tokens(self):
        """The tokens of a script, as a slice [a, b) of the token list, and move behind it."""
        token = self.token
        if token.text == "{" and token.kind == "sym":
            depth, j = 0, self.i
            while True:
                t = self.tokens[j]
                if t.kind == "end":
                    raise IllTyped("a brace is not closed", token.start)
                if t.kind == "sym" and t.text == "{":
                    depth += 1
                elif t.kind == "sym" and t.text == "}":
                    depth -= 1
                    if depth == 0:
                        break
                j += 1
            a, b = self.i + 1, j
            self.i = j + 1
            return a, b
        if token.kind == "end":
            raise IllTyped("a script is missing", token.start)
        if token.kind == "num" and len(token.text) > 1:
            raise IllTyped(f"in TeX only the {token.text[0]} is the script here: write {{{token.text}}}", token.start)
        if token.kind == "cmd" and (token.text in STYLES or token.text in ACCENTS
                                    or token.text in ("mathrm", "text", "operatorname")):
            a = self.i
            self.advance()
            self.script_tokens()
            return a, self.i
        if token.kind == "cmd" and token.text in ("frac", "sqrt"):
            raise IllTyped(rf"put braces around \{token.text} in a script", token.start)
        self.advance()
        return self.i - 1, self.i

    def inner(self, a, b):
        """A parser for the tokens [a, b)."""
        end = self.tokens[b].start if b < len(self.tokens) else len(self.source)
        inner = Parser(self.tokens[a:b] + [Token("end", "the end", end, end)], self.source, self.names, self.depth + 1)
        inner.enter()
        return inner

    # -- primaries -----------------------------------------------------------------------------------------------------
    def primary(self):
        token = self.token
        start = token.start
        if token.kind == "num":
            self.advance()
            return Node("num", (Fraction(token.text), token.text), start, token.end)
        if token.kind == "letter":
            return self.symbol_or_call()
        if token.kind == "sym":
            if token.text in CLOSERS:
                return self.group()
            if token.text == "|":
                return self.absolute("|", "|")
        elif token.kind == "cmd":
            method = getattr(self, "cmd_" + token.text, None) if token.text.isalpha() else None
            if token.text in BIG or token.text in ("overset", "overleftarrow") and self.is_reversed_product():
                return self.big()
            if method and not self.names.declared("\\" + token.text):
                return method()
            if token.text == "{":
                return self.group()
            if token.text == "|":
                return self.norm("|", "|")
            if self.names.declared("\\" + token.text):
                return self.symbol_or_call()
            if token.text in FUNCTION_NAMES and not self.names.declared("\\" + token.text):
                self.advance()
                return self.function(FUNCTION_NAMES[token.text], start)
            if token.text in OPERATORS and token.text not in ACCENTS:
                self.advance()
                return self.operator(OPERATORS[token.text], start)
            if token.text in GREEK or token.text in STYLES or token.text in ACCENTS:
                return self.symbol_or_call()
            if token.text == "dots":
                raise IllTyped(DOTS, start)
            if token.text in ("infty",):
                raise IllTyped(r"\infty is not a number here", start)
            if token.text in ("lim", "sup", "inf", "int", "argmax", "argmin", "Pr", "mathbb", "not", "forall",
                              "exists"):
                raise IllTyped(rf"\{token.text} is not part of the language", start)
            raise IllTyped(rf"unknown command \{token.text}", start)
        raise IllTyped(f"a factor is missing before {self.shown(token)}", start)

    def group(self):
        """Something in brackets; square brackets around a relation are an Iverson bracket."""
        opened = self.advance()
        closer = CLOSERS[opened.text]
        bars, self.bars = self.bars, []
        if self.at(closer):
            raise IllTyped("the brackets are empty", opened.start)
        inner = self.expression()
        if self.relation():
            if opened.text != "[":
                raise IllTyped("a relation inside brackets: only [ … ] makes one into 0 or 1", self.token.start)
            sides, relations = [inner], []
            while self.relation():
                relations.append(self.advance().text)
                sides.append(self.expression())
            inner = Node("iverson", (tuple(sides), tuple(relations)), opened.start, self.token.end)
        if not self.at(closer):
            if self.token.kind == "end":
                raise IllTyped(f"{opened.text!r} is not closed", opened.start)
            raise IllTyped(f"{closer!r} expected for the {opened.text!r} opened before, found {self.shown(self.token)}",
                           self.token.start)
        self.advance()
        self.bars = bars
        return self.node("group", (inner,), opened.start)

    def bracketed(self, opener, closer):
        self.bars.append(closer)
        inner = self.expression()
        self.bars.pop()
        if not (self.token.text == closer):
            raise IllTyped(f"a bar is not closed, found {self.shown(self.token)}", self.token.start)
        self.advance()
        return inner

    def absolute(self, opener, closer):
        start = self.advance().start
        inner = self.bracketed(opener, closer)
        return self.node("abs", (inner,), start)

    def cmd_vert(self):
        return self.absolute("vert", "vert")

    def cmd_lvert(self):
        return self.absolute("lvert", "rvert")

    def norm(self, opener, closer):
        start = self.advance().start
        inner = self.bracketed(opener, closer)
        which = "2"
        if self.at("_"):
            self.advance()
            a, b = self.script_tokens()
            which = self.canonical(self.tokens[a:b]).strip("{}")
            if which not in ("2", "F", "1", "\\infty"):
                raise IllTyped(f"the norm {which!r} is not part of the language: 2, F, 1 or \\infty",
                               self.tokens[a].start)
        return self.node("norm", (inner, which), start)

    def cmd_lVert(self):  # noqa: N802 (named for the command)
        return self.norm("lVert", "rVert")

    def cmd_langle(self):
        start = self.advance().start
        first = self.expression()
        self.expect(",")
        second = self.expression()
        self.expect("rangle", r"'\rangle'")
        return self.node("inner", (first, second), start)

    def cmd_binom(self):
        start = self.advance().start
        return self.node("binom", (self.braced(), self.braced()), start)

    def braced(self):
        """The argument of a command: a group in braces, or one token as in `\\frac12`."""
        if self.at("{"):
            opened = self.advance()
            if self.at("}"):
                raise IllTyped("the braces are empty", opened.start)
            bars, self.bars = self.bars, []
            inner = self.expression()
            if not self.at("}"):
                if self.token.kind == "end":
                    raise IllTyped("'{' is not closed", opened.start)
                raise IllTyped(f"'}}' expected for the '{{' opened before, found {self.shown(self.token)}",
                               self.token.start)
            self.advance()
            self.bars = bars
            return inner
        token = self.token
        if token.kind == "num":
            if len(token.text) > 1:
                if "." in token.text or len(token.text) > 2:
                    raise IllTyped(f"put braces around {token.text}", token.start)
                head = Token("num", token.text[0], token.start, token.start + 1)
                self.tokens = self.tokens[:self.i] + [head, Token("num", token.text[1:], token.start + 1, token.end)] \
                    + self.tokens[self.i + 1:]
            token = self.advance()
            return Node("num", (Fraction(token.text), token.text), token.start, token.end)
        if token.kind == "letter" or token.kind == "cmd" and token.text in GREEK:
            self.advance()
            return Node("sym", (Symbol(self.letter_name(token), None, [], None, False, token.text),), token.start,
                        token.end)
        raise IllTyped(f"'{{' expected, found {self.shown(token)}", token.start)

    @staticmethod
    def letter_name(token):
        return "\\" + token.text if token.kind == "cmd" else token.text

    def cmd_sqrt(self):
        start = self.advance().start
        if self.at("["):
            self.advance()
            index = self.expression()
            self.expect("]")
            inner = self.braced()
            one = Node("num", (Fraction(1), "1"), start, start)
            return self.node("pow", (inner, Node("div", (one, index), start, start)), start)
        return self.node("fn", ("sqrt", 0, self.braced()), start)

    def cmd_underbrace(self):
        start = self.advance().start
        inner = self.braced()
        if self.at("_", "^"):
            self.advance()
            self.script_tokens()
        return self.node("group", (inner,), start)

    cmd_overbrace = cmd_underbrace

    def cmd_underset(self):
        raise IllTyped(r"\underset is not part of the language", self.token.start)


def parse_chain(source, names=None):
    """The chain of relations of a claim or derivation."""
    return Parser(chain_tokens(source), source, names).chain()
