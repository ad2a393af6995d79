"""Copy the models of the book's chapters to the file that the package carries.

`python -m rnnbook.checker.collect book` writes `models.md` anew; a test says that it equals the chapters.
"""
import re
import sys
from pathlib import Path

from rnnbook.checker.library import FILE
from rnnbook.checker.scan import scan


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
