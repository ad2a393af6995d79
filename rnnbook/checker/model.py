"""What the symbols of a `{model}` are: declarations, definitions, abbreviations.

A model is a set of families. A family has a base name (`h`, `\\hat{y}`, `W_{hh}`) and a number of index positions; its
rules say for which indices a member is free, defined or an abbreviation. A rule for particular indices wins over a
general one.
"""
from __future__ import annotations

from dataclasses import dataclass, field

from rnnbook.checker.errors import IllTyped
from rnnbook.checker.layout import split_reasons, strip_layout
from rnnbook.checker.lexer import GREEK, Token, lex
from rnnbook.checker.parser import Parser
from rnnbook.checker.syntax import UPPER, Node, Symbol

MAX_T = 60
MAX_DIMENSION = 24
OPTIONS = frozenset(["label", "extends", "layout", "partial", "transpose", "T", "name", "class", "caption"])


@dataclass
class Domain:
    """Where a free symbol lives: `real`, `interval`, `set`, `onehot`, `simplex`, `sym` or `orth`, and its shape."""

    kind: str
    shape: tuple = ()  # of nodes
    low: object = None
    high: object = None
    elements: tuple = ()


@dataclass
class Rule:
    """How members of a family get their values."""

    pattern: tuple  # of letters (free index) and nodes (a particular one)
    kind: str  # free, definition, abbreviation
    domain: Domain | None = None
    body: Node | None = None
    components: tuple = ()  # letters of a definition by components
    source: str = ""
    shown: str = ""
    start: int = 0


@dataclass
class Statement:
    """A line of a model as written: for display."""

    kind: str
    start: int
    end: int


@dataclass
class Model:
    """A model after reading: families by (base, number of indices)."""

    name: str
    families: dict = field(default_factory=dict)
    functions: dict = field(default_factory=dict)  # name -> (argument names, body node, source)
    dimensions: list = field(default_factory=list)
    fixed: dict = field(default_factory=dict)
    letters: set = field(default_factory=set)
    layout: str = "numerator"
    partial: str = "total"
    transpose: str = "top"  # T: ^T is the transpose, and not the power
    statements: list = field(default_factory=list)
    largest_index: int = 1
    base: Model | None = None  # the one that this one extends

    def declared(self, name):
        return (name, 0) in self.families or name in self.functions

    def function(self, name):
        return name in self.functions

    @property
    def recurrent(self):
        """Whether some members exist for all times, so that T matters."""
        return any(arity and any(isinstance(item, str) for rule in rules for item in rule.pattern)
                   for (_, arity), rules in self.families.items())

    def names(self):
        """All base names."""
        return sorted({base for base, _ in self.families} | set(self.functions))


class Reading:
    """The names that are known while a model is read: those of its left sides, and those it inherits."""

    def __init__(self, model, plain, functions):
        self.model, self.plain, self.functions = model, set(plain), functions

    def declared(self, name):
        return name in self.plain or name in self.functions or self.model.declared(name)

    def function(self, name):
        return name in self.functions or self.model.function(name)


_JOINS = frozenset(["=", "+", "-", "in", "cdot", "odot", "times", ":", "oslash", "otimes", "*", "/", ","])


def _is(token, *texts):
    """Whether a token is one of these signs or commands."""
    return token.kind in ("sym", "cmd") and token.text in texts


def _step(token):
    """How the depth of brackets changes at a token."""
    if token.kind == "sym" and token.text in "([{" or token.kind == "cmd" and token.text in ("{", "begin", "langle"):
        return 1
    if token.kind == "sym" and token.text in ")]}" or token.kind == "cmd" and token.text in ("}", "end", "rangle"):
        return -1
    return 0


