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
    QUANTIZED_GPTQ = (
        "quantized_gptq",
        "Part of a weight quantized by GPTQ, which is not read here: analyze the checkpoint it was made from.",
    )
    QUANTIZED_AWQ = (
        "quantized_awq",
        "Part of a weight quantized by AWQ, which is not read here: analyze the checkpoint it was made from.",
    )
    QUANTIZED_4BIT = (
        "quantized_4bit",
        "Part of a weight in 4 bits of bitsandbytes (NF4, FP4), which is not read here: analyze the checkpoint it was "
        "made from.",
    )
    QUANTIZED_PACKED = (
        "quantized_packed",
        "Part of a weight packed by compressed-tensors, which is not read here: analyze the checkpoint it was made "
        "from.",
    )
    QUANTIZED_TORCHAO = (
        "quantized_torchao",
        "Part of a weight quantized by torchao, which is not read here: analyze the checkpoint it was made from.",
    )
    SCALES = "scales", "Scales of a quantized weight, which is analyzed with them."
    SCALE_UNKNOWN = (
        "scale_unknown",
        "A quantized weight beside scales of no known name, shape or number format: its values are not known. Analyze "
        "the checkpoint it was made from.",
    )
    SCALE_MISSING = (
        "scale_missing",
        "8-bit floats without scales, in a file where others have them: they may be in another shard, and without them "
        "the values are not known.",
    )
    ADAPTER = (
        "adapter",
        "A factor of a low-rank update (LoRA) of another weight; it says nothing without that one.",
    )
    FACTOR = "factor", "Its product with the other factor of the low-rank update is analyzed, under that one's name."
    FACTOR_UNSCALED = (
        "factor_unscaled",
        "Its product with the other factor of the low-rank update is analyzed, under that one's name, with scale 1: "
        "neither an adapter_config.json beside the file nor a tensor alpha in it tells another.",
    )
    FACTOR_ALONE = "factor_alone", "A factor of a low-rank update whose other factor is not in the file."
    FACTOR_MISMATCH = (
        "factor_mismatch",
        "The two factors of the low-rank update do not fit: B must have as many columns as A has rows.",
    )
    DTYPE = "dtype", "The number format is not one that can be widened to float64 here."
    DEPTHWISE = (
        "depthwise",
        "One input or one output channel, in all or in each group: every tap of the kernel is a vector, not a matrix.",
    )
    NON_FINITE = "non_finite", "Some entries are NaN, infinite, or too large for their squares to fit float64."
    EMPTY = "empty", "An axis has length 0."
    UNKNOWN = "unknown", "Three or more axes, and neither name nor shape says which two form the matrix."

    # A matrix that is not compared, or not written anew.
    NOT_IN_BASE = "not_in_base", "The base has no tensor of that name."
    OTHER_SHAPE = "other_shape", "The base's tensor of that name has another shape."
    NORMALIZED = (
        "normalized",
        "The weight is stored as directions and lengths (weight normalization), which are not written anew.",
    )
    SCALED = "scaled", "The weight is stored as codes and scales (quantized), which are not written anew."

    # A spectrum without a metric.
    TOO_FEW_EIGENVALUES = (
        "too_few_eigenvalues",
        "Fewer eigenvalues above the threshold than a tail fit needs.",
    )
    EQUAL_EIGENVALUES = "equal_eigenvalues", "All eigenvalues are equal but for rounding, so the spectrum has no tail."
    ZERO_MATRIX = "zero_matrix", "Every eigenvalue is zero."

    # A spectrum without a Marchenko-Pastur bulk.
    ZERO_BULK = "zero_bulk", "The eigenvalues a Marchenko-Pastur law would be matched to are zero."
    NO_BULK = (
        "no_bulk",
        "Too many eigenvalues lie above the edge of every Marchenko-Pastur law that was tried to call the rest a bulk.",
    )
    NO_PHASE = (
        "no_phase",
        "The spectrum has neither spikes nor a heavier edge than noise, and yet not its shape: no phase describes it.",
    )

    # A tail without a law, or two laws without a winner.
    POWER_LAW_LIMIT = (
        "power_law_limit",
        "The likelihood is largest where the law becomes the power law itself: no law of its kind fits better.",
    )
    NO_MAXIMUM = "no_maximum", "The likelihood was not maximized: the eigenvalues lie too close for its parameters."
    NO_CANDIDATE = "no_candidate", "No eigenvalue allowed as lambda_min leaves a tail whose values differ."
    NO_DIFFERENCE = (
        "no_difference",
        "The two laws differ by the same at every eigenvalue: there is no spread to compare their difference with.",
    )
    NO_REPLICA = "no_replica", "No resampled spectrum had a tail whose values differ."

    # A model of the spectrum without a layer quality, or without cumulants.
    NO_MOMENTS = "no_moments", "The law's tail is too heavy for finite moments, so it has no free cumulants."
    R_TRANSFORM_DOMAIN = "r_transform_domain", "Eigenvalues lie outside the domain of the model's R-transform."
    SERIES_BELOW_ZERO = "series_below_zero", "The series of free cumulants, cut off, ends below 0: it diverges."
    OVERFLOW = "overflow", "The result is too large or too small for float64."
