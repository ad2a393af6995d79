"""The build is strict, repeatable, and never shows what is stale."""

import filecmp
import re
import shutil

import nbformat
from building import ROOT, sphinx

HEAD = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n"
INDEX = "# Small\n\n```{{toctree}}\n:numbered:\n\n{}\n```\n"
GOOD = HEAD + """# A page

(here)=
## A section

```{model} line
w, x \\in \\mathbb{R}
y = w x
```

```{claim}
:label: eq-slope
\\frac{\\partial y}{\\partial w} = x
```

By {eq}`eq-slope` and {ref}`here`, and by {numref}`ex-one`:

```{doctest}
>>> 2 + 2
4
```

```{code-cell} python
from rnnbook import softmax
print(softmax.softmax([0.0, 0.0]))
```

:::{exercise} One
:label: ex-one
What is it?
:::

:::{solution} ex-one
It is.
:::
"""

# page: its text, the line that the build must name, and a piece of what it must say
BROKEN = {
    "doctest": ("# A\n\nText.\n\n```{doctest}\n>>> 2 + 2\n5\n```\n", 5, "an example does not give what it says"),
    "cell": (HEAD + "# A\n\n```{code-cell} python\nraise RuntimeError('no')\n```\n", 10, "RuntimeError"),
    "noise": (HEAD + "# A\n\n```{code-cell} python\nimport sys; print('hm', file=sys.stderr)\n```\n", 10, "stderr"),
    "reference": ("# A\n\nSee {ref}`nowhere`.\n", 3, "nowhere"),
    "equation": ("# A\n\nSee {eq}`eq-nowhere`.\n", 3, "eq-nowhere"),
    "citation": ("# A\n\nSee {cite}`nobody1900`.\n", 3, "nobody1900"),
    "labels": ("# A\n\n" + "".join(f"```{{claim}}\n:label: {label}\n1 = 1\n```\n\n" for label in ("eq-one", "eq-One")), 8, "not told apart"),
    "unchecked": ("# A\n\n```{math}\na = b\n```\n", 3, "an equation that is not checked"),
    "dollars": ("# A\n\n$$a = b$$\n", 3, "an equation that is not checked"),
    "katex": ("# A\n\nInline $\\frac{a$ here.\n", 3, "KaTeX"),
    "false": (GOOD.replace("= x\n", "= -x\n"), 16, ": false"),
    "true": (GOOD.replace(":label: eq-slope\n", ":label: eq-slope\n:expect: false\n"), 16, "but it was expected to be false"),
    "ill-typed": (GOOD.replace("= x\n", "= z\n"), 16, "ill-typed"),
    "python": ("# A\n\n```python\nprint('did I run?')\n```\n", 3, "Python that does not run"),
    "unsolved": ("# A\n\n:::{exercise} Hard\n:label: ex-hard\nWhy?\n:::\n", 3, "exercise without a solution"),
    "source": ("# A\n\n```{source} rnnbook.softmax.no_such_function\n```\n", 3, "no_such_function"),
}


def write(folder, pages):
    folder.mkdir()
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text)
    (folder / "index.md").write_text(INDEX.format("\n".join(pages)))
    (folder / "equations.md").write_text("---\norphan: true\n---\n# Checks\n\n```{equation-table}\n```\n")


def test_good_book_builds(tmp_path):
    write(tmp_path / "book", {"good": GOOD})
    done = sphinx(tmp_path / "book", tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "html" / "good.html").read_text()
    assert "(1.1)" in page and "Exercise 1.1" in page and "#check-eq-slope" in page