def statements(source):
    """Cut a model's body into its statements, as lists of tokens.

    A statement ends at the end of its line, unless one line ends or the next begins with a sign that joins them, at a
    comma behind its relation, and at a `\\quad` behind which another one begins.
    """
    text, _ = split_reasons(source)
    tokens = strip_layout(lex(text), text)
    out, current, depth, related = [], [], 0, False
    for i, token in enumerate(tokens[:-1]):
        if token.kind == "break":
            if token.text == "&" or depth > 0:
                continue
            following = next((t for t in tokens[i + 1:] if t.kind != "break"), tokens[-1])
            if current and _is(current[-1], *_JOINS) or _is(following, *(_JOINS if related else ("=", "in", ":"))):
                continue
        depth += _step(token)
        ends = token.kind == "break" or depth == 0 and related and _is(token, ",", ";", ".")
        if ends or depth == 0 and related and token.spaced and _starts_statement(tokens, i):
            if current:
                out.append(current)
            current, related = [], False
        if not ends:
            related = related or depth == 0 and _is(token, "=", ":", "in")
            current.append(token)
    return out + [current] if current else out


def _starts_statement(tokens, i):
    """Whether behind a `\\quad` at token i a new `name =` begins, rather than the rest of a formula."""
    depth = 0
    for token in tokens[i:]:
        if token.kind in ("end", "break"):
            return False
        depth += _step(token)
        if depth == 0 and _is(token, "=", "in"):
            return True
        if depth == 0 and _is(token, "+", "-", ",", ";", "/"):
            return False
    return False


def split_statement(tokens):
    """(left tokens, relation `in`, `=` or `:=`, right tokens)."""
    depth = 0
    for i, token in enumerate(tokens):
        depth += _step(token)
        if depth:
            continue
        if _is(token, "in", "="):
            return tokens[:i], token.text, tokens[i + 1:]
        if _is(token, ":") and i + 1 < len(tokens) and _is(tokens[i + 1], "="):
            return tokens[:i], ":=", tokens[i + 2:]
        if _is(token, "le", "ge", "approx", "ne", "<", ">"):
            raise IllTyped(r"a model declares with \in, defines with = and abbreviates with :=", token.start)
    raise IllTyped(r"a line of a model needs \in, = or :=", tokens[0].start)


class _Permissive:
    """While left sides are read nothing is declared, so that every name parses as a symbol."""

    def declared(self, name):
        return name not in ("e",)

    def function(self, name):
        return False


def _left(tokens, source):
    """The symbol on the left of a definition, and the arguments if it defines a function."""
    last = tokens[-1]
    parser = Parser(tokens + [Token("end", "the end", last.end, last.end)], source, _Permissive())
    node = parser.factor()
    if node.op != "sym":
        raise IllTyped("the left side of a declaration or definition is a symbol", tokens[0].start)
    arguments = None
    if parser.at("("):
        parser.advance()
        arguments = []
        while True:
            argument = parser.factor()
            if argument.op != "sym" or argument.args[0].sub is not None:
                raise IllTyped("the argument of a function is a letter", argument.start)
            arguments.append(argument.args[0].base)
            if not parser.at(","):
                break
            parser.advance()
        parser.expect(")")
    if parser.token.kind != "end":
        raise IllTyped(f"unexpected {parser.shown(parser.token)} on the left side", parser.token.start)
    return node.args[0], arguments


def _split_commas(tokens):
    out, depth, last = [], 0, 0
    for i, token in enumerate(tokens):
        depth += _step(token)
        if depth == 0 and _is(token, ","):
            out.append(tokens[last:i])
            last = i + 1
    out.append(tokens[last:])
    if any(not piece for piece in out):
        raise IllTyped("a name is missing beside a comma", tokens[0].start if tokens else 0)
    return out


