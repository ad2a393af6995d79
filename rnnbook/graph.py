r"""Computation graphs: read from a model's definitions, differentiated along their edges, and drawn.

A graph has one node for each quantity of a model, and an edge from every quantity that occurs in a formula to the
quantity that the formula defines. Nodes go by their LaTeX names, ``"h_2"`` or ``r"\hat{y}_1"``, and an edge by its two
ends, ``("h_1", "h_2")``. On each edge stands an immediate derivative, that of the one formula at its head. Every total
derivative is made of these by multiplying along paths and adding, and there are three ways to do that:
:func:`sum_over_paths`, which is the theorem as it stands, and :func:`forward_accumulation` and
:func:`reverse_accumulation`, which give the same numbers and touch every edge once. All three count what they do.

The derivatives on the edges may be anything that can be multiplied and added: numbers, arrays, SymPy expressions.

This is a teacher's tool, for graphs small enough to be drawn; the backward passes in the other modules do not use it.
"""

import itertools
import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import sympy

from rnnbook.checker.errors import IllTyped
from rnnbook.checker.model import read_model
from rnnbook.checker.scan import scan

__all__ = [
    "Count",
    "Graph",
    "derivative_labels",
    "draw",
    "evaluate",
    "forward_accumulation",
    "from_document",
    "from_model",
    "from_parents",
    "immediate_derivatives",
    "layers",
    "layout",
    "paths",
    "reverse_accumulation",
    "sum_over_paths",
]

MAX_TERMS = 10_000  # of a sum, and of the nodes of a graph: what is larger is a mistake
MAX_EXPONENT = 1_000


class Count(NamedTuple):
    """How many operations a derivative took."""

    multiplications: int
    additions: int

    def __add__(self, other):
        """Add the operations of two computations, not the tuples."""
        return Count(*(a + b for a, b in zip(self, other, strict=True)))


@dataclass(frozen=True)
class Graph:
    """A computation graph; made by :func:`from_model`, :func:`from_document`, :func:`from_parents` or :func:`layers`.

    Attributes
    ----------
    parents : dict
        For each node, in a topological order, the nodes that its formula contains: those from which an edge leads to
        it.
    formulas : dict
        For each node that is computed, its formula as a SymPy expression in the symbols :attr:`symbols`. Empty if the
        graph was given by its edges alone, or if some of its quantities are not numbers.
    """

    parents: dict
    formulas: dict = field(default_factory=dict)

    @cached_property
    def children(self):
        """For each node, the nodes whose formula contains it."""
        found = {node: [] for node in self.parents}
        for node, parents in self.parents.items():
            for parent in parents:
                found[parent].append(node)
        return {node: tuple(children) for node, children in found.items()}

    @cached_property
    def symbols(self):
        """For each node, the SymPy symbol that stands for it."""
        return {node: sympy.Symbol(node, real=True) for node in self.parents}

    @property
    def nodes(self):
        """The nodes in a topological order, so that every edge leads from an earlier one to a later one."""
        return tuple(self.parents)

    @property
    def edges(self):
        """All edges, as pairs (tail, head), in the order of their heads."""
        return tuple((parent, node) for node, parents in self.parents.items() for parent in parents)

    @property
    def inputs(self):
        """The nodes that no edge leads to."""
        return tuple(node for node, parents in self.parents.items() if not parents)

    @property
    def outputs(self):
        """The nodes that no edge leaves."""
        return tuple(node for node, children in self.children.items() if not children)


# --- making a graph ---------------------------------------------------------------------------------------------------


def from_parents(parents):
    """Make a graph from its edges.

    Parameters
    ----------
    parents : mapping of str to sequence of str
        For each node, the nodes from which an edge leads to it. A node that occurs as a parent only is an input.

    Returns
    -------
    Graph
        Without formulas; nodes that the edges leave free to stand in any order keep the given one.

    Raises
    ------
    ValueError
        If the edges make a cycle, or one of them stands twice.

    Examples
    --------
    >>> diamond = from_parents({"c": ["a", "b"], "a": ["x"], "b": ["x"]})
    >>> diamond.nodes
    ('x', 'a', 'b', 'c')
    >>> diamond.children["x"]
    ('a', 'b')
    """
    parents = {node: tuple(above) for node, above in parents.items()}
    for node, above in parents.items():
        if len(set(above)) < len(above):
            raise ValueError(f"parents: expected each parent of {node!r} once, got {', '.join(map(repr, above))}")
    return Graph(_sorted(parents))


