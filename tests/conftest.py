"""Fixtures for the tests that build the book, or a small one like it."""

import os
import pathlib
import subprocess
import sys

import pytest

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


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The book's site, built from nothing."""
    work = tmp_path_factory.mktemp("book")
    done = sphinx(ROOT / "book", work)
    assert done.returncode == 0, done.stderr
    return work / "html"
