r"""Find the displayed equations of a LaTeX document, and the comments that say what they are about.

A comment that begins with `rnnbook:` speaks to the checker: it names the model, opens one, gives an option for the next equation, or
leaves one out. Everything else is read as LaTeX, and nothing of it is executed: macros are expanded within limits, files are not opened.
"""
from __future__ import annotations

import difflib
import re
from bisect import bisect_right
from dataclasses import dataclass, field, replace

from rnnbook.checker.displays import DISPLAYS, Display
from rnnbook.checker.errors import IllTyped
from rnnbook.checker.macros import DEFINING, Macros, Token, group_end, skip_spaces, tokens_of
from rnnbook.checker.scan import MAX_BODY, MAX_DOCUMENT, Block, caret_below

#: Environments whose content is not formula and not text.
LITERAL = frozenset("verbatim verbatim* Verbatim BVerbatim LVerbatim lstlisting minted comment filecontents filecontents* tikzpicture "
                    "alltt".split())
LASTING = ("model", "layout", "partial", "transpose", "T")
PASSING = ("label", "for", "given", "expect", "skip")
KEYS = (*LASTING, *PASSING, "define", "extends", "end", "off", "on")

_MARK = re.compile(r"%[^\n]*|\\(?:[A-Za-z@]+|.|\n)|\$\$?", re.DOTALL)
_INLINE = re.compile(r"%[^\n]*|\\(?:[A-Za-z@]+|.|\n)|\$|\n[ \t]*\n", re.DOTALL)
_DISPLAYED = re.compile(r"%[^\n]*|\\(?:[A-Za-z@]+|.|\n)|\$\$|\n[ \t]*\n", re.DOTALL)
_NAME = re.compile(r"\s*\{([^{}\n]{0,40})\}")
_FI = re.compile(r"\\fi(?![A-Za-z@])")
_NEXT_MODEL = re.compile(r"^[^\n%]*%+\s*rnnbook\s*:\s*(end|define|model)\b", re.MULTILINE | re.IGNORECASE)
_DIRECTIVE = re.compile(r"%+\s*rnnbook\s*:\s*(.*?)\s*$", re.IGNORECASE)
_ENTRY = re.compile(r":?(?P<key>[A-Za-z]+):?(?:\s*[=:]\s*|\s+|$)(?P<value>.*)$", re.DOTALL)
_NEXT_ENTRY = re.compile(rf"[;,]\s*(?=(?:{'|'.join(KEYS)})\b\s*[=:])")
_INCLUSION = re.compile(r"%[^\n]*|\\(?:input|include|subfile)\s*\{\s*(?P<name>[^{}%\n]{1,200}?)\s*\}|\\.", re.DOTALL)
_OPTION = re.compile(r"(?<!\S):(for|given|expect|label|model|extends|layout|partial|transpose|T):")


@dataclass(frozen=True)
class LatexBlock(Block):
    """A claim or model of a LaTeX document: every character of its body knows where in the document it comes from."""

    document: Document | None = None
    origins: tuple = ()
    #: `layout`, `partial`, `transpose`, `T` and sizes that the model is read with.
    model_options: dict = field(default_factory=dict)
    #: The abbreviation `x := y` that a claim begins with, and whether it says nothing else.
    notation: LatexBlock | None = None
    only_notation: bool = False

    def origin(self, offset):
        if not self.origins:
            return self.document.starts[self.line - 1]
        if offset < len(self.origins):
            return self.origins[max(0, offset)]
        return self.origins[-1] + 1

    def position(self, offset):
        return self.document.position(self.origin(offset))

    def worded(self, message):
        return _OPTION.sub(r"`% rnnbook: \1 = …`", message)

    def caret(self, offset):
        return caret_below(self.document.text, self.origin(offset))


class Document:
    """The text of a document, and where its lines start."""

    def __init__(self, text):
        if text.startswith("\ufeff"):
            text = text[1:]
        self.text = text[:MAX_DOCUMENT].replace("\r\n", "\n").replace("\r", "\n")
        self.starts = [0, *(m.end() for m in re.finditer("\n", self.text))]

    def line(self, at):
        return bisect_right(self.starts, at)

    def position(self, at):
        """The 1-based (line, column) of an offset."""
        line = self.line(at)
        return line, at - self.starts[line - 1] + 1

    def alone(self, at):
        """Whether nothing but white space stands in front of an offset on its line."""
        return not self.text[self.starts[self.line(at) - 1]:at].strip()

    def problem(self, error):
        """An error at an offset of the document, in words."""
        line, column = self.position(error.at)
        return f"line {line}, column {column}: {error.message}\n{caret_below(self.text, error.at)}"


