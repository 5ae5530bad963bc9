"""The one exception of the numerics: input that no formula can take."""


class SetolError(ValueError):
    """Input outside a function's domain; the message says what was needed and what came.

    A legitimate non-result (too few eigenvalues, a spectrum without spread) is no error: it is
    returned as a `Reason`.
    """
