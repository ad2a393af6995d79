"""Every entry of the language: a true claim must hold, a wrong one must be refused, nonsense must be ill-typed."""
import pytest

from rnnbook.checker import check

ELMAN = r"""
W \in \mathbb{R}^{n \times n}, \quad U \in \mathbb{R}^{n \times d}, \quad b \in \mathbb{R}^{n}
V \in \mathbb{R}^{q \times n}, \quad c \in \mathbb{R}^{q}
x_t \in \mathbb{R}^{d}, \quad y_t \in \operatorname{onehot}(q), \quad h_0 \in \mathbb{R}^{n}

h_t = \tanh(W h_{t-1} + U x_t + b)
o_t = V h_t + c
\hat y_t = \operatorname{softmax}(o_t)
L_t = -y_t^\top \ln \hat y_t
L = \sum_{t=1}^{T} L_t

\delta_t := \nabla_{h_t} L
"""
PLAIN = r"""
a, z \in \mathbb{R}, \quad p, r \in (0, \infty), \quad s \in \{-1, 1\}
u, v, w \in \mathbb{R}^{n}, \quad A, B \in \mathbb{R}^{n \times n}, \quad M \in \mathbb{R}^{n \times d}, \quad x \in \mathbb{R}^{d}
S \in \operatorname{sym}(n), \quad Q \in \operatorname{orth}(n), \quad y \in \operatorname{onehot}(n), \quad m \in \operatorname{simplex}(n)
g \in (0,1)^{n}
"""
LSTM = r"""
W_f, W_i, W_o, W_c \in \mathbb{R}^{n \times n}, \quad U_f, U_i, U_o, U_c \in \mathbb{R}^{n \times d}
b_f, b_i, b_o, b_c \in \mathbb{R}^{n}
x_t \in \mathbb{R}^{d}, \quad h_0, C_0 \in \mathbb{R}^{n}
f_t = \sigma(W_f h_{t-1} + U_f x_t + b_f)
i_t = \sigma(W_i h_{t-1} + U_i x_t + b_i)
o_t = \sigma(W_o h_{t-1} + U_o x_t + b_o)
\tilde C_t = \tanh(W_c h_{t-1} + U_c x_t + b_c)
C_t = f_t \odot C_{t-1} + i_t \odot \tilde C_t
h_t = o_t \odot \tanh(C_t)
L = \frac{1}{2} \lVert h_T \rVert^2
"""


def one(model, claim, options="", model_options="", **kwargs):
    kwargs.setdefault("proof_seconds", 0)
    text = f"```{{model}} m\n{model_options}\n{model.strip()}\n```\n\n```{{claim}}\n:label: c\n{options}\n{claim}\n```\n"
    results = check(text, **kwargs)
    assert len(results) == 1, results
    return results[0]


