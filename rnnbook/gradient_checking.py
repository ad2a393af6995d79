r"""Checking a gradient: difference quotients, the complex step, the adjoint test, and a check for any function.

A function :math:`f` of arrays has one number as its value; somebody has written down its gradient. Is it right?
:func:`gradcheck` compares every entry with a difference quotient, or with a complex step, and says what it found in a
:class:`Report`: not only "right" or "wrong", but also why a comparison means nothing, at a kink, in single precision,
for a function that draws random numbers. :func:`check_adjoint` compares a backward pass with a derivative along
one direction.

Points and gradients may be single arrays, or tuples, named tuples and dictionaries of arrays, nested as you like.
"""

import math
from typing import NamedTuple

import numpy as np

__all__ = [
    "AdjointReport",
    "Report",
    "central_difference",
    "check_adjoint",
    "complex_step",
    "forward_difference",
    "gradcheck",
]

EPSILON = float(np.finfo(np.float64).eps)
TOLERANCES = {"central": 1e-6, "complex": 1e-12}
IMAGINARY_STEP = 1e-100
# The rounding error of a value is taken to be this many units in its last place.
ULPS = 16
# A failing entry is looked at again with steps that shrink by a factor of ten.
LEVELS = 5


class Report(NamedTuple):
    """What :func:`gradcheck` found; true, as a condition, if and only if the verdict is ``"correct"``.

    If no entry was compared, because something else was wrong first, `index` is None and the numbers are NaN.
    """

    verdict: str
    """one of the verdicts of :func:`gradcheck`"""
    message: str
    """what it means, in a sentence"""
    argument: str
    """the name of the argument with the worst entry, ``"point"`` if there is one array only"""
    index: tuple | None
    """the position of the worst entry; with `directions`, the number of the direction"""
    given: float
    """the entry of the gradient, as it was given"""
    numerical: float
    """the numerical derivative"""
    error: float
    """their relative disagreement, beyond what rounding explains"""
    step: float
    """the step of the numerical derivative"""
    checked: int
    """the number of entries, or of directions, that were compared"""
    untested: tuple
    """names of arguments in which every derivative is zero, to rounding, so that nothing was learned about them"""

    def __bool__(self):
        return self.verdict == "correct"

    def __str__(self):
        return f"{self.verdict}: {self.message}"


class AdjointReport(NamedTuple):
    """What :func:`check_adjoint` found; true, as a condition, if and only if the verdict is ``"correct"``."""

    verdict: str
    """``"correct"``, ``"wrong"``, ``"wrong shape"``, ``"not finite"``, ``"not linear"`` or ``"untested"``"""
    message: str
    """what it means, in a sentence"""
    forward: float
    """:math:`\\langle u, J v \\rangle`, in the worst trial"""
    backward: float
    """:math:`\\langle J^\\top u, v \\rangle`, in the same trial"""
    error: float
    """their difference, relative to the sum of the moduli of the terms"""

    def __bool__(self):
        return self.verdict == "correct"

    def __str__(self):
        return f"{self.verdict}: {self.message}"


def forward_difference(function, x, step):
    r"""Approximate a derivative by :math:`(f(x + h) - f(x)) / h`.

    Parameters
    ----------
    function : callable
        :math:`f`, of one number or, entry by entry, of an array.
    x : float or numpy.ndarray
    step : float
        :math:`h`. What is divided by is the distance of the two points after rounding, :math:`(x + h) - x`.

    Returns
    -------
    float or numpy.ndarray

    Examples
    --------
    The error is proportional to the step, until rounding takes over:

    >>> for step in (1e-2, 1e-4, 1e-8, 1e-12):
    ...     print(f"{step:.0e} {abs(forward_difference(np.exp, 0.0, step) - 1):.0e}")
    1e-02 5e-03
    1e-04 5e-05
    1e-08 6e-09
    1e-12 9e-05
    """
    x = np.asarray(x)[()]
    return (function(x + step) - function(x)) / ((x + step) - x)


