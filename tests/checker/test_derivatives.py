"""The checker's derivatives against PyTorch's automatic differentiation and SymPy's derivatives, on random models."""
import random

import pytest

from rnnbook.checker.arithmetic import Floats, Precise
from rnnbook.checker.claim import read_claim
from rnnbook.checker.evaluate import Instance
from rnnbook.checker.model import read_model
from rnnbook.checker.scan import Block

LSTM = r"""
W_f, W_i, W_o, W_c \in \mathbb{R}^{n \times n}, \quad U_f, U_i, U_o, U_c \in \mathbb{R}^{n \times d}
b_f, b_i, b_o, b_c \in \mathbb{R}^{n}, \quad V \in \mathbb{R}^{q \times n}, \quad r_t \in \mathbb{R}^{q}
x_t \in \mathbb{R}^{d}, \quad h_0, C_0 \in \mathbb{R}^{n}
f_t = \sigma(W_f h_{t-1} + U_f x_t + b_f)
i_t = \sigma(W_i h_{t-1} + U_i x_t + b_i)
o_t = \sigma(W_o h_{t-1} + U_o x_t + b_o)
\tilde C_t = \tanh(W_c h_{t-1} + U_c x_t + b_c)
C_t = f_t \odot C_{t-1} + i_t \odot \tilde C_t
h_t = o_t \odot \tanh(C_t)
p_t = \operatorname{softmax}(V h_t)
L = \sum_{t=1}^{T} r_t^\top \ln p_t + \lVert h_T \rVert \cosh(h_T^\top C_T) + \operatorname{tr}(W_f^{-1} W_c) + \det(W_i)
"""


def side(model, formula, instance):
    """The value of a formula at an instance."""
    claim = read_claim(Block("claim", "", {}, 1, formula + " = 0", 1), model, instance)
    return instance.evaluate(claim.chain.sides[0], {}, instance.root)


def model_values(model, instance):
    return {key: instance.value(instance.root, key) for key in instance.root.values}


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.mark.parametrize("seed", range(3))
def test_every_gradient_of_an_lstm_is_that_of_autograd(torch, seed):
    model = read_model("lstm", LSTM)
    instance = Instance(model, Floats(), {"n": 3, "d": 2, "q": 4}, 3, seed)
    horizon = 3

    def leaf(name, *indices):
        value = instance.value(instance.root, (name, indices))
        tensor = torch.tensor(value.data, dtype=torch.float64)
        return (tensor.reshape(value.dims) if value.kind == "matrix" else tensor).requires_grad_()

    names = [f"{a}_{{{g}}}" for a in "WUb" for g in "fioc"]
    leaves = {(name,): leaf(name) for name in [*names, "V"]}
    for t in range(1, horizon + 1):
        leaves["x", t], leaves["r", t] = leaf("x", t), leaf("r", t)
    leaves["h", 0], leaves["C", 0] = leaf("h", 0), leaf("C", 0)
    h, c, loss = leaves["h", 0], leaves["C", 0], 0
    for t in range(1, horizon + 1):
        a = {g: leaves[f"W_{{{g}}}",] @ h + leaves[f"U_{{{g}}}",] @ leaves["x", t] + leaves[f"b_{{{g}}}",]
             for g in "fioc"}
        c = torch.sigmoid(a["f"]) * c + torch.sigmoid(a["i"]) * torch.tanh(a["c"])
        h = torch.sigmoid(a["o"]) * torch.tanh(c)
        loss = loss + leaves["r", t] @ torch.log_softmax(leaves["V",] @ h, 0)
    loss = loss + h.norm() * torch.cosh(h @ c) + torch.trace(torch.linalg.inv(leaves["W_{f}",]) @ leaves["W_{c}",])
    loss = loss + torch.linalg.det(leaves["W_{i}",])
    loss.backward()
    assert side(model, "L", instance).data[0] == pytest.approx(loss.item(), rel=1e-10)
    for (name, *indices), tensor in leaves.items():
        shown = name.replace("{", "").replace("}", "") + (f"_{indices[0]}" if indices else "")
        gradient = side(model, rf"\nabla_{{{shown}}} L", instance)
        expected = tensor.grad.reshape(-1).tolist()
        scale = max(map(abs, expected))
        assert gradient.data == pytest.approx(expected, rel=1e-9, abs=1e-12 * scale), name


