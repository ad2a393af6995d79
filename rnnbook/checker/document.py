"""Check whole documents: find the blocks, read the models, reach a verdict for every claim."""
from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rnnbook.checker.cache import key as cache_key
from rnnbook.checker.cache import load, save
from rnnbook.checker.claim import OptionError, read_claim
from rnnbook.checker.errors import IllTyped
from rnnbook.checker.context import Misfit
from rnnbook.checker.instances import Instances
from rnnbook.checker.latex import LatexBlock, looks_like_latex, scan_latex
from rnnbook.checker.library import book_models
from rnnbook.checker.model import Model, introduces, read_model
from rnnbook.checker.mutate import mutants
from rnnbook.checker.prove import prove
from rnnbook.checker.scan import Block, scan
from rnnbook.checker.verdict import Outcome, check_claim


@dataclass(frozen=True)
class Result:
    """The verdict of one claim (or the error of one model)."""

    path: str | None
    line: int
    label: str
    kind: str
    verdict: str
    expected: str = "true"
    step: int | None = None
    message: str = ""
    instances: int = 0
    max_error: float | None = None
    evidence: str = ""
    seconds: float = 0.0
    latex: str = ""
    model: str = ""
    misfit: bool = False
    mutants: tuple = ()

    @property
    def ok(self):
        """Whether the verdict is the expected one.

        A claim that is expected to be wrong is so when it is false, or when its shapes or indices do not fit; an undefined symbol
        or a syntax error is a slip of the author, not the error that the text wants to show.
        """
        if self.expected == "true":
            return self.verdict in ("proved", "holds")
        return self.verdict == "false" or self.verdict == "ill-typed" and self.misfit

    def as_dict(self):
        found = asdict(self) | {"ok": self.ok}
        if not self.mutants:
            del found["mutants"]
        return found


#: The message of a verdict that should never be seen.
INTERNAL = "the checker itself failed on this formula"
INTERNAL_DOCUMENT = "the checker itself failed on this document"