def central_difference(function, x, step):
    r"""Approximate a derivative by :math:`(f(x + h) - f(x - h)) / (2 h)`.

    Parameters
    ----------
    function, x, step
        As for :func:`forward_difference`.

    Returns
    -------
    float or numpy.ndarray

    Examples
    --------
    The error is proportional to the square of the step, until rounding takes over:

    >>> for step in (1e-2, 1e-4, 1e-6, 1e-8):
    ...     print(f"{step:.0e} {abs(central_difference(np.exp, 0.0, step) - 1):.0e}")
    1e-02 2e-05
    1e-04 2e-09
    1e-06 3e-11
    1e-08 6e-09
    """
    x = np.asarray(x)[()]
    return (function(x + step) - function(x - step)) / ((x + step) - (x - step))


def complex_step(function, x, step=IMAGINARY_STEP):
    r"""Compute a derivative as :math:`\operatorname{Im} f(x + \mathrm{i} h) / h`: nothing is subtracted.

    The function has to be analytic, and its code has to take complex numbers: no absolute value, no comparison, no
    conjugate. Then the error is that of one evaluation, however small the step.

    Parameters
    ----------
    function, x, step
        As for :func:`forward_difference`.

    Returns
    -------
    float or numpy.ndarray

    Examples
    --------
    >>> print(complex_step(np.exp, 0.0))
    1.0

    A function that throws the imaginary part away has the derivative zero, without a warning:

    >>> print(complex_step(lambda x: abs(x) ** 2, 3.0))
    0.0
    """
    return np.imag(function(np.asarray(x)[()] + 1j * step)) / step


