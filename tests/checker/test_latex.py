"""LaTeX documents: what counts as an equation, which model it is about, where its errors stand."""
import json
import re
import time
from pathlib import Path

import pytest

from rnnbook.checker import check
from rnnbook.checker.command import main
from rnnbook.checker.latex import scan_latex

MODEL = r"""% rnnbook: define m
% a, b, c \in \mathbb{R}, \quad W \in \mathbb{R}^{n \times n}, \quad x_t, h_0 \in \mathbb{R}^{n}
% h_t = \tanh(W h_{t-1} + x_t)
% L = \sum_{t=1}^{T} h_t^\top h_t
"""


def claims(text):
    """(label, options without the model, formula without white space) of the claims of a document."""
    return [(block.options.get("label"), {key: value for key, value in block.options.items() if key not in ("label", "model")},
             "".join(block.body.split())) for block in scan_latex(text) if block.kind == "claim"]


def formulas(text):
    return [formula for _, _, formula in claims(text)]


def verdicts(text, **options):
    options.setdefault("proof_seconds", 0)
    results = check(text, path="homework.tex", **options)
    for result in results:
        print(result.line, result.label, result.verdict, result.message)
    return [result.verdict for result in results]


@pytest.mark.parametrize("text, found", [
    (r"\[ a = b \]", ["a=b"]),
    (r"$$ a = b $$", ["a=b"]),
    (r"\begin{equation} a = b. \end{equation}", ["a=b."]),
    (r"\begin{equation*} a = b \end{equation*} \begin{displaymath} b = c \end{displaymath}", ["a=b", "b=c"]),
    (r"\begin{align} a &= b \\ c &= d \end{align}", ["a=b", "c=d"]),
    (r"\begin{align} a &= b \\ &= c \\ d &= e \end{align}", ["a=b=c", "d=e"]),
    (r"\begin{align*} a &= b + {} \\ &\quad c \\ &\quad + d \end{align*}", [r"a=b+{}\quadc\quad+d"]),
    (r"\begin{align} a ={}& b \\ & - c \\ & + d = e \end{align}", ["a={}b-c+d=e"]),
    (r"\begin{align} a = \\ b \\ -c = d \end{align}", ["a=b", "-c=d"]),
    (r"\begin{align} f(a, \\ b) &= c \\ d &= e \end{align}", ["f(a,b)=c", "d=e"]),
    (r"\begin{align} a &= \left( b \right. \\ &\quad \left. {} + c \right) \\ d &= e \end{align}",
     [r"a=\left(b\right.\quad\left.{}+c\right)", "d=e"]),
    (r"\begin{gather} a = b \\ c = d \\ = e \end{gather}", ["a=b", "c=d=e"]),
    (r"\begin{multline} a = b \\ + c = d \\ e = f \end{multline}", ["a=b+c=de=f"]),
    (r"\begin{equation} \begin{split} a &= b \\ &= c \end{split} \end{equation}", ["a=b=c"]),
    (r"\[ \begin{aligned}[t] a &= b \\[2pt] c &= d \end{aligned} \]", ["a=b", "c=d"]),
    (r"\begin{alignat}{2} a &= b &\qquad c &= d \\ &= e & &= f \end{alignat}", ["a=b=e", "c=d=f"]),
    (r"\begin{align} a &= b & c &= d \\ e &= f && g = h \end{align}", ["a=b", "c=d", "e=f"]),
    (r"\begin{align} a &= b && \text{by } x = y \\ &= c & \text{(so)} \end{align}", ["a=b=c"]),
    (r"\begin{align} a &= b \qquad && c &= d \end{align}", ["a=b", "c=d"]),
    (r"\begin{eqnarray} a &=& b \\ &=& c \\ d &\le& e \end{eqnarray}", ["a=b=c", r"d\lee"]),
    (r"\begin{flalign} && a &= b && \end{flalign}", ["a=b"]),
    (r"\[ a = b, \quad c = d \qquad e = f \text{ and } g = h; \]", ["a=b", "c=d", "e=f", "g=h"]),
    (r"\[ a = b \quad + c \]", [r"a=b\quad+c"]),
    (r"\[ A = \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}, \quad b = c \]",
     [r"A=\begin{pmatrix}1&2\\3&4\end{pmatrix}", "b=c"]),
    (r"\[ W_\text{in} = V_{\text{in}} \quad \text{definition} \]", [r"W_\text{in}=V_{\text{in}}"]),
    (r"\[ \text{softmax}(a) = b \text{ (see above)} \]", [r"\text{softmax}(a)=b"]),
    (r"\[ a \stackrel{(1)}{=} b \overset{!}{\le} c \]", [r"a=b\lec"]),
    (r"\begin{align} a &= b \nonumber \\ &= c \tag{*} \\ \intertext{and so} \Rightarrow d &= e \notag \end{align}", ["a=b=c", "d=e"]),
    (r"\[ \boxed{ a = b, \quad c = \textcolor{red}{d} } \]", ["a=b", "c=d"]),
    (r"\[ \begin{cases} a = b \\ c = d \end{cases} \]", ["a=b", "c=d"]),
    (r"\[ a = \begin{cases} b & c \\ d & e \end{cases} \]", [r"a=\begin{cases}b&c\\d&e\end{cases}"]),
    (r"\begin{align} a &= b \label{x}\\* c &= d \\ [1.5em] e &= f \end{align}", ["a=b", "c=d", "e=f"]),
    (r"\begin{align} a &= b \\ [c] &= d \end{align}", ["a=b", "[c]=d"]),
    ("\\begin{align} a &= b % comment } \\\\ \n \\\\ c &= d \\end{align}", ["a=b", "c=d"]),
    (r"Price: 5\$. Inline $a = b$ and \(c = d\). \[ e = f \] $x$", ["e=f"]),
    ("An unclosed $ sign.\n\n\\[ a = b \\]", ["a=b"]),
    (r"\verb|\[ a = b \]| \[ c = d \]", ["c=d"]),
    (r"\begin{verbatim} \[ a = b \] \end{verbatim} \begin{comment} \[ a = b \] \end{comment} \[ c = d \]", ["c=d"]),
    (r"\iffalse \[ a = b \] \fi \[ c = d \]", ["c=d"]),
    ("% \\[ a = b \\]\n\\[ c = d \\]", ["c=d"]),
    (r"\url{https://x/%20y} \[ c = d \]", ["c=d"]),
    (r"\[ a = b \] \begin{document} \[ c = d \] \end{document} \[ e = f \]", ["c=d"]),
    (r"\begin{document} \[ c = d \]", ["c=d"]),
    (r"\begin{theorem} \begin{equation} a = b \end{equation} \end{theorem}", ["a=b"]),
    ("", []), ("no formula", []),
])
def test_what_counts_as_an_equation(text, found):
    assert formulas(text) == found


