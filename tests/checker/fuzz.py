"""Throw random text at the checker: nothing but verdicts may come out, and soon.

`python tests/checker/fuzz.py 100000 [seed]` runs that many cases and prints what broke; the test suite runs a few
hundred.
"""
import random
import re
import sys
import time
import traceback
from collections import Counter

from rnnbook.checker import check
from rnnbook.checker.document import INTERNAL, INTERNAL_DOCUMENT

#: Pieces of LaTeX documents that are thrown in anywhere.
LATEX = r"""\begin{align} \end{align} \begin{equation} \end{equation} \begin{gather*} \end{gather*} \begin{aligned} \end{aligned} \[ \] $$ $ \( \)
\begin{verbatim} \end{verbatim} \begin{document} \end{document} \newcommand{\x} \def\y#1 {#1} {\x\y} \x \y \z{ \let\x\y \label{ \label{a} \text{for }
\intertext{ \tag* \stackrel{a}{=} \left. \right) \verb| \boxed \textcolor{ \begin \end \hspace* \stackrel \text \begin{cases} \end{cases} \iffalse \fi & && \\ \\[ \\* , ; \quad \forall \dots { } [ ] % \be \ee #1""".split() + [
    f"\n% rnnbook: {said}\n" for said in ("model = m", "model = lstm", "define m", "define", "end", "skip", "off", "on", "for = t = 1..T", "expect = false",
                                          "given = h_t = 0", "layout = gradient", "n = 2", "extends = m", "label = x", "foo", "T = 2")] + ["\n\n", "\n% h_t = W\n"]
VERDICTS = {"proved", "holds", "false", "ill-typed", "undecided"}
TOKENS = r"""\frac { } ( ) [ ] ^ _ ^{ _{ } } } = \le < > \approx + - \cdot \odot \oslash \otimes / * , . & && \\ ' | \| \lVert \rVert
\sum_{k=1}^{t} \sum_{k} \prod_{j=k+1}^{t} \overset{\curvearrowleft}{\prod}_{j=1}^{t} \partial \partial^{+} \nabla_{h_t} \nabla
\frac{\partial L}{\partial W} \frac{\partial h_t}{\partial h_k} \frac{\partial^{+} h_t}{\partial W} \frac{d}{d w} W U b h_t h_{t-1} h_0 x_t
y_t \hat y_t \hat{y}_{t,i} o_t L_t L \delta_t \delta_{ij} \delta_{t+1} T n t k i j 0 1 2 0.5 10^{30} 9 I \mathbf{1} \mathbf{0} e^{ \top ^\top ^{-1}
\tanh \tanh' \sigma \sigma'( \exp( \ln \operatorname{softmax}( \operatorname{diag}( \operatorname{tr}( \det \rho( \left( \right) \begin{pmatrix}
\end{pmatrix} \begin{aligned} \end{aligned} \text{ \text{in} \mathrm \mathbb{R} \in := \input \def \quad \sqrt \binom{3}{2} \max( [\,k=t\,]
\overline \boxed{ \underbrace{ % ^2 ^{(1)} \infty \dots !""".split()
MODEL = r"""
W \in \mathbb{R}^{n \times n}, \quad U \in \mathbb{R}^{n \times d}, \quad b \in \mathbb{R}^{n}, \quad w \in (0,1)
V \in \mathbb{R}^{q \times n}, \quad x_t \in \mathbb{R}^{d}, \quad y_t \in \operatorname{onehot}(q), \quad h_0 \in \mathbb{R}^{n}
h_t = \tanh(W h_{t-1} + U x_t + b)
o_t = V h_t
\hat y_t = \operatorname{softmax}(o_t)
L_t = -y_t^\top \ln \hat y_t
L = \sum_{t=1}^{T} L_t
\delta_t := \nabla_{h_t} L
"""
CLAIMS = [
    r"\frac{\partial L_t}{\partial o_t} = (\hat y_t - y_t)^\top",
    r"\frac{\partial \hat y_{t,i}}{\partial o_{t,j}} = \hat y_{t,i} (\delta_{ij} - \hat y_{t,j})",
    r"\frac{\partial h_t}{\partial h_k} = \overset{\curvearrowleft}{\prod}_{j=k+1}^{t} \frac{\partial h_j}{\partial h_{j-1}}",
    r"\frac{\partial L}{\partial W} = \sum_{t=1}^{T} \sum_{k=1}^{t} \frac{\partial L_t}{\partial h_t} \frac{\partial h_t}{\partial h_k} \frac{\partial^{+} h_k}{\partial W}",
    r"\nabla_b L = \sum_{t=1}^{T} (1 - h_t^2) \odot \delta_t",
    "\\delta_t\n  &= \\nabla_{h_t} L_t + \\left(\\frac{\\partial h_{t+1}}{\\partial h_t}\\right)^{\\top} \\delta_{t+1} && \\text{two paths} \\\\\n  &= V^\\top (\\hat y_t - y_t)",
    r"\left\lVert \frac{\partial h_t}{\partial h_k} \right\rVert \le \lVert W \rVert^{t-k}",
    r"W^{30} = W^{10} W^{20} \approx \begin{pmatrix} 0.1 & 0.2 \\ 0.3 & 0.4 \end{pmatrix}",
    r"w^{3} = e^{3 \ln w} = \exp(\log(w^3)) = \sqrt{w^6}",
]
OPTIONS = ["", ":for: t = 1..T", ":for: t = 0..T-1, k = 0..t", ":given: h_t = 0", r":given: \rho(W) < 1",
           ":expect: false",
           ":given: W = I, b = 0", ":for: t = 1..", ":for: 9^{9^{9}} = 1..T", ":given: ,", ":model: m", ":model: none",
           ":T: 3"]


