"""What a user of the evaluation can mend; each message has the value, what was expected, and what to change."""


class EvaluationError(ValueError):
    """The base of them all."""


class ScoreError(EvaluationError):
    """A score map that cannot be scored: wrong shape or not finite; or a picture that a method cannot work on."""


class ProtocolError(EvaluationError):
    """A protocol that does not exist."""


class AttackError(EvaluationError):
    """An attack that does not exist, or of a strength that makes no sense."""


class MethodError(EvaluationError):
    """A method that does not exist, or a folder that is no exported detector."""
