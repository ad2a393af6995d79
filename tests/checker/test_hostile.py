"""Text from anybody: no formula runs, hangs or breaks the checker."""
import time
from pathlib import Path

import fuzz
import pytest

from rnnbook.checker import check
from rnnbook.checker.latex import scan_latex

MODEL = "```{model} m\na \\in \\mathbb{R}, \\quad W \\in \\mathbb{R}^{n \\times n}, \\quad x_t, h_0 \\in \\mathbb{R}^n\nh_t = \\tanh(W h_{t-1} + x_t)\n```\n"
HOSTILE = [
    "a = __import__('os').system('touch pwned')",
    "a = 9^{9^{9^{9}}}",
    "a = 9^{999999999}",
    "a = (10^{300})^{300}",
    r"a = \sum_{k=1}^{1000000000000} a",
    r"a = \sum_{i=1}^{9999} \sum_{j=1}^{9999} \sum_{k=1}^{9999} a",
    r"a = \prod_{k=1}^{9999} \prod_{j=1}^{9999} (1 + a)",
    r"W^{10000} = W",
    r"W^{100000000} = W",
    r"a = \input{/etc/passwd}",
    r"a = \write18{touch pwned}",
    r"a = \href{javascript:alert(1)}{a}",
    "a = " + "(" * 5000 + "a" + ")" * 5000,
    "a = " + r"\frac{1}{" * 3000 + "a" + "}" * 3000,
    "a = " + "-(" * 1000 + "a" + ")" * 1000,
    "a = " + "a^{" * 1000 + "a" + "}" * 1000,
    "a = " + " ".join(["a"] * 3000),
    "a = " + " + ".join(["a"] * 1900),
    "a = " + r"\hat " * 2000 + "a",
    "a = " + "a_" * 2000,
    "a = " + r"\tanh" * 2000 + "(a)",
    "a = a" + "'" * 3000,
    "a = " + "1" * 5000,
    "a = 0." + "1" * 5000,
    "a = " + "a" * 19000,
    r"a = \sqrt[100000]{a}",
    r"a = \begin{pmatrix} " + " & ".join(["1"] * 900) + r" \end{pmatrix}",
    r"\operatorname{vec}(W) \otimes \operatorname{vec}(W) \otimes \operatorname{vec}(W) \otimes \operatorname{vec}(W) \otimes \operatorname{vec}(W) = 0",
    r"\frac{\partial^4 \tanh(a)^{40}}{\partial a^4} = \tanh''''(a)",
    r"\frac{\partial}{\partial W} \frac{\partial}{\partial W} \frac{\partial}{\partial W} \frac{\partial}{\partial W} a = 0",
    r"\binom{1000000}{500000} = 1",
    r"a = \sum_{k=1}^{9000} \frac{\partial h_3}{\partial W}",
    "\x00\x01a = \ud7ffb",
    "a = a % comment } { \n + 0",
]


@pytest.mark.parametrize("formula", HOSTILE, ids=[f"{k}-{formula[:25]}" for k, formula in enumerate(HOSTILE)])
def test_hostile_formulas_end_in_a_verdict(formula, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    start = time.perf_counter()
    result, = check(MODEL + f"```{{claim}}\n{formula}\n```\n", seconds=1.0, proof_seconds=0.2)
    assert time.perf_counter() - start < 20  # the limit is one second; the rest is for a machine under load
    assert fuzz.INTERNAL not in result.message, result.message
    assert result.verdict in ("ill-typed", "undecided", "false") or "comment" in formula
    assert list(Path(tmp_path).iterdir()) == []


@pytest.mark.parametrize("line", [
    "W \\in \\mathbb{R}^{100000 \\times 100000}", ":given: a = 9^{9^{9^{9}}}", "f(z) = f(f(z))", "x = y\ny = x",
    "a_{a_{a_{a}}} = 1",
    "h_t = h_{t+1} + h_{t-1}", "h_t = h_{t+1}\nL = h_1", "a \\in \\{" + ", ".join("1" * 500) + "\\}", "x \\in (1, 0)",
    "a = \\sum_{k=1}^{9999} \\sum_{j=1}^{9999} 1", "\\newcommand{\\x}{y} = 1",
])
def test_hostile_models_end_in_verdicts(line):
    results = check(f"```{{model}} m\n{line}\n```\n```{{claim}}\na = a + L + x + h_2 + W\n```\n", seconds=1.0,
                    proof_seconds=0.2)
    assert results and all(r.verdict in ("ill-typed", "undecided") for r in results), results
    assert not any(fuzz.INTERNAL in r.message for r in results)


def test_a_large_document_of_nothing_is_scanned_quickly():
    start = time.perf_counter()
    assert check("```{note}\n" * 20_000) == [] and check("`" * 1_000_000) == [] and check("- " * 100_000 + "\n") == []
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize("text", [
    r"\begin{align}" * 20_000, "$$ " * 50_000, r"\[" * 50_000, r"\(" * 100_000, r"\newcommand{" * 50_000, r"\verb|" * 50_000,
    "% rnnbook: define m\n" * 10_000, "% rnnbook: foo\n" * 5_000, r"\[" + "," * 40_000 + r"\]", r"\begin{align}" + "&" * 60_000 + r"\end{align}",
    r"\[" + r"\boxed{" * 6_000 + "a = b" + "}" * 6_000 + r"\]", r"\[" + r"\left(" * 9_000 + r"\]", r"\[" + "{" * 60_000 + r"\]",
    *(rf"\[ {command} {rest}\]" for command in (r"\boxed", r"\textcolor", r"\begin", r"\end", r"\stackrel", r"\text", r"\label", r"\tag", r"\\")
      for rest in ("", "}", "{")), r"\[" + r"\stackrel{" * 6_000 + r"\]", "\\" * 500_001, r"\[ a = b, \text{for } t \in " + r"\in \{" * 5_000 + r"\]",
    r"\newcommand{\x}[2][a]{#1#2} \[ a = " + r"\x[" * 5_000 + r"\]",
], ids=lambda text: text[:20])
def test_large_latex_documents_of_nothing_are_scanned_quickly(text):
    start = time.perf_counter()
    blocks = scan_latex(text)
    assert time.perf_counter() - start < 15  # each takes a second or less, and longer on a machine under load
    assert all(block.problem or block.kind == "model" or block.body for block in blocks)


def test_random_text_gives_nothing_but_verdicts():
    counts, broken = fuzz.run(400, seed="suite", seconds=0.5)
    assert broken == []
    assert counts["ill-typed"] > 100 and counts["false"] + counts["holds"] + counts["proved"] > 5
