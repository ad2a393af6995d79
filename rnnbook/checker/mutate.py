"""Break true claims in the ways in which people get them wrong, and see whether the checker notices.

A mutation edits the text of a claim at a part of its tree: a sign, a transpose, an index, the order of two factors, a
prime, the kind of a derivative, the kind of a product, a term, a factor, a bound, `1 - x` for `x`. A mutant is refused
when it is false or ill-typed, or has no value anywhere. One that survives is `equivalent` when the changed side equals the
original one on every instance, or both are 0 there and only their shapes differ. It is `unexplained` when it does not: then the claim is
too weak to tell them apart, as `\\approx` may be.
"""
from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction

from rnnbook.checker.claim import read_claim
from rnnbook.checker.errors import IllTyped, NoProof, ShapeError, Undecided, Undefined
from rnnbook.checker.layout import split_reasons
from rnnbook.checker.syntax import Chain, Node
from rnnbook.checker.verdict import ORDER, Trial, tuples

MAX_MUTANTS = 400
BIG = ("bigsum", "prod", "prod_left", "hprod")


@dataclass(frozen=True)
class Mutant:
    """A broken claim: what was done to it, the formula, and what became of it.

    `fate` is `false`, `ill-typed`, `undefined`, `undecided`, `equivalent` or `unexplained`.
    """

    mutation: str
    formula: str
    fate: str

    @property
    def refused(self):
        return self.fate in ("false", "ill-typed", "undefined")