class Book:
    """The models that claims refer to: those of a document in order, and a library of others by name."""

    def __init__(self, library=None):
        self.library = {} if library is None else library
        self.models, self.problems, self.instances, self.reading, self.blocks = {}, {}, {}, set(), {}
        self.derived, self.notations = {}, {}

    def add(self, block: Block, default_name):
        """Read a model of the document; returns its error as (message, offset) or None."""
        name = block.name or default_name
        self.blocks[name] = block
        self.models.pop(name, None)
        self.problems.pop(name, None)
        try:
            if block.problem:
                raise IllTyped(block.problem)
            self.models[name] = self.read(name, block)
        except IllTyped as problem:
            self.problems[name] = problem.message
            return problem
        except RecursionError:
            self.problems[name] = "the model is nested too deeply"
            return IllTyped(self.problems[name])
        except Exception as error:
            self.problems[name] = f"{INTERNAL} ({type(error).__name__}: {error})"
            return IllTyped(self.problems[name])
        return None

    def read(self, name, block):
        base = block.options.get("extends")
        extends = self.find(base) if base else None
        return read_model(name, block.body, block.options, extends)

    def with_options(self, name, options) -> Model:
        """A model by name, read with a layout or sizes that the document gives."""
        model = self.find(name)
        if not options:
            return model
        key = (id(model), *sorted(options.items()))
        if key not in self.derived:
            self.derived[key] = read_model(name, "", options, model)  # it keeps `model`, and so the key, alive
        return self.derived[key]

    def note(self, name, source):
        """Add the abbreviation `x := y` of a document to a model of it; returns whether it is new there."""
        model = self.find(name)
        if not introduces(model, source):
            return False
        self.models[name] = read_model(name, source, {}, model)
        self.notations.setdefault(name, []).append(source)
        return True

    def source(self, name, depth=0):
        """Everything that a verdict on a claim about a model depends on, as plain data."""
        block = self.blocks.get(name)
        if block is None and name in self.library:
            block = self.library[name]
        if not isinstance(block, Block) or depth > 20:
            return [name, str(block)]
        base = block.options.get("extends")
        return [name, block.body, sorted(block.options.items()), block.problem, self.notations.get(name), self.source(base, depth + 1) if base
                else None]

    def find(self, name) -> Model:
        """A model by name: of the document, then of the library."""
        if name in self.models:
            return self.models[name]
        if name in self.problems:
            raise IllTyped(f"the model {name!r} has an error: {self.problems[name]}")
        if name in self.library:
            if name in self.reading:
                raise IllTyped(f"the model {name!r} extends itself")
            block = self.library[name]
            if not isinstance(block, Block):
                block = Block("model", name, {}, 1, str(block), 1)
            self.reading.add(name)
            try:
                self.models[name] = self.read(name, block)
            finally:
                self.reading.discard(name)
            return self.models[name]
        import difflib
        close = difflib.get_close_matches(str(name), [*filter(None, self.blocks), *self.library], n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise IllTyped(f"there is no model {name!r}{hint}")

    def instances_of(self, model):
        found = self.instances.get(id(model))
        if found is None or found.model is not model:
            found = self.instances[id(model)] = Instances(model)
        return found


def label_of(block, number):
    return block.options.get("label") or block.name or f"{block.kind}-{number}"


def is_latex(path):
    return Path(path).suffix.lower() in (".tex", ".ltx")


def library_of(paths):
    """All models of some MyST documents by name, as blocks (the first of a name wins).

    The models of a LaTeX document are its own: what one student defines is not what another one means.
    """
    found = {}
    for path in paths:
        if is_latex(path):
            continue
        try:
            text = Path(path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for block in scan(text):
            if block.kind == "model" and block.name and block.name not in found:
                found[block.name] = block
    return found


def located(block, outcome):
    """A message with line, column and a caret under the place in the block."""
    message = block.worded(outcome.message)
    if outcome.option is not None:
        return f"line {block.option_lines.get(outcome.option, block.line)}: {message}"
    if outcome.at is None:
        return message
    line, column = block.position(outcome.at)
    return f"line {line}, column {column}: {message}\n{block.caret(outcome.at)}"


def check_block(block, number, book, model_name, path=None, proof_seconds=2.0, seconds=5.0, cache=None):
    """The result of one claim or derivation."""
    start = time.perf_counter()
    name = block.options.get("model") or model_name
    options = getattr(block, "model_options", {})
    outcome = kept = place = None
    if cache is not None:
        place = cache_key([book.source(name), block.kind, block.body, sorted(block.options.items()),
                           sorted(options.items()), block.problem, proof_seconds, seconds])
        kept = load(cache, place)
    if kept is not None:
        outcome = Outcome(kept["verdict"])
        for field, value in kept.items():
            setattr(outcome, field, value)
    else:
        outcome = try_block(block, book, name, options, proof_seconds, seconds, start)
        if cache is not None and outcome.verdict != "undecided":
            save(cache, place, outcome)
    evidence = outcome.evidence
    if outcome.verdict == "holds":
        evidence = f"{outcome.instances} instance{'s' * (outcome.instances != 1)}"
        if not outcome.exact:
            evidence += f", error ≤ {outcome.max_error:.1e}"
    message = located(block, outcome) if outcome.verdict == "ill-typed" else outcome.message
    return Result(path, block.line, label_of(block, number), block.kind, outcome.verdict,
                  block.options.get("expect", "true"),
                  outcome.step, message, outcome.instances, outcome.max_error, evidence, time.perf_counter() - start,
                  block.body.strip(), name or "", outcome.misfit)


def try_block(block, book, name, options, proof_seconds, seconds, start):
    """The outcome for a claim or derivation: read it, try it on instances, try to prove it."""
    try:
        if block.problem:
            raise IllTyped(block.problem)
        model = Model("") if name is None else book.with_options(name, options)
        instances = book.instances_of(model)
        claim = read_claim(block, model, instances.get(0))
        outcome = check_claim(claim, instances, seconds)
        left = seconds - (time.perf_counter() - start)
        if outcome.verdict == "holds" and proof_seconds > 0 and left > 0:
            evidence = prove(claim, instances, proof_seconds, left)
            if evidence is not None:
                outcome.verdict, outcome.evidence = "proved", evidence
        if outcome.verdict == "ill-typed" and name is None:
            outcome.message += no_model(block)
        return outcome
    except IllTyped as error:
        message = error.quote(block.body) if isinstance(error, Misfit) else error.message
        if name is None and not block.problem:
            message += no_model(block)
        outcome = Outcome("ill-typed", getattr(error, "step", None), message, misfit=isinstance(error, Misfit))
        outcome.at = error.at
        outcome.option = error.option if isinstance(error, OptionError) else None
        return outcome
    except RecursionError:
        return Outcome("ill-typed", message="the formula is nested too deeply")
    except Exception as error:  # a document comes from anybody: whatever happens, its other claims get their verdicts
        return Outcome("undecided", message=f"{INTERNAL} ({type(error).__name__}: {error})")


def no_model(block):
    """What to write where no model is named."""
    comment = isinstance(block, LatexBlock)
    here = "a comment `% rnnbook: model = lstm` above it names one" if comment else "the option `:model: lstm` names one"
    return f"; no model says what the symbols are: {here}, and so does --model lstm (`rnnbook models` lists those of the book)"


def check(text_or_path, *, path=None, model=None, library=None, proof_seconds=2.0, seconds=5.0, cache=None, mutate=False):
    """Check every claim of a document; see the package's docstring."""
    text = text_or_path
    if isinstance(text_or_path, Path) or _is_file(text_or_path):
        path = str(text_or_path) if path is None else path
        text = Path(text_or_path).read_text(encoding="utf-8", errors="replace")
        if library is None:
            library = siblings(Path(text_or_path))
    if library is None:
        library = book_models()
    return check_text(text, path, model, library, proof_seconds, seconds, cache, mutate)


def _is_file(name):
    if "\n" in name or len(name) > 4096:
        return False
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False


class siblings(dict):
    """The models of the other documents in a folder, and those of the book; read only when a name is asked for."""

    def __init__(self, path):
        super().__init__()
        self.path, self.found = path, None

    def _load(self):
        if self.found is None:
            others = sorted(p for p in self.path.parent.glob("*.md") if p != self.path)
            self.found = book_models() | library_of(others)
        return self.found

    def __contains__(self, name):
        return name in self._load()

    def __getitem__(self, name):
        return self._load()[name]

    def __iter__(self):
        return iter(self._load())


def blocks_of(text, path=None):
    """The blocks of a document: LaTeX by its name, or by its looks if it has none; MyST otherwise."""
    if path is not None:
        return scan_latex(text) if is_latex(path) else scan(text)
    return scan(text) or (scan_latex(text) if looks_like_latex(text) else [])


def note(notation, book, name):
    """Whether the abbreviation that a claim begins with is a new one; what is wrong with it shows when the claim is read."""
    try:
        return name is not None and book.note(name, notation.body)
    except (IllTyped, RecursionError):
        return False


def check_text(text, path, model_name, library, proof_seconds, seconds, cache, mutate):
    book, results, numbers = Book(library), [], {}
    try:
        blocks = blocks_of(text, path)
    except Exception as error:  # the other documents of a folder get their verdicts
        return [Result(path, 1, "document", "comment", "undecided", message=f"{INTERNAL_DOCUMENT} ({type(error).__name__}: {error})")]
    for block in blocks:
        numbers[block.kind] = number = numbers.get(block.kind, 0) + 1
        if block.kind == "model":
            default = f"model-{number}"
            problem = book.add(block, default)
            model_name = block.name or default
            if problem is not None:
                outcome = Outcome("ill-typed", message=problem.message)
                outcome.at = problem.at
                results.append(Result(path, block.line, label_of(block, number), "model", "ill-typed",
                                      message=located(block, outcome), latex=block.body.strip(), model=model_name))
            continue
        if block.kind == "comment":
            results.append(Result(path, block.line, label_of(block, number), "comment", "ill-typed", message=block.problem))
            continue
        notation = getattr(block, "notation", None)
        new = notation is not None and note(notation, book, block.options.get("model") or model_name)
        result = check_block(block, number, book, model_name, path, proof_seconds, seconds, cache)
        if new and block.only_notation and result.ok:
            continue  # true because it says so
        if mutate and result.expected == "true" and result.ok:
            options = getattr(block, "model_options", {})
            model = Model("") if not result.model else book.with_options(result.model, options)
            instances = book.instances_of(model)
            claim = read_claim(block, model, instances.get(0))
            result = replace(result, mutants=tuple(mutants(block, claim, instances)))
        results.append(result)
    return results


__all__ = ["Book", "Result", "check", "check_block", "library_of"]
