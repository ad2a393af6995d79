"""Try a claim on instances of its model and reach a verdict."""
from __future__ import annotations

from rnnbook.checker.compare import ORDER, Difference, aligned, excess, printed_unit
from rnnbook.checker.errors import IllTyped, NoProof, ShapeError, Undecided, Undefined
from rnnbook.checker.context import Budget, Misfit
from rnnbook.checker.instances import EQUATIONS, FINITE, INEQUALITIES
from rnnbook.checker.layout import RELATIONS

MAX_TUPLES = 5_000
ATTEMPTS = 60


class Failure:
    """A relation that does not hold at an instance and index values."""

    def __init__(self, step, instance, env, left, right, at, relation):
        self.step, self.instance, self.env, self.left, self.right = step, instance, env, left, right
        self.at, self.relation = at, relation


class Outcome:
    """What trying a claim gave."""

    def __init__(self, verdict, step=None, message="", instances=0, max_error=None, evidence="", failure=None,
                 misfit=False,
                 exact=False, undefined=False):
        self.verdict, self.step, self.message, self.instances = verdict, step, message, instances
        self.max_error, self.evidence, self.failure, self.misfit = max_error, evidence, failure, misfit
        self.exact, self.undefined, self.at, self.option = exact, undefined, None, None


def tuples(claim, instance):
    """All values of the free indices of a claim at an instance."""
    def extend(k, env):
        if k == len(claim.ranges):
            if instance._conditions(claim.conditions, env):
                for assumption in claim.assumptions:
                    if assumption.about_indices and not instance._conditions(
                            list(zip(assumption.relations, assumption.sides, assumption.sides[1:])), env):
                        break
                else:
                    yield env
            return
        name, low, high = claim.ranges[k]
        if low is None:
            reach = instance.natural_range(name, claim.chain.sides, env, instance.root)
            if reach is None:
                guess = {**{letter: 1 for letter, _, _ in claim.ranges}, **env}
                for side in claim.chain.sides:  # often the symbol that carries the index is what is wrong
                    instance.evaluate(side, guess, instance.root)
                raise IllTyped(f"the range of the index {name} is not known: give it in :for:")
            a, b = reach
        else:
            a, b = instance.index(low, env), instance.index(high, env)
        if b - a > MAX_TUPLES:
            raise Undecided(f"the range of {name} is too long")
        for i in range(a, b + 1):
            instance.budget.tick()
            yield from extend(k + 1, {**env, name: i})

    return extend(0, {})


def satisfied(claim, instance):
    """Whether the instance meets the assumptions on its values."""
    for assumption in claim.assumptions:
        if assumption.about_indices:
            continue
        letters = sorted(assumption.letters)
        def all_of(k, env):
            if k == len(letters):
                yield env
                return
            named = {name: (low, high) for name, low, high in claim.ranges}
            low, high = named.get(letters[k], (None, None))
            if low is None or v_letters(low, high) - set(env):
                reach = instance.natural_range(letters[k], assumption.sides, env,
                                               instance.root) or (1, instance.horizon)
            else:
                reach = instance.index(low, env), instance.index(high, env)
            for i in range(reach[0], reach[1] + 1):
                yield from all_of(k + 1, {**env, letters[k]: i})
        def v_letters(low, high):
            return {n.args[0].base for b in (low, high) for n in b.walk() if n.op == "sym"} & set(letters)
        for env in all_of(0, {}):
            sides = [instance.evaluate(side, env, instance.root) for side in assumption.sides]
            for relation, a, b in zip(assumption.relations, sides, sides[1:]):
                a, b = aligned(a, b, relation, instance.arithmetic, instance.describe)
                if relation in ORDER:
                    worst, _, scale = excess(a, b, relation)
                    if worst > 0 or worst == 0 and relation in "<>":
                        return False
                elif relation == "=":
                    if Difference(a, b, instance.arithmetic).relative > 1e-9:
                        return False
                elif relation == "ne":
                    if Difference(a, b, instance.arithmetic).absolute == 0:
                        return False
    return True


