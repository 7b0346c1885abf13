"""The errors Maskflow raises on purpose. Everything else is a bug.

Each takes one finished message, so that it survives the trip from a worker process.
"""


def reason_of(error: Exception) -> str:
    """What an error says, for the end of a message: `no such file or directory`, without the system's number."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, UnicodeDecodeError):
        return f"not {error.encoding.upper()}: byte {error.start} is no text"
    return str(error) or type(error).__name__


class MaskflowError(Exception):
    """An expected error: its message says what, where, and what to do."""


class RefusedInput(MaskflowError, ValueError):
    """A parameter is wrong; nothing was started. The command line exits with 2.

    Attributes:
        parameter: its name, where it is one parameter alone.
        value: what it was.
        accepted: what is accepted instead.

    On the command line the parameter is called as the flag is, see `said_of`.
    """

    parameter: str | None = None
    value: object = None
    accepted: str | None = None

    @classmethod
    def of(cls, parameter: str, value: object, accepted: str) -> "RefusedInput":
        """The usual wording: which parameter, what it was, what is accepted."""
        wrong = f"{parameter} = {value!r} is not accepted" if value is not None else f"{parameter} is missing"
        error = cls(f"{wrong}: {accepted}")
        error.parameter, error.value, error.accepted = parameter, value, accepted
        return error

    @classmethod
    def unusable(cls, parameter: str, value: object, reason: str) -> "RefusedInput":
        """For a value of the right form that cannot be used: the reason says what to do."""
        reason = reason.removeprefix(f"{value}: ")  # errors of reading begin with the path
        error = cls(f"{parameter} = {value!r} cannot be used: {reason}")
        error.parameter, error.value, error.accepted = parameter, value, reason
        return error

    def said_of(self, flag: str) -> str:
        """The message, with the parameter called `flag`."""
        return f"{flag}: {str(self).removeprefix(f'{self.parameter} ').removeprefix('= ').removeprefix('is ')}"


class BadMedia(MaskflowError):
    """One item's video or image cannot be used. The item fails; the others go on."""


class UnsafeFile(MaskflowError):
    """A file holds more than plain data, or more of it than allowed. It was not loaded."""


class Unavailable(MaskflowError):
    """A model, package or file of weights that was requested by name is not installed."""
