"""A counterexample as a reader wants it: where the equation fails, both sides and the values, typeset.

The checker explains itself in lines of text, for a terminal. Here the lines that it writes for a false claim become sentences with
mathematics; any other message is shown as it is.
"""

import re

from docutils import nodes

_HEAD = re.compile(r"^(?:step (?P<step>\d+), )?.* fails(?: at (?P<at>[^()]*?))?(?: \((?P<sizes>[^()]*)\))?$", re.DOTALL)
_PLACE = re.compile(r"^line \d+, column \d+: ")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def _number(text, scale, digits):
    value = float(text)
    if abs(value) <= 1e-13 * scale:  # rounding error, next to the numbers around it
        return "0"
    text = f"{value:.{digits}g}"
    mantissa, e, exponent = text.partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if e else text


def _scale(*texts):
    return max((abs(float(number)) for text in texts for number in _NUMBER.findall(text)), default=0.0)


def value_to_latex(text, scale=0.0, digits=6):
    """``(1, 2)`` is a column, ``(1, 2)ᵀ`` a row, ``[1, 2; 3, 4]`` a matrix, as the checker writes them."""
    text = _NUMBER.sub(lambda match: _number(match.group(), scale, digits), text.strip()).replace("…", r"\dots")
    if text.startswith("["):
        return r"\begin{pmatrix}" + text.strip("[]").replace(",", " &").replace(";", r" \\") + r"\end{pmatrix}"
    if text.endswith("ᵀ"):
        return text[:-1]
    return text + r"^\top" if text.startswith("(") else text


def _entries(text):
    """Split at the commas that stand outside of brackets."""
    depth, start = 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if depth == 0 and text.startswith(", ", place):
            yield text[start:place]
            start = place + 2
    yield text[start:]


def _sentence(*parts):
    return nodes.paragraph("", "", *(nodes.Text(part) if isinstance(part, str) else part for part in parts))


def _listed(formulas):
    for place, formula in enumerate(formulas):
        yield from ([", "] if place else [])
        yield nodes.math("", formula)


def counterexample(message):
    """The nodes of a message."""
    lines = message.splitlines()
    head = _HEAD.match(lines[0]) if lines else None
    sides = [line.partition(":")[2] for line in lines if line.startswith(("left: ", "right: "))]
    if head is None or len(sides) != 2:
        # the place is the author's business, and so is the caret below the copy of the formula
        text = _PLACE.sub("", lines[0]) if lines else message
        words = (text[:1].upper() + text[1:]).split("`")
        return [_sentence(*(nodes.math("", part) if place % 2 else part for place, part in enumerate(words)))]
    scale = _scale(*sides)
    parts = [f"Step {head['step']} fails" if head["step"] else "Fails"]
    if head["at"]:
        parts += [" at ", *_listed(_entries(head["at"]))]
    if head["sizes"]:
        parts += [", for " if head["at"] else " for ", *_listed(_entries(head["sizes"]))]
    found = [_sentence(*parts, ".")]
    short = [value_to_latex(side, scale, digits=4) for side in sides]
    if short[0] == short[1]:  # alike to four digits
        short = [value_to_latex(side, scale) for side in sides]
    for name, side in zip(("Left side ", "Right side "), short):
        found.append(_sentence(name, nodes.math("", side), "."))
    given = next((line.removeprefix("with ") for line in lines if line.startswith("with ")), None)
    if given:
        assigned = (entry.partition(" = ") for entry in _entries(given))
        formulas = [f"{name} = {value_to_latex(value)}" if sign else r"\dots" for name, sign, value in assigned]
        found.append(_sentence("Here ", *_listed(formulas), "."))
    return found
