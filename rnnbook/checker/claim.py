"""Read a claim: its chain of relations, the ranges of its indices, its assumptions."""
from __future__ import annotations

import re
from dataclasses import dataclass, field

from rnnbook.checker.errors import IllTyped
from rnnbook.checker.context import Pin
from rnnbook.checker.layout import RELATIONS, split_reasons, strip_layout
from rnnbook.checker.lexer import Token, forbidden_command, lex
from rnnbook.checker.parser import Parser, parse_chain
from rnnbook.checker.syntax import UPPER, Binder, Node, Symbol, letters_below

OPTIONS = frozenset(["label", "model", "for", "given", "expect", "name", "class"])
MAX_INDEX = 60


@dataclass
class Assumption:
    """A relation from `:given:` that restricts the instances or the indices."""

    sides: list
    relations: list
    source: str
    letters: set = field(default_factory=set)
    about_indices: bool = False


@dataclass
class Claim:
    """A claim or derivation after reading."""

    chain: object
    source: str
    ranges: list  # of (letter, low node or None, high node or None)
    conditions: list  # of (relation, node, node) on the indices
    pins: list
    assumptions: list
    minimal_horizon: int
    given: str = ""


class OptionError(IllTyped):
    """An error in an option rather than in the formula."""

    def __init__(self, option, message, source, at):
        super().__init__(f":{option}: {message}")
        self.option, self.source, self.offset = option, source, at


def split_list(text, names, option):
    """Parsers for the comma-separated entries of an option."""
    prepared = re.sub(r"\.{2,}|…|\\[lc]?dots(?![A-Za-z])", r"\\dots ", text)
    try:
        tokens = [t for t in strip_layout(lex(prepared), prepared) if t.kind != "break"]
    except IllTyped as problem:
        raise OptionError(option, problem.message, prepared, problem.at) from None
    pieces, depth, current = [], 0, []
    for i, token in enumerate(tokens[:-1]):
        if token.kind == "sym" and token.text in "([{":
            depth += 1
        elif token.kind == "sym" and token.text in ")]}":
            depth -= 1
        separates = depth == 0 and token.kind == "sym" and token.text in ",;"
        if separates and not (i and tokens[i - 1].text == "dots" or tokens[i + 1].text == "dots"):
            pieces.append(current)
            current = []
        elif not separates:
            current.append(token)
    pieces.append(current)
    for piece in pieces:
        if not piece:
            raise OptionError(option, "an entry is missing beside a comma", prepared, 0)
        end = piece[-1].end
        yield Parser(piece + [Token("end", "the end", end, end)], prepared, names), prepared


def read_for(text, names):
    """`t = 1..T, k = 1..t` as ranges and conditions."""
    ranges, conditions = [], []
    for parser, source in split_list(text, names, "for"):
        try:
            sides, relations = [parser.expression()], []
            while parser.relation():
                relations.append(parser.advance().text)
                sides.append(parser.expression())
                if parser.at("dots") and relations == ["="]:
                    parser.advance()
                    sides.append(parser.expression())
                    relations.append("dots")
                    break
            parser.finish()
        except IllTyped as problem:
            raise OptionError("for", problem.message, source, problem.at) from None

        def letter(node):
            return node.args[0].base if node.op == "sym" and node.args[0].sub is None else None

        known = [name for name, _, _ in ranges]
        if relations == ["=", "dots"] and letter(sides[0]):
            name, low, high = letter(sides[0]), sides[1], sides[2]
        elif relations == ["="] and letter(sides[0]):
            name, low, high = letter(sides[0]), sides[1], sides[1]
        elif len(relations) == 2 and set(relations) <= {"le", "<"} and letter(sides[1]) not in [None, *known]:
            name, low, high = letter(sides[1]), sides[0], sides[2]
            conditions += [(r, a, b) for r, a, b in zip(relations, sides, sides[1:])]
        elif len(relations) == 1 and relations[0] in RELATIONS and relations[0] != "approx":
            conditions.append((relations[0], sides[0], sides[1]))
            continue
        elif not relations and letter(sides[0]):
            name, low, high = letter(sides[0]), None, None
        else:
            raise OptionError("for", "is read as `t = 1..T, k = 1..t`", source, sides[0].start)
        if name in known:
            raise OptionError("for", f"gives {name} twice", source, sides[0].start)
        if names.declared(name) or name == "T":
            raise OptionError("for", f"{name} is a symbol of the model and cannot be an index", source, sides[0].start)
        ranges.append((name, low, high))
    return ranges, conditions


