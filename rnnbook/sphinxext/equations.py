"""``{model}``, ``{claim}`` and ``{derivation}``: displayed equations that are checked when the book is built.

A document's claims are checked before it is read, by the same :func:`rnnbook.check` that readers use. Each becomes an ordinary numbered
equation with a quiet mark of its verdict, which links to its line in the table of all equations (``{equation-table}``). What is not as
expected is a warning with page, line and counterexample, and so stops a strict build.
"""

import collections
import html
import pathlib

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.builders.latex.nodes import math_reference
from sphinx.directives.patches import MathDirective
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from rnnbook.checker import check, scan
from rnnbook.sphinxext.counterexamples import counterexample
from rnnbook.sphinxext.typeset import typeset_claim, typeset_model

logger = logging.getLogger(__name__)

# a claim that could not be decided is a warning, which stops a strict build; a lenient one still has to write its page
MARKS = {"undecided": "?", "proved": "✓", "holds": "✓", "false": "✗", "ill-typed": "✗"}
MEANING = {
    "proved": "Proved: both sides are equal as symbolic expressions.",
    "holds": "Holds, to rounding, on every random instance.",
    "false": "Wrong, and shown as wrong: the sides differ.",
    "ill-typed": "Wrong, and shown as wrong: it has no meaning.",
    "undecided": "Not decided within the time limit.",
}

# Seconds for an equation, many times what the longest takes: proofs end by their own count of steps, and a busy machine that ended one
# earlier would write another page.
PATIENCE = 60.0


class checked(nodes.General, nodes.Element):
    """A checked equation with its mark; ``result`` is what the checker found."""


class equation_table(nodes.General, nodes.Element):
    """The place of the table of all equations, filled when all pages are known."""


# --- checking, before a page is read -----------------------------------------------------------------------------------------


def _read(env, docname):
    path = pathlib.Path(env.doc2path(docname))
    return path, path.read_text(encoding="utf-8") if path.suffix == ".md" else ""


def note_models(app, env, added, changed, removed):
    """Collect the models of all chapters; when one has changed, every page with checked equations is out of date."""
    library = {}
    for docname in sorted(env.found_docs):
        for block in scan(_read(env, docname)[1]):
            if block.kind == "model":
                library.setdefault(block.name, block)
    env.rnnbook_library = library
    models = {name: (block.options, block.body) for name, block in library.items()}
    if models == getattr(env, "rnnbook_models", None):
        return []
    env.rnnbook_models = models
    return [docname for docname in getattr(env, "rnnbook_results", {}) if docname in env.found_docs]


def _check(env, text, path, location=None):
    """The results by kind and label; what is not as expected is a warning."""
    results = check(text, path=path, library=env.rnnbook_library, seconds=PATIENCE, cache=env.config.rnnbook_check_cache or None)
    for result in results:
        if not result.ok:
            expectation = f", but it was expected to be {result.expected}" if result.expected != "true" else ""
            problem = f"{result.label or result.kind}: {result.verdict}{expectation}\n{result.message or ''}"
            place = location or f"{path}:{result.line}"
            logger.warning(problem, location=place, type="rnnbook", subtype="equation")
    return {(result.kind, result.label): result for result in results}


def check_documents(app, env, docnames):
    """Check the claims of each page that is about to be read."""
    if not hasattr(env, "rnnbook_results"):
        env.rnnbook_results = {}
    env.rnnbook_just_read = list(docnames)
    for docname in docnames:
        path, text = _read(env, docname)
        results = env.rnnbook_results[docname] = _check(env, text, str(path))
        if results:
            # in the log and not on the page: the same sources give the same pages
            seconds = sum(result.seconds for result in results.values())
            logger.info("%s: checked %d equations in %.1f s", docname, len(results), seconds)


# --- the directives ----------------------------------------------------------------------------------------------------------


class _AnyOption(dict):
    """The checker reads the options, and refuses those it does not know: Sphinx passes them all on."""

    def __bool__(self):
        return True

    def __getitem__(self, name):
        return directives.unchanged


