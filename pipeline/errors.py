"""What a user can mend about a run; kept apart so that naming these errors imports nothing else."""


class FolderError(Exception):
    """The results folder cannot be used; the message says why and what to do."""


class OptionError(ValueError):
    """An option outside its range, or a preset that does not exist."""


class MissingRay(Exception):
    """Ray is not installed; the message says what to do."""


class NodeError(Exception):
    """A machine of the cluster that cannot take part as it is; the message names it and says what to do."""
