"""The ways in which a formula can fail to get a value."""


class IllTyped(Exception):
    """The formula has no meaning; `at` is the offset in the block's body where that shows, if one is known."""

    def __init__(self, message, at=None):
        super().__init__(message)
        self.message = message
        self.at = at


class OutOfRange(IllTyped):
    """A member of a family that the horizon does not have, such as h_{-1}: a mistake of the formula, like shapes that do not fit."""

    misfit = True


class ShapeError(Exception):
    """Two values do not fit together; the evaluator adds the factors as printed."""


class Undefined(Exception):
    """The formula has a meaning but no value at this instance: a logarithm of a negative number, a singular matrix."""


class Undecided(Exception):
    """A limit of time or size was reached."""


class NoProof(Exception):
    """The formula leaves what the proof arithmetic can express; nothing follows from that."""


class TooLarge(NoProof):
    """The expressions of a proof grow beyond the limit; smaller sizes may do."""