class Equation(MathDirective):
    """A claim or a derivation; all are numbered, and each has a label of its own."""

    option_spec = _AnyOption()
    required_arguments = 0
    optional_arguments = 0

    def run(self):
        label = self.equation_label()
        place = nodes.make_id(f"equation-{label}")
        if place in self.state.document.ids:
            raise self.error(f"the label {label!r} is not told apart from another on this page: HTML takes no notice of case and punctuation")
        latex = self.latex()
        node = nodes.math_block(latex, latex, docname=self.env.docname, number=None, label=label, classes=[self.name])
        self.set_source_info(node)
        equation = [node]
        self.add_target(equation)
        result = self.result(label)
        wrapper = checked("", *equation, kind=self.name, label=label, result=result, number=None)
        if "given" in self.options:
            # the checker's text form of an assumption is LaTeX but for the dots of a range
            assumption = nodes.math("", self.options["given"])
            wrapper += nodes.paragraph("", "given ", assumption, classes=["assumption"])
        if result is not None and result.expected == "false":
            wrapper += nodes.container("", *counterexample(result.message), classes=["counterexample"])
        return [wrapper]

    def latex(self):
        self.assert_has_content()
        return typeset_claim("\n".join(self.content))

    def result(self, label):
        """What the checker found: before the page was read, or now for an equation in a docstring."""
        known = self.env.rnnbook_results[self.env.docname]
        if (self.name, label) not in known and self.name != "model":
            options = "".join(f":{name}: {value}\n" for name, value in self.options.items())
            text = f"```{{{self.name}}}\n{options}\n" + "\n".join(self.content) + "\n```\n"
            source, line = self.get_source_info()
            known |= _check(self.env, text, source, location=f"{source}:{line}")
        return known.get((self.name, label))

    def equation_label(self):
        if "label" not in self.options:
            raise self.error(f"a {self.name} needs a :label:, by which readers and the table of all equations find it")
        return self.options["label"]


class Model(Equation):
    """``{model} name``: what the symbols are. Its label, unless it has one, is ``model-name``."""

    required_arguments = 1

    def latex(self):
        return typeset_model("\n".join(self.content), self.options)

    def equation_label(self):
        return self.options.get("label", f"model-{self.arguments[0]}")


class Math(MathDirective):
    """A displayed equation that is not checked has to say why."""

    option_spec = {**MathDirective.option_spec, "unchecked": directives.unchanged_required}

    def run(self):
        result = super().run()
        equation = next(node for node in result if isinstance(node, nodes.math_block))
        equation["unchecked"] = self.options.get("unchecked")
        equation.children = [nodes.Text(typeset_claim(equation.astext()))]
        return result


class EquationTable(SphinxDirective):
    def run(self):
        return [equation_table()]


def refuse_unchecked(app, doctree):
    for node in doctree.findall(nodes.math_block):
        if not isinstance(node.parent, checked) and not node.get("unchecked"):
            logger.warning(
                "an equation that is not checked: make it a {claim}, or give {math} the reason as :unchecked:",
                location=node,
                type="rnnbook",
                subtype="equation",
            )


# --- the table of all equations ----------------------------------------------------------------------------------------------


def _chapters(env):
    """The documents in reading order."""
    order, todo = [], [env.config.root_doc]
    while todo:
        docname = todo.pop(0)
        order.append(docname)
        todo = list(env.toctree_includes.get(docname, ())) + todo
    return order


def _number(env, docname, equation):
    return ".".join(map(str, env.toc_fignumbers.get(docname, {}).get("displaymath", {}).get(equation["ids"][0], ())))


def _link(app, here, docname, equation):
    if app.builder.format == "latex":
        return math_reference("", "", docname=docname, target=equation["label"])
    uri = f"{app.builder.get_relative_uri(here, docname)}#{equation['ids'][0]}"
    return nodes.reference("", f"({_number(app.env, docname, equation)})", internal=True, refuri=uri)


def fill_table(app, doctree, docname):
    """Write the table: totals, then chapter by chapter each equation's number, label, verdict and evidence."""
    for place in list(doctree.findall(equation_table)):
        results, reasons, chapters = [], collections.Counter(), []
        for chapter in _chapters(app.env):
            rows = []
            for node in app.env.get_doctree(chapter).findall(nodes.math_block):
                if node.get("unchecked"):
                    reasons[node["unchecked"]] += 1
                wrapper = node.parent
                if isinstance(wrapper, checked) and wrapper["result"] is not None and wrapper["kind"] != "model":
                    results.append(wrapper["result"])
                    rows.append((chapter, node, wrapper))
            if rows:
                chapters.append((chapter, rows))
        new = _totals(results, reasons)
        for chapter, rows in chapters:
            title = app.env.titles[chapter].astext()
            section = nodes.section("", nodes.title("", title), ids=[f"equations-{chapter}"])
            section += _table(app, docname, rows)
            new.append(section)
        place.replace_self(new)


