"""Build the book, or a small one like it, as `make` does."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def sphinx(source, work, *, builder="html", project=ROOT):
    """Build a book as `make` does, with everything that is made kept below `work`."""
    command = [sys.executable, "-m", "sphinx", "-c", project, "-d", work / "doctrees", "-b", builder, "-W", "--keep-going", "-n"]
    settings = {"nb_execution_cache_path": work / "jupyter-cache", "rnnbook_check_cache": work / "checks"}
    if project is not ROOT:
        settings = {}  # a project of its own keeps its caches where its conf.py says
    for name, value in settings.items():
        command += ["-D", f"{name}={value}"]
    environment = os.environ | {"PYTHONPATH": str(project), "SOURCE_DATE_EPOCH": "1700000000", "NO_COLOR": "1"}
    return subprocess.run([*command, source, work / builder], capture_output=True, text=True, env=environment)
