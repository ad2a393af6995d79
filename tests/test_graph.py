"""Computation graphs against the definitions: complex steps, SymPy's total derivatives, and counts in closed form.

The checks at the top take the functions that they look at as arguments, so that one can see them fail on a wrong one.
"""

import itertools
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnbook import graph

PAGE = Path(__file__).parent.parent / "book" / "graph.md"
STEP = 1e-200  # of the complex step, which has no rounding error
LOG_LOSS = r"""
w, x_1, x_2 \in \mathbb{R}, \quad t \in \{-1, 1\}, \quad h_0 = 0
h_1 = w x_1 + \tanh(h_0)
h_2 = w x_2 + \tanh(h_1)
y = h_1 + h_2
L = \log(1 + \exp(-y t))

g := \frac{\partial L}{\partial y}
"""
# One of every kind of formula, shared inputs, and several routes between most nodes.
MIXED = r"""
u, v \in \mathbb{R}, \quad p \in (0, 1), \quad x_t \in \mathbb{R}, \quad h_0, W_{hh} \in \mathbb{R}
f(z) = z^2 + \sigma(z)
h_t = \tanh(W_{hh} h_{t-1} + u x_t) + \frac{1}{2} h_{t-1}^2
a_t = \sigma(v h_t) \odot \cosh(h_{t-1}) - e^{-p} x_t
b = \sum_{t=1}^{T} a_t h_t + f'(v) + \sqrt{1 + v^2}
c = \prod_{t=1}^{T} (2 + \sin(a_t)) / (1 + b^2)
"""


def random_values(network, seed=0):
    rng = np.random.default_rng(seed)
    return {node: float(rng.uniform(0.2, 0.9)) for node in network.inputs}


def by_complex_step(network, values, source):
    """Differentiate every node by an input, with a complex step through the forward pass."""
    moved = graph.evaluate(network, values | {source: values[source] + 1j * STEP})
    return {node: np.imag(value) / STEP for node, value in moved.items()}


def check_forward(forward):
    network = graph.from_model(MIXED, T=3)
    inputs = random_values(network)
    local = graph.immediate_derivatives(network, graph.evaluate(network, inputs))
    for source in network.inputs:
        tangents, _ = forward(network, local, source)
        expected = by_complex_step(network, inputs, source)
        assert list(tangents) == list(network.nodes)
        for node in network.nodes:
            assert tangents[node] == pytest.approx(expected[node], rel=1e-12, abs=1e-14)


def check_reverse(reverse):
    network = graph.from_model(MIXED, T=3)
    inputs = random_values(network)
    local = graph.immediate_derivatives(network, graph.evaluate(network, inputs))
    expected = {source: by_complex_step(network, inputs, source) for source in network.inputs}
    for target in network.nodes:
        cotangents, _ = reverse(network, local, target)
        assert list(cotangents) == list(network.nodes)
        for source in network.inputs:
            assert cotangents[source] == pytest.approx(expected[source][target], rel=1e-12, abs=1e-14)


def test_forward_is_the_derivative():
    check_forward(graph.forward_accumulation)


def test_reverse_is_the_derivative():
    check_reverse(graph.reverse_accumulation)


def test_the_checks_find_mistakes():
    def one_arrow_only(network, local, target):
        """Forget all arrows but the last that leave a node: messages overwritten and not added."""
        cotangents = dict.fromkeys(network.nodes, 0) | {target: 1}
        for node in reversed(network.nodes):
            for child in network.children[node]:
                if cotangents[child]:
                    cotangents[node] = cotangents[child] * local[node, child]
        return cotangents, None

    def first_parent_only(network, local, source):
        tangents = dict.fromkeys(network.nodes, 0) | {source: 1}
        for node, parents in network.parents.items():
            if parents and node != source:
                tangents[node] = local[parents[0], node] * tangents[parents[0]]
        return tangents, None

    with pytest.raises(AssertionError):
        check_reverse(one_arrow_only)
    with pytest.raises(AssertionError):
        check_forward(first_parent_only)