@dataclass
class Definition:
    """A model that is being collected: from comments, from the next display, or from all up to `end`."""

    name: str
    at: int
    options: dict
    option_lines: dict
    region: bool
    last_line: int
    from_comments: bool = False
    tokens: list = field(default_factory=list)


def looks_like_latex(text):
    """Whether a text without a name is a LaTeX document."""
    return re.search(r"\\begin\{(document|" + "|".join(map(re.escape, sorted(DISPLAYS))) + r")\}|^[^\n%]*%+\s*rnnbook\s*:|\\\[", text,
                     re.MULTILINE) is not None


def inclusions(text):
    """The other files that a document asks for, which are not opened: (line, command, name of the file)."""
    document = Document(text)
    for found in _INCLUSION.finditer(document.text):
        if found["name"]:
            yield document.line(found.start()), found.group(), found["name"]


def scan_latex(text):
    """All models and claims of a LaTeX document, in order; a comment that is not understood is a block of kind `comment`."""
    return Scanner(Document(text)).run()


class Scanner:
    """Goes through a document once."""

    def __init__(self, document):
        self.document, self.text = document, document.text
        self.macros, self.blocks = Macros(), []
        self.lasting, self.passing, self.lines = {}, {}, {}
        self.definition, self.off = None, False

    def run(self):
        at = 0
        while (mark := _MARK.search(self.text, at)) is not None:
            at = self.step(mark[0], mark.start(), mark.end())
            if at is None:
                break
        self.finish(len(self.text))
        if self.passing:
            self.complain(self.passing_at, "no equation follows this comment")
        return self.blocks

    def step(self, mark, start, at):
        """Read what begins at a mark; returns where to go on, or None at the end of the document."""
        text = self.text
        if mark[0] == "%":
            self.comment(mark, start)
            return at
        if self.definition is not None and self.definition.from_comments and not self.definition.region:
            self.finish(start)
        if mark in (r"\begin", r"\end") or self.macros.environment(mark, r"\begin"):
            name = self.macros.environment(mark, r"\begin")
            if name is None:
                named = _NAME.match(text, at)
                if named is None:
                    return at
                name, at = named[1], named.end()
            if mark == r"\end":
                return None if name == "document" else at
            if name == "document":  # what a preamble shows is not part of the text
                self.blocks = [block for block in self.blocks if block.kind != "claim"]
            elif name in LITERAL:
                end = text.find(rf"\end{{{name}}}", at)
                return len(text) if end < 0 else end + len(name) + 6
            elif name in DISPLAYS:
                return self.display(name, start, at)
        elif mark == r"\[":
            return self.display(r"\[", start, at)
        elif mark == "$$":
            return self.display("$$", start, at)
        elif mark in ("$", r"\("):
            return self.inline(at, "$" if mark == "$" else r"\)")
        elif mark in (r"\verb", r"\lstinline", r"\mintinline"):
            if mark == r"\mintinline" and text.startswith("{", at):
                at = (group_end(text, at) or at) + 1
            at += text.startswith("*", at)
            delimiter = {"{": "}"}.get(text[at:at + 1], text[at:at + 1])
            end = text.find(delimiter, at + 1, at + 2000) if delimiter else -1
            return at if end < 0 else end + 1
        elif mark in (r"\url", r"\href", r"\path") and text.startswith("{", at):
            end = text.find("}", at, at + 2000)
            return at if end < 0 else end + 1
        elif mark == r"\iffalse":
            end = _FI.search(text, at)
            return len(text) if end is None else end.end()
        elif mark == r"\endinput":
            return None
        elif mark in DEFINING:
            return self.macros.define(text, mark, at)
        return at

    def inline(self, at, closing):
        """The end of a formula in the text: at its sign, or at the end of the paragraph."""
        for mark in _INLINE.finditer(self.text, at):
            if mark[0] == closing:
                return mark.end()
            if mark[0][0] == "\n":
                return mark.start()
        return len(self.text)

    # -- comments ------------------------------------------------------------------------------------------------------
    def comment(self, mark, start):
        said = _DIRECTIVE.match(mark)
        definition, line = self.definition, self.document.line(start)
        follows = definition is not None and (definition.from_comments or not definition.tokens) \
            and line == definition.last_line + 1 and self.document.alone(start)
        if said is None:
            if follows:
                skipped = len(mark) - len(mark.lstrip("%"))
                definition.tokens += [*tokens_of(self.text, start + skipped, start + len(mark)), Token("\n", start + len(mark))]
                definition.from_comments, definition.last_line = True, line
            return
        at = start + said.start(1)
        for piece in _NEXT_ENTRY.split(said[1]):
            self.directive(piece, at, line, follows)

    def entry(self, piece, at):
        """(key, value) of a comment, or None after a complaint."""
        entry = _ENTRY.match(piece)
        key = entry["key"] if entry else ""
        key = next((known for known in KEYS if known.lower() == key.lower()), key)
        if key not in KEYS and not (len(key) == 1 and entry["value"].isdigit()):
            close = difflib.get_close_matches(key.lower(), KEYS, n=1, cutoff=0.5)
            hint = f"; did you mean {close[0]!r}?" if close else f": {', '.join(KEYS)}"
            self.complain(at, f"the comment {piece!r} is not understood{hint}")
            return None
        value = entry["value"].strip()
        if not value and key not in ("skip", "end", "off", "on", "define"):
            self.complain(at, f"{key} without a value: write `% rnnbook: {key} = …`")
            return None
        return key, value

    def directive(self, piece, at, line, follows):
        found = self.entry(piece, at)
        if found is None:
            return
        key, value = found
        definition = self.definition
        if definition is not None and (definition.region or not definition.tokens or follows) \
                and key not in ("model", "define", "end", "off", "on", "skip", *PASSING):
            definition.options[key] = value
            definition.option_lines[key] = definition.last_line = line
            return
        if key != "end":
            self.finish(at)
        if key == "define":
            self.define(value, at, line)
        elif key == "end":
            if definition is None:
                self.complain(at, "this `end` has no `define` before it")
            self.finish(at)
        elif key in ("off", "on"):
            self.off = key == "off"
        elif key == "extends":
            self.complain(at, "`extends` stands below a `define`: it says from which model the new one starts")
        elif key in PASSING:
            if not self.passing:
                self.passing_at = at
            self.passing[key] = value
            self.lines[key] = line
        else:
            self.lasting[key] = value
            self.lines[key] = line

    def define(self, value, at, line):
        named = re.fullmatch(r"(?P<name>[\w.-]*)(?:\s+extends\s*=?\s*(?P<base>[\w.-]+))?", value)
        if named is None:
            self.complain(at, f"the name of a model is made of letters, digits and '-', not {value!r}")
            return
        name = named["name"] or f"model-{1 + sum(block.kind == 'model' for block in self.blocks)}"
        following = _NEXT_MODEL.search(self.text, at)
        self.definition = Definition(name, at, {}, {}, following is not None and following[1].lower() == "end", line)
        if named["base"]:
            self.definition.options["extends"] = named["base"]
            self.definition.option_lines["extends"] = line

    def finish(self, at):
        """The model that is being collected is complete."""
        definition, self.definition = self.definition, None
        if definition is None:
            return
        problem, body, origins = None, "", ()
        try:
            body, origins = self.flat(definition.tokens)
            if not body and not definition.options:
                problem = "no model follows: its lines stand in the comments below this one, or in the next display"
        except IllTyped as error:
            problem = self.document.problem(error)
        self.blocks.append(LatexBlock("model", definition.name, definition.options, self.document.line(definition.at), body,
                                      self.document.line(origins[0] if origins else at), 0, definition.option_lines, problem,
                                      self.document, origins))
        self.lasting["model"] = definition.name

    def complain(self, at, message):
        line, column = self.document.position(at)
        self.blocks.append(LatexBlock("comment", "", {}, line, "", line, 0, {},
                                      f"line {line}, column {column}: {message}\n{caret_below(self.text, at)}", self.document))

    # -- displays ------------------------------------------------------------------------------------------------------
    def display(self, name, start, at):
        """Read a display; returns the offset behind it."""
        end, after = self.display_end(name, at)
        definition = self.definition
        passing, self.passing = self.passing, {}
        lines = dict(self.lines)
        if self.off or definition is None and "skip" in passing:
            return after
        if name in ("alignat", "alignat*", "xalignat"):
            at = skip_spaces(self.text, at)
            at = (group_end(self.text, at) or at - 1) + 1
        try:
            if end is None:
                shown = name if name in (r"\[", "$$") else rf"\begin{{{name}}}"
                raise IllTyped(f"{shown} is not closed", start)
            if end - at > 4 * MAX_BODY:
                raise IllTyped(f"a display of more than {4 * MAX_BODY} characters", start)
            display = Display(self.macros.expand(tokens_of(self.text, at, end)), name, _DIRECTIVE)
            if definition is not None:
                definition.tokens += [*display.model(), Token("\n", end)]
                for _, _, comment_at in display.comments:
                    self.complain(comment_at, "inside the display of a model a comment has no meaning")
                if not definition.region:
                    self.finish(end)
                return after
            self.claims(display, passing, lines, start)
        except IllTyped as error:
            if definition is not None:
                self.definition = None
            self.blocks.append(self.block("", (), passing, lines, self.document.problem(error), start))
        return after

    def display_end(self, name, at):
        r"""(offset of the end of the content, offset behind the display); (None, where to go on) if the display is not closed."""
        closing = {r"\[": r"\]", "$$": "$$"}.get(name)
        for mark in _DISPLAYED.finditer(self.text, at):
            sign = mark[0]
            if sign == closing:
                return mark.start(), mark.end()
            if sign[0] == "\n" and name == "$$":
                return None, mark.start()
            if sign in (r"\begin", r"\end"):
                named = _NAME.match(self.text, mark.end())
                if named is None:
                    continue
                if sign == r"\end" and named[1] == name:
                    return mark.start(), named.end()
                if sign == r"\begin" and named[1] in DISPLAYS or named[1] == "document":
                    return None, mark.start()
            elif self.macros.environment(sign, r"\end") == name:
                return mark.start(), mark.end()
            elif sign == r"\[":
                return None, mark.start()
        return None, len(self.text)

    def claims(self, display, passing, lines, start):
        claims = display.claims()
        inside = [{} for _ in claims]
        option_lines = [dict(lines) for _ in claims]
        for said, comment_start, at in display.comments:
            for piece in _NEXT_ENTRY.split(said):
                found = self.entry(piece, at)
                if found is None:
                    continue
                if found[0] not in PASSING:
                    self.complain(at, f"`{found[0]}` stands before a display, not in it")
                    continue
                for k in display.meant(at, self.document.alone(comment_start)):
                    inside[k][found[0]] = found[1]
                    option_lines[k][found[0]] = self.document.line(at)
        for k, claim in enumerate(claims):
            options = {**passing, **inside[k]}
            if "skip" in options:
                continue
            label = inside[k].get("label") or claim.label
            if label is None and (shared := passing.get("label") or display.label) is not None:
                label = shared if len(claims) == 1 else f"{shared}-{k + 1}"
            if label is not None:
                options["label"] = label
            if claim.ranges and "for" not in options:
                options["for"] = ", ".join(claim.ranges)
                option_lines[k]["for"] = self.document.line(claim.tokens[0].at)
            notation = claim.notation()
            body, origins = self.flat(claim.tokens if notation is None else notation[1])
            problem = claim.problem(body)
            if problem is not None:
                problem = self.document.problem(IllTyped(problem, origins[0]))
            block = self.block(body, origins, options, option_lines[k], problem, start)
            if notation is not None:
                block = replace(block, notation=self.block(*self.flat(notation[0]), {}, {}, None, start),
                                only_notation=len(claim.relations) == 1)
            self.blocks.append(block)

    def block(self, body, origins, options, option_lines, problem, start):
        if "model" in self.lasting:
            options = {**options, "model": self.lasting["model"]}
        options.pop("skip", None)
        line = self.document.line(origins[0] if origins else start)
        if len(body) > MAX_BODY:
            problem = problem or f"the formula is longer than {MAX_BODY} characters"
            body = body[:MAX_BODY]
        return LatexBlock("claim", "", options, line, body, line, 0, option_lines, problem, self.document, origins,
                          {key: value for key, value in self.lasting.items() if key != "model"})

    def flat(self, tokens):
        """(text, the offset of each of its characters) of tokens, without comments and with macros expanded."""
        out, origins, word = [], [], False
        for token in self.macros.expand([t for t in tokens if t.text[0] != "%"]):
            if word and token.text[0].isalpha():
                out.append(" ")
                origins.append(token.at)
            out.append(token.text)
            literal = self.text.startswith(token.text, token.at)
            origins += range(token.at, token.at + len(token.text)) if literal else [token.at] * len(token.text)
            word = len(token.text) > 1 and token.text[-1].isalpha()
        text = "".join(out)
        first, last = len(text) - len(text.lstrip()), len(text.rstrip())
        return text[first:last], tuple(origins[first:last])