def layers(widths):
    """Make a graph of layers in which every node has an edge to every node of the next layer.

    Parameters
    ----------
    widths : sequence of int
        The number of nodes of each layer, at least 1. Node ``i`` of layer ``k`` is called ``"a_{k,i}"``; both count
        from 1.

    Returns
    -------
    Graph
        Without formulas.

    Raises
    ------
    ValueError
        If a width is not an integer of at least 1.

    Examples
    --------
    The states of a recurrent network of two units, three steps long, have 12 edges between them. From one unit at the
    start to one at the end there are 4 paths, and with each further step twice as many:

    >>> states = layers([2, 2, 2, 2])
    >>> len(states.edges)
    12
    >>> len(list(paths(states, "a_{1,1}", "a_{4,1}")))
    4
    >>> len(list(paths(layers([2, 2, 2, 2, 2]), "a_{1,1}", "a_{5,1}")))
    8
    """
    widths = list(widths)
    for width in widths:
        if not isinstance(width, int) or width < 1:
            raise ValueError(f"widths: expected integers of at least 1, got {width!r}")
    names = [[f"a_{{{k},{i}}}" for i in range(1, width + 1)] for k, width in enumerate(widths, 1)]
    parents = {node: () for node in itertools.chain(*names[:1])}
    for above, layer in itertools.pairwise(names):
        parents |= {node: tuple(above) for node in layer}
    return Graph(parents)


def from_document(path, name, *, T=None):
    """Make the graph of a model that stands in a document, so that what is drawn is what the equations are checked
    with.

    Parameters
    ----------
    path : path-like
        A MyST document: a chapter of this book.
    name : str
        The name of one of its ``{model}`` blocks. If it extends another, that one has to stand in the same document.
    T
        As for :func:`from_model`.

    Returns
    -------
    Graph

    Raises
    ------
    OSError
        If the document cannot be read.
    ValueError
        If there is no such model in it, and as :func:`from_model` does.
    """
    blocks = {block.name: block for block in scan(Path(path).read_text(encoding="utf-8")) if block.kind == "model"}
    return _unrolled(_read(blocks, name), T)


def from_model(source, *, T=None):
    r"""Make the graph of a model, unrolled over its steps.

    Parameters
    ----------
    source : str
        The lines of a ``{model}`` block, in the language of the book's equations. Declarations become inputs and
        definitions computed nodes; abbreviations are not part of the graph.
    T : int, optional
        The number of steps. A definition of :math:`h_t` becomes nodes for :math:`t = 1, \dots, T`, one after the
        other, and inputs such as :math:`x_t` and :math:`h_0` are those that the formulas ask for. By default what the
        model says, or 3.

    Returns
    -------
    Graph
        With formulas if all quantities are numbers. The graph of a model with vectors and matrices has nodes and
        edges, and can be drawn, but it has no derivatives.

    Raises
    ------
    ValueError
        If the model cannot be read, if it defines something by itself or with something that it does not define, or if
        a formula is outside what a graph of numbers can compute.

    Examples
    --------
    One weight, used at both of two steps:

    >>> graph = from_model(r'''
    ... w, x_t \in \mathbb{R}, \quad h_0 = 0
    ... h_t = \tanh(w h_{t-1} + x_t)
    ... ''', T=2)
    >>> graph.inputs
    ('w', 'x_1', 'x_2', 'h_0')
    >>> graph.children["w"]
    ('h_1', 'h_2')
    >>> graph.formulas["h_2"]
    tanh(h_1*w + x_2)
    """
    return _unrolled(_reading("", source, {}, None), T)


def _read(blocks, name):
    if name not in blocks:
        raise ValueError(f"name: expected a model of the document ({', '.join(blocks) or 'it has none'}), got {name!r}")
    block = blocks[name]
    above = block.options.get("extends")
    rest = {key: other for key, other in blocks.items() if key != name}  # so that nothing extends itself
    return _reading(name, block.body, block.options, _read(rest, above) if above else None)


def _reading(name, source, options, extends):
    try:
        return read_model(name, source, {key: value for key, value in options.items() if key != "extends"}, extends)
    except IllTyped as problem:
        raise ValueError(f"source: {problem.message}") from problem


def _unrolled(model, T):
    if T is None:
        T = model.fixed.get("T", 3)
    if not isinstance(T, int) or T < 1:
        raise ValueError(f"T: expected an integer of at least 1, got {T!r}")
    return _Unrolling(model, T).graph()


def _sorted(parents):
    """Return the parents of every node, the nodes in a topological order that disturbs the given one little."""
    order, on_the_way = {}, {}  # both keep the order in which nodes were added
    todo = [(node, None) for node in reversed(list(parents))]  # a stack: recursion would end at a thousand steps
    while todo:
        node, above = todo.pop()
        if above is None:
            if node in order:
                continue
            if node in on_the_way:
                way = list(on_the_way)
                cycle = [*way[way.index(node) :], node]
                raise ValueError(f"the graph has a cycle: {' -> '.join(reversed(cycle))}")
            on_the_way[node] = True
            todo.append((node, parents.get(node, ())))
            todo.extend((parent, None) for parent in reversed(parents.get(node, ())))
        else:
            del on_the_way[node]
            order[node] = above
    return order


# --- reading formulas -------------------------------------------------------------------------------------------------


class sigma(sympy.Function):  # noqa: N801 (named for the function)
    """The logistic function, which SymPy lacks, with its derivative in terms of itself."""

    def fdiff(self, argindex=1):
        return self * (1 - self)

    def _latex(self, printer):
        return rf"\sigma\left({printer.doprint(self.args[0])}\right)"