class Mutations:
    """All edits (start, end, replacement, name) of one claim."""

    def __init__(self, claim, instance, body):
        self.claim, self.instance = claim, instance
        self.source, _ = split_reasons(body)
        self.edits = []
        self.env = next(iter(tuples(claim, instance)), {})

    def text(self, node):
        return self.source[node.start:node.end]

    def add(self, start, end, text, name):
        self.edits.append((start, end, text, name))

    def kind(self, node, env):
        """The kind of a part's value, tried with all free letters at a small index; None if that fails."""
        letters = {n.args[0].base for n in node.walk() if n.op == "sym" and n.args[0].sub is None}
        for guess in (1, 2):
            here = dict(env)
            for letter in letters | {p for n in node.walk() if n.op == "sym" for part in n.args[0].parts or ()
                                     for p in (m.args[0].base for m in part.walk() if m.op == "sym")}:
                if letter not in here and letter != "T" and letter not in self.instance.dims \
                        and not self.instance.model.declared(letter):
                    here[letter] = guess
            try:
                return self.instance.evaluate(node, here, self.instance.root).kind
            except (IllTyped, ShapeError, Undefined, Undecided, NoProof):
                continue
        return None

    def collect(self):
        relations = self.claim.chain.relations
        for k, side in enumerate(self.claim.chain.sides):
            around = relations[max(0, k - 1):k + 1]
            if any(r in ORDER or r == "ne" for r in around):
                continue
            if side.op != "num" and k and not (side.op == "sum" and side.args[0][0] < 0):
                self.add(side.start, side.end, f"-\\left({self.text(side)}\\right)" if side.op == "sum"
                         else f"-{self.text(side)}",
                         "sign of a side")
            self.visit(side, True)
        return self.edits[:MAX_MUTANTS]

    def visit(self, node, whole=False):
        method = getattr(self, "at_" + node.op, None)
        if method:
            method(node)
        if node.op == "derivative":
            self.visit(node.args[1])
            return
        if node.op == "gradient":
            self.visit(node.args[0])
            return
        if node.op in BIG:
            self.visit(node.args[1])
            return
        if node.op == "reach":
            self.visit(node.args[2])
            return
        if node.op in ("sym", "num"):
            return
        if node.op in ("pow", "powT"):
            self.visit(node.args[0])
            return
        for child in node.children():
            self.visit(child)

    # -- the ways to go wrong ------------------------------------------------------------------------------------------
    def at_sum(self, node):
        terms = node.args
        for k, (sign, term) in enumerate(terms):
            before = terms[k - 1][1].end if k else node.start
            between = self.source[before:term.start]
            at = max(between.rfind("+"), between.rfind("-"))
            if at >= 0:
                self.add(before + at, before + at + 1, "+" if sign < 0 else "-", "flip a sign")
            elif len(terms) > 1:
                self.add(term.start, term.start, "-", "flip a sign")
            if len(terms) > 1:
                start = before + at if at >= 0 else before
                end = term.end
                if k == 0 and terms[1][0] > 0:  # the plus of the next term goes too
                    following = self.source[term.end:terms[1][1].start]
                    end = term.end + following.find("+") + 1
                self.add(start, end, "", "drop a term")
        one = terms[0][0] == 1 and terms[0][1].op == "num" and terms[0][1].args[0] == 1
        if len(terms) == 2 and one and terms[1][0] == -1:
            self.add(node.start, node.end, self.text(terms[1][1]), "x for 1 - x")

    def at_T(self, node):
        self.add(node.args[0].end, node.end, "", "drop a transpose")

    def at_sym(self, node):
        symbol = node.args[0]
        found = self.instance.split(symbol)
        if found is None:
            return
        for part in found[1]:
            letters = [n for n in part.walk() if n.op == "sym"]
            if not letters:
                continue
            for shift in ("-1", "+1"):
                self.add(part.start, part.end, moved(self.text(part), shift), "shift an index")
        if len(found[2]) == 2:
            a, b = found[2]
            if self.text(a) != self.text(b) and a.start < b.start:
                middle = self.source[a.end:b.start]
                self.add(a.start, b.end, self.text(b) + middle + self.text(a), "swap two components")
        kind = self.kind(node, self.env)
        if kind in ("column", "row", "matrix"):
            self.add(node.start, node.end, rf"\left({self.text(node)}\right)^{{\top}}", "add a transpose")
        if kind in ("scalar", "column", "row") and not found[2] == () or kind in ("column", "row"):
            self.add(node.start, node.end, rf"\left(1 - {self.text(node)}\right)", "1 - x for x")

    def at_group(self, node):
        if self.kind(node, self.env) in ("column", "row", "matrix"):
            self.add(node.start, node.end, rf"\left({self.text(node)}\right)^{{\top}}", "add a transpose")

    def at_derivative(self, node):
        text = self.text(node)
        flavour = node.args[0]
        if flavour == "immediate":
            self.add(node.start, node.end, re.sub(r"\\partial\s*\^\s*(\{\s*\+\s*\}|\+)", r"\\partial ", text),
                     "total for immediate")
        elif flavour == "partial" and len(node.args[2]) == 1 and r"\partial" in text:
            self.add(node.start, node.end, text.replace(r"\partial", r"\partial^{+}", 1), "immediate for total")
        if self.kind(node, self.env) in ("column", "row", "matrix"):
            self.add(node.start, node.end, rf"\left({text}\right)^{{\top}}", "add a transpose")

    def at_fn(self, node):
        if node.args[1]:
            head = self.source[node.start:node.args[2].start]
            at = head.find("'")
            if at >= 0:
                self.add(node.start + at, node.start + at + 1, "", "drop a prime")

    at_call = at_fn

    def at_had(self, node):
        a, b = node.args
        middle = self.source[a.end:b.start]
        if r"\odot" in middle:
            at = a.end + middle.find(r"\odot")
            self.add(at, at + 5, r"\, ", "product for elementwise product")
        self.add(node.start, node.end, self.text(a), "drop a factor")
        self.add(node.start, node.end, self.text(b), "drop a factor")

    def at_mul(self, node):
        factors = [node]
        while factors[0].op == "mul":
            factors[:1] = factors[0].args
        if any(f.start >= f.end for f in factors):
            return
        for k, factor in enumerate(factors):
            if k < len(factors) - 1:
                following = factors[k + 1]
                middle = self.source[factor.end:following.start]
                if factors[k].end == node.args[0].end:  # each pair once: where this node joins it
                    self.add(factor.start, following.end, f"{self.text(following)} {middle} {self.text(factor)}",
                             "swap two factors")
                    if middle.strip() in ("", r"\,", r"\cdot", r"\;"):
                        self.add(factor.end, following.start, r" \odot ", "elementwise product for product")
        last = factors[-1]
        self.add(node.args[0].end, last.end, "", "drop a factor")
        if len(factors) == 2:
            self.add(factors[0].start, factors[1].start, "", "drop a factor")

    def at_bigsum(self, node):
        binder = node.args[0]
        for bound, shifts in ((binder.low, ("+1", "-1")), (binder.high, ("-1", "+1"))):
            if bound is not None:
                for shift in shifts:
                    self.add(bound.start, bound.end, moved(self.text(bound), shift), "change a bound")
        for _, a, b in binder.conditions:
            middle = self.source[a.end:b.start]
            for old, new in ((r"\leq", "<"), (r"\le", "<"), ("<", r"\le "), (r"\geq", ">"), (r"\ge", ">"),
                             (">", r"\ge ")):
                if middle.strip() == old:
                    self.add(a.end, b.start, f" {new} ", "change a bound")
                    break

    at_prod = at_prod_left = at_hprod = at_bigsum


