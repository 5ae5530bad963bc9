"""The exact error of learning from one example, where every theory of many fails."""

from setol.field_theory.spectrum import Spectrum, Vector


def error_after_one_example(spectrum: Spectrum, ridge: float = 0.0) -> Vector:
    """Mean squared error per unit of target power, by degree, after one noise-free example.

    1 - 2 lambda_l/(K(1) + ridge) + sum_k degeneracy lambda_k^2/(K(1) + ridge)^2, from the predictor
    y K(x, x_1)/(K(1) + ridge) itself. Eigenvalues in the tail are taken to have no square.

    Args:
        spectrum: Of the kernel.
        ridge: 0 or more.

    Returns:
        Shape (L+1,); above 1 where guessing 0 is better.
    """
    whole = spectrum.total + ridge
    squares = float(spectrum.degeneracies @ spectrum.eigenvalues**2)
    found: Vector = 1 - 2 * spectrum.eigenvalues / whole + squares / whole**2
    return found
