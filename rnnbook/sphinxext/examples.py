"""Code on a page has run: ``>>>`` examples are executed and compared, functions are shown from their source.

``{code-cell}`` belongs to MyST-NB, whose output cannot differ from what the code gave. This module sees to the rest.
"""

import ast
import contextlib
import doctest
import importlib
import inspect
import io
import textwrap

from docutils import nodes
from sphinx import addnodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)
_parser = doctest.DocTestParser()


class Doctest(SphinxDirective):
    """A block of ``>>>`` lines with the output that they must give."""

    has_content = True

    def run(self):
        self.assert_has_content()
        text = "\n".join(self.content)
        node = nodes.doctest_block(text, text, language="pycon")
        self.set_source_info(node)
        return [node]


def _resolve(name):
    """The object of a dotted name, importing as much of it as is a module."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        with contextlib.suppress(ModuleNotFoundError):
            found = importlib.import_module(".".join(parts[:length]))
            break
    else:
        raise ImportError(f"no module of the name {parts[0]!r}")
    for part in parts[length:]:
        found = getattr(found, part)
    return found


def source_without_docstring(function):
    """The lines of a function as they stand in its file, less the docstring (which the API page shows)."""
    lines = inspect.getsource(function).splitlines()
    definition = ast.parse(textwrap.dedent("\n".join(lines))).body[0]
    first = definition.body[0]
    if ast.get_docstring(definition, clean=False) is not None:
        del lines[first.lineno - 1 : first.end_lineno]
    return "\n".join(lines).rstrip()


class Source(SphinxDirective):
    """``{source} rnnbook.module.function``: the function as it is, linked to its entry in the API."""

    required_arguments = 1

    def run(self):
        name = self.arguments[0]
        try:
            code = source_without_docstring(_resolve(name))
        except (ImportError, AttributeError, TypeError) as problem:
            raise self.error(f"cannot show the source of {name}: {problem}") from problem
        block = nodes.literal_block(code, code, language="python", classes=["source"])
        block["highlight_args"] = {"linespans": name}  # each line by itself: the style sheet lets it go on below
        self.set_source_info(block)
        # what is private has no entry in the API to link to
        role = "" if name.rpartition(".")[2].startswith("_") else "{py:obj}"
        line = nodes.paragraph("", "", *self.parse_inline(f"{role}`{name}`")[0], classes=["source-of"])
        return [line, block]


class Shown(SphinxDirective):
    """Text of a page as it is written, and below it what becomes of it."""

    has_content = True

    def run(self):
        self.assert_has_content()
        text = "\n".join(self.content)
        source = nodes.literal_block(text, text, language="text", classes=["shown"])
        self.set_source_info(source)
        return [source, *self.parse_content_to_nodes()]


def _namespace(node):
    """What the examples of one docstring, or of one page, share: ``(key, initial globals)``."""
    while node is not None and not isinstance(node, addnodes.desc):
        node = node.parent
    if node is None:
        return None, {}
    signature = node.next_node(addnodes.desc_signature)
    return id(node), vars(importlib.import_module(signature["module"]))


def run_examples(app, doctree):
    """Execute every ``>>>`` block of a page in order; a difference is a warning, which stops the build."""
    blocks = (node for node in doctree.findall() if isinstance(node, (nodes.doctest_block, nodes.literal_block)))
    blocks = [node for node in blocks if node.astext().lstrip().startswith(">>>")]
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    shared = {}
    for node in blocks:
        key, initial = _namespace(node)
        test = _parser.get_doctest(node.astext(), {}, app.env.docname, None, 0)
        test.globs = shared.setdefault(key, {"__name__": "__main__", **initial})
        report = io.StringIO()
        runner.run(test, out=report.write, clear_globs=False)
        if report.getvalue():
            logger.warning("an example does not give what it says:\n%s", report.getvalue().rstrip(), location=node)


def refuse_idle_code(app, doctree):
    """Python that a page shows but does not run could say anything."""
    for node in doctree.findall(nodes.literal_block):
        in_cell = isinstance(node.parent, nodes.container) and node.parent.get("nb_element")
        shown_from_source = "source" in node["classes"]
        idle = node.get("language") in {"python", "python3", "py", "ipython3"} and not in_cell and not shown_from_source
        if idle and not node.astext().lstrip().startswith(">>>"):
            logger.warning("Python that does not run: use {code-cell}, {doctest} or {source}", location=node)


def refuse_tracebacks(app, doctree):
    """An error while a figure is drawn does not fail its cell: the traceback is all that tells."""
    for node in doctree.findall(nodes.literal_block):
        cell = node.parent.parent if node.parent is not None else None
        expected = isinstance(cell, nodes.container) and "tag_raises-exception" in cell["classes"]
        if "traceback" in node["classes"] and not expected:
            logger.warning("a cell raised:\n%s", node.astext(), location=node)


def refuse_broken_fences(app, doctree):
    """A fence that was not recognised is printed as text, directive and all."""
    for node in doctree.findall(nodes.Text):
        literal = isinstance(node.parent, (nodes.literal, nodes.literal_block, nodes.FixedTextElement, nodes.math, nodes.math_block))
        if not literal and any(mark in node for mark in ("```{", "~~~{", ":::")):
            logger.warning("a fence that is not closed, or not opened, as it should be: %.60s", node, location=node.parent)


def setup(app):
    app.add_directive("doctest", Doctest)
    app.add_directive("source", Source)
    app.add_directive("shown", Shown)
    app.connect("doctree-read", run_examples)
    app.connect("doctree-read", refuse_idle_code)
    app.connect("doctree-read", refuse_tracebacks)
    app.connect("doctree-read", refuse_broken_fences)
