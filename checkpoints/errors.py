"""What can go wrong between a catalog row and its tensors."""


class CheckpointError(Exception):
    """A weight file that cannot be had or read; the message says what was needed, what came, what to do.

    Attributes:
        transient: Whether trying again may help (the network), or not (a bad file, a wrong hash).
    """

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class NotFound(CheckpointError):
    """There is no such file or repository: what was named has to be named otherwise."""