FUNCTIONS = {
    "tanh": sympy.tanh, "exp": sympy.exp, "ln": sympy.log, "cosh": sympy.cosh, "sinh": sympy.sinh, "sin": sympy.sin,
    "cos": sympy.cos, "tan": sympy.tan, "arctan": sympy.atan, "artanh": sympy.atanh, "sqrt": sympy.sqrt,
    "sech": sympy.sech, "coth": sympy.coth, "sigma": sigma, "softplus": lambda z: sympy.log(1 + sympy.exp(z)),
}  # fmt: skip


class _Unrolling:
    """A model at a number of steps: its members by name, found by following the formulas."""

    def __init__(self, model, T):
        self.model, self.T = model, T
        rules = [rule for rules in model.families.values() for rule in rules if rule.kind != "abbreviation"]
        shaped = [rule for rule in rules if rule.components or rule.domain is not None and rule.domain.shape]
        indicators = [rule for rule in rules if rule.domain is not None and rule.domain.kind in ("onehot", "simplex")]
        self.numbers = not shaped and not indicators

    def graph(self):
        members = {}
        todo = []
        for (base, _), rules in self.model.families.items():
            for rule in rules:
                if rule.kind == "definition":
                    letters = [letter for letter in rule.pattern if isinstance(letter, str)]
                    for steps in itertools.product(range(1, self.T + 1), repeat=len(set(letters))):
                        index = dict(zip(dict.fromkeys(letters), steps))
                        todo.append((base, tuple(self.integer(part, index) for part in rule.pattern)))
        parents, formulas = {}, {}
        todo.sort(key=lambda member: member[1][:1] or (0,))  # time by time; stable, so otherwise as the model has it
        todo = list(dict.fromkeys(todo))
        for member in todo:  # grows while it is read
            name = _name(*member)
            if name in parents:
                continue
            rule, index = self.rule(*member)
            if rule.kind == "abbreviation":
                raise ValueError(f"source: {name} is an abbreviation (:=), and no definition may use it")
            members[name] = rule
            found = [] if rule.body is None else list(dict.fromkeys(self.occurrences(rule.body, index)))
            parents[name] = tuple(_name(*other) for other in found)
            todo.extend(found)
            if len(parents) > MAX_TERMS:
                raise ValueError(f"T: the graph has more than {MAX_TERMS} nodes")
            if self.numbers and rule.body is not None:
                formulas[name] = self.formula(rule.body, index)
        parents = _sorted(self.inputs_first(parents, members))
        return Graph(parents, {name: formulas[name] for name in parents if name in formulas})

    def inputs_first(self, parents, members):
        """Inputs in the order in which the model declares them, then the computed nodes."""
        order = sorted((name for name in parents if not parents[name]), key=lambda name: members[name].start)
        return {name: parents[name] for name in (*order, *parents)}

    def rule(self, base, indices):
        """The rule that a member follows, and the values of the rule's index letters; a particular one wins."""
        for general in (False, True):
            for rule in self.model.families.get((base, len(indices)), ()):
                if general != any(isinstance(part, str) for part in rule.pattern):
                    continue
                index = {}
                for part, value in zip(rule.pattern, indices):
                    wanted = index.setdefault(part, value) if isinstance(part, str) else self.integer(part, {})
                    if wanted != value:
                        break
                else:
                    if rule.kind != "definition" or all(1 <= value <= self.T for value in index.values()):
                        return rule, index
        raise ValueError(f"source: the formulas use {_name(base, indices)}, and nothing says what it is")

    def integer(self, part, index):
        """The value of an index: a number, an index letter, T, or a sum of such."""
        if isinstance(part, str):
            return index[part]
        if part.op == "num" and part.args[0].denominator == 1:
            return int(part.args[0])
        if part.op == "group":
            return self.integer(part.args[0], index)
        if part.op == "sum":
            return sum(sign * self.integer(term, index) for sign, term in part.args)
        if part.op == "mul":
            return math.prod(self.integer(factor, index) for factor in part.args)
        if part.op == "sym" and part.args[0].sub is None:
            letter = part.args[0].base
            if index.get(letter) is not None:
                return index[letter]
            if letter == "T":
                return self.T
        raise _NotAnInteger

    def member(self, symbol, index):
        """The family and the indices of a symbol, or None if it is an index letter or T itself."""
        if symbol.sub is None or (symbol.name, 0) in self.model.families:
            if (symbol.name, 0) in self.model.families:
                return symbol.name, ()
            return None if symbol.name in index or symbol.name == "T" else self.unknown(symbol)
        parts = symbol.parts or ()
        for names in reversed(range(1 if symbol.juxtaposed else len(parts))):  # the first parts may belong to the name
            base = f"{symbol.base}_{{{','.join(symbol.texts[:names])}}}" if names else symbol.base
            arities = {n for known, n in self.model.families if known == base and n <= len(parts) - names}
            if arities - {0} or arities and not self.numbers:  # what is left over counts the components of a vector
                try:
                    return base, tuple(self.integer(part, index) for part in parts[names : names + max(arities)])
                except _NotAnInteger:
                    break
        return self.unknown(symbol)

    @staticmethod
    def unknown(symbol):
        raise ValueError(f"source: the formulas use {symbol.shown}, and nothing says what it is")

    def range(self, binder, index):
        """The index assignments that a sum or product runs over; an index of components stays without a value."""
        if binder.low is None or len(binder.variables) != 1:
            raise ValueError("source: a graph needs sums with one index between two bounds")
        (letter,) = binder.variables
        try:
            low, high = self.integer(binder.low, index), self.integer(binder.high, index)
        except _NotAnInteger:
            return [index | {letter: None}]
        if high - low >= MAX_TERMS:
            raise ValueError(f"source: a sum of more than {MAX_TERMS} terms")
        return [index | {letter: value} for value in range(low, high + 1)]

    def occurrences(self, node, index):
        """Yield the members that a formula contains."""
        if node.op == "sym":
            member = self.member(node.args[0], index)
            if member is not None:
                yield member
        elif node.op in ("bigsum", "prod", "prod_left", "hprod"):
            binder, body = node.args
            for inner in self.range(binder, index):
                yield from self.occurrences(body, inner)
        elif node.op == "component":
            yield from self.occurrences(node.args[0], index)
        elif node.op == "call":
            arguments, body, _ = self.model.functions[node.args[0]]
            yield from self.occurrences(node.args[2], index)
            yield from self.occurrences(body, index | dict.fromkeys(arguments))
        elif node.op in ("derivative", "gradient"):
            raise ValueError("source: a graph has no derivative among its formulas")
        elif node.op not in ("identity", "filled"):  # whose children are sizes
            for child in node.children():
                yield from self.occurrences(child, index)

    def formula(self, node, index):
        """A formula between numbers as a SymPy expression."""
        args = node.args
        if node.op == "num":
            return sympy.Rational(args[0].numerator, args[0].denominator)
        if node.op == "sym":
            member = self.member(args[0], index)
            if member is not None:
                return sympy.Symbol(_name(*member), real=True)
            value = self.T if args[0].name == "T" and "T" not in index else index[args[0].name]
            return sympy.sympify(value)
        if node.op == "sum":
            return sympy.Add(*(sign * self.formula(term, index) for sign, term in args))
        if node.op in ("group", "T"):  # a number is its own transpose
            return self.formula(args[0], index)
        if node.op in ("mul", "had"):
            return self.formula(args[0], index) * self.formula(args[1], index)
        if node.op in ("div", "frac", "hdiv"):
            return self.formula(args[0], index) / self.formula(args[1], index)
        if node.op == "inv":
            return 1 / self.formula(args[0], index)
        if node.op in ("pow", "hpow"):
            base, exponent = (self.formula(part, index) for part in args)
            if exponent.is_number and abs(exponent) > MAX_EXPONENT:
                raise ValueError(f"source: an exponent beyond {MAX_EXPONENT}")
            return base**exponent
        if node.op == "constant":
            return sympy.E
        if node.op == "abs":
            return sympy.Abs(self.formula(args[0], index))
        if node.op == "fn" and args[0] in FUNCTIONS:
            return _primed(FUNCTIONS[args[0]], args[1], self.formula(args[2], index))
        if node.op == "call":
            (argument, *others), body, _ = self.model.functions[args[0]]
            if not others:
                value = self.formula(args[2], index)
                return _primed(lambda z: self.formula(body, index | {argument: z}), args[1], value)
        if node.op in ("bigsum", "prod", "prod_left", "hprod"):
            combine = sympy.Add if node.op == "bigsum" else sympy.Mul
            return combine(*(self.formula(args[1], inner) for inner in self.range(args[0], index)))
        what = f"the function {args[0]}" if node.op == "fn" else f"{node.op!r}"
        raise ValueError(f"source: {what} is outside what a graph of numbers can compute")


