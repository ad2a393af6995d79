"""The gradients of recurrent networks, derived by hand, with every equation checked."""

__version__ = "0.1.0"


def check(text_or_path, **options):
    """Check every claim of a document; see :func:`rnnbook.checker.check`."""
    # Imported here so that `import rnnbook` costs nothing, and the checker needs neither NumPy nor the chapters' code.
    from rnnbook.checker import check

    return check(text_or_path, **options)
