"""What a page shows of its own computation: numbers in running text, and tables."""

from IPython.display import Markdown
from myst_nb import glue


def glue_text(name, text):
    """Give a computed text a name, by which ``{glue:text}`` puts it into a sentence."""
    glue(name, _Plain(text), display=False)


def glue_math(name, formula):
    """Give a computed formula, in LaTeX, a name, by which ``{glue:md}`name:myst``` puts it into a sentence."""
    glue(name, Markdown(f"${formula}$"), display=False)


def power_of_ten(value, digits=1):
    """Write a number with a power of ten, in LaTeX, such as ``9.3 \\cdot 10^{-10}``."""
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}"


class _Plain:
    """Text that is shown as it is: MyST-NB evaluates what it can read as a Python literal, "1.50" or "50,000", but not a quoted one."""

    def __init__(self, text):
        self.text = str(text)

    def __repr__(self):
        return repr(self.text)


def table(header, rows, *, caption, name):
    """A numbered table: ``header`` and ``rows`` hold MyST text, such as ``"$h_t$"``; ``{numref}`` refers to it by ``name``."""
    width = len(header)
    for row in rows:
        if len(row) != width:
            raise ValueError(f"rows: each needs {width} cells, as the header has, but one has {len(row)}: {row}")
    # a fence of tildes: its first line, unlike that of backticks, may hold backticks, and so may the caption
    lines = [f"~~~{{list-table}} {' '.join(caption.split())}", f":name: {name}", ":header-rows: 1", ""]
    for row in (header, *rows):
        for column, cell in enumerate(row):
            lines.append(("* - " if column == 0 else "  - ") + str(cell))
    return Markdown("\n".join([*lines, "~~~"]))