class _NotAnInteger(Exception):
    """An index that is not known: it counts the components of a vector."""


def _primed(function, primes, argument):
    z = sympy.Dummy("z", real=True)
    return sympy.diff(function(z), z, primes).subs(z, argument) if primes else function(argument)


def _name(base, indices):
    """The LaTeX name of a member: ``h_2``, ``W_{hh}``, ``\\hat{y}_{12}``."""
    stem, _, below = base.partition("_")
    below = ",".join([below.removeprefix("{").removesuffix("}")] * bool(below) + [str(value) for value in indices])
    return stem if not below else f"{stem}_{below}" if len(below) == 1 else f"{stem}_{{{below}}}"


# --- values and derivatives -------------------------------------------------------------------------------------------


def evaluate(graph, inputs):
    r"""Compute every node of a graph from its inputs: the forward pass.

    Parameters
    ----------
    graph : Graph
        With formulas.
    inputs : mapping of str to number or array
        The values of the inputs. One that the model fixes, as :math:`h_0 = 0`, may be left out, or given another value.

    Returns
    -------
    dict
        The value of each node, in the order of the graph. Formulas are computed as they stand: one that overflows does.

    Raises
    ------
    ValueError
        If the graph has no formulas, an input is missing, or a value is given to a node that is not an input.

    Examples
    --------
    >>> graph = from_model(r"w, x \in \mathbb{R} \\ a = w x \\ y = a^2")
    >>> evaluate(graph, {"w": 3.0, "x": 2.0})
    {'w': 3.0, 'x': 2.0, 'a': 6.0, 'y': 36.0}
    """
    _need_formulas(graph)
    unknown = [node for node in inputs if node not in graph.inputs]
    if unknown:
        known = ", ".join(graph.inputs)
        raise ValueError(f"inputs: expected values for inputs of the graph ({known}), got {unknown[0]!r}")
    missing = [node for node in graph.inputs if node not in inputs and node not in graph.formulas]
    if missing:
        raise ValueError(f"inputs: no value for {', '.join(missing)}")
    values = {}
    for node, parents in graph.parents.items():
        if node in inputs:
            values[node] = inputs[node]
        else:
            values[node] = _compute(graph, graph.formulas[node], parents, values)
    return values


