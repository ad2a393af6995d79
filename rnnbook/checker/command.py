"""The command `rnnbook check`."""
from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rnnbook.checker.document import check, library_of


def documents(names):
    """The files to check: a folder stands for all `.md` files below it (hidden and built ones left out)."""
    for name in names:
        path = Path(name)
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*.md")
                              if not any(part.startswith((".", "_build")) for part in p.relative_to(path).parts))
        else:
            yield path


def main(arguments=None):
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="rnnbook", description="Check the equations of a document.")
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check", help="check every claim of some documents")
    checking.add_argument("files", nargs="+", metavar="FILE_OR_FOLDER")
    checking.add_argument("--json", action="store_true", help="print a list of objects instead of lines")
    checking.add_argument("--proof-seconds", type=float, default=2.0, metavar="S",
                          help="time for a proof, per claim (0: none)")
    checking.add_argument("--seconds", type=float, default=5.0, metavar="S", help="time for a claim")
    checking.add_argument("--cache", metavar="DIR", help="keep verdicts in this folder")
    checking.add_argument("--mutate", action="store_true",
                          help="break each true claim in the ways people get wrong, and list what goes unnoticed")
    options = parser.parse_args(arguments)

    paths, results, unreadable = list(documents(options.files)), [], []
    # models of the given documents first, then of those that lie beside them
    beside = [other for folder in dict.fromkeys(path.parent for path in paths) for other in sorted(folder.glob("*.md"))]
    library = library_of([*paths, *beside]) if len(paths) > 1 else None
    for path in paths:
        try:
            path.read_bytes()[:1]
            results += check(path, library=library, proof_seconds=options.proof_seconds, seconds=options.seconds,
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
    for text in unreadable:
        print(text, file=sys.stderr)
    if unreadable:
        return 2
    return 0 if all(result.ok for result in results) else 1


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
    text = (f"{sum(fates.values())} mutants of {claims} claims: {refused} refused ({fates.get('false', 0)} false, "
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
    claims = sum(result.kind != "model" for result in results)
    return f"{claims} claims: {', '.join(parts) or 'none'}; {wrong} not as expected"


if __name__ == "__main__":
    sys.exit(main())
