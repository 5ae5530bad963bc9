"""Statistics of metrics against scores: NumPy arrays in, frozen records out; no files, no SQL, no zoo.

Every function takes finite arrays of equal length, a value a model, and a seeded generator where it draws. What cannot
be had is None, with the reason beside it.
"""
