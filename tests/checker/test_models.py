"""Models: declarations, definitions, abbreviations, options, assumptions, ranges."""
import time

import pytest

from rnnbook.checker import check


def verdicts(text, **kwargs):
    kwargs.setdefault("proof_seconds", 0)
    results = check(text, **kwargs)
    for result in results:
        print(result.line, result.label, result.verdict, result.message)
    return {result.label: result.verdict for result in results}


def claim(label, formula, options=""):
    return f"```{{claim}}\n:label: {label}\n{options + chr(10) if options else ''}{formula}\n```\n\n"


def model(name, body, options=""):
    return f"```{{model}} {name}\n{options + chr(10) if options else ''}{body}\n```\n\n"


def test_gradient_layout_makes_a_column_of_a_gradient():
    body = "x \\in \\mathbb{R}^{n}, \\quad A \\in \\mathbb{R}^{n \\times n}\nL = x^\\top A x"
    text = model("g", body, ":layout: gradient") + claim("column", r"\frac{\partial L}{\partial x} = (A + A^\top) x") \
        + claim("row", r"\frac{\partial L}{\partial x} = x^\top (A + A^\top)") \
        + model("h", body) + claim("row2", r"\frac{\partial L}{\partial x} = x^\top (A + A^\top)")
    assert verdicts(text) == {"column": "holds", "row": "ill-typed", "row2": "holds"}


def test_bare_partial_may_be_the_immediate_one():
    body = "w, x_1, x_2 \\in \\mathbb{R}\nh_1 = w x_1\nh_2 = w x_2 + \\tanh(h_1)"
    text = model("i", body, ":partial: immediate") + claim("immediate", r"\frac{\partial h_2}{\partial w} = x_2") \
        + claim("total", r"\frac{d h_2}{d w} = x_2 + (1 - \tanh^2(h_1)) x_1") \
        + model("t", body) + claim("t-total", r"\frac{\partial h_2}{\partial w} = x_2 + \tanh'(h_1) x_1")
    assert verdicts(text) == {"immediate": "holds", "total": "holds", "t-total": "holds"}


def test_extends_overrides_and_adds():
    text = model("base", "w, x_t, h_0 \\in \\mathbb{R}\nh_t = \\tanh(w h_{t-1} + x_t)\nL = h_T") \
        + model("child", "v \\in \\mathbb{R}\nh_t = w h_{t-1} + v x_t", ":extends: base") \
        + claim("linear", r"\frac{\partial L}{\partial h_0} = w^T") \
        + claim("parent", r"\frac{\partial h_t}{\partial h_{t-1}} = w (1 - h_t^2)", ":model: base") \
        + claim("last-model", r"\frac{\partial h_t}{\partial v} = x_t + w \frac{\partial h_{t-1}}{\partial v}") \
        + model("broken", "", ":extends: nobody")
    assert verdicts(text) == {"linear": "holds", "parent": "holds", "last-model": "holds", "broken": "ill-typed"}


def test_particular_indices_beside_a_general_rule():
    text = model("p", "w, x_t \\in \\mathbb{R}, \\quad h_0 = 0\nh_1 = x_1^2\nh_t = w h_{t-1} + x_t") \
        + claim("first", r"h_1 = x_1^2") + claim("second", r"h_2 = w x_1^2 + x_2") \
        + claim("general", "h_t = w h_{t-1} + x_t", ":for: t = 2..T") + claim("not-first", "h_t = w h_{t-1} + x_t")
    assert verdicts(text) == {"first": "holds", "second": "holds", "general": "holds", "not-first": "false"}


def test_fixed_values_can_be_differentiated_by():
    text = model("f", "w = 0.5, \\quad x = 3, \\quad h_0 = 0\ny = w^2 x") + claim("d", r"\frac{dy}{dw} = 3") \
        + claim("e", r"y \approx 0.75") + claim("f", r"\frac{\partial y}{\partial w} \approx 3.0")
    assert verdicts(text) == {"d": "holds", "e": "holds", "f": "holds"}


