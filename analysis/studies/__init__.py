"""Statistics of samples: what a metric says of a score, and what it adds to size."""
