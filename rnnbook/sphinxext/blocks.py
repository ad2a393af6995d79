"""Theorems, exercises and their solutions: numbered with the chapter, in the same way for every output."""

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

KINDS = ("theorem", "lemma", "corollary", "proposition", "definition", "remark", "example", "algorithm", "exercise")
DIFFICULTY = {1: "warm-up", 2: "standard", 3: "hard", 4: "research question"}


class block(nodes.General, nodes.Element):
    """A numbered block; each kind is a class of its own, because Sphinx numbers by class."""


class block_heading(nodes.Part, nodes.TextElement):
    """The run-in heading of a block: its kind and number come from the block, the children are the title."""


class proof_block(nodes.General, nodes.Element):
    pass


class solution_block(nodes.General, nodes.Element):
    """A worked solution; ``of`` is the label of its exercise."""


# docutils has a `definition` of its own, and looks its visitors up by the class's name
BLOCKS = {kind: type(f"numbered_{kind}", (block,), {"__module__": __name__}) for kind in KINDS}
# Sphinx stores pages by pickling them, and finds a class by its name in its module
globals().update({node.__name__: node for node in BLOCKS.values()})


class NumberedBlock(SphinxDirective):
    """``:::{theorem} Title``: a numbered block that ``{numref}`` refers to by its ``:label:``."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec = {"label": directives.unchanged_required}

    def run(self):
        self.assert_has_content()
        node = BLOCKS[self.name](kind=self.name, docname=self.env.docname)
        self.options["name"] = self.options.get("label") or (
            f"{self.env.docname}-{self.name}-{self.env.new_serialno(self.name)}"
        )
        self.set_source_info(node)
        self.add_name(node)
        title = self.parse_inline(self.arguments[0])[0] if self.arguments else []
        node += block_heading("", "", *title, notes=self.notes())
        node += self.parse_content_to_nodes()
        return [node]

    def notes(self):
        return ""


class Exercise(NumberedBlock):
    """``:::{exercise} Title`` with ``:difficulty:`` 1 to 4 and ``:source:``, the sheet and part that it answers."""

    option_spec = {
        **NumberedBlock.option_spec,
        "difficulty": lambda value: directives.choice(value, tuple(map(str, DIFFICULTY))),
        "source": directives.unchanged_required,
    }

    def notes(self):
        notes = []
        if "difficulty" in self.options:
            notes.append(DIFFICULTY[int(self.options["difficulty"])])
        if "source" in self.options:
            notes.append("source " + self.options["source"])
        return "; ".join(notes)


class Proof(SphinxDirective):
    has_content = True

    def run(self):
        self.assert_has_content()
        return [proof_block("", *self.parse_content_to_nodes())]


class Solution(SphinxDirective):
    """``:::{solution} label-of-the-exercise``."""

    has_content = True
    required_arguments = 1

    def run(self):
        self.assert_has_content()
        target = nodes.fully_normalize_name(self.arguments[0])
        exercise = addnodes.pending_xref(
            "",
            nodes.inline(),
            refdomain="std",
            reftype="numref",
            reftarget=target,
            refdoc=self.env.docname,
            refexplicit=False,
            refwarn=True,
        )
        self.set_source_info(exercise)
        node = solution_block("", block_heading("", "", exercise), *self.parse_content_to_nodes(), of=target)
        self.set_source_info(node)
        return [node]


def check_solutions(app, doctree):
    """Every exercise has its solution, on the same page."""
    solved = {node["of"] for node in doctree.findall(solution_block)}
    known = set()
    for node in doctree.findall(BLOCKS["exercise"]):
        known.update(node["names"])
        if solved.isdisjoint(node["names"]):
            logger.warning("exercise without a solution: %s", ", ".join(node["names"]), location=node)
    for node in doctree.findall(solution_block):
        if node["of"] not in known:
            logger.warning("solution of an exercise that is not on this page: %s", node["of"], location=node)
        for numbered in node.findall(lambda child: isinstance(child, (nodes.figure, nodes.table, block))):
            # in print they would be counted at the chapter's end, on the page where they stand
            logger.warning("a solution cannot hold a numbered figure, table or block", location=numbered)


def _number(translator, node):
    """The number of a block: counted once, over the whole book, for every output."""
    numbers = translator.builder.env.toc_fignumbers.get(node["docname"], {}).get(node["kind"], {})
    return ".".join(map(str, numbers.get(node["ids"][0], ())))


def visit_block_html(translator, node):
    translator.body.append(translator.starttag(node, "div", CLASS=f"block {node['kind']}"))


def depart_div_html(translator, node):
    translator.body.append("</div>\n")


def visit_heading_html(translator, node):
    parent = node.parent
    if isinstance(parent, solution_block):
        translator.body.append("Solution of ")
        return
    translator.body.append(f'<p class="block-heading"><span class="block-number">{parent["kind"].title()} ')
    translator.body.append(f"{_number(translator, parent)}</span> ")
    if node.children:
        translator.body.append('<span class="block-title">')


def depart_heading_html(translator, node):
    if isinstance(node.parent, solution_block):
        translator.body.append("</summary>\n")
        return
    if node.children:
        translator.body.append("</span> ")
    if node.get("notes"):
        translator.body.append(f'<span class="block-notes">{translator.encode(node["notes"])}</span>')
    if isinstance(node.parent, block):
        translator.add_permalink_ref(node.parent, "Link to this block")
    translator.body.append("</p>\n")


def visit_solution_html(translator, node):
    translator.body.append(translator.starttag(node, "details", CLASS="solution") + "<summary>")


def depart_solution_html(translator, node):
    translator.body.append("</details>\n")


def visit_proof_html(translator, node):
    translator.body.append('<div class="proof"><p class="block-heading"><em>Proof.</em></p>\n')


def visit_block_latex(translator, node):
    translator.body.append("\n\\begin{rnnblock}")


def depart_block_latex(translator, node):
    translator.body.append("\\end{rnnblock}\n")


def visit_heading_latex(translator, node):
    parent = node.parent
    if isinstance(parent, solution_block):
        translator.body.append("{Solution of~")
        return
    number = _number(translator, parent)
    labels = "".join(translator.hypertarget(id, anchor=False) for id in parent["ids"])
    translator.body.append(f"{{\\phantomsection\\rnnnumber{{{number}}}{labels}{parent['kind'].title()}~{number}")
    if node.children:
        translator.body.append(" (")


def depart_heading_latex(translator, node):
    if isinstance(node.parent, block) and node.children:
        translator.body.append(")")
    notes = translator.escape(node.get("notes", ""))
    translator.body.append(f"}}{{{notes}}}\n")


def visit_proof_latex(translator, node):
    translator.body.append("\n\\begin{proof}\n")


def depart_proof_latex(translator, node):
    translator.body.append("\\end{proof}\n")


def _name_the_kinds(app, config):
    for kind in KINDS:
        config.numfig_format.setdefault(kind, f"{kind.title()} %s")


def setup(app):
    app.connect("config-inited", _name_the_kinds)
    app.connect("doctree-read", check_solutions)
    for kind, node in BLOCKS.items():
        app.add_enumerable_node(
            node,
            kind,
            # Sphinx numbers only what it finds a title for
            title_getter=lambda node: node["kind"],
            html=(visit_block_html, depart_div_html),
            latex=(visit_block_latex, depart_block_latex),
        )
        app.add_directive(kind, Exercise if kind == "exercise" else NumberedBlock)
    app.add_node(
        block_heading,
        html=(visit_heading_html, depart_heading_html),
        latex=(visit_heading_latex, depart_heading_latex),
    )
    app.add_node(proof_block, html=(visit_proof_html, depart_div_html), latex=(visit_proof_latex, depart_proof_latex))
    app.add_node(
        solution_block, html=(visit_solution_html, depart_solution_html), latex=(visit_block_latex, depart_block_latex)
    )
    app.add_directive("proof", Proof)
    app.add_directive("solution", Solution)