def test_a_computed_node_is_set_free():
    """The derivative by an intermediate node: its own formula is cut, and what follows from it moves."""
    network = graph.from_model(LOG_LOSS)
    inputs = {"w": 0.7, "x_1": 0.4, "x_2": -1.3, "t": -1.0}
    values = graph.evaluate(network, inputs)
    local = graph.immediate_derivatives(network, values)

    def loss(h_1):
        h_2 = inputs["w"] * inputs["x_2"] + np.tanh(h_1)
        return np.log(1 + np.exp(-(h_1 + h_2) * inputs["t"]))

    expected = loss(values["h_1"] + 1j * STEP).imag / STEP
    assert graph.reverse_accumulation(network, local, "L")[0]["h_1"] == pytest.approx(expected, rel=1e-14)
    tangents, _ = graph.forward_accumulation(network, local, "h_1")
    assert tangents["L"] == pytest.approx(expected, rel=1e-14)
    assert tangents["h_1"] == 1 and tangents["w"] == 0


def test_immediate_derivatives_hold_everything_else_still():
    """A complex step in one argument of one formula, not through the graph."""
    network = graph.from_model(MIXED, T=3)
    values = graph.evaluate(network, random_values(network))
    local = graph.immediate_derivatives(network, values)
    assert set(local) == set(network.edges)
    for tail, head in network.edges:
        parents = network.parents[head]
        modules = [{"sigma": lambda z: 1 / (1 + np.exp(-z))}, "numpy"]
        formula = sympy.lambdify([network.symbols[node] for node in parents], network.formulas[head], modules)
        moved = formula(*(values[node] + 1j * STEP * (node == tail) for node in parents))
        assert local[tail, head] == pytest.approx(np.imag(moved) / STEP, rel=1e-12)


def test_symbols_on_the_edges():
    network = graph.from_model(LOG_LOSS)
    cotangents, _ = graph.reverse_accumulation(network, graph.immediate_derivatives(network), "L")
    t, y, h_1, x_1, x_2 = (network.symbols[name] for name in ("t", "y", "h_1", "x_1", "x_2"))
    g = -t / (1 + sympy.exp(t * y))
    expected = {"y": g, "h_2": g, "h_1": g * (2 - sympy.tanh(h_1) ** 2)}
    expected["w"] = g * x_2 + expected["h_1"] * x_1
    for node, formula in expected.items():
        assert sympy.simplify(cotangents[node] - formula) == 0


def test_arrays_go_through():
    """A whole batch at once, in any shape that broadcasts."""
    network = graph.from_model(LOG_LOSS)
    rng = np.random.default_rng(1)
    inputs = {"w": rng.normal(size=(5, 1)), "x_1": rng.normal(size=4), "x_2": rng.normal(size=4)}
    inputs["t"] = np.array([1.0, -1.0, 1.0, 1.0])
    for value in inputs.values():
        value.flags.writeable = False
    local = graph.immediate_derivatives(network, graph.evaluate(network, inputs))
    gradient = graph.reverse_accumulation(network, local, "L")[0]["w"]
    assert gradient.shape == (5, 4)
    for i, j in np.ndindex(5, 4):
        one = {"w": inputs["w"][i, 0]} | {name: inputs[name][j] for name in ("x_1", "x_2", "t")}
        assert gradient[i, j] == pytest.approx(by_complex_step(network, one, "w")["L"], rel=1e-12)


@st.composite
def random_graphs(draw):
    """A graph without cycles, its nodes in a random order, and integers on its edges: all three ways are then exact."""
    number = draw(st.integers(2, 8))
    names = draw(st.permutations([f"n{i}" for i in range(number)]))
    parents = {}
    for i, node in enumerate(names):
        parents[node] = [other for other in names[:i] if draw(st.booleans())]
    order = draw(st.permutations(list(parents)))
    network = graph.from_parents({node: parents[node] for node in order})
    local = {edge: draw(st.integers(-9, 9)) for edge in network.edges}
    return network, local