def immediate_derivatives(graph, values=None):
    r"""Differentiate each formula by each quantity that occurs in it.

    On the edge from :math:`u` to :math:`v` stands :math:`\partial^{+} v / \partial u`: :math:`u` moves where it occurs
    in the formula of :math:`v`, and everything else in that formula stands still, even what depends on :math:`u`
    itself.

    Parameters
    ----------
    graph : Graph
        With formulas.
    values : mapping of str to number or array, optional
        The value of every node, as :func:`evaluate` returns them.

    Returns
    -------
    dict
        For each edge (tail, head) a number, or a SymPy expression if no values are given.

    Raises
    ------
    ValueError
        If the graph has no formulas, or the value of a node is missing.

    Examples
    --------
    In :math:`h_2 = w x_2 + \tanh h_1` the state before depends on :math:`w` too, and that does not matter here:

    >>> graph = from_model(r'''
    ... w, x_1, x_2 \in \mathbb{R}
    ... h_1 = w x_1
    ... h_2 = w x_2 + \tanh(h_1)
    ... ''')
    >>> local = immediate_derivatives(graph)
    >>> local["w", "h_2"], local["h_1", "h_2"]
    (x_2, 1 - tanh(h_1)**2)
    """
    _need_formulas(graph)
    if values is not None and (missing := [node for node in graph.nodes if node not in values]):
        raise ValueError(f"values: no value for {', '.join(missing)}")
    local = {(tail, head): sympy.diff(graph.formulas[head], graph.symbols[tail]) for tail, head in graph.edges}
    if values is None:
        return local
    return {edge: _compute(graph, slope, graph.parents[edge[1]], values) for edge, slope in local.items()}


def _need_formulas(graph):
    if not graph.formulas and graph.edges:
        raise ValueError("graph: expected one with formulas between numbers, got one that has edges only")


def _compute(graph, formula, parents, values):
    function = sympy.lambdify([graph.symbols[node] for node in parents], formula, [{"sigma": _logistic}, "numpy"])
    return function(*(values[node] for node in parents))


def _logistic(z):
    return 1 / (1 + np.exp(-z))


# --- accumulation -----------------------------------------------------------------------------------------------------


def paths(graph, source, target):
    """Yield every path from one node to another, as a tuple of the nodes on it.

    There may be exponentially many. A node has one path to itself, which has no edge.

    Examples
    --------
    >>> diamond = from_parents({"a": ["x"], "b": ["x"], "c": ["a", "b"]})
    >>> list(paths(diamond, "x", "c"))
    [('x', 'a', 'c'), ('x', 'b', 'c')]
    """
    _need_nodes(graph, source=source, target=target)
    leading = {target}  # the nodes from which the target can be reached: no path is followed in vain
    for node in reversed(graph.nodes):
        if any(child in leading for child in graph.children[node]):
            leading.add(node)
    todo = [(source,)] if source in leading else []
    while todo:
        path = todo.pop()
        if path[-1] == target:
            yield path
        else:
            todo.extend((*path, child) for child in reversed(graph.children[path[-1]]) if child in leading)


def sum_over_paths(graph, local, source, target):
    r"""Differentiate one node by another as the theorem says: multiply along each path, and add up the paths.

    Parameters
    ----------
    graph : Graph
    local : mapping
        For each edge (tail, head) its immediate derivative, as :func:`immediate_derivatives` returns them.
    source, target : str
        The node that moves, and the one that is looked at.

    Returns
    -------
    derivative
        :math:`\partial` target :math:`/\,\partial` source, a total derivative; 0 if no path leads from one to the
        other.
    count : Count
        One multiplication for each edge of each path, one addition for each path but the first.

    Raises
    ------
    ValueError
        If a node is not in the graph, or `local` lacks an edge.

    Examples
    --------
    >>> diamond = from_parents({"a": ["x"], "b": ["x"], "c": ["a", "b"]})
    >>> local = {("x", "a"): 2, ("x", "b"): 3, ("a", "c"): 5, ("b", "c"): 7}
    >>> sum_over_paths(diamond, local, "x", "c")
    (31, Count(multiplications=4, additions=1))
    """
    _need_edges(graph, local)
    products, multiplications = [], 0
    for path in paths(graph, source, target):
        product = 1
        for edge in itertools.pairwise(path):
            product = local[edge] * product
            multiplications += 1
        products.append(product)
    return sum(products), Count(multiplications, max(len(products) - 1, 0))