def test_each_defect_is_refused_with_its_place(tmp_path):
    pages = {page: text for page, (text, _, _) in BROKEN.items()}
    for page in pages:  # names are unique over a whole book
        for name in ("} line", "eq-slope", "(here", "`here", "ex-one"):
            pages[page] = pages[page].replace(name, f"{name}-{page}")
    write(tmp_path / "book", pages)
    done = sphinx(tmp_path / "book", tmp_path)
    assert done.returncode == 1
    # one report for each place; what belongs to it may go on for several lines
    reports = re.split(r"^(?=\S*\.md:\d+)", done.stderr, flags=re.MULTILINE)
    missing = {
        page: f"{page}.md:{line} … {say}"
        for page, (_, line, say) in BROKEN.items()
        if not any(re.search(rf"\b{page}\.md:{line}\b", report) and say in report for report in reports)
    }
    assert not missing, done.stderr


PRINTING = HEAD + """# Printing

```{code-cell} python
import time
from IPython.display import Markdown, display
print("beginning", end=" ")
time.sleep(0.5)
print("and end")
print("next line")
```

```{code-cell} python
print("before")
display(Markdown("between"))
print("after")
```
"""


def test_what_a_cell_prints_is_shown_and_kept_as_it_was_printed(tmp_path):
    write(tmp_path / "book", {"printing": PRINTING})
    done = sphinx(tmp_path / "book", tmp_path)
    assert done.returncode == 0, done.stderr
    notebook = nbformat.read(tmp_path / "html" / "_sources" / "printing.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert [cell.id for cell in notebook.cells] == [f"cell-{place}" for place in range(len(notebook.cells))]
    lines, parts = [[output.get("text") for output in cell.outputs] for cell in notebook.cells if cell.cell_type == "code"]
    assert lines == ["beginning and end\nnext line\n"]
    assert parts == ["before\n", None, "after\n"]
    page = re.sub(r"<[^>]*>", "", (tmp_path / "html" / "printing.html").read_text())
    assert "beginning and end\nnext line\n" in page
    assert re.search(r"\nbefore\n\s*between\s*after\n", page)


def project_copy(folder):
    """The package and the configuration, with a small book that shows what the package computes."""
    shutil.copytree(ROOT / "rnnbook", folder / "rnnbook", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "book" / "_kernel", folder / "book" / "_kernel")
    for name in ("_static", "_inventories", "_latex"):
        shutil.copytree(ROOT / "book" / name, folder / "book" / name)
    shutil.copy(ROOT / "book" / "references.bib", folder / "book")
    shutil.copy(ROOT / "conf.py", folder)
    (folder / "book" / "good.md").write_text(GOOD)
    (folder / "book" / "index.md").write_text(INDEX.format("good"))
    (folder / "book" / "equations.md").write_text("---\norphan: true\n---\n# Checks\n\n```{equation-table}\n```\n")


def test_pages_follow_the_package_and_rest_otherwise(tmp_path):
    project_copy(tmp_path)

    def build():
        done = sphinx(tmp_path / "book", tmp_path / "build", project=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout, (tmp_path / "build" / "html" / "good.html").read_text()

    first, page = build()
    assert "Executing notebook" in first and "[0.5 0.5]" in page
    second, _ = build()
    assert "Executing notebook" not in second and "0 added, 0 changed, 0 removed" in second
    with (tmp_path / "book" / "good.md").open("a") as text:
        text.write("\nA last word.\n")
    prose, page = build()
    assert "Executing notebook" not in prose and "[0.5 0.5]" in page and "A last word." in page
    notebook = (tmp_path / "build" / "html" / "_sources" / "good.ipynb").read_text()
    assert "[0.5 0.5]" in notebook and "A last word." in notebook
    with (tmp_path / "rnnbook" / "softmax.py").open("a") as module:
        module.write("\n\ndef softmax(logits):\n    return 'something else'\n")
    third, page = build()
    assert "Executing notebook" in third and "something else" in page and "[0.5 0.5]" not in page


def test_same_sources_same_bytes(site, tmp_path):
    done = sphinx(ROOT / "book", tmp_path)
    assert done.returncode == 0, done.stderr
    files = sorted(path.relative_to(site) for path in site.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(tmp_path / "html") for path in (tmp_path / "html").rglob("*") if path.is_file())
    _, different, failed = filecmp.cmpfiles(site, tmp_path / "html", files, shallow=False)
    assert not different and not failed
