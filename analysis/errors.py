"""The one error of this package."""


class AnalysisError(ValueError):
    """Results that are not there, or a question that they cannot answer; the message says what would do."""