def forward_accumulation(graph, local, source):
    r"""Differentiate every node by one node, in one sweep along the edges.

    The tangent of a node is :math:`\dot v = \partial v / \partial s` for the source :math:`s`; it is the sum, over the
    edges that lead to :math:`v`, of what stands on the edge times the tangent at its tail.

    Parameters
    ----------
    graph, local
        As for :func:`sum_over_paths`.
    source : str
        The node that moves. Its own formula plays no part.

    Returns
    -------
    tangents : dict
        For each node its total derivative with respect to the source; 0 for those that the source does not reach.
    count : Count
        One multiplication for each edge that the sweep passes, one addition for each that arrives at a node after
        another.

    Raises
    ------
    ValueError
        As for :func:`sum_over_paths`.

    Examples
    --------
    >>> diamond = from_parents({"a": ["x"], "b": ["x"], "c": ["a", "b"]})
    >>> local = {("x", "a"): 2, ("x", "b"): 3, ("a", "c"): 5, ("b", "c"): 7}
    >>> forward_accumulation(diamond, local, "x")
    ({'x': 1, 'a': 2, 'b': 3, 'c': 31}, Count(multiplications=4, additions=1))
    """
    _need_nodes(graph, source=source)
    _need_edges(graph, local)
    tangents, count = {source: 1}, Count(0, 0)
    for node in graph.nodes:
        reached = [parent for parent in graph.parents[node] if parent in tangents]
        terms = [local[parent, node] * tangents[parent] for parent in reached]
        if terms:
            tangents[node] = sum(terms[1:], terms[0])
            count += Count(len(terms), len(terms) - 1)
    return {node: tangents.get(node, 0) for node in graph.nodes}, count


def reverse_accumulation(graph, local, target):
    r"""Differentiate one node by every node, in one sweep against the edges.

    The cotangent of a node is :math:`\bar v = \partial z / \partial v` for the target :math:`z`; it is the sum, over
    the edges that leave :math:`v`, of the cotangent at the head times what stands on the edge.

    Parameters
    ----------
    graph, local
        As for :func:`sum_over_paths`.
    target : str
        The node that is looked at.

    Returns
    -------
    cotangents : dict
        For each node the total derivative of the target with respect to it; 0 for those that do not reach the target.
    count : Count
        One multiplication for each edge that the sweep passes, one addition for each that arrives at a node after
        another.

    Raises
    ------
    ValueError
        As for :func:`sum_over_paths`.

    Examples
    --------
    >>> diamond = from_parents({"a": ["x"], "b": ["x"], "c": ["a", "b"]})
    >>> local = {("x", "a"): 2, ("x", "b"): 3, ("a", "c"): 5, ("b", "c"): 7}
    >>> reverse_accumulation(diamond, local, "c")
    ({'x': 31, 'a': 5, 'b': 7, 'c': 1}, Count(multiplications=4, additions=1))
    """
    _need_nodes(graph, target=target)
    _need_edges(graph, local)
    cotangents, count = {target: 1}, Count(0, 0)
    for node in reversed(graph.nodes):
        reached = [child for child in graph.children[node] if child in cotangents]
        terms = [cotangents[child] * local[node, child] for child in reached]
        if terms:
            cotangents[node] = sum(terms[1:], terms[0])
            count += Count(len(terms), len(terms) - 1)
    return {node: cotangents.get(node, 0) for node in graph.nodes}, count


def _need_nodes(graph, **nodes):
    for argument, node in nodes.items():
        if node not in graph.parents:
            shown = ", ".join(graph.nodes[:12]) + (", ..." if len(graph.nodes) > 12 else "")
            raise ValueError(f"{argument}: expected a node of the graph ({shown}), got {node!r}")


def _need_edges(graph, local):
    for tail, head in graph.edges:
        if (tail, head) not in local:
            raise ValueError(f"local: no derivative for the edge from {tail} to {head}")


# --- drawing ----------------------------------------------------------------------------------------------------------


