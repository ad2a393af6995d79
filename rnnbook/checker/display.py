"""The lines in which a block is shown."""
from __future__ import annotations

from rnnbook.checker.errors import IllTyped
from rnnbook.checker.layout import Line, display_lines
from rnnbook.checker.model import _split, statements

_RELATIONS = {"in": r"\in", "=": "=", ":=": ":="}


def display(block):
    """Display lines of a claim, a derivation (with reasons) or a model (one for each declaration, definition, abbreviation)."""
    if block.kind != "model":
        return display_lines(block.body)
    try:
        parts, _ = statements(block.body)
        return [Line(" ".join(block.body[t[0].start:t[-1].end].replace("&", " ").split()), "", _RELATIONS[_split(t, None)[1]])
                for t in parts]
    except IllTyped:
        return [Line(" ".join(row.split()), "", "") for row in block.body.split("\n") if row.strip()]
