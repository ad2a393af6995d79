"""Read LaTeX formulas into trees.

The tree keeps the span of every part, so that messages quote the formula as it is printed. Which symbols exist, and which
of them are functions, is asked of `names` (see `rnnbook.checker.model`): a declared name always wins over a built-in one.
"""
from __future__ import annotations

from fractions import Fraction

from rnnbook.checker.errors import IllTyped
from rnnbook.checker.layout import MATRICES, RELATIONS, chain_tokens
from rnnbook.checker.lexer import GREEK, Token

MAX_DEPTH = 40
ELEMENTWISE = frozenset("tanh exp ln log cosh sinh sin cos tan arctan sqrt sech coth sigma sign relu softplus "
                        "arcsin arccos artanh arsinh gelu silu".split())
FUNCTION_NAMES = {
    "tanh": "tanh", "exp": "exp", "ln": "ln", "log": "ln", "cosh": "cosh", "sinh": "sinh", "sin": "sin", "cos": "cos",
    "tan": "tan", "arctan": "arctan", "coth": "coth", "sech": "sech", "sign": "sign", "sgn": "sign", "ReLU": "relu",
    "relu": "relu", "softplus": "softplus", "sigmoid": "sigma", "sigm": "sigma", "artanh": "artanh", "arctanh": "artanh",
    "logistic": "sigma", "sig": "sigma", "atanh": "artanh",
}
OPERATORS = {
    "softmax": "softmax", "diag": "diag", "Diag": "diag", "tr": "tr", "Tr": "tr", "trace": "tr", "det": "det", "vec": "vec",
    "max": "max", "min": "min", "logsumexp": "logsumexp", "LSE": "logsumexp",
}
STYLES = frozenset("mathbf boldsymbol mathcal mathsf mathtt mathfrak mathscr mathit".split())
ACCENTS = frozenset("hat tilde bar dot ddot vec check breve overrightarrow overleftarrow underline mathring acute grave".split())
BIG = {"sum": "sum", "prod": "prod", "bigodot": "hprod"}
BINARY = {"cdot": "mul", "times": "mul", "*": "mul", "odot": "had", "oslash": "hdiv", "otimes": "kron", "/": "div"}
DOTS = r"dots leave it to the reader what they stand for: use \sum or \prod with bounds"
CLOSERS = {"(": ")", "[": "]", "{": "}"}


class Node:
    """A part of a formula: an operation, its arguments and its span in the source. `memo` is the evaluator's."""

    __slots__ = ("op", "args", "start", "end", "memo")

    def __init__(self, op, args, start, end):
        self.op, self.args, self.start, self.end, self.memo = op, args, start, end, None

    def __repr__(self):
        return f"{self.op}{self.args!r}"

    def children(self):
        """The nodes directly below."""
        stack = [self.args]
        while stack:
            item = stack.pop()
            if isinstance(item, Node):
                yield item
            elif isinstance(item, Symbol):
                if item.parts:
                    stack.append(item.parts)
            elif isinstance(item, Binder):
                stack.append([item.conditions, [b for b in (item.low, item.high) if b is not None]])
            elif isinstance(item, (tuple, list)):
                stack.extend(reversed(item))

    def walk(self):
        """This node and all below."""
        yield self
        for child in self.children():
            yield from child.walk()


class Symbol:
    """A symbol as written: base with accents and style, subscript and bracketed superscript.

    `sub` is the subscript's text in one spelling, `parts` its comma-separated entries as nodes (None where they are not
    formulas, as in ``W_{\\text{in}}``), `juxtaposed` tells ``ij`` from ``i,j``, `counts` says how many parts each entry gave.
    """

    __slots__ = ("base", "sub", "texts", "parts", "juxtaposed", "shown", "counts")

    def __init__(self, base, sub, texts, parts, juxtaposed, shown, counts=()):
        self.base, self.sub, self.texts, self.parts, self.juxtaposed, self.shown = base, sub, texts, parts, juxtaposed, shown
        self.counts = counts

    @property
    def name(self):
        return self.base if self.sub is None else f"{self.base}_{self.sub}"

    def __repr__(self):
        return self.name


class Binder:
    """The index variables of a sum or product with their bounds and conditions."""

    __slots__ = ("variables", "low", "high", "conditions")

    def __init__(self, variables, low, high, conditions):
        self.variables, self.low, self.high, self.conditions = variables, low, high, conditions


class Chain:
    """`A = B <= C`: sides and the relations between them."""

    __slots__ = ("sides", "relations", "places")

    def __init__(self, sides, relations, places):
        self.sides, self.relations, self.places = sides, relations, places