@pytest.mark.parametrize("text, found", [
    (r"\begin{equation} \label{eq:a} a = b \end{equation}", [("eq:a", {})]),
    (r"\begin{align} a &= b \label{eq:a} \\ &= c \\ d &= e \label{eq:d} \\ f &= g \end{align}",
     [("eq:a", {}), ("eq:d", {}), (None, {})]),
    (r"\begin{align} a &= b && \text{x} \label{eq:a} \end{align}", [("eq:a", {})]),
    (r"\begin{equation} \begin{aligned} a &= b \\ c &= d \end{aligned} \label{eq:a} \end{equation}", [("eq:a-1", {}), ("eq:a-2", {})]),
    ("% rnnbook: label = one\n\\[ a = b \\]\n\\[ c = d \\]", [("one", {}), (None, {})]),
    ("% rnnbook: label = two\n\\begin{gather} a = b \\\\ c = d \\end{gather}", [("two-1", {}), ("two-2", {})]),
    ("% rnnbook: expect = false; for = t = 1..T\n\\[ a = b \\]", [(None, {"expect": "false", "for": "t = 1..T"})]),
    ("%rnnbook: given f_t = 1\n\\[ a = b \\]", [(None, {"given": "f_t = 1"})]),
    ("%% RNNBOOK: :for: t = 1..T, k = 1..t, given = k < t\n\\[ a = b \\]", [(None, {"for": "t = 1..T, k = 1..t", "given": "k < t"})]),
    ("% rnnbook: for t = 1..T\n\\begin{align}\n% rnnbook: for = t = 2..T\na &= b \\\\ c &= d\n\\end{align}",
     [(None, {"for": "t = 2..T"}), (None, {"for": "t = 1..T"})]),
    ("\\begin{align} % rnnbook: given = a = 0\na &= b \\\\ c &= d % rnnbook: expect = false\n\\\\ e &= f \\end{align}",
     [(None, {"given": "a = 0"}), (None, {"given": "a = 0", "expect": "false"}), (None, {"given": "a = 0"})]),
    ("\\begin{align}\na &= b \\\\\n% rnnbook: given = a = 0\n &= c \\\\ d &= e \\end{align}", [(None, {"given": "a = 0"}), (None, {})]),
    ("% rnnbook: skip\n\\begin{gather} a = b \\\\ c = d \\end{gather}\n\\[ e = f \\]", [(None, {})]),
    ("\\begin{align} a &= b \\\\\n% rnnbook: skip\nc &= d \\\\ e &= f \\end{align}", [(None, {})] * 2),
    ("% rnnbook: off\n\\[ a = b \\]\n% rnnbook: on\n\\[ c = d \\]", [(None, {})]),
    (r"\[ a_t = b_t, \quad t = 1, \dots, T \]", [(None, {"for": r"t = 1, \dots, T"})]),
    (r"\[ a_t = b_t \qquad (t = T, T-1, \ldots, 1). \]", [(None, {"for": r"t = 1, \dots, T"})]),
    (r"\begin{align} a_t &= b_t & t &= T-1, \dots, 1 \\ c &= d \end{align}", [(None, {"for": r"t = 1, \dots, T-1"}), (None, {})]),
    (r"\[ a_t = b_t \quad \text{for all } t \in \{2, \dots, T\} \]", [(None, {"for": r"t = 2, \dots, T"})]),
    (r"\[ a_t = b_t, \quad \forall t \]", [(None, {"for": "t"})]),
    (r"\[ a_t = b_k \quad \text{if } k < t \]", [(None, {"for": "k<t"})]),
    (r"\[ a_t = b_k \quad \text{for } 1 \le k \le t \]", [(None, {"for": r"1\le k\le t"})]),
])
def test_labels_and_options(text, found):
    assert [(label, options) for label, options, _ in claims(text)] == found