def mutate(text, rng):
    """A piece of text with a few random edits."""
    for _ in range(rng.randint(1, 4)):
        a, b = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
        b = min(b, a + rng.randint(0, 8))
        choice = rng.randrange(5)
        if choice == 0:
            text = text[:a] + text[b:]
        elif choice == 1:
            text = text[:a] + rng.choice(TOKENS) + text[a:]
        elif choice == 2:
            text = text[:a] + text[a:b] * rng.randint(2, 30) + text[b:]
        elif choice == 3:
            c = rng.randrange(len(text) + 1)
            text = text[:a] + text[c:c + b - a] + text[b:]
        else:
            text = text[:a] + rng.choice(TOKENS) + text[b:]
    return text[:4000]


PIECES = re.compile(r"\\[A-Za-z]+|\\.|[A-Za-z]_\{[^{}]*\}|[A-Za-z]_[a-z0-9]|\d+|\s+|.", re.DOTALL)


def rewrite(text, rng):
    """A formula with one or two of its symbols exchanged, dropped, doubled or put elsewhere: much of it has a meaning.
    """
    pieces = PIECES.findall(text)
    for _ in range(rng.randint(1, 2)):
        whole = rng.random() < 0.2
        names = [k for k, piece in enumerate(pieces) if piece and not piece.isspace()
                 and (whole or piece[0].isalnum() or piece in ("+", "-", r"\odot", r"\top", r"\hat", r"\delta"))]
        if not names:
            break
        a, b = rng.choice(names), rng.choice(names)
        choice = rng.randrange(5)
        if choice == 0:
            pieces[a], pieces[b] = pieces[b], pieces[a]
        elif choice == 1:
            pieces[a] = pieces[b]
        elif choice == 2:
            pieces[a] = rng.choice(["h_{t-1}", "h_t", "x_t", "W", "U", "b", "w", "L", "L_t", "o_t", r"\hat y_t", "y_t",
                                    r"\delta_t", "I",
                                    "0", "1", "2", "t", "k", "j", "T", "n", "0.5", "h_0", r"\odot ", "+", "-", "=",
                                    r"\le "])
        elif choice == 3:
            pieces[a] = ""
        else:
            pieces.insert(a, pieces[b])
    return "".join(pieces)


