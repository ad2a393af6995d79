"""The instances of a model: which sizes, horizons and values the claims are tried at. Claims of a model share them."""
from __future__ import annotations

from fractions import Fraction

from rnnbook.checker.arithmetic import Floats, Precise
from rnnbook.checker.evaluate import Instance
from rnnbook.checker.syntax import UPPER

#: Instances for an equation, for one with finite domains, and for an inequality (which random values seldom break).
EQUATIONS = 5
FINITE = 12
INEQUALITIES = 40
HORIZONS = (3, 4, 3, 5, 4, 3)
#: Scales and styles of the values for inequalities: their extremes lie at sparse, large and small values.
_WIDE = ("1", "0.3", "2", "1", "3", "0.1")
_STYLES = ("random", "sparse", "random", "integer")


class Instances:
    """All instances of one model, made when asked for."""

    def __init__(self, model):
        self.model = model
        self.made = {}
        self.floats, self.precise, self.finer = Floats(), Precise(50), Precise(100)
        self.horizon = self._horizon()
        #: Whether some domain is finite: all of its elements should be tried.
        self.finite = any(rule.domain and rule.domain.kind in ("set", "onehot") for rules in model.families.values()
                          for rule in rules)

    def _horizon(self):
        """The fixed T of a model, or the last particular index where some family has no general rule; None if free."""
        if "T" in self.model.fixed:
            return self.model.fixed["T"]
        largest = []
        for (name, arity), rules in self.model.families.items():
            rules = [rule for rule in rules if rule.kind != "abbreviation"]
            if arity != 1 or UPPER in name or not rules or any(isinstance(item, str) for rule in rules for item in rule.pattern):
                continue
            literal = [int(item.args[0]) for rule in rules for item in rule.pattern if item.op == "num"]
            if len(literal) == len(rules) and max(literal) > 0:
                largest.append(max(literal))
        return min(max(largest), 60) if largest else None

    def sizes(self, k, small=False):
        """The sizes of the k-th instance, all different and greater than one where they are not fixed."""
        letters = [d for d in self.model.dimensions if d not in self.model.fixed]
        taken = {self.model.fixed[d] for d in self.model.dimensions if d in self.model.fixed}
        wanted = len(letters) + (2 if len(letters) == 1 else 1)
        pool = [n for n in range(2, 2 + wanted + len(taken)) if n not in taken][:wanted]
        turn = 0 if small else k % wanted
        chosen = (pool[turn:] + pool[:turn])[:len(letters)]
        if not small and k // wanted % 2:
            chosen.reverse()
        sizes = dict(zip(letters, chosen))
        sizes.update({d: n for d, n in self.model.fixed.items() if d != "T"})
        return sizes

    def get(self, k, precision="floats", minimal_horizon=1, style="random", pins=(), pins_key="", wide=False, attempt=0,
            horizon=None):
        """The k-th instance in an arithmetic; with `wide` its values have other scales, as inequalities need."""
        key = (k, precision, minimal_horizon, style, pins_key, wide, attempt, horizon)
        found = self.made.get(key)
        if found is None:
            if len(self.made) > 400:
                self.made.clear()
            t = self.horizon or max(horizon or HORIZONS[k % len(HORIZONS)], minimal_horizon)
            scale = Fraction(_WIDE[(k + attempt) % len(_WIDE)]) if wide or attempt else 1
            drawn_as = _STYLES[k % 4] if wide and style == "random" else style
            found = Instance(self.model, getattr(self, precision),
                             self.sizes(k, small=style == "round" or wide and k % 2 == 0), t,
                             f"{k}/{attempt}" if attempt else k, drawn_as, tuple(pins), scale, position=k + attempt)
            self.made[key] = found
        return found