def read_given(text, model, evaluator):
    """`f_t = 1, \\rho(W) < 1` as pins and assumptions."""
    pins, assumptions = [], []
    for parser, source in split_list(text, model, "given"):
        try:
            sides, relations = [parser.expression()], []
            while parser.relation():
                relations.append(parser.advance().text)
                sides.append(parser.expression())
            parser.finish()
        except IllTyped as problem:
            raise OptionError("given", problem.message, source, problem.at) from None
        if not relations:
            raise OptionError("given", "takes relations such as `f_t = 1` or `\\rho(W) < 1`", source, sides[0].start)
        if relations == ["="] and sides[0].op == "sym":
            found = evaluator.split(sides[0].args[0])
            if found is None and sides[0].args[0].sub is not None:
                raise OptionError("given", evaluator.undefined(sides[0].args[0]).message, source, sides[0].start)
            if found is not None and not found[2]:
                if any(n.op == "sym" and n.args[0].base == sides[0].args[0].base for n in sides[1].walk()):
                    raise OptionError("given", f"sets {sides[0].args[0].shown} to something that contains it; "
                                      r"declare the domain in the model (\operatorname{sym}(n), …)", source,
                                      sides[0].start)
                pins.append(Pin(found[0], found[1], sides[1], source))
                continue
        letters, about = set(), True
        for side in sides:
            for node in side.walk():
                if node.op == "sym":
                    if evaluator.split(node.args[0]) is not None:
                        about = False
        for side in sides:
            letters |= free_letters(side, evaluator)
        assumptions.append(Assumption(sides, relations, source, letters, about))
    return pins, assumptions


def free_letters(node, evaluator, bound=frozenset()):
    """The letters in index positions that nothing binds."""
    found = set()
    _free(node, evaluator, bound, found, False)
    return found


def _free(node, evaluator, bound, found, indexing):
    if isinstance(node, Binder):
        return
    if node.op == "reach":
        _free(node.args[2], evaluator, bound, found, indexing)
        return
    if node.op in ("bigsum", "prod", "prod_left", "hprod"):
        binder, body = node.args
        inner = bound | set(binder.variables)
        for part in [p for p in (binder.low, binder.high) if p is not None]:
            _free(part, evaluator, bound, found, True)
        for _, a, b in binder.conditions:
            _free(a, evaluator, inner, found, True)
            _free(b, evaluator, inner, found, True)
        _free(body, evaluator, inner, found, indexing)
        return
    if node.op == "sym":
        symbol: Symbol = node.args[0]
        if symbol.sub is None:
            letter = symbol.base
            if indexing and letter not in bound and letter != "T" and letter not in evaluator.dims \
                    and not evaluator.model.declared(letter):
                found.add(letter)
            return
        split = evaluator.split(symbol)
        if split is None:
            if symbol.kronecker:
                for part in symbol.parts:
                    _free(part, evaluator, bound, found, True)
            return
        for part in split[1] + split[2]:
            _free(part, evaluator, bound, found, True)
        return
    if node.op == "component":
        _free(node.args[0], evaluator, bound, found, indexing)
        for part in node.args[1]:
            _free(part, evaluator, bound, found, True)
        return
    for child in node.children():
        _free(child, evaluator, bound, found, indexing)


def minimal_horizon(nodes, evaluator):
    """The smallest T at which all members with particular indices exist."""
    smallest = 1
    for root in nodes:
        for node in root.walk():
            if node.op == "sym":
                split = evaluator.split(node.args[0])
                for part in split[1][UPPER in split[0]:] if split else ():
                    if part.op == "num" and part.args[0].denominator == 1:
                        smallest = max(smallest, int(part.args[0]))
                    elif "T" in letters_below(part):
                        smallest = max([smallest] + [int(n.args[0]) + 1 for n in part.walk()
                                                     if n.op == "num" and n.args[0].denominator == 1])
    return min(smallest, MAX_INDEX)


def read_claim(block, model, evaluator):
    """Read a claim against its model; `evaluator` is any instance of it."""
    for key in block.options:
        if key not in OPTIONS:
            raise IllTyped(f"the option :{key}: is unknown here")
    if block.options.get("expect", "true") not in ("true", "false"):
        raise IllTyped(f":expect: is true or false, not {block.options['expect']!r}")
    text, spans = split_reasons(block.body)
    for start, end in spans:
        command = forbidden_command(block.body[start:end])
        if command:
            raise IllTyped(rf"the command \{command} is not part of a reason", start)
    chain = parse_chain(block.body, model)
    ranges, conditions = read_for(block.options["for"], model) if block.options.get("for") else ([], [])
    given = block.options.get("given", "")
    pins, assumptions = read_given(given, model, evaluator) if given else ([], [])
    nodes = list(chain.sides)
    bounds = [b for _, low, high in ranges for b in (low, high) if b is not None]
    letters = set()
    for node in nodes:
        letters |= free_letters(node, evaluator)
    for bound in bounds:
        letters |= free_letters(bound, evaluator)
        letters |= {x for x in letters_below(bound) if x != "T" and x not in evaluator.dims and not model.declared(x)}
    named = [name for name, _, _ in ranges]
    for name in sorted(letters - set(named), key=lambda x: (x != "t", x)):
        ranges.append((name, None, None))
    ordered, placed = [], set()
    pending = list(ranges)
    while pending:
        for entry in pending:
            below = set()
            for bound in entry[1:]:
                if isinstance(bound, Node):
                    below |= letters_below(bound)
            if not below & ({name for name, _, _ in pending} - {entry[0]}):
                ordered.append(entry)
                placed.add(entry[0])
                pending.remove(entry)
                break
        else:
            raise IllTyped("the ranges in :for: depend on each other in a circle")
    return Claim(chain, block.body, ordered, conditions, pins, assumptions, minimal_horizon(nodes + bounds, evaluator),
                 given)
