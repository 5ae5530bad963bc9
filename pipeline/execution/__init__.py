"""Units of work done: one after the other, on the cores of a machine, or on a Ray cluster."""
