r"""Cut the content of a LaTeX display into claims: rows of `align` and `gather`, columns, chains that go on, ranges behind a comma."""
from __future__ import annotations

import re
from dataclasses import dataclass, field

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
RANGING = frozenset("for if when all where".split())
#: Commands that only decorate what stands in their last pair of braces, with the number of pairs in front of it.
DECORATIONS = {r"\boxed": 0, r"\fbox": 0, r"\textcolor": 1, r"\colorbox": 1, r"\smash": 0}
TEXTS = (r"\text", r"\textrm", r"\mbox", r"\textit", r"\textnormal", r"\textbf", r"\mathrm", r"\hbox", r"\textup")
DOTS = frozenset([r"\dots", r"\ldots", r"\cdots", r"\dotsc", "…"])


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


class Display:
    """The content of one display, cut into segments when it is made; `directive` matches a comment that speaks to the checker."""

    def __init__(self, tokens, environment, directive):
        self.tokens = tokens
        self.joined = environment.startswith("multline")
        #: Whether every row has its own label, or the display one for all.
        self.labelled_rows = environment.startswith(("align", "flalign", "xalign", "gather", "eqnarray"))
        self.comments, self.label, self.places = [], None, []
        self.closing, opened = {}, []  # which brace closes which
        for k, token in enumerate(tokens):
            if token.text == "{":
                opened.append(k)
            elif token.text == "}" and opened:
                self.closing[opened.pop()] = k
        self.rows = self._cut(directive)

    # -- cutting -------------------------------------------------------------------------------------------------------
    def _group(self, k):
        """(inner tokens, index behind) of the braces, or the single token, that follow token k."""
        tokens = self.tokens
        while k < len(tokens) and (tokens[k].text.isspace() or tokens[k].text[0] == "%"):
            k += 1
        if k >= len(tokens) or tokens[k].text != "{":
            return tokens[k:k + 1], k + 1
        if k not in self.closing:
            raise IllTyped("a brace is not closed", tokens[k].at)
        return tokens[k + 1:self.closing[k]], self.closing[k] + 1

    def _following(self, k, spaces=frozenset()):
        """The text of the next token from k on that is no white space."""
        while k < len(self.tokens) and (self.tokens[k].text.isspace() or self.tokens[k].text in spaces):
            k += 1
        return self.tokens[k].text if k < len(self.tokens) else ""

    @staticmethod
    def _joined(tokens):
        return "".join(t.text for t in tokens)

    def _cut(self, directive):
        r"""Rows of cells of segments."""
        tokens, k = self.tokens, 0
        rows, depth, matrices, sized = [[[Segment("row", ())]]], 0, 0, False
        last = None  # the last token that is no space
        closers = set()  # the places of braces that are dropped

        def put(token, change=0):
            nonlocal depth, last
            segment = rows[-1][-1][-1]
            if change < 0:
                depth = max(0, depth + change)
            segment.tokens.append(token)
            segment.depths.append(depth)
            if change > 0:
                depth += change
            if not token.text.isspace():
                last = token

        def divide(kind, *sign):
            segment = Segment(kind, sign)
            if kind == "row":
                rows.append([[segment]])
            elif kind == "cell":
                rows[-1].append([segment])
            else:
                rows[-1][-1].append(segment)
            return segment

        while k < len(tokens):
            token = tokens[k]
            text = token.text
            k += 1
            if text[0] == "%":
                said = directive.match(text)
                if said is not None:
                    self.comments.append((said[1], token.at, token.at + said.start(1)))
            elif text == r"\label":
                inner, k = self._group(k)
                rows[-1][-1][-1].labels.append(self._joined(inner).strip())
            elif text in DROPPED:
                if k < len(tokens) and tokens[k].text == "*":
                    k += 1
                if text == r"\displaybreak" and k < len(tokens) and tokens[k].text == "[":
                    k = self._behind_bracket(k)
                for _ in range(DROPPED[text]):
                    _, k = self._group(k)
            elif k - 1 in closers:
                continue
            elif text in DECORATIONS:
                for _ in range(DECORATIONS[text]):
                    _, k = self._group(k)
                inner, after = self._group(k)
                if tokens[after - 1].text == "}":
                    closers.add(after - 1)
                    k = after - 1 - len(inner)
            elif text == r"\hspace":
                k += k < len(tokens) and tokens[k].text == "*"
                _, k = self._group(k)
                put(Token(r"\quad", token.at))
            elif text in (r"\stackrel", r"\overset", r"\underset"):
                _, after = self._group(k)
                inner, behind = self._group(after)
                if len(inner) == 1 and inner[0].text in RELATIONS:
                    put(inner[0])
                    k = behind
                else:
                    put(token)
            elif text in (r"\begin", r"\end"):
                inner, after = self._group(k)
                name = self._joined(inner).strip()
                system = name == "cases" and not matrices and (text == r"\end" or not any(map(Segment.solid, rows[-1][-1])))
                if name in INNER or system:
                    k = after
                    if k < len(tokens) and tokens[k].text == "[":
                        k = self._behind_bracket(k)
                    if text == r"\begin" and name == "alignedat":
                        _, k = self._group(k)
                    continue
                matrices = max(0, matrices + (1 if text == r"\begin" else -1))
                for part in tokens[k - 1:after - 1]:
                    put(part)
                put(tokens[after - 1], 1 if text == r"\begin" else -1)
                k = after
            elif text == r"\\":
                k += k < len(tokens) and tokens[k].text == "*"
                following = k
                while following < len(tokens) and tokens[following].text in (" ", "\t"):
                    following += 1
                if following < len(tokens) and tokens[following].text == "[":
                    behind = self._behind_bracket(following)
                    if re.fullmatch(r"\[-?[\d.]+\s*[a-z]{2}\]", self._joined(tokens[following:behind]).replace(" ", "")):
                        k = behind
                if matrices or depth:
                    put(token if matrices else Token(" ", token.at))
                else:
                    divide("row", Token("\n", token.at))
            elif matrices:
                put(token, _change(text))
            elif text == "&":
                if depth:
                    put(Token(" ", token.at))
                else:
                    divide("cell", Token(" ", token.at))
            elif depth == 0 and text in ",;":
                if last is not None and last.text in DOTS or self._following(k, SPACES) in DOTS:
                    put(token)
                else:
                    divide("comma", token)
            elif depth == 0 and text in (r"\quad", r"\qquad"):
                divide("space", token)
            elif text == r"\forall" and depth == 0:
                divide("text", Token(" ", token.at)).ranging = True
            elif text in TEXTS and depth == 0 and (prose := self._prose(k, last, rows[-1][-1][-1])) is not None:
                words, k = prose
                segment = divide("text", Token(" ", token.at))
                segment.ranging = bool(words & RANGING) and not words - RANGING - {"each", "every", "any", "i", "e"}
            elif text in (r"\left", r"\right"):
                put(token, 1 if text == r"\left" else -1)
                sized = True
                continue
            else:
                put(token, 0 if sized else _change(text))
            if not text.isspace():
                sized = False
        return rows

    def _behind_bracket(self, k):
        for j in range(k, min(len(self.tokens), k + 40)):
            if self.tokens[j].text == "]":
                return j + 1
        return k + 1

    def _prose(self, k, last, segment):
        """The words of a text between formulas and the index behind it; None if it is part of a formula, such as a name."""
        if last is not None and last.text in ("_", "^"):
            return None
        inner, after = self._group(k)
        content = self._joined(inner)
        following = self._following(after)
        words = set(re.findall(r"[a-z]+", content.lower()))
        spaced = content != content.strip() or not re.fullmatch(r"[A-Za-z]*", content.strip())
        if following in ("", r"\\", "&") and not segment.solid() and segment.before in ("space", "cell", "text"):
            return words, after  # the last of a row, apart from its formula
        if not words <= WORDS and (following in ("(", "[", "_", "^", "{", r"\left", "=") or not spaced):
            return None
        return words, after

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
