"""Figures that explain the theory: its laws drawn from the functions of `setol`, beside seeded simulations.

from analysis.theory.write import write_theory_figures
"""