def read_model(name, source, options=None, extends=None):
    """Read the body of a `{model}`; `extends` is the model it starts from."""
    options = options or {}
    if not source.strip() and not set(options) - {"label", "name", "class", "caption"}:
        raise IllTyped("the model is empty: it takes a line at least, or an option such as :extends:")
    model = Model(name or "", base=extends)
    if extends is not None:
        model.families = {key: list(rules) for key, rules in extends.families.items()}
        model.functions = dict(extends.functions)
        model.dimensions = list(extends.dimensions)
        model.fixed = dict(extends.fixed)
        model.letters = set(extends.letters)
        model.layout, model.partial, model.transpose = extends.layout, extends.partial, extends.transpose
        model.largest_index = extends.largest_index
    for key, allowed in (("layout", ("numerator", "gradient")), ("partial", ("total", "immediate")),
                         ("transpose", ("top", "T"))):
        if key in options:
            if options[key] not in allowed:
                raise IllTyped(f":{key}: is {allowed[0]} or {allowed[1]}, not {options[key]!r}")
            setattr(model, key, options[key])
    split = []
    for tokens in statements(source):
        left, relation, right = split_statement(tokens)
        if not left:
            raise IllTyped("nothing stands on the left side", tokens[0].start)
        if not right:
            raise IllTyped("nothing stands on the right side", tokens[-1].end)
        split.append((left, relation, right))
        kind = {"in": "declaration", "=": "definition", ":=": "abbreviation"}[relation]
        model.statements.append(Statement(kind, tokens[0].start, tokens[-1].end))
    lefts, plain, functions = [], set(), {}
    for left, relation, right in split:
        pieces = _split_commas(left)
        if relation != "in" and len(pieces) > 1:
            raise IllTyped("one symbol on the left of a definition", pieces[1][0].start)
        symbols = [_left(piece, source) for piece in pieces]
        lefts.append(symbols)
        for symbol, arguments in symbols:
            if arguments is not None:
                if symbol.sub is not None or relation != "=":
                    raise IllTyped(f"a function is defined as {symbol.base}(z) = …", left[0].start)
                functions[symbol.base] = arguments
            elif symbol.sub is None:
                plain.add(symbol.base)
    reading = Reading(model, plain, functions)
    model.letters |= _index_letters(split, lefts, plain, source)
    reading.plain |= {symbol.name for symbols in lefts for symbol, _ in symbols if not _pattern(model, symbol)[1]}
    new = {}
    for (left, relation, right), symbols in zip(split, lefts):
        for symbol, arguments in symbols:
            _statement(model, reading, symbol, arguments, relation, left, right, source, new)
    for key, rules in new.items():
        kept = [] if key not in model.families else [
            old for old in model.families[key] if not any(_same_pattern(old.pattern, rule.pattern) for rule in rules)]
        model.families[key] = rules + kept
    for key, value in options.items():
        if key in OPTIONS and key != "T":
            continue
        if key != "T" and key not in model.dimensions:
            raise IllTyped(f"the option :{key}: is unknown, and {key} is no dimension of this model")
        try:
            model.fixed[key] = int(value)
        except ValueError:
            raise IllTyped(f":{key}: is a number, not {value!r}") from None
        limit = MAX_T if key == "T" else MAX_DIMENSION
        if not 1 <= model.fixed[key] <= limit:
            raise IllTyped(f":{key}: lies between 1 and {limit}")
    return model


def introduces(model, source):
    """Whether a statement is about a symbol that a model does not have yet."""
    tokens = statements(source)
    if len(tokens) != 1:
        raise IllTyped("one abbreviation at a time")
    base, pattern = _pattern(model, _left(split_statement(tokens[0])[0], source)[0])
    return (base, len(pattern)) not in model.families and base not in model.functions


def symbols_of(source):
    """The symbols on the left sides of a model, as written and in their order."""
    found = {}
    for tokens in statements(source):
        for piece in _split_commas(split_statement(tokens)[0]):
            found[_left(piece, source)[0].shown] = None
    return list(found)


def _same_pattern(a, b):
    def text(item):
        return "*" if isinstance(item, str) else repr(item)
    return [text(x) for x in a] == [text(x) for x in b]


def _letters_in(tokens):
    return [("\\" + t.text if t.kind == "cmd" else t.text) for t in tokens
            if t.kind == "letter" or t.kind == "cmd" and t.text in GREEK]


