"""The models of the book's chapters by name, wherever the package is installed.

The chapters are their only source. `models.md`, beside this module, is copied from them by `rnnbook.checker.collect`.
"""
from __future__ import annotations

import re
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
