"""Print NAME=PATH of the demo's weight files that have reference values, fetching those that are not here."""

import sys

from catalogs import load_catalog
from catalogs.places import cache_directory
from checkpoints.fetch import fetch

NAMES = ("resnet20", "resnet56", "efficientnet_lite0", "all-MiniLM-L6-v2")

for file in load_catalog("demo").select(NAMES).files:
    sys.stdout.write(f"{file.name}={fetch(file, cache_directory())}\n")
