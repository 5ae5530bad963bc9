"""Data sets behind one interface: images as bytes, classes, a fixed split, the same bytes for everyone."""

from setol_zoo.lab.data.examples import DataSet, Examples
from setol_zoo.lab.data.load import DATA, load

__all__ = ["DATA", "DataSet", "Examples", "load"]