def test_names_with_subscripts_and_indices_together():
    body = r"""W_{hh} \in \mathbb{R}^{n \times n}, \quad W_{\text{in}} \in \mathbb{R}^{n \times d}, \quad b_f \in \mathbb{R}^n
x_t \in \mathbb{R}^{d}, \quad h_0 \in \mathbb{R}^{n}
h_t = \tanh(W_{hh} h_{t-1} + W_{\text{in}} x_t + b_f)"""
    text = model("n", body) + claim("name", r"\frac{\partial h_t}{\partial h_{t-1}} = \operatorname{diag}(1 - h_t^2) W_{hh}") \
        + claim("rm", r"\frac{\partial h_t}{\partial x_t} = \operatorname{diag}(1 - h_t^2) W_{\mathrm{in}}") \
        + claim("entries", r"(W_{hh} h_0)_i = \sum_{j} W_{hh,ij} h_{0,j}") + claim("component",
                                                                                   r"\frac{\partial h_{t,i}}{\partial b_{f,i}} = 1 - h_{t,i}^2", ":for: t = 1..1")
    assert verdicts(text) == {"name": "holds", "rm": "holds", "entries": "holds", "component": "holds"}


def test_accents_styles_and_brackets_in_names():
    body = r"""\mathbf{W}, \bar{W} \in \mathbb{R}^{n \times n}, \quad \boldsymbol\theta \in \mathbb{R}, \quad W^{(1)}, W^{(2)} \in \mathbb{R}^{n \times n}
\mathbf x_t, \overrightarrow{h}_0 \in \mathbb{R}^{n}, \quad \overleftarrow{h}_{T+1} \in \mathbb{R}^{n}
\overrightarrow{h}_t = \tanh(\mathbf{W} \overrightarrow{h}_{t-1} + \mathbf x_t)
\overleftarrow{h}_t = \tanh(\bar W \overleftarrow{h}_{t+1} + \mathbf x_t)
h^{(1)}_t = W^{(1)} \overrightarrow{h}_t
h^{(2)}_t = W^{(2)} h^{(1)}_t + \overleftarrow{h}_t
\mathcal{L} = \boldsymbol{\theta} \sum_{t=1}^{T} \lVert h_t^{(2)} \rVert^2"""
    text = model("b", body) \
        + claim("backwards", r"\frac{\partial \overleftarrow{h}_t}{\partial \overleftarrow{h}_{t+1}} = \operatorname{diag}(1 - \overleftarrow{h}_t^2) \bar W") \
        + claim("layers", r"\frac{\partial h^{(2)}_t}{\partial \overrightarrow{h}_t} = W^{(2)} W^{(1)}") \
        + claim("loss", r"\nabla_{h^{(2)}_t} \mathcal{L} = 2 \boldsymbol\theta h_t^{(2)}") \
        + claim("end", r"\frac{\partial \overleftarrow{h}_T}{\partial \overleftarrow{h}_{T+1}} = \operatorname{diag}(1 - \overleftarrow{h}_T^2) \bar{W}")
    assert set(verdicts(text).values()) == {"holds"}


def test_definitions_by_components_and_functions():
    body = r"""W \in \mathbb{R}^{n \times d}, \quad x \in \mathbb{R}^{d}
\phi(z) = \frac{z}{1 + z^2}
a_i = \sum_{j=1}^{d} W_{ij} x_j
y = \phi(a)"""
    text = model("c", body) + claim("vector", "a = W x") + claim("entry", r"\frac{\partial a_i}{\partial x_j} = W_{ij}") \
        + claim("prime", r"\phi'(a) = (1 - a^2) \oslash (1 + a^2)^2") \
        + claim("jacobian", r"\frac{\partial y}{\partial x} = \operatorname{diag}(\phi'(W x)) W") \
        + claim("wrong", r"\frac{\partial y}{\partial x} = \operatorname{diag}(\phi'(y)) W")
    assert verdicts(text) == {"vector": "holds", "entry": "holds", "prime": "holds", "jacobian": "holds",
                              "wrong": "false"}


LSTM = r"""W_f, W_i \in \mathbb{R}^{n \times n}, \quad x_t, C_0 \in \mathbb{R}^{n}
f_t = \sigma(W_f C_{t-1} + x_t)
i_t = \sigma(W_i C_{t-1} - x_t)
C_t = f_t \odot C_{t-1} + i_t \odot \tanh(x_t)"""