TRUE = [
    # products, transposes, powers
    (PLAIN, r"(A B)^\top = B^\top A^\top"),
    (PLAIN, r"(A B)^{\mathsf T} = B^{\mathsf{T}} A^\intercal"),
    (PLAIN, r"(A B)^{-1} = B^{-1} A^{-1}"),
    (PLAIN, r"(A^{-1})^\top = A^{-\top}"),
    (PLAIN, r"A^3 = A A A"),
    (PLAIN, r"A^{-2} = A^{-1} A^{-1}"),
    (PLAIN, r"A^0 = I"),
    (PLAIN, r"u^2 = u \odot u"),
    (PLAIN, r"u^{\odot 2} = u \odot u"),
    (PLAIN, r"u \oslash g = \operatorname{diag}(g)^{-1} u"),
    (PLAIN, r"\operatorname{diag}(u) v = u \odot v"),
    (PLAIN, r"\mathrm{diag}(u)\, v = \text{diag}(v)\, u"),
    (PLAIN, r"u^\top v = v^\top u = \langle u, v \rangle"),
    (PLAIN, r"A u \odot v = (A u) \odot v"),
    (PLAIN, r"u \odot A v = \operatorname{diag}(u) A v"),
    (PLAIN, r"2 \cdot u = u + u"),
    (PLAIN, r"1/2 u = \tfrac12 u = \dfrac{u}{2}"),
    (PLAIN, r"a/p = \frac{a}{p}"),
    (PLAIN, r"1 - (1 - u) = u"),
    (PLAIN, r"\mathbf{1} - u = 1 - u"),
    (PLAIN, r"\mathbf{1}^\top u = \sum_{i=1}^{n} u_i"),
    (PLAIN, r"A \mathbf{1} = A \mathbf{1}_n"),
    (PLAIN, r"(\mathbf{1} - A)_{ij} = 1 - A_{ij}"),
    (PLAIN, r"(2 I - A) u = 2 u - A u"),
    (PLAIN, r"I_n A = A I = \mathbf{I} A"),
    (PLAIN, r"\left( u + v \right)^\top = \bigl(u^\top + v^\top\bigr)"),
    (PLAIN, r"\left[ u + v \right]_i = u_i + v_i"),
    (PLAIN, r"(A u)_i = \sum_{j} A_{ij} u_j = \sum_j A_{i,j} u_j"),
    (PLAIN, r"(M x)_{i} = \sum_{j=1}^{d} M_{ij} x_j"),
    # functions
    (PLAIN, r"\sigma(a) = \frac{1}{1 + e^{-a}} = 1/(1 + e^{-a})"),
    (PLAIN, r"\sigma(u) = \frac{1}{1 + e^{-u}}"),
    (PLAIN, r"\sigma'(a) = \sigma(a)(1 - \sigma(a))"),
    (PLAIN, r"\sigma''(a) = \sigma'(a) (1 - 2 \sigma(a))"),
    (PLAIN, r"\tanh'(u) = 1 - \tanh^2(u) = 1 - \tanh(u)^2"),
    (PLAIN, r"\tanh(a) = 2 \sigma(2 a) - 1"),
    (PLAIN, r"\cosh^2(a) - \sinh^2(a) = 1"),
    (PLAIN, r"\ln(p r) = \ln p + \log r"),
    (PLAIN, r"\exp(\ln p) = p"),
    (PLAIN, r"\sqrt{p}^2 = p = \sqrt{p^2}"),
    (PLAIN, r"p^{1/2} = \sqrt{p}"),
    (PLAIN, r"p^{a} = e^{a \ln p}"),
    (PLAIN, r"|a|^2 = a^2"),
    (PLAIN, r"\lvert s \rvert = 1"),
    (PLAIN, r"s^2 = 1"),
    (PLAIN, r"\max(a, z) + \min(a, z) = a + z"),
    (PLAIN, r"\log_2(8) = 3"),
    (PLAIN, r"\operatorname{sign}(p) = 1"),
    (PLAIN, r"\log \cosh(a) = \ln(\cosh(a))"),
    (PLAIN, r"\operatorname{softmax}(u)_i = \frac{e^{u_i}}{\sum_{j} e^{u_j}}"),
    (PLAIN, r"\operatorname{softmax}(u + a) = \operatorname{softmax}(u)"),
    # matrices
    (PLAIN, r"\operatorname{tr}(A B) = \operatorname{tr}(B A)"),
    (PLAIN, r"\det(A B) = \det(A) \det(B) = \det A \cdot \det B"),
    (PLAIN, r"\operatorname{vec}(A B) = (I_n \otimes A) \operatorname{vec}(B)"),
    (PLAIN, r"\operatorname{vec}(u x^\top) = x \otimes u"),
    (PLAIN, r"\lVert u \rVert^2 = u^\top u = \|u\|_2^2 = \Vert u \Vert^2"),
    (PLAIN, r"\lVert A \rVert_F^2 = \operatorname{tr}(A^\top A)"),
    (PLAIN, r"\lVert A u \rVert \le \left\lVert A \right\rVert \lVert u \rVert"),
    (PLAIN, r"\rho(A) \leq \lVert A \rVert \leq \lVert A \rVert_F"),
    (PLAIN, r"Q^\top Q = I"),
    (PLAIN, r"\lVert Q u \rVert = \lVert u \rVert"),
    (PLAIN, r"\lVert Q \rVert = 1"),
    (PLAIN, r"S^\top = S"),
    (PLAIN, r"\mathbf{1}^\top y = 1 = \sum_i m_i"),
    (PLAIN, r"y \odot y = y"),
    (PLAIN, r"0 < g < 1"),
    (PLAIN, r"p > 0"),
    (PLAIN, r"m_i \ge 0"),
    (PLAIN, r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} \begin{bmatrix} 1 \\ 1 \end{bmatrix} = \begin{pmatrix} 3 \\ 7 \end{pmatrix}"),
    (PLAIN, r"\begin{pmatrix} A & B \\ 0 & I \end{pmatrix} \begin{pmatrix} u \\ v \end{pmatrix} = \begin{pmatrix} A u + B v \\ v \end{pmatrix}"),
    # sums, products, brackets
    (PLAIN, r"\sum_{i=1}^{n} \sum_{j=1}^{n} A_{ij} B_{ij} = \operatorname{tr}(A^\top B) = \sum_{i,j} A_{ij} B_{ij}"),
    (PLAIN, r"\sum_{i,j=1}^{n} A_{ij} = \mathbf{1}^\top A \mathbf{1}"),
    (PLAIN, r"\sum_{j \ne i} A_{ij} = \sum_{j=1}^{n} A_{ij} - A_{ii}"),
    (PLAIN, r"\sum_{k=1}^{4} k = 10"),
    (PLAIN, r"\prod_{k=1}^{4} k = 24"),
    (PLAIN, r"\sum_{k=1}^{0} u = 0"),
    (PLAIN, r"\prod_{k=1}^{0} A = I"),
    (PLAIN, r"\prod_{k=1}^{0} a = 1"),
    (PLAIN, r"\sum_{1 \le k \le 4} k^2 = 30"),
    (PLAIN, r"\sum_{k<4} k = 6"),
    (PLAIN, r"\sum_{i} [i = j] u_i = u_j"),
    (PLAIN, r"\sum_{i} [\, i \le j \,] u_i = \sum_{i \le j} u_i"),
    (PLAIN, r"\sum_i \delta_{ij} u_i = u_j"),
    (PLAIN, r"\frac{\partial u_i}{\partial u_j} = \delta_{ij} = \delta_{i,j} = [i = j]"),
    # derivatives
    (PLAIN, r"\frac{\partial}{\partial u}(u^\top A u) = u^\top (A + A^\top)"),
    (PLAIN, r"\nabla_u (u^\top A u) = (A + A^\top) u"),
    (PLAIN, r"\frac{\partial (A u)}{\partial u} = A"),
    (PLAIN, r"\frac{\partial u^\top A v}{\partial A} = u v^\top"),
    (PLAIN, r"\frac{d}{da} \sinh(a) = \cosh(a)"),
    (PLAIN, r"\frac{d \tanh(a)}{d a} = \tanh'(a)"),
    (PLAIN, r"\frac{\mathrm{d}}{\mathrm{d} a}(a^3) = 3 a^2"),
    (PLAIN, r"\frac{\partial^2}{\partial a^2}(a^3 z) = 6 a z"),
    (PLAIN, r"\frac{\partial^2 (a^3 z^2)}{\partial a \partial z} = 6 a^2 z"),
    (PLAIN, r"\frac{\partial}{\partial u}\left(\nabla_u (u^\top A u)\right) = A + A^\top"),
    (PLAIN, r"\nabla_u^2 (u^\top A u) = A + A^\top = \frac{\partial^2 (u^\top A u)}{\partial u^2}"),
    (PLAIN, r"\frac{\partial \operatorname{vec}(A B)}{\partial \operatorname{vec}(B)} = I_n \otimes A"),
    (PLAIN, r"u^\top \frac{\partial (A v)}{\partial A} = u v^\top"),
    (PLAIN, r"\frac{\partial \ln \det(A)^2}{\partial A} = 2 A^{-\top}"),
    (PLAIN, r"\frac{\partial A^{-1}}{\partial a} = 0"),
    (PLAIN, r"\frac{\partial (a A)}{\partial a} = A"),
    (PLAIN, r"\nabla_u \lVert u \rVert = \frac{u}{\lVert u \rVert}"),
    (PLAIN, r"\partial (a^2) / \partial a = 2 a"),
    (PLAIN, r"\frac{\partial M x}{\partial x} = M"),
    (PLAIN, r"\frac{\partial}{\partial x_j} (M x)_i = M_{ij}"),
    (PLAIN, r"\frac{\partial (u^\top A v)}{\partial A_{ij}} = u_i v_j"),
    # recurrent networks
    (ELMAN, r"\frac{\partial h_t}{\partial h_t} = I"),
    (ELMAN, r"\sum_{t} L_t = L = \sum_{k \le T} L_k"),
    (ELMAN, r"\frac{\partial L}{\partial \hat y_t} = -(y_t \oslash \hat y_t)^\top"),
    (ELMAN, r"\frac{\partial L}{\partial h_0} = \delta_1^\top \frac{\partial h_1}{\partial h_0}"),
    (ELMAN, r"\frac{\partial}{\partial W}\left(\nabla_{o_t} L_t\right) - \frac{\partial}{\partial W}(\hat y_t) = 0"),
    (ELMAN, r"\frac{\partial^{+} h_t}{\partial h_{t-1}} = \operatorname{diag}(\tanh'(W h_{t-1} + U x_t + b)) W"),
    (ELMAN, r"\nabla_{x_t} L = U^\top ((1 - h_t^2) \odot \delta_t)"),
    (ELMAN, r"\frac{\partial L}{\partial W_{ij}} = \sum_{t=1}^{T} (1 - h_{t,i}^2) \delta_{t,i} h_{t-1,j}"),
    (ELMAN, r"\frac{\partial \hat y_{t,i}}{\partial o_{t,j}} = \hat y_{t,i} (\delta_{ij} - \hat y_{t,j})"),
    (ELMAN, r"\frac{\partial h_2}{\partial h_1} = \operatorname{diag}(1 - h_2^2) W"),
    (ELMAN, r"\delta_T = V^\top (\hat y_T - y_T)"),
    (ELMAN, r"\frac{\partial h_T}{\partial h_0} = \overset{\curvearrowleft}{\prod}_{j=1}^{T} \operatorname{diag}(1 - h_j^2) W"),
    (ELMAN, r"\frac{\partial h_T}{\partial h_0} = \overset{\curvearrowleft}{\prod}_{j=1}^{T} (\operatorname{diag}(1 - h_j^2) W)"),
    (ELMAN, r"\frac{\partial h_T}{\partial x_1} = \overset{\curvearrowleft}{\prod}_{j=2}^{T} \frac{\partial h_j}{\partial h_{j-1}} "
            r"\frac{\partial h_1}{\partial x_1}"),
    (ELMAN, r"\nabla_{h_0} (h_T^\top h_T) = 2 \prod_{j=1}^{T} W^\top \operatorname{diag}(1 - h_j^2) h_T"),
    (ELMAN, r"\prod_{k=1}^{2} \frac{\partial h_k}{\partial h_k} U = U"),
    (LSTM, r"\frac{\partial^{+} C_t}{\partial C_{t-1}} = \operatorname{diag}(f_t)"),
    (LSTM, r"\nabla_{b_o} L = \sum_{t=1}^{T} \nabla_{o_t} L \odot o_t \odot (1 - o_t)"),
    (LSTM, r"0 < i_t < 1"),
    (LSTM, r"\frac{\partial f_t}{\partial h_{t-1}} = \operatorname{diag}(f_t \odot (1 - f_t)) W_f"),
]