@settings(max_examples=60, deadline=None)
@given(random_graphs())
def test_three_ways_and_their_counts(case):
    network, local = case
    place = {node: i for i, node in enumerate(network.nodes)}
    assert all(place[tail] < place[head] for tail, head in network.edges)
    for source, target in itertools.product(network.nodes, repeat=2):
        routes = list(graph.paths(network, source, target))
        assert len(set(routes)) == len(routes)
        total, count = graph.sum_over_paths(network, local, source, target)
        tangents, _ = graph.forward_accumulation(network, local, source)
        cotangents, _ = graph.reverse_accumulation(network, local, target)
        assert total == tangents[target] == cotangents[source]
        assert count == (sum(len(route) - 1 for route in routes), max(len(routes) - 1, 0))
    # An independent count: (I - A)^-1 for the matrix A of the graph holds the numbers of paths.
    number = len(network.nodes)
    adjacency = np.zeros((number, number))
    for tail, head in network.edges:
        adjacency[place[tail], place[head]] = 1
    expected = np.linalg.inv(np.eye(number) - adjacency).round().astype(int)
    ones = dict.fromkeys(network.edges, 1)
    for source in network.nodes:
        found, _ = graph.forward_accumulation(network, ones, source)
        assert [found[node] for node in network.nodes] == expected[place[source]].tolist()


@pytest.mark.parametrize("T", [1, 2, 3, 7])
def test_operation_counts_in_closed_form(T):
    network = graph.layers([1] + [2] * T + [1])
    ones = dict.fromkeys(network.edges, 1)
    first, last = network.inputs[0], network.outputs[0]
    edges = 2 + 4 * (T - 1) + 2
    assert len(network.edges) == edges
    total, count = graph.sum_over_paths(network, ones, first, last)
    assert total == 2**T and count == graph.Count(2**T * (T + 1), 2**T - 1)
    for _, swept in (graph.forward_accumulation(network, ones, first), graph.reverse_accumulation(network, ones, last)):
        assert swept == graph.Count(edges, edges - len(network.nodes) + 1)


def test_counts_add():
    assert graph.Count(1, 2) + graph.Count(3, 4) == graph.Count(4, 6)


# Reading models.


@pytest.mark.parametrize("name", ["graph-log-loss", "graph-log-cosh", "graph-product", "graph-second", "graph-numbers"])
def test_models_of_the_chapter(name):
    network = graph.from_document(PAGE, name)
    values = graph.evaluate(network, {node: 0.4 for node in network.inputs if node not in network.formulas})
    assert all(np.isfinite(value) for value in values.values())


def test_a_model_that_extends_another():
    network = graph.from_document(PAGE, "graph-numbers")
    values = graph.evaluate(network, {})
    assert values["h_1"] == 1 and values["h_2"] == pytest.approx(np.tanh(1) - 0.5)


def test_structure_of_the_two_step_network():
    network = graph.from_model(LOG_LOSS)
    assert network.children["w"] == ("h_1", "h_2")
    assert network.children["h_1"] == ("h_2", "y")
    assert set(network.inputs) == {"w", "x_1", "x_2", "t", "h_0"} and network.outputs == ("L",)
    assert "g" not in network.nodes


@pytest.mark.parametrize("T", [1, 2, 5])
def test_unrolling(T):
    network = graph.from_model(MIXED, T=T)
    assert len(network.children["u"]) == T and len(network.children["W_{hh}"]) == T
    assert network.parents["h_1"] == ("W_{hh}", "h_0", "u", "x_1")
    assert len([node for node in network.nodes if node.startswith("x_")]) == T