def _subscripts(tokens):
    """The token lists of all subscripts, and of superscripts in round brackets, in a piece of formula."""
    for i, token in enumerate(tokens):
        upper = token.kind == "sym" and token.text == "^" and [t.text for t in tokens[i + 1:i + 3]] == ["{", "("]
        if token.kind == "sym" and (token.text == "_" or upper) and i + 1 < len(tokens):
            if tokens[i + 1].text == "{" and tokens[i + 1].kind == "sym":
                depth = 0
                for j in range(i + 1, len(tokens)):
                    if tokens[j].kind == "sym" and tokens[j].text in "{}":
                        depth += 1 if tokens[j].text == "{" else -1
                        if depth == 0:
                            break
                yield i, tokens[i + 2:j]
            else:
                yield i, tokens[i + 1:i + 2]


def _index_letters(split, lefts, plain, source):
    """The letters that are indices in this model.

    `t` is, unless it is declared itself; so is a letter with arithmetic in a subscript (`k-1`), one that a sum or
    product of the model runs over, and one that stands in a subscript on both sides of a definition behind a base that
    is not a declared name with it (so the `i` of `W_i` in an LSTM stays part of a name).
    """
    letters = {"t"}
    declared_names = set()
    for (_, relation, _), symbols in zip(split, lefts):
        if relation == "in":
            declared_names |= {symbol.name for symbol, _ in symbols}
    for left, relation, right in split:
        everything = left + right
        for _, tokens in _subscripts(everything):
            pieces = [[]]
            for token in tokens:
                if token.kind == "sym" and token.text == ",":
                    pieces.append([])
                else:
                    pieces[-1].append(token)
            for piece in pieces:
                if any(t.kind == "sym" and t.text in "+-" for t in piece) and "=" not in [t.text for t in piece]:
                    letters |= set(_letters_in(piece))
        for i, token in enumerate(everything):
            if token.kind == "cmd" and token.text in ("sum", "prod", "bigodot"):
                for at, tokens in _subscripts(everything[i:i + 12]):
                    names = {name.split("_", 1)[0] for letter in _letters_in(tokens[:1]) for name in declared_names
                             if name.endswith(f"_{{{letter}}}")}
                    if at <= 4 and (not names or names & {t.text for t in everything[i:]}):
                        letters |= set(_letters_in(tokens[:1]))
                    break
    for (left, relation, right), symbols in zip(split, lefts):
        if relation == "in":
            continue
        for symbol, _ in symbols:
            for part in symbol.parts or ():
                if part.op == "sym" and part.args[0].sub is None:
                    letter = part.args[0].base
                    if letter in letters or symbol.name in declared_names:
                        continue
                    for i, tokens in _subscripts(right):
                        if letter in _letters_in(tokens):
                            base = right[i - 1].text if i else ""
                            base = "\\" + base if i and right[i - 1].kind == "cmd" else base
                            text = "".join(t.text for t in tokens)
                            if f"{base}_{{{text}}}" not in declared_names:
                                letters.add(letter)
    return letters - plain - {"T"}


def _pattern(model, symbol):
    """(base name, index pattern) of a symbol on a left side."""
    if symbol.upper is not None and (symbol.upper.op == "num" or _symbol_letters(symbol.upper) <= model.letters | {"T"}):
        lower = Symbol(symbol.stem, symbol.sub, symbol.texts, symbol.parts, symbol.juxtaposed, symbol.shown, symbol.counts)
        name, pattern = _pattern(model, lower)
        plain = symbol.upper.op == "sym" and symbol.upper.args[0].sub is None and symbol.upper.args[0].base != "T"
        return f"{name}{UPPER}", (symbol.upper.args[0].base if plain else symbol.upper, *pattern)
    if symbol.sub is None:
        return symbol.base, ()
    if symbol.parts is None:
        return symbol.name, ()
    pattern, name_parts = [], []
    for text, part in zip(symbol.texts if not symbol.juxtaposed else [None] * len(symbol.parts), symbol.parts):
        if part.op == "sym" and part.args[0].sub is None:
            letter = part.args[0].base
            if letter in model.letters:
                pattern.append(letter)
                continue
            if letter != "T":
                if pattern or symbol.juxtaposed:
                    name_parts = None
                    break
                name_parts.append(text)
                continue
        if part.op == "num" and part.args[0].denominator != 1:
            raise IllTyped("an index is a whole number", part.start)
        if part.op == "num":
            model.largest_index = max(model.largest_index, min(int(part.args[0]), 1000))
        pattern.append(part)
    if name_parts is None or symbol.juxtaposed and not all(isinstance(p, Node) or p in model.letters for p in pattern):
        return symbol.name, ()
    if name_parts:
        return f"{symbol.base}_{{{','.join(name_parts)}}}", tuple(pattern)
    return symbol.base, tuple(pattern)


