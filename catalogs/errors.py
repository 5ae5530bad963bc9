"""The one error of this package."""


class CatalogError(ValueError):
    """A catalog, or something asked of one, is not as it has to be; the message says what would be."""