@pytest.mark.parametrize("model, claim", TRUE, ids=[claim for _, claim in TRUE])
def test_true(model, claim):
    result = one(model, claim)
    assert result.verdict == "holds", result.message


@pytest.mark.parametrize("model, claim", TRUE, ids=[claim for _, claim in TRUE])
def test_true_claims_are_never_disproved_by_a_proof(model, claim):
    assert one(model, claim, proof_seconds=0.4).verdict in ("proved", "holds")


FALSE = [
    (PLAIN, r"(A B)^\top = A^\top B^\top"),
    (PLAIN, r"A B = B A"),
    (PLAIN, r"\tanh'(a) = 1 - \tanh(a)"),
    (PLAIN, r"S Q = Q S"),
    (PLAIN, r"\lVert A + B \rVert \ge \lVert A \rVert + \lVert B \rVert"),
    (PLAIN, r"s = 1"),
    (PLAIN, r"y_1 = 1"),
    (PLAIN, r"\det(A) = 1"),
    (PLAIN, r"\det(Q) = 1"),
    (PLAIN, r"u^\top A v = v^\top A u"),
    (PLAIN, r"\sum_{j \ne i} u_j = \sum_j u_j"),
    (PLAIN, r"a < a"),
    (PLAIN, r"a = a + 0.0000000000000001"),
    (PLAIN, r"a = a + 10^{-30}"),
    (PLAIN, r"p^{30} \approx 0.00"),
    (PLAIN, r"\frac{\partial (u^\top A u)}{\partial u} = 2 u^\top A"),
    (PLAIN, r"\rho(A + B) \le \rho(A) + \rho(B)"),
    (PLAIN, r"A^2 = 0"),
    (ELMAN, r"\frac{\partial L}{\partial W} = \sum_{t=1}^{T} \delta_t h_{t-1}^\top"),
    (ELMAN, r"\delta_t = V^\top (\hat y_t - y_t)"),
    (ELMAN, r"\frac{\partial^{+} L}{\partial W} = \frac{\partial L}{\partial W}"),
    (LSTM, r"\frac{\partial C_T}{\partial C_{1}} = \operatorname{diag}(f_T)"),
]


