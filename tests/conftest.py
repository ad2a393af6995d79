"""What several test files share."""

import os

# Before NumPy is imported: with more threads, products as small as those of the tests are up to ten times slower on a busy machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest  # noqa: E402
from building import ROOT, sphinx  # noqa: E402


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The book's site, built from nothing."""
    work = tmp_path_factory.mktemp("book")
    done = sphinx(ROOT / "book", work)
    assert done.returncode == 0, done.stderr
    return work / "html"