def layout(graph):
    """Place the nodes of a graph in layers, so that all edges lead from left to right and few of them cross.

    The method is Sugiyama's: a computed node stands one layer behind the last of its parents, an input one layer
    before the first of its children; a long edge gets a place in every layer that it crosses; the order within the
    layers is improved by moving every place towards the mean of its neighbours, and of all orders seen the one with
    the fewest crossings is kept.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    positions : dict
        For each node its place (x, y): x is the number of its layer, and two in one layer are at least 1 apart.
    routes : dict
        For each edge the places that it passes, from its tail to its head.
    """
    depth = {}
    for node, parents in graph.parents.items():
        depth[node] = 1 + max((depth[parent] for parent in parents), default=-1)
    for node in graph.inputs:
        depth[node] = min((depth[child] for child in graph.children[node]), default=1) - 1
    routes, links, ranks = {}, [], [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node in graph.nodes:
        ranks[depth[node]].append(node)
    for tail, head in graph.edges:
        between = [(tail, head, rank) for rank in range(depth[tail] + 1, depth[head])]
        for place in between:
            ranks[place[2]].append(place)
        routes[tail, head] = [tail, *between, head]
        links.extend(itertools.pairwise(routes[tail, head]))
    ranks = _fewest_crossings(ranks, links)
    height = _heights(ranks, links)
    number = {place: x for x, rank in enumerate(ranks) for place in rank}
    where = {place: (float(number[place]), height[place]) for place in number}
    positions = {node: where[node] for node in graph.nodes}
    return positions, {edge: [where[place] for place in route] for edge, route in routes.items()}


def _neighbours(links):
    before, behind = {}, {}
    for tail, head in links:
        before.setdefault(head, []).append(tail)
        behind.setdefault(tail, []).append(head)
    return before, behind


def _fewest_crossings(ranks, links, sweeps=12):
    before, behind = _neighbours(links)
    best, fewest = ranks, _crossings(ranks, links)
    for sweep in range(sweeps):
        ranks = [list(rank) for rank in ranks]
        neighbours, order = (before, ranks) if sweep % 2 == 0 else (behind, ranks[::-1])
        for above, rank in itertools.pairwise(order):
            place = {item: i / max(len(above) - 1, 1) for i, item in enumerate(above)}
            wanted = {item: i / max(len(rank) - 1, 1) for i, item in enumerate(rank)}  # without neighbours: where it is
            for item in rank:
                seen = [place[other] for other in neighbours.get(item, ())]
                if seen:
                    wanted[item] = sum(seen) / len(seen)
            rank.sort(key=wanted.get)
        crossings = _crossings(ranks, links)
        if crossings < fewest:
            best, fewest = ranks, crossings
    return best


def _crossings(ranks, links):
    place = {item: (x, i) for x, rank in enumerate(ranks) for i, item in enumerate(rank)}
    ends = sorted((place[tail], place[head]) for tail, head in links)
    return sum(a[0][0] == b[0][0] and a[0] < b[0] and a[1] > b[1] for a, b in itertools.combinations(ends, 2))


def _heights(ranks, links, rounds=40):
    """Move each place to the mean of its neighbours, as far as the order in its layer allows."""
    before, behind = _neighbours(links)
    height = {place: (len(rank) - 1) / 2 - i for rank in ranks for i, place in enumerate(rank)}
    for turn in range(rounds):
        for rank in ranks if turn % 2 == 0 else ranks[::-1]:
            wanted = []
            for place in rank:
                near = [height[other] for other in (*before.get(place, ()), *behind.get(place, ()))]
                wanted.append(sum(near) / len(near) if near else height[place])
            # Least squares with gaps of at least 1, from the top down: isotonic regression, by pooling neighbours.
            pools = []
            for i, value in enumerate(wanted):
                pools.append((value + i, 1))
                while len(pools) > 1 and pools[-2][0] < pools[-1][0]:
                    (a, m), (b, n) = pools[-2:]
                    pools[-2:] = [((a * m + b * n) / (m + n), m + n)]
            levels = [value for value, size in pools for _ in range(size)]
            height.update((place, level - i) for i, (place, level) in enumerate(zip(rank, levels)))
    return height


def draw(graph, ax, *, labels=None, notes=None, highlight=(), reverse=False, stretch=1.7, radius=0.3):
    r"""Draw a graph.

    Computed nodes are solid circles and inputs dashed ones; an input that more than one edge leaves, a shared
    parameter, has a thick line.

    Parameters
    ----------
    graph : Graph
    ax : matplotlib.axes.Axes
    labels : mapping or "derivatives", optional
        What stands beside an edge, text by (tail, head); ``"derivatives"`` is short for :func:`derivative_labels`.
    notes : mapping, optional
        What stands above a node: text by node.
    highlight : sequence, optional
        Edges to draw in a strong colour and a thick line.
    reverse : bool, optional
        Draw the arrows against the edges, dashed, as a reverse sweep goes.
    stretch : float, optional
        The distance between two layers, in units of the distance between two nodes in one.
    radius : float, optional
        The radius of a node in the same units.

    Raises
    ------
    ValueError
        If `labels`, `notes` or `highlight` speak of an edge or a node that is not there.
    """
    from matplotlib.patches import Circle, FancyArrowPatch
    from matplotlib.path import Path as Curve

    labels = derivative_labels(graph) if labels == "derivatives" else dict(labels or {})
    notes = dict(notes or {})
    known = [("labels", labels, graph.edges), ("notes", notes, graph.nodes), ("highlight", highlight, graph.edges)]
    for argument, given, there in known:
        for item in given:
            if item not in there:
                raise ValueError(f"{argument}: {item!r} is not in the graph")
    positions, routes = layout(graph)
    routes = {edge: _shortened([(stretch * x, y) for x, y in route], radius) for edge, route in routes.items()}
    occupied = [(stretch * x, y) for x, y in positions.values()]
    for edge, points in routes.items():
        strong = edge in highlight
        if edge in labels:
            others = [place for other, way in routes.items() if other != edge for place in _along(way)]
            x, y, side = _label_place(points, others + occupied)
            occupied.append((x, y + 0.15))
            ax.text(x, y + 0.05, labels[edge], ha=side, va="bottom", fontsize=8)
        if reverse:
            points = points[::-1]
        bends = [corner for bend in _bends(points) for corner in bend[1:]]
        ax.add_patch(
            FancyArrowPatch(
                path=Curve([points[0], *bends], [Curve.MOVETO] + [Curve.CURVE4] * len(bends)),
                arrowstyle="-|>",
                mutation_scale=11,
                color="C1" if strong else "0.35",
                linewidth=2.2 if strong else 1.1,
                linestyle=(0, (4, 2)) if reverse else "solid",
                zorder=2 if strong else 1,
            )
        )
    for node, (x, y) in positions.items():
        computed = bool(graph.parents[node])
        shared = not computed and len(graph.children[node]) > 1
        ax.add_patch(
            Circle(
                (stretch * x, y),
                radius,
                fill=False,
                edgecolor="C0" if computed else "C2",
                linestyle="solid" if computed else (0, (3, 1.5)),
                linewidth=2.6 if shared else 1.4,
                zorder=3,
            )
        )
        ax.text(stretch * x, y, f"${node}$", ha="center", va="center", fontsize=10.5, zorder=4)
        if node in notes:
            ax.text(stretch * x, y + radius + 0.08, notes[node], ha="center", va="bottom", fontsize=8, zorder=4)
    everything = [(stretch * x, y) for x, y in positions.values()] + [place for way in routes.values() for place in way]
    if everything:
        left, right = min(x for x, _ in everything), max(x for x, _ in everything)
        bottom, top = min(y for _, y in everything), max(y for _, y in everything)
        margin = radius + 0.1
        ax.set(xlim=(left - margin, right + margin), ylim=(bottom - margin, top + margin + 0.3 * bool(notes)))
    ax.set_aspect("equal")
    ax.axis("off")


def derivative_labels(graph):
    r"""Write the immediate derivatives as mathematical text, for :func:`draw`.

    Parameters
    ----------
    graph : Graph
        With formulas.

    Returns
    -------
    dict
        Text by edge (tail, head). A derivative that is 1 is left out, and one that contains the formula of the node at
        the head is written in terms of that node, as in :math:`1 - h_2^2`.

    Raises
    ------
    ValueError
        If the graph has no formulas.

    Examples
    --------
    >>> derivative_labels(from_model(r"w, x \in \mathbb{R} \\ h = \tanh(w + x) \\ y = w h"))
    {('w', 'h'): '$1 - h^{2}$', ('x', 'h'): '$1 - h^{2}$', ('w', 'y'): '$h$', ('h', 'y'): '$w$'}
    """
    labels, names = {}, {symbol: name for name, symbol in graph.symbols.items()}
    for (tail, head), slope in immediate_derivatives(graph).items():
        shorter = slope.subs(graph.formulas[head], graph.symbols[head])
        if shorter != 1:
            labels[tail, head] = f"${sympy.latex(shorter, symbol_names=names)}$"
    return labels


def _shortened(points, radius):
    """The points of an edge, with its ends on the circles around the nodes."""
    def towards(a, b):
        length = math.dist(a, b)
        return a[0] + (b[0] - a[0]) / length * radius, a[1] + (b[1] - a[1]) / length * radius

    return [towards(points[0], points[1]), *points[1:-1], towards(points[-1], points[-2])]


def _bends(points):
    """The smooth curve through the points (Catmull and Rom's spline): for each piece the four points of a Bézier
    curve."""
    padded = [points[0], *points, points[-1]]
    bends = []
    for before, a, b, behind in zip(padded, padded[1:], padded[2:], padded[3:]):
        leaving = a[0] + (b[0] - before[0]) / 6, a[1] + (b[1] - before[1]) / 6
        arriving = b[0] - (behind[0] - a[0]) / 6, b[1] - (behind[1] - a[1]) / 6
        bends.append((a, leaving, arriving, b))
    return bends


def _along(points, number=12):
    """Places along an edge, evenly spread on each of its pieces."""
    places = []
    for bend in _bends(points):
        for s in (i / number for i in range(number)):
            weights = [math.comb(3, k) * s**k * (1 - s) ** (3 - k) for k in range(4)]
            places.append(tuple(sum(w * corner[axis] for w, corner in zip(weights, bend)) for axis in (0, 1)))
    return [*places, points[-1]]


def _label_place(points, taken):
    """Where the text beside an edge stands, and on which side of that place it extends: above the line, away from
    others."""
    places = []
    line = _along(points)
    for (x0, y0), (x, y), (x1, y1) in zip(line, line[1:], line[2:]):
        flat = abs(y1 - y0) < 0.15 * (x1 - x0)
        side, shift = ("center", 0.0) if flat else ("right", -0.25) if y1 > y0 else ("left", 0.25)
        room = min((math.dist((x + shift, y + 0.15), place) for place in taken), default=1.0)
        off_centre = abs(x - (points[0][0] + points[-1][0]) / 2)
        places.append((min(room, 0.35) - 0.05 * off_centre, x, y, side))
    return max(places)[1:]