def test_pins_cut_definitions_at_every_index():
    text = model("l", LSTM) \
        + claim("carousel", r"\frac{\partial C_t}{\partial C_k} = I",
                ":for: t = 1..T, k = 0..t\n:given: f_t = 1, i_t = 0") \
        + claim("kept", r"C_t = C_{t-1}", ":given: f_t = 1, i_t = 0") \
        + claim("pinned-half", r"\frac{\partial C_t}{\partial C_{t-1}} = I", ":given: f_t = 1") \
        + claim("one-step", r"\frac{\partial C_2}{\partial C_1} = I", r":given: f_2 = \mathbf{1}, i_2 = 0") \
        + claim("free-again", r"\frac{\partial C_t}{\partial C_{t-1}} = I") \
        + claim("zero-weights", r"\frac{\partial C_t}{\partial C_{t-1}} = \operatorname{diag}(f_t)",
                ":given: W_f = 0, W_i = 0") \
        + claim("unknown", "C_t = C_t", ":given: g_t = 1")
    assert verdicts(text) == {"carousel": "holds", "kept": "holds", "pinned-half": "false", "one-step": "holds",
                              "free-again": "false", "zero-weights": "holds", "unknown": "ill-typed"}


def test_inequalities_restrict_the_instances():
    text = model("w", "W \\in \\mathbb{R}^{n \\times n}, \\quad x \\in \\mathbb{R}^{n}, \\quad a \\in \\mathbb{R}") \
        + claim("contraction", r"\lVert W x \rVert \le \lVert x \rVert", r":given: \lVert W \rVert \le 1") \
        + claim("unrestricted", r"\lVert W x \rVert \le \lVert x \rVert") \
        + claim("radius", r"\lVert W x \rVert \le \lVert x \rVert", r":given: \rho(W) < 1") \
        + claim("sign", r"|a| = a", ":given: a > 0") + claim("nowhere", "a = a", ":given: a^2 < 0")
    assert verdicts(text) == {"contraction": "holds", "unrestricted": "false", "radius": "false", "sign": "holds",
                              "nowhere": "undecided"}


def test_conditions_on_indices():
    body = "w, x_t, h_0 \\in \\mathbb{R}\nh_t = \\tanh(w h_{t-1} + x_t)"
    text = model("s", body) + claim("past", r"\frac{\partial h_k}{\partial h_t} = 0", ":given: k < t") \
        + claim("past2", r"\frac{\partial h_k}{\partial h_t} = 0", ":for: t = 2..T, k = 1..t-1") \
        + claim("past3", r"\frac{\partial h_k}{\partial h_t} = 0", ":for: 1 \\le k < t") \
        + claim("always", r"\frac{\partial h_k}{\partial h_t} = 0") \
        + claim("step", r"\frac{\partial h_t}{\partial h_{t-2}} = \frac{\partial h_t}{\partial h_{t-1}} \frac{\partial h_{t-1}}{\partial h_{t-2}}", ":for: t = 2..T") \
        + claim("one", "h_t = \\tanh(w h_0 + x_t)", ":for: t = 1") + claim("empty", "h_t = 0", ":for: t = 3..2")
    assert verdicts(text) == {"past": "holds", "past2": "holds", "past3": "holds", "always": "false", "step": "holds",
                              "one": "holds", "empty": "ill-typed"}


def test_abbreviations_are_not_differentiated_through():
    body = "x \\in \\mathbb{R}\ny = x^2\ng := \\frac{\\partial y}{\\partial x}"
    text = model("a", body) + claim("value", "g = 2 x") + claim("constant", r"\frac{\partial (g x)}{\partial x} = g") \
        + claim("by", r"\frac{\partial y}{\partial g} = 1") + claim("through", r"\frac{\partial (g x)}{\partial x} = 4 x")
    assert verdicts(text) == {"value": "holds", "constant": "holds", "by": "ill-typed", "through": "false"}


def test_a_boundary_value_lets_the_recursion_run_to_the_end():
    body = r"""W \in \mathbb{R}^{n \times n}, \quad x_t, h_0 \in \mathbb{R}^{n}
h_t = \tanh(W h_{t-1} + x_t)
L = \sum_{t=1}^{T} \frac{1}{2} \lVert h_t \rVert^2
\delta_t := \nabla_{h_t} L
\delta_{T+1} := 0
h_{T+1} = 0"""
    text = model("r", body) + claim("recursion", r"\delta_t = h_t + W^\top \left( (1 - h_{t+1}^2) \odot \delta_{t+1} \right)")
    assert verdicts(text) == {"recursion": "holds"}