def _statement(model, reading, symbol, arguments, relation, left, right, source, new):
    start, end = left[0].start, right[-1].end
    closing = Token("end", "the end", end, end)
    if arguments is not None:
        parser = Parser(right + [closing], source, reading)
        body = parser.expression()
        parser.finish()
        model.functions[symbol.base] = (tuple(arguments), body, source)
        return
    base, pattern = _pattern(model, symbol)
    rule = Rule(pattern, {"in": "free", "=": "definition", ":=": "abbreviation"}[relation], source=source,
                shown=symbol.shown, start=start)
    if relation == "in":
        rule.domain = _domain(model, Parser(right + [closing], source, reading))
    else:
        parser = Parser(right + [closing], source, reading)
        rule.body = parser.expression()
        if parser.relation():
            raise IllTyped("a definition has one =", parser.token.start)
        parser.finish()
        component = [p for p in pattern if isinstance(p, str) and _is_component(model, p, rule.body, new)]
        if component:
            cut = len(pattern) - len(component)
            if list(pattern[cut:]) == component and len(component) <= 2:
                rule.components, rule.pattern = tuple(component), pattern[:cut]
        for node in rule.body.walk():
            if node.op == "sym":
                for part in node.args[0].parts or ():
                    if part.op == "num" and part.args[0].denominator == 1:
                        model.largest_index = max(model.largest_index, min(int(part.args[0]), MAX_T))
    key = (base, len(rule.pattern))
    rules = new.setdefault(key, [])
    if any(_same_pattern(rule.pattern, other.pattern) for other in rules):
        raise IllTyped(f"{symbol.shown} has a meaning already", start)
    rules.append(rule)


def _is_component(model, letter, body, new):
    """Whether a letter on the left of a definition runs over the components of something on its right."""
    known = dict(model.families)
    known.update(new)
    for node in body.walk():
        if node.op == "sym" and node.args[0].parts:
            symbol = node.args[0]
            names = [k for k, part in enumerate(symbol.parts)
                     if part.op == "sym" and part.args[0].sub is None and part.args[0].base == letter]
            if not names or (symbol.name, 0) in known:
                continue
            arity = max((n for base, n in known if base == symbol.base and n <= len(symbol.parts)), default=None)
            if arity is not None and names[0] >= arity and letter != "t":
                return True
        if node.op == "component" and any(letter in _symbol_letters(part) for part in node.args[1]):
            return True
    return False


def _symbol_letters(node):
    return {n.args[0].base for n in node.walk() if n.op == "sym"}


