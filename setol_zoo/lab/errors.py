"""What the laboratory cannot go on with; the command line shows these messages without a traceback."""

from catalogs.errors import CatalogError


class DataError(CatalogError):
    """A data set that is not known, cannot be had, or is not what its name promises; the message says what to do."""


class SettingError(CatalogError):
    """A setting that no network can be trained with; the message says what was needed."""