@pytest.mark.parametrize("model, claim", FALSE, ids=[claim for _, claim in FALSE])
def test_false(model, claim):
    result = one(model, claim, proof_seconds=0.4)
    assert result.verdict == "false", result
    assert result.step == 1 and "left:" in result.message and "right:" in result.message


@pytest.mark.parametrize(("model", "claim", "named"), [
    ("a, l_1, l_2, l_3 \\in \\mathbb{R}", "a = l_1 + l_2", False),  # three numbers, and no time
    ("T, a \\in \\mathbb{R}", "a = T", False),  # a temperature, say
    ("a \\in \\mathbb{R}", "a = \\sum_{t=1}^{T} t", True),
    ("a, x_t \\in \\mathbb{R}", "a = x_T", True),
])
def test_a_counterexample_names_the_horizon_where_there_is_one(model, claim, named):
    head = one(model, claim).message.splitlines()[0]
    assert head.endswith("(T = 2)" if named else " fails"), head


ILL_TYPED = [
    (PLAIN, r"u v = a", "column"),
    (PLAIN, r"u + A = A", "matrix"),
    (PLAIN, r"1 + A = A", "scalar"),
    (PLAIN, r"A M^\top = A", "n × n"),
    (PLAIN, r"M u = u", "column of n"),
    (PLAIN, r"u = u^\top", "row"),
    (PLAIN, r"u = a", "scalar"),
    (PLAIN, r"u \odot a = u", "scalar"),
    (PLAIN, r"\frac{u}{v} = u", r"\oslash"),
    (PLAIN, r"k = 1", "k is not defined"),
    (PLAIN, r"\alpha = a", "not defined"),
    (PLAIN, r"u_{9} = 1", "outside"),
    (PLAIN, r"A_{i} = 1", "component"),
    (PLAIN, r"\frac{\partial a}{\partial (a z)} = 1", "symbol"),
    (PLAIN, r"\frac{\partial a}{\partial n} = 1", "whole number"),
    (PLAIN, r"\nabla_u u = I", "scalar"),
    (PLAIN, r"\nabla a = 1", "variable"),
    (PLAIN, r"M^2 = M", "square"),
    (PLAIN, r"M^{-1} = M", "inverse"),
    (PLAIN, r"\det(M) = 1", "square"),
    (PLAIN, r"A^T = A", r"\top"),
    (PLAIN, r"\sigma^{-1}(a) = 1", "inverse function"),
    (PLAIN, r"\tanh a z = 1", "brackets"),
    (PLAIN, r"a/z p = 1", "divide"),
    (PLAIN, r"a \approx z", "digits printed"),
    (PLAIN, r"a", "relation"),
    (PLAIN, r"= a", "before"),
    (PLAIN, r"a = ", "missing"),
    (PLAIN, r"a = (z", "closed"),
    (PLAIN, r"a = z)", "closes nothing"),
    (PLAIN, r"a = \foo", "unknown command"),
    (PLAIN, r"a = \def\x{1}", "not part"),
    (PLAIN, r"a = \newcommand{\x}{1}", "not part"),
    (PLAIN, r"a = \include{x}", "not part"),
    (PLAIN, r"a = δ", r"\delta"),
    (PLAIN, r"a \circ z = 1", r"\odot"),
    (PLAIN, r"a = 1 + \dots + 3", "dots"),
    (PLAIN, r"a := 3", "abbreviation"),
    (PLAIN, r"a \in (0,1)", "model"),
    (PLAIN, r"a = z, \quad p = r", "one chain"),
    (PLAIN, r"A = \mathbf{1}\mathbf{1}^\top u", ""),
    (PLAIN, r"\mathbf{1}^\top \mathbf{1} = 3", "size"),
    (PLAIN, r"\sum_{k} a = 1", "range"),
    (PLAIN, r"a_{t} = 1", "component"),
    (PLAIN, r"a \pm z = 1", "two formulas"),
    (PLAIN, r"a^2^3 = 1", "second ^"),
    (PLAIN, r"(a + z)^2^3 = 1", "second ^"),
    (PLAIN, r"u_1_1 = 1", "two subscripts"),
    (ELMAN, r"h_{t+1} = h_t", "outside"),
    (ELMAN, r"\frac{\partial L}{\partial \delta_t} = 1", "abbreviation"),
    (ELMAN, r"\frac{\partial L}{\partial h_{t+1}} = 0", "outside"),
    (ELMAN, r"\frac{\partial h_t}{\partial W} = 0 \cdot W^\top \frac{\partial h_t}{\partial W} W", ""),
    (ELMAN, r"h = 1", "index"),
    (ELMAN, r"\frac{\partial L}{\partial W} = \sum_{t=1}^T \delta_t h_{t-1}", "column"),
    (ELMAN, r"\hat Y_t = 1", r"\hat"),
    (ELMAN, r"\frac{\partial L}{\partial o_t} = \hat y_t - y_t", r"\top"),
]


