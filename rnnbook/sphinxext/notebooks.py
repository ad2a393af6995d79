"""Every page that computes can be downloaded as the notebook that was executed."""

import contextlib
import pathlib

import nbformat
from jupyter_cache import get_cache


def offer_notebook(app, pagename, templatename, context, doctree):
    """Put the executed notebook beside the page's source, where the theme's download button looks for it."""
    out = pathlib.Path(app.outdir)
    executed = out.parent / "jupyter_execute" / f"{pagename}.ipynb"  # MyST-NB's place
    if app.builder.format != "html" or not executed.is_file():
        return
    notebook = nbformat.read(executed, as_version=4)
    # where only the prose has changed MyST-NB takes the outputs from its store, and leaves them out of the file
    with contextlib.suppress(KeyError):
        _, notebook = get_cache(app.config.nb_execution_cache_path).merge_match_into_notebook(notebook, cell_meta=())
    # cells are named at random; the same sources give the same file
    for place, cell in enumerate(notebook.cells):
        if "id" in cell:
            cell.id = f"cell-{place}"
    target = out / "_sources" / f"{pagename}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    context["ipynb_source"] = f"{pagename}.ipynb"


def setup(app):
    app.connect("html-page-context", offer_notebook, priority=100)  # before the theme makes its buttons
