"""Tell layout from formula: reasons after `&&`, and alignment."""
from __future__ import annotations

import re

from rnnbook.checker.errors import IllTyped
from rnnbook.checker.lexer import lex

RELATIONS = {"=": "=", "le": r"\le", "ge": r"\ge", "<": "<", ">": ">", "approx": r"\approx", "ne": r"\ne"}
#: Environments that only arrange lines.
ALIGNMENTS = frozenset(
    "aligned align align* alignedat gathered gather gather* split equation equation* displaymath multline multline* "
    "eqnarray eqnarray* math".split()
)
MATRICES = frozenset(
    "pmatrix bmatrix matrix Bmatrix vmatrix Vmatrix smallmatrix psmallmatrix bsmallmatrix array cases".split()
)


def split_reasons(source: str):
    """Blank out what stands after `&&`; return the text (of equal length) and the reasons as (start, end) spans."""
    spans, at = [], 0
    while True:
        at = source.find("&&", at)
        if at < 0:
            break
        before = source[:at]
        opened = len(re.findall(r"\\begin\{[pbvVB]?(?:small)?matrix\}", before))
        closed = len(re.findall(r"\\end\{[pbvVB]?(?:small)?matrix\}", before))
        line_start = before.rfind("\n") + 1
        if opened > closed or "%" in re.sub(r"\\%", "", before[line_start:]):
            at += 2
            continue
        end, depth = at + 2, 0
        while end < len(source):
            char = source[end]
            if char == "\\":
                if source[end + 1:end + 2] == "\\" and depth == 0:
                    break
                if source.startswith(r"\end{", end) and depth == 0:
                    break
                end += 2
                continue
            if char == "{":
                depth += 1
            elif char == "}":
                depth -= 1
            elif char == "\n" and depth <= 0:
                break
            end += 1
        end = min(end, len(source))
        spans.append((at, end))
        at = end
    pieces, last = [], 0
    for start, end in spans:
        pieces += [source[last:start], " " * (end - start)]
        last = end
    pieces.append(source[last:])
    return "".join(pieces), spans


def _environment(tokens, i, source):
    """The name of the environment that `\\begin` or `\\end` at token i names, and the index behind it."""
    if tokens[i + 1].text != "{":
        raise IllTyped(rf"\{tokens[i].text} without the name of an environment", tokens[i].start)
    j = i + 2
    while tokens[j].text != "}":
        if tokens[j].kind == "end":
            raise IllTyped("a brace is not closed", tokens[i + 1].start)
        j += 1
    return source[tokens[i + 1].end:tokens[j].start].strip(), j + 1


def strip_layout(tokens, source):
    """Drop alignment environments and boxes; keep the inside of matrices as it is.

    Returns tokens in which `&`, row ends and newlines survive only as `break` tokens outside matrices.
    """
    out, i, matrices, closers, braces = [], 0, 0, [], []
    while i < len(tokens):
        token = tokens[i]
        if token.kind == "cmd" and token.text in ("begin", "end"):
            name, after = _environment(tokens, i, source)
            if name in ALIGNMENTS:
                i = after
                if name == "alignedat" and token.text == "begin" and tokens[i].text == "{":
                    i += 3
                continue
            if name not in MATRICES:
                raise IllTyped(f"the environment {name!r} is not part of the language", token.start)
            matrices += 1 if token.text == "begin" else -1
            out += tokens[i:after]
            i = after
            continue
        if token.kind == "cmd" and token.text in ("boxed", "fbox", "mathstrut"):
            if tokens[i + 1].text != "{":
                raise IllTyped(rf"\{token.text} without braces", token.start)
            closers.append(len(braces))
            braces.append("drop")
            i += 2
            continue
        if token.kind == "cmd" and token.text in ("color", "textcolor", "tag", "label", "phantom"):
            if tokens[i + 1].text != "{":
                raise IllTyped(rf"\{token.text} without braces", token.start)
            while tokens[i].text != "}":
                if tokens[i].kind == "end":
                    raise IllTyped("a brace is not closed", token.start)
                i += 1
            i += 1
            if token.text == "textcolor":
                if tokens[i].text != "{":
                    raise IllTyped(r"\textcolor without a second pair of braces", token.start)
                braces.append("drop")
                i += 1
            continue
        if token.text == "{" and token.kind == "sym":
            braces.append("keep")
        elif token.text == "}" and token.kind == "sym":
            if braces and braces.pop() == "drop":
                i += 1
                continue
        if matrices <= 0 and (token.kind in ("newline", "row") or token.kind == "sym" and token.text == "&"):
            token.kind, token.text = "break", token.text
        elif token.kind == "newline":
            i += 1
            continue
        out.append(token)
        i += 1
    return out


def chain_tokens(source: str):
    """The tokens of a claim or derivation without layout and reasons."""
    text, _ = split_reasons(source)
    tokens = [t for t in strip_layout(lex(text), text) if t.kind != "break"]
    if len(tokens) > 1 and tokens[-2].kind == "sym" and tokens[-2].text in ".,;":
        del tokens[-2]  # the full stop of the sentence that the display ends
    return tokens
