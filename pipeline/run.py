"""The main job as a script: `ray submit CLUSTER.yaml pipeline/run.py -- --catalog demo --results DIR`.

Ray copies this one file to the cluster's head, so it only calls the installed package.
"""

import sys

from setol_zoo.cli import main

if __name__ == "__main__":
    main(["run", *sys.argv[1:]], prog_name="setol")
