"""The gradients of recurrent networks, derived by hand, with every equation checked."""

__version__ = "0.1.0"


def check(text_or_path, **options):
    r"""Check every claim of a MyST document, given as text or as a path.

    Returns a list of results, each with the ``label`` and ``line`` of its claim, the ``verdict`` (``"proved"``, ``"holds"``, ``"false"``,
    ``"ill-typed"`` or ``"undecided"``), the ``step`` that fails, and a ``message`` with the counterexample. The options are those of
    ``rnnbook.checker.check``.

    >>> import rnnbook
    >>> homework = r'''
    ... ~~~{model} unit
    ... w, x \in \mathbb{R}
    ... y = \sigma(w x)
    ... ~~~
    ... ~~~{claim}
    ... :label: slope
    ... \frac{\partial y}{\partial w} = y (1 - y)
    ... ~~~
    ... '''
    >>> [result] = rnnbook.check(homework)
    >>> result.verdict
    'false'
    >>> [result] = rnnbook.check(homework.replace("(1 - y)", "(1 - y) x"))
    >>> result.verdict
    'proved'
    """
    # Imported here so that `import rnnbook` costs nothing, and the checker needs neither NumPy nor the chapters' code.
    from rnnbook.checker import check

    return check(text_or_path, **options)