def test_sizes_and_horizon_can_be_fixed():
    text = model("t", "W \\in \\mathbb{R}^{n \\times n}, \\quad x_t, h_0 \\in \\mathbb{R}^n\nh_t = W h_{t-1} + x_t\ny = h_T", ":T: 3\n:n: 2") \
        + claim("unrolled", r"y = W^3 h_0 + W^2 x_1 + W x_2 + x_3 = h_3") + claim("trace", r"\operatorname{tr}(I_n) = 2") \
        + claim("T", "T = 3") + model("bad", "W \\in \\mathbb{R}^{n \\times n}",
                                      ":m: 3") + model("worse", "a \\in \\mathbb{R}", ":T: 0") \
        + model("large", "W \\in \\mathbb{R}^{n \\times n}", ":n: 1000")
    assert verdicts(text) == {"unrolled": "holds", "trace": "holds", "T": "holds", "bad": "ill-typed",
                              "worse": "ill-typed",
                              "large": "ill-typed"}


def test_longer_horizons():
    text = model("t", "w, x_t, h_0 \\in \\mathbb{R}\nh_t = \\tanh(w h_{t-1} + x_t)\nL = h_T", ":T: 60") \
        + claim("long", r"\frac{\partial h_T}{\partial h_0} = \prod_{t=1}^{T} w (1 - h_t^2)")
    assert verdicts(text) == {"long": "holds"}


@pytest.mark.parametrize("body, word", [
    ("W \\in \\mathbb{R}^{n \\times", "closed"),
    ("W \\in \\mathbb{C}", "mathbb{R}"),
    ("a + b = c", "left side"),
    ("a = b", "not defined"),
    ("a = a + 1", "itself"),
    ("a = b\nb = a", "itself"),
    ("a \\in \\mathbb{R}\na = 3", "already"),
    ("a", r"\in, = or :="),
    ("a \\le 3", r"\in"),
    ("a \\in", "right side"),
    ("a \\in \\operatorname{spd}(n)", "spd"),
    ("f(z) = f(z)\na \\in \\mathbb{R}", "itself"),
    ("\\def\\a{b} = 1", "\\def"),
    ("x_t \\in \\mathbb{R}^{1000}", "size"),
])
def test_errors_in_models(body, word):
    results = check(model("m", body) + claim("c", "a = f(1) + a" if body.startswith("f") else "a = a + x_1"
                                             if "x_t" in body else "a = a"))
    assert all(result.verdict == "ill-typed" for result in results)
    assert any(word in result.message for result in results), [result.message for result in results]


def test_a_model_of_another_document_is_found_by_name(tmp_path):
    (tmp_path / "a.md").write_text(model("other", "a \\in \\mathbb{R}\ny = a^2"), encoding="utf-8")
    (tmp_path / "b.md").write_text(claim("c", r"\frac{dy}{da} = 2 a", ":model: other"), encoding="utf-8")
    assert [r.verdict for r in check(tmp_path / "b.md")] == ["proved"]
    library = {"other": "a \\in \\mathbb{R}\ny = a^3"}
    assert [r.verdict for r in check(claim("c", r"\frac{dy}{da} = 3 a^2", ":model: other"),
                                     library=library)] == ["proved"]
    assert [r.verdict for r in check(claim("c", "y = y", ":model: others"), library=library)] == ["ill-typed"]


def test_claims_about_numbers_need_no_model():
    assert verdicts(claim("sum", r"\sum_{k=1}^{10} k = 55") + claim("wrong", "1 = 2")
                    + claim("decimal", "0.1 + 0.2 = 0.3")) == {
        "sum": "holds", "wrong": "false", "decimal": "holds"}


def test_an_expected_error_must_be_one():
    text = model("m", "a \\in \\mathbb{R}, \\quad u \\in \\mathbb{R}^n") + claim("wrong", "a = 1", ":expect: false") \
        + claim("true", "a = a", ":expect: false") + claim("shape", "u = u^\\top", ":expect: false") \
        + claim("slip", "b = 1", ":expect: false")
    assert {r.label: r.ok for r in check(text)} == {"wrong": True, "true": False, "shape": True, "slip": False}


@pytest.mark.parametrize("printed, verdict", [("0.67", "holds"), ("0.667", "holds"), ("0.66", "false"),
                                              ("0.6666667", "holds"), ("1", "holds"),
                                              ("0.7", "holds"), ("6.7 \\cdot 10^{-1}", "holds"),
                                              ("6.6 \\times 10^{-1}", "false"), ("-0.67", "false")])
