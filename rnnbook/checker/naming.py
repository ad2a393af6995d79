"""What a symbol in a formula means: which member of the model, which index, which range."""
from __future__ import annotations

import difflib

from rnnbook.checker.errors import IllTyped, OutOfRange, Undecided, Undefined
from rnnbook.checker.syntax import UPPER, Symbol, letters_below, peers

MAX_BITS = 4096


class Naming:
    """The part of an `Instance` that resolves symbols, indices and ranges."""

    def undefined(self, symbol):
        """The error for a symbol that the model does not define."""
        if (symbol.base, 1) in self.model.families and symbol.sub is None:
            return IllTyped(f"{symbol.shown} needs an index: {symbol.shown}_t")
        if any(base == symbol.base for base, _ in self.model.families):
            return IllTyped(f"{symbol.shown} is not defined with this subscript")
        names = sorted(set(self.model.names()) | set(self.model.dimensions))
        letter = symbol.base.split("{")[-1].rstrip("}").lower()
        close = (difflib.get_close_matches(symbol.name, names, n=1, cutoff=0.6)
                 or difflib.get_close_matches(symbol.base, names, n=1, cutoff=0.5)
                 or [name for name in names if name.split("_")[0].split("{")[-1].rstrip("}").lower() == letter])[:1]
        where = f" in the model {self.model.name!r}" if self.model.name else ""
        hint = f"; did you mean {close[0]}?" if close else ""
        return IllTyped(f"{symbol.shown} is not defined{where}{hint}")

    def split(self, symbol):
        """(family name, index nodes, component nodes) of a symbol, or None if it names no member of the model."""
        found = self._split(symbol)
        if found is None and symbol.upper is not None:
            lower = Symbol(symbol.stem + UPPER, symbol.sub, symbol.texts, symbol.parts, symbol.juxtaposed, symbol.shown,
                           symbol.counts)
            found = self._below(lower, symbol.upper)
        return found

    def _split(self, symbol):
        families = self.model.families
        if symbol.sub is None:
            return (symbol.base, (), ()) if (symbol.base, 0) in families else None
        if (symbol.name, 0) in families:
            return symbol.name, (), ()
        if symbol.parts is None:
            return None
        texts = symbol.texts
        for r in range(len(texts) - 1, 0, -1):
            name, rest = f"{symbol.base}_{{{','.join(texts[:r])}}}", symbol.parts[sum(symbol.counts[:r]):]
            found = self._arity(name, len(rest))
            if found is not None:
                return name, tuple(rest[:found]), tuple(rest[found:])
        parts = symbol.parts
        if symbol.kronecker and symbol.juxtaposed and ("\\delta", 2) not in families \
                and ("\\delta", 0) not in families:
            return None
        arity = self._arity(symbol.base, len(parts))
        if arity is None:
            return None
        return symbol.base, tuple(parts[:arity]), tuple(parts[arity:])

    def _below(self, symbol, upper):
        """The same for a symbol whose first index stands above."""
        texts, parts = symbol.texts, symbol.parts
        if symbol.sub is not None and parts is None:
            texts, parts = [symbol.sub.strip("{}")], []
        for r in range(len(texts), -1, -1):
            stem = symbol.base[:-len(UPPER)]
            name = f"{stem}_{{{','.join(texts[:r])}}}{UPPER}" if r else symbol.base
            rest = list(parts or ())[sum(symbol.counts[:r]):]
            found = self._arity(name, 1 + len(rest))
            if found:
                return name, (upper, *rest[:found - 1]), tuple(rest[found - 1:])
        return None

    def _arity(self, name, count):
        for arity in range(min(count, 3), -1, -1):
            if (name, arity) in self.model.families and count - arity <= 2:
                return arity
        return None

    def integer(self, node, env):
        """The value of a formula in whole numbers, or None if it is not one."""
        op, args = node.op, node.args
        if op == "num":
            return int(args[0]) if args[0].denominator == 1 else None
        if op == "sym":
            symbol = args[0]
            if symbol.sub is not None:
                return None
            if symbol.base in env:
                found = env[symbol.base]
                return found if isinstance(found, int) else None
            if (symbol.base, 0) in self.model.families:
                return None
            if symbol.base == "T":
                return self.horizon
            return self.dims.get(symbol.base)
        if op == "group":
            return self.integer(args[0], env)
        if op == "sum":
            total = 0
            for sign, term in args:
                x = self.integer(term, env)
                if x is None:
                    return None
                total += sign * x
            return total
        if op in ("mul", "frac", "div", "pow", "powT"):
            a = self.integer(args[0], env)
            b = None if a is None else self.integer(args[1], env)
            if b is None:
                return None
            if op == "mul":
                if a.bit_length() + b.bit_length() > MAX_BITS:
                    raise Undecided("a number is too large")
                return a * b
            if op in ("pow", "powT"):
                if b < 0:
                    return None
                if b * max(1, a.bit_length()) > MAX_BITS and abs(a) > 1:
                    raise Undecided("a number is too large")
                return a ** b if abs(a) > 1 or b < MAX_BITS else (1 if a == 1 or b == 0 or b % 2 == 0 and a else a)
            return a // b if b and a % b == 0 else None
        return None

    def index(self, node, env):
        """An index as a whole number."""
        i = self.integer(node, env)
        if i is None:
            for letter in sorted({n.args[0].base for n in node.walk() if n.op == "sym"}):
                known = letter in env or letter == "T" or letter in self.dims or (letter, 0) in self.model.families
                if not known:
                    raise IllTyped(f"the index {letter} has no range here", node.start)
            raise IllTyped("an index is a whole number", node.start)
        return i

    def rule(self, name, indices, symbol=None):
        """The rule for one member of a family, and the values of its pattern's letters."""
        rules = self.model.families[name, len(indices)]
        general = None
        for rule in rules:
            env, fits = {}, True
            for item, i in zip(rule.pattern, indices):
                if isinstance(item, str):
                    if env.setdefault(item, i) != i:
                        fits = False
                elif self.integer(item, {}) != i:
                    fits = False
            if not fits:
                continue
            if not env:
                return rule, env
            general = general or (rule, env)
        shown = self.member(name, indices)
        if general is None:
            known = ", ".join(sorted(rule.shown for rule in rules))
            raise IllTyped(f"{shown} is not defined: there is only {known}")
        above = general[0].pattern[0] if UPPER in name else None
        for letter, i in general[1].items():
            if letter == above and letter != "t":  # layers and the like: there is no last one
                if i < 1:
                    raise OutOfRange(f"{shown} does not exist: {letter} = {i} is less than 1")
            elif not 1 <= i <= self.horizon:
                raise OutOfRange(f"{shown} does not exist: {letter} = {i} lies outside 1..T (T = {self.horizon}); "
                               f"a range in :for: keeps it inside")
        return general

    @staticmethod
    def member(name, indices):
        if UPPER in name:
            name, indices = name.replace(UPPER, f"^{{({indices[0]})}}"), indices[1:]
        if not indices:
            return name
        text = ",".join(map(str, indices))
        return f"{name}_{text}" if len(text) == 1 else f"{name}_{{{text}}}"

    def natural_range(self, letter, nodes, env, context, asked=frozenset()):
        """The range of an index from where it stands: 1..T in time, the size in a component; None if it stands nowhere.

        An index that is only compared with another (`i \\le j`, `[i = j]`) has the range of that one.
        """
        found = self._placed_range(letter, nodes, env, context)
        if found is None:
            for peer in sorted(peers(letter, nodes) - asked - {letter}):
                if peer not in self.dims and peer != "T" and (peer, 0) not in self.model.families:
                    found = self.natural_range(peer, nodes, env, context, asked | {letter})
                    if found is not None:
                        break
        return found

    def _placed_range(self, letter, nodes, env, context):
        component = None
        for node in nodes:
            for below in node.walk():
                if below.op == "sym" and below.args[0].parts:
                    found = self.split(below.args[0])
                    if found is None:
                        continue
                    name, indices, components = found
                    for part in indices[1 if UPPER in name and letter != "t" else 0:]:
                        if letter in letters_below(part):
                            return 1, self.horizon
                    for position, part in enumerate(components):
                        if letter in letters_below(part):
                            shape = self._shape_of(name, indices, env, context)
                            if shape and position < len(shape):
                                component = component or (1, shape[position])
                elif below.op == "component":
                    for position, part in enumerate(below.args[1]):
                        if letter in letters_below(part) and component is None:
                            guess = dict(env)
                            for other in letters_below(below.args[0]) | {letter}:
                                if other not in guess and (other, 0) not in self.model.families:
                                    guess.setdefault(other, 1)
                            guess.pop("T", None)
                            try:
                                value = self.evaluate(below.args[0],
                                                      {k: x for k, x in guess.items() if k not in self.dims}, context)
                            except (IllTyped, Undefined):
                                continue
                            if position < len(value.dims):
                                component = (1, value.dims[position])
        return component

    def _shape_of(self, name, indices, env, context):
        guess = []
        for part in indices:
            here = dict(env)
            for other in letters_below(part):
                if other not in self.dims and other != "T":
                    here.setdefault(other, 1)
            guess.append(self.integer(part, here))
        if None in guess:
            return None
        for attempt in (tuple(guess), (1,) * len(guess), (2,) * len(guess), (0,) * len(guess)):
            try:
                value = self.value(self.root, (name, attempt))
            except (IllTyped, Undefined):
                continue
            return value.dims if value.kind != "tensor" else None
        return None
