"""Chapters are numbered through, from one part of the book to the next.

Sphinx starts again at 1 with every ``toctree``; a book has one ``toctree`` for each of its parts.
"""

from sphinx import addnodes
from sphinx.environment.collectors.toctree import TocTreeCollector

_assign_from_one = TocTreeCollector.assign_section_numbers


def _shift(env, docname, by):
    env.toc_secnumbers[docname] = {
        anchor: (number[0] + by, *number[1:]) if number else number
        for anchor, number in env.toc_secnumbers[docname].items()
    }
    references = env.tocs[docname].findall(lambda node: node.get("secnumber") if hasattr(node, "get") else None)
    for node in (*references, env.titles[docname]):
        node["secnumber"] = [node["secnumber"][0] + by, *node["secnumber"][1:]]


def assign_section_numbers(collector, env):
    """Number the chapters as Sphinx does, then move each part's numbers behind those of the part before."""
    before = env.toc_secnumbers
    _assign_from_one(collector, env)
    chapters = 0
    for toctree in env.get_doctree(env.config.root_doc).findall(addnodes.toctree):
        if toctree.get("numbered"):
            for _, docname in toctree["entries"]:
                _shift(env, docname, chapters)
            chapters += len(toctree["entries"])
    return [docname for docname, numbers in env.toc_secnumbers.items() if numbers != before.get(docname)]


def setup(app):
    TocTreeCollector.assign_section_numbers = assign_section_numbers