def test_a_derivation_is_checked_step_by_step():
    text = MODEL + r"""
\begin{align}
  \frac{\partial L}{\partial h_{t}} &= 2 h_t^\top + \frac{\partial L}{\partial h_{t+1}} \frac{\partial h_{t+1}}{\partial h_t}
        && \text{two ways to $L$} \\
  &= 2 h_t^\top + \frac{\partial L}{\partial h_{t+1}} W \operatorname{diag}(1 - h_{t+1}^2),
        \qquad t = T-1, \dots, 1 \label{eq:bad} \\
  \frac{\partial h_t}{\partial h_{t-1}} &= \operatorname{diag}(1 - h_t^2)\, W \label{eq:good}
\end{align}
"""
    bad, good = check(text, path="homework.tex", proof_seconds=0)
    assert (bad.label, bad.verdict, bad.step, bad.line) == ("eq:bad", "false", 2, 7)
    assert (good.label, good.verdict) == ("eq:good", "holds")


MACROS = r"""
\newcommand{\pd}[2]{\frac{\partial #1}{\partial #2}}
\newcommand*\Wt{W^{\top}}
\newcommand{\state}[1][t]{h_{#1}}
\renewcommand{\vec}[1]{#1}
\def\half#1{\frac{#1}{2}}
\DeclareMathOperator{\diagonal}{diag}
\DeclarePairedDelimiter{\norm}{\lVert}{\rVert}
\let\Diag=\diagonal
\let\oldtanh\tanh
\renewcommand{\tanh}[1]{\oldtanh(#1)}
\newcommand\be{\begin{equation}} \newcommand\ee{\end{equation}}
"""


@pytest.mark.parametrize("formula", [
    r"\pd{h_t}{h_{t-1}} = \diagonal(1 - \state^2) W",
    r"\pd{\state}{\state[t-1]} = \Diag(1 - h_t^2) W",
    r"\pdv{L}{h_T} = 2 \state[T]^\top",
    r"\half{a}b = a \half b",
    r"\norm{h_t}^2 = \norm*{h_t} \norm{ h_t }",
    r"(\Wt)^\top = W",
    r"h_1 = \tanh{W h_0 + x_1}",
    r"\Wt h_t = \vec{\Wt}\vec h_t",
])
def test_macros_are_expanded(formula):
    assert verdicts(MODEL + MACROS + rf"\[ {formula} \]") == ["holds"]
    assert verdicts(MODEL + MACROS + rf"\be {formula} \ee") == ["holds"]


