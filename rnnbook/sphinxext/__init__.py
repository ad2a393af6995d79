"""The Sphinx extension that makes the book: checked equations, exercises, executed examples, typeset mathematics.

Each module is an extension of its own with a ``setup``; this one switches them all on.
"""

from rnnbook import __version__
from rnnbook.sphinxext import blocks, equations, examples, mathematics, notebooks, numbering, paper


def setup(app):
    for part in (numbering, mathematics, equations, blocks, examples, notebooks, paper):
        part.setup(app)
    return {"version": __version__, "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