class Trial:
    """One claim on its instances."""

    def __init__(self, claim, instances, seconds, careful=True):
        self.claim, self.instances = claim, instances
        # a difference in double precision may be cancellation: it counts only when more digits show it too. Mutants, of which
        # there are thousands, are judged on a difference that is large.
        self.careful = careful
        self.budget = Budget(seconds)
        self.is_order = any(r in ORDER or r == "ne" for r in claim.chain.relations)
        self.count = INEQUALITIES if self.is_order else FINITE if instances.finite and self.few_entries() else EQUATIONS
        self.attempts = {}

    def few_entries(self):
        """Whether a finite domain is met at one index only: members for every time go through its elements by
        themselves.
        """
        families = self.instances.model.families
        return any(rule.domain and rule.domain.kind in ("set", "onehot")
                   and not any(isinstance(item, str) for item in rule.pattern)
                   for rules in families.values() for rule in rules)

    def instance(self, k, precision="floats", style="random", attempt=0, horizon=None):
        found = self.instances.get(k, precision, self.claim.minimal_horizon, style, self.claim.pins, self.claim.given,
                                   self.is_order, attempt, horizon)
        found.budget = self.budget
        if found.plain is not None:
            found.plain.budget = self.budget
        found.source = self.claim.source
        return found

    def admitted(self, k, style="random", horizon=None):
        """The k-th instance that meets the assumptions (and its attempt), or None."""
        if not any(not a.about_indices for a in self.claim.assumptions):
            return self.instance(k, style=style, horizon=horizon), 0
        for attempt in range(ATTEMPTS):
            found = self.instance(k, style=style, attempt=attempt, horizon=horizon)
            try:
                if satisfied(self.claim, found):
                    return found, attempt
            except Undefined:
                continue
        return None

    def step_sides(self, instance, env):
        """The values of all sides; the first error names the side by its step."""
        found = []
        for k, side in enumerate(self.claim.chain.sides):
            try:
                found.append(instance.evaluate(side, env, instance.root))
            except IllTyped as problem:
                problem.step = max(k, 1)
                raise
        return found

    def run(self, stop_at_first=False):
        """Numbers first: the verdict of all instances."""
        done, largest, failure, undefined, tried = 0, 0.0, None, None, 0
        relations = self.claim.chain.relations
        for k in range(self.count):
            admitted = self.admitted(k)
            if admitted is None:
                continue
            instance, attempt = admitted
            tried += 1
            checked = False
            try:
                for env in tuples(self.claim, instance):
                    try:
                        sides = self.step_sides(instance, env)
                    except Undefined as problem:
                        undefined = problem
                        continue
                    checked = True
                    if failure and failure.step == 1:
                        continue  # only whether the rest has a meaning is still of interest
                    last = failure.step - 1 if failure else len(relations)
                    for step in range(1, last + 1):
                        error, found = self.relation(step, sides[step - 1], sides[step], instance, env, k, attempt)
                        if found is not None:
                            failure = found
                            break
                        largest = max(largest, error)
                    if failure and (stop_at_first or failure.step == 1 and tried > 1):
                        break
            except Undefined as problem:
                undefined = problem
            done += checked
            if failure and (failure.step == 1 or stop_at_first):
                break
            if checked and not instance.drawn and not instance.dims and not self.instances.model.recurrent:
                break  # nothing in it was drawn: one instance is all there are
        if failure:
            return Outcome("false", failure.step, instances=done, failure=failure)
        if not done:
            if tried == 0:
                return Outcome("undecided", message="no instance that meets the assumptions was found")
            if undefined is not None:
                return Outcome("undecided", message=f"no instance where all sides have a value: {undefined}",
                               undefined=True)
            return Outcome("ill-typed", message="the ranges of the indices are empty: nothing is claimed")
        problem = self.precise()
        if problem is not None:
            return Outcome("false", problem.step, instances=done, failure=problem)
        return Outcome("holds", instances=done, max_error=largest, exact=self.is_order or "approx" in relations)

    def precise(self):
        """Once more with 50 digits: what rounding hides in double precision."""
        admitted = self.admitted(0)
        if admitted is None:
            return None
        instance = self.instance(0, "precise", attempt=admitted[1])
        for count, env in enumerate(tuples(self.claim, instance)):
            if count >= 12:
                break
            try:
                sides = self.step_sides(instance, env)
            except (Undefined, NoProof):
                continue
            for step in range(1, len(sides)):
                _, found = self.relation(step, sides[step - 1], sides[step], instance, env, 0, admitted[1])
                if found is not None:
                    return found
        return None

    def relation(self, step, a, b, instance, env, k, attempt):
        """(relative error, None) where a relation holds, (0, Failure) where it does not."""
        relation = self.claim.chain.relations[step - 1]
        try:
            left, right = aligned(a, b, relation, instance.arithmetic, instance.describe)
        except IllTyped as problem:
            problem.step = step
            if problem.at is None:
                problem.at = self.claim.chain.places[step - 1]
            problem.misfit = True
            raise
        arithmetic = instance.arithmetic
        if relation == "approx":
            return self.approximately(step, left, right, instance, env, k, attempt)
        if relation in ORDER:
            worst, at, scale = excess(left, right, relation)
            margin = arithmetic.tolerance * scale
            strict = relation in "<>"
            if not all(arithmetic.finite(x) for x in left.data + right.data):
                raise Undefined("a value is not finite")
            if worst < -margin or not strict and worst <= 0:
                return 0.0, None
            if arithmetic is self.instances.floats:
                if not self.careful and worst > 1e-6 * scale:
                    return 0.0, Failure(step, instance, env, left, right, at, relation)
                return self.again("precise", step, env, k, attempt, instance)
            if not strict and worst <= margin:
                return 0.0, None
            return 0.0, Failure(step, instance, env, left, right, at, relation)
        difference = Difference(left, right, arithmetic)
        if relation == "ne":
            if difference.relative > 1e-9:
                return 0.0, None
            return 0.0, Failure(step, instance, env, left, right, difference.at, relation)
        if difference.relative <= arithmetic.tolerance:
            return difference.relative, None
        if arithmetic is self.instances.floats:
            if not self.careful and difference.relative > 1e-3 and difference.scale > 1e-3:
                return 0.0, Failure(step, instance, env, left, right, difference.at, relation)
            return self.again("precise", step, env, k, attempt, instance)
        if arithmetic is self.instances.precise:
            # both sides may vanish: rounding noise shrinks with the precision, a difference does not
            finer = self.side_pair("finer", step, env, k, attempt, instance)
            finer_difference = Difference(*finer, self.instances.finer)
            if finer_difference.absolute <= difference.absolute * 1e-30 or not finer_difference.absolute:
                return 0.0, None
        return 0.0, Failure(step, instance, env, left, right, difference.at, relation)

    def side_pair(self, precision, step, env, k, attempt, like):
        instance = self.instance(k, precision, like.style if like.style == "round" else "random", attempt,
                                 like.horizon if like.style == "round" else None)
        a, b = (instance.evaluate(side, env, instance.root) for side in self.claim.chain.sides[step - 1:step + 1])
        return aligned(a, b, self.claim.chain.relations[step - 1], instance.arithmetic, instance.describe)

    def again(self, precision, step, env, k, attempt, like):
        """The same relation in higher precision; the tolerance follows the precision."""
        instance = self.instance(k, precision, like.style if like.style == "round" else "random", attempt,
                                 like.horizon if like.style == "round" else None)
        a, b = (instance.evaluate(side, env, instance.root) for side in self.claim.chain.sides[step - 1:step + 1])
        return self.relation(step, a, b, instance, env, k, attempt)

    def approximately(self, step, left, right, instance, env, k, attempt):
        units = [printed_unit(side) for side in self.claim.chain.sides[step - 1:step + 1]]
        units = [u for u in units if u is not None]
        if not units:
            problem = IllTyped(r"\approx compares to the digits printed: one side is a number or a matrix of numbers",
                               self.claim.chain.places[step - 1])
            problem.step = step
            raise problem
        number = instance.arithmetic.number
        worst, at, failed = 0.0, 0, False
        for i, (x, y) in enumerate(zip(left.data, right.data)):
            allowed = max(u.data[i] if u.kind != "scalar" else u.data[0] for u in units)
            gap = abs(x - y)
            if not instance.arithmetic.finite(gap):
                raise Undefined("a value is not finite")
            slack = abs(x) * 4e-16 if instance.arithmetic is self.instances.floats else 0
            if gap > number(allowed) + slack:
                if gap > worst:
                    worst, at = gap, i
                failed = True
        if failed and instance.arithmetic is self.instances.floats:
            return self.again("precise", step, env, k, attempt, instance)
        if failed:
            return 0.0, Failure(step, instance, env, left, right, at, "approx")
        return 0.0, None

    # -- counterexamples -----------------------------------------------------------------------------------------------
    def simplify(self, failure):
        """A failure of the same step at small round values, if there is one; otherwise the given one."""
        horizon = max(2, self.claim.minimal_horizon)
        for k in range(6):
            try:
                admitted = self.admitted(k, style="round", horizon=horizon)
                if admitted is None:
                    continue
                instance = admitted[0]
                for env in tuples(self.claim, instance):
                    sides = self.step_sides(instance, env)
                    _, found = self.relation(failure.step, sides[failure.step - 1], sides[failure.step], instance, env,
                                             k, admitted[1])
                    if found is None:
                        continue
                    if found.relation in ("=", "approx"):
                        gap = abs(found.left.data[found.at] - found.right.data[found.at])
                        if gap < 0.01 * max(abs(found.left.data[found.at]), abs(found.right.data[found.at])):
                            continue
                    return found
            except (Undefined, Undecided, IllTyped, NoProof, ShapeError):
                continue
        return failure


