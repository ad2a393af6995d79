"""Mathematics in HTML, typeset by KaTeX when the book is built; in LaTeX, with the numbers that HTML shows.

A page needs no JavaScript and no network to show a formula, nothing moves while it loads, and a LaTeX mistake is a warning of the
build with the page and line it comes from.
"""

import atexit
import functools
import json
import pathlib
import re

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)
KATEX = pathlib.Path(__file__).parent / "katex"

# The engine's own exceptions quote the whole of KaTeX's source: catch in JavaScript, and hand back the message alone.
_RENDER = """(latex, display) => {
    try { return {html: katex.renderToString(latex, {displayMode: display, strict: 'error', trust: false})} }
    catch (error) { return {error: error.message} }
}"""


@functools.cache
def _engine():
    from py_mini_racer import MiniRacer

    engine = MiniRacer()
    atexit.register(engine.close)  # an engine that is still open when Python ends can keep it from ending
    engine.eval((KATEX / "katex.min.js").read_text(encoding="utf-8"))
    engine.eval(f"const render = {_RENDER}")
    return engine


@functools.cache
def render(latex, display):
    """HTML (with MathML for readers who listen) of a formula; raises ``ValueError`` with KaTeX's message."""
    answer = json.loads(_engine().eval(f"JSON.stringify(render({json.dumps(latex)}, {json.dumps(display)}))"))
    if "error" in answer:
        raise ValueError(answer["error"])
    return answer["html"]


def _rendered(translator, node, display):
    latex = node.astext()
    try:
        return render(latex, display)
    except ValueError as problem:
        logger.warning("%s", problem, location=node, type="rnnbook", subtype="mathematics")
        return translator.encode(latex)


def visit_math_html(translator, node):
    translator.body.append(f'<span class="math notranslate nohighlight">{_rendered(translator, node, False)}</span>')
    raise nodes.SkipNode


def visit_math_block_html(translator, node):
    number = get_node_equation_number(translator, node) if node["number"] else None
    classes = " ".join(["math", "notranslate", "nohighlight", *(["numbered"] if number else [])])
    translator.body.append(translator.starttag(node, "div", CLASS=classes))
    # a wide formula scrolls in its own box: keyboard users must be able to reach that box
    translator.body.append('<div class="formula" tabindex="0">' + _rendered(translator, node, True) + "</div>")
    if number:
        translator.body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def visit_math_block_latex(translator, node):
    latex = node.astext().strip()
    if node["number"]:
        # Solutions stand elsewhere in print than on the page, so LaTeX's own count would differ: print the page's number.
        fignumbers = translator.builder.env.toc_fignumbers.get(node["docname"], {}).get("displaymath", {})
        number = ".".join(map(str, fignumbers.get(node["ids"][0], (node["number"],))))
        # a tag does not count: without the step all equations of a section would share one target for their links
        begin = rf"\stepcounter{{equation}}\begin{{equation}}\tag{{{number}}}\label{{equation:{node['docname']}:{node['label']}}}"
        end = r"\end{equation}"
    else:
        begin, end = r"\begin{equation*}", r"\end{equation*}"
    translator.body.append(f"{begin}\n{latex}\n{end}\n")
    raise nodes.SkipNode


class PunctuationStays(SphinxPostTransform):
    """A line does not begin with the comma behind a formula: browsers break there, whatever invisible character forbids it."""

    default_priority = 400
    formats = ("html",)

    def run(self, **kwargs):
        for formula in list(self.document.findall(nodes.math)):
            behind = formula.next_node(descend=False, siblings=True)
            mark = behind.astext()[:1] if isinstance(behind, nodes.Text) else ""
            # a longer formula must be free to break within; how a matrix is written makes it no longer
            visible = re.sub(r"\\(begin|end)\{\w+\}|\\\\|&", "", formula.astext())
            if not mark or mark not in ".,;:!?)’”" or len(visible) > 40:
                continue
            # by its place: for a list of children, two texts that read the same are the same
            behind.parent[behind.parent.index(formula) + 1] = nodes.Text(behind.astext()[1:])
            together = nodes.inline("", "", classes=["nobreak"])
            formula.replace_self(together)
            together += [formula, nodes.Text(mark)]


def _add_style_sheet(app, config):
    config.html_static_path.append(str(KATEX / "static"))
    app.add_css_file("katex.min.css")


def setup(app):
    app.connect("config-inited", _add_style_sheet)
    app.add_post_transform(PunctuationStays)
    app.add_html_math_renderer("katex", (visit_math_html, None), (visit_math_block_html, None))
    app.add_node(nodes.math_block, override=True, latex=(visit_math_block_latex, None))