def gradcheck(function, gradient, point, *, method="central", tolerance=None, step=None, directions=None, rng=None):
    r"""Compare a gradient with numerical derivatives, entry by entry.

    With the given entry :math:`a` and the numerical derivative :math:`d`, the error is
    :math:`(|a - d| - r) / \max(|a|, |d|)`, where :math:`r` is what the rounding of :math:`f` may have done to
    :math:`d`. If the numerator is not positive the error is zero, so that zero is never divided by zero. An entry that
    fails, or at which the one-sided quotients differ, is looked at again with smaller steps, in order to tell a wrong
    gradient from a kink and from noise.

    Parameters
    ----------
    function : callable
        :math:`f`: takes the point, returns one number.
    gradient : callable or array or structure of arrays
        Takes the point and returns its gradient, of the structure and the shapes of the point; or that gradient itself.
    point : array_like, or tuple, NamedTuple or dict of such
        Where to look. Random numbers, please; see the chapter for what others hide.
    method : {"central", "complex"}, optional
        Central differences, or the complex step, for functions that take complex numbers.
    tolerance : float, optional
        The largest error that passes: 1e-6 for central differences, 1e-12 for the complex step.
    step : float, optional
        The step :math:`h`, for entries of modulus up to 1; for a larger entry it is multiplied by its modulus. For
        central differences the cube root of the machine epsilon, for the complex step 1e-100.
    directions : int, optional
        Do not look at each entry: for each argument compare this many derivatives along random directions, for large
        problems.
    rng : numpy.random.Generator, optional
        Where the directions come from; needed if and only if there are any.

    Returns
    -------
    Report
        Its verdict is one of

        - ``"correct"``;
        - ``"wrong"``: an entry disagrees, and the numerical derivative can be trusted;
        - ``"wrong shape"``: the gradient has another structure or shape than the point, or the value is not one number;
        - ``"not finite"``: a NaN or an infinity, in the point, the value or the gradient;
        - ``"integer"``: the point holds integers, to which no small step can be added;
        - ``"low precision"``: the point or the value is float32 or float16; give a tolerance to compare all the same;
        - ``"not deterministic"``: two calls at the same point gave different values;
        - ``"changes its argument"``: the function or the gradient writes into the arrays that it is given;
        - ``"kink"``, ``"jump"``: the function has no derivative at the point;
        - ``"not analytic"``: the complex step fails and a central difference does not;
        - ``"inconclusive"``: the numerical derivative is not good enough to tell;
        - ``"empty"``: there is nothing to compare.

    Raises
    ------
    TypeError, ValueError
        If an option is not as above, or `point` not made of arrays of real numbers. What the functions raise, passes.

    Examples
    --------
    The gradient of :math:`x^\top A x` is :math:`(A + A^\top) x`. Most people remember :math:`2 A x`:

    >>> rng = np.random.default_rng(0)
    >>> A, x = rng.normal(size=(3, 3)), rng.normal(size=3)
    >>> print(gradcheck(lambda x: x @ A @ x, lambda x: (A + A.T) @ x, x).verdict)
    correct
    >>> print(gradcheck(lambda x: x @ A @ x, lambda x: 2 * A @ x, x))  # doctest: +NORMALIZE_WHITESPACE
    wrong: point[0] is given as -0.1006, but the function's slope there is -0.2209, to within 2e-10:
    a relative error of 0.54.

    With a symmetric matrix nobody would have noticed:

    >>> S = A + A.T
    >>> print(gradcheck(lambda x: x @ S @ x, lambda x: 2 * S @ x, x).verdict)
    correct

    Where a unit is exactly at its corner there is nothing to compare with:

    >>> report = gradcheck(lambda x: np.maximum(x, 0).sum(), lambda x: (x > 0) * 1.0, np.array([0.5, 0.0]))
    >>> print(report)  # doctest: +NORMALIZE_WHITESPACE
    kink: the function has a corner at point[1]: its slope is 0 to the left and 1 to the right.
    Move the point a little.
    """
    if method not in TOLERANCES:
        raise ValueError(f'method: expected "central" or "complex", got {method!r}')
    _positive("tolerance", tolerance)
    _positive("step", step)
    if directions is not None:
        if isinstance(directions, bool) or not isinstance(directions, (int, np.integer)) or directions < 1:
            raise ValueError(f"directions: expected an integer, at least 1, got {directions!r}")
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"rng: expected a numpy.random.Generator, got {type(rng).__name__}")
    elif rng is not None:
        raise ValueError("rng: expected None, because no random directions are asked for")

    problem = _Problem(function, point)
    refusal, arrays = _examined(problem, gradient, tolerance)
    if refusal is not None:
        return refusal
    if method == "complex":
        size = IMAGINARY_STEP if step is None else step
        numerical = _Imaginary(problem, size)
    else:
        size = problem.epsilon ** (1 / 3) if step is None else step
        numerical = _Central(problem, size)
    tolerance = TOLERANCES[method] if tolerance is None else tolerance

    worst, untested, checked = None, [], 0
    for leaf, (name, array) in enumerate(zip(problem.names, arrays)):
        entries = []
        for line in _lines(problem, leaf, name, array, directions, rng):
            entries.append(numerical(line))
        checked += len(entries)
        # The complex step is exact to rounding, relative to the terms of the derivative; their measure is the largest.
        scale = max((abs(entry.numerical) for entry in entries if math.isfinite(entry.numerical)), default=0.0)
        seen = False
        for entry in entries:
            doubt = max(entry.doubt, 100 * EPSILON * scale if method == "complex" else 0.0)
            entry = entry._replace(doubt=doubt)
            seen = seen or max(abs(entry.line.given), abs(entry.numerical)) > doubt
            # What is not as wrong as the worst that was found need not be explained.
            settled = worst is not None and worst.verdict == "wrong" and entry.error() <= worst.error()
            if not settled and (entry.suspicious or not entry.error() <= tolerance):
                entry = _diagnosed(problem, entry, tolerance, method)
            if worst is None or entry.rank() > worst.rank():
                worst = entry
        if array.size and not seen:
            untested.append(name)
    if worst is not None and worst.verdict != "correct":
        refusal = _determined(problem, times=5)  # a function with few random outcomes may agree with itself once
        if refusal is not None:
            return refusal
    return _report(worst, checked, tuple(untested))