def check_claim(claim, instances, seconds, simplify=True):
    """The outcome of a claim on instances, with its explanation; proofs are tried elsewhere."""
    trial = Trial(claim, instances, seconds, careful=simplify)
    try:
        outcome = trial.run()
        if outcome.failure is not None:
            failure = outcome.failure
            if simplify:
                try:
                    failure = trial.simplify(failure)
                except Undecided:
                    pass
            outcome.message = explain(claim, failure)
        return outcome
    except IllTyped as problem:
        return ill_typed(problem, claim)
    except ShapeError as problem:
        return Outcome("ill-typed", message=str(problem) or "shapes do not fit", misfit=True)
    except Undecided as problem:
        return Outcome("undecided", message=str(problem))
    except RecursionError:
        return Outcome("undecided", message="the definitions reach too deep")
    except (OverflowError, ZeroDivisionError, NoProof):
        return Outcome("undecided", message="a number is too large or a division is by zero")


def ill_typed(problem, claim):
    message = problem.quote(claim.source) if isinstance(problem, Misfit) else problem.message
    outcome = Outcome("ill-typed", getattr(problem, "step", None), message)
    outcome.misfit = isinstance(problem, Misfit) or getattr(problem, "misfit", False)
    outcome.at = problem.at
    return outcome


# -- words -------------------------------------------------------------------------------------------------------------
def shown_number(x):
    x = float(x)
    if x == int(x) and abs(x) < 1e9:
        return str(int(x))
    return f"{x:.6g}"


