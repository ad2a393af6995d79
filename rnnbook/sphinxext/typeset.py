"""How the lines of a model, a claim or a derivation are laid out: the reader sees the LaTeX that is checked, only arranged."""

import re

_OPENING = re.compile(r"\\begin\{|\{|\\left(?![a-z])")
_CLOSING = re.compile(r"\\end\{|\}|\\right(?![a-z])")
_RELATION = re.compile(r":=|=|\\le(?:q)?(?![a-z])|\\ge(?:q)?(?![a-z])|<|>|\\approx")


def _depth(latex):
    # `\begin{x}` counts its own brace pair as well, which evens out
    return len(_OPENING.findall(latex)) - len(_CLOSING.findall(latex))


def _whole_lines(body):
    """The lines of a model, those that are open at their end joined with the next; ``None`` for a blank one."""
    held = ""
    for line in body.splitlines():
        held = f"{held} {line.strip()}".strip()
        if held and _depth(held) > 0:
            continue
        yield held or None
        held = ""
    if held:
        yield held


def _aligned_at_relation(line):
    depth = 0
    for match in re.finditer(rf"{_OPENING.pattern}|{_CLOSING.pattern}|{_RELATION.pattern}", line):
        token = match.group()
        if _OPENING.fullmatch(token):
            depth += 1
        elif _CLOSING.fullmatch(token):
            depth -= 1
        elif depth == 0:
            return f"{line[: match.start()]}&{line[match.start() :]}"
    return f"&{line}"


def _aligned(lines):
    return r"\begin{aligned}" + "\n" + " \\\\[0.3em]\n".join(lines) + "\n" + r"\end{aligned}"


def _limits(latex):
    """The arrow over a product makes it an ordinary symbol to TeX, with its limits beside it: put them above and below again."""
    return re.sub(r"(\\overset\{\\curvearrowleft\}\{\\prod\})", r"\\mathop{\1}\\limits", latex)


def _options(options):
    """A model without lines is another one with sizes or a layout of its own: they are what there is to see."""
    words = {("layout", "gradient"): r"\text{gradient layout}", ("layout", "numerator"): r"\text{numerator layout}",
             ("partial", "immediate"): r"\partial \text{ is immediate}", ("partial", "total"): r"\partial \text{ is total}",
             ("transpose", "T"): r"{}^T \text{ is the transpose}"}
    sizes = [f"{name} = {value}" for name, value in options.items() if len(name) == 1]
    return r", \quad ".join([*sizes, *(words[item] for item in options.items() if item in words)] or [r"\text{as before}"])


def typeset_model(body, options=()):
    """Declarations one below the other, then the definitions aligned at their relation, then the abbreviations."""
    if not body.strip():
        return _options(dict(options))
    groups = {"declarations": [], "definitions": [], "abbreviations": []}
    for line in filter(None, _whole_lines(body)):
        line = line.removesuffix(r"\\").rstrip()
        if r"\in " in line or ", \\quad" in line:
            groups["declarations"].append(line)
        elif ":=" in line:
            groups["abbreviations"].append(_aligned_at_relation(line))
        else:
            groups["definitions"].append(_aligned_at_relation(line))
    rows = [*groups["declarations"], *(_aligned(groups[name]) for name in ("definitions", "abbreviations") if groups[name])]
    # an aligned of aligneds, and no array: an array does not move its rows apart when they are tall
    return _aligned([f"&{row}" for row in rows])


def typeset_claim(body):
    """A claim on one line as it is; one with several lines, or with the reasons of a derivation, aligned."""
    text = _limits("\n".join(line for line in body.splitlines() if line.strip()))
    outside = re.sub(r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}", "", text, flags=re.DOTALL)
    if "&" not in outside and r"\\" not in outside:
        return text
    rows = re.split(r"\\\\[ \t]*\n", text.replace("&&", r"&&\quad "))
    return _aligned([row.removesuffix(r"\\") for row in rows])
