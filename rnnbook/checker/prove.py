"""Try to prove a claim: both sides as quotients of polynomials, the difference zero by SymPy.

Sizes and the horizon are small and fixed, the entries are symbols. A proof holds for all values of the entries at these
sizes; the evidence names them.
"""
from __future__ import annotations

import time

from rnnbook.checker.compare import ORDER, aligned, printed_unit
from rnnbook.checker.errors import IllTyped, NoProof, ShapeError, TooLarge, Undecided, Undefined
from rnnbook.checker.context import Budget
from rnnbook.checker.evaluate import Instance
from rnnbook.checker.polynomials import Quotient, Symbols
from rnnbook.checker.verdict import tuples

#: What an ordinary machine does in a second.
STEPS_PER_SECOND = 200_000
#: (values of defined symbols opaque?, what functions are written in), the cheapest first.
MODES = ((True, "plain"), (True, "logistic"), (False, "plain"), (True, "exp"), (False, "exp"), (False, "logistic"))


def settings(claim, instances):
    """Sizes and horizons to try a proof at: first all sizes different, then smaller."""
    model = instances.model
    free = [d for d in model.dimensions if d not in model.fixed]
    fixed = {d: n for d, n in model.fixed.items() if d != "T"}
    first = {d: 2 + i for i, d in enumerate(free)}
    second = {d: 2 + (i % 2) for i, d in enumerate(free)}
    third = dict.fromkeys(free, 2)
    horizon = instances.horizon
    seen = []
    for sizes, t in ((first, 3), (second, 3), (third, 2)):
        t = horizon or max(t, claim.minimal_horizon)
        setting = ({**sizes, **fixed}, t)
        if setting not in seen:
            seen.append(setting)
    return seen


def prove(claim, instances, seconds, limit):
    """The evidence of a proof, or None.

    The effort is counted in steps of the arithmetic, so that the same claim gets the same verdict on any machine;
    `limit` is the time in seconds after which the attempt ends in any case.
    """
    deadline, steps = time.perf_counter() + limit, int(seconds * STEPS_PER_SECOND)
    chain = claim.chain
    if any(r == "ne" for r in chain.relations):
        return None
    options = settings(claim, instances)
    for k, (sizes, horizon) in enumerate(options):
        budget = Budget(deadline - time.perf_counter(), steps if k == len(options) - 1 else int(steps * 0.6))
        outcome = _at(claim, instances, sizes, horizon, budget)
        steps -= budget.total
        if outcome is True:
            return evidence(claim, instances, sizes, horizon)
        if outcome is False:  # not a matter of size
            return None
    return None


def evidence(claim, instances, sizes, horizon):
    """Which sizes and which horizon the proof is for, as far as they matter."""
    model = instances.model
    parts = [f"{d} = {n}" for d, n in sizes.items() if d not in model.fixed]
    if model.recurrent and instances.horizon is None:
        parts.append(f"T = {horizon}")
    return ", ".join(parts) or "for all values"


def _at(claim, instances, sizes, horizon, budget):
    """True: proved; False: some step is not shown equal; None: a limit was reached."""
    open_steps = set(range(1, len(claim.chain.relations) + 1))
    limited = False
    for opaque, style in MODES:
        branch, branches = 0, 1
        proved_everywhere = set(open_steps)
        while branch < branches and proved_everywhere:
            if budget.exhausted():
                return None
            arithmetic = Symbols(budget, opaque, style, branch)
            instance = Instance(instances.model, arithmetic, sizes, horizon, 0, "random", claim.pins)
            instance.budget, instance.source = budget, claim.source
            try:
                proved_everywhere &= _steps(claim, instance, proved_everywhere)
            except TooLarge:
                return None  # other modes make it larger still
            except (Undecided, NoProof, RecursionError):
                limited = True
                proved_everywhere = set()
            except (IllTyped, ShapeError, Undefined, TypeError, ZeroDivisionError, OverflowError):
                proved_everywhere = set()
            branches = 1 << arithmetic.branches if arithmetic.branches <= 3 else 0
            if not branches:
                proved_everywhere = set()
            branch += 1
        open_steps -= proved_everywhere
        if not open_steps:
            return True
    return None if limited else False


def _steps(claim, instance, wanted):
    """Those of the wanted steps that are shown at all index values."""
    arithmetic, chain = instance.arithmetic, claim.chain
    left, some = set(wanted), False
    for env in tuples(claim, instance):
        some = True
        values = {}
        for step in sorted(left):
            sides = []
            for k in (step - 1, step):
                if k not in values:
                    try:
                        values[k] = instance.evaluate(chain.sides[k], env, instance.root)
                    except TooLarge:
                        raise
                    except (NoProof, Undecided) as problem:
                        values[k] = problem
                sides.append(values[k])
            if any(isinstance(side, Exception) for side in sides):
                if instance.budget.exhausted():
                    raise Undecided("the limit of the proof was reached")
                left.discard(step)
                continue
            a, b = aligned(*sides, chain.relations[step - 1], arithmetic, instance.describe)
            if not _shown(chain.relations[step - 1], a, b, arithmetic, chain.sides[step - 1:step + 1]):
                left.discard(step)
        if not left:
            break
    return left if some else set()


def _shown(relation, a, b, arithmetic, nodes):
    if relation == "=":
        return all(arithmetic.equal(x, y) for x, y in zip(a.data, b.data))
    constants = []
    for x, y in zip(a.data, b.data):
        pair = [z.constant() if isinstance(z, Quotient) else z for z in (x, y)]
        if None in pair:
            return False
        constants.append(pair)
    if relation == "approx":
        units = [u for u in map(printed_unit, nodes) if u is not None]
        return bool(units) and all(
            abs(x - y) <= max(u.data[i] if u.kind != "scalar" else u.data[0] for u in units)
            for i, (x, y) in enumerate(constants))
    sign = ORDER[relation]
    return all((x - y) * sign < 0 or x == y and relation in ("le", "ge") for x, y in constants)
