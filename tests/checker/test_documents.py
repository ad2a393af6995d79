"""Documents: which blocks count, where errors stand, the command, the cache."""
import json

import pytest

from rnnbook.checker import check, scan
from rnnbook.checker.command import main

CLAIM = "```{claim}\n:label: c\n1 = 1\n```\n"


def labels(text):
    return [block.options.get("label") for block in scan(text)]


@pytest.mark.parametrize("text, found", [
    (CLAIM, ["c"]),
    (CLAIM.replace("```", "~~~"), ["c"]),
    (CLAIM.replace("```", ":::"), ["c"]),
    (CLAIM.replace("```", "`````"), ["c"]),
    ("\ufeff" + CLAIM.replace("\n", "\r\n"), ["c"]),
    ("---\ntitle: x\n---\n" + CLAIM, ["c"]),
    ("````markdown\n" + CLAIM + "````\n", []),
    ("````\n" + CLAIM + "````\n", []),
    ("````{code-block} markdown\n" + CLAIM + "````\n", []),
    ("````{code-cell} python\n" + CLAIM + "````\n", []),
    ("````{note}\n" + CLAIM + "````\n", ["c"]),
    (":::{solution} ex\n:label: s\n\n" + CLAIM + ":::\n", ["c"]),
    ("::::{solution} ex\n:::{tip}\n" + CLAIM + ":::\n::::\n" + CLAIM, ["c", "c"]),
    ("- item\n\n  " + CLAIM.replace("\n", "\n  ") + "\n", ["c"]),
    ("1. item\n   " + CLAIM.replace("\n", "\n   ") + "\n", ["c"]),
    ("    " + CLAIM.replace("\n", "\n    ") + "\n", []),
    ("<!--\n" + CLAIM + "-->\n" + CLAIM, ["c"]),
    ("text ```{claim} inline``` text\n" + CLAIM, ["c"]),
    ("```python\nx = '''\n```\n" + CLAIM, ["c"]),
    (CLAIM + "\n```{claim}\n:label: d\n1 = 1\n", ["c", "d"]),
    ("", []),
])
def test_scanning(text, found):
    assert labels(text) == found


def test_blocks_know_their_lines_and_options():
    block, = scan("\n\n```{claim} name\n:label: a\n:for: t = 1..T\n\nx = 1\n```\n")
    assert (block.kind, block.name, block.line, block.options) == ("claim", "name", 3,
                                                                   {"label": "a", "for": "t = 1..T"})
    assert block.position(block.body.index("x")) == (7, 1)


def test_an_unclosed_fence_is_an_error():
    result, = check("```{claim}\n:label: c\n1 = 1\n")
    assert result.verdict == "ill-typed" and "not closed" in result.message


@pytest.mark.parametrize("formula, line, column", [
    ("a = \\foo", 6, 5),
    ("a =\n  (b", 7, 3),
    ("a\n  + b\n  = \\frac{a}{c}", 8, 14),
    ("a = b^", 6, 7),
    ("a = b)", 6, 6),
    ("u = u^\\top", 6, 3),
    ("a = u v", 6, 5),
    ("\ta = \\foo", 6, 6),
    ("\\begin{aligned}\na &= b \\\\\n  &= \\bar \\end{aligned}", 8, 24),
])
def test_errors_point_at_their_place(formula, line, column):
    text = f"```{{model}} m\na, b \\in \\mathbb{{R}}, \\quad u, v \\in \\mathbb{{R}}^n\n```\n\n```{{claim}}\n{formula}\n```\n"
    result, = check(text)
    assert result.verdict == "ill-typed"
    assert result.message.startswith(f"line {line}, column {column}: "), result.message
    shown, caret = result.message.split("\n")[-2:]
    assert caret.strip() == "^" and caret.index("^") == column - 1
    assert shown == text.split("\n")[line - 1].replace("\t", " ")


def test_places_in_an_indented_fence_count_from_the_margin():
    result, = check("- item\n\n  ```{claim}\n  1 = \\foo\n  ```\n")
    assert result.message.startswith("line 4, column 7: ")


