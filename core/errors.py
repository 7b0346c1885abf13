"""The errors Maskflow raises on purpose. Everything else is a bug.

Each takes one finished message, so that it survives the trip from a worker process.
"""


class MaskflowError(Exception):
    """An expected error: its message says what, where, and what to do."""


class RefusedInput(MaskflowError, ValueError):
    """A parameter is wrong; nothing was started. The command line exits with 2.

    Attributes:
        parameter: its name, where it is one parameter alone.
        value: what it was.
        accepted: what is accepted instead.
    """

    parameter: str | None = None
    value: object = None
    accepted: str | None = None

    @classmethod
    def of(cls, parameter: str, value: object, accepted: str) -> "RefusedInput":
        """The usual wording: which parameter, what it was, what is accepted."""
        error = cls(f"{parameter} = {value!r} is not accepted: {accepted}")
        error.parameter, error.value, error.accepted = parameter, value, accepted
        return error

    @classmethod
    def unusable(cls, parameter: str, value: object, reason: str) -> "RefusedInput":
        """For a value of the right form that cannot be used: the reason says what to do."""
        error = cls(f"{parameter} = {value!r} cannot be used: {reason}")
        error.parameter, error.value, error.accepted = parameter, value, reason
        return error


class BadMedia(MaskflowError):
    """One item's video or image cannot be used. The item fails; the others go on."""


class UnsafeFile(MaskflowError):
    """A file holds more than plain data, or more of it than allowed. It was not loaded."""


class Unavailable(MaskflowError):
    """A model, package or file of weights that was requested by name is not installed."""