class NoNames:
    """The names of an empty model."""

    def declared(self, name):
        return False

    def function(self, name):
        return False


def letters_of(node):
    """All symbols without subscripts below a node, by name."""
    return {n.args[0].base for n in node.walk() if n.op == "sym" and n.args[0].sub is None}


class Parser:
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
            return token.text not in ("}", "rVert", "rvert", "rangle", "in", "pm", "mp", "end", "mid", "to", "top", "over", "dots")
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
                raise IllTyped(f"a second {self.token.text} on one factor: TeX does not read that, use brackets", self.token.start)
            seen.add(self.token.text)
            if self.at("!"):
                raise IllTyped("the factorial is not part of the language", self.token.start)
            if self.at("'"):
                raise IllTyped("the prime marks the derivative of a function: it stands right behind its name", self.token.start)
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
        if token.kind == "cmd" and (token.text in STYLES or token.text in ACCENTS or token.text in ("mathrm", "text", "operatorname")):
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

    def superscript(self, base, start):
        self.expect("^")
        at = self.token.start
        a, b = self.script_tokens()
        tokens = self.tokens[a:b]
        texts = [t.text for t in tokens]
        if not tokens:
            raise IllTyped("the superscript is empty", at)
        if texts in (["top"], ["mathsf", "T"], ["mathrm", "T"], ["mathsf", "{", "T", "}"], ["mathrm", "{", "T", "}"],
                     ["text", "{", "T", "}"], ["mathtt", "T"]):
            return self.node("T", (base,), start)
        if texts == ["-", "1"]:
            return self.node("inv", (base,), start)
        if texts in (["-", "top"], ["-", "mathsf", "{", "T", "}"], ["-", "mathsf", "T"]):
            return self.node("T", (self.node("inv", (base,), start),), start)
        if texts == ["T"] and not self.names.declared("T"):
            return self.node("powT", (base, self.inner(a, b).expression()), start)
        if texts[0] == "odot":
            if texts[1:] == ["-", "1"]:
                return self.node("hpow", (base, Node("num", (Fraction(-1),), at, at)), start)
            inner = self.inner(a + 1, b)
            exponent = inner.expression()
            inner.finish()
            return self.node("hpow", (base, exponent), start)
        if texts[0] in ("*", "dagger", "prime", "circ", "+", "infty") and len(texts) == 1:
            raise IllTyped(f"the superscript {self.shown(tokens[0])} has no meaning here", at)
        inner = self.inner(a, b)
        exponent = inner.expression()
        inner.finish()
        return self.node("pow", (base, exponent), start)

    def canonical(self, tokens):
        """The text of a name-like script in one spelling: `\\text{in}` and `\\mathrm{in}` are the same."""
        out, j = [], 0
        while j < len(tokens):
            t = tokens[j]
            if t.kind == "cmd" and t.text in ("text", "operatorname", "mathrm"):
                if j + 1 < len(tokens) and tokens[j + 1].text == "{":
                    k = j + 2
                    while k < len(tokens) and tokens[k].text != "}":
                        k += 1
                    out.append("{" + "".join(x.text for x in tokens[j + 2:k]) + "}")
                    j = k + 1
                    continue
                j += 1
                continue
            out.append("\\" + t.text if t.kind == "cmd" else t.text)
            j += 1
        return "".join(out)

    def subscript(self):
        """(canonical text of each comma-separated part, parts as nodes or None, whether letters were juxtaposed)."""
        at = self.token.start
        a, b = self.script_tokens()
        if a == b:
            raise IllTyped("the subscript is empty", at)
        pieces, depth, last = [], 0, a
        for j in range(a, b):
            text, kind = self.tokens[j].text, self.tokens[j].kind
            if kind == "sym" and text in "{([":
                depth += 1
            elif kind == "sym" and text in "})]":
                depth -= 1
            elif kind == "sym" and text == "," and depth == 0:
                pieces.append((last, j))
                last = j + 1
        pieces.append((last, b))
        texts = [self.canonical(self.tokens[x:y]) for x, y in pieces]
        parts, juxtaposed, counts = [], False, []
        for x, y in pieces:
            try:
                if x == y:
                    raise IllTyped("a subscript is empty between commas", at)
                if any(t.kind == "cmd" and t.text in ("text", "mathrm", "operatorname") for t in self.tokens[x:y]):
                    raise IllTyped("a name", at)
                letters = self.tokens[x:y]
                if len(letters) > 1 and all(t.kind == "letter" or t.kind == "num" and len(t.text) == 1 and t.text.isdigit()
                                            or t.kind == "cmd" and t.text in GREEK for t in letters):
                    juxtaposed = True
                    for j in range(x, y):
                        parts.append(self.inner(j, j + 1).expression())
                    counts.append(y - x)
                    continue
                if len(letters) == 1 and letters[0].kind == "num" and len(letters[0].text) == 2 and letters[0].text.isdigit():
                    juxtaposed = True  # W_{11} is an entry, unless x_{11} is a member of a family: resolved later
                inner = self.inner(x, y)
                node = inner.expression()
                inner.finish()
                parts.append(node)
            except IllTyped:
                return texts, None, False
            counts.append(len(parts) - sum(counts))
        self.counts = counts
        return texts, parts, juxtaposed

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
            if token.text in ("lim", "sup", "inf", "int", "argmax", "argmin", "Pr", "mathbb", "not", "forall", "exists"):
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
                raise IllTyped(f"the norm {which!r} is not part of the language: 2, F, 1 or \\infty", self.tokens[a].start)
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
                raise IllTyped(f"'}}' expected for the '{{' opened before, found {self.shown(self.token)}", self.token.start)
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
            return Node("sym", (Symbol(self.letter_name(token), None, [], None, False, token.text),), token.start, token.end)
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
                parser.peek().text == "d" or parser.peek().text == "{" and parser.peek(2).text == "d" and parser.peek(3).text == "}"):
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
                raise IllTyped(f"unexpected {self.shown(bottom.token)} below the line of a derivative", bottom.token.start)
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
                    raise IllTyped(f"{name}^{{-1}} is the inverse function to some and the reciprocal to others: write what is meant",
                                   token.start)
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
        if self.peek().text in ("(", "'", "[") or self.peek().text == "^" or self.peek().kind in ("letter", "cmd", "num"):
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
            raise IllTyped(f"{self.source[start:self.tokens[self.i - 1].end]!r} is text, not a formula; a reason stands after &&", start)
        self.i = saved
        return self.symbol_or_call()

    cmd_mathrm = cmd_operatorname
    cmd_text = cmd_operatorname

    # -- big operators -------------------------------------------------------------------------------------------------
    def is_reversed_product(self):
        """Whether `\\overset{\\curvearrowleft}{\\prod}` or `\\overleftarrow{\\prod}` stands here."""
        texts = [t.text for t in self.tokens[self.i:self.i + 7]]
        return texts[:7] in (["overset", "{", "curvearrowleft", "}", "{", "prod", "}"],
                             ["overset", "{", "curvearrowright", "}", "{", "prod", "}"]) or \
            texts[:4] == ["overleftarrow", "{", "prod", "}"] or texts[:4] == ["overset", "curvearrowleft", "{", "prod"] or \
            texts[:6] == ["overset", "{", "leftarrow", "}", "{", "prod"]

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
        reach = len(factors)
        if kind != "sum":  # a product reaches to the last factor of its term that mentions its index
            names = set(binder.variables)
            mentions = [k for k, f in enumerate(factors) if names & letters_of(f)]
            reach = mentions[-1] + 1 if mentions else 1
            while reach < len(factors) and operators[reach] in ("had", "hdiv", "kron", "div") and kind == "hprod":
                break
        body = self.build(factors[:reach], ["jux"] + operators[1:reach])
        node = Node(kind if kind != "sum" else "bigsum", (binder, body), start, body.end)
        self.depth -= 1
        if reach < len(factors):
            node = self.build([node] + factors[reach:], ["jux"] + operators[reach:])
        return node

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

    # -- symbols -------------------------------------------------------------------------------------------------------
    def base_name(self):
        """The name of a letter with its accents and style, in one spelling."""
        token = self.advance()
        if token.kind == "letter":
            return token.text
        if token.kind != "cmd":
            raise IllTyped(f"a symbol expected, found {self.shown(token)}", token.start)
        if token.text in STYLES or token.text in ACCENTS:
            if self.at("{"):
                a, b = self.script_tokens()
                inner = self.inner(a, b)
                if inner.token.kind == "end":
                    raise IllTyped(rf"\{token.text} of nothing", token.start)
                if inner.token.kind == "num" and inner.token.text.isdigit():
                    name = inner.advance().text
                else:
                    name = inner.base_name()
                while inner.at("'"):
                    name += inner.advance().text
                if inner.token.kind != "end":
                    if all(t.kind == "letter" for t in self.tokens[a:b]):
                        name = "".join(t.text for t in self.tokens[a:b])
                    else:
                        raise IllTyped(rf"\{token.text} stands over one letter: put scripts outside its braces",
                                       inner.token.start)
            elif self.token.kind == "num":
                name = self.advance().text
            else:
                self.enter()
                name = self.base_name()
                self.depth -= 1
            return f"\\{token.text}{{{name}}}"
        if token.text in ("operatorname", "mathrm", "text"):
            if self.at("{"):
                a, b = self.script_tokens()
                return "{" + "".join(t.text for t in self.tokens[a:b]) + "}"
            return "{" + self.advance().text + "}"
        if token.text in GREEK:
            return "\\" + token.text
        raise IllTyped(f"a symbol expected, found {self.shown(token)}", token.start)

    def symbol_or_call(self):
        """A symbol with all its scripts, or the call of a function that the model defines."""
        start = self.token.start
        first = self.token
        base = self.base_name()
        if not self.names.declared(base):
            if base in ("I", r"\mathbf{I}", r"\boldsymbol{I}", r"\mathbb{I}"):
                return self.identity(start)
            if base == "e" and self.at("^"):
                return self.euler(start)
            if base in (r"\mathbf{1}", r"\boldsymbol{1}", r"\mathbb{1}", r"\mathbf{0}", r"\boldsymbol{0}"):
                return self.filled("1" if "1" in base else "0", start)
        if self.names.function(base) and (self.at("(", "'") or self.at("^") and self.peek().text in ("{", "prime", "2")
                                          or self.token.kind in ("letter", "cmd") and self.starts_factor()):
            return self.function(base, start, user=True)
        if first.kind == "cmd" and first.text in STYLES and self.token.kind == "num":
            raise IllTyped("unexpected number", self.token.start)
        sub_texts, parts, juxtaposed, sups, name_sup = [], None, False, [], None
        seen_sub, counts = False, ()
        while self.at("_", "^", "'"):
            if self.at("'"):
                self.advance()
                base += "'"
                if base.count("'") > 4:
                    raise IllTyped("more than four primes", self.token.start)
            elif self.at("_"):
                if seen_sub:
                    raise IllTyped("two subscripts on one symbol", self.token.start)
                seen_sub = True
                self.advance()
                sub_texts, parts, juxtaposed = self.subscript()
                counts = self.counts if parts else ()
            else:
                if sups or name_sup is not None:
                    raise IllTyped("a second ^ on one symbol: TeX does not read that, use brackets", self.token.start)
                bracketed = self.bracketed_superscript()
                if bracketed is None:
                    sups.append(self.i)
                    self.advance()
                    self.script_tokens()
                else:
                    name_sup = bracketed
        if name_sup is not None:
            base += f"^({name_sup})"
        sub = "{" + ",".join(sub_texts) + "}" if seen_sub else None
        symbol = Symbol(base, sub, sub_texts, parts, juxtaposed, self.source[start:self.tokens[self.i - 1].end], counts)
        node = self.node("sym", (symbol,), start)
        end = self.i
        for at in sups:
            self.i = at
            node = self.superscript(node, start)
        self.i = end
        return node

    def bracketed_superscript(self):
        """The text inside `^{(…)}`, which is part of a name, or None."""
        if self.peek().text != "{" or self.peek(2).text != "(":
            return None
        saved = self.i
        self.advance()
        a, b = self.script_tokens()
        if self.tokens[b - 1].text != ")" or any(t.text in "()" for t in self.tokens[a + 1:b - 1]):
            self.i = saved
            return None
        return self.canonical(self.tokens[a + 1:b - 1])

    def identity(self, start):
        size = None
        if self.at("_"):
            self.advance()
            inner = self.inner(*self.script_tokens())
            size = inner.expression()
            inner.finish()
        return self.node("identity", (size,), start)

    def euler(self, start):
        if not self.at("^"):
            return self.node("constant", ("e",), start)
        self.advance()
        inner = self.inner(*self.script_tokens())
        exponent = inner.expression()
        inner.finish()
        return self.node("fn", ("exp", 0, exponent), start)

    def filled(self, digit, start):
        sizes = None
        if self.at("_"):
            self.advance()
            inner = self.inner(*self.script_tokens())
            sizes = [self.size(inner)]
            while inner.at("times", ","):
                inner.advance()
                sizes.append(self.size(inner))
            inner.finish()
            if len(sizes) > 2:
                raise IllTyped("at most two sizes", start)
        return self.node("filled", (digit, sizes), start)

    @staticmethod
    def size(parser):
        """One size such as `n`, `4n` or `2`; stops before `\\times`."""
        factors = []
        while parser.starts_factor():
            factors.append(parser.factor())
        if not factors:
            raise IllTyped("a size is missing", parser.token.start)
        result = factors[0]
        for factor in factors[1:]:
            result = Node("mul", (result, factor), result.start, factor.end)
        return result


def parse_chain(source, names=None):
    """The chain of relations of a claim or derivation."""
    return Parser(chain_tokens(source), source, names).chain()
