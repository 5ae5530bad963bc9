"""Models with their metrics and published scores, out of results or of tables."""
