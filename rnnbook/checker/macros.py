r"""The macros of a LaTeX document: `\newcommand` and its relatives, expanded within strict limits."""
from __future__ import annotations

import re
from typing import NamedTuple

from rnnbook.checker.errors import IllTyped

MAX_MACROS = 2_000
MAX_GROUP = 5_000
MAX_FORMULA = 20_000
#: Tokens that the expansions of one formula, and those of a document, may take together.
MAX_FORMULA_WORK, MAX_WORK = 100_000, 1_000_000

TOKEN = re.compile(r"%[^\n]*|\\(?:[A-Za-z@]+|.|\n)|.", re.DOTALL)
DEFINING = frozenset(r"\newcommand \renewcommand \providecommand \DeclareRobustCommand \def \let \DeclareMathOperator "
                     r"\DeclarePairedDelimiter".split())


class Primitive(str):
    r"""A control sequence that means what it meant before the document gave its name to a macro: `\let\old\vec` keeps it."""


class Token(NamedTuple):
    """A control sequence, a comment or a character, and its offset in the document."""

    text: str
    at: int


class Macro(NamedTuple):
    """What a control sequence stands for; a whole number in the body is an argument."""

    count: int
    body: tuple
    default: tuple | None = None
    starred: bool = False


def tokens_of(text, start=0, end=None):
    """The tokens of a part of a document."""
    return [Token(m[0], m.start()) for m in TOKEN.finditer(text, start, len(text) if end is None else end)]


def group_end(text, at):
    """The offset of the brace that closes the one at an offset, or None if it is not near."""
    depth = 0
    for m in TOKEN.finditer(text, at, at + MAX_GROUP):
        depth += (m[0] == "{") - (m[0] == "}")
        if depth == 0:
            return m.start()
    return None


def skip_spaces(text, at):
    """The offset of what follows white space and comments."""
    return re.compile(r"(?:\s|%[^\n]*)*").match(text, at).end()


def _body(text, count):
    out, pieces = [], [t.text for t in tokens_of(text) if t.text[0] != "%"]
    for k, piece in enumerate(pieces):
        if k and pieces[k - 1] == "#" and piece.isdigit() and 1 <= int(piece) <= count:
            out[-1] = int(piece)
        else:
            out.append(piece)
    return tuple(out)


#: Short forms of the packages that are in use for derivatives; a document may redefine them.
USUAL = {
    r"\ensuremath": Macro(1, (1,)),
    r"\pdv": Macro(2, _body(r"\frac{\partial #1}{\partial #2}", 2)),
    r"\dv": Macro(2, _body(r"\frac{d #1}{d #2}", 2)),
}


class Macros:
    """The macros that are known so far."""

    def __init__(self):
        self.known, self.work = dict(USUAL), 0

    def define(self, text, command, at):
        """Read a definition whose command ends at an offset; returns the offset behind it. What is not understood defines nothing."""
        if text.startswith("*", at):
            at += 1
        at = skip_spaces(text, at)
        braced = text.startswith("{", at) and command != r"\def"
        if braced:
            at = skip_spaces(text, at + 1)
        named = re.compile(r"\\(?:[A-Za-z@]+|.)").match(text, at)
        if named is None:
            return at
        name, at = named[0], skip_spaces(text, named.end())
        if braced:
            if not text.startswith("}", at):
                return at
            at = skip_spaces(text, at + 1)
        if command == r"\let":
            other = re.compile(r"\s*=?\s*(\\(?:[A-Za-z@]+|.))").match(text, at)
            if other is None:
                return at
            if other[1] != name:
                self._set(name, self.known.get(other[1]) or Macro(0, (Primitive(other[1]),)))
            return other.end()
        count, default = 0, None
        if command == r"\def":
            parameters = re.compile(r"(?:#\d)*").match(text, at)
            count, at = len(parameters[0]) // 2, parameters.end()
        elif (counted := re.compile(r"\[\s*(\d)\s*\]\s*(?:\[([^\[\]{}]{0,100})\]\s*)?").match(text, at)) is not None:
            count, at = int(counted[1]), counted.end()
            default = counted[2] and _body(counted[2], 0)
        groups = []
        for _ in range(2 if command == r"\DeclarePairedDelimiter" else 1):
            end = group_end(text, at) if text.startswith("{", at) else None
            if end is None:
                return at
            groups.append(text[at + 1:end])
            at = end + 1 if len(groups) == 2 or command != r"\DeclarePairedDelimiter" else skip_spaces(text, end + 1)
        if command == r"\DeclareMathOperator":
            self._set(name, Macro(0, _body(rf"\operatorname{{{groups[0]}}}", 0)))
        elif command == r"\DeclarePairedDelimiter":
            self._set(name, Macro(1, (r"\left", *_body(groups[0], 0), 1, r"\right", *_body(groups[1], 0)), starred=True))
        else:
            self._set(name, Macro(count, _body(groups[0], count), default if count else None))
        return at

    def _set(self, name, macro):
        if len(self.known) < MAX_MACROS:
            self.known[name] = macro

    def environment(self, name, command):
        r"""The environment that a macro opens or closes, such as `\be` for `\begin{equation}`; or None."""
        macro = self.known.get(name)
        if macro is None or macro.count or macro.body[:1] != (command,):
            return None
        named = re.fullmatch(r"\{(\w+\*?)\}", "".join(macro.body[1:]).strip())
        return named and named[1]

    def expand(self, tokens):
        """The tokens with all macros replaced; every token of a replacement stands where the macro stood."""
        pending, out, limit = list(reversed(tokens)), [], min(self.work + MAX_FORMULA_WORK, MAX_WORK)
        while pending:
            token = pending.pop()
            macro = None if isinstance(token.text, Primitive) else self.known.get(token.text)
            if macro is None:
                out.append(token)
                continue
            arguments = self._arguments(token, macro, pending)
            replacement = []
            for piece in macro.body:
                replacement += arguments[piece - 1] if isinstance(piece, int) else [Token(piece, token.at)]
            self.work += 1 + len(replacement) + sum(map(len, arguments))
            if self.work > limit or len(pending) + len(out) + len(replacement) > MAX_FORMULA:
                raise IllTyped(f"the macros of this formula expand beyond {MAX_FORMULA} tokens", token.at)
            pending.extend(reversed(replacement))
        return out

    def _arguments(self, macro_token, macro, pending):
        found = []
        if macro.starred and pending and pending[-1].text == "*":
            pending.pop()
        if macro.default is not None:
            self._skip_spaces(pending)
            if pending and pending[-1].text == "[":
                pending.pop()
                found.append(self._until("]", pending, macro_token))
            else:
                found.append([Token(piece, macro_token.at) for piece in macro.default])
        while len(found) < macro.count:
            self._skip_spaces(pending)
            if not pending:
                raise IllTyped(f"{macro_token.text} takes {macro.count} argument{'s' * (macro.count != 1)}", macro_token.at)
            first = pending.pop()
            found.append(self._until("}", pending, macro_token) if first.text == "{" else [first])
        return found

    @staticmethod
    def _skip_spaces(pending):
        while pending and (pending[-1].text.isspace() or pending[-1].text[0] == "%"):
            pending.pop()

    @staticmethod
    def _until(closing, pending, macro_token):
        depth, inner = 0, []
        while pending:
            token = pending.pop()
            if depth == 0 and token.text == closing:
                return inner
            depth += (token.text == "{") - (token.text == "}")
            inner.append(token)
        raise IllTyped(f"an argument of {macro_token.text} is not closed", macro_token.at)
