"""Read symbols with their accents, indices and superscripts."""
from __future__ import annotations

from fractions import Fraction

from rnnbook.checker.errors import IllTyped
from rnnbook.checker.lexer import GREEK
from rnnbook.checker.syntax import Node, Symbol
from rnnbook.checker.vocabulary import ACCENTS, STYLES


class SymbolParser:
    """The part of the parser that reads symbols and scripts."""

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
                if len(letters) > 1 and all(t.kind == "letter" or t.kind == "num" and len(t.text) == 1
                                            and t.text.isdigit()
                                            or t.kind == "cmd" and t.text in GREEK for t in letters):
                    juxtaposed = True
                    for j in range(x, y):
                        parts.append(self.inner(j, j + 1).expression())
                    counts.append(y - x)
                    continue
                only = letters[0]
                if len(letters) == 1 and only.kind == "num" and len(only.text) == 2 and only.text.isdigit():
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
        stem, upper = base, None
        if name_sup is not None:
            text, upper = name_sup
            base += f"^({text})"
        sub = "{" + ",".join(sub_texts) + "}" if seen_sub else None
        symbol = Symbol(base, sub, sub_texts, parts, juxtaposed, self.source[start:self.tokens[self.i - 1].end], counts,
                        stem, upper)
        node = self.node("sym", (symbol,), start)
        end = self.i
        for at in sups:
            self.i = at
            node = self.superscript(node, start)
        self.i = end
        return node

    def bracketed_superscript(self):
        """The text inside `^{(…)}` and its formula, if it is one; None if no such thing stands here."""
        if self.peek().text != "{" or self.peek(2).text != "(":
            return None
        saved = self.i
        self.advance()
        a, b = self.script_tokens()
        if self.tokens[b - 1].text != ")" or any(t.text in "()" for t in self.tokens[a + 1:b - 1]):
            self.i = saved
            return None
        try:
            inner = self.inner(a + 1, b - 1)
            upper = inner.expression()
            inner.finish()
        except IllTyped:
            upper = None
        return self.canonical(self.tokens[a + 1:b - 1]), upper

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