def shown_value(kind, dims, data):
    """A value in a line: (a, b) for a column, rows divided by semicolons for a matrix."""
    if kind == "scalar":
        return shown_number(data[0])
    if kind == "column":
        return "(" + ", ".join(map(shown_number, data[:12])) + (", …" if len(data) > 12 else "") + ")"
    if kind == "row":
        return "(" + ", ".join(map(shown_number, data[:12])) + (", …" if len(data) > 12 else "") + ")ᵀ"
    if kind == "matrix" and len(data) <= 36:
        m = dims[1]
        return "[" + "; ".join(", ".join(map(shown_number, data[i:i + m])) for i in range(0, len(data), m)) + "]"
    return f"{len(data)} entries"


def place(kind, dims, flat):
    if kind in ("column", "row"):
        return f"entry {flat + 1}"
    if kind == "matrix":
        return f"entry ({flat // dims[1] + 1}, {flat % dims[1] + 1})"
    return f"entry {flat + 1}"


def names_horizon(claim, model):
    """Whether T stands in the claim itself, and is not a symbol of the model's own."""
    bounds = [bound for _, low, high in claim.ranges for bound in (low, high) if bound is not None]
    symbols = [node.args[0] for formula in (*claim.chain.sides, *bounds) for node in formula.walk() if node.op == "sym"]
    return ("T", 0) not in model.families and any(symbol.base == "T" and symbol.sub is None for symbol in symbols)


def explain(claim, failure):
    """The counterexample in words: the step, the indices, both sides, where they differ most, and the values."""
    instance, chain = failure.instance, claim.chain
    left_text, right_text = (" ".join(claim.source[s.start:s.end].split())
                             for s in chain.sides[failure.step - 1:failure.step + 1])
    relation = RELATIONS.get(failure.relation, failure.relation)
    setting = [f"{name} = {i}" for name, i in failure.env.items()]
    sizes = [f"{name} = {n}" for name, n in instance.dims.items()]
    if instance.model.recurrent or names_horizon(claim, instance.model):
        sizes.append(f"T = {instance.horizon}")
    where = (" at " + ", ".join(setting) if setting else "") + (f" ({', '.join(sizes)})" if sizes else "")
    several = f"step {failure.step}, " if len(chain.relations) > 1 else ""
    lines = [f"{several}{left_text} {relation} {right_text} fails{where}"]
    kind, dims = failure.left.kind, failure.left.dims
    lines.append(f"left:  {shown_value(kind, dims, failure.left.data)}")
    lines.append(f"right: {shown_value(failure.right.kind, failure.right.dims, failure.right.data)}")
    if kind != "scalar":
        x, y = failure.left.data[failure.at], failure.right.data[failure.at]
        lines.append(f"they differ most in {place(kind, dims, failure.at)}: {shown_number(x)} and {shown_number(y)}")
    if lines[1].split()[1:] == lines[2].split()[1:]:  # alike in the digits shown
        gap = failure.left.data[failure.at] - failure.right.data[failure.at]
        lines.append(f"they differ by {shown_number(gap)}")
    drawn = []
    for (name, indices), data in sorted(instance.drawn.items(), key=lambda item: str(item[0])):
        value = instance.root.values.get((name, indices))
        if value is not None:
            drawn.append(f"{instance.member(name, indices)} = {shown_value(value.kind, value.dims, data)}")
    if drawn:
        total, shown = 0, []
        for text in drawn:
            total += len(text)
            if total > 900:
                shown.append("…")
                break
            shown.append(text)
        lines.append("with " + ", ".join(shown))
    return "\n".join(lines)