def document(rng):
    """One random document."""
    kind = rng.randrange(8)
    model, option = MODEL, rng.choice(OPTIONS[:7] if kind > 4 else OPTIONS)
    if kind == 0:
        claim = bytes(rng.randrange(256) for _ in range(rng.randint(0, 80))).decode("utf-8", errors="replace")
    elif kind == 1:
        claim = " ".join(rng.choice(TOKENS) for _ in range(rng.randint(1, 25)))
    elif kind == 2:
        claim = mutate(rng.choice(CLAIMS), rng)
    elif kind == 3:
        claim, model = rng.choice(CLAIMS), mutate(MODEL, rng)
    elif kind == 4:
        claim, model = rng.choice(CLAIMS), rewrite(MODEL, rng)
    elif kind > 5:
        claim = rewrite(rng.choice(CLAIMS), rng)
    else:
        claim = mutate(rng.choice(CLAIMS), rng)
        opener = rng.choice(["(", "{", r"\frac{", "^{", r"\sum_{k=1}^{2}", r"\sqrt{", "-(", r"\tanh(", "[", r"\lVert ",
                             r"\hat "])
        claim = claim[:rng.randint(0, len(claim))] + opener * rng.randint(1, 300) + rng.choice(["1", "", claim])
        option = mutate(option, rng) if option else ""
    text = f"```{{model}} m\n{model}\n```\n\n```{{claim}}\n:label: c\n{option}\n{claim}\n```\n"
    return mutate(text, rng) if rng.random() < 0.1 else text


def latex_document(rng):
    """One random LaTeX document: macros, a model, displays of claims, all of it edited."""
    def row():
        claim = rng.choice(CLAIMS)
        return rewrite(claim, rng) if rng.random() < 0.3 else claim

    displays = [(r"\begin{align}", r"\end{align}"), (r"\begin{gather}", r"\end{gather}"), (r"\[", r"\]"), ("$$", "$$"),
                (r"\begin{equation}\begin{aligned}", r"\end{aligned}\end{equation}"), (r"\begin{eqnarray*}", r"\end{eqnarray*}")]
    text = r"\newcommand{\x}[2][t]{h_{#1} #2} \newcommand{\y}{\x{W}}" + "\n% rnnbook: define m\n" + "".join(
        f"% {line}\n" for line in MODEL.strip().split("\n"))
    for _ in range(rng.randint(1, 3)):
        opening, closing = rng.choice(displays)
        text += rng.choice(("", "", *LATEX[-21:])) + f"\n{opening}\n" + " \\\\\n".join(row() for _ in range(rng.randint(1, 3))) + f"\n{closing}\n"
    for _ in range(rng.choice((0, 1, 2, 5))):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(LATEX) + text[at:]
    return mutate(text, rng) if rng.random() < 0.2 else text


def run(count, seed=0, seconds=1.0, proof_seconds=0.05):
    """Run cases; returns (verdict counts, list of (document, what went wrong))."""
    counts, broken, slowest = Counter(), [], 0.0
    for case in range(count):
        rng = random.Random(f"{seed} {case}")
        text, path = (latex_document(rng), "x.tex") if case % 3 == 0 else (document(rng), None)
        start, results = time.perf_counter(), []
        try:
            results = check(text, path=path, seconds=seconds, proof_seconds=proof_seconds if case % 4 == 0 else 0)
            for result in results:
                counts[result.verdict] += 1
                assert result.verdict in VERDICTS, result
                assert INTERNAL not in result.message and INTERNAL_DOCUMENT not in result.message, result.message
                assert isinstance(result.message, str) and isinstance(result.line, int)
        except Exception:  # what must not happen, whatever it is
            broken.append((text, traceback.format_exc()))
        took = time.perf_counter() - start
        slowest = max(slowest, took)
        if took > 3 * seconds * max(1, len(results)) + 1:
            broken.append((text, f"took {took:.1f} s"))
    counts["slowest, ms"] = int(1000 * slowest)
    return counts, broken


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seed = sys.argv[2] if len(sys.argv) > 2 else "0"
    total, chunk = Counter(), 1000
    seen = set()
    failures = 0
    for k in range(0, count, chunk):
        counts, broken = run(min(chunk, count - k), f"{seed}/{k}")
        slowest = max(total.pop("slowest, ms", 0), counts.pop("slowest, ms"))
        total += counts
        total["slowest, ms"] = slowest
        failures += len(broken)
        for text, problem in broken:
            last = "\n".join(problem.strip().split("\n")[-3:])
            if last not in seen:
                seen.add(last)
                print(f"--- broken ---\n{text}\n{problem}", flush=True)
        print(k + min(chunk, count - k), dict(total), failures, "broken", flush=True)
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
