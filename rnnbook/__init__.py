"""The gradients of recurrent networks, derived by hand, with every equation checked."""

__version__ = "0.1.0"


def check(text_or_path, **options):
    r"""Check every claim of a MyST or LaTeX document, given as text or as a path.

    Returns a list of results, each with the ``label`` and ``line`` of its claim, the ``verdict`` (``"proved"``, ``"holds"``, ``"false"``,
    ``"ill-typed"`` or ``"undecided"``), the ``step`` that fails, and a ``message`` with the counterexample. With ``model="lstm"``
    claims that name no model are about that one; the names are those of the book's chapters. The other options are those of
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

    >>> [result] = rnnbook.check(r"\[ \nabla_b L = \sum_{t=1}^{T} \alpha_t \]", model="elman")
    >>> result.verdict
    'proved'
    """
    # Imported here so that `import rnnbook` costs nothing, and the checker needs neither NumPy nor the chapters' code.
    from rnnbook.checker import check

    return check(text_or_path, **options)


def gradcheck(function, gradient, point, **options):
    """Compare the gradient of any function of your own with numerical derivatives, entry by entry.

    Returns a report: the verdict, true if it is ``"correct"``, with the worst entry, both of its values and their error. It tells a wrong
    entry from a kink, a point in float32, a function that is not deterministic, and a NaN. The options, and all that the report holds, are
    those of :func:`rnnbook.gradient_checking.gradcheck`.

    >>> import numpy as np
    >>> import rnnbook
    >>> report = rnnbook.gradcheck(lambda x: np.tanh(x).sum(), lambda x: 1 - np.tanh(x), np.array([0.5, -0.3]))
    >>> print(report)  # doctest: +NORMALIZE_WHITESPACE
    wrong: point[0] is given as 0.5379, but the function's slope there is 0.7864, to within 2e-10:
    a relative error of 0.32.
    """
    from rnnbook.gradient_checking import gradcheck

    return gradcheck(function, gradient, point, **options)
