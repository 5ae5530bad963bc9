"""How the error of an infinitely wide network falls with the number of examples, on the hypersphere.

An infinitely wide network is a Gaussian process with a kernel that depends on the cosine of two inputs alone. Its
eigenvalues on the sphere, one a degree of the harmonics, decide which functions it learns from how many examples
(Cohen, Malka and Ringel, Phys. Rev. Research 3, 023034, 2021; Canatar, Bordelon and Pehlevan, Nat. Commun. 12,
2914, 2021; Simon, Dickens, Karkada and DeWeese, TMLR 2023). Nothing here draws a number or loads torch.
"""

from setol.field_theory.architecture import Architecture
from setol.field_theory.learning_curve import LearningCurve, Method, learning_curve
from setol.field_theory.spectrum import Spectrum, sphere_spectrum

__all__ = ["Architecture", "LearningCurve", "Method", "Spectrum", "learning_curve", "sphere_spectrum"]
