"""Find the fenced blocks `{model}`, `{claim}` and `{derivation}` of a MyST document.

Only the fences are read; everything else is prose. A fence of a directive that holds text (`{note}`, `{solution}`, ...)
is looked into; a fence that shows text as it is (no directive, `{code-block}`, ...) is not.
"""
from __future__ import annotations

import re
from dataclasses import dataclass, field

KINDS = ("model", "claim", "derivation")
#: Directives whose content is not MyST text.
LITERAL = frozenset(
    "code code-block code-cell sourcecode math literalinclude raw parsed-literal highlight eval-rst mermaid graphviz "
    "prompt doctest testcode bibliography toctree table list-table csv-table figure image plot".split()
)
MAX_DOCUMENT = 4_000_000
MAX_BODY = 20_000
MAX_NESTING = 12

_OPEN = re.compile(r"^(?P<fence>`{3,}|~{3,}|:{3,})[ \t]*(?:\{(?P<kind>[^}\s]*)\})?[ \t]*(?P<rest>.*)$")
_ITEM = re.compile(r"^(?P<lead>[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+)")
_OPTION = re.compile(r"^[ \t]*:(?P<key>[^:\s][^:]*):(?:[ \t]+(?P<value>.*))?[ \t]*$")


@dataclass(frozen=True)
class Block:
    """One fenced block: its kind, the argument after it, its options and its formula.

    `line` is the 1-based line of the fence, `body_line` that of the first line of `body`, `indent` the number of
    columns cut off in front of every line of it. `option_lines` gives the line of each option.
    """

    kind: str
    name: str
    options: dict
    line: int
    body: str
    body_line: int
    indent: int = 0
    option_lines: dict = field(default_factory=dict)
    problem: str | None = None

    def position(self, offset):
        """The 1-based (line, column) in the document of an offset in the body."""
        before = self.body[:max(0, offset)]
        row = before.count("\n")
        return self.body_line + row, len(before) - (before.rfind("\n") + 1) + 1 + self.indent

    def worded(self, message):
        """A message that names options as they are written in this kind of document."""
        return message

    def caret(self, offset):
        """The line of the body that holds the offset, and a line below it with a caret under the place."""
        return caret_below(self.body, offset)


def caret_below(text, offset):
    """The line of a text that holds an offset, and a line below it with a caret under the place."""
    offset = max(0, min(offset, len(text)))
    window = max(0, offset - 200)  # a hostile text may be one line of a megabyte
    start = max(window, text.rfind("\n", window, offset) + 1)
    end = text.find("\n", offset, offset + 200)
    line = text[start:offset + 200 if end < 0 else end].replace("\t", " ")
    column = offset - start
    if column > 70:  # keep the place in sight of a long line
        line, column = "…" + line[column - 60:], 61
    return f"{line[:100]}\n{' ' * column}^"


def scan(text: str) -> list[Block]:
    """All models, claims and derivations of a document, in order."""
    if text.startswith("\ufeff"):
        text = text[1:]
    lines = text[:MAX_DOCUMENT].replace("\r\n", "\n").replace("\r", "\n").split("\n")
    numbered = list(enumerate(lines, 1))
    if lines and lines[0].strip() == "---":  # the front matter of the page
        for i in range(1, len(lines)):
            if lines[i].strip() in ("---", "..."):
                numbered = numbered[i + 1:]
                break
    blocks = []
    _scan(numbered, 0, blocks, 0)
    return blocks


def _indent_of(line):
    return len(line) - len(line.lstrip(" \t"))


def _scan(lines, base, blocks, depth):
    """Scan numbered lines whose content starts at column `base`."""
    i, item = 0, base
    while i < len(lines):
        number, line = lines[i]
        if not line.strip():
            i += 1
            continue
        indent = _indent_of(line)
        if line.lstrip().startswith("<!--"):
            while i < len(lines) and "-->" not in lines[i][1]:
                i += 1
            i += 1
            continue
        bullet = _ITEM.match(line)
        if bullet and indent - item <= 3:
            item = len(bullet["lead"])
            line = " " * item + line[item:]
            indent = _indent_of(line)
        elif indent < item:
            item = base if indent < base + 2 else indent
        opened = _OPEN.match(line.lstrip()) if indent - item <= 3 else None
        if not opened or (opened["fence"][0] == "`" and "`" in opened["rest"]):
            i += 1
            continue
        fence, kind = opened["fence"], opened["kind"]
        end = _closing(lines, i + 1, fence)
        inner = lines[i + 1:end]
        if kind in KINDS:
            blocks.append(_block(kind, opened["rest"].strip(), number, indent, inner, closed=end < len(lines)))
        elif depth < MAX_NESTING and _holds_text(fence, kind):
            _scan(inner, min([indent] + [_indent_of(text) for _, text in inner if text.strip()]), blocks, depth + 1)
        i = end + 1


def _holds_text(fence, kind):
    if kind is None:
        return fence[0] == ":"
    return kind.split(":")[-1] not in LITERAL


def _closing(lines, start, fence):
    closing = re.compile(r"^[ \t]*" + re.escape(fence[0]) + "{" + str(len(fence)) + r",}[ \t]*$")
    for j in range(start, len(lines)):
        if closing.match(lines[j][1]):
            return j
    return len(lines)


def _block(kind, name, line, indent, inner, closed):
    options, option_lines, at = {}, {}, 0
    while at < len(inner) and not inner[at][1].strip():
        at += 1
    problem = None if closed else "the fence is not closed"
    while at < len(inner):
        option = _OPTION.match(inner[at][1])
        if not option:
            break
        key = option["key"].strip()
        if key in options:
            problem = problem or f"the option :{key}: stands twice"
        options[key] = (option["value"] or "").strip()
        option_lines[key] = inner[at][0]
        at += 1
    body_lines = [text[indent:] if not text[:indent].strip() else text.lstrip() for _, text in inner[at:]]
    body = "\n".join(body_lines)
    if len(body) > MAX_BODY:
        body, problem = body[:MAX_BODY], f"the block is longer than {MAX_BODY} characters"
    body_line = inner[at][0] if at < len(inner) else line + 1
    return Block(kind, name, options, line, body, body_line, indent, option_lines, problem)
