"""Mutations of true claims: what is wrong is refused, what survives says the same."""
import pytest
from fuzz import MODEL

from rnnbook.checker import check
from rnnbook.checker.command import main

DOCUMENT = f"""```{{model}} m
{MODEL}
```

```{{claim}}
:label: output
\\frac{{\\partial L_t}}{{\\partial o_t}} = (\\hat y_t - y_t)^\\top
```

```{{claim}}
:label: double-sum
\\frac{{\\partial L}}{{\\partial W}}
  = \\sum_{{t=1}}^{{T}} \\sum_{{k=1}}^{{t}} \\frac{{\\partial L_t}}{{\\partial h_t}}
    \\frac{{\\partial h_t}}{{\\partial h_k}} \\frac{{\\partial^{{+}} h_k}}{{\\partial W}}
```

```{{claim}}
:label: bias
:for: t = 1..T
\\nabla_b L = \\sum_{{t=1}}^{{T}} (1 - h_t^2) \\odot \\delta_t
```

```{{claim}}
:label: wrong
:expect: false
\\nabla_b L = 0
```
"""


@pytest.fixture(scope="module")
def results():
    return {result.label: result for result in check(DOCUMENT, mutate=True)}


def test_every_true_claim_is_mutated(results):
    assert all(results[label].mutants for label in ("output", "double-sum", "bias"))
    assert results["wrong"].mutants == ()


@pytest.mark.parametrize("label, mutation, formula", [
    ("output", "flip a sign", r"(\hat y_t + y_t)^\top"),
    ("output", "drop a transpose", r"= (\hat y_t - y_t)"),
    ("output", "drop a term", r"= (\hat y_t )^\top"),
    ("output", "shift an index", r"\hat y_{t-1}"),
    ("double-sum", "total for immediate", r"\frac{\partial h_k}{\partial W}"),
    ("double-sum", "immediate for total", r"\frac{\partial^{+} h_t}{\partial h_k}"),
    ("double-sum", "swap two factors", ""),
    ("double-sum", "drop a factor", ""),
    ("double-sum", "change a bound", r"\sum_{k={2}}^{t}"),
    ("bias", "product for elementwise product", ""),
    ("bias", "x for 1 - x", r"(h_t^2) \odot"),
    ("bias", "1 - x for x", r"\left(1 - \delta_t\right)"),
    ("bias", "drop a factor", ""),
])
def test_mistakes_are_made_and_refused(results, label, mutation, formula):
    made = [m for m in results[label].mutants if m.mutation == mutation and formula in m.formula]
    assert made, sorted((m.mutation, m.formula) for m in results[label].mutants)
    assert all(m.refused for m in made)


def test_what_survives_says_the_same(results):
    survivors = [m for result in results.values() for m in result.mutants if not m.refused]
    assert survivors and all(m.fate == "equivalent" for m in survivors)


def test_survivors_are_settled_by_numbers():
    text = "```{model} m\na, b \\in (1,2), \\quad c = 0.9, \\quad u, v \\in \\mathbb{R}^{n}\nx = \\tanh(u)\n```\n" \
        + "".join(f"```{{claim}}\n:label: {label}\n{formula}\n```\n" for label, formula in [
            ("transcendental", r"\lVert u + v \rVert^2 = u^\top u + 2 u^\top v + v^\top v"),
            ("zero", r"\frac{\partial x}{\partial v} = 0"),
            ("digits", r"1 - (1 - c)^4 \approx 0.9999")])
    found = {result.label: {(m.mutation, m.formula): m.fate for m in result.mutants if not m.refused}
             for result in check(text, mutate=True, proof_seconds=0)}
    assert found["transcendental"] and set(found["transcendental"].values()) == {"equivalent"}
    assert found["zero"]["add a transpose", r"\left(\frac{\partial x}{\partial v}\right)^{\top} = 0"] == "equivalent"
    assert found["digits"]["drop a term", r"1 \approx 0.9999"] == "unexplained"  # 1 has no digits behind its point


def test_the_command_ends_with_a_score(tmp_path, capsys):
    path = tmp_path / "a.md"
    path.write_text("```{model} m\na, b \\in \\mathbb{R}\n```\n```{claim}\n:label: c\na b - b = b (a - 1)\n```\n",
                    encoding="utf-8")
    assert main(["check", "--mutate", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"{path}:4: c: equivalent: swap two factors" in lines
    assert "mutants of 1 claim: " in lines[-1] and "unexplained" not in lines[-1]
