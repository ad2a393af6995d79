"""The models of the book by name: the copy in the package equals the chapters, and an installed package has it."""
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rnnbook.checker import book_models, check, library_of
from rnnbook.checker.collect import collect
from rnnbook.checker.command import main
from rnnbook.checker.library import FILE, chapters
from rnnbook.checker.model import read_model

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"


def test_the_copy_in_the_package_equals_the_chapters():
    assert FILE.read_text(encoding="utf-8") == collect(BOOK), "run `python -m rnnbook.checker.collect book` and commit what it writes"


def test_no_model_of_the_book_is_missing():
    named = library_of(sorted(BOOK.glob("*.md")))
    assert set(book_models()) == set(named)
    assert {chapter.name for chapter in chapters()} <= {path.stem for path in BOOK.glob("*.md")}


def test_every_model_of_the_book_can_be_read_and_used():
    for name in book_models():
        result, = check("```{claim}\n1 = 1\n```\n", model=name, proof_seconds=0)
        assert result.verdict == "holds", (name, result.message)


@pytest.mark.parametrize("name, symbols", [("elman", ("W", "U", "h", "L", "\\delta")), ("lstm", ("W_{f}", "C", "\\gamma")), ("gru", ("W_{r}",))])
def test_the_models_that_a_lecturer_looks_for(name, symbols):
    block = book_models()[name]
    assert set(symbols) <= set(read_model(name, block.body, {}).names())


def test_a_document_wins_over_the_option_and_over_the_book(tmp_path):
    own = "~~~{model} elman\nL = 1\n~~~\n~~~{claim}\nL = 1\n~~~\n"
    assert [r.verdict for r in check(own, model="lstm", proof_seconds=0)] == ["holds"]
    assert [r.verdict for r in check("~~~{claim}\n:model: elman\n\\nabla_b L = \\sum_{t=1}^T \\alpha_t\n~~~\n" + own, model="lstm",
                                     proof_seconds=0)] == ["holds", "holds"]
    (tmp_path / "models.md").write_text("~~~{model} elman\nL = 2\n~~~\n", encoding="utf-8")
    (tmp_path / "a.md").write_text("~~~{claim}\nL = 2\n~~~\n", encoding="utf-8")
    assert [r.verdict for r in check(tmp_path / "a.md", model="elman", proof_seconds=0)] == ["holds"]
    assert main(["check", str(tmp_path), "--model", "elman"]) == 0
    assert [r.verdict for r in check("~~~{claim}\nL = 2\n~~~\n", model="elman", library={"elman": "L = 2"}, proof_seconds=0)] == ["holds"]


def test_the_list_of_models(capsys):
    assert main(["models"]) == 0
    listed = capsys.readouterr().out
    assert "LSTM (lstm)\n  lstm                     W_f, W_i, W_o, W_c, " in listed
    assert all(f"\n  {name} " in listed for name in book_models())
    assert main(["models", "rnn"]) == 0 and "  elman  " in capsys.readouterr().out
    assert main(["models", "lstm-one"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("```{model} lstm\n") and "```{model} lstm-one\n:extends: lstm\n:T: 1\n" in shown
    assert [r.ok for r in check(shown + "```{claim}\nC_1 = f_1 \\odot C_0 + i_1 \\odot \\tilde C_1\n```\n", proof_seconds=0)] == [True]
    assert main(["models", "lsmt"]) == 2 and "did you mean 'lstm'?" in capsys.readouterr().err


def test_an_installed_package_has_the_models(tmp_path):
    """The package as a wheel holds it, unpacked far from the book."""
    build = f"from flit_core.buildapi import build_wheel; build_wheel({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=ROOT, check=True, capture_output=True)
    wheel, = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    (tmp_path / "homework.tex").write_text("\\[ \\nabla_{b_f} L = \\sum_{t=1}^{T} \\alpha^{(f)}_t \\]\n", encoding="utf-8")
    script = "import rnnbook; print(rnnbook.__file__, rnnbook.check('homework.tex', model='lstm', proof_seconds=0)[0].verdict)"
    ran = subprocess.run([sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, 'site'); {script}"], cwd=tmp_path, text=True,
                         capture_output=True, check=True)
    assert ran.stdout.split()[0].endswith("site/rnnbook/__init__.py") and ran.stdout.split()[1] == "holds"