def _domain(model, parser):
    """Read what stands behind `\\in`."""
    token = parser.token
    def shape():
        if not parser.at("^"):
            return ()
        parser.advance()
        inner = parser.inner(*parser.script_tokens())
        sizes = [parser.size(inner)]
        while inner.at("times"):
            inner.advance()
            sizes.append(parser.size(inner))
        if inner.at("+", "-"):
            raise IllTyped("a size is a letter, a number or a product such as 4n", inner.token.start)
        inner.finish()
        if len(sizes) > 2:
            raise IllTyped("a symbol has at most two sizes", token.start)
        for node in sizes:
            for sub in node.walk():
                if sub.op == "sym" and sub.args[0].sub is None:
                    letter = sub.args[0].base
                    if letter != "T" and letter not in model.dimensions:
                        model.dimensions.append(letter)
                elif sub.op == "num":
                    if sub.args[0].denominator != 1 or not 1 <= sub.args[0] <= MAX_DIMENSION:
                        raise IllTyped(f"a size lies between 1 and {MAX_DIMENSION}", sub.start)
                elif sub.op not in ("mul", "group"):
                    raise IllTyped("a size is a letter, a number or a product such as 4n", sub.start)
        return tuple(sizes)

    def named_shape(count):
        parser.expect("(")
        sizes = [parser.size(parser)]
        parser.expect(")")
        letter = sizes[0]
        if letter.op == "sym" and letter.args[0].sub is None:
            if letter.args[0].base != "T" and letter.args[0].base not in model.dimensions:
                model.dimensions.append(letter.args[0].base)
        elif letter.op != "num" or letter.args[0].denominator != 1 or not 1 <= letter.args[0] <= MAX_DIMENSION:
            raise IllTyped("a size is a letter or a number", letter.start)
        return tuple(sizes * count)

    def bound():
        negative = False
        if parser.at("-", "+"):
            negative = parser.advance().text == "-"
        if parser.at("infty"):
            parser.advance()
            return "-inf" if negative else "inf"
        node = parser.expression()
        return Node("sum", ((-1, node),), node.start, node.end) if negative else node

    if token.kind == "cmd" and token.text == "mathbb":
        parser.advance()
        a, b = parser.script_tokens() if parser.at("{") else (parser.i, parser.i + 1)
        if a == parser.i:
            parser.advance()
        letter = "".join(t.text for t in parser.tokens[a:b])
        if letter != "R":
            raise IllTyped(rf"the domain \mathbb{{{letter}}} is not part of the language: \mathbb{{R}}", token.start)
        low = high = None
        if parser.at("_"):  # R_+, R_{>0}
            parser.advance()
            a, b = parser.script_tokens()
            text = "".join(t.text for t in parser.tokens[a:b])
            if text not in ("+", ">0", "++", "ge0"):
                raise IllTyped("this subscript of \\mathbb{R} is not part of the language", parser.tokens[a].start)
            low, high = Node("num", (0, "0"), token.start, token.end), "inf"
        elif parser.at("^") and parser.peek().text == "+":
            raise IllTyped(r"write (0,\infty)", parser.token.start)
        result = Domain("real" if low is None else "interval", shape(), low, high)
    elif token.text in ("(", "[", "]") and token.kind == "sym":
        parser.advance()
        low = bound()
        parser.expect(",")
        high = bound()
        if not parser.at(")", "]", "["):
            raise IllTyped("the interval is not closed", token.start)
        parser.advance()
        result = Domain("interval", shape(), low, high)
    elif token.kind == "cmd" and token.text == "{":
        parser.advance()
        elements = [parser.expression()]
        while parser.at(","):
            parser.advance()
            elements.append(parser.expression())
        parser.expect("}", r"'\}'")
        if len(elements) > 20:
            raise IllTyped("a set of more than 20 elements", token.start)
        result = Domain("set", shape(), elements=tuple(elements))
    elif token.kind == "cmd" and token.text in ("operatorname", "mathrm", "text"):
        parser.advance()
        a, b = parser.script_tokens()
        name = "".join(t.text for t in parser.tokens[a:b])
        if name in ("onehot", "simplex"):
            result = Domain(name, named_shape(1))
        elif name in ("sym", "orth"):
            result = Domain(name, named_shape(2))
        else:
            raise IllTyped(f"the domain {name!r} is not part of the language: onehot, simplex, sym, orth", token.start)
    else:
        raise IllTyped(rf"a domain expected behind \in, found {parser.shown(token)}", token.start)
    if parser.token.kind != "end":
        raise IllTyped(f"unexpected {parser.shown(parser.token)} behind a domain", parser.token.start)
    return result
