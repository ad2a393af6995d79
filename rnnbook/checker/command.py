"""The commands `rnnbook check` and `rnnbook models`."""
from __future__ import annotations

import argparse
import difflib
import json
import os
import sys
from pathlib import Path

from rnnbook.checker.document import blocks_of, check, library_of
from rnnbook.checker.latex import inclusions
from rnnbook.checker.library import book_models, chapters
from rnnbook.checker.model import symbols_of


def documents(names):
    """The files to check: a folder stands for all `.md` and `.tex` files below it (hidden and built ones left out)."""
    for name in names:
        path = Path(name)
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.suffix in (".md", ".tex") and p.is_file()
                              and not any(part.startswith((".", "_build")) for part in p.relative_to(path).parts))
        else:
            yield path


def main(arguments=None):
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="rnnbook", description="Check the equations of documents.")
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("models", help="list the models of the book, or show one")
    listing.add_argument("name", nargs="?", help="show this model, or those of this chapter")
    checking = commands.add_parser("check", help="check every claim of some documents, MyST (.md) or LaTeX (.tex)")
    checking.add_argument("files", nargs="+", metavar="FILE_OR_FOLDER")
    checking.add_argument("--model", metavar="NAME", help="what equations are about that name no model: one of the book "
                          "(`rnnbook models` lists them), or of the documents")
    checking.add_argument("--json", action="store_true", help="print a list of objects instead of lines")
    checking.add_argument("--proof-seconds", type=float, default=2.0, metavar="S",
                          help="time for a proof, per claim (0: none)")
    checking.add_argument("--seconds", type=float, default=5.0, metavar="S", help="time for a claim")
    checking.add_argument("--cache", metavar="DIR", help="keep verdicts in this folder")
    checking.add_argument("--mutate", action="store_true",
                          help="break each true claim in the ways people get wrong, and list what goes unnoticed")
    options = parser.parse_args(arguments)
    try:
        return show_models(options.name) if options.command == "models" else check_files(options)
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2


def check_files(options):
    """`rnnbook check`; returns the exit status."""
    paths, results, unreadable = list(documents(options.files)), [], []
    # models of the given documents first, then of those that lie beside them
    beside = [other for folder in dict.fromkeys(path.parent for path in paths) for other in sorted(folder.glob("*.md"))]
    library = book_models() | library_of([*paths, *beside])
    if options.model is not None and options.model not in library and not any(defines(path, options.model) for path in paths):
        print(f"--model: {no_model(options.model, library)}", file=sys.stderr)
        return 2
    for path in paths:
        try:
            path.read_bytes()[:1]
            results += check(path, model=options.model, library=library, proof_seconds=options.proof_seconds, seconds=options.seconds,
                             cache=options.cache, mutate=options.mutate)
        except OSError as problem:
            unreadable.append(f"{path}: {problem.strerror or problem}")
    if options.json:
        print(json.dumps([result.as_dict() for result in results], ensure_ascii=False, indent=1))
    else:
        for result in results:
            if options.mutate:
                print("".join(survivors(result)), end="")
            if not options.mutate or not result.ok:
                print(line(result))
        print(score(results) if options.mutate else summary(results))
    for text in (*unreadable, *left_out(paths)):
        print(text, file=sys.stderr)
    if unreadable:
        return 2
    return 0 if all(result.ok for result in results) else 1


def text_of(path):
    """The text of a document; none where it cannot be read, which is reported where it is checked."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def defines(path, name):
    """Whether a document has a model of that name."""
    return any(block.kind == "model" and block.name == name for block in blocks_of(text_of(path), path))


def left_out(paths):
    """A line for each file that a LaTeX document includes and that is not checked, because it is not among the paths."""
    given = {os.path.abspath(path) for path in paths}
    for path in paths:
        for line, command, name in inclusions(text_of(path)) if path.suffix == ".tex" else ():
            file = os.path.abspath(path.parent / name)
            if Path(name).suffix in ("", ".tex") and not given & {file, f"{file}.tex"}:
                yield f"{path}:{line}: {command} is not read; to check that file as well, name it too"


def no_model(name, known):
    close = difflib.get_close_matches(name, list(known), n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"there is no model {name!r}{hint} (`rnnbook models` lists those of the book)"


def show_models(name):
    """`rnnbook models`; returns the exit status."""
    known = book_models()
    if name in known:
        models = [known[name]]
        while (base := models[0].options.get("extends")) is not None:
            models.insert(0, known[base])
        for model in models:
            options = "".join(f":{key}: {value}\n" for key, value in model.options.items() if key != "label")
            print(f"```{{model}} {model.name}\n{options}{model.body}\n```")
        return 0
    listed = [chapter for chapter in chapters() if name in (None, chapter.name)]
    if not listed:
        print(no_model(name, [*known, *(chapter.name for chapter in chapters())]), file=sys.stderr)
        return 2
    for chapter in listed:
        print(f"{chapter.title} ({chapter.name})")
        for model in chapter.models:
            base = model.options.get("extends")
            print(f"  {model.name:24} {f'{base}, and ' if base else ''}{', '.join(symbols_of(model.body))}")
    return 0


def line(result):
    """One line for a claim, with the explanation indented below where it is not as expected."""
    evidence = f" ({result.evidence})" if result.evidence else ""
    expected = " — as expected" if result.expected == "false" and result.ok else ""
    text = f"{result.path}:{result.line}: {result.label}: {result.verdict}{evidence}{expected}"
    if not result.ok:
        if result.expected == "false" and result.verdict in ("proved", "holds"):
            text += "\n    it was expected to be wrong (:expect: false), and it is true"
        if result.message:
            text += "".join(f"\n    {row}" for row in result.message.split("\n"))
    return text


def survivors(result):
    """A line for each mutant that was not refused."""
    for mutant in result.mutants:
        if not mutant.refused:
            place = f"{result.path}:{result.line}: {result.label}"
            yield f"{place}: {mutant.fate}: {mutant.mutation}\n    {mutant.formula}\n"


def score(results):
    """How many mutants were refused, and what became of the others."""
    fates = {}
    for result in results:
        for mutant in result.mutants:
            fates[mutant.fate] = fates.get(mutant.fate, 0) + 1
    refused = sum(fates.get(fate, 0) for fate in ("false", "ill-typed", "undefined"))
    claims = sum(bool(result.mutants) for result in results)
    text = (f"{sum(fates.values())} mutants of {claims} claim{'s' * (claims != 1)}: {refused} refused ({fates.get('false', 0)} false, "
            f"{fates.get('ill-typed', 0)} ill-typed, {fates.get('undefined', 0)} without a value)")
    for fate in ("equivalent", "unexplained", "undecided"):
        if fate in fates:
            text += f", {fates[fate]} {fate}"
    return text


def summary(results):
    counts = {}
    for result in results:
        counts[result.verdict] = counts.get(result.verdict, 0) + 1
    parts = [f"{counts[name]} {name}" for name in ("proved", "holds", "false", "ill-typed", "undecided")
             if name in counts]
    wrong = sum(not result.ok for result in results)
    claims = sum(result.kind not in ("model", "comment") for result in results)
    return f"{claims} claim{'s' * (claims != 1)}: {', '.join(parts) or 'none'}; {wrong} not as expected"


if __name__ == "__main__":
    sys.exit(main())
