"""The closed list of reasons why a tensor has no spectrum, or a spectrum no metric."""

from enum import StrEnum


class Reason(StrEnum):
    """Why something is missing. The value is what is stored; `sentence` is what a reader is told."""

    sentence: str

    def __new__(cls, value: str, sentence: str) -> "Reason":
        """Build a member whose value is the stored word and which carries its sentence."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member

    # A tensor that is not decomposed.
    VECTOR = "vector", "Fewer than two axes are longer than 1, so there is no matrix to decompose."
    INTEGER = "integer", "The entries are integers or booleans: indices, counters or masks, not weights."
    BUFFER = (
        "buffer",
        "The name is that of a buffer (running statistics, masks, frequencies), not of a weight.",
    )
    QUANTIZED = "quantized", "Part of a quantized weight, whose values cannot be read without its codec."
    ADAPTER = (
        "adapter",
        "A factor of a low-rank update (LoRA) of another weight; it says nothing without that one.",
    )
    DTYPE = "dtype", "The number format is not one that can be widened to float64 here."
    DEPTHWISE = "depthwise", "One input channel a group: every tap of the kernel is a column, not a matrix."
    NON_FINITE = "non_finite", "Some entries are NaN or infinite."
    EMPTY = "empty", "An axis has length 0."
    UNKNOWN = "unknown", "Three or more axes, and neither name nor shape says which two form the matrix."

    # A spectrum without a metric.
    TOO_FEW_EIGENVALUES = (
        "too_few_eigenvalues",
        "Fewer eigenvalues above the threshold than a tail fit needs.",
    )
    EQUAL_EIGENVALUES = "equal_eigenvalues", "All eigenvalues are equal, so the spectrum has no tail."
    ZERO_MATRIX = "zero_matrix", "Every eigenvalue is zero."