def check_adjoint(jvp, vjp, tangent, cotangent, *, rng, trials=3, tolerance=1e-10):
    r"""Test a backward pass against a derivative along a direction, :math:`u^\top (J v) = (J^\top u)^\top v`.

    Both sides are one number, the derivative of all outputs, weighted with the cotangents :math:`u`, along the tangents
    :math:`v` of all inputs; one evaluation of each function tests all gradients at once. What is tested is that one is
    the adjoint of the other. If `jvp` is wrong, a correct `vjp` fails, and one that is wrong in the same way passes.

    Parameters
    ----------
    jvp : callable
        :math:`v \mapsto J v`: takes tangents, of the structure of `tangent`, and returns the tangents of the outputs.
    vjp : callable
        :math:`u \mapsto J^\top u`: takes cotangents, of the structure of `cotangent`, and returns those of the inputs.
    tangent, cotangent : array or structure of arrays
        For their structure and shapes only: the inputs and the outputs will do.
    rng : numpy.random.Generator
        Where :math:`u` and :math:`v` come from.
    trials : int, optional
        How many pairs.
    tolerance : float, optional
        The largest error that passes.

    Returns
    -------
    AdjointReport

    Raises
    ------
    TypeError, ValueError
        If an option is not as above.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(3, 2))
    >>> print(check_adjoint(lambda v: A @ v, lambda u: A.T @ u, np.zeros(2), np.zeros(3), rng=rng).verdict)
    correct
    >>> B = rng.normal(size=(2, 2))
    >>> print(check_adjoint(lambda v: B @ v, lambda u: B @ u, np.zeros(2), np.zeros(2), rng=rng).verdict)
    wrong
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng: expected a numpy.random.Generator, got {type(rng).__name__}")
    if isinstance(trials, bool) or not isinstance(trials, (int, np.integer)) or trials < 1:
        raise ValueError(f"trials: expected an integer, at least 1, got {trials!r}")
    _positive("tolerance", tolerance)
    worst = AdjointReport("untested", "both sides are zero in every trial: nothing was learned.", 0.0, 0.0, 0.0)
    for _ in range(trials):
        v, u = _random_like("tangent", tangent, rng), _random_like("cotangent", cotangent, rng)
        pushed, pulled = jvp(v), vjp(u)
        for name, value, example in (("jvp", pushed, u), ("vjp", pulled, v)):
            complaint = _structure_complaint(f"what {name} returned", value, example)
            if complaint is None and not all(np.isfinite(leaf).all() for leaf in _arrays(value)):
                return _no_adjoint("not finite", f"what {name} returned contains a NaN or an infinity.")
            if complaint is not None:
                return _no_adjoint("wrong shape", complaint)
        for name, product, argument, value in (("jvp", jvp, v, pushed), ("vjp", vjp, u, pulled)):
            tripled = product(_map(lambda leaf: -3 * leaf, argument))
            for leaf, thrice in zip(_arrays(value), _arrays(tripled)):
                if np.abs(thrice + 3 * leaf).max(initial=0) > 1e-6 * np.abs(leaf).max(initial=0):
                    return _no_adjoint("not linear", f"{name}(-3 v) is not -3 {name}(v): it is no linear map.")
        left = _terms(u, pushed)
        right = _terms(pulled, v)
        size = np.abs(left).sum() + np.abs(right).sum()
        if size == 0:
            continue
        forward, backward = math.fsum(left), math.fsum(right)
        error = abs(forward - backward) / size
        if worst.verdict == "untested" or error > worst.error:
            verdict = "correct" if error <= tolerance else "wrong"
            sign = "agree" if verdict == "correct" else "differ"
            message = f"<u, Jv> = {forward:.6g} and <Jᵀu, v> = {backward:.6g} {sign}, relative error {error:.1g}."
            worst = AdjointReport(verdict, message, forward, backward, error)
    return worst


# The function on the lines along which it is differentiated


class _Problem:
    """A function at a point: its leaves, and its values when one of them moves."""

    def __init__(self, function, point):
        self.function, self.point = function, point
        self.names, self.leaves = [], []
        for name, leaf in _named(point, ""):
            name = name or "point"
            array = _real(name, leaf)
            self.names.append(name)
            self.leaves.append(array)
        floats = [leaf.dtype for leaf in self.leaves if leaf.dtype.kind == "f"]
        self.epsilon = max([EPSILON, *(float(np.finfo(dtype).eps) for dtype in floats)])
        self.value = math.nan

    def fresh(self, leaf=None, moved=None):
        """The point, in arrays of its own, with one of its leaves replaced."""
        copies = [array.copy() for array in self.leaves]
        if leaf is not None:
            copies[leaf] = moved
        copies = iter(copies)
        return _map(lambda _: next(copies), self.point)

    def __call__(self, leaf, moved):
        with np.errstate(all="ignore"):  # a point outside the domain is noticed by its value
            return np.asarray(self.function(self.fresh(leaf, moved))).item()


class _Line:
    """A line through the point: along one entry, or along a direction within one leaf."""

    def __init__(self, problem, leaf, name, index, given, direction=None):
        self.problem, self.leaf, self.name, self.index, self.given = problem, leaf, name, index, float(given)
        self.direction = direction
        self.scale = max(1.0, abs(float(problem.leaves[leaf][index]))) if direction is None else 1.0

    def __call__(self, step):
        """The value at a distance from the point, and the distance after rounding."""
        array = self.problem.leaves[self.leaf]
        dtype = complex if isinstance(step, complex) else array.dtype
        if self.direction is not None:
            return self.problem(self.leaf, (array + step * self.direction).astype(dtype)), step
        moved = array.astype(dtype)
        moved[self.index] += step
        # the distance in the array's own precision is exact, by Sterbenz' lemma
        return self.problem(self.leaf, moved), complex(moved[self.index]) - float(array[self.index])

    def where(self):
        if self.direction is not None:
            return f"{self.name}, direction {self.index[0]},"
        return f"{self.name}[{', '.join(map(str, self.index))}]" if self.index else self.name


def _lines(problem, leaf, name, gradient, directions, rng):
    array = problem.leaves[leaf]
    if directions is None:
        for index in np.ndindex(array.shape):
            yield _Line(problem, leaf, name, index, gradient[index])
    elif array.size:
        for number in range(directions):
            direction = rng.normal(size=array.shape)
            yield _Line(problem, leaf, name, (number,), np.sum(gradient * direction), direction)


class _Entry(NamedTuple):
    """A given derivative and a numerical one, with what is known about the second."""

    line: _Line
    numerical: float
    step: float
    doubt: float
    suspicious: bool
    verdict: str = "correct"
    slopes: tuple = (math.nan, math.nan)

    def error(self):
        if not math.isfinite(self.numerical):
            return math.inf
        excess = abs(self.line.given - self.numerical) - self.doubt
        return excess / max(abs(self.line.given), abs(self.numerical)) if excess > 0 else 0.0

    def rank(self):
        """Which entry is reported: the first verdict by gravity, and the largest error within it."""
        order = ("correct", "inconclusive", "not finite", "kink", "jump", "not analytic", "wrong")
        return order.index(self.verdict), self.error()


class _Quotients(NamedTuple):
    """The three difference quotients with one step, and the rounding error that each may have."""

    left: float
    right: float
    central: float
    step: float
    doubt: float
    rise: float
    """what the value changes by, at most"""

    @property
    def gap(self):
        return abs(self.right - self.left)

    @property
    def largest(self):
        return max(abs(self.left), abs(self.right))


def _quotients(problem, line, step):
    (after, ahead), (before, behind) = line(step), line(-step)
    ahead, behind = ahead.real, behind.real
    if ahead == 0 or behind == 0 or not (math.isfinite(after) and math.isfinite(before)):
        return _Quotients(math.nan, math.nan, math.nan, step, math.inf, math.nan)
    here = problem.value
    rounding = ULPS * problem.epsilon * max(abs(after), abs(before), abs(here))
    left, right = (before - here) / behind, (after - here) / ahead
    central = (after - before) / (ahead - behind)
    return _Quotients(left, right, central, step, rounding / step, max(abs(after - here), abs(before - here)))


class _Central:
    def __init__(self, problem, step):
        self.problem, self.step = problem, step

    def __call__(self, line):
        q = _quotients(self.problem, line, self.step * line.scale)
        suspicious = not q.gap <= 1e-3 * q.largest + q.doubt
        return _Entry(line, q.central, q.step, q.doubt, suspicious)


class _Imaginary:
    def __init__(self, problem, step):
        self.problem, self.step = problem, step

    def __call__(self, line):
        step = self.step * line.scale
        value, _ = line(complex(0.0, step))
        return _Entry(line, float(np.imag(value)) / step, step, 0.0, False)


def _diagnosed(problem, entry, tolerance, method):
    """Look at an entry again, with smaller and smaller steps: why do the two derivatives disagree?"""
    line = entry.line
    first = (problem.epsilon ** (1 / 3) if method == "complex" else entry.step / line.scale) * line.scale
    ladder = [_quotients(problem, line, first / 10**level) for level in range(LEVELS)]
    ladder = [q for q in ladder if math.isfinite(q.central)]
    if not ladder:
        return entry._replace(verdict="not finite", numerical=math.nan, doubt=math.inf)
    # With a step so small that rounding hides the slope nothing can be seen, unless there is nothing else.
    sharp = [q for q in ladder if q.doubt <= 1e-3 * q.largest] or ladder[:1]
    if ladder[0].left != 0 and ladder[0].right != 0:
        # A value that does not move at all any more was rounded to fewer digits than it seems to have.
        sharp = [q for q in sharp if q.rise > 0]
    last = sharp[-1]
    if len(sharp) > 2 and last.rise > 0.1 * sharp[0].rise and last.step < 0.02 * sharp[0].step:
        return entry._replace(verdict="jump", numerical=last.central, step=last.step, doubt=last.doubt)
    if len(sharp) < 3 and entry.error() <= tolerance:
        return entry  # in low precision: too few steps to tell a corner from curvature
    smooth = len(sharp)
    while smooth > 1 and _settling(sharp[smooth - 2], sharp[smooth - 1]):
        smooth -= 1
    start = sharp[smooth - 1]  # from here on the one-sided slopes approach each other
    if smooth == len(sharp) and start.gap > 1e-3 * max(q.largest for q in sharp) + 8 * start.doubt:
        gaps = [q.gap for q in sharp[-3:]]
        steady = len(gaps) == 3 and max(gaps) <= 2 * min(gaps)
        verdict = "kink" if steady else "inconclusive"
        return entry._replace(
            verdict=verdict, numerical=start.central, step=start.step, doubt=start.gap, slopes=(start.left, start.right)
        )
    if method == "complex":
        # The complex step is the better one of the two, if it is right at all.
        agrees = abs(entry.numerical - start.central) <= 1e-4 * abs(start.central) + 8 * start.doubt
        given_agrees = abs(line.given - start.central) <= 1e-4 * abs(start.central) + 8 * start.doubt
        verdict = "wrong" if agrees or not given_agrees else "not analytic"
        if verdict == "wrong" and not agrees:
            return entry._replace(verdict=verdict, numerical=start.central, step=start.step, doubt=start.doubt)
        return entry._replace(verdict=verdict)
    # If the slopes approached each other at the very last step only, a corner may lie within it.
    certain = smooth == 1 or len(sharp) - smooth != 1
    for q in sharp[smooth - 1 :]:
        half = _quotients(problem, line, q.step / 2)
        better = (4 * half.central - q.central) / 3  # without the error of second order
        change = abs(better - half.central)
        if not math.isfinite(better):
            continue
        small = change <= 1e-2 * max(abs(line.given), abs(better))
        entry = entry._replace(numerical=better, step=q.step, doubt=half.doubt + (change if small else 0.0))
        if entry.error() <= tolerance:
            return entry
        if certain and abs(line.given - better) > 10 * (max(change, _unrest(problem, line, q, better)) + half.doubt):
            return entry._replace(verdict="wrong")
    return entry._replace(verdict="inconclusive")


def _unrest(problem, line, quotients, better):
    """How far central differences with other steps are from what the two leading terms of the error predict: noise."""
    worst = 0.0
    for part in (0.91, 0.78, 0.67, 0.59):
        other = _quotients(problem, line, part * quotients.step).central
        predicted = better + (quotients.central - better) * part**2
        worst = max(worst, abs(other - predicted))
    return worst


def _settling(coarse, fine):
    """Whether the one-sided slopes approach each other, as the step becomes ten times smaller, or have met."""
    shrinks = fine.gap <= max(0.3 * coarse.gap, 8 * fine.doubt)
    # At a corner near by the gap does not shrink: it is there or not.
    vanishes = coarse.gap > 30 * (fine.gap + fine.doubt)
    return shrinks and not vanishes


def _report(worst, checked, untested):
    if worst is None:
        return _refused("empty", "the point has no entries: there is nothing to compare.", "point")
    line, where = worst.line, worst.line.where()
    place = where.rstrip(",")
    what = "entries" if line.direction is None else "directions"
    given, numerical = f"{line.given:.4g}", f"{worst.numerical:.4g}"
    left, right = (f"{slope + 0.0:.4g}" for slope in worst.slopes)  # 0.0 makes -0.0 positive
    messages = {
        "correct": f"all {checked} {what} agree, the worst, {place}, to {worst.error():.1g}.",
        "wrong": f"{where} is given as {given}, but the function's slope there is {numerical}, "
        f"to within {worst.doubt:.0g}: a relative error of {worst.error():.2g}.",
        "kink": f"the function has a corner at {place}: its slope is {left} to the left and {right} to the right. "
        "Move the point a little.",
        "jump": f"the function jumps at {place}: however small the step, its value changes by as much.",
        "not finite": f"the function is a NaN or infinite a small step away from {place}: "
        "the point lies at the edge of its domain.",
        "not analytic": f"at {where} a central difference agrees with {given}, and the complex step gives {numerical}: "
        "the function loses the imaginary part, in an absolute value, a comparison, a conjugate or a conversion.",
        "inconclusive": f"at {where} the difference quotients do not settle as the step shrinks: {given} is given, "
        f"the best estimate is {numerical}. Does the function compute in float32 inside, or stop an iteration early?",
    }
    message = messages[worst.verdict]
    if untested and worst.verdict == "correct":
        message += f" But every derivative is zero in {' and '.join(untested)}: nothing was learned about that."
    error = math.nan if worst.verdict == "not finite" else worst.error()
    return Report(
        verdict=worst.verdict,
        message=message,
        argument=line.name,
        index=line.index,
        given=line.given,
        numerical=worst.numerical,
        error=error,
        step=worst.step,
        checked=checked,
        untested=untested,
    )


def _refused(verdict, message, argument):
    return Report(verdict, message, argument, None, math.nan, math.nan, math.nan, math.nan, 0, ())


def _examined(problem, gradient, tolerance):
    """Return a report if there is no sense in comparing, or else None and the gradient's arrays."""
    for name, leaf in zip(problem.names, problem.leaves):
        if leaf.dtype.kind in "iub":
            message = f"{name} holds integers ({leaf.dtype}): a small step would be rounded away. Make it float64."
            return _refused("integer", message, name), None
        if not np.isfinite(leaf).all():
            return _refused("not finite", f"{name} contains a NaN or an infinity.", name), None
    call = problem.fresh()
    value = np.asarray(problem.function(call))
    changed = _first_change(problem, call)
    if changed is not None:
        message = f"the function writes into {changed}. Let it work on a copy."
        return _refused("changes its argument", message, changed), None
    if value.size != 1 or value.dtype.kind not in "iufb":
        what = "no number" if value.dtype.kind not in "iufbc" else f"dtype {value.dtype} and shape {value.shape}"
        message = f"the function returned {what}, where one real number is needed: a loss."
        return _refused("wrong shape", message, "value"), None
    problem.value = float(value.item())
    if not math.isfinite(problem.value):
        return _refused("not finite", f"the function's value at the point is {problem.value}.", "value"), None
    refusal = _determined(problem, times=1)
    if refusal is not None:
        return refusal, None
    low = [name for name, leaf in zip(problem.names, problem.leaves) if leaf.dtype.itemsize < 8]
    if value.dtype.kind == "f" and value.dtype.itemsize < 8:
        low.append("value")
        problem.epsilon = max(problem.epsilon, float(np.finfo(value.dtype).eps))
    if low and tolerance is None:
        subject = "the function's value" if low[0] == "value" else low[0]
        digits = -round(math.log10(problem.epsilon) * 2 / 3)
        message = (
            f"{subject} is not in double precision, and a difference would have some {digits} correct digits, "
            "too few to judge. Make it float64, or give a tolerance."
        )
        return _refused("low precision", message, low[0]), None
    if callable(gradient):
        call = problem.fresh()
        gradient = gradient(call)
        changed = _first_change(problem, call)
        if changed is not None:
            message = f"the gradient writes into {changed}. Let it work on a copy."
            return _refused("changes its argument", message, changed), None
    complaint = _structure_complaint("the gradient", gradient, problem.point)
    if complaint is not None:
        return _refused("wrong shape", complaint, "gradient"), None
    arrays = [np.asarray(leaf) for leaf in _aligned(gradient, problem.point)]
    for name, array in zip(problem.names, arrays):
        if array.dtype.kind not in "iufb":
            raise TypeError(f"gradient: expected real numbers for {name}, got dtype {array.dtype}")
        if not np.isfinite(array).all():
            return _refused("not finite", f"the gradient of {name} contains a NaN or an infinity.", name), None
    return None, arrays


