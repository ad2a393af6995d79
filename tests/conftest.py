"""What several test files share."""

import pytest
from building import ROOT, sphinx


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The book's site, built from nothing."""
    work = tmp_path_factory.mktemp("book")
    done = sphinx(ROOT / "book", work)
    assert done.returncode == 0, done.stderr
    return work / "html"