def test_long_unrolling_and_names_of_two_digits():
    network = graph.from_model(r"w, h_0 \in \mathbb{R} \\ h_t = w h_{t-1}", T=1200)
    assert network.outputs == ("h_{1200}",) and "h_9" in network.nodes and "h_{10}" in network.nodes


def test_a_model_of_vectors_has_a_graph_without_derivatives():
    network = graph.from_model(
        r"""
        W \in \mathbb{R}^{n \times n}, \quad h_0 \in \mathbb{R}^{n}
        x_t \in \mathbb{R}^{n}, \quad y_t \in \operatorname{onehot}(n)
        h_t = \tanh(W h_{t-1} + x_t)
        \hat y_t = \operatorname{softmax}(h_t)
        L_t = -\sum_{i=1}^{n} y_{t,i} \ln \hat y_{t,i}
        L = \sum_{t=1}^{T} L_t
        """,
        T=3,
    )
    assert network.parents["h_2"] == ("W", "h_1", "x_2")
    assert network.parents["L_3"] == ("y_3", r"\hat{y}_3")
    assert network.parents["L"] == ("L_1", "L_2", "L_3")
    with pytest.raises(ValueError, match="expected one with formulas"):
        graph.evaluate(network, {})
    with pytest.raises(ValueError, match="expected one with formulas"):
        graph.immediate_derivatives(network)


@pytest.mark.parametrize(
    "source, message",
    [
        (r"h_t = \tanh(w h_{t-1})", "w, and nothing says what it is"),
        (r"w \in \mathbb{R} \\ h_t = \tanh(w h_{t-1})", "h_0, and nothing says what it is"),
        (r"a = b \\ b = a", r"cycle: (a -> b -> a|b -> a -> b)"),
        (r"a = a + 1", "cycle: a -> a"),
        (r"x \in \mathbb{R} \\ y = x^2 \\ g := \frac{\partial y}{\partial x} \\ z = g y", "g is an abbreviation"),
        (r"x \in \mathbb{R} \\ y = \frac{\partial x}{\partial x}", "no derivative among its formulas"),
        (r"x \in \mathbb{R} \\ y = \sum_{k=1}^{1000000000} x", "more than 10000 terms"),
        (r"x \in \mathbb{R} \\ y = x + 9^{9^{9^{9}}}", "exponent"),
        (r"x \in \mathbb{R} \\ y = \frac{x", "source: .*brace"),
        (r"x \in \mathbb{R} \\ y = \input{x}", "source: "),
        (r"x \in \mathbb{R} \\ y = __import__('os')", "source: "),
        (r"x \in \mathbb{R} \\ y = \max(x, 0)", "outside what a graph of numbers can compute"),
    ],
)
def test_models_that_cannot_be_read(source, message):
    with pytest.raises(ValueError, match=message):
        graph.from_model(source)


@pytest.mark.parametrize("T", [0, -1, 2.0, "3"])
def test_number_of_steps(T):
    with pytest.raises(ValueError, match="T: expected an integer of at least 1"):
        graph.from_model(LOG_LOSS, T=T)


def test_errors_name_what_is_wrong(tmp_path):
    network = graph.from_model(LOG_LOSS)
    with pytest.raises(ValueError, match="inputs: no value for w"):
        graph.evaluate(network, {"x_1": 1.0, "x_2": 1.0, "t": 1.0})
    with pytest.raises(ValueError, match="inputs: expected values for inputs .* got 'h_1'"):
        graph.evaluate(network, {"h_1": 1.0})
    with pytest.raises(ValueError, match="values: no value for"):
        graph.immediate_derivatives(network, {"w": 1.0})
    local = graph.immediate_derivatives(network)
    for function in (graph.forward_accumulation, graph.reverse_accumulation):
        with pytest.raises(ValueError, match="expected a node of the graph .* got 'q'"):
            function(network, local, "q")
        with pytest.raises(ValueError, match="local: no derivative for the edge from w to h_1"):
            function(network, {edge: 1 for edge in network.edges if edge != ("w", "h_1")}, "y")
    with pytest.raises(ValueError, match="target: expected a node"):
        graph.sum_over_paths(network, local, "w", "q")
    with pytest.raises(ValueError, match="parents: expected each parent of 'a' once"):
        graph.from_parents({"a": ["b", "b"]})
    with pytest.raises(ValueError, match="cycle"):
        graph.from_parents({"a": ["b"], "b": ["c"], "c": ["a"]})
    for widths in ([2, 0], [1.5]):
        with pytest.raises(ValueError, match="widths"):
            graph.layers(widths)
    with pytest.raises(ValueError, match="name: expected a model of the document .*graph-log-loss.* got 'nothing'"):
        graph.from_document(PAGE, "nothing")
    (tmp_path / "loop.md").write_text("```{model} a\n:extends: a\n\nx = 1\n```\n")
    with pytest.raises(ValueError, match="name: expected a model"):
        graph.from_document(tmp_path / "loop.md", "a")