def _determined(problem, times):
    """Return a report if the function has another value when it is called again, or else None."""
    for _ in range(times):
        again = np.asarray(problem.function(problem.fresh())).item()
        if again != problem.value:
            message = f"two calls at the same point gave {problem.value:.6g} and {again:.6g}. Fix its random numbers."
            return _refused("not deterministic", message, "value")
    return None


def _first_change(problem, point):
    for name, before, after in zip(problem.names, problem.leaves, _aligned(point, problem.point)):
        if not np.array_equal(before, after):
            return name
    return None


# Structures of arrays


def _children(tree):
    """The names and the parts of a structure, or None for a leaf."""
    if isinstance(tree, dict):
        return [(str(key), f"[{key!r}]", value) for key, value in tree.items()]
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return [(field, f".{field}", value) for field, value in zip(tree._fields, tree)]
    if isinstance(tree, tuple):
        return [(f"point[{i}]", f"[{i}]", value) for i, value in enumerate(tree)]
    return None


def _named(tree, name):
    """Yield the name and the value of each leaf."""
    children = _children(tree)
    if children is None:
        yield name, tree
    else:
        for alone, suffix, value in children:
            yield from _named(value, name + suffix if name else alone)


def _map(function, tree):
    """A structure of the same kind, with the function's values for leaves."""
    if isinstance(tree, dict):
        return {key: _map(function, value) for key, value in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(_map(function, value) for value in tree))
    if isinstance(tree, tuple):
        return tuple(_map(function, value) for value in tree)
    return function(tree)


