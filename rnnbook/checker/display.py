"""The lines in which a block is shown."""
from __future__ import annotations

from rnnbook.checker.errors import IllTyped
from rnnbook.checker.layout import Line, display_lines
from rnnbook.checker.model import split_statement, statements

_RELATIONS = {"in": r"\in", "=": "=", ":=": ":="}


def display(block):
    """The display lines of a claim, of a derivation with its reasons, or of a model: one for each statement."""
    if block.kind != "model":
        return display_lines(block.body)
    try:
        lines = []
        for tokens in statements(block.body):
            text = block.body[tokens[0].start:tokens[-1].end].replace("&", " ")
            lines.append(Line(" ".join(text.split()), "", _RELATIONS[split_statement(tokens)[1]]))
        return lines
    except IllTyped:
        return [Line(" ".join(row.split()), "", "") for row in block.body.split("\n") if row.strip()]