def test_approximately_means_to_the_digits_printed(printed, verdict):
    assert verdicts(model("m", "a = 2 / 3") + claim("c", rf"a \approx {printed}")) == {"c": verdict}


def test_layers_and_copies_stand_above():
    deep = r"""W^{(\ell)}, U^{(\ell)} \in \mathbb{R}^{n \times n}, \quad x_t, h_0^{(\ell)} \in \mathbb{R}^n
h^{(0)}_t = x_t
h^{(\ell)}_t = \tanh(W^{(\ell)} h^{(\ell)}_{t-1} + U^{(\ell)} h^{(\ell-1)}_t)
L = \mathbf{1}^\top h^{(2)}_T"""
    copies = r"""W \in \mathbb{R}^{n \times n}, \quad x_t, h_0 \in \mathbb{R}^n
W^{(t)} = W
h_t = \tanh(W^{(t)} h_{t-1} + x_t)
L = \mathbf{1}^\top h_T"""
    step = r"\frac{\partial h^{(\ell)}_t}{\partial h^{(\ell-1)}_t} = \operatorname{diag}(1 - (h^{(\ell)}_t)^2) U^{(\ell)}"
    text = model("d", deep) + claim("layer", step, r":for: t = 1..T, \ell = 1..3") + claim("unknown", step) \
        + claim("lowest", r"h^{(0)}_t = x_t") + claim("weights", r"\frac{\partial L}{\partial W^{(3)}} = 0") \
        + model("c", copies) + claim("sum", r"\frac{\partial L}{\partial W} = \sum_{t=1}^{T} \frac{\partial L}{\partial W^{(t)}}") \
        + claim("one", r"\frac{\partial L}{\partial W^{(T)}} = (1 - h_T^2) h_{T-1}^\top") \
        + claim("all", r"\frac{\partial L}{\partial W} = \frac{\partial L}{\partial W^{(T)}}")
    assert verdicts(text) == {"layer": "holds", "unknown": "ill-typed", "lowest": "holds", "weights": "holds", "sum": "holds",
                              "one": "holds", "all": "false"}


def test_a_name_may_stand_above_and_an_index_below():
    body = r"""W \in \mathbb{R}^{n \times n}, \quad x_t, h_0 \in \mathbb{R}^n
a^{(f)}_t = W h_{t-1} + x_t
h_t = \tanh(a^{(f)}_t)
\alpha^{(f)}_t := \nabla_{a^{(f)}_t} h_{t,1}"""
    text = model("n", body) + claim("c", r"\alpha^{(f)}_{t,1} = 1 - h_{t,1}^2") \
        + claim("d", r"\frac{\partial a^{(f)}_t}{\partial h_{t-1}} = W") + claim("e", r"a^{(g)}_t = 0")
    assert verdicts(text) == {"c": "holds", "d": "holds", "e": "ill-typed"}


def test_a_letter_may_name_a_gate_though_a_sum_runs_over_it():
    body = "W_i, W_f \\in \\mathbb{R}^{n \\times n}, \\quad x \\in \\mathbb{R}^n\nf = \\sigma(W_f x) \\odot \\sigma(W_i x)\n" \
        "s = \\sum_{i=1}^{n} f_i"
    text = model("g", body) + claim("c", r"s = \mathbf{1}^\top f") + claim("d", r"\frac{\partial s}{\partial W_i} = ((f \odot (1 - \sigma(W_i x)))) x^\top")
    assert verdicts(text) == {"c": "holds", "d": "holds"}


def test_a_model_without_lines_has_options():
    text = model("base", "A \\in \\mathbb{R}^{n \\times n}") + model("small", "", ":extends: base\n:n: 2") \
        + claim("trace", r"\operatorname{tr}(A) = A_{11} + A_{22}") + model("empty", "", ":label: eq-empty") + model("bare", "")
    assert verdicts(text) == {"trace": "holds", "eq-empty": "ill-typed", "bare": "ill-typed"}


ELMAN = r"""W \in \mathbb{R}^{n \times n}, \quad U \in \mathbb{R}^{n \times d}, \quad b, g_t \in \mathbb{R}^{n}
x_t \in \mathbb{R}^{d}, \quad h_0 \in \mathbb{R}^{n}
h_t = \tanh(W h_{t-1} + U x_t + b)
L = \sum_{t=1}^{T} g_t^\top h_t
\alpha_t := (1 - h_t^2) \odot \nabla_{h_t} L"""
CELL = r"""W, V \in \mathbb{R}^{n \times n}, \quad x_t, b, c \in \mathbb{R}^{n}, \quad h_0, C_0 \in \mathbb{R}^{n}
f_t = \sigma(W h_{t-1} + x_t + b)
C_t = f_t \odot C_{t-1} + \tanh(V h_{t-1} + x_t + c)
h_t = f_t \odot \tanh(C_t)
L = h_T^\top h_T"""