def _structure_complaint(subject, tree, example):
    """Say in which way a structure differs from an example, or return None. The keys of a dict may be in any order."""
    if isinstance(tree, dict) and isinstance(example, dict) and set(tree) != set(example):
        return f"{subject} has the keys {sorted(map(str, tree))}, where {sorted(map(str, example))} were expected."
    parts, expected = _children(tree), _children(example)
    if (parts is None) != (expected is None) or parts is not None and len(parts) != len(expected):
        return f"{subject} is {_kind(tree)}, where {_kind(example)} was expected."
    if parts is None:
        try:
            shape = np.shape(tree)
        except ValueError:
            return f"{subject} is a ragged list."
        if shape != np.shape(example):
            return f"{subject} has the shape {shape}, where {np.shape(example)} was expected."
        return None
    if isinstance(tree, dict):
        pairs = [(f"[{key!r}]", tree[key], example[key]) for key in example]
    else:
        pairs = [(suffix, part, other) for (_, _, part), (_, suffix, other) in zip(parts, expected)]
    for suffix, part, other in pairs:
        complaint = _structure_complaint(subject + suffix, part, other)
        if complaint is not None:
            return complaint
    return None


def _aligned(tree, example):
    """The leaves of a structure, in the order of the example's: the keys of a dict may be in another."""
    parts = _children(example)
    if parts is None:
        return [tree]
    keys = example if isinstance(example, dict) else range(len(parts))
    return [leaf for key in keys for leaf in _aligned(tree[key], example[key])]