@pytest.mark.parametrize("model, claim, word", ILL_TYPED, ids=[claim for _, claim, _ in ILL_TYPED])
def test_ill_typed(model, claim, word):
    result = one(model, claim)
    assert result.verdict == "ill-typed", result
    assert word in result.message


def test_cancellation_is_no_counterexample():
    """What double precision loses is looked at with more digits, before a claim is called false."""
    saturated = r"a = 20, b = 1, x_1 = 0.5, x_2 = -1, h_0 = 0" + "\n" + r"h_t = \tanh(a x_t + b h_{t-1} + b)"
    options = ":T: 2"
    assert one(saturated, r"1 + h_2 \approx 4.63904566 \cdot 10^{-16}", model_options=options).verdict == "holds"
    assert one(saturated, r"1 + h_2 \approx 4.44089 \cdot 10^{-16}", model_options=options).verdict == "false"
    large = r"a \in (1, 2)" + "\n" + r"b = (10^{20} + a) - 10^{20}"
    assert one(large, "b = a").verdict == "holds"
    assert one(large, "b > 0.5").verdict == "holds"
    assert one(large, "b = 2 a").verdict == "false"


def test_an_index_out_of_range_is_a_mistake_to_show():
    chain = r"w, h_0 \in \mathbb{R}" + "\n" + r"h_t = \tanh(w h_{t-1})"
    shown = one(chain, r"\frac{\partial h_T}{\partial h_0} = \prod_{j=0}^{T} \frac{\partial h_j}{\partial h_{j-1}}", ":expect: false")
    assert shown.verdict == "ill-typed" and shown.ok
    assert not one(chain, r"h_1 = \gamma", ":expect: false").ok  # a slip of the pen is not the mistake that was meant


def test_sides_that_look_alike_are_told_apart():
    wrong = one(r"x = 10", r"\tanh(x) = 1")
    assert wrong.verdict == "false" and "they differ by -4.12" in wrong.message
