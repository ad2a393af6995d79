r"""Cut the content of a LaTeX display into claims: rows of `align` and `gather`, columns, chains that go on, ranges behind a comma."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from rnnbook.checker.errors import IllTyped
from rnnbook.checker.macros import Token

#: Environments that display a formula, and those that only arrange lines inside one.
DISPLAYS = frozenset("equation equation* align align* alignat alignat* xalignat flalign flalign* gather gather* multline multline* "
                     "eqnarray eqnarray* displaymath".split())
INNER = frozenset("aligned alignedat gathered split multlined".split())
RELATIONS = frozenset(r"= < > \le \leq \leqslant \ge \geq \geqslant \lt \gt \ne \neq \approx \equiv \coloneqq \in \propto \sim "
                      r"\simeq \triangleq \doteq \ll \gg \to".split())
OPERATORS = frozenset(r"+ - * / \cdot \times \odot \oslash \otimes \circ \pm".split())
IMPLICATIONS = frozenset(r"\Rightarrow \implies \iff \Leftrightarrow \Longrightarrow \Longleftrightarrow \therefore \because".split())
SPACES = frozenset((*r"\, \; \: \! \> \quad \qquad \enspace \thinspace \allowbreak \nobreak \displaystyle \textstyle".split(), "\\ ", "~"))
#: Commands that are dropped, with the number of their arguments.
DROPPED = {r"\nonumber": 0, r"\notag": 0, r"\displaybreak": 0, r"\allowdisplaybreaks": 0, r"\tag": 1, r"\intertext": 1,
           r"\shortintertext": 1, r"\hphantom": 1, r"\vphantom": 1, r"\phantom": 1, r"\vspace": 1, r"\eqref": 1, r"\ref": 1,
           r"\cref": 1, r"\Cref": 1, r"\cite": 1, r"\footnote": 1, r"\footnotemark": 0, r"\qedhere": 0, r"\noindent": 0,
           r"\centering": 0, r"\color": 1, r"\small": 0, r"\footnotesize": 0, r"\normalsize": 0}
WORDS = frozenset("and or for where with if when so since hence thus then because by as also using let while but".split())
RANGING, EACH = frozenset("for if when all".split()), frozenset("each every any".split())
#: Commands that only decorate what stands in their last pair of braces, with the number of pairs in front of it.
DECORATIONS = {r"\boxed": 0, r"\fbox": 0, r"\textcolor": 1, r"\colorbox": 1, r"\smash": 0}
TEXTS = (r"\text", r"\textrm", r"\mbox", r"\textit", r"\textnormal", r"\textbf", r"\mathrm", r"\hbox", r"\textup")
DOTS = frozenset([r"\dots", r"\ldots", r"\cdots", r"\dotsc", "…"])


class Label(NamedTuple):
    text: str
    at: int
    label: str


class Environment(NamedTuple):
    r"""`\begin` or `\end` of a matrix, and the tokens of its name in braces."""

    text: str
    at: int
    name: list


@dataclass
class Segment:
    """A piece of a row between signs that divide: what divides it from the one before, and whether it is about a range."""

    before: str  # row, cell, comma, space or text
    sign: tuple  # the tokens of the sign
    tokens: list = field(default_factory=list)
    depths: list = field(default_factory=list)
    ranging: bool = False
    labels: list = field(default_factory=list)

    def solid(self):
        """(token, depth) without white space and layout."""
        return [(t, d) for t, d in zip(self.tokens, self.depths) if not t.text.isspace() and t.text not in SPACES]

    def related(self):
        return any(d == 0 and t.text in RELATIONS for t, d in self.solid())

    def starts(self, signs):
        solid = self.solid()
        return bool(solid) and solid[0][0].text in signs

    def take(self, other):
        """Go on with another segment."""
        self.tokens += [*other.sign, *other.tokens]
        self.depths += [0] * len(other.sign) + other.depths
        self.labels += other.labels

    def text(self):
        return "".join(f"{t.text} " if t.text[0] == "\\" else t.text for t, _ in self.solid())


@dataclass
class Claim:
    """A claim in the making."""

    tokens: list = field(default_factory=list)
    ranges: list = field(default_factory=list)
    label: str | None = None
    relations: list = field(default_factory=list)
    open: bool = False
    number: int = 0

    def problem(self, body):
        """What is wrong before its formula is read; None if nothing is."""
        if re.search(r"\\in(?![A-Za-z])", body):
            return ("a declaration is part of a model: a comment `% rnnbook: define NAME` above it makes it one, "
                    "`% rnnbook: skip` leaves it out")
        if not self.relations:
            return "nothing is claimed here: there is no relation (`% rnnbook: skip` leaves it out)"
        return None

    def notation(self):
        r"""(tokens of `x := y`, tokens of the chain with `=` in its place) if the claim introduces a name; None otherwise."""
        first = next((k for k, token in enumerate(self.tokens) if self.relations and token is self.relations[0]), None)
        if first is None:
            return None
        sign = self.tokens[first]
        colon = next((k for k in range(first - 1, -1, -1) if not self.tokens[k].text.isspace()), None)
        if sign.text in (r"\coloneqq", r"\triangleq"):
            left = self.tokens[:first]
        elif sign.text == "=" and colon is not None and self.tokens[colon].text == ":":
            left = self.tokens[:colon]
        else:
            return None
        second = next((k for k, token in enumerate(self.tokens) if len(self.relations) > 1 and token is self.relations[1]), None)
        equal = Token("=", sign.at)
        return [*left, Token(":", sign.at), equal, *self.tokens[first + 1:second]], [*left, equal, *self.tokens[first + 1:]]


class Braced:
    """Tokens, and which brace closes which."""

    def __init__(self, tokens):
        self.tokens, self.closing, opened = tokens, {}, []
        for k, token in enumerate(tokens):
            if token.text == "{":
                opened.append(k)
            elif token.text == "}" and opened:
                self.closing[opened.pop()] = k

    def text(self, k):
        return self.tokens[k].text if k < len(self.tokens) else ""

    def skip(self, k, signs=()):
        """The place of the first token from k on that is neither white space nor one of some signs."""
        while k < len(self.tokens) and (self.text(k).isspace() or self.text(k) in signs):
            k += 1
        return k

    def group(self, k):
        """(inner tokens, place behind) of the braces, or the single token, that follow from place k on."""
        while self.text(k).isspace() or self.text(k)[:1] == "%":
            k += 1
        if self.text(k) != "{":
            return self.tokens[k:k + 1], min(k + 1, len(self.tokens))
        if k not in self.closing:
            raise IllTyped("a brace is not closed", self.tokens[k].at)
        return self.tokens[k + 1:self.closing[k]], self.closing[k] + 1

    def behind_bracket(self, k):
        """The place behind an option in square brackets, if one stands at place k."""
        if self.text(k) == "[":
            for j in range(k, min(len(self.tokens), k + 40)):
                if self.text(j) == "]":
                    return j + 1
        return k


def joined(tokens):
    return "".join(token.text for token in tokens)


class Display:
    """The content of one display, cut into segments when it is made; `directive` matches a comment that speaks to the checker."""

    def __init__(self, tokens, environment, directive):
        self.joined = environment.startswith("multline")
        #: Whether every row has its own label, or the display one for all.
        self.labelled_rows = environment.startswith(("align", "flalign", "xalign", "gather", "eqnarray"))
        self.comments, self.label, self.places = [], None, []
        self.rows = self._cut(Braced(list(self._undressed(Braced(tokens), directive))))

    # -- cutting -------------------------------------------------------------------------------------------------------
    def _undressed(self, braced, directive):
        """The tokens that mean something: without comments, decorations and the environments that only arrange lines."""
        tokens, k = braced.tokens, 0
        matrices, fresh = 0, True  # fresh: nothing but white space stands in the row so far
        closers = set()  # the places of braces that go with a decoration
        while k < len(tokens):
            token, text = tokens[k], tokens[k].text
            k += 1
            if text[0] == "%":
                said = directive.match(text)
                if said is not None:
                    self.comments.append((said[1], token.at, token.at + said.start(1)))
            elif text == r"\label":
                inner, k = braced.group(k)
                yield Label(text, token.at, joined(inner).strip())
            elif text in DROPPED:
                k = braced.behind_bracket(k + (braced.text(k) == "*"))
                for _ in range(DROPPED[text]):
                    _, k = braced.group(k)
            elif text in DECORATIONS:
                for _ in range(DECORATIONS[text]):
                    _, k = braced.group(k)
                opening = braced.skip(k)
                if braced.text(opening) == "{":
                    _, after = braced.group(opening)
                    closers.add(after - 1)
                    k = opening + 1
            elif k - 1 in closers:
                continue
            elif text == r"\hspace":
                _, k = braced.group(k + (braced.text(k) == "*"))
                yield Token(r"\quad", token.at)
            elif text in (r"\stackrel", r"\overset", r"\underset"):
                inner, after = braced.group(braced.group(k)[1])
                related = len(inner) == 1 and inner[0].text in RELATIONS
                yield inner[0] if related else token
                k, fresh = after if related else k, False
            elif text in (r"\begin", r"\end"):
                inner, after = braced.group(k)
                name = joined(inner).strip()
                if name in INNER or name == "cases" and not matrices and (text == r"\end" or fresh):
                    k = braced.behind_bracket(after)
                    if text == r"\begin" and name == "alignedat":
                        _, k = braced.group(k)
                    continue
                matrices = max(0, matrices + (1 if text == r"\begin" else -1))
                yield Environment(text, token.at, tokens[k:after])
                k, fresh = after, False
            elif text == r"\\":
                k += braced.text(k) == "*"
                option = braced.skip(k)
                behind = braced.behind_bracket(option)
                if re.fullmatch(r"\[-?[\d.]+\s*[a-z]{2}\]", joined(tokens[option:behind])):
                    k = behind
                yield token
                fresh = True
            else:
                yield token
                fresh = fresh and text.isspace()

    def _cut(self, braced):
        r"""Rows of cells of segments."""
        tokens, k = braced.tokens, 0
        rows, depth, matrices, sized = [[[Segment("row", ())]]], 0, 0, False
        last = ""  # the last token that is no space

        def put(token, change=0):
            nonlocal depth, last
            depth = max(0, depth + min(change, 0))
            segment = rows[-1][-1][-1]
            segment.tokens.append(token)
            segment.depths.append(depth)
            depth += max(change, 0)
            last = last if token.text.isspace() else token.text

        def divide(kind, sign):
            segment = Segment(kind, (sign,))
            if kind == "row":
                rows.append([[segment]])
            elif kind == "cell":
                rows[-1].append([segment])
            else:
                rows[-1][-1].append(segment)
            return segment

        while k < len(tokens):
            token, text = tokens[k], tokens[k].text
            k += 1
            if isinstance(token, Label):
                rows[-1][-1][-1].labels.append(token.label)
            elif isinstance(token, Environment):
                change = 1 if text == r"\begin" else -1
                matrices = max(0, matrices + change)
                put(Token(text, token.at), change)
                for part in token.name:
                    put(part)
            elif matrices:
                put(token, _change(text))
            elif text in ("&", r"\\"):
                blank = Token(" " if text == "&" or depth else "\n", token.at)
                if depth:
                    put(blank)
                else:
                    divide("cell" if text == "&" else "row", blank)
            elif text in (r"\left", r"\right"):
                put(token, 1 if text == r"\left" else -1)
                sized = True
                continue
            elif sized:
                put(token)
            elif depth:
                put(token, _change(text))
            elif text in (",", ";"):
                if last in DOTS or braced.text(braced.skip(k, SPACES)) in DOTS:
                    put(token)
                else:
                    divide("comma", token)
            elif text in (r"\quad", r"\qquad"):
                divide("space", token)
            elif text == r"\forall":
                divide("text", Token(" ", token.at)).ranging = True
            elif text in TEXTS and (prose := self._prose(braced, k, last, rows[-1][-1][-1])) is not None:
                words, k = prose
                divide("text", Token(" ", token.at)).ranging = bool(words & RANGING) and words <= RANGING | EACH
            else:
                put(token, _change(text))
            sized = sized and text.isspace()
        return rows

    @staticmethod
    def _prose(braced, k, last, segment):
        """The words of a text between formulas and the place behind it; None if it is part of a formula, such as a name."""
        if last in ("_", "^"):
            return None
        inner, after = braced.group(k)
        content, following = joined(inner), braced.text(braced.skip(after))
        words = set(re.findall(r"[a-z]+", content.lower()))
        apart = following in ("", r"\\", "&") and not segment.solid() and segment.before in ("space", "cell", "text")
        named = following in ("(", "[", "_", "^", "{", r"\left", "=") or re.fullmatch(r"[A-Za-z]*", content) is not None
        return (words, after) if apart or words <= WORDS or not named else None

    # -- folding -------------------------------------------------------------------------------------------------------
    def _streams(self, row):
        """(column, segments) of the equations that stand side by side in a row; reasons behind `&&` are left out."""
        def empty(cell):
            return not any(segment.solid() or segment.ranging for segment in cell)

        take = 3 if len(row) > 1 and not empty(row[0]) and _bare_relation(row[1]) else 2  # a & = & b
        rest, first = row[take:], _one(row[:take])
        first[-1].labels += [label for cell in rest for segment in cell for label in segment.labels if empty([segment])]
        filled = [k for k, cell in enumerate(rest) if not empty(cell)]
        reason = filled and empty(rest[0]) and len(filled) == 1 and not rest[filled[0]][0].starts(RELATIONS)
        if reason:
            first[-1].labels += [label for segment in rest[filled[0]] for label in segment.labels]
        yield 0, first
        if not filled or reason:
            return
        if empty(rest[0]):
            if len(filled) > 1 and filled[0] % 2:
                rest = rest[1:]
        elif len(filled) == 1 and not any(segment.related() for segment in rest[0]):
            yield 0, rest[0]
            return
        for column in range(0, len(rest), 2):
            yield 1 + column // 2, _one(rest[column:column + 2])

    def _pieces(self):
        """(first column empty, column, segments) of all rows, with ranges such as `t = T, T-1, \\dots, 1` in one piece each."""
        for row in self.rows:
            bare = len(row) > 1 and not any(segment.solid() for segment in row[0])
            for column, segments in self._streams(row):
                merged = []
                for segment in segments:
                    dotted = any(d == 0 and t.text in DOTS for t, d in segment.solid())
                    if merged and segment.before == "comma" and not segment.related() and (
                            merged[-1].ranging or dotted and re.match(r"\w=", merged[-1].text())):
                        merged[-1].take(segment)
                    else:
                        merged.append(segment)
                yield bare, column, merged

    def claims(self):
        """The claims of the display, in the order in which they begin."""
        found, current = [], {}
        for bare, column, segments in self._pieces():
            latest = current.get(column)
            for k, segment in enumerate(segments):
                solid = segment.solid()
                if (range_ := _range(segment, first=k == 0)) is not None:
                    owner = latest or current.get(0)
                    if owner is not None and solid:
                        owner.ranges.append(range_)
                elif solid:
                    if solid[0][0].text in IMPLICATIONS and segment.before in ("row", "cell"):
                        at = segment.tokens.index(solid[0][0])
                        del segment.tokens[:at + 1], segment.depths[:at + 1]
                        latest = None
                    if latest is None or not self._goes_on(latest, segment, bare, k == 0):
                        latest = Claim(number=len(found))
                        found.append(latest)
                    else:
                        latest.tokens += segment.sign
                    latest.tokens += segment.tokens
                    latest.relations += [t for t, d in solid if d == 0 and t.text in RELATIONS]
                    latest.open = solid[-1][0].text in RELATIONS | OPERATORS
                    self.places += [(t.at, latest.number) for t, _ in solid]
                    current[column] = latest
                for label in segment.labels:
                    if not self.labelled_rows:
                        self.label = self.label or label
                    elif (owner := latest or current.get(0)) is not None:
                        owner.label = owner.label or label
        self.places.sort()
        return found

    def _goes_on(self, claim, segment, bare, first):
        """Whether a segment continues a claim rather than being one of its own."""
        if not claim.relations or claim.open or self.joined or segment.starts(RELATIONS) or not segment.related():
            return True
        if not (first or segment.before in ("row", "cell")):
            return False
        return segment.starts(OPERATORS) and (bare or not segment.starts("-"))

    def model(self):
        """The tokens of the display as lines of a model."""
        out = []
        for _, column, segments in self._pieces():
            for k, segment in enumerate(segments):
                if _range(segment, first=k == 0) is None:
                    out += segment.sign if segment.before != "cell" or column == 0 else (Token("\n", segment.sign[0].at),)
                    out += segment.tokens
        return out

    def meant(self, at, own_line):
        """The claims, by number, that a comment at an offset is about: all, if it stands in front of everything on the first line."""
        offsets = [offset for offset, _ in self.places]
        if own_line:
            after = [k for offset, k in self.places if offset > at]
            return after[:1] or ([self.places[-1][1]] if self.places else [])
        before = [k for offset, k in self.places if offset < at]
        return before[-1:] or sorted({k for _, k in self.places}) if offsets else []


def _change(text):
    """How the depth of brackets changes at a token."""
    if text in ("(", "[", "{", r"\{", r"\langle", r"\lbrace", r"\lbrack"):
        return 1
    return -1 if text in (")", "]", "}", r"\}", r"\rangle", r"\rbrace", r"\rbrack") else 0


def _one(cells):
    """The segments of cells that are one formula: `a &= b` has none of its own on each side."""
    out = list(cells[0])
    for cell in cells[1:]:
        out[-1].take(cell[0])
        out += cell[1:]
    return out


def _bare_relation(cell):
    solid = [t for segment in cell for t, _ in segment.solid()]
    return len(solid) == 1 and solid[0].text in RELATIONS


def _range(segment, first):
    r"""The option `:for:` that a segment gives, such as `t = 1, \dots, T` or what stands behind *for*; None if it is a formula."""
    text = segment.text().rstrip(" .")
    if text.startswith("(") and text.endswith(")") and not first:
        text = text[1:-1]
    dotted = re.match(r"[A-Za-z](=|\\in )", text) is not None and re.search(r"\\[lc]?dotsc? |\.\.|…", text) is not None
    return _in_order(text) if segment.ranging or dotted else None


def _in_order(text):
    r"""A range with a sign of equality for `t \in \{1, \dots, T\}`, and `t = T, T-1, \dots, 1` the other way round."""
    if len(text) > 300:
        return text
    text = re.sub(r"\\in \\\{(.*)\\\}", r"= \1", text).rstrip(" .:")
    falling = re.fullmatch(r"(\w) ?= ?([^,=]+),(?:[^,=]+,)?(?:\\[lc]?dotsc? |\.\.+|…),?([^,=]+)", text)
    if falling is None:
        return text
    letter, low, high = (part.strip() for part in falling.groups())
    if high.isdigit() and not low.isdigit():
        low, high = high, low
    return rf"{letter} = {low}, \dots, {high}"
