"""Keep verdicts on disk, by the model, the claim, the options and the checker's own source."""
from __future__ import annotations

import hashlib
import json
import os
import tempfile
from functools import cache
from pathlib import Path

FIELDS = ("verdict", "step", "message", "instances", "max_error", "evidence", "misfit", "exact", "at", "option")


@cache
def own_digest():
    """A digest of the checker's source: another checker, another verdict."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def key(parts):
    return hashlib.sha256(json.dumps([own_digest(), parts], sort_keys=True).encode()).hexdigest()


def load(folder, name):
    """The kept fields of an outcome, or None."""
    try:
        found = json.loads((Path(folder) / name[:2] / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and set(found) == set(FIELDS) else None


def save(folder, name, outcome):
    """Keep an outcome; a folder that cannot be written is no error."""
    target = Path(folder) / name[:2] / f"{name}.json"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, suffix=".tmp")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({field: getattr(outcome, field) for field in FIELDS}, file)
        os.replace(temporary, target)
    except OSError:
        pass