@pytest.mark.parametrize("line, formula", [
    ("h_0 = 0", r"h_1 = \tanh(U x_1 + b)"),
    ("b = 0", r"\nabla_b L = \sum_{t=1}^{T} \alpha_t"),
    ("b = 1", r"\frac{\partial h_1}{\partial b} = \operatorname{diag}(1 - h_1^2)"),
    ("W = 0", r"\frac{\partial L}{\partial W} = \sum_{t=1}^{T} \alpha_t h_{t-1}^\top"),
    ("W = I", r"\frac{\partial h_t}{\partial h_{t-1}} = \operatorname{diag}(1 - h_t^2)"),
    ("W = I", r"\frac{\partial L}{\partial W} = \sum_{t=1}^{T} \alpha_t h_{t-1}^\top"),
    ("U = 0", r"h_1 = \tanh(W h_0 + b)"),
    ("x_t = 0", r"\nabla_{x_t} L = U^\top \alpha_t"),
    ("x_1 = 0", r"h_1 = \tanh(W h_0 + b)"),
    ("h_0 = 1", r"h_{1,i} = \tanh\left(\sum_{j=1}^{n} W_{ij} + (U x_1 + b)_i\right)"),
    (r"h_0 = \mathbf{1}", r"\nabla_{h_0} L = W^\top \alpha_1"),
    ("h_0 = 0\nW = 0\nU = 0\nb = 0", r"h_t = 0"),
])
def test_a_constant_has_the_shape_of_what_it_stands_for(line, formula):
    text = model("base", ELMAN) + model("child", line, ":extends: base") + claim("c", formula)
    assert verdicts(text, proof_seconds=1) == {"c": "proved"}


@pytest.mark.parametrize("line, formula", [
    ("h_0 = 0\nC_0 = 0", r"C_1 = \tanh(x_1 + c)"),
    ("C_0 = 0", r"\nabla_{C_0} L = f_1 \odot \nabla_{C_1} L"),
    ("f_t = 1", r"\frac{\partial C_T}{\partial C_0} = \frac{\partial C_T}{\partial C_{T-1}} \frac{\partial C_{T-1}}{\partial C_0}"),
    ("f_t = 0", "h_t = 0"),
    ("h_0 = 0\nC_0 = 0\nb = 0\nc = 0\nx_t = 0", r"h_t = 0"),
])
def test_two_states_may_start_at_zero(line, formula):
    text = model("base", CELL) + model("child", line, ":extends: base") + claim("c", formula)
    assert verdicts(text) == {"c": "holds"}
    alone = CELL.replace(r", \quad h_0, C_0 \in \mathbb{R}^{n}", r", \quad h_0 = 0, \quad C_0 = 0")
    assert verdicts(model("alone", alone) + claim("c", r"C_1 = \tanh(x_1 + c)")) == {"c": "holds"}


def test_constants_in_models_that_extend_models_that_extend_models():
    text = model("a", ELMAN) + model("b", "h_0 = 0", ":extends: a") + model("c", "h_0 = 1\nb = 0", ":extends: b") \
        + model("d", "b = 1", ":extends: c") + claim("c", r"\frac{\partial h_1}{\partial b} = \operatorname{diag}(1 - h_1^2)") \
        + claim("d", r"\nabla_{h_0} L = W^\top \alpha_1")
    assert verdicts(text) == {"c": "holds", "d": "holds"}


def test_many_zeros_are_quick():
    names = "ABCDFGJKMNPQ"
    body = "W \\in \\mathbb{R}^{n \\times n}, \\quad x_t \\in \\mathbb{R}^{n}\n" + "\n".join(
        f"{name}_0 = 0\n{name}_t = \\tanh({' + '.join(f'W {other}_{{t-1}}' for other in names)} + x_t)"
        for name in names)
    start = time.perf_counter()
    assert verdicts(model("m", body) + claim("c", r"A_1 = \tanh(x_1)")) == {"c": "holds"}
    assert time.perf_counter() - start < 5