def _totals(results, reasons):
    """How many equations there are, and what became of them."""
    verdicts = collections.Counter(result.verdict for result in results if result.expected == "true")
    wrong = sum(result.expected == "false" for result in results)
    text = (
        f"{len(results)} equations and derivations are checked. {verdicts['proved']} are proved, {verdicts['holds']} hold on random "
        f"instances, and {wrong} are wrong on purpose: they are refused, as they should be. "
    )
    if not reasons:
        return [nodes.paragraph("", f"{text} No displayed equation is left unchecked.")]
    # what stands behind the first comma tells one place from another; here the kinds are counted
    kinds = collections.Counter()
    for reason, count in reasons.items():
        kinds[reason.partition(",")[0]] += count
    text += f"{kinds.total()} more are displayed and not checked, with the reason in the source:"
    items = [nodes.list_item("", nodes.paragraph("", f"{kind} ({count})")) for kind, count in sorted(kinds.items())]
    return [nodes.paragraph("", text), nodes.bullet_list("", *items)]


def _table(app, here, rows):
    widths = (16, 20, 64)
    group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in widths), cols=len(widths))
    table = nodes.table("", group, classes=["equation-table", "longtable"])
    titles = ("No.", "Verdict", "Evidence")
    group += nodes.thead("", nodes.row("", *(nodes.entry("", nodes.paragraph("", title)) for title in titles)))
    body = nodes.tbody()
    for docname, node, wrapper in rows:
        result = wrapper["result"]
        cells = (
            # the anchor stands in a node of its own, because a row has none in LaTeX
            [nodes.target("", "", ids=[f"check-{result.label}"]), _link(app, here, docname, node)],
            [nodes.Text(f"{result.verdict}, as stated" if result.expected == "false" else result.verdict)],
            [nodes.Text(result.evidence or MEANING.get(result.verdict, ""))],
        )
        body += nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *cell)) for cell in cells))
    group += body
    return table


def table_is_stale(app, env):
    """The table shows what other pages hold: write it again whenever one was read."""
    if not env.rnnbook_just_read:
        return []
    return [docname for docname in env.found_docs if any(env.get_doctree(docname).findall(equation_table))]


# --- writing -----------------------------------------------------------------------------------------------------------------


def visit_checked_html(translator, node):
    result = node["result"]
    wrong = " wrong" if result is not None and result.expected == "false" else ""
    translator.body.append(f'<div class="checked{wrong}">\n')
    if wrong:
        translator.body.append('<p class="wrong-title">Wrong, as the checker shows</p>\n')


def depart_checked_html(translator, node):
    result = node["result"]
    if result is not None and node["kind"] != "model":
        builder = translator.builder
        uri = builder.get_relative_uri(builder.current_docname, "equations") + f"#check-{result.label}"
        text = html.escape(f"{MEANING[result.verdict]} {result.evidence or ''}".strip())
        translator.body.append(
            f'<details class="verdict {result.verdict}"><summary aria-label="{result.verdict}">{MARKS[result.verdict]}</summary>'
            f'<div class="verdict-text">{text} <a href="{uri}">All equations</a></div></details>\n'
        )
    translator.body.append("</div>\n")


def visit_checked_latex(translator, node):
    result = node["result"]
    mark = ""
    if result is not None and node["kind"] != "model":
        target = translator.idescape(f"equations:check-{result.label}")
        mark = rf"\hyperref[{target}]{{\rnnverdict{{{MARKS[result.verdict]}}}}}"
    if result is not None and result.expected == "false":
        translator.body.append("\n\\begin{rnnwrong}\n")
    translator.body.append(f"\\begingroup\\def\\rnnmark{{{mark}}}%\n")


def depart_checked_latex(translator, node):
    translator.body.append("\\endgroup\n")
    if node["result"] is not None and node["result"].expected == "false":
        translator.body.append("\\end{rnnwrong}\n")


def setup(app):
    app.add_config_value("rnnbook_check_cache", None, "", (str, type(None)))
    app.connect("env-get-outdated", note_models)
    app.connect("env-before-read-docs", check_documents)
    app.connect("doctree-read", refuse_unchecked)
    app.connect("env-updated", table_is_stale)
    app.connect("doctree-resolved", fill_table)
    app.add_node(checked, html=(visit_checked_html, depart_checked_html), latex=(visit_checked_latex, depart_checked_latex))
    app.add_node(equation_table)
    app.add_directive("model", Model)
    app.add_directive("claim", Equation)
    app.add_directive("derivation", Equation)
    app.add_directive("math", Math, override=True)
    app.add_directive("equation-table", EquationTable)