def _kind(tree):
    children = _children(tree)
    return "an array" if children is None else f"a {type(tree).__name__} of {len(children)}"


def _arrays(tree):
    return [np.asarray(leaf) for _, leaf in _named(tree, "")]


def _random_like(name, tree, rng):
    return _map(lambda leaf: rng.normal(size=_real(name, leaf).shape), tree)


def _terms(left, right):
    """The terms of the inner product of two structures."""
    pairs = zip(_arrays(left), map(np.asarray, _aligned(right, left)))
    return np.concatenate([np.ravel(a * b) for a, b in pairs] + [np.zeros(0)])


def _no_adjoint(verdict, message):
    return AdjointReport(verdict, message, math.nan, math.nan, math.nan)


def _real(name, leaf):
    try:
        array = np.array(leaf)
    except ValueError:
        raise TypeError(f"{name}: expected an array of real numbers, got a ragged list") from None
    if array.dtype.kind not in "iufb":
        raise TypeError(f"{name}: expected an array of real numbers, got {_described(leaf, array)}")
    return array


def _described(leaf, array):
    return f"dtype {array.dtype}" if array.dtype.kind == "c" else f"a {type(leaf).__name__}"


def _positive(name, value):
    if value is not None and not (isinstance(value, (int, float)) and 0 < value < math.inf):
        raise ValueError(f"{name}: expected a positive number, got {value!r}")
