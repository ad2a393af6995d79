"""Proofs: what is proved is true at other values too, and domains are used as they should be."""
import pytest
from fuzz import CLAIMS, MODEL

from rnnbook.checker import check


def proof(body, formula, options=""):
    result, = check(f"```{{model}} m\n{body}\n```\n```{{claim}}\n{options + chr(10) if options else ''}{formula}\n```\n")
    return result


SCALARS = r"""a, b, z \in \mathbb{R}, \quad p, r \in (0, \infty), \quad s \in \{-1, 1\}, \quad k \in \{0, 1, 2\}
u, v \in \mathbb{R}^{n}, \quad A \in \mathbb{R}^{n \times n}, \quad S \in \operatorname{sym}(n), \quad Q \in \operatorname{orth}(n)
y \in \operatorname{onehot}(n), \quad m \in \operatorname{simplex}(n)"""


@pytest.mark.parametrize("formula", [
    r"(a + b)^2 = a^2 + 2 a b + b^2",
    r"\frac{1}{a} - \frac{1}{b} = \frac{b - a}{a b}",
    r"\tanh(a) = 2 \sigma(2 a) - 1",
    r"\tanh(-a) = -\tanh(a)",
    r"\sigma(-a) = 1 - \sigma(a)",
    r"\cosh^2(a) - \sinh^2(a) = 1",
    r"\sin^2(a) + \cos^2(a) = 1",
    r"\exp(a + b) = \exp(a) \exp(b)",
    r"\sqrt{1 + a^2}^2 = 1 + a^2",
    r"s^2 = 1",
    r"k^3 = 3 k^2 - 2 k",
    r"y \odot y = y",
    r"\mathbf{1}^\top y = 1",
    r"\mathbf{1}^\top m = 1",
    r"S = S^\top",
    r"Q^\top Q = I",
    r"Q^{-1} = Q^\top",
    r"\det(Q)^2 = 1",
    r"A A^{-1} = I",
    r"\frac{\partial u^\top A u}{\partial u} = u^\top (A + A^\top)",
    r"\nabla_u \ln(\mathbf{1}^\top \exp(u)) = \operatorname{softmax}(u)",
    r"\frac{\partial}{\partial u} \operatorname{softmax}(u) = \operatorname{diag}(\operatorname{softmax}(u)) - \operatorname{softmax}(u) \operatorname{softmax}(u)^\top",
    r"\operatorname{softmax}(u + a) = \operatorname{softmax}(u)",
    r"\ln \operatorname{softmax}(u)_i = u_i - \ln(\sum_{j} e^{u_j})",
    r"\ln(1 + e^{a}) - \ln(1 + e^{-a}) = a",
    r"0.58 + 0.24 = 0.82",
    r"\frac{\partial \tanh(a)}{\partial a} = \frac{1}{\cosh^2(a)}",
])
def test_proved(formula):
    result = proof(SCALARS, formula)
    assert result.verdict == "proved", result


@pytest.mark.parametrize("formula, verdict", [
    (r"\sqrt{a^2} = a", "false"),
    (r"\sqrt{p^2} = p", "holds"),
    (r"|p| = p", "proved"),
    (r"|a| = a", "false"),
    (r"|a|^2 = a^2", "proved"),
    (r"\rho(A^\top) = \rho(A)", "proved"),
    (r"\rho(A) = \lVert A \rVert", "false"),
    (r"s = 1", "false"),
    (r"k = k^2", "false"),
    (r"y_1 = 1", "false"),
    (r"m \odot m = m", "false"),
    (r"\det(Q) = 1", "false"),
    (r"Q S = S Q", "false"),
    (r"\ln(p r) = \ln p + \ln r", "proved"),
    (r"\ln(a^2) = 2 \ln a", "holds"),
    (r"\lVert u \rVert \le \lVert u + v \rVert + \lVert v \rVert", "holds"),
])
def test_nothing_more_is_proved_than_is_true(formula, verdict):
    assert proof(SCALARS, formula).verdict in (verdict, "holds" if verdict == "proved" else verdict)


def test_a_claim_that_is_true_at_one_size_only_is_not_proved():
    result = proof(r"M \in \mathbb{R}^{n \times n}", r"M^2 - \operatorname{tr}(M) M + \det(M) I = 0")
    assert result.verdict == "false"
    result, = check("```{model} m\n:n: 2\nM \\in \\mathbb{R}^{n \\times n}\n```\n"
                    "```{claim}\nM^2 - \\operatorname{tr}(M) M + \\det(M) I = 0\n```\n")
    assert result.verdict == "proved"


def test_the_evidence_names_sizes_and_horizon():
    result = proof(MODEL, CLAIMS[3])
    assert result.verdict == "proved" and result.evidence.endswith("T = 3") and "n = 2" in result.evidence
    assert proof(SCALARS.split("\n")[0], "a + b = b + a").evidence == "for all values"


def test_a_proof_uses_the_assumptions_that_pin():
    body = "w, x_t, h_0 \\in \\mathbb{R}\nu_t = \\sigma(w h_{t-1} + x_t)\nh_t = u_t h_{t-1} + (1 - u_t) x_t"
    assert proof(body, r"\frac{\partial h_t}{\partial h_{t-1}} = 1", ":given: u_t = 1").verdict == "proved"
    assert proof(body, r"\frac{\partial h_t}{\partial h_{t-1}} = 1").verdict == "false"
    assert proof(body, r"\frac{\partial h_t}{\partial h_{t-1}} = u_t", ":given: w = 0").verdict == "proved"


def test_verdicts_do_not_depend_on_the_clock():
    first = [proof(MODEL, formula).verdict for formula in CLAIMS[:2]]
    assert first == [proof(MODEL, formula).verdict for formula in CLAIMS[:2]] == ["proved", "proved"]
