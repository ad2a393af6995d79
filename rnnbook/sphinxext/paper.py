"""What the printed book does otherwise than the site: nothing can be unfolded on paper, and nothing is looked up elsewhere."""

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform

from rnnbook.sphinxext.blocks import solution_block


class PaperTransform(SphinxPostTransform):
    default_priority = 900  # all references are resolved by then: what moves keeps its links
    formats = ("latex",)


class SolutionsAtTheEnd(PaperTransform):
    """A chapter's solutions stand in a section of their own at its end."""

    def run(self, **kwargs):
        for chapter in self.document.findall(addnodes.start_of_file):
            solutions = list(chapter.findall(solution_block))
            top = next(chapter.findall(nodes.section), None)
            if not solutions or top is None:
                continue
            for node in solutions:
                node.parent.remove(node)
            top += nodes.section("", nodes.title("", "Solutions"), *solutions, ids=[f"{top['ids'][0]}-solutions"])


class HiddenCodeLeftOut(PaperTransform):
    """Code that a page folds away, for a figure say, is not printed."""

    def run(self, **kwargs):
        for cell in self.document.findall(nodes.container):
            if "tag_hide-input" in cell["classes"]:
                cell.children = [child for child in cell.children if child.get("nb_element") != "cell_code_source"]


class BibliographyOnce(PaperTransform):
    """LaTeX sets the references under a heading of its own; the page that holds them on the site would be a second one."""

    def run(self, **kwargs):
        for chapter in list(self.document.findall(addnodes.start_of_file)):
            if chapter["docname"] == "bibliography":
                chapter.parent.remove(chapter)


def setup(app):
    for transform in (SolutionsAtTheEnd, HiddenCodeLeftOut, BibliographyOnce):
        app.add_post_transform(transform)