@pytest.mark.parametrize("macros, formula", [
    (r"\newcommand{\x}{\x}", r"a = \x"),
    (r"\newcommand{\x}{\x a}", r"a = \x"),
    (r"\newcommand{\x}{\y\y} \newcommand{\y}{\x\x}", r"a = \x"),
    ("".join(rf"\newcommand{{\x{chr(97 + k)}}}{{\x{chr(98 + k)}\x{chr(98 + k)}}}" for k in range(25)) + r"\def\xz{a}", r"a = \xa"),
    (r"\newcommand{\x}[1]{#1#1#1#1}", "a = " + r"\x{" * 40 + "a" + "}" * 40),
    (r"\newcommand{\x}[2]{#1#2}", r"a = \x{a}"),
    (r"\newcommand{\x}[1]{#1}", r"a = \x{a"),
    (r"\newcommand{\x}[9]{#9}", r"a = \x"),
    (r"\newcommand{\x}{\input{/etc/passwd}}", r"a = \x"),
    (r"\newcommand{\x}{\write18{touch pwned}}", r"a = \x"),
    (r"\newcommand{\x}", r"a = \x"),
    (r"\newcommand{\x}{", r"a = \x"),
])
def test_hostile_macros_end_in_ill_typed(macros, formula, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    start = time.perf_counter()
    assert verdicts(macros + "\n" + MODEL + rf"\[ {formula} \]") in (["ill-typed"], [])
    assert time.perf_counter() - start < 5 and list(tmp_path.iterdir()) == []


def test_expansions_of_a_whole_document_are_bounded():
    text = r"\newcommand{\x}[1]{#1#1#1#1#1#1#1#1}" + MODEL + "\n" + (r"\[ a = " + r"\x{" * 4 + "a" + "}" * 4 + " \\]\n") * 400
    start = time.perf_counter()
    blocks = scan_latex(text)
    assert time.perf_counter() - start < 10
    assert len(blocks) == 401 and "expand" in blocks[-1].problem


@pytest.mark.parametrize("text, line, column", [
    ("\\[\n  a = \\foo\n\\]", 2, 7),
    ("\\begin{align}\n  a &= a \\\\\n  c &= c +\n\\end{align}", 3, 11),
    ("\\newcommand{\\bad}{W h_0 W}\n\\[ a + \\bad = 1 \\]", 2, 8),
    ("\\[ a = b\n\n\\section{x}", 1, 1),
    ("text \\begin{equation} a = b\n\\begin{equation} a = a \\end{equation}", 1, 6),
    ("\\[ a\n + b \\]", 1, 4),
    ("\\[\n W \\in \\mathbb{R}^{n \\times n} \\]", 2, 2),
    ("\\[ a = b, % note\n  c \\]", 1, 9),
    ("\t\\[ a = \\foo \\]", 1, 9),
    ("ä ü \\[ a = \\foo \\]", 1, 12),
    ("% rnnbook: modle = m\n\\[ a = a \\]", 1, 12),
])
def test_errors_point_at_their_place(text, line, column):
    first = MODEL.count("\n")
    result = next(result for result in check(MODEL + text, path="x.tex", proof_seconds=0) if not result.ok)
    assert result.verdict == "ill-typed"
    assert result.message.startswith(f"line {first + line}, column {column}: "), result.message
    shown, caret = result.message.split("\n")[-2:]
    assert caret.strip() == "^" and caret.index("^") == column - 1
    assert shown == text.split("\n")[line - 1].replace("\t", " ")


def test_errors_in_options_name_the_line_of_their_comment():
    result, = check(MODEL + "\n% rnnbook: for = t = 1..\n\\[ a = a \\]", path="x.tex")
    assert result.verdict == "ill-typed" and result.message.startswith("line 6: `% rnnbook: for = …` ")
    result, = check(MODEL + "\n\\[ \\nabla_{h_t} L = \\nabla_{h_{t+1}} L \\]", path="x.tex")
    assert "a range in `% rnnbook: for = …` keeps it inside" in result.message


def test_a_comment_that_is_not_understood_is_an_error():
    for comment, hint in [("modle = m", "'model'"), ("x y z", "not understood"), ("model =", "without a value"), ("extends = m", "define"),
                          ("end", "no `define`")]:
        result, = check(f"% rnnbook: {comment}\n", path="x.tex")
        assert result.kind == "comment" and result.verdict == "ill-typed" and hint in result.message and not result.ok
    result, = check("\\[ 1 = 1 \\]\n% rnnbook: for t = 1..T\n", path="x.tex", proof_seconds=0)[1:]
    assert "no equation follows" in result.message
    result = check("% rnnbook is a package\n% the rnnbook: fine\n", path="x.tex")
    assert result == []


# -- models ------------------------------------------------------------------------------------------------------------------
GOOD, BAD = r"\[ \frac{\partial y}{\partial a} = 2 a \]", r"\[ \frac{\partial y}{\partial a} = a \]"


@pytest.mark.parametrize("definition", [
    "% rnnbook: define square\n% a \\in \\mathbb{R}\n% y = a^2\n",
    "% rnnbook: define square\n%   a \\in \\mathbb{R}\n%\n%   y = a^2\n\n% A comment of the author.\n",
    "% rnnbook: define square\n\\begin{align*} a &\\in \\mathbb{R}, \\\\ y &= a^2, && \\text{as usual} \\end{align*}\n",
    "% rnnbook: define square\n\\[ a \\in \\mathbb{R}, \\qquad y = a^2, \\quad t = 1, \\dots, T \\]\n",
    "% rnnbook: define square\nLet $a$ be real,\n\\[ a \\in \\mathbb{R} \\]\n and define\n\\[ y = a^2. \\]\n% rnnbook: end\n",
    "% rnnbook: define square\n% a \\in \\mathbb{R}\n% y = a^3\n% rnnbook: define\n% rnnbook: extends = square\n% y = a^2\n",
    "% rnnbook: define cube\n% a \\in \\mathbb{R}\n% y = a^3\n% rnnbook: define square extends cube\n\\[ y = a^2 \\]\n",
    "\\newcommand{\\R}{\\mathbb{R}}\n% rnnbook: define square\n\\begin{gather} a \\in \\R \\\\ y = a^2 \\end{gather}\n",
    "% rnnbook: define\n% a \\in \\mathbb{R}\n% y = a^2\n\\begin{document}\n",
])
def test_a_model_in_the_document(definition):
    assert verdicts(definition + GOOD + BAD) == ["holds", "false"]


def test_the_model_of_an_equation_is_the_last_one_named():
    text = "% rnnbook: define one\n% a \\in \\mathbb{R}\n% y = a^2\n\n% rnnbook: define two\n% a \\in \\mathbb{R}\n% y = a^2 / 2\n\n" \
        + BAD + "\n% rnnbook: model = one\n" + GOOD + BAD + "\n% rnnbook: model two\n" + BAD
    assert verdicts(text) == ["holds", "holds", "false", "holds"]


def test_an_error_in_a_model_stands_at_its_place():
    model, claim = check("% rnnbook: define m\n% a \\in \\mathbb{R}\n%   y = a +\n\n\\[ y = a \\]", path="x.tex")
    assert model.kind == "model" and model.message.startswith("line 3, column 12: ")
    assert claim.verdict == "ill-typed" and "the model 'm' has an error" in claim.message
    result, = check("% rnnbook: define m\ntext\n", path="x.tex")
    assert "no model follows" in result.message


def test_layout_and_sizes_belong_to_the_named_model():
    model = "% rnnbook: define q\n% A \\in \\mathbb{R}^{n \\times n}, \\quad x \\in \\mathbb{R}^{n}\n% s = x^\\top A x\n\n"
    row, column = r"\[ \frac{\partial s}{\partial x} = x^\top (A + A^\top) \]", r"\[ \frac{\partial s}{\partial x} = (A + A^\top) x \]"
    assert verdicts(model + row + column) == ["holds", "ill-typed"]
    assert verdicts(model + "% rnnbook: layout = gradient\n" + row + column) == ["ill-typed", "holds"]
    assert verdicts("% rnnbook: layout = gradient, model = q\n" + model + "% rnnbook: model = q\n" + column) == ["holds"]
    assert verdicts(model + "% rnnbook: layout = sideways\n" + row) == ["ill-typed"]
    assert verdicts(model + "\\[ n = 3 \\]\n% rnnbook: n = 3\n\\[ n = 3 \\]") == ["false", "holds"]


def test_an_abbreviation_is_a_name_for_the_rest_of_the_document():
    text = MODEL + r"""
\[ e_t := 2 h_t, \qquad P \coloneqq W W^\top \]
\begin{align} q_t &:= \nabla_{h_t} L = e_t + W^\top \bigl( (1 - h_{t+1}^2) \odot q_{t+1} \bigr), & t &= 1, \dots, T-1 \label{q} \end{align}
\[ P^\top = P \]
"""
    assert [(r.label, r.verdict) for r in check(text, path="x.tex", proof_seconds=0)] == [("q", "holds"), ("claim-4", "holds")]
    assert verdicts(text + r"\[ P := W \]") == ["holds", "holds", "false"]  # a second meaning has to agree with the first
    assert verdicts(text + r"\[ h_t := W h_{t-1} \]") == ["holds", "holds", "false"]  # and so has one that the model gives
    assert verdicts(r"\[ e_t := 2 h_t \] \[ e_1 = h_1 + h_1 \]", model="elman") == ["holds"]
    assert verdicts(r"\[ e_t := 2 h_t \]") == ["ill-typed"]
    assert verdicts(MODEL + r"\[ z := W x_1 W \] \[ z = z \]") == ["ill-typed", "ill-typed"]
    assert verdicts(MODEL + r"\[ z + 1 := a \]") == ["ill-typed"]


def test_an_abbreviation_changes_the_cached_verdict(tmp_path):
    for value, verdict in (("2", "holds"), ("3", "false"), ("2", "holds")):
        assert verdicts(MODEL + rf"\[ z := {value} a \] \[ z = a + a \]", cache=tmp_path) == [verdict]


def test_a_document_may_write_T_for_the_transpose():
    formulas_ = r"\[ (W h_0)^T = h_0^T W^{T}, \qquad a^T = a, \qquad \sum_{t=1}^T h_t^T h_t = L \]"
    assert verdicts(MODEL + formulas_) == ["ill-typed", "false", "ill-typed"]
    assert verdicts(MODEL + "\n% rnnbook: transpose = T\n" + formulas_) == ["holds"] * 3
    assert verdicts(MODEL + "\n% rnnbook: transpose = U\n" + formulas_) == ["ill-typed"] * 3
    assert "transpose = T" in check(MODEL + formulas_, path="x.tex")[0].message


def test_models_of_the_book_by_name():
    formula = r"\[ \frac{\partial h_t}{\partial h_{t-1}} = \operatorname{diag}(1 - h_t^2) W \]"
    assert verdicts("% rnnbook: model = elman\n" + formula) == verdicts(formula, model="elman") == ["holds"]
    result, = check(formula, path="x.tex")
    assert result.verdict == "ill-typed" and "% rnnbook: model = lstm" in result.message and "--model" in result.message
    result, = check("% rnnbook: model = elmann\n" + formula, path="x.tex")
    assert "did you mean 'elman'?" in result.message
    assert verdicts(MODEL + formula.replace("t-1", "0").replace("h_t", "h_1"), model="lstm") == ["holds"]


def test_the_examples_of_the_language_chapter_are_as_expected():
    page = (Path(__file__).parents[2] / "book" / "language.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```latex\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert examples
    for example in examples:
        results = check(example, path="example.tex", proof_seconds=0)
        assert len(results) == 4 and all(result.ok for result in results), [(r.label, r.verdict, r.message) for r in results]


def test_text_without_a_name_is_read_by_its_looks():
    assert [r.verdict for r in check(MODEL + r"\[ a = a \]", proof_seconds=0)] == ["holds"]
    assert [r.verdict for r in check("\\begin{align}\n1 &= 1\n\\end{align}", proof_seconds=0)] == ["holds"]
    assert check("```{claim}\n1 = 1\n```\n\\begin{equation} 1 = 2 \\end{equation}", proof_seconds=0)[0].verdict == "holds"
    assert check("\\[ 1 = 2 \\]", path="x.md") == []


def test_bytes_and_line_ends_of_any_kind(tmp_path):
    path = tmp_path / "x.tex"
    path.write_bytes(b"\xef\xbb\xbf% caf\xe9\r\n" + MODEL.replace("\n", "\r\n").encode() + b"\\[\r\n  a = \\foo\r\n\\]\r\n")
    result, = check(path)
    assert result.message.startswith("line 7, column 7: ")


# -- the command -------------------------------------------------------------------------------------------------------------
def test_the_command_reads_both_kinds(tmp_path, capsys, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.md").write_text("```{claim}\n:label: md\n\\nabla_b L = \\sum_{t=1}^{T} \\alpha_t\n```\n", encoding="utf-8")
    (tmp_path / "sub" / "b.tex").write_text("\\begin{equation}\\label{tex}\n\\nabla_b L = \\sum_{t=1}^{T} h_t\n\\end{equation}\n",
                                            encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["check", ".", "--json", "--model", "elman", "--proof-seconds", "0"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(r["path"], r["label"], r["verdict"], r["line"]) for r in found] == [("a.md", "md", "holds", 1),
                                                                                 ("sub/b.tex", "tex", "false", 2)]
    assert main(["check", "a.md", "--model", "elman"]) == 0
    assert main(["check", "a.md"]) == 1
    assert "no model says what the symbols are" in capsys.readouterr().out
    assert main(["check", "a.md", "--model", "elmann"]) == 2
    assert "did you mean 'elman'?" in capsys.readouterr().err


def test_the_command_says_which_files_it_was_not_given(tmp_path, capsys):
    (tmp_path / "part.tex").write_text(r"\[ 1 = 2 \]")
    (tmp_path / "main.tex").write_text(r"""\[ 1 = 1 \] % \input{comment}
\newcommand{\include}{x} \\input{break} \input{ part }
\include{chapters/two.tex} \input{picture.pgf} \subfile{three}
""")
    whole, part = str(tmp_path / "main.tex"), str(tmp_path / "part.tex")
    assert main(["check", whole]) == 0
    assert capsys.readouterr().err.splitlines() == [
        rf"{whole}:2: \input{{ part }} is not read; to check that file as well, name it too",
        rf"{whole}:3: \include{{chapters/two.tex}} is not read; to check that file as well, name it too",
        rf"{whole}:3: \subfile{{three}} is not read; to check that file as well, name it too",
    ]
    assert main(["check", whole, part]) == 1
    assert "part" not in capsys.readouterr().err


def test_a_failure_of_the_reader_is_a_verdict_of_one_document(tmp_path, capsys, monkeypatch):
    import rnnbook.checker.document as document
    (tmp_path / "a.md").write_text("~~~{claim}\n1 = 1\n~~~\n", encoding="utf-8")
    (tmp_path / "b.tex").write_text("\\[ 1 = 1 \\]\n", encoding="utf-8")
    monkeypatch.setattr(document, "scan_latex", lambda text: 1 / 0)
    assert main(["check", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "a.md:1: claim-1: proved" in out and f"b.tex:1: document: undecided\n    {document.INTERNAL_DOCUMENT}" in out


def test_one_students_model_is_not_anothers(tmp_path):
    (tmp_path / "a.tex").write_text("% rnnbook: define elman\n% L = 1\n\n\\[ L = 1 \\]\n", encoding="utf-8")
    (tmp_path / "b.tex").write_text("% rnnbook: model = elman\n\\[ L = 1 \\]\n", encoding="utf-8")
    assert [r.verdict for r in check(tmp_path / "a.tex", proof_seconds=0)] == ["holds"]
    assert [r.verdict for r in check(tmp_path / "b.tex", proof_seconds=0)] == ["false"]


def test_a_verdict_is_cached_with_the_layout(tmp_path):
    formula = r"\[ \frac{\partial L}{\partial h_t} = \delta_t^\top \]"
    text = "% rnnbook: model = elman\n"
    for _ in range(2):
        assert verdicts(text + formula, cache=tmp_path) == ["holds"]
        assert verdicts(text + "% rnnbook: layout = gradient\n" + formula, cache=tmp_path) == ["ill-typed"]