def test_errors_in_options_name_their_line():
    result, = check("```{claim}\n:label: c\n:for: t = 1..\n1 = 1\n```\n")
    assert result.verdict == "ill-typed" and result.message.startswith("line 3: :for:")
    result, = check("```{claim}\n:fro: t = 1..3\n1 = 1\n```\n")
    assert "fro" in result.message and result.verdict == "ill-typed"


def test_shape_errors_quote_the_factors_as_printed():
    model = "```{model} m\nu, v \\in \\mathbb{R}^n, \\quad A \\in \\mathbb{R}^{n \\times d}\n```\n"
    result, = check(model + "```{claim}\n\\left(u + v\\right) A = 1\n```\n")
    assert r"`\left(u + v\right)`, a column of n, and `A`, an n × d matrix" in result.message
    result, = check(model.replace("\n```\n", "\ny = A u\n```\n") + "```{claim}\ny = 1\n```\n")
    assert "`A`, an n × d matrix, and `u`, a column of n" in result.message and "in the definition of y" in result.message


def test_an_unknown_symbol_suggests_the_nearest():
    result, = check("```{model} m\nW_{hh} \\in \\mathbb{R}\n```\n```{claim}\nW_{h} = 1\n```\n")
    assert "W_{hh}" in result.message


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "models.md").write_text("```{model} shared\na \\in \\mathbb{R}\ny = a^2\n```\n", encoding="utf-8")
    (tmp_path / "good.md").write_text(
        "```{claim}\n:label: square\n:model: shared\n\\frac{dy}{da} = 2 a\n```\n", encoding="utf-8")
    (tmp_path / "sub" / "bad.md").write_text(
        "# Title\n\n```{claim}\n:label: wrong\n:model: shared\ny = a\n```\n", encoding="utf-8")
    return tmp_path


def test_the_command_and_its_exit_status(folder, capsys):
    assert main(["check", str(folder / "good.md")]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{folder / 'good.md'}:1: square: proved (for all values)\n")
    assert out.splitlines()[-1] == "1 claim: 1 proved; 0 not as expected"
    assert main(["check", str(folder)]) == 1
    out = capsys.readouterr().out
    assert f"{folder / 'sub' / 'bad.md'}:3: wrong: false\n    y = a fails\n    left: " in out
    assert main(["check", str(folder / "nothing.md")]) == 2
    assert "nothing.md" in capsys.readouterr().err


def test_the_command_prints_json(folder, capsys):
    assert main(["check", str(folder), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(r["label"], r["verdict"], r["line"], r["expected"], r["step"]) for r in found] == [
        ("square", "proved", 1, "true", None), ("wrong", "false", 3, "true", 1)]
    assert set(found[0]) >= {"path", "line", "label", "verdict", "expected", "step", "message", "instances",
                             "max_error"}


def test_a_cached_verdict_is_the_same_at_its_new_place(tmp_path, monkeypatch):
    text = "```{model} m\nu \\in \\mathbb{R}^n, \\quad a \\in \\mathbb{R}\n```\n" \
        "```{claim}\nu = u^\\top\n```\n```{claim}\na^2 = a a\n```\n```{claim}\na = 1\n```\n"
    first = check(text, cache=tmp_path)
    assert len(list(tmp_path.rglob("*.json"))) == 3
    import rnnbook.checker.document as document
    monkeypatch.setattr(document, "try_block", None)
    again = check("\n\n" + text, cache=tmp_path)
    assert [(r.verdict, r.line - 2, r.evidence, r.step) for r in again] == [(r.verdict, r.line, r.evidence, r.step)
                                                                            for r in first]
    assert again[0].message.startswith("line 7, column 3: ")
    monkeypatch.undo()
    changed = check(text.replace("a \\in \\mathbb{R}", "a \\in \\{1\\}"), cache=tmp_path)
    assert changed[2].verdict == "proved"
    for path in tmp_path.rglob("*.json"):
        path.write_text("[broken", encoding="utf-8")
    assert [r.verdict for r in check(text, cache=tmp_path)] == [r.verdict for r in first]


def test_the_text_of_a_document_and_its_path_give_the_same(folder):
    path = folder / "good.md"
    library = {"shared": "a \\in \\mathbb{R}\ny = a^2"}
    assert [r.verdict for r in check(path)] == [r.verdict for r in check(str(path))] == \
        [r.verdict for r in check(path.read_text(encoding="utf-8"), library=library)] == ["proved"]