def moved(text, shift):
    """An index formula one further: a number is counted on, `t-1` becomes `t`, anything else gets the shift behind it.
    """
    if text.isdigit():
        return f"{{{int(text) + int(shift)}}}"
    text = re.sub(r"\s*(\+\s*1-1|-\s*1\+1)$", "", text + shift)
    return f"{{{text}}}"


def widened(block):
    """The claim with one range in `:for:` a step wider than it says."""
    text = block.options.get("for", "")
    for match in re.finditer(r"=\s*([^,.]+?)\s*\.\.\s*([^,]+?)\s*(?=,|$)", text):
        for (start, end), shift in ((match.span(1), "-1"), (match.span(2), "+1")):
            yield text[:start] + moved(text[start:end].strip(), shift).strip("{}") + text[end:]


def mutants(block, claim, instances, seconds=2.0):
    """All mutants of a true claim with their fates."""
    instance = Trial(claim, instances, seconds).instance(0)
    try:
        edits = Mutations(claim, instance, block.body).collect()
    except (IllTyped, Undecided, Undefined):
        return []
    out, seen = [], {" ".join(block.body.split())}
    for start, end, text, name in edits:
        body = block.body[:start] + text + block.body[end:]
        if " ".join(body.split()) in seen:
            continue
        seen.add(" ".join(body.split()))
        out.append(_try(replace(block, body=body), name, claim, instances, seconds))
    if all(r not in ORDER for r in claim.chain.relations):
        for ranges in widened(block):
            changed = replace(block, options={**block.options, "for": ranges})
            out.append(_try(changed, f"widen a range to {ranges}", claim, instances, seconds))
    return out


def _try(block, name, original, instances, seconds):
    formula = " ".join(split_reasons(block.body)[0].split())
    try:
        claim = read_claim(block, instances.model, instances.get(0))
        outcome = Trial(claim, instances, seconds).run(stop_at_first=True)
    except (IllTyped, ShapeError):
        return Mutant(name, formula, "ill-typed")
    except (Undecided, Undefined, NoProof, RecursionError, OverflowError, ZeroDivisionError):
        return Mutant(name, formula, "undecided")
    if outcome.verdict == "undecided" and outcome.undefined:
        return Mutant(name, formula, "undefined")
    if outcome.verdict != "holds":
        return Mutant(name, formula, outcome.verdict)
    return Mutant(name, formula, "equivalent" if any(_holds(same, instances, seconds) for same in unchanged(original, claim))
                  else "unexplained")


def _holds(claim, instances, seconds):
    try:
        return Trial(claim, instances, seconds).run(stop_at_first=True).verdict == "holds"
    except (IllTyped, ShapeError, Undecided, Undefined, NoProof, RecursionError, OverflowError, ZeroDivisionError):
        return False


def unchanged(original, mutant):
    """Claims of which each says that nothing was changed: the mutated side equals the original one, or both are 0; the whole mutant
    where no single side was changed.
    """
    pairs = [(a, b) for a, b in zip(original.chain.sides, mutant.chain.sides)
             if original.source[a.start:a.end] != mutant.source[b.start:b.end]]
    if len(original.chain.sides) != len(mutant.chain.sides) or len(pairs) != 1:
        return [mutant]
    a, b = pairs[0]
    zero = Node("num", (Fraction(0), "0"), b.start, b.end)
    return [replace(mutant, chain=Chain([a, b], ["="], [0])), replace(mutant, chain=Chain([a, zero, b], ["=", "="], [0, 0]))]