@pytest.mark.parametrize("seed", range(3))
def test_hessians_are_those_of_autograd(torch, seed):
    model = read_model("net", r"""
        W \in \mathbb{R}^{n \times n}, \quad x_t, h_0 \in \mathbb{R}^{n}
        h_t = \tanh(W h_{t-1} + x_t)
        L = \sum_{t=1}^{T} \ln(1 + h_t^\top h_t)
    """.replace("\n        ", "\n").strip())
    instance = Instance(model, Floats(), {"n": 3}, 3, seed)

    def tensor(name, *indices):
        value = instance.value(instance.root, (name, indices))
        return torch.tensor(value.data, dtype=torch.float64).reshape(value.dims)

    def loss(h, w):
        total = 0
        for t in range(1, 4):
            h = torch.tanh(w @ h + tensor("x", t))
            total = total + torch.log(1 + h @ h)
        return total

    h, w = tensor("h", 0).requires_grad_(), tensor("W").requires_grad_()
    gradient, = torch.autograd.grad(loss(h, w), h, create_graph=True)
    rows = [torch.autograd.grad(entry, (h, w), retain_graph=True) for entry in gradient]
    hessian, mixed = torch.stack([row[0] for row in rows]), torch.stack([row[1] for row in rows])
    assert side(model, r"\nabla_{h_0}^2 L", instance).data == pytest.approx(hessian.reshape(-1).tolist(), rel=1e-9,
                                                                            abs=1e-13)
    assert side(model, r"\frac{\partial}{\partial h_0}(\nabla_{h_0} L)", instance).data == pytest.approx(
        hessian.reshape(-1).tolist(), rel=1e-9, abs=1e-13)
    assert side(model, r"\frac{\partial}{\partial W}(\nabla_{h_0} L)", instance).data == pytest.approx(
        mixed.reshape(-1).tolist(), rel=1e-9, abs=1e-13)


def random_formula(rng, depth):
    """A random differentiable formula of two scalars, as LaTeX and as text for SymPy."""
    if depth == 0:
        return rng.choice([("a", "a"), ("z", "z"), ("2", "2"), ("0.3", "Rational(3,10)")])
    x, y = random_formula(rng, depth - 1), random_formula(rng, depth - 1)
    return rng.choice([
        (rf"({x[0]} + {y[0]})", f"({x[1]}+{y[1]})"), (rf"({x[0]} - {y[0]})", f"({x[1]}-({y[1]}))"),
        (rf"({x[0]}) ({y[0]})", f"({x[1]})*({y[1]})"),
        (rf"\frac{{{x[0]}}}{{2 + ({y[0]})^2}}", f"({x[1]})/(2+({y[1]})**2)"),
        (rf"\tanh({x[0]})", f"tanh({x[1]})"), (rf"\sigma({x[0]})", f"(1/(1+exp(-({x[1]}))))"),
        (rf"\exp(-({x[0]})^2)", f"exp(-({x[1]})**2)"), (rf"\ln(1 + ({x[0]})^2)", f"log(1+({x[1]})**2)"),
        (rf"\sin({x[0]})", f"sin({x[1]})"), (rf"\sqrt{{1 + ({x[0]})^2}}", f"sqrt(1+({x[1]})**2)"),
        (rf"\arctan({x[0]})", f"atan({x[1]})"), (rf"({x[0]})^3", f"({x[1]})**3"),
        (rf"\cosh(\tanh({x[0]}))", f"cosh(tanh({x[1]}))"),
    ])


@pytest.mark.parametrize("seed", range(25))
def test_derivatives_are_those_of_sympy(seed):
    import sympy

    rng = random.Random(seed)
    latex, text = random_formula(rng, 3)
    expression = sympy.sympify(text)
    model = read_model("two", rf"a, z \in \mathbb{{R}}{chr(10)}y = {latex}")
    instance = Instance(model, Precise(30), {}, 3, seed)
    a, z = sympy.symbols("a z")
    for name in ("a", "z"):
        instance.value(instance.root, (name, ()))
    at = {s: sympy.Rational(str(instance.drawn[s.name, ()][0])) for s in (a, z)}
    for formula, derivative in ((r"\frac{\partial y}{\partial a}", sympy.diff(expression, a)),
                                (r"\frac{d y}{d z}", sympy.diff(expression, z)),
                                (r"\frac{\partial^2 y}{\partial a \partial z}", sympy.diff(expression, a, z)),
                                (r"\frac{\partial^3 y}{\partial a^3}", sympy.diff(expression, a, 3))):
        value = side(model, formula, instance)
        found = 0 if value.kind == "zero" else value.data[0]
        expected = sympy.N(derivative.subs(at), 30)
        assert abs(sympy.Float(str(found), 30) - expected) <= 1e-18 * max(1, abs(expected)), (latex, formula)


def test_total_and_immediate_differ_where_they_should():
    model = read_model("chain", "w, x \\in \\mathbb{R}\na = w x\nb = w a + \\tanh(a)\nc = a b")
    instance = Instance(model, Floats(), {}, 3, 0)
    w, x = (instance.value(instance.root, (s, ())).data[0] for s in "wx")
    from math import tanh
    a = w * x
    b = w * a + tanh(a)
    def value(formula):
        return side(model, formula, instance).data[0]
    assert value(r"\frac{\partial^{+} b}{\partial w}") == pytest.approx(a)
    assert value(r"\frac{\partial b}{\partial w}") == pytest.approx(a + (w + 1 - tanh(a) ** 2) * x)
    assert value(r"\frac{\partial^{+} b}{\partial a}") == value(r"\frac{\partial b}{\partial a}")
    assert value(r"\frac{\partial^{+} c}{\partial a}") == pytest.approx(b)
    assert value(r"\frac{\partial c}{\partial a}") == pytest.approx(b + a * (w + 1 - tanh(a) ** 2))
