"""How equations and counterexamples are laid out."""

import pytest

pytest.importorskip("sphinx")

from docutils import nodes, utils  # noqa: E402

from rnnbook.sphinxext import counterexamples, mathematics, typeset  # noqa: E402

MESSAGE = r"""step 2, \delta_t = \gamma_t fails at t = 1, i = 2 (n = 2, T = 3)
left:  (0.5, 1.1e-16)
right: [1, -2; 3e-05, 4]
they differ most in entry 2: 0 and -2
with W = [1, 0; 0, 1], x_1 = (1, 2)ᵀ, c = 3, …"""


def test_counterexample_is_typeset():
    where, left, right, values = (node.astext() for node in counterexamples.counterexample(MESSAGE))
    assert where == "Step 2 fails at t = 1, i = 2, for n = 2, T = 3."
    assert left == r"Left side (0.5, 0)^\top."
    assert right == r"Right side \begin{pmatrix}1 & -2 \\ 3 \cdot 10^{-5} & 4\end{pmatrix}."
    assert values == r"Here W = \begin{pmatrix}1 & 0 \\ 0 & 1\end{pmatrix}, x_1 = (1, 2), c = 3, \dots."


def test_other_messages_lose_only_their_place():
    [node] = counterexamples.counterexample("line 3, column 7: the left side is a row\na = b\n  ^")
    assert node.astext() == "The left side is a row"


def test_what_a_message_quotes_is_typeset():
    [node] = counterexamples.counterexample(r"line 3, column 7: no product of `A^\top`, a row, and `x`")
    assert [part.astext() for part in node.findall(nodes.math)] == [r"A^\top", "x"]
    assert node.astext() == r"No product of A^\top, a row, and x"


def test_model_is_laid_out_in_groups():
    latex = typeset.typeset_model("x \\in \\mathbb{R}\n\ny = x^2\nz = y +\\left(\n  x\\right)\n\ng := \\nabla_x z\n")
    assert latex.count("&x \\in") == 1 and "y &= x^2" in latex and "z &= y +\\left( x\\right)" in latex and "g &:=" in latex


def test_a_model_without_lines_shows_its_options():
    assert typeset.typeset_model("", {"label": "eq-m", "extends": "m", "n": "2", "T": "3"}) == r"n = 2, \quad T = 3"
    assert typeset.typeset_model("\n", {"extends": "m", "layout": "gradient"}) == r"\text{gradient layout}"
    assert typeset.typeset_model("", {"extends": "m"}) == r"\text{as before}"


@pytest.mark.parametrize("body", ["a = b", "A = \\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}"])
def test_claim_on_one_line_stays_as_it_is(body):
    assert typeset.typeset_claim(body) == body


def test_claim_with_steps_is_aligned():
    latex = typeset.typeset_claim("a &= b && \\text{why} \\\\\n  &= c")
    assert latex.startswith(r"\begin{aligned}") and r"&&\quad" in latex and latex.count(r"\\[0.3em]") == 1


def test_each_comma_stays_with_its_own_formula():
    document, long, matrix = utils.new_document("a page"), "x + " * 20 + "x", r"\begin{pmatrix} 1 & 2 \\ 4 & 5 \end{pmatrix}"
    paragraph = nodes.paragraph()
    for formula in (long, "x", matrix, long, "z"):
        paragraph += [nodes.math("", formula), nodes.Text(", ")]
    document += paragraph
    mathematics.PunctuationStays(document).run()
    assert paragraph.astext() == f"{long}, x, {matrix}, {long}, z, "
    assert [node.astext() for node in paragraph.findall(nodes.inline)] == ["x,", f"{matrix},", "z,"]
