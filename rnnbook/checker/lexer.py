"""Cut LaTeX into tokens, each with its place in the text."""
from __future__ import annotations

import re

from rnnbook.checker.errors import IllTyped

MAX_TOKENS = 4000
MAX_DIGITS = 60

GREEK = frozenset(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa varkappa lambda mu nu xi omicron pi "
    "varpi rho varrho sigma varsigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon "
    "Phi Psi Omega ell hbar imath jmath aleph".split()
)
#: Layout that means nothing.
SPACES = frozenset(
    [",", ";", ":", "!", " ", ">", "quad", "qquad", "enspace", "thinspace", "left", "right", "middle", "big", "Big",
     "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr", "biggl", "biggr", "Biggl", "Biggr", "bigm", "Bigm", "displaystyle",
     "textstyle", "scriptstyle", "limits", "nolimits", "nonumber", "notag", "mathstrut", "strut", "hfill", "/", "\n",
     "allowbreak", "nobreak", "mathopen", "mathclose", "mathbin", "mathrel", "mathord"]
)
DELIMITER_SIZES = frozenset(s for s in SPACES if s in ("left", "right", "middle") or s.lower().startswith("big"))
#: Commands that define, read or write; a document is never given them.
FORBIDDEN = frozenset(
    "input include includeonly InputIfFileExists openin openout read readline write immediate def edef gdef xdef let "
    "futurelet newcommand renewcommand providecommand newenvironment renewenvironment DeclareMathOperator usepackage "
    "documentclass RequirePackage catcode csname endcsname expandafter noexpand directlua luaexec latelua special "
    "newread newwrite jobname require href url html class cssId style data unicode htmlData includegraphics "
    "verbatiminput lstinputlisting loop repeat afterassignment aftergroup everymath everydisplay toks newtoks "
    "newif scantokens detokenize global long outer".split()
)
#: Commands with two names.
SAME = {
    "leq": "le", "leqslant": "le", "geq": "ge", "geqslant": "ge", "lt": "<", "gt": ">", "neq": "ne", "coloneqq": ":=",
    "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "lbrace": "{", "rbrace": "}", "Vert": "|", "vert": "vert",
    "intercal": "top", "transpose": "top", "bm": "boldsymbol", "pmb": "boldsymbol", "widehat": "hat",
    "widetilde": "tilde",
    "overline": "bar", "ast": "*", "lbrack": "[", "rbrack": "]", "equiv": "=", "hadamard": "odot", "colon": ":",
    "operatorname*": "operatorname", "textrm": "text", "textup": "text", "mathit": "mathit", "textit": "text",
    "mathnormal": "mathit", "prime": "prime", "dots": "dots", "ldots": "dots", "cdots": "dots", "to": "to",
    "infin": "infty", "thickspace": " ", "medspace": " ", "lvert": "lvert", "enskip": " ",
}
UNICODE = {
    "≤": r"\le", "≥": r"\ge", "≈": r"\approx", "−": "-", "·": r"\cdot", "⊙": r"\odot", "∂": r"\partial", "∇": r"\nabla",
    "∑": r"\sum", "∏": r"\prod", "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "ε": r"\epsilon",
    "λ": r"\lambda", "σ": r"\sigma", "φ": r"\phi", "ρ": r"\rho", "θ": r"\theta", "τ": r"\tau", "Λ": r"\Lambda",
    "ᵀ": r"^\top", "⊤": r"\top", "∈": r"\in", "×": r"\times", "≠": r"\ne", "²": "^2", "ℝ": r"\mathbb{R}",
    "ŷ": r"\hat y",
}


class Token:
    """A token: its kind (`num`, `letter`, `cmd`, `sym`, `newline`, `end`), its text and its offsets."""

    __slots__ = ("kind", "text", "start", "end", "spaced")

    def __init__(self, kind, text, start, end, spaced=False):
        self.kind, self.text, self.start, self.end, self.spaced = kind, text, start, end, spaced

    def __repr__(self):
        return f"{self.kind}:{self.text}@{self.start}"


_PIECE = re.compile(
    r"(?P<comment>(?<!\\)%[^\n]*)|(?P<newline>\n)|(?P<space>[ \t\u00a0]+)|(?P<num>\d+(?:\.\d+)?|\.\d+)"
    r"|(?P<row>\\\\(?:\[[^\]\n]*\])?)|\\(?P<cmd>[A-Za-z]+\*?|.|\n)|(?P<letter>[A-Za-z])|(?P<sym>.)",
    re.DOTALL,
)
_SYMBOLS = frozenset("+-*/=<>()[]{}|^_&,.:;'!")


def lex(source: str) -> list[Token]:
    """The tokens of a formula, layout left out but for newlines, `&` and row ends (``\\\\``); the last one is `end`."""
    tokens, spaced, skip_dot, sized = [], False, False, None
    for piece in _PIECE.finditer(source):
        kind, start, end = piece.lastgroup, piece.start(), piece.end()
        text = piece[kind]
        if kind in ("space", "comment"):
            continue
        if skip_dot and kind == "sym" and text == ".":
            skip_dot = False
            continue
        skip_dot = False
        if kind == "newline":
            tokens.append(Token("newline", "\n", start, end))
            continue
        if kind == "row":
            tokens.append(Token("row", r"\\", start, end))
            continue
        if kind == "cmd":
            text = SAME.get(text, SAME.get(text.rstrip("*"), text.rstrip("*") if len(text) > 1 else text))
            if text in FORBIDDEN:
                raise IllTyped(rf"the command \{text} is not part of a formula", start)
            if text in SPACES:
                spaced = True
                skip_dot = text in DELIMITER_SIZES
                sized = start if skip_dot else None
                continue
            if text in ("<", ">", "[", "]", "*", "=", ":"):
                kind = "sym"
            elif text == ":=":
                tokens.append(Token("sym", ":", start, end, spaced))
                kind, text = "sym", "="
        elif kind == "num" and len(text) > MAX_DIGITS:
            raise IllTyped(f"a number of more than {MAX_DIGITS} digits", start)
        elif kind == "letter" and not text.isascii() or kind == "sym" and text not in _SYMBOLS:
            hint = f": write {UNICODE[text]}" if text in UNICODE else ""
            raise IllTyped(f"unexpected character {text!r}{hint}", start)
        tokens.append(Token(kind, text, start if sized is None else sized, end, spaced))
        spaced, sized = False, None
        if len(tokens) > MAX_TOKENS:
            raise IllTyped(f"a formula of more than {MAX_TOKENS} tokens", start)
    tokens.append(Token("end", "the end", len(source), len(source)))
    return tokens


def forbidden_command(text: str):
    """The first command in a piece of text that defines, reads or writes, or None; for text that is only shown."""
    for match in re.finditer(r"\\([A-Za-z]+)", text):
        if match[1] in FORBIDDEN:
            return match[1]
    return None