def test_a_fixed_input_can_be_moved():
    network = graph.from_model(LOG_LOSS)
    inputs = {"w": 0.5, "x_1": 1.0, "x_2": 1.0, "t": 1.0}
    assert graph.evaluate(network, inputs)["h_0"] == 0
    assert graph.evaluate(network, inputs | {"h_0": 2.0})["h_1"] == pytest.approx(0.5 + np.tanh(2.0))


# Drawing.


@settings(max_examples=40, deadline=None)
@given(random_graphs())
def test_layout(case):
    network, _ = case
    positions, routes = graph.layout(network)
    assert set(positions) == set(network.nodes) and set(routes) == set(network.edges)
    for (tail, head), route in routes.items():
        assert route[0] == positions[tail] and route[-1] == positions[head]
        assert all(b[0] - a[0] == 1 for a, b in itertools.pairwise(route))
    places = set(positions.values()) | {place for route in routes.values() for place in route}
    for (x, y), (u, v) in itertools.combinations(places, 2):
        assert x != u or abs(y - v) > 1 - 1e-9


def test_layout_finds_the_drawing_without_crossings():
    """Two interleaved lines, listed so that every edge crosses until their order is turned."""
    network = graph.from_parents({"a": [], "b": [], "p": ["b"], "q": ["a"], "r": ["q"], "s": ["p"], "end": ["r", "s"]})
    positions, _ = graph.layout(network)
    above = positions["a"][1] > positions["b"][1]
    assert (positions["q"][1] > positions["p"][1]) == above and (positions["r"][1] > positions["s"][1]) == above


def figure_axes():
    matplotlib.use("agg")
    from matplotlib.figure import Figure

    return Figure().add_subplot()


def test_drawing_shows_every_node_edge_and_label():
    ax = figure_axes()
    network = graph.from_model(LOG_LOSS)
    labels = graph.derivative_labels(network)
    graph.draw(network, ax, labels="derivatives", notes={"h_1": r"$\delta_1$"}, highlight=[("w", "h_1")], reverse=True)
    texts = [text.get_text() for text in ax.texts]
    assert sorted(texts) == sorted([f"${node}$" for node in network.nodes] + list(labels.values()) + [r"$\delta_1$"])
    assert ("h_1", "y") not in labels and labels["w", "h_2"] == "$x_2$"
    assert len(ax.patches) == len(network.nodes) + len(network.edges)
    ax.figure.canvas.draw()  # all labels are text that matplotlib can set


def test_drawing_refuses_what_is_not_there():
    network = graph.from_model(LOG_LOSS)
    for argument in ({"labels": {("w", "y"): "?"}}, {"notes": {"q": "?"}}, {"highlight": [("w", "y")]}):
        with pytest.raises(ValueError, match=f"{next(iter(argument))}: .* is not in the graph"):
            graph.draw(network, figure_axes(), **argument)


def test_drawing_of_a_single_node():
    graph.draw(graph.from_parents({"x": []}), figure_axes())
