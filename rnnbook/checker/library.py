"""The models of the book's chapters by name, wherever the package is installed.

The chapters are their only source. `models.md`, beside this module, is copied from them; `python -m rnnbook.checker.library book` writes it
anew, and a test says that it equals the chapters.
"""
from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rnnbook.checker.scan import Block, scan

FILE = Path(__file__).with_name("models.md")


@dataclass(frozen=True)
class Chapter:
    """A chapter of the book that has models."""

    name: str
    title: str
    models: tuple[Block, ...]


@cache
def chapters() -> tuple[Chapter, ...]:
    """The chapters with their models, in reading order."""
    found = []
    for part in re.split(r"^# ", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        name, _, title = heading.partition(": ")
        found.append(Chapter(name, title, tuple(scan(text))))
    return tuple(found)


@cache
def book_models() -> dict[str, Block]:
    """All models of the book by name."""
    return {model.name: model for chapter in chapters() for model in chapter.models}


def collect(folder) -> str:
    """What `models.md` has to be: the models of the chapters that the book's index lists, without the labels that only the book knows."""
    text = []
    for line in (Path(folder) / "index.md").read_text(encoding="utf-8").splitlines():
        path = Path(folder) / f"{line}.md"
        if not re.fullmatch(r"[\w-]+", line) or not path.is_file():
            continue
        chapter = path.read_text(encoding="utf-8")
        models = [block for block in scan(chapter) if block.kind == "model" and block.name]
        if models:
            title = re.search(r"^# (.*)$", chapter, re.MULTILINE)[1]
            text.append(f"# {line}: {title}\n")
        for model in models:
            options = "".join(f":{key}: {value}\n" for key, value in model.options.items() if key != "label")
            text.append(f"```{{model}} {model.name}\n{options}{model.body.strip()}\n```\n")
    return "\n".join(text)


if __name__ == "__main__":
    FILE.write_text(collect(sys.argv[1]), encoding="utf-8")
